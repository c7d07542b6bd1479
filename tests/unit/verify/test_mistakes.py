"""Keyless signatures with one thing wrong each: none verifies, and the reason says what it is."""

from __future__ import annotations

import importlib.metadata
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID

from compliance.formats.intoto import write_statement
from compliance.formats.public_key import load_public_key
from compliance.model.verification import Demand, Verdict
from compliance.verify.verifier import verify_image
from tests.builders.signed_image import found, reasons, sha256, with_bundles
from tests.builders.sigstore_instance import IDENTITY, ISSUER, Mistakes, SigstoreInstance, new_key
from tests.builders.specimen import Form, Kind, Log, Specimen, Stamp, mint
from tests.interop.signature_cases import CASES

INSTANCE = SigstoreInstance()
MANIFEST = b'{"schemaVersion":2}'
STATEMENT = write_statement(
    name="image", digest=sha256(MANIFEST), predicate_type="https://sigstore.dev/cosign/sign/v1", predicate={}
)
DEMAND = Demand(identity=IDENTITY, issuer=ISSUER)
NOW = datetime(2026, 12, 1, tzinfo=UTC)


def judged(mistakes: Mistakes, root: object = None) -> tuple[Verdict, str]:
    verification = verify_image(
        with_bundles(MANIFEST, INSTANCE.bundle(STATEMENT, mistakes)),
        DEMAND,
        key=None,
        trusted_root=json.dumps(root or INSTANCE.trusted_root()).encode(),
        ignore_tlog=False,
        now=NOW,
    )
    (signature,) = found(verification)
    (reason,) = reasons(verification)
    return signature.verdict, reason


def test_a_signature_without_mistakes_verifies() -> None:
    verdict, reason = judged(Mistakes())
    assert (verdict, reason) == (Verdict.VERIFIED, f"about this image, signed by {IDENTITY} (issuer {ISSUER})")


