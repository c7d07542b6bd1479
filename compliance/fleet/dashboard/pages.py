"""What stands on each page of the dashboard about one fleet; the layout is in ``templates``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

from compliance.fleet.accepted import WaiverStanding
from compliance.fleet.bases import SharedBase
from compliance.fleet.changes import FindingChange, FindingChangeKind, ImageChange, ImageChangeKind
from compliance.fleet.dashboard import query
from compliance.fleet.dashboard.addresses import address, having
from compliance.fleet.dashboard.fleet_reader import FleetReader, PastImage, RunFacts
from compliance.fleet.dashboard.image_list import SORTS, WITHOUT, ImageFilter, ImageLine, choose, shown_reference
from compliance.fleet.posture import IMAGE_OUTCOMES, NOT_ASSESSED, NOT_RUN, SEVERITIES, UNRESOLVED, worst_first
from compliance.fleet.standing import Standing, standing_of
from compliance.model.fleet import AssessmentRecord, CheckRow, FindingRow, ItemState, LayerRow, Run
from reports import fleet_wording, html_charts, wording
from reports.redaction import redact
from reports.text import sentence, shortened

if TYPE_CHECKING:
    from markupsafe import Markup

    from reports.document import Check

Context = dict[str, object]
_Change = TypeVar("_Change", FindingChange, ImageChange)

WORST_SHOWN = 10
BASES_SHOWN = 20
IMAGES_ON_BASE = 8
CHANGES_SHOWN = 100
FINDINGS_SHOWN = 100
MISSED_SHOWN = 20

STANDING_NAMES = {
    Standing.FAILED: "failed",
    Standing.WAIVED: "failed, waived",
    Standing.UNDETERMINED: "undetermined",
    Standing.UNCOUNTED: "failed, does not count",
    Standing.NOT_APPLICABLE: "not applicable",
    Standing.PASSED: "passed",
}
STATE_NAMES = {
    ItemState.ASSESSED.value: "assessed in this run",
    ItemState.REUSED.value: "reused from an earlier run",
    ItemState.NOT_DETERMINED.value: "not determined",
    UNRESOLVED: "led to no image",
    WITHOUT: "without an assessment, for whatever reason",
}
SORT_NAMES = {
    "worst": "worst first",
    "reference": "by reference",
    "oldest": "oldest assessment first",
    "newest": "newest assessment first",
}
CHANGE_NAMES = {
    FindingChangeKind.NEW: ("failed", "new"),
    FindingChangeKind.FIXED: ("passed", "fixed"),
    FindingChangeKind.WAIVER_ENDED: ("failed", "waiver ended"),
    FindingChangeKind.WAIVED: ("not-applicable", "waived"),
    FindingChangeKind.UNDETERMINED: ("unknown", "no longer determined"),
    FindingChangeKind.GONE: ("not-applicable", "reference gone"),
    FindingChangeKind.NOT_APPLICABLE: ("not-applicable", "no longer applies"),
    FindingChangeKind.UNCOUNTED: ("not-applicable", "no longer counts"),
    FindingChangeKind.STILL_OPEN: ("failed", "still open"),
    FindingChangeKind.STILL_WAIVED: ("not-applicable", "still waived"),
}
_LISTED_CHANGES = tuple(
    kind for kind in CHANGE_NAMES if kind not in (FindingChangeKind.STILL_OPEN, FindingChangeKind.STILL_WAIVED)
)
IMAGE_CHANGE_NAMES = {
    ImageChangeKind.APPEARED: "new reference",
    ImageChangeKind.GONE: "reference gone",
    ImageChangeKind.MOVED: "another image behind it",
    ImageChangeKind.LOST: "no longer determined",
    ImageChangeKind.FOUND: "determined again",
}
WAIVER_NAMES = {
    WaiverStanding.EXPIRED: ("unknown", "expired"),
    WaiverStanding.EXPIRING: ("unknown", "expires soon"),
    WaiverStanding.IN_FORCE: ("passed", "in force"),
    WaiverStanding.ORPHANED: ("not-applicable", "accepts nothing"),
    WaiverStanding.NOT_YET: ("not-applicable", "not yet in force"),
}
CHECK_LEGEND = (
    ("passed", "passed"),
    ("waived", "failed, waived"),
    ("failed", "failed"),
    ("unknown", "undetermined or not run"),
    ("absent", "image not assessed"),
    ("not-applicable", "not applicable, or does not count"),
)
CONTROL_LEGEND = (
    ("satisfied", "satisfied or supported"),
    ("contradicted", "contradicted"),
    ("undetermined", "undetermined"),
    ("absent", "image not assessed"),
    ("not-applicable", "not applicable"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """The fleet and run that a page is about. `explicit`: the run was asked for by its number."""

    reader: FleetReader
    runs: tuple[Run, ...]
    run: Run
    explicit: bool

    @property
    def name(self) -> str:
        """The fleet's."""
        return self.reader.fleet.name

    @property
    def number(self) -> int | None:
        """The run's, where links have to carry it on."""
        return self.run.number if self.explicit else None

    @property
    def facts(self) -> RunFacts:
        """Everything about the run."""
        return self.reader.facts(self.run)

    def link(self, page: str, **parameters: object) -> str:
        """A page about the same run."""
        return address("fleets", self.name, page, run=self.number, **parameters)

    def image_link(self, line: ImageLine) -> str:
        """The page of an image."""
        return image_address(self.name, line, self.number)

    def images_in(self, check: str, standing: Standing) -> str:
        """The images in which a check stands so."""
        return self.link("images", check=check, standing=standing.value)


