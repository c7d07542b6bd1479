"""The marker rules on real programs of this machine: each tells its tool, and no other."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from compliance.formats.examine import Examiner
from compliance.model.filesystem import FileFacts
from controls.knowledge import marker_rules

EXAMINER = Examiner(marker_rules())
CERTAIN = {"/bin/dash", "/bin/bash", "/usr/bin/dpkg"}
"""Programs of every Debian machine: their absence there would be a broken test, elsewhere it is a skip."""


def examine(path: str) -> FileFacts:
    real = Path(path)
    if not real.exists():
        assert not (path in CERTAIN and Path("/etc/debian_version").exists())
        pytest.skip(f"no {path} on this machine")
    facts = EXAMINER.examine(real.read_bytes())
    if facts is None or facts.elf is None:
        pytest.skip(f"{path} is no ELF file on this machine")
    return facts


@pytest.mark.parametrize(
    ("path", "rule"),
    [
        ("/bin/dash", "shell:ash"),
        ("/bin/bash", "shell:bash"),
        ("/bin/zsh", "shell:zsh"),
        ("/bin/ksh93", "shell:ksh93"),
        ("/bin/mksh", "shell:mksh"),
        ("/usr/bin/fish", "shell:fish"),
        ("/bin/tcsh", "shell:csh"),
        ("/usr/bin/yash", "shell:yash"),
        ("/bin/busybox", "multi:busybox"),
        ("/usr/bin/python3", "interp:python"),
        ("/usr/bin/perl", "interp:perl"),
        ("/usr/bin/node", "interp:node"),
        ("/usr/bin/mawk", "interp:mawk"),
        ("/usr/bin/gawk", "interp:gawk"),
        ("/usr/bin/tclsh8.6", "interp:tcl"),
        ("/usr/bin/dpkg", "pm:dpkg"),
        ("/usr/bin/dpkg-deb", "pm:dpkg"),
        ("/usr/bin/gcc", "cc:gcc"),
        ("/usr/bin/as", "cc:as"),
        ("/usr/bin/ld.bfd", "cc:ld"),
        ("/usr/bin/ld.gold", "cc:gold"),
        ("/usr/bin/ar", "cc:ar"),
        ("/usr/bin/objcopy", "cc:binutils"),
        ("/usr/bin/strip", "cc:binutils"),
        ("/usr/bin/make", "cc:make"),
        ("/usr/bin/javac", "cc:javac"),
        ("/usr/bin/gdb", "dbg:gdb"),
        ("/usr/bin/gdbserver", "dbg:gdbserver"),
        ("/usr/bin/strace", "dbg:strace"),
        ("/usr/bin/tcpdump", "dbg:tcpdump"),
        ("/usr/bin/jstack", "dbg:jdk-tool"),
        ("/usr/bin/curl", "net:curl"),
        ("/usr/bin/wget", "net:wget"),
        ("/usr/bin/ssh", "net:ssh"),
        ("/usr/bin/sftp", "net:sftp"),
        ("/usr/bin/rsync", "net:rsync"),
        ("/usr/bin/ip", "net:ip"),
        ("/usr/sbin/sshd", "remote:sshd"),
        ("/usr/bin/vim", "edit:vim"),
        ("/bin/nano", "edit:nano"),
        ("/usr/bin/less", "edit:less"),
        ("/usr/bin/more", "edit:more"),
    ],
)
def test_a_real_tool_is_told_by_its_content(path: str, rule: str) -> None:
    assert rule in examine(path).markers


def test_a_busybox_lists_its_shell_among_its_applets() -> None:
    facts = examine("/bin/busybox")
    assert {"sh", "wget", "vi"} <= set(facts.applets)


@pytest.mark.parametrize(
    "path",
    [
        "/usr/bin/env",
        "/usr/bin/ls",
        "/usr/bin/tar",
        "/usr/bin/sed",
        "/usr/bin/find",
        "/usr/bin/update-alternatives",
        "/usr/bin/sort",
        "/usr/bin/git",
        "/usr/sbin/ldconfig",
        "/usr/bin/keytool",
        "/usr/bin/shellcheck",
    ],
)
def test_other_programs_are_not_taken_for_a_tool(path: str) -> None:
    assert [rule for rule in examine(path).markers if rule != "jdk:tool"] == []


def test_no_library_of_this_machine_is_taken_for_a_shell() -> None:
    folders = [Path(folder) for folder in ("/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64")]
    seen = 0
    for folder in folders:
        for entry in sorted(os.scandir(folder), key=lambda one: one.name) if folder.is_dir() else ():
            if ".so" not in entry.name or not entry.is_file(follow_symlinks=False) or entry.stat().st_size > 4 * 2**20:
                continue
            seen += 1
            facts = EXAMINER.examine(Path(entry.path).read_bytes())
            assert facts is None or not any(rule.startswith("shell:") for rule in facts.markers), entry.path
            if seen == 200:
                return
    if not seen:
        pytest.skip("no library folder known here")
