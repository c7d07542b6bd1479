"""SP-LICENSE: for every package it is known under which licence it is."""

from __future__ import annotations

from compliance.model.evidence import Evidence
from compliance.model.inventory import Package
from compliance.model.outcome import (
    Check,
    Failed,
    NotApplicable,
    Observation,
    ObservationKind,
    Outcome,
    Passed,
    Severity,
    Trait,
    Unknown,
)
from controls.observe import count, not_wholly_read, note

UNKNOWN_WORDS = frozenset(("", "noassertion", "none", "unknown"))


def run(evidence: Evidence) -> Outcome:
    """Packages without any licence fail; licences that are no SPDX expression are told."""
    inventory = evidence.inventory
    without = [package for package in inventory.installed if not _known(package)]
    if without:
        return Failed(observations=tuple(_missing(package) for package in without))
    if inventory.unknowns:
        first = inventory.unknowns[0]
        return Unknown(
            reason=f"{count(len(inventory.unknowns), 'place')} could not be read as packages, /{first.path} the first: "
            f"{first.reason}"
        )
    if not evidence.filesystem.wholly_read:
        return not_wholly_read(evidence.filesystem)
    if not inventory.installed:
        return NotApplicable(reason="no packages were found, so there is nothing that a licence is stated for")
    raw = sorted({text.raw for package in inventory.installed for text in package.licenses if text.expression is None})
    some = ", ".join(repr(text[:80]) for text in raw[:10])
    odd = (note(f"{count(len(raw), 'licence')} stated in words, not as SPDX expressions: {some}."),) if raw else ()
    expressions = {text.expression for package in inventory.installed for text in package.licenses} - {None}
    seen = Observation(
        summary=f"All {count(len(inventory.installed), 'package')} state a licence; "
        f"{count(len(expressions), 'different SPDX expression')} among them.",
        kind=ObservationKind.COVERAGE,
        method="package metadata",
    )
    return Passed(observations=(seen, *odd))


def _known(package: Package) -> bool:
    return any(stated.raw.strip().lower() not in UNKNOWN_WORDS for stated in package.licenses)


def _missing(package: Package) -> Observation:
    location = package.locations[0] if package.locations else None
    return Observation(
        summary=f"The {package.type} package {package.name} {package.version} states no licence.",
        kind=ObservationKind.PACKAGE,
        package=package.purl,
        path=location.path if location is not None else None,
        layer=location.layer if location is not None else None,
        method=package.found_by,
    )


CHECK = Check(
    id="SP-LICENSE",
    title="Every package states a licence",
    trait=Trait.SUPPLY,
    severity=Severity.LOW,
    rationale="A licence that nobody knows is a legal risk for whoever distributes the image. It says nothing about "
    "security.",
    looks_at="The licences that the metadata of every package in the inventory states.",
    proves="A pass proves that every package found states some licence. Whether it is allowed takes a list of allowed "
    "licences, which there is none of here; that the statement is true is not looked at.",
    remediation="Complete the metadata of the packages named, or replace them by packages that state their licence.",
    run=run,
    references=("SPDX licence expressions",),
)
