"""docs/benchmarks.md, from what was measured and compared."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tests.benchmarks import records
from tests.benchmarks.images import CHECKOUT, RECIPES
from tests.benchmarks.measure import median

PAGE = CHECKOUT / "docs" / "benchmarks.md"
Record = Mapping[str, Any]

FLOOR, SBOM, WARM, ASSESS = "floor", "hullmark sbom", "hullmark sbom, layers cached", "hullmark assess"
MB = 1e6
LARGE = 100 * MB
VERY_LARGE = 600 * MB
"""Uncompressed sizes from which targets hold."""
NOISY = 0.05
"""Share of the machine's cores that others may take before an image's figures are marked."""
LISTED_MAX = 25
"""Packages a line of the page names; the rest is counted."""

INTRODUCTION = """\
# Benchmarks

Written by `make bench`; not edited by hand. Whole processes with a warm page cache, run in alternation, each round
every command once; medians. The images are built from package repositories as they are on that day
(`tests/benchmarks/images.py`), so sizes differ from one build to the next.
"""
LEGEND = """\
CPU is the user and system time of the process and its children. Memory is the larger of two figures: the peak
resident set of the largest process, and the peak of the whole process tree with shared pages counted once, sampled
in a run that is not timed. *floor* is one process that inflates the layers with isal and takes the SHA-256 of the
compressed and of the uncompressed bytes, and nothing else. `hullmark` starts each run with an empty layer cache
and fills it; *layers cached* finds every layer of the image in it. `hullmark assess` runs all checks and writes JSON.
"""
TRUTH_LEGEND = """\
Ground truth is what the package managers' own tools say about the unpacked image: `dpkg-query`, `rpm -qa`,
`importlib.metadata`, the `package.json` of each folder that is a package in a `node_modules` tree, `go version -m`,
and Maven's own `dependency:list` of the build, as far as its jars are in the image, with the project itself and the
parts that Spring Boot's plugin adds (known by file name). Compared by type, name and version. *Repeated* counts
components that name a package another component named already, *no version* those whose package URL has none.
"""


def write() -> str:
    """Write the page from all records; its text."""
    text = render(
        records.load_all(records.MEASURED, tuple(RECIPES)), records.load_all(records.COMPARED, tuple(RECIPES))
    )
    PAGE.write_text(text)
    return text


def render(measured: Sequence[Record], compared: Sequence[Record]) -> str:
    """The whole page."""
    parts = [INTRODUCTION]
    if measured:
        parts += [machine(measured), "## Images\n", sizes(measured), "## Time and memory\n", LEGEND, speed(measured)]
        parts += ["## Ratios\n", ratios(measured)]
    if compared:
        parts += ["## Packages against ground truth\n", TRUTH_LEGEND, truth(compared), differences(compared)]
    return "\n".join(parts)


def machine(measured: Sequence[Record]) -> str:
    """Where and when."""
    of = measured[-1]["machine"]
    dates = sorted({record["date"] for record in measured})
    return (
        f"Measured {' and '.join(dates)} on {of['processor']}, {of['cores']} cores, {of['memory']} of memory, "
        f"{of['system']}, {of['python']}.\n"
    )


def sizes(measured: Sequence[Record]) -> str:
    """What the images are, and how quiet the machine was."""
    rows = [
        (
            record["name"],
            str(record["layers"]),
            f"{record['stored'] / MB:,.0f}",
            f"{record['inflated'] / MB:,.0f}",
            f"{record['entries']:,}",
            f"{record['load']:.2f}",
            f"{others(record):.1%}" + (" (noisy)" if others(record) > NOISY else ""),
            str(min(len(one["runs"]) for one in record["contenders"].values())),
        )
        for record in measured
    ]
    heads = ("image", "layers", "gzip MB", "tar MB", "entries", "load before", "CPU taken by others", "runs")
    return table(heads, rows)


def others(record: Record) -> float:
    """Share of all cores that other processes took during the timed runs."""
    runs = [each for one in record["contenders"].values() for each in one["runs"]]
    cores = int(record["machine"]["cores"])
    return float(sum(each["others"] for each in runs) / (cores * sum(each["wall"] for each in runs)))


def speed(measured: Sequence[Record]) -> str:
    """CPU s / wall s / MiB of every contender."""
    names = list(dict.fromkeys(name for record in measured for name in record["contenders"]))
    rows = [(record["name"], *(cell(record, name) for name in names)) for record in measured]
    return table(("CPU s / wall s / MiB", *names), rows)


def cell(record: Record, name: str) -> str:
    """Three medians."""
    if name not in record["contenders"]:
        return "-"
    return f"{value(record, name, 'cpu'):.2f} / {value(record, name, 'wall'):.2f} / {value(record, name, 'memory'):.0f}"


def value(record: Record, name: str, what: str) -> float:
    """The median of one contender's runs."""
    one = record["contenders"][name]
    middle = median([each[what] for each in one["runs"]])
    return max(middle, float(one["tree"])) if what == "memory" else middle


