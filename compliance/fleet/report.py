"""The document of a fleet report, out of the facts of its history (reports.fleet_document has its shape)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import cast

from compliance.fleet.accepted import FleetWaiver, fleet_waivers
from compliance.fleet.ageing import Ageing, OpenFailure, Sighting
from compliance.fleet.bases import SharedBase, SharedBases, shared_bases
from compliance.fleet.changes import Changes
from compliance.fleet.fleet_file import Schedule
from compliance.fleet.history import PastRun, chosen_run, compare_runs, ended_runs, last_within, read_history
from compliance.fleet.library_texts import LibraryTexts, library_texts
from compliance.fleet.occurrences import occurrences
from compliance.fleet.period import SAMPLE, Period, PeriodReader
from compliance.fleet.posture import Coverage, Missing, Part, Posture, posture
from compliance.fleet.run_rows import FleetImage
from compliance.fleet.standing import Place, Standing, standing_of
from compliance.model.fleet import AssessmentRecord, FleetStore, ItemState, Run
from reports import fleet_document as shape
from reports.redaction import redact, redact_step
from reports.text import cleaned, sentence, shortened

_TEXT_MAX = 2_000
_OLDEST = 25
"""Open failures of each severity that are listed as the oldest."""
_EXAMPLES = 5
_SLOTS_MAX = 100_000
_SAMPLE_RULE = (
    "images in the order of hex(SHA-256(seed + ':' + digest + ':' + policy)); the seed is the head of the hash chain "
    "at the last run of the window"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The time of a period report, both ends included, and how many images to draw."""

    since: datetime
    until: datetime
    sample: int = SAMPLE


def fleet_report(
    store: FleetStore,
    fleet: str,
    *,
    tool: shape.FleetTool,
    run: str = "latest",
    window: Window | None = None,
    schedule: Schedule | None = None,
) -> shape.FleetDocument:
    """The report on one run: the one with the number `run`, the newest, or the newest within `window`.

    Only runs that ended are reported on. Raises UsageError where there is no such run, StoreError.
    """
    runs = ended_runs(store, fleet)
    last = chosen_run(runs, run) if window is None else last_within(runs, window.since, window.until)
    reader = None if window is None else PeriodReader(window.since, window.until)
    history = read_history(store, fleet, last, reader)
    facts = posture(history.rows)
    records = [image.record for image in history.rows.images if image.record is not None]
    texts = library_texts(store, records)
    period = None
    if reader is not None and window is not None:
        slots = None if schedule is None else _due(schedule, window, runs)
        period = _period(reader.period(slots, window.sample), schedule)
    seen = history.ageing.first_seen()
    keys = {image.item.key: place for place, image in enumerate(history.rows.images)}
    document: shape.FleetDocument = {
        "schemaVersion": shape.SCHEMA_VERSION,
        "fleet": fleet,
        "run": _run(last),
        "store": {"digest": store.digest(), "head": store.head(fleet)},
        "tool": tool,
        "total": _part(facts.total),
        "groups": [_part(part) for part in facts.groups],
        "owners": [_part(part) for part in facts.owners],
        "checks": _checks(facts, texts),
        "frameworks": _frameworks(facts, texts),
        "heat": [
            {"group": cell.group, "framework": cell.framework, "counts": dict(cell.counts)} for cell in facts.cells
        ],
        "images": [_image(image, seen, last) for image in history.rows.images],
        "unresolved": [_missing(one) for one in facts.missing if one.digest is None],
        "worst": [keys[key] for key in facts.worst],
        "changes": None if history.changes is None else _changes(history.changes, history.before, last),
        "ageing": _ageing(history.ageing),
        "bases": _bases(shared_bases(history.rows.images), history.rows.images),
        "waivers": [_waiver(waiver) for waiver in fleet_waivers(history.rows.images, last.effective)],
        "trend": [_trend(past) for past in history.past],
        "period": period,
    }
    return cast(shape.FleetDocument, cleaned(document))


