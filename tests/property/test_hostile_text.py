"""Whatever text an image, a signature or a waiver brings along, every report shows it as text and is none the worse."""

from __future__ import annotations

import copy
import csv as csv_reader
import io
import json
import re
from collections.abc import Callable
from typing import Any, cast
from urllib.parse import unquote
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from rich.cells import cell_len

from reports import assessment_json, csv, html, junit, markdown, sarif, table
from reports.document import Document
from reports.text import clean
from tests.builders.assessment import assessment
from tests.builders.html_page import TakenApart

BASE = assessment_json.document(assessment())
ATTACKS = (
    "<script>alert(1)</script>",
    "</title></style></script><img src=x onerror=alert(1)>",
    '" onmouseover="alert(1)" x="',
    "' autofocus onfocus='alert(1)",
    "javascript:alert(1)",
    "]]>",
    "<!--",
    "-->",
    "<![CDATA[",
    "<!DOCTYPE x [<!ENTITY a SYSTEM 'file:///etc/passwd'>]>&a;",
    "&lt;b&gt;&#60;",
    "=cmd|' /C calc'!A0",
    "+1",
    "-1",
    "@SUM(A1:A9)",
    "\t=1",
    "\uff1d1",
    "| a | b |",
    "`code`",
    "```\ncode\n```",
    "**bold** _em_ ~~no~~",
    "[link](https://example.org)",
    "![picture](https://example.org/x.png)",
    "https://example.org/x",
    "www.example.org",
    "somebody@example.org",
    "@somebody",
    "owner/name#12",
    "#12",
    ":tada:",
    "# heading",
    "\n# heading\n\n---\n",
    "\\",
    "\\n",
    "$x$",
    "{{ 7 * 7 }}{% raw %}",
    "{0} %s %(a)s",
    "\x00\x07\x1b[31mred\x1b]0;title\x07",
    "\r\n",
    "\u202egnp.exe\u2066\u2069",
    "\u200b\ufeff\u00ad",
    "\u0627\u0644\u0639\u0631\u0628\u064a\u0629",
    "z\u0324\u0352\u0360" * 30,
    "\ufffe\uffff\ud800",
    "\U0001f600\u4e2d\u6587",
    "../../../../etc/passwd",
    "a" * 4096,
    "/" * 50,
    "\u2028\u2029\x85",
    "data:text/html,<script>alert(1)</script>",
    "</details></summary>",
    "::error::stop",
    "::set-output name=x::y",
)
LIVELY = re.compile(r"(?<!\w)[@#]\w|\w@\w|https?://|(?<!\w)www\.\w|:tada:")
"""What GitHub makes something of in text that has been rendered already."""
hostile = st.lists(st.sampled_from(ATTACKS) | st.text(max_size=12), min_size=1, max_size=3).map("".join)


def _observation(document: Document) -> dict[str, Any]:
    return cast(dict[str, Any], document["checks"][0]["observations"][0])


def _set(key: str, find: Callable[[Document], Any]) -> Callable[[Document, str], None]:
    def put(document: Document, text: str) -> None:
        find(document)[key] = text

    return put


PLACES: dict[str, Callable[[Document, str], None]] = {
    "path": _set("path", _observation),
    "summary": _set("summary", _observation),
    "value": _set("value", _observation),
    "method": _set("method", _observation),
    "package": _set("package", _observation),
    "title": _set("title", lambda document: document["checks"][0]),
    "remediation": _set("remediation", lambda document: document["checks"][0]),
    "reason": _set("reason", lambda document: document["checks"][1]),
    "reference": _set("reference", lambda document: document["subject"]),
    "platform": _set("platform", lambda document: document["subject"]),
    "claim": _set("value", lambda document: document["subject"]["claims"][0]),
    "build step": _set("createdBy", lambda document: document["subject"]["layers"][0]),
    "user": _set("user", lambda document: document["subject"]["config"]),
    "system": _set("prettyName", lambda document: document["inventory"]["distribution"]),
    "unread": _set("path", lambda document: document["coverage"]["unread"][0]),
    "signer": _set("identity", lambda document: document["verification"]["attestations"][0]),
    "statement": _set("summary", lambda document: document["verification"]["attestations"][0]),
    "report": _set("name", lambda document: document["suppliedReports"][0]),
    "framework": _set("name", lambda document: document["frameworks"][0]),
    "control": _set("title", lambda document: document["controls"][0]),
    "waiver": _set(
        "reason", lambda document: next(check["waiver"] for check in document["checks"] if check["waiver"] is not None)
    ),
}


