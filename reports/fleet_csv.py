"""fleet.csv: one row for each image and each check that failed in it, for spreadsheets and for joining."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from reports.csv import guarded
from reports.fleet_document import FailedCheck, FleetDocument, FleetImage

COLUMNS = (
    "group",
    "owner",
    "reference",
    "digest",
    "platform",
    "outcome",
    "state",
    "reason",
    "check",
    "severity",
    "waiver",
    "counts",
    "observations",
    "since_run",
    "since",
    "distribution",
    "assessed",
    "assessment",
    "run",
)


def render(document: FleetDocument) -> bytes:
    """RFC 4180 with a header row, UTF-8. An image without a failure, or without an assessment, has one row, so that
    none is missing; several groups, owners or references are parted by blanks.

    A cell that a spreadsheet would take for a formula begins with an apostrophe.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for row in _rows(document):
        writer.writerow([guarded(cell) for cell in row])
    return text.getvalue().encode()


def _rows(document: FleetDocument) -> Iterator[list[str]]:
    run = str(document["run"]["number"])
    nothing = [""] * 6
    for missing in document["unresolved"]:
        named = [missing["group"], missing["owner"], missing["reference"], "", ""]
        yield [*named, "not-determined", "not-determined", missing["reason"], "", *nothing, "", "", "", run]
    for image in document["images"]:
        for failed in image["failed"] or (None,):
            check = nothing if failed is None else _failure(failed)
            yield [
                *_image(image),
                "" if failed is None else failed["check"],
                *check,
                image["distribution"] or "",
                image["assessedAt"] or "",
                image["assessment"] or "",
                run,
            ]


def _image(image: FleetImage) -> list[str]:
    return [
        " ".join(image["groups"]),
        " ".join(image["owners"]),
        " ".join(image["references"]),
        image["digest"],
        image["platform"] or "",
        image["outcome"],
        image["state"],
        image["reason"] or "",
    ]


def _failure(failed: FailedCheck) -> list[str]:
    return [
        failed["severity"],
        failed["waiver"] or "",
        "yes" if failed["counts"] else "no",
        str(failed["findings"]),
        str(failed["since"]),
        failed["sinceTime"],
    ]
