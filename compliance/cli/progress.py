"""Progress on stderr, only where a person watches."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from compliance.pipeline import Stage, Watcher

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


class Bars(Watcher):
    """One bar a stage. Used as a context manager; clears itself at the end."""

    def __init__(self) -> None:
        """Nothing is drawn before the first stage."""
        self._progress: Progress | None = None
        self._task: TaskID | None = None

    def stage(self, stage: Stage) -> None:
        """Begin a bar (or a spinner where the amount is unknown)."""
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        if self._progress is None:
            self._progress = Progress(
                SpinnerColumn(),
                TextColumn("{task.description}"),
                BarColumn(),
                DownloadColumn(),
                TimeElapsedColumn(),
                console=Console(stderr=True),
                transient=True,
            )
            self._progress.start()
        if self._task is not None:
            self._progress.remove_task(self._task)
        self._task = self._progress.add_task(stage.name, total=stage.total or None)

    def advance(self, stored_bytes: int) -> None:
        """Move the bar."""
        if self._progress is not None and self._task is not None:
            self._progress.advance(self._task, stored_bytes)

    def close(self) -> None:
        """Take the bars away."""
        if self._progress is not None:
            self._progress.stop()
            self._progress = None


def watcher(*, quiet: bool, no_progress: bool) -> Watcher:
    """Bars on a terminal, silence elsewhere."""
    return Watcher() if quiet or no_progress or not sys.stderr.isatty() else Bars()
