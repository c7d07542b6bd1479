"""The licences of a package as one SPDX expression, with references for what has no identifier.

All that a package declares holds for some part of it, so they are joined with AND.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from functools import lru_cache

from compliance.model.inventory import License

REFERENCE = re.compile(r"(?:DocumentRef-[A-Za-z0-9.-]+:)?LicenseRef-[A-Za-z0-9.-]+")

_IDENTIFIER = re.compile(r"[A-Za-z0-9.-]+")
_OTHER = re.compile(r"[^A-Za-z0-9.]+")
_TOKEN = re.compile(r"[()]|(?<=[\s)])(?:AND|OR)(?=[\s(])", re.IGNORECASE)
_PREFIX = "LicenseRef-hullmark-"
_NAME_MAX = 48


def is_listed(expression: str) -> bool:
    """Whether it is one identifier of SPDX's list, not an expression nor a reference."""
    return _IDENTIFIER.fullmatch(expression) is not None and not expression.startswith(("LicenseRef-", "DocumentRef-"))


def license_reference(raw: str) -> str:
    """The LicenseRef that stands for the text `raw`; another text has another one."""
    name = _OTHER.sub("-", raw).strip("-")
    if name != raw or len(name) > _NAME_MAX:
        digest = hashlib.sha256(raw.encode("utf-8", "replace")).hexdigest()[:8]
        name = f"{name[:_NAME_MAX].strip('-')}-{digest}".lstrip("-")
    return _PREFIX + name


def declared_expression(licenses: Iterable[License]) -> str:
    """One expression for all of them, each operand once; empty for none."""
    stated = [licence.expression or license_reference(licence.raw) for licence in licenses if licence.raw]
    parts = tuple(dict.fromkeys(part for text in stated for part in parts_of(text)))
    return " AND ".join(part if len(parts) < 2 or " OR " not in part else f"({part})" for part in parts)


def references_in(expression: str) -> tuple[str, ...]:
    """The LicenseRefs of an expression, each once."""
    return tuple(dict.fromkeys(REFERENCE.findall(expression)))


@lru_cache(maxsize=8192)
def parts_of(expression: str) -> tuple[str, ...]:
    """The operands of an expression that is joined by AND alone, without the brackets around them; else itself."""
    parts, depth, start = [], 0, 0
    for token in _TOKEN.finditer(expression):
        if token[0] == "(":
            depth += 1
        elif token[0] == ")":
            depth -= 1
        elif depth == 0 and token[0].upper() == "OR":
            return (expression,)
        elif depth == 0:
            parts.append(expression[start : token.start()])
            start = token.end()
    return tuple(_without_brackets(part.strip()) for part in (*parts, expression[start:]))


def _without_brackets(text: str) -> str:
    inside = text[1:-1]
    return inside.strip() if text[:1] == "(" and text[-1:] == ")" and not {"(", ")"} & set(inside) else text
