"""The fleet report as one HTML file: a dashboard that needs no server, with the same walls as an image's report.

Its style sheet is that of an image's report with a page more. What a browser should not have to hold is left out,
counted, and in fleet.json and fleet.csv.
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib import resources

from reports.branding import NO_BRANDING, Branding
from reports.fleet_document import FleetDocument
from reports.fleet_view import view
from reports.page_templates import HTML_STYLE, environment, style

_POLICY = (
    "default-src 'none'; script-src '{script}'; style-src '{style}'; img-src data:; base-uri 'none'; "
    "form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)


def render(document: FleetDocument, *, branding: Branding = NO_BRANDING) -> bytes:
    """The page as UTF-8, the same bytes for the same document and branding."""
    from markupsafe import Markup

    css = style(branding.templates, HTML_STYLE) + _asset("fleet.css")
    script = _asset("scheme.js") + _asset("fleet.js")
    page = (
        environment(branding.templates)
        .get_template("html/fleet.html.j2")
        .render(
            policy=_POLICY.format(script=_source(script), style=_source(css)),
            style=Markup(css),  # noqa: S704 - the package's own, or one that its organisation answers for
            script=Markup(script),  # noqa: S704 - the package's own
            branding=branding,
            **view(document),
        )
    )
    return page.encode()


@cache
def _asset(name: str) -> str:
    return (resources.files("reports") / "templates" / "html" / name).read_text(encoding="utf-8")


def _source(text: str) -> str:
    """The text of a style or script element as a policy's source (CSP3, hash-source)."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
