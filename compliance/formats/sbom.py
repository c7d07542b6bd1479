"""The formats of a bill of materials by the names that the command takes, after syft's: ``cyclonedx-json@1.7``."""

from __future__ import annotations

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
    if form == "spdx-json":
        from compliance.formats.spdx import to_spdx_json

        return to_spdx_json(document)
    from compliance.formats import cyclonedx

    return (cyclonedx.to_cyclonedx_json if form == "cyclonedx-json" else cyclonedx.to_cyclonedx_xml)(document, version)


def read(content: bytes, tool: Tool) -> SbomDocument:
    """A document of anybody's: CycloneDX 1.2 to 1.7 in JSON or XML, SPDX 2.2 or 2.3 in JSON.

    `tool` is the one that reads it and will have written what is made of it. Raises FormatError, which names the
    place, for what is neither, or is not built as the format demands where it is read.
    """
    from compliance.formats import cyclonedx_reader, spdx_reader
    from compliance.formats.signed_json import read_object

    if content.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"<":
        from compliance.formats.cyclonedx_xml import read as read_xml
        from compliance.formats.signed_json import JsonObject

        return cyclonedx_reader.document(JsonObject(read_xml(content), "SBOM"), content, tool)
    values = read_object(content.removeprefix(b"\xef\xbb\xbf"), "SBOM")
    if values.has("bomFormat") or values.has("specVersion"):
        return cyclonedx_reader.document(values, content, tool)
    if values.has("spdxVersion"):
        return spdx_reader.document(values, content, tool)
    raise FormatError("neither CycloneDX nor SPDX 2", code="sbom-unknown", where="SBOM")
