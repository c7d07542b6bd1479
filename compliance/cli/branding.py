"""What an organisation adds to reports, by flags or in the table ``[report]`` of ``hullmark.toml``."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from compliance.cli import options
from compliance.cli.parser import Parser

if TYPE_CHECKING:
    from reports.branding import Branding

TABLE = "report"
"""The table of the configuration that holds it for every command which writes reports."""

_OPTIONS = (
    ("--title", "TEXT", "title of the report"),
    ("--organisation", "TEXT", "whose report it is"),
    ("--logo", "FILE", "its logo: PNG, or SVG of plain shapes"),
    ("--classification", "TEXT", "marking on every page"),
    ("--scope", "TEXT", "what the assessment is for; blank lines part paragraphs"),
)


def add_branding(parser: Parser) -> None:
    """The options; their values may also come from ``[report]``, whatever the command."""
    for name, metavar, text in _OPTIONS:
        parser.add_argument(name, metavar=metavar, help=f"pdf and html: {text}")
    parser.add_argument("--contact", action="append", metavar="TEXT", help="pdf and html: whom to ask; may be repeated")
    names = frozenset(name.removeprefix("--") for name, _, _ in _OPTIONS) | {"contact"}
    parser.share_table(TABLE, names, _options_of_report)


def branding_of(values: Namespace) -> Branding:
    """What `add_branding` gathered, the logo read. Raises UsageError for what can't be used."""
    from reports.branding import LOGO_SIZE_MAX, read_branding

    return read_branding(
        title=values.title,
        organisation=values.organisation,
        logo=None if values.logo is None else options.read_file(Path(values.logo), "logo", LOGO_SIZE_MAX),
        classification=values.classification,
        scope=values.scope,
        contacts=tuple(values.contact or ()),
    )


def _options_of_report() -> frozenset[str]:
    """What else may stand in ``[report]``: the options of the command of that name."""
    from compliance.cli import report

    parser = Parser(prog="hullmark report")
    report.arguments(parser)
    return parser.settable
