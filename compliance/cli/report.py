"""``hullmark report``: an assessment rendered again, without the image."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from compliance.cli import branding, options, output
from compliance.cli.parser import Parser
from compliance.formats.user_file import read_file

SUMMARY = "render an assessment.json in any format, without the image"
DESCRIPTION = (
    "Render an assessment.json again. A PDF made so embeds the assessment and what is made from it. With "
    "--effective-time it is evaluated again for another date, without the image, and says so."
)

ASSESSMENT_SIZE_MAX = 512 * 2**20


def arguments(parser: Parser) -> None:
    """The file and the outputs."""
    parser.add_argument("file", metavar="FILE", help="an assessment.json")
    options.add_output(
        parser,
        "table, json, oscal-ar, oscal-ap, oscal-component, oscal-mapping, oscal-poam, csv, markdown, html, pdf, sarif, "
        "junit",
    )
    options.add_oscal_version(parser)
    parser.add_argument(
        "--effective-time",
        metavar="RFC3339",
        type=options.parse_time,
        help="re-evaluate as of this time: waivers are applied again; what the file can't answer becomes unknown",
    )
    branding.add_branding(parser)


def run(values: Namespace) -> int:
    """Read, render, write."""
    from compliance.reevaluation import reevaluate
    from reports.assessment_json import parse
    from reports.exporter import FORMATS

    targets = output.parse_targets(values.output, FORMATS, "table")
    output.demand_version(targets, values.oscal_version)
    shape = parse(read_file(Path(values.file), "assessment", ASSESSMENT_SIZE_MAX))
    if values.effective_time is not None:
        shape = reevaluate(shape, values.effective_time)
    brand = branding.branding_of(values)
    color = output.use_color(values.color)
    for target in targets:
        content = output.render_document(target, shape, color=color, oscal_version=values.oscal_version, branding=brand)
        output.write(target, content)
    return 0
