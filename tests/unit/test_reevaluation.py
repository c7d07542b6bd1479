"""A stored assessment at another date: what changes, what can't be said, and that it says so."""

import ast
from copy import deepcopy
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from compliance.errors import FormatError
from compliance.evaluate.rollup import roll_up, summarise
from compliance.model.assessment import DefinitionFile
from compliance.model.outcome import CheckResult, Failed, Observation, ObservationKind, Passed, Severity, Trait, Waiver
from compliance.reevaluation import reevaluate
from controls.coverage import NEEDS
from controls.dated import DATED
from controls.registry import CHECKS
from reports import assessment_json, html, junit, markdown, oscal, sarif, table
from reports.document import Document
from tests.builders.assessment import MOMENT, assessment, check

LATER, EARLIER = MOMENT + timedelta(days=30), MOMENT - timedelta(days=30)
SEEN = (Observation(summary="It was seen.", kind=ObservationKind.FILE, path="usr/bin/bash"),)


def stored(*results: CheckResult, waivers: tuple[Waiver, ...] = (), **more: object) -> Document:
    from compliance.evaluate.waivers import apply
    from compliance.pipeline import waived_image
    from compliance.verify.image_pattern import names

    base = assessment()
    marked, uses = apply(waivers, results, waived_image(base.evidence.image), names, MOMENT)
    made = replace(
        base,
        results=marked,
        waivers=uses,
        controls=roll_up(base.library, marked),
        summary=summarise(marked, Severity.HIGH),
        needs=NEEDS,
    )
    return assessment_json.document(replace(made, **more) if more else made)  # type: ignore[arg-type]


def passed(identifier: str) -> CheckResult:
    return CheckResult(
        check=check(identifier, identifier, Trait.SUPPLY, Severity.HIGH), outcome=Passed(observations=SEEN)
    )


def failed(identifier: str) -> CheckResult:
    return CheckResult(
        check=check(identifier, identifier, Trait.SUPPLY, Severity.HIGH), outcome=Failed(observations=SEEN)
    )


def outcome_of(document: Document, identifier: str) -> str:
    return next(one["outcome"] for one in document["checks"] if one["id"] == identifier)


def waiver(**more: object) -> Waiver:
    given: dict[str, object] = {"created": EARLIER - timedelta(days=5), **more}
    return Waiver(id="W-1", check="RM-SHELL", reason="Accepted.", approver="the owner", **given)  # type: ignore[arg-type]


def reads_the_date(checkout: Path, module: str) -> bool:
    """Whether a module of the controls, or one of theirs that it imports, looks at the time of the assessment."""
    path = checkout / f"{module.replace('.', '/')}.py"
    nodes = list(ast.walk(ast.parse(path.read_bytes())))
    if any(isinstance(node, ast.Attribute) and node.attr == "assessed_at" for node in nodes):
        return True
    imported = {str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)}
    return any(reads_the_date(checkout, name) for name in imported if name.startswith("controls."))


def test_every_check_that_reads_the_date_is_known_for_it(checkout: Path) -> None:
    modules = {one.id: f"controls.checks.{one.id.lower().replace('-', '_')}" for one in CHECKS}
    assert {name for name, module in modules.items() if reads_the_date(checkout, module)} == set(DATED)


def test_a_waiver_that_ran_out_covers_nothing_any_more() -> None:
    before = stored(failed("RM-SHELL"), waivers=(waiver(expires=LATER - timedelta(days=1)),))
    after = reevaluate(before, LATER)
    assert (before["summary"]["exitCode"], after["summary"]["exitCode"]) == (0, 10)
    assert [use["state"] for use in after["waivers"]] == ["expired"]
    assert after["checks"][0]["waiver"] is None
    assert after["summary"]["waived"] == 0


def test_a_waiver_of_a_later_date_covers_from_then_on() -> None:
    before = stored(failed("RM-SHELL"), waivers=(waiver(created=MOMENT + timedelta(days=1), paths=("usr/bin/*",)),))
    after = reevaluate(before, LATER)
    assert (before["summary"]["exitCode"], after["summary"]["exitCode"]) == (10, 0)
    assert after["checks"][0]["outcome"] == "failed"
    assert after["checks"][0]["waiver"] == after["waivers"][0]["waiver"]


