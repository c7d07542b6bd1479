"""What a run asks of the place where its images are assessed."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Protocol

from compliance.fleet.job import Answer, Job


class Executor(Protocol):
    """Takes jobs and answers each, in any order. Whatever it runs on, an image gets a process of its own."""

    def slots(self) -> int:
        """How many images it works on at the same time now; 0 while it has nobody to give them to."""

    def submit(self, job: Job) -> Future[Answer]:
        """Begin, or put in line. The future raises ComplianceError where not the image but the place failed."""

    def close(self) -> None:
        """End everything that runs; futures that are not done never will be."""
