"""Images with what is attached to them, as values: out of an OCI layout, or around a single bundle."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from compliance.model.image import (
    AttachedArtifact,
    AttachedBlob,
    AttachmentSource,
    Descriptor,
    Image,
    ImageConfig,
)
from compliance.model.reference import ImageReference, Scheme
from compliance.model.verification import Attestation, Signature, Verification

BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"


def sha256(content: bytes) -> str:
    """The digest of `content` as OCI writes it."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def blob(content: bytes, media_type: str, annotations: dict[str, str] | None = None) -> AttachedBlob:
    """A blob whose descriptor fits it."""
    descriptor = Descriptor(
        media_type=media_type, digest=sha256(content), size=len(content), annotations=annotations or {}
    )
    return AttachedBlob(descriptor=descriptor, content=content)


def artifact(
    *blobs: AttachedBlob, name: str = "attached", source: AttachmentSource = AttachmentSource.REFERRER
) -> AttachedArtifact:
    """An attached artifact of these blobs."""
    return AttachedArtifact(source=source, name=name, artifact_type=None, annotations={}, blobs=blobs)


def image_of(
    manifest: bytes, *attached: AttachedArtifact, index_digest: str | None = None, digest: str | None = None
) -> Image:
    """An image whose manifest is `manifest`: any bytes, as verification reads none of it."""
    return Image(
        reference=ImageReference(scheme=Scheme.OCI_DIR, target="image"),
        digest=digest or sha256(manifest),
        media_type="application/vnd.oci.image.manifest.v1+json",
        platform=None,
        manifest=manifest,
        config_digest=None,
        config_bytes=b"",
        config=ImageConfig(),
        layers=(),
        index_digest=index_digest,
        attached=attached,
    )


def with_bundles(manifest: bytes, *bundles: bytes) -> Image:
    """An image with bundles attached as referrers."""
    return image_of(manifest, *(artifact(blob(bundle, BUNDLE)) for bundle in bundles))


def image_in_layout(layout: Path, digest: str, *, index_digest: str | None = None) -> Image:
    """The image `digest` of an OCI layout with all that is attached: cosign's tags, and referrers by subject.

    Blobs that the fixture leaves out (large layers) are left out here too.
    """
    digests = {digest, *((index_digest,) if index_digest else ())}
    attached = []
    for manifest_path in sorted((layout / "blobs" / "sha256").iterdir()):
        value = _json(manifest_path)
        subject = value.get("subject") if isinstance(value, dict) else None
        if isinstance(subject, dict) and subject.get("digest") in digests:
            name = f"sha256:{manifest_path.name}"
            attached.append(artifact(*_layers(layout, value), name=name))
    for entry in json.loads((layout / "index.json").read_bytes())["manifests"]:
        annotations = entry.get("annotations") or {}
        name = annotations.get("org.opencontainers.image.ref.name") or annotations.get("kind") or ""
        if name.endswith((".sig", ".att", "/sigs", "/atts")):
            value = _json(_path(layout, entry["digest"]))
            attached.append(artifact(*_layers(layout, value), name=name, source=AttachmentSource.TAG))
    return image_of(_path(layout, digest).read_bytes(), *attached, index_digest=index_digest)


def found(verification: Verification) -> list[Signature | Attestation]:
    """Everything that was judged."""
    return [*verification.signatures, *verification.attestations]


def verdicts(verification: Verification) -> list[str]:
    """What was found, shortly: ``signature verified``, ``https://… invalid``."""
    return [
        f"{item.predicate_type if isinstance(item, Attestation) else 'signature'} {item.verdict.value}"
        for item in found(verification)
    ]


def reasons(verification: Verification) -> list[str]:
    """Why each was judged so, unreadable material included."""
    judged = [item.reason for item in found(verification)]
    return judged + [reason for _, reason in verification.unreadable]


def _layers(layout: Path, manifest: dict[str, Any]) -> list[AttachedBlob]:
    return [
        blob(path.read_bytes(), layer["mediaType"], layer.get("annotations"))
        for layer in manifest["layers"]
        if (path := _path(layout, layer["digest"])).is_file()
    ]


def _path(layout: Path, digest: str) -> Path:
    return layout / "blobs" / digest.replace(":", "/")


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except ValueError:
        return None
