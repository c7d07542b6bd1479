"""How fast files are examined: MB/s over the ELF files of folders, and microseconds for a file of plain data.

Run as ``python -m tests.benchmarks.examine_throughput [FOLDER …]``; the default is this machine's /usr/bin, /usr/lib.
Only examining is timed, on processor time, not reading from disk.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from compliance.formats.elf import is_elf
from compliance.formats.examine import Examiner
from controls.knowledge import marker_rules

ELF_RATE_MIN = 300e6
"""Bytes a second and core that an assessment is planned with."""
PLAIN_SECONDS_MAX = 1e-6
SIZE_MAX = 256 * 2**20
PLAIN = (b"", b"# a config file\n" * 100, bytes(4096), b"PK\x03\x04" + bytes(1000))


def elf_rate(folders: list[Path]) -> tuple[int, int, float]:
    """Files, bytes and seconds over the ELF files below `folders`; hard and symbolic links count once."""
    examiner = Examiner(marker_rules())
    examiner.examine(b"\x7fELF")  # builds the automaton
    files = size = 0
    seconds = 0.0
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.is_symlink() or not path.is_file() or path.stat().st_size > SIZE_MAX:
                continue
            content = path.read_bytes()
            if not is_elf(content):
                continue
            start = time.process_time()
            examiner.examine(content)
            seconds += time.process_time() - start
            files += 1
            size += len(content)
    return files, size, seconds


def plain_seconds(rounds: int = 200_000) -> float:
    """Seconds for one file that is neither ELF nor script."""
    examiner = Examiner(marker_rules())
    start = time.process_time()
    for _ in range(rounds):
        for content in PLAIN:
            examiner.examine(content)
    return (time.process_time() - start) / rounds / len(PLAIN)


def main(arguments: list[str]) -> int:
    """Print both figures; 1 when one misses its target."""
    folders = [Path(argument) for argument in arguments] or [Path("/usr/bin"), Path("/usr/lib")]
    files, size, seconds = elf_rate(folders)
    if not files:
        print("no ELF file below", *folders, file=sys.stderr)  # noqa: T201
        return 1
    plain = plain_seconds()
    print(f"{files:,} ELF files, {size / 1e6:,.0f} MB, {size / seconds / 1e6:,.0f} MB/s a core")  # noqa: T201
    print(f"plain data: {plain * 1e6:.2f} microseconds a file")  # noqa: T201
    return 0 if size / seconds >= ELF_RATE_MIN and plain <= PLAIN_SECONDS_MAX else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
