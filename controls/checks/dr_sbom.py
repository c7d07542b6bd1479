"""DR-SBOM: the SBOM that comes with the image names what is in it, and nothing else."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from urllib.parse import unquote

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
from controls.observe import count, not_wholly_read, note
from controls.sbom_elements import Elements, read_elements
from controls.statements import SBOM, attestations, predicate

COMPARED = frozenset(("deb", "apk", "rpm", "pypi", "npm", "gem", "golang", "maven", "cargo", "composer", "nuget"))
"""purl types that are looked for in the image; components of other types are counted only."""
SYSTEM = frozenset(("deb", "apk", "rpm"))
"""Types whose namespace is the distribution, which tools name differently."""
NO_SOFTWARE = frozenset((("rpm", "gpg-pubkey"),))
"""Entries of package databases that are keys, which tools list or leave out."""

_Key = tuple[str, str]


def run(evidence: Evidence) -> Outcome:
    """Type, name and version of each component against the inventory, in both directions, and whom it is about."""
    found = [item for item in attestations(evidence, SBOM) if item.verdict is not Verdict.INVALID]
    read = [(item, elements) for item in found if (elements := _elements(item)) is not None]
    if not read:
        what = "none of the SBOMs about this digest can be read" if found else _none_about(evidence)
        return Unknown(reason=f"{what}, so there is nothing to compare with the content")
    differences = [seen for item, elements in read for seen in _differences(evidence, item, elements)]
    if differences:
        return Failed(observations=(*differences, *_gaps(evidence)))
    if not evidence.filesystem.wholly_read:
        return not_wholly_read(evidence.filesystem)
    if evidence.inventory.unknowns:
        return Unknown(
            reason=f"no difference, but {count(len(evidence.inventory.unknowns), 'place')} could not be read",
            observations=tuple(_gaps(evidence)),
        )
    return Passed(observations=tuple(_agreement(item, elements) for item, elements in read))


def _none_about(evidence: Evidence) -> str:
    others = [item for item in evidence.verification.attestations if item.predicate_type.startswith(SBOM)]
    aside = f"; about other digests there are {count(len(others), 'SBOM')}" if others else ""
    return f"no SBOM about this digest was found{aside}"


def _elements(attestation: Attestation) -> Elements | None:
    said = predicate(attestation)
    return read_elements(said.values) if said is not None else None


def _differences(evidence: Evidence, attestation: Attestation, elements: Elements) -> Iterable[Observation]:
    if elements.about and _own_digests(evidence).isdisjoint(elements.about):
        yield Observation(
            summary=f"The SBOM says that it is about {elements.about[0]}, which is not this image.",
            kind=ObservationKind.NOTE,
            value=f"{elements.format}, {attestation.verdict}",
            method=attestation.found_in,
        )
    stated = _versions(component.purl for component in elements.components)
    present = _versions(package.purl for package in evidence.inventory.installed)
    declared = _versions(package.purl for package in evidence.inventory.packages if package.declared)
    purls = {_key(package.purl): package.purl for package in evidence.inventory.packages}
    for key in sorted(stated.keys() | present.keys()):
        type_, name = key
        here, there = present.get(key, set()), stated.get(key, set())
        if here == there or (here and there == {""}) or key in NO_SOFTWARE:
            continue
        if not here and there <= declared.get(key, set()):
            continue  # a lock file in the image declares it: stated rightly, though not shown to be installed
        if not here:
            summary = f"The SBOM names the {type_} package {name} {_list(there)}, which was not found in the image."
        elif not there:
            summary = f"The {type_} package {name} {_list(here)} is in the image and not in the SBOM."
        else:
            summary = f"The {type_} package {name} is {_list(here)} in the image and {_list(there)} in the SBOM."
        yield Observation(
            summary=summary,
            kind=ObservationKind.PACKAGE,
            package=purls.get(key),
            value=f"{elements.format}, {attestation.verdict}",
            method=attestation.found_in,
        )


def _own_digests(evidence: Evidence) -> set[str]:
    """Digests by which the image may be named: of its manifest, index and config."""
    image = evidence.image
    return {digest for digest in (image.digest, image.index_digest, image.config_digest) if digest}


def _versions(purls: Iterable[str]) -> dict[_Key, set[str]]:
    versions: dict[_Key, set[str]] = defaultdict(set)
    for purl in purls:
        key = _key(purl)
        if key is not None and key[0] in COMPARED:
            versions[key].add(unquote(_bare(purl).rpartition("@")[2]) if "@" in _bare(purl) else "")
    return versions


def _bare(purl: str) -> str:
    return purl.partition("#")[0].partition("?")[0]


def _key(purl: str) -> _Key | None:
    """Type and name of a purl, without version and qualifiers; of a distribution's package without namespace."""
    if not purl.startswith("pkg:"):
        return None
    type_, _, path = _bare(purl)[4:].strip("/").partition("/")
    type_ = type_.lower()
    name = path.rpartition("@")[0] or path
    name = name.rpartition("/")[2] if type_ in SYSTEM else name
    name = unquote(name)
    return (type_, name.lower().replace("_", "-")) if type_ == "pypi" else (type_, name)


def _list(versions: set[str]) -> str:
    return ", ".join(sorted(version or "(no version)" for version in versions))


def _agreement(attestation: Attestation, elements: Elements) -> Observation:
    compared = [component for component in elements.components if (_key(component.purl) or ("", ""))[0] in COMPARED]
    others = len(elements.components) - len(compared)
    aside = f"; not compared, being of other types: {count(others, 'component')}" if others else ""
    return Observation(
        summary=f"The {elements.format} document ({attestation.verdict}) names what was found in the image by type, "
        f"name and version: {count(len(compared), 'component')}{aside}.",
        kind=ObservationKind.PACKAGE,
        value=attestation.material,
        method=attestation.found_in,
    )


def _gaps(evidence: Evidence) -> Iterable[Observation]:
    for unknown in evidence.inventory.unknowns[:20]:
        yield note(f"/{unknown.path} could not be read as packages, so some may be missing here: {unknown.reason}.")


CHECK = Check(
    id="DR-SBOM",
    title="Shipped SBOM agrees with the content",
    trait=Trait.DRIFT,
    severity=Severity.HIGH,
    rationale="An SBOM that names what is not there or leaves out what is, misleads every tool that reads it "
    "instead of the image.",
    looks_at="The SBOM attestations about this digest (CycloneDX or SPDX 2 in JSON, signed or not), and the packages "
    "found in the merged file tree.",
    proves="A pass proves that both name the same packages of the types deb, apk, rpm, pypi, npm, gem, golang, maven, "
    "cargo, composer and nuget, with the same versions, and that the SBOM names no other image as the one it is "
    "about. Other components, and what neither of the two sees, are not compared.",
    remediation="Make the SBOM from the finished image, and attest it for that digest (hullmark attest).",
    run=run,
    references=("purl-spec",),
)
