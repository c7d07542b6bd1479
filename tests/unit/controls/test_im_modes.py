"""IM-SETUID, IM-FCAP, IM-WWFILE and IM-WWDIR: what modes and attributes say."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compliance.model.filesystem import FileKind, Unread
from compliance.model.inventory import Package
from compliance.model.outcome import Check, Failed, ObservationKind, Passed, Unknown
from controls.checks.im_fcap import CHECK as IM_FCAP
from controls.checks.im_setuid import CHECK as IM_SETUID
from controls.checks.im_wwdir import CHECK as IM_WWDIR
from controls.checks.im_wwfile import CHECK as IM_WWFILE
from controls.file_capabilities import decode
from tests.builders.evidence import Node, directory, evidence, file, program, symlink

CUT = (Unread(path="", reason="the layer is cut short", layer=0),)
ALL = [IM_SETUID, IM_FCAP, IM_WWFILE, IM_WWDIR]
CLEAN: dict[str, Node | bytes | str] = {"bin/app": program(b"x"), "etc/app.conf": "a=b", "tmp": directory(0o1777)}
NET_RAW_V2 = struct.pack("<5I", 0x02000001, 1 << 13, 0, 0, 0)


@pytest.mark.parametrize("check", ALL, ids=lambda check: check.id)
def test_a_clean_tree_passes_and_says_what_was_read(check: Check) -> None:
    outcome = check.run(evidence(CLEAN))
    assert isinstance(outcome, Passed)
    assert outcome.observations[0].kind is ObservationKind.COVERAGE
    assert "6 entries in 1 layer" in outcome.observations[0].summary


@pytest.mark.parametrize("check", ALL, ids=lambda check: check.id)
def test_absence_is_unknown_in_a_tree_that_was_not_read(check: Check) -> None:
    outcome = check.run(evidence(CLEAN, unread=CUT))
    assert isinstance(outcome, Unknown)
    assert "the layer is cut short" in outcome.reason


@pytest.mark.parametrize(
    ("mode", "said"),
    [(0o4755, "runs as uid 0"), (0o2755, "runs with group 42"), (0o6711, "setuid, so it runs as uid 0 and setgid")],
)
def test_setuid_programs_fail_with_layer_digest_and_owner(mode: int, said: str) -> None:
    package = Package(
        name="p", version="1", type="deb", purl="pkg:deb/p@1", found_by="dpkg", locations=(), files=("bin/su",)
    )
    outcome = IM_SETUID.run(evidence({"bin/su": file(b"su", mode, gid=42, layer=1)}, packages=(package,), layers=2))
    assert isinstance(outcome, Failed)
    seen = outcome.observations[0]
    assert said in seen.summary
    assert (seen.path, seen.layer, seen.package, seen.value) == ("bin/su", 1, "pkg:deb/p@1", f"{mode:04o}")
    assert len(seen.sha256 or "") == 64


def test_setuid_one_inode_is_one_finding_with_all_its_names() -> None:
    outcome = IM_SETUID.run(evidence({"bin/a": file(b"x", 0o4755), "bin/b": Node(same_as="bin/a")}))
    assert isinstance(outcome, Failed)
    assert [(seen.path, seen.names) for seen in outcome.observations] == [("bin/a", ("bin/b",))]


def test_setuid_modes_of_links_mean_nothing_and_directories_are_notes() -> None:
    files = {
        "bin/bird": Node(kind=FileKind.SYMLINK, mode=0o4755, link="/usr/local/bin/bird"),
        "var/mail": directory(0o2775),
        "opt/data": file(b"", 0o4644),
    }
    outcome = IM_SETUID.run(evidence(files))
    assert isinstance(outcome, Passed)
    assert [seen.path for seen in outcome.observations[1:]] == ["opt/data", "var/mail"]


@pytest.mark.parametrize(
    ("attribute", "text"),
    [
        (struct.pack("<3I", 0x01000001, 1 << 10, 0), "cap_net_bind_service=ep"),
        (NET_RAW_V2, "cap_net_raw=ep"),
        (struct.pack("<5I", 0x02000000, 1 << 13, 1 << 13, 0, 0), "cap_net_raw=ip"),
        (
            struct.pack("<6I", 0x03000001, (1 << 7) | (1 << 21), 0, 1 << 7, 0, 1000),
            "cap_setuid,cap_sys_admin,cap_bpf=ep",
        ),
        (struct.pack("<5I", 0x02000001, 0, 0, 1 << 31, 0), "cap_63=ep"),
    ],
)
def test_capabilities_are_decoded_by_revision_and_named(attribute: bytes, text: str) -> None:
    outcome = IM_FCAP.run(evidence({"bin/ping": program(b"ping", capability=attribute)}))
    assert isinstance(outcome, Failed)
    assert outcome.observations[0].value == text


def test_capabilities_of_revision_3_name_their_root_id() -> None:
    decoded = decode(struct.pack("<6I", 0x03000001, 1, 0, 0, 0, 1000))
    assert decoded is not None
    assert decoded.root_id == 1000


@pytest.mark.parametrize("attribute", [b"x", b"\0" * 20, NET_RAW_V2[:-1], struct.pack("<5I", 0x09000001, 1, 0, 0, 0)])
def test_an_attribute_that_is_no_known_revision_still_fails(attribute: bytes) -> None:
    outcome = IM_FCAP.run(evidence({"bin/ping": program(b"ping", capability=attribute)}))
    assert isinstance(outcome, Failed)
    assert "none of the known revisions" in outcome.observations[0].summary


def test_capabilities_that_grant_nothing_or_on_no_program_are_notes() -> None:
    files = {
        "bin/a": program(b"", capability=struct.pack("<5I", 0x02000000, 0, 0, 0, 0)),
        "srv/b": file(b"", capability=NET_RAW_V2),
    }
    outcome = IM_FCAP.run(evidence(files))
    assert isinstance(outcome, Passed)
    assert [seen.kind for seen in outcome.observations[1:]] == [ObservationKind.NOTE] * 2


@given(st.binary(max_size=32))
def test_decoding_capabilities_never_raises(attribute: bytes) -> None:
    decoded = decode(attribute)
    assert decoded is None or isinstance(str(decoded), str)


@pytest.mark.parametrize("mode", [0o666, 0o777, 0o602, 0o002])
def test_world_writable_files_fail(mode: int) -> None:
    outcome = IM_WWFILE.run(evidence({"srv/a": file(b"", mode)}))
    assert isinstance(outcome, Failed)
    assert outcome.observations[0].path == "srv/a"


def test_links_and_devices_are_not_files() -> None:
    files = {"dev/null": Node(kind=FileKind.CHARACTER_DEVICE, mode=0o666), "a": symlink("b"), "b": file(b"", 0o664)}
    assert isinstance(IM_WWFILE.run(evidence(files)), Passed)


def test_world_writable_directories_without_the_sticky_bit_fail() -> None:
    outcome = IM_WWDIR.run(evidence({"tmp": directory(0o777), "opt/x": directory(0o1777)}))
    assert isinstance(outcome, Failed)
    assert [seen.path for seen in outcome.observations] == ["tmp", "opt/x"]
    assert outcome.observations[1].kind is ObservationKind.NOTE


def test_sticky_directories_pass_and_unusual_ones_are_noted() -> None:
    outcome = IM_WWDIR.run(evidence({"tmp": directory(0o1777), "var/cache": directory(0o1777)}))
    assert isinstance(outcome, Passed)
    assert [seen.path for seen in outcome.observations[1:]] == ["var/cache"]


@given(st.dictionaries(st.sampled_from(["a", "b/c", "d"]), st.integers(0, 0o7777), min_size=1))
def test_reading_less_never_gives_a_pass(modes: dict[str, int]) -> None:
    files = {path: file(b"x", mode) for path, mode in modes.items()}
    for check in ALL:
        whole, cut = check.run(evidence(files)), check.run(evidence(files, unread=CUT))
        assert isinstance(whole, Passed | Failed)
        assert type(cut) is (Failed if isinstance(whole, Failed) else Unknown)
