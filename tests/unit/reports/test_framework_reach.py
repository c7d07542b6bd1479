"""The chapter on coverage: every control by what it takes, and nothing left out in silence."""

from dataclasses import replace

import pytest

from compliance.model.control import LeftOut
from controls.coverage import NEEDS, Reach, coverage_of, left_out
from controls.loader import load_library
from controls.registry import CHECKS
from reports import assessment_json, html
from reports.audit_page import html as pdf_page
from reports.document import Document
from reports.framework_reach import coverage, reach
from tests.builders.assessment import assessment


@pytest.fixture(scope="module")
def document() -> Document:
    made = assessment()
    told = {made.library.frameworks[0].id: (LeftOut(what="the families <b>AT</b>", why="They ask about people."),)}
    return assessment_json.document(replace(made, needs={"NR-USER": "a signed statement"}, left_out=told))


def test_reach_is_that_of_the_command_for_every_control_of_the_library() -> None:
    from tests.builders.assessment import results

    library = load_library()
    ran = tuple(replace(results()[0], check=check) for check in CHECKS)
    from compliance.evaluate.rollup import roll_up

    made = replace(assessment(), results=ran, controls=roll_up(library, ran), library=library, needs=NEEDS)
    shape = assessment_json.document(replace(made, left_out=left_out()))
    checks = {check["id"]: check for check in shape["checks"]}
    stated = [reach(control, checks) for control in shape["controls"]]
    known = [item.reach for one in coverage_of(library, set(checks)) for item in one.controls]
    assert stated == [one.value for one in known]
    assert {Reach.IMAGE, Reach.OTHERS} <= set(known)
    assert [framework["leftOut"] for framework in shape["frameworks"]] == [
        [{"what": part.what, "why": part.why} for part in one.left_out] for one in coverage_of(library, set(checks))
    ]


def test_a_control_whose_checks_were_not_run_is_reached_by_none(document: Document) -> None:
    control = {**document["controls"][0], "mapping": [{"check": "NOT-RUN", "relation": "satisfies", "rationale": "x"}]}
    assert reach(control, {check["id"]: check for check in document["checks"]}) == "none"  # type: ignore[arg-type]


def test_every_control_is_under_one_reach(document: Document) -> None:
    frameworks = coverage(document)["coverage"]
    assert isinstance(frameworks, list)
    assert sum(sum(one["counts"]) for one in frameworks) == len(document["controls"])


@pytest.mark.parametrize("render", [lambda one: html.render(one).decode(), lambda one: pdf_page(one, ())])
def test_the_page_says_what_was_left_out_and_what_to_hand_in(document: Document, render: object) -> None:
    page = render(document)  # type: ignore[operator]
    assert "the families &lt;b&gt;AT&lt;/b&gt;" in page
    assert "They ask about people." in page
    assert "a signed statement." in page


def test_a_pass_that_did_not_happen_lends_a_control_no_relation() -> None:
    """CIS 4.11 was supported by checks that merely overlap, and printed the relation of one that did not apply."""
    from compliance.evaluate.rollup import roll_up
    from compliance.model.control import Control, ControlLibrary, Framework, MappedCheck, Relation
    from compliance.model.outcome import CheckResult, NotApplicable, Passed
    from reports.wording import bearing
    from tests.builders.assessment import NR_PORT, NR_USER, results

    mapped = (
        MappedCheck(check="NR-USER", relation=Relation.PARTIALLY_SUPPORTS, rationale="It lies within."),
        MappedCheck(check="NR-PORT", relation=Relation.PROVIDES_EVIDENCE_FOR, rationale="They overlap."),
    )
    control = Control(id="c", label="C", title="C", verbatim=True, confirmed=True, source="a source", checks=mapped)
    framework = Framework(id="f", name="F", version="1", source="a source", controls=(control,))
    library = ControlLibrary(frameworks=(framework,), digest="")
    seen = results()[0].outcome.observations
    ran = (
        CheckResult(check=NR_USER, outcome=NotApplicable(reason="it does not arise")),
        CheckResult(check=NR_PORT, outcome=Passed(observations=seen)),
    )
    [stated] = assessment_json.document(replace(assessment(), results=ran, controls=roll_up(library, ran)))["controls"]
    assert (stated["status"], stated["relation"]) == ("supported", "provides evidence for")
    assert bearing(stated) == "provides evidence for"


def test_a_failure_that_only_overlaps_with_a_control_says_so() -> None:
    from reports.wording import bearing

    stated = {**assessment_json.document(assessment())["controls"][0], "status": "contradicted"}
    words = {one: bearing({**stated, "relation": one}) for one in ("satisfies", "partially supports")}  # type: ignore[typeddict-item]
    assert set(words.values()) == {""}
    assert bearing({**stated, "relation": "provides evidence for"}) == "by overlap only"  # type: ignore[typeddict-item]
