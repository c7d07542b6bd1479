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

_POLICY = (
    "default-src 'none'; script-src '{script}'; style-src '{style}'; img-src data:; base-uri 'none'; "
    "form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)


def render(document: Document, *, branding: Branding = NO_BRANDING) -> bytes:
    """The page as UTF-8, the same bytes for the same document and branding."""
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=PackageLoader("reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style, script = _asset("page.css"), _asset("page.js")
    page = environment.get_template("html/page.html.j2").render(
        policy=_POLICY.format(script=_source(script), style=_source(style)),
        style=Markup(style),  # noqa: S704 - the package's own, as is the script
        script=Markup(script),  # noqa: S704
        branding=branding,
        **view(document, branding),
    )
    return page.encode()


@cache
def _asset(name: str) -> str:
    return (resources.files("reports") / "templates" / "html" / name).read_text(encoding="utf-8")


def _source(text: str) -> str:
    """The text of a style or script element as a policy's source (CSP3, hash-source)."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
