"""The audit report: what its pages say, what it carries, and that its bytes repeat."""

import hashlib
import os
import re
import socket
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from compliance.errors import ExitCode
from compliance.model.assessment import Assessment
from compliance.model.outcome import Failed, Observation
from reports import assessment_json, audit_page, csv, pdf
from reports.branding import read_branding
from reports.document import Document
from reports.pdf_attachments import embedded_files
from reports.pdf_text import page_text
from tests.builders.assessment import DIGEST, HIDDEN, LONG_PATH, MOMENT, assessment
from tests.builders.hostile_document import hostile

SBOM = {"sbom.cdx.json": b'{"bomFormat": "CycloneDX"}\n', "oscal/assessment-results.json": b"{}\n"}


@pytest.fixture(scope="module")
def document() -> Document:
    return assessment_json.document(assessment())


@pytest.fixture(scope="module")
def content(document: Document) -> bytes:
    return pdf.render(document, attachments=SBOM)


@pytest.fixture(scope="module")
def html(document: Document) -> str:
    return html_of(document)


def html_of(document: Document) -> str:
    return audit_page.html(pdf._printable_document(document), pdf._files(document, SBOM))


def with_observations(number: int, plain: Assessment | None = None, **facts: Any) -> Document:
    """Every failed check with `number` observations."""
    plain = plain or assessment()
    results = []
    for result in plain.results:
        if isinstance(result.outcome, Failed):
            first: Observation = replace(result.outcome.observations[0], **facts)
            results.append(replace(result, outcome=Failed(observations=(first,) * number)))
        else:
            results.append(result)
    return assessment_json.document(replace(plain, results=tuple(results)))


def reader(content: bytes) -> Any:
    import io

    from pyhanko.pdf_utils.reader import PdfFileReader

    return PdfFileReader(io.BytesIO(content))


def pages(content: bytes) -> int:
    return int(reader(content).root["/Pages"]["/Count"])


def font_names(content: bytes) -> set[str]:
    names: set[str] = set()
    resources = reader(content).root["/Pages"]["/Kids"][1]["/Resources"]
    fonts = resources["/Font"]
    for key in fonts:
        names.add(str(fonts[key]["/BaseFont"]))
    return names


def test_it_is_a_pdf_of_the_archival_kind_with_the_assessments_date(content: bytes) -> None:
    root = reader(content).root
    metadata = root["/Metadata"].data.decode()
    assert content.startswith(b"%PDF-1.7")
    assert re.search(r"pdfaid:part[>=\"' ]+3", metadata)
    assert re.search(r"pdfaid:conformance[>=\"' ]+A", metadata)
    assert "<pdfuaid:part>1</pdfuaid:part>" in metadata
    assert "2026-11-01T12:00:00" in metadata
    assert root["/Lang"] == "en"


def test_two_processes_give_the_same_bytes(document: Document, content: bytes, tmp_path: Path, checkout: Path) -> None:
    file = tmp_path / "assessment.json"
    file.write_bytes(assessment_json.render(document))
    program = (
        "import sys, pathlib; from reports import assessment_json, pdf; "
        "d = assessment_json.parse(pathlib.Path(sys.argv[1]).read_bytes()); "
        f"sys.stdout.buffer.write(pdf.render(d, attachments={SBOM!r}))"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo", "LC_ALL": "C", "SOURCE_DATE_EPOCH": "1"}
    done = subprocess.run(
        [sys.executable, "-c", program, str(file)], capture_output=True, env=environment, cwd=checkout, check=True
    )
    assert hashlib.sha256(done.stdout).hexdigest() == hashlib.sha256(content).hexdigest()


def test_the_environment_is_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "77")
    with pdf._fixed_clock(MOMENT):
        assert os.environ["SOURCE_DATE_EPOCH"] == str(int(MOMENT.timestamp()))
    assert os.environ["SOURCE_DATE_EPOCH"] == "77"
    monkeypatch.delenv("SOURCE_DATE_EPOCH")
    with pdf._fixed_clock(MOMENT):
        pass
    assert "SOURCE_DATE_EPOCH" not in os.environ


def test_the_files_it_was_made_from_are_attached(document: Document, content: bytes) -> None:
    assert embedded_files(content) == {
        **SBOM,
        "assessment.json": assessment_json.render(document),
        "findings.csv": csv.render(document),
    }


