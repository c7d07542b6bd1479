"""Frameworks of the user's: catalogues, catalogues out of OSCAL, overlays; what they become in the library."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from compliance.errors import PolicyError, UsageError
from compliance.model.control import Framework, Relation
from controls.definitions import Definitions, GivenFile, define
from controls.loader import FRAMEWORKS, load_library

HEAD = "schema: 1\nid: acme\nname: Acme\nversion: '2'\n"
CHECKS = """schema: 1
checks:
  - {id: ACME-001, title: T, severity: low, trait: purpose, rationale: R., remediation: R., env: {name: A}}
"""


def given(name: str, text: str, beside: Mapping[str, object] | None = None) -> GivenFile:
    def read(other: str, size_max: int) -> bytes:
        if other not in (beside or {}):
            raise UsageError("can't read the file", code="not-found", where=other)
        return json.dumps((beside or {})[other]).encode()

    return GivenFile(name=name, content=text.encode(), beside=read)


def framework(text: str, beside: Mapping[str, object] | None = None) -> Framework:
    found = define(frameworks=(given("acme.yaml", text, beside),), checks=(given("checks.yaml", CHECKS),))
    (only,) = found.library.frameworks
    return only


def test_a_catalogue_needs_little_and_its_rationales_are_composed() -> None:
    own = framework(
        f"{HEAD}controls:\n"
        "  - {id: A, title: Say who, checks: {ACME-001: satisfies, RM-SHELL: partially supports}}\n"
        "  - {id: B, label: B.1, title: Other, asks: There is one., checks:"
        " [{check: NR-USER, relation: provides evidence for, rationale: So it is.}]}\n"
    )
    assert (own.id, own.name, own.version, own.given_by) == ("acme", "Acme", "2", "acme.yaml")
    first, second = own.controls
    assert (first.label, first.verbatim, first.confirmed, first.baselines) == ("A", True, True, None)
    assert [(line.check, line.relation) for line in first.checks] == [
        ("ACME-001", Relation.SATISFIES),
        ("RM-SHELL", Relation.PARTIALLY_SUPPORTS),
    ]
    assert first.checks[0].rationale == (
        "ACME-001 shows whether the environment variable A is set; this is what A asks of an image: Say who."
    )
    assert (second.label, second.checks[0].rationale) == ("B.1", "So it is.")


CATALOG = {
    "catalog": {
        "groups": [
            {"controls": [{"id": "a-1", "title": "First", "controls": [{"id": "a-1.1", "title": "Its  part"}]}]},
            {"groups": [{"controls": [{"id": "b-1", "title": "Second"}]}]},
        ]
    }
}
OSCAL = HEAD + "catalog: c.json\n"


def profile(**one: object) -> dict[str, object]:
    return {"profile": {"imports": [{"href": "c.json", **one}]}}


def test_titles_come_out_of_an_oscal_catalog() -> None:
    own = framework(f"{OSCAL}controls:\n  - {{id: a-1.1, checks: {{NR-USER: satisfies}}}}\n", {"c.json": CATALOG})
    assert [(control.id, control.title) for control in own.controls] == [("a-1.1", "Its part")]


@pytest.mark.parametrize(
    ("selection", "there"),
    [
        ({"include-all": {}}, True),
        ({"include-controls": [{"with-ids": ["a-1"]}]}, False),
        ({"include-controls": [{"with-ids": ["a-1"], "with-child-controls": "yes"}]}, True),
        ({"include-controls": [{"matching": [{"pattern": "a-*"}]}]}, True),
        ({"include-all": {}, "exclude-controls": [{"with-ids": ["a-1.1"]}]}, False),
    ],
)
def test_a_profile_selects_from_the_catalog(selection: dict[str, object], there: bool) -> None:
    text = f"{OSCAL}profile: p.json\ncontrols:\n  - {{id: a-1.1, checks: {{NR-USER: satisfies}}}}\n"
    beside = {"c.json": CATALOG, "p.json": profile(**selection)}
    if there:
        assert framework(text, beside).controls[0].title == "Its part"
    else:
        with pytest.raises(PolicyError, match="not a control of the catalog"):
            framework(text, beside)


@pytest.mark.parametrize(
    ("catalog", "selection", "says"),
    [
        ([], None, "not an OSCAL catalog"),
        ({"catalog": {}}, None, "no control is in it"),
        ({"catalog": {"controls": [{"id": "a"}]}}, None, "without id or title"),
        ({"catalog": {"controls": [{"id": "a", "title": "A"}] * 2}}, None, "there twice"),
        ({"catalog": {"groups": 3}}, None, "must be a list"),
        (CATALOG, {"profile": {"imports": []}}, "must be one import"),
        (CATALOG, profile(), "must be a list"),
        (CATALOG, profile(**{"include-controls": [{"with-ids": ["z"]}]}), "no control 'z'"),
        (CATALOG, profile(**{"include-controls": [{}]}), "names no control"),
        (CATALOG, profile(**{"include-controls": [{"matching": [{"pattern": "z*"}]}]}), "selects no control"),
    ],
)
def test_a_damaged_catalog_or_profile_is_one_error_that_names_its_file_and_place(
    catalog: object, selection: object, says: str
) -> None:
    text = (
        OSCAL + ("profile: p.json\n" if selection else "") + "controls:\n  - {id: a-1, checks: {NR-USER: satisfies}}\n"
    )
    with pytest.raises(PolicyError, match=says) as caught:
        framework(text, {"c.json": catalog, "p.json": selection})
    assert (caught.value.where or "").startswith("p.json, " if selection else "c.json, ")
    assert caught.value.hint


def test_deep_nesting_is_refused_and_no_recursion() -> None:
    deep: dict[str, object] = {"controls": [{"id": "x", "title": "X"}]}
    for _ in range(40):
        deep = {"groups": [deep]}
    with pytest.raises(PolicyError, match="nested more than"):
        framework(f"{OSCAL}controls:\n  - {{id: x, checks: {{NR-USER: satisfies}}}}\n", {"c.json": {"catalog": deep}})


OVERLAY = """schema: 1
overlay: cis-docker
controls:
  - id: "4.1"
    add: [{check: ACME-001, relation: provides evidence for, rationale: It tells who.}]
    replace: [{check: NR-USER, relation: partially supports, rationale: We ask for more.}]
  - id: "4.6"
    remove: [{check: IM-HEALTH, rationale: Our orchestrator probes.}]
    add: [{check: ACME-001, relation: provides evidence for, rationale: It tells who.}]
