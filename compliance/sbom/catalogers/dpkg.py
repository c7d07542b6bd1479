"""Debian packages: dpkg's status database, and the status.d folder of images made without dpkg."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from compliance.formats.control_file import stanzas, unique_fields
from compliance.formats.plain_text import decode, plain_text
from compliance.formats.purl import package_url
from compliance.model.filesystem import Captured, FileTree
from compliance.model.inventory import Cataloged, Distribution, License, Location, Package, Unknown
from compliance.model.request import ContentRequest
from compliance.sbom.distribution import distro_qualifier
from compliance.sbom.licenses import license_of, licenses_of

_STATUS = ContentRequest(
    name="dpkg-status", globs=("var/lib/dpkg/status", "var/lib/dpkg/status.d/*"), max_size=64 * 2**20
)
_FILES = ContentRequest(name="dpkg-files", globs=("var/lib/dpkg/info/*.list", "var/lib/dpkg/info/*.md5sums"))
_COPYRIGHT = ContentRequest(name="dpkg-copyright", globs=("usr/share/doc/*/copyright",), max_size=2 * 2**20)

# dpkg(1), "Package states". Where configuration has not ended the files are in place all the same.
_INSTALLED = frozenset({"installed", "half-configured", "triggers-awaited", "triggers-pending"})
_GONE = frozenset({"not-installed", "config-files"})

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9+._-]*")
_SOURCE = re.compile(r"(\S+)(?:\s+\((\S+)\))?")
_DEPENDENCY = re.compile(r"[A-Za-z0-9][A-Za-z0-9+.-]*")
# Begins with what is looked for as a letter, not with ^ in lines: seven times as fast, over megabytes of text.
_LICENSE_FIELD = re.compile(r"\n(?i:License):[ \t]*(\S.*)")
_MACHINE_READABLE = re.compile(r"\A\s*Format(?:-Specification)?:[^\n]*(?:copyright-format|dep5|dep-5)", re.IGNORECASE)
_COMMON_LICENSE = re.compile(r"/usr/share/common-licenses/([A-Za-z0-9][A-Za-z0-9.+-]*)")
_CERTAIN_COMMON = frozenset({"Apache-2.0", "CC0-1.0", "MPL-1.1", "MPL-2.0"})


class DpkgCataloger:
    """Packages of var/lib/dpkg, with owned files, md5 sums and licences from usr/share/doc."""

    id: str = "dpkg"
    requests: tuple[ContentRequest, ...] = (_STATUS, _FILES, _COPYRIGHT)

    def catalog(self, tree: FileTree, distribution: Distribution | None) -> Cataloged:
        """Every record whose state says that its files are in place; others that may have files are unknowns."""
        databases, sums = _split(tree.captured(_STATUS.name))
        files = _owned_files(tree.captured(_FILES.name), sums)
        packages: list[Package] = []
        unknowns: list[Unknown] = []
        for item, text in databases:
            implied = item.entry.path != "var/lib/dpkg/status"
            for stanza in stanzas(text):
                record = unique_fields(stanza)
                problem = _problem(record, implied)
                if problem:
                    unknowns.append(Unknown(path=item.entry.path, reason=problem))
                if _is_installed(record, implied):
                    packages.append(_package(record, item, files, tree, distribution))
        return Cataloged(packages=tuple(packages), unknowns=tuple(unknowns))


CATALOGER = DpkgCataloger()


@dataclass(frozen=True, slots=True)
class _Owned:
    paths: tuple[str, ...]
    sums: Mapping[str, str]


def _split(captured: tuple[Captured, ...]) -> tuple[list[tuple[Captured, str]], list[Captured]]:
    """The files with control stanzas, and the *.md5sums that lie beside those of status.d."""
    databases: list[tuple[Captured, str]] = []
    sums: list[Captured] = []
    for item in captured:
        if not isinstance(item.value, bytes):
            continue
        name = item.entry.name
        if name.endswith(".md5sums"):
            sums.append(item)
        elif item.entry.path == "var/lib/dpkg/status" or "." not in name or b"\nVersion:" in item.value:
            databases.append((item, decode(item.value)))
    return databases, sums


def _state(record: Mapping[str, str], implied: bool) -> str:
    """The third word of Status; records of status.d need none."""
    words = record.get("status", "install ok installed" if implied else "").split()
    return words[2] if len(words) == 3 else ""


def _is_installed(record: Mapping[str, str], implied: bool) -> bool:
    return (
        _state(record, implied) in _INSTALLED
        and _NAME.fullmatch(record.get("package", "")) is not None
        and bool(record.get("version"))
    )


def _problem(record: Mapping[str, str], implied: bool) -> str | None:
    """Why a record may stand for files that no listed package accounts for; None if it does not."""
    state = _state(record, implied)
    name = plain_text(record.get("package", ""), 128)
    if state in _GONE:
        return None
    if not _is_installed(record, implied):
        if not name:
            return "a record without a package name"
        return f"the record of {name} is {state or 'without a state'}" + (
            "" if record.get("version") else ", no version"
        )
    return None if state == "installed" else f"the record of {name} is {state}: its configuration did not end"


def _owned_files(captured: tuple[Captured, ...], beside: list[Captured]) -> dict[str, _Owned]:
    """Paths and md5 sums by ``NAME`` or ``NAME:ARCH``, as dpkg names the files in its info folder."""
    paths: dict[str, list[str]] = {}
    sums: dict[str, dict[str, str]] = {}
    for item in (*captured, *beside):
        if not isinstance(item.value, bytes):
            continue
        stem, _, kind = item.entry.name.rpartition(".")
        text = item.value.decode("utf-8", "surrogateescape")
        if kind == "list":
            paths[stem] = [line[1:] for line in text.split("\n") if len(line) > 1 and line != "/."]
        else:
            sums[stem] = dict(_sum_lines(text))
    return {stem: _Owned(tuple(paths.get(stem, sums.get(stem, ()))), sums.get(stem, {})) for stem in {**paths, **sums}}


def _sum_lines(text: str) -> Iterator[tuple[str, str]]:
    for line in text.split("\n"):
        digest, _, path = line.partition("  ")
        if len(digest) == 32 and path:
            yield path.removeprefix("./").lstrip("/"), f"md5:{digest.lower()}"


def _package(
    record: Mapping[str, str],
    item: Captured,
    files: Mapping[str, _Owned],
    tree: FileTree,
    distribution: Distribution | None,
) -> Package:
    name = record["package"]
    version = plain_text(record["version"], 256)
    architecture = plain_text(record.get("architecture", ""), 64) or None
    source = _SOURCE.match(record.get("source", ""))
    owned = files.get(f"{name}:{architecture}") or files.get(name) or files.get(item.entry.name) or _Owned((), {})
    return Package(
        name=name,
        version=version,
        type="deb",
        purl=package_url(
            "deb",
            name,
            version,
            namespace=distribution.id if distribution else None,
            qualifiers={"arch": architecture, "distro": distro_qualifier(distribution)},
        ),
        found_by=CATALOGER.id,
        locations=(Location(path=item.entry.path, layer=item.entry.layer),),
        licenses=_licenses(tree, name),
        supplier=plain_text(record.get("maintainer", ""), 256) or None,
        architecture=architecture,
        source_name=plain_text(source[1], 256) if source else name,
        source_version=plain_text(source[2], 256) if source and source[2] else version,
        homepage=plain_text(record.get("homepage", "")) or None,
        depends=tuple(
            dict.fromkeys((*_alternatives(record.get("pre-depends", "")), *_alternatives(record.get("depends", ""))))
        ),
        provides=tuple(dict.fromkeys(_names(record.get("provides", "")))),
        files=owned.paths,
        file_digests=owned.sums,
    )


def _alternatives(field: str) -> Iterator[str]:
    """Each dependency as ``a | b | c``: names only, alternatives kept (deb-control(5), Depends)."""
    for group in field.split(","):
        names = [match[0] for choice in group.split("|") if (match := _DEPENDENCY.match(choice.strip()))]
        if names:
            yield " | ".join(names)


def _names(field: str) -> Iterator[str]:
    return (match[0] for part in field.split(",") if (match := _DEPENDENCY.match(part.strip())))


def _licenses(tree: FileTree, name: str) -> tuple[License, ...]:
    """Licences of usr/share/doc/NAME/copyright: License fields if machine-readable, else what it refers to."""
    content = tree.content(posixpath.join("usr/share/doc", name, "copyright"))
    if content is None:
        return ()
    text = decode(content)
    if _MACHINE_READABLE.match(text):
        return licenses_of(_LICENSE_FIELD.findall(f"\n{text}"))
    names = dict.fromkeys(match.rstrip(".-") for match in _COMMON_LICENSE.findall(text))
    # A reference to GPL-2 does not say whether later versions may be used.
    return tuple(license_of(name) if name in _CERTAIN_COMMON else License(raw=name) for name in names)
