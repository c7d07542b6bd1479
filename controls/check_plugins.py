"""Checks in Python that other distributions bring, under the entry point group ``hullmark.checks``. Off unless named.

An entry point leads to one Check or to several. It is a program of somebody else's, run with the rights of whoever
names it; a broken one is one error, never a check that is silently missing.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import inspect
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from compliance.errors import UsageError
from compliance.model.outcome import Check, Severity, Trait
from controls.declared_check import ID_HINT, OwnCheck, id_mistake

GROUP: Final = "hullmark.checks"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckPlugin:
    """What an entry point brought: `source` names it with its distribution and version, `sha256` is its module's."""

    source: str
    sha256: str
    checks: tuple[OwnCheck, ...]


def load_plugin(name: str, taken: Collection[str]) -> CheckPlugin:
    """The checks of the entry point `name`. Raises UsageError where there is none, or where it is broken.

    `taken` are the ids that other checks have.
    """
    point = _entry_point(name)
    source = f"{name} ({_distribution(point)})"
    try:
        loaded = point.load()
        checks = (loaded,) if isinstance(loaded, Check) else tuple(loaded)
    except (Exception, SystemExit) as error:
        raise _broken(source, f"it does not load: {type(error).__name__}: {error}") from error
    if not checks:
        raise _broken(source, "it brings no check")
    own: dict[str, OwnCheck] = {}
    for check in checks:
        mistake = _mistake(check, {*taken, *own})
        if mistake is not None:
            raise _broken(source, mistake)
        own[check.id] = OwnCheck(check=check, shows=f"Shows whether this holds: {check.title}.")
    return CheckPlugin(source=source, sha256=_digest(point, source), checks=tuple(own.values()))


def _entry_point(name: str) -> importlib.metadata.EntryPoint:
    points = importlib.metadata.entry_points(group=GROUP)
    named = [point for point in points if point.name == name]
    if not named:
        installed = ", ".join(sorted({point.name for point in points})) or "none"
        raise UsageError(
            f"no file and no plugin for checks of the name {name}",
            code="checks-unknown",
            hint=f"give the path of a YAML file; installed under {GROUP}: {installed}",
        )
    if len({point.value for point in named}) > 1:
        raise UsageError(
            f"several distributions bring the plugin {name}: {', '.join(sorted(map(_distribution, named)))}",
            code="plugin-broken",
            hint="uninstall all but one",
        )
    return named[0]


def _distribution(point: importlib.metadata.EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist is not None else "of no distribution"


def _mistake(given: Any, taken: Collection[str]) -> str | None:
    """What is wrong with something that should be a check; None where nothing is."""
    if not isinstance(given, Check):
        return f"it brings {type(given).__name__}, which is no Check"
    check: Any = given  # nothing has looked at what its fields hold
    if not isinstance(check.id, str) or id_mistake(check.id) is not None:
        return f"{check.id!r} is not an id for a check of yours: {ID_HINT}"
    texts = (check.title, check.rationale, check.looks_at, check.proves, check.remediation)
    if not all(isinstance(text, str) and text.strip() for text in texts):
        return f"its check {check.id} lacks a text"
    if check.id in taken:
        return f"{check.id!r} is taken"
    if not (isinstance(check.severity, Severity) and isinstance(check.trait, Trait) and callable(check.run)):
        return f"its check {check.id} lacks a severity, a trait or something to run"
    return None


def _digest(point: importlib.metadata.EntryPoint, source: str) -> str:
    """The sha256 (hex) of the file of the module that the entry point names."""
    try:
        module = importlib.import_module(point.module)
        return hashlib.sha256(Path(inspect.getfile(module)).read_bytes()).hexdigest()
    except Exception as error:
        raise _broken(source, f"its file can't be read: {error}") from error


def _broken(source: str, why: str) -> UsageError:
    return UsageError(
        f"the plugin is broken: {why}", code="plugin-broken", where=source, hint="mend it, or leave out its --checks"
    )
