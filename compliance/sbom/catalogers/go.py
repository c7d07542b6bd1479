"""Go modules compiled into executables, as the linker recorded them (debug/buildinfo)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from compliance.formats.plain_text import plain_text
from compliance.formats.purl import package_url
from compliance.model.filesystem import FileEntry, FileTree, GoBuildInfo
from compliance.model.inventory import Cataloged, Distribution, Location, Package
from compliance.model.request import ContentRequest

_DEVELOPMENT = "(devel)"
_STANDARD_LIBRARY = "stdlib"


@dataclass(frozen=True, slots=True)
class GoCataloger:
    """The main module, its dependencies and the standard library of every Go executable."""

    id: str = "go"
    requests: tuple[ContentRequest, ...] = ()

    def catalog(self, tree: FileTree, distribution: Distribution | None) -> Cataloged:
        """Modules of each file once, however many names it has."""
        packages: list[Package] = []
        seen: set[int] = set()
        for entry in tree:
            if entry.facts is None or entry.facts.elf is None or entry.facts.elf.go is None or entry.inode in seen:
                continue
            seen.add(entry.inode)
            packages.extend(_packages(entry, tree.names(entry), entry.facts.elf.go))
        return Cataloged(packages=tuple(packages))


CATALOGER = GoCataloger()


def _packages(entry: FileEntry, names: tuple[str, ...], info: GoBuildInfo) -> Iterator[Package]:
    """The main module comes first; it is the executable, so it carries the file's digest."""
    locations = tuple(Location(path=path, layer=entry.layer) for path in names)
    parts = [(path, version) for path, version, _ in info.modules if path]
    standard = _standard_library(info.go_version)
    if standard:
        parts.append((_STANDARD_LIBRARY, standard))
    path, version, _ = info.main
    if path or info.path:
        yield _module(
            path or info.path,
            version or _DEVELOPMENT,
            locations,
            digests=(("SHA-256", entry.sha256),) if entry.sha256 else (),
            depends=tuple(f"{plain_text(name)}@{plain_text(number, 256)}" for name, number in parts),
        )
    for name, number in parts:
        yield _module(name, number, locations)


def _module(
    path: str,
    version: str,
    locations: tuple[Location, ...],
    *,
    digests: tuple[tuple[str, str], ...] = (),
    depends: tuple[str, ...] = (),
) -> Package:
    """One module. What was built from a work tree has no version that a purl could name."""
    path, version = plain_text(path), plain_text(version, 256)
    namespace, _, name = path.strip("/").rpartition("/")
    return Package(
        name=path,
        version=version,
        type="golang",
        purl=package_url("golang", name, None if version == _DEVELOPMENT else version, namespace=namespace),
        found_by=CATALOGER.id,
        locations=locations,
        digests=digests,
        depends=depends,
    )


def _standard_library(go_version: str) -> str:
    """``1.22.1`` of ``go1.22.1``; a development toolchain is named as it names itself."""
    return go_version.removeprefix("go").partition(" ")[0] if go_version.startswith("go") else go_version
