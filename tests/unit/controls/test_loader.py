"""Reading the control library: what is chosen, what is refused, and what the data promise to a reviewer."""

import hashlib
import re
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest
import yaml

from compliance.errors import PolicyError, UsageError
from compliance.model.control import ControlLibrary, MappedCheck, Relation
from compliance.model.outcome import Severity, Trait
from controls.loader import (
    CHECKS_FILE,
    FRAMEWORKS,
    CheckMetadata,
    check_catalog,
    load_library,
    parse_checks,
    parse_framework,
)

CHECKS = {
    name: CheckMetadata(
        id=name,
        title=f"No {name}",
        trait=Trait.REMOVED,
        severity=Severity.LOW,
        rationale="Less is safer.",
        shows=f"Shows whether {name} is there.",
    )
    for name in ("RM-A", "RM-B")
}

FRAMEWORK = """\
schema: 1
id: made-up
name: A made-up framework
version: "1"
source: a test
licence: Titles are ours.
caveats:
  - It does not exist.
controls:
  - id: one
    label: "1"
    title: First
    verbatim: true
    confirmed: false
    source: the first page
    baselines: [low, high]
    asks: A is gone.
    checks:
      - {check: RM-A, relation: satisfies}
      - check: RM-B
        relation: provides evidence for
        rationale: B is often near A.
  - id: two
    label: "2"
    title: Second
    verbatim: false
    confirmed: true
    asks: B is gone.
    checks:
      - {check: RM-B, relation: partially supports}
"""

CHECK_LIST = """\
schema: 1
checks:
  - id: RM-A
    title: No A
    trait: removed
    severity: high
    rationale: Less is safer.
    shows: Shows whether A is there.
"""


def mapping_files() -> dict[str, bytes]:
    folder = files("controls") / "mappings"
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def library() -> ControlLibrary:
    return load_library()


def relations(library: ControlLibrary) -> list[tuple[str, str, MappedCheck]]:
    return [
        (framework.id, control.label, mapped)
        for framework in library.frameworks
        for control in framework.controls
        for mapped in control.checks
    ]


# What is chosen


def test_all_frameworks_come_in_report_order(library: ControlLibrary) -> None:
    assert [framework.id for framework in library.frameworks] == list(FRAMEWORKS)


def test_chosen_frameworks_come_once_each_in_report_order_by_id_or_alias() -> None:
    chosen = load_library(["slsa", "cis-docker", "53", "cisd"])
    assert [framework.id for framework in chosen.frameworks] == ["nist-800-53", "cis-docker", "slsa"]


def test_the_digest_is_of_the_library_and_not_of_the_choice(library: ControlLibrary) -> None:
    assert load_library(["slsa"]).digest == library.digest


def test_the_digest_covers_name_and_content_of_every_mapping_file(library: ControlLibrary) -> None:
    framed = b"".join(
        len(part).to_bytes(8, "big") + part
        for name, content in sorted(mapping_files().items())
        for part in (name.encode(), content)
    )
    assert library.digest == f"sha256:{hashlib.sha256(framed).hexdigest()}"


def test_an_unknown_framework_is_a_usage_error_that_lists_the_known_ones() -> None:
    with pytest.raises(UsageError) as caught:
        load_library(["nist-800-53", "nist-800-35"])
    assert "'nist-800-35'" in caught.value.message
    assert all(name in str(caught.value) for name in FRAMEWORKS)


def test_asking_for_no_framework_is_an_error_and_not_an_empty_library() -> None:
    with pytest.raises(UsageError, match="no framework was named"):
        load_library([])


def test_no_alias_is_the_id_of_another_framework() -> None:
    assert len(set(FRAMEWORKS.values())) == len(FRAMEWORKS)
    assert all(alias == name for name, alias in FRAMEWORKS.items() if alias in FRAMEWORKS)


def test_importing_the_loader_reads_nothing_and_imports_no_yaml(checkout: Path) -> None:
    code = "import sys, controls.loader; sys.exit('yaml' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=checkout, check=True)


