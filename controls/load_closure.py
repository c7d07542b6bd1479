"""Which shared libraries can be loaded, as a dynamic loader would find them (ld.so(8), musl's ldso).

*used* is what a program needs by its headers, needed libraries followed; *possibly-used* what a loaded file names
for dlopen(3), what lies outside the folders that a loader searches (plugins and extension modules are loaded by their
path), and what those need; *unused* the rest. All that is uncertain counts as possibly used.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from compliance.formats.examine import ANY_LIBRARY
from compliance.formats.globs import PathMatcher
from compliance.model.evidence import Evidence
from compliance.model.filesystem import ElfFacts, FileEntry, FileKind, FileTree, display_path
from compliance.model.request import ContentRequest
from controls.knowledge import path_sorts

REQUEST = ContentRequest(
    name="dynamic-loader",
    globs=(
        "etc/ld.so.conf",
        "etc/ld.so.conf.d/*.conf",
        "etc/ld.so.cache",
        "etc/ld.so.preload",
        "etc/ld-musl-*.path",
    ),
)
"""The files that tell a loader where to look."""

FOLDERS_MAX = 1024
FOLDERS_INHERITED_MAX = 32
STATES_MAX = 200_000
"""Files followed, counted once for each set of inherited search paths."""
LINKS_MAX = 50_000
_GLIBC_FOLDERS = ("lib", "usr/lib", "lib64", "usr/lib64", "lib32", "usr/lib32", "libx32", "usr/libx32")
_MUSL_FOLDERS = ("lib", "usr/local/lib", "usr/lib")
_MULTIARCH = re.compile(r"(?:usr/)?(?:local/)?lib/[^/]+-linux-[^/]+")
_HARDWARE = re.compile(
    r"(?P<folder>.+?)/(?:glibc-hwcaps/[^/]+|(?:tls|haswell|avx512_1|x86_64|sse2|i686|atomics)(?:/[^/]+)*)"
)
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
    """All shared libraries in path order; `roots` is the number of programs that were followed.

    `missing` are the names that a file needs by its headers and that its loader would not find, each with that file.
    """

    libraries: tuple[Library, ...]
    roots: int
    missing: tuple[tuple[str, FileEntry], ...] = ()


def load_closure(evidence: Evidence) -> Closure:
    """What every program of the tree can load."""
    return _Loader(evidence).closure()


def closure_of(evidence: Evidence, roots: Iterable[FileEntry]) -> Closure:
    """What those programs and libraries can load; plugins only where one of them names their file."""
    return _Loader(evidence).closure_of(tuple(roots))


class _Loader:
    def __init__(self, evidence: Evidence) -> None:
        self.tree: FileTree = evidence.filesystem
        config = evidence.image.config
        self.environment = config.env if config is not None else {}
        self.libraries: dict[int, FileEntry] = {}
        self.programs: list[FileEntry] = []
        self.by_name: dict[str, set[int]] = {}
        self.found: dict[int, tuple[Use, str]] = {}
        self.todo: list[tuple[FileEntry, tuple[str, ...], Use]] = []
        self.states: set[tuple[int, tuple[str, ...], Use]] = set()
        self.missing: dict[tuple[str, int], FileEntry] = {}
        self.hardware: dict[str, list[str]] = {}
        self.multiarch: list[str] = []
        self._gather()
        self.glibc_folders = self._with_hardware((*self._configured(), *_GLIBC_FOLDERS, *self.multiarch))
        self.musl_folders = self._musl()
        extra = re.split("[:;]", self.environment.get("LD_LIBRARY_PATH", ""))
        folders = (*self.glibc_folders, *self._with_hardware((*self.musl_folders, *(one for one in extra if one))))
        self.searched = frozenset(folder.strip("/") for folder in folders)
        self.conventions = [(sort.what, PathMatcher(sort.globs)) for sort in path_sorts("libraries")]

    def _gather(self) -> None:
        """One pass: programs, libraries under all their names, and the loader's special folders."""
        links: list[FileEntry] = []
        for entry in self.tree:
            if entry.kind is FileKind.REGULAR:
                if entry.facts is not None and entry.facts.elf is not None:
                    self._add_file(entry, entry.facts.elf)
            elif entry.kind is FileKind.DIRECTORY:
                self._add_folder(entry.path)
            elif entry.kind is FileKind.SYMLINK and ".so" in entry.link and len(links) < LINKS_MAX:
                links.append(entry)
        for link in links:
            target = self.tree.resolve(link.path)
            if target is not None and target.inode in self.libraries:
                self._add_name(link.name, target.inode)

    def _add_file(self, entry: FileEntry, elf: ElfFacts) -> None:
        if elf.file_type == "shared" and (elf.soname or _LIBRARY_NAME.fullmatch(entry.name)):
            self.libraries.setdefault(entry.inode, entry)
            self._add_name(entry.name, entry.inode)
            if elf.soname:
                self._add_name(elf.soname, entry.inode)
        elif elf.runnable or elf.problem:
            self.programs.append(entry)

    def _add_folder(self, path: str) -> None:
        if _MULTIARCH.fullmatch(path):
            self.multiarch.append(path)
        hardware = _HARDWARE.fullmatch(path)
        if hardware is not None:
            self.hardware.setdefault(hardware["folder"], []).append(path)

    def _add_name(self, name: str, inode: int) -> None:
        self.by_name.setdefault(name, set()).add(inode)

    def closure(self) -> Closure:
        for program in self.programs:
            self._push(program, (), Use.USED)
        for name, reason in self._preloaded():
            self._mark_named(name, Use.USED, reason)
        self._drain()
        for library in self.libraries.values():
            convention = self._convention(library)
            if convention is not None:
                self._mark(library, Use.POSSIBLY, convention)
        self._drain()
        return self._followed(self.programs)

    def closure_of(self, roots: tuple[FileEntry, ...]) -> Closure:
        for root in roots:
            self._push(root, (), Use.USED)
        for name, reason in self._preloaded():
            self._mark_named(name, Use.USED, reason)
        self._drain()
        return self._followed(roots)

    def _followed(self, roots: Sequence[FileEntry]) -> Closure:
        self._follow_names(roots)
        unused = (Use.UNUSED, "nothing in the image needs or names it")
        return Closure(
            libraries=tuple(
                Library(entry=entry, use=use, reason=reason)
                for entry in sorted(self.libraries.values(), key=lambda entry: entry.path)
                for use, reason in (self.found.get(entry.inode, unused),)
            ),
            roots=len(roots),
            missing=tuple((name, entry) for (name, _), entry in sorted(self.missing.items())),
        )

    def _convention(self, library: FileEntry) -> str | None:
        """Why the library may be loaded without a name: by what it is, or since only its path leads to it."""
        what = next((what for what, matcher in self.conventions if matcher.matches(library.path)), None)
        if what is not None:
            return f"{what}, by convention"
        names = self.tree.names(library)
        if any(posixpath.dirname(name) in self.searched for name in names):
            return None
        return "in no folder that a loader searches, so a plugin that is loaded by its path, if at all"

    def _follow_names(self, roots: Sequence[FileEntry]) -> None:
        """What loaded files name for dlopen, until nothing new is found."""
        done: set[int] = set()
        todo = [*roots, *(self.libraries[inode] for inode in self.found)]
        while todo:
            for entry in todo:
                done.add(entry.inode)
                elf = _elf(entry)
                for name in elf.dlopen_names if elf is not None else ():
                    self._mark_named(name, Use.POSSIBLY, f"its name is in {display_path(entry.path)}")
            self._drain()
            todo = [self.libraries[inode] for inode in self.found if inode not in done]

    def _mark_named(self, name: str, use: Use, reason: str) -> None:
        """A name without version, as a linker or a ctypes call has it, stands for every version."""
        wanted = [name]
        if name == ANY_LIBRARY:
            wanted = list(self.by_name)
        elif name.endswith(".so"):
            wanted = [one for one in self.by_name if one == name or one.startswith(f"{name}.")]
        for one in wanted:
            for inode in sorted(self.by_name.get(one.rpartition("/")[2], ())):
                self._mark(self.libraries[inode], use, reason)

    def _mark(self, library: FileEntry, use: Use, reason: str) -> None:
        """Note the verdict, unless a better one stands, and follow what the library needs."""
        known = self.found.get(library.inode)
        if known is None or (known[0] is Use.POSSIBLY and use is Use.USED):
            self.found[library.inode] = (use, reason)
            self._push(library, (), use)

    def _push(self, entry: FileEntry, inherited: tuple[str, ...], use: Use) -> None:
        state = (entry.inode, inherited, use)
        if state not in self.states and len(self.states) < STATES_MAX:
            self.states.add(state)
            self.todo.append((entry, inherited, use))

    def _drain(self) -> None:
        """Follow DT_NEEDED of all that was pushed. Search paths of DT_RPATH are inherited, of DT_RUNPATH not."""
        while self.todo:
            entry, inherited, use = self.todo.pop()
            elf = _elf(entry)
            if elf is None:
                continue
            if elf.interpreter:
                loader = self.tree.resolve(elf.interpreter)
                if loader is not None and loader.inode in self.libraries:
                    self._mark(loader, use, f"the loader of {display_path(entry.path)}")
            handed_on = () if elf.runpath else self._expand((*elf.rpath, *inherited), entry)[:FOLDERS_INHERITED_MAX]
            own = self._expand(elf.runpath, entry) if elf.runpath else handed_on
            reason = f"needed by {display_path(entry.path)}"
            for name in elf.needed:
                place = self._locate(name, entry, own)
                if place is None:
                    self.missing.setdefault((name, entry.inode), entry)
                    # Not where the loader looks: one of that name elsewhere may be meant.
                    self._mark_named(name, Use.POSSIBLY, f"{reason}, which would not find it at this place")
                    continue
                self._mark(place, use, reason)
                if handed_on:
                    self._push(place, handed_on, use)

    def _locate(self, name: str, needing: FileEntry, own: tuple[str, ...]) -> FileEntry | None:
        """The first that fits: a path as it is; else LD_LIBRARY_PATH, the file's own folders, the system's."""
        if "/" in name:
            return self._library_at(self._expand((name,), needing)[0], needing)
        path = [folder for folder in re.split("[:;]", self.environment.get("LD_LIBRARY_PATH", "")) if folder]
        system = self.musl_folders if _is_musl(needing) else self.glibc_folders
        places = (f"{folder}/{name}" for folder in (*path, *own, *system))
        return next((found for place in places if (found := self._library_at(place, needing))), None)

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

    def _preloaded(self) -> Iterator[tuple[str, str]]:
        for name in re.split(r"[\s:]+", self.environment.get("LD_PRELOAD", "")):
            if name:
                yield name.rpartition("/")[2], "preloaded by LD_PRELOAD"
        content = self.tree.content("etc/ld.so.preload") or b""
        for name in content.decode("utf-8", "surrogateescape").split():
            yield name.rpartition("/")[2], "preloaded by /etc/ld.so.preload"


def _elf(entry: FileEntry | None) -> ElfFacts | None:
    return entry.facts.elf if entry is not None and entry.facts is not None else None


def _is_musl(entry: FileEntry) -> bool:
    elf = _elf(entry)
    if elf is None:
        return False
    return "ld-musl" in (elf.interpreter or "") or any(name.startswith("libc.musl-") for name in elf.needed)
