"""A Dask cluster on this machine: a scheduler and workers, each a process of its own that its context ends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_START_SECONDS = 60


@contextmanager
def dask_cluster(folder: Path, cache: Path, *, workers: int = 2) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """Its address, and its processes, the scheduler first. Workers have one thread each, and share a layer cache."""
    environment = {**os.environ, "HULLMARK_CACHE_DIR": str(cache), "PYTHONWARNINGS": "default"}
    log = (folder / "cluster.log").open("wb")
    processes: list[subprocess.Popen[bytes]] = []

    def begin(*arguments: str) -> subprocess.Popen[bytes]:
        started = subprocess.Popen(
            [sys.executable, "-m", "distributed.cli." + arguments[0], *arguments[1:]],
            env=environment, stdout=log, stderr=log, cwd=folder, start_new_session=True,
        )  # fmt: skip
        processes.append(started)
        return started

    file = folder / "scheduler.json"
    try:
        begin("dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(file))
        for _ in range(workers):
            begin("dask_worker", "--scheduler-file", str(file), "--nthreads", "1", "--no-dashboard", "--no-nanny",
                  "--host", "127.0.0.1", "--local-directory", str(folder))  # fmt: skip
        until = time.monotonic() + _START_SECONDS
        while (folder / "cluster.log").read_bytes().count(b"Registered to:") < workers:
            assert time.monotonic() < until, (folder / "cluster.log").read_text()
            time.sleep(0.05)
        yield json.loads(file.read_text())["address"], processes
    finally:
        for process in processes:
            with process:
                process.kill()
        log.close()