def fleet_changes(store: FleetStore, fleet: str, before: str | None, after: str) -> shape.FleetChanges:
    """What changed from one run to another; without `before` from the one before `after`. Raises UsageError."""
    from compliance.errors import UsageError

    runs = ended_runs(store, fleet)
    last = chosen_run(runs, after)
    if before is None:
        earlier = [run for run in runs if run.number < last.number]
        if not earlier:
            raise UsageError("there is no run before it to compare with", code="run-missing", where=f"run {after}")
        first = earlier[-1]
    else:
        first = chosen_run(runs, before)
    return cast(shape.FleetChanges, cleaned(_changes(compare_runs(store, first, last), first, last)))


def _due(schedule: Schedule, window: Window, runs: Iterable[Run]) -> tuple[datetime, ...]:
    """When runs were due in the window, as far as the store can tell: nobody asks the clock here."""
    until = min(window.until, max(run.finished or run.started for run in runs))
    return occurrences(schedule).between(window.since - timedelta(microseconds=1), until, _SLOTS_MAX)


def _run(run: Run) -> shape.FleetRun:
    return {
        "number": run.number,
        "state": run.state.value,
        "started": _time(run.started),
        "finished": _optional_time(run.finished),
        "effective": _time(run.effective),
        "slot": _optional_time(run.slot),
        "fleetDigest": run.fleet_digest,
        "tool": run.tool,
        "controlsDigest": run.controls_digest,
        "population": run.population,
        "previous": run.previous,
        "chain": run.chain,
    }


def _coverage(coverage: Coverage) -> shape.Coverage:
    return {
        "references": coverage.references,
        "unresolved": coverage.unresolved,
        "images": coverage.images,
        "assessed": coverage.assessed,
        "reused": coverage.reused,
        "notDetermined": coverage.not_determined,
        "oldestReused": _optional_time(coverage.oldest),
        "reasons": [{"code": code, "number": number} for code, number in coverage.reasons.items()],
    }


def _part(part: Part) -> shape.FleetPart:
    return {
        "name": part.name,
        "owners": list(part.owners),
        "coverage": _coverage(part.coverage),
        "outcomes": dict(part.outcomes),
        "failed": dict(part.failed),
        "waived": part.waived,
        "undetermined": part.undetermined,
    }


def _checks(facts: Posture, texts: LibraryTexts) -> list[shape.FleetCheck]:
    found: list[shape.FleetCheck] = []
    for check in facts.checks:
        text = texts.checks.get(check.check)
        found.append(
            {
                "id": check.check,
                "title": check.check if text is None else text["title"],
                "trait": check.trait,
                "severity": check.severity,
                "rationale": "" if text is None else text["rationale"],
                "remediation": "" if text is None else text["remediation"],
                "counts": dict(check.counts),
            }
        )
    return found


def _frameworks(facts: Posture, texts: LibraryTexts) -> list[shape.FleetFramework]:
    grouped: dict[str, list[shape.FleetControl]] = {}
    for control in facts.controls:
        text = texts.controls.get((control.framework, control.control))
        grouped.setdefault(control.framework, []).append(
            {
                "id": control.control,
                "label": control.control if text is None else text["label"],
                "title": control.title,
                "baselines": None if text is None else text["baselines"],
                "mapping": []
                if text is None
                else [{"check": one["check"], "relation": one["relation"]} for one in text["mapping"]],
                "counts": dict(control.counts),
                "waived": control.waived,
            }
        )
    found: list[shape.FleetFramework] = []
    for identifier, controls in sorted(grouped.items()):
        framework = texts.frameworks.get(identifier)
        found.append(
            {
                "id": identifier,
                "name": identifier if framework is None else framework["name"],
                "version": "" if framework is None else framework["version"],
                "caveats": [] if framework is None else list(framework["caveats"]),
                "controls": controls,
            }
        )
    return found


