"""``hullmark version``."""

from __future__ import annotations

import sys
from argparse import Namespace

from compliance.cli.parser import Parser
from compliance.version import VERSION

SUMMARY = "show the version"
DESCRIPTION = "Show the version."


def arguments(parser: Parser) -> None:
    """None."""


def run(values: Namespace) -> int:
    """Print it."""
    sys.stdout.write(f"hullmark {VERSION}\n")
    return 0
