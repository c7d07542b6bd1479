"""Recall and precision of the inventory over every package case: ``python -m tests.conformance.package_table``.

A stated package is found when the inventory has its purl, as `comparable` spells it, or its name and version where
the case states no purl. Extra is what the inventory has beyond, of the kinds that the case states, where the case
says that its list is complete. What a case marks as optional counts for neither.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packageurl import PackageURL

from tests.conformance.test_package_fixtures import CASES, case_name, comparable, expected_of, inventory_of


@dataclass(frozen=True, kw_only=True)
class Score:
    """What one case states (`expected`), and how the inventory differs; each package as its purl or name@version."""

    case: Path
    expected: frozenset[str]
    missed: tuple[str, ...]
    extra: tuple[str, ...]

    @property
    def found(self) -> int:
        return len(self.expected) - len(self.missed)


def score(case: Path) -> Score:
    """Take the inventory of one case and compare."""
    expected = expected_of(case)
    packages = inventory_of(case).packages
    entries = expected["expected"]
    with_namespace = any(PackageURL.from_string(entry["purl"]).namespace for entry in entries if "purl" in entry)
    found = {comparable(package.purl, namespace=with_namespace): package for package in packages}
    named = {f"{package.name}@{package.version}" for package in packages}
    must, may = _keys(entries, optional=False), _keys(entries, optional=True)
    missed = [key for key, ways in must.items() if not ways & (found.keys() | named)]
    right = {way for ways in (*must.values(), *may.values()) for way in ways}
    types = {PackageURL.from_string(entry["purl"]).type for entry in entries if "purl" in entry}
    extra = [
        key
        for key, package in found.items()
        if key not in right
        and f"{package.name}@{package.version}" not in right
        and (package.type in types or not types)
    ]
    return Score(
        case=case,
        expected=frozenset(must),
        missed=tuple(sorted(missed)),
        extra=tuple(sorted(extra)) if expected["expected_complete"] else (),
    )


def _keys(entries: list[dict[str, Any]], *, optional: bool) -> dict[str, set[str]]:
    """Each stated package under its first spelling, with all spellings that count as it."""
    keys: dict[str, set[str]] = {}
    for entry in entries:
        if bool(entry.get("optional")) is not optional:
            continue
        if "purl" not in entry:
            key = f"{entry['name']}@{entry['version']}"
            keys[key] = {key}
            continue
        url = PackageURL.from_string(entry["purl"])
        others = [url._replace(version=version or None).to_string() for version in entry.get("version_also_right", ())]
        ways = {comparable(purl) for purl in (entry["purl"], *others)}
        keys[comparable(entry["purl"])] = ways
    return keys


COLUMNS = ("ecosystem", "cases", "expected", "found", "missed", "extra", "recall", "precision")


def rows(scores: Iterable[Score]) -> Iterator[tuple[str, ...]]:
    """A row for each ecosystem, then all together."""
    by_ecosystem: dict[str, list[Score]] = {}
    for one in scores:
        by_ecosystem.setdefault(one.case.parent.name, []).append(one)
    for ecosystem, some in sorted(by_ecosystem.items()):
        yield _row(ecosystem, some)
    yield _row("all", [one for some in by_ecosystem.values() for one in some])


def _row(name: str, scores: list[Score]) -> tuple[str, ...]:
    expected = sum(len(one.expected) for one in scores)
    found = sum(one.found for one in scores)
    extra = sum(len(one.extra) for one in scores)
    counts = (len(scores), expected, found, expected - found, extra)
    return (name, *map(str, counts), _share(found, expected), _share(found, found + extra))


def _share(part: int, whole: int) -> str:
    """In per cent, cut and not rounded: 100.0 % is all of it."""
    return f"{part * 1000 // whole / 10:.1f} %" if whole else "-"


def render(scores: list[Score]) -> str:
    """The table as Markdown, and every package that was missed or is extra."""
    table = list(rows(scores))
    widths = [max(len(row[index]) for row in (COLUMNS, *table)) for index in range(len(COLUMNS))]
    lines = [_line(COLUMNS, widths), "|" + "|".join("-" * (width + 2) for width in widths) + "|"]
    lines.extend(_line(row, widths) for row in table)
    for word in ("missed", "extra"):
        told = [f"- {case_name(one.case)}: {purl}" for one in scores for purl in getattr(one, word)]
        lines.extend(("", f"{word}: {len(told)}", *told))
    return "\n".join(lines) + "\n"


def _line(cells: tuple[str, ...], widths: list[int]) -> str:
    padded = (
        cell.ljust(width) if index == 0 else cell.rjust(width)
        for index, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    return "| " + " | ".join(padded) + " |"


if __name__ == "__main__":
    wanted = set(sys.argv[1:])
    sys.stdout.write(render([score(case) for case in CASES if not wanted or case.parent.name in wanted]))