# What the data promise


def test_the_folder_holds_the_frameworks_and_the_checks_and_nothing_else() -> None:
    assert set(mapping_files()) == {CHECKS_FILE, *(f"{name}.yaml" for name in FRAMEWORKS)}


def test_every_relation_has_a_reason_of_one_sentence(library: ControlLibrary) -> None:
    for framework, label, mapped in relations(library):
        assert mapped.rationale.endswith("."), (framework, label, mapped)
        assert ". " not in mapped.rationale, (framework, label, mapped)


def test_a_reason_that_is_only_evidence_says_where_the_evidence_ends(library: ControlLibrary) -> None:
    """Nothing of it reads as if the control were met."""
    ends = re.compile(
        r"judged? |by people|not visible in an image|only the runtime|is set when|is decided when"
        r"|no signature itself|says little|was not examined|only be inferred|does not show|asks only about"
        r"|not looked (at|for)|is not in an image|are not in an image|are not found by it|is decided by people"
    )
    for framework, label, mapped in relations(library):
        if mapped.relation is Relation.PROVIDES_EVIDENCE_FOR:
            assert ends.search(mapped.rationale), (framework, label, mapped)


def test_frameworks_asked_of_an_organisation_are_never_satisfied_by_an_image(library: ControlLibrary) -> None:
    satisfying = {name for name, _, mapped in relations(library) if mapped.relation is Relation.SATISFIES}
    assert satisfying == {
        "cis-docker",
        "disa-container-image-guide",
        "sbom-minimum",
        "owasp-scvs",
        "owasp-docker",
    }
    for framework in library.frameworks:
        if any("No image check ever makes a control" in caveat for caveat in framework.caveats):
            assert framework.id not in satisfying


def test_every_framework_tells_a_caveat(library: ControlLibrary) -> None:
    assert all(framework.caveats for framework in library.frameworks)


def test_the_caveat_on_baselines_names_every_control_outside_them(library: ControlLibrary) -> None:
    nist = library.frameworks[0]
    caveat = next(text for text in nist.caveats if "in no SP 800-53B baseline" in text)
    outside, high_only = caveat.split(" are in no SP 800-53B baseline")
    named = re.findall(r"[A-Z]{2}-\d+(?:\(\d+\))?", outside)
    assert named == [control.label for control in nist.controls if control.baselines == ()]
    named = re.findall(r"[A-Z]{2}-\d+\(\d+\)", high_only)
    assert named == [control.label for control in nist.controls if control.baselines == ("high",)]


def test_the_caveat_on_titles_names_every_control_whose_title_is_not_confirmed(library: ControlLibrary) -> None:
    for framework in library.frameworks:
        doubtful = [control.label for control in framework.controls if not control.confirmed]
        told = [text for text in framework.caveats if "could not be confirmed" in text]
        assert len(told) == bool(doubtful)
        for text in told:
            assert re.findall(r"\d+\.\d+", text) == doubtful


def test_titles_of_licensed_frameworks_are_never_the_publishers_own_words(library: ControlLibrary) -> None:
    licensed = {"cis-docker", "cis-controls", "pci-dss", "soc2", "iso-27001"}
    for framework in library.frameworks:
        if framework.id in licensed:
            assert not any(control.verbatim for control in framework.controls)


@pytest.mark.parametrize("name", sorted(mapping_files()))
def test_a_mapping_file_is_plain_yaml_of_readable_width(name: str) -> None:
    content = mapping_files()[name]
    events = list(yaml.parse(content, yaml.CSafeLoader))
    assert not [event for event in events if getattr(event, "anchor", None)]
    text = content.decode("utf-8")
    assert text.startswith("# ")
    assert "to review a" in text.lower()
    for line in text.splitlines():
        assert line == line.rstrip()
        assert len(line) <= 110 or " " not in line.strip(), line


