"""How a fleet stands: counts over the whole population, whatever of it could be looked at."""

from __future__ import annotations

from dataclasses import replace

from compliance.fleet.posture import posture
from compliance.fleet.run_rows import RunRows, run_rows
from compliance.model.fleet import ControlRow, ItemState
from tests.builders.fleet_rows import NOON, A, B, check, member, record, rows, run

OTHER = "registry:r.example/other:1"


def test_every_image_and_reference_is_in_the_outcomes_once() -> None:
    members = (member(A), member(A, reference=OTHER), member(B), member(None, reference="registry:r.example/gone:1"))
    found = posture(rows(1, record(A, check("passed"), outcome="satisfied"), members=members, lost=(B,)))
    assert found.total.outcomes == {"satisfied": 1, "not-satisfied": 0, "not-verified": 0, "not-determined": 2}
    coverage = found.total.coverage
    assert (coverage.references, coverage.unresolved, coverage.images) == (3, 1, 2)
    assert (coverage.assessed, coverage.reused, coverage.not_determined) == (1, 0, 1)
    assert coverage.reasons == {"timed-out": 1, "unresolved": 1}
    assert not coverage.whole


def test_what_was_not_assessed_is_named_with_its_reason() -> None:
    found = posture(rows(1, members=(member(B), member(None, reference=OTHER)), lost=(B,)))
    assert [(one.reference, one.code, one.reason, one.digest) for one in found.missing] == [
        (OTHER, "unresolved", "manifest unknown", None),
        ("registry:r.example/app:1", "timed-out", "it took too long", B),
    ]


def test_an_image_without_an_outcome_is_not_determined() -> None:
    found = posture(rows(1, members=(member(A),)))
    assert found.total.outcomes["not-determined"] == 1
    assert found.total.coverage.reasons == {"no-outcome": 1}


def test_a_word_of_another_version_is_no_outcome() -> None:
    found = posture(rows(1, record(A, check("passed"), outcome="splendid")))
    assert (found.total.outcomes["not-determined"], found.total.outcomes["satisfied"]) == (1, 0)


def test_a_taken_over_assessment_says_how_old_it_is() -> None:
    plain = rows(1, record(A, check("passed")))
    reused = replace(plain, outcomes=tuple(replace(one, state=ItemState.REUSED) for one in plain.outcomes))
    coverage = posture(reused).total.coverage
    assert (coverage.assessed, coverage.reused, coverage.oldest) == (0, 1, NOON)


def test_failures_are_counted_by_severity_without_waived_and_uncounted_ones() -> None:
    checks = (
        check("failed"),
        check("failed", name="RM-LIB", waiver="W1"),
        check("failed", name="SP-SIG", counts=False),
        check("unknown", name="RM-DEBUG"),
        check("unknown", name="SP-VEX", counts=False),
    )
    found = posture(rows(1, record(A, *checks)))
    assert found.total.failed == {"critical": 0, "high": 1, "medium": 0, "low": 0}
    assert (found.total.waived, found.total.undetermined) == (1, 1)


def test_each_check_adds_up_to_the_population() -> None:
    members = (member(A), member(B), member(None, reference=OTHER))
    found = posture(
        rows(1, record(A, check("failed"), check("passed", name="RM-LIB")), record(B, check("passed")), members=members)
    )
    assert [(one.check, sum(one.counts.values())) for one in found.checks] == [("RM-SHELL", 3), ("RM-LIB", 3)]
    shell, lib = found.checks
    assert (shell.counts["failed"], shell.counts["passed"], shell.counts["not-assessed"]) == (1, 1, 1)
    assert (lib.counts["passed"], lib.counts["not-run"]) == (1, 1)


def test_groups_and_owners_share_an_image_that_both_name() -> None:
    found = posture(rows(1, record(A, check("failed")), members=(member(A), member(A, group="h"))))
    assert [(part.name, part.coverage.images, part.coverage.references) for part in found.groups] == [
        ("g", 1, 1),
        ("h", 1, 1),
    ]
    assert [(part.name, part.coverage.images, part.coverage.references) for part in found.owners] == [("o", 1, 2)]
    assert found.total.coverage.images == 1


def control(status: str, number: str = "1") -> ControlRow:
    return ControlRow(framework="f", control=number, title="t", status=status, waived=False)


def test_a_cell_keeps_what_was_not_assessed_in_the_whole() -> None:
    plain = record(A, check("failed"))
    held = replace(plain, controls=(control("contradicted"), control("supported", "2")))
    found = posture(rows(1, held, members=(member(A), member(B)), lost=(B,)))
    (cell,) = found.cells
    assert (cell.counts["contradicted"], cell.counts["supported"], cell.counts["not-assessed"], cell.total) == (
        1,
        1,
        2,
        4,
    )
    assert [(one.control, one.counts["not-assessed"]) for one in found.controls] == [("1", 1), ("2", 1)]


def test_the_worst_image_has_the_gravest_failures_then_the_most_references() -> None:
    def row(severity: str, name: str) -> object:
        return replace(check("failed", name=name), severity=severity)

    digests = [f"sha256:{letter * 64}" for letter in "abcd"]
    checks = [
        [row("high", "X"), row("high", "Y")],
        [row("critical", "X")],
        [row("high", "X")],
        [row("high", "X")],
    ]
    records = [record(digest, *found) for digest, found in zip(digests, checks, strict=True)]  # type: ignore[arg-type]
    members = (
        *(member(digest, reference=f"registry:r.example/{digest[7]}:1") for digest in digests),
        member(digests[3], reference="registry:r.example/d:2"),
    )
    found = posture(rows(1, *records, members=members))
    assert [key[0][7] for key in found.worst] == ["b", "a", "d", "c"]


def test_nothing_at_all_is_no_error() -> None:
    empty: RunRows = run_rows(run(1), (), (), ())
    found = posture(empty)
    assert found.total.coverage.whole
    assert (found.groups, found.checks, found.cells, found.worst) == ((), (), (), ())
