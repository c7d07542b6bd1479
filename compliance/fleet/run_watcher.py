"""What a run tells whoever waits for it."""

from __future__ import annotations

from compliance.fleet.job import Failure
from compliance.model.fleet import Item, ItemOutcome, Run
from compliance.pipeline import Watcher


class RunWatcher(Watcher):
    """Hears what becomes of a run. This one says nothing; the command line shows a bar, or writes lines."""

    def waiting(self, seconds: float) -> None:
        """Another process holds the fleet; we wait up to so long for it to be done or found dead."""

    def begun(self, run: Run, items: int, recorded: int, *, resumed: bool) -> None:
        """The population stands, and of its items so many have an outcome already."""

    def recorded(self, outcome: ItemOutcome) -> None:
        """What became of an item is in the store."""

    def again(self, item: Item, failure: Failure, seconds: float) -> None:
        """The item will be tried again after so many seconds."""

    def ended(self, run: Run) -> None:
        """The run has its place in the chain."""
