"""RPM packages: rpm's database in its three forms, and the manifest that images without rpm keep in its place."""

from __future__ import annotations

import stat
from collections.abc import Iterator

from compliance.errors import FormatError
from compliance.formats.plain_text import decode, plain_text
from compliance.formats.purl import package_url
from compliance.formats.rpm_database import header_blobs
from compliance.formats.rpm_header import RpmHeader, Tag
from compliance.model.filesystem import Captured, FileEntry, FileTree
from compliance.model.inventory import Cataloged, Distribution, Location, Package, Unknown
from compliance.model.request import ContentRequest
from compliance.sbom.distribution import distro_qualifier
from compliance.sbom.licenses import licenses_of

_DATABASE = ContentRequest(
    name="rpm-database",
    globs=tuple(
        f"{folder}/{name}"
        for folder in ("var/lib/rpm", "usr/lib/sysimage/rpm", "usr/share/rpm")
        for name in ("rpmdb.sqlite", "rpmdb.sqlite-wal", "Packages", "Packages.db")
    ),
    max_size=512 * 2**20,
)
_MANIFEST = ContentRequest(name="rpm-manifest", globs=("var/lib/rpmmanifest/container-manifest-2",))

# Keys that rpm keeps as packages; they are no software.
_PUBLIC_KEY = "gpg-pubkey"
# The namespace of a purl is the vendor (purl-spec, rpm). Where os-release does not say, the records' own vendor does.
_VENDORS = {
    "Amazon Linux": "amzn",
    "AlmaLinux": "almalinux",
    "CentOS": "centos",
    "Fedora Project": "fedora",
    "Oracle America": "ol",
    "Red Hat, Inc.": "rhel",
    "Rocky Enterprise Software Foundation": "rocky",
    "openSUSE": "opensuse",
}
# RFC 4880, 9.4, "Hash Algorithms".
_DIGEST_ALGORITHMS = {1: "md5", 2: "sha1", 8: "sha256", 9: "sha384", 10: "sha512"}
_PACKAGES_MAX = 200_000


class RpmCataloger:
    """Packages of the RPM database with owned files, their digests and what they require."""

    id: str = "rpm"
    requests: tuple[ContentRequest, ...] = (_DATABASE, _MANIFEST)

    def catalog(self, tree: FileTree, distribution: Distribution | None) -> Cataloged:
        """Every header that has a name, a version and a release; a damaged database is an unknown."""
        packages: list[Package] = []
        unknowns: list[Unknown] = []
        databases = tree.captured(_DATABASE.name)
        logs = {item.entry.path: item.value for item in databases if item.entry.path.endswith("-wal")}
        for item in databases:
            if item.entry.path in logs or not isinstance(item.value, bytes) or not item.value:
                continue
            log = logs.get(f"{item.entry.path}-wal")
            try:
                for blob in header_blobs(item.value, log if isinstance(log, bytes) else None):
                    found = _read_package(blob, item.entry, distribution)
                    if isinstance(found, Package):
                        packages.append(found)
                    elif found:
                        unknowns.append(Unknown(path=item.entry.path, reason=found))
                    if len(packages) >= _PACKAGES_MAX:
                        raise FormatError(f"more than {_PACKAGES_MAX} packages", code="rpmdb-invalid")
            except FormatError as error:
                unknowns.append(Unknown(path=item.entry.path, reason=error.message))
        if not packages:
            for item in tree.captured(_MANIFEST.name):
                packages.extend(_manifest_packages(item, distribution))
        return Cataloged(packages=tuple(packages), unknowns=tuple(unknowns))


CATALOGER = RpmCataloger()


def _read_package(blob: bytes, entry: FileEntry, distribution: Distribution | None) -> Package | str | None:
    """The package of one header; why there is none; or None where there should be none."""
    try:
        header = RpmHeader(blob)
    except FormatError as error:
        return error.message
    name = plain_text(header.text(Tag.NAME), 256)
    version, release = plain_text(header.text(Tag.VERSION), 128), plain_text(header.text(Tag.RELEASE), 128)
    if name == _PUBLIC_KEY:
        return None
    if not (name and version and release):
        return f"an RPM header of {name} without version or release" if name else "an RPM header without a name"
    epoch = header.integers(Tag.EPOCH)
    files = dict(_files(header))
    return _package(
        entry,
        distribution,
        name=name,
        version=f"{version}-{release}",
        epoch=str(epoch[0]) if epoch else None,
        architecture=plain_text(header.text(Tag.ARCH), 64) or None,
        source_rpm=plain_text(header.text(Tag.SOURCE_RPM), 256),
        vendor=plain_text(header.text(Tag.VENDOR), 256) or plain_text(header.text(Tag.PACKAGER), 256),
        license_text=header.text(Tag.LICENSE),
        homepage=plain_text(header.text(Tag.URL)) or None,
        depends=tuple(dict.fromkeys(_requirements(header))),
        provides=tuple(dict.fromkeys(plain_text(text) for text in header.texts(Tag.PROVIDE_NAME))),
        files=files,
    )


