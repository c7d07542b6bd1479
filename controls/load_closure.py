"""Which shared libraries can be loaded, as a dynamic loader would find them (ld.so(8), musl's ldso).

*used* is what a program needs by its headers, needed libraries followed; *possibly-used* what a loaded file names
for dlopen(3), what lies in a plugin folder, and what those need; *unused* the rest. All that is uncertain counts as
possibly used, so that "unused" stands on names that were looked for in every ELF file.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from compliance.formats.examine import ANY_LIBRARY
from compliance.formats.globs import PathMatcher
from compliance.model.evidence import Evidence
from compliance.model.filesystem import ElfFacts, FileEntry, FileKind, FileTree, display_path
from compliance.model.request import ContentRequest
from controls.knowledge import PathSort, path_sorts

REQUEST = ContentRequest(
    name="dynamic-loader",
    globs=(
        "etc/ld.so.conf",
        "etc/ld.so.conf.d/*.conf",
        "etc/ld.so.cache",
        "etc/ld.so.preload",
        "etc/ld-musl-*.path",
        "etc/nsswitch.conf",
    ),
)
"""The files that tell a loader where to look."""

FOLDERS_MAX = 1024
STATES_MAX = 200_000
_GLIBC_FOLDERS = ("lib", "usr/lib", "lib64", "usr/lib64", "lib32", "usr/lib32", "libx32", "usr/libx32")
_MUSL_FOLDERS = ("lib", "usr/local/lib", "usr/lib")
_MULTIARCH = re.compile(r"(?:usr/)?(?:local/)?lib/[^/]+-linux-[^/]+")
_HWCAPS = re.compile(r".*/(?:glibc-hwcaps|tls|haswell|x86_64|sse2|atomics)(?:/[^/]+)?")
_LIBRARY_NAME = re.compile(r".+\.so(?:\.[\w.+-]+)?")
_CACHED = re.compile(rb"/[^\0]{1,4096}\.so[^\0/]*(?=\0)")


class Use(StrEnum):
    """The verdict on one library."""

    USED = "used"
    POSSIBLY = "possibly-used"
    UNUSED = "unused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Library:
    """One shared library (inode) with its verdict; `reason` says who needs or names it."""

    entry: FileEntry
    use: Use
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Closure:
    """All shared libraries in path order; `roots` is the number of programs that were followed."""

    libraries: tuple[Library, ...]
    roots: int


def load_closure(evidence: Evidence) -> Closure:
    """What every program of the tree can load."""
    return _Loader(evidence).closure()


class _Loader:
    def __init__(self, evidence: Evidence) -> None:
        self.tree: FileTree = evidence.filesystem
        config = evidence.image.config
        self.environment = config.env if config is not None else {}
        self.libraries: dict[int, FileEntry] = {}
        self.programs: list[FileEntry] = []
        self.by_name: dict[str, set[int]] = {}
        self.plugins: dict[int, str] = {}
        self.found: dict[int, tuple[Use, str]] = {}
        self.states: set[tuple[int, tuple[str, ...]]] = set()
        self.hardware: dict[str, list[str]] = {}
        self.multiarch: list[str] = []
        self._gather(path_sorts("libraries"))
        self.glibc_folders = self._with_hardware((*self._configured(), *_GLIBC_FOLDERS, *self.multiarch))
        self.musl_folders = self._musl()

    def _gather(self, sorts: tuple[PathSort, ...]) -> None:
        """One pass: programs, libraries under all their names, plugins, and the loader's special folders."""
        matchers = [(sort.what, PathMatcher(sort.globs)) for sort in sorts]
        links: list[FileEntry] = []
        for entry in self.tree:
            if entry.kind is FileKind.REGULAR:
                elf = entry.facts.elf if entry.facts is not None else None
                if elf is None or entry.inode in self.libraries:
                    if elf is not None:
                        self._add_name(entry.name, entry.inode)
                    continue
                if elf.file_type == "shared" and (elf.soname or _LIBRARY_NAME.fullmatch(entry.name)):
                    self.libraries[entry.inode] = entry
                    self._add_name(entry.name, entry.inode)
                    if elf.soname:
                        self._add_name(elf.soname, entry.inode)
                    what = next((what for what, matcher in matchers if matcher.matches(entry.path)), None)
                    if what is not None:
                        self.plugins[entry.inode] = what
                elif elf.runnable or elf.problem:
                    self.programs.append(entry)
            elif entry.kind is FileKind.SYMLINK and ".so" in entry.name:
                links.append(entry)
            elif entry.kind is FileKind.DIRECTORY:
                if _MULTIARCH.fullmatch(entry.path):
                    self.multiarch.append(entry.path)
                if _HWCAPS.fullmatch(entry.path):
                    parent = re.split(r"/(?:glibc-hwcaps|tls|haswell|x86_64|sse2|atomics)(?:/|$)", entry.path)[0]
                    self.hardware.setdefault(parent, []).append(entry.path)
        for link in links[:50_000]:
            target = self.tree.resolve(link.path)
            if target is not None and target.inode in self.libraries:
                self._add_name(link.name, target.inode)

    def _add_name(self, name: str, inode: int) -> None:
        self.by_name.setdefault(name, set()).add(inode)

    def closure(self) -> Closure:
        for program in self.programs:
            self._follow(program, Use.USED, f"needed by {display_path(program.path)}")
        for name, reason in self._preloaded():
            self._mark_named(name, Use.USED, reason)
        for inode, what in self.plugins.items():
            self._mark(self.libraries[inode], Use.POSSIBLY, f"{what}, loaded by convention")
        self._follow_names()
        libraries = []
        for inode, entry in self.libraries.items():
            use, reason = self.found.get(inode, (Use.UNUSED, "nothing in the image needs or names it"))
            libraries.append(Library(entry=entry, use=use, reason=reason))
        libraries.sort(key=lambda library: library.entry.path)
        return Closure(libraries=tuple(libraries), roots=len(self.programs))

    def _follow_names(self) -> None:
        """What loaded files name for dlopen, until nothing new is found."""
        done: set[int] = set()
        while True:
            todo = [entry for entry in self._loaded() if entry.inode not in done]
            if not todo:
                return
            for entry in todo:
                done.add(entry.inode)
                elf = _elf(entry)
                for name in elf.dlopen_names if elf is not None else ():
                    reason = f"its name is in {display_path(entry.path)}"
                    if name == ANY_LIBRARY:
                        for library in self.libraries.values():
                            self._mark(library, Use.POSSIBLY, reason)
                    else:
                        self._mark_named(name, Use.POSSIBLY, reason)

    def _loaded(self) -> Iterator[FileEntry]:
        yield from self.programs
        yield from [self.libraries[inode] for inode in self.found]

    def _mark_named(self, name: str, use: Use, reason: str) -> None:
        """A name without version, as a linker or a ctypes call has it, stands for every version."""
        wanted = [name] if not name.endswith(".so") else [one for one in self.by_name if _same_library(one, name)]
        for one in wanted:
            for inode in sorted(self.by_name.get(one.rpartition("/")[2], ())):
                self._mark(self.libraries[inode], use, reason)

    def _mark(self, library: FileEntry, use: Use, reason: str) -> None:
        known = self.found.get(library.inode)
        if known is not None and (known[0] is Use.USED or use is Use.POSSIBLY):
            return
        self.found[library.inode] = (use, reason)
        self._follow(library, use, f"needed by {display_path(library.path)}")

    def _follow(self, entry: FileEntry, use: Use, reason: str) -> None:
        """Mark what `entry` needs, and what that needs."""
        stack: list[tuple[FileEntry, tuple[str, ...], str]] = [(entry, (), reason)]
        musl = self._is_musl(entry)
        while stack:
            current, inherited, why = stack.pop()
            state = (current.inode, inherited)
            if state in self.states and use is not Use.USED:
                continue
            if len(self.states) > STATES_MAX:
                inherited, state = (), (current.inode, ())
            self.states.add(state)
            elf = _elf(current)
            if elf is None:
                continue
            if elf.interpreter:
                self._set(self.tree.resolve(elf.interpreter), use, f"the loader of {display_path(current.path)}")
            own = self._expand((*elf.rpath, *inherited) if not elf.runpath else elf.runpath, current)
            handed_on = () if elf.runpath else self._expand((*elf.rpath, *inherited), current)
            for name in elf.needed:
                place = self._locate(name, current, own, musl)
                if place is None:
                    self._maybe(name, why)
                    continue
                before = self.found.get(place.inode)
                self._set(place, use, why)
                if before is None or (before[0] is not use and use is Use.USED):
                    stack.append((place, handed_on[:32], f"needed by {display_path(place.path)}"))

    def _maybe(self, name: str, reason: str) -> None:
        """A needed library that is not where the loader looks: one of that name elsewhere may be meant."""
        for inode in sorted(self.by_name.get(name.rpartition("/")[2], ())):
            self._mark(self.libraries[inode], Use.POSSIBLY, f"{reason}, though not at this place")

    def _set(self, entry: FileEntry | None, use: Use, reason: str) -> None:
        if entry is None or entry.inode not in self.libraries:
            return
        known = self.found.get(entry.inode)
        if known is None or (known[0] is Use.POSSIBLY and use is Use.USED):
            self.found[entry.inode] = (use, reason)

    def _locate(self, name: str, needing: FileEntry, own: tuple[str, ...], musl: bool) -> FileEntry | None:
        if "/" in name:
            return self._library_at(self._expand((name,), needing)[0], needing)
        path = [folder for folder in re.split("[:;]", self.environment.get("LD_LIBRARY_PATH", "")) if folder]
        elf = _elf(needing)
        runs = elf.runpath if elf is not None else ()
        first = (*path, *own) if runs else (*own, *path)
        for folder in (*first, *(self.musl_folders if musl else self.glibc_folders)):
            found = self._library_at(f"{folder}/{name}", needing)
            if found is not None:
                return found
        return None

    def _library_at(self, path: str, needing: FileEntry) -> FileEntry | None:
        """The library at `path` if it is for the machine of `needing`: loaders pass over others."""
        entry = self.tree.resolve(path)
        theirs, ours = _elf(entry), _elf(needing)
        if entry is None or theirs is None or ours is None or entry.inode not in self.libraries:
            return None
        return entry if (theirs.machine, theirs.bits) == (ours.machine, ours.bits) else None

    def _expand(self, folders: Iterable[str], origin: FileEntry) -> tuple[str, ...]:
        """$ORIGIN is the folder of the file; for $LIB and $PLATFORM the usual values are all tried."""
        here = "/" + posixpath.dirname(origin.path)
        out: list[str] = []
        for folder in folders:
            text = folder.replace("${ORIGIN}", here).replace("$ORIGIN", here)
            text = text.replace("${LIB}", "$LIB").replace("${PLATFORM}", "$PLATFORM")
            for lib in ("lib64", "lib", *(one.rpartition("lib/")[2] for one in self.multiarch)):
                one = text.replace("$LIB", lib if lib.startswith("lib") else f"lib/{lib}")
                out.append(one.replace("$PLATFORM", "x86_64"))
                if one == text:
                    break
        return tuple(dict.fromkeys(out))

    def _configured(self) -> tuple[str, ...]:
        """Folders of ld.so.conf, its includes, and of the entries in ld.so.cache."""
        folders: list[str] = []
        for captured in self.tree.captured(REQUEST.name):
            content = captured.value
            if not isinstance(content, bytes):
                continue
            if captured.entry.path == "etc/ld.so.cache":
                places = (match[0].decode("utf-8", "surrogateescape") for match in _CACHED.finditer(content))
                folders.extend(dict.fromkeys(posixpath.dirname(place) for place in places))
            elif captured.entry.path.startswith("etc/ld.so.conf"):
                for line in content.decode("utf-8", "surrogateescape").splitlines():
                    text = line.partition("#")[0].strip()
                    if text.startswith("/"):
                        folders.extend(text.replace(",", " ").replace(":", " ").split())
        return tuple(dict.fromkeys(folders[:FOLDERS_MAX]))

    def _with_hardware(self, folders: Iterable[str]) -> tuple[str, ...]:
        out: list[str] = []
        for folder in folders:
            real = self.tree.real_path(folder)
            if real is not None:
                out.extend((real, *self.hardware.get(real, ())))
        return tuple(dict.fromkeys(out))

    def _musl(self) -> tuple[str, ...]:
        for captured in self.tree.captured(REQUEST.name):
            if captured.entry.name.startswith("ld-musl-") and isinstance(captured.value, bytes):
                text = captured.value.decode("utf-8", "surrogateescape")
                return tuple(folder for folder in re.split(r"[:\s]+", text) if folder)
        return _MUSL_FOLDERS

    def _is_musl(self, entry: FileEntry) -> bool:
        elf = _elf(entry)
        if elf is None:
            return False
        return "ld-musl" in (elf.interpreter or "") or any(name.startswith("libc.musl-") for name in elf.needed)

    def _preloaded(self) -> Iterator[tuple[str, str]]:
        for name in re.split(r"[\s:]+", self.environment.get("LD_PRELOAD", "")):
            if name:
                yield name.rpartition("/")[2], "preloaded by LD_PRELOAD"
        content = self.tree.content("etc/ld.so.preload") or b""
        for name in content.decode("utf-8", "surrogateescape").split():
            yield name.rpartition("/")[2], "preloaded by /etc/ld.so.preload"


def _elf(entry: FileEntry | None) -> ElfFacts | None:
    return entry.facts.elf if entry is not None and entry.facts is not None else None


def _same_library(one: str, plain: str) -> bool:
    return one == plain or one.startswith(f"{plain}.")