def test_their_digests_are_printed(html: str, document: Document) -> None:
    for name, attached in {**SBOM, "assessment.json": assessment_json.render(document)}.items():
        assert name in html
        assert hashlib.sha256(attached).hexdigest() in html


def test_only_the_packages_fonts_are_used(content: bytes) -> None:
    names = font_names(content)
    assert names
    assert all("+Report-" in name for name in names)


def test_characters_without_a_glyph_become_escapes_and_nothing_is_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the renderer opened a connection")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    plain = with_observations(1, summary="名前 🙂 é ж")
    assert r"\u540d\u524d \u1f642 é ж" in html_of(plain)
    assert all("+Report-" in name for name in font_names(pdf.render(plain)))


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "https://example.org/x.woff", "font:../LICENSE.txt", "font:LICENSE.txt", "data:,x"]
)
def test_the_fetcher_has_nothing_but_fonts(url: str) -> None:
    with pytest.raises(ValueError, match="nothing but its fonts"):
        pdf._own_fetcher(None).fetch(url)


def test_markup_from_the_image_stays_text(html: str) -> None:
    assert "<script" not in html
    assert "&lt;script&gt;" in html


def test_no_secret_is_printed(html: str) -> None:
    assert HIDDEN not in html


def test_every_internal_link_has_its_target_and_every_target_is_unique(html: str) -> None:
    targets = Counter(re.findall(r'\bid="([^"]*)"', html))
    assert max(targets.values()) == 1
    links = set(re.findall(r'href="#([^"]*)"', html))
    assert links <= set(targets)
    assert {"check-RM-SHELL", "control-nist-sp-800-53-cm-7", "framework-nist-sp-800-53"} <= links


def test_no_link_leads_out_of_the_report(html: str) -> None:
    assert set(re.findall(r'(?:href|src)="([^#"][^"]*)"', html)) == set()


def test_every_status_has_a_word_and_a_mark(html: str) -> None:
    spans = re.findall(r'<span class="status [^"]*">(.) (.*?)</span>', html)
    assert len(spans) > 20
    assert len(spans) == html.count('<span class="status ')
    assert all(mark in "×?!✓–+" and len(word) > 3 for mark, word in spans)  # noqa: RUF001


def test_no_table_is_empty(html: str) -> None:
    assert not re.search(r"<tbody>\s*</tbody>", html)
    bare = assessment(frameworks=0)
    image = replace(bare.evidence.image, config=None, layers=(), notices=())
    empty = replace(bare, results=(), evidence=replace(bare.evidence, image=image))
    assert not re.search(r"<tbody>\s*</tbody>", html_of(assessment_json.document(empty)))


def test_the_cover_names_the_whole_digest_and_the_verdict(html: str) -> None:
    cover = html[html.index('class="cover"') : html.index('id="contents"')]
    assert DIGEST in cover
    assert "Not satisfied" in cover


def test_evidence_names_path_layer_package_and_digest(html: str) -> None:
    block = html[html.index('<div class="check" id="check-RM-SHELL"') :]
    for part in ("/usr/bin/bash", "layer 1 · ", "pkg:deb/debian/bash@", "sha256:" + "ab" * 32):
        assert part in block
    assert "/" + LONG_PATH in html_of(with_observations(1, path=LONG_PATH))


