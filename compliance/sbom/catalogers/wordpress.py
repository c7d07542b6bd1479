"""WordPress plugins: the header of each plugin's main file (WordPress plugin handbook, "Header Requirements")."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping

from compliance.formats.plain_text import decode, plain_text
from compliance.formats.purl import package_url
from compliance.model.filesystem import FileEntry, FileTree
from compliance.model.inventory import Cataloged, Distribution, Location, Package
from compliance.model.request import ContentRequest
from compliance.sbom.licenses import licenses_of

_HEADER_SIZE = 8192  # as far as get_file_data() of WordPress reads
_FIELD = re.compile(r"^[ \t/*#@]*(Plugin Name|Plugin URI|Version|Author|License|Update URI):(.*)$", re.MULTILINE)
_FIELD_END = re.compile(r"\s*(?:\*/|\?>).*")
_PLUGINS = "plugins"


def read_header(content: bytes) -> Mapping[str, str] | None:
    """The fields of a plugin's header by lower-case name; None for every other PHP file."""
    head = decode(content[:_HEADER_SIZE]).replace("\r", "\n")
    values: dict[str, str] = {}
    for name, value in _FIELD.findall(head):
        values.setdefault(name.lower(), plain_text(_FIELD_END.sub("", value), 512))
    return values if values.get("plugin name") else None


_PLUGIN = ContentRequest(
    name="wordpress-plugin",
    globs=tuple(
        f"**/wp-content/{folder}/{file}" for folder in (_PLUGINS, "mu-plugins") for file in ("*.php", "*/*.php")
    ),
    reduce=read_header,
)


class WordpressCataloger:
    """Plugins in wp-content; WordPress knows a plugin by its folder, or by its file if it has none."""

    id: str = "wordpress"
    requests: tuple[ContentRequest, ...] = (_PLUGIN,)

    def catalog(self, tree: FileTree, distribution: Distribution | None) -> Cataloged:
        """Every header with a name and a version; a plugin may leave its version out and is then not told apart."""
        plugins = ((item.value, item.entry) for item in tree.captured(_PLUGIN.name))
        return Cataloged(
            packages=tuple(
                _package(header, entry)
                for header, entry in plugins
                if isinstance(header, Mapping) and header.get("version")
            )
        )


CATALOGER = WordpressCataloger()


def _package(header: Mapping[str, str], entry: FileEntry) -> Package:
    folder = posixpath.basename(posixpath.dirname(entry.path))
    slug = entry.name.removesuffix(".php") if folder.endswith(_PLUGINS) else folder
    return Package(
        name=header["plugin name"],
        version=header["version"],
        type="wordpress",
        purl=package_url("wordpress", slug, header["version"], namespace="plugin"),
        found_by=CATALOGER.id,
        locations=(Location(path=entry.path, layer=entry.layer),),
        licenses=licenses_of((header.get("license", ""),)),
        supplier=header.get("author") or None,
        homepage=header.get("plugin uri") or None,
        files=(entry.path,),
    )