@pytest.mark.parametrize("identifier", sorted(DATED))
def test_a_pass_that_rests_on_the_date_is_no_pass_at_another(identifier: str) -> None:
    for moment in (EARLIER, LATER):
        after = reevaluate(stored(passed(identifier), passed("RM-SHELL")), moment)
        assert outcome_of(after, identifier) == "unknown"
        assert outcome_of(after, "RM-SHELL") == "passed"
        assert after["reevaluation"] is not None
        assert after["reevaluation"]["reopened"] == [identifier]
        assert DATED[identifier].why in str(after["checks"][0]["reason"])


@pytest.mark.parametrize("identifier", sorted(DATED))
def test_a_failure_stays_at_a_later_date_where_time_mends_nothing(identifier: str) -> None:
    after = reevaluate(stored(failed(identifier)), LATER)
    assert outcome_of(after, identifier) == ("failed" if DATED[identifier].lasting else "unknown")
    assert outcome_of(reevaluate(stored(failed(identifier)), EARLIER), identifier) == "unknown"


def test_what_others_stated_says_nothing_of_an_earlier_date() -> None:
    before = stored(passed("SP-SIG"), passed("OWN-ONE"), passed("RM-SHELL"))
    assert [one["outcome"] for one in reevaluate(before, EARLIER)["checks"]] == ["unknown", "unknown", "passed"]
    assert [one["outcome"] for one in reevaluate(before, LATER)["checks"]] == ["passed", "passed", "passed"]


def test_nobody_knows_whether_a_plugin_reads_the_date() -> None:
    plugin = DefinitionFile(role="plugin", name="own", sha256="0" * 64)
    after = reevaluate(stored(passed("OWN-ONE"), passed("RM-SHELL"), definitions=(plugin,)), LATER)
    assert [one["outcome"] for one in after["checks"]] == ["unknown", "passed"]


def policy(expires: str | None) -> Document:
    before = stored(passed("SP-SIG"), passed("RM-SHELL"))
    before["verification"]["policy"] = {
        "digest": "sha256:" + "0" * 64,
        "files": [],
        "image": "docker.io/a/b:1",
        "expires": expires,
        "state": "held",
        "reason": "every requirement holds",
        "requirements": [],
    }
    return before


def test_a_trust_policy_that_ran_out_holds_nothing_and_its_signers_are_nobodys() -> None:
    after = reevaluate(policy("2026-11-15T00:00:00Z"), LATER)
    assert after["summary"]["outcome"] == "not-determined"
    assert after["verification"]["policy"] is not None
    assert after["verification"]["policy"]["state"] == "undetermined"
    assert [one["outcome"] for one in after["checks"]] == ["unknown", "passed"]
    assert reevaluate(policy(None), LATER)["summary"]["outcome"] == "satisfied"


def test_a_re_evaluation_is_not_evaluated_again() -> None:
    with pytest.raises(FormatError) as caught:
        reevaluate(reevaluate(stored(passed("RM-SHELL")), LATER), LATER)
    assert caught.value.code == "assessment-reevaluated"


def test_the_given_document_is_left_as_it_is() -> None:
    before = stored(failed("RM-SHELL"), passed("SC-EOL"), waivers=(waiver(expires=LATER - timedelta(days=1)),))
    kept = deepcopy(before)
    reevaluate(before, LATER)
    assert before == kept


def test_a_waiver_with_no_such_time_is_one_clear_error() -> None:
    before = stored(failed("RM-SHELL"), waivers=(waiver(),))
    before["waivers"][0]["waiver"]["created"] = "2026-13-45T00:00:00Z"
    with pytest.raises(FormatError) as caught:
        reevaluate(before, LATER)
    assert caught.value.where == "$.waivers[0].waiver.created"


def test_every_format_that_people_read_says_that_it_is_a_re_evaluation() -> None:
    after = reevaluate(stored(passed("SC-EOL"), failed("RM-SHELL")), LATER)
    told = "Re-evaluation as of 2026-12-01 12:00 UTC of the assessment of 2026-11-01 12:00 UTC"
    assert told in " ".join(table.render(after).split())
    assert told in markdown.render(after).decode().replace("\\", "").replace("&#8288;", "")
    assert told in html.render(after).decode()
    assert told in oscal.render_results(after).decode()
    assert b'"reevaluationOf": "2026-11-01T12:00:00Z"' in sarif.render(after)
    assert b"2026-11-01T12:00:00Z" in junit.render(after)