def image_address(fleet: str, line: ImageLine, run: int | None) -> str:
    """The page of an image."""
    return address("fleets", fleet, "images", line.digest or "", policy=line.policy, run=run)


def navigation(reader: FleetReader, chosen: Chosen | None, current: str) -> list[tuple[str, str, int | None, bool]]:
    """Name, address, number and whether it is this one, of every page of a fleet."""
    run = None if chosen is None else chosen.number
    pages = [("", "Summary", None), ("images", "Images", None if chosen is None else len(chosen.facts.lines))]
    pages += [("checks", "Checks", None), ("controls", "Controls", None)]
    pages += [("waivers", "Waivers", None if chosen is None else len(chosen.facts.waivers))]
    pages += [("bases", "Shared bases", None), ("changes", "Changes", None)]
    pages += [("runs", "Runs", None), ("downloads", "Downloads", None)]
    return [
        (
            title,
            address(
                "fleets", reader.fleet.name, *filter(None, (name,)), run=None if name in ("changes", "runs") else run
            ),
            number,
            name == current,
        )
        for name, title, number in pages
    ]


def summary(chosen: Chosen) -> Context:
    """The fleet at a glance."""
    facts = chosen.facts
    lines = {(line.digest, line.policy): line for line in facts.lines}
    worst = [lines[image.item.key] for image in worst_first(facts.rows.images)[:WORST_SHOWN]]
    trend = chosen.reader.trend()
    return {
        "total": facts.posture.total,
        "groups": facts.posture.groups,
        "images_address": chosen.link("images"),
        "worst": [(line, chosen.image_link(line)) for line in worst],
        "trend": tuple(reversed(trend)) if len(trend) > 1 else (),
        "reasons": tuple(facts.posture.total.coverage.reasons.items()),
    }


def images(chosen: Chosen, wanted: ImageFilter, here: str) -> Context:
    """The list of images."""
    facts = chosen.facts
    page = choose(facts.lines, wanted)
    groups = sorted({group for line in facts.lines for group in line.groups})
    owners = sorted({owner for line in facts.lines for owner in line.owners})
    checks = [(row.check, row.check) for row in sorted(facts.posture.checks, key=lambda row: row.check)]
    return {
        "page": page,
        "filter": wanted,
        "rows": [(line, chosen.image_link(line) if line.digest else None) for line in page.lines],
        "choices": (
            ("outcome", "Outcome", [(word, fleet_wording.OUTCOMES[word]) for word in IMAGE_OUTCOMES], wanted.outcome),
            ("severity", "Open failures of severity", [(word, word) for word in SEVERITIES], wanted.severity),
            ("group", "Group", [(name, name) for name in groups], wanted.group),
            ("owner", "Owner", [(name, name) for name in owners], wanted.owner),
            ("state", "In this run", [(word, STATE_NAMES[word]) for word in query.STATES], wanted.state),
            ("check", "Check", checks, wanted.check),
            (
                "standing",
                "How that check stands",
                [(one.value, STANDING_NAMES[one]) for one in Standing],
                wanted.standing,
            ),
            ("sort", "Order", [(word, SORT_NAMES[word]) for word in SORTS], wanted.sort),
        ),
        "more_used": bool(wanted.owner or wanted.state or wanted.check) or wanted.sort != SORTS[0],
        "cleared": chosen.link("images"),
        "paged": having(here, page=None),
    }


