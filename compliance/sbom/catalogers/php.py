"""PHP packages: Composer's installed.json and lock files, and what PEAR's registry says pear or pecl installed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from compliance.errors import FormatError
from compliance.formats.json_data import mapping, mappings, read_json, read_json_object, text, texts
from compliance.formats.php_serialized import read_php_serialized
from compliance.formats.purl import package_url
from compliance.model.filesystem import FileEntry, FileTree
from compliance.model.inventory import Cataloged, Distribution, License, Location, Package, Unknown
from compliance.model.request import ContentRequest
from compliance.sbom.licenses import licenses_of
from compliance.sbom.stated import describes_installed, of_others

_INSTALLED = ContentRequest(name="php-installed", globs=("**/composer/installed.json",), max_size=32 * 2**20)
_LOCK = ContentRequest(name="php-lock", globs=("**/composer.lock",), max_size=32 * 2**20)
_REGISTRY = ContentRequest(name="php-registry", globs=("**/.registry/*.reg", "**/.registry/.channel.*/*.reg"))

_DEFAULT_CHANNEL = "pear.php.net"
_SHA1 = re.compile(r"[0-9a-f]{40}")
_MD5 = re.compile(r"[0-9a-f]{32}")


class PhpCataloger:
    """Packages that Composer, pear or pecl installed; those of composer.lock as declared."""

    id: str = "php"
    requests: tuple[ContentRequest, ...] = (_INSTALLED, _LOCK, _REGISTRY)

    def catalog(self, tree: FileTree, distribution: Distribution | None) -> Cataloged:
        """Every entry with a name and a version; a file that can't be read is an unknown."""
        packages: list[Package] = []
        unknowns: list[Unknown] = []
        for request, read in ((_INSTALLED, _installed), (_REGISTRY, _registered), (_LOCK, _locked)):
            installed = {package.name for package in packages}
            for item in tree.captured(request.name):
                is_lock = request is _LOCK
                if not isinstance(item.value, bytes) or (is_lock and of_others(item.entry.path)):
                    continue
                try:
                    found = list(read(item.value, item.entry))
                except FormatError as error:
                    unknowns.append(Unknown(path=item.entry.path, reason=f"{item.entry.name}: {error.message}"))
                    continue
                if not (is_lock and describes_installed({package.name for package in found}, installed)):
                    packages.extend(found)
        return Cataloged(packages=tuple(packages), unknowns=tuple(unknowns))


CATALOGER = PhpCataloger()


def _installed(content: bytes, entry: FileEntry) -> Iterator[Package]:
    """A list in Composer 1, an object with ``packages`` since Composer 2."""
    document = read_json(content)
    for stated in mappings(document if isinstance(document, list) else mapping(document).get("packages")):
        yield from _composer(stated, entry, declared=False)


def _locked(content: bytes, entry: FileEntry) -> Iterator[Package]:
    """What is locked for running; ``packages-dev`` are only for developing."""
    for stated in mappings(read_json_object(content).get("packages")):
        yield from _composer(stated, entry, declared=True)


def _composer(stated: Mapping[str, Any], entry: FileEntry, *, declared: bool) -> Iterator[Package]:
    full_name, version = text(stated.get("name"), 256), text(stated.get("version"), 256)
    vendor, _, name = full_name.rpartition("/")
    if not name or not version:
        return
    checksum = text(mapping(stated.get("dist")).get("shasum"))
    yield Package(
        name=full_name,
        version=version,
        type="composer",
        purl=package_url("composer", name, version, namespace=vendor),
        found_by=CATALOGER.id,
        locations=(Location(path=entry.path, layer=entry.layer),),
        licenses=_any_of(texts(stated.get("license"), 128)),
        supplier=_person(next(mappings(stated.get("authors")), {})) or vendor or None,
        homepage=text(stated.get("homepage")) or None,
        digests=(("SHA-1", checksum),) if _SHA1.fullmatch(checksum) else (),
        # Names without a vendor are PHP itself, its extensions and libraries.
        depends=tuple(need for need in mapping(stated.get("require")) if "/" in need),
        provides=(*mapping(stated.get("provide")), *mapping(stated.get("replace"))),
        declared=declared,
    )


def _any_of(names: Iterator[str]) -> tuple[License, ...]:
    """Several licences of a Composer package are a choice (composer.json schema, "license")."""
    parts = [f"({name})" if " and " in name.lower() else name for name in names]
    return licenses_of((" or ".join(parts),))


def _person(stated: Mapping[str, Any]) -> str:
    name, mail = text(stated.get("name"), 128), text(stated.get("email"), 128)
    return f"{name} <{mail}>" if name and mail else name or mail


def _registered(content: bytes, entry: FileEntry) -> Iterator[Package]:
    """The one package of a file of PEAR's registry (package.xml 2.0, or the older form of 1.0)."""
    stated = mapping(read_php_serialized(content))
    name = text(stated.get("name") or stated.get("package"), 256)
    number = stated.get("version")
    version = text(mapping(number).get("release"), 128) or text(number, 128)
    if not name or not version:
        raise FormatError("a record without name and version", code="pear-invalid")
    licence = stated.get("license") or stated.get("release_license")
    files = dict(_files(mapping(stated.get("filelist"))))
    yield Package(
        name=name,
        version=version,
        type="pear",
        purl=package_url("pear", name, version, namespace=text(stated.get("channel"), 128) or _DEFAULT_CHANNEL),
        found_by=CATALOGER.id,
        locations=(Location(path=entry.path, layer=entry.layer),),
        licenses=licenses_of(texts(mapping(licence).get("_content") or licence, 256)),
        supplier=_person(_lead(stated)) or None,
        files=(entry.path, *files),
        file_digests={path: digest for path, digest in files.items() if digest},
    )


def _lead(stated: Mapping[str, Any]) -> Mapping[str, Any]:
    """The lead maintainer: one record, or the first of several under their numbers."""
    lead = mapping(stated.get("lead"))
    return lead if "name" in lead else mapping(lead.get("0") or mapping(stated.get("maintainers")).get("0"))


def _files(listed: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(path, ``md5:…`` or "") of what was put into place."""
    for stated in listed.values():
        path = mapping(stated).get("installed_as")
        if isinstance(path, str) and path.startswith("/"):
            digest = text(mapping(stated).get("md5sum"))
            yield path.strip("/"), f"md5:{digest}" if _MD5.fullmatch(digest) else ""
