"""Evidence that others made, heard and weighed: verified attestations, and reports that the user gives as files.

The rule for all of it: what speaks against the image counts from a signer that was demanded and from the user's own
files, however old; what speaks for it counts only signed, by a demanded signer, and fresh. An attestation that
does not verify for a demanded signer is not heard at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Generic, TypeVar

from compliance.errors import FormatError
from compliance.formats.named_image import names_this
from compliance.formats.plain_text import plain_text
from compliance.formats.predicates import CYCLONEDX, Said
from compliance.formats.scan_file import ScanFile, read_scan_file
from compliance.formats.vex import VexDocument
from compliance.formats.vulnerability_scan import VulnerabilityScan
from compliance.model.evidence import Evidence, SuppliedReport
from compliance.model.image import Image
from compliance.model.outcome import Failed, Observation, ObservationKind, Outcome, Passed, Unknown
from compliance.model.verification import Attestation
from controls.observe import count
from controls.statements import attestations, judge_signed, signer_text, trusted, understood

CLOCKS_DIFFER = timedelta(days=1)
"""How far a report may be dated after the assessment: some times have no zone."""

T = TypeVar("T", bound=Said)
_IN_BOMS = (VulnerabilityScan, VexDocument)
_LISTING = b'"vulnerabilities"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Testimony(Generic[T]):
    """One thing that somebody states of this image. `signed`: verified, for a signer that was demanded.

    `lead` introduces it in a result, `source` names it in a sentence, and `method` in its observations.
    """

    said: T
    signed: bool
    source: str
    lead: Observation
    method: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Docket(Generic[T]):
    """All that was found of one kind. `attested` are the attestations, believed or not; `damaged` what could be
    against the image but can't be read; `aside` what is not heard, and why."""

    heard: tuple[Testimony[T], ...]
    attested: tuple[Attestation, ...]
    damaged: tuple[Observation, ...]
    aside: tuple[Observation, ...]


def docket(
    evidence: Evidence, kind: type[T], types: tuple[str, ...], *, counts: Callable[[T], bool] = lambda _: True
) -> Docket[T]:
    """What is stated of that `kind`: in attestations of `types` about this digest, and in the user's files.

    CycloneDX documents are looked through where they may hold it. What does not count by `counts` is as if it
    were not there.
    """
    heard: list[Testimony[T]] = []
    attested: list[Attestation] = []
    damaged: list[Observation] = []
    aside: list[Observation] = []
    boms = (CYCLONEDX,) if kind in _IN_BOMS else ()
    for attestation in attestations(evidence, (*types, *boms)):
        if attestation.predicate_type.startswith(boms) and _LISTING not in attestation.statement:
            continue  # an SBOM and nothing else, which may be large
        try:
            said = [one for one in understood(attestation) if isinstance(one, kind)]
        except FormatError as error:
            attested.append(attestation)
            if trusted(evidence, attestation):
                damaged.append(_lead(attestation, f"is not understood: {error}"))
            continue
        counted = [one for one in said if counts(one)]
        if not counted and (said or attestation.predicate_type.startswith(boms)):
            continue
        attested.append(attestation)
        if not trusted(evidence, attestation):
            continue
        if not counted:
            aside.append(_lead(attestation, "is of a form that is not read"))
        heard += [_signed(one, attestation) for one in counted]
    for report in evidence.supplied:
        _hear_file(report, kind, counts, evidence.image, heard, aside)
    return Docket(heard=tuple(heard), attested=tuple(attested), damaged=tuple(damaged), aside=tuple(aside))


def judge(
    evidence: Evidence,
    found: Docket[T],
    what: str,
    *,
    weigh: Callable[[Testimony[T]], Outcome],
    reservation: Callable[[T], str | None],
) -> Outcome:
    """The outcome of everything heard. `weigh` judges the content of one; `reservation` says why a signed one can't
    count in favour (too old, not complete), None where it can.

    One that speaks against fails. Passing takes one that is signed, without reservation and speaks for the image,
    and none beside it that leaves it open.
    """
    against: list[Observation] = []
    favourable: list[Observation] = []
    open_: list[tuple[str, Observation]] = []
    aside = list(found.aside)
    reasons: list[str] = []
    for testimony in found.heard:
        outcome = weigh(testimony)
        seen = _told(testimony, outcome)
        held_back = "is unsigned: nobody vouches for it" if not testimony.signed else reservation(testimony.said)
        if isinstance(outcome, Failed):
            against += seen
        elif held_back is not None:
            reasons.append(f"{testimony.source} {held_back}")
            aside += seen
        elif isinstance(outcome, Passed):
            favourable += seen
        else:
            open_ += [(f"{testimony.source}: {outcome.reason}", one) for one in seen]
    if against:
        return Failed(observations=(*against, *favourable, *found.damaged, *aside))
    unclear = [*((f"{what}: one that verifies can't be read", one) for one in found.damaged), *open_]
    if unclear:
        rest = (*(one for _, one in unclear), *favourable, *aside)
        return Unknown(reason=unclear[0][0], observations=rest)
    if favourable:
        return Passed(observations=(*favourable, *aside))
    return _not_shown(evidence, found, what, reasons, tuple(aside))


