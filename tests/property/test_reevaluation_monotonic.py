"""A stored assessment at another date: never better than what the same results and waivers give for that date."""

from dataclasses import replace
from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from compliance.errors import ExitCode
from compliance.evaluate.rollup import roll_up, summarise
from compliance.evaluate.waivers import apply
from compliance.model.assessment import Assessment
from compliance.model.control import Control, ControlLibrary, Framework, MappedCheck, Relation
from compliance.model.outcome import (
    AnyOutcome,
    CheckResult,
    Errored,
    Failed,
    NotApplicable,
    Observation,
    ObservationKind,
    Passed,
    Severity,
    Trait,
    Unknown,
    Waiver,
)
from compliance.pipeline import waived_image
from compliance.reevaluation import reevaluate
from compliance.verify.image_pattern import names
from controls.coverage import NEEDS
from reports.assessment_json import document, parse, render
from reports.document import Document
from tests.builders.assessment import MOMENT, assessment, check

BASE = assessment()
IMAGE = waived_image(BASE.evidence.image)
SHIPPED = ("RM-SHELL", "NR-USER", "SC-EOL", "SP-VULN", "SP-SECRET", "SP-SIG", "DR-SBOM")
CHECKS = tuple(check(one, one, Trait.REMOVED, Severity.HIGH) for one in (*SHIPPED, "OWN-ONE"))
PATHS = ("usr/bin/bash", "usr/bin/dash", "app/run")
GLOBS = ("usr/bin/*", "app/**", "**")
DAYS = st.integers(-40, 40).map(lambda days: MOMENT + timedelta(days=days))

seen = st.builds(
    Observation,
    summary=st.just("It was seen."),
    kind=st.sampled_from((ObservationKind.FILE, ObservationKind.NOTE)),
    path=st.sampled_from((*PATHS, None)),
)
sightings = st.lists(seen, min_size=1, max_size=3).map(tuple)
outcomes: st.SearchStrategy[AnyOutcome] = st.one_of(
    st.builds(Passed, observations=sightings),
    st.builds(Failed, observations=sightings),
    st.just(NotApplicable(reason="it does not arise")),
    st.just(Unknown(reason="a layer is missing")),
    st.just(Errored(reason="it broke")),
)
results = st.tuples(
    *(
        st.builds(CheckResult, check=st.just(one), outcome=outcomes, uncounted=st.sampled_from((None, "not asked for")))
        for one in CHECKS
    )
)
waivers = st.lists(
    st.builds(
        Waiver,
        id=st.sampled_from(("W-1", "W-2")),
        check=st.sampled_from(tuple(one.id for one in CHECKS)),
        reason=st.just("Accepted."),
        approver=st.just("the owner"),
        created=DAYS,
        expires=st.one_of(st.none(), DAYS),
        paths=st.lists(st.sampled_from(GLOBS), max_size=2).map(tuple),
        digest=st.sampled_from((None, BASE.evidence.image.digest, "sha256:" + "0" * 64)),
    ),
    max_size=5,
).map(tuple)
relations = st.sampled_from(tuple(Relation))
mappings = st.lists(
    st.builds(
        MappedCheck,
        check=st.sampled_from((*(one.id for one in CHECKS), "NOT-RUN")),
        relation=relations,
        rationale=st.just("It bears on it."),
    ),
    max_size=4,
    unique_by=lambda mapped: mapped.check,
).map(tuple)


@st.composite
def libraries(draw: st.DrawFn) -> ControlLibrary:
    controls = tuple(
        Control(
            id=name, label=name, title=name, verbatim=True, confirmed=True, source="a source", checks=draw(mappings)
        )
        for name in ("c-1", "c-2", "c-3")
    )
    framework = Framework(id="one", name="One", version="1", source="a source", controls=controls)
    return ControlLibrary(frameworks=(framework,), digest=BASE.library.digest)


def at(
    moment: datetime, found: tuple[CheckResult, ...], given_waivers: tuple[Waiver, ...], library: ControlLibrary
) -> Assessment:
    """What an assessment at `moment` says where its checks give `found`."""
    marked, uses = apply(given_waivers, found, IMAGE, names, moment)
    return replace(
        BASE,
        results=marked,
        waivers=uses,
        library=library,
        controls=roll_up(library, marked),
        summary=summarise(marked, Severity.HIGH),
        effective=moment,
        needs=NEEDS,
    )


def controls_of(shape: Document) -> list[tuple[str, bool]]:
    return [(control["status"], control["waived"]) for control in shape["controls"]]


@given(results, waivers, libraries(), DAYS)
def test_no_check_no_control_and_no_answer_is_better_than_the_same_results_give_for_that_date(
    found: tuple[CheckResult, ...], given_waivers: tuple[Waiver, ...], library: ControlLibrary, moment: datetime
) -> None:
    stored = document(at(MOMENT, found, given_waivers, library))
    again = reevaluate(stored, moment)
    truth = at(moment, found, given_waivers, library)
    for before, after in zip(stored["checks"], again["checks"], strict=True):
        assert after["outcome"] in (before["outcome"], "unknown")
        assert before["outcome"] in ("passed", "failed") or after["outcome"] == before["outcome"]
    for result, (status, waived) in zip(truth.controls, controls_of(again), strict=True):
        assert status in (result.status.value, "undetermined")
        assert result.waived or not waived
    assert again["summary"]["outcome"] != "satisfied" or truth.summary.outcome is ExitCode.SATISFIED
    for use, true_use in zip(again["waivers"], truth.waivers, strict=True):
        assert use["state"] != "applied" or true_use.state.value == "applied"


@given(results, waivers, libraries(), DAYS, st.sampled_from(range(len(CHECKS))))
def test_less_in_the_document_never_improves_what_is_made_of_it(
    found: tuple[CheckResult, ...],
    given_waivers: tuple[Waiver, ...],
    library: ControlLibrary,
    moment: datetime,
    place: int,
) -> None:
    missing = replace(found[place], outcome=Unknown(reason="it is missing"))
    less = (*found[:place], missing, *found[place + 1 :])
    whole = reevaluate(document(at(MOMENT, found, given_waivers, library)), moment)
    part = reevaluate(document(at(MOMENT, less, given_waivers, library)), moment)
    for (status, waived), (left, left_waived) in zip(controls_of(whole), controls_of(part), strict=True):
        assert left in (status, "undetermined")
        assert waived or not left_waived
    assert part["summary"]["outcome"] != "satisfied" or whole["summary"]["outcome"] == "satisfied"


@given(results, waivers, libraries())
def test_at_its_own_date_it_is_what_it_was(
    found: tuple[CheckResult, ...], given_waivers: tuple[Waiver, ...], library: ControlLibrary
) -> None:
    stored = document(at(MOMENT, found, given_waivers, library))
    again = reevaluate(stored, MOMENT)
    assert again["reevaluation"] == {
        "assessedAt": stored["effectiveTime"],
        "outcome": stored["summary"]["outcome"],
        "reopened": [],
    }
    assert {**again, "reevaluation": None} == stored
    assert parse(render(again)) == again
