"""What is in an image, to look at and to compute with."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pandas import DataFrame

    from compliance.model import inventory as model
    from compliance.model.inventory import Package, Relationship, Unknown


class Inventory:
    """The packages of an image, their relationships, and `unknowns`: where something could not be read.

    While there are unknowns, a package that is not listed may still be there.
    """

    def __init__(self, found: model.Inventory) -> None:
        self._found = found

    @property
    def packages(self) -> tuple[Package, ...]:
        """Each package once, sorted by purl; `declared` ones are only stated by a lock file or manifest."""
        return self._found.packages

    @property
    def relationships(self) -> tuple[Relationship, ...]:
        """Which package needs or contains which, by purl."""
        return self._found.relationships

    @property
    def unknowns(self) -> tuple[Unknown, ...]:
        """Where packages may be that could not be read, and why."""
        return self._found.unknowns

    @property
    def distribution(self) -> str | None:
        """The operating system as it names itself; None where nothing does."""
        found = self._found.distribution
        return None if found is None else found.pretty_name or found.id

    def to_frame(self) -> DataFrame:
        """One row a package; see docs/notebooks.md for the columns."""
        from compliance.api import tables

        return tables.packages(self._found)

    def __len__(self) -> int:
        return len(self._found.packages)

    def __iter__(self) -> Iterator[Package]:
        return iter(self._found.packages)

    def __repr__(self) -> str:
        unknown = f", {len(self.unknowns)} places unknown" if self.unknowns else ""
        return f"<Inventory: {len(self)} packages{unknown}>"

    def _repr_html_(self) -> str:
        from reports import notebook

        return notebook.inventory(self._found)
