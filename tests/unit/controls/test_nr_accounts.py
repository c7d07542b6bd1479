"""NR-UID0, NR-PASSWD, NR-SUDO and NR-PORT."""

from __future__ import annotations

import pytest

from compliance.model.filesystem import Unread
from compliance.model.image import ImageConfig
from compliance.model.outcome import Failed, OutcomeWord, Passed, Unknown, outcome_word
from controls.checks.nr_passwd import CHECK as NR_PASSWD
from controls.checks.nr_port import CHECK as NR_PORT
from controls.checks.nr_sudo import CHECK as NR_SUDO
from controls.checks.nr_uid0 import CHECK as NR_UID0
from tests.builders.elf import static_program as elf
from tests.builders.evidence import Node, directory, evidence, file, program, symlink

CUT = (Unread(path="", reason="the layer is cut short", layer=0),)
CLEAN = {"etc/passwd": "root:x:0:0::/root:/sbin/nologin\napp:x:1:1::/:/sbin/nologin\n", "etc/group": "root:x:0:\n"}


@pytest.mark.parametrize(
    ("passwd", "said"),
    [
        ("root:x:0:0::/:\ntoor:x:0:0::/:\n", "User id 0 has more than one name, aliases of root: 'root', 'toor'."),
        ("root:x:0:0::/:\ntoor:x:00:0::/:\n", "aliases of root"),
        ("root:x:0:0::/:\na:x:5:0::/:\nb:x:5:0::/:\n", "User id 5 has more than one line: 'a', 'b'."),
        ("root:x:0:0::/:\nroot:x:7:0::/:\n", "The account 'root' is defined more than once, on lines 1, 2."),
        ("root:x:0:0::/:\nx:x::0::/:\n", "container runtimes read it as 0"),
        ("root:x:0:0::/:\njunk\n", "no valid user id"),
    ],
)
def test_uid0_counter_examples(passwd: str, said: str) -> None:
    outcome = NR_UID0.run(evidence({"etc/passwd": passwd}))
    assert isinstance(outcome, Failed)
    assert said in " ".join(seen.summary for seen in outcome.observations)


def test_uid0_duplicate_groups_fail() -> None:
    outcome = NR_UID0.run(evidence({**CLEAN, "etc/group": "root:x:0:\nwheel:x:0:\n"}))
    assert isinstance(outcome, Failed)
    assert outcome.observations[0].path == "etc/group"


def test_uid0_comments_and_nis_lines_are_no_accounts() -> None:
    outcome = NR_UID0.run(evidence({"etc/passwd": "# two\n# two\n+::::::\n-x\nroot:x:0:0::/:\n"}))
    assert isinstance(outcome, Passed)


def test_uid0_passes_with_the_counts() -> None:
    outcome = NR_UID0.run(evidence(CLEAN))
    assert isinstance(outcome, Passed)
    assert "2 accounts and 1 group" in outcome.observations[0].summary


def test_uid0_an_image_without_accounts_passes_only_when_wholly_read() -> None:
    assert isinstance(NR_UID0.run(evidence({})), Passed)
    assert isinstance(NR_UID0.run(evidence({}, unread=CUT)), Unknown)


SHELL = {"bin/sh": program(elf())}
HASH = "$6$saltsalt$abcdefghijklmnop"


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"etc/passwd": "a::1:1::/:/sbin/nologin\n"}, "'a' has an empty password in /etc/passwd"),
        ({"etc/shadow": "a::19000::::::\n"}, "'a' has an empty password in /etc/shadow"),
        ({"etc/shadow": f"a:{HASH}:19000::::::\n"}, "'a' has a password hash in /etc/shadow (method $6$)"),
        ({"etc/shadow": "a:$y$j9T$abc$def:1::::::\n"}, "(method $y$)"),
        ({"etc/passwd": "a:ab1234567890z:1:1::/:/sbin/nologin\n"}, "a password hash in /etc/passwd."),
        ({"etc/passwd": "a:x:1:1::/:/bin/sh\n", **SHELL}, "'a' (uid 1) has the login shell /bin/sh, which exists"),
        ({"etc/passwd": "a:x:1:1::/:\n", **SHELL}, "the default for an empty field"),
        (
            {"etc/passwd": "a:x:1:1::/:/bin/bash\n", "bin/bash": symlink("sh"), **SHELL},
            "the login shell /bin/bash, which exists",
        ),
    ],
)
def test_passwd_counter_examples(files: dict[str, Node | str], said: str) -> None:
    outcome = NR_PASSWD.run(evidence(files))
    assert isinstance(outcome, Failed)
    assert said in " ".join(seen.summary for seen in outcome.observations)


