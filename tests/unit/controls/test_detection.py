"""How a removed component is found again: by content, applets, links, names, copies, packages."""

from __future__ import annotations

import pytest

from compliance.formats.examine import Examiner
from compliance.model.evidence import Evidence
from compliance.model.inventory import Location, Package
from controls.detection import Detection, Finding, Presence, detect
from controls.knowledge import marker_rules
from controls.programs import programs
from tests.builders import elf as make
from tests.builders import upx as packs
from tests.builders.evidence import Node, evidence, file, program, symlink
from tests.unit.formats.test_go_buildinfo import inline

EXAMINER = Examiner(marker_rules())
ASH = b"\0PPID=\0OPTIND=1\0PS1=$ \0PS4=+ \0Bad substitution\0Syntax error: \0"
DASH = make.program(ASH, needed=("libc.so.6",), build_id=b"d" * 20)
OTHER = make.program(b"an application", needed=("libc.so.6",))
BUSYBOX = make.static_program(
    b"BusyBox v1.36.1\0: applet not found\0\1\0[\0[[\0ash\0awk\0cat\0dpkg\0ls\0nc\0sh\0telnetd\0vi\0wget\0\1" + ASH
)
Files = dict[str, Node | bytes | str]


def see(files: Files, **more: object) -> Evidence:
    return evidence(files, examiner=EXAMINER, **more)  # type: ignore[arg-type]


def shells(files: Files, **more: object) -> tuple[Finding, ...]:
    return detect(see(files, **more), "shells").findings


def only(findings: tuple[Finding, ...]) -> Finding:
    assert len(findings) == 1, findings
    return findings[0]


def package(name: str, *files: str, type_: str = "deb") -> Package:
    return Package(
        name=name,
        version="1",
        type=type_,
        purl=f"pkg:{type_}/{name}@1",
        found_by="dpkg",
        locations=(Location(path="var/lib/dpkg/status", layer=0),),
        files=files,
    )


def test_a_renamed_copy_is_found_by_its_content() -> None:
    found = only(shells({"opt/app/helper": program(DASH)}))
    assert (found.presence, found.tools) == (Presence.PRESENT, ("dash",))
    assert found.method == "content markers shell:ash"


def test_a_copy_among_data_is_found_by_its_content() -> None:
    assert only(shells({"usr/share/doc/x/logo.png": program(DASH)})).presence is Presence.PRESENT


def test_a_copy_without_execute_permission_is_dormant() -> None:
    assert only(shells({"opt/app/helper": file(DASH)})).presence is Presence.DORMANT


def test_one_inode_is_one_finding_with_all_its_names() -> None:
    found = only(
        shells(
            {
                "usr/bin/dash": program(DASH),
                "usr/bin/other": Node(same_as="usr/bin/dash"),
                "usr/bin/sh": symlink("dash"),
                "bin": symlink("usr/bin"),
            }
        )
    )
    assert found.entry.path == "usr/bin/dash"
    assert found.names == ("usr/bin/other", "usr/bin/sh")


def test_a_chain_of_links_leads_to_the_program() -> None:
    files: Files = {
        "usr/bin/nc": symlink("/etc/alternatives/nc"),
        "etc/alternatives/nc": symlink("/bin/nc.openbsd"),
        "bin/nc.openbsd": program(OTHER),
    }
    found = only(detect(see(files), "network-tools").findings)
    assert (found.entry.path, found.presence) == ("bin/nc.openbsd", Presence.POSSIBLE)
    assert "usr/bin/nc" in found.names


def test_a_busybox_is_a_shell_without_any_link() -> None:
    found = only(shells({"bin/busybox": program(BUSYBOX)}))
    assert found.presence is Presence.PRESENT
    assert "applet table: ash, sh" in found.method


@pytest.mark.parametrize(
    ("kind", "applet"),
    [
        ("os-package-managers", "dpkg"),
        ("network-tools", "nc, wget"),
        ("remote-access", "telnetd"),
        ("editors", "vi"),
        ("interpreters", "awk"),
    ],
)
def test_a_busybox_is_every_tool_in_its_table(kind: str, applet: str) -> None:
    found = only(detect(see({"x/y": program(BUSYBOX)}), kind).findings)
    assert found.method == f"applet table: {applet}"


def test_a_toybox_without_a_shell_is_none() -> None:
    text = b"\0usage: toybox [--long | --help]\0(see toybox --help)\0usage: cat [-u]\0usage: wget [OPTIONS]\0"
    content = make.program(text)
    assert shells({"bin/toybox": program(content)}) == ()
    assert only(detect(see({"bin/toybox": program(content)}), "network-tools").findings).tools == ("wget",)


