"""The floor: what reading an image must cost at least. One process, one core.

Run as ``python floor.py LAYOUT``: inflates every layer (gzip with isal) and takes the SHA-256 of the compressed and of
the uncompressed bytes, and nothing else. Prints both sizes as JSON; exit code 1 when a digest is not the image's.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from isal import igzip_lib

CHUNK = 2**16


def gunzip(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Of one or more gzip members."""
    inflater = igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)
    for chunk in chunks:
        data = chunk
        while data:
            if inflater.eof:
                inflater = igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)
            yield inflater.decompress(data)
            data = inflater.unused_data if inflater.eof else b""


def unzstd(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Of one frame or more."""
    import zstandard

    inflater = zstandard.ZstdDecompressor().decompressobj(read_across_frames=True)
    return map(inflater.decompress, chunks)


INFLATERS: Mapping[str, Callable[[Iterator[bytes]], Iterator[bytes]]] = {"gzip": gunzip, "zstd": unzstd, "tar": iter}


def read_layer(path: Path, media_type: str, digest: str, diff_id: str) -> tuple[int, int]:
    """Compressed and uncompressed size. Raises SystemExit when a digest differs."""
    compressed, uncompressed = hashlib.sha256(), hashlib.sha256()
    inflated = 0

    def chunks() -> Iterator[bytes]:
        with path.open("rb") as stream:
            while data := stream.read(CHUNK):
                compressed.update(data)
                yield data

    for piece in INFLATERS[media_type.replace("+", ".").rpartition(".")[2]](chunks()):
        uncompressed.update(piece)
        inflated += len(piece)
    if (f"sha256:{compressed.hexdigest()}", f"sha256:{uncompressed.hexdigest()}") != (digest, diff_id):
        raise SystemExit(f"{path}: digests differ from the image's")
    return path.stat().st_size, inflated


def main(layout: Path) -> None:
    """Read the layers of the first manifest in `layout`'s index."""

    def blob(digest: str) -> Path:
        return layout / "blobs" / digest.replace(":", "/")

    index = json.loads((layout / "index.json").read_bytes())
    manifest = json.loads(blob(index["manifests"][0]["digest"]).read_bytes())
    config = json.loads(blob(manifest["config"]["digest"]).read_bytes())
    stored = inflated = 0
    for layer, diff_id in zip(manifest["layers"], config["rootfs"]["diff_ids"], strict=True):
        sizes = read_layer(blob(layer["digest"]), layer["mediaType"], layer["digest"], diff_id)
        stored, inflated = stored + sizes[0], inflated + sizes[1]
    sys.stdout.write(json.dumps({"stored": stored, "inflated": inflated}) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
