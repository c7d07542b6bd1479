"""The page templates of the PDF and the HTML report, and those of an organisation in their place.

A template lays out what the document says; it computes nothing. One that an organisation gives runs in Jinja's
sandbox, every value in it is escaped, and what makes a page safe and a PDF valid is not the template's to leave out:
the content security policy, the document's language and its title.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from compliance.errors import UsageError

if TYPE_CHECKING:
    from jinja2 import Environment

PDF_PAGE, PDF_STYLE = "report.html.j2", "report.css"
HTML_PAGE, HTML_STYLE = "html/page.html.j2", "html/page.css"
NAMES = (PDF_PAGE, PDF_STYLE, HTML_PAGE, HTML_STYLE)
"""What can be replaced, by its path in the folder; the script of the HTML page can't."""
SIZE_MAX = 2**20
"""Bytes of one file."""

_REQUIRED: Mapping[str, tuple[tuple[str, str], ...]] = {
    PDF_PAGE: (
        ('<html lang="{{ language }}">', "the language, which PDF/UA demands"),
        ("<title>{{ title }}</title>", "the title, which PDF/UA demands"),
        ("{{ document.subject.digest }}", "the digest of the image"),
    ),
    HTML_PAGE: (
        ('<html lang="{{ language }}">', "the language"),
        ("<title>{{ title }}</title>", "the title"),
        (
            '<meta http-equiv="Content-Security-Policy" content="{{ policy }}">',
            "the content security policy, so that nothing in the image can run in the page",
        ),
        ("<style>{{ style }}</style>", "the style that the policy allows"),
    ),
}
_FORBIDDEN: Mapping[str, str] = {
    "|safe": "every value is escaped",
    "autoescape": "every value is escaped",
    "markup": "every value is escaped",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Templates:
    """Files by their names in NAMES; one that is not there is the package's own."""

    files: Mapping[str, str] = field(default_factory=dict)


SHIPPED = Templates()
"""The package's own, all of them."""


def read_templates(files: Mapping[str, bytes]) -> Templates:
    """Files of an organisation by their names in NAMES. Raises UsageError for one that can't be used."""
    return Templates(files={name: _read(name, content) for name, content in sorted(files.items())})


def environment(templates: Templates) -> Environment:
    """A sandbox with `templates` before the package's own, which escapes every value and knows no undefined one."""
    from jinja2 import ChoiceLoader, DictLoader, PackageLoader, StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    return ImmutableSandboxedEnvironment(
        loader=ChoiceLoader([DictLoader(dict(templates.files)), PackageLoader("reports")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def rendered(templates: Templates, name: str, values: Mapping[str, object]) -> str:
    """The template `name` with `values`. Raises UsageError where one of an organisation's does not work."""
    from jinja2 import TemplateError

    try:
        return environment(templates).get_template(name).render(values)
    except (TemplateError, TypeError, ValueError, ArithmeticError, LookupError, AttributeError) as error:
        if name not in templates.files:
            raise
        line = getattr(error, "lineno", None)
        where = f"{name}, line {line}" if line else name
        raise _refused(where, f"the template can't be used: {error}", "compare it with the package's own") from error


def style(templates: Templates, name: str) -> str:
    """A style sheet."""
    from importlib import resources

    shipped = resources.files("reports") / "templates" / name
    return templates.files.get(name) or shipped.read_text(encoding="utf-8")


def _read(name: str, content: bytes) -> str:
    if name not in NAMES:
        raise _refused(name, "no template of that name", f"there are {', '.join(NAMES)}")
    if len(content) > SIZE_MAX:
        raise _refused(name, f"larger than {SIZE_MAX} bytes", "make it smaller")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        raise _refused(name, "not UTF-8", "save it as UTF-8") from None
    for part, why in _REQUIRED.get(name, ()):
        if part not in text:
            raise _refused(name, f"lacks {part}", f"keep it as it is in the package's own: {why}")
    if name.endswith(".j2"):
        packed = "".join(text.split()).lower()
        for part, why in _FORBIDDEN.items():
            if part in packed:
                raise _refused(name, f"has {part!r}", f"leave it out: {why}")
    elif "</style" in text.lower() or "@import" in text.lower():
        raise _refused(name, "ends its style element or fetches another", "write plain rules")
    return text


def _refused(where: str, message: str, hint: str) -> UsageError:
    return UsageError(message, code="template-invalid", where=where, hint=hint)
