"""What the checks cost beside the inventory: ``python -m tests.benchmarks.checks LAYOUT...``.

For each image three processes: one reads it and takes its inventory, as ``hullmark sbom`` does; one reads it for the
checks, which looks into every program and keeps what they ask for; one does the same and runs the checks, each timed.
What several checks share (what is known of the tools, how paths match) is paid by the first of them in the order of
the registry. CPU is that of the process and of those it started, user and system; the collector is set as the
command line sets it.
"""

from __future__ import annotations

import gc
import json
import resource
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

AIM = 0.4
"""Of the inventory's CPU: what the checks may add."""
INVENTORY, READING, CHECKING = "inventory", "reading", "checking"
NOW = datetime(2026, 11, 1, tzinfo=UTC)
LISTED = 20


def cpu() -> float:
    """Seconds of this process and of those it has waited for."""
    return sum(
        use.ru_utime + use.ru_stime for use in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


def once(part: str, layout: str) -> dict[str, float]:
    """Seconds of the whole (under "") and, where checks are run, of each check."""
    from compliance.cli.main import COLLECTOR
    from compliance.pipeline import Options, gather
    from controls.registry import CHECKS

    gc.set_threshold(*COLLECTOR)
    requests = None if part == INVENTORY else [request for check in CHECKS for request in check.requests]
    started = cpu()
    evidence = gather(f"oci-dir:{layout}", Options(now=NOW), requests=requests)
    seconds = {"": cpu() - started, "entries": float(len(evidence.filesystem))}
    for check in CHECKS if part == CHECKING else ():
        before = cpu()
        check.run(evidence)
        seconds[check.id] = cpu() - before
    return seconds


def measure(part: str, layout: str) -> dict[str, float]:
    """`once` in a process of its own."""
    argv = (sys.executable, "-m", "tests.benchmarks.checks", "--once", part, layout)
    done = subprocess.run(argv, check=True, stdout=subprocess.PIPE)
    return {name: float(value) for name, value in json.loads(done.stdout).items()}


def table(layout: str, parts: Mapping[str, Mapping[str, float]]) -> str:
    """The figures of one image."""
    inventory, reading = parts[INVENTORY][""], parts[READING][""]
    checks = {name: value for name, value in parts[CHECKING].items() if name not in ("", "entries")}
    total = sum(checks.values())
    lines = [
        f"{layout}: {int(parts[CHECKING]['entries']):,} entries",
        f"  {inventory:8.2f} s  reading and inventory, as for an SBOM",
        f"  {reading:8.2f} s  reading and inventory for the checks ({reading / inventory - 1:+.0%})",
        f"  {total:8.2f} s  {len(checks)} checks: {total / reading:.0%} of the reading for them, "
        f"{total / inventory:.0%} of the inventory (aim {AIM:.0%})",
        f"  {reading + total:8.2f} s  all that an assessment needs of it ({(reading + total) / inventory - 1:+.0%})",
    ]
    slowest = sorted(checks.items(), key=lambda item: (-item[1], item[0]))
    lines += [f"  {value:8.3f} s  {name}" for name, value in slowest[:LISTED]]
    rest = slowest[LISTED:]
    if rest:
        lines.append(f"  {sum(value for _, value in rest):8.3f} s  the other {len(rest)}")
    return "\n".join(lines) + "\n"


def main(arguments: list[str]) -> None:
    """Measure the images named, or one part of one for a process of its own."""
    if arguments[:1] == ["--once"]:
        sys.stdout.write(json.dumps(once(*arguments[1:])))
        return
    for layout in arguments:
        parts = {part: measure(part, str(Path(layout).resolve())) for part in (INVENTORY, READING, CHECKING)}
        sys.stdout.write(table(layout, parts))


if __name__ == "__main__":
    main(sys.argv[1:])
