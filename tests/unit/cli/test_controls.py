"""What `hullmark controls` says of the library: one control end to end, and how far checks reach."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from compliance.cli.main import run
from compliance.errors import UsageError
from controls.coverage import NEEDS, Reach, coverage_of
from controls.loader import FRAMEWORKS, load_library
from controls.registry import CHECKS

HAVE = {check.id for check in CHECKS}


def said(capfd: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert run(("controls", *arguments)) == 0
    return capfd.readouterr().out


def values(capfd: pytest.CaptureFixture[str], *arguments: str) -> Any:
    return json.loads(said(capfd, *arguments, "-o", "json"))


def test_a_control_is_found_by_its_label_alone(capfd: pytest.CaptureFixture[str]) -> None:
    (found,) = values(capfd, "show", "CM-7")
    assert found["framework"]["id"] == "nist-800-53"
    assert (found["id"], found["title"], found["verbatim"]) == ("cm-7", "Least Functionality", True)
    assert found["asks"].startswith("The image provides only")
    assert found["baselines"] == ["low", "moderate", "high"]
    assert "5.1.1" in found["source"]
    assert found["reach"] == "image"
    shell = next(check for check in found["checks"] if check["id"] == "RM-SHELL")
    assert (shell["relation"], shell["oscalRelationship"]) == ("partially supports", "subset-of")
    assert "CM-7" in shell["rationale"]
    assert shell["proves"].startswith("A pass proves")


def test_the_text_says_all_that_the_json_does(capfd: pytest.CaptureFixture[str]) -> None:
    text = " ".join(said(capfd, "show", "cm-14").split())
    (found,) = values(capfd, "show", "CM-14")
    for part in (found["title"], found["asks"], found["source"], *found["framework"]["caveats"]):
        assert " ".join(part.split()) in text
    for check in found["checks"]:
        assert check["id"] in text
        assert " ".join(check["rationale"].split()) in text
    assert "assessed only where somebody tailors it in" in text


def test_a_label_of_several_frameworks_shows_each(capfd: pytest.CaptureFixture[str]) -> None:
    frameworks = [found["framework"]["id"] for found in values(capfd, "show", "4.1")]
    assert frameworks == ["cis-docker", "cis-controls"]
    (only,) = values(capfd, "show", "cis-docker", "4.1")
    assert only["framework"]["id"] == "cis-docker"


@pytest.mark.parametrize("arguments", [("XX-99",), ("cis-docker", "CM-7")])
def test_a_control_that_is_not_there_says_where_to_look(arguments: tuple[str, ...]) -> None:
    with pytest.raises(UsageError, match="controls list"):
        run(("controls", "show", *arguments))


def test_a_framework_lists_its_controls(capfd: pytest.CaptureFixture[str]) -> None:
    assert said(capfd, "show", "slsa").count("\n") == 3
    assert len(values(capfd, "show", "slsa")["controls"]) == 3


def test_coverage_counts_every_control_of_every_framework_once(capfd: pytest.CaptureFixture[str]) -> None:
    found = values(capfd, "coverage")
    assert [one["framework"]["id"] for one in found] == list(FRAMEWORKS)
    for one, framework in zip(found, load_library().frameworks, strict=True):
        assert sum(one["counts"].values()) == len(one["controls"]) == len(framework.controls)
        assert one["leftOut"], framework.id


def test_coverage_in_80_columns(capfd: pytest.CaptureFixture[str]) -> None:
    text = said(capfd, "coverage")
    assert max(len(line) for line in text.splitlines()) <= 80
    assert "left out" in text


def test_json_is_what_the_older_option_gives(capfd: pytest.CaptureFixture[str]) -> None:
    assert json.loads(said(capfd, "coverage", "--json")) == values(capfd, "coverage")


def test_output_goes_to_a_file(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert said(capfd, "coverage", "slsa", "-o", f"json={tmp_path / 'c.json'}") == ""
    assert json.loads((tmp_path / "c.json").read_bytes())[0]["framework"]["id"] == "slsa"


def test_an_image_alone_speaks_to_no_control_that_only_others_evidence_reaches() -> None:
    covered = {item.control.label: item for one in coverage_of(load_library(("53",)), HAVE) for item in one.controls}
    assert covered["CM-7"].reach is Reach.IMAGE
    assert covered["RA-5"].reach is Reach.OTHERS
    assert set(covered["RA-5"].from_others) <= set(NEEDS)


def test_without_a_check_no_control_is_reached() -> None:
    for one in coverage_of(load_library(), set()):
        assert one.count(Reach.NONE) == len(one.controls)


def test_fewer_checks_never_reach_further() -> None:
    order = (Reach.IMAGE, Reach.OTHERS, Reach.NONE)
    whole = coverage_of(load_library(), HAVE)
    for check in HAVE:
        for before, after in zip(whole, coverage_of(load_library(), HAVE - {check}), strict=True):
            for one, other in zip(before.controls, after.controls, strict=True):
                assert order.index(other.reach) >= order.index(one.reach)


def test_every_check_that_needs_more_is_a_check() -> None:
    assert set(NEEDS) <= HAVE


def test_no_family_of_sp_800_53_that_is_left_out_has_a_mapped_control(shared: Path) -> None:
    """The families named are exactly those of NIST's catalog on which nothing here bears."""
    content = (shared / "reference" / "controls" / "nist_sp800_53r5_titles.json").read_bytes()
    families = {name.partition("-")[0].upper() for name in json.loads(content)["controls"]}
    (one,) = coverage_of(load_library(("53",)), HAVE)
    mapped = {item.control.label.partition("-")[0] for item in one.controls}
    text = one.left_out[0].what.removeprefix("the families ").replace(" and ", ", ")
    assert set(text.split(", ")) == families - mapped
