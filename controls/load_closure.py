"""Which shared libraries can be loaded, as a dynamic loader would find them (ld.so(8), musl's ldso).

*used* is what a program needs by its headers, needed libraries followed; *possibly-used* what a loaded file, a script
or a configuration file names for dlopen(3) or LD_PRELOAD, what lies outside the folders that a loader searches (plugins
and extension modules are loaded by their path), and what those need; *unused* the rest. All that is uncertain counts as
possibly used.
"""

from __future__ import annotations

import posixpath
import re
import string
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

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
_MUSL_ITSELF = re.compile(r"lib(?:c|pthread|rt|m|dl|util|xnet)\.")
"""The libraries that musl's loader is itself and never searches for (musl, ldso/dynlink.c)."""
_UNVERSIONED = re.compile(r"\.so(?=\.|\Z)")
_LIBRARY_NAME = re.compile(r".+\.so(?:\.[\w.+-]+)?")
_CACHED = re.compile(rb"/[^\0]{1,4096}\.so[^\0/]*(?=\0)")
TEXT_NAMES_MAX = 512
_SUFFIX = re.compile(rb"\.so(?:\.\d{1,9}){0,4}(?!\w)")
_NAME_BYTES = (string.ascii_letters + string.digits + "_.+-").encode()
_NAME_MAX = 120


def names_in_text(content: bytes) -> tuple[str, ...]:
    """The names of libraries in a script or a configuration file; ANY_LIBRARY after more than TEXT_NAMES_MAX."""
    names: set[str] = set()
    for suffix in _SUFFIX.finditer(content):
        before = content[max(0, suffix.start() - _NAME_MAX) : suffix.start()]
        name = before[len(before.rstrip(_NAME_BYTES)) :]
        if name:
            names.add((name + suffix[0]).decode("ascii"))
        if len(names) > TEXT_NAMES_MAX:
            return (ANY_LIBRARY,)
    return tuple(sorted(names))


