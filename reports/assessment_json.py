"""The assessment document: the one input of every other renderer, and itself the format `json`.

`document` turns an assessment into plain values, `render` into bytes, and `parse` reads them back, so that a
report can be made again without the image. Nothing may be said in a report that is not in this document.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from importlib import resources
from typing import cast

from compliance.errors import ExitCode, FormatError
from compliance.formats.intoto import read_statement
from compliance.formats.named_image import names_this
from compliance.formats.predicates import summary
from compliance.formats.scan_file import ScanFile, read_scan_file
from compliance.model.assessment import Assessment, ControlResult, Summary, WaiverUse
from compliance.model.control import ControlStatus, Framework, LeftOut, Relation
from compliance.model.drift import Change, Drift
from compliance.model.evidence import Evidence, SuppliedReport
from compliance.model.filesystem import FileKind, FileTree, Unread, display_path
from compliance.model.image import Image, ImageConfig, Layer
from compliance.model.inventory import Distribution, Inventory
from compliance.model.outcome import Check, CheckResult, Observation, OutcomeWord, Waiver
from compliance.model.verification import Attestation, PolicyAnswer, Signature, Verdict, Verification
from reports import document as shape
from reports.redaction import is_open, redact, redact_arguments, redact_step
from reports.schema import Schema
from reports.text import clean, cleaned, sentence

SCHEMA_VERSION = "1"

_CLAIM_PREFIX = "org.opencontainers.image."
_TEXT_MAX = 512
"""Characters of one claim, build step or argument: the bytes themselves are in the image, under its digest."""

_YEAR_MIN = 1970  # a PDF's font tables count seconds from then

_OUTCOMES = {
    ExitCode.SATISFIED: "satisfied",
    ExitCode.NOT_SATISFIED: "not-satisfied",
    ExitCode.NOT_DETERMINED: "not-determined",
    ExitCode.NOT_VERIFIED: "not-verified",
}
_DECIDING = {
    ControlStatus.SATISFIED: OutcomeWord.PASSED,
    ControlStatus.SUPPORTED: OutcomeWord.PASSED,
    ControlStatus.CONTRADICTED: OutcomeWord.FAILED,
}
_STRONGEST_FIRST = (Relation.SATISFIES, Relation.PARTIALLY_SUPPORTS, Relation.PROVIDES_EVIDENCE_FOR)


def document(assessment: Assessment) -> shape.Document:
    """The assessment as values that JSON has, in the order in which they are written."""
    evidence = assessment.evidence
    layers = tuple(layer.digest for layer in evidence.image.layers)
    outcomes = {result.check.id: result.word for result in assessment.results}
    return {
        "schemaVersion": SCHEMA_VERSION,
        "subject": subject_document(evidence.image),
        "tool": {
            "name": assessment.tool.name,
            "version": assessment.tool.version,
            "controlsDigest": assessment.tool.controls_digest,
        },
        "startedAt": _time(assessment.started),
        "finishedAt": _time(assessment.finished),
        "effectiveTime": _time(assessment.effective),
        "reevaluation": None,
        "profile": {
            "id": evidence.profile.id,
            "variant": evidence.profile.variant.value,
            "source": evidence.profile.source.value,
            "declared": _optional(evidence.profile.declared),
            "ages": {
                "vulnerabilityScan": evidence.profile.ages.vulnerability_scan,
                "malwareScan": evidence.profile.ages.malware_scan,
                "benchmark": evidence.profile.ages.benchmark,
            },
        },
        "definitions": [
            {"role": file.role, "name": clean(file.name), "sha256": file.sha256, "signer": _optional(file.signer)}
            for file in assessment.definitions
        ],
        "summary": _summary_of(assessment.summary, assessment.results),
        "coverage": _coverage(evidence, layers),
        "inventory": _inventory(evidence.inventory),
        "verification": verification_document(evidence.verification),
        "suppliedReports": [_supplied(report, evidence.image) for report in evidence.supplied],
        "baseline": None if evidence.drift is None else _baseline(evidence.drift),
        "waivers": [
            {"check": clean(use.waiver.check), "state": use.state.value, "waiver": _waiver(use.waiver)}
            for use in assessment.waivers
        ],
        "checks": [_check(result, assessment.needs, layers) for result in assessment.results],
        "frameworks": [
            _framework(framework, assessment.left_out.get(framework.id, ()))
            for framework in _frameworks(assessment.controls)
        ],
        "controls": [_control(result, outcomes) for result in assessment.controls],
    }


def reassessed(
    document: shape.Document,
    *,
    at: datetime,
    results: Sequence[CheckResult],
    reopened: Collection[str],
    uses: Sequence[WaiverUse],
    controls: Sequence[ControlResult],
    summary: Summary,
) -> shape.Document:
    """`document` with what came of its own results at another date; `reopened` are the checks that became unknown.

    Results, waivers and controls are in the order of the document.
    """
    outcomes = {result.check.id: result.word for result in results}
    given = [use["waiver"] for use in document["waivers"]]
    kept = {id(use.waiver): waiver for use, waiver in zip(uses, given, strict=True)}
    changed: shape.Document = {
        **document,
        "effectiveTime": _time(at),
        "reevaluation": {
            "assessedAt": document["effectiveTime"],
            "outcome": document["summary"]["outcome"],
            "reopened": [result.check.id for result in results if result.check.id in reopened],
        },
        "summary": _summary_of(summary, results),
        "waivers": [
            {**stored, "state": use.state.value} for stored, use in zip(document["waivers"], uses, strict=True)
        ],
        "checks": [
            {
                **check,
                "outcome": result.word.value,
                "reason": None if result.reason is None else sentence(result.reason),
                "waiver": None if result.waiver is None else kept[id(result.waiver)],
            }
            for check, result in zip(document["checks"], results, strict=True)
        ],
        "controls": [
            {
                **control,
                "status": result.status.value,
                "relation": deciding_relation(result, outcomes),
                "waived": result.waived,
            }
            for control, result in zip(document["controls"], controls, strict=True)
        ],
    }
    return changed


def render(document: shape.Document) -> bytes:
    """The document as UTF-8 JSON, indented by two, keys in their fixed order, with a newline at the end."""
    return (json.dumps(document, ensure_ascii=False, indent=2, allow_nan=False) + "\n").encode()


def parse(content: bytes) -> shape.Document:
    """Read a document back; every string is cleaned again, as somebody else may have written the file.

    Raises FormatError, naming the place, when it is not an assessment document of this schema version, or when
    a control names a framework or a check that it does not hold.
    """
    try:
        value = json.loads(content, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise FormatError(
            f"not JSON: {error}", code="assessment-invalid", hint="give the assessment.json that assess wrote"
        ) from error
    if isinstance(value, dict) and value.get("schemaVersion") != SCHEMA_VERSION:
        raise FormatError(
            f"schemaVersion is {value.get('schemaVersion')!r}, this version reads {SCHEMA_VERSION!r}",
            code="assessment-version",
            hint="assess the image again",
        )
    schema().check(value)
    document = cast(shape.Document, cleaned(value))
    _check_times(document)
    _check_references(document)
    return document


def schema() -> Schema:
    """The JSON Schema (2020-12) of the document, as shipped."""
    return Schema.load(resources.files("reports") / "schemas" / "assessment.schema.json")


def subject_document(image: Image) -> shape.Subject:
    """What the image says of itself: the `subject` object of the document."""
    return {
        "reference": redact(clean(str(image.reference))),
        "tag": _optional(image.tag),
        "digest": image.digest,
        "mediaType": clean(image.media_type),
        "platform": None if image.platform is None else clean(str(image.platform)),
        "indexDigest": image.index_digest,
        "configDigest": image.config_digest,
        "layers": [_layer(layer) for layer in image.layers],
        "config": None if image.config is None else _config(image.config),
        "claims": _claims(image),
        "notices": [sentence(notice) for notice in image.notices],
    }


def _layer(layer: Layer) -> shape.Layer:
    return {
        "digest": layer.digest,
        "diffId": layer.diff_id,
        "mediaType": clean(layer.media_type),
        "size": layer.size,
        "createdBy": None if layer.created_by is None else _short(redact_step(layer.created_by)),
    }


def _config(config: ImageConfig) -> shape.Config:
    return {
        "user": _optional(config.user),
        "entrypoint": _arguments(config.entrypoint),
        "cmd": _arguments(config.cmd),
        "workingDir": _optional(config.working_dir),
        "environment": [
            {"name": clean(name), "value": clean(value) if is_open(name) else None}
            for name, value in sorted(config.env.items())
        ],
        "exposedPorts": sorted(clean(port) for port in config.exposed_ports),
        "volumes": sorted(clean(volume) for volume in config.volumes),
        "healthcheck": None if config.healthcheck is None else _arguments(config.healthcheck),
        "shell": None if config.shell is None else _arguments(config.shell),
        "onBuild": [_short(redact_step(step)) for step in config.on_build],
        "stopSignal": _optional(config.stop_signal),
        "created": _optional(config.created),
    }


def _claims(image: Image) -> list[shape.Claim]:
    """What the image says of itself in the standard annotations (OCI image-spec, annotations.md). Unsigned."""
    labels = {} if image.config is None else image.config.labels
    sources: tuple[tuple[str, Mapping[str, str]], ...] = (("label", labels), ("annotation", image.annotations))
    return [
        {"name": clean(name), "value": _short(redact(value)), "source": source}
        for source, pairs in sources
        for name, value in sorted(pairs.items())
        if name.startswith(_CLAIM_PREFIX)
    ]


def _summary_of(summary: Summary, results: Sequence[CheckResult]) -> shape.Summary:
    return {
        "outcome": _OUTCOMES[summary.outcome],
        "exitCode": int(summary.outcome),
        "checks": {
            "passed": summary.counts.get(OutcomeWord.PASSED, 0),
            "failed": summary.counts.get(OutcomeWord.FAILED, 0),
            "not-applicable": summary.counts.get(OutcomeWord.NOT_APPLICABLE, 0),
            "unknown": summary.counts.get(OutcomeWord.UNKNOWN, 0),
            "errored": summary.counts.get(OutcomeWord.ERRORED, 0),
        },
        "counted": sum(result.counts for result in results),
        "waived": sum(result.waiver is not None for result in results),
        "worstSeverity": None if summary.worst is None else str(summary.worst),
        "failOn": str(summary.fail_on),
    }


def _coverage(evidence: Evidence, layers: tuple[str, ...]) -> shape.Coverage:
    tree = evidence.filesystem
    sizes, executables = _regular_files(tree)
    return {
        "entries": len(tree),
        "files": len(sizes),
        "bytes": sum(sizes.values()),
        "executables": executables,
        "whollyRead": tree.wholly_read,
        "unread": [_unread(place, layers) for place in tree.unread],
        "residue": {"files": len(tree.residue), "bytes": sum(item.size for item in tree.residue)},
    }


def _regular_files(tree: FileTree) -> tuple[dict[int, int], int]:
    """The size of every regular file by inode, so that hard links count once, and how many are executable."""
    sizes: dict[int, int] = {}
    executables = 0
    for entry in tree.entries.values():
        if entry.kind is FileKind.REGULAR and entry.inode not in sizes:
            sizes[entry.inode] = entry.size
            executables += bool(entry.mode & 0o111)
    return sizes, executables


def _unread(place: Unread, layers: tuple[str, ...]) -> shape.UnreadPlace:
    return {"path": _path(place.path), "reason": sentence(place.reason), "layer": _at(layers, place.layer)}


def _inventory(inventory: Inventory) -> shape.Inventory:
    types = Counter(package.type for package in inventory.packages)
    return {
        "packages": len(inventory.packages),
        "byType": {clean(name): types[name] for name in sorted(types)},
        "distribution": None if inventory.distribution is None else _distribution(inventory.distribution),
        "unknowns": [
            {"path": _path(unknown.path), "reason": sentence(unknown.reason)} for unknown in inventory.unknowns
        ],
    }


def _distribution(distribution: Distribution) -> shape.Distribution:
    return {
        "id": clean(distribution.id),
        "versionId": _optional(distribution.version_id),
        "prettyName": _optional(distribution.pretty_name),
        "codename": _optional(distribution.codename),
    }


def verification_document(verification: Verification) -> shape.Verification:
    """What was verified about an image: the `verification` object of the document."""

    demand = verification.demand
    return {
        "integrity": {
            "checked": [
                {"what": sentence(what), "digest": clean(digest)} for what, digest in verification.integrity.checked
            ]
        },
        "demand": {
            "made": demand.made,
            "keyId": _optional(demand.key_id),
            "identity": _optional(demand.identity),
            "identityRegexp": _optional(demand.identity_regexp),
            "issuer": _optional(demand.issuer),
            "issuerRegexp": _optional(demand.issuer_regexp),
        },
        "signatures": [_signature(signature) for signature in verification.signatures],
        "attestations": [_attestation(attestation) for attestation in verification.attestations],
        "unreadable": [
            {"where": clean(where), "reason": sentence(reason)} for where, reason in verification.unreadable
        ],
        "policy": None if verification.policy is None else _policy(verification.policy),
    }


def _policy(policy: PolicyAnswer) -> shape.Policy:
    return {
        "digest": clean(policy.digest),
        "files": [{"name": clean(name), "digest": clean(digest)} for name, digest in policy.files],
        "image": clean(policy.image),
        "expires": _optional(policy.expires),
        "state": policy.state.value,
        "reason": sentence(policy.reason),
        "requirements": [
            {
                "images": clean(answer.images),
                "what": [clean(what) for what in answer.what],
                "signers": [clean(signer) for signer in answer.signers],
                "builders": [clean(builder) for builder in answer.builders],
                "sources": [clean(source) for source in answer.sources],
                "state": answer.state.value,
                "reason": sentence(answer.reason),
                "materials": [clean(material) for material in answer.materials],
            }
            for answer in policy.requirements
        ],
    }


def _signature(signature: Signature | Attestation) -> shape.Signature:
    return {
        "kind": signature.kind.value,
        "verified": signature.verdict is Verdict.VERIFIED,
        "verdict": signature.verdict.value,
        "identity": _optional(signature.signer.identity),
        "issuer": _optional(signature.signer.issuer),
        "keyId": _optional(signature.signer.key_id),
        "transparency": sentence(signature.transparency),
        "reason": sentence(signature.reason),
        "signedAt": _optional(signature.signed_at),
        "material": clean(signature.material),
        "foundIn": clean(signature.found_in),
    }


def _attestation(attestation: Attestation) -> shape.Attestation:
    return {
        **_signature(attestation),
        "predicateType": clean(attestation.predicate_type),
        "summary": _stated(attestation),
        "subjects": [clean(subject) for subject in attestation.subjects],
    }


def _stated(attestation: Attestation) -> str | None:
    """What the statement states, however far it is to be believed; null for a predicate type that is not known."""
    try:
        text = summary(read_statement(attestation.statement))
    except FormatError:
        return None
    return None if text is None else redact(sentence(text))


_ABOUT = {True: "this-image", False: "another-image", None: "not-stated"}


def _supplied(report: SuppliedReport, image: Image) -> shape.SuppliedReport:
    read: ScanFile | None = None
    reason: str | None = None
    try:
        read = read_scan_file(report.content)
    except FormatError as error:
        reason = redact(sentence(str(error)))
    return {
        "name": clean(report.name),
        "sha256": report.sha256,
        "signed": False,
        "form": None if read is None else read.form,
        "about": _ABOUT[None if read is None else names_this(image, read.images)],
        "summary": None if read is None else redact(sentence(read.summary)),
        "reason": reason,
    }


def _baseline(drift: Drift) -> shape.Baseline:
    before = drift.before
    return {
        "reference": redact(clean(before.reference)),
        "digest": before.digest,
        "platform": _optional(before.platform),
        "differences": drift.total,
        "material": drift.material,
        "areas": [
            {
                "area": area.area.value,
                "added": area.counts.get(Change.ADDED, 0),
                "removed": area.counts.get(Change.REMOVED, 0),
                "changed": area.counts.get(Change.CHANGED, 0),
            }
            for area in drift.areas
        ],
        "notCompared": [redact(sentence(text)) for text in drift.not_compared],
        "unread": [sentence(text) for text in drift.unread],
    }


def _check(result: CheckResult, needs: Mapping[str, str], layers: tuple[str, ...]) -> shape.Check:
    check: Check = result.check
    return {
        "id": check.id,
        "title": sentence(check.title),
        "trait": check.trait.value,
        "severity": str(check.severity),
        "ownSeverity": str(check.severity if result.own_severity is None else result.own_severity),
        "counts": result.counts,
        "uncounted": None if result.uncounted is None else sentence(result.uncounted),
        "outcome": result.word.value,
        "reason": None if result.reason is None else redact(sentence(result.reason)),
        "rationale": sentence(check.rationale),
        "looksAt": sentence(check.looks_at),
        "needs": sentence(needs[check.id]) if check.id in needs else None,
        "proves": sentence(check.proves),
        "remediation": sentence(check.remediation),
        "references": [clean(reference) for reference in check.references],
        "waiver": None if result.waiver is None else _waiver(result.waiver),
        "observations": [_observation(observation, layers) for observation in result.outcome.observations],
    }


def _waiver(waiver: Waiver) -> shape.Waiver:
    return {
        "id": clean(waiver.id),
        "reason": sentence(waiver.reason),
        "approver": sentence(waiver.approver),
        "ticket": _optional(waiver.ticket),
        "created": _time(waiver.created),
        "expires": None if waiver.expires is None else _time(waiver.expires),
        "images": [clean(image) for image in waiver.images],
        "digest": _optional(waiver.digest),
        "paths": [_path(path) for path in waiver.paths],
        "file": clean(waiver.file),
        "signer": _optional(waiver.signer),
    }


def _observation(observation: Observation, layers: tuple[str, ...]) -> shape.Observation:
    return {
        "summary": redact(sentence(observation.summary)),
        "kind": observation.kind.value,
        "path": None if observation.path is None else _path(observation.path),
        "names": [_path(name) for name in observation.names],
        "layer": _at(layers, observation.layer),
        "package": _optional(observation.package),
        "sha256": observation.sha256,
        "size": observation.size,
        "value": None if observation.value is None else redact(clean(observation.value)),
        "method": None if observation.method is None else sentence(observation.method),
        "verdict": _optional(observation.verdict),
    }


def _frameworks(controls: Iterable[ControlResult]) -> list[Framework]:
    """The frameworks of the results, each once, in the order in which they first come."""
    return list({result.framework.id: result.framework for result in controls}.values())


def _framework(framework: Framework, left_out: tuple[LeftOut, ...]) -> shape.Framework:
    return {
        "id": framework.id,
        "name": sentence(framework.name),
        "version": sentence(framework.version),
        "source": sentence(framework.source),
        "givenBy": _optional(framework.given_by),
        "caveats": [sentence(caveat) for caveat in framework.caveats],
        "leftOut": [{"what": sentence(part.what), "why": sentence(part.why)} for part in left_out],
    }


def _control(result: ControlResult, outcomes: Mapping[str, OutcomeWord]) -> shape.Control:
    control = result.control
    return {
        "framework": result.framework.id,
        "id": control.id,
        "label": control.label,
        "title": sentence(control.title),
        "verbatim": control.verbatim,
        "confirmed": control.confirmed,
        "source": sentence(control.source),
        "baselines": None if control.baselines is None else list(control.baselines),
        "status": result.status.value,
        "relation": deciding_relation(result, outcomes),
        "checks": list(result.checks),
        "mapping": [
            {"check": mapped.check, "relation": mapped.relation.value, "rationale": sentence(mapped.rationale)}
            for mapped in control.checks
        ],
        "waived": result.waived,
    }


def deciding_relation(result: ControlResult, outcomes: Mapping[str, OutcomeWord]) -> str | None:
    """The strongest relation to the control among the checks that decide its status; of all that were run if none does.

    A check that did not pass lends a supported control nothing, however strongly it would bear on it.
    """
    wanted = _DECIDING.get(result.status)
    relations = {
        mapped.relation
        for mapped in result.control.checks
        if mapped.check in result.checks and (wanted is None or outcomes.get(mapped.check) is wanted)
    }
    return next((relation.value for relation in _STRONGEST_FIRST if relation in relations), None)


def _time(moment: datetime) -> str:
    """RFC 3339 in UTC with Z; fractions of a second only where there are any."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _path(path: str) -> str:
    return clean(display_path(path))


