"""What an organisation adds to reports, by flags or in the table ``[report]`` of ``hullmark.toml``."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from compliance.cli.parser import Parser
from compliance.errors import UsageError
from compliance.formats.user_file import read_file

if TYPE_CHECKING:
    from reports.branding import Branding
    from reports.language import Language
    from reports.page_templates import Templates

_FILES_MAX = 16
"""Files of a folder of templates; there are fewer that could be replaced."""
TABLE = "report"
"""The table of the configuration that holds it for every command which writes reports."""

_OPTIONS = (
    ("--title", "TEXT", "title of the report"),
    ("--organisation", "TEXT", "whose report it is"),
    ("--logo", "FILE", "its logo: PNG, or SVG of plain shapes"),
    ("--classification", "TEXT", "marking on every page"),
    ("--scope", "TEXT", "what the assessment is for; blank lines part paragraphs"),
    ("--language", "FILE", "headings and words in another language: a YAML file, or one that ships (de)"),
    ("--templates", "DIR", "templates and style sheets in place of the package's own, by file name"),
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
    from reports.language import ENGLISH
    from reports.page_templates import SHIPPED

    return read_branding(
        title=values.title,
        organisation=values.organisation,
        logo=None if values.logo is None else read_file(Path(values.logo), "logo", LOGO_SIZE_MAX),
        classification=values.classification,
        scope=values.scope,
        contacts=tuple(values.contact or ()),
        language=ENGLISH if values.language is None else _language(values.language),
        templates=SHIPPED if values.templates is None else _templates(Path(values.templates)),
    )


def _language(name: str) -> Language:
    from reports.language import read_language, shipped_language

    shipped = shipped_language(name)
    return read_language(name, read_file(Path(name), "language file")) if shipped is None else shipped


def _templates(folder: Path) -> Templates:
    """Every file of the folder; one that replaces nothing is refused, as it would be silently without effect."""
    from reports.page_templates import SIZE_MAX, read_templates

    if not folder.is_dir():
        raise UsageError(
            "no such folder", code="template-invalid", where=str(folder), hint="name a folder with templates in it"
        )
    files = sorted(path for path in folder.rglob("*") if not path.is_dir())
    return read_templates(
        {path.relative_to(folder).as_posix(): read_file(path, "template", SIZE_MAX) for path in files[:_FILES_MAX]}
    )


def _options_of_report() -> frozenset[str]:
    """What else may stand in ``[report]``: the options of the command of that name."""
    from compliance.cli import report

    parser = Parser(prog="hullmark report")
    report.arguments(parser)
    return parser.settable
