"""A search for many literals says what a plain search for each says, whatever the bytes, from any thread."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compliance.formats import literals
from compliance.formats.literals import JointSearch, LiteralSearch, Places

FEW = st.sampled_from([b"a", b"b", b"\0", b"\xff", b"\\", b"$", b"\n"])
SHORT = st.lists(FEW, min_size=1, max_size=4).map(b"".join)


@given(st.lists(SHORT, unique=True, max_size=12), st.lists(FEW, max_size=60).map(b"".join))
def test_the_same_literals_are_found_as_one_by_one(wanted: list[bytes], content: bytes) -> None:
    search = LiteralSearch(wanted)
    expected = {
        number: [at for at in range(len(content)) if content.startswith(literal, at)]
        for number, literal in enumerate(wanted)
        if literal in content
    }
    in_order = sorted((at, number) for number, places in expected.items() for at in places)
    assert search.few(content) == in_order
    assert all_places(search, content) == expected
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(literals, "MANY", 3)  # as if the content were full of them
        assert search.few(content) == (in_order if len(in_order) <= 3 else None)
        assert all_places(search, content) == expected


@given(
    st.lists(SHORT, unique=True, max_size=6),
    st.lists(SHORT, unique=True, max_size=6),
    st.lists(FEW, max_size=40).map(b"".join),
)
def test_two_searches_in_one_pass_find_what_each_finds_alone(
    first: list[bytes], second: list[bytes], content: bytes
) -> None:
    one, other = LiteralSearch(first), LiteralSearch(second)
    assert JointSearch(one, other).few(content) == (one.few(content), other.few(content))


def test_two_searches_in_one_pass_leave_a_content_full_of_literals_to_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(literals, "MANY", 3)
    both = JointSearch(LiteralSearch([b"a"]), LiteralSearch([b"b"]))
    assert both.few(b"ab b") == ([(0, 0)], [(1, 0), (3, 0)])
    assert both.few(b"abab") == (None, None)


def all_places(search: LiteralSearch, content: bytes) -> dict[int, list[int]]:
    return {number: list(places) for number, places in search.found(content).items()}


def test_an_empty_literal_is_refused() -> None:
    with pytest.raises(ValueError, match="empty literal"):
        LiteralSearch([b"a", b""])


def test_a_content_beyond_one_scan_is_searched_to_its_end_and_across_the_border(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(literals, "_AT_ONCE", 8)
    search = LiteralSearch([b"omega", b"end"])
    assert all_places(search, b"....." + b"omega" + b"........end") == {0: [5], 1: [18]}
    assert all_places(search, b"omeg.mega" * 3) == {}


def test_threads_may_share_one_search() -> None:
    search = LiteralSearch([b"needle", b"thread"])
    contents = [bytes(number) + b"needle" + bytes(2**16) for number in range(64)]
    with ThreadPoolExecutor(4) as pool:
        found = pool.map(lambda content: all_places(search, content), contents * 4)
    assert list(found) == [{0: [number]} for number in range(64)] * 4


def test_places_are_gone_over_again_from_the_first() -> None:
    places = Places(b"aaaa", b"aa")
    assert [list(places), list(places)] == [[0, 1, 2]] * 2
