"""OCaml packages: the opam file of each, installed below a switch of opam, or only declared elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from compliance.formats.plain_text import decode
from compliance.formats.stated_package import StatedPackage
from compliance.model.request import ContentRequest
from compliance.sbom.stated import StatingFiles

_INSTALLED = re.compile(r"(?:.*/)?\.opam-switch/packages/[^/]+/opam")
_FOLDER = re.compile(r"(?:.*/)?([A-Za-z0-9_+-]+)\.([^/]+)/opam")
_FIELD = re.compile(r"^([a-z][a-z-]*):", re.MULTILINE)
_STRING = re.compile(r'"([^"]{1,1024})"')
_CONDITION = re.compile(r"\{[^{}]*\}")


def read_opam(content: bytes, path: str = "") -> Iterator[StatedPackage]:
    """The package; name and version stand in the file or in its folder's name (opam manual, "opam")."""
    folder = _FOLDER.fullmatch(path)
    values: dict[str, list[str]] = {}
    pieces = _FIELD.split(decode(content))
    for key, value in zip(pieces[1::2], pieces[2::2], strict=True):
        values.setdefault(key, _STRING.findall(_CONDITION.sub("", value)))
    yield StatedPackage(
        name=_first(values, "name") or (folder[1] if folder else ""),
        version=_first(values, "version") or (folder[2] if folder else ""),
        licenses=tuple(values.get("license", ())),
        homepage=_first(values, "homepage"),
        supplier=_first(values, "maintainer"),
        depends=tuple(values.get("depends", ())),
    )


def _first(values: Mapping[str, list[str]], key: str) -> str:
    return next(iter(values.get(key, ())), "")


CATALOGER = StatingFiles(
    id="opam",
    type_="opam",
    readers=((ContentRequest(name="opam", globs=("**/opam",), max_size=2**20), read_opam),),
    declared=lambda path: _INSTALLED.fullmatch(path) is None,
)
