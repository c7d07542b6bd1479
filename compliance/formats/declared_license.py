"""The licences of a package as one SPDX expression, with references for what has no identifier.

All that a package declares holds for some part of it, so they are joined with AND.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

from compliance.model.inventory import License

REFERENCE = re.compile(r"(?:DocumentRef-[A-Za-z0-9.-]+:)?LicenseRef-[A-Za-z0-9.-]+")

_IDENTIFIER = re.compile(r"[A-Za-z0-9.-]+")
_OTHER = re.compile(r"[^A-Za-z0-9.]+")
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
    """One expression for all of them; empty for none."""
    parts = [licence.expression or license_reference(licence.raw) for licence in licenses if licence.raw]
    alone = len(parts) < 2
    return " AND ".join(part if alone or " OR " not in part else f"({part})" for part in dict.fromkeys(parts))


def references_in(expression: str) -> tuple[str, ...]:
    """The LicenseRefs of an expression, each once."""
    return tuple(dict.fromkeys(REFERENCE.findall(expression)))
