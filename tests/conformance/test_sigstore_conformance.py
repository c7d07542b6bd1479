"""The sigstore-conformance suite's verification cases: all 70, valid ones verified and the others not, offline."""

from __future__ import annotations

import socket
from datetime import UTC, datetime
from pathlib import Path

import pytest

from compliance.errors import FormatError
from compliance.model.verification import Demand, Verdict
from compliance.verify.verifier import load_public_key, verify_image
from tests.builders.signed_image import found as judged
from tests.builders.signed_image import reasons, with_bundles
from tests.conftest import shared_folder

CASES = "fixtures/sigstore-real/conformance/test/assets/bundle-verify"
BEACON = (
    "https://github.com/sigstore-conformance/extremely-dangerous-public-oidc-beacon/.github/workflows/"
    "extremely-dangerous-oidc-beacon.yml@refs/heads/main"
)
NOW = datetime(2026, 12, 1, tzinfo=UTC)
# These are no material or no root at all: refused before anything is judged.
NOT_READ = {"managed-key-wrong-key_fail", "trust-root-tlog-missing-validity-start_fail"}

pytestmark = pytest.mark.usefixtures("no_sockets")


def names() -> list[str]:
    folder = shared_folder() / CASES
    return sorted(path.name for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []


def read(path: Path, default: str) -> str:
    return path.read_text().strip() if path.is_file() else default


def verified(shared: Path, name: str) -> bool:
    """Whether the bundle of a case is verified; the artifact plays the image's manifest."""
    case = shared / CASES / name
    artifact = case / "artifact" if (case / "artifact").is_file() else case.parent / "a.txt"
    root = case / "trusted_root.json"
    if not root.is_file():
        root = shared / "fixtures" / "sigstore-real" / "trusted_root.production.json"
    keyed = (case / "key.pub").is_file()
    identity = Demand(
        identity=read(case / "identity", BEACON),
        issuer=read(case / "issuer", "https://token.actions.githubusercontent.com"),
    )
    found = verify_image(
        with_bundles(artifact.read_bytes(), (case / "bundle.sigstore.json").read_bytes()),
        Demand(key_id="key.pub") if keyed else identity,
        key=load_public_key((case / "key.pub").read_bytes()) if keyed else None,
        trusted_root=root.read_bytes(),
        ignore_tlog=False,
        now=NOW,
    )
    assert len(reasons(found)) == 1
    return any(item.verdict is Verdict.VERIFIED for item in judged(found))


def test_a_socket_would_be_seen() -> None:
    with pytest.raises(pytest.fail.Exception, match="a socket was opened"):
        socket.create_connection(("127.0.0.1", 9))


def test_the_suite_is_whole(shared: Path) -> None:
    assert len(names()) == 70
    assert set(names()) >= NOT_READ


@pytest.mark.parametrize("name", names())
def test_the_case_is_judged_as_the_suite_says(shared: Path, name: str) -> None:
    if name in NOT_READ:
        with pytest.raises(FormatError):
            verified(shared, name)
    else:
        assert verified(shared, name) is not name.endswith("_fail")
