"""Several questions at a time, for what waits on a network rather than works."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

THREADS: Final = 8
"""As many connections as a client usually opens to one registry."""
_BATCH: Final = 10_000
"""Questions that wait in memory."""

T = TypeVar("T")
R = TypeVar("R")


def concurrently(action: Callable[[T], R], items: Sequence[T], done: Callable[[int], None] | None = None) -> list[R]:
    """What `action` gives for each item, in the order of the items; `done` hears of each that is answered.

    The first exception, or an interrupt, ends it: what has not begun is not begun.
    """
    results: list[R] = []
    with ThreadPoolExecutor(max_workers=THREADS, thread_name_prefix="asking") as pool:
        for start in range(0, len(items), _BATCH):
            futures = [pool.submit(action, item) for item in items[start : start + _BATCH]]
            try:
                for future in futures:
                    results.append(future.result())
                    if done is not None:
                        done(1)
            except BaseException:
                pool.shutdown(wait=True, cancel_futures=True)
                raise
    return results
