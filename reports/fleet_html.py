"""The fleet report as one HTML file: a dashboard that needs no server, with the same walls as an image's report.

Its style sheet is that of an image's report with a page more. What a browser should not have to hold is left out,
counted, and in fleet.json and fleet.csv.
"""

from __future__ import annotations

from reports.branding import NO_BRANDING, Branding
from reports.fleet_document import FleetDocument
from reports.fleet_view import view
from reports.html_guard import assets, content_policy
from reports.page_templates import HTML_STYLE, environment, style


def render(document: FleetDocument, *, branding: Branding = NO_BRANDING) -> bytes:
    """The page as UTF-8, the same bytes for the same document and branding."""
    from markupsafe import Markup

    css = style(branding.templates, HTML_STYLE) + assets("fleet.css")
    script = assets("scheme.js", "reveal.js", "fleet.js")
    page = (
        environment(branding.templates)
        .get_template("html/fleet.html.j2")
        .render(
            policy=content_policy(style=css, script=script),
            style=Markup(css),  # noqa: S704 - the package's own, or one that its organisation answers for
            script=Markup(script),  # noqa: S704 - the package's own
            branding=branding,
            **view(document),
        )
    )
    return page.encode()
