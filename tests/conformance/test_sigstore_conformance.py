"""The sigstore-conformance suite's verification cases: all 70, valid ones verified and the others not."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from compliance.errors import FormatError
from compliance.model.verification import Demand, Verdict
from compliance.verify.verifier import load_public_key, verify_image
from tests.builders.signed_image import found as judged
from tests.builders.signed_image import reasons, with_bundles

CASES = "fixtures/sigstore-real/conformance/test/assets/bundle-verify"
BEACON = (
    "https://github.com/sigstore-conformance/extremely-dangerous-public-oidc-beacon/.github/workflows/"
    "extremely-dangerous-oidc-beacon.yml@refs/heads/main"
)
NOW = datetime(2026, 12, 1, tzinfo=UTC)
# These are no material or no root at all: refused before anything is judged.
NOT_READ = {"managed-key-wrong-key_fail", "trust-root-tlog-missing-validity-start_fail"}


def names(shared: Path) -> list[str]:
    return sorted(path.name for path in (shared / CASES).iterdir() if path.is_dir())


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


def test_the_suite_is_whole(shared: Path) -> None:
    assert len(names(shared)) == 70


def test_every_case_is_judged_as_the_suite_says(shared: Path) -> None:
    wrong = [
        name for name in names(shared) if name not in NOT_READ and verified(shared, name) is name.endswith("_fail")
    ]
    assert not wrong


@pytest.mark.parametrize("name", sorted(NOT_READ))
def test_a_key_or_root_that_is_none_is_refused(shared: Path, name: str) -> None:
    with pytest.raises(FormatError):
        verified(shared, name)
