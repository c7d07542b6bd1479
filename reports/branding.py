"""What an organisation adds to a report: its title, name and logo, a marking, what the assessment is for, contacts.

None of it is evidence. It is no part of the assessment document and changes nothing in it: a renderer that has a place
for it takes it beside the document.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from compliance.errors import FormatError, UsageError
from reports.language import ENGLISH, Language
from reports.logo_png import read_png
from reports.page_templates import SHIPPED, Templates
from reports.text import sentence

LOGO_SIZE_MAX = 512 * 2**10
"""Bytes of a logo's file."""
LINE_MAX = 200
"""Characters of a title, a name, a marking or a contact."""
SCOPE_MAX = 4000
CONTACTS_MAX = 10

_PNG = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Logo:
    """A picture that is safe to show: made anew from what was understood of the file, without scripts and references.

    `width` and `height` are its proportions, in no unit.
    """

    media_type: str
    content: bytes = field(repr=False)
    width: float
    height: float

    @property
    def data_uri(self) -> str:
        """The picture as the address of itself (RFC 2397), so that nothing is fetched."""
        return f"data:{self.media_type};base64,{base64.b64encode(self.content).decode()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Branding:
    """Texts are one line each and fit to print; `scope` is paragraphs. Nothing is required.

    `language` is what headings and words are in, `templates` what replaces the package's own by file name.
    """

    title: str | None = None
    organisation: str | None = None
    logo: Logo | None = None
    classification: str | None = None
    scope: tuple[str, ...] = ()
    contacts: tuple[str, ...] = ()
    language: Language = ENGLISH
    templates: Templates = SHIPPED


NO_BRANDING = Branding()
"""What a report has without any."""


def read_branding(
    *,
    title: str | None = None,
    organisation: str | None = None,
    logo: bytes | None = None,
    classification: str | None = None,
    scope: str | None = None,
    contacts: Sequence[str] = (),
    language: Language = ENGLISH,
    templates: Templates = SHIPPED,
) -> Branding:
    """What the user wrote, checked and cleaned. Raises UsageError for a text or logo that can't be used."""
    if len(contacts) > CONTACTS_MAX:
        raise _refused(f"more than {CONTACTS_MAX} contacts", "contact")
    return Branding(
        title=_line(title, "title"),
        organisation=_line(organisation, "organisation"),
        logo=None if logo is None else read_logo(logo),
        classification=_line(classification, "classification"),
        scope=_paragraphs(scope),
        contacts=tuple(text for contact in contacts if (text := _line(contact, "contact")) is not None),
        language=language,
        templates=templates,
    )


def read_logo(content: bytes) -> Logo:
    """A PNG or SVG picture. Raises UsageError for anything else, and for an SVG that is more than shapes."""
    from reports.logo_svg import read_svg

    if len(content) > LOGO_SIZE_MAX:
        raise _refused(f"larger than {LOGO_SIZE_MAX} bytes", "logo")
    try:
        if content.startswith(_PNG):
            width, height, kept = read_png(content)
            return Logo(media_type="image/png", content=kept, width=width, height=height)
        vector = read_svg(content)
    except FormatError as error:
        where = f"logo: {error.where}" if error.where else "logo"
        raise UsageError(error.message, code="logo-invalid", where=where, hint=error.hint or _HINT) from None
    return Logo(media_type="image/svg+xml", content=vector.content, width=vector.width, height=vector.height)


def branding_record(branding: Branding) -> bytes:
    """What an organisation changed about its reports, as JSON, for whoever compares them with the data: no evidence."""
    record = {
        "note": "Chosen by whoever made the reports: no evidence, and nothing in assessment.json depends on it.",
        "title": branding.title,
        "organisation": branding.organisation,
        "logoSha256": None if branding.logo is None else hashlib.sha256(branding.logo.content).hexdigest(),
        "classification": branding.classification,
        "scope": list(branding.scope),
        "contacts": list(branding.contacts),
        "language": {"tag": branding.language.tag, "words": dict(sorted(branding.language.words.items()))},
        "templatesSha256": {
            name: hashlib.sha256(text.encode()).hexdigest() for name, text in sorted(branding.templates.files.items())
        },
    }
    return (json.dumps(record, ensure_ascii=False, indent=2) + "\n").encode()


_HINT = "give a PNG, or an SVG of plain shapes"


def _line(text: str | None, what: str) -> str | None:
    if text is None:
        return None
    line = sentence(text)
    if len(line) > LINE_MAX:
        raise _refused(f"longer than {LINE_MAX} characters", what)
    return line or None


def _paragraphs(text: str | None) -> tuple[str, ...]:
    if text is not None and len(text) > SCOPE_MAX:
        raise _refused(f"longer than {SCOPE_MAX} characters", "scope")
    blocks = (sentence(block) for block in (text or "").replace("\r\n", "\n").split("\n\n"))
    return tuple(block for block in blocks if block)


def _refused(message: str, what: str) -> UsageError:
    return UsageError(message, code="branding-invalid", where=what)
