"""Images assessed on this machine, so many at a time."""

from __future__ import annotations

import os
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue

from compliance.fleet.job import Answer, Job
from compliance.fleet.worker import Template, Worker


class LocalPool:
    """An Executor with `jobs` workers, each watched by a thread that does nothing but wait."""

    def __init__(self, jobs: int | None = None) -> None:
        """As many `jobs` as there are cores for us, where no number is given. Nothing is started yet."""
        self._jobs = jobs or len(os.sched_getaffinity(0))
        self._template = Template()
        self._workers = [Worker(self._template) for _ in range(self._jobs)]
        self._idle: SimpleQueue[Worker] = SimpleQueue()
        for worker in self._workers:
            self._idle.put(worker)
        self._threads = ThreadPoolExecutor(self._jobs, thread_name_prefix="image")

    def slots(self) -> int:
        """See Executor."""
        return self._jobs

    def submit(self, job: Job) -> Future[Answer]:
        """See Executor."""
        return self._threads.submit(self._run, job)

    def close(self) -> None:
        """See Executor."""
        for worker in self._workers:
            worker.close()
        self._threads.shutdown(cancel_futures=True)
        self._template.close()

    def _run(self, job: Job) -> Answer:
        worker = self._idle.get()
        try:
            return worker.run(job)
        finally:
            self._idle.put(worker)
