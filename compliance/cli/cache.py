"""``hullmark cache``: what was kept of layers that were read."""

from __future__ import annotations

import json
import sys
from argparse import Namespace

from compliance.cli.parser import Parser

SUMMARY = "show or clear the cache of layers"
DESCRIPTION = "Show or clear what was kept of layers: the next image on the same base reads only its own."


def arguments(parser: Parser) -> None:
    """info and clear."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True, parser_class=Parser)
    info = actions.add_parser("info", help="where it is, how many layers it holds, how large it is")
    info.add_argument("--json", action="store_true", help="as JSON")
    actions.add_parser("clear", help="remove every layer from it")


def run(values: Namespace) -> int:
    """Look or clear."""
    from compliance.ingest.layer_cache import default_cache

    cache = default_cache()
    if values.action == "clear":
        sys.stdout.write(f"{cache.clear()} layers removed\n")
        return 0
    info = cache.info()
    if values.json:
        shown = {"folder": str(info.folder), "entries": info.entries, "size": info.size, "sizeMax": info.size_max}
        sys.stdout.write(json.dumps(shown, indent=2) + "\n")
    else:
        sys.stdout.write(
            f"{info.folder}: {info.entries} layers, {info.size / 2**20:.1f} of {info.size_max / 2**20:.0f} MiB\n"
        )
    return 0
