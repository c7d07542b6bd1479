"""A stored assessment at another date: its waivers applied again and rolled up again, without the image.

What the document can't answer for that date becomes unknown. So no check is better for it than it was, and the answer
for the image is better only where a waiver is in force that was not before.
"""

from __future__ import annotations

from collections.abc import Iterable
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from compliance.errors import FormatError
from compliance.model.assessment import ControlResult
from compliance.model.control import Control, ControlLibrary, Framework, MappedCheck, Relation
from compliance.model.evidence import Evidence
from compliance.model.outcome import (
    AnyOutcome,
    Check,
    CheckResult,
    Errored,
    Failed,
    NotApplicable,
    Observation,
    ObservationKind,
    Outcome,
    OutcomeWord,
    Passed,
    Severity,
    Trait,
    Unknown,
    Waiver,
)
from compliance.model.verification import PolicyAnswer, PolicyState

if TYPE_CHECKING:
    from compliance.evaluate.waivers import WaivedImage
    from reports import document as shape

_SEEN = Observation(summary="What the document holds.", kind=ObservationKind.NOTE)


def reevaluate(document: shape.Document, at: datetime) -> shape.Document:
    """`document` as of `at`; what it says of the image's bytes stays.

    Raises FormatError for a document that is a re-evaluation itself, and for values that no assessment has.
    """
    from compliance.evaluate.rollup import summarise
    from compliance.evaluate.waivers import apply
    from compliance.verify.image_pattern import names
    from reports.assessment_json import reassessed

    if document["reevaluation"] is not None:
        raise FormatError(
            f"it is a re-evaluation as of {document['effectiveTime']}",
            code="assessment-reevaluated",
            hint="give the assessment that it was made from",
        )
    then = _moment(document["effectiveTime"], "$.effectiveTime")
    at = at.astimezone(UTC)
    policy = _policy(document, then, at)
    signers_open = policy is not document["verification"]["policy"]
    results = tuple(_dated(result, document, then, at, signers_open) for result in _results(document))
    open_now = frozenset(
        one.check.id
        for one, check in zip(results, document["checks"], strict=True)
        if one.word.value != check["outcome"]
    )
    waivers = [_waiver(use["waiver"], use["check"], place) for place, use in enumerate(document["waivers"])]
    results, uses = apply(waivers, results, _image(document), names, at)
    summary = summarise(
        results, Severity.parse(document["summary"]["failOn"]), policy=None if policy is None else _answer(policy)
    )
    changed = deepcopy(document)
    changed["verification"]["policy"] = policy
    return reassessed(
        changed,
        at=at,
        results=results,
        reopened=open_now,
        uses=uses,
        controls=_controls(document, results),
        summary=summary,
    )


# The results that the document holds


def _results(document: shape.Document) -> Iterable[CheckResult]:
    for check in document["checks"]:
        yield CheckResult(
            check=Check(
                id=check["id"],
                title=check["title"],
                trait=Trait(check["trait"]),
                severity=Severity.parse(check["severity"]),
                rationale=check["rationale"],
                looks_at=check["looksAt"],
                proves=check["proves"],
                remediation=check["remediation"],
                run=_never,
            ),
            outcome=_outcome(check),
            uncounted=check["uncounted"],
        )


def _never(_: Evidence) -> Outcome:
    raise AssertionError("no check is run without the image")


def _outcome(check: shape.Check) -> AnyOutcome:
    seen = tuple(_observation(item) for item in check["observations"])
    reason = check["reason"] or "No reason is in the document."
    match check["outcome"]:
        case "passed":
            return Passed(observations=seen or (_SEEN,))
        case "failed":
            return Failed(observations=seen or (_SEEN,))
        case "not-applicable":
            return NotApplicable(reason=reason, observations=seen)
        case "unknown":
            return Unknown(reason=reason, observations=seen)
        case _:
            return Errored(reason=reason, observations=seen)


def _observation(item: shape.Observation) -> Observation:
    return Observation(
        summary=item["summary"],
        kind=ObservationKind(item["kind"]),
        path=_path(item["path"]),
        names=tuple(_path(name) or "" for name in item["names"]),
    )


def _path(shown: str | None) -> str | None:
    """A path as in the tree. One with an escape may stand for another: no waiver's pattern is held against it."""
    return None if shown is None or "\\" in shown else shown.lstrip("/")


def _dated(
    result: CheckResult, document: shape.Document, then: datetime, at: datetime, signers_open: bool
) -> CheckResult:
    """`result` as far as it can be said at another date."""
    why = None if at == then else _open_at(result, document, later=at > then, signers_open=signers_open)
    if why is None:
        return result
    reason = (
        f"It was {result.word.value} as of {document['effectiveTime']}, and {why}; "
        "the image has to be assessed again to say more"
    )
    return replace(result, outcome=Unknown(reason=reason, observations=result.outcome.observations))


