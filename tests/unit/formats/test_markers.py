"""When a marker rule holds: how markers are counted, and where expressions match."""

import pytest

from compliance.formats.markers import TRIES_MAX, Marker, MarkerRule, MarkerSearch


def rule(minimum: int, *markers: Marker, id_: str = "kind:tool") -> MarkerRule:
    return MarkerRule(id=id_, minimum=minimum, markers=markers)


def marker(*alternatives: bytes, regex: bytes | None = None) -> Marker:
    return Marker(alternatives=alternatives, regex=regex)


def holds(one: MarkerRule, content: bytes) -> bool:
    return MarkerSearch((one,)).search(content).rules == (one.id,)


def test_alternatives_count_as_one_marker() -> None:
    two = rule(2, marker(b"alpha", b"beta"), marker(b"gamma"))
    assert not holds(two, b"alpha beta")
    assert holds(two, b"beta gamma")


def test_one_marker_found_twice_counts_once() -> None:
    assert not holds(rule(2, marker(b"alpha"), marker(b"beta")), b"alpha alpha")


def test_an_expression_is_tried_at_every_place_of_its_literal() -> None:
    version = rule(1, marker(b"BusyBox v", regex=rb"BusyBox v\d"))
    assert not holds(version, b"BusyBox vX and BusyBox vY")
    assert holds(version, b"BusyBox vX and BusyBox v1")


def test_overlapping_literals_are_all_found() -> None:
    both = rule(2, marker(b"abcd"), marker(b"cdef"))
    assert holds(both, b"abcdef")


def test_a_literal_of_two_rules_counts_for_both() -> None:
    search = MarkerSearch((rule(1, marker(b"alpha"), id_="b"), rule(1, marker(b"alpha"), id_="a")))
    assert search.search(b"alpha").rules == ("a", "b")


def test_offsets_of_extra_literals_are_bounded() -> None:
    assert MarkerSearch((), (b"abc",), 2).search(b"abcabcabc").offsets == ((0, 3),)


@pytest.mark.parametrize("minimum", [0, 3])
def test_a_minimum_that_nothing_or_everything_reaches_is_refused(minimum: int) -> None:
    with pytest.raises(ValueError, match="minimum"):
        rule(minimum, marker(b"alpha"), marker(b"beta"))


def test_a_marker_that_is_everywhere_is_refused() -> None:
    with pytest.raises(ValueError, match="3 bytes"):
        marker(b"ab")


def test_without_rules_nothing_is_found() -> None:
    assert MarkerSearch(()).search(b"alpha").rules == ()


def test_a_crowded_file_is_searched_to_its_end() -> None:
    rules = (rule(1, marker(b"alpha")), rule(1, marker(b"omega"), id_="kind:last"))
    content = b"alpha" * 2**18 + b"." * 2**20 + b"omega"
    found = MarkerSearch(rules, (b"pha",), 3).search(content)
    assert found.rules == ("kind:last", "kind:tool")
    assert found.offsets == ((2, 7, 12),)


def test_a_file_that_exhausts_an_expression_counts_as_having_the_marker() -> None:
    never = rule(1, marker(b"abc", regex=rb"abc!"))
    assert not holds(never, b"abc" * TRIES_MAX)
    assert holds(never, b"abc" * (TRIES_MAX + 1))
