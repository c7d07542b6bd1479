"""Images assessed by the workers of a Dask cluster that somebody else runs.

Its workers need this package, the registry, and the place where the store's documents lie; the database they never
see. A worker that goes away has its images done by another (Dask sees to that); one that takes an image with it time
and again is a failure of that image. On a worker, too, each image has a process of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from concurrent.futures import CancelledError, Future
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any

from compliance.errors import ComplianceError, UsageError
from compliance.fleet.job import Answer, Failure, Job, Trouble
from compliance.fleet.worker import Template, Worker

CONNECT_SECONDS = 20.0
_SLOTS_SECONDS = 5.0
"""How long the number of the cluster's threads is taken for true."""


class DaskCluster:
    """An Executor over the scheduler at a URL (``tcp://HOST:PORT``, ``tls://…``)."""

    def __init__(self, scheduler: str) -> None:
        """Connect. Raises UsageError (``extra-missing``), ComplianceError (``scheduler-unreachable``)."""
        try:
            import distributed
        except ImportError:
            raise UsageError(
                "a Dask scheduler needs a library that is not installed",
                code="extra-missing",
                where=scheduler,
                hint="install hullmark[fleet]",
            ) from None
        self._scheduler = scheduler
        client: Any = distributed.Client  # the library tells no types
        try:
            self._client = client(scheduler, timeout=CONNECT_SECONDS, set_as_default=False, name="hullmark")
        except (OSError, ValueError, TimeoutError) as error:
            raise ComplianceError(
                f"the scheduler can't be reached: {str(error) or type(error).__name__}",
                code="scheduler-unreachable",
                where=scheduler,
            ) from None
        self._executor = self._client.get_executor(pure=False)
        self._slots = 0
        self._counted = 0.0

    def slots(self) -> int:
        """See Executor: the threads of all workers."""
        if not self._counted or time.monotonic() - self._counted > _SLOTS_SECONDS:
            try:
                self._slots = sum(self._client.nthreads().values())
            except (OSError, TimeoutError, CancelledError):
                raise self._lost() from None
            self._counted = time.monotonic()
        return self._slots

    def submit(self, job: Job) -> Future[Answer]:
        """See Executor."""
        ours: Future[Answer] = Future()
        theirs: Future[Answer] = self._executor.submit(assess_here, job)
        theirs.add_done_callback(partial(self._hand_over, ours))
        return ours

    def close(self) -> None:
        """See Executor. The cluster goes on."""
        with contextlib.suppress(OSError, TimeoutError, asyncio.TimeoutError, CancelledError):
            self._executor.shutdown(wait=False)
            self._client.close(timeout=2)

    def _hand_over(self, ours: Future[Answer], theirs: Future[Answer]) -> None:
        from distributed.scheduler import KilledWorker

        if theirs.cancelled():
            ours.set_exception(self._lost())
            return
        error = theirs.exception()
        if error is None:
            ours.set_result(theirs.result())
        elif isinstance(error, KilledWorker):
            reason = f"{error.allowed_failures + 1} workers of the cluster died while they had it"
            ours.set_result(Answer(failure=Failure(trouble=Trouble.MOMENT, code="worker-lost", reason=reason)))
        else:
            said = f"{type(error).__name__}: {error}".replace("\n", " ")
            ours.set_exception(
                ComplianceError(f"the cluster can't do it: {said}", code="cluster-failed", where=self._scheduler)
            )

    def _lost(self) -> ComplianceError:
        return ComplianceError(
            "the scheduler is gone",
            code="scheduler-lost",
            where=self._scheduler,
            hint="what was recorded is whole; the next run continues this one",
        )


_template = Template()
"""Of this process: on a worker of the cluster, what all its images are forked from. Started with the first of them."""
_idle: SimpleQueue[Worker] = SimpleQueue()


def assess_here(job: Job) -> Answer:
    """One image, on a worker of the cluster, in a process of its own. Never raises."""
    try:
        worker = _idle.get_nowait()
    except Empty:
        worker = Worker(_template)
    try:
        return worker.run(job)
    except ComplianceError as error:
        return Answer(failure=Failure(trouble=Trouble.PLACE, code=error.code, reason=str(error)))
    finally:
        _idle.put(worker)