def lines_of(record: Record) -> str:
    """One image as it is measured, with the spread of the wall times."""
    lines = [f"{record['name']}: load {record['load']:.2f}, others took {others(record):.1%} of the CPU\n"]
    for name, one in record["contenders"].items():
        walls = [each["wall"] for each in one["runs"]]
        lines.append(f"  {name:30} {cell(record, name):26} wall {min(walls):.2f} to {max(walls):.2f}\n")
    return "".join(lines)


def ratios(measured: Sequence[Record]) -> str:
    """Ours to the newest syft's and to the floor, each with the bound that is aimed at."""
    rows = [
        (
            record["name"],
            bounded(record, SBOM, "wall", syft(record), 0.33 if large(record) else 0.5),
            bounded(record, SBOM, "cpu", syft(record), 0.45 if large(record) else 0.5),
            bounded(record, SBOM, "memory", syft(record), 0.5),
            bounded(record, ASSESS, "wall", syft(record), 0.5),
            bounded(record, SBOM, "cpu", FLOOR, 1.6 if record["inflated"] >= VERY_LARGE else None),
            bounded(record, WARM, "wall", SBOM, 0.2 if large(record) else None),
        )
        for record in measured
    ]
    rival = " and ".join(sorted({syft(record) for record in measured}))
    heads = ("sbom : syft, wall", "CPU", "memory", "assess : syft, wall", "sbom : floor, CPU", "cached : cold, wall")
    return f"To {rival}. A figure that misses what is aimed at says so.\n\n" + table(("image", *heads), rows)


def large(record: Record) -> bool:
    """Whether the bounds of large images hold."""
    return bool(record["inflated"] >= LARGE)


def syft(record: Record) -> str:
    """The newest that was measured."""
    return newest(record["contenders"])


def newest(names: Iterable[str]) -> str:
    """The name of the newest syft."""
    return max(
        (name for name in names if name.startswith("syft ")),
        key=lambda name: [int(part) for part in re.findall(r"\d+", name)],
    )


def bounded(record: Record, name: str, what: str, other: str, bound: float | None) -> str:
    """A ratio, and its bound where it is missed."""
    ratio = value(record, name, what) / value(record, other, what)
    return f"{ratio:.2f}" + (f" (aim: {bound})" if bound is not None and ratio > bound else "")


def truth(compared: Sequence[Record]) -> str:
    """How many packages each tool found of those that are there."""
    rows = [
        (
            record["name"],
            kind,
            str(number),
            tool,
            *(str(len(found[key])) for key in ("true", "missing", "extra")),
            str(found["repeated"]),
            str(len(found["versionless"])),
        )
        for record in compared
        for kind, number in record["truth"].items()
        for tool, found in ((tool, kinds[kind]) for tool, kinds in record["tools"].items())
    ]
    return table(("image", "type", "truth", "tool", "found", "missing", "extra", "repeated", "no version"), rows)


def differences(compared: Sequence[Record]) -> str:
    """By name, what is missing and what is extra: ours and the newest syft's."""
    lines = ["### By name\n"]
    for record in compared:
        lines += [f"- {record['name']}: no truth for {what}" for what in record["unknown"]]
        for tool in ("hullmark", newest(record["tools"])):
            kinds = record["tools"][tool]
            for kind, found in kinds.items():
                for what in ("missing", "extra", "versionless"):
                    if found[what]:
                        lines.append(f"- {record['name']}, {tool}, {kind}, {what}: {listed(found[what])}")
    return "\n".join(lines if len(lines) > 1 else [*lines, "None."]) + "\n"


def listed(names: Sequence[str]) -> str:
    """The first, and how many more."""
    more = len(names) - LISTED_MAX
    return ", ".join(f"`{name}`" for name in names[:LISTED_MAX]) + (f" and {more} more" if more > 0 else "")


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Markdown."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
