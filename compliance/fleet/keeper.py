"""The processes behind a worker: a template with everything loaded, keepers, and a child for each image.

The template is started once and only forks: a keeper for each image that is worked on at the same time. A keeper takes
jobs, one after another, forks a child for each, and sees to its end: by itself, by a limit, or because whoever asked
is gone. So a child starts in milliseconds with all that it needs in memory it shares with the others, and nothing that
an image does to it, a crash included, reaches anybody else.

Started as ``python -m compliance.fleet.keeper FD``; each message over the socket FD brings the socket of a new keeper.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import math
import os
import pickle
import resource
import select
import shutil
import signal
import socket
import sys
import tempfile
import time
from dataclasses import replace
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING

from compliance.fleet.item_assessment import assess_item, failure_of, options_of
from compliance.fleet.job import Answer, Failure, Job, Trouble, Usage

if TYPE_CHECKING:
    from compliance.pipeline import Options

READY = b"ready"
"""What the template says when it has loaded everything."""

CPU_GRACE_SECONDS = 5
"""Between the signal that ends a child that used up its seconds of computing, and the one that nothing can stop."""

_LOADED = (
    "compliance.evaluate.waivers",
    "compliance.ingest.oci_layout",
    "compliance.ingest.registry",
    "compliance.store.assessment_record",
    "compliance.verify.trust_policy_file",
    "compliance.verify.verifier",
)
"""What most images need and an empty folder does not."""
_LOADED_FOR_TRUST = ("sigstore._internal.rekor.checkpoint", "sigstore.models", "sigstore.verify")
"""What signatures need besides: half a second, so only where a policy demands some."""
_PR_SET_PDEATHSIG = 1


def main(control: socket.socket) -> None:
    """The template: load, say so, then fork a keeper for each socket that comes, until nobody is there any more."""
    preload()
    control.sendall(READY)
    quiet = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(quiet, stream)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # keepers that end are no matter of ours
    while True:
        message, descriptors, _, _ = socket.recv_fds(control, 1, 1)
        if not message:
            return
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            control.close()
            _run_keeper(Connection(descriptors[0]))
        for descriptor in descriptors:
            os.close(descriptor)


def preload() -> None:
    """Do once what every child would do again: import, read the control library, build the search machines."""
    from compliance.pipeline import Options, assess, sbom
    from compliance.store.assessment_record import record_of
    from reports.assessment_json import document
    from reports.exporter import FORMATS

    for name in _LOADED:
        importlib.import_module(name)
    with tempfile.TemporaryDirectory() as folder:
        assessment = assess(f"dir:{folder}", Options(now=datetime(2000, 1, 1, tzinfo=UTC)))
        record_of(FORMATS["json"].render(document(assessment)), sbom(assessment.evidence))
    gc.collect()
    gc.freeze()  # what is never looked at by the collector stays shared with the children


def _run_keeper(connection: Connection) -> None:
    """Everything a keeper does; it never returns into the template's code."""
    status = 1
    try:
        Keeper(connection).serve()
        status = 0
    finally:
        os._exit(status)


