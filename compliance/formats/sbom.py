"""The formats of a bill of materials by the names that the command takes, after syft's: ``cyclonedx-json@1.7``."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from compliance.errors import FormatError
from compliance.formats.sbom_document import SbomDocument, Tool

DEFAULT = "cyclonedx-json"
_VERSIONS = {"cyclonedx-json": ("1.6", "1.7"), "cyclonedx-xml": ("1.6", "1.7"), "spdx-json": ("2.3",)}
NAMES = (*_VERSIONS, *(f"{name}@{version}" for name, versions in _VERSIONS.items() for version in versions))
"""Every name; without a version the first of its format is meant."""


def write(document: SbomDocument, name: str) -> bytes:
    """`document` in the format of that name, one of NAMES."""
    form, _, version = name.partition("@")
    version = version or _VERSIONS[form][0]
    with _no_collector():
        if form == "spdx-json":
            from compliance.formats.spdx import to_spdx_json

            return to_spdx_json(document)
        from compliance.formats import cyclonedx

        if form == "cyclonedx-xml":
            return cyclonedx.to_cyclonedx_xml(document, version)
        return cyclonedx.to_cyclonedx_json(document, version)


def read(content: bytes, tool: Tool, now: datetime) -> SbomDocument:
    """A document of anybody's: CycloneDX 1.2 to 1.7 in JSON or XML, SPDX 2.2 or 2.3 in JSON.

    `tool` is the one that reads it and will have written what is made of it; `now` stands for a time that the
    document does not state. Raises FormatError, which names the
    place, for what is neither, or is not built as the format demands where it is read.
    """
    with _no_collector():
        return _read(content, tool, now)


def _read(content: bytes, tool: Tool, now: datetime) -> SbomDocument:
    from compliance.formats import cyclonedx_reader, cyclonedx_xml, spdx_reader
    from compliance.formats.signed_json import JsonObject, read_object

    content = content.removeprefix(b"\xef\xbb\xbf")
    if content.lstrip(b" \t\r\n")[:1] == b"<":
        return cyclonedx_reader.document(JsonObject(cyclonedx_xml.read(content), "SBOM"), content, tool, now)
    values = read_object(content, "SBOM")
    if values.has("bomFormat") or values.has("specVersion"):
        return cyclonedx_reader.document(values, content, tool, now)
    if values.has("spdxVersion"):
        return spdx_reader.document(values, content, tool, now)
    raise FormatError("neither CycloneDX nor SPDX 2", code="sbom-unknown", where="SBOM")


@contextmanager
def _no_collector() -> Iterator[None]:
    """Without the collector of circles, which would walk millions of values that hold none: half of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