def _image(image: FleetImage, seen: Mapping[tuple[Place, str], Sighting], run: Run) -> shape.FleetImage:
    record, outcome = image.record, image.outcome
    state = ItemState.NOT_DETERMINED if record is None or outcome is None else outcome.state
    return {
        "digest": image.item.digest,
        "policy": image.item.policy,
        "platform": next((member.platform for member in image.members if member.platform), None),
        "references": [_reference(reference) for reference in image.references],
        "groups": list(image.groups),
        "owners": list(image.owners),
        "state": state.value,
        "code": None if outcome is None else outcome.code,
        "reason": _why(image),
        "assessment": None if record is None else record.id,
        "assessedAt": None if record is None else _time(record.assessed_at),
        "outcome": "not-determined" if record is None else record.outcome,
        "worst": None if record is None else record.worst,
        "distribution": None if record is None else record.distribution,
        "user": None if record is None else record.user,
        "profile": None if record is None else record.profile,
        "passed": 0 if record is None else sum(standing_of(row) is Standing.PASSED for row in record.checks),
        "failed": [] if record is None else _failed(image, record, seen, run),
        "undetermined": []
        if record is None
        else [row.check for row in record.checks if row.counts and standing_of(row) is Standing.UNDETERMINED],
    }


def _why(image: FleetImage) -> str | None:
    if image.record is not None:
        return None
    if image.outcome is None:
        return "the run has no outcome of it"
    return _text(image.outcome.reason or "its assessment is not in the store")


def _failed(
    image: FleetImage, record: AssessmentRecord, seen: Mapping[tuple[Place, str], Sighting], run: Run
) -> list[shape.FailedCheck]:
    findings: dict[str, int] = {}
    for finding in record.findings:
        findings[finding.check] = findings.get(finding.check, 0) + (finding.kind != "coverage")
    places = [(member.group, member.reference) for member in image.members]
    failed: list[shape.FailedCheck] = []
    for row in record.checks:
        if row.outcome != "failed":
            continue
        known = [seen[place, row.check] for place in places if (place, row.check) in seen]
        first = min(known, key=lambda one: one.run, default=Sighting(run=run.number, time=run.started))
        failed.append(
            {
                "check": row.check,
                "severity": row.severity,
                "waiver": row.waiver,
                "counts": row.counts,
                "findings": findings.get(row.check, row.observations),
                "since": first.run,
                "sinceTime": _time(first.time),
            }
        )
    return failed


def _missing(one: Missing) -> shape.MissingReference:
    return {
        "group": one.group,
        "owner": one.owner,
        "reference": _reference(one.reference),
        "reason": _text(one.reason),
    }


def _changes(changed: Changes, before: Run | None, after: Run) -> shape.FleetChanges:
    return {
        "before": changed.before,
        "beforeStarted": _time(after.started if before is None else before.started),
        "after": changed.after,
        "afterStarted": _time(after.started),
        "references": changed.places,
        "assessedAgain": changed.assessed_again,
        "imageCounts": {kind.value: number for kind, number in sorted(changed.image_counts.items())},
        "counts": {kind.value: number for kind, number in changed.counts.items()},
        "images": [
            {
                "kind": one.kind.value,
                "group": one.group,
                "owner": one.owner,
                "reference": _reference(one.reference),
                "before": list(one.before),
                "after": list(one.after),
                "reason": None if one.reason is None else _text(one.reason),
            }
            for one in changed.images
        ],
        "findings": [
            {
                "kind": one.kind.value,
                "group": one.group,
                "owner": one.owner,
                "reference": _reference(one.reference),
                "check": one.check,
                "severity": one.severity,
                "before": None if one.before is None else one.before.value,
                "after": None if one.after is None else one.after.value,
                "waiver": one.waiver,
                "reason": None if one.reason is None else _text(one.reason),
            }
            for one in changed.findings
        ],
    }


def _ageing(ageing: Ageing) -> shape.FleetAgeing:
    oldest: list[shape.OldFailure] = []
    for part in ageing.by_severity:
        found = [one for one in ageing.open if one.severity == part.severity]
        found.sort(key=lambda one: (-one.seconds, one.place, one.check))
        oldest += [_old(one) for one in found[:_OLDEST]]
    return {
        "runs": ageing.runs,
        "bySeverity": [
            {
                "severity": part.severity,
                "open": part.open,
                "byAge": list(part.by_age),
                "medianOpen": part.median_open_seconds,
                "fixed": part.fixed,
                "medianFix": part.median_fix_seconds,
            }
            for part in ageing.by_severity
        ],
        "oldest": oldest,
        "waived": len(ageing.waived),
        "waiting": len(ageing.waiting),
    }