def test_there_are_bookmarks_for_chapters_checks_and_frameworks(content: bytes) -> None:
    titles = []
    entries = [reader(content).root["/Outlines"]["/First"]]
    while entries:
        entry = entries.pop()
        titles.append(str(entry["/Title"]))
        entries += [entry[key] for key in ("/First", "/Next") if key in entry]
    assert {"Summary", "Failed checks", "RM-SHELL No command shell in a runtime image"} <= set(titles)
    assert "NIST SP 800-53 Rev. 5.1.1" in titles


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colours (WCAG 2.1, 1.4.3)."""

    def luminance(color: str) -> float:
        digits = color[1:] if len(color) == 7 else "".join(digit * 2 for digit in color[1:])
        parts = [int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_text_has_contrast(checkout: Path) -> None:
    css = (checkout / "reports" / "templates" / "report.css").read_text()
    rules = dict(re.findall(r"([^{}\n]+)\{([^{}]*)\}", css))
    colors = {
        name.strip(): re.findall(r"(?<![-\w])(color|background): (#[0-9a-f]{3,6})", body)
        for name, body in rules.items()
    }
    on_dark = (".cover",)
    text = [(name, dict(found)) for name, found in colors.items() if "color" in dict(found)]
    assert len(text) > 10
    for name, pair in text:
        if name.startswith(on_dark) and "background" not in pair:
            continue
        assert contrast(pair["color"], pair.get("background", "#ffffff")) >= 4.5, name
    assert sum(name.startswith(".status.") for name, _ in text) == 5


def test_a_claim_that_label_and_annotation_make_alike_is_one_row() -> None:
    plain = assessment()
    name = "org.opencontainers.image.source"
    assert plain.evidence.image.config is not None
    image = replace(plain.evidence.image, annotations={name: plain.evidence.image.config.labels[name]})
    text = html_of(assessment_json.document(replace(plain, evidence=replace(plain.evidence, image=image))))
    assert text.count(f'<td class="mono">{name}</td>') == 1
    assert "<td>label, annotation</td>" in text


def test_what_decides_comes_first_on_the_summary() -> None:
    plain = assessment()
    open_ = replace(plain, summary=replace(plain.summary, outcome=ExitCode.NOT_DETERMINED))
    failed, undetermined = html_of(assessment_json.document(plain)), html_of(assessment_json.document(open_))
    assert failed.index('id="first"') < failed.index('id="open"')
    assert undetermined.index('id="open"') < undetermined.index('id="first"')


def test_the_report_can_be_made_again_by_the_printed_command(html: str) -> None:
    assert (
        "hullmark assess registry:registry.example.org/team/payments-api:2.14.0 "
        "--effective-time 2026-11-01T12:00:00Z -o json" in html
    )


def test_hostile_texts_are_printed_as_text(document: Document) -> None:
    spoiled = hostile(document)
    text = html_of(spoiled)
    assert "<script" not in text
    assert not re.search(r"<img|<style|javascript:", text)
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]", text)
    assert "{{7*7}}" in text
    printed = "".join("".join(page_text(pdf.render(spoiled))).split())
    for part in ("<script>alert(1)</script>", "{{7*7}}", r"a\x00b\x1b[31mred", r"\u202egnp.exe"):
        assert part in printed


def test_any_image_has_at_most_sixty_pages() -> None:
    """A thousand long observations to each check, a thousand controls to each framework, layers, claims, signatures."""
    document = with_observations(300, path="a/" * 300 + "end", summary="s " * 200)
    controls = [
        {**control, "id": f"{control['id']}-{number}", "title": "t" * 300}
        for control in document["controls"]
        for number in range(200)
    ]
    signatures = document["verification"]["signatures"] * 50
    checks = [
        {**check, "id": f"{check['id']}-{number}", "remediation": "r " * 500, "proves": "p " * 500}
        for check in document["checks"]
        for number in range(6)
    ]
    subject = {**document["subject"], "layers": document["subject"]["layers"] * 60, "notices": ["n " * 200] * 30}
    grown: Any = {
        **document,
        "controls": controls,
        "checks": checks,
        "subject": subject,
        "verification": {**document["verification"], "signatures": signatures},
    }
    assert pages(pdf.render(grown)) <= 60


def test_the_files_are_associated_with_the_document_each_once(content: bytes) -> None:
    root = reader(content).root
    specifications = [root["/AF"][place] for place in range(len(root["/AF"]))]
    relations = {str(one["/UF"]): str(one["/AFRelationship"]) for one in specifications}
    assert len(relations) == len(specifications) == len(SBOM) + 2
    assert relations["assessment.json"] == "/Source"
    assert relations["findings.csv"] == "/Data"


def test_an_organisation_finds_its_words_and_logo(document: Document) -> None:
    logo = (
        b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 6 2"><rect width="6" height="2" fill="#d9a400"/></svg>'
    )
    branding = read_branding(
        title="Release gate", organisation="Example Org", logo=logo, classification="CONFIDENTIAL",
        scope="What is released.", contacts=("security@example.org",),
    )  # fmt: skip
    content = pdf.render(document, branding=branding)
    printed = "".join(page_text(content))
    for words in ("Release gate", "Example Org", "CONFIDENTIAL", "What is released.", "security@example.org"):
        assert words in printed
    assert printed.count("CONFIDENTIAL") >= pages(content)


def test_many_observations_are_capped_and_the_rest_counted() -> None:
    many = with_observations(1_000, path="a/" * 300 + "end")
    text = html_of(many)
    assert f"{1_000 - audit_page.EVIDENCE_MAX:,} more in the attached findings.csv." in text
    assert len(text) < 250_000
    assert pages(pdf.render(many)) <= 60
