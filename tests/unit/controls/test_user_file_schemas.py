"""The JSON Schemas of profiles, checks, frameworks and overlays: what they refuse the readers refuse, and what they
accept the readers accept, but for what no schema can know."""

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml

from compliance.errors import PolicyError
from controls.asking import HOW
from controls.declared_setting import FIELDS
from controls.loader import FRAMEWORKS
from controls.profile import read_profile
from tests.unit.controls.test_malformed_user_files import CASES, CHECK, FRAMEWORK, PROFILE, READERS, Case

KINDS = ("profile", "checks", "framework", "overlay")
ONLY_THE_READER_KNOWS = {
    "profile: no YAML": "a schema sees no bytes",
    "profile: an unknown check": "which checks there are",
    "profile: a check twice": "that two entries are about one check",
    "checks: no regular expression": "the dialect of regular expressions",
    "framework: an unknown check": "which checks there are",
    "framework: a control twice": "that two entries are about one control",
    "framework: a check twice": "a schema sees no duplicate keys",
    "overlay: adds what is there": "what a framework maps",
    "overlay: removes what is not there": "what a framework maps",
}


class _Plain(yaml.SafeLoader):
    """As the strict reader sees it: times are no values of their own."""


_Plain.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in found if tag != "tag:yaml.org,2002:timestamp"]
    for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def schema(kind: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((files("controls") / "schemas" / f"{kind}.schema.json").read_bytes())
    return loaded


def accepts(kind: str, text: str) -> bool:
    value = yaml.load(text, _Plain)  # noqa: S506 - a safe loader
    return jsonschema_rs.validator_for(
        schema("overlay" if isinstance(value, dict) and "overlay" in value else kind)
    ).is_valid(value)


@pytest.mark.parametrize("kind", KINDS)
def test_each_is_a_schema(kind: str) -> None:
    jsonschema_rs.meta.validate(schema(kind))


@pytest.mark.parametrize(
    ("name", "case"),
    [(name, case) for name, case in CASES.items() if case.kind != "waivers"],
    ids=lambda one: str(one)[:60],
)
def test_a_mistake_is_one_for_the_schema_too_where_a_schema_can_know_it(name: str, case: Case) -> None:
    try:
        accepted = accepts(case.kind, case.text)
    except yaml.YAMLError:
        accepted = True
    assert accepted is (name in ONLY_THE_READER_KNOWS)


QUESTIONS = (
    '    file: {path: ["etc/**", srv/x], state: absent, contains: [a, b]}\n',
    '    file: {path: etc/*.conf, state: if-present, mode-at-most: "0644", owner: "0:0"}\n',
    '    file: {path: etc/x, lacks: secret, mode-at-most: "755"}\n',
    '    package: {name: "{openssl,libssl*}", type: deb, state: absent, version: ">= 1.1 , < 3"}\n',
    "    package: {name: [a, b]}\n",
    '    config: {key: user, one-of: ["65532", "65532:65532"]}\n',
    "    config: {key: healthcheck}\n",
    '    label: {name: org.acme.owner, matches: "team-[a-z]+"}\n',
    "    env: {name: A, state: absent}\n",
    "    env: {name: A, state: if-present, equals: b}\n",
    "    attestation: {type: https://slsa.dev/provenance/v1}\n    references: [one, two]\n",
)
GOOD = [
    *(("checks", CHECK + question) for question in QUESTIONS),
    ("profile", PROFILE),
    ("profile", "schema: 1\nid: acme\n"),
    (
        "profile",
        f"{PROFILE}title: Ours\nvariant: dev\nchecks:\n  - {{check: SP-VULN, counts: asked}}\n"
        "  - {check: RM-INTERP, counts: never, because: We write Python.}\n"
        "  - {check: SC-LABEL, severity: high, because: We look for owners.}\nages: {benchmark: 3660}\n",
    ),
    ("framework", f"{FRAMEWORK}  - {{id: A, title: T, checks: {{NR-USER: satisfies}}}}\n"),
    (
        "framework",
        "schema: 1\nid: acme\nname: Acme\nversion: '1'\nsource: our wiki\nlicence: ours\ncaveats: [One.]\ncontrols:\n"
        "  - id: A\n    label: A-1\n    title: T\n    verbatim: false\n    source: page 3\n    asks: Do it.\n"
        "    checks:\n"
        "      - {check: NR-USER, relation: partially supports, rationale: It lies within.}\n",
    ),
    (
        "framework",
        "schema: 1\noverlay: cis-docker\ncontrols:\n  - id: '4.6'\n    replace:\n"
        "      - {check: IM-HEALTH, relation: provides evidence for, rationale: We probe from outside.}\n    add:\n"
        "      - {check: NR-USER, relation: provides evidence for, rationale: So it is.}\n",
    ),
]


@pytest.mark.parametrize(("kind", "text"), GOOD)
def test_what_the_reader_accepts_the_schema_accepts(kind: str, text: str) -> None:
    READERS[kind](text.encode())
    assert accepts(kind, text)


BAD = [
    ("checks", CHECK + '    file: {path: etc/x, state: absent, owner: "0"}\n'),
    ("checks", CHECK + "    file: {path: []}\n"),
    ("checks", CHECK + '    file: {path: ["etc/x", "/"], contains: a}\n'),
    ("checks", CHECK + '    file: {path: ["etc/x", "**/*"], lacks: a}\n'),
    ("checks", CHECK + "    file: {path: etc/x, contains: [" + "a, " * 51 + "]}\n"),
    ("checks", CHECK + "    package: {name: a, state: if-present}\n"),
    ("checks", CHECK + "    package: {name: a, type: 'A B'}\n"),
    ("checks", CHECK + "    env: {name: A, state: absent, equals: b}\n"),
    ("checks", CHECK + "    env: {name: A, state: if-present}\n"),
    ("checks", CHECK + "    label: {key: A}\n"),
    ("checks", CHECK + "    references: one\n    env: {name: A}\n"),
    ("profile", f"{PROFILE}ages: {{benchmark: 3661}}\n"),
    ("profile", f"{PROFILE}checks: []\n"),
    ("framework", f"{FRAMEWORK}  - {{id: A, checks: {{NR-USER: satisfies}}}}\n"),
    ("framework", f"{FRAMEWORK}  - {{id: A, title: T, asks: Do it, checks: {{NR-USER: satisfies}}}}\n"),
    ("framework", FRAMEWORK.replace("acme", "all") + "  - {id: A, title: T, checks: {NR-USER: satisfies}}\n"),
    ("framework", "schema: 1\noverlay: cis-docker\ncontrols: []\n"),
    (
        "framework",
        "schema: 1\noverlay: cis-docker\ncontrols:\n  - id: '4.1'\n    remove:\n"
        "      - {check: NR-USER, relation: satisfies, rationale: So.}\n",
    ),
]


@pytest.mark.parametrize(("kind", "text"), BAD)
def test_what_the_schema_refuses_the_reader_refuses(kind: str, text: str) -> None:
    assert not accepts(kind, text)
    with pytest.raises(PolicyError):
        READERS[kind](text.encode())


def test_the_examples_of_the_docs_are_valid(checkout: Path) -> None:
    found = 0
    for page in ("own-controls.md", "profiles.md"):
        for block in (checkout / "docs" / page).read_text().split("```yaml\n")[1:]:
            text = block.partition("```")[0]
            keys = yaml.load(text, _Plain)  # noqa: S506 - a safe loader
            if "schema" not in keys:
                continue
            kind = (
                "profile"
                if page == "profiles.md"
                else "checks"
                if "id" not in keys and "checks" in keys
                else "framework"
            )
            assert accepts(kind, text), block[:80]
            found += 1
    assert found == 4


def test_the_shipped_profiles_are_valid_but_for_their_names() -> None:
    for file in (files("controls") / "profiles").iterdir():
        value = yaml.load(file.read_text(), _Plain)  # noqa: S506 - a safe loader
        with pytest.raises(PolicyError):
            read_profile(file.name, file.read_bytes(), set())
        assert jsonschema_rs.validator_for(schema("profile")).is_valid({**value, "id": "another"})


def test_what_they_list_is_what_the_readers_know() -> None:
    exception = schema("profile")["$defs"]["exception"]
    assert exception["allOf"][2]["then"]["properties"]["check"]["enum"] == list(HOW)
    assert schema("checks")["$defs"]["config"]["properties"]["key"]["enum"] == list(FIELDS)
    assert schema("overlay")["properties"]["overlay"]["enum"] == list(FRAMEWORKS)
    assert schema("framework")["properties"]["id"]["not"]["enum"] == ["all", *FRAMEWORKS, *FRAMEWORKS.values()]
