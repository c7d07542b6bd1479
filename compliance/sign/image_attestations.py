"""Attestations of one image: signed unless they are there already, and attached unless they are there already."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from compliance.errors import FormatError, SigningError
from compliance.formats.cosign_layer import DSSE_LAYER
from compliance.formats.dsse import IN_TOTO, Envelope, read_envelope
from compliance.formats.intoto import read_statement
from compliance.formats.signed_json import read_object
from compliance.formats.sigstore_bundle import BUNDLE_TYPES, Bundle, read_bundle, write_keyed_bundle
from compliance.model.image import AttachedArtifact, AttachedBlob, AttachmentSource, Image
from compliance.sign.attach import Place, attach, attach_legacy
from compliance.sign.attachment import (
    EVIDENCE_TYPE,
    TITLE,
    Attachment,
    EvidenceFile,
    Subject,
    bundle_attachment,
    evidence_attachment,
    layer_digests,
    legacy_layer,
    sha256,
)
from compliance.sign.signer import KeySigner, Signer

_BUNDLE_SUFFIX = ".sigstore.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attached:
    """What lies with the image now: `what` is a predicate type, or the type of an artifact that is no attestation.

    `digest` is that of its manifest, in the older form that of its layer. `is_new`: it was not there before.
    """

    what: str
    digest: str
    is_new: bool


def sign_once(statements: Iterable[bytes], signer: Signer, image: Image, also: Iterable[bytes] = ()) -> list[bytes]:
    """A bundle of each statement: one that lies with the image or is in `also`, if this signer made it, else new.

    Raises SigningError.
    """
    there = [*also, *_bundles_of(image, signer)]
    return [
        next((bundle for bundle in there if signer.has_signed(bundle, statement)), None)
        or signer.sign_statement(statement)
        for statement in statements
    ]


def own_evidence(image: Image, signer: Signer) -> frozenset[str]:
    """The names of what an earlier run attached for this signer: evidence with its good signature, and what is in it.

    An image is not judged by it: else each attestation would be about the one before.
    """
    names: set[str] = set()
    for artifact in image.attached:
        bundles = [blob for blob in artifact.blobs if _is_bundle_file(artifact, blob)]
        if any(_signed_by(signer, blob.content) for blob in bundles):
            digests = {blob.descriptor.digest for blob in bundles}
            names.add(artifact.name)
            names.update(other.name for other in image.attached if _digests(other) and _digests(other) <= digests)
    return frozenset(names)


def attach_bundles(
    place: Place,
    image: Image,
    bundles: Iterable[bytes],
    *,
    tag: str,
    created: datetime,
    files: Iterable[EvidenceFile] = (),
) -> tuple[Attached, ...]:
    """Attach bundles with attestations, and an evidence bundle's `files` if there are any, as referrers of the image.

    `tag` is the one for its referrers; `created` is the run's time. Raises FormatError for a bundle that is none,
    SigningError, and what `place` raises.
    """
    subject = Subject(digest=image.digest, media_type=image.media_type, size=len(image.manifest))
    wanted: list[tuple[str, Attachment]] = []
    for bundle in bundles:
        predicate_type = predicate_type_of(read_bundle(bundle))
        wanted.append((predicate_type, bundle_attachment(bundle, predicate_type, subject, created)))
    evidence = tuple(files)
    if evidence:
        wanted.append((EVIDENCE_TYPE, evidence_attachment(evidence, subject, created)))
    there = {_content(artifact): artifact.name for artifact in _referrers(image)}
    new: list[Attachment] = []
    attached: list[Attached] = []
    for what, attachment in wanted:
        name = there.get((what == EVIDENCE_TYPE, layer_digests(attachment.manifest)))
        if name is None:
            new.append(attachment)
        elif not place.remote:  # found by looking through all blobs, perhaps: an interruption left it unlisted
            new.extend(_again(place, name))
        attached.append(Attached(what=what, digest=name or attachment.digest, is_new=name is None))
    attach(place, image.digest, new, tag)
    return tuple(attached)


def attach_legacy_bundles(place: Place, image: Image, bundles: Iterable[bytes], *, tag: str) -> tuple[Attached, ...]:
    """Attach the envelopes of keyed bundles under cosign's ``.att`` `tag`. Raises SigningError for other bundles."""
    there = {
        blob.descriptor.digest
        for artifact in image.attached
        if artifact.source is AttachmentSource.TAG
        for blob in artifact.blobs
    }
    layers = []
    attached = []
    for bundle in bundles:
        read = read_bundle(bundle)
        if not read.keyed or not isinstance(read.content, Envelope):
            raise SigningError(
                "the older form is only for signatures with a key",
                code="legacy-keyless",
                hint="attach it as a referrer, without --legacy",
            )
        predicate_type = predicate_type_of(read)
        layers.append(legacy_layer(read.content, predicate_type))
        digest = sha256(layers[-1][0])
        attached.append(Attached(what=predicate_type, digest=digest, is_new=digest not in there))
    attach_legacy(place, tag, layers)
    return tuple(attached)


def predicate_type_of(bundle: Bundle) -> str:
    """The predicate type of the statement in a bundle. Raises FormatError for a bundle without one."""
    if not isinstance(bundle.content, Envelope) or bundle.content.payload_type != IN_TOTO:
        raise FormatError("a bundle without an in-toto statement", code="bundle-invalid")
    return read_statement(bundle.content.payload).predicate_type


def _bundles_of(image: Image, signer: Signer) -> Iterator[bytes]:
    """All bundles that lie with the image, also as files of an evidence bundle: that of the report lies nowhere else.

    What cosign's ``.att`` holds comes as if it were in bundles.
    """
    for artifact in image.attached:
        for blob in artifact.blobs:
            if blob.descriptor.media_type in BUNDLE_TYPES or _is_bundle_file(artifact, blob):
                yield blob.content
            elif blob.descriptor.media_type == DSSE_LAYER and isinstance(signer, KeySigner):
                try:
                    envelope = read_envelope(read_object(blob.content, "envelope"))
                except FormatError:
                    continue
                if len(envelope.signatures) == 1:
                    yield write_keyed_bundle(envelope, signer.public)


def _digests(artifact: AttachedArtifact) -> set[str]:
    return {blob.descriptor.digest for blob in artifact.blobs}


def _signed_by(signer: Signer, bundle: bytes) -> bool:
    try:
        content = read_bundle(bundle).content
    except FormatError:
        return False
    return isinstance(content, Envelope) and signer.has_signed(bundle, content.payload)


def _is_bundle_file(artifact: AttachedArtifact, blob: AttachedBlob) -> bool:
    title = blob.descriptor.annotations.get(TITLE, "")
    return artifact.artifact_type == EVIDENCE_TYPE and title.endswith(_BUNDLE_SUFFIX)


def _referrers(image: Image) -> Iterator[AttachedArtifact]:
    return (artifact for artifact in image.attached if artifact.source is AttachmentSource.REFERRER)


def _content(artifact: AttachedArtifact) -> tuple[bool, tuple[str, ...]]:
    """What makes it the same: its layers, as evidence or as anything else; not when it was attached."""
    return artifact.artifact_type == EVIDENCE_TYPE, tuple(blob.descriptor.digest for blob in artifact.blobs)


def _again(place: Place, name: str) -> Iterator[Attachment]:
    manifest = place.find(name)
    if manifest is not None:
        yield Attachment(manifest=manifest, blobs=())
