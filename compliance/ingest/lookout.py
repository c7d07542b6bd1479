"""Large files are digested and examined by a thread of their own, while the next entries are read."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Concatenate, Generic, ParamSpec, TypeVar

T = TypeVar("T")
P = ParamSpec("P")

WORTH_A_THREAD = 2**17
"""Bytes from which handing a content over costs less than it saves."""
IN_FLIGHT_MAX = 2**26
"""Bytes of files that may wait: beyond, the reader waits."""


class Lookout(Generic[T]):
    """Runs `look(content, …)` for large contents elsewhere, in order, with a bound on the bytes that wait."""

    def __init__(self) -> None:
        """The thread starts with the first large file."""
        self._pool: ThreadPoolExecutor | None = None
        self._waiting: deque[tuple[int, Future[T]]] = deque()
        self._bytes = 0

    def look(
        self, content: bytes, look: Callable[Concatenate[bytes, P], T], *args: P.args, **more: P.kwargs
    ) -> Future[T]:
        """What `look` will say of `content` and what else it is given."""
        size = len(content)
        while self._waiting and self._bytes + size > IN_FLIGHT_MAX:
            done, future = self._waiting.popleft()
            future.exception()  # waits; what it raised is raised where its result is wanted
            self._bytes -= done
        if self._pool is None:
            self._pool = ThreadPoolExecutor(1)
        future = self._pool.submit(look, content, *args, **more)
        self._waiting.append((size, future))
        self._bytes += size
        return future

    def close(self) -> None:
        """End the thread; what has not begun is dropped."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)


def settled(answer: T | Future[T]) -> T:
    """The answer, waiting for it where it comes later."""
    return answer.result() if isinstance(answer, Future) else answer
