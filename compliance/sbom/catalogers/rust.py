"""Rust crates: those compiled into executables as cargo-auditable recorded them, and those Cargo.lock declares."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

from compliance.errors import FormatError
from compliance.formats.json_data import mappings, read_json_object, text
from compliance.formats.plain_text import decode
from compliance.formats.purl import package_url
from compliance.model.filesystem import FileEntry, FileTree
from compliance.model.inventory import Cataloged, Distribution, Location, Package, Unknown
from compliance.model.request import ContentRequest
from compliance.sbom.stated import describes_installed, of_others

_LOCK = ContentRequest(name="cargo-lock", globs=("**/Cargo.lock",), max_size=8 * 2**20)
_AUDIT_MAX = 8 * 2**20
_CRATES_MAX = 100_000
# Sources that cargo keeps for a build: their lock files say what their authors built with.
_SOURCES = re.compile(r"(?:.*/)?(?:registry/src|git/checkouts)/.*")
_CHECKSUM = re.compile(r"[0-9a-f]{64}")


class RustCataloger:
    """Crates of executables with an audit section; those of lock files as declared, if they are others."""

    id: str = "rust"
    requests: tuple[ContentRequest, ...] = (_LOCK,)

    def catalog(self, tree: FileTree, distribution: Distribution | None) -> Cataloged:
        """Crates of each executable once, however many names it has; crates that only the build ran are none."""
        packages: list[Package] = []
        unknowns: list[Unknown] = []
        for entry, audit in _audits(tree):
            try:
                packages.extend(_compiled(audit, entry, tree.names(entry)))
            except FormatError as error:
                unknowns.append(Unknown(path=entry.path, reason=error.message))
        installed = {package.name for package in packages}
        for item in tree.captured(_LOCK.name):
            path = item.entry.path
            if not isinstance(item.value, bytes) or of_others(path) or _SOURCES.fullmatch(path):
                continue
            try:
                declared = list(_locked(item.value, item.entry))
            except FormatError as error:
                unknowns.append(Unknown(path=path, reason=error.message))
                continue
            if not describes_installed({crate.name for crate in declared}, installed):
                packages.extend(declared)
        return Cataloged(packages=tuple(packages), unknowns=tuple(unknowns))


CATALOGER = RustCataloger()


def _audits(tree: FileTree) -> Iterator[tuple[FileEntry, bytes]]:
    seen: set[int] = set()
    for entry in tree:
        audit = entry.facts.elf.rust_audit if entry.facts and entry.facts.elf else None
        if audit is not None and entry.inode not in seen:
            seen.add(entry.inode)
            yield entry, audit


def _compiled(audit: bytes, entry: FileEntry, names: tuple[str, ...]) -> Iterator[Package]:
    """The crates of one executable. Raises FormatError."""
    crates = list(mappings(read_json_object(_inflated(audit)).get("packages")))
    if len(crates) > _CRATES_MAX:
        raise FormatError(f"a Rust audit section of more than {_CRATES_MAX} crates", code="rust-audit-invalid")
    identities = [f"{text(crate.get('name'), 256)}@{text(crate.get('version'), 256)}" for crate in crates]
    locations = tuple(Location(path=path, layer=entry.layer) for path in names)
    for crate in crates:
        if crate.get("kind", "runtime") == "runtime" and text(crate.get("name")) and text(crate.get("version")):
            needed = crate.get("dependencies")
            yield _crate(
                crate,
                locations,
                digests=(("SHA-256", entry.sha256),) if crate.get("root") is True and entry.sha256 else (),
                depends=tuple(
                    identities[index]
                    for index in (needed if isinstance(needed, list) else ())
                    if type(index) is int and 0 <= index < len(identities)
                ),
            )


def _inflated(audit: bytes) -> bytes:
    inflate = zlib.decompressobj()
    try:
        content = inflate.decompress(audit, _AUDIT_MAX)
    except zlib.error:
        raise FormatError("a Rust audit section that does not inflate", code="rust-audit-invalid") from None
    if not inflate.eof:
        reason = f"a Rust audit section that is cut or of more than {_AUDIT_MAX} bytes"
        raise FormatError(reason, code="rust-audit-invalid")
    return content


def _locked(content: bytes, entry: FileEntry) -> Iterator[Package]:
    """The crates of Cargo.lock, of any of its versions. Raises FormatError."""
    import tomllib

    try:
        lock = tomllib.loads(decode(content))
    except (ValueError, RecursionError):
        raise FormatError("Cargo.lock is not TOML", code="cargo-lock-invalid") from None
    locations = (Location(path=entry.path, layer=entry.layer),)
    for crate in mappings(lock.get("package")):
        if text(crate.get("name")) and text(crate.get("version")):
            checksum = text(crate.get("checksum"))
            yield _crate(
                crate,
                locations,
                digests=(("SHA-256", checksum),) if _CHECKSUM.fullmatch(checksum) else (),
                depends=tuple(_needed(crate.get("dependencies"))),
                declared=True,
            )


def _needed(lines: Any) -> Iterator[str]:
    """``NAME``, ``NAME VERSION`` or ``NAME VERSION (SOURCE)``: as short as is clear."""
    for line in lines if isinstance(lines, list) else ():
        words = text(line, 512).split(" ")
        if words[0]:
            yield "@".join(words[:2])


def _crate(
    crate: Mapping[str, Any],
    locations: tuple[Location, ...],
    *,
    digests: tuple[tuple[str, str], ...],
    depends: tuple[str, ...],
    declared: bool = False,
) -> Package:
    name, version = text(crate.get("name"), 256), text(crate.get("version"), 256)
    return Package(
        name=name,
        version=version,
        type="cargo",
        purl=package_url("cargo", name, version),
        found_by=CATALOGER.id,
        locations=locations,
        digests=digests,
        depends=depends,
        declared=declared,
    )
