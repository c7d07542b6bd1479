"""Every mistake in a file that a user writes is one error, which names the file, the line and what to do."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from compliance.errors import PolicyError, UsageError
from compliance.evaluate.waiver_file import read_waivers
from compliance.model.control import Framework
from compliance.verify.image_pattern import pattern_mistake
from controls.declared_check import read_checks
from controls.loader import check_catalog, load_library
from controls.own_framework import read_own_framework
from controls.profile import read_profile

FILE = "mine.yaml"


def nothing_beside(name: str, size_max: int) -> bytes:
    raise UsageError("can't read the file: No such file or directory", code="not-found", where=name)


def shipped(name: str) -> Framework:
    return load_library((name,)).frameworks[0]


READERS: dict[str, Callable[[bytes], object]] = {
    "profile": lambda content: read_profile(FILE, content, check_catalog()),
    "checks": lambda content: read_checks(FILE, content, check_catalog()),
    "framework": lambda content: read_own_framework(FILE, content, check_catalog(), nothing_beside, shipped),
    "waivers": lambda content: read_waivers(FILE, content, pattern_mistake),
}


@dataclass(frozen=True)
class Case:
    kind: str
    text: str
    line: int
    says: str
    mend: str


PROFILE = "schema: 1\nid: acme\nextends: runtime\n"
CHECK = """schema: 1
checks:
  - id: ACME-001
    title: A title
    severity: low
    trait: purpose
    rationale: Because.
    remediation: Mend it.
"""
FRAMEWORK = "schema: 1\nid: acme\nname: Acme\ncontrols:\n"
WAIVER = """schema: 1
waivers:
  - id: W-1
    check: RM-SHELL
    images: [r.example/app]
    reason: The start script needs it.
    approver: somebody
    created: 2026-01-01T00:00:00Z
    expires: 2026-06-01T00:00:00Z
