"""Conda packages: the records in conda-meta of each environment (conda, "PrefixRecord")."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from typing import Any

from compliance.errors import FormatError
from compliance.formats.json_data import mapping, mappings, read_json_object, text, texts
from compliance.formats.purl import package_url
from compliance.model.filesystem import FileEntry, FileTree
from compliance.model.inventory import Cataloged, Distribution, Location, Package, Unknown
from compliance.model.request import ContentRequest
from compliance.sbom.licenses import licenses_of

_KEPT = ("name", "version", "build", "subdir", "channel", "fn", "license", "md5", "sha256", "depends")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_FORMS = (".tar.bz2", ".conda")


def read_record(content: bytes) -> Mapping[str, Any] | str:
    """The fields that matter of one record, its files as path to sha256 or ""; or why it is none."""
    try:
        stated = read_json_object(content)
    except FormatError as error:
        return error.message
    return {**{key: stated[key] for key in _KEPT if key in stated}, "files": dict(_files(stated))}


def _files(stated: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Owned paths, with their digests after conda wrote its prefix into them."""
    files = stated.get("files")
    for path in files if isinstance(files, list) else ():
        if isinstance(path, str):
            yield path, ""
    for part in mappings(mapping(stated.get("paths_data")).get("paths")):
        path = part.get("_path")
        digest = text(part.get("sha256_in_prefix") or part.get("sha256"))
        if isinstance(path, str):
            # The digest of a link is that of what it led to when the package was built.
            yield path, digest if _DIGEST.fullmatch(digest) and part.get("path_type") != "softlink" else ""


_RECORD = ContentRequest(name="conda-record", globs=("**/conda-meta/*.json",), max_size=64 * 2**20, reduce=read_record)


class CondaCataloger:
    """Packages of every environment, with the files they own there."""

    id: str = "conda"
    requests: tuple[ContentRequest, ...] = (_RECORD,)

    def catalog(self, tree: FileTree, distribution: Distribution | None) -> Cataloged:
        """Every record with a name and a version; others are unknowns."""
        packages: list[Package] = []
        unknowns: list[Unknown] = []
        for item in tree.captured(_RECORD.name):
            record = item.value
            if isinstance(record, Mapping) and text(record.get("name")) and text(record.get("version")):
                packages.append(_package(record, item.entry))
            else:
                reason = record if isinstance(record, str) else "no name or version"
                unknowns.append(Unknown(path=item.entry.path, reason=f"conda record: {reason}"))
        return Cataloged(packages=tuple(packages), unknowns=tuple(unknowns))


CATALOGER = CondaCataloger()


def _package(record: Mapping[str, Any], entry: FileEntry) -> Package:
    name, version = text(record.get("name"), 256), text(record.get("version"), 128)
    subdir, channel = text(record.get("subdir"), 64), _channel(record)
    prefix = posixpath.dirname(posixpath.dirname(entry.path))
    files = {f"{prefix}/{path}".strip("/"): digest for path, digest in mapping(record.get("files")).items()}
    archive = text(record.get("fn"), 512)
    return Package(
        name=name,
        version=version,
        type="conda",
        purl=package_url(
            "conda",
            name,
            version,
            qualifiers={
                "build": text(record.get("build"), 128),
                "channel": channel,
                "subdir": subdir,
                "type": next((form[1:] for form in _FORMS if archive.endswith(form)), None),
            },
        ),
        found_by=CATALOGER.id,
        locations=(Location(path=entry.path, layer=entry.layer),),
        licenses=licenses_of(texts(record.get("license"), 512)),
        supplier=channel or None,
        architecture=subdir or None,
        digests=tuple(_digests(record)),
        depends=tuple(dict.fromkeys(need.split(" ")[0] for need in texts(record.get("depends"), 256))),
        files=(entry.path, *files),
        file_digests={path: f"sha256:{digest}" for path, digest in files.items() if digest},
    )


def _channel(record: Mapping[str, Any]) -> str:
    """``conda-forge`` of ``https://…/conda-forge/linux-64``, or as it stands."""
    stated = text(record.get("channel"), 512).rstrip("/")
    return stated.removesuffix("/" + text(record.get("subdir"), 64)).rpartition("/")[2]


def _digests(record: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Of the archive that was installed."""
    for key, algorithm, length in (("md5", "MD5", 32), ("sha256", "SHA-256", 64)):
        digest = text(record.get(key)).lower()
        if re.fullmatch(rf"[0-9a-f]{{{length}}}", digest):
            yield algorithm, digest
