"""The fleet's reports: one document, and every format made from it alone."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from compliance.errors import FormatError, UsageError
from compliance.fleet.report import Window, fleet_report
from reports import fleet_csv, fleet_document, fleet_html, fleet_markdown, fleet_oscal, fleet_pdf, fleet_table
from reports import fleet_wording as words
from reports.attestation import ReferencedFile
from reports.branding import read_branding
from reports.fleet_attestation import files_statement
from reports.fleet_document import FleetDocument
from reports.fleet_exporter import FORMATS
from reports.fleet_view import IMAGES_MAX
from reports.pdf_attachments import embedded_files, reading
from tests.builders.fleet import NAME, START, WEEK, fleet
from tests.builders.fleet_hostile import hostile
from tests.builders.html_page import TakenApart
from tests.unit.reports import oscal_rules

TOOL: fleet_document.FleetTool = {"name": "hullmark", "version": "0.1.0"}


def report(images: int = 12, runs: int = 4, *, window: bool = True) -> FleetDocument:
    chosen = Window(since=START - WEEK, until=START + WEEK * (runs + 2), sample=5) if window else None
    return fleet_report(fleet(images=images, runs=runs), NAME, tool=TOOL, window=chosen)


@pytest.fixture(scope="module")
def document() -> FleetDocument:
    return report()


@pytest.fixture(scope="module")
def evil(document: FleetDocument) -> FleetDocument:
    return hostile(document)


# The document


def test_it_is_what_its_schema_says(document: FleetDocument) -> None:
    fleet_document.schema().check(document)
    fleet_document.schema().check(report(runs=1, window=False))
    jsonschema_rs.validator_for(json.loads(_schema())).validate(json.loads(fleet_document.render(document)))


def _schema() -> str:
    from importlib import resources

    return (resources.files("reports") / "schemas" / "fleet.schema.json").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("schemaVersion",), "2"),
        (("run", "chain"), "short"),
        (("total", "coverage", "images"), -1),
        (("images", 0, "outcome"), "compliant"),
        (("changes",), []),
        (("extra",), 1),
    ],
)
def test_anything_else_is_not(document: FleetDocument, path: tuple[Any, ...], value: object) -> None:
    changed: Any = json.loads(fleet_document.render(document))
    place = changed
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    with pytest.raises(FormatError):
        fleet_document.schema().check(changed)


def test_equal_stores_give_equal_bytes_in_every_format(document: FleetDocument) -> None:
    again = report()
    for form in FORMATS.values():
        assert form.render(document) == form.render(again), form.name


def test_it_has_the_heads_that_a_reader_compares(document: FleetDocument) -> None:
    store = fleet(images=12, runs=4)
    assert document["store"] == {"digest": store.digest(), "head": store.head(NAME)}
    assert document["run"]["chain"] == store.head(NAME)


def test_its_numbers_add_up(document: FleetDocument) -> None:
    total = document["total"]
    images = total["coverage"]["images"] + total["coverage"]["unresolved"]
    assert sum(total["outcomes"].values()) == images
    assert len(document["images"]) == total["coverage"]["images"]
    for check in document["checks"]:
        assert sum(check["counts"].values()) == images
    for framework in document["frameworks"]:
        assert all(sum(control["counts"].values()) == images for control in framework["controls"])
    failed = [one for image in document["images"] for one in image["failed"] if one["counts"] and not one["waiver"]]
    assert sum(total["failed"].values()) == len(failed)
    assert document["trend"][-1]["outcomes"] == total["outcomes"]


def test_a_first_run_has_nothing_to_compare_with() -> None:
    first = report(runs=1, window=False)
    assert first["changes"] is None
    for form in FORMATS.values():
        assert form.render(first)


def test_texts_are_those_of_the_runs_own_documents(document: FleetDocument) -> None:
    titles = {check["id"]: check["title"] for check in document["checks"]}
    assert titles["RM-SHELL"] == "No command shell in a runtime image"
    assert {framework["name"] for framework in document["frameworks"]} >= {"NIST SP 800-53", "PCI DSS"}


def test_a_document_that_is_lost_leaves_ids_in_place_of_words() -> None:
    store = fleet(images=6, runs=2)
    store.document = b"not an assessment"
    found = fleet_report(store, NAME, tool=TOOL)
    assert {check["title"] for check in found["checks"]} == {check["id"] for check in found["checks"]}
    for form in FORMATS.values():
        assert form.render(found)


def test_only_runs_that_are_there_can_be_reported_on() -> None:
    store = fleet(images=6, runs=2)
    assert fleet_report(store, NAME, tool=TOOL, run="1")["run"]["number"] == 1
    with pytest.raises(UsageError, match="no run 7"):
        fleet_report(store, NAME, tool=TOOL, run="7")
    with pytest.raises(UsageError, match="no run of the fleet"):
        fleet_report(store, "another", tool=TOOL)
    with pytest.raises(UsageError, match="no run began"):
        fleet_report(store, NAME, tool=TOOL, window=Window(since=START - WEEK * 3, until=START - WEEK))
    with pytest.raises(UsageError, match="later than"):
        fleet_report(store, NAME, tool=TOOL, window=Window(since=START, until=START - WEEK))


# Formats


@pytest.mark.parametrize("name", ["table", "markdown", "csv"])
def test_golden(name: str, golden: Callable[[str, bytes], None]) -> None:
    endings = {"table": "txt", "markdown": "md", "csv": "csv"}
    golden(f"reports/fleet.{endings[name]}", FORMATS[name].render(report(images=6, runs=3)))


def test_no_format_calls_anything_compliant(document: FleetDocument) -> None:
    for name in ("table", "markdown", "html"):
        text = FORMATS[name].render(document).decode()
        assert not re.search(r"(?<!is )\bcompliant\b(?!:)", text.replace("that it is compliant", "")), name


def test_the_table_fits_the_terminal(document: FleetDocument, evil: FleetDocument) -> None:
    for one in (document, evil):
        lines = fleet_table.render(one).split("\n")
        assert max(map(len, lines)) <= 80
        assert not any(char in line for line in lines for char in "\x1b\x07\u202e")
    assert "\x1b[" in fleet_table.render(document, color=True)


def test_csv_has_a_row_for_each_failure_and_for_each_image_without(document: FleetDocument) -> None:
    rows = list(csv.DictReader(io.StringIO(fleet_csv.render(document).decode())))
    failures = sum(len(image["failed"]) for image in document["images"])
    without = sum(not image["failed"] for image in document["images"])
    assert len(rows) == failures + without + len(document["unresolved"])
    assert {row["digest"] for row in rows if row["digest"]} == {image["digest"] for image in document["images"]}


def test_csv_cells_are_no_formulas(document: FleetDocument) -> None:
    changed = json.loads(fleet_document.render(document))
    changed["images"][0]["references"] = ["=cmd|' /C calc'!A0"]
    rows = list(csv.DictReader(io.StringIO(fleet_csv.render(changed).decode())))
    assert any(row["reference"].startswith("'=cmd") for row in rows)


def test_markdown_shows_hostile_names_as_text(evil: FleetDocument) -> None:
    text = fleet_markdown.render(evil).decode()
    assert "<img" not in text
    assert "<script" not in text
    assert set(re.findall(r"<(/?\w+)", text)) <= {"details", "/details", "summary", "/summary"}
    rows = [line for line in text.split("\n") if line.startswith("|")]
    assert all(line.endswith("|") for line in rows)


def test_the_page_shows_hostile_names_as_text(document: FleetDocument, evil: FleetDocument) -> None:
    plain, page = (TakenApart(fleet_html.render(one).decode()) for one in (document, evil))
    assert {tag for tag in page.tags if tag not in plain.tags} == set()
    assert len(page.scripts) == 1
    assert not any(name.startswith("on") for _, name, _ in page.attributes)
    assert [value for value in (*page.values("href"), *page.values("src")) if not value.startswith("#")] == []
    assert "window.ran=1" in page.text
    assert not any(char in page.text for char in "\x1b\x07\u202e")


def test_the_page_names_its_style_and_script_by_digest(document: FleetDocument) -> None:
    page = fleet_html.render(document).decode()
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    assert policy is not None
    assert "default-src &#39;none&#39;" in policy[1] or "default-src 'none'" in policy[1]
    assert not TakenApart(page).values("style")
    assert "unsafe" not in policy[1]


def test_every_link_of_the_page_leads_somewhere(document: FleetDocument) -> None:
    page = TakenApart(fleet_html.render(document).decode())
    identifiers = page.values("id")
    assert len(set(identifiers)) == len(identifiers)
    assert {link[1:] for link in page.values("href")} <= set(identifiers)


def test_a_large_fleet_is_cut_in_the_page_and_says_so(document: FleetDocument) -> None:
    changed = json.loads(fleet_document.render(document))
    images = changed["images"]
    changed["images"] = [
        {**images[number % len(images)], "digest": f"sha256:{number:064x}"} for number in range(IMAGES_MAX + 7)
    ]
    page = fleet_html.render(changed).decode()
    assert page.count('<details class="image ') == IMAGES_MAX
    assert "7 more are not in this page" in page


def test_branding_is_shown(document: FleetDocument) -> None:
    branding = read_branding(title="Board report", organisation="Example Org", classification="INTERNAL")
    page = fleet_html.render(document, branding=branding).decode()
    assert all(text in page for text in ("Board report", "Example Org", "INTERNAL"))


@pytest.fixture(scope="module")
def pdf(document: FleetDocument) -> bytes:
    return fleet_pdf.render(document)


def pages(content: bytes) -> int:
    return int(reading(content, lambda reader: reader.root["/Pages"]["/Count"]))


def test_the_pdf_carries_the_document_it_was_made_from(document: FleetDocument, pdf: bytes) -> None:
    files = embedded_files(pdf)
    assert files["fleet.json"] == fleet_document.render(document)
    assert files["fleet.csv"] == fleet_csv.render(document)


def test_the_pdf_of_any_fleet_has_at_most_sixty_pages(evil: FleetDocument) -> None:
    big: Any = json.loads(fleet_document.render(hostile(report(images=90, runs=3))))
    for key, number in (("groups", 400), ("owners", 400), ("waivers", 400), ("unresolved", 400), ("trend", 400)):
        big[key] = [big[key][place % len(big[key])] for place in range(number)] if big[key] else []
    big["frameworks"] = [{**one, "id": f"{one['id']}-{n}"} for n in range(6) for one in big["frameworks"]]
    big["worst"] = big["worst"] * 20
    big["bases"]["bases"] = big["bases"]["bases"] * 60
    big["changes"]["findings"] = [
        {**big["changes"]["findings"][place % 3], "kind": kind} for kind in words.CHANGES for place in range(300)
    ]
    big["period"]["sample"] = big["period"]["sample"] * 100
    assert pages(fleet_pdf.render(big)) <= 60


def test_the_pdf_shows_hostile_names_as_text(evil: FleetDocument) -> None:
    content = fleet_pdf.render(evil)
    assert b"leak.example" not in re.sub(rb"stream.*?endstream", b"", content, flags=re.DOTALL)
    assert b"/URI" not in re.sub(rb"stream.*?endstream", b"", content, flags=re.DOTALL)


@pytest.mark.parametrize("version", ["1.1.3", "1.2.1", "1.2.2"])
def test_oscal_is_valid_and_keeps_the_rules_beyond_the_schema(
    version: str, document: FleetDocument, evil: FleetDocument, shared: Path
) -> None:
    schema = json.loads(
        (shared / "schemas/oscal" / f"oscal_complete_schema-{version.replace('.', '-')}.json").read_bytes()
    )
    catalog = json.loads((shared / "reference/controls/nist_sp800_53r5_needed_controls.json").read_bytes())["controls"]
    for one in (document, evil, report(runs=1, window=False)):
        made = json.loads(fleet_oscal.render(one, version))
        jsonschema_rs.validator_for(schema).validate(made)
        oscal_rules.check(made, version, catalog)


def test_oscal_has_a_result_for_each_run_and_an_item_for_each_image(document: FleetDocument) -> None:
    results = json.loads(fleet_oscal.render(document))["assessment-results"]["results"]
    assert len(results) == len(document["trend"])
    items = results[0]["local-definitions"]["inventory-items"]
    assert len(items) == len(document["images"])
    states = {finding["target"]["status"]["state"] for result in results for finding in result.get("findings", [])}
    assert states == {"not-satisfied"}


def test_an_unknown_oscal_version_is_an_error(document: FleetDocument) -> None:
    with pytest.raises(UsageError):
        fleet_oscal.render(document, "0.9")


def test_the_statement_names_every_file_and_the_run(document: FleetDocument) -> None:
    files = [
        ReferencedFile(path=name, sha256=letter * 64, media_type="x/y") for name, letter in (("b", "1"), ("a", "2"))
    ]
    statement = json.loads(files_statement(document, files))
    assert [(one["name"], one["digest"]["sha256"][0]) for one in statement["subject"]] == [("a", "2"), ("b", "1")]
    assert statement["predicate"]["hullmarkFleet"]["chain"] == document["run"]["chain"]
    assert files_statement(document, reversed(files)) == files_statement(document, files)
