"""Pushing into a registry (distribution-spec, "Push"): blobs, manifests, tags, and whole OCI layouts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import urllib3

from tests.builders.layout import digest

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_EMPTY = "application/vnd.oci.empty.v1+json"
REF_NAME = "org.opencontainers.image.ref.name"


@dataclass(frozen=True, kw_only=True)
class Pusher:
    """Pushes into the repository `name` of the registry at `url`, e.g. ``http://127.0.0.1:5000``."""

    url: str
    name: str
    headers: Mapping[str, str] = field(default_factory=dict)
    ca_file: Path | None = None

    def blob(self, content: bytes, media_type: str = "application/octet-stream") -> dict[str, object]:
        """Upload; its descriptor."""
        name = digest(content)
        started = self._send("POST", f"{self.url}/v2/{self.name}/blobs/uploads/", 202)
        place = urljoin(self.url, started.headers["Location"])
        place += f"{'&' if '?' in place else '?'}digest={name}"
        self._send("PUT", place, 201, content, "application/octet-stream")
        return {"mediaType": media_type, "digest": name, "size": len(content)}

    def manifest(self, content: bytes, media_type: str = OCI_MANIFEST, tag: str | None = None) -> str:
        """Put a manifest or index, under `tag` or under its digest alone; its digest."""
        name = digest(content)
        self._send("PUT", f"{self.url}/v2/{self.name}/manifests/{tag or name}", 201, content, media_type)
        return name

    def get(self, kind: str, reference: str) -> bytes:
        """What lies there: ``manifests`` by tag or digest, ``blobs`` by digest."""
        return bytes(self._send("GET", f"{self.url}/v2/{self.name}/{kind}/{reference}", 200).data)

    def artifact(
        self,
        blobs: Mapping[str, bytes],
        *,
        subject: str | None = None,
        artifact_type: str = "application/vnd.example",
        tag: str | None = None,
        annotations: Mapping[str, str] | None = None,
    ) -> str:
        """Put a manifest of `blobs` (content by media type), about the manifest `subject`; its digest."""
        document: dict[str, object] = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "artifactType": artifact_type,
            "config": self.blob(b"{}", OCI_EMPTY),
            "layers": [
                {**self.blob(content, kind), "annotations": annotations or {}} for kind, content in blobs.items()
            ],
        }
        if subject is not None:
            size = len(self.get("manifests", subject))
            document["subject"] = {"mediaType": OCI_MANIFEST, "digest": subject, "size": size}
        return self.manifest(json.dumps(document).encode(), tag=tag)

    def fallback(self, subject: str, artifacts: Sequence[str], artifact_type: str) -> None:
        """List `artifacts` under the tag that stands for the referrers API (distribution-spec, "Referrers tag")."""
        manifests = [
            {
                "mediaType": OCI_MANIFEST,
                "digest": name,
                "size": len(self.get("manifests", name)),
                "artifactType": artifact_type,
            }
            for name in artifacts
        ]
        index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": manifests}
        self.manifest(json.dumps(index).encode(), OCI_INDEX, subject.replace(":", "-"))

    def layout(self, root: Path) -> None:
        """Everything that index.json lists and what hangs below it, with its tags."""
        for entry in json.loads((root / "index.json").read_bytes())["manifests"]:
            self._tree(root, entry, (entry.get("annotations") or {}).get(REF_NAME))

    def _tree(self, root: Path, descriptor: Mapping[str, Any], tag: str | None = None) -> None:
        content = _stored(root, descriptor)
        document = json.loads(content)
        for below in document.get("manifests", ()):
            self._tree(root, below)
        for blob in (*document.get("layers", ()), *((document["config"],) if "config" in document else ())):
            self.blob(_stored(root, blob), blob["mediaType"])
        self.manifest(content, descriptor["mediaType"], tag)

    def _send(
        self, method: str, url: str, status: int, body: bytes | None = None, media_type: str | None = None
    ) -> urllib3.BaseHTTPResponse:
        headers = {
            **self.headers,
            **({"Content-Type": media_type} if media_type else {}),
            "Accept": f"{OCI_MANIFEST}, {OCI_INDEX}",
        }
        with urllib3.PoolManager(ca_certs=str(self.ca_file) if self.ca_file else None, retries=False) as pool:
            response = pool.request(method, url, body=body, headers=headers, timeout=20)
        assert response.status == status, f"{method} {url}: {response.status} {response.data[:500]!r}"
        return response


def _stored(root: Path, descriptor: Mapping[str, Any]) -> bytes:
    name: str = descriptor["digest"]
    return (root / "blobs" / name.replace(":", "/")).read_bytes()
