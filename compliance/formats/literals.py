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

Hit = tuple[int, int]
"""The offset of a literal in a content, and its number."""

_Handler = Callable[..., bool | None]
_Scanner = tuple[Callable[..., object], "hyperscan.Scratch", type[Exception]]


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

    def few(self, content: bytes) -> list[Hit] | None:
        """Each place, in order; None for a content that has more than MANY of them."""
        hits: list[Hit] = []
        lengths = self._lengths

        def note(number: int, _start: int, end: int, *_: object) -> bool:
            hits.append((end - lengths[number], number))
            return len(hits) > MANY

        if len(content) > _AT_ONCE or not self._scan(content, note, once=False):
            return None
        hits.sort()
        return hits

    def found(self, content: bytes, few: list[Hit] | None = None) -> Mapping[int, Iterable[int]]:
        """The numbers of those that stand in `content`, with their places there, ascending.

        `few` are all its places where they are known already.
        """
        if few is None:
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
        name = "single" if once else "every"
        try:
            scan, scratch, stopped = getattr(self._thread, name)
        except AttributeError:
            setattr(self._thread, name, self._scanner(self._once if once else self._each))
            scan, scratch, stopped = getattr(self._thread, name)
        try:
            if len(content) <= _AT_ONCE:
                scan(content, handler, 0, None, scratch)
                return True
            for base in range(0, len(content), _AT_ONCE):
                scan(memoryview(content)[base : base + _AT_ONCE + self._longest - 1], handler, 0, None, scratch)
        except stopped:
            return False
        return True

    def _scanner(self, database: hyperscan.Database) -> _Scanner:
        """What scans, with the working memory that it needs for each thread, and what says that it was stopped."""
        import hyperscan

        return database.scan, hyperscan.Scratch(database), hyperscan.ScanTerminated

    @cached_property
    def _each(self) -> hyperscan.Database:
        """For every place."""
        return self._database(0)

    @cached_property
    def _once(self) -> hyperscan.Database:
        """For one place of each literal."""
        import hyperscan

        return self._database(hyperscan.HS_FLAG_SINGLEMATCH)

    def _database(self, flag: int) -> hyperscan.Database:
        import hyperscan

        # As expressions of escapes: the library's own form for literals ends them at a zero byte.
        expressions = [b"".join(b"\\x%02x" % byte for byte in literal) for literal in self.literals]
        database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
        numbers = range(len(expressions))
        database.compile(
            expressions=expressions, ids=list(numbers), elements=len(expressions), flags=[flag for _ in numbers]
        )
        return database


class JointSearch:
    """Two searches in one pass, for contents that both are for: it costs hardly more than the larger of them."""

    def __init__(self, first: LiteralSearch, second: LiteralSearch) -> None:
        """Nothing is compiled before the first search."""
        own = [{literal: number for number, literal in enumerate(one.literals)} for one in (first, second)]
        self._both = LiteralSearch(tuple(own[0] | own[1]))
        self._first, self._second = (
            {number: one[literal] for number, literal in enumerate(self._both.literals) if literal in one}
            for one in own
        )

    def few(self, content: bytes) -> tuple[list[Hit] | None, list[Hit] | None]:
        """What `few` of the first and of the second says of `content`; None for both where both have many together."""
        hits = self._both.few(content)
        if hits is None:
            return None, None
        first, second = self._first, self._second
        return (
            [(at, first[number]) for at, number in hits if number in first],
            [(at, second[number]) for at, number in hits if number in second],
        )


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
