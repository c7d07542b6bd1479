"""Which of many byte strings stand in a content, and where.

All are looked for at once, by vector instructions (Hyperscan). A content made to be full of them costs little more
than another: after so many places, each literal is only told once, and `bytes.find` looks for its places.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import hyperscan

MANY = 2**14
"""Places in one content after which they are not collected one by one: each costs a call."""
_AT_ONCE = 2**30
"""Bytes of one scan: the library counts them in 32 bits."""

_Handler = Callable[..., bool | None]
_Scanner = tuple[Callable[..., object], "hyperscan.Scratch"]


class LiteralSearch:
    """Some literals; they are told by their numbers, their places in the sequence. Threads may share it."""

    def __init__(self, literals: Sequence[bytes]) -> None:
        """Nothing is compiled before the first search. Raises ValueError for an empty literal."""
        if not all(literals):
            raise ValueError("an empty literal stands everywhere")
        self.literals = tuple(literals)
        self._lengths = tuple(map(len, self.literals))
        self._longest = max(self._lengths, default=1)
        self._thread = threading.local()

    def few(self, content: bytes) -> list[tuple[int, int]] | None:
        """(offset, number) of each place, in order; None for a content that has more than MANY of them."""
        hits: list[tuple[int, int]] = []
        lengths = self._lengths

        def note(number: int, _start: int, end: int, *_: object) -> bool:
            hits.append((end - lengths[number], number))
            return len(hits) > MANY

        if len(content) > _AT_ONCE or not self._scan(content, note, once=False):
            return None
        hits.sort()
        return hits

    def found(self, content: bytes) -> Mapping[int, Iterable[int]]:
        """The numbers of those that stand in `content`, with their places there, ascending."""
        few = self.few(content)
        if few is not None:
            places: dict[int, list[int]] = {}
            for at, number in few:
                places.setdefault(number, []).append(at)
            return places
        present: set[int] = set()

        def mark(number: int, *_: object) -> None:
            present.add(number)

        self._scan(content, mark, once=True)
        return {number: Places(content, self.literals[number]) for number in present}

    def _scan(self, content: bytes, handler: _Handler, *, once: bool) -> bool:
        """Tell `handler` of each place, or `once` of each literal; False where it answered True, to hear no more."""
        if not self.literals:
            return True
        try:
            every, single, stopped = self._thread.scanners
        except AttributeError:
            every, single, stopped = self._thread.scanners = self._scanners()
        scan, scratch = single if once else every
        try:
            if len(content) <= _AT_ONCE:
                scan(content, handler, 0, None, scratch)
                return True
            for base in range(0, len(content), _AT_ONCE):
                scan(memoryview(content)[base : base + _AT_ONCE + self._longest - 1], handler, 0, None, scratch)
        except stopped:
            return False
        return True

    def _scanners(self) -> tuple[_Scanner, _Scanner, type[Exception]]:
        """What scans, each with the working memory that it needs for each thread; and what says that it was stopped."""
        import hyperscan

        every, single = ((one.scan, hyperscan.Scratch(one)) for one in self._databases)
        return every, single, hyperscan.ScanTerminated

    @cached_property
    def _databases(self) -> tuple[hyperscan.Database, hyperscan.Database]:
        """For every place, and for one place of each literal."""
        import hyperscan

        # As expressions of escapes: the library's own form for literals ends them at a zero byte.
        expressions = [b"".join(b"\\x%02x" % byte for byte in literal) for literal in self.literals]
        made = []
        for flag in (0, hyperscan.HS_FLAG_SINGLEMATCH):
            database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
            numbers = range(len(expressions))
            database.compile(
                expressions=expressions, ids=list(numbers), elements=len(expressions), flags=[flag for _ in numbers]
            )
            made.append(database)
        return made[0], made[1]


@dataclass(frozen=True, slots=True)
class Places:
    """Where `literal` stands in `content`, ascending, overlapping places too; looked for while it is gone over."""

    content: bytes = field(repr=False)
    literal: bytes

    def __iter__(self) -> Iterator[int]:
        """One after another."""
        at = self.content.find(self.literal)
        while at >= 0:
            yield at
            at = self.content.find(self.literal, at + 1)
