"""What a fleet store looks up often, computed from the two documents of an assessment and from nothing else.

The same documents always give the same record, so that what a store holds can be held against them again.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from operator import attrgetter, itemgetter
from typing import Any, TypeVar

from compliance.errors import FormatError
from compliance.formats.cyclonedx import PROPERTY_PREFIX
from compliance.formats.json_data import read_json_object
from compliance.model.fleet import (
    AssessmentRecord,
    CheckRow,
    ControlRow,
    FindingRow,
    LayerRow,
    PackageRow,
    WaiverRow,
)

COMPONENTS_MAX = 500_000
DEPTH_MAX = 64
INTEGER_MAX = 2**63 - 1
"""The largest number that both databases hold."""

_ANSWERED_BADLY = frozenset(("failed", "unknown", "errored"))
_LAYER = re.compile(r"layer (sha256:[0-9a-f]{64})")
_GROUP_IN_NAME = frozenset(("npm", "composer", "generic", "golang"))

Row = TypeVar("Row", FindingRow, PackageRow)


def record_of(document: bytes, sbom: bytes, *, policy: str = "") -> AssessmentRecord:
    """The record of the assessment document `document` (assessment.json) and its SBOM (CycloneDX JSON).

    `policy` is the digest of what the image was held against: the one fact that neither document states.
    Raises FormatError when one of them is not what it should be.
    """
    try:
        return _record(document, sbom, policy)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise FormatError(
            f"not an assessment document with its SBOM: {type(error).__name__}: {error}", code="assessment-invalid"
        ) from None


def in_order(record: AssessmentRecord) -> AssessmentRecord:
    """The record as a store gives it back: findings and packages sorted and each once, checks and the rest as given."""
    return replace(record, findings=rows_in_order(record.findings), packages=rows_in_order(record.packages))


def finding_key(check: str, kind: str, path: str | None, package: str | None) -> str:
    """What makes a finding the same one in another image or run: hex SHA-256 over check, kind, and path or package."""
    about = [check, kind, "path", path] if path is not None else [check, kind, "package", package]
    return hashlib.sha256(json.dumps(about, ensure_ascii=False).encode("utf-8", "surrogatepass")).hexdigest()


def _record(document: bytes, sbom: bytes, policy: str) -> AssessmentRecord:
    values = read_json_object(document)
    subject, summary = values["subject"], values["summary"]
    layers = tuple(_layers(subject["layers"]))
    checks: list[Mapping[str, Any]] = values["checks"]
    record = AssessmentRecord(
        id=hashlib.sha256(document).hexdigest(),
        sbom=hashlib.sha256(sbom).hexdigest(),
        digest=_text(subject["digest"]),
        policy=policy,
        assessed_at=_moment(values["finishedAt"]),
        outcome=_text(summary["outcome"]),
        worst=_optional(summary["worstSeverity"]),
        platform=_optional(subject["platform"]),
        config_digest=_optional(subject["configDigest"]),
        distribution=_distribution(values["inventory"]["distribution"]),
        user=None if subject["config"] is None else _optional(subject["config"]["user"]),
        profile=_text(values["profile"]["id"]),
        tool=f"{values['tool']['name']} {values['tool']['version']}",
        controls_digest=_text(values["tool"]["controlsDigest"]),
        checks=tuple(_check(check) for check in checks),
        findings=tuple(finding for check in checks for finding in _findings(check)),
        controls=tuple(_control(control) for control in values["controls"]),
        packages=tuple(_packages(read_json_object(sbom), {layer.digest: layer.diff_id for layer in layers})),
        layers=layers,
        waivers=tuple(_waiver(use) for use in values["waivers"]),
    )
    return in_order(record)


def _layers(values: Iterable[Mapping[str, Any]]) -> Iterator[LayerRow]:
    for position, layer in enumerate(values):
        yield LayerRow(
            position=position,
            diff_id=_text(layer["diffId"]),
            digest=_text(layer["digest"]),
            size=_number(layer["size"]),
            created_by=_optional(layer["createdBy"]),
        )


def _distribution(value: Mapping[str, Any] | None) -> str | None:
    """``debian 12``: the id and version of os-release."""
    if value is None:
        return None
    version = _optional(value["versionId"])
    return _text(value["id"]) if version is None else f"{_text(value['id'])} {version}"


def _check(value: Mapping[str, Any]) -> CheckRow:
    return CheckRow(
        check=_text(value["id"]),
        trait=_text(value["trait"]),
        severity=_text(value["severity"]),
        outcome=_text(value["outcome"]),
        waiver=None if value["waiver"] is None else _text(value["waiver"]["id"]),
        observations=len(value["observations"]),
        counts=value["counts"] is not False,
    )


def _findings(value: Mapping[str, Any]) -> Iterator[FindingRow]:
    if value["outcome"] not in _ANSWERED_BADLY:
        return
    check = _text(value["id"])
    for seen in value["observations"]:
        kind, path, package = _text(seen["kind"]), _optional(seen["path"]), _optional(seen["package"])
        yield FindingRow(
            check=check,
            key=finding_key(check, kind, path, package),
            kind=kind,
            path=path,
            package=package,
            layer=_optional(seen["layer"]),
            sha256=_optional(seen["sha256"]),
            verdict=_optional(seen["verdict"]),
            summary=_text(seen["summary"]),
        )


def _control(value: Mapping[str, Any]) -> ControlRow:
    return ControlRow(
        framework=_text(value["framework"]),
        control=_text(value["id"]),
        title=_text(value["title"]),
        status=_text(value["status"]),
        waived=value["waived"] is True,
    )


def _waiver(use: Mapping[str, Any]) -> WaiverRow:
    waiver = use["waiver"]
    return WaiverRow(
        id=_text(waiver["id"]),
        check=_text(use["check"]),
        state=_text(use["state"]),
        approver=_text(waiver["approver"]),
        reason=_text(waiver["reason"]),
        ticket=_optional(waiver["ticket"]),
        created=_text(waiver["created"]),
        expires=_optional(waiver["expires"]),
    )


def _packages(sbom: Mapping[str, Any], diff_ids: Mapping[str, str]) -> Iterator[PackageRow]:
    """Every component that has a purl, nested ones too. Iterative: depth and number are bounded."""
    waiting = [(component, 0) for component in sbom.get("components", [])]
    number = 0
    while waiting:
        component, depth = waiting.pop()
        number += 1
        if number > COMPONENTS_MAX or depth > DEPTH_MAX:
            raise FormatError("an SBOM of too many components, or too deep", code="limit-exceeded")
        waiting.extend((inner, depth + 1) for inner in component.get("components", []))
        purl = component.get("purl")
        if purl is not None and component["type"] != "file":
            yield _package(component, _text(purl), diff_ids)


def _package(component: Mapping[str, Any], purl: str, diff_ids: Mapping[str, str]) -> PackageRow:
    kind = purl.removeprefix("pkg:").partition("/")[0]
    group, name = component.get("group", ""), _text(component["name"])
    declared = {"name": f"{PROPERTY_PREFIX}:declared", "value": "true"}
    return PackageRow(
        purl=purl,
        type=kind,
        name=f"{_text(group)}/{name}" if group and kind in _GROUP_IN_NAME else name,
        version=_optional(component.get("version")) or None,
        layer=_layer_of(component, diff_ids),
        declared=declared in component.get("properties", []),
    )


def _layer_of(component: Mapping[str, Any], diff_ids: Mapping[str, str]) -> str | None:
    """The diffID of the layer that the first place named for it lies in."""
    for occurrence in component.get("evidence", {}).get("occurrences", []):
        if layer := _LAYER.search(occurrence.get("additionalContext", "")):
            return diff_ids.get(layer[1])
    return None


def rows_in_order(rows: Iterable[Row]) -> tuple[Row, ...]:
    """Each once, in the order of all their fields, what is absent first."""
    some = list(set(rows))
    return tuple(row for _, row in sorted(zip(order_of(some), some, strict=True), key=itemgetter(0)))


def order_of(rows: Sequence[Row]) -> list[tuple[object, ...]]:
    """What each of these rows is sorted by."""
    if not rows:
        return []
    fields = attrgetter(*rows[0].__slots__)
    return [tuple((value is not None, "" if value is None else value) for value in fields(row)) for row in rows]


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r:.40} where a text should be")
    return value


def _optional(value: object) -> str | None:
    return None if value is None else _text(value)


def _number(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= INTEGER_MAX:
        raise TypeError(f"{value!r:.40} where a size should be")
    return int(value)


def _moment(value: object) -> datetime:
    moment = datetime.fromisoformat(_text(value))
    if moment.tzinfo is None:
        raise ValueError("a time without its zone")
    return moment.astimezone(UTC)
