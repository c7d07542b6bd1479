"""Verification of an image: demands, subjects, what counts as a signature, hostile material."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st

from compliance.errors import FormatError, IntegrityError, UsageError
from compliance.formats.cosign_layer import DSSE_LAYER, SIMPLE_SIGNING_LAYER
from compliance.formats.dsse import IN_TOTO, Envelope, envelope_value, pre_authentication_encoding
from compliance.formats.intoto import COSIGN_SIGN, write_statement
from compliance.formats.signed_json import base64_text, write
from compliance.formats.sigstore_bundle import write_keyed_bundle
from compliance.model.image import AttachedArtifact, AttachmentSource, Image, Layer
from compliance.model.verification import Demand, SignatureKind, Verification
from compliance.verify.integrity import integrity_of
from compliance.verify.material import MATERIALS_MAX
from compliance.verify.verifier import verify_image
from tests.builders.signed_image import BUNDLE, artifact, blob, image_of, reasons, sha256, verdicts

PRIVATE = ec.derive_private_key(99, ec.SECP256R1())
PUBLIC = PRIVATE.public_key()
MANIFEST = b'{"schemaVersion":2}'
DIGEST = sha256(MANIFEST)
NOW = datetime(2026, 12, 1, tzinfo=UTC)
KEYED = Demand(key_id="key.pub")
SBOM = "https://cyclonedx.org/bom"


def signed(message: bytes) -> bytes:
    return PRIVATE.sign(message, ec.ECDSA(hashes.SHA256()))


def envelope(predicate_type: str = SBOM, digest: str = DIGEST, payload_type: str = IN_TOTO) -> Envelope:
    statement = write_statement(name="image", digest=digest, predicate_type=predicate_type, predicate={})
    signature = signed(pre_authentication_encoding(payload_type, statement))
    return Envelope(payload_type=payload_type, payload=statement, signatures=(signature,))


def bundle(predicate_type: str = SBOM, digest: str = DIGEST, payload_type: str = IN_TOTO) -> bytes:
    return write_keyed_bundle(envelope(predicate_type, digest, payload_type), PUBLIC)


def simple_signing(digest: str = DIGEST, kind: str = "cosign container image signature") -> AttachedArtifact:
    payload = write({"critical": {"image": {"docker-manifest-digest": digest}, "type": kind}, "optional": None})
    annotations = {"dev.cosignproject.cosign/signature": base64_text(signed(payload))}
    return artifact(blob(payload, SIMPLE_SIGNING_LAYER, annotations), source=AttachmentSource.TAG)


def check(image: Image, demand: Demand = KEYED, *, ignore_tlog: bool = True, with_key: bool = True) -> Verification:
    return verify_image(
        image, demand, key=PUBLIC if with_key else None, trusted_root=None, ignore_tlog=ignore_tlog, now=NOW
    )


def attached(*contents: bytes) -> Image:
    return image_of(MANIFEST, *(artifact(blob(content, BUNDLE)) for content in contents))


def test_only_sign_bundles_and_signature_layers_are_signatures() -> None:
    layer = artifact(blob(write(envelope_value(envelope(COSIGN_SIGN))), DSSE_LAYER), source=AttachmentSource.TAG)
    found = check(image_of(MANIFEST, *attached(bundle(COSIGN_SIGN), bundle(SBOM)).attached, simple_signing(), layer))
    assert [item.kind for item in found.signatures] == [
        SignatureKind.SIGSTORE_BUNDLE,
        SignatureKind.COSIGN_SIMPLE_SIGNING,
    ]
    assert [(item.kind, item.predicate_type) for item in found.attestations] == [
        (SignatureKind.SIGSTORE_BUNDLE, SBOM),
        (SignatureKind.COSIGN_DSSE, COSIGN_SIGN),
    ]
    assert all(verdict.endswith(" verified") for verdict in verdicts(found))
    assert found.attestations[0].statement == envelope().payload
    assert found.attestations[0].subjects == (DIGEST,)


def test_unknown_predicate_types_are_listed() -> None:
    assert verdicts(check(attached(bundle("https://x.test/never-seen")))) == ["https://x.test/never-seen verified"]


def test_what_is_about_another_image_is_invalid_whoever_signed_it() -> None:
    other = "sha256:" + "0" * 64
    image = image_of(MANIFEST, *attached(bundle(digest=other)).attached, simple_signing(other))
    for found in (check(image), check(image, Demand(), with_key=False)):
        assert verdicts(found) == ["signature invalid", f"{SBOM} invalid"]
        assert all(reason.startswith("it is about another image") for reason in reasons(found))


def test_what_is_about_the_index_says_so() -> None:
    index = "sha256:" + "1" * 64
    image = image_of(MANIFEST, *attached(bundle(digest=index)).attached, index_digest=index)
    (reason,) = reasons(check(image))
    assert reason.startswith("about the index that lists this image, signed by key ")


def test_without_key_and_root_nothing_is_claimed() -> None:
    found = check(attached(bundle()), Demand(), with_key=False)
    assert verdicts(found) == [f"{SBOM} unchecked"]
    assert found.attestations[0].signer.key_id is None


def test_a_key_without_a_log_entry_counts_only_when_the_log_is_ignored() -> None:
    found = check(attached(bundle()), ignore_tlog=False)
    assert verdicts(found) == [f"{SBOM} invalid"]
    assert "no transparency log holds it" in found.attestations[0].reason
    assert verdicts(check(attached(bundle()))) == [f"{SBOM} verified"]


@pytest.mark.parametrize(
    "demand",
    [
        Demand(identity="a@b.test"),
        Demand(identity_regexp="."),
        Demand(issuer="https://issuer.test"),
        Demand(identity="a@b.test", issuer_regexp="("),
        Demand(identity_regexp="[", issuer="i"),
    ],
)
def test_half_an_identity_or_a_broken_expression_is_a_usage_error(demand: Demand) -> None:
    with pytest.raises(UsageError):
        check(attached(), demand)


@pytest.mark.parametrize("root", [b"", b"{}", b"[]", b'{"mediaType":"x"}'])
def test_a_trusted_root_that_is_none_is_one_clear_error(root: bytes) -> None:
    with pytest.raises(FormatError):
        verify_image(attached(), Demand(), key=None, trusted_root=root, ignore_tlog=False, now=NOW)


def test_material_that_is_not_understood_is_reported() -> None:
    notation = artifact(blob(b"{}", "application/jose+json"))
    statement = artifact(blob(b"{}", "application/vnd.in-toto+json"), source=AttachmentSource.INDEX)
    file = artifact(blob(b"no bundle", "text/plain"), source=AttachmentSource.FILE, name="x.sigstore.json")
    sbom = artifact(blob(b"{}", "application/spdx+json"))
    image = image_of(MANIFEST, notation, statement, file, sbom, *attached(bundle(payload_type="text/plain")).attached)
    found = check(image)
    assert not verdicts(found)
    assert [where for where, _ in found.unreadable] == [
        "referrer attached, blob 0",
        "index attached, blob 0",
        "file x.sigstore.json, blob 0",
        "referrer attached, blob 0",
    ]


def test_a_signature_of_another_purpose_is_not_one_of_an_image() -> None:
    found = check(image_of(MANIFEST, simple_signing(kind="atomic container signature")))
    assert not verdicts(found)
    assert len(found.unreadable) == 1


def test_the_same_object_found_twice_counts_once() -> None:
    one = bundle()
    assert len(check(attached(one, one)).attestations) == 1


def test_more_objects_than_the_bound_are_said_not_read() -> None:
    contents = [bundle(f"https://x.test/{number}") for number in range(MATERIALS_MAX + 5)]
    found = check(attached(*contents))
    assert len(found.attestations) == MATERIALS_MAX
    assert "not read" in found.unreadable[-1][1]


@cache
def one_bundle() -> bytes:
    """Signed once: every signature has other bytes, and other lengths, where ECDSA takes a random number."""
    return bundle()


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_no_changed_byte_of_what_was_signed_verifies(data: st.DataObject) -> None:
    """Payload, its type and the signature, as they stand in the bundle."""
    content = one_bundle()
    value = json.loads(content)["dsseEnvelope"]
    field = data.draw(st.sampled_from([value["payload"], value["payloadType"], value["signatures"][0]["sig"]]))
    start = content.index(json.dumps(field).encode()) + 1
    position = start + data.draw(st.integers(0, len(field) - 1))
    flipped = content[position] ^ data.draw(st.integers(1, 255))
    changed = content[:position] + bytes((flipped,)) + content[position + 1 :]
    assert not any(verdict.endswith(" verified") for verdict in verdicts(check(attached(changed))))


@given(st.binary(max_size=300), st.sampled_from([BUNDLE, DSSE_LAYER, SIMPLE_SIGNING_LAYER]))
@settings(deadline=None)
def test_any_bytes_are_a_verdict_never_an_exception(content: bytes, media_type: str) -> None:
    found = check(image_of(MANIFEST, artifact(blob(content, media_type))))
    assert not any(verdict.endswith(" verified") for verdict in verdicts(found))


@given(st.dictionaries(st.sampled_from(["signature", "certificate", "bundle", "rfc3161timestamp"]), st.text()))
@settings(deadline=None)
def test_any_annotations_are_a_verdict_never_an_exception(texts: dict[str, str]) -> None:
    prefixes = {"signature": "dev.cosignproject.cosign/"}
    annotations = {prefixes.get(name, "dev.sigstore.cosign/") + name: text for name, text in texts.items()}
    layer = simple_signing().blobs[0]
    found = check(image_of(MANIFEST, artifact(blob(layer.content, SIMPLE_SIGNING_LAYER, annotations))))
    assert not any(verdict.endswith(" verified") for verdict in verdicts(found))


def test_hostile_texts_are_fit_to_print() -> None:
    (attestation,) = check(attached(bundle("https://x.test/\x1b[31m\u202e"))).attestations
    assert attestation.predicate_type.isprintable()


def layered() -> Image:
    config = b"{}"
    layers = (
        Layer(index=0, digest="sha256:" + "a" * 64, diff_id="sha256:" + "b" * 64, media_type="m", size=1),
        Layer(index=1, digest="sha256:" + "c" * 64, diff_id="sha256:" + "c" * 64, media_type="m", size=1),
    )
    image = image_of(MANIFEST, index_digest="sha256:" + "d" * 64)
    return replace(image, layers=layers, config_bytes=config, config_digest=sha256(config))


def test_integrity_lists_every_digest_that_was_recomputed() -> None:
    image = layered()
    assert integrity_of(image, layers_read=True).checked == (
        ("index", image.index_digest),
        ("manifest", DIGEST),
        ("config", image.config_digest),
        ("layer 1", image.layers[0].digest),
        ("layer 1, uncompressed", image.layers[0].diff_id),
        ("layer 2", image.layers[1].digest),
    )


def test_no_layer_is_claimed_that_was_not_read() -> None:
    assert [what for what, _ in integrity_of(layered(), layers_read=False).checked] == ["index", "manifest", "config"]
    assert check(layered()).integrity == integrity_of(layered(), layers_read=False)


@pytest.mark.parametrize("field", ["manifest", "config_bytes"])
def test_a_manifest_or_config_that_hashes_to_something_else_is_an_integrity_error(field: str) -> None:
    with pytest.raises(IntegrityError):
        integrity_of(replace(layered(), **{field: b"other"}), layers_read=True)  # type: ignore[arg-type]


def test_an_image_named_by_its_config_has_no_manifest_to_check() -> None:
    image = replace(layered(), index_digest=None, layers=())
    image = replace(image, digest=str(image.config_digest), manifest=b"[]")
    assert integrity_of(image, layers_read=True).checked == (("config", image.config_digest),)


def test_a_root_file_system_has_its_listing() -> None:
    digest = f"sha256:{hashlib.sha256(b'listing').hexdigest()}"
    image = replace(image_of(b"", digest=digest), config=None)
    assert integrity_of(image, layers_read=True).checked == (("listing of the root file system", digest),)
