"""The words in which a comparison is told, the same in the table and in Markdown."""

from __future__ import annotations

import json
from urllib.parse import unquote

from reports import wording
from reports.drift_document import AreaDocument, AspectDocument, DifferenceDocument, DriftDocument
from reports.redaction import WITHHELD
from reports.text import clean

MARKS = {"added": "+", "removed": "-", "changed": "~"}
OUTCOMES = {"same": "SAME", "different": "DIFFERENT", "not-determined": "NOT DETERMINED"}
AREAS = {
    "verdict": "Verdict",
    "checks": "Checks",
    "controls": "Controls",
    "observations": "What the checks saw",
    "signatures": "Signatures and attestations",
    "coverage": "How much was read",
    "start": "How it starts",
    "privileges": "Privileged programs (setuid, setgid, capabilities)",
    "executables": "Programs, libraries and scripts",
    "writable": "What the runtime user can change",
    "accounts": "Users and groups",
    "packages": "Packages",
    "ports": "Ports",
    "environment": "Environment",
    "volumes": "Volumes",
    "configuration": "Configuration below /etc",
    "files": "Other files",
    "layers": "Layers",
    "labels": "Labels and annotations",
    "metadata": "Metadata",
}
_SHORT_DIGEST = 12
_VALUE_MAX = 160
_PLAIN = frozenset({"value", "version", "kind", "seen"})
"""Properties whose value says what it is."""
_USUAL = frozenset({("owner", "0:0"), ("kind", "file"), ("kind", "link"), ("mode", "0644"), ("mode", "0755")})
"""What goes without saying of a file that came or went."""
_ORDER = ("added", "changed", "removed")
_PACKAGES_WITH_PATHS = frozenset({"privileges", "executables", "writable", "configuration", "files"})


def area_title(area: AreaDocument) -> str:
    """``Packages: 7 added, 82 removed, 1 changed``."""
    return f"{AREAS[area['area']]}: {area_counts(area)}"


def area_counts(area: AreaDocument) -> str:
    """``7 added, 82 removed``."""
    counts = (("added", area["added"]), ("removed", area["removed"]), ("changed", area["changed"]))
    return ", ".join(f"{number:,} {change}" for change, number in counts if number)


def area_total(area: AreaDocument) -> int:
    """How many differences there are in it."""
    return area["added"] + area["removed"] + area["changed"]


def verdict_sentence(document: DriftDocument) -> str:
    """What was found, in one sentence."""
    number = document["summary"]["differences"]
    if number:
        return f"{wording.count(number, 'difference')} in {wording.count(len(document['areas']), 'area')}."
    if document["summary"]["outcome"] == "not-determined":
        places = wording.count(len(document["unread"]), "place")
        return f"No difference in what could be read, but {places} could not be."
    return "No difference in what is compared."


def layers_sentence(document: DriftDocument) -> str | None:
    """How many layers the two share."""
    layers = document["layers"]
    if layers is None:
        return None
    if layers["before"] == layers["after"] == layers["shared"]:
        return f"{wording.count(layers['shared'], 'layer')}, the same"
    shared = wording.count(layers["shared"], "layer") if layers["shared"] else "none"
    return f"{layers['before']} before, {layers['after']} after; shared from the lowest up: {shared}"


def writable_sentence(document: DriftDocument) -> str | None:
    """Who can change how much."""
    sides = document["writable"]
    if sides is None:
        return None
    before, after = (
        f"{side['user']}: everything" if side["places"] is None else f"{side['user']}: {_places(side['places'])}"
        for side in (sides["before"], sides["after"])
    )
    return f"{after}, as before" if before == after else f"{before} before; {after} after"


def normal_sentence(document: DriftDocument) -> str | None:
    """How many differences a runtime makes."""
    number = document["summary"]["normalAtRunTime"]
    return f"{wording.count(number, 'difference')} that starting a container makes" if number else None


def carried_sentence(document: DriftDocument) -> str | None:
    """How many paths are told by their package."""
    number = document["summary"]["carried"]
    return f"{wording.count(number, 'path')} came, went or changed with these packages and accounts" if number else None


def ordered(area: AreaDocument) -> list[DifferenceDocument]:
    """The listed differences, what came first; how a container starts stays in its own order, and links come last."""
    if area["area"] in ("start", "verdict", "checks", "controls"):
        return area["differences"]
    return sorted(area["differences"], key=lambda one: (_ORDER.index(one["change"]), _is_link(one)))


def _is_link(difference: DifferenceDocument) -> bool:
    return any(aspect["name"] == "target" for aspect in difference["aspects"])


def told(area: str, difference: DifferenceDocument) -> str:
    """What is not the same about one thing, without its subject."""
    changed = difference["change"] == "changed"
    parts = [text for aspect in difference["aspects"] if (text := _aspect(area, aspect, changed=changed))]
    text = ", ".join(parts)
    if difference["note"]:
        text = f"{text}; {difference['note']}" if text else difference["note"]
    if difference["names"]:
        text += f"; also named {', '.join(difference['names'][:3])}" + (" …" if len(difference["names"]) > 3 else "")
    if difference["package"] and area in _PACKAGES_WITH_PATHS:
        text += f" ({_package(difference['package'])})"
    return text.strip("; ")


def _aspect(area: str, aspect: AspectDocument, *, changed: bool) -> str:
    name, before, after = aspect["name"], aspect["before"], aspect["after"]
    label = "" if name in _PLAIN else "link to " if name == "target" and not changed else f"{name} "
    if changed:
        if before == after == WITHHELD:
            return f"{label}another value, {WITHHELD}"
        return f"{label}{_shown(before)} → {_shown(after)}"
    value = before if after is None else after
    if name == "content" or (isinstance(value, str) and (name, value) in _USUAL):
        return ""
    return f"{label}{_shown(value)}"


def _shown(value: str | list[str] | None) -> str:
    if value is None:
        return "none"
    if isinstance(value, list):
        return cut(json.dumps(value, ensure_ascii=False))
    algorithm, _, digits = value.partition(":")
    if algorithm in ("sha256", "sha512") and len(digits) in (64, 128):
        return digits[:_SHORT_DIGEST]
    return cut(value)


def cut(text: str) -> str:
    """`text` no longer than a few lines of a terminal."""
    return text if len(text) <= _VALUE_MAX else text[: _VALUE_MAX - 1] + "…"


def _package(purl: str) -> str:
    name, _, rest = purl.removeprefix("pkg:").partition("@")
    return clean(unquote(f"{name} {rest.partition('?')[0]}").strip())


def _places(number: int) -> str:
    return wording.count(number, "place")