"""

CASES = {
    "profile: no YAML": Case("profile", "schema: [1\n", 2, "not readable as YAML", "check"),
    "profile: another schema": Case("profile", "schema: 2\nid: acme\n", 1, "must be 1", "write schema: 1"),
    "profile: an unknown key": Case("profile", f"{PROFILE}check: []\n", 4, "unknown key", "did you mean checks?"),
    "profile: the name of a shipped one": Case("profile", "schema: 1\nid: dev\n", 2, "shipped", "another name"),
    "profile: an id with a blank": Case("profile", "schema: 1\nid: my own\n", 2, "not an identifier", "letters"),
    "profile: extends nothing": Case(
        "profile", "schema: 1\nid: acme\nextends: runtme\n", 3, "is not one of", "did you mean runtime?"
    ),
    "profile: an unknown check": Case(
        "profile", f"{PROFILE}checks:\n  - {{check: RM-SHEL, counts: always}}\n", 5, "not a check", "RM-SHELL?"
    ),
    "profile: a check twice": Case(
        "profile",
        f"{PROFILE}checks:\n  - {{check: SP-SIG, counts: always}}\n  - {{check: SP-SIG, counts: asked}}\n",
        6,
        "is there twice",
        "one entry",
    ),
    "profile: left out without a reason": Case(
        "profile", f"{PROFILE}checks:\n  - {{check: RM-SHELL, counts: never}}\n", 5, "missing", "say in a sentence why"
    ),
    "profile: lowered without a reason": Case(
        "profile", f"{PROFILE}checks:\n  - check: RM-SHELL\n    severity: low\n", 5, "missing", "say in a sentence why"
    ),
    "profile: asks for what can't be asked": Case(
        "profile", f"{PROFILE}checks:\n  - {{check: RM-SHELL, counts: asked}}\n", 5, "can't be asked", "always or never"
    ),
    "profile: says nothing": Case(
        "profile", f"{PROFILE}checks:\n  - {{check: SP-SIG}}\n", 5, "says nothing", "add counts or severity"
    ),
    "profile: an age of no days": Case(
        "profile", f"{PROFILE}ages:\n  vulnerability-scan: 0\n", 5, "whole number from 1", "write a number"
    ),
    "profile: an unknown age": Case(
        "profile", f"{PROFILE}ages:\n  vulnerability-scans: 7\n", 5, "unknown key", "did you mean vulnerability-scan?"
    ),
    "checks: none": Case("checks", "schema: 1\nchecks: []\n", 2, "must not be empty", "add at least one"),
    "checks: an id of ours": Case(
        "checks", CHECK.replace("ACME-001", "RM-OWN") + "    env: {name: A}\n", 3, "for shipped", "ACME-001"
    ),
    "checks: an id in small letters": Case(
        "checks", CHECK.replace("ACME-001", "acme-1") + "    env: {name: A}\n", 3, "not an id", "in capitals"
    ),
    "checks: no question": Case("checks", CHECK, 3, "asks nothing", "exactly one of file"),
    "checks: two questions": Case(
        "checks", f"{CHECK}    env: {{name: A}}\n    label: {{name: b}}\n", 10, "two questions", "exactly one"
    ),
    "checks: no remediation": Case(
        "checks", CHECK.replace("    remediation: Mend it.\n", "    env: {name: A}\n"), 3, "missing", "add remediation"
    ),
    "checks: a rationale without a stop": Case(
        "checks", CHECK.replace("Because.", "Because") + "    env: {name: A}\n", 7, "a sentence", "full stop"
    ),
    "checks: an unknown severity": Case(
        "checks", CHECK.replace("low", "hihg") + "    env: {name: A}\n", 5, "not one of", "did you mean high?"
    ),
    "checks: a number for a mode": Case(
        "checks", f"{CHECK}    file: {{path: etc/x, mode-at-most: 0644}}\n", 9, "octal digits", '"0644"'
    ),
    "checks: an owner by name": Case(
        "checks", f"{CHECK}    file: {{path: etc/x, owner: root}}\n", 9, "user id", '"0:0"'
    ),
    "checks: absent, and with a mode": Case(
        "checks",
        f'{CHECK}    file: {{path: etc/x, state: absent, mode-at-most: "0644"}}\n',
        9,
        "absent",
        "leave it out",
    ),
    "checks: the content of everything": Case(
        "checks", f'{CHECK}    file: {{path: "**", contains: key}}\n', 9, "every file", "name a folder"
    ),
    "checks: a path upwards": Case("checks", f"{CHECK}    file: {{path: ../x}}\n", 9, "not a path", "from the root"),
    "checks: if present, and then nothing": Case(
        "checks", f"{CHECK}    file: {{path: etc/x, state: if-present}}\n", 9, "demands nothing", "add mode-at-most"
    ),
    "checks: no range of versions": Case(
        "checks", f'{CHECK}    package: {{name: openssl, version: "~3.0"}}\n', 9, "not a range", ">= 3.0"
    ),
    "checks: an unknown field of the config": Case(
        "checks", f"{CHECK}    config: {{key: entry-point}}\n", 9, "not a field", "entrypoint"
    ),
    "checks: no regular expression": Case(
        "checks", f'{CHECK}    label: {{name: a, matches: "("}}\n', 9, "not a regular expression", "whole value"
    ),
    "checks: two conditions": Case(
        "checks", f"{CHECK}    env: {{name: A, equals: b, matches: c}}\n", 9, "exclude each other", "keep one"
    ),
    "checks: no predicate type": Case(
        "checks", f"{CHECK}    attestation: {{type: provenance}}\n", 9, "not a predicate type", "URI"
    ),
    "checks: a value that YAML takes for a number": Case(
        "checks", f"{CHECK}    config: {{key: user, equals: 1000}}\n", 9, "must be a text", "quotes"
    ),
    "framework: an id of ours": Case("framework", "schema: 1\nid: soc2\n", 2, "a shipped framework", "overlay"),
    "framework: no controls": Case("framework", "schema: 1\nid: acme\nname: Acme\n", 1, "missing", "add controls"),
    "framework: an unknown check": Case(
        "framework",
        f"{FRAMEWORK}  - {{id: A, title: T, checks: {{NR-USR: satisfies}}}}\n",
        5,
        "not a check",
        "NR-USER?",
    ),
    "framework: an unknown relation": Case(
        "framework",
        f"{FRAMEWORK}  - {{id: A, title: T, checks: {{NR-USER: satisfied}}}}\n",
        5,
        "not one of",
        "satisfies?",
    ),
    "framework: a control twice": Case(
        "framework",
        f"{FRAMEWORK}  - {{id: A, title: T, checks: {{NR-USER: satisfies}}}}\n"
        "  - {id: A, title: U, checks: {NR-USER: satisfies}}\n",
        6,
        "is there twice",
        "once",
    ),
    "framework: a check twice": Case(
        "framework",
        f"{FRAMEWORK}  - {{id: A, title: T, checks: {{NR-USER: satisfies, NR-USER: satisfies}}}}\n",
        5,
        "duplicate key",
        "keep one",
    ),
    "framework: a control without checks": Case(
        "framework", f"{FRAMEWORK}  - {{id: A, title: T, checks: {{}}}}\n", 5, "must not be empty", "name a check"
    ),
    "framework: a catalog that is not there": Case(
        "framework", "schema: 1\nid: acme\nname: A\ncatalog: c.json\ncontrols: []\n", 4, "can't read", "relative"
    ),
    "framework: a profile without a catalog": Case(
        "framework",
        "schema: 1\nid: acme\nname: A\nprofile: p.json\ncontrols: []\n",
        4,
        "from a catalog",
        "add catalog",
    ),
    "overlay: of an unknown framework": Case(
        "framework", "schema: 1\noverlay: nist-800-54\ncontrols: []\n", 2, "not a shipped framework", "nist-800-53?"
    ),
    "overlay: of an unknown control": Case(
        "framework",
        "schema: 1\noverlay: cis-docker\ncontrols:\n  - {id: '4.99', remove: []}\n",
        4,
        "not a control",
        "4.9",
    ),
    "overlay: adds what is there": Case(
        "framework",
        "schema: 1\noverlay: cis-docker\ncontrols:\n  - id: '4.1'\n    add:\n"
        "      - {check: NR-USER, relation: satisfies, rationale: So it is.}\n",
        6,
        "already",
        "under replace",
    ),
    "overlay: removes what is not there": Case(
        "framework",
        "schema: 1\noverlay: cis-docker\ncontrols:\n  - id: '4.1'\n    remove:\n"
        "      - {check: RM-SHELL, rationale: So it is.}\n",
        6,
        "does not bear",
        "new ones go under add",
    ),
    "overlay: removes without a reason": Case(
        "framework",
        "schema: 1\noverlay: cis-docker\ncontrols:\n  - id: '4.1'\n    remove:\n      - {check: NR-USER}\n",
        6,
        "missing",
        "add rationale",
    ),
    "overlay: changes nothing": Case(
        "framework", "schema: 1\noverlay: cis-docker\ncontrols:\n  - id: '4.1'\n", 4, "changes nothing", "add add"
    ),
    "waivers: no images": Case(
        "waivers", WAIVER.replace("    images: [r.example/app]\n", ""), 3, "says not which images", "digest"
    ),
    "waivers: an image without a registry": Case(
        "waivers", WAIVER.replace("r.example/app", "app"), 5, "needs a registry", "REGISTRY/REPOSITORY"
    ),
    "waivers: a time without an offset": Case(
        "waivers", WAIVER.replace("2026-06-01T00:00:00Z", "2026-06-01"), 9, "time with an offset", "Z"
    ),
    "waivers: ends before it begins": Case(
        "waivers", WAIVER.replace("2026-06-01", "2025-06-01"), 9, "before it begins", "after created"
    ),
    "waivers: no reason": Case("waivers", WAIVER.replace("The start script needs it.", "ok"), 6, "no reason", "why"),
    "waivers: nobody approved it": Case(
        "waivers", WAIVER.replace("    approver: somebody\n", ""), 3, "missing", "add approver"
    ),
    "waivers: a digest that is none": Case(
        "waivers", WAIVER + "    digest: sha256:abc\n", 10, "not a digest", "64 hex"
    ),
    "waivers: the same id twice": Case(
        "waivers", WAIVER + WAIVER.partition("waivers:\n")[2], 10, "is there twice", "its own id"
    ),
    "waivers: an anchor": Case("waivers", "schema: 1\nwaivers: &x []\n", 2, "anchors", "write it out"),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_mistake_is_told_with_file_line_and_mend(case: Case) -> None:
    with pytest.raises(PolicyError) as caught:
        READERS[case.kind](case.text.encode())
    error = caught.value
    assert error.where is not None
    assert re.match(rf"{re.escape(FILE)}, line {case.line}(?:, |$)", error.where), f"{error.where}: {error}"
    assert case.says in error.message, str(error)
    assert case.mend in str(error), str(error)
    assert "\n" not in str(error)
    assert error.exit_code == 2


def test_there_are_enough_of_them_for_every_kind_of_file() -> None:
    assert len(CASES) >= 30
    assert {case.kind for case in CASES.values()} == set(READERS)
