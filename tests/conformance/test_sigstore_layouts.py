"""Images signed with a private Sigstore instance, by cosign mostly: each attached object, as EXPECTED.json says."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from compliance.model.verification import Demand, Verification
from compliance.verify.verifier import load_public_key, verify_image
from tests.builders.signed_image import found as judged
from tests.builders.signed_image import image_in_layout, reasons, verdicts

pytestmark = pytest.mark.usefixtures("no_sockets")

WORKFLOW = "https://github.com/acme/demo/.github/workflows/release.yml@refs/heads/main"
KEYLESS = Demand(identity=WORKFLOW, issuer="http://127.0.0.1:18080/gha")
MINTED = Demand(identity=WORKFLOW, issuer="https://token.actions.githubusercontent.com")
NOW = datetime(2026, 12, 1, tzinfo=UTC)

KEYED = ("cosign-save-keyed-old", "keyed-new", "keyed-old", "keyed-tlog", "keyed-tsa", "py-keyed")
KEYS = ("cosign", "other", "plain")
MISTAKES = ("ok", "wrong-identity", "wrong-issuer", "no-sct", "logged-before-issue", "set-wrong-key")


@pytest.fixture(scope="module")
def sigstore(shared: Path) -> Path:
    return shared / "fixtures" / "sigstore"


@pytest.fixture(scope="module")
def expected(sigstore: Path) -> Any:
    return json.loads((sigstore / "EXPECTED.json").read_bytes())


def check(
    sigstore: Path,
    layout: str,
    demand: Demand,
    *,
    key: str | None = None,
    ignore_tlog: bool = False,
    index: bool = False,
    root: str = "trust/trusted_root.json",
    now: datetime = NOW,
) -> Verification:
    digest = (sigstore / "image.digest").read_text().strip()
    folder = sigstore / ("layouts" if (sigstore / "layouts" / layout).is_dir() else "minted") / layout
    index_digest = json.loads((folder / "index.json").read_bytes())["manifests"][0]["digest"] if index else None
    return verify_image(
        image_in_layout(folder, digest, index_digest=index_digest),
        demand,
        key=load_public_key((sigstore / "keys" / f"{key}.pub").read_bytes()) if key else None,
        trusted_root=(sigstore / root).read_bytes(),
        ignore_tlog=ignore_tlog,
        now=now,
    )


def what(entry: dict[str, Any]) -> str:
    signs = entry["what"] in ("simplesigning", "https://sigstore.dev/cosign/sign/v1")
    return "signature" if signs else str(entry["what"])


@pytest.mark.parametrize("ignore_tlog", [False, True], ids=["log demanded", "log ignored"])
@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("layout", KEYED)
def test_keyed_objects_are_verified_as_expected(
    sigstore: Path, expected: Any, layout: str, key: str, ignore_tlog: bool
) -> None:
    """An object without a log entry counts only when the log is to be ignored; with one, in both cases."""

    def verdict(entry: dict[str, Any]) -> str:
        reference = entry["reference"][key]
        good = reference.startswith("ok") and (ignore_tlog or "no tlog" not in reference)
        return f"{what(entry)} {'verified' if good else 'invalid'}"

    found = check(sigstore, layout, Demand(key_id=key), key=key, ignore_tlog=ignore_tlog)
    assert sorted(verdicts(found)) == sorted(map(verdict, expected[layout]))
    assert not found.unreadable


def test_keyless_objects_are_verified_for_the_demanded_identity(sigstore: Path, expected: Any) -> None:
    found = check(sigstore, "keyless", KEYLESS)
    assert sorted(verdicts(found)) == sorted(f"{what(entry)} verified" for entry in expected["keyless"])
    assert {item.signer.identity for item in judged(found)} == {WORKFLOW}
    assert all(item.transparency.startswith("inclusion proof, log ") for item in found.attestations)


def test_bundles_that_cosign_saved_without_listing_them_are_the_same(sigstore: Path) -> None:
    assert verdicts(check(sigstore, "cosign-save-keyless", KEYLESS)) == verdicts(check(sigstore, "keyless", KEYLESS))


@pytest.mark.parametrize("ignore_tlog", [False, True])
def test_a_certificate_with_a_timestamp_alone_needs_the_log_ignored(sigstore: Path, ignore_tlog: bool) -> None:
    found = check(sigstore, "keyless-tsa-only", KEYLESS, ignore_tlog=ignore_tlog)
    word = "verified" if ignore_tlog else "invalid"
    assert verdicts(found) == [f"signature {word}", f"https://cyclonedx.org/bom {word}"]


def test_what_is_about_the_index_counts_for_its_image_and_says_so(sigstore: Path) -> None:
    alone = check(sigstore, "multi", KEYLESS)
    assert verdicts(alone) == ["signature verified"]
    with_index = check(sigstore, "multi", KEYLESS, index=True)
    assert sorted(verdicts(with_index)) == [
        "https://cyclonedx.org/bom verified",
        "signature verified",
        "signature verified",
    ]
    assert {reason.partition(",")[0] for reason in reasons(with_index)} == {
        "about this image",
        "about the index that lists this image",
    }


def test_an_unsigned_image_is_a_result(sigstore: Path) -> None:
    found = check(sigstore, "unsigned", KEYLESS)
    assert verdicts(found) == []
    assert not found.unreadable


def test_without_a_demand_the_reason_says_that_nobody_is_trusted(sigstore: Path) -> None:
    found = check(sigstore, "keyless", Demand())
    assert all(verdict.endswith(" verified") for verdict in verdicts(found))
    assert all("no signer was demanded" in reason for reason in reasons(found))


def test_certificates_are_not_held_against_a_key_nor_keys_against_an_identity(sigstore: Path) -> None:
    assert all(v.endswith(" unchecked") for v in verdicts(check(sigstore, "keyless", Demand(key_id="k"), key="cosign")))
    assert all(v.endswith(" unchecked") for v in verdicts(check(sigstore, "keyed-tlog", KEYLESS)))


@pytest.mark.parametrize("style", ["old", "new"])
@pytest.mark.parametrize("mistake", MISTAKES)
def test_each_mistake_of_an_instance_is_found(sigstore: Path, mistake: str, style: str) -> None:
    found = check(sigstore, f"{style}-{mistake}", MINTED, root="minted/trusted_root.json")
    said = verdicts(found)
    assert len(said) == (2 if style == "old" else 1)
    assert all(verdict.endswith(" verified" if mistake == "ok" else " invalid") for verdict in said), reasons(found)


@pytest.mark.parametrize("layout", ["keyed-tlog", "keyless"])
def test_another_trusted_root_verifies_nothing(sigstore: Path, layout: str) -> None:
    key = "cosign" if layout == "keyed-tlog" else None
    demand = Demand(key_id="cosign") if key else KEYLESS
    found = check(sigstore, layout, demand, key=key, root="minted/trusted_root.json")
    assert all(verdict.endswith(" invalid") for verdict in verdicts(found))


@pytest.mark.parametrize("now", [datetime(2020, 1, 1, tzinfo=UTC), datetime(2040, 1, 1, tzinfo=UTC)])
def test_verdicts_do_not_depend_on_the_time_of_the_run(sigstore: Path, now: datetime) -> None:
    found = check(sigstore, "keyless", KEYLESS, now=now)
    assert all(verdict.endswith(" verified") for verdict in verdicts(found))
    assert all(("signed after" in reason) is (now.year == 2020) for reason in reasons(found))
