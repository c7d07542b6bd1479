"""SWI-Prolog packs: the pack.pl of each."""

from __future__ import annotations

import re
from collections.abc import Iterator

from compliance.formats.plain_text import decode
from compliance.formats.stated_package import StatedPackage
from compliance.model.request import ContentRequest
from compliance.sbom.stated import StatingFiles

_FACT = re.compile(
    r"""^(name|version|home|author|packager|requires)\(\s*(?:'([^'\n]*)'|"([^"\n]*)"|([^\s,()'"]+))(?:[^\n]*)\)\.""",
    re.MULTILINE,
)


def read_pack(content: bytes, path: str = "") -> Iterator[StatedPackage]:
    """The pack of the facts ``name`` and ``version`` (SWI-Prolog manual, "Packs")."""
    values: dict[str, list[str]] = {}
    for key, *texts in _FACT.findall(decode(content)):
        values.setdefault(key, []).append("".join(texts))
    first = {key: some[0] for key, some in values.items()}
    yield StatedPackage(
        name=first.get("name", ""),
        version=first.get("version", ""),
        homepage=first.get("home"),
        supplier=first.get("author"),
        depends=tuple(values.get("requires", ())),
    )


CATALOGER = StatingFiles(
    id="prolog",
    type_="swiplpack",
    readers=((ContentRequest(name="prolog-pack", globs=("**/pack.pl",), max_size=2**20), read_pack),),
    declared=lambda path: False,
)