def _not_shown(
    evidence: Evidence, found: Docket[T], what: str, reasons: list[str], aside: tuple[Observation, ...]
) -> Outcome:
    """Nothing counts for the image, and nothing against it: what is there, and why it does not count."""
    believed = any(trusted(evidence, attestation) for attestation in found.attested)
    if not believed and (found.attested or not reasons):
        outcome = judge_signed(evidence, found.attested, what)
        seen = (*outcome.observations, *aside)
        if isinstance(outcome, Failed):
            return Failed(observations=seen)
        stated = (outcome.reason,) if isinstance(outcome, Unknown) else ()
        return Unknown(reason="; ".join((*stated, *reasons[:2])), observations=seen)
    return Unknown(reason="; ".join(reasons[:3]) or f"{what}: of a form that is not read", observations=aside)


def age_reservation(time: datetime | None, now: datetime, days: int, what: str) -> str | None:
    """Why something made at `time` does not count for the image at `now`: not within `days`; None where it does."""
    if time is None:
        return f"does not say when {what} was made"
    if time - now > CLOCKS_DIFFER:
        return f"is of {time:%Y-%m-%d}, after the time of this assessment"
    age = (now - time).days
    return f"has {what} of {time:%Y-%m-%d}, {count(age, 'day')} old: more than {days}" if age > days else None


def note_about(summary: str) -> Observation:
    """An observation within a testimony; where it comes from is added when it is told."""
    return Observation(summary=summary, kind=ObservationKind.SIGNATURE)


def listed(items: Iterable[Observation], most: int) -> tuple[Observation, ...]:
    """The first `most` of the observations, and how many more of the kind there are."""
    found = tuple(items)
    if len(found) <= most:
        return found
    return (*found[:most], note_about(f"And {len(found) - most:,} more of that kind, which are not listed."))


def _hear_file(
    report: SuppliedReport,
    kind: type[T],
    counts: Callable[[T], bool],
    image: Image,
    heard: list[Testimony[T]],
    aside: list[Observation],
) -> None:
    """One file of the user's: heard where it holds the `kind` and does not name another image."""
    read = read_report(report)
    if read is None:
        return  # told of once, where the files are listed
    said = [one for one in read.said if isinstance(one, kind) and counts(one)]
    if not said:
        return
    name = plain_text(report.name, 200)
    about = names_this(image, read.images)
    if about is False:
        aside.append(
            Observation(
                summary=f"The file {name} ({read.form}) is about another image than this one, so it does not count.",
                kind=ObservationKind.NOTE,
                value=f"sha256:{report.sha256}",
                method=f"file {name}, unsigned",
            )
        )
        return
    unnamed = "" if about else ", which names no image and was given as being about this one,"
    for one in said:
        lead = Observation(
            summary=f"The unsigned file {name}{unnamed} states: {one.summary}.",
            kind=ObservationKind.NOTE,
            value=f"sha256:{report.sha256}",
        )
        source = f"the file {name}"
        heard.append(Testimony(said=one, signed=False, source=source, lead=lead, method=f"file {name}, unsigned"))


@lru_cache(maxsize=4)
def read_report(report: SuppliedReport) -> ScanFile | None:
    """The report; None for what is none. Kept, as several checks look at the same few files."""
    try:
        return read_scan_file(report.content)
    except FormatError:
        return None


def _signed(said: T, attestation: Attestation) -> Testimony[T]:
    return Testimony(
        said=said,
        signed=True,
        source=f"the attestation by {signer_text(attestation.signer)}",
        lead=_lead(attestation, f"states: {said.summary}"),
        method=_method(attestation),
    )


def _lead(attestation: Attestation, what: str) -> Observation:
    return Observation(
        summary=f"The attestation by {signer_text(attestation.signer)} {what}.",
        kind=ObservationKind.SIGNATURE,
        value=attestation.material,
        method=_method(attestation),
    )


def _method(attestation: Attestation) -> str:
    return f"{attestation.predicate_type}, {attestation.found_in}"


def _told(testimony: Testimony[T], outcome: Outcome) -> tuple[Observation, ...]:
    """The introduction, and what was seen, each saying where it comes from."""
    kind = ObservationKind.SIGNATURE if testimony.signed else ObservationKind.NOTE
    return tuple(
        replace(seen, kind=seen.kind if seen.kind is ObservationKind.PACKAGE else kind, method=testimony.method)
        for seen in (testimony.lead, *outcome.observations)
    )
