"""What the checks for removed programs have in common: pass, fail, not applicable, unknown."""

from __future__ import annotations

import pytest

from compliance.formats.examine import Examiner
from compliance.model.evidence import Evidence, ProfileSource, Variant
from compliance.model.filesystem import Unread
from compliance.model.outcome import (
    Check,
    Failed,
    NotApplicable,
    ObservationKind,
    Outcome,
    Passed,
    Severity,
    Trait,
    Unknown,
)
from controls.checks.rm_compiler import CHECK as RM_COMPILER
from controls.checks.rm_debug import CHECK as RM_DEBUG
from controls.checks.rm_editdoc import CHECK as RM_EDITDOC
from controls.checks.rm_interp import CHECK as RM_INTERP
from controls.checks.rm_langpm import CHECK as RM_LANGPM
from controls.checks.rm_nettool import CHECK as RM_NETTOOL
from controls.checks.rm_pkgmgr import CHECK as RM_PKGMGR
from controls.checks.rm_remote import CHECK as RM_REMOTE
from controls.checks.rm_shell import CHECK as RM_SHELL
from controls.knowledge import marker_rules
from controls.loader import check_catalog
from tests.builders import elf as make
from tests.builders.evidence import Node, evidence, file, program

EXAMINER = Examiner(marker_rules())
OTHER = make.program(b"an application", needed=("libc.so.6",))
TOOLS: dict[str, tuple[Check, bytes, str]] = {
    "RM-SHELL": (RM_SHELL, b"\0BASH_VERSINFO\0GNU bash, version\0BASH_EXECUTION_STRING\0", "bash"),
    "RM-PKGMGR": (RM_PKGMGR, b"\0DPKG_ADMINDIR\0DPKG_ROOT\0/var/lib/dpkg\0", "dpkg"),
    "RM-LANGPM": (RM_LANGPM, b"BUN_INSTALL_X\0BUN_CONFIG_REGISTRY\0", "bun"),
    "RM-COMPILER": (RM_COMPILER, b"GCC_EXEC_PREFIX\0gcc driver version %s\0", "gcc"),
    "RM-INTERP": (RM_INTERP, b"\0RUBYOPT\0RUBYLIB\0", "ruby"),
    "RM-DEBUG": (RM_DEBUG, b"PTRACE_SEIZE\0Usage: strace [-A]\0", "strace"),
    "RM-NETTOOL": (RM_NETTOOL, b"Usage: curl [options...]\0CURL_HOME\0", "curl"),
    "RM-REMOTE": (RM_REMOTE, b"sshd: no hostkeys available\0/etc/ssh/sshd_config\0", "sshd"),
    "RM-EDITDOC": (RM_EDITDOC, b"$VIMRUNTIME/doc\0VIM - Vi IMproved\0", "vi"),
}
CASES = pytest.mark.parametrize(("check", "text", "tool"), TOOLS.values(), ids=TOOLS)
CUT = (Unread(path="opt/big", reason="larger than the bound", layer=0),)
Files = dict[str, Node | bytes | str]


def see(files: Files, **more: object) -> Evidence:
    return evidence({"bin/app": program(OTHER), **files}, examiner=EXAMINER, **more)  # type: ignore[arg-type]


def summary(outcome: Outcome) -> str:
    return outcome.observations[0].summary


@CASES
def test_an_image_without_the_tool_passes_and_says_what_was_read(check: Check, text: bytes, tool: str) -> None:
    outcome = check.run(see({}))
    assert isinstance(outcome, Passed)
    assert outcome.observations[0].kind is ObservationKind.COVERAGE
    assert "1 regular file of 1 layer read to the end" in summary(outcome)


@CASES
def test_a_renamed_copy_of_the_tool_fails(check: Check, text: bytes, tool: str) -> None:
    outcome = check.run(see({"opt/app/helper": program(make.program(text), layer=0)}))
    assert isinstance(outcome, Failed)
    seen = outcome.observations[0]
    assert (seen.path, seen.verdict, seen.value) == ("opt/app/helper", "present", tool)
    assert (seen.method or "").startswith("content markers")
    assert len(seen.sha256 or "") == 64


@CASES
def test_a_copy_without_execute_permission_fails_as_dormant(check: Check, text: bytes, tool: str) -> None:
    outcome = check.run(see({"opt/app/helper": file(make.program(text))}))
    assert isinstance(outcome, Failed)
    assert outcome.observations[0].verdict == "dormant"


@CASES
def test_absence_is_unknown_in_a_tree_that_was_not_wholly_read(check: Check, text: bytes, tool: str) -> None:
    outcome = check.run(see({}, unread=CUT))
    assert isinstance(outcome, Unknown)
    assert "/opt/big" in outcome.reason
    assert "larger than the bound" in outcome.reason


@CASES
def test_what_was_found_fails_though_not_everything_was_read(check: Check, text: bytes, tool: str) -> None:
    assert isinstance(check.run(see({"x": program(make.program(text))}, unread=CUT)), Failed)


@CASES
def test_a_packed_program_leaves_the_answer_unknown(check: Check, text: bytes, tool: str) -> None:
    outcome = check.run(see({"opt/packed": program(make.static_program(b"UPX!" + bytes(100)))}))
    assert isinstance(outcome, Unknown)
    assert "packed" in summary(outcome)


@CASES
@pytest.mark.parametrize("variant", [Variant.DEV, Variant.SDK])
def test_a_dev_or_sdk_image_carries_tools_on_purpose_but_no_login_service(
    check: Check, text: bytes, tool: str, variant: Variant
) -> None:
    files: Files = {"x": program(make.program(text))}
    seen = see(files, variant=variant, source=ProfileSource.LABEL, declared="label a=b")
    outcome = check.run(seen)
    if check.id == "RM-REMOTE":
        assert isinstance(outcome, Failed)
    else:
        assert isinstance(outcome, NotApplicable)
        assert "unsigned claim (label a=b)" in outcome.reason
        assert outcome.observations[0].path == "x"


@CASES
def test_the_check_says_what_the_catalog_says(check: Check, text: bytes, tool: str) -> None:
    known = check_catalog()[check.id]
    assert (check.title, check.severity, check.rationale) == (known.title, known.severity, known.rationale)
    assert check.trait is Trait.REMOVED
    assert check.severity >= Severity.LOW