@pytest.mark.parametrize("name", sorted(FRAMEWORKS))
def test_keys_come_in_the_same_order_everywhere(name: str) -> None:
    order = ["id", "label", "title", "verbatim", "confirmed", "source", "baselines", "asks", "checks"]
    top = yaml.load(mapping_files()[f"{name}.yaml"], yaml.CSafeLoader)
    assert list(top) == ["schema", "id", "name", "version", "source", "licence", "caveats", "controls"]
    for control in top["controls"]:
        assert list(control) == [key for key in order if key in control]


# How one is read


def test_a_framework_is_read_field_by_field() -> None:
    framework = parse_framework("made-up", FRAMEWORK.encode(), CHECKS)
    assert (framework.id, framework.name, framework.version) == ("made-up", "A made-up framework", "1")
    assert framework.caveats == ("It does not exist.",)
    first, second = framework.controls
    assert (first.id, first.label, first.title, first.verbatim, first.confirmed) == ("one", "1", "First", True, False)
    assert (first.source, first.baselines) == ("the first page", ("low", "high"))
    assert (second.source, second.baselines) == ("a test", None)


def test_the_reason_is_made_of_what_the_check_shows_and_what_the_control_asks() -> None:
    first, second = parse_framework("made-up", FRAMEWORK.encode(), CHECKS).controls
    assert first.checks[0].rationale == (
        "RM-A shows whether RM-A is there; this is what 1 asks of an image: A is gone."
    )
    assert second.checks[0].rationale == (
        "RM-B shows whether RM-B is there; this covers a part of what 2 asks: B is gone."
    )
    evidence = FRAMEWORK.replace("relation: partially supports", "relation: provides evidence for")
    second = parse_framework("made-up", evidence.encode(), CHECKS).controls[1]
    assert second.checks[0].rationale == (
        "RM-B shows whether RM-B is there; a person must judge how far this answers what 2 asks: B is gone."
    )


def test_a_relation_may_bring_its_own_reason() -> None:
    framework = parse_framework("made-up", FRAMEWORK.encode(), CHECKS)
    assert framework.controls[0].checks[1] == MappedCheck(
        check="RM-B", relation=Relation.PROVIDES_EVIDENCE_FOR, rationale="B is often near A."
    )


@pytest.mark.parametrize(
    ("old", "new", "where", "what"),
    [
        ("schema: 1", "schema: 2", "line 1, schema", "must be 1"),
        ("schema: 1\n", "", "line 1, schema", "must be 1"),
        ("id: made-up", "id: other", "line 2, id", "must be the name of the file"),
        ("name: A made-up framework\n", "", "line 1, name", "missing"),
        ('version: "1"', "version: 1.0", "line 4, version", "must be a text"),
        ("source: a test", "source: ' '", "line 5, source", "must be a text"),
        ("licence: Titles are ours.", "licence: Ours", "line 6, licence", "full stop"),
        ("licence:", "license:", "line 6, license", "unknown key"),
        ("caveats:\n  - It does not exist.", "caveats: none", "line 7, caveats", "must be a list"),
        ("  - It does not exist.", "  - 5", "line 8, caveats[0]", "list of texts"),
        ("  - id: two", "  - id: one", "line 23, controls[1].id", "'one' is there twice"),
        ("title: First", "titel: First", "line 12, controls[0].titel", "unknown key"),
        ("verbatim: true", "verbatim: 'yes'", "line 13, controls[0].verbatim", "true or false"),
        ("confirmed: true", "confirmed: 1", "line 27, controls[1].confirmed", "true or false"),
        ("[low, high]", "[high, low]", "line 16, controls[0].baselines", "in this order"),
        ("[low, high]", "[low, low]", "line 16, controls[0].baselines", "each once"),
        ("[low, high]", "[low, privacy]", "line 16, controls[0].baselines", "some of low"),
        ("asks: A is gone.", "asks: A is gone", "line 17, controls[0].asks", "full stop"),
        ("{check: RM-A,", "{check: RM-X,", "line 19, controls[0].checks[0].check", "not a check"),
        ("check: RM-B\n", "check: RM-A\n", "line 20, controls[0].checks[1].check", "there twice"),
        ("relation: satisfies", "relation: Satisfies", "line 19, controls[0].checks[0].relation", "not one of"),
        ("relation: satisfies", "relation: [a]", "line 19, controls[0].checks[0].relation", "a text"),
        ("B is often near A.", "5", "line 22, controls[0].checks[1].rationale", "must be a text"),
        ("{check: RM-A, relation: satisfies}", "RM-A", "line 19, controls[0].checks[0]", "a mapping"),
        ("    title: First", "    title: First\n    title: Again", "line 13", "duplicate key 'title'"),
        ("    title: First", "    1: First", "line 12", "a key that is no text"),
        ("title: First", "title: [First", "line 13", "not readable as YAML"),
        ("title: First", "title: !!python/name:os.system", "line 12", "tags are not read"),
    ],
)
def test_a_damaged_framework_is_refused_with_file_line_and_field(old: str, new: str, where: str, what: str) -> None:
    assert FRAMEWORK.count(old) == 1
    with pytest.raises(PolicyError) as caught:
        parse_framework("made-up", FRAMEWORK.replace(old, new).encode(), CHECKS)
    assert caught.value.where == f"made-up.yaml, {where}"
    assert what in caught.value.message


