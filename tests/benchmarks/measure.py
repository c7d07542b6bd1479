"""One process tree, measured: CPU, wall time, peak memory, and what else the machine did meanwhile."""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

SAMPLING_SECONDS = 0.02
MIB = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What to run; exit codes in `answers` are answers, all others failures."""

    argv: tuple[str, ...]
    environment: Mapping[str, str]
    answers: tuple[int, ...] = (0,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Seconds and MiB of one run; `others` is the CPU time that everything else on the machine took meanwhile.

    `memory` is the largest resident set of any one process of the tree, as wait4 tells it. That counts what this
    process held when it started the other (getrusage(2)), so whoever measures must stay small: below any contender.
    """

    cpu: float
    wall: float
    memory: float
    others: float


def run(command: Command, output: Path, folder: Path) -> Run:
    """Run to the end in `folder`, standard output to the file `output`. Raises SystemExit when it fails."""
    busy = _busy_seconds()
    start = time.perf_counter()
    with output.open("wb") as out:
        process = _start(command, out.fileno(), folder)
        _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    _check(command, process.returncode, output)
    cpu = usage.ru_utime + usage.ru_stime
    others = max(0.0, _busy_seconds() - busy - cpu)
    return Run(cpu=cpu, wall=wall, memory=usage.ru_maxrss * 1024 / MIB, others=others)


def peak_of_tree(command: Command, output: Path, folder: Path) -> float:
    """Run to the end; the most MiB that its processes together held at one time, each shared page counted once.

    Sampled, so a little low; and sampling takes time, so nothing is timed here.
    """
    peak = 0
    with output.open("wb") as out:
        process = _start(command, out.fileno(), folder)
        while process.poll() is None:
            peak = max(peak, sum(_proportional_size(pid) for pid in _tree(process.pid)))
            time.sleep(SAMPLING_SECONDS)
    _check(command, process.returncode, output)
    return peak / MIB


def median(values: Sequence[float]) -> float:
    """The median."""
    return statistics.median(values)


def load_average() -> float:
    """Of the last minute."""
    return os.getloadavg()[0]


def _start(command: Command, output: int, folder: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command.argv, stdin=subprocess.DEVNULL, stdout=output, cwd=folder, env=dict(command.environment)
    )


def _check(command: Command, code: int, output: Path) -> None:
    if code not in command.answers:
        raise SystemExit(f"{' '.join(command.argv)}: exit code {code}")
    if not output.stat().st_size:
        raise SystemExit(f"{' '.join(command.argv)}: no output")


def _tree(pid: int) -> Iterator[int]:
    """A process and all below it."""
    yield pid
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        children = [int(child) for task in tasks for child in (task / "children").read_text().split()]
    except OSError:  # it ended
        return
    for child in children:
        yield from _tree(child)


def _proportional_size(pid: int) -> int:
    """Bytes of a process, pages it shares divided among their holders; 0 when it ended."""
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


def _busy_seconds() -> float:
    """CPU time of all cores since the machine started, what a hypervisor took away included (proc_stat(5))."""
    user, nice, system, _, _, irq, softirq, steal = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]
    ticks = sum(int(part) for part in (user, nice, system, irq, softirq, steal))
    return ticks / os.sysconf("SC_CLK_TCK")
