"""The report as one HTML file for a browser: nothing is fetched, nothing runs that is not named by its digest.

The page holds a content security policy that allows its own style sheet and script, by their SHA-256, and pictures
that are addresses of themselves; a script or style that got in by a hole in the escaping would not run. Without
scripts all of it can be read; only the filters and the switch of colours are missing.
"""

from __future__ import annotations

from reports.branding import NO_BRANDING, Branding
from reports.document import Document
from reports.html_guard import assets, content_policy
from reports.html_view import view
from reports.language import say, speaking
from reports.page_templates import HTML_PAGE, HTML_STYLE, rendered, style


def render(document: Document, *, branding: Branding = NO_BRANDING) -> bytes:
    """The page as UTF-8, the same bytes for the same document and branding."""
    from markupsafe import Markup

    css, script = style(branding.templates, HTML_STYLE), assets("scheme.js", "reveal.js", "page.js")
    with speaking(branding.language):
        values = {
            "_": say,
            "language": branding.language.tag,
            "policy": content_policy(style=css, script=script),
            "style": Markup(css),  # noqa: S704 - the package's own, or one that its organisation answers for
            "script": Markup(script),  # noqa: S704 - the package's own
            "branding": branding,
            **view(document, branding),
        }
        page = rendered(branding.templates, HTML_PAGE, values)
    return page.encode()
