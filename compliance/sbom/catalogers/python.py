"""Python packages: *.dist-info, *.egg-info and eggs (core metadata; PEP 376, 566, 610, 639), and what locks declare.

A lock file counts only where nothing it could describe is installed: no package below its folder, and less than
half of its names installed anywhere.
"""

from __future__ import annotations

import base64
import binascii
import csv
import json
import posixpath
import re
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit, urlunsplit

from compliance.errors import FormatError
from compliance.formats.control_file import fields, stanzas
from compliance.formats.plain_text import decode, plain_text
from compliance.formats.purl import package_url
from compliance.formats.python_locks import (
    canonical_name,
    read_pdm_lock,
    read_pipfile_lock,
    read_poetry_lock,
    read_pylock,
    read_requirements,
    read_uv_lock,
)
from compliance.formats.zip_archive import ZipArchive
from compliance.model.filesystem import Captured, FileEntry, FileTree
from compliance.model.inventory import Cataloged, Distribution, License, Location, Package, Unknown
from compliance.model.request import ContentRequest
from compliance.sbom.licenses import license_of, licenses_of
from compliance.sbom.stated import Reader, declared_packages

_METADATA_MAX = 4 * 2**20
_METADATA = ContentRequest(
    name="python-metadata",
    globs=("**/*dist-info/METADATA", "**/*egg-info/PKG-INFO", "**/EGG-INFO/PKG-INFO", "**/*.egg-info"),
    max_size=_METADATA_MAX,
)
_BESIDE = ContentRequest(
    name="python-files",
    globs=(
        "**/*dist-info/RECORD",
        "**/*egg-info/RECORD",
        "**/*egg-info/installed-files.txt",
        "**/*dist-info/direct_url.json",
    ),
    max_size=32 * 2**20,
)

_EGG_METADATA = "EGG-INFO/PKG-INFO"


def read_egg(content: bytes) -> bytes | str:
    """The metadata of a zipped egg, or what is wrong with it."""
    try:
        archive = ZipArchive(content)
        for member in archive.members():
            if member.name == _EGG_METADATA:
                return bytes(archive.read(member, _METADATA_MAX))
    except FormatError as error:
        return f"Python egg: {error.message}"
    return "Python egg without metadata"


_EGG = ContentRequest(name="python-egg", globs=("**/*.egg",), max_size=256 * 2**20, reduce=read_egg)

_REQUIREMENT_FILES = tuple(
    f"**/{name}.txt"
    for name in (
        "requirements",
        *(f"{part}{sign}requirements" for part in ("dev", "prod", "test", "base") for sign in "-_"),
        *(
            f"requirements{sign}{part}"
            for part in ("dev", "prod", "production", "test", "base", "lock")
            for sign in "-_."
        ),
    )
)
_LOCKS: tuple[tuple[ContentRequest, Reader], ...] = (
    (
        ContentRequest(name="python-requirements", globs=(*_REQUIREMENT_FILES, "**/requirements/*.txt")),
        read_requirements,
    ),
    (ContentRequest(name="pipfile-lock", globs=("**/Pipfile.lock",)), read_pipfile_lock),
    (ContentRequest(name="poetry-lock", globs=("**/poetry.lock",)), read_poetry_lock),
    (ContentRequest(name="pdm-lock", globs=("**/pdm.lock",)), read_pdm_lock),
    (ContentRequest(name="uv-lock", globs=("**/uv.lock",)), read_uv_lock),
    (ContentRequest(name="pylock", globs=("**/pylock.toml",)), read_pylock),
)

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
_REQUIREMENT = re.compile(r"\s*([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)([^;]*)(?:;(.*))?", re.DOTALL)
_EXTRA = re.compile(r"\bextra\s*==")


class PythonCataloger:
    """Installed distributions, wherever in the tree their metadata lie; then the declared ones."""

    id: str = "python"
    requests: tuple[ContentRequest, ...] = (_METADATA, _BESIDE, _EGG, *(request for request, _ in _LOCKS))

    def catalog(self, tree: FileTree, distribution: Distribution | None) -> Cataloged:
        """Every metadata file with a valid name and a version; others are unknowns."""
        beside = {item.entry.path: item for item in tree.captured(_BESIDE.name)}
        packages: list[Package] = []
        unknowns: list[Unknown] = []
        for item in (*tree.captured(_METADATA.name), *tree.captured(_EGG.name)):
            found = _package(item.entry, item.value, beside) if isinstance(item.value, bytes) else str(item.value)
            if isinstance(found, Package):
                packages.append(found)
            else:
                unknowns.append(Unknown(path=item.entry.path, reason=found))
        packages.extend(_declared(tree, packages, unknowns))
        return Cataloged(packages=tuple(packages), unknowns=tuple(unknowns))


CATALOGER = PythonCataloger()


def _declared(tree: FileTree, installed: list[Package], unknowns: list[Unknown]) -> list[Package]:
    """What lock files declare; a virtual environment lies below the project's folder."""
    folders = {folder for package in installed for folder in _above(package.locations[0].path)}
    return declared_packages(
        tree, _LOCKS, installed, unknowns, type_="pypi", found_by=CATALOGER.id, beside=folders.__contains__
    )


def _above(path: str) -> Iterator[str]:
    """Every folder that `path` lies in but the root, where all lies."""
    while path := posixpath.dirname(path):
        yield path