def test_passwd_a_hash_is_never_written_down() -> None:
    assert "saltsalt" not in repr(NR_PASSWD.run(evidence({"etc/shadow": f"a:{HASH}:1::::::\n"})))


@pytest.mark.parametrize("field", ["x", "*", "!", "!!", "!*", f"!{HASH}", "*LK*", "NP"])
def test_passwd_locked_fields_pass(field: str) -> None:
    outcome = NR_PASSWD.run(evidence({**CLEAN, "etc/shadow": f"root:{field}:1::::::\n"}))
    assert isinstance(outcome, Passed)


@pytest.mark.parametrize("shell", ["/sbin/nologin", "/usr/sbin/nologin", "/bin/false", "/bin/gone", "/bin/sync"])
def test_passwd_no_command_line_passes(shell: str) -> None:
    programs = {"sbin/nologin": program(elf()), "bin/false": program(elf()), "bin/sync": program(elf())}
    assert isinstance(NR_PASSWD.run(evidence({"etc/passwd": f"a:x:1:1::/:{shell}\n", **programs})), Passed)


def test_passwd_root_may_have_a_shell() -> None:
    assert isinstance(NR_PASSWD.run(evidence({"etc/passwd": "root:x:0:0::/:/bin/sh\n", **SHELL})), Passed)


def test_passwd_is_unknown_when_a_shell_may_have_been_missed() -> None:
    assert isinstance(NR_PASSWD.run(evidence(CLEAN, unread=(Unread(path="bin", reason="damaged"),))), Unknown)
    assert isinstance(NR_PASSWD.run(evidence({}, unread=CUT)), Unknown)


@pytest.mark.parametrize("path", ["usr/bin/sudo", "bin/su", "usr/bin/doas", "usr/bin/pkexec", "opt/x/runuser"])
def test_sudo_helpers_fail(path: str) -> None:
    outcome = NR_SUDO.run(evidence({path: file(elf(), 0o4755)}))
    assert isinstance(outcome, Failed)
    assert outcome.observations[0].path == path
    assert "setuid to uid 0" in outcome.observations[0].summary


def test_sudo_a_link_to_a_multi_call_program_fails() -> None:
    outcome = NR_SUDO.run(evidence({"bin/su": symlink("busybox"), "bin/busybox": program(elf())}))
    assert isinstance(outcome, Failed)
    assert "a link to /bin/busybox" in outcome.observations[0].summary


def test_sudo_rules_without_password_fail() -> None:
    rules = {"etc/sudoers.d/app": "# NOPASSWD: comment\napp ALL=(ALL) NOPASSWD: ALL\n"}
    assert isinstance(NR_SUDO.run(evidence(rules, requests=NR_SUDO.requests)), Failed)
    harmless = {"etc/sudoers.d/app": "# app ALL=(ALL) NOPASSWD: ALL\n"}
    assert isinstance(NR_SUDO.run(evidence(harmless, requests=NR_SUDO.requests)), Passed)


def test_sudo_what_cannot_run_and_what_only_lowers_passes() -> None:
    files = {
        "usr/share/doc/sudo": directory(),
        "opt/su": file(elf(), 0o644),
        "bin/doas": symlink("gone"),
        "usr/local/bin/gosu": program(elf()),
    }
    outcome = NR_SUDO.run(evidence(files))
    assert isinstance(outcome, Passed)
    assert "gosu only lowers" in outcome.observations[1].summary


def test_sudo_absence_needs_a_tree_wholly_read() -> None:
    assert isinstance(NR_SUDO.run(evidence({}, unread=CUT)), Unknown)


@pytest.mark.parametrize(
    ("ports", "word"),
    [
        ((), OutcomeWord.PASSED),
        (("8080/tcp", "1024/udp", "9000-9010"), OutcomeWord.PASSED),
        (("80/tcp",), OutcomeWord.FAILED),
        (("1000-2000/tcp",), OutcomeWord.FAILED),
        (("22/tcp",), OutcomeWord.FAILED),
        (("3000-4000/tcp",), OutcomeWord.FAILED),
        (("web",), OutcomeWord.UNKNOWN),
        (("0/tcp",), OutcomeWord.UNKNOWN),
        (("70000",), OutcomeWord.UNKNOWN),
        (("9-8",), OutcomeWord.UNKNOWN),
    ],
)
def test_ports(ports: tuple[str, ...], word: OutcomeWord) -> None:
    assert outcome_word(NR_PORT.run(evidence({}, config=ImageConfig(exposed_ports=ports)))) is word


def test_ports_are_not_declared_by_a_root_filesystem() -> None:
    assert isinstance(NR_PORT.run(evidence({}, without_config=True)), Unknown)
