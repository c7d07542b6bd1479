"""OCI layouts with signatures and attestations in them, as cosign and buildkit leave them."""

from __future__ import annotations

import json
from pathlib import Path

from tests.builders.layout import Layout, digest

BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_INDEX = "application/vnd.oci.image.index.v1+json"
_EMPTY = "application/vnd.oci.empty.v1+json"


def attach(layout: Layout, subject: dict[str, object], *blobs: bytes, media_type: str = BUNDLE) -> None:
    """A referrer of `subject` (a descriptor) with `blobs`, listed in index.json."""
    layout.manifests.append(
        _manifest(layout, *blobs, media_type=media_type, extra={"artifactType": media_type, "subject": subject})
    )
    layout.write_index()


def put_into_index(root: Path, *statements: bytes) -> str:
    """An image and, in one index with it, statements about it that nobody signed, as buildkit stores them; the digest.

    A statement may name the image as ``IMAGE``: the digest is put in there.
    """
    layout = Layout(root=root)
    image = layout.add_image([{"app": "x"}], tag=None, listed=False)
    about = str(image["digest"])
    told = [statement.replace(b"IMAGE", about.removeprefix("sha256:").encode()) for statement in statements]
    attestation = _manifest(layout, *told, media_type="application/vnd.in-toto+json", extra={})
    attestation["platform"] = {"os": "unknown", "architecture": "unknown"}
    attestation["annotations"] = {
        "vnd.docker.reference.type": "attestation-manifest",
        "vnd.docker.reference.digest": about,
    }
    index = json.dumps({"schemaVersion": 2, "mediaType": _INDEX, "manifests": [image, attestation]}).encode()
    name, size = layout.blob(index)
    layout.manifests.append({"mediaType": _INDEX, "digest": name, "size": size})
    layout.write_index()
    return about


def _manifest(layout: Layout, *blobs: bytes, media_type: str, extra: dict[str, object]) -> dict[str, object]:
    empty, empty_size = layout.blob(b"{}")
    layers = [dict(zip(("digest", "size"), layout.blob(blob), strict=True), mediaType=media_type) for blob in blobs]
    content = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": _MANIFEST,
            "config": {"mediaType": _EMPTY, "digest": empty, "size": empty_size},
            "layers": layers,
            **extra,
        }
    ).encode()
    name, size = layout.blob(content)
    assert name == digest(content)
    return {"mediaType": _MANIFEST, "digest": name, "size": size}
