"""DR-UNOWNED: every program belongs to something in the inventory."""

from __future__ import annotations

from collections.abc import Iterable

from compliance.model.evidence import Evidence
from compliance.model.filesystem import FileEntry, display_path
from compliance.model.outcome import (
    Check,
    Failed,
    Observation,
    ObservationKind,
    Outcome,
    Passed,
    Severity,
    Trait,
)
from controls.observe import count, file_observation, not_wholly_read
from controls.package_places import FOLDER_OWNERS, MAINTAINER_SCRIPT
from controls.writability import KERNEL, inside

_ARCHIVES = (".jar", ".war", ".ear", ".whl", ".pyz", ".dll")


def run(evidence: Evidence) -> Outcome:
    """ELF files, scripts and archives of code against the files and locations of all packages."""
    tree = evidence.filesystem
    owned, folders = _owned(evidence)
    debian = {package.name for package in evidence.inventory.packages if package.type == "deb"}
    programs = [entry for entry in tree.files() if _is_program(entry)]
    unowned = [
        entry
        for entry in programs
        if not any(name in owned or inside(name, folders) for name in tree.names(entry))
        and not ((kept := MAINTAINER_SCRIPT.fullmatch(entry.path)) and kept[1] in debian)
    ]
    if unowned:
        return Failed(observations=(*(_finding(evidence, entry) for entry in unowned), *_gaps(evidence)))
    if not tree.wholly_read:
        return not_wholly_read(tree)
    number = count(len(programs), "program, library or archive of code", "programs, libraries and archives of code")
    packages = count(len(evidence.inventory.packages), "package")
    seen = Observation(
        summary=f"{number}, each of them part of one of {packages}."
        if programs
        else "No ELF file, no executable script and no archive of code is in the image.",
        kind=ObservationKind.COVERAGE,
        method="package databases and metadata",
    )
    return Passed(observations=(seen,))


def _is_program(entry: FileEntry) -> bool:
    return (entry.program or entry.path.endswith(_ARCHIVES)) and not inside(entry.path, KERNEL)


def _owned(evidence: Evidence) -> tuple[set[str], tuple[str, ...]]:
    """Paths that packages own or are stated by, and folders that belong to one package."""
    owned = {path.strip("/") for path in evidence.inventory.owners}
    folders: set[str] = set()
    for package in evidence.inventory.packages:
        if package.declared or package.confidence < 1:
            continue  # a lock file owns nothing, and words inside a program prove no origin
        ending = FOLDER_OWNERS.get(package.type)
        for location in package.locations:
            owned.add(location.path)
            folder = location.path.rpartition("/")[0]
            if ending is not None and location.path.endswith(ending) and folder:
                folders.add(folder)
    return owned, tuple(sorted(folders))


def _finding(evidence: Evidence, entry: FileEntry) -> Observation:
    what = "program or library" if entry.facts is not None and entry.facts.elf is not None else "script"
    what = "archive of code" if entry.name.endswith(_ARCHIVES) else what
    return file_observation(
        evidence, entry, f"The {what} {display_path(entry.path)} belongs to no package.", method="package databases"
    )


def _gaps(evidence: Evidence) -> Iterable[Observation]:
    for unknown in evidence.inventory.unknowns[:20]:
        yield Observation(
            summary=f"{display_path(unknown.path)} could not be read as packages, so owners may be missing: "
            f"{unknown.reason}.",
            kind=ObservationKind.NOTE,
            path=unknown.path,
        )


CHECK = Check(
    id="DR-UNOWNED",
    title="Every executable is accounted for by a package or the SBOM",
    trait=Trait.DRIFT,
    severity=Severity.MEDIUM,
    rationale="A program that belongs to no known package is in no SBOM and in no vulnerability scan: nobody can "
    "say where it came from or whether it needs a fix.",
    looks_at="Every ELF file, executable script and archive of code in the merged file tree, against the files that "
    "package databases list, the files that prove a package, and the folders of npm, gem and composer packages.",
    proves="A pass proves that each of them is one that a package of the inventory lists, is proved by, or has in its "
    "folder. That the file has the packaged content is asked by DR-PKGVERIFY. Scripts without execute permission are "
    "not looked at.",
    remediation="Install programs as packages, or build them so that they state what they are made of (Go build "
    "information, cargo auditable, Maven metadata).",
    run=run,
    references=("CISA minimum elements of an SBOM: coverage",),
)
