"""CocoaPods that a Podfile.lock declares."""

from __future__ import annotations

import re
from collections.abc import Iterator

from compliance.formats.indented_text import lines
from compliance.formats.plain_text import decode
from compliance.formats.stated_package import StatedPackage
from compliance.model.request import ContentRequest
from compliance.sbom.stated import StatingFiles

_POD = re.compile(r"([^\s()]{1,256})(?: \(([^()]{1,256})\))?")


def read_podfile_lock(content: bytes, path: str = "") -> Iterator[StatedPackage]:
    """Every pod and subspec of ``PODS``; a subspec is the subpath of the purl (purl-spec, cocoapods)."""
    top, name, version, needs = "", "", "", list[str]()
    for line in lines(decode(content)):
        if line.indent == 0:
            top = line.key
            continue
        pod = _POD.fullmatch(line.key or line.value)
        if top != "PODS" or pod is None:
            continue
        if line.indent > 4:
            needs.append(pod[1])
            continue
        yield _stated(name, version, needs)
        name, version, needs = pod[1], pod[2] or "", []
    yield _stated(name, version, needs)


def _stated(name: str, version: str, needs: list[str]) -> StatedPackage:
    pod, _, subspec = name.partition("/")
    return StatedPackage(
        name=name, version=version, namespace=None, purl_name=pod, subpath=subspec or None, depends=tuple(needs)
    )


CATALOGER = StatingFiles(
    id="cocoapods",
    type_="cocoapods",
    readers=((ContentRequest(name="podfile-lock", globs=("**/Podfile.lock",)), read_podfile_lock),),
)
