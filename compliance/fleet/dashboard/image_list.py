"""The list of images: one line each, chosen, sorted and cut into pages on the server, so that thousands do no harm."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from compliance.fleet.alike import once
from compliance.fleet.posture import IMAGE_OUTCOMES, SEVERITIES, UNRESOLVED, failures
from compliance.fleet.run_rows import FleetImage, RunRows
from compliance.fleet.standing import Standing, standing_of
from compliance.model.fleet import CheckRow, ItemState
from reports.redaction import redact
from reports.text import sentence

PAGE_SIZE = 50
WITHOUT = "without"
"""The state of whatever has no assessment, for one reason or another."""

_NEVER = datetime(1, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageLine:
    """One image, or a reference that led to none (`digest` is None). `standings` are those of its checks.

    `failed` are failures that count and that no waiver covers, by severity; texts are fit to print.
    """

    digest: str | None
    policy: str
    assessment: str | None
    references: tuple[str, ...]
    groups: tuple[str, ...]
    owners: tuple[str, ...]
    outcome: str
    state: str
    reason: str | None
    worst: str | None
    failed: Mapping[str, int]
    distribution: str | None
    platform: str | None
    assessed_at: datetime | None
    standings: Mapping[str, Standing] = field(repr=False)
    text: str = field(repr=False)
    """What a search looks in, in small letters."""

    @property
    def failures(self) -> int:
        """All of them."""
        return sum(self.failed.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFilter:
    """Which images, in which order. An empty text means any. `standing` goes with `check`."""

    q: str = ""
    group: str = ""
    owner: str = ""
    outcome: str = ""
    state: str = ""
    severity: str = ""
    check: str = ""
    standing: str = Standing.FAILED.value
    sort: str = "worst"
    page: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagePage:
    """One page of what was found: `first` and `last` count from 1, `total` are found, of `all` there are."""

    lines: tuple[ImageLine, ...]
    page: int
    pages: int
    first: int
    last: int
    total: int
    all: int


def image_lines(rows: RunRows) -> tuple[ImageLine, ...]:
    """A line for each image, then one for each reference without."""
    failed, standings = once(failures), once(_standings)
    return (*(_image(image, failed, standings) for image in rows.images), *_unresolved(rows))


def choose(lines: Sequence[ImageLine], wanted: ImageFilter) -> ImagePage:
    """The page of `lines` that was asked for; one behind the last is the last."""
    found = sorted(filter(_matcher(wanted), lines), key=_ORDERS[wanted.sort])
    pages = max(1, -(-len(found) // PAGE_SIZE))
    page = min(wanted.page, pages)
    begin = (page - 1) * PAGE_SIZE
    shown = tuple(found[begin : begin + PAGE_SIZE])
    return ImagePage(
        lines=shown,
        page=page,
        pages=pages,
        first=begin + 1 if shown else 0,
        last=begin + len(shown),
        total=len(found),
        all=len(lines),
    )


def shown_reference(reference: str) -> str:
    """A reference as it is printed: without what goes without saying, and without secrets."""
    return redact(sentence(reference.removeprefix("registry:")))


def _matcher(wanted: ImageFilter) -> Callable[[ImageLine], bool]:
    words = wanted.q.lower().split()

    def matches(line: ImageLine) -> bool:
        return (
            (not wanted.group or wanted.group in line.groups)
            and (not wanted.owner or wanted.owner in line.owners)
            and (not wanted.outcome or wanted.outcome == line.outcome)
            and (not wanted.state or wanted.state == line.state or (wanted.state == WITHOUT and not line.assessment))
            and (not wanted.severity or bool(line.failed.get(wanted.severity)))
            and (not wanted.check or line.standings.get(wanted.check) == wanted.standing)
            and all(word in line.text for word in words)
        )

    return matches


def _worst(line: ImageLine) -> tuple[object, ...]:
    rank = IMAGE_OUTCOMES.index(line.outcome) if line.outcome in IMAGE_OUTCOMES else 0
    return (*(-line.failed.get(severity, 0) for severity in SEVERITIES), -rank, line.references)


_ORDERS: Mapping[str, Callable[[ImageLine], tuple[object, ...]]] = {
    "worst": _worst,
    "reference": lambda line: (line.references, line.digest or "", line.policy),
    "oldest": lambda line: (line.assessed_at or _NEVER, line.references),
    "newest": lambda line: (-(line.assessed_at or _NEVER).timestamp(), line.references),
}
SORTS = tuple(_ORDERS)


def _standings(checks: tuple[CheckRow, ...]) -> Mapping[str, Standing]:
    return {row.check: standing_of(row) for row in checks}


def _image(
    image: FleetImage,
    failed: Callable[[tuple[CheckRow, ...]], Mapping[str, int]],
    standings: Callable[[tuple[CheckRow, ...]], Mapping[str, Standing]],
) -> ImageLine:
    record, outcome = image.record, image.outcome
    references = tuple(map(shown_reference, image.references))
    reason = None
    if record is None:
        told = None if outcome is None else outcome.reason
        reason = redact(sentence(told or "the run has no outcome of it"))
    word = "not-determined" if record is None else record.outcome
    distribution = None if record is None or record.distribution is None else sentence(record.distribution)
    return ImageLine(
        digest=image.item.digest,
        policy=image.item.policy,
        assessment=None if record is None else record.id,
        references=references,
        groups=image.groups,
        owners=image.owners,
        outcome=word if word in IMAGE_OUTCOMES else "not-determined",
        state=ItemState.NOT_DETERMINED.value if record is None or outcome is None else outcome.state.value,
        reason=reason,
        worst=None if record is None else record.worst,
        failed={} if record is None else failed(record.checks),
        distribution=distribution,
        platform=next((member.platform for member in image.members if member.platform), None),
        assessed_at=None if record is None else record.assessed_at,
        standings={} if record is None else standings(record.checks),
        text=_searched((*references, image.item.digest, distribution or "", reason or "")),
    )


def _unresolved(rows: RunRows) -> Iterator[ImageLine]:
    for member in rows.unresolved:
        reference = shown_reference(member.reference)
        reason = redact(sentence(member.reason or "it led to no image"))
        yield ImageLine(
            digest=None,
            policy=member.policy,
            assessment=None,
            references=(reference,),
            groups=(member.group,),
            owners=(member.owner,),
            outcome="not-determined",
            state=UNRESOLVED,
            reason=reason,
            worst=None,
            failed={},
            distribution=None,
            platform=member.platform,
            assessed_at=None,
            standings={},
            text=_searched((reference, reason)),
        )


def _searched(texts: Iterable[str]) -> str:
    return "\n".join(texts).lower()
