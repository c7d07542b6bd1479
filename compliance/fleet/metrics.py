"""Figures about fleets for Prometheus, in its text format (version 0.0.4).

The format is a name, labels and a number a line; a client library would bring a registry of counters of this process,
where these figures are read from the store when they are asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from compliance.fleet.posture import Part
from compliance.model.fleet import Run

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_Sample = tuple[Mapping[str, str], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetFigures:
    """What is told of one fleet. `run` is the newest that ended, and `total` its counts; `readable`: its store is."""

    fleet: str
    readable: bool
    run: Run | None = None
    total: Part | None = None
    open_items: int = 0
    open_done: int = 0
    next_start: datetime | None = None
    missed: int = 0
    schedule_failures: int = 0
    waivers_expiring: int = 0


def exposition(fleets: Sequence[FleetFigures], now: datetime, tool: str) -> str:
    """All figures as text. What is not known is left out: no number is better than a wrong one."""
    name, _, version = tool.partition(" ")
    lines = list(_metric("hullmark_info", "The program.", [({"name": name, "version": version}, 1)]))
    for metric, text, samples in _metrics(fleets, now):
        lines += _metric(metric, text, samples)
    return "\n".join(lines) + "\n"


def _metrics(fleets: Sequence[FleetFigures], now: datetime) -> Iterator[tuple[str, str, list[_Sample]]]:
    def each(value: Mapping[str, float | None]) -> list[_Sample]:
        return [({"fleet": fleet}, number) for fleet, number in value.items() if number is not None]

    runs = [(one.fleet, one.run) for one in fleets if one.run is not None]
    totals = [(one.fleet, one.total) for one in fleets if one.total is not None]
    known = [one for one in fleets if one.readable]
    yield (
        "hullmark_fleet_store_readable",
        "Whether the store can be read: 1, else 0.",
        each({one.fleet: int(one.readable) for one in fleets}),
    )
    yield (
        "hullmark_fleet_images",
        "Images of the last run that ended, by outcome; a reference without an image is not-determined.",
        [({"fleet": f, "outcome": word}, number) for f, part in totals for word, number in part.outcomes.items()],
    )
    yield (
        "hullmark_fleet_references",
        "Image references of its population.",
        each({f: part.coverage.references for f, part in totals}),
    )
    yield (
        "hullmark_fleet_references_unresolved",
        "Those of them that led to no image.",
        each({f: part.coverage.unresolved for f, part in totals}),
    )
    yield (
        "hullmark_fleet_images_by_state",
        "Its images by what became of them: assessed, reused, not-determined.",
        [
            ({"fleet": f, "state": state}, number)
            for f, part in totals
            for state, number in (
                ("assessed", part.coverage.assessed),
                ("reused", part.coverage.reused),
                ("not-determined", part.coverage.not_determined),
            )
        ],
    )
    yield (
        "hullmark_fleet_open_failures",
        "Failed checks that count and that no waiver covers, by severity, one for each image and check.",
        [({"fleet": f, "severity": word}, number) for f, part in totals for word, number in part.failed.items()],
    )
    yield (
        "hullmark_fleet_waived_failures",
        "Failed checks that a waiver accepts.",
        each({f: part.waived for f, part in totals}),
    )
    yield (
        "hullmark_fleet_waivers_expiring",
        "Waivers that accept a failure and have expired or soon will.",
        each({one.fleet: one.waivers_expiring for one in known if one.run is not None}),
    )
    yield (
        "hullmark_fleet_last_run_number",
        "The number of the last run that ended.",
        each({f: run.number for f, run in runs}),
    )
    yield (
        "hullmark_fleet_last_run_finished_timestamp_seconds",
        "When it ended.",
        each({f: run.finished.timestamp() for f, run in runs if run.finished is not None}),
    )
    yield (
        "hullmark_fleet_last_run_age_seconds",
        "How long ago that was.",
        each({f: (now - run.finished).total_seconds() for f, run in runs if run.finished is not None}),
    )
    yield (
        "hullmark_fleet_last_run_duration_seconds",
        "How long it took.",
        each({f: (run.finished - run.started).total_seconds() for f, run in runs if run.finished is not None}),
    )
    yield (
        "hullmark_fleet_open_run_images",
        "Images of the run that is going on; 0 without one.",
        each({one.fleet: one.open_items for one in known}),
    )
    yield (
        "hullmark_fleet_open_run_images_done",
        "Those of them that something became of.",
        each({one.fleet: one.open_done for one in known}),
    )
    yield (
        "hullmark_fleet_next_run_timestamp_seconds",
        "When the schedule begins the next run.",
        each({one.fleet: None if one.next_start is None else one.next_start.timestamp() for one in fleets}),
    )
    yield (
        "hullmark_fleet_missed_runs",
        "Times of the schedule that went by without a run.",
        each({one.fleet: one.missed for one in known}),
    )
    yield (
        "hullmark_fleet_schedule_failures",
        "How often in a row the scheduler could not do what was due.",
        each({one.fleet: one.schedule_failures for one in fleets}),
    )


def _metric(name: str, text: str, samples: Iterable[_Sample]) -> Iterator[str]:
    shown = [f"{name}{_labels(labels)} {_number(value)}" for labels, value in samples]
    if shown:
        yield f"# HELP {name} {text}"
        yield f"# TYPE {name} gauge"
        yield from shown


def _labels(labels: Mapping[str, str]) -> str:
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items()) + "}" if labels else ""


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(float(value))
