"""The library holds the whole of the reference mapping: no id, title or relation more, none less."""

import json
from pathlib import Path
from typing import Any

import pytest

from compliance.model.control import ControlLibrary
from controls.loader import FRAMEWORKS, check_catalog, load_library

EVIDENCE = ("provides evidence for", "intersects-with")
WEAKER = {
    ("53", "cm-10", "SP-LICENSE"): "that a package states no licence does not show that it is used against one",
    ("iso", "A.5.32", "SP-LICENSE"): "that a package states no licence does not show that rights are not respected",
    ("scvs", "2.3", "SP-SBOM"): "it does not look for an identifier of the SBOM itself",
    ("scvs", "2.14", "SP-LICENSE"): "it does not look at whether the licence is the right one",
    ("scvs", "2.18", "SP-SBOM"): "it does not look for hashes",
    ("ntia", "Known unknowns", "DR-UNOWNED"): "it does not look at what the SBOM says of itself",
    ("ntia", "2025 draft fields", "SP-SBOM"): "it looks for none of the elements that the draft adds",
    ("ntia", "2025 draft fields", "SP-LICENSE"): "it does not look at the licences that the SBOM gives",
    ("scvs", "3.20", "RM-LIB"): "what it finds is identified by that: a failure is no counter-example",
    ("scvs", "5.4", "SP-VULN"): "what it finds is identified by that: a failure is no counter-example",
    ("scvs", "5.8", "SC-EOL"): "what it finds is identified by that: a failure is no counter-example",
    ("218", "RV.1.1", "SP-VULN"): "what it finds is identified by that: a failure is no counter-example",
    ("csf", "ID.RA-01", "SP-VULN"): "what it finds is identified by that: a failure is no counter-example",
    ("pci", "6.3.1", "SP-VULN"): "what it finds is identified by that: a failure is no counter-example",
    ("fed", "Image scanning", "SP-VULN"): "what it finds is identified by that: a failure is no counter-example",
    ("ctr", "SRG-APP-000142-CTR-000330", "NR-PORT"): "it looks at an image's ports, not at the platform's",
}
"""Where the reference says partially supports, and the check does not test a part of what the control asks."""
RETITLED = {
    "NR-PORT": "No privileged or remote-login port declared",  # a port that is not declared can't be seen
    "SP-REPO": "Package sources are authenticated",  # APT over plain http is, by its signed index
    "SP-LICENSE": "Every package states a licence",  # there is no list of allowed ones
}
"""Titles that say no more than the check finds out."""
NOT_OSCAL = {"PRIVACY"}  # a baseline of 800-53B that says nothing of security


@pytest.fixture(scope="module")
def reference(shared: Path) -> dict[str, Any]:
    mapping: dict[str, Any] = json.loads((shared / "reference" / "controls" / "mapping.json").read_bytes())
    return mapping


@pytest.fixture(scope="module")
def library() -> ControlLibrary:
    return load_library()


def test_frameworks_are_those_of_the_reference_in_its_order(library: ControlLibrary, reference: dict[str, Any]) -> None:
    assert [FRAMEWORKS[framework.id] for framework in library.frameworks] == list(reference["frameworks"])
    assert len(library.frameworks) == 19


def test_controls_carry_id_label_title_and_how_sure_they_are(
    library: ControlLibrary, reference: dict[str, Any]
) -> None:
    found = [
        (FRAMEWORKS[framework.id], one.id, one.label, one.title, one.verbatim, one.confirmed)
        for framework in library.frameworks
        for one in framework.controls
    ]
    keys = ("framework", "id", "label", "title", "title_verbatim", "confirmed")
    assert sorted(found) == sorted(tuple(one[key] for key in keys) for one in reference["controls"])
    assert len(found) == 255


def test_relations_are_those_of_the_reference(library: ControlLibrary, reference: dict[str, Any]) -> None:
    found = {
        (FRAMEWORKS[framework.id], one.id, mapped.check): (str(mapped.relation), mapped.relation.set_relation)
        for framework in library.frameworks
        for one in framework.controls
        for mapped in one.checks
    }
    expected = {
        (line["framework"], line["id"], check["id"]): (line["relation"], line["oscal"])
        for check in reference["checks"]
        for line in check["controls"]
    }
    assert {line for line in found if found[line] != expected.get(line)} == set(WEAKER)
    assert found == expected | dict.fromkeys(WEAKER, EVIDENCE)
    assert {expected[line] for line in WEAKER} == {("partially supports", "subset-of")}, "never stronger than there"


def test_checks_of_a_control_are_in_report_order(library: ControlLibrary) -> None:
    order = list(check_catalog())
    for framework in library.frameworks:
        for one in framework.controls:
            places = [order.index(mapped.check) for mapped in one.checks]
            assert places == sorted(places), one.id


def test_every_check_is_mapped_and_described_as_in_the_reference(
    library: ControlLibrary, reference: dict[str, Any]
) -> None:
    found = [(check.id, check.title, str(check.trait), str(check.severity)) for check in check_catalog().values()]
    keys = ("id", "title", "trait", "severity")
    stated = [tuple(check[key] for key in keys) for check in reference["checks"]]
    assert found == [(check, RETITLED.get(check, title), *rest) for check, title, *rest in stated]
    assert len(found) == 57
    mapped = {line.check for framework in library.frameworks for one in framework.controls for line in one.checks}
    assert mapped == set(check_catalog())


def test_800_53_controls_carry_the_baselines_and_the_catalog_version_of_nist(
    library: ControlLibrary, shared: Path
) -> None:
    titles = json.loads((shared / "reference" / "controls" / "nist_sp800_53r5_titles.json").read_bytes())["controls"]
    for one in library.frameworks[0].controls:
        expected = titles[one.id]
        assert not expected["withdrawn"]
        assert (one.label, one.title) == (expected["label"], expected["title"])
        assert one.baselines == tuple(word.lower() for word in expected["baselines"] if word not in NOT_OSCAL), one.id
        assert one.source.endswith(f"version {expected['catalog_version']}")


def test_only_800_53_has_baselines(library: ControlLibrary) -> None:
    with_baselines = {
        framework.id for framework in library.frameworks for one in framework.controls if one.baselines is not None
    }
    assert with_baselines == {"nist-800-53"}
