"""``python -m tests.builders.fleet_run FLEET STORE [SCHEDULER]``: a run with a lease that is soon free again.

For tests that kill it: the command line's lease outlives its process by half a minute.
"""

from __future__ import annotations

import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from compliance.fleet.executors.dask_cluster import DaskCluster
from compliance.fleet.executors.executor import Executor
from compliance.fleet.executors.local import LocalPool
from compliance.fleet.fleet_file import read_fleet
from compliance.fleet.run import run_fleet
from compliance.fleet.run_watcher import RunWatcher
from compliance.ingest.layer_cache import LayerCache, default_folder
from compliance.ingest.registry_options import RegistryOptions
from compliance.model.fleet import ItemOutcome
from compliance.store.fleet_store import open_fleet_store

LEASE_SECONDS = 1.0


class Told(RunWatcher):
    """A line for each image that is recorded."""

    def recorded(self, outcome: ItemOutcome) -> None:
        print(outcome.state.value, outcome.item.reference, flush=True)  # noqa: T201


def main(fleet: str, store: str, blobs: str, effective: str, scheduler: str = "") -> None:
    executor: Executor = DaskCluster(scheduler) if scheduler else LocalPool(2)
    with closing(open_fleet_store(store, blobs, patience=60.0)) as opened, closing(executor):
        run_fleet(
            read_fleet(Path(fleet)),
            opened,
            now=datetime.now(UTC),
            effective=datetime.fromisoformat(effective),
            executor=executor,
            cache=LayerCache(default_folder()),
            registry=RegistryOptions(),
            blobs=opened.blobs,
            watcher=Told(),
            lease_seconds=LEASE_SECONDS,
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