def _package(entry: FileEntry, content: bytes, beside: Mapping[str, Captured]) -> Package | str:
    """The package of one metadata file, or why there is none."""
    header = fields(next(stanzas(decode(content).replace("\r\n", "\n").lstrip("\n")), ""))
    values: dict[str, str] = {}
    for key, value in header:
        values.setdefault(key, value)
    name, version = values.get("name", ""), plain_text(values.get("version", ""), 256)
    if not _NAME.fullmatch(name) or len(name) > 256:
        return "Python metadata without a valid Name"
    if not version or version == "UNKNOWN":
        return f"Python metadata of {name} without a Version"
    folder = posixpath.dirname(entry.path)
    if posixpath.basename(folder).startswith("~"):
        return f"Python metadata of {name} left behind by an interrupted change; pip does not count it"
    inner = _EGG_METADATA if entry.name.endswith(".egg") else None
    paths, digests = _recorded(folder, beside) if not entry.name.endswith((".egg-info", ".egg")) else ((), {})
    return Package(
        name=name,
        version=version,
        type="pypi",
        purl=package_url("pypi", name, version, qualifiers={"vcs_url": _vcs_url(folder, beside)}),
        found_by=CATALOGER.id,
        locations=(Location(path=entry.path, layer=entry.layer, inner=inner),),
        licenses=_licenses(values, [value for key, value in header if key == "classifier"]),
        supplier=_person(values),
        homepage=_homepage(values, [value for key, value in header if key == "project-url"]),
        depends=tuple(dict.fromkeys(_requirements(value for key, value in header if key == "requires-dist"))),
        provides=(canonical_name(name),),
        files=tuple(dict.fromkeys((*paths, entry.path))),
        file_digests=digests,
    )


def _requirements(lines: Iterator[str]) -> Iterator[str]:
    """Names that are needed without an extra; markers on the platform or Python are not evaluated."""
    for line in lines:
        match = _REQUIREMENT.match(line)
        if match and not (match[3] and _EXTRA.search(match[3])):
            yield canonical_name(match[1])


def _licenses(values: Mapping[str, str], classifiers: list[str]) -> tuple[License, ...]:
    """License-Expression before License before classifiers; a License field that holds a whole text says nothing."""
    if values.get("license-expression"):
        return (license_of(values["license-expression"]),)
    stated = values.get("license", "")
    by_field = licenses_of((stated,)) if "\n" not in stated and len(stated) <= 200 else ()
    if by_field and by_field[0].expression:
        return by_field
    names = [text.rpartition("::")[2].strip() for text in classifiers if text.startswith("License ::")]
    by_classifier = licenses_of(name for name in names if name != "OSI Approved")
    return by_classifier or by_field


def _person(values: Mapping[str, str]) -> str | None:
    for key in ("author", "author-email", "maintainer", "maintainer-email"):
        text = plain_text(values.get(key, ""), 256)
        if text and text != "UNKNOWN":
            return text
    return None


def _homepage(values: Mapping[str, str], project_urls: list[str]) -> str | None:
    stated = plain_text(values.get("home-page", ""))
    if stated and stated != "UNKNOWN":
        return stated
    for line in project_urls:
        label, _, url = line.partition(",")
        if label.strip().lower() in ("homepage", "home", "home-page"):
            return plain_text(url) or None
    return None


def _vcs_url(folder: str, beside: Mapping[str, Captured]) -> str | None:
    """``git+https://…@commit`` of direct_url.json (PEP 610), without credentials."""
    item = beside.get(f"{folder}/direct_url.json")
    try:
        stated = json.loads(item.value) if item is not None and isinstance(item.value, bytes) else {}
        vcs, commit = stated["vcs_info"]["vcs"], stated["vcs_info"]["commit_id"]
        parts = urlsplit(stated["url"])
        url = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], fragment=""))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    return plain_text(f"{vcs}+{url}@{commit}") if all(isinstance(text, str) for text in (vcs, commit)) else None


def _recorded(folder: str, beside: Mapping[str, Captured]) -> tuple[tuple[str, ...], dict[str, str]]:
    """Owned paths with the sha256 sums of RECORD (PEP 376), else the paths of installed-files.txt."""
    base = posixpath.dirname(folder)
    record = beside.get(f"{folder}/RECORD")
    if record is not None and isinstance(record.value, bytes):
        rows = [(_inside(base, path), digest) for path, digest in _record_rows(record.value)]
        return tuple(path for path, _ in rows if path), {path: digest for path, digest in rows if path and digest}
    listed = beside.get(f"{folder}/installed-files.txt")
    if listed is None or not isinstance(listed.value, bytes):
        return (), {}
    lines = listed.value.decode("utf-8", "surrogateescape").splitlines()
    return tuple(path for line in lines if line and (path := _inside(folder, line))), {}


def _inside(base: str, path: str) -> str:
    """`path` of a record relative to `base`, as a tree path; "" for the root or above."""
    joined = posixpath.normpath(posixpath.join("/", base, path))
    return joined.strip("/")


def _record_rows(content: bytes) -> Iterator[tuple[str, str]]:
    """(path, ``sha256:…`` or "") for each row; the csv reader is only needed where a path holds a comma."""
    for line in content.decode("utf-8", "surrogateescape").splitlines():
        if '"' in line:
            try:
                row = next(csv.reader([line]), [])
            except csv.Error:
                continue
        else:
            row = line.split(",")
        if len(row) >= 2 and row[0]:
            yield row[0], _digest(row[1])


def _digest(text: str) -> str:
    algorithm, _, encoded = text.partition("=")
    if algorithm != "sha256":
        return ""
    try:
        raw = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
    except (binascii.Error, ValueError):
        return ""
    return f"sha256:{raw.hex()}" if len(raw) == 32 else ""
