"""findings.csv: one row for each observation of each check, for spreadsheets and for joining with other data."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from reports.document import Check, Document, Observation

COLUMNS = (
    "check",
    "title",
    "trait",
    "severity",
    "outcome",
    "reason",
    "waiver",
    "summary",
    "kind",
    "verdict",
    "path",
    "names",
    "layer",
    "package",
    "sha256",
    "size",
    "value",
    "method",
    "image",
    "counts",
)

_FORMULA_STARTS = frozenset("=+-@\t\r\n＝＋－＠")  # noqa: RUF001 - the full-width forms count too


def render(document: Document) -> bytes:
    """RFC 4180 with a header row, UTF-8. A check without observations has one row, so that none is missing.

    A cell that a spreadsheet would take for a formula begins with an apostrophe.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    digest = document["subject"]["digest"]
    for check in document["checks"]:
        for row in _rows(check, digest):
            writer.writerow([guarded(cell) for cell in row])
    return text.getvalue().encode()


def guarded(cell: str) -> str:
    """`cell` with an apostrophe before what a spreadsheet would evaluate (blanks in front do not help it)."""
    start = cell.lstrip(" ")[:1]
    return f"'{cell}" if start in _FORMULA_STARTS else cell


def _rows(check: Check, digest: str) -> Iterator[list[str]]:
    waiver = check["waiver"]["id"] if check["waiver"] else ""
    reason = check["reason"] or ""
    shared = [check["id"], check["title"], check["trait"], check["severity"], check["outcome"], reason, waiver]
    end = [digest, "yes" if check["counts"] else "no"]
    if not check["observations"]:
        yield [*shared, *[""] * (len(COLUMNS) - len(shared) - len(end)), *end]
    for observation in check["observations"]:
        yield [*shared, *_cells(observation), *end]


def _cells(observation: Observation) -> list[str]:
    size = observation["size"]
    return [
        observation["summary"],
        observation["kind"],
        observation["verdict"] or "",
        observation["path"] or "",
        " ".join(observation["names"]),
        observation["layer"] or "",
        observation["package"] or "",
        observation["sha256"] or "",
        "" if size is None else str(size),
        observation["value"] or "",
        observation["method"] or "",
    ]
