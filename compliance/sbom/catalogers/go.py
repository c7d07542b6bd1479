"""Go modules: compiled into executables, as the linker recorded them (debug/buildinfo), vendored, and declared.

Modules whose sources lie in a vendor folder are in the image; what go.mod requires is only declared, and counts
only where no executable of that module is there and less than half of its modules are in executables.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from compliance.formats.go_module_files import GoMod, read_go_mod, read_go_sum, read_modules_txt
from compliance.formats.plain_text import plain_text
from compliance.formats.purl import package_url
from compliance.model.filesystem import FileEntry, FileTree, GoBuildInfo
from compliance.model.inventory import Cataloged, Distribution, Location, Package
from compliance.model.request import ContentRequest
from compliance.sbom.stated import STATED_MAX, describes_installed, of_others

_VENDOR = ContentRequest(name="go-vendor", globs=("**/vendor/modules.txt",))
_MOD = ContentRequest(name="go-mod", globs=("**/go.mod",))
_SUM = ContentRequest(name="go-sum", globs=("**/go.sum",))
_LISTS_ALL = (1, 17)
"""Since this Go version go.mod lists indirect modules too (Go Modules Reference, "go directive")."""

_DEVELOPMENT = "(devel)"
_STANDARD_LIBRARY = "stdlib"


class GoCataloger:
    """The main module, its dependencies and the standard library of every Go executable; then source trees."""

    id: str = "go"
    requests: tuple[ContentRequest, ...] = (_VENDOR, _MOD, _SUM)

    def catalog(self, tree: FileTree, distribution: Distribution | None) -> Cataloged:
        """Modules of each file once, however many names it has."""
        packages: list[Package] = []
        seen: set[int] = set()
        for entry in tree:
            if entry.facts is None or entry.facts.elf is None or entry.facts.elf.go is None or entry.inode in seen:
                continue
            seen.add(entry.inode)
            packages.extend(_packages(entry, tree.names(entry), entry.facts.elf.go))
        packages.extend(_vendored(tree, {package.purl for package in packages}))
        packages.extend(_declared(tree, packages))
        return Cataloged(packages=tuple(packages))


CATALOGER = GoCataloger()


def _vendored(tree: FileTree, built: set[str]) -> Iterator[Package]:
    """What each vendor/modules.txt names; declared where the sources it names are not beside it."""
    for item in tree.captured(_VENDOR.name):
        folder = posixpath.dirname(item.entry.path)
        if of_others(posixpath.dirname(folder) + "/") or not isinstance(item.value, bytes):
            continue
        for number, (place, path, version) in enumerate(read_modules_txt(item.value)):
            declared = f"{folder}/{place}" not in tree.entries
            package = _module(path, version, (_location(item.entry),), declared=declared)
            if number < STATED_MAX and not (declared and package.purl in built):
                yield package


def _declared(tree: FileTree, found: list[Package]) -> Iterator[Package]:
    """What go.mod requires, where neither an executable nor a vendor folder shows what came of it."""
    names, purls = {package.name for package in found}, {package.purl for package in found}
    sums = {posixpath.dirname(item.entry.path): item.value for item in tree.captured(_SUM.name)}
    for item in tree.captured(_MOD.name):
        folder = posixpath.dirname(item.entry.path)
        if of_others(item.entry.path) or f"{folder}/vendor/modules.txt".lstrip("/") in tree.entries:
            continue
        mod = read_go_mod(item.value if isinstance(item.value, bytes) else b"")
        stated = dict(mod.requires)
        sum_ = sums.get(folder)
        if mod.go < _LISTS_ALL and isinstance(sum_, bytes):
            stated = {**_indirect(mod, sum_), **stated}
        if mod.module in names or describes_installed(stated, names):
            continue
        for path, version in list(stated.items())[:STATED_MAX]:
            package = _module(path, version, (_location(item.entry),), declared=True)
            if package.purl not in purls:
                yield package


def _indirect(mod: GoMod, sum_: bytes) -> dict[str, str]:
    """Modules of go.sum alone: it keeps every version that was looked at in order, so the last is the newest."""
    return {path: version for path, version in read_go_sum(sum_) if path not in mod.replaced and path != mod.module}


def _location(entry: FileEntry) -> Location:
    return Location(path=entry.path, layer=entry.layer)


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
    declared: bool = False,
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
        declared=declared,
    )


def _standard_library(go_version: str) -> str:
    """``1.22.1`` of ``go1.22.1``; a development toolchain is named as it names itself."""
    return go_version.removeprefix("go").partition(" ")[0] if go_version.startswith("go") else go_version
