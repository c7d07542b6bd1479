"""All harnesses, one after the other, for a bounded time; what was found is kept and told.

``tests/fuzz/run [SECONDS] [HARNESS ...]``: SECONDS in all (default 600), shared evenly. Needs atheris, and the
shared fixtures for its seeds. Exit code 1 when anything but our own errors came out.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.fuzz.harnesses import HARNESSES, Harness
from tests.fuzz.seeds import SEEDS

CHECKOUT = Path(__file__).resolve().parents[2]
SLOW_SECONDS = 10
"""An input of some kilobytes that takes longer is a finding: the work would not be linear."""
MEMORY_MB = 2048
_DONE = re.compile(rb"Done (\d+) runs in (\d+) second")
_STATUS = re.compile(rb"#(\d+)\s+\w+\s+cov: (\d+) ft: (\d+)(?: corp: (\d+))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What came of one harness."""

    runs: int
    edges: int
    corpus: int
    findings: tuple[Path, ...]
    log: Path


def main() -> int:
    """Run and print a table."""
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 600
    chosen = [harness for harness in HARNESSES if not sys.argv[2:] or harness.name in sys.argv[2:]]
    shared = Path(os.environ.get("HULLMARK_SHARED") or CHECKOUT.parent / "shared")
    if not shared.is_dir():
        sys.stderr.write(f"shared data not found at {shared}: it holds the seeds\n")
        return 2
    place = Path(tempfile.mkdtemp(prefix="hullmark-fuzz-"))
    row = "{:<16} {:>7} {:>6} {:>10} {:>7} {:>7} {:>9}\n"
    sys.stdout.write(row.format("harness", "seconds", "seeds", "inputs run", "edges", "corpus", "findings"))
    found: list[Report] = []
    for harness in chosen:
        corpus = place / harness.name
        seeds = write_seeds(harness, shared, corpus)
        share = max(seconds // len(chosen), 1)
        report = fuzz(harness, corpus, share)
        found.append(report)
        cells = (harness.name, share, seeds, report.runs, report.edges, report.corpus, len(report.findings))
        sys.stdout.write(row.format(*cells))
        sys.stdout.flush()
    failed = [report for report in found if report.findings or not report.runs]
    for report in failed:
        sys.stdout.write(f"\n{', '.join(map(str, report.findings)) or 'did not run'}; log {report.log}\n")
        sys.stdout.write(report.log.read_text(errors="replace")[-3000:])
    return 1 if failed else 0


def write_seeds(harness: Harness, shared: Path, corpus: Path) -> int:
    """The seeds of a harness as files; how many there are."""
    corpus.mkdir()
    for content in SEEDS[harness.name](shared):
        if len(content) <= harness.max_len:
            (corpus / hashlib.sha256(content).hexdigest()[:24]).write_bytes(content)
    return len(list(corpus.iterdir()))


def fuzz(harness: Harness, corpus: Path, seconds: int) -> Report:
    """One harness in a process of its own."""
    log = corpus.with_suffix(".log")
    artifacts = corpus.with_suffix(".found")
    artifacts.mkdir()
    command = [
        *(sys.executable, "-m", "tests.fuzz.target", harness.name, str(corpus)),
        *(f"-max_total_time={seconds}", f"-timeout={SLOW_SECONDS}", f"-rss_limit_mb={MEMORY_MB}"),
        *(f"-artifact_prefix={artifacts}/", "-print_final_stats=1", "-seed=1"),
    ]
    with log.open("wb") as output:
        subprocess.run(command, cwd=CHECKOUT, stdout=output, stderr=subprocess.STDOUT, check=False)
    said = log.read_bytes()
    done = _DONE.search(said)
    status = _STATUS.findall(said)
    last = status[-1] if status else (b"0", b"0", b"0", b"0")
    return Report(
        runs=int(done[1]) if done else int(last[0]),
        edges=int(last[1]),
        corpus=int(last[3] or 0),
        findings=tuple(sorted(artifacts.iterdir())),
        log=log,
    )


if __name__ == "__main__":
    sys.exit(main())