def find_line(facts: RunFacts, digest: str, policy: str) -> ImageLine | None:
    """The image with that digest, under that policy or (where none is named) the first of them."""
    found = [line for line in facts.lines if line.digest == digest and policy in ("", line.policy)]
    return found[0] if found else None


def image(chosen: Chosen, line: ImageLine) -> Context:
    """One image: what is known of it in this run, and how it was in earlier ones."""
    record = None if line.assessment is None else chosen.reader.record(line.assessment)
    context: Context = {
        "line": line,
        "record": record,
        "statuses": wording.STATUSES,
        "history": list(_history(chosen, line)),
        "waivers_address": chosen.link("waivers"),
    }
    if record is not None:
        context |= {
            "sections": _sections(chosen, record),
            "controls": _frameworks_of(chosen.facts, record),
            "layers": [_layer(number, layer) for number, layer in enumerate(record.layers, 1)],
        }
    return context


def _sections(chosen: Chosen, record: AssessmentRecord) -> list[tuple[str, list[Context]]]:
    findings: dict[str, list[FindingRow]] = {}
    for finding in record.findings:
        findings.setdefault(finding.check, []).append(finding)
    rank = {word: place for place, word in enumerate(SEVERITIES)}
    rows = sorted(record.checks, key=lambda row: (not row.counts, rank.get(row.severity, 9), row.check))
    shown = [(row, _check(chosen, row, findings.get(row.check, []))) for row in rows]

    def of(*outcomes: str) -> list[Context]:
        return [view for row, view in shown if row.outcome in outcomes]

    return [
        ("Failed", of("failed")),
        ("Not determined", of("unknown", "errored")),
        ("Passed", of("passed")),
        ("Not applicable", of("not-applicable")),
    ]


def _check(chosen: Chosen, row: CheckRow, findings: Sequence[FindingRow]) -> Context:
    text = chosen.facts.texts.checks.get(row.check)
    standing = standing_of(row)
    return {
        "id": row.check,
        "title": _title(text, ""),
        "outcome": row.outcome if row.outcome in wording.OUTCOMES else "unknown",
        "word": wording.OUTCOMES.get(row.outcome, row.outcome),
        "severity": row.severity,
        "waiver": row.waiver,
        "counts": row.counts,
        "rationale": "" if text is None else text["rationale"],
        "remediation": "" if text is None else text["remediation"],
        "findings": [_finding(finding) for finding in findings[:FINDINGS_SHOWN]],
        "more": max(0, len(findings) - FINDINGS_SHOWN),
        "others": chosen.images_in(row.check, standing),
        "same": f"is {STANDING_NAMES[standing]}"
        if standing in (Standing.UNDETERMINED, Standing.NOT_APPLICABLE)
        else (STANDING_NAMES[standing]),
    }


def _title(text: Check | None, otherwise: str) -> str:
    return otherwise if text is None else text["title"]


def _finding(finding: FindingRow) -> Context:
    facts = (
        finding.verdict,
        finding.package,
        None if finding.layer is None else f"layer {wording.short_digest(finding.layer)}",
        None if finding.sha256 is None else f"sha256:{finding.sha256[:12]}",
    )
    return {
        "path": None if finding.path is None else shortened(redact(sentence(finding.path))),
        "summary": shortened(redact(sentence(finding.summary)), 500),
        "facts": " · ".join(sentence(fact) for fact in facts if fact),
    }


def _layer(number: int, layer: LayerRow) -> Context:
    return {
        "number": number,
        "size": wording.size(layer.size),
        "digest": layer.digest,
        "created_by": shortened(redact(sentence(layer.created_by or "")), 300),
    }


def _frameworks_of(facts: RunFacts, record: AssessmentRecord) -> list[tuple[str, list[Context]]]:
    found: dict[str, list[Context]] = {}
    for row in record.controls:
        text = facts.texts.controls.get((row.framework, row.control))
        framework = facts.texts.frameworks.get(row.framework)
        found.setdefault(row.framework if framework is None else framework["name"], []).append(
            {
                "control": row.control if text is None else text["label"],
                "title": row.title,
                "status": row.status if row.status in wording.STATUSES else "undetermined",
                "waived": row.waived,
            }
        )
    return sorted(found.items())


def _history(chosen: Chosen, line: ImageLine) -> Iterator[tuple[Run, PastImage, str]]:
    """What its first reference led to in the runs before, as far as they have been read."""
    for run, past in chosen.reader.history(line.references[0]):
        if run.number < chosen.run.number:
            yield run, past, address("fleets", chosen.name, "images", past.digest, policy=past.policy, run=run.number)