def _package(
    entry: FileEntry,
    distribution: Distribution | None,
    *,
    name: str,
    version: str,
    epoch: str | None,
    architecture: str | None,
    source_rpm: str,
    vendor: str,
    license_text: str = "",
    homepage: str | None = None,
    depends: tuple[str, ...] = (),
    provides: tuple[str, ...] = (),
    files: dict[str, str] | None = None,
) -> Package:
    """`version` is VERSION-RELEASE; the epoch is a qualifier of the purl (purl-spec, rpm)."""
    source_name, source_version = _source(source_rpm)
    owned = files or {}
    return Package(
        name=name,
        version=f"{epoch}:{version}" if epoch and epoch != "0" else version,
        type="rpm",
        purl=package_url(
            "rpm",
            name,
            version,
            namespace=distribution.id if distribution else _VENDORS.get(vendor),
            qualifiers={
                "arch": architecture,
                "epoch": epoch if epoch != "0" else None,
                "distro": distro_qualifier(distribution),
            },
        ),
        found_by=CATALOGER.id,
        locations=(Location(path=entry.path, layer=entry.layer),),
        licenses=licenses_of((license_text,)),
        supplier=vendor or None,
        architecture=architecture,
        source_name=source_name or None,
        source_version=source_version or None,
        homepage=homepage,
        depends=depends,
        provides=provides,
        files=tuple(owned),
        file_digests={path: digest for path, digest in owned.items() if digest},
    )


def _source(source_rpm: str) -> tuple[str, str]:
    """Name and VERSION-RELEASE of ``NAME-VERSION-RELEASE.src.rpm``."""
    stem = source_rpm.removesuffix(".rpm").rpartition(".")[0]
    rest, _, release = stem.rpartition("-")
    name, _, version = rest.rpartition("-")
    return (name, f"{version}-{release}") if name else ("", "")


def _requirements(header: RpmHeader) -> Iterator[str]:
    """What is required by name; features of rpm itself and conditions between parentheses are none."""
    for text in header.texts(Tag.REQUIRE_NAME):
        if text and not text.startswith(("rpmlib(", "(")):
            yield plain_text(text)


def _files(header: RpmHeader) -> Iterator[tuple[str, str]]:
    """(path, ``sha256:…`` or "") of all that is no directory."""
    names = header.texts(Tag.OLD_FILE_NAMES) or list(_split_names(header))
    modes = header.integers(Tag.FILE_MODES)
    digests = header.texts(Tag.FILE_DIGESTS)
    stated = header.integers(Tag.FILE_DIGEST_ALGORITHM)
    algorithm = _DIGEST_ALGORITHMS.get(stated[0] if stated else 1)
    for index, name in enumerate(names):
        if index < len(modes) and stat.S_ISDIR(modes[index] & 0xFFFF):
            continue
        digest = digests[index] if index < len(digests) and algorithm else ""
        path = name.lstrip("/")
        if path:
            yield path, f"{algorithm}:{digest.lower()}" if digest else ""


def _split_names(header: RpmHeader) -> Iterator[str]:
    folders = header.texts(Tag.DIR_NAMES)
    for index, name in zip(header.integers(Tag.DIR_INDEXES), header.texts(Tag.BASE_NAMES), strict=False):
        if index < len(folders):
            yield folders[index] + name


def _manifest_packages(item: Captured, distribution: Distribution | None) -> Iterator[Package]:
    """Tab-separated lines: name, version-release, install and build time, vendor, epoch, size, arch, source."""
    content = item.value if isinstance(item.value, bytes) else b""
    for line in decode(content).splitlines():
        row = [plain_text(cell, 256) for cell in line.split("\t")]
        if len(row) < 9 or not row[0] or not row[1] or row[0] == _PUBLIC_KEY:
            continue
        yield _package(
            item.entry,
            distribution,
            name=row[0],
            version=row[1],
            epoch=row[5] if row[5].isdigit() else None,
            architecture=row[7] or None,
            source_rpm=row[8],
            vendor=row[4] if row[4] != "(none)" else "",
        )
