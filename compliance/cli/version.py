"""``hullmark version``."""

from __future__ import annotations

import sys
from argparse import Namespace

from compliance.cli.parser import Parser

SUMMARY = "show the version"
DESCRIPTION = "Show the version."


def arguments(parser: Parser) -> None:
    """None."""


def run(values: Namespace) -> int:
    """Print it."""
    from importlib.metadata import version

    sys.stdout.write(f"hullmark {version('hullmark')}\n")
    return 0
