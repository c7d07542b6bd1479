"""The document of a comparison: what `hullmark diff -o json` writes and what its other formats read.

The shape is fixed by ``reports/schemas/diff.schema.json``. Values that may be secrets are withheld here, once.
"""

from __future__ import annotations

import json
from importlib import resources
from typing import TypedDict

from compliance.model.drift import PATH_AREAS, Area, AreaDrift, Aspect, Change, Compared, Difference, Drift, Value
from compliance.model.filesystem import display_path
from reports.redaction import WITHHELD, is_open, redact, redact_arguments, redact_step
from reports.schema import Schema
from reports.text import clean, sentence

SCHEMA_VERSION = "1"
VALUE_MAX = 512
"""Characters of one value."""

_STEPS = frozenset({"build steps", "build triggers"})


class SideDocument(TypedDict):
    """One side. `kind` is image, root filesystem or assessment; `layers` null for a root filesystem."""

    kind: str
    reference: str
    digest: str
    platform: str | None
    layers: int | None


class AspectDocument(TypedDict):
    """One property that is not the same; null where there is none."""

    name: str
    before: str | list[str] | None
    after: str | list[str] | None


class DifferenceDocument(TypedDict):
    """One thing that changed: `change` is added, removed or changed, `subject` a path or a name."""

    change: str
    subject: str
    aspects: list[AspectDocument]
    names: list[str]
    package: str | None
    note: str | None


class AreaDocument(TypedDict):
    """The differences of one area; `more` are counted and not listed."""

    area: str
    added: int
    removed: int
    changed: int
    more: int
    differences: list[DifferenceDocument]


class CarriedPath(TypedDict):
    """A path that changed together with a package or an account."""

    path: str
    change: str
    by: str


class CarriedDocument(TypedDict):
    """All such paths; `more` are counted and not listed."""

    total: int
    more: int
    paths: list[CarriedPath]


class LayersDocument(TypedDict):
    """The layers of both; `shared` are the lowest that are the same."""

    before: int
    after: int
    shared: int


class WritableDocument(TypedDict):
    """What the runtime user can change; `places` null for root, who can change everything."""

    user: str
    places: int | None


class WritableSides(TypedDict):
    """Of both sides."""

    before: WritableDocument
    after: WritableDocument


class ToolDocument(TypedDict):
    """What compared."""

    name: str
    version: str


class DriftSummary(TypedDict):
    """`outcome` is same, different, or not-determined where nothing differs in what could be read."""

    outcome: str
    differences: int
    normalAtRunTime: int
    carried: int


class DriftDocument(TypedDict):
    """The whole of it. Paths have a leading slash; no string holds a control character."""

    schemaVersion: str
    compared: str
    before: SideDocument
    after: SideDocument
    tool: ToolDocument
    summary: DriftSummary
    areas: list[AreaDocument]
    normalAtRunTime: list[AreaDocument]
    carried: CarriedDocument
    layers: LayersDocument | None
    writable: WritableSides | None
    notCompared: list[str]
    unread: list[str]


def document(drift: Drift, tool: ToolDocument) -> DriftDocument:
    """The drift as values that JSON has."""
    return {
        "schemaVersion": SCHEMA_VERSION,
        "compared": "images",
        "before": _side(drift.before),
        "after": _side(drift.after),
        "tool": tool,
        "summary": {
            "outcome": "different" if drift.total else "not-determined" if drift.unread else "same",
            "differences": drift.total,
            "normalAtRunTime": sum(area.total for area in drift.normal),
            "carried": drift.carried_total,
        },
        "areas": [_area(area) for area in drift.areas],
        "normalAtRunTime": [_area(area) for area in drift.normal],
        "carried": {
            "total": drift.carried_total,
            "more": drift.carried_total - len(drift.carried),
            "paths": [
                {"path": _path(item.path), "change": item.change.value, "by": clean(item.by)} for item in drift.carried
            ],
        },
        "layers": None
        if drift.before.rootfs or drift.after.rootfs
        else {"before": drift.before.layers, "after": drift.after.layers, "shared": drift.shared_layers},
        "writable": None
        if drift.writable is None
        else {
            "before": {"user": clean(drift.writable[0].user), "places": drift.writable[0].places},
            "after": {"user": clean(drift.writable[1].user), "places": drift.writable[1].places},
        },
        "notCompared": [redact(sentence(text)) for text in drift.not_compared],
        "unread": [sentence(text) for text in drift.unread],
    }


def render(document: DriftDocument) -> bytes:
    """UTF-8 JSON, indented by two, with a newline at the end."""
    return (json.dumps(document, ensure_ascii=False, indent=2, allow_nan=False) + "\n").encode()


def schema() -> Schema:
    """The JSON Schema (2020-12) of the document, as shipped."""
    return Schema.load(resources.files("reports") / "schemas" / "diff.schema.json")


def short(text: str) -> str:
    """`text` on one line, cut to VALUE_MAX characters."""
    text = sentence(text)
    return text if len(text) <= VALUE_MAX else text[: VALUE_MAX - 1] + "…"


def _side(side: Compared) -> SideDocument:
    return {
        "kind": "root filesystem" if side.rootfs else "image",
        "reference": redact(clean(side.reference)),
        "digest": clean(side.digest),
        "platform": None if side.platform is None else clean(side.platform),
        "layers": None if side.rootfs else side.layers,
    }


def _area(area: AreaDrift) -> AreaDocument:
    return {
        "area": area.area.value,
        "added": area.counts.get(Change.ADDED, 0),
        "removed": area.counts.get(Change.REMOVED, 0),
        "changed": area.counts.get(Change.CHANGED, 0),
        "more": area.more,
        "differences": [_difference(difference) for difference in area.differences],
    }


def _difference(difference: Difference) -> DifferenceDocument:
    in_tree = difference.area in PATH_AREAS
    return {
        "change": difference.change.value,
        "subject": _path(difference.subject) if in_tree else short(difference.subject),
        "aspects": [_aspect(difference, aspect) for aspect in difference.aspects],
        "names": [_path(name) for name in difference.names],
        "package": None if difference.package is None else clean(difference.package),
        "note": None if difference.note is None else sentence(difference.note),
    }


def _aspect(difference: Difference, aspect: Aspect) -> AspectDocument:
    return {
        "name": aspect.name,
        "before": _value(difference, aspect.before),
        "after": _value(difference, aspect.after),
    }


def _value(difference: Difference, value: Value) -> str | list[str] | None:
    """A value that may be written down: of an environment variable only those whose value can be no secret."""
    if value is None:
        return None
    if isinstance(value, tuple):
        if difference.subject in _STEPS:
            return [short(redact_step(step)) for step in value]
        return [short(argument) for argument in redact_arguments(value)]
    if difference.area is Area.ENVIRONMENT and not is_open(difference.subject):
        return WITHHELD
    return short(redact(value))


def _path(path: str) -> str:
    return clean(display_path(path))