def with_text(place: str, text: str) -> tuple[Document, str]:
    """The document with the text at that place, as reading a document back makes it, and the text as it is then."""
    document = copy.deepcopy(BASE)
    shown = clean(text)
    if place in ("path", "unread"):
        shown = "/" + shown.lstrip("/")
    PLACES[place](document, shown)
    return assessment_json.parse(json.dumps(document).encode()), shown


def squeezed(text: str) -> str:
    return re.sub(r"\s+", "", text)


def ends(text: str) -> tuple[str, str]:
    """What is left of a text however short it is cut: its first and last characters."""
    return squeezed(text[:20]), squeezed(text[-20:])


@pytest.mark.parametrize("place", PLACES)
@settings(max_examples=6)
@given(text=hostile)
def test_a_page_is_built_the_same_whatever_the_text(place: str, text: str) -> None:
    document, shown = with_text(place, f"a{text}b")
    plain, _ = with_text(place, "a" + re.sub(r"[^.;? ]", "x", clean(text)) + "b")
    page, harmless = TakenApart(html.render(document).decode()), TakenApart(html.render(plain).decode())
    assert page.tags == harmless.tags
    assert [(tag, name) for tag, name, _ in page.attributes] == [(tag, name) for tag, name, _ in harmless.attributes]
    assert page.scripts == harmless.scripts
    assert page.styles == harmless.styles
    assert ends(shown)[0] in squeezed(page.text) + squeezed("".join(page.values("title")))


@pytest.mark.parametrize("place", PLACES)
@settings(max_examples=6)
@given(text=hostile)
def test_markdown_makes_no_markup_of_it(place: str, text: str) -> None:
    document, _ = with_text(place, f"a{text}b")
    plain, _ = with_text(place, "a" + "x" * len(clean(text)) + "b")
    renderer = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    page, harmless = (TakenApart(renderer.render(markdown.render(one).decode())) for one in (document, plain))
    assert page.tags == harmless.tags
    assert not page.attributes or {name for _, name, _ in page.attributes} <= {"style"}
    assert not LIVELY.search(page.text)


@pytest.mark.parametrize("place", PLACES)
@settings(max_examples=6)
@given(text=hostile)
def test_sarif_keeps_the_text_in_its_strings(place: str, text: str) -> None:
    document, shown = with_text(place, f"/a{text}b")
    run = json.loads(sarif.render(document))["runs"][0]
    for result in run["results"]:
        uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
        assert re.fullmatch(r"[A-Za-z0-9._~%-]+(?:/[A-Za-z0-9._~%-]+)*", uri)
        assert not {".", ".."} & set(uri.split("/"))
        assert not re.search(r"(?<!\\)\[[^\]]*\]\(", result["message"]["text"])
    if place == "path":
        uris = {one["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for one in run["results"]}
        assert re.sub("/+", "/", shown).strip("/") in {unquote(uri) for uri in uris}


@pytest.mark.parametrize("place", PLACES)
@settings(max_examples=6)
@given(text=hostile)
def test_junit_stays_xml_and_holds_the_text(place: str, text: str) -> None:
    document, shown = with_text(place, f"a{text}b")
    suites = ElementTree.fromstring(junit.render(document))  # noqa: S314 - what we wrote
    assert len(suites.findall("testsuite/testcase")) == len(document["checks"])
    if place in ("path", "summary", "remediation", "reason"):
        told = squeezed("".join(suites.itertext())).replace("\\ufffe", "\ufffe").replace("\\uffff", "\uffff")
        assert squeezed(shown) in told or squeezed(shown).replace("\\ufffe", "\ufffe") in told


@pytest.mark.parametrize("place", PLACES)
@settings(max_examples=6)
@given(text=hostile)
def test_no_cell_of_the_csv_is_a_formula_and_none_is_lost(place: str, text: str) -> None:
    for prefix in ("", "a"):
        document, shown = with_text(place, prefix + text)
        rows = list(csv_reader.reader(io.StringIO(csv.render(document).decode(), newline="")))
        assert {len(row) for row in rows} == {len(csv.COLUMNS)}
        assert not [
            cell
            for row in rows
            for cell in row
            if cell.lstrip(" ")[:1] in set("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20") - {""}
        ]
        if place in ("path", "summary", "value"):
            assert any(shown in (cell, cell[1:]) for row in rows for cell in row)


@pytest.mark.parametrize("place", PLACES)
@settings(max_examples=6)
@given(text=hostile)
def test_the_terminal_gets_no_control_character_and_no_wider_line(place: str, text: str) -> None:
    document, _ = with_text(place, text)
    for color in (False, True):
        lines = re.sub(r"\x1b\[[0-9;]*m", "", table.render(document, color=color)).split("\n")
        assert not [line for line in lines if re.search(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", line)]
        assert max(cell_len(line) for line in lines) <= 80
