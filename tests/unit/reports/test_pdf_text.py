"""The text of a report's pages is read back, whoever wrote the PDF."""

from __future__ import annotations

import hashlib
import zlib

import pytest

from compliance.errors import FormatError, LimitError
from reports import assessment_json, pdf, pdf_text
from reports.pdf_attachments import embedded_files
from reports.pdf_text import page_text
from tests.builders.assessment import assessment

CMAP = b"""/CIDInit /ProcSet findresource begin begincmap
1 begincodespacerange <0000> <ffff> endcodespacerange
2 beginbfchar <0001> <0048> <0002> <00660069> endbfchar
1 beginbfrange <0010> <0019> <0030> endbfrange
endcmap end"""


def paged(content: bytes, *, table: bytes = CMAP, kids: bytes = b"[4 0 R]") -> bytes:
    """A PDF with one page of `content` in a font whose characters `table` tells."""

    def stream(data: bytes) -> bytes:
        packed = zlib.compress(data)
        return b"<</Filter/FlateDecode/Length %d>>stream\n" % len(packed) + packed + b"\nendstream"

    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Count 1/Kids" + kids + b">>",
        b"<</Type/Font/Subtype/Type0/ToUnicode 6 0 R>>",
        b"<</Type/Page/Parent 2 0 R/Contents 5 0 R/Resources<</Font<</F1 3 0 R/Plain 7 0 R>>>>>>",
        stream(content),
        stream(table),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ]
    out = b"%PDF-1.7\n"
    offsets = []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n" % number + body + b"\nendobj\n"
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    return out + b"trailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, start)


def test_a_report_shows_the_digest_of_every_file_in_it() -> None:
    content = pdf.render(assessment_json.document(assessment()), attachments={"sbom.cdx.json": b"{}"})
    text = page_text(content)
    together = "".join("".join(text).split())
    for file in embedded_files(content).values():
        assert hashlib.sha256(file).hexdigest() in together
    assert assessment_json.document(assessment())["subject"]["digest"] in together


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"BT /F1 12 Tf [<0001>-5<0010 0011>3<0019>] TJ ET", ("H019",)),
        (b"BT /F1 12 Tf <0001> Tj <0002>Tj ET", ("H", "fi")),
        (b"BT /F1 1 Tf [] TJ [<0063>] TJ ET", ()),
        (b"BT /Plain 12 Tf <0001> Tj (literal) Tj ET", ()),
        (b"BT <0001> Tj /F1 12 Tf <0001> Tj ET", ("H",)),
        (b"/F1 12 Tf [<0001", ()),
        (b"", ()),
    ],
)
def test_strings_of_glyphs_become_pieces_of_text(content: bytes, text: tuple[str, ...]) -> None:
    assert page_text(paged(content)) == text


@pytest.mark.parametrize(
    "table",
    [
        b"",
        b"beginbfchar " * 50_000,
        b"1 beginbfrange <00> <ff> <0041> endbfrange",
        b"1 beginbfrange <0000> <0001> <> endbfrange",
        b"1 beginbfchar <0001> endbfchar",
        b"\xff" * 1000,
    ],
)
def test_a_font_that_says_nothing_shows_nothing(table: bytes) -> None:
    assert page_text(paged(b"/F1 12 Tf <0001> Tj", table=table)) == ()


def test_ranges_past_the_end_of_unicode_are_no_characters() -> None:
    table = b"1 beginbfrange <0001> <0002> <dbffdfff> endbfrange"
    assert page_text(paged(b"/F1 12 Tf <00010002> Tj", table=table)) == ("\U0010ffff\ufffd",)


@pytest.mark.parametrize(
    "content",
    [
        b"[" + b"1 " * 200_000,
        b"[" * 200_000,
        b"<" * 200_000,
        b"/F1 " * 100_000,
        b"/F1" + b" " * 200_000,
        b"[<00>" * 99_999,
    ],
)
def test_no_content_makes_it_try_again_and_again(content: bytes) -> None:
    assert page_text(paged(content)) == ()


def test_a_tree_of_pages_that_leads_into_itself_ends() -> None:
    with pytest.raises(LimitError, match="pages"):
        page_text(paged(b"", kids=b"[2 0 R 2 0 R]"))


@pytest.mark.parametrize(
    ("name", "limit", "content"),
    [("TEXT_MAX", 3, b"/F1 12 Tf <0001000100010001> Tj"), ("CONTENT_MAX", 10, b" " * 11)],
)
def test_more_than_a_report_has_is_refused(
    name: str, limit: int, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pdf_text, name, limit)
    with pytest.raises(LimitError):
        page_text(paged(content))


def test_a_font_of_too_many_glyphs_is_refused() -> None:
    table = b"9 beginbfrange " + b"<0000> <ffff> <0041> " * 9 + b"endbfrange"
    with pytest.raises(LimitError, match="glyph"):
        page_text(paged(b"/F1 12 Tf <0001> Tj", table=table))


def test_what_is_no_pdf_is_a_format_error() -> None:
    with pytest.raises(FormatError):
        page_text(b"%PDF-1.7 no more")
