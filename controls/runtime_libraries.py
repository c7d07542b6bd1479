"""The shared libraries that a runtime image still lacks, copied to where its loader finds them."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from compliance.formats.examine import ANY_LIBRARY
from compliance.model.advice import Advice, Gap, Impact, Place
from compliance.model.evidence import Evidence
from compliance.model.filesystem import FileEntry, FileKind, display_path
from compliance.model.image import Image, ImageConfig
from controls.application import package_of
from controls.load_closure import Library, Use, closure_of
from controls.observe import count
from controls.runtime_tree import RuntimeTree

ROUNDS_MAX = 6


@dataclass(slots=True)
class LibraryMove:
    """Brings libraries into `runtime`. `copied` are those that were, `environment` may get a search path."""

    evidence: Evidence
    target: Evidence | None
    runtime: RuntimeTree
    environment: dict[str, str]
    advice: list[Advice] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    copied: dict[int, Library] = field(default_factory=dict)

    def move(self) -> None:
        """Copy until the loader would find everything, or nothing more can be found in the image."""
        inodes = {-entry.inode - 1 for entry in self.runtime.programs()}
        roots = [entry for entry in self.evidence.filesystem.regular() if entry.inode in inodes]
        if not roots:
            return
        source = closure_of(self.evidence, roots)
        by_name: dict[str, list[Library]] = {}
        for library in source.libraries:
            for name in self._names(library.entry) if library.use is not Use.UNUSED else ():
                by_name.setdefault(name, []).append(library)
        self._loaders(roots)
        wanted = {name for name, _ in self.missing()}
        if not self._names_too_many((*roots, *(library.entry for library in source.libraries))):
            wanted |= set(self._opened_by_name(roots, source.libraries))
        done: set[str] = set()
        for _ in range(ROUNDS_MAX):
            for name in sorted(wanted - done):
                for library in by_name.get(name, ()):
                    self._copy(library, name)
            done |= wanted
            wanted = {name for name, _ in self.missing() if name in by_name}
            if not wanted - done:
                break
        self._name_folders(wanted)
        self._tell({name: entry for name, entry in self.missing() if name not in by_name})
        self._tell_differing(source.libraries)

    def missing(self) -> list[tuple[str, FileEntry]]:
        """What the copied files need and the runtime image's loader does not find."""
        roots = self.runtime.programs()
        image = _with_environment(self.evidence.image, self.environment)
        closure = closure_of(replace(self.evidence, filesystem=self.runtime.tree(), image=image), roots)
        loaded = {name for entry in roots for name in self._loaded_as(entry)}
        return [(name, entry) for name, entry in closure.missing if name not in loaded]

    def _names_too_many(self, entries: Iterable[FileEntry]) -> bool:
        """Whether a file names so many libraries that nothing can be said of those that it opens."""
        for entry in entries:
            elf = entry.facts.elf if entry.facts is not None else None
            if elf is not None and ANY_LIBRARY in elf.dlopen_names:
                what = f"{display_path(entry.path)} names more libraries than are kept: which it opens is not known"
                self.gaps.append(Gap(what=what))
                return True
        return False

    def _opened_by_name(self, roots: Iterable[FileEntry], libraries: Sequence[Library]) -> Iterator[str]:
        """Names of libraries that a program or a needed library names for dlopen, and that the target does not have.

        What only such a library names in turn is left out, as is a file's former name in itself: wheels bring
        libraries under names with a hash (libz-1a2b3c4d.so.1).
        """
        certain = [*roots, *(library.entry for library in libraries if library.use is Use.USED)]
        naming = {f"its name is in {display_path(entry.path)}": entry for entry in certain}
        for library in libraries:
            by = naming.get(library.reason)
            name = self._names(library.entry)[-1]
            if library.use is not Use.POSSIBLY or by is None or _stem(name) == _stem(by.name):
                continue
            if self.runtime.tree().resolve(f"{posixpath.dirname(library.entry.path)}/{name}") is None:
                yield name

    def _names(self, entry: FileEntry) -> tuple[str, ...]:
        """Its file names, and last the name it is loaded by."""
        elf = entry.facts.elf if entry.facts is not None else None
        names = [posixpath.basename(name) for name in self.evidence.filesystem.names(entry)]
        soname = [elf.soname] if elf is not None and elf.soname else []
        return tuple(dict.fromkeys((*(name for name in names if name not in soname), *soname)))

    def _loaded_as(self, entry: FileEntry) -> Iterator[str]:
        """The name of an application's own library, which it loads by path before others ask for it by name."""
        elf = entry.facts.elf if entry.facts is not None else None
        copy = self.runtime.copies.get(entry.path)
        if elf is not None and elf.soname and (copy is None or copy.group != "library"):
            yield elf.soname

    def _loaders(self, roots: Iterable[FileEntry]) -> None:
        """The dynamic loaders that the programs ask for, at the paths they ask for."""
        asked: dict[str, FileEntry] = {}
        for root in roots:
            elf = root.facts.elf if root.facts is not None else None
            if elf is not None and elf.interpreter is not None:
                asked.setdefault(elf.interpreter.strip("/"), root)
        for path, root in sorted(asked.items()):
            found = self.evidence.filesystem.resolve(path)
            if found is None or found.kind is not FileKind.REGULAR or self.runtime.tree().resolve(path) is not None:
                continue
            self.runtime.put_file(found, path, "library")
            reason = f"the loader of {display_path(root.path)}"
            self.copied[found.inode] = Library(entry=found, use=Use.USED, reason=reason)

    def _copy(self, library: Library, name: str) -> None:
        folder = posixpath.dirname(library.entry.path)
        self.runtime.put_file(library.entry, f"{folder}/{posixpath.basename(name)}", "library")
        self.copied.setdefault(library.entry.inode, library)

    def _name_folders(self, names: set[str]) -> None:
        """Libraries that were copied and still are not found: the loader has to be told their folders."""
        copies = (copy for copy in self.runtime.copies.values() if copy.group == "library")
        folders = {posixpath.dirname(copy.target) for copy in copies if posixpath.basename(copy.target) in names}
        if folders:
            known = [one for one in self.environment.get("LD_LIBRARY_PATH", "").split(":") if one]
            added = (f"/{folder}" for folder in sorted(folders))
            self.environment["LD_LIBRARY_PATH"] = ":".join(dict.fromkeys((*known, *added)))

    def _tell(self, absent: Mapping[str, FileEntry]) -> None:
        needed = [library for library in self.copied.values() if library.use is Use.USED]
        maybe = [library for library in self.copied.values() if library.use is not Use.USED]
        if needed:
            size = sum(library.entry.size for library in needed)
            where = "the target lacks" if self.target is not None else "an image made from nothing lacks"
            self.advice.append(
                Advice(
                    id="libraries",
                    impact=Impact.BREAKS,
                    what=f"The application needs {count(len(needed), 'library', 'libraries')} that {where}.",
                    places=self._places(needed),
                    way_out=f"The proposal copies them ({size:,} bytes). Nobody updates copies: a target that "
                    "ships the libraries is better.",
                )
            )
        if maybe:
            self.advice.append(
                Advice(
                    id="libraries-by-name",
                    impact=Impact.MAY_BREAK,
                    what=f"{count(len(maybe), 'more library', 'more libraries')} may be opened by name while it runs.",
                    places=self._places(maybe),
                    way_out="The proposal copies them; leave out what the application turns out not to open.",
                )
            )
        for name, needing in sorted(absent.items()):
            self.advice.append(
                Advice(
                    id="library-unresolved",
                    impact=Impact.MAY_BREAK,
                    what=f"{display_path(needing.path)} needs {name}, which its loader does not find in this image.",
                    places=(Place(path=needing.path, layer=needing.layer, text=name),),
                    way_out="If it works today, another file has loaded that library before; try it in the target.",
                )
            )

    def _places(self, libraries: Iterable[Library]) -> tuple[Place, ...]:
        return tuple(
            Place(
                path=library.entry.path,
                layer=library.entry.layer,
                package=package_of(self.evidence, library.entry),
                text=library.reason,
            )
            for library in sorted(libraries, key=lambda library: library.entry.path)
        )

    def _tell_differing(self, libraries: Iterable[Library]) -> None:
        """Libraries that the target has in another build."""
        places = []
        for library in libraries if self.target is not None else ():
            theirs = self._theirs(library.entry) if library.use is Use.USED else None
            if theirs is not None and self.target is not None and theirs.sha256 != library.entry.sha256:
                mine, other = package_of(self.evidence, library.entry), package_of(self.target, theirs)
                text = f"here {mine or 'in no package'}, in the target {other or 'in no package'}"
                places.append(Place(path=library.entry.path, layer=library.entry.layer, package=mine, text=text))
        if places:
            self.advice.append(
                Advice(
                    id="library-builds",
                    impact=Impact.MAY_BREAK,
                    what=f"{count(len(places), 'library', 'libraries')} that the application needs "
                    "are in another build in the target, which is used.",
                    places=tuple(places),
                    way_out="Build against the target's -dev image. Whether the target's builds have every symbol that "
                    "the application asks for was not compared.",
                )
            )

    def _theirs(self, entry: FileEntry) -> FileEntry | None:
        """The target's library at the same place, by the name that it is loaded by."""
        if self.target is None:
            return None
        folder = posixpath.dirname(entry.path)
        return self.target.filesystem.resolve(f"{folder}/{self._names(entry)[-1]}")


def _stem(name: str) -> str:
    """``libz`` of libz.so.1 and of libz-1a2b3c4d.so.1."""
    return re.sub(r"(?:-[0-9a-f]{8}(?:-[0-9a-f]{8})?)?\.so.*$", "", name)


def _with_environment(image: Image, environment: Mapping[str, str]) -> Image:
    return replace(image, config=replace(image.config or ImageConfig(), env=environment))
