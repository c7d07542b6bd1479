"""The report for a browser: one file, nothing fetched, nothing missing."""

import base64
import copy
import hashlib
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import cast

import pytest

from reports import assessment_json
from reports.branding import NO_BRANDING, read_branding
from reports.document import Document, Observation
from reports.html import render
from reports.html_view import EVIDENCE_MAX
from tests.builders.assessment import DIGEST, ESCAPING, HIDDEN, assessment
from tests.builders.html_page import TakenApart


@pytest.fixture(scope="module")
def document() -> Document:
    return assessment_json.document(assessment())


@pytest.fixture(scope="module")
def page(document: Document) -> TakenApart:
    return TakenApart(render(document).decode())


def policy_of(page: TakenApart) -> dict[str, list[str]]:
    [content] = [value for tag, name, value in page.attributes if tag == "meta" and value.startswith("default-src")]
    return {name: sources for name, *sources in (directive.split() for directive in content.split(";"))}


def digest_of(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def test_its_policy_allows_its_own_script_and_style_and_nothing_else(page: TakenApart) -> None:
    policy = policy_of(page)
    assert policy["default-src"] == ["'none'"]
    assert policy["script-src"] == [digest_of(page.scripts[0])]
    assert policy["style-src"] == [digest_of(page.styles[0])]
    assert policy["img-src"] == ["data:"]
    assert policy["base-uri"] == policy["form-action"] == policy["trusted-types"] == ["'none'"]


def test_it_has_one_script_one_style_and_no_handlers(page: TakenApart) -> None:
    assert len(page.scripts) == len(page.styles) == 1
    assert not [name for _, name, _ in page.attributes if name.startswith("on") or name == "style"]


def test_the_policy_comes_before_all_that_it_governs(document: Document) -> None:
    text = render(document).decode()
    assert text.index("Content-Security-Policy") < text.index("<style>") < text.index("<script>")


def test_it_refers_to_nothing_outside_itself(page: TakenApart) -> None:
    addresses = page.values("href") + page.values("src") + page.values("action") + page.values("srcset")
    assert addresses
    assert all(address.startswith("#") for address in addresses)
    assert "url(" not in page.styles[0]
    assert "@import" not in page.styles[0]


def test_every_link_leads_somewhere_and_no_name_is_given_twice(page: TakenApart) -> None:
    names = Counter(page.values("id"))
    assert not [name for name, times in names.items() if times > 1]
    assert not {link[1:] for link in page.values("href")} - set(names)
    assert not {name for value in page.values("aria-labelledby") for name in value.split()} - set(names)


def test_every_check_and_control_has_a_place_of_its_own(page: TakenApart, document: Document) -> None:
    names = set(page.values("id"))
    assert {f"check-{check['id']}" for check in document["checks"]} <= names
    assert len([name for name in names if name.startswith("control-")]) == len(document["controls"])


def test_links_lead_from_control_to_check_to_control_and_from_evidence_to_layer(page: TakenApart) -> None:
    links = set(page.values("href"))
    assert {"#check-RM-SHELL", "#control-nist-sp-800-53-cm-7", "#layer-1", "#findings"} <= links


def test_the_data_that_filters_go_by_are_those_of_the_document(page: TakenApart, document: Document) -> None:
    for key in ("outcome", "severity", "trait"):
        assert Counter(page.values(f"data-{key}")) == Counter(check[key] for check in document["checks"])


def test_nothing_of_the_image_is_markup(page: TakenApart, document: Document) -> None:
    text = render(document).decode()
    assert "<script>alert" not in text
    assert "\x1b" not in text
    assert "<script>alert(1)" in page.text
    assert ESCAPING.partition("\x1b")[0] in page.text


def test_what_is_withheld_from_the_document_is_not_in_the_page(document: Document) -> None:
    assert HIDDEN not in render(document).decode()


def test_the_verdict_digest_and_reason_are_in_the_text(page: TakenApart, document: Document) -> None:
    for text in ("Not satisfied", DIGEST, "4 checks of high severity or above failed", "/usr/bin/bash"):
        assert text in page.text
    assert all(check["title"] in page.text for check in document["checks"])


def test_without_scripts_only_what_needs_them_is_hidden(page: TakenApart) -> None:
    hidden = {
        {name: value for _, name, value in group}.get("id")
        for group in _elements(page)
        if any(name == "hidden" for _, name, _ in group)
    }
    assert hidden == {"scheme", "filters", "nothing"}


def _elements(page: TakenApart) -> list[list[tuple[str, str, str]]]:
    """Attributes by element: the parser gives those of one element in a row, and each name once in it."""
    groups: list[list[tuple[str, str, str]]] = [[]]
    for attribute in page.attributes:
        if groups[-1] and (attribute[0] != groups[-1][0][0] or attribute[1] in {name for _, name, _ in groups[-1]}):
            groups.append([])
        groups[-1].append(attribute)
    return groups


def many(document: Document, number: int, length: int = 40) -> Document:
    """The document with that many files seen by its first check."""
    changed = copy.deepcopy(document)
    seen = changed["checks"][0]["observations"][0]
    changed["checks"][0]["observations"] = [
        cast(Observation, {**seen, "path": f"/{place:06d}{'x' * length}", "names": []}) for place in range(number)
    ]
    return changed


def test_what_is_too_much_is_left_out_and_counted(document: Document) -> None:
    number = EVIDENCE_MAX + 17
    page = TakenApart(render(many(document, number)).decode())
    assert "17 more are not in this page: see findings.csv." in page.text
    assert f"What was seen ({number})" in page.text
    assert f"/{EVIDENCE_MAX - 1:06d}" in page.text
    assert f"/{EVIDENCE_MAX:06d}" not in page.text


def test_fewer_are_told_where_they_are_very_long(document: Document) -> None:
    long = many(document, EVIDENCE_MAX, 40_000)
    assert "more are not in this page" in TakenApart(render(long).decode()).text
    assert len(render(long)) < 2_000_000


def test_long_lists_are_folded_with_their_number(document: Document) -> None:
    page = TakenApart(render(many(document, 20)).decode())
    assert "12 more" in page.text


def test_a_path_of_four_thousand_characters_keeps_both_its_ends(document: Document) -> None:
    changed = many(document, 1, 4000)
    changed["checks"][0]["observations"][0]["path"] = "/start" + "x" * 4000 + "/end.so"
    text = TakenApart(render(changed).decode()).text
    assert re.search(r"/startx+ … x+/end\.so", text)
    assert "x" * 400 not in text


def test_an_organisation_has_its_place(document: Document) -> None:
    logo = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 4 2"><path d="M0 0h4v2z"/></svg>'
    branding = read_branding(
        title="Payments <API>",
        organisation="Example & Co",
        logo=logo,
        classification="INTERNAL",
        scope="First.\n\nSecond.",
        contacts=("security@example.org",),
    )
    page = TakenApart(render(document, branding=branding).decode())
    for text in ("Payments <API>", "Example & Co", "First.", "Second.", "security@example.org"):
        assert text in page.text
    assert page.text.count("INTERNAL") == 2
    [source] = page.values("src")
    assert source.startswith("data:image/svg+xml;base64,")


def test_without_an_organisation_there_is_no_trace_of_one(document: Document) -> None:
    assert render(document) == render(document, branding=NO_BRANDING)
    assert "Contacts" not in TakenApart(render(document).decode()).text


def test_two_processes_write_the_same_bytes(document: Document, tmp_path: Path, checkout: Path) -> None:
    (tmp_path / "assessment.json").write_bytes(assessment_json.render(document))
    command = (
        "import hashlib, sys, pathlib; from reports import assessment_json, html;"
        "content = pathlib.Path(sys.argv[1]).read_bytes();"
        "print(hashlib.sha256(html.render(assessment_json.parse(content))).hexdigest())"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", command, str(tmp_path / "assessment.json")],
            env={**os.environ, "PYTHONHASHSEED": seed, "LC_ALL": language, "TZ": zone},
            cwd=checkout,
            check=True,
            capture_output=True,
        ).stdout
        for seed, language, zone in (("1", "C", "UTC"), ("2", "tr_TR.UTF-8", "Asia/Tokyo"))
    }
    assert len(digests) == 1
    assert digests == {f"{hashlib.sha256(render(document)).hexdigest()}\n".encode()}


def test_a_root_filesystem_and_an_assessment_without_controls_have_a_page(document: Document) -> None:
    changed = copy.deepcopy(document)
    changed["subject"]["config"] = None
    changed["subject"]["layers"] = []
    changed["frameworks"], changed["controls"] = [], []
    page = TakenApart(render(changed).decode())
    assert "A root filesystem has no runtime configuration." in page.text
    assert "No framework was chosen for this assessment." in page.text
