"""What can be taken away from the dashboard: documents as they were kept, and reports made from them when asked for."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from compliance.fleet.dashboard.addresses import address
from compliance.fleet.dashboard.pages import Chosen

if TYPE_CHECKING:
    from compliance.fleet.dashboard.fleet_reader import FleetReader
    from compliance.fleet.dashboard.image_list import ImageLine
    from compliance.fleet.fleet_file import Fleet
    from compliance.model.fleet import AssessmentRecord, FleetStore, Run
    from reports.fleet_document import FleetTool
    from reports.fleet_exporter import FleetFormat

_ASSESSMENT, _SBOM = "assessment.json", "sbom.cdx.json"
_RENDERING = threading.BoundedSemaphore(1)
"""A PDF takes seconds of a core and much memory: one at a time, whoever asks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """A file for the one who asked. `digest` is that of the bytes where they can never be others."""

    name: str
    media_type: str
    content: bytes
    digest: str | None = None


def offered(chosen: Chosen, line: ImageLine) -> list[tuple[str, str, str]]:
    """Name, address and what it is, of everything there is about one assessment."""
    from reports.exporter import FORMATS

    if line.assessment is None:
        return []

    def place(name: str) -> str:
        return address("fleets", chosen.name, "assessments", line.assessment or "", name)

    kept = [
        (_ASSESSMENT, place(_ASSESSMENT), "the assessment, as it was kept: its digest is its name"),
        (_SBOM, place(_SBOM), "the SBOM (CycloneDX), as it was kept"),
    ]
    made = [(_leaf(one.file_name), place(_leaf(one.file_name)), one.summary) for one in FORMATS.values()]
    return kept + [entry for entry in made if entry[0] != _ASSESSMENT]


def of_assessment(record: AssessmentRecord, name: str, blob: Callable[[str], bytes]) -> Download | None:
    """The file `name` about one assessment; None where there is none such. Raises StoreError, FormatError."""
    if name == _ASSESSMENT:
        content = blob(record.id)
        return Download(name=name, media_type="application/json", content=content, digest=record.id)
    if name == _SBOM:
        media_type = "application/vnd.cyclonedx+json"
        return Download(name=name, media_type=media_type, content=blob(record.sbom), digest=record.sbom)
    from reports.assessment_json import parse
    from reports.exporter import FORMATS

    form = next((one for one in FORMATS.values() if _leaf(one.file_name) == name), None)
    if form is None:
        return None
    with _RENDERING:
        return Download(name=name, media_type=form.media_type, content=form.render(parse(blob(record.id))))


def _leaf(file_name: str) -> str:
    return file_name.rpartition("/")[2]


_SUFFIXES = {"table": "txt", "markdown": "md", "oscal-ar": "oscal-ar.json"}


def _fleet_files() -> dict[str, FleetFormat]:
    """Every format of a fleet's report, by the name of its file."""
    from reports.fleet_exporter import FORMATS

    return {f"fleet.{_SUFFIXES.get(name, name)}": form for name, form in FORMATS.items()}


def of_fleet(chosen: Chosen) -> list[tuple[str, str, str]]:
    """Name, address and what it is, of every report about the run."""
    number = str(chosen.run.number)
    return [
        (name, address("fleets", chosen.name, "runs", number, name), form.summary)
        for name, form in _fleet_files().items()
    ]


def fleet_file(
    reader: FleetReader, run: Run, name: str, tool: FleetTool, open_store: Callable[[Fleet], FleetStore]
) -> Download | None:
    """The report on a run; None where there is none of that name. Reads the whole history up to it, with a store of
    its own, so that pages can be read meanwhile. Raises StoreError."""
    from compliance.fleet.report import fleet_report

    form = _fleet_files().get(name)
    if form is None:
        return None
    with _RENDERING, closing(open_store(reader.fleet)) as store:
        document = fleet_report(
            store, reader.fleet.name, tool=tool, run=str(run.number), schedule=reader.fleet.schedule
        )
        return Download(name=f"run-{run.number}-{name}", media_type=form.media_type, content=form.render(document))