@pytest.mark.parametrize(
    ("content", "presence"),
    [
        (OTHER, Presence.POSSIBLE),
        (b"#!/bin/false\n", Presence.POSSIBLE),
        (b"thirty bytes that start nothing", Presence.POSSIBLE),
        (b"", None),
    ],
    ids=["another program", "a script", "a stub", "an empty file"],
)
def test_a_name_alone_is_no_more_than_possible(content: bytes, presence: Presence | None) -> None:
    found = shells({"bin/sh": program(content)})
    assert [finding.presence for finding in found] == ([presence] if presence else [])


def test_a_file_named_as_a_tool_that_nobody_can_execute_is_none() -> None:
    assert shells({"bin/sh": file(b"text"), "usr/share/bash-completion/sh": file(b"text")}) == ()


@pytest.mark.parametrize("path", ["usr/share/licenses/bash", "usr/lib/app/sh", "opt/app/node_modules/x/sh"])
def test_a_name_among_data_says_nothing(path: str) -> None:
    assert shells({path: program(OTHER)}) == ()


def test_a_tool_without_content_rules_is_told_by_the_name_of_a_program() -> None:
    found = only(detect(see({"usr/bin/swupd": program(OTHER)}), "os-package-managers").findings)
    assert (found.presence, found.method) == (Presence.PRESENT, "file name swupd")
    assert (
        only(detect(see({"usr/bin/swupd": file(OTHER)}), "os-package-managers").findings).presence is Presence.DORMANT
    )


def test_a_copy_of_a_tool_told_by_name_is_found_by_its_digest() -> None:
    files: Files = {"usr/bin/swupd": program(OTHER), "opt/x/innocent": program(OTHER)}
    found = detect(see(files), "os-package-managers").findings
    assert [(finding.entry.path, finding.method) for finding in found] == [
        ("opt/x/innocent", "same content as /usr/bin/swupd"),
        ("usr/bin/swupd", "file name swupd"),
    ]


def test_a_changed_copy_is_found_by_its_build_id() -> None:
    one = make.program(b"swupd", build_id=b"b" * 20)
    other = make.program(b"swupd stripped", build_id=b"b" * 20)
    found = detect(see({"usr/bin/swupd": program(one), "opt/x": program(other)}), "os-package-managers").findings
    assert [finding.method for finding in found] == ["same build id as /usr/bin/swupd", "file name swupd"]


@pytest.mark.parametrize("name", ["as", "ld", "go", "ar"])
def test_an_ambiguous_name_says_nothing_without_content_or_package(name: str) -> None:
    assert detect(see({f"usr/bin/{name}": program(OTHER)}), "compilers").findings == ()


def test_an_ambiguous_name_counts_with_its_package() -> None:
    binutils = package("binutils", "usr/bin/ld")
    found = only(detect(see({"usr/bin/ld": program(OTHER)}, packages=(binutils,)), "compilers").findings)
    assert (found.presence, found.method) == (Presence.PRESENT, "file name ld and its package")


def test_a_package_whose_files_are_gone_is_no_finding_but_listed() -> None:
    found = detect(see({"bin/app": program(OTHER)}, packages=(package("bash"), package("zlib1g"))), "shells")
    assert found.findings == ()
    assert [listed.name for listed in found.packages] == ["bash"]


def test_what_links_to_a_package_managers_library_is_one() -> None:
    content = make.program(needed=("libapt-pkg.so.6.0", "libc.so.6"))
    assert only(detect(see({"x": program(content)}), "os-package-managers").findings).method == (
        "links to libapt-pkg.so.6.0"
    )


def test_a_small_launcher_of_an_interpreters_library_is_one_and_a_large_program_is_not() -> None:
    small = make.program(needed=("$ORIGIN/../lib/libpython3.12.so.1.0",))
    large = make.program(bytes(100_000), needed=("libpython3.12.so.1.0",))
    assert only(detect(see({"x": program(small)}), "interpreters").findings).tools == ("python",)
    assert detect(see({"x": program(large)}), "interpreters").findings == ()


def test_a_java_launcher_with_a_main_class_of_its_own_does_not_run_any() -> None:
    java = make.program(b"\0-J-ms8m\0", needed=("libjli.so",))
    keytool = make.program(b"\0java.base/sun.security.tools.keytool.Main\0", needed=("libjli.so",))
    found = detect(see({"bin/x": program(java), "bin/keytool": program(keytool)}), "interpreters").findings
    assert [finding.entry.path for finding in found] == ["bin/x"]


def test_a_shell_in_a_shared_library_is_possible() -> None:
    found = only(shells({"usr/lib/libbusybox.so.1": file(make.library("libbusybox.so.1", ASH))}))
    assert found.presence is Presence.POSSIBLE


