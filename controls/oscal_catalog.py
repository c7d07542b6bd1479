"""OSCAL catalogs and profiles in JSON, as far as a mapping needs them: which controls there are, and their titles.

Read are groups and controls at any depth of a catalog, and the selection of a profile that imports one catalog;
parameters, alterations and the order of a profile change neither id nor title and are passed over.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from compliance.errors import PolicyError
from compliance.formats.globs import translate

CODE: Final = "framework-invalid"
_DEPTH_MAX = 32
_CONTROLS_MAX = 20_000


def read_catalog(file: str, content: bytes) -> Mapping[str, str]:
    """The titles of a catalog's controls by id, enhancements among them. Raises PolicyError naming `file`."""
    catalog = _object(file, content, "catalog")
    titles: dict[str, str] = {}
    for where, control in _controls(file, catalog, "catalog", 0):
        identifier, title = control.get("id"), control.get("title")
        if not isinstance(identifier, str) or not identifier or not isinstance(title, str) or not title.strip():
            raise _error(file, where, "a control without id or title", "OSCAL demands both")
        if identifier in titles:
            raise _error(file, where, f"the control {identifier!r} is there twice", "ids are unique in a catalog")
        if len(titles) >= _CONTROLS_MAX:
            raise _error(file, where, f"more than {_CONTROLS_MAX} controls", "split the catalog")
        titles[identifier] = " ".join(title.split())
    if not titles:
        raise _error(file, "catalog", "no control is in it", "give a catalog with controls, or leave out catalog")
    return titles


def selected_controls(file: str, content: bytes, titles: Mapping[str, str]) -> frozenset[str]:
    """The ids that a profile over the catalog of `titles` selects. Raises PolicyError naming `file`."""
    profile = _object(file, content, "profile")
    imports = profile.get("imports")
    if not isinstance(imports, list) or len(imports) != 1 or not isinstance(imports[0], dict):
        raise _error(
            file, "profile.imports", "must be one import", "resolve a profile of several sources first, and give that"
        )
    (one,) = imports
    where = "profile.imports[0]"
    everything = "include-all" in one
    selected = set(titles) if everything else set(_selected(file, where, "include-controls", one, titles))
    if "exclude-controls" in one:
        selected -= set(_selected(file, where, "exclude-controls", one, titles))
    if not selected:
        raise _error(file, where, "selects no control of the catalog", "check include-controls")
    return frozenset(selected)


def _selected(file: str, where: str, key: str, one: Mapping[str, Any], titles: Mapping[str, str]) -> Iterator[str]:
    rules = one.get(key)
    if not isinstance(rules, list):
        raise _error(file, f"{where}.{key}", "must be a list", "write include-all or include-controls")
    for number, rule in enumerate(rules):
        place = f"{where}.{key}[{number}]"
        if not isinstance(rule, dict):
            raise _error(file, place, "must be an object", "write with-ids")
        ids, patterns = rule.get("with-ids", []), rule.get("matching", [])
        if not isinstance(ids, list) or not isinstance(patterns, list) or not (ids or patterns):
            raise _error(file, place, "names no control", "write with-ids")
        for identifier in ids:
            if identifier not in titles:
                raise _error(file, place, f"the catalog has no control {identifier!r}", "check the id and the catalog")
            yield identifier
        globs = [str(item.get("pattern", "")) for item in patterns if isinstance(item, dict)]
        yield from (name for name in titles if any(re.fullmatch(translate(glob), name) for glob in globs))
        if rule.get("with-child-controls") == "yes":
            yield from (name for name in titles if any(name.startswith(f"{parent}.") for parent in ids))


def _controls(file: str, node: Mapping[str, Any], where: str, depth: int) -> Iterator[tuple[str, dict[str, Any]]]:
    if depth > _DEPTH_MAX:
        raise _error(file, where, f"nested more than {_DEPTH_MAX} deep", "flatten the groups")
    for key in ("groups", "controls"):
        items = node.get(key, [])
        if not isinstance(items, list):
            raise _error(file, f"{where}.{key}", "must be a list", "check it against the OSCAL schema")
        for number, item in enumerate(items):
            place = f"{where}.{key}[{number}]"
            if not isinstance(item, dict):
                raise _error(file, place, "must be an object", "check it against the OSCAL schema")
            if key == "controls":
                yield place, item
            yield from _controls(file, item, place, depth + 1)


def _object(file: str, content: bytes, key: str) -> dict[str, Any]:
    try:
        value = json.loads(content)
    except (ValueError, RecursionError) as error:
        line = getattr(error, "lineno", None)
        where = f"{file}, line {line}" if line else file
        raise PolicyError(
            f"not JSON: {getattr(error, 'msg', error)}", code=CODE, where=where, hint="give OSCAL in JSON"
        ) from None
    found = value.get(key) if isinstance(value, dict) else None
    if not isinstance(found, dict):
        raise _error(file, key, f"not an OSCAL {key}", f"its outermost key must be {key}")
    return found


def _error(file: str, where: str, message: str, hint: str) -> PolicyError:
    return PolicyError(message, code=CODE, where=f"{file}, {where}", hint=hint)
