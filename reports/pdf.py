"""The audit report as PDF/A-3a and PDF/UA-1, with the files it was made from as associated files.

The fonts ship with the package, nothing is fetched, and the dates are the assessment's own, so that equal documents
give equal bytes.
"""

from __future__ import annotations

import gc
import hashlib
import os
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Any, cast

from reports import assessment_json, csv, pdf_variant
from reports.audit_page import AttachedFile, html
from reports.branding import NO_BRANDING, Branding, Logo
from reports.document import Document
from reports.page_templates import PDF_STYLE, style
from reports.text import clean, shortened

_TEXT_MAX = 1_200
"""Characters printed of any one text; the pages shorten most of them further."""

_SOURCES = frozenset({"assessment.json", "fleet.json"})
_NO_FILES: Mapping[str, bytes] = MappingProxyType({})


def render(
    document: Document, *, attachments: Mapping[str, bytes] = _NO_FILES, branding: Branding = NO_BRANDING
) -> bytes:
    """The report with `attachments` by file name; assessment.json and findings.csv always are among them.

    Not for several threads at once: they wait for each other, as a date has to go through the environment.
    """
    files = _files(document, attachments)
    identifier = hashlib.sha256(b"".join(file.sha256.encode() for file in files)).digest()[:16]
    page = html(_printable_document(document), files, printable_branding(branding))
    return write_pdf(page, files, document["effectiveTime"], identifier, branding)


def _files(document: Document, attachments: Mapping[str, bytes]) -> tuple[AttachedFile, ...]:
    own = {"assessment.json": assessment_json.render(document), "findings.csv": csv.render(document)}
    return tuple(AttachedFile(name=name, content=content) for name, content in sorted({**own, **attachments}.items()))


@cache
def _characters() -> frozenset[int]:
    """The characters that every font of the report has."""
    from fontTools.ttLib import TTFont

    fonts = [file for file in _fonts().iterdir() if file.name.endswith(".woff")]
    sets = []
    for font in fonts:
        with font.open("rb") as stream, TTFont(stream) as loaded:
            sets.append(frozenset(loaded.getBestCmap()))
    return frozenset.intersection(*sets)


def printable_branding(branding: Branding) -> Branding:
    """The branding with its texts likewise."""
    texts = {
        name: _printable(getattr(branding, name), _characters())
        for name in ("title", "organisation", "classification", "scope", "contacts")
    }
    words = _printable(dict(branding.language.words), _characters())
    return replace(branding, **texts, language=replace(branding.language, words=words))


def _printable_document(document: Document) -> Document:
    """The document with its texts short enough to print, and characters that the fonts lack as escapes.

    No font of the machine may come in for them.
    """
    return cast(Document, _printable(document, _characters()))


def _printable(value: Any, characters: frozenset[int]) -> Any:
    if isinstance(value, str):
        value = shortened(value, _TEXT_MAX)
        if value.isascii() and value.isprintable():
            return value
        text = clean(value)
        return "".join(char if ord(char) in characters else f"\\u{ord(char):04x}" for char in text)
    if isinstance(value, list | tuple):
        return type(value)(_printable(item, characters) for item in value)
    if isinstance(value, dict):
        return {_printable(key, characters): _printable(item, characters) for key, item in value.items()}
    return value


def printable(value: Any) -> Any:
    """`value` with every text in it as short and in such characters as a page can have; see `_printable_document`."""
    return _printable(value, _characters())


def write_pdf(page: str, files: tuple[AttachedFile, ...], time: str, identifier: bytes, branding: Branding) -> bytes:
    """The HTML `page` as PDF/A-3a and PDF/UA-1 with `files` attached, dated `time` (RFC 3339).

    The one that is a document in its own right is the source, the others are data that go with it.
    """
    from weasyprint import CSS, HTML, Attachment
    from weasyprint.text.fonts import FontConfiguration

    moment = datetime.fromisoformat(time)
    fonts, fetcher = FontConfiguration(), _own_fetcher(branding.logo)
    css = style(branding.templates, PDF_STYLE)
    attached = [
        Attachment(
            string=file.content,
            name=file.name,
            description=f"SHA-256 {file.sha256}",
            relationship="Source" if file.name in _SOURCES else "Data",
            created=moment,
            modified=moment,
        )
        for file in files
    ]
    with _fixed_clock(moment), _patient_collector(), warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # WeasyPrint leaves its colour profile's file open
        content = HTML(string=page, url_fetcher=fetcher).write_pdf(
            stylesheets=[CSS(string=css, url_fetcher=fetcher, font_config=fonts)],
            font_config=fonts,
            attachments=attached,
            pdf_variant=pdf_variant.register(),
            pdf_identifier=identifier,
        )
    return cast(bytes, content)


def _own_fetcher(logo: Logo | None) -> Any:
    """A fetcher for WeasyPrint that has the package's fonts and the logo, and nothing else: no file, no network."""
    from weasyprint.urls import URLFetcher, URLFetcherResponse

    class OwnFetcher(URLFetcher):  # type: ignore[misc]
        def fetch(self, url: str, headers: object = None) -> Any:
            scheme, _, name = url.partition(":")
            if url == "logo:" and logo is not None:
                return URLFetcherResponse(url, logo.content, {"Content-Type": logo.media_type})
            if scheme != "font" or "/" in name or not name.endswith(".woff"):
                raise ValueError(f"a report fetches nothing but its fonts: {url}")
            return URLFetcherResponse(url, (_fonts() / name).read_bytes(), {"Content-Type": "font/woff"})

    return OwnFetcher(fail_on_errors=True)


def _fonts() -> resources.abc.Traversable:
    return resources.files("reports") / "templates" / "fonts"


_CLOCK = threading.Lock()


@contextmanager
def _fixed_clock(moment: datetime) -> Iterator[None]:
    """SOURCE_DATE_EPOCH while a font subset is written: its header has a date, and no argument to set it."""
    with _CLOCK:
        before = os.environ.get("SOURCE_DATE_EPOCH")
        os.environ["SOURCE_DATE_EPOCH"] = str(int(moment.timestamp()))
        try:
            yield
        finally:
            if before is None:
                del os.environ["SOURCE_DATE_EPOCH"]
            else:
                os.environ["SOURCE_DATE_EPOCH"] = before


@contextmanager
def _patient_collector() -> Iterator[None]:
    """The garbage collector at longer intervals: a layout is hundreds of thousands of objects, none of it garbage.

    Measured: a sixth less CPU time, a tenth more memory.
    """
    before = gc.get_threshold()
    gc.set_threshold(20_000, 20, 20)
    try:
        yield
    finally:
        gc.set_threshold(*before)