@pytest.mark.parametrize(
    ("kind", "path", "tools"),
    [
        ("network-tools", "example.org/tools/netcat", ("netcat",)),
        ("network-tools", "example.org/tools/wget", ("wget",)),
        ("debuggers", "example.org/tools/strace", ("strace",)),
        ("network-tools", "example.org/netcat/server", ()),
    ],
)
def test_a_go_program_is_the_tool_that_its_main_package_is_called(kind: str, path: str, tools: tuple[str, ...]) -> None:
    content = make.static_program(inline("go1.23.4", f"path\t{path}\n"))
    found = detect(see({"opt/x": program(content)}), kind).findings
    assert tuple(tool for finding in found for tool in finding.tools) == tools


def test_a_shell_that_speaks_bash_is_found_and_bash_is_bash_alone() -> None:
    words = b"BASH_XTRACEFD\0DIRSTACK\0SHELLOPTS\0: not a shell builtin\0no such job\0"
    bash = words + b"BASH_VERSINFO\0GNU bash, version \0BASH_EXECUTION_STRING\0"
    assert only(shells({"x": program(make.static_program(words))})).tools == ("bash-alike",)
    assert only(shells({"x": program(make.static_program(bash))})).tools == ("bash",)
    assert shells({"x": program(make.static_program(b"BASH_XTRACEFD\0DIRSTACK\0SHELLOPTS\0"))}) == ()


def test_a_client_of_conda_in_rust_is_a_package_manager() -> None:
    text = b"conda-meta\0/registry/rattler-0.48.3/src/install/driver.rs"
    found = only(detect(see({"x": program(make.static_program(text))}), "language-package-managers").findings)
    assert found.tools == ("conda",)


def test_a_library_is_no_interpreter() -> None:
    text = b"PYTHONHOME\0PYTHONHASHSEED\0PYTHONSTARTUP\0program passed in as string"
    assert (
        detect(see({"usr/lib/libpython3.so": file(make.library("libpython3.so", text))}), "interpreters").findings == ()
    )


def test_a_module_that_needs_no_command_is_found_by_its_path() -> None:
    path = "usr/lib/python3/dist-packages/pip/__main__.py"
    found = only(detect(see({path: file(b"import sys")}), "language-package-managers").findings)
    assert (found.presence, found.method) == (Presence.PRESENT, "path of the module")


def test_observed_tools_are_marked_so() -> None:
    found = only(detect(see({"usr/bin/env": program(OTHER)}), "interpreters").findings)
    assert found.observe


def test_a_packed_program_is_not_judged() -> None:
    found: Detection = detect(see({"bin/app": program(make.static_program(b"UPX!" + bytes(100)))}), "shells")
    assert found.findings == ()
    assert "UPX" in found.unjudged[0].summary


def test_a_packed_program_that_can_be_unpacked_is_judged_by_what_is_inside() -> None:
    inside = make.program(ASH + b"text " * 1000, needed=("libc.so.6",))
    content = packs.pack(inside, 14, packs.lzma_block)
    found = only(shells({"opt/app/helper": program(content)}))
    assert (found.presence, found.tools) == (Presence.PRESENT, ("dash",))
    assert found.method == "content markers shell:ash, in what UPX packed"
    harmless = packs.pack(make.program(b"text " * 1000, needed=("libc.so.6",)), 14, packs.lzma_block)
    assert detect(see({"opt/app/helper": program(harmless)}), "shells").unjudged == ()


def test_a_script_that_hands_its_work_to_a_tool_is_that_tool() -> None:
    script = "#!/usr/bin/python3\nimport sys\nfrom pip._internal.cli.main import main\nsys.exit(main())\n"
    files: Files = {"opt/x/installer": program(script), "opt/x/other": program("#!/bin/sh\npip install x\n")}
    found = only(detect(see(files), "language-package-managers").findings)
    assert (found.entry.path, found.tools, found.presence) == ("opt/x/installer", ("pip",), Presence.PRESENT)


def test_a_multi_call_binary_without_a_readable_table_is_not_judged() -> None:
    toybox = make.program(b"\0cat\0sh\0(see toybox --help)\0")
    found = detect(see({"bin/toybox": program(toybox)}), "shells")
    assert "could not be read" in found.unjudged[0].summary
    assert detect(see({"bin/toybox": program(toybox)}), "compilers").unjudged == ()


def test_damaged_headers_do_not_hide_content() -> None:
    damaged = DASH[:16] + b"\xff" * 48 + DASH[64:]
    assert only(shells({"x": program(damaged)})).presence is Presence.POSSIBLE


def test_the_coverage_counts_what_was_read() -> None:
    found = detect(see({"a": program(DASH), "b": "text", "c": "#!/a\n"}), "shells")
    assert found.coverage.summary.startswith(
        "3 regular files of 1 layer read to the end, 1 ELF file and 1 script among them"
    )


def test_the_programs_of_a_tree_are_gathered_once() -> None:
    tree = see({"a": program(DASH)}).filesystem
    assert programs(tree) is programs(tree)
