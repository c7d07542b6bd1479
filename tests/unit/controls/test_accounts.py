"""The account files and USER, as container runtimes read them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compliance.model.filesystem import Unread
from compliance.model.image import ImageConfig
from controls.accounts import (
    ACCOUNT_FILES,
    AccountFile,
    CannotStart,
    Identity,
    Undetermined,
    integer,
    parse_group,
    parse_passwd,
    parse_shadow,
    resolve_user,
    run_as,
)
from tests.builders.evidence import Node, evidence, symlink, tree

PASSWD = b"""root:x:0:0:root:/root:/bin/sh
toor:x:0:0:alias:/root:/bin/sh
app:x:1000:1000::/home/app:/sbin/nologin
app:x:0:0:second line, never read::
wheelie:x:1001:10::/:/sbin/nologin
1234:x:77:77:a name of digits::
broken
nonum:x:abc:def::/:
huge:x:4294967296:1::/:
"""
GROUP = b"""root:x:0:
wheel:x:10:app,wheelie
audio:x:63:app
app:x:1000:
extra:x:2000:app,
none
"""


def resolve(spec: str) -> object:
    return resolve_user(spec, AccountFile(content=PASSWD, present=True), AccountFile(content=GROUP, present=True))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("00", 0),
        ("+0", 0),
        ("-0", 0),
        ("000000000000000000000000000", 0),
        ("65532", 65532),
        ("+65532", 65532),
        ("-1", -1),
        ("", None),
        ("+", None),
        ("0x0", None),
        ("1_000", None),
        ("1.0", None),
        (" 1", None),
        ("1 ", None),
        ("٣", None),
        ("9223372036854775807", 2**63 - 1),
        ("9223372036854775808", None),
        ("9" * 5000, None),
    ],
)
def test_a_number_is_what_go_reads_as_one(text: str, value: int | None) -> None:
    assert integer(text) == value


@pytest.mark.parametrize(
    ("spec", "uid", "gid", "groups"),
    [
        ("", 0, 0, ()),
        ("0", 0, 0, ()),
        ("00", 0, 0, ()),
        ("+0", 0, 0, ()),
        ("root", 0, 0, ()),
        ("toor", 0, 0, ()),
        ("nonum", 0, 0, ()),
        ("broken", 0, 0, ()),
        (":5", 0, 5, (2000,)),
        ("app", 1000, 1000, (10, 63, 2000)),
        ("1000", 1000, 1000, (10, 63, 2000)),
        ("app:audio", 1000, 63, (10, 2000)),
        ("app:0", 1000, 0, (10, 63, 2000)),
        ("app:", 1000, 1000, (0, 10, 63, 2000)),
        ("65532", 65532, 0, ()),
        ("65532:65532", 65532, 65532, ()),
        ("65532:wheel", 65532, 10, ()),
        ("1234", 1234, 0, ()),
        ("huge", 0, 1, ()),
    ],
)
def test_user_resolves_as_in_a_runtime(spec: str, uid: int, gid: int, groups: tuple[int, ...]) -> None:
    who = resolve(spec)
    assert isinstance(who, Identity)
    assert (who.uid, who.gid, who.groups) == (uid, gid, groups)


@pytest.mark.parametrize(
    "spec", ["nobody", "App", " root", "root ", "app:nogroup", "-1", "2147483648", "1234:1:9", "0:-1"]
)
def test_a_user_or_group_that_nobody_has_cannot_start(spec: str) -> None:
    assert isinstance(resolve(spec), CannotStart)


def test_a_name_without_any_passwd_file_cannot_start() -> None:
    assert isinstance(run_as(evidence({}, config=ImageConfig(user="app"))), CannotStart)


def test_a_number_needs_no_passwd_file() -> None:
    who = run_as(evidence({}, config=ImageConfig(user="65532")))
    assert isinstance(who, Identity)
    assert (who.uid, who.gid, who.groups_problem) == (65532, 0, None)


def test_passwd_is_found_through_links_that_stay_inside_the_image() -> None:
    files: dict[str, Node | bytes | str] = {
        "etc/passwd": symlink("/../../../usr/lib/passwd"),
        "usr/lib/passwd": "app:x:7:8::/:",
    }
    who = run_as(evidence(tree(files, requests=(ACCOUNT_FILES,)), config=ImageConfig(user="app")))
    assert isinstance(who, Identity)
    assert (who.uid, who.gid) == (7, 8)


def test_docker_takes_away_an_etc_that_is_a_link_so_who_a_name_is_depends_on_the_runtime() -> None:
    files: dict[str, Node | bytes | str] = {"etc": symlink("/conf"), "conf/passwd": "app:x:7:8::/:"}
    image = tree(files, requests=(ACCOUNT_FILES,))
    who = run_as(evidence(image, config=ImageConfig(user="app")))
    assert isinstance(who, Undetermined)
    assert "/etc is a link" in who.reason
    number = run_as(evidence(image, config=ImageConfig(user="7")))
    assert isinstance(number, Identity)
    assert number.groups_problem is not None


def test_a_passwd_file_whose_content_was_not_kept_leaves_names_undetermined() -> None:
    files: dict[str, Node | bytes | str] = {"etc/passwd": symlink("accounts"), "etc/accounts": "app:x:7:8::/:"}
    who = run_as(evidence(tree(files), config=ImageConfig(user="app")))
    assert isinstance(who, Undetermined)
    assert "not kept" in who.reason
    assert isinstance(run_as(evidence(tree(files), config=ImageConfig(user="0"))), Identity)


def test_without_a_config_nobody_can_say_who_runs() -> None:
    assert isinstance(run_as(evidence({}, without_config=True)), Undetermined)


def test_a_name_is_undetermined_when_the_file_may_have_been_missed() -> None:
    unread = (Unread(path="", reason="the layer is cut short", layer=0),)
    assert isinstance(run_as(evidence({}, config=ImageConfig(user="app"), unread=unread)), Undetermined)


def test_the_group_is_uncertain_but_the_uid_is_not_when_the_file_may_have_been_missed() -> None:
    unread = (Unread(path="", reason="the layer is cut short", layer=0),)
    who = run_as(evidence({}, config=ImageConfig(user="7"), unread=unread))
    assert isinstance(who, Identity)
    assert who.uid == 7
    assert who.groups_problem is not None


@given(st.binary(max_size=400))
def test_the_parsers_never_raise(content: bytes) -> None:
    parse_passwd(content)
    parse_group(content)
    parse_shadow(content)


@given(st.text(alphabet="0123456789+-:rotap_ ", max_size=12), st.binary(max_size=200), st.binary(max_size=200))
def test_resolving_never_raises_and_a_number_never_becomes_a_name(spec: str, passwd: bytes, group: bytes) -> None:
    who = resolve_user(spec, AccountFile(content=passwd, present=True), AccountFile(content=group, present=True))
    number = integer(spec.partition(":")[0])
    if isinstance(who, Identity) and number is not None:
        assert who.uid == number


@given(st.sampled_from(["app", "toor", "1000", "0", "wheelie:wheel"]))
def test_taking_the_passwd_line_away_never_turns_root_into_somebody(spec: str) -> None:
    with_lines = resolve(spec)
    without = resolve_user(spec, AccountFile(), AccountFile())
    if isinstance(with_lines, Identity) and with_lines.root:
        assert isinstance(without, CannotStart) or (isinstance(without, Identity) and without.root)
