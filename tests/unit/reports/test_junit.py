"""JUnit: what CI systems read."""

import copy
from xml.etree import ElementTree

import pytest
from junitparser import Error, Failure, JUnitXml, Skipped

from reports import assessment_json
from reports.document import Document
from reports.junit import OBSERVATIONS_MAX, render
from tests.builders.assessment import assessment
from tests.builders.program import foreign_file


@pytest.fixture(scope="module")
def document() -> Document:
    return assessment_json.document(assessment())


def cases(document: Document) -> dict[str, tuple[type, str]]:
    """Of each check: what JUnit calls it, and the text."""
    found: dict[str, tuple[type, str]] = {}
    for suite in JUnitXml.fromstring(render(document)):
        for case in suite:
            results = case.result
            assert len(results) <= 1
            kind, text = (type(results[0]), results[0].text or "") if results else (object, "")
            found[case.name.partition(" ")[0]] = (kind, text)
    return found


def test_each_outcome_has_its_element(document: Document) -> None:
    found = cases(document)
    assert list(found) == [check["id"] for check in document["checks"]]
    assert found["RM-EDITDOC"][0] is object
    assert found["RM-SHELL"][0] is Failure
    assert found["DR-UNOWNED"][0] is Error
    assert found["SP-SIG"][0] is Skipped
    assert found["SP-SIG"][1].startswith("unknown: no key and no identity was given to verify signatures with")
    assert found["NR-PORT"] == (Skipped, "not applicable: the image declares no ports")


def test_a_failure_names_what_was_seen_and_what_to_do(document: Document) -> None:
    _, text = cases(document)["RM-SHELL"]
    assert "/usr/bin/bash: ELF executable with the markers of a shell." in text.splitlines()
    assert text.splitlines()[-1].startswith("To do: Use an image without a shell")


def test_a_waived_failure_is_skipped_and_says_who_accepted_it(document: Document) -> None:
    kind, text = cases(document)["IM-HEALTH"]
    assert kind is Skipped
    assert text.startswith("failed, but waived by security@example.org until 2027-03-31")
    assert "no HEALTHCHECK" in text


def test_a_failure_that_does_not_count_is_skipped_and_says_so(document: Document) -> None:
    changed = copy.deepcopy(document)
    changed["checks"][0] |= {"counts": False, "uncounted": "the profile dev does not ask it"}
    kind, text = cases(changed)["RM-SHELL"]
    assert kind is Skipped
    assert text.startswith("failed, but does not count: the profile dev does not ask it")


def test_the_numbers_of_a_suite_are_those_of_its_cases(document: Document) -> None:
    suites = list(JUnitXml.fromstring(render(document)))
    assert [suite.name for suite in suites] == [
        "Components removed", "Non-root", "Immutable", "Purpose-scoped", "No drift", "Supply chain",
    ]  # fmt: skip
    for suite in suites:
        kinds = [type(result) for case in suite for result in case.result]
        assert suite.tests == len(list(suite))
        assert (suite.failures, suite.errors) == (kinds.count(Failure), kinds.count(Error))
        assert suite.skipped == kinds.count(Skipped)


def test_what_is_too_much_for_a_text_is_counted(document: Document) -> None:
    changed = copy.deepcopy(document)
    changed["checks"][0]["observations"] *= 40
    more = len(changed["checks"][0]["observations"]) - OBSERVATIONS_MAX
    assert f"+{more} more" in cases(changed)["RM-SHELL"][1].splitlines()


def test_equal_documents_have_equal_bytes(document: Document) -> None:
    assert render(document) == render(copy.deepcopy(document))


def test_it_is_valid_by_the_schema_of_jenkins(document: Document) -> None:
    from lxml import etree

    schema = etree.XMLSchema(etree.parse(foreign_file("junit-jenkins.xsd")))
    schema.assertValid(etree.fromstring(render(document)))
    with pytest.raises(etree.DocumentInvalid):
        schema.assertValid(etree.fromstring(render(document).replace(b"testcase", b"test")))


def test_it_is_valid_by_the_schema_of_ant_where_nothing_is_skipped(document: Document) -> None:
    from lxml import etree

    schema = etree.XMLSchema(etree.parse(foreign_file("junit-ant.xsd")))
    changed = copy.deepcopy(document)
    changed["checks"] = [check for check in changed["checks"] if check["outcome"] in ("passed", "failed", "errored")]
    changed["checks"] = [check for check in changed["checks"] if not check["waiver"]]
    schema.assertValid(etree.fromstring(render(changed)))


def test_the_characters_that_xml_cannot_hold_become_escapes(document: Document) -> None:
    changed = copy.deepcopy(document)
    changed["checks"][0]["observations"][0]["summary"] = "a\ufffeb\uffff]]>"
    assert "a\\ufffeb\\uffff]]>" in cases(changed)["RM-SHELL"][1]


def test_it_is_xml_without_a_document_type(document: Document) -> None:
    content = render(document)
    assert b"<!DOCTYPE" not in content
    assert ElementTree.fromstring(content).tag == "testsuites"  # noqa: S314 - what we wrote