def _old(one: OpenFailure) -> shape.OldFailure:
    return {
        "group": one.place[0],
        "reference": _reference(one.place[1]),
        "check": one.check,
        "severity": one.severity,
        "since": one.first.run,
        "sinceTime": _time(one.first.time),
        "seconds": one.seconds,
    }


def _bases(shared: SharedBases, images: Iterable[FleetImage]) -> shape.FleetBases:
    names = {image.item.digest: image.references[0] for image in images if image.references}
    return {
        "images": shared.images,
        "occurrences": shared.occurrences,
        "placed": shared.placed,
        "bases": [_base(base, names) for base in shared.bases],
    }


def _base(base: SharedBase, names: Mapping[str, str]) -> shape.FleetBase:
    return {
        "layers": list(base.layers),
        "own": base.own,
        "parent": base.parent,
        "images": len(base.images),
        "groups": list(base.groups),
        "distribution": base.distribution,
        "createdBy": None if base.created_by is None else shortened(sentence(redact_step(base.created_by)), 300),
        "itself": [_reference(name) for name in base.itself],
        "examples": [_reference(names[digest]) for digest in base.images[:_EXAMPLES]],
        "findings": base.findings,
        "occurrences": base.occurrences,
        "cleared": base.cleared,
        "checks": list(base.checks),
    }


def _waiver(waiver: FleetWaiver) -> shape.FleetWaiver:
    return {
        "id": waiver.id,
        "check": waiver.check,
        "approver": waiver.approver,
        "reason": _text(waiver.reason),
        "ticket": waiver.ticket,
        "created": waiver.created,
        "expires": waiver.expires,
        "standing": waiver.standing.value,
        "daysLeft": waiver.days_left,
        "applied": waiver.applied,
        "states": dict(waiver.states),
        "groups": list(waiver.groups),
    }


def _trend(past: PastRun) -> shape.TrendRun:
    return {
        "number": past.run.number,
        "started": _time(past.run.started),
        "finished": _optional_time(past.run.finished),
        "chain": past.run.chain,
        "coverage": _coverage(past.part.coverage),
        "outcomes": dict(past.part.outcomes),
        "failed": dict(past.part.failed),
        "waived": past.part.waived,
        "fixed": past.fixed,
        "new": past.new,
        "checks": [
            {
                "id": check.check,
                "failed": check.counts[Standing.FAILED],
                "waived": check.counts[Standing.WAIVED],
                "undetermined": check.counts[Standing.UNDETERMINED],
                "passed": check.counts[Standing.PASSED],
            }
            for check in sorted(past.checks, key=lambda check: check.check)
            if check.counts[Standing.FAILED] or check.counts[Standing.WAIVED]
        ],
    }


def _period(period: Period, schedule: Schedule | None) -> shape.FleetPeriod:
    return {
        "since": _time(period.since),
        "until": _time(period.until),
        "runs": [one.run.number for one in period.runs],
        "due": period.due,
        "schedule": None if schedule is None else f"{schedule.cron} {schedule.timezone}",
        "gaps": [{"since": _time(gap.since), "until": _time(gap.until), "missed": gap.missed} for gap in period.gaps],
        "longestSeconds": period.longest_seconds,
        "seed": period.seed,
        "rule": _SAMPLE_RULE,
        "population": period.population,
        "sample": [
            {
                "digest": one.digest,
                "policy": one.policy,
                "rank": one.rank,
                "references": [_reference(name) for name in one.references],
                "groups": list(one.groups),
                "runs": list(one.runs),
                "outcome": one.outcome,
                "assessment": one.assessment,
            }
            for one in period.sample
        ],
    }


def _time(moment: datetime) -> str:
    """RFC 3339 in UTC with Z."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _optional_time(moment: datetime | None) -> str | None:
    return None if moment is None else _time(moment)


def _reference(reference: str) -> str:
    return redact(sentence(reference))


def _text(text: str) -> str:
    return shortened(redact(sentence(text)), _TEXT_MAX)
