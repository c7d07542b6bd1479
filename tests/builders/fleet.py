"""A believable fleet over several runs, made by rule and not by chance: the same arguments give the same rows.

Some images share bases with failures in them, tags move, failures are fixed and come back, references vanish, runs
time out, waivers run out. `FleetInMemory` is a store of such rows, for what reads stores.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from types import MappingProxyType
from typing import Any

from compliance.errors import StoreError
from compliance.evaluate.rollup import roll_up
from compliance.model.assessment import Assessment, ToolInfo
from compliance.model.control import ControlLibrary
from compliance.model.fleet import (
    ROW_KINDS,
    USUAL_KINDS,
    AssessmentRecord,
    CheckRow,
    ControlRow,
    Cost,
    FindingRow,
    Item,
    ItemOutcome,
    ItemState,
    LayerRow,
    Member,
    Mistrust,
    PackageRow,
    Run,
    RunState,
    WaiverRow,
)
from compliance.model.outcome import (
    AnyOutcome,
    Check,
    CheckResult,
    Failed,
    NotApplicable,
    Observation,
    ObservationKind,
    Passed,
    Unknown,
    Waiver,
)
from tests.builders.assessment import assessment

NAME = "production"
START = datetime(2026, 9, 7, 3, 0, tzinfo=UTC)
WEEK = timedelta(days=7)
TOOL = "hullmark 0.1.0"

GROUPS: Mapping[str, str] = MappingProxyType(
    {
        "checkout": "team-payments@example.org",
        "data-platform": "team-data@example.org",
        "edge": "team-edge@example.org",
        "internal-tools": "team-tools@example.org",
        "storefront": "team-payments@example.org",
    }
)
_FRAMEWORKS = ("nist-800-53", "nist-800-190", "cis-docker", "pci-dss", "disa-gpos-srg")

# Failures of a base's own layers; a base that stands on another has its failures too.
_BASES: Mapping[str, tuple[str | None, str, tuple[str, ...]]] = MappingProxyType(
    {
        "debian": (None, "debian 12", ("RM-SHELL", "RM-PKGMGR", "RM-EDITDOC", "IM-SETUID")),
        "jre": ("debian", "debian 12", ("RM-NETTOOL", "DR-UNOWNED")),
        "node": ("debian", "debian 12", ("RM-PKGMGR", "RM-COMPILER")),
        "ubi": (None, "rhel 9.4", ("RM-SHELL", "RM-PKGMGR", "SC-EOL")),
        "slim": (None, "wolfi 20230201", ()),
    }
)
_OF_GROUP: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "checkout": ("jre", "slim", "slim"),
        "data-platform": ("jre", "debian", "ubi"),
        "edge": ("slim", "slim", "debian"),
        "internal-tools": ("ubi", "debian", "node"),
        "storefront": ("node", "node", "slim"),
    }
)
_OWN = ("NR-USER", "IM-USERWR", "SP-SECRET", "SP-SBOM", "IM-HEALTH", "NR-PORT", "DR-UNOWNED", "SP-PROV")
_NOUNS = ("api", "worker", "ledger", "search", "gateway", "batch", "feed", "rates", "auth", "mailer", "index", "ui")
_CODES = (
    ("timed-out", "it took longer than 1,800 seconds"),
    ("out-of-memory", "it needed more than 4 GB of memory"),
    ("digest-mismatch", "layer 3 does not hash to its digest"),
)


def hexed(*parts: object) -> str:
    """A hex SHA-256 over the parts."""
    return hashlib.sha256("|".join(map(str, parts)).encode()).hexdigest()


def digest(*parts: object) -> str:
    """The same with its algorithm."""
    return f"sha256:{hexed(*parts)}"


def share(*parts: object) -> float:
    """A number from 0 to 1, always the same for the same parts."""
    return int(hexed(*parts)[:8], 16) / 0xFFFFFFFF


@cache
def checks() -> Mapping[str, Check]:
    """The shipped checks by id."""
    from controls.registry import CHECKS

    return {check.id: check for check in CHECKS}


@cache
def library() -> ControlLibrary:
    """The shipped controls of five frameworks."""
    from controls.loader import load_library

    whole = load_library()
    chosen = tuple(one for one in whole.frameworks if one.id in _FRAMEWORKS)
    return replace(whole, frameworks=chosen)


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """One image of the fleet by name; `first` and `last` are the runs between which it is in the population."""

    name: str
    group: str
    base: str
    first: int
    last: int

    def version(self, run: int) -> int:
        """Which build of it the tag leads to: about every third run there is another."""
        return sum(share("build", self.name, number) < 0.35 for number in range(2, run + 1))

    @property
    def reference(self) -> str:
        """As the population has it."""
        return f"registry:registry.example.org/{self.group}/{self.name}:stable"


@dataclass(slots=True, kw_only=True)
class FleetInMemory:
    """A FleetStore of rows in memory, for reading only. Any blob is one assessment document with all texts."""

    history: list[tuple[Run, tuple[Member, ...], tuple[ItemOutcome, ...], tuple[AssessmentRecord, ...]]]
    document: bytes = field(repr=False)

    def runs(self, fleet: str | None = None) -> Iterator[Run]:
        """See FleetStore."""
        return (run for run, *_ in self.history if fleet in (None, run.fleet))

    def members(self, run: Run) -> Iterator[Member]:
        """See FleetStore."""
        return iter(self._of(run)[1])

    def outcomes(self, run: Run) -> Iterator[ItemOutcome]:
        """See FleetStore."""
        return iter(self._of(run)[2])

    def assessments(self, run: Run, *, kinds: Collection[str] = USUAL_KINDS) -> Iterator[AssessmentRecord]:
        """See FleetStore."""
        others: dict[str, Any] = {kind: () for kind in ROW_KINDS if kind not in kinds}
        return (replace(record, **others) for record in self._of(run)[3])

    def assessment(self, id: str) -> AssessmentRecord:
        """See FleetStore."""
        return next(record for *_, records in self.history for record in records if record.id == id)

    def blob(self, sha256: str) -> bytes:
        """See FleetStore."""
        return self.document

    def head(self, fleet: str) -> str | None:
        """See FleetStore."""
        return next((run.chain for run, *_ in reversed(self.history) if run.state is RunState.ENDED), None)

    def digest(self) -> str:
        """See FleetStore."""
        return hexed(self.history)

    def verify(self) -> Iterator[Mistrust]:
        """See FleetStore."""
        return iter(())

    def sizes(self) -> Mapping[str, int]:
        """See FleetStore."""
        return {"runs": len(self.history)}

    def close(self) -> None:
        """See FleetStore."""

    def begin(self, run: Run, members: Iterable[Member]) -> Run:
        """See FleetStore; not here."""
        raise StoreError("for reading only", code="read-only")

    def open_run(self, fleet: str) -> Run | None:
        """See FleetStore."""
        return None

    def hold(self, fleet: str, holder: str, *, now: datetime, seconds: float) -> bool:
        """See FleetStore."""
        return False

    def release(self, fleet: str, holder: str) -> None:
        """See FleetStore."""

    def put_blob(self, content: bytes) -> str:
        """See FleetStore; not here."""
        raise StoreError("for reading only", code="read-only")

    def record(self, run: Run, outcome: ItemOutcome, assessment: AssessmentRecord | None) -> None:
        """See FleetStore; not here."""
        raise StoreError("for reading only", code="read-only")

    def end(self, run: Run, finished: datetime) -> Run:
        """See FleetStore; not here."""
        raise StoreError("for reading only", code="read-only")

    def reusable(self, item: Item, *, not_before: datetime, not_after: datetime | None = None) -> str | None:
        """See FleetStore."""
        return None

    def _of(self, run: Run) -> tuple[Run, tuple[Member, ...], tuple[ItemOutcome, ...], tuple[AssessmentRecord, ...]]:
        return next(one for one in self.history if one[0].number == run.number)


def fleet(*, images: int = 40, runs: int = 6) -> FleetInMemory:
    """The fleet with about `images` images and that many runs, one a week but for the fourth, a week late."""
    apps = [_app(number, runs) for number in range(images)]
    history: list[tuple[Run, tuple[Member, ...], tuple[ItemOutcome, ...], tuple[AssessmentRecord, ...]]] = []
    known: dict[tuple[str, str], AssessmentRecord] = {}
    previous: str | None = None
    for number in range(1, runs + 1):
        started = START + WEEK * (number - 1 + (number > 3))
        made = _run(apps, number, runs, started, known)
        members, outcomes, records = made
        population = hexed("population", *members)
        chain = hexed(previous, number, members, [(one.item, one.assessment, one.reason) for one in outcomes])
        run = Run(
            fleet=NAME,
            number=number,
            state=RunState.ENDED,
            fleet_digest=hexed("fleet file"),
            tool=TOOL,
            controls_digest=library().digest,
            started=started,
            effective=started,
            population=population,
            slot=started,
            finished=started + timedelta(minutes=17, seconds=number),
            previous=previous,
            chain=chain,
        )
        history.append((run, members, outcomes, records))
        previous = chain
    return FleetInMemory(history=history, document=document())


def document() -> bytes:
    """An assessment document with every check and control of the fleet."""
    from reports import assessment_json

    base = assessment()
    observed = Observation(summary="seen", kind=ObservationKind.COVERAGE)
    results = tuple(CheckResult(check=check, outcome=Passed(observations=(observed,))) for check in checks().values())
    whole: Assessment = replace(
        base,
        results=results,
        controls=roll_up(library(), results),
        library=library(),
        tool=ToolInfo(name="hullmark", version="0.1.0", controls_digest=library().digest),
    )
    return assessment_json.render(assessment_json.document(whole))


def _app(number: int, runs: int) -> App:
    group = tuple(GROUPS)[number % len(GROUPS)]
    bases = _OF_GROUP[group]
    noun = _NOUNS[number // len(GROUPS) % len(_NOUNS)]
    place = number // (len(GROUPS) * len(_NOUNS))
    name = f"{group.split('-')[0]}-{noun}" + (f"-{place}" if place else "")
    late, away = share("late", name) < 0.12, share("away", name) < 0.08
    return App(
        name=name,
        group=group,
        base=bases[number // len(GROUPS) % len(bases)],
        first=2 + int(share("first", name) * (runs - 1)) if late else 1,
        last=max(int(share("last", name) * runs), 2) if away and not late else runs,
    )


_Rows = tuple[tuple[Member, ...], tuple[ItemOutcome, ...], tuple[AssessmentRecord, ...]]


def _run(
    apps: list[App], number: int, runs: int, started: datetime, known: dict[tuple[str, str], AssessmentRecord]
) -> _Rows:
    members: list[Member] = []
    outcomes: dict[tuple[str, str], ItemOutcome] = {}
    records: dict[str, AssessmentRecord] = {}
    waivers = given_waivers(runs)
    for app in apps:
        if not app.first <= number <= app.last:
            continue
        policy = digest("policy", app.group, *(one.id for one in waivers if _held(one, started)))
        lost = share("lost", app.name, number) < 0.025
        manifest = None if lost else digest("manifest", app.name, app.version(number), base_version(app.base, number))
        named = [app.reference]
        if share("twice", app.name) < 0.15:
            named.append(app.reference.replace(":stable", f":1.{app.version(number)}"))
        members += [
            Member(
                group=app.group,
                owner=GROUPS[app.group],
                reference=reference,
                origin=f"images[{place}]",
                policy=policy,
                platform="linux/amd64",
                digest=manifest,
                reason="the registry answered 404: manifest unknown" if lost else None,
            )
            for place, reference in enumerate(named)
        ]
        if manifest is None:
            continue
        item = Item(digest=manifest, policy=policy, reference=f"{app.reference}@{manifest}")
        if item.key in outcomes:
            continue
        outcome, record = _assess(app, item, number, started, waivers, known)
        outcomes[item.key] = outcome
        if record is not None:
            records[record.id] = record
    members.sort(key=lambda one: (one.group, one.reference, one.origin))
    return (
        tuple(members),
        tuple(outcomes[key] for key in sorted(outcomes)),
        tuple(records[key] for key in sorted(records)),
    )


def _assess(
    app: App,
    item: Item,
    number: int,
    started: datetime,
    waivers: tuple[Waiver, ...],
    known: dict[tuple[str, str], AssessmentRecord],
) -> tuple[ItemOutcome, AssessmentRecord | None]:
    cost = Cost(attempts=1, wall_seconds=3.5, cpu_seconds=2.5, peak_bytes=180 << 20)
    if share("trouble", app.name, number) < 0.035:
        code, reason = _CODES[int(share("code", app.name, number) * len(_CODES)) % len(_CODES)]
        state = ItemState.NOT_DETERMINED
        return ItemOutcome(item=item, state=state, code=code, reason=reason, cost=cost), None
    old = known.get(item.key)
    if old is not None and number % 4:
        return ItemOutcome(item=item, state=ItemState.REUSED, assessment=old.id, cost=None), old
    record = known[item.key] = _record(app, item, number, started, waivers)
    return ItemOutcome(item=item, state=ItemState.ASSESSED, assessment=record.id, cost=cost), record


def base_version(base: str, run: int) -> int:
    """The bases are built anew with the fourth run: then what `_mended` names is gone from them."""
    return int(run >= 4) if base != "ubi" else 0


_MENDED = frozenset({("debian", "IM-SETUID"), ("jre", "RM-NETTOOL")})


def _chain(base: str) -> list[str]:
    parent = _BASES[base][0]
    return [*(_chain(parent) if parent else []), base]


def failing(app: App, run: int) -> dict[str, str | None]:
    """The checks that fail, and the name of the base that has the cause; None for the image itself."""
    found: dict[str, str | None] = {}
    for base in _chain(app.base):
        for check in _BASES[base][2]:
            if not (base_version(base, run) and (base, check) in _MENDED):
                found.setdefault(check, base)
    version = app.version(run)
    for check in _OWN:
        if share("own", app.name, check) < 0.16 and version < 1 + int(share("mend", app.name, check) * 4):
            found.setdefault(check, None)
        if version and share("slip", app.name, check, version) < 0.04:
            found.setdefault(check, None)
    return {check: base for check, base in found.items() if check in checks()}


def given_waivers(runs: int) -> tuple[Waiver, ...]:
    """One in force, one that runs out soon after the last run, one that ran out before it, one about nothing."""
    end = START + WEEK * runs
    return (
        _waiver("WV-101", "RM-SHELL", "storefront", end + timedelta(days=200), "The start script needs it until Q3."),
        _waiver("WV-102", "SP-SBOM", "edge", end + timedelta(days=16), "The build gets an SBOM with the new runner."),
        _waiver("WV-103", "RM-PKGMGR", "data-platform", end - timedelta(days=9), "Patched in place until the move."),
        _waiver("WV-104", "IM-HEALTH", "nowhere", None, "Probes are the orchestrator's."),
    )


def _waiver(identifier: str, check: str, group: str, expires: datetime | None, reason: str) -> Waiver:
    return Waiver(
        id=identifier,
        check=check,
        reason=reason,
        approver="ciso@example.org",
        created=START - timedelta(days=30),
        expires=expires,
        ticket="SEC-41",
        images=(f"registry.example.org/{group}/*",),
        file="waivers.yaml",
    )


def _held(waiver: Waiver, moment: datetime) -> bool:
    return waiver.expires is None or moment < waiver.expires


def _record(app: App, item: Item, number: int, started: datetime, waivers: tuple[Waiver, ...]) -> AssessmentRecord:
    fails = failing(app, number)
    covered = {
        waiver.check: waiver for waiver in waivers if f"/{app.group}/" in waiver.images[0] and _held(waiver, started)
    }
    rows = tuple(_check_row(check, fails, covered, app, number) for check in checks().values())
    results = tuple((row.check, row.outcome, row.waiver is not None) for row in rows)
    open_ones = [row for row in rows if row.outcome == "failed" and row.waiver is None]
    worst = next((word for word in ("critical", "high", "medium", "low") if _any(open_ones, word)), None)
    unsure = [row for row in rows if row.outcome == "unknown" and row.severity in ("critical", "high")]
    outcome = "not-satisfied" if worst in ("critical", "high") else "not-determined" if unsure else "satisfied"
    layers = _layers(app, number)
    return AssessmentRecord(
        id=hexed("assessment", item.digest, item.policy, number),
        sbom=hexed("sbom", item.digest),
        digest=item.digest,
        policy=item.policy,
        assessed_at=started + timedelta(minutes=2),
        outcome=outcome,
        worst=worst,
        platform="linux/amd64",
        config_digest=digest("config", item.digest),
        distribution=_BASES[app.base][1],
        user="0:0" if "NR-USER" in fails else "65532:65532",
        profile="runtime",
        tool=TOOL,
        controls_digest=library().digest,
        checks=rows,
        findings=tuple(_findings(app, fails, number, layers)),
        controls=_controls(results),
        packages=(
            PackageRow(
                purl="pkg:generic/app@1",
                type="generic",
                name="app",
                version="1",
                layer=layers[-1].diff_id,
            ),
        ),
        layers=layers,
        waivers=tuple(_use(waiver, covered, fails, started) for waiver in waivers),
    )


def _any(rows: Iterable[CheckRow], severity: str) -> bool:
    return any(row.severity == severity for row in rows)


def _check_row(
    check: Check, fails: Mapping[str, str | None], covered: Mapping[str, Waiver], app: App, number: int
) -> CheckRow:
    outcome = "passed"
    if check.id in fails:
        outcome = "failed"
    elif share("none", app.base, check.id) < 0.08:
        outcome = "not-applicable"
    elif share("unsure", app.name, check.id, app.version(number)) < 0.012:
        outcome = "unknown"
    waiver = covered.get(check.id) if outcome == "failed" else None
    return CheckRow(
        check=check.id,
        trait=check.trait.value,
        severity=check.severity.name.lower(),
        outcome=outcome,
        waiver=None if waiver is None else waiver.id,
        observations=_number(check.id) if outcome == "failed" else 1,
        counts=check.id != "SP-SIG",
    )


def _number(check: str) -> int:
    return 1 + int(share("number", check) * 7)


def _findings(
    app: App, fails: Mapping[str, str | None], number: int, layers: tuple[LayerRow, ...]
) -> Iterator[FindingRow]:
    chain = _chain(app.base)
    for check, base in fails.items():
        layer = None if check in ("NR-USER", "IM-HEALTH", "NR-PORT", "SP-SBOM", "SP-PROV") else layers[-1].digest
        if base is not None:
            layer = layers[2 * chain.index(base) + 1].digest
        for place in range(_number(check)):
            path = None if layer is None else f"/usr/bin/{(base or app.name)}-{check.lower()}-{place}"
            yield FindingRow(
                check=check,
                key=hexed(check, "file", path, app.name if base is None else base),
                kind="config" if layer is None else "file",
                path=path,
                package=None,
                layer=layer,
                sha256=None if layer is None else hexed(path),
                verdict="present",
                summary=f"{check} saw {path or 'the configuration'}",
            )


def _layers(app: App, number: int) -> tuple[LayerRow, ...]:
    names: list[tuple[str, str]] = []
    for base in _chain(app.base):
        version = base_version(base, number)
        names += [(f"{base} {version} a", f"ADD {base}.tar /"), (f"{base} {version} b", f"RUN setup {base}")]
    names.append((f"app {app.name} {app.version(number)}", f"COPY {app.name} /srv/app"))
    return tuple(
        LayerRow(position=at, diff_id=digest("diff", name), digest=digest("layer", name), size=1 << 20, created_by=by)
        for at, (name, by) in enumerate(names)
    )


def _use(waiver: Waiver, covered: Mapping[str, Waiver], fails: Mapping[str, str | None], now: datetime) -> WaiverRow:
    if not _held(waiver, now):
        state = "expired"
    elif covered.get(waiver.check) is not waiver:
        state = "other-image"
    else:
        state = "applied" if waiver.check in fails else "no-failure"
    return WaiverRow(
        id=waiver.id,
        check=waiver.check,
        state=state,
        approver=waiver.approver,
        reason=waiver.reason,
        ticket=waiver.ticket,
        created=waiver.created.isoformat().replace("+00:00", "Z"),
        expires=None if waiver.expires is None else waiver.expires.isoformat().replace("+00:00", "Z"),
    )


@cache
def _controls(results: tuple[tuple[str, str, bool], ...]) -> tuple[ControlRow, ...]:
    observed = (Observation(summary="seen", kind=ObservationKind.COVERAGE),)
    made: dict[str, AnyOutcome] = {
        "passed": Passed(observations=observed),
        "failed": Failed(observations=observed),
        "not-applicable": NotApplicable(reason="none"),
        "unknown": Unknown(reason="unread"),
    }
    accepted = given_waivers(1)[0]
    rolled = roll_up(
        library(),
        tuple(
            CheckResult(check=checks()[name], outcome=made[outcome], waiver=accepted if waived else None)
            for name, outcome, waived in results
        ),
    )
    return tuple(
        ControlRow(
            framework=one.framework.id,
            control=one.control.id,
            title=one.control.title,
            status=one.status.value,
            waived=one.waived,
        )
        for one in rolled
    )