@pytest.mark.parametrize(
    ("mistakes", "reason"),
    [
        (Mistakes(identity="https://github.com/mallory/demo"), "who is not the demanded signer"),
        (Mistakes(issuer="https://issuer.mallory.test"), "who is not the demanded signer"),
        (Mistakes(stated_issuer="https://issuer.mallory.test"), "does not name one issuer"),
        (Mistakes(identity=f"{IDENTITY} "), "in characters that can't be shown as they are"),
        (Mistakes(issuer=f"{ISSUER}\u202e"), "in characters that can't be shown as they are"),
        (Mistakes(usage=ExtendedKeyUsageOID.SERVER_AUTH), "not for code signing"),
        (Mistakes(digital_signature=False), "not for digital signatures"),
        (Mistakes(authority=new_key()), "does not lead to an authority"),
        (Mistakes(certificate_log=new_key()), "signed certificate timestamp of its certificate does not verify"),
        (Mistakes(promised_listings=0), "no PrecertificateSignedCertificateTimestamps"),
        (Mistakes(promised_listings=2), "2 signed certificate timestamps instead of one"),
        (Mistakes(logged_after=timedelta(minutes=11)), "when its certificate was not valid"),
        (Mistakes(logged_after=timedelta(minutes=-1)), "when its certificate was not valid"),
        (Mistakes(promise_key=new_key()), "signed entry timestamp does not verify"),
        (Mistakes(checkpoint_key=new_key()), "inclusion proof does not verify"),
        (Mistakes(logged_statement=b"{}"), "about something else"),
        (Mistakes(tree_size_said="1"), "outside the log"),
        (Mistakes(tree_size_said="3"), "inclusion proof does not verify"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_mistake_is_found(mistakes: Mistakes, reason: str) -> None:
    verdict, said = judged(mistakes)
    assert verdict is Verdict.INVALID
    assert reason in said


@pytest.mark.parametrize("member", ["tlogs", "ctlogs", "certificateAuthorities"])
@pytest.mark.parametrize("window", [{"end": "2026-03-01T11:59:59Z"}, {"start": "2026-03-01T12:10:00Z"}, None])
def test_what_was_not_trusted_then_proves_nothing(member: str, window: dict[str, str] | None) -> None:
    root = INSTANCE.trusted_root()
    if window is None:
        root[member] = []
    for one in root[member]:
        place = one.get("publicKey", one)
        place["validFor"] = {**place["validFor"], **(window or {})}
    assert judged(Mistakes(), root)[0] is Verdict.INVALID


@pytest.mark.parametrize("member", ["tlogs", "ctlogs", "certificateAuthorities"])
def test_both_ends_of_a_time_of_trust_are_within_it(member: str) -> None:
    """The certificate log promised at 12:00, the transparency log at 12:01."""
    moment = "2026-03-01T12:00:00Z" if member == "ctlogs" else "2026-03-01T12:01:00Z"
    root = INSTANCE.trusted_root()
    for one in root[member]:
        one.get("publicKey", one)["validFor"] = {"start": moment, "end": moment}
    assert judged(Mistakes(), root)[0] is Verdict.VERIFIED


def test_another_instance_is_not_trusted() -> None:
    assert judged(Mistakes(), SigstoreInstance().trusted_root())[0] is Verdict.INVALID


def test_sigstore_python_agrees_about_every_mistake_that_it_looks_for() -> None:
    """The instance is a fair one: its good signature is accepted by another verifier, its bad ones are not."""
    from sigstore.errors import Error
    from sigstore.models import Bundle, TrustedRoot
    from sigstore.verify import Verifier, policy
    from sigstore_models.trustroot.v1 import TrustedRoot as Model

    value = INSTANCE.trusted_root()
    for authority in value["certificateAuthorities"]:
        authority["subject"] = {"organization": "", "commonName": ""}
    verifier = Verifier(trusted_root=TrustedRoot(Model.from_json(json.dumps(value))))
    who = policy.Identity(identity=IDENTITY, issuer=ISSUER)
    _, payload = verifier.verify_dsse(Bundle.from_json(INSTANCE.bundle(STATEMENT, Mistakes())), who)
    assert payload == STATEMENT
    for mistakes in (
        Mistakes(usage=ExtendedKeyUsageOID.SERVER_AUTH),
        Mistakes(authority=new_key()),
        Mistakes(certificate_log=new_key()),
        Mistakes(promise_key=new_key()),
        Mistakes(checkpoint_key=new_key()),
        Mistakes(logged_statement=b"{}"),
    ):
        with pytest.raises(Error):
            verifier.verify_dsse(Bundle.from_json(INSTANCE.bundle(STATEMENT, mistakes)), who)


def test_the_private_names_of_sigstore_are_those_of_the_pinned_version() -> None:
    from sigstore._internal.merkle import verify_merkle_inclusion
    from sigstore._internal.rekor.checkpoint import SignedCheckpoint, verify_checkpoint
    from sigstore._internal.sct import verify_sct
    from sigstore._internal.trust import Keyring

    assert importlib.metadata.version("sigstore") == "4.5.1"
    assert all(map(callable, (verify_merkle_inclusion, verify_checkpoint, verify_sct, Keyring, SignedCheckpoint)))


KEYED_KINDS = (
    Kind(form=Form.STATEMENT, version="0.3", keyed=True, log=Log.V2, stamp=Stamp.SIGNATURE),
    Kind(form=Form.STATEMENT, version="0.3", keyed=True, log=Log.V1),
    Kind(form=Form.STATEMENT, version="0.3", keyed=True, stamp=Stamp.SIGNATURE),
)


def judged_by_key(specimen: Specimen, root: Mapping[str, Any] | None) -> tuple[Verdict, str, str]:
    """With the log ignored."""
    verification = verify_image(
        with_bundles(MANIFEST, specimen.content),
        Demand(key_id="key.pub"),
        key=load_public_key(specimen.key or b""),
        trusted_root=None if root is None else json.dumps(root).encode(),
        ignore_tlog=True,
        now=NOW,
    )
    (item,) = found(verification)
    return item.verdict, item.reason, item.transparency


@pytest.mark.parametrize(
    ("kind", "title"),
    [
        (KEYED_KINDS[0], "bad timestamp"),
        (KEYED_KINDS[0], "bad log entry, log ignored"),
        (KEYED_KINDS[1], "bad log entry, log ignored"),
        (KEYED_KINDS[2], "bad timestamp"),
    ],
)
def test_what_is_there_and_wrong_is_refused_with_a_key_and_the_log_ignored(kind: Kind, title: str) -> None:
    good = mint(kind, MANIFEST, INSTANCE)
    assert judged_by_key(good, good.trusted_root)[0] is Verdict.VERIFIED
    spoilt = CASES[title].spoil(good, "")
    assert spoilt is not None
    verdict, reason, _ = judged_by_key(spoilt, good.trusted_root)
    assert verdict is Verdict.INVALID
    assert "does not verify" in reason
    assert judged_by_key(spoilt, None)[::2] == (Verdict.VERIFIED, "not checked: no trusted root was given")


def test_a_log_that_the_root_does_not_know_proves_nothing_and_hinders_nothing_when_it_is_ignored() -> None:
    good = mint(KEYED_KINDS[1], MANIFEST, INSTANCE)
    verdict, _, transparency = judged_by_key(good, SigstoreInstance().trusted_root())
    assert verdict is Verdict.VERIFIED
    assert transparency.startswith("not checked: the trusted root has no transparency log ")
