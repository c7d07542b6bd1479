"""Failures in shared layers: which base has them, and what mending it would clear."""

from __future__ import annotations

from compliance.fleet.bases import SharedBases, shared_bases
from compliance.model.fleet import AssessmentRecord, CheckRow, FindingRow, LayerRow
from tests.builders.fleet_rows import check, member, record, rows


def layers(*names: str) -> tuple[LayerRow, ...]:
    return tuple(
        LayerRow(position=place, diff_id=f"sha256:diff-{name}", digest=f"sha256:blob-{name}", size=1, created_by=name)
        for place, name in enumerate(names)
    )


def finding(layer: str | None, name: str = "RM-SHELL", key: str = "k") -> FindingRow:
    return FindingRow(
        check=name,
        key=f"{key}-{layer}",
        kind="file",
        path="/bin/sh",
        package=None,
        layer=None if layer is None else f"sha256:blob-{layer}",
        sha256=None,
        verdict="present",
        summary="s",
    )


def image(letter: str, names: str, *seen: FindingRow, checks: tuple[CheckRow, ...] = ()) -> AssessmentRecord:
    """An image of one-letter layers."""
    failed = checks or tuple(check("failed", name=name) for name in dict.fromkeys(one.check for one in seen))
    return record(f"sha256:{letter * 64}", *failed, layers=layers(*names), findings=seen)


def bases(*records: AssessmentRecord) -> SharedBases:
    members = tuple(member(one.digest, reference=f"registry:r.example/{one.digest[7]}:1") for one in records)
    return shared_bases(rows(1, *records, members=members).images)


def test_a_failure_in_the_common_layers_is_cleared_once_for_all() -> None:
    found = bases(
        image("a", "xy1", finding("x")),
        image("b", "xy2", finding("x")),
        image("c", "z3", finding("z")),
    )
    (base,) = found.bases
    assert base.layers == ("sha256:diff-x", "sha256:diff-y")
    assert (len(base.images), base.findings, base.occurrences, base.cleared) == (2, 1, 2, 2)
    assert (found.images, found.occurrences, found.placed) == (3, 3, 3)


def test_a_base_on_a_base_has_its_own_failures_only() -> None:
    found = bases(
        image("a", "xj1", finding("x"), finding("j", "RM-LIB")),
        image("b", "xj2", finding("x"), finding("j", "RM-LIB")),
        image("c", "x3", finding("x")),
    )
    low, high = found.bases
    assert (low.layers, low.cleared, low.checks, low.parent) == (("sha256:diff-x",), 3, ("RM-SHELL",), None)
    assert (high.own, high.cleared, high.checks, high.parent) == (1, 2, ("RM-LIB",), 0)


def test_a_failure_that_is_elsewhere_too_is_not_cleared() -> None:
    found = bases(
        image("a", "x1", finding("x"), finding("1")),
        image("b", "x2", finding("x"), finding(None)),
        image("c", "x3", finding("x")),
    )
    (base,) = found.bases
    assert (base.occurrences, base.cleared) == (3, 1)
    assert found.placed == found.occurrences - 1


def test_a_failure_over_two_bases_is_cleared_by_the_upper_one() -> None:
    both = (finding("x"), finding("j"))
    found = bases(image("a", "xj1", *both), image("b", "xj2", *both), image("c", "x3", finding("x")))
    cleared = {base.layers[-1]: base.cleared for base in found.bases}
    assert cleared == {"sha256:diff-j": 2, "sha256:diff-x": 1}


def test_an_image_that_is_the_base_itself_names_it() -> None:
    found = bases(image("a", "x", finding("x")), image("b", "x1", finding("x")))
    (base,) = found.bases
    assert base.itself == ("registry:r.example/a:1",)


def test_waived_uncounted_and_unknown_ones_are_none() -> None:
    for row in (check("failed", waiver="W1"), check("failed", counts=False), check("unknown")):
        found = bases(*(image(letter, f"x{letter}", finding("x"), checks=(row,)) for letter in "ab"))
        assert (found.bases, found.occurrences) == ((), 0)


def test_the_same_layer_on_another_one_is_no_shared_base() -> None:
    found = bases(image("a", "xz", finding("z")), image("b", "yz", finding("z")))
    assert found.bases == ()


def test_one_image_under_two_policies_is_counted_once() -> None:
    one = image("a", "x1", finding("x"))
    plain = rows(1, one)
    twice = (*plain.images, *plain.images)
    assert shared_bases(twice).images == 1
    assert shared_bases(twice).bases == ()
