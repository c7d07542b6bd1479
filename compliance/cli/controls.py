"""``hullmark controls``: what the control library says, without an image."""

from __future__ import annotations

import json
import sys
from argparse import Namespace

from compliance.cli.parser import Parser
from compliance.errors import UsageError

SUMMARY = "look into the control library"
DESCRIPTION = "Show frameworks, controls, and how many of their checks this version has."


def arguments(parser: Parser) -> None:
    """list, show and coverage."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True, parser_class=Parser)
    actions.add_parser("list", help="frameworks, and how many of their controls image checks bear on")
    show = actions.add_parser("show", help="a framework's controls, or one control with its checks and why")
    show.add_argument("framework", metavar="FRAMEWORK", help="an id of `controls list`")
    show.add_argument("control", metavar="CONTROL", nargs="?", help="a control's id or label")
    coverage = actions.add_parser("coverage", help="how many of the mapped checks this version has")
    coverage.add_argument("--json", action="store_true", help="as JSON")


def run(values: Namespace) -> int:
    """Print what was asked."""
    lines = {"list": _list, "show": _show, "coverage": _coverage}[values.action](values)
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    return 0


def _list(values: Namespace) -> list[str]:
    from controls.loader import load_library

    library = load_library()
    lines = [f"{item.id:30} {len(item.controls):4}  {item.name} {item.version}".rstrip() for item in library.frameworks]
    return [*lines, f"control library {library.digest}"]


def _show(values: Namespace) -> list[str]:
    from controls.loader import load_library

    (framework,) = load_library((values.framework,)).frameworks
    if values.control is None:
        return [
            f"{item.label:24} {item.title}  [{', '.join(line.check for line in item.checks)}]"
            for item in framework.controls
        ]
    wanted = values.control.lower()
    item = next((item for item in framework.controls if wanted in (item.id.lower(), item.label.lower())), None)
    if item is None:
        raise UsageError(
            f"{framework.id} has no control {values.control} that image checks bear on", code="control-unknown"
        )
    lines = [f"{framework.name}: {item.label} {item.title}", f"source: {item.source}"]
    if item.baselines is not None:
        lines.append(f"SP 800-53B baselines: {', '.join(item.baselines) or 'none'}")
    for line in item.checks:
        lines += ["", f"{line.check} {line.relation.value}", f"  {line.rationale}"]
    return lines


def _coverage(values: Namespace) -> list[str]:
    from controls.loader import load_library
    from controls.registry import CHECKS

    have = {check.id for check in CHECKS}
    rows = []
    for framework in load_library().frameworks:
        mapped = [{line.check for line in control.checks} for control in framework.controls]
        checks = set().union(*mapped)
        rows.append(
            {
                "framework": framework.id,
                "controls": len(mapped),
                "controlsReached": sum(bool(some & have) for some in mapped),
                "checks": len(checks),
                "checksImplemented": len(checks & have),
            }
        )
    if values.json:
        return [json.dumps(rows, indent=2)]
    return [
        f"{row['framework']:30} controls {row['controlsReached']:3} of {row['controls']:3}   "
        f"checks {row['checksImplemented']:2} of {row['checks']:2}"
        for row in rows
    ]
