"""What changed from one run to another: images, and failures by place and check. Less evidence is never a fix."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from compliance.fleet.standing import FAILING, NOT_THERE, CheckStanding, PlaceStanding, RunStandings, Standing


class FindingChangeKind(StrEnum):
    """What became of a failure of one check at one place.

    Fixed is only what was assessed again, and passes. Everything else that ended a failure says how it did.
    """

    NEW = "new"
    STILL_OPEN = "still-open"
    FIXED = "fixed"
    WAIVED = "waived"  # it was open or not there, and is accepted now
    STILL_WAIVED = "still-waived"
    WAIVER_ENDED = "waiver-ended"  # it was accepted, and is open again
    UNDETERMINED = "no-longer-determined"
    GONE = "gone"  # the reference is no longer in the population
    NOT_APPLICABLE = "no-longer-applies"
    UNCOUNTED = "no-longer-counts"


class ImageChangeKind(StrEnum):
    """What became of a place."""

    APPEARED = "appeared"
    GONE = "gone"
    MOVED = "moved"  # another digest is behind the reference
    LOST = "no-longer-determined"  # it had an assessment and has none
    FOUND = "determined-again"


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingChange:
    """One check at one place. `before` and `after` are standings, None where the place was or is not there."""

    kind: FindingChangeKind
    group: str
    owner: str
    reference: str
    check: str
    severity: str
    before: Standing | None
    after: Standing | None
    waiver: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageChange:
    """One place, with the digests behind it before and after."""

    kind: ImageChangeKind
    group: str
    owner: str
    reference: str
    before: tuple[str, ...]
    after: tuple[str, ...]
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """From the run `before` to the run `after`. `findings` leaves out what is as it was; `counts` has everything."""

    before: int
    after: int
    places: int
    assessed_again: int
    images: tuple[ImageChange, ...] = field(repr=False)
    findings: tuple[FindingChange, ...] = field(repr=False)
    counts: Mapping[FindingChangeKind, int]

    @property
    def image_counts(self) -> Mapping[ImageChangeKind, int]:
        """How many places each of it befell."""
        return Counter(change.kind for change in self.images)


def changes(before: RunStandings, after: RunStandings) -> Changes:
    """What changed, in the order of group and reference, then check."""
    images: list[ImageChange] = []
    findings: list[FindingChange] = []
    counts: Counter[FindingChangeKind] = Counter()
    again = 0
    for place in sorted({*before.places, *after.places}):
        was, now = before.places.get(place), after.places.get(place)
        images += _image_changes(was, now)
        again += now is not None and was is not None and was.assessments != now.assessments and now.whole
        for change in _finding_changes(was, now):
            counts[change.kind] += 1
            if change.kind not in (FindingChangeKind.STILL_OPEN, FindingChangeKind.STILL_WAIVED):
                findings.append(change)
    return Changes(
        before=before.run.number,
        after=after.run.number,
        places=len(after.places),
        assessed_again=again,
        images=tuple(images),
        findings=tuple(findings),
        counts={kind: counts[kind] for kind in FindingChangeKind},
    )


def is_fix(was: PlaceStanding, now: PlaceStanding, check: str) -> bool:
    """Whether a failure that `was` had is fixed: another assessment, no older than the failure's, in which it passes.

    An older one, as that of an image that a tag was moved back to, was made before the failure was seen.
    """
    return (
        now.whole
        and now.of(check).standing is Standing.PASSED
        and now.assessments != was.assessments
        and now.assessed_at is not None
        and was.assessed_at is not None
        and now.assessed_at >= was.assessed_at
    )


def _image_changes(was: PlaceStanding | None, now: PlaceStanding | None) -> Iterator[ImageChange]:
    either = now or was
    if either is None:
        return
    group, reference = either.place
    before, after = was.digests if was else (), now.digests if now else ()

    def change(kind: ImageChangeKind, reason: str | None = None) -> ImageChange:
        return ImageChange(
            kind=kind,
            group=group,
            owner=either.owner,
            reference=reference,
            before=before,
            after=after,
            reason=reason,
        )

    if was is None:
        yield change(ImageChangeKind.APPEARED)
    elif now is None:
        yield change(ImageChangeKind.GONE)
    else:
        if before and after and before != after:
            yield change(ImageChangeKind.MOVED)
        if was.whole and not now.whole:
            yield change(ImageChangeKind.LOST, now.reason)
        elif now.whole and not was.whole:
            yield change(ImageChangeKind.FOUND)


def _finding_changes(was: PlaceStanding | None, now: PlaceStanding | None) -> Iterator[FindingChange]:
    for check in sorted({*(was.checks if was else ()), *(now.checks if now else ())}):
        before = None if was is None else was.of(check)
        after = None if now is None else now.of(check)
        failed_before = before is not None and before.standing in FAILING
        failed_now = after is not None and after.standing in FAILING
        if not (failed_before or failed_now):
            continue
        kind, reason = _befell(was, now, check)
        shown = after if failed_now else before
        either = now or was
        if shown is None or either is None:
            continue
        yield FindingChange(
            kind=kind,
            group=either.place[0],
            owner=either.owner,
            reference=either.place[1],
            check=check,
            severity=shown.severity,
            before=None if before is None else before.standing,
            after=None if after is None else after.standing,
            waiver=shown.waiver,
            reason=reason,
        )


def _befell(was: PlaceStanding | None, now: PlaceStanding | None, check: str) -> tuple[FindingChangeKind, str | None]:
    """What became of a check that fails before or after, and why if that is not plain."""
    if now is None:
        return FindingChangeKind.GONE, None
    before = None if was is None else was.of(check).standing
    match now.of(check).standing:
        case Standing.FAILED if was is not None and before is Standing.WAIVED:
            return FindingChangeKind.WAIVER_ENDED, _why_ended(now, was.of(check))
        case Standing.FAILED:
            return (FindingChangeKind.STILL_OPEN if before is Standing.FAILED else FindingChangeKind.NEW), None
        case Standing.WAIVED:
            return (FindingChangeKind.STILL_WAIVED if before is Standing.WAIVED else FindingChangeKind.WAIVED), None
        case Standing.PASSED if was is not None and is_fix(was, now, check):
            return FindingChangeKind.FIXED, None
        case Standing.PASSED:
            return FindingChangeKind.UNDETERMINED, "it passes in an assessment that is older than the failure"
        case Standing.NOT_APPLICABLE:
            return FindingChangeKind.NOT_APPLICABLE, None
        case Standing.UNCOUNTED:
            return FindingChangeKind.UNCOUNTED, None
        case _:
            return FindingChangeKind.UNDETERMINED, _why_undetermined(now, check)


def _why_ended(now: PlaceStanding, before: CheckStanding) -> str:
    if before.waiver in now.expired:
        return "the waiver has expired"
    return "the waiver no longer covers it"


def _why_undetermined(now: PlaceStanding, check: str) -> str:
    if not now.whole:
        return now.reason or NOT_THERE
    return "the check gave no answer" if check in now.checks else "the check was not run"
