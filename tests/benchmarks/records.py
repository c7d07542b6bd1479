"""What was measured, kept as JSON below .bench until all images are done; and the machine it was measured on."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.benchmarks.images import CHECKOUT, FOLDER

MEASURED = FOLDER / "measured"
COMPARED = FOLDER / "compared"
PACKAGES = ("compliance", "controls", "reports")


def source_digest() -> str:
    """Of the code that is measured: records of other code are not shown beside each other."""
    whole = hashlib.sha256()
    for package in PACKAGES:
        for path in sorted((CHECKOUT / package).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                whole.update(f"{path.relative_to(CHECKOUT)}\0{path.stat().st_size}\0".encode())
                whole.update(path.read_bytes())
    return whole.hexdigest()


def machine() -> Mapping[str, str]:
    """Without any name of its own."""
    processor = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "processor": processor[1] if processor else platform.machine(),
        "cores": str(os.cpu_count()),
        "memory": f"{memory:.0f} GiB",
        "system": f"{platform.freedesktop_os_release()['PRETTY_NAME']}, {platform.system()} {kernel()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
    }


def kernel() -> str:
    """Its version without what a distributor or host appended."""
    return ".".join(platform.release().split("-")[0].split(".")[:2])


def save(folder: Path, name: str, record: Mapping[str, Any]) -> None:
    """Keep the record of one image."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(record, indent=1) + "\n")


def load(folder: Path, name: str) -> Mapping[str, Any] | None:
    """The record of one image, if there is one."""
    path = folder / f"{name}.json"
    return json.loads(path.read_bytes()) if path.is_file() else None


def load_all(folder: Path, order: Iterator[str] | tuple[str, ...]) -> list[Mapping[str, Any]]:
    """The records made with the code that the newest was made with, named images first."""
    paths = {path.stem: path for path in sorted(folder.glob("*.json"))} if folder.is_dir() else {}
    if not paths:
        return []
    newest = json.loads(max(paths.values(), key=lambda path: path.stat().st_mtime_ns).read_bytes())
    named = [name for name in order if name in paths]
    records = [json.loads(paths[name].read_bytes()) for name in [*named, *sorted(set(paths) - set(named))]]
    return [record for record in records if record["source"] == newest["source"]]
