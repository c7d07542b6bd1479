"""Hullmark's engine: from an image reference to an assessment whose every sentence has evidence.

    from compliance import Assessment, Store, Trust, assess, open_image, verify_evidence

Importing it loads none of its parts, reads nothing and prints nothing; the names below come when they are asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from compliance.api.assessing import assess, open_image
    from compliance.api.assessment import Assessment
    from compliance.api.evidence import EvidenceCheck, verify_evidence
    from compliance.api.inventory import Inventory
    from compliance.api.opened_image import OpenedImage
    from compliance.api.store import Store
    from compliance.api.trust import Trust
    from compliance.errors import ComplianceError

__all__ = [
    "Assessment",
    "ComplianceError",
    "EvidenceCheck",
    "Inventory",
    "OpenedImage",
    "Store",
    "Trust",
    "assess",
    "open_image",
    "verify_evidence",
]

_HOMES = {
    "Assessment": "compliance.api.assessment",
    "ComplianceError": "compliance.errors",
    "EvidenceCheck": "compliance.api.evidence",
    "Inventory": "compliance.api.inventory",
    "OpenedImage": "compliance.api.opened_image",
    "Store": "compliance.api.store",
    "Trust": "compliance.api.trust",
    "assess": "compliance.api.assessing",
    "open_image": "compliance.api.assessing",
    "verify_evidence": "compliance.api.evidence",
}


def __getattr__(name: str) -> object:
    """The public name, from the module that it lives in."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    """What there is, whether it was asked for or not."""
    return sorted({*globals(), *__all__})
