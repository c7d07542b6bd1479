"""Images whose rows are the same, counted at once: a fleet of thousands has a few dozen different answers."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import TypeVar

Row = TypeVar("Row")
Result = TypeVar("Result")
Key = TypeVar("Key", bound=Hashable)


def alike(rows: Iterable[tuple[Row, ...]]) -> list[tuple[tuple[Row, ...], int]]:
    """Every tuple once, in the order in which they come first, and how often it comes.

    Told apart by identity, as a store gives the same tuple for the same rows (FleetStore.assessments): equal ones that
    are not the same come one by one, and the sums over them are the same.
    """
    return [(found, number) for _, found, number in alike_by((None, each) for each in rows)]


def alike_by(rows: Iterable[tuple[Key, tuple[Row, ...]]]) -> list[tuple[Key, tuple[Row, ...], int]]:
    """The same for pairs of something and a tuple."""
    found: dict[tuple[Key, int], tuple[Row, ...]] = {}
    numbers: dict[tuple[Key, int], int] = {}
    for key, each in rows:
        place = (key, id(each))  # `found` holds it, so that no other gets its id meanwhile
        found.setdefault(place, each)
        numbers[place] = numbers.get(place, 0) + 1
    return [(place[0], each, numbers[place]) for place, each in found.items()]


def once(work: Callable[[tuple[Row, ...]], Result]) -> Callable[[tuple[Row, ...]], Result]:
    """`work`, done once for every tuple; what comes of it is shared, so nobody may change it."""
    known: dict[int, tuple[tuple[Row, ...], Result]] = {}

    def done(rows: tuple[Row, ...]) -> Result:
        if id(rows) not in known:
            known[id(rows)] = (rows, work(rows))
        return known[id(rows)][1]

    return done
