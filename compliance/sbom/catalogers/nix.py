"""Nix packages: the folders of the store, whose names carry the hash of what they were built from (Nix manual).

A store path is all there is: nothing in it states name and version apart, so they are split as Nix does
(builtins.parseDrvName): the version starts at the first hyphen that no letter follows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from compliance.formats.plain_text import plain_text
from compliance.formats.purl import package_url
from compliance.model.filesystem import FileEntry, FileKind, FileTree
from compliance.model.inventory import Cataloged, Distribution, Location, Package
from compliance.model.request import ContentRequest

_STORE = "nix/store/"
_STORE_PATH = re.compile(r"(?:.*/)?nix/store/(?P<hash>[0-9abcdfghijklmnpqrsvwxyz]{32})-(?P<rest>[^/]+)")
_NAME_VERSION = re.compile(
    r"(?P<name>[A-Za-z0-9+._?=-]+?)-(?P<version>\d[A-Za-z0-9+._?=-]*?)"
    r"(?:-(?P<output>bin|data|debug|dev|devdoc|dist|doc|info|lib|man|out|py|static|tools))?"
)
_NO_PACKAGES = (".drv", ".tar", ".gz", ".xz", ".bz2", ".zip", ".zst", ".patch", ".diff", ".lock")


class NixCataloger:
    """Folders of nix/store with a version in their name; they own everything in them."""

    id: str = "nix"
    requests: tuple[ContentRequest, ...] = ()

    def catalog(self, tree: FileTree, distribution: Distribution | None) -> Cataloged:
        """One package an output; sources and build plans are none."""
        found: list[tuple[FileEntry, re.Match[str], re.Match[str], list[str]]] = []
        files: list[str] = []
        inside = "\0"
        for path in tree.entries:
            if _STORE not in path:
                continue
            entry = tree.entries[path]
            if path.startswith(inside):
                if entry.kind is not FileKind.DIRECTORY:
                    files.append(path)
                continue
            place = _STORE_PATH.fullmatch(path)
            if place is None or entry.kind is not FileKind.DIRECTORY or place["rest"].endswith(_NO_PACKAGES):
                continue
            named = _NAME_VERSION.fullmatch(place["rest"])
            inside, files = path + "/", []
            if named is not None:
                found.append((entry, place, named, files))
        return Cataloged(packages=tuple(_packages(found)))


CATALOGER = NixCataloger()


def _packages(found: list[tuple[FileEntry, re.Match[str], re.Match[str], list[str]]]) -> Iterator[Package]:
    for entry, place, named, files in found:
        name, version = plain_text(named["name"], 256), plain_text(named["version"], 128)
        yield Package(
            name=name,
            version=version,
            type="nix",
            purl=package_url("nix", name, version, qualifiers={"output": named["output"], "outputhash": place["hash"]}),
            found_by=CATALOGER.id,
            locations=(Location(path=entry.path, layer=entry.layer),),
            files=tuple(files),
        )
