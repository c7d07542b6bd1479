"""The formats that a fleet document can be written in. Renderers are imported when they are used."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING

from reports.fleet_document import FleetDocument
from reports.oscal_form import VERSIONS

if TYPE_CHECKING:
    from reports.branding import Branding


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetFormat:
    """One output format. `renderer` is ``module:function``, a function from the document to text or bytes."""

    name: str
    summary: str
    media_type: str
    renderer: str
    versions: tuple[str, ...] = ()
    branded: bool = False

    def render(self, document: FleetDocument, version: str | None = None, branding: Branding | None = None) -> bytes:
        """The document in this format; a `version` is of the format's standard, where that has several."""
        module, _, function = self.renderer.partition(":")
        render = getattr(importlib.import_module(module), function)
        if self.branded and branding is not None:
            render = partial(render, branding=branding)
        content = render(document) if version is None or not self.versions else render(document, version)
        return content.encode() if isinstance(content, str) else bytes(content)


_FORMATS = (
    FleetFormat(
        name="table",
        summary="for the terminal: how the images stand, what changed, what to do first",
        media_type="text/plain",
        renderer="reports.fleet_table:render",
    ),
    FleetFormat(
        name="json",
        summary="the fleet document, from which every other format is made",
        media_type="application/json",
        renderer="reports.fleet_document:render",
    ),
    FleetFormat(
        name="html",
        summary="the dashboard as one file for a browser: filters, search, light and dark",
        media_type="text/html",
        renderer="reports.fleet_html:render",
        branded=True,
    ),
    FleetFormat(
        name="pdf",
        summary="the audit report (PDF/A-3a, PDF/UA-1), with the document embedded",
        media_type="application/pdf",
        renderer="reports.fleet_pdf:render",
        branded=True,
    ),
    FleetFormat(
        name="csv",
        summary="one row for each image and each check that failed in it",
        media_type="text/csv",
        renderer="reports.fleet_csv:render",
    ),
    FleetFormat(
        name="markdown",
        summary="a summary for a CI job or an issue",
        media_type="text/markdown",
        renderer="reports.fleet_markdown:render",
    ),
    FleetFormat(
        name="oscal-ar",
        summary="OSCAL assessment results: a result for each run",
        media_type="application/oscal.assessment-results+json",
        renderer="reports.fleet_oscal:render",
        versions=VERSIONS,
    ),
)

FORMATS: Mapping[str, FleetFormat] = MappingProxyType({one.name: one for one in _FORMATS})
"""By name, in the order in which help lists them."""
