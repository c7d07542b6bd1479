"""Who is let in: tokens, sessions, hosts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compliance.errors import UsageError
from compliance.fleet.dashboard.access import SESSION_SECONDS, Access, host_name, read_secret
from compliance.fleet.dashboard.addresses import address, having, local_path

TOKEN = "a-token-that-nobody-guesses-0123456789"  # noqa: S105 - no secret of anything
NOW = 1_800_000_000.0


def access(token: str = TOKEN, *, addresses: bool = False, hosts: frozenset[str] = frozenset()) -> Access:
    return Access(addresses=addresses, hosts=hosts, token=read_secret(token, "token"))


def test_a_session_is_good_for_its_time_and_no_longer() -> None:
    session = access().session(NOW)
    assert access().is_session(session, NOW)
    assert access().is_session(session, NOW + SESSION_SECONDS - 1)
    assert not access().is_session(session, NOW + SESSION_SECONDS)
    assert not access().is_session(session, NOW - 3600), "one that lasts longer than any was never made"


def test_a_session_ends_with_its_token_and_holds_none_of_it() -> None:
    session = access().session(NOW)
    assert not access("another-token-that-nobody-guesses").is_session(session, NOW)
    assert TOKEN not in session
    assert TOKEN not in repr(access())


@given(st.integers(0, 52), st.sampled_from("ABCxyz019-_="))
def test_a_session_with_another_character_is_none(place: int, char: str) -> None:
    session = access().session(NOW)
    changed = session[:place] + char + session[place + 1 :]
    assert access().is_session(changed, NOW) is (changed == session)


@given(st.text(max_size=200))
def test_no_text_is_a_session(text: str) -> None:
    assert not access().is_session(text, NOW)
    assert not Access(addresses=False).is_session(text, NOW)


@given(st.text(max_size=100))
def test_only_the_token_is_the_token(text: str) -> None:
    assert read_secret(TOKEN, "token").matches(text) is (text == TOKEN)


@pytest.mark.parametrize("text", ["", "short", "x" * 23, "with a blank in the middle of it", "ü" * 30])
def test_a_token_that_can_be_guessed_or_mistyped_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as refused:
        read_secret(text, "token")
    assert refused.value.code == "token-invalid"
    assert not text or text not in str(refused.value), "what somebody meant as a secret is not printed"


HOSTS = (
    ("127.0.0.1:8080", True, True),
    ("127.9.9.9", True, True),
    ("[::1]:8080", True, True),
    ("localhost:8080", True, True),
    ("LOCALHOST.", True, True),
    ("dash.example:443", False, False),
    ("10.0.0.7:8080", False, True),
    ("[2001:db8::1]", False, True),
    ("localhost.evil.example", False, False),
    ("127.0.0.1.evil.example", False, False),
    ("evil.example#127.0.0.1", False, False),
    ("127.0.0.1@evil.example", False, False),
    ("0x7f000001", False, False),
    ("", False, False),
    (":8080", False, False),
    ("127.0.0.1:", False, False),
    ("127.0.0.1:80a", False, False),
    ("[::1", False, False),
    ("[::1]x", False, False),
)


@pytest.mark.parametrize(("host", "on_loopback", "elsewhere"), HOSTS)
def test_a_name_that_is_not_ours_is_another_host(host: str, on_loopback: bool, elsewhere: bool) -> None:
    assert access().is_own_host(host) is on_loopback
    assert access(addresses=True).is_own_host(host) is elsewhere


def test_names_have_to_be_given() -> None:
    assert access(hosts=frozenset({"dash.example"})).is_own_host("Dash.Example:8443")
    assert not access(hosts=frozenset({"dash.example"})).is_own_host("other.example")


@given(st.text(max_size=60))
def test_any_host_header_is_a_name_or_nothing(text: str) -> None:
    name = host_name(text)
    assert name is None or (name and name == name.lower())


TARGETS = (
    ("/fleets/shop/images?q=a", "/fleets/shop/images?q=a"),
    ("/", "/"),
    ("", "/"),
    ("//evil.example", "/"),
    ("/\\evil.example", "/"),
    ("https://evil.example/", "/"),
    ("javascript:alert(1)", "/"),
    ("/x\r\nSet-Cookie: a=b", "/"),
    ("fleets", "/"),
    ("/\t/evil.example", "/"),
)


@pytest.mark.parametrize(("text", "expected"), TARGETS)
def test_after_signing_in_one_stays_here(text: str, expected: str) -> None:
    assert local_path(text) == expected


def test_addresses_quote_every_part() -> None:
    assert address("fleets", "a/b?c", "images", q="x&y=z", page=None, from_=3) == (
        "/fleets/a%2Fb%3Fc/images?q=x%26y%3Dz&from=3"
    )
    assert having("/a?q=x%26y&page=2", page=3, group="") == "/a?q=x%26y&page=3"
    assert having("/a?page=2", page=None) == "/a"
