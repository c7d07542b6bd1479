"""How the cost of ``hullmark sbom`` grows with the entries of an image: CPU, wall time, peak memory of all processes.

Run as ``python -m tests.benchmarks.entries [ENTRIES[-empty] ...]``. The images are made first, in a temporary
folder: files of 100 bytes, a thousand a folder, and 3 million empty files, which compress to some 30 MB.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from compliance.formats import oci
from tests.benchmarks import measure
from tests.benchmarks.measure import Command
from tests.builders.layout import Layout

DEFAULT = ("10k", "100k", "1M", "3M-empty")
FOLDER = 1000
"""Files a folder."""
COMMAND = (sys.executable, "-m", "compliance.cli.main", "sbom", "--quiet", "--no-cache")
_UNITS = {"": 1, "k": 1_000, "M": 1_000_000}


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How many files an image has, and how many bytes are in each."""

    entries: int
    content: int

    @classmethod
    def parse(cls, text: str) -> Size:
        """Read ``3M-empty`` or ``10k``."""
        match = re.fullmatch(r"(\d+)(k|M|)(-empty)?", text)
        if match is None:
            raise SystemExit(f"not a number of entries: {text}; write e.g. 10k, 1M or 3M-empty")
        return cls(entries=int(match[1]) * _UNITS[match[2]], content=0 if match[3] else 100)


def main() -> None:
    """Build, measure, print a table."""
    row = "{:>11} {:>9} {:>9} {:>8} {:>8} {:>8} {:>12}\n"
    sys.stdout.write(row.format("entries", "layer MB", "tar MB", "CPU s", "wall s", "peak MB", "CPU us/entry"))
    for name in sys.argv[1:] or DEFAULT:
        size = Size.parse(name)
        with tempfile.TemporaryDirectory() as folder:
            layout, stored, inflated = build(Path(folder), size)
            command = Command(argv=(*COMMAND, f"oci-dir:{layout}"), environment=os.environ)
            run = measure.run(command, Path(folder, "sbom"), Path.cwd())
            peak = measure.peak_of_tree(command, Path(folder, "sbom"), Path.cwd())
        sys.stdout.write(
            row.format(
                name,
                f"{stored / 1e6:.1f}",
                f"{inflated / 1e6:.0f}",
                f"{run.cpu:.2f}",
                f"{run.wall:.2f}",
                f"{peak * measure.MIB / 1e6:.0f}",
                f"{run.cpu / size.entries * 1e6:.1f}",
            )
        )
        sys.stdout.flush()


def build(folder: Path, size: Size) -> tuple[Path, int, int]:
    """A layout with one layer of `size`; its path, the layer's stored and its inflated bytes."""
    layout = Layout(root=folder)
    diff_id, inflated = hashlib.sha256(), 0
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=6, mtime=0) as out:
        for piece in blocks(size):
            out.write(piece)
            diff_id.update(piece)
            inflated += len(piece)
    stored = packed.getbuffer().nbytes
    _manifest(layout, layout.blob(packed.getvalue())[0], stored, f"sha256:{diff_id.hexdigest()}")
    return folder, stored, inflated


def _manifest(layout: Layout, digest: str, size: int, diff_id: str) -> None:
    config = {"os": "linux", "architecture": "amd64", "rootfs": {"type": "layers", "diff_ids": [diff_id]}}
    config_digest, config_size = layout.blob(json.dumps(config).encode())
    manifest = {
        "schemaVersion": 2,
        "mediaType": oci.OCI_MANIFEST,
        "config": {"mediaType": oci.OCI_CONFIG, "digest": config_digest, "size": config_size},
        "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": digest, "size": size}],
    }
    manifest_digest, manifest_size = layout.blob(json.dumps(manifest).encode())
    layout.manifests.append({"mediaType": oci.OCI_MANIFEST, "digest": manifest_digest, "size": manifest_size})
    layout.write_index()


def blocks(size: Size) -> Iterator[bytes]:
    """The layer's tar, a folder at a time. Made by hand: the tarfile module takes ten times as long."""
    for number in range(-(-size.entries // FOLDER)):
        first, last = number * FOLDER, min((number + 1) * FOLDER, size.entries)
        yield b"".join(_file(f"srv/data/d{number:05}/f{index:07}", size.content) for index in range(first, last))
    yield bytes(1024)


def _file(name: str, size: int) -> bytes:
    fields = (b"0000644\0", b"0000000\0", b"0000000\0", b"%011o\0" % size, b"00000000000\0", b" " * 8, b"0")
    header = name.encode().ljust(100, b"\0") + b"".join(fields) + bytes(100) + b"ustar\x0000" + bytes(247)
    checksum = b"%06o\0 " % sum(header)
    content = name.encode().ljust(size, b".").ljust(-(-size // 512) * 512, b"\0") if size else b""
    return header[:148] + checksum + header[156:] + content


if __name__ == "__main__":
    main()
