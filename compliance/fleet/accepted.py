"""The waivers of a fleet: which accept a failure now, which soon will not, and which accept nothing at all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

from compliance.fleet.run_rows import FleetImage
from compliance.model.fleet import WaiverRow

SOON_DAYS = 30


class WaiverStanding(StrEnum):
    """What a waiver amounts to over all images, the most urgent first."""

    EXPIRED = "expired"  # it accepted until it ran out; what it covered counts again
    EXPIRING = "expiring"  # it accepts a failure, and runs out within SOON_DAYS
    IN_FORCE = "in-force"
    ORPHANED = "orphaned"  # it accepts nothing in any image
    NOT_YET = "not-yet"


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetWaiver:
    """One waiver over all images. `states` counts what became of it (WaiverState) for each image that was assessed
    with it; `applied` those in which it accepts a failure. `days_left` is None for one without an end."""

    id: str
    check: str
    approver: str
    reason: str
    ticket: str | None
    created: str
    expires: str | None
    standing: WaiverStanding
    days_left: int | None
    applied: int
    states: Mapping[str, int]
    groups: tuple[str, ...] = field(repr=False)


def fleet_waivers(images: Iterable[FleetImage], now: datetime) -> tuple[FleetWaiver, ...]:
    """Every waiver as of `now`, the most urgent first, then by what is left of it."""
    states: dict[tuple[str, ...], Counter[str]] = {}
    rows: dict[tuple[str, ...], WaiverRow] = {}
    groups: dict[tuple[str, ...], set[str]] = {}
    for image in images:
        for row in () if image.record is None else image.record.waivers:
            key = (row.id, row.check, row.approver, row.created, row.expires or "", row.reason)
            rows.setdefault(key, row)
            states.setdefault(key, Counter())[row.state] += 1
            groups.setdefault(key, set()).update(image.groups)
    found = [_waiver(rows[key], states[key], groups[key], now) for key in rows]
    order = {standing: rank for rank, standing in enumerate(WaiverStanding)}
    return tuple(
        sorted(
            found,
            key=lambda one: (
                order[one.standing],
                one.days_left is None,
                one.days_left or 0,
                one.id,
                one.check,
                one.reason,
            ),
        )
    )


def _waiver(row: WaiverRow, states: Counter[str], groups: Iterable[str], now: datetime) -> FleetWaiver:
    end = None if row.expires is None else _moment(row.expires)
    left = None if end is None else (end - now).days  # whole days, rounded down: less than none once it has passed
    return FleetWaiver(
        id=row.id,
        check=row.check,
        approver=row.approver,
        reason=row.reason,
        ticket=row.ticket,
        created=row.created,
        expires=row.expires,
        standing=_standing(states, left),
        days_left=left,
        applied=states["applied"],
        states=dict(sorted(states.items())),
        groups=tuple(sorted(groups)),
    )


def _standing(states: Counter[str], left: int | None) -> WaiverStanding:
    if states["expired"] or (left is not None and left < 0):
        return WaiverStanding.EXPIRED
    if states["applied"]:
        return WaiverStanding.EXPIRING if left is not None and left <= SOON_DAYS else WaiverStanding.IN_FORCE
    return WaiverStanding.NOT_YET if states["not-yet"] else WaiverStanding.ORPHANED


def _moment(text: str) -> datetime | None:
    """A time as the assessment document has it; None for what is none."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
