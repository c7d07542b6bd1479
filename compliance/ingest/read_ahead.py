"""An iterator that works ahead in a thread: inflating and digesting run while the reader parses."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from queue import Full, Queue
from typing import Generic, TypeVar

T = TypeVar("T")

_PATIENCE = 0.1  # seconds after which the thread looks whether anybody still wants its items


class ReadAhead(Generic[T]):
    """Hands on the items of an iterator that runs at most `depth` items ahead in a thread of its own.

    What the iterator raises is raised here, in its place. `close` ends the thread, also in the middle.
    """

    def __init__(self, items: Iterator[T], depth: int) -> None:
        """Start the thread."""
        self._queue: Queue[tuple[T | None, BaseException | None]] = Queue(depth)
        self._stopped = threading.Event()
        self._done = False
        self._thread = threading.Thread(target=self._run, args=(items,), daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[T]:
        """Itself."""
        return self

    def __next__(self) -> T:
        """The next item, waiting for it."""
        if self._done:
            raise StopIteration
        item, error = self._queue.get()
        if error is not None:
            self._done = True
            if isinstance(error, StopIteration):
                raise StopIteration
            raise error
        return item  # type: ignore[return-value]  # None stands beside an error only

    def close(self) -> None:
        """End the thread; what it made ahead is dropped."""
        self._stopped.set()
        self._thread.join()

    def _run(self, items: Iterator[T]) -> None:
        try:
            for item in items:
                if not self._put((item, None)):
                    return
        except BaseException as error:  # noqa: BLE001 - raised again where the items are wanted
            self._put((None, error))
        else:
            self._put((None, StopIteration()))

    def _put(self, what: tuple[T | None, BaseException | None]) -> bool:
        while not self._stopped.is_set():
            try:
                self._queue.put(what, timeout=_PATIENCE)
            except Full:
                continue
            return True
        return False
