"""The floor: what reading an image must cost at least. One process, one core.

Run as ``python floor.py LAYOUT``: inflates every gzip layer with isal and takes the SHA-256 of the compressed and of
the uncompressed bytes, and nothing else. Prints both sizes as JSON; exit code 1 when a digest is not the image's.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

from isal import igzip_lib

CHUNK = 2**16


def read_layer(path: Path, digest: str, diff_id: str) -> tuple[int, int]:
    """Compressed and uncompressed size. Raises SystemExit when a digest differs."""
    compressed, uncompressed = hashlib.sha256(), hashlib.sha256()
    stored = inflated = 0
    inflater = igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)
    with path.open("rb") as stream:
        while data := stream.read(CHUNK):
            compressed.update(data)
            stored += len(data)
            while data:
                if inflater.eof:
                    inflater = igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)
                piece = inflater.decompress(data)
                uncompressed.update(piece)
                inflated += len(piece)
                data = inflater.unused_data if inflater.eof else b""
    found = f"sha256:{compressed.hexdigest()}", f"sha256:{uncompressed.hexdigest()}"
    if found != (digest, diff_id):
        raise SystemExit(f"{path}: digests differ from the image's")
    return stored, inflated


def main(layout: Path) -> None:
    """Read the layers of the first manifest in `layout`'s index."""

    def blob(digest: str) -> Path:
        return layout / "blobs" / digest.replace(":", "/")

    index = json.loads((layout / "index.json").read_bytes())
    manifest = json.loads(blob(index["manifests"][0]["digest"]).read_bytes())
    config = json.loads(blob(manifest["config"]["digest"]).read_bytes())
    stored = inflated = 0
    for layer, diff_id in zip(manifest["layers"], config["rootfs"]["diff_ids"], strict=True):
        sizes = read_layer(blob(layer["digest"]), layer["digest"], diff_id)
        stored, inflated = stored + sizes[0], inflated + sizes[1]
    sys.stdout.write(json.dumps({"stored": stored, "inflated": inflated}) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