class Keeper:
    """Runs jobs that come over a connection, one at a time, each in a child."""

    def __init__(self, connection: Connection) -> None:
        """The other end of `connection` sends a Job and waits for its Answer."""
        self._connection = connection

    def serve(self) -> None:
        """Until the other end is closed."""
        while True:
            try:
                job = self._connection.recv()
            except (EOFError, OSError):
                return
            self._connection.send(self._answer(job))

    def _answer(self, job: Job) -> Answer:
        try:
            # Parsed and loaded here, a policy is parsed, and what it needs is loaded, once for all its images.
            options = options_of(job)
            for name in _LOADED_FOR_TRUST if job.policy.trust is not None else ():
                importlib.import_module(name)
        except Exception as error:  # noqa: BLE001 - nor may a fault of the tool end the keeper
            return Answer(failure=failure_of(error))
        scratch = tempfile.mkdtemp(prefix="hullmark-")
        memory = os.memfd_create("answer")
        try:
            return self._watched(job, options, scratch, memory)
        finally:
            os.close(memory)
            shutil.rmtree(scratch, ignore_errors=True)

    def _watched(self, job: Job, options: Options, scratch: str, memory: int) -> Answer:
        """Fork the child and see to its end."""
        started = time.monotonic()
        keeper = os.getpid()
        child = os.fork()
        if child == 0:
            self._connection.close()
            _run_child(job, options, scratch, memory, keeper)
        in_time = self._await(child, started + job.bounds.seconds)
        # The whole group before the child is reaped: until then nobody else can have its number.
        _kill_group(child)
        _, status, used = os.wait4(child, 0)
        usage = Usage(
            wall_seconds=time.monotonic() - started,
            cpu_seconds=used.ru_utime + used.ru_stime,
            peak_bytes=used.ru_maxrss * 1024,
        )
        if not in_time:
            return Answer(failure=_timed_out(job), usage=usage)
        if status != 0:
            return Answer(failure=_ended_badly(job, status), usage=usage)
        with os.fdopen(os.dup(memory), "rb") as answer:
            answer.seek(0)
            said: Answer = pickle.load(answer)  # noqa: S301 - written by our own child
        return replace(said, usage=usage)

    def _await(self, child: int, deadline: float) -> bool:
        """Whether the child ended by itself before `deadline`. When nobody waits for the answer any more, all ends."""
        descriptor = os.pidfd_open(child)
        try:
            poller = select.poll()
            poller.register(descriptor, select.POLLIN)
            poller.register(self._connection, select.POLLIN)  # the other end never speaks while it waits: it is gone
            while (left := deadline - time.monotonic()) > 0:
                ready = [number for number, _ in poller.poll(min(left, 3600.0) * 1000)]
                if descriptor in ready:
                    return True
                if ready:
                    _kill_group(child)
                    os.wait4(child, 0)
                    raise EOFError
            return False
        finally:
            os.close(descriptor)


def _run_child(job: Job, options: Options, scratch: str, memory: int, keeper: int) -> None:
    """Everything a child does: it ends here, with 0 when its answer is written."""
    status = 1
    try:
        _confine(job, keeper)
        tempfile.tempdir = scratch
        answer = pickle.dumps(assess_item(job, options))
        with os.fdopen(memory, "wb") as out:
            out.write(answer)
        status = 0
    except MemoryError:
        status = 3
    finally:
        os._exit(status)


def _confine(job: Job, keeper: int) -> None:
    """A process group of its own, an end when its keeper ends, and what the image may take as limits of the kernel."""
    os.setpgid(0, 0)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != keeper:  # it ended before that was said
        os._exit(1)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    seconds = math.ceil(job.bounds.seconds)
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + CPU_GRACE_SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # Memory it could write to and shares with nobody, on top of what it was born with. Address space (RLIMIT_AS) says
    # little: threads and shared libraries reserve far more than they use.
    memory = _data_bytes() + job.bounds.memory
    resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))


def _data_bytes() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmData:"):
            return int(line.split()[1]) * 1024
    return 0


def _kill_group(child: int) -> None:
    """SIGKILL to the child and everything it started."""
    for kill in (os.killpg, os.kill):
        try:
            kill(child, signal.SIGKILL)
        except ProcessLookupError:
            continue


def _timed_out(job: Job) -> Failure:
    reason = f"it took longer than an image may: {job.bounds.seconds:g} seconds"
    return Failure(trouble=Trouble.IMAGE, code="timed-out", reason=reason)


def _ended_badly(job: Job, status: int) -> Failure:
    """What a status of `wait` says; a child that had no memory to say so itself ends with 3."""
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        if number == signal.SIGXCPU:
            return _timed_out(job)
        name = signal.Signals(number).name if number in set(signal.Signals) else f"signal {number}"
        return Failure(trouble=Trouble.IMAGE, code="crashed", reason=f"its process was ended by {name}")
    if os.WEXITSTATUS(status) == 3:
        bound = f"{job.bounds.memory / 2**20:.0f} MiB"
        reason = f"it needs more memory than an image may: {bound}"
        return Failure(trouble=Trouble.IMAGE, code="out-of-memory", reason=reason)
    reason = f"its process ended with status {os.WEXITSTATUS(status)} and said nothing"
    return Failure(trouble=Trouble.IMAGE, code="crashed", reason=reason)


if __name__ == "__main__":
    # A module that runs as a program is `__main__`: what is pickled has to come from the one that others import.
    from compliance.fleet.keeper import main as template

    with socket.socket(fileno=int(sys.argv[1])) as ours:
        template(ours)
