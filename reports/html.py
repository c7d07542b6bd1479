"""The report as one HTML file for a browser: nothing is fetched, nothing runs that is not named by its digest.

The page holds a content security policy that allows its own style sheet and script, by their SHA-256, and pictures
that are addresses of themselves; a script or style that got in by a hole in the escaping would not run. Without
scripts all of it can be read; only the filters and the switch of colours are missing.
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib import resources

from reports.branding import NO_BRANDING, Branding
from reports.document import Document
from reports.html_view import view
from reports.language import say, speaking
from reports.page_templates import HTML_PAGE, HTML_STYLE, rendered, style

_POLICY = (
    "default-src 'none'; script-src '{script}'; style-src '{style}'; img-src data:; base-uri 'none'; "
    "form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)


def render(document: Document, *, branding: Branding = NO_BRANDING) -> bytes:
    """The page as UTF-8, the same bytes for the same document and branding."""
    from markupsafe import Markup

    css, script = style(branding.templates, HTML_STYLE), _script()
    with speaking(branding.language):
        values = {
            "_": say,
            "language": branding.language.tag,
            "policy": _POLICY.format(script=_source(script), style=_source(css)),
            "style": Markup(css),  # noqa: S704 - the package's own, or one that its organisation answers for
            "script": Markup(script),  # noqa: S704 - the package's own
            "branding": branding,
            **view(document, branding),
        }
        page = rendered(branding.templates, HTML_PAGE, values)
    return page.encode()


@cache
def _script() -> str:
    return (resources.files("reports") / "templates" / "html" / "page.js").read_text(encoding="utf-8")


def _source(text: str) -> str:
    """The text of a style or script element as a policy's source (CSP3, hash-source)."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
