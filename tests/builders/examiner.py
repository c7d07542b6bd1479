"""The examiner with the control library's own marker rules, as an assessment uses it."""

from __future__ import annotations

from functools import cache

from compliance.formats.examine import Examiner
from controls.knowledge import marker_rules


@cache
def examiner() -> Examiner:
    """One for all tests: making it compiles every rule."""
    return Examiner(marker_rules())