@pytest.mark.parametrize("empty", ["controls: []", "controls:"])
def test_a_framework_without_controls_is_refused(empty: str) -> None:
    with pytest.raises(PolicyError, match=r"controls\]"):
        parse_framework("made-up", FRAMEWORK.partition("controls:")[0].encode() + empty.encode(), CHECKS)


def test_a_control_without_checks_is_refused() -> None:
    text = FRAMEWORK.replace("checks:\n      - {check: RM-B, relation: partially supports}", "checks: []")
    with pytest.raises(PolicyError, match=r"must not be empty \[made-up.yaml, line 29, controls\[1\].checks\]"):
        parse_framework("made-up", text.encode(), CHECKS)


@pytest.mark.parametrize(
    ("old", "new", "where", "what"),
    [
        ("trait: removed", "trait: gone", "checks.yaml, line 5, checks[0].trait", "'gone' is not one of: removed, "),
        ("severity: high", "severity: HIGH", "checks.yaml, line 6, checks[0].severity", "not one of: low, medium"),
        ("shows: Shows whether", "shows: Whether", "checks.yaml, line 8, checks[0].shows", "must begin with 'Shows'"),
        ("title: No A", "name: No A", "checks.yaml, line 4, checks[0].name", "unknown key"),
        ("schema: 1", "schema: one", "checks.yaml, line 1, schema", "must be 1"),
    ],
)
def test_a_damaged_list_of_checks_is_refused(old: str, new: str, where: str, what: str) -> None:
    with pytest.raises(PolicyError) as caught:
        parse_checks("checks.yaml", CHECK_LIST.replace(old, new).encode())
    assert caught.value.where == where
    assert what in caught.value.message


@pytest.mark.parametrize("content", [b"", b"- a", b"text", b"\xff\xfe\xff", b"a: \x00"])
def test_what_is_no_mapping_is_refused_in_one_line(content: bytes) -> None:
    with pytest.raises(PolicyError, match=r"checks\.yaml") as caught:
        parse_checks("checks.yaml", content)
    assert "\n" not in str(caught.value)


def test_the_library_reads_the_same_without_the_loader_in_c(
    library: ControlLibrary, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(yaml, "CSafeLoader")
    assert load_library(["slsa", "cis-docker"]).frameworks == tuple(
        framework for framework in library.frameworks if framework.id in ("slsa", "cis-docker")
    )


def test_the_catalog_of_checks_is_in_report_order() -> None:
    traits = list(Trait)
    assert [check.trait for check in check_catalog().values()] == sorted(
        (check.trait for check in check_catalog().values()), key=traits.index
    )
