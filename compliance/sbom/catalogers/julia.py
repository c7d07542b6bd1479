"""Julia packages: those in a depot are installed, those of a Manifest.toml declared (Pkg, "Manifest.toml")."""

from __future__ import annotations

import re
from collections.abc import Iterator

from compliance.formats.plain_text import decode
from compliance.formats.stated_package import StatedPackage
from compliance.formats.toml_tables import Table, tables
from compliance.model.request import ContentRequest
from compliance.sbom.stated import StatingFiles

_IN_DEPOT = re.compile(r"(?:.*/)?packages/[^/]+/[A-Za-z0-9]{4,6}/[^/]+\.toml")


def read_manifest(content: bytes, path: str = "") -> Iterator[StatedPackage]:
    """Every ``[[deps.NAME]]``, in format 1 ``[[NAME]]``, with a version; of the standard library many have none."""
    if _IN_DEPOT.fullmatch(path):
        return
    for table in tables(decode(content)):
        if table.of_array:
            yield _stated(table, table.name.removeprefix("deps."), tuple(table.texts("deps")))


def read_project(content: bytes, path: str = "") -> Iterator[StatedPackage]:
    """The package of a depot's folder."""
    if not _IN_DEPOT.fullmatch(path):
        return
    some = {table.name: table for table in tables(decode(content))}
    yield _stated(some[""], some[""].text("name"), tuple(some["deps"].values) if "deps" in some else ())


def _stated(table: Table, name: str, depends: tuple[str, ...]) -> StatedPackage:
    uuid = table.text("uuid")
    return StatedPackage(
        name=name,
        version=table.text("version"),
        qualifiers=(("uuid", uuid),) if uuid else (),
        depends=depends,
    )


CATALOGER = StatingFiles(
    id="julia",
    type_="julia",
    readers=(
        (
            ContentRequest(
                name="julia-project", globs=tuple(f"**/packages/*/*/{name}Project.toml" for name in ("", "Julia"))
            ),
            read_project,
        ),
        (ContentRequest(name="julia-manifest", globs=("**/Manifest.toml", "**/JuliaManifest.toml")), read_manifest),
    ),
    declared=lambda path: not path.endswith("Project.toml"),
)
