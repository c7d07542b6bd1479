"""The formats that an assessment document can be written in. Renderers are imported when they are used."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING

from compliance.errors import UsageError
from reports.document import Document

if TYPE_CHECKING:
    from reports.branding import Branding


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """One output format.

    `renderer` is ``module:function``, a function from the document to text or bytes; `file_name` its place in an
    evidence folder; `binary` whether it is unfit for a terminal; `versions` those of its standard that can be asked
    for, the default aside; `branded` whether it has a place for an organisation's title, logo and texts.
    """

    name: str
    summary: str
    media_type: str
    file_name: str
    renderer: str
    binary: bool = False
    versions: tuple[str, ...] = ()
    branded: bool = False

    def render(self, document: Document, version: str | None = None, branding: Branding | None = None) -> bytes:
        """The document in this format, with the renderer's defaults; a `version` is of the format's standard.

        Formats that are not `branded` have no place for a `branding`, and go without.
        """
        module, _, function = self.renderer.partition(":")
        render = getattr(importlib.import_module(module), function)
        if self.branded and branding is not None:
            render = partial(render, branding=branding)
        content = render(document) if version is None else render(document, version)
        return content.encode() if isinstance(content, str) else bytes(content)


_OSCAL = ("1.1.3", "1.2.1", "1.2.2")

_FORMATS = (
    Format(
        name="table",
        summary="for the terminal: verdict, what to do first, what failed",
        media_type="text/plain",
        file_name="summary.txt",
        renderer="reports.table:render",
    ),
    Format(
        name="json",
        summary="the assessment document, from which every other format is made",
        media_type="application/json",
        file_name="assessment.json",
        renderer="reports.assessment_json:render",
    ),
    Format(
        name="oscal-ar",
        summary="OSCAL assessment results",
        media_type="application/oscal.assessment-results+json",
        file_name="oscal/assessment-results.json",
        renderer="reports.oscal:render_results",
        versions=_OSCAL,
    ),
    Format(
        name="oscal-ap",
        summary="OSCAL assessment plan, which the results import",
        media_type="application/oscal.assessment-plan+json",
        file_name="oscal/assessment-plan.json",
        renderer="reports.oscal:render_plan",
        versions=_OSCAL,
    ),
    Format(
        name="oscal-component",
        summary="OSCAL component definition: the checks, and the controls they bear on",
        media_type="application/oscal.component-definition+json",
        file_name="oscal/component-definition.json",
        renderer="reports.oscal_component:render",
        versions=_OSCAL,
    ),
    Format(
        name="oscal-mapping",
        summary="OSCAL mapping collection, from checks to controls (OSCAL 1.2)",
        media_type="application/oscal.mapping-collection+json",
        file_name="oscal/mapping-collection.json",
        renderer="reports.oscal_mapping:render",
        versions=_OSCAL[1:],
    ),
    Format(
        name="oscal-poam",
        summary="OSCAL plan of action and milestones: what failed",
        media_type="application/oscal.poam+json",
        file_name="oscal/poam.json",
        renderer="reports.oscal_poam:render",
        versions=_OSCAL,
    ),
    Format(
        name="pdf",
        summary="the audit report (PDF/A-3a, PDF/UA-1)",
        media_type="application/pdf",
        file_name="report.pdf",
        renderer="reports.pdf:render",
        binary=True,
        branded=True,
    ),
    Format(
        name="html",
        summary="the report as one file for a browser: filters, search, light and dark",
        media_type="text/html",
        file_name="report.html",
        renderer="reports.html:render",
        branded=True,
    ),
    Format(
        name="sarif",
        summary="SARIF 2.1.0 for code-scanning UIs: an alert for each thing that failed",
        media_type="application/sarif+json",
        file_name="findings.sarif",
        renderer="reports.sarif:render",
    ),
    Format(
        name="junit",
        summary="JUnit XML for CI systems: a suite for each trait",
        media_type="application/xml",
        file_name="junit.xml",
        renderer="reports.junit:render",
    ),
    Format(
        name="csv",
        summary="one row for each observation",
        media_type="text/csv",
        file_name="findings.csv",
        renderer="reports.csv:render",
    ),
    Format(
        name="markdown",
        summary="a short summary for a CI job or a pull request",
        media_type="text/markdown",
        file_name="summary.md",
        renderer="reports.markdown:render",
    ),
)

FORMATS: Mapping[str, Format] = MappingProxyType({one.name: one for one in _FORMATS})
"""By name, in the order in which help lists them."""


def find(name: str) -> Format:
    """The format named `name`. Raises UsageError with the names that exist."""
    try:
        return FORMATS[name]
    except KeyError:
        raise UsageError(
            f"no report format {name!r}", code="format-unknown", hint=f"choose one of {', '.join(FORMATS)}"
        ) from None
