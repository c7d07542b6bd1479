"""Two assessments of one image, then and now: whether the same results come out, and what may be why not.

The image itself is no reason: both are about the same digest, and every byte was hashed again. What is left is the
tool, its control library, what the runs were given, what lies with the image besides, or an assessment that was
altered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from compliance.model.verification import Verdict
from reports import wording
from reports.document import Check, Document


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """What came of one thing that was compared."""

    what: str
    verdict: Verdict
    reason: str


def compare(then: Document, now: Document) -> tuple[Replayed, ...]:
    """Whether `now`, made from the image again, holds the results of `then`.

    A difference is `invalid` where nothing but the assessment itself can be why, else `unchecked` with what may be.
    """
    if then["subject"]["digest"] != now["subject"]["digest"]:
        about = f"the evidence is about {then['subject']['digest']}, this image is {now['subject']['digest']}"
        return (Replayed(what="replay", verdict=Verdict.INVALID, reason=f"another image: {about}"),)
    reasons = tuple(_reasons(then, now))
    compared = tuple(_compared(then, now, reasons))
    differing = [item for item in compared if item.verdict is not Verdict.VERIFIED]
    return compared if not differing else (*differing, *(item for item in compared if item not in differing))


def _compared(then: Document, now: Document, reasons: tuple[str, ...]) -> Iterator[Replayed]:
    verdict = Verdict.UNCHECKED if reasons else Verdict.INVALID
    why = f"; {'; '.join(reasons)}" if reasons else "; tool, control library and everything that was given are the same"
    before, after = ({check["id"]: check for check in document["checks"]} for document in (then, now))
    same = 0
    for name in dict.fromkeys((*before, *after)):
        changed = _changed(before.get(name), after.get(name))
        same += changed is None
        if changed is not None:
            yield Replayed(what=f"replay, {name}", verdict=verdict, reason=f"{changed}{why}")
    if same:
        yield Replayed(
            what="replay",
            verdict=Verdict.VERIFIED,
            reason=f"{wording.count(same, 'check')} came out as in the evidence, down to each observation",
        )
    rest: tuple[tuple[str, Callable[[Document], object]], ...] = (
        ("controls", lambda document: [(one["framework"], one["id"], one["status"]) for one in document["controls"]]),
        ("inventory", lambda document: document["inventory"]),
        ("coverage", lambda document: document["coverage"]),
        ("summary", lambda document: document["summary"]),
    )
    for what, part in rest:
        if part(then) == part(now):
            yield Replayed(what=f"replay, {what}", verdict=Verdict.VERIFIED, reason="it came out as in the evidence")
        else:
            yield Replayed(what=f"replay, {what}", verdict=verdict, reason=f"it came out otherwise{why}")


def _changed(before: Check | None, after: Check | None) -> str | None:
    """What is different about one check; None for nothing."""
    if before is None or after is None:
        return "it is in the evidence only" if after is None else "it is not in the evidence"
    if before["outcome"] != after["outcome"]:
        return f"{wording.OUTCOMES[before['outcome']]} in the evidence, {wording.OUTCOMES[after['outcome']]} now"
    if before["observations"] != after["observations"] or before["reason"] != after["reason"]:
        return f"{wording.OUTCOMES[after['outcome']]} as in the evidence, but other things were observed"
    if before != after:
        keys = [key for key, value in before.items() if after.get(key) != value]
        return f"{wording.OUTCOMES[after['outcome']]} as in the evidence, with another {', '.join(keys)}"
    return None


def _reasons(then: Document, now: Document) -> Iterator[str]:
    """What else is different between the two runs."""
    versions = then["tool"]["version"], now["tool"]["version"]
    if versions[0] != versions[1]:
        yield f"it was version {versions[0]} of the tool, this is {versions[1]}"
    if then["tool"]["controlsDigest"] != now["tool"]["controlsDigest"]:
        yield "the control library is another"
    named = then["subject"]["reference"], now["subject"]["reference"]
    if named[0] != named[1]:
        yield f"the image was named {named[0]}, now {named[1]}"
    if then["effectiveTime"] != now["effectiveTime"]:
        yield f"it was as of {then['effectiveTime']}, this is as of {now['effectiveTime']}"
    if _profile(then) != _profile(now):
        yield f"it was held against the profile {_profile(then)}, now against {_profile(now)}"
    given: tuple[tuple[str, Callable[[Document], list[str]]], ...] = (
        ("files that say what it is held against", lambda one: [file["sha256"] for file in one["definitions"]]),
        ("waivers", lambda one: [f"{use['check']} {use['waiver']['id']}" for use in one["waivers"]]),
        ("frameworks", lambda one: [framework["id"] for framework in one["frameworks"]]),
        ("reports of others (--scan)", lambda one: [report["sha256"] for report in one["suppliedReports"]]),
        ("baseline", lambda one: [one["baseline"]["digest"]] if one["baseline"] else []),
        ("signatures and attestations that lie with the image", _materials),
    )
    for what, names in given:
        before, after = sorted(names(then)), sorted(names(now))
        if before != after:
            missing, more = len(set(before) - set(after)), len(set(after) - set(before))
            yield f"other {what}: {missing} missing now, {more} new"
    if then["verification"]["demand"] != now["verification"]["demand"]:
        yield "other signers were demanded"
    if _policy(then) != _policy(now):
        yield "the trust policy is another"


def _profile(document: Document) -> str:
    return document["profile"]["id"]


def _policy(document: Document) -> str | None:
    policy = document["verification"]["policy"]
    return None if policy is None else policy["digest"]


def _materials(document: Document) -> list[str]:
    verification = document["verification"]
    return [item["material"] for item in (*verification["signatures"], *verification["attestations"])]