def checks(chosen: Chosen) -> Context:
    """Every check over all images."""
    rows = []
    for one in chosen.facts.posture.checks:
        counts = one.counts
        parts = (
            ("passed", counts[Standing.PASSED]),
            ("waived", counts[Standing.WAIVED]),
            ("failed", counts[Standing.FAILED]),
            ("unknown", counts[Standing.UNDETERMINED] + counts[NOT_RUN]),
            ("absent", counts[NOT_ASSESSED]),
            ("not-applicable", counts[Standing.NOT_APPLICABLE] + counts[Standing.UNCOUNTED]),
        )
        listed = (Standing.FAILED, Standing.WAIVED, Standing.UNDETERMINED, Standing.PASSED)
        rows.append(
            {
                "check": one.check,
                "title": _title(chosen.facts.texts.checks.get(one.check), ""),
                "severity": one.severity,
                "numbers": [
                    (STANDING_NAMES[standing].capitalize(), counts[standing], chosen.images_in(one.check, standing))
                    for standing in listed
                ],
                "chart": _bar(parts, one.check),
            }
        )
    return {"rows": rows, "legend": CHECK_LEGEND}


def controls(chosen: Chosen, framework: str) -> Context:
    """Every control over all images, or those of one framework."""
    facts = chosen.facts
    found: dict[str, list[Context]] = {}
    for one in facts.posture.controls:
        text = facts.texts.controls.get((one.framework, one.control))
        counts = one.counts
        parts = (
            ("satisfied", counts["satisfied"] + counts["supported"]),
            ("contradicted", counts["contradicted"]),
            ("undetermined", counts["undetermined"] + counts[NOT_RUN]),
            ("absent", counts[NOT_ASSESSED]),
            ("not-applicable", counts["not-applicable"]),
        )
        label = one.control if text is None else text["label"]
        mapped = () if text is None else tuple(mapping["check"] for mapping in text["mapping"])
        found.setdefault(one.framework, []).append(
            {
                "label": label,
                "title": one.title,
                "contradicted": counts["contradicted"],
                "waived": one.waived,
                "undetermined": counts["undetermined"] + counts[NOT_RUN] + counts[NOT_ASSESSED],
                "chart": _bar(parts, label),
                "checks": [(check, chosen.images_in(check, Standing.FAILED)) for check in mapped],
            }
        )
    names = {key: _framework_name(facts, key) for key in sorted(found)}
    return {
        "frameworks": list(names.items()),
        "framework": framework,
        "legend": CONTROL_LEGEND,
        "shown": [
            {"name": names[key], "controls": found[key], "caveats": _caveats(facts, key)}
            for key in names
            if framework in ("", key)
        ],
    }


def _framework_name(facts: RunFacts, identifier: str) -> str:
    text = facts.texts.frameworks.get(identifier)
    return identifier if text is None else f"{text['name']} {text['version']}".strip()


def _caveats(facts: RunFacts, identifier: str) -> Sequence[str]:
    text = facts.texts.frameworks.get(identifier)
    return () if text is None else tuple(text["caveats"])


def waivers(chosen: Chosen) -> Context:
    """Every waiver."""
    rows = []
    for one in chosen.facts.waivers:
        word, name = WAIVER_NAMES[one.standing]
        ends = "no end" if one.expires is None else one.expires[:10]
        if one.days_left is not None and one.days_left >= 0:
            ends += f", in {one.days_left} day{'' if one.days_left == 1 else 's'}"
        rows.append((one, word, name, ends, chosen.images_in(one.check, Standing.WAIVED)))
    return {"waivers": rows}


def bases(chosen: Chosen) -> Context:
    """Shared layers behind failures."""
    shared = chosen.reader.bases(chosen.run)
    lines: dict[str, ImageLine] = {}
    for line in chosen.facts.lines:
        if line.digest is not None:
            lines.setdefault(line.digest, line)
    most = max((base.cleared for base in shared.bases), default=0)
    return {
        "bases": shared,
        "rows": [_base(chosen, base, lines, most) for base in shared.bases[:BASES_SHOWN]],
        "more": len(shared.bases) - min(BASES_SHOWN, len(shared.bases)),
    }


def _base(chosen: Chosen, base: SharedBase, lines: Mapping[str, ImageLine], most: int) -> Context:
    made_by = shortened(redact(sentence(base.created_by or "")), 200)
    named = shown_reference(base.itself[0]) if base.itself else base.distribution or "Layers without a name"
    return {
        "base": base,
        "name": named,
        "made_by": made_by,
        "chart": html_charts.bar(base.cleared, most, f"{base.cleared} failures"),
        "checks": [(check, chosen.images_in(check, Standing.FAILED)) for check in base.checks],
        "images": [
            (lines[digest].references[0], chosen.image_link(lines[digest])) for digest in base.images[:IMAGES_ON_BASE]
        ],
        "more": max(0, len(base.images) - IMAGES_ON_BASE),
    }


