"""Swift packages that a Package.resolved pins (Swift Package Manager)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from compliance.formats.json_data import mapping, mappings, read_json_object, text
from compliance.formats.stated_package import StatedPackage
from compliance.model.request import ContentRequest
from compliance.sbom.stated import StatingFiles

_PLACE = re.compile(r"(?:[a-z+]+://)?(?:[^@/]+@)?([^/:]+)[:/](.+?)(?:\.git)?/?")


def read_package_resolved(content: bytes, path: str = "") -> Iterator[StatedPackage]:
    """Format 1 (``object.pins``), 2 and 3 (``pins``). A pin without version is known by its commit."""
    document = read_json_object(content)
    for pin in mappings(mapping(document.get("object")).get("pins") or document.get("pins")):
        state = mapping(pin.get("state"))
        place = _PLACE.fullmatch(text(pin.get("location") or pin.get("repositoryURL")))
        version = text(state.get("version")) or text(state.get("revision"))
        if place and "/" in place[2].strip("/"):
            namespace, _, last = f"{place[1]}/{place[2]}".rpartition("/")
            yield StatedPackage(
                name=text(pin.get("identity") or pin.get("package")) or last,
                version=version,
                namespace=namespace,
                purl_name=last,
            )


CATALOGER = StatingFiles(
    id="swift",
    type_="swift",
    readers=((ContentRequest(name="swift-resolved", globs=("**/Package.resolved",)), read_package_resolved),),
)
