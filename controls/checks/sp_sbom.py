"""SP-SBOM: an SBOM comes with the image, and has the minimum elements."""

from __future__ import annotations

from collections.abc import Iterable

from compliance.model.evidence import Evidence
from compliance.model.outcome import (
    Check,
    Failed,
    Observation,
    ObservationKind,
    Outcome,
    Passed,
    Severity,
    Trait,
    Unknown,
)
from compliance.model.verification import Attestation, Verdict
from controls.observe import count
from controls.sbom_elements import Component, Elements, read_elements
from controls.statements import SBOM, attestations, predicate

_EXAMPLES = 5


def run(evidence: Evidence) -> Outcome:
    """The best of the SBOM attestations about this digest: signed or not is SP-SBOMSIG's question."""
    attested = attestations(evidence, SBOM)
    found = [item for item in attested if item.verdict is not Verdict.INVALID]
    if attested and not found:
        reason = f"{count(len(attested), 'SBOM attestation')} about this digest do not verify, so they were not read"
        return Unknown(reason=reason, observations=tuple(_observation(f"{item.reason}.", item) for item in attested))
    if not found:
        return Unknown(reason="no SBOM about this digest was found with the image; the one this tool writes is its own")
    failures: list[Observation] = []
    for attestation in found:
        said = predicate(attestation)
        elements = read_elements(said.values) if said is not None else None
        if elements is None:
            continue
        lacking = tuple(_lacking(elements, attestation))
        if not lacking:
            return Passed(observations=(_complete(elements, attestation),))
        failures.extend(lacking)
    if failures:
        return Failed(observations=tuple(failures))
    return Unknown(reason="the SBOM about this digest is neither CycloneDX JSON nor SPDX 2 JSON, so it was not read")


def _complete(elements: Elements, attestation: Attestation) -> Observation:
    return _observation(
        f"The {elements.format} document ({attestation.verdict}) has author, timestamp and relationships, and each of "
        f"its {count(len(elements.components), 'component')} has a name, version, supplier and identifier.",
        attestation,
    )


def _lacking(elements: Elements, attestation: Attestation) -> Iterable[Observation]:
    for what in elements.missing:
        yield _observation(f"The {elements.format} document has no {what}.", attestation)
    if not elements.components:
        yield _observation(f"The {elements.format} document has no components.", attestation)
    total = len(elements.components)
    for what, without in (
        ("name", [item for item in elements.components if not item.name]),
        ("version", [item for item in elements.components if not item.version]),
        ("supplier", [item for item in elements.components if not item.supplier]),
        ("unique identifier", [item for item in elements.components if not item.identifier]),
    ):
        if without:
            yield _observation(
                f"Without {what} in the {elements.format} document: {len(without):,} of {count(total, 'component')} "
                f"({_examples(without)}).",
                attestation,
            )


def _examples(components: list[Component]) -> str:
    names = [component.name[:60] or "(no name)" for component in components[:_EXAMPLES]]
    more = len(components) - len(names)
    return ", ".join(names) + (f" and {more:,} more" if more else "")


def _observation(summary: str, attestation: Attestation) -> Observation:
    return Observation(
        summary=summary,
        kind=ObservationKind.SIGNATURE,
        value=attestation.material,
        method=f"{attestation.predicate_type}, {attestation.found_in}",
    )


CHECK = Check(
    id="SP-SBOM",
    title="SBOM present with the minimum elements",
    trait=Trait.SUPPLY,
    severity=Severity.HIGH,
    rationale="Without a list of components nobody who runs the image can tell whether a new vulnerability concerns "
    "it; the minimum elements are what makes such a list usable.",
    looks_at="Attestations about this digest whose predicate is a CycloneDX or SPDX 2 document in JSON, signed or not, "
    "for the NTIA minimum elements: author, timestamp, relationships; supplier, name, version and identifier of every "
    "component (files are no components).",
    proves="A pass proves that one such document has all of them. It does not prove who wrote it (SP-SBOMSIG), nor "
    "that it names everything that is in the image.",
    remediation="Attest an SBOM that states supplier, version and purl of every component (hullmark attest).",
    run=run,
    references=("NTIA, The Minimum Elements For a Software Bill of Materials, 2021",),
)
