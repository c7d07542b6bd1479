"""``hullmark controls``: what the control library says, without an image."""

from __future__ import annotations

import json
import textwrap
from argparse import Namespace
from collections.abc import Iterator
from typing import TYPE_CHECKING

from compliance.cli import output
from compliance.cli.parser import Parser
from compliance.errors import UsageError

if TYPE_CHECKING:
    from compliance.model.control import Control, Framework
    from controls.coverage import CoveredControl, FrameworkCoverage

SUMMARY = "look into the control library"
DESCRIPTION = "Show frameworks, what bears on one control and why, and how far checks of an image reach."

_WIDTH = 78
_FORMATS = ("table", "json")


def arguments(parser: Parser) -> None:
    """list, show and coverage."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True, parser_class=Parser)
    listing = actions.add_parser("list", help="frameworks, and how many of their controls image checks bear on")
    show = actions.add_parser(
        "show",
        help="a framework's controls, or one control: what it asks, which checks bear on it, how and why",
    )
    show.add_argument(
        "framework",
        metavar="FRAMEWORK|CONTROL|CHECK",
        help="an id of `controls list`, a control's id or label (CM-7), or a check's id (RM-SHELL)",
    )
    show.add_argument("control", metavar="CONTROL", nargs="?", help="a control's id or label in that framework")
    coverage = actions.add_parser(
        "coverage",
        help="which controls an image alone can speak to, which need other evidence, what was left out and why",
    )
    coverage.add_argument("framework", metavar="FRAMEWORK", nargs="*", help="ids of `controls list`; default: all")
    coverage.add_argument("--json", action="store_true", help="the same as -o json")
    for below in (listing, show, coverage):
        below.add_argument(
            "-o",
            "--output",
            action="append",
            metavar="FORMAT[=FILE]",
            help="table (default) or json, to a file or stdout",
        )


def run(values: Namespace) -> int:
    """Print what was asked."""
    default = "json" if getattr(values, "json", False) else "table"
    targets = output.parse_targets(values.output, _FORMATS, default)
    document, lines = {"list": _list, "show": _show, "coverage": _coverage}[values.action](values)
    for target in targets:
        text = "".join(f"{line}\n" for line in lines)
        if target.format == "json":
            text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
        output.write(target, text.encode())
    return 0


def _list(values: Namespace) -> tuple[object, list[str]]:
    from controls.loader import load_library

    library = load_library()
    document = {
        "digest": library.digest,
        "frameworks": [{**_framework(item), "controls": len(item.controls)} for item in library.frameworks],
    }
    lines = [f"{item.id:30} {len(item.controls):4}  {item.name} {item.version}".rstrip() for item in library.frameworks]
    return document, [*lines, f"control library {library.digest}"]


def _show(values: Namespace) -> tuple[object, list[str]]:
    from controls.loader import load_library

    framework, wanted = _asked(values)
    if framework is None and wanted is not None and (page := _check_page(wanted)) is not None:
        return page
    library = load_library(framework)
    if wanted is None:
        (only,) = library.frameworks
        listed = {**_framework(only), "controls": [_control(item) for item in only.controls]}
        return listed, [
            f"{item.label:24} {item.title}  [{', '.join(line.check for line in item.checks)}]" for item in only.controls
        ]
    covered = [
        (one, item)
        for one in _covered(framework)
        for item in one.controls
        if wanted.lower() in (item.control.id.lower(), item.control.label.lower())
    ]
    if not covered:
        where = f"{library.frameworks[0].id} has no control" if framework is not None else "no framework has a control"
        raise UsageError(
            f"{where} {wanted} that image checks bear on",
            code="control-unknown",
            hint="hullmark controls list, and hullmark controls show FRAMEWORK, name those that there are",
        )
    document = [_explained(one, item) for one, item in covered]
    return document, [line for one, item in covered for line in (*_explanation(one, item), "")][:-1]


def _check_page(wanted: str) -> tuple[object, list[str]] | None:
    """What is to be said of the check of that id; None where there is none."""
    from controls.check_page import check_page
    from controls.loader import load_library
    from controls.registry import CHECKS

    check = next((check for check in CHECKS if check.id == wanted.upper()), None)
    if check is None:
        return None
    parts = check_page(check, load_library())
    document = {
        "id": check.id,
        "title": check.title,
        "severity": str(check.severity),
        "trait": check.trait.value,
        "parts": [{"heading": part.heading, "text": part.text, "items": list(part.items)} for part in parts],
    }
    lines = [f"{check.id}  {check.title}"]
    for part in parts:
        lines += ["", part.heading]
        lines += textwrap.wrap(part.text, _WIDTH, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False)
        for item in part.items:
            lines += textwrap.wrap(
                item, _WIDTH, initial_indent="  - ", subsequent_indent="    ", break_on_hyphens=False
            )
    return document, lines


def _asked(values: Namespace) -> tuple[tuple[str, ...] | None, str | None]:
    """The framework to look in (None: all), and the control (None: all of them)."""
    from controls.loader import FRAMEWORKS

    if values.control is not None:
        return (values.framework,), values.control
    if values.framework in (*FRAMEWORKS, *FRAMEWORKS.values()):
        return (values.framework,), None
    return None, values.framework


def _covered(frameworks: tuple[str, ...] | None) -> tuple[FrameworkCoverage, ...]:
    from controls.coverage import coverage_of
    from controls.loader import load_library
    from controls.registry import CHECKS

    return coverage_of(load_library(frameworks), {check.id for check in CHECKS})


def _framework(framework: Framework) -> dict[str, object]:
    return {
        "id": framework.id,
        "name": framework.name,
        "version": framework.version,
        "source": framework.source,
        "caveats": list(framework.caveats),
    }


def _control(control: Control) -> dict[str, object]:
    return {
        "id": control.id,
        "label": control.label,
        "title": control.title,
        "verbatim": control.verbatim,
        "confirmed": control.confirmed,
        "source": control.source,
        "asks": control.asks,
        "baselines": None if control.baselines is None else list(control.baselines),
        "checks": [
            {"check": line.check, "relation": line.relation.value, "rationale": line.rationale}
            for line in control.checks
        ],
    }


def _explained(one: FrameworkCoverage, item: CoveredControl) -> dict[str, object]:
    """One control end to end, as values."""
    from controls.coverage import NEEDS
    from controls.registry import CHECKS

    known = {check.id: check for check in CHECKS}
    checks = []
    for line in item.control.checks:
        check = known.get(line.check)
        checks.append(
            {
                "id": line.check,
                "title": None if check is None else check.title,
                "severity": None if check is None else str(check.severity),
                "relation": line.relation.value,
                "oscalRelationship": line.relation.set_relation,
                "rationale": line.rationale,
                "looksAt": None if check is None else check.looks_at,
                "proves": None if check is None else check.proves,
                "remediation": None if check is None else check.remediation,
                "needs": NEEDS.get(line.check),
                "inThisVersion": check is not None,
            }
        )
    return {
        "framework": _framework(one.framework),
        **_control(item.control),
        "reach": item.reach.value,
        "checks": checks,
    }


def _explanation(one: FrameworkCoverage, item: CoveredControl) -> Iterator[str]:
    """The same to be read."""
    from controls.coverage import NEEDS, Reach
    from controls.registry import CHECKS
    from reports.wording import RELATION_MEANINGS

    control, known = item.control, {check.id: check for check in CHECKS}
    reaches = {
        Reach.IMAGE: "an image's own bytes can speak for or against it",
        Reach.OTHERS: "an image alone says nothing about it: other evidence is needed",
        Reach.NONE: "no check of this version bears on it",
    }
    yield f"{control.label}  {control.title}{'' if control.verbatim else '  (our paraphrase)'}"
    yield f"{one.framework.name} {one.framework.version}"
    yield ""
    yield from _wrapped("Asks:", control.asks or "see the framework")
    yield from _wrapped("Reach:", reaches[item.reach])
    if control.baselines is not None:
        held = ", ".join(control.baselines) or "none: assessed only where somebody tailors it in"
        yield from _wrapped("SP 800-53B:", held)
    yield from _wrapped("Source:", control.source + ("" if control.confirmed else " (title not confirmed)"))
    for line in control.checks:
        check = known.get(line.check)
        severity = f" [{check.severity}]" if check else ""
        yield ""
        yield f"{line.check}{severity}  {check.title if check else 'not in this version'}"
        yield from _wrapped("  relation:", f"{line.relation.value}. {RELATION_MEANINGS[line.relation.value]}")
        yield from _wrapped("  why:", line.rationale)
        if line.check in NEEDS:
            yield from _wrapped("  needs:", NEEDS[line.check])
        if check:
            yield from _wrapped("  proves:", check.proves)
    if one.framework.caveats:
        yield ""
        yield "To be told with it:"
        for caveat in one.framework.caveats:
            yield from _wrapped("  -", caveat)


def _coverage(values: Namespace) -> tuple[object, list[str]]:
    covered = _covered(tuple(values.framework) or None)
    return [_coverage_values(one) for one in covered], [line for one in covered for line in _coverage_lines(one)]


def _coverage_values(one: FrameworkCoverage) -> dict[str, object]:
    from controls.coverage import NEEDS, Reach

    return {
        "framework": _framework(one.framework),
        "counts": {reach.value: one.count(reach) for reach in Reach},
        "controls": [
            {
                "id": item.control.id,
                "label": item.control.label,
                "title": item.control.title,
                "reach": item.reach.value,
                "fromImage": list(item.from_image),
                "fromOthers": [{"check": check, "needs": NEEDS[check]} for check in item.from_others],
                "notInThisVersion": list(item.missing),
            }
            for item in one.controls
        ],
        "leftOut": [{"what": part.what, "why": part.why} for part in one.left_out],
    }


def _coverage_lines(one: FrameworkCoverage) -> Iterator[str]:
    from controls.coverage import Reach

    yield from _wrapped(f"{one.framework.id}:", f"{one.framework.name} {one.framework.version}")
    for reach, words in (
        (Reach.IMAGE, "the image alone"),
        (Reach.OTHERS, "other evidence"),
        (Reach.NONE, "no check"),
    ):
        labels = [item.control.label for item in one.controls if item.reach is reach]
        if labels:
            yield from _wrapped(f"  {words:16} {len(labels):3}", ", ".join(labels))
    for part in one.left_out:
        yield from _wrapped("  left out            ", f"{part.what}: {part.why}")
    yield ""


def _wrapped(head: str, text: str) -> list[str]:
    indent = " " * min(len(head) + 1, 22)
    return textwrap.wrap(f"{head} {text}", _WIDTH, subsequent_indent=indent, break_on_hyphens=False)
