"""The words of the checks, frameworks and controls of a run, as its own assessment documents have them.

The library that is installed now may be another than the one that the run was made with, and a group may have checks
and frameworks of its own: so the texts are read where the results lie.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from compliance.errors import ComplianceError
from compliance.model.fleet import AssessmentRecord, FleetStore

if TYPE_CHECKING:
    from reports.document import Check, Control, Framework

_DOCUMENTS_MAX = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class LibraryTexts:
    """By id, controls by framework and id. What no document could be read for is not there."""

    checks: dict[str, Check] = field(default_factory=dict)
    frameworks: dict[str, Framework] = field(default_factory=dict)
    controls: dict[tuple[str, str], Control] = field(default_factory=dict)


def library_texts(store: FleetStore, records: Iterable[AssessmentRecord]) -> LibraryTexts:
    """The texts of everything that `records` name, from as few documents as possible, at most _DOCUMENTS_MAX."""
    from reports.assessment_json import parse

    texts = LibraryTexts()
    read = 0
    whole: dict[tuple[int, int], AssessmentRecord] = {}
    for record in records:
        if read == _DOCUMENTS_MAX:
            break
        rows = (id(record.checks), id(record.controls))  # the same rows (see alike.py) name nothing more
        if rows in whole:
            continue
        if all(row.check in texts.checks for row in record.checks) and all(
            (row.framework, row.control) in texts.controls for row in record.controls
        ):
            whole[rows] = record
            continue
        read += 1
        try:
            document = parse(store.blob(record.id))
        except ComplianceError:
            continue  # `fleet verify` tells of it; the ids stand in for the words
        for check in document["checks"]:
            texts.checks.setdefault(check["id"], check)
        for framework in document["frameworks"]:
            texts.frameworks.setdefault(framework["id"], framework)
        for control in document["controls"]:
            texts.controls.setdefault((control["framework"], control["id"]), control)
    return texts
