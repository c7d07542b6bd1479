"""Assessment documents with their SBOMs in any number, and fleet stores full of them: what a run would have left.

All are variations of one assessment that the real renderers wrote, as `tests.builders.assessment` makes it.
"""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from compliance.formats.cyclonedx import to_cyclonedx_json
from compliance.formats.sbom_document import Tool, of_image
from compliance.model.fleet import Cost, FleetStore, Item, ItemOutcome, ItemState, Member, Run, RunState
from compliance.store.assessment_record import record_of
from reports.assessment_json import document, render
from tests.builders.assessment import assessment

FLEET = "production"
POLICY = "ab" * 32
START = datetime(2026, 11, 1, 3, 0, tzinfo=UTC)
COST = Cost(attempts=1, wall_seconds=2.5, cpu_seconds=1.75, peak_bytes=300 * 2**20)
BASES = 4


def hexed(*parts: object) -> str:
    """A hex SHA-256 of one's own."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def image_digest(number: int) -> str:
    """The digest of image `number`."""
    return f"sha256:{hexed('image', number)}"


@cache
def _originals() -> tuple[dict[str, Any], dict[str, Any]]:
    made = assessment()
    evidence = made.evidence
    tool = Tool(name=made.tool.name, version=made.tool.version)
    sbom = of_image(evidence.image, evidence.inventory, tool=tool, effective=made.effective)
    return json.loads(render(document(made))), json.loads(to_cyclonedx_json(sbom))


def documents(number: int, *, findings: int = 5, at: datetime = START) -> tuple[bytes, bytes]:
    """assessment.json and the SBOM of image `number`: on one of four bases, with so many findings of its own."""
    values, sbom = map(copy.deepcopy, _originals())
    base = number % BASES
    own = {"digest": f"sha256:{hexed('layer', number)}", "diffId": f"sha256:{hexed('diff', number)}"}
    values["subject"]["digest"] = image_digest(number)
    values["subject"]["reference"] = f"registry:registry.example/team/app-{number}@{image_digest(number)}"
    lowest, upper = values["subject"]["layers"]
    lowest |= {"digest": f"sha256:{hexed('base', base)}", "diffId": f"sha256:{hexed('base diff', base)}"}
    upper |= own | {"size": 1000 + number}
    values["finishedAt"] = at.isoformat().replace("+00:00", "Z")
    for check in values["checks"]:
        for seen in check["observations"]:
            seen["layer"] = lowest["digest"] if seen["layer"] else None
        if check["id"] == "RM-SHELL":
            check["observations"] += [_seen(check["observations"][0], number, place, own) for place in range(findings)]
    values["waivers"] = [_waiver(use) for use in values["checks"] if use["waiver"]]
    component = copy.deepcopy(sbom["components"][0])
    component |= {"name": f"app-{number}", "purl": f"pkg:generic/app-{number}@1", "bom-ref": f"app-{number}"}
    component["type"] = "application"
    sbom["components"].append(component)
    return render(values), json.dumps(sbom, ensure_ascii=False).encode()  # type: ignore[arg-type]


def _seen(like: dict[str, Any], number: int, place: int, layer: dict[str, str]) -> dict[str, Any]:
    path = f"/opt/app-{number}/bin/tool-{place}"
    return like | {
        "summary": f"{path} is a command shell (bash).",
        "path": path,
        "layer": layer["digest"],
        "sha256": hexed("file", number, place),
    }


def _waiver(check: dict[str, Any]) -> dict[str, Any]:
    return {"check": check["id"], "state": "applied", "waiver": check["waiver"]}


def member(number: int, *, group: str = "edge") -> Member:
    """The reference to image `number`."""
    return Member(
        group=group,
        owner="team-edge@example.org",
        reference=f"registry:registry.example/team/app-{number}:latest",
        origin=f"images[{number}]",
        policy=POLICY,
        platform="linux/amd64",
        digest=image_digest(number),
    )


def unresolved(number: int) -> Member:
    """A reference that led nowhere."""
    return Member(
        group="lost",
        owner="nobody",
        reference=f"registry:registry.example/team/lost-{number}:latest",
        origin=f"images[{number}]",
        policy=POLICY,
        reason="the registry says: manifest unknown",
    )


def item(number: int) -> Item:
    """Image `number` under the fleet's policy."""
    reference = f"registry:registry.example/team/app-{number}@{image_digest(number)}"
    return Item(digest=image_digest(number), policy=POLICY, reference=reference)


def new_run(*, at: datetime = START, slot: datetime | None = None, fleet: str = FLEET) -> Run:
    """A run that is to begin."""
    return Run(
        fleet=fleet,
        number=0,
        state=RunState.OPEN,
        fleet_digest=hexed("fleet"),
        tool="hullmark 0.1.0",
        controls_digest=f"sha256:{hexed('controls')}",
        started=at,
        effective=at,
        population=hexed("population"),
        slot=slot,
    )


def assess(store: FleetStore, run: Run, number: int, *, findings: int = 5) -> None:
    """Keep the documents of image `number` and record its assessment."""
    told, sbom = documents(number, findings=findings)
    store.put_blob(told)
    store.put_blob(sbom)
    record = record_of(told, sbom, policy=POLICY)
    outcome = ItemOutcome(item=item(number), state=ItemState.ASSESSED, assessment=record.id, cost=COST)
    store.record(run, outcome, record)


def reuse(store: FleetStore, run: Run, number: int) -> None:
    """Record that an earlier assessment of image `number` still stands."""
    known = store.reusable(item(number), not_before=START - timedelta(days=1))
    store.record(run, ItemOutcome(item=item(number), state=ItemState.REUSED, assessment=known), None)


def give_up(store: FleetStore, run: Run, number: int) -> None:
    """Record that image `number` could not be assessed."""
    outcome = ItemOutcome(
        item=item(number),
        state=ItemState.NOT_DETERMINED,
        code="timed-out",
        reason="it took longer than 300 seconds",
        cost=COST,
    )
    store.record(run, outcome, None)


def fill(
    store: FleetStore, *, images: Sequence[int] = (0, 1, 2), more: Iterable[Member] = (), findings: int = 5
) -> Run:
    """One run over these images, from beginning to end."""
    run = store.begin(new_run(), [*map(member, images), *more])
    for number in images:
        assess(store, run, number, findings=findings)
    return store.end(run, START + timedelta(minutes=5))


def two_runs(store: FleetStore) -> tuple[Run, Run]:
    """A history with everything in it: assessed, reused, not determined, not resolved, two groups on one image."""
    first = store.begin(new_run(), [member(0), member(1), member(1, group="core"), unresolved(9)])
    assess(store, first, 0)
    assess(store, first, 1)
    first = store.end(first, START + timedelta(minutes=5))
    later = START + timedelta(days=1)
    second = store.begin(new_run(at=later, slot=later), [member(0), member(2), member(3)])
    reuse(store, second, 0)
    assess(store, second, 2)
    give_up(store, second, 3)
    return first, store.end(second, later + timedelta(minutes=5))
