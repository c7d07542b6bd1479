"""What keeps a page that is one file to itself: its scripts by name, and the policy that lets nothing else run."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib import resources

_POLICY = (
    "default-src 'none'; script-src '{script}'; style-src '{style}'; img-src data:; base-uri 'none'; "
    "form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)


def content_policy(*, style: str, script: str) -> str:
    """The content security policy of a page with this style sheet and this script, and nothing from elsewhere."""
    return _POLICY.format(script=_source(script), style=_source(style))


@cache
def assets(*names: str) -> str:
    """The package's own scripts or style sheets of those names, one after another: one element of a page."""
    folder = resources.files("reports") / "templates" / "html"
    return "".join((folder / name).read_text(encoding="utf-8") for name in names)


def _source(text: str) -> str:
    """The text of a style or script element as a policy's source (CSP3, hash-source)."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
