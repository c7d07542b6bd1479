"""Licence texts of package databases turned into SPDX expressions, where that can be said for certain.

What is not certain stays raw: "BSD" may be any of four licences, "GPL" any version. Never a guess.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from functools import cache, lru_cache

from compliance.formats.declared_license import parts_of
from compliance.formats.plain_text import plain_text
from compliance.model.inventory import License

_RAW_MAX = 512
_NESTING_MAX = 32

_OPERATOR = re.compile(r"(?<![^\s()])(and|or|with)(?![^\s()])|([()])|,\s*and(?=\s)|&&?", re.IGNORECASE)
_GNU = re.compile(
    r"(?:gnu[ -])?(a|l)?gplv?[ -]?v?(1|2|3)(\.\d)?(?:\.0)?(-only|\+|-or-later| or later|-or-greater)?", re.IGNORECASE
)
_GFDL = re.compile(r"gfdl-(niv-)?v?(1\.[123])(-no-invariants)?(\+|-only|-or-later)?", re.IGNORECASE)
_ADDRESS = re.compile(r"https?://(?:www\.)?(.+?)(?:\.(?:txt|html?|php|md))?/?", re.IGNORECASE)
_REFERENCE = re.compile(r"(?:DocumentRef-[A-Za-z0-9.-]+:)?LicenseRef-[A-Za-z0-9.-]+")

# Where licences are published, as manifests name them; the last part of an address at SPDX or OSI is the id.
_PUBLISHED: Mapping[str, str] = {
    "apache.org/licenses/license-2.0": "Apache-2.0",
    "eclipse.org/legal/epl-v10": "EPL-1.0",
    "eclipse.org/legal/epl-2.0": "EPL-2.0",
    "eclipse.org/legal/epl-v20": "EPL-2.0",
    "eclipse.org/org/documents/edl-v10": "BSD-3-Clause",
    "eclipse.org/org/documents/epl-v10": "EPL-1.0",
    "mozilla.org/mpl/2.0": "MPL-2.0",
    "mozilla.org/en-us/mpl/2.0": "MPL-2.0",
    "unlicense.org": "Unlicense",
}
_PUBLISHERS = ("spdx.org/licenses/", "opensource.org/licenses/", "opensource.org/license/")

# Names that Debian (copyright-format/1.0), Fedora and Alpine before their change to SPDX, PyPI classifiers and
# manifests use for exactly one SPDX licence. Lower case.
_ALIASES: Mapping[str, str] = {
    "apache 2": "Apache-2.0",
    "apache 2.0": "Apache-2.0",
    "apache license 2.0": "Apache-2.0",
    "apache license v2.0": "Apache-2.0",
    "apache license, version 2.0": "Apache-2.0",
    "apache license version 2.0": "Apache-2.0",
    "the apache license, version 2.0": "Apache-2.0",
    "the apache software license, version 2.0": "Apache-2.0",
    "apache software license 2.0": "Apache-2.0",
    "apache-2": "Apache-2.0",
    "apache2": "Apache-2.0",
    "apache2.0": "Apache-2.0",
    "asl 2.0": "Apache-2.0",
    "asl-2.0": "Apache-2.0",
    "asl 1.1": "Apache-1.1",
    "artistic 2.0": "Artistic-2.0",
    "boost": "BSL-1.0",
    "boost software license 1.0": "BSL-1.0",
    "boost software license 1.0 (bsl-1.0)": "BSL-1.0",
    "bsd zero clause license": "0BSD",
    "0bsd license": "0BSD",
    "2-clause bsd": "BSD-2-Clause",
    "bsd 2-clause": "BSD-2-Clause",
    "bsd-2-clause license": "BSD-2-Clause",
    "bsd 2-clause license": "BSD-2-Clause",
    "bsd 3-clause": "BSD-3-Clause",
    "3-clause bsd": "BSD-3-Clause",
    "bsd-3-clause license": "BSD-3-Clause",
    "bsd 3-clause license": "BSD-3-Clause",
    "new bsd license": "BSD-3-Clause",
    "new bsd": "BSD-3-Clause",
    "modified bsd license": "BSD-3-Clause",
    "revised bsd license": "BSD-3-Clause",
    "bsd-3-clause-university-of-california": "BSD-3-Clause",
    "bsd with advertising": "BSD-4-Clause",
    "cc0": "CC0-1.0",
    "cc0 1.0 universal (cc0 1.0) public domain dedication": "CC0-1.0",
    "expat": "MIT",
    "mit license": "MIT",
    "the mit license": "MIT",
    "isc license": "ISC",
    "isc license (iscl)": "ISC",
    "mpl 2.0": "MPL-2.0",
    "mpl2.0": "MPL-2.0",
    "mplv2.0": "MPL-2.0",
    "mplv1.1": "MPL-1.1",
    "mozilla public license 2.0": "MPL-2.0",
    "mozilla public license 2.0 (mpl 2.0)": "MPL-2.0",
    "mozilla public license 1.1 (mpl 1.1)": "MPL-1.1",
    "mozilla public license version 2.0": "MPL-2.0",
    "eclipse public license 1.0": "EPL-1.0",
    "eclipse public license - v 1.0": "EPL-1.0",
    "eclipse public license 2.0": "EPL-2.0",
    "eclipse public license - v 2.0": "EPL-2.0",
    "eclipse public license 2.0 (epl-2.0)": "EPL-2.0",
    "epl 1.0": "EPL-1.0",
    "epl 2.0": "EPL-2.0",
    "openldap": "OLDAP-2.8",
    "psf-2": "PSF-2.0",
    "public-domain-cc0": "CC0-1.0",
    "the unlicense (unlicense)": "Unlicense",
    "universal permissive license (upl)": "UPL-1.0",
    "zlib/libpng": "Zlib",
    "zlib/libpng license": "Zlib",
    "gnu general public license v2 (gplv2)": "GPL-2.0-only",
    "gnu general public license v2 or later (gplv2+)": "GPL-2.0-or-later",
    "gnu general public license v3 (gplv3)": "GPL-3.0-only",
    "gnu general public license v3 or later (gplv3+)": "GPL-3.0-or-later",
    "gnu lesser general public license v2 or later (lgplv2+)": "LGPL-2.0-or-later",
    "gnu lesser general public license v3 (lgplv3)": "LGPL-3.0-only",
    "gnu lesser general public license v3 or later (lgplv3+)": "LGPL-3.0-or-later",
    "gnu affero general public license v3": "AGPL-3.0-only",
    "gnu affero general public license v3 or later (agplv3+)": "AGPL-3.0-or-later",
}
_EXCEPTIONS_OTHERWISE_NAMED = frozenset({"linux-syscall-note", "gpl-cc-1.0", "llgpl", "shl-2.0", "shl-2.1"})


def license_of(raw: str) -> License:
    """The licence text `raw` with its SPDX expression if it certainly has one."""
    text = plain_text(raw, _RAW_MAX)
    return License(raw=text, expression=spdx_expression(text))


def licenses_of(raws: Iterable[str]) -> tuple[License, ...]:
    """Each licence once, in the order given; empty texts and "unknown" are none."""
    found: dict[str, License] = {}
    for raw in dict.fromkeys(raws):
        licence = license_of(raw)
        if licence.raw and licence.raw.lower() not in ("unknown", "none", "noassertion", "n/a"):
            found.setdefault(licence.expression or licence.raw, licence)
    return tuple(found.values())


def checked_licenses(stated: Iterable[License], found: Iterable[str]) -> tuple[License, ...]:
    """Licences of another tool's document: an expression that is not valid becomes a text; names stay names.

    `found` are texts that the document gives as evidence; each is the raw text of the licence that it means.
    """
    raws: dict[str, str] = {}
    for text in found:
        for part in parts_of(spdx_expression(text) or ""):
            raws.setdefault(part, text)
    checked = []
    for licence in stated:
        expression = spdx_expression(licence.expression) if licence.expression else None
        checked.append(License(raw=raws.get(expression or "", licence.raw), expression=expression))
    return tuple(checked)


@lru_cache(maxsize=8192)
def spdx_expression(text: str) -> str | None:
    """The SPDX expression (SPDX 3.0 annex "License Expressions") that `text` means, or None.

    Deprecated identifiers become their successors (``GPL-2.0+`` is ``GPL-2.0-or-later``).
    """
    if whole := _identifier(text):
        return whole
    tokens = _tokens(text)
    return _Expression(tokens).parse() if len(tokens) > 1 else None


def _tokens(text: str) -> list[str]:
    tokens: list[str] = []
    at = 0
    for match in _OPERATOR.finditer(text):
        tokens.append(text[at : match.start()].strip())
        tokens.append((match[1] or match[2] or "and").upper())
        at = match.end()
    tokens.append(text[at:].strip())
    return [token for token in tokens if token]


class _Expression:
    """Recursive descent over operands and the operators AND, OR, WITH and parentheses."""

    def __init__(self, tokens: list[str]) -> None:
        self._tokens = tokens
        self._at = 0

    def parse(self) -> str | None:
        """The canonical text, or None when an operand is no SPDX licence or the grammar does not hold."""
        text = self._choice(0)
        return text if self._at == len(self._tokens) else None

    def _next(self) -> str | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def _choice(self, depth: int) -> str | None:
        return self._joined("OR", depth)

    def _joined(self, operator: str, depth: int) -> str | None:
        parts: list[str] = []
        while True:
            part = self._joined("AND", depth) if operator == "OR" else self._operand(depth)
            if part is None:
                return None
            parts.append(part)
            if self._next() != operator:
                return f" {operator} ".join(parts)
            self._at += 1

    def _operand(self, depth: int) -> str | None:
        word = self._next()
        if word is None or depth > _NESTING_MAX:
            return None
        self._at += 1
        if word == "(":
            inside = self._choice(depth + 1)
            if inside is None or self._next() != ")":
                return None
            self._at += 1
            return f"({inside})"
        name = _identifier(word)
        if name is None or self._next() != "WITH":
            return name
        self._at += 1
        exception = _spdx_ids().get((self._next() or "").lower().removesuffix(" exception"))
        self._at += 1
        return f"{name} WITH {exception}" if exception and _is_exception(exception) else None


def _identifier(text: str) -> str | None:
    lowered = text.lower()
    if gnu := _GNU.fullmatch(text):
        return _gnu_identifier(gnu)
    if gfdl := _GFDL.fullmatch(text):
        invariants = "-no-invariants" if gfdl[1] or gfdl[3] else ""
        return f"GFDL-{gfdl[2]}{invariants}-{'or-later' if gfdl[4] in ('+', '-or-later') else 'only'}"
    if known := _spdx_ids().get(lowered) or _ALIASES.get(lowered):
        return None if _is_exception(known) else known
    if text.endswith("+") and (known := _spdx_ids().get(lowered[:-1])):
        return None if _is_exception(known) else known + "+"
    if address := _ADDRESS.fullmatch(text):
        return _published(address[1].lower())
    return text if _REFERENCE.fullmatch(text) else None


def _published(address: str) -> str | None:
    for publisher in _PUBLISHERS:
        if address.startswith(publisher):
            return _spdx_ids().get(address.removeprefix(publisher).removesuffix("-license"))
    return _PUBLISHED.get(address)


def _gnu_identifier(match: re.Match[str]) -> str | None:
    family = f"{(match[1] or '').upper()}GPL"
    version = f"{match[2]}{match[3] or '.0'}"
    later = match[4] is not None and match[4].lower() != "-only"
    name = f"{family}-{version}-{'or-later' if later else 'only'}"
    return _spdx_ids().get(name.lower())


def _is_exception(identifier: str) -> bool:
    """The schema's list holds licences and exceptions together; only WITH may precede an exception."""
    lowered = identifier.lower()
    return "exception" in lowered or lowered in _EXCEPTIONS_OTHERWISE_NAMED


@cache
def _spdx_ids() -> Mapping[str, str]:
    """Every SPDX licence and exception id by its lower-case form: the list that CycloneDX's schema refers to."""
    from importlib.resources import files

    schema = files("cyclonedx").joinpath("schema", "_res", "spdx.SNAPSHOT.schema.json").read_bytes()
    return {identifier.lower(): identifier for identifier in json.loads(schema)["enum"]}