NAMING = ContentRequest(
    name="library-names-in-configuration",
    globs=(
        "etc/**",
        "**/*.conf",
        "**/*.cnf",
        "**/*.ini",
        "**/*.icd",
        "**/*.module",
        "**/*.env",
        "usr/share/{vulkan,glvnd}/**",
    ),
    reduce=names_in_text,
)
"""Where programs are told what to load, of which the library names are kept."""
_SCRIPTS = "scripts"
"""The scripts that are kept of every image."""
_LOADERS_OWN = ("etc/ld.so.cache", "etc/ld.so.conf")
"""They say where to look, not what for."""


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
        self.image_config = evidence.image.config
        self.environment = self.image_config.env if self.image_config is not None else {}
        self.libraries: dict[int, FileEntry] = {}
        self.programs: list[FileEntry] = []
        self.by_name: dict[str, set[int]] = {}
        self.found: dict[int, tuple[Use, str]] = {}
        self.todo: list[tuple[FileEntry, tuple[str, ...], Use, bool]] = []
        self.states: set[tuple[int, tuple[str, ...], Use, bool]] = set()
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

    @cached_property
    def versions(self) -> dict[str, list[str]]:
        """By a name without version the names of libraries that it stands for, itself among them."""
        out: dict[str, list[str]] = {}
        for name in self.by_name:
            for end in _UNVERSIONED.finditer(name):
                out.setdefault(name[: end.end()], []).append(name)
        return out

    def closure(self) -> Closure:
        for program in self.programs:
            self._push(program, (), Use.USED, musl=_is_musl(program))
        for name, reason in self._preloaded():
            self._mark_named(name, Use.USED, reason)
        self._drain()
        for library in self.libraries.values():
            convention = self._convention(library)
            if convention is not None:
                self._mark(library, Use.POSSIBLY, convention)
        for name, place in self._written():
            self._mark_named(name, Use.POSSIBLY, f"its name is in {place}")
        self._drain()
        return self._followed(self.programs)

    def closure_of(self, roots: tuple[FileEntry, ...]) -> Closure:
        for root in roots:
            self._push(root, (), Use.USED, musl=_is_musl(root))
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
        names = [posixpath.split(name) for name in self.tree.names(library)]
        if not any(name.startswith("lib") for _, name in names):
            return "not named as a library to link with, so a module that is loaded by its name, if at all"
        if any(folder in self.searched for folder, _ in names):
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
            wanted = self.versions.get(name, [])
        for one in wanted:
            for inode in sorted(self.by_name.get(one.rpartition("/")[2], ())):
                self._mark(self.libraries[inode], use, reason)

    def _mark(self, library: FileEntry, use: Use, reason: str) -> None:
        """Note the verdict, unless a better one stands, and follow what the library needs."""
        if self._note(library, use, reason):
            self._push(library, (), use, musl=_is_musl(library))

    def _note(self, library: FileEntry, use: Use, reason: str) -> bool:
        """Whether the verdict is better than what stood."""
        known = self.found.get(library.inode)
        better = known is None or (known[0] is Use.POSSIBLY and use is Use.USED)
        if better:
            self.found[library.inode] = (use, reason)
        return better

    def _push(self, entry: FileEntry, inherited: tuple[str, ...], use: Use, *, musl: bool) -> None:
        state = (entry.inode, inherited, use, musl)
        if state not in self.states and len(self.states) < STATES_MAX:
            self.states.add(state)
            self.todo.append((entry, inherited, use, musl))

    def _drain(self) -> None:
        """Follow DT_NEEDED of all that was pushed.

        What a program loads is searched for by the program's loader, whichever C library it was built against.
        """
        while self.todo:
            entry, inherited, use, musl = self.todo.pop()
            elf = _elf(entry)
            if elf is None:
                continue
            if elf.interpreter:
                loader = self.tree.resolve(elf.interpreter)
                if loader is not None and loader.inode in self.libraries:
                    self._mark(loader, use, f"the loader of {display_path(entry.path)}")
            own, handed_on = self._search_paths(entry, elf, inherited, musl=musl)
            reason = f"needed by {display_path(entry.path)}"
            for name in elf.needed:
                if musl and _MUSL_ITSELF.match(name):
                    continue
                place = self._locate(name, entry, own, musl=musl)
                if place is None:
                    self.missing.setdefault((name, entry.inode), entry)
                    # Not where the loader looks: one of that name elsewhere may be meant.
                    self._mark_named(name, Use.POSSIBLY, f"{reason}, which would not find it at this place")
                    continue
                self._note(place, use, reason)
                self._push(place, handed_on, use, musl=musl)

    def _search_paths(
        self, entry: FileEntry, elf: ElfFacts, inherited: tuple[str, ...], *, musl: bool
    ) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The folders for the file's own needs, and those that what it needs inherits: in musl both are handed on."""
        if elf.runpath and not musl:
            return self._expand(elf.runpath, entry), ()
        folders = self._expand((*(elf.runpath or elf.rpath), *inherited), entry)[:FOLDERS_INHERITED_MAX]
        return folders, folders

    def _locate(self, name: str, needing: FileEntry, own: tuple[str, ...], *, musl: bool) -> FileEntry | None:
        """The first that fits: a path as it is; else LD_LIBRARY_PATH, the file's own folders, the system's."""
        if "/" in name:
            return self._library_at(self._expand((name,), needing)[0], needing)
        path = [folder for folder in re.split("[:;]", self.environment.get("LD_LIBRARY_PATH", "")) if folder]
        system = self.musl_folders if musl else self.glibc_folders
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

    def _written(self) -> Iterator[tuple[str, str]]:
        """The names in the image config, in scripts and in configuration files, each with its place."""
        config = self.image_config
        if config is not None:
            texts = (*config.env.values(), *config.entrypoint, *config.cmd)
            for name in names_in_text("\n".join(texts).encode("utf-8", "surrogateescape")):
                yield name, "the image config"
        for captured in (*self.tree.captured(_SCRIPTS), *self.tree.captured(NAMING.name)):
            if captured.entry.path.startswith(_LOADERS_OWN):
                continue
            value = captured.value
            names = names_in_text(value) if isinstance(value, bytes) else value if isinstance(value, tuple) else ()
            for name in names:
                yield name, display_path(captured.entry.path)

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
    if elf.interpreter:
        return "ld-musl" in elf.interpreter
    return any(name == "libc.so" or name.startswith("libc.musl-") for name in elf.needed)