def _open_at(result: CheckResult, document: shape.Document, *, later: bool, signers_open: bool) -> str | None:
    """Why the outcome can't be carried over to another date; None where it can.

    What is open stays open, and a question that does not arise for these bytes does not arise later.
    """
    from controls.dated import DATED
    from controls.registry import CHECKS

    if result.word not in (OutcomeWord.PASSED, OutcomeWord.FAILED):
        return None
    dated = DATED.get(result.check.id)
    if dated is not None:
        stays = later and dated.lasting and result.word is OutcomeWord.FAILED
        return None if stays else dated.why
    shipped = any(check.id == result.check.id for check in CHECKS)
    if not shipped and any(file["role"] == "plugin" for file in document["definitions"]):
        return "whether a plugin's answer depends on the date is not in the document"
    needs = next(check["needs"] for check in document["checks"] if check["id"] == result.check.id)
    if not later and (needs is not None or not shipped):
        return "what others stated of the image may be younger than that date"
    if signers_open and needs is not None and result.word is OutcomeWord.PASSED:
        return "the trust policy that named the signers has expired since"
    return None


# Waivers, policy and controls that the document holds


def _waiver(waiver: shape.Waiver, check: str, place: int) -> Waiver:
    where = f"$.waivers[{place}].waiver"
    return Waiver(
        id=waiver["id"],
        check=check,
        reason=waiver["reason"],
        approver=waiver["approver"],
        created=_moment(waiver["created"], f"{where}.created"),
        expires=None if waiver["expires"] is None else _moment(waiver["expires"], f"{where}.expires"),
        ticket=waiver["ticket"],
        images=tuple(waiver["images"]),
        digest=waiver["digest"],
        paths=tuple(path.lstrip("/") for path in waiver["paths"]),
        file=waiver["file"],
        signer=waiver["signer"],
    )


def _image(document: shape.Document) -> WaivedImage:
    from compliance.evaluate.waivers import WaivedImage
    from compliance.ingest.source import parse_reference
    from compliance.pipeline import policy_name

    subject = document["subject"]
    digests = (subject["digest"], subject["indexDigest"], subject["configDigest"])
    return WaivedImage(
        name=policy_name(parse_reference(subject["reference"])),
        digests=frozenset(digest for digest in digests if digest is not None),
    )


def _policy(document: shape.Document, then: datetime, at: datetime) -> shape.Policy | None:
    """The trust policy's answer; one that has run out, or was not yet asked, holds nothing."""
    policy = document["verification"]["policy"]
    if policy is None or at == then or policy["state"] != PolicyState.HELD.value:
        return policy
    if policy["expires"] is not None and at >= _moment(policy["expires"], "$.verification.policy.expires"):
        reason = f"it held as of {document['effectiveTime']}, and expired at {policy['expires']}"
    elif at < then:
        reason = (
            f"it held as of {document['effectiveTime']}; what others stated may be younger than the date asked about"
        )
    else:
        return policy
    return {**policy, "state": PolicyState.UNDETERMINED.value, "reason": reason}


def _answer(policy: shape.Policy) -> PolicyAnswer:
    return PolicyAnswer(
        digest=policy["digest"],
        files=(),
        image=policy["image"],
        expires=policy["expires"],
        state=PolicyState(policy["state"]),
        reason=policy["reason"],
        requirements=(),
    )


def _controls(document: shape.Document, results: tuple[CheckResult, ...]) -> tuple[ControlResult, ...]:
    """The controls of the document in its order, rolled up from `results`."""
    from compliance.evaluate.rollup import roll_up

    frameworks = {one["id"]: _framework(one) for one in document["frameworks"]}
    rolled: list[ControlResult] = []
    for control in document["controls"]:
        framework = replace(frameworks[control["framework"]], controls=(_control(control),))
        rolled += roll_up(ControlLibrary(frameworks=(framework,), digest=""), results)
    return tuple(rolled)


def _framework(framework: shape.Framework) -> Framework:
    return Framework(
        id=framework["id"],
        name=framework["name"],
        version=framework["version"],
        source=framework["source"],
        controls=(),
    )


def _control(control: shape.Control) -> Control:
    return Control(
        id=control["id"],
        label=control["label"],
        title=control["title"],
        verbatim=control["verbatim"],
        confirmed=control["confirmed"],
        source=control["source"],
        checks=tuple(
            MappedCheck(check=one["check"], relation=Relation(one["relation"]), rationale=one["rationale"])
            for one in control["mapping"]
        ),
    )


def _moment(text: str, where: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise FormatError(f"no such time: {text}", code="assessment-invalid", where=where)
    return moment
