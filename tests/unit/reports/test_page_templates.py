"""Templates of an organisation: they change the look, never what makes a page safe and a PDF valid."""

from importlib import resources

import pytest

from compliance.errors import UsageError
from reports import assessment_json, html, pdf
from reports.branding import Branding
from reports.document import Document
from reports.page_templates import HTML_PAGE, HTML_STYLE, NAMES, PDF_PAGE, PDF_STYLE, read_templates
from tests.builders.assessment import assessment


@pytest.fixture(scope="module")
def document() -> Document:
    return assessment_json.document(assessment())


def shipped(name: str) -> str:
    return (resources.files("reports") / "templates" / name).read_text(encoding="utf-8")


def branding(**files: str) -> Branding:
    names = {"pdf_page": PDF_PAGE, "pdf_style": PDF_STYLE, "html_page": HTML_PAGE, "html_style": HTML_STYLE}
    return Branding(templates=read_templates({names[key]: text.encode() for key, text in files.items()}))


def test_every_shipped_file_may_be_given_back_as_it_is(document: Document) -> None:
    same = Branding(templates=read_templates({name: shipped(name).encode() for name in NAMES}))
    assert html.render(document, branding=same) == html.render(document)


def test_a_page_of_ones_own_is_used_and_escapes_what_it_prints(document: Document) -> None:
    own = shipped(HTML_PAGE).replace(
        '<main id="main"', '<p id="own">{{ "<script>" ~ document.tool.name }}</p><main id="main"'
    )
    page = html.render(document, branding=branding(html_page=own)).decode()
    assert '<p id="own">&lt;script&gt;hullmark</p>' in page


def test_a_style_of_ones_own_is_allowed_by_the_policy_of_the_page(document: Document) -> None:
    import base64
    import hashlib

    page = html.render(document, branding=branding(html_style="body { color: teal }")).decode()
    digest = base64.b64encode(hashlib.sha256(b"body { color: teal }").digest()).decode()
    assert f"style-src &#39;sha256-{digest}&#39;" in page
    assert "<style>body { color: teal }</style>" in page


def test_a_pdf_with_a_style_of_ones_own_is_another_one(document: Document) -> None:
    own = shipped(PDF_STYLE).replace("#10283c", "#3c1028")
    assert own != shipped(PDF_STYLE)
    changed = pdf.render(document, branding=branding(pdf_style=own))
    assert changed.startswith(b"%PDF-1.7")
    assert changed != pdf.render(document)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("page.html.j2", "x", "no template of that name"),
        ("html/page.js", "x", "no template of that name"),
        ("../report.css", "x", "no template of that name"),
        (PDF_STYLE, "x" * (2**20 + 1), "larger than"),
        (PDF_STYLE, "@import url(https://example.org/x.css)", "fetches another"),
        (HTML_STYLE, "body {} </STYLE><script>", "ends its style element"),
        (HTML_PAGE, shipped(HTML_PAGE).replace('content="{{ policy }}"', 'content=""'), "lacks <meta"),
        (HTML_PAGE, shipped(HTML_PAGE).replace("<title>{{ title }}</title>", ""), "lacks <title>"),
        (HTML_PAGE, shipped(HTML_PAGE) + "{{ reference | safe }}", "has '|safe'"),
        (
            HTML_PAGE,
            shipped(HTML_PAGE) + "{% autoescape false %}{{ reference }}{% endautoescape %}",
            "has 'autoescape'",
        ),
        (PDF_PAGE, shipped(PDF_PAGE).replace('<html lang="{{ language }}">', "<html>"), "lacks <html lang"),
        (
            PDF_PAGE,
            shipped(PDF_PAGE).replace("{{ document.subject.digest }}", ""),
            "lacks {{ document.subject.digest }}",
        ),
    ],
)
def test_what_makes_a_page_safe_can_not_be_left_out(name: str, content: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_templates({name: content.encode()})
    assert message in caught.value.message
    assert caught.value.where == name
    assert caught.value.hint


def test_a_file_that_is_not_utf8_is_refused() -> None:
    with pytest.raises(UsageError, match="not UTF-8"):
        read_templates({PDF_STYLE: b"\xff\xfe"})


@pytest.mark.parametrize(
    ("added", "line"),
    [
        ("{{ nothing_of_the_kind }}", None),
        ("{% if %}", 2),
        ("{{ document.subject.__class__.__mro__ }}", None),
        ("{{ ''.__class__.__base__.__subclasses__() }}", None),
        ("{{ document.clear() }}", None),
        ("{{ 1 / 0 }}", None),
        ("{% include '/etc/passwd' %}", None),
        ("{% include 'own.j2' %}", None),
    ],
)
def test_a_template_that_does_not_work_or_reaches_out_is_one_clear_error(
    document: Document, added: str, line: int | None
) -> None:
    own = branding(html_page=f"\n{added}\n{shipped(HTML_PAGE)}")
    with pytest.raises(UsageError) as caught:
        html.render(document, branding=own)
    assert caught.value.code == "template-invalid"
    assert str(caught.value.where).startswith(HTML_PAGE)
    assert line is None or caught.value.where == f"{HTML_PAGE}, line {line}"