"""


def test_an_overlay_changes_the_relations_it_names_and_says_so_with_the_results() -> None:
    plain = load_library(("cis-docker",)).frameworks[0]
    own = framework(OVERLAY)
    before, after = ({control.id: control for control in one.controls} for one in (plain, own))
    assert [id_ for id_ in before if before[id_] != after[id_]] == ["4.1", "4.6"]
    changed = {line.check: line for line in after["4.1"].checks}
    assert changed["NR-USER"].relation is Relation.PARTIALLY_SUPPORTS
    assert changed["ACME-001"].rationale == "It tells who."
    assert [line.check for line in after["4.6"].checks] == ["ACME-001"]
    assert own.given_by == "acme.yaml"
    (told,) = own.caveats[len(plain.caveats) :]
    for said in (
        "acme.yaml (sha256:",
        "4.1: NR-USER replaced, partially supports (before: satisfies)",
        "IM-HEALTH removed",
    ):
        assert said in told


def test_a_control_keeps_a_check() -> None:
    alone = OVERLAY.replace(
        "    add: [{check: ACME-001, relation: provides evidence for, rationale: It tells who.}]\n", ""
    )
    with pytest.raises(PolicyError, match="no check is left"):
        framework(alone)


def names(found: Definitions) -> list[str]:
    return [one.id for one in found.library.frameworks]


def test_frameworks_are_chosen_together_and_shipped_ones_keep_their_order_and_digest() -> None:
    own = given("acme.yaml", f"{HEAD}controls:\n  - {{id: A, title: T, checks: {{RM-SHELL: satisfies}}}}\n")
    overlay = given("over.yaml", OVERLAY)
    checks = (given("checks.yaml", CHECKS),)
    assert names(define()) == list(FRAMEWORKS)
    assert names(define(frameworks=(own,))) == ["acme"]
    assert names(define(frameworks=(own, "slsa", "soc2"))) == ["soc2", "slsa", "acme"]
    assert names(define(frameworks=("all", own))) == [*FRAMEWORKS, "acme"]
    assert names(define(frameworks=("slsa", overlay), checks=checks)) == ["cis-docker", "slsa"]
    found = define(frameworks=("all", overlay, own), checks=checks)
    assert names(found) == [*FRAMEWORKS, "acme"]
    assert found.library.digest == define().library.digest
    assert [(file.role, file.name) for file in found.files] == [
        ("checks", "checks.yaml"),
        ("overlay", "over.yaml"),
        ("framework", "acme.yaml"),
    ]
    assert found.files[2].sha256 == own.sha256


@pytest.mark.parametrize(
    "twice",
    [
        (given("a", f"{HEAD}controls:\n  - {{id: A, title: T, checks: {{RM-SHELL: satisfies}}}}\n"),) * 2,
        (given("o", OVERLAY.replace("ACME-001", "SC-LABEL")),) * 2,
    ],
)
def test_one_framework_comes_from_one_file(twice: tuple[GivenFile, ...]) -> None:
    with pytest.raises(UsageError, match="two files give the framework"):
        define(frameworks=twice)


def test_a_name_that_is_nothing_is_refused() -> None:
    with pytest.raises(UsageError, match="no framework 'nothing'"):
        define(frameworks=("nothing",))
