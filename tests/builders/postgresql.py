"""A PostgreSQL of one's own: a cluster in a folder, on a socket and a port of its own, stopped by its own pid."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_USER = "postgres"


class PostgreSQL:
    """A cluster that can be stopped and started. `url` names a database of it."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self._programs = programs
        self._folder = folder
        self.port = _free_port()
        self._run("initdb", "--auth=trust", "--no-sync", f"--username={_USER}", "--locale=C.UTF-8", "-E", "UTF8")

    def url(self, database: str) -> str:
        """The address of `database`, which is made."""
        self._client("createdb", database)
        return f"postgresql://{_USER}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Start, and wait until it answers."""
        options = f"-p {self.port} -k {self._folder} -c listen_addresses=127.0.0.1 -c fsync=off"
        self._run("pg_ctl", "-w", "-l", str(self._folder / "log"), "-o", options, "start")

    def stop(self) -> None:
        """Stop at once: every connection is cut (the server's "fast" shutdown)."""
        pid = self._pid()
        if pid is None:
            return
        os.kill(pid, signal.SIGINT)
        until = time.monotonic() + 30
        while self._pid() is not None and time.monotonic() < until:
            time.sleep(0.05)

    def _pid(self) -> int | None:
        try:
            return int((self._folder / "data" / "postmaster.pid").read_text().splitlines()[0])
        except (FileNotFoundError, IndexError):
            return None

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._programs / program), "-D", str(self._folder / "data"), *arguments]
        subprocess.run(_as_user(command), check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, cwd="/")  # fmt: skip

    def _client(self, program: str, *arguments: str) -> None:
        address = ["-h", "127.0.0.1", "-p", str(self.port), "-U", _USER]
        subprocess.run([str(self._programs / program), *address, *arguments], check=True, capture_output=True)


@contextmanager
def postgresql() -> Iterator[PostgreSQL]:
    """A running cluster, gone afterwards. Skips where PostgreSQL is not installed; fails there with CI=true."""
    programs = _programs()
    if programs is None:
        reason = "PostgreSQL's server programs (initdb, pg_ctl) are not installed"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    folder = Path(tempfile.mkdtemp(prefix="hm-pg-", dir="/tmp"))  # a socket's path must be short
    if os.geteuid() == 0:
        shutil.chown(folder, _USER)
    try:
        cluster = PostgreSQL(programs, folder)
        cluster.start()
        try:
            yield cluster
        finally:
            cluster.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _programs() -> Path | None:
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    return installed[-1].parent if installed else None


def _as_user(command: list[str]) -> list[str]:
    """PostgreSQL's server refuses to run as root."""
    return ["runuser", "-u", _USER, "--", *command] if os.geteuid() == 0 else command


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port
