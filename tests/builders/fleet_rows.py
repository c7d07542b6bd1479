"""Rows of a fleet's runs, as few as a test needs: one group, one check, one image unless told otherwise."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from compliance.fleet.run_rows import RunRows, run_rows
from compliance.model.fleet import (
    AssessmentRecord,
    CheckRow,
    FindingRow,
    Item,
    ItemOutcome,
    ItemState,
    LayerRow,
    Member,
    Run,
    RunState,
    WaiverRow,
)

NOON = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
A, B = "sha256:" + "a" * 64, "sha256:" + "b" * 64


def run(number: int) -> Run:
    return Run(
        fleet="f",
        number=number,
        state=RunState.ENDED,
        fleet_digest="0" * 64,
        tool="hullmark 1",
        controls_digest="sha256:" + "0" * 64,
        started=NOON + DAY * number,
        effective=NOON + DAY * number,
        population="0" * 64,
    )


def check(outcome: str, *, waiver: str | None = None, counts: bool = True, name: str = "RM-SHELL") -> CheckRow:
    return CheckRow(
        check=name, trait="removed", severity="high", outcome=outcome, waiver=waiver, observations=1, counts=counts
    )


def record(
    digest: str,
    *checks: CheckRow,
    at: datetime = NOON,
    name: str = "1",
    waivers: tuple[WaiverRow, ...] = (),
    layers: tuple[LayerRow, ...] = (),
    findings: tuple[FindingRow, ...] = (),
    outcome: str = "not-satisfied",
) -> AssessmentRecord:
    return AssessmentRecord(
        id=f"{digest[7:40]}{name:0>31}",
        sbom="0" * 64,
        digest=digest,
        policy="p",
        assessed_at=at,
        outcome=outcome,
        worst="high",
        platform="linux/amd64",
        config_digest=None,
        distribution=None,
        user=None,
        profile="runtime",
        tool="hullmark 1",
        controls_digest="sha256:" + "0" * 64,
        checks=checks,
        findings=findings,
        controls=(),
        packages=(),
        layers=layers,
        waivers=waivers,
    )


def member(digest: str | None, reference: str = "registry:r.example/app:1", group: str = "g") -> Member:
    return Member(
        group=group,
        owner="o",
        reference=reference,
        origin="images[0]",
        policy="p",
        digest=digest,
        reason=None if digest else "manifest unknown",
    )


def rows(
    number: int,
    *records: AssessmentRecord,
    members: tuple[Member, ...] | None = None,
    lost: tuple[str, ...] = (),
) -> RunRows:
    """A run in which `records` came of their images and nothing came of the digests in `lost`."""
    outcomes = [
        ItemOutcome(
            item=Item(digest=one.digest, policy="p", reference="r"), state=ItemState.ASSESSED, assessment=one.id
        )
        for one in records
    ]
    outcomes += [
        ItemOutcome(
            item=Item(digest=digest, policy="p", reference="r"),
            state=ItemState.NOT_DETERMINED,
            code="timed-out",
            reason="it took too long",
        )
        for digest in lost
    ]
    if members is None:
        members = tuple(member(digest) for digest in (*(one.digest for one in records), *lost))
    return run_rows(run(number), members, outcomes, records)
