"""What is attached to an image, as bytes: manifests about it (OCI image-spec 1.1, "subject"), and cosign's old form."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from compliance.formats import signed_json
from compliance.formats.cosign_layer import DSSE_LAYER
from compliance.formats.dsse import Envelope, envelope_value
from compliance.formats.oci import EMPTY_CONFIG, OCI_CONFIG, OCI_MANIFEST
from compliance.formats.signed_json import JsonObject, read_object
from compliance.formats.sigstore_bundle import BUNDLE_V03

EVIDENCE_TYPE = "application/vnd.hullmark.evidence.v1"
"""The artifact type of an evidence bundle that lies with its image: one layer a file."""

_EMPTY = b"{}"
_CREATED = "org.opencontainers.image.created"
TITLE = "org.opencontainers.image.title"
"""Of a layer of an evidence bundle: the path of its file."""

Value = dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """The manifest that an attachment is about; `size` in bytes."""

    digest: str
    media_type: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceFile:
    """A file of an evidence bundle."""

    path: str
    media_type: str
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A manifest about an image, and the blobs it names."""

    manifest: bytes = field(repr=False)
    blobs: tuple[bytes, ...] = field(repr=False)

    @property
    def digest(self) -> str:
        """The manifest's."""
        return sha256(self.manifest)


def bundle_attachment(bundle: bytes, predicate_type: str, subject: Subject, created: datetime) -> Attachment:
    """A Sigstore bundle with an attestation, as cosign attaches and finds it (Sigstore bundle-spec, "OCI")."""
    annotations = {
        "dev.sigstore.bundle.content": "dsse-envelope",
        "dev.sigstore.bundle.predicateType": predicate_type,
        _CREATED: _time(created),
    }
    return _artifact(BUNDLE_V03, [(BUNDLE_V03, bundle, {})], subject, annotations)


def evidence_attachment(files: Iterable[EvidenceFile], subject: Subject, created: datetime) -> Attachment:
    """An evidence bundle. Its attestations are files here: a bundle's own type would make each count twice."""
    layers = [
        ("application/json" if file.media_type == BUNDLE_V03 else file.media_type, file.content, {TITLE: file.path})
        for file in sorted(files, key=lambda file: file.path)
    ]
    return _artifact(EVIDENCE_TYPE, layers, subject, {_CREATED: _time(created)})


def listing(manifest: bytes) -> Value:
    """The descriptor under which an index lists `manifest` (distribution-spec, "Listing Referrers")."""
    value = read_object(manifest, "manifest")
    entry: Value = {"mediaType": OCI_MANIFEST, "digest": sha256(manifest), "size": len(manifest)}
    return entry | {key: value.values[key] for key in ("artifactType", "annotations") if value.has(key)}


def layer_digests(manifest: bytes) -> tuple[str, ...]:
    """The digests of the layers of `manifest`, in order. Raises FormatError."""
    return tuple(layer.text("digest") for layer in read_object(manifest, "manifest").members("layers"))


def legacy_layer(envelope: Envelope, predicate_type: str) -> tuple[bytes, Value]:
    """A layer of the ``.att`` tag and its descriptor (cosign specs, ATTESTATION_SPEC.md). Keys only: no certificate.

    The empty signature annotation has to be there, or cosign passes over the layer.
    """
    content = signed_json.write(envelope_value(envelope))
    annotations = {"dev.cosignproject.cosign/signature": "", "predicateType": predicate_type}
    return content, {**_descriptor(DSSE_LAYER, content), "annotations": annotations}


def legacy_manifest(layers: Iterable[Mapping[str, object]]) -> tuple[bytes, bytes]:
    """The manifest of the ``.att`` tag with these layers, and its config: an image's, as cosign writes it."""
    listed = [dict(layer) for layer in layers]
    config = signed_json.write(
        {
            "architecture": "",
            "created": "0001-01-01T00:00:00Z",
            "os": "",
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": [layer["digest"] for layer in listed]},
        }
    )
    manifest = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": _descriptor(OCI_CONFIG, config),
        "layers": listed,
    }
    return signed_json.write(manifest), config


def read_list(content: bytes, key: str, what: str) -> tuple[JsonObject, list[Value]]:
    """A manifest or index, and the descriptors in its list at `key`, with all their members. Raises FormatError."""
    value = read_object(content, what)
    return value, [dict(item.values) for item in value.members(key)]


def sha256(content: bytes) -> str:
    """The digest of `content` as OCI writes it."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _artifact(
    artifact_type: str,
    layers: Iterable[tuple[str, bytes, Mapping[str, str]]],
    subject: Subject,
    annotations: Mapping[str, str],
) -> Attachment:
    contents = tuple(layers)
    manifest = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "artifactType": artifact_type,
        "config": _descriptor(EMPTY_CONFIG, _EMPTY),
        "layers": [
            _descriptor(media_type, content) | ({"annotations": dict(titles)} if titles else {})
            for media_type, content, titles in contents
        ],
        "subject": {"mediaType": subject.media_type, "digest": subject.digest, "size": subject.size},
        "annotations": dict(annotations),
    }
    blobs = dict.fromkeys((_EMPTY, *(content for _, content, _ in contents)))
    return Attachment(manifest=signed_json.write(manifest), blobs=tuple(blobs))


def _descriptor(media_type: str, content: bytes) -> Value:
    return {"mediaType": media_type, "digest": sha256(content), "size": len(content)}


def _time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
