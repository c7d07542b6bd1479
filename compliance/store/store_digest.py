"""One digest over everything that a store remembers: equal for equal stores, whatever the database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from compliance.model.fleet import AssessmentRecord
from compliance.store.canonical import Tally, canonical, member_line, moment, outcome_line, run_line
from compliance.store.row_lists import lists_of

if TYPE_CHECKING:
    from compliance.store.sql_store import SqlFleetStore


def store_digest(store: SqlFleetStore) -> str:
    """Hex SHA-256 over all runs, members, outcomes and assessments in a fixed order; no costs, leases or keys.

    Computed from the rows themselves, not from digests that the store keeps of them.
    """
    tally = Tally()
    for run in sorted(store.runs(), key=lambda run: (run.fleet, run.number)):
        tally.add(run_line(run, Tally(), Tally()))
        tally.add(canonical({"state": run.state.value, "chain": run.chain}))
        for member in store.members(run):
            tally.add(member_line(member))
        for outcome in store.outcomes(run):
            tally.add(outcome_line(outcome, None))
    for record in store.every_assessment():
        tally.add(record_line(record))
    return tally.hexdigest()


def record_line(record: AssessmentRecord) -> bytes:
    """An assessment in one line: its own fields, and the contents of its lists."""
    own: dict[str, Any] = {
        "id": record.id,
        "sbom": record.sbom,
        "digest": record.digest,
        "policy": record.policy,
        "assessedAt": moment(record.assessed_at),
        "outcome": record.outcome,
        "worst": record.worst,
        "platform": record.platform,
        "configDigest": record.config_digest,
        "distribution": record.distribution,
        "user": record.user,
        "profile": record.profile,
        "tool": record.tool,
        "controlsDigest": record.controls_digest,
        "observations": [check.observations for check in record.checks],
        "lists": [each.content.hex() for each in lists_of(record)],
    }
    return canonical(own)
