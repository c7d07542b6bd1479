"""``hullmark diff``: what changed between two images, two assessments, or an image and a running root filesystem."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from compliance.cli import options, output
from compliance.cli.parser import Parser
from compliance.errors import ExitCode, UsageError
from compliance.formats.user_file import read_file

if TYPE_CHECKING:
    from reports.drift_document import DriftDocument

SUMMARY = "what changed between two images, assessments, or an image and a root filesystem"
DESCRIPTION = (
    "Compare A with B: packages, programs, users, ports, environment, how it starts, privileges, what the runtime "
    "user can change, layers, files. A and B are images, root filesystems (dir:PATH, rootfs-tar:PATH as docker export "
    "writes it), or both an assessment.json. Where one is a root filesystem, differences that starting a container "
    "makes are told apart. Exits 0 when nothing differs, 10 when something does, 11 when nothing does in what could "
    "be read but not everything could be."
)
FORMATS = ("table", "json", "markdown")
_EXIT_CODES = {
    "same": ExitCode.SATISFIED,
    "different": ExitCode.NOT_SATISFIED,
    "not-determined": ExitCode.NOT_DETERMINED,
}


def arguments(parser: Parser) -> None:
    """The two sides, how to read them, and where to write."""
    parser.add_argument("before", metavar="A", help="what it was: an IMAGE as for assess, or an assessment.json")
    parser.add_argument("after", metavar="B", help="what it is now")
    options.add_reading(parser)
    options.add_output(parser, ", ".join(FORMATS))


def run(values: Namespace) -> int:
    """Read both, compare, write. The exit code is the answer."""
    targets = output.parse_targets(values.output, FORMATS, "table")
    color = output.use_color(values.color)
    stated = [options.is_assessment(side) for side in (values.before, values.after)]
    if any(stated) and not all(stated):
        raise UsageError(
            "an assessment is compared with another assessment only",
            code="usage",
            where=values.before if stated[0] else values.after,
            hint="it holds no files: give both images, or assess the other one too",
        )
    document = _of_assessments(values) if all(stated) else _of_images(values)
    for target in targets:
        output.write(target, _render(target, document, color=color))
    return _EXIT_CODES[document["summary"]["outcome"]]


def _of_images(values: Namespace) -> DriftDocument:
    from compliance.cli import progress
    from compliance.pipeline import compare, tool_version
    from reports.drift_document import document

    watcher = progress.watcher(quiet=values.quiet, no_progress=values.no_progress)
    try:
        drift = compare(values.before, values.after, options.run_options(values), watcher)
    finally:
        watcher.close()
    if not values.quiet:
        for side in (drift.before, drift.after):
            output.say(f"image: {side.reference} {side.digest}")
    return document(drift, {"name": "hullmark", "version": tool_version()})


def _of_assessments(values: Namespace) -> DriftDocument:
    from compliance.cli.report import ASSESSMENT_SIZE_MAX
    from compliance.pipeline import tool_version
    from reports.assessment_drift import compare
    from reports.assessment_json import parse

    before, after = (
        parse(read_file(Path(side), "assessment", ASSESSMENT_SIZE_MAX)) for side in (values.before, values.after)
    )
    return compare(before, after, {"name": "hullmark", "version": tool_version()})


def _render(target: output.Target, document: DriftDocument, *, color: bool) -> bytes:
    from reports import drift_document, drift_markdown, drift_table

    match target.format:
        case "json":
            return drift_document.render(document)
        case "markdown":
            return drift_markdown.render(document)
        case _:
            width = output.terminal_width() if target.file is None else drift_table.DEFAULT_WIDTH
            return drift_table.render(document, color=color and target.file is None, width=width).encode()
