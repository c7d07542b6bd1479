"""DR-PKGVERIFY: packaged files still have the content that their database records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache

from compliance.model.evidence import Evidence
from compliance.model.filesystem import FileEntry, FileKind, display_path
from compliance.model.inventory import Package
from compliance.model.outcome import (
    Check,
    Failed,
    NotApplicable,
    Observation,
    ObservationKind,
    Outcome,
    Passed,
    Severity,
    Trait,
    Unknown,
)
from controls.observe import count, file_observation, not_wholly_read, note

DATABASES = frozenset(("deb", "apk", "rpm", "alpm"))
"""purl types whose package databases record digests of files."""


@dataclass(slots=True)
class _Comparison:
    """The recorded files by what became of them; those that agree by algorithm."""

    same: Counter[str] = field(default_factory=Counter)
    changed: list[tuple[Package, str, FileEntry, str]] = field(default_factory=list)
    configuration: list[tuple[Package, str, FileEntry, str]] = field(default_factory=list)
    missing: Counter[str] = field(default_factory=Counter)
    incomparable: Counter[str] = field(default_factory=Counter)


def run(evidence: Evidence) -> Outcome:
    """The databases' digests against those of the tree, each by the algorithm that the database used."""
    packages = [package for package in evidence.inventory.packages if package.type in DATABASES]
    compared = _compare(evidence, packages)
    notes = tuple(_notes(evidence, compared))
    if compared.changed:
        return Failed(observations=(*(_changed(evidence, *item) for item in compared.changed), *notes))
    if not evidence.filesystem.wholly_read:
        return not_wholly_read(evidence.filesystem, notes)
    if compared.incomparable:
        kinds = _by_algorithm(compared.incomparable)
        return Unknown(
            reason=f"the database records digests ({kinds}) that were not computed over the image's files",
            observations=notes,
        )
    if not packages:
        return NotApplicable(reason="no package of a database that records file digests was found")
    if not compared.same:
        return Unknown(reason="the package database records no digest of a file that is there", observations=notes)
    seen = Observation(
        summary=f"{count(compared.same.total(), 'file')} of {count(len(packages), 'package')} have the content that "
        f"the package database records ({_by_algorithm(compared.same)}).",
        kind=ObservationKind.COVERAGE,
        method="package database",
    )
    return Passed(observations=(seen, *notes))


def _compare(evidence: Evidence, packages: list[Package]) -> _Comparison:
    out = _Comparison()
    tree = evidence.filesystem
    entries = tree.entries
    real_folder = cache(tree.real_path)
    for package, path, algorithm, digest in _recorded(packages):
        folder, _, name = path.rpartition("/")
        real = real_folder(folder)
        entry = None if real is None else entries.get(f"{real}/{name}" if real else name)
        if entry is None:
            out.missing[package.purl] += 1
            continue
        found = _digest(entry, algorithm)
        if entry.kind is FileKind.REGULAR and found == digest:
            out.same[algorithm] += 1
        elif entry.kind is FileKind.REGULAR and not found:
            out.incomparable[algorithm] += 1
        else:
            changed = out.configuration if path.startswith("etc/") else out.changed
            changed.append((package, path, entry, f"{algorithm}:{digest}"))
    return out


def _digest(entry: FileEntry, algorithm: str) -> str:
    """The file's digest by that algorithm; empty where it was not computed."""
    match algorithm:
        case "sha256":
            return entry.sha256
        case "md5":
            return entry.md5
        case "sha1":
            return entry.sha1
    return ""


def _by_algorithm(counts: Counter[str]) -> str:
    return ", ".join(f"{number:,} {algorithm}" for algorithm, number in sorted(counts.items()))


def _recorded(packages: list[Package]) -> Iterator[tuple[Package, str, str, str]]:
    for package in packages:
        for path, text in package.file_digests.items():
            algorithm, _, digest = text.partition(":")
            if digest:
                yield package, path.strip("/"), algorithm.lower(), digest.lower()


def _changed(evidence: Evidence, package: Package, path: str, entry: FileEntry, digest: str) -> Observation:
    is_file = entry.kind is FileKind.REGULAR
    what = f"has another content than {package.name} {package.version} installed"
    what = what if is_file else f"is no longer the regular file that {package.name} {package.version} installed"
    return file_observation(
        evidence, entry, f"{display_path(path)} {what}.", value=f"recorded {digest}", method="package database"
    )


def _notes(evidence: Evidence, compared: _Comparison) -> Iterator[Observation]:
    for package, path, entry, digest in compared.configuration:
        yield file_observation(
            evidence,
            entry,
            f"The configuration file {display_path(path)} differs from that of {package.name} {package.version}.",
            value=f"recorded {digest}",
            method="package database",
            kind=ObservationKind.NOTE,
        )
    if compared.missing:
        yield note(
            f"{count(sum(compared.missing.values()), 'recorded file')} of {count(len(compared.missing), 'package')} "
            "are not in the image, as when an image is slimmed on purpose."
        )


CHECK = Check(
    id="DR-PKGVERIFY",
    title="Installed package files match the package database",
    trait=Trait.DRIFT,
    severity=Severity.HIGH,
    rationale="A packaged file with another content than its package recorded was changed after it was installed: "
    "by a build step, by damage, or by somebody who wanted it to pass for the original.",
    looks_at="The file digests in the package databases of the image (md5 in dpkg's, sha1 in apk's, sha256 in rpm's), "
    "against those computed over the files of the merged tree.",
    proves="A pass proves that every file for which the database records a digest and that is there has that content. "
    "Files below /etc may be configured and are told as notes, missing files are counted. md5 and sha1 show damage and "
    "plain replacement, not a collision made on purpose. The database is part of the image: who changes a file could "
    "change its record too.",
    remediation="Reinstall the package, or build what differs as a package of its own; configure below /etc.",
    run=run,
    references=("rpm --verify", "dpkg --verify"),
)
