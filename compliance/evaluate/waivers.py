"""Waivers: failures that somebody accepts, for some images, for some time, and for a reason. Pure: time is given.

A waiver covers one failed check of one image, or none of it: one that names paths covers a failure only where every
finding lies at those paths. It covers failures and nothing else: what was not found out stays open, and what it
covers stays a failure in every report.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from compliance.formats.globs import PathMatcher
from compliance.model.assessment import WaiverState, WaiverUse
from compliance.model.outcome import CheckResult, Failed, Observation, ObservationKind, OutcomeWord, Waiver

LONG = timedelta(days=366)
"""Beyond a year nobody remembers why."""
_NO_COUNTER_EXAMPLE = (ObservationKind.COVERAGE, ObservationKind.NOTE)

Names = Callable[[str, str], bool]
"""Whether a pattern names an image."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WaivedImage:
    """What a waiver has to be about: the image's `name`, as patterns name it, and the `digests` that are this image."""

    name: str
    digests: frozenset[str]


def apply(
    waivers: Sequence[Waiver], results: Iterable[CheckResult], image: WaivedImage, names: Names, now: datetime
) -> tuple[tuple[CheckResult, ...], tuple[WaiverUse, ...]]:
    """`results` with the first waiver that covers each failure, and what became of every waiver, in their order."""
    found = {result.check.id: result for result in results}
    uses: list[WaiverUse] = []
    for waiver in waivers:
        result = found.get(waiver.check)
        state = _state(waiver, result, image, names, now)
        if result is not None and state is WaiverState.APPLIED:
            if result.waiver is None:
                found[waiver.check] = replace(result, waiver=waiver)
            else:
                state = WaiverState.SURPLUS
        uses.append(WaiverUse(waiver=waiver, state=state))
    return tuple(found.values()), tuple(uses)


def _state(waiver: Waiver, result: CheckResult | None, image: WaivedImage, names: Names, now: datetime) -> WaiverState:
    if not is_about(waiver, image, names):
        return WaiverState.OTHER_IMAGE
    if waiver.expires is not None and now >= waiver.expires:
        return WaiverState.EXPIRED
    if now < waiver.created:
        return WaiverState.NOT_YET
    if result is None:
        return WaiverState.NO_CHECK
    if not isinstance(result.outcome, Failed):
        return WaiverState.NO_FAILURE
    return WaiverState.APPLIED if covers(waiver, result.outcome.observations) else WaiverState.NOT_ALL


def is_about(waiver: Waiver, image: WaivedImage, names: Names) -> bool:
    """Whether the waiver is about that image: by digest if it names one, and by name if it names any."""
    if waiver.digest is not None and waiver.digest not in image.digests:
        return False
    return not waiver.images or any(names(pattern, image.name) for pattern in waiver.images)


def covers(waiver: Waiver, observations: Iterable[Observation]) -> bool:
    """Whether every counter-example lies at the waiver's paths, under all its names; without paths it covers all."""
    if not waiver.paths:
        return True
    matcher = PathMatcher(waiver.paths)
    counter = [seen for seen in observations if seen.kind not in _NO_COUNTER_EXAMPLE]
    return bool(counter) and all(
        seen.path is not None and all(matcher.matches(path) for path in (seen.path, *seen.names)) for seen in counter
    )


def too_broad(waiver: Waiver) -> tuple[str, ...]:
    """Why a waiver accepts more than anybody can have looked at; empty where it does not."""
    reasons = []
    wide = [pattern for pattern in waiver.images if not pattern.replace("*", "").strip("/:")]
    if waiver.digest is None and (wide or not waiver.images):
        reasons.append("it is about every image")
    if any(not path.replace("*", "").strip("/") for path in waiver.paths):
        reasons.append("its paths are every path")
    if waiver.expires is not None and waiver.expires - waiver.created > LONG:
        reasons.append(f"it lasts {(waiver.expires - waiver.created).days} days")
    return tuple(reasons)


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessed:
    """One assessment as a review of waivers needs it: the image, and by check its outcome and the paths of findings.

    `paths` are those of each counter-example, all its names; None stands for one that is no file.
    """

    image: WaivedImage
    outcomes: dict[str, OutcomeWord]
    paths: dict[str, tuple[tuple[str, ...] | None, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class WaiverReview:
    """What is to be said of one waiver: `wrong` must be mended, `soon` is when it expires if that is near."""

    waiver: Waiver
    wrong: tuple[tuple[str, str], ...]
    soon: datetime | None


def review(
    waivers: Iterable[Waiver],
    *,
    now: datetime,
    soon: timedelta,
    checks: Collection[str],
    assessments: Sequence[Assessed],
    names: Names,
) -> tuple[WaiverReview, ...]:
    """Each waiver with what is wrong with it as (word, reason): expired, not-yet, orphaned, never-expires, too-broad.

    It is orphaned where its check is none of `checks`, or where none of the `assessments` about its images has a
    failure that it could cover; assessments about other images say nothing of it.
    """
    return tuple(_review(waiver, now, soon, checks, assessments, names) for waiver in waivers)


def _review(
    waiver: Waiver,
    now: datetime,
    soon: timedelta,
    checks: Collection[str],
    assessments: Sequence[Assessed],
    names: Names,
) -> WaiverReview:
    wrong: list[tuple[str, str]] = []
    near = None
    if waiver.expires is None:
        wrong.append(("never-expires", "it has no end"))
    elif now >= waiver.expires:
        wrong.append(("expired", f"at {waiver.expires:%Y-%m-%dT%H:%M:%SZ}"))
    elif waiver.expires - now <= soon:
        near = waiver.expires
    if now < waiver.created:
        wrong.append(
            ("not-yet", f"it was made at {waiver.created:%Y-%m-%dT%H:%M:%SZ}, later than the time asked about")
        )
    orphaned = _orphaned(waiver, checks, [one for one in assessments if is_about(waiver, one.image, names)])
    if orphaned is not None:
        wrong.append(("orphaned", orphaned))
    wrong += [("too-broad", reason) for reason in too_broad(waiver)]
    return WaiverReview(waiver=waiver, wrong=tuple(wrong), soon=near)


def _orphaned(waiver: Waiver, checks: Collection[str], about: Sequence[Assessed]) -> str | None:
    if waiver.check not in checks:
        return f"there is no check {waiver.check}"
    if not about:
        return None
    failing = [one for one in about if one.outcomes.get(waiver.check) is OutcomeWord.FAILED]
    if not failing:
        return f"{waiver.check} did not fail in any assessment of its images"
    if not waiver.paths:
        return None
    matcher = PathMatcher(waiver.paths)
    found = (paths for one in failing for paths in one.paths.get(waiver.check, ()) if paths is not None)
    hit = any(matcher.matches(path) for paths in found for path in paths)
    return None if hit else f"{waiver.check} found nothing at its paths"