def changes(reader: FleetReader, runs: Sequence[Run], values: Mapping[str, object], here: str) -> Context | None:
    """What changed between two runs: the newest two, or those asked for. None where one of them is not there."""
    numbers = {run.number: run for run in runs}
    if len(runs) < 2 and "from" not in values and "to" not in values:
        return {"changed": False}
    after = numbers.get(_int(values.get("to")) or runs[-1].number) if runs else None
    earlier = [run for run in runs if after is not None and run.number < after.number]
    before = numbers.get(_int(values.get("from")) or (earlier[-1].number if earlier else 0))
    if before is None or after is None:
        return None
    found = reader.changes(before, after)
    kind = str(values.get("kind") or "")
    chosen = [one for one in found.findings if kind in ("", one.kind.value)]
    pages = max(1, -(-len(chosen) // CHANGES_SHOWN))
    page = min(_int(values.get("page")) or 1, pages)
    shown = chosen[(page - 1) * CHANGES_SHOWN : page * CHANGES_SHOWN]
    return {
        "changed": True,
        "before": before,
        "after": after,
        "runs": tuple(reversed(runs)),
        "kind": kind,
        "kinds": [(one.value, CHANGE_NAMES[one][1].capitalize(), found.counts[one]) for one in _LISTED_CHANGES],
        "found": len(chosen),
        "findings": [(_printed(one), *CHANGE_NAMES[one.kind]) for one in shown],
        "images": [(_printed(one), IMAGE_CHANGE_NAMES[one.kind]) for one in found.images[:CHANGES_SHOWN]],
        "image_count": len(found.images),
        "page": page,
        "page_count": pages,
        "paged": having(here, page=None),
    }


def _int(value: object) -> int:
    return value if isinstance(value, int) else 0


def _printed(change: _Change) -> _Change:
    """A change with its texts fit to print."""
    reason = None if change.reason is None else redact(sentence(change.reason))
    return replace(change, reference=shown_reference(change.reference), reason=reason)


def runs(reader: FleetReader, missed: Sequence[datetime]) -> Context:
    """All runs, newest first, and the slots that had none."""
    return {
        "rows": [
            (run, duration(run), address("fleets", reader.fleet.name, run=run.number) if run.finished else None)
            for run in reversed(reader.all_runs())
        ],
        "missed": missed,
        "missed_shown": tuple(reversed(missed))[:MISSED_SHOWN],
        "missed_number": f"{len(missed):,}",
    }


def duration(run: Run) -> str | None:
    """How long a run took, in words."""
    return None if run.finished is None else spell((run.finished - run.started).total_seconds())


def spell(seconds: float) -> str:
    """A length of time with its two largest units."""
    parts = []
    left = max(0, round(seconds))
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min"), (1, "s")):
        number, left = divmod(left, size)
        if number:
            parts.append(f"{number} {unit}")
    return " ".join(parts[:2]) or "0 s"


def minute(moment: datetime) -> str:
    """A time as pages print it."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def page_numbers(page: int, pages: int) -> list[int | None]:
    """The first, the last, and those around this one; None for a gap."""
    shown = sorted({1, pages, *range(max(1, page - 2), min(pages, page + 2) + 1)})
    found: list[int | None] = []
    for number in shown:
        if found and found[-1] is not None and number - found[-1] > 1:
            found.append(None)
        found.append(number)
    return found


def _bar(parts: Sequence[tuple[str, int]], label: str) -> Markup:
    words = ", ".join(f"{number} {name}" for name, number in parts if number)
    return html_charts.stacked_bar(parts, f"{label}: {words or 'no images'}")


def card(facts: RunFacts) -> Context:
    """The last run of a fleet, as the first page shows it."""
    total = facts.posture.total
    coverage = total.coverage
    reached = coverage.assessed + coverage.reused
    everything = coverage.images + coverage.unresolved
    return {
        "run": facts.run,
        "total": total,
        "duration": duration(facts.run),
        "covered": f"{100 * reached // everything} %" if everything else "nothing",
    }


def expiring(facts: RunFacts) -> int:
    """Waivers that have run out or soon will."""
    return sum(one.standing in (WaiverStanding.EXPIRED, WaiverStanding.EXPIRING) for one in facts.waivers)