def _optional(text: str | None) -> str | None:
    return None if text is None else clean(text)


def _at(layers: tuple[str, ...], index: int | None) -> str | None:
    return layers[index] if index is not None and 0 <= index < len(layers) else None


def _short(text: str) -> str:
    text = sentence(text)
    return text if len(text) <= _TEXT_MAX else text[: _TEXT_MAX - 1] + "…"


def _arguments(arguments: tuple[str, ...]) -> list[str]:
    return [_short(argument) for argument in redact_arguments(arguments)]


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is not a JSON value")


def _check_times(document: shape.Document) -> None:
    times = {key: document[key] for key in ("startedAt", "finishedAt", "effectiveTime")}
    for key, time in times.items():
        try:
            early = datetime.fromisoformat(time).year < _YEAR_MIN
        except ValueError:
            early = True
        if early:
            raise _invalid(f"$.{key}", f"no such time: {time}")


def _check_references(document: shape.Document) -> None:
    checks = [check["id"] for check in document["checks"]]
    frameworks = [framework["id"] for framework in document["frameworks"]]
    for what, ids in (("checks", checks), ("frameworks", frameworks)):
        for identifier, times in Counter(ids).items():
            if times > 1:
                raise _invalid(f"$.{what}", f"{identifier!r} comes {times} times")
    for place, control in enumerate(document["controls"]):
        if control["framework"] not in frameworks:
            raise _invalid(f"$.controls[{place}].framework", f"no framework {control['framework']!r}")
        for check in control["checks"]:
            if check not in checks:
                raise _invalid(f"$.controls[{place}].checks", f"no check {check!r}")


def _invalid(where: str, message: str) -> FormatError:
    return FormatError(message, code="assessment-invalid", where=where)
