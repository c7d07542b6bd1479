"""What changed between two assessment documents: what such a document holds, and in words what it does not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import cast

from reports.document import Check, Config, Document, Observation
from reports.drift_document import (
    SCHEMA_VERSION,
    AreaDocument,
    AspectDocument,
    DifferenceDocument,
    DriftDocument,
    SideDocument,
    ToolDocument,
    short,
)

LISTED_MAX = 1000
"""Differences of one area that are listed; the rest is counted."""
_NOT_COMPARED = (
    "files, users and what the runtime user can change: an assessment holds no file table",
    "which packages there are, and their versions: an assessment holds their number by type",
    "values of environment variables other than PATH, HOME and the locale's: an assessment withholds them",
)
_BETTER = {"failed": 0, "errored": 1, "unknown": 1, "not-applicable": 2, "passed": 2}
_CONTROL_BETTER = {"contradicted": 0, "undetermined": 1, "not-applicable": 2, "supported": 2, "satisfied": 3}
_START = (
    ("user", "user"),
    ("entry point", "entrypoint"),
    ("command", "cmd"),
    ("working directory", "workingDir"),
    ("health check", "healthcheck"),
    ("shell", "shell"),
    ("stop signal", "stopSignal"),
    ("build triggers", "onBuild"),
)

Value = str | list[str] | None
Differences = Iterator[DifferenceDocument]


def compare(before: Document, after: Document, tool: ToolDocument) -> DriftDocument:
    """The drift between two assessments, with the words and the shape of that between two images."""
    areas = [
        area
        for name, differences in (
            ("verdict", _verdict(before, after)),
            ("checks", _checks(before, after)),
            ("controls", _controls(before, after)),
            ("observations", _observations(before, after)),
            ("signatures", _signatures(before, after)),
            ("coverage", _coverage(before, after)),
            ("start", _start(before, after)),
            ("packages", _packages(before, after)),
            ("ports", _listed(before, after, "exposedPorts")),
            ("environment", _environment(before, after)),
            ("volumes", _listed(before, after, "volumes")),
            ("layers", _layers(before, after)),
            ("labels", _labels(before, after)),
            ("metadata", _metadata(before, after)),
        )
        if (area := _area(name, differences)) is not None
    ]
    total = sum(area["added"] + area["removed"] + area["changed"] for area in areas)
    layers = [[layer["diffId"] for layer in document["subject"]["layers"]] for document in (before, after)]
    rootfs = before["subject"]["config"] is None or after["subject"]["config"] is None
    return {
        "schemaVersion": SCHEMA_VERSION,
        "compared": "assessments",
        "before": _side(before),
        "after": _side(after),
        "tool": tool,
        "summary": {
            "outcome": "different" if total else "same",
            "differences": total,
            "normalAtRunTime": 0,
            "carried": 0,
        },
        "areas": areas,
        "normalAtRunTime": [],
        "carried": {"total": 0, "more": 0, "paths": []},
        "layers": None
        if rootfs
        else {"before": len(layers[0]), "after": len(layers[1]), "shared": _shared(layers[0], layers[1])},
        "writable": None,
        "notCompared": list(_NOT_COMPARED),
        "unread": [],
    }


def _side(document: Document) -> SideDocument:
    subject = document["subject"]
    return {
        "kind": "assessment",
        "reference": subject["reference"],
        "digest": subject["digest"],
        "platform": subject["platform"],
        "layers": None if subject["config"] is None else len(subject["layers"]),
    }


def _area(name: str, differences: Iterable[DifferenceDocument]) -> AreaDocument | None:
    listed: list[DifferenceDocument] = []
    counts: Counter[str] = Counter()
    for difference in differences:
        counts[difference["change"]] += 1
        if len(listed) < LISTED_MAX:
            listed.append(difference)
    if not counts:
        return None
    return {
        "area": name,
        "added": counts["added"],
        "removed": counts["removed"],
        "changed": counts["changed"],
        "more": sum(counts.values()) - len(listed),
        "differences": listed,
    }


def _difference(subject: str, pairs: Iterable[tuple[str, Value, Value]], note: str | None = None) -> DifferenceDocument:
    """A difference in the properties of `pairs` that are not the same; added or removed where one side has none."""
    aspects: list[AspectDocument] = [
        {"name": name, "before": was, "after": now} for name, was, now in pairs if was != now
    ]
    old = any(aspect["before"] not in (None, []) for aspect in aspects)
    new = any(aspect["after"] not in (None, []) for aspect in aspects)
    change = "changed" if old == new else "added" if new else "removed"
    return {
        "change": change,
        "subject": short(subject),
        "aspects": aspects,
        "names": [],
        "package": None,
        "note": note,
    }


def _mapping(before: Mapping[str, Value], after: Mapping[str, Value], name: str) -> Differences:
    for key in sorted(before.keys() | after.keys()):
        if before.get(key) != after.get(key):
            yield _difference(key, [(name, before.get(key), after.get(key))])


def _verdict(before: Document, after: Document) -> Differences:
    pairs = (
        ("outcome", before["summary"]["outcome"], after["summary"]["outcome"]),
        ("worst severity", before["summary"]["worstSeverity"], after["summary"]["worstSeverity"]),
    )
    if any(was != now for _, was, now in pairs):
        yield _difference("verdict", pairs)
    old, new = before["profile"]["id"], after["profile"]["id"]
    if old != new:
        yield _difference("profile", [("value", old, new)])
    old, new = before["tool"]["controlsDigest"], after["tool"]["controlsDigest"]
    if old != new:
        yield _difference("control library", [("digest", old, new)], "checks and controls may ask for other things")


def _checks(before: Document, after: Document) -> Differences:
    old = {check["id"]: check for check in before["checks"]}
    new = {check["id"]: check for check in after["checks"]}
    for id_ in (*old, *(id_ for id_ in new if id_ not in old)):
        pairs = tuple(
            (name, was, now)
            for name, was, now in (
                ("outcome", _of(old, id_, "outcome"), _of(new, id_, "outcome")),
                ("reason", _of(old, id_, "reason"), _of(new, id_, "reason")),
                ("severity", _of(old, id_, "severity"), _of(new, id_, "severity")),
                ("waiver", _waiver(old.get(id_)), _waiver(new.get(id_))),
            )
            if was != now
        )
        if pairs:
            both = id_ in old and id_ in new
            note = _direction(_BETTER, old[id_]["outcome"], new[id_]["outcome"]) if both else None
            found = _difference(id_, pairs, note)
            yield {**found, "change": "changed"} if both else found


def _of(checks: Mapping[str, Check], id_: str, key: str) -> str | None:
    check = checks.get(id_)
    value = None if check is None else check.get(key)
    return value if isinstance(value, str) else None


def _waiver(check: Check | None) -> str | None:
    waiver = None if check is None else check["waiver"]
    return None if waiver is None else waiver["id"]


def _direction(ranks: Mapping[str, int], before: str, after: str) -> str | None:
    old, new = ranks.get(before, 1), ranks.get(after, 1)
    return None if old == new else "better" if new > old else "worse"


def _controls(before: Document, after: Document) -> Differences:
    old = {f"{control['framework']} {control['label']}": control["status"] for control in before["controls"]}
    new = {f"{control['framework']} {control['label']}": control["status"] for control in after["controls"]}
    for key in (*old, *(key for key in new if key not in old)):
        was, now = old.get(key), new.get(key)
        if was != now:
            note = _direction(_CONTROL_BETTER, was, now) if was is not None and now is not None else None
            yield _difference(key, [("status", was, now)], note)


def _observations(before: Document, after: Document) -> Differences:
    """Facts that only one side saw, by check. How much was read is compared as coverage."""
    old = {check["id"]: check["observations"] for check in before["checks"]}
    new = {check["id"]: check["observations"] for check in after["checks"]}
    for id_ in (*old, *(id_ for id_ in new if id_ not in old)):
        was, now = _seen(old.get(id_, [])), _seen(new.get(id_, []))
        for key in sorted((was - now).elements()):
            yield _difference(" ".join((id_, *key[:1])).strip(), [("seen", key[1], None)])
        for key in sorted((now - was).elements()):
            yield _difference(" ".join((id_, *key[:1])).strip(), [("seen", None, key[1])])


def _seen(observations: Iterable[Observation]) -> Counter[tuple[str, str]]:
    return Counter(
        (one["path"] or "", short(one["summary"])) for one in observations if one["kind"] not in ("coverage", "note")
    )


def _signatures(before: Document, after: Document) -> Differences:
    old, new = Counter(_signed(before)), Counter(_signed(after))
    for text in sorted((old - new).elements()):
        yield _difference(text, [("seen", text, None)])
    for text in sorted((new - old).elements()):
        yield _difference(text, [("seen", None, text)])


def _signed(document: Document) -> Iterator[str]:
    found = document["verification"]
    items = [("signature", one) for one in found["signatures"]]
    items += [(f"attestation {one['predicateType']}", one) for one in found["attestations"]]
    for what, one in items:
        signer = one["identity"] or one["keyId"]
        yield f"{what}: {one['verdict']}" + (f", by {signer}" if signer else "")


def _coverage(before: Document, after: Document) -> Differences:
    old, new = before["coverage"], after["coverage"]
    pairs = [
        (name, str(was), str(now))
        for name, was, now in (
            ("entries", old["entries"], new["entries"]),
            ("files", old["files"], new["files"]),
            ("bytes", old["bytes"], new["bytes"]),
            ("executables", old["executables"], new["executables"]),
            ("hidden files", old["residue"]["files"], new["residue"]["files"]),
            ("places not read", len(old["unread"]), len(new["unread"])),
        )
        if was != now
    ]
    if pairs:
        yield _difference("file tree", pairs)


def _config(document: Document) -> Config | None:
    return document["subject"]["config"]


def _start(before: Document, after: Document) -> Differences:
    if (_config(before) is None) != (_config(after) is None):
        was, now = ("no" if _config(document) is None else "yes" for document in (before, after))
        yield _difference("image config", [("there", was, now)])
        return
    for subject, key in _START:
        old, new = _setting(before, key), _setting(after, key)
        if old != new:
            yield _difference(subject, [("value", old, new)])


def _setting(document: Document, key: str) -> Value:
    config = cast("Mapping[str, object] | None", _config(document))
    return None if config is None else _value(config.get(key))


def _value(value: object) -> Value:
    if isinstance(value, list):
        return [str(item) for item in value]
    return None if value is None else str(value)


def _listed(before: Document, after: Document, key: str) -> Differences:
    old, new = (_setting(document, key) or [] for document in (before, after))
    return _mapping(dict.fromkeys(old, "yes"), dict.fromkeys(new, "yes"), "there")


def _environment(before: Document, after: Document) -> Differences:
    old, new = (_variables(document) for document in (before, after))
    for name in sorted(old.keys() | new.keys()):
        if old.get(name, "absent") != new.get(name, "absent"):
            found = _difference(name, [("value", old.get(name), new.get(name))])
            change = "changed" if name in old and name in new else "added" if name in new else "removed"
            yield {**found, "change": change}


def _variables(document: Document) -> dict[str, str | None]:
    config = _config(document)
    return {} if config is None else {one["name"]: one["value"] for one in config["environment"]}


def _packages(before: Document, after: Document) -> Differences:
    old, new = before["inventory"], after["inventory"]
    yield from _mapping(
        {kind: f"{number:,}" for kind, number in old["byType"].items()},
        {kind: f"{number:,}" for kind, number in new["byType"].items()},
        "packages",
    )
    names = [
        one["distribution"] and (one["distribution"]["prettyName"] or one["distribution"]["id"]) for one in (old, new)
    ]
    if names[0] != names[1]:
        yield _difference("distribution", [("value", names[0], names[1])])


def _layers(before: Document, after: Document) -> Differences:
    old = [layer["diffId"] for layer in before["subject"]["layers"]]
    new = [layer["diffId"] for layer in after["subject"]["layers"]]
    if old != new:
        yield _difference("layers", [("diffIDs", old, new)], f"{_shared(old, new)} shared from the lowest up")


def _shared(before: list[str], after: list[str]) -> int:
    for number, (old, new) in enumerate(zip(before, after, strict=False)):
        if old != new:
            return number
    return min(len(before), len(after))


def _labels(before: Document, after: Document) -> Differences:
    old, new = (
        {f"{claim['source']} {claim['name']}": claim["value"] for claim in document["subject"]["claims"]}
        for document in (before, after)
    )
    return _mapping(dict(old), dict(new), "value")


def _metadata(before: Document, after: Document) -> Differences:
    old, new = before["subject"], after["subject"]
    for subject, was, now in (
        ("digest", old["digest"], new["digest"]),
        ("platform", old["platform"], new["platform"]),
        ("created", _setting(before, "created"), _setting(after, "created")),
    ):
        if was != now:
            yield _difference(subject, [("value", was, now)])
