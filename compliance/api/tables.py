"""What is seen of one image, as pandas frames: columns by name with their dtypes, the same whatever is in them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from compliance.errors import UsageError

if TYPE_CHECKING:
    from pandas import DataFrame

    from compliance.model.inventory import Inventory
    from reports.document import Check, Control, Document, Verification
    from reports.drift_document import DriftDocument

Columns = Mapping[str, str]
Rows = Iterable[Mapping[str, Any]]

CHECKS: Columns = {
    "check": "category",
    "title": "str",
    "trait": "category",
    "severity": "category",
    "outcome": "category",
    "counts": "bool",
    "waiver": "str",
    "observations": "int64",
    "reason": "str",
}
OBSERVATIONS: Columns = {
    "check": "category",
    "outcome": "category",
    "kind": "category",
    "verdict": "category",
    "path": "str",
    "summary": "str",
    "value": "str",
    "size": "Int64",
    "package": "str",
    "layer": "category",
    "sha256": "str",
    "method": "category",
}
CONTROLS: Columns = {
    "framework": "category",
    "control": "category",
    "title": "str",
    "status": "category",
    "relation": "category",
    "waived": "bool",
}
MAPPING: Columns = {
    "framework": "category",
    "control": "category",
    "title": "str",
    "status": "category",
    "check": "category",
    "outcome": "category",
    "relation": "category",
    "rationale": "str",
}
SIGNATURES: Columns = {
    "what": "category",
    "verdict": "category",
    "identity": "str",
    "issuer": "str",
    "key_id": "str",
    "builder": "str",
    "source": "str",
    "states": "str",
    "kind": "category",
    "transparency": "str",
    "signed_at": "datetime64[us, UTC]",
    "reason": "str",
    "material": "str",
}
LAYERS: Columns = {
    "position": "int64",
    "layer": "str",
    "diff_id": "str",
    "size": "int64",
    "created_by": "str",
}
PACKAGES: Columns = {
    "purl": "str",
    "type": "category",
    "name": "str",
    "version": "str",
    "license": "str",
    "supplier": "str",
    "declared": "bool",
    "path": "str",
    "position": "Int64",
    "files": "int64",
    "found_by": "category",
}
DIFFERENCES: Columns = {
    "area": "category",
    "change": "category",
    "subject": "str",
    "aspect": "str",
    "before": "str",
    "after": "str",
    "package": "str",
    "note": "str",
}
FINDINGS_OF_EVIDENCE: Columns = {"what": "str", "verdict": "category", "reason": "str"}

TABLES: Mapping[str, Columns] = {
    "Assessment.checks": CHECKS,
    "Assessment.observations": OBSERVATIONS,
    "Assessment.controls": CONTROLS,
    "Assessment.mapping": MAPPING,
    "Assessment.signatures": SIGNATURES,
    "Assessment.differences": DIFFERENCES,
    "OpenedImage.layers": LAYERS,
    "OpenedImage.signatures": SIGNATURES,
    "Inventory.to_frame()": PACKAGES,
    "EvidenceCheck.to_frame()": FINDINGS_OF_EVIDENCE,
}
"""Every frame made here, by where it is found."""

ORDERED = ("severity", "worst")
"""Columns whose words compare, from low to critical."""
_SEVERITIES = ("low", "medium", "high", "critical")


def table(columns: Columns, rows: Rows) -> DataFrame:
    """The rows with the columns' dtypes. Severities are ordered: ``frame[frame.severity >= "high"]``.

    Raises UsageError where pandas is not installed.
    """
    try:
        import pandas as pd
    except ImportError:
        raise UsageError("frames need pandas", code="extra-missing", hint="install hullmark[notebook]") from None

    import reports.frame_accessor  # noqa: F401 - registers DataFrame.hullmark

    frame = pd.DataFrame.from_records(list(rows), columns=list(columns))
    types: dict[str, Any] = dict(columns)
    for name in ORDERED:
        if name in types:
            types[name] = pd.CategoricalDtype(_SEVERITIES, ordered=True)
    return frame.astype(types)


def checks(document: Document) -> DataFrame:
    """One row a check, in report order."""
    return table(CHECKS, map(_check, document["checks"]))


def observations(checks: Iterable[Check]) -> DataFrame:
    """One row for each thing that a check saw, those that passed too. `layer` is a digest, `size` bytes."""
    rows = (
        {**seen, "check": check["id"], "outcome": check["outcome"]}
        for check in checks
        for seen in check["observations"]
    )
    return table(OBSERVATIONS, rows)


def controls(document: Document) -> DataFrame:
    """One row a control. `relation` is the strongest of the checks that were run."""
    return table(CONTROLS, ({**control, "control": control["id"]} for control in document["controls"]))


def mapping(document: Document) -> DataFrame:
    """One row for each check that bears on a control, with its outcome; null where it was not run."""
    outcomes = {check["id"]: check["outcome"] for check in document["checks"]}
    return table(MAPPING, (row for control in document["controls"] for row in _mapped(control, outcomes)))


def signatures(verification: Verification, statements: Mapping[str, bytes]) -> DataFrame:
    """One row a signature or attestation. Who signed is told as far as it was verified.

    `builder` and `source` are what signed provenance states, where `statements` has its bytes by material.
    """
    from reports.text import clean

    rows: list[dict[str, Any]] = [
        {**one, "what": "signature", "key_id": one["keyId"], "signed_at": one["signedAt"]}
        for one in verification["signatures"]
    ]
    for stated in verification["attestations"]:
        builder, source = _origin(statements.get(stated["material"]))
        row = {"what": stated["predicateType"], "states": stated["summary"]}
        row |= {"builder": builder and clean(builder), "source": source and clean(source)}
        rows.append({**stated, **row, "key_id": stated["keyId"], "signed_at": stated["signedAt"]})
    return table(SIGNATURES, rows)


def packages(inventory: Inventory) -> DataFrame:
    """One row a package. `position` is that of the layer that states it, `files` how many paths it owns."""
    from compliance.model.filesystem import display_path
    from reports.text import clean

    rows = (
        {
            "purl": clean(package.purl),
            "type": clean(package.type),
            "name": clean(package.name),
            "version": clean(package.version),
            "license": clean(" AND ".join(license.expression or license.raw for license in package.licenses)) or None,
            "supplier": package.supplier and clean(package.supplier),
            "declared": package.declared,
            "path": clean(display_path(package.locations[0].path)) if package.locations else None,
            "position": package.locations[0].layer if package.locations else None,
            "files": len(package.files),
            "found_by": package.found_by,
        }
        for package in inventory.packages
    )
    return table(PACKAGES, rows)


def differences(document: DriftDocument) -> DataFrame:
    """One row for each property that differs, the most important area first; a list is told on one line."""
    rows: list[dict[str, Any]] = []
    for area in document["areas"]:
        for one in area["differences"]:
            shared = {"area": area["area"], "change": one["change"], "subject": one["subject"]}
            shared |= {"package": one["package"] or "", "note": one["note"] or ""}
            for aspect in one["aspects"] or [{"name": "", "before": None, "after": None}]:
                told = {"before": _line(aspect["before"]), "after": _line(aspect["after"])}
                rows.append({**shared, "aspect": aspect["name"] or None, **told})
    return table(DIFFERENCES, rows)


def _check(check: Check) -> Mapping[str, Any]:
    return {
        **check,
        "check": check["id"],
        "waiver": None if check["waiver"] is None else check["waiver"]["id"],
        "observations": len(check["observations"]),
    }


def _mapped(control: Control, outcomes: Mapping[str, str]) -> Rows:
    for mapped in control["mapping"]:
        yield {
            "framework": control["framework"],
            "control": control["id"],
            "title": control["title"],
            "status": control["status"],
            "outcome": outcomes.get(mapped["check"]),
            **mapped,
        }


def _origin(statement: bytes | None) -> tuple[str | None, str | None]:
    """The builder and the first source that provenance states; nothing for any other statement."""
    from compliance.errors import FormatError
    from compliance.verify.build_origin import build_origin

    if statement is None:
        return None, None
    try:
        origin = build_origin(statement)
    except FormatError:
        return None, None
    return origin.builder or None, next(iter(origin.sources), None)


def _line(value: str | list[str] | None) -> str | None:
    return " ".join(value) if isinstance(value, list) else value
