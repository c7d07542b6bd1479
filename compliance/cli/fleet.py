"""``hullmark fleet``: many images, assessed on a schedule, remembered and reported on."""

from __future__ import annotations

import importlib
from argparse import Namespace
from types import ModuleType

from compliance.cli.parser import Parser

SUMMARY = "many images: assess, remember, report, schedule"
DESCRIPTION = (
    "Assess every image that a fleet file names, keep what was found in a store with a history that can be verified, "
    "and report on it."
)

VERBS = ("run", "status", "report", "diff", "serve", "verify", "export", "manifest")
"""Each is a module of this package, ``fleet_<verb>``, with SUMMARY, DESCRIPTION, `arguments` and `run`."""


def arguments(parser: Parser) -> None:
    """One parser for each verb."""
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True, title="verbs", parser_class=Parser)
    for name in VERBS:
        module = _module(name)
        below = verbs.add_parser(name, help=module.SUMMARY, description=module.DESCRIPTION, epilog=parser.epilog)
        module.arguments(below)


def run(values: Namespace) -> int:
    """Do what the verb says; the exit code."""
    return int(_module(values.verb).run(values))


def _module(verb: str) -> ModuleType:
    return importlib.import_module(f"compliance.cli.fleet_{verb}")
