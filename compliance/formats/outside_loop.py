"""Call something that starts an event loop of its own, from where one may be running already: a notebook's cell."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Answer = TypeVar("Answer")


def outside_loop(call: Callable[[], Answer]) -> Answer:
    """What `call` gives or raises, from a thread without an event loop: pyHanko runs one for each PDF signature."""
    with ThreadPoolExecutor(1) as threads:
        return threads.submit(call).result()
