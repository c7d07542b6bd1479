"""Lua rocks: the rockspec of each, installed in a tree of LuaRocks, or only declared elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator

from compliance.formats.plain_text import decode
from compliance.formats.stated_package import StatedPackage
from compliance.model.request import ContentRequest
from compliance.sbom.stated import StatingFiles

_INSTALLED = re.compile(r"(?:.*/)?rocks(?:-[\w.]+)?/[^/]+/[^/]+/[^/]+\.rockspec")
_FIELD = re.compile(
    r"""^[ \t]*(package|version|license|homepage|maintainer)[ \t]*=[ \t]*(?:"([^"\n]*)"|'([^'\n]*)')""", re.MULTILINE
)
_DEPENDENCIES = re.compile(r"^[ \t]*dependencies\s*=\s*\{([^}]{0,8192})\}", re.MULTILINE)
_NEED = re.compile(r"""["']([\w.-]{1,256})""")


def read_rockspec(content: bytes, path: str = "") -> Iterator[StatedPackage]:
    """The rock: literal fields of a file that is a Lua program, which is not run."""
    stated = decode(content)
    values: dict[str, str] = {}
    for key, double, single in _FIELD.findall(stated):
        values.setdefault(key, double or single)
    needs = _DEPENDENCIES.search(stated)
    yield StatedPackage(
        name=values.get("package", ""),
        version=values.get("version", ""),
        licenses=(values.get("license", ""),),
        homepage=values.get("homepage"),
        supplier=values.get("maintainer"),
        depends=tuple(_NEED.findall(needs[1])) if needs else (),
    )


CATALOGER = StatingFiles(
    id="lua",
    type_="luarocks",
    readers=((ContentRequest(name="rockspec", globs=("**/*.rockspec",), max_size=256 * 2**10), read_rockspec),),
    declared=lambda path: _INSTALLED.fullmatch(path) is None,
)
