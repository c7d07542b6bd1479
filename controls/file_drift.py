"""What changed in the file tree: each path once, in the most telling area, with everything about it that differs.

Content that comes, goes or changes with a package's version or with an account is told there and not again here;
a privilege, or what the runtime user can change, is always told.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from compliance.model.drift import Area, AreaDrift, Aspect, Carried, Change, Difference
from compliance.model.evidence import Evidence
from compliance.model.filesystem import FileEntry, FileKind, FileTree, display_path
from controls.account_drift import AccountDrift
from controls.accounts import Identity
from controls.file_capabilities import decode
from controls.observe import count, mode_text
from controls.package_drift import PackageDrift, package_name
from controls.writability import KERNEL, Writability, inside, is_code, is_configuration

LISTED_MAX = 1000
"""Differences of one area, and carried paths, that are listed; the rest is counted."""
SPECIAL_BITS = 0o7022
"""Permission bits for which a new directory is told even where files that it holds tell of it."""

MOUNTED = ("dev", "proc", "run", "sys", "tmp", "var/run", "var/tmp")
"""Folders that a runtime mounts over, or that programs fill while they run (filesystem hierarchy standard 3.0)."""
WRITTEN = frozenset((".dockerenv", "etc/hostname", "etc/hosts", "etc/mtab", "etc/resolv.conf"))
"""Files that container runtimes make when a container starts."""

_KINDS = {
    FileKind.REGULAR: "file",
    FileKind.DIRECTORY: "directory",
    FileKind.SYMLINK: "link",
    FileKind.CHARACTER_DEVICE: "character device",
    FileKind.BLOCK_DEVICE: "block device",
    FileKind.FIFO: "pipe",
}

Pair = tuple[FileEntry | None, FileEntry | None]


@dataclass(slots=True)
class Listing:
    """The differences of each area in the making: the first LISTED_MAX in the order they come, all counted."""

    _listed: dict[Area, list[Difference]] = field(default_factory=dict)
    _counts: dict[Area, dict[Change, int]] = field(default_factory=dict)

    def add(self, difference: Difference) -> None:
        """One more."""
        listed = self._listed.setdefault(difference.area, [])
        if len(listed) < LISTED_MAX:
            listed.append(difference)
        counts = self._counts.setdefault(difference.area, dict.fromkeys(Change, 0))
        counts[difference.change] += 1

    def has(self, areas: Iterable[Area]) -> bool:
        """Whether there is a difference in one of `areas`."""
        return any(area in self._counts for area in areas)

    def annotate(self, area: Area, note: str, subject: str | None = None) -> bool:
        """Add `note` to the first difference of `area` (about `subject`); whether there is one."""
        for number, difference in enumerate(self._listed.get(area, ())):
            if subject in (None, difference.subject):
                joined = f"{difference.note}; {note}" if difference.note else note
                self._listed[area][number] = replace(difference, note=joined)
                return True
        return False

    def areas(self) -> tuple[AreaDrift, ...]:
        """What was gathered, most important area first."""
        return tuple(
            AreaDrift(area=area, differences=tuple(self._listed[area]), counts=self._counts[area])
            for area in Area
            if area in self._counts
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One image as the comparison sees it; `writability` is None where nobody, or everybody, may change everything."""

    evidence: Evidence
    writability: Writability | None
    places: frozenset[str]

    @classmethod
    def of(cls, evidence: Evidence, who: Identity | None) -> Side:
        """`who` runs in it; None where that can't be said."""
        if who is None or who.root:
            return cls(evidence=evidence, writability=None, places=frozenset())
        writability = Writability(evidence.filesystem, who)
        return cls(evidence=evidence, writability=writability, places=frozenset(writable_places(writability)))

    @property
    def tree(self) -> FileTree:
        """The file tree."""
        return self.evidence.filesystem

    def owner(self, entry: FileEntry | None) -> str | None:
        """The purl of the package that owns `entry`."""
        return None if entry is None else self.evidence.inventory.owner(*self.tree.names(entry))

    def link_owner(self, entry: FileEntry | None) -> str | None:
        """The owner of what a link leads to, where the link only gives it another name: lists of files leave out
        the links that ldconfig makes, and some leave out all. A link elsewhere that leads to code is none of these.
        """
        if entry is None or entry.kind is not FileKind.SYMLINK:
            return None
        target = self.tree.resolve(entry.path)
        if target is None or target.kind is not FileKind.REGULAR:
            return None
        beside = posixpath.dirname(target.path) == posixpath.dirname(entry.path)
        return self.owner(target) if beside or not is_code(target) else None

    def can_change(self, entry: FileEntry | None) -> bool:
        """Whether the runtime user can change what `entry`'s path leads to, or make files in that directory."""
        if entry is None or self.writability is None or inside(entry.path, KERNEL):
            return False
        if entry.kind is FileKind.DIRECTORY:
            folder = self.writability.folder(entry.path)
            return folder.writable or folder.control is not None
        return self.writability.access(entry).changes

    def runs(self, entry: FileEntry | None) -> bool:
        """Whether `entry` is code, or a link to some."""
        if entry is not None and entry.kind is FileKind.SYMLINK:
            entry = self.tree.resolve(entry.path)
        return entry is not None and is_code(entry)


def writable_places(writability: Writability) -> Iterator[str]:
    """The files and directories through which the user can change things: of a directory that gives everything
    below it away, only itself."""
    who = writability.who
    for entry in writability.tree:
        if entry.uid != who.uid and not entry.mode & 0o022:
            continue
        if entry.kind is FileKind.SYMLINK or inside(entry.path, KERNEL):
            continue
        if entry.kind is FileKind.DIRECTORY:
            folder = writability.folder(entry.path)
            if folder.writable and folder.control in (None, entry.path):
                yield entry.path
        else:
            access = writability.access(entry)
            if access.by_file and access.control is None:
                yield entry.path


@dataclass(slots=True, kw_only=True)
class FileDrift:
    """Compares two trees into `listing` and `normal`. `rootfs` says that one of them is a root filesystem."""

    before: Side
    after: Side
    packages: PackageDrift
    accounts: AccountDrift
    rootfs: bool
    listing: Listing
    normal: Listing = field(default_factory=Listing)
    carried: list[Carried] = field(default_factory=list)
    carried_total: int = 0
    _pairs: dict[str, Pair] = field(default_factory=dict)
    _same_version: dict[str, list[tuple[str, Change]]] = field(default_factory=dict)

    def run(self) -> None:
        """Find and tell every difference, in path order."""
        self._pairs = dict(_differing(self.before.tree, self.after.tree))
        implied = self._implied_folders()
        told: dict[tuple[int, int], list[str]] = {}
        for path, (old, new) in self._pairs.items():
            if path not in implied and _regular(old) and _regular(new):
                told.setdefault(_inodes(old, new), []).append(path)
        for path, (old, new) in self._pairs.items():
            if path in implied:
                continue
            names = told.get(_inodes(old, new), [path]) if _regular(old) and _regular(new) else [path]
            if names[0] == path:
                self._tell(path, old, new, tuple(names[1:]))
        self._tell_packages()
        self._tell_consequences()

    def _implied_folders(self) -> frozenset[str]:
        """Directories that came or went with what they hold, and that grant nothing unusual."""
        holding: dict[Change, set[str]] = {Change.ADDED: set(), Change.REMOVED: set()}
        for path, (old, new) in self._pairs.items():
            change = _change(old, new)
            if change is Change.CHANGED:
                continue
            folder = posixpath.dirname(path)
            while folder and folder not in holding[change]:
                holding[change].add(folder)
                folder = posixpath.dirname(folder)
        return frozenset(
            path
            for path, (old, new) in self._pairs.items()
            if (entry := new or old) is not None
            and entry.kind is FileKind.DIRECTORY
            and path in holding.get(_change(old, new), ())
            and not entry.mode & SPECIAL_BITS
            and not self._moved_writable(path)
        )

    def _moved_writable(self, path: str) -> bool:
        return (path in self.before.places) != (path in self.after.places)

    def _tell(self, path: str, old: FileEntry | None, new: FileEntry | None, names: tuple[str, ...]) -> None:
        change = _change(old, new)
        if self.rootfs and _is_normal(path, old, new):
            self.normal.add(self._difference(Area.FILES, change, path, _aspects(old, new), names))
            return
        aspects = _aspects(old, new)
        content_only = change is not Change.CHANGED or all(aspect.name in _CONTENT for aspect in aspects)
        carrier = self._carrier(path, old, new)
        privileged = _privileges(old) != _privileges(new)
        if carrier is not None and content_only and not privileged and not self._moved_writable(path):
            self._carry(path, change, carrier, names)
            return
        if carrier is not None and change is Change.CHANGED:
            self._carry(path, change, carrier, names)
            aspects = tuple(aspect for aspect in aspects if aspect.name not in _CONTENT)
        if carrier is None and content_only and not privileged and self._of_same_package(path, old, new, change):
            return
        area = self._area(path, old, new, attributes_only=change is Change.CHANGED and not _has_content(aspects))
        aspects = (*aspects, *self._writable_aspect(old, new))
        self.listing.add(self._difference(area, change, path, aspects, names))

    def _difference(
        self, area: Area, change: Change, path: str, aspects: tuple[Aspect, ...], names: tuple[str, ...]
    ) -> Difference:
        old, new = self._pairs[path]
        return Difference(
            area=area,
            change=change,
            subject=path,
            aspects=aspects,
            names=names,
            package=self.after.owner(new) or self.before.owner(old),
        )

    def _area(self, path: str, old: FileEntry | None, new: FileEntry | None, *, attributes_only: bool) -> Area:
        if _privileges(old) or _privileges(new):
            return Area.PRIVILEGES
        code = self.before.runs(old) or self.after.runs(new)
        if self._moved_writable(path) and (attributes_only or not code):
            return Area.WRITABLE
        if code:
            return Area.EXECUTABLES
        entry = new or old
        in_etc = entry is not None and (is_configuration(entry) or path.startswith("etc/"))
        return Area.CONFIGURATION if in_etc else Area.FILES

    def _writable_aspect(self, old: FileEntry | None, new: FileEntry | None) -> tuple[Aspect, ...]:
        first, second = self.before.writability, self.after.writability
        if first is None or second is None:
            return ()
        was = self.before.can_change(old)
        now = self.after.can_change(new)
        if was == now:
            return ()
        who = (second if now else first).who
        return (Aspect(f"uid {who.uid} can change it", _yes(was, old), _yes(now, new)),)

    def _carrier(self, path: str, old: FileEntry | None, new: FileEntry | None) -> str | None:
        if path in self.accounts.explained:
            return "accounts"
        if _is_folder(old) and _is_folder(new):
            return self.packages.folder_carrier(path)
        owners = self.before.owner(old), self.after.owner(new)
        if owners == (None, None):
            owners = self.before.link_owner(old), self.after.link_owner(new)
        return self.packages.carrier(path, owners, program=_is_program(old) or _is_program(new))

    def _carry(self, path: str, change: Change, by: str, names: tuple[str, ...]) -> None:
        for name in (path, *names):
            self.carried_total += 1
            if len(self.carried) < LISTED_MAX:
                self.carried.append(Carried(path=name, change=change, by=by))

    def _of_same_package(self, path: str, old: FileEntry | None, new: FileEntry | None, change: Change) -> bool:
        """Whether this is data of a package whose version is the same: told once for the package."""
        if path.startswith("etc/") or self.before.runs(old) or self.after.runs(new) or self._moved_writable(path):
            return False
        owner = self.after.owner(new) or self.before.owner(old)
        if owner is None:
            return False
        self._same_version.setdefault(owner, []).append((path, change))
        return True

    def _tell_packages(self) -> None:
        for purl in sorted(self._same_version):
            paths = self._same_version[purl]
            for path, change in paths:
                self._carry(path, change, purl, ())
            counts = [(sum(one is change for _, one in paths), change) for change in Change]
            said = ", ".join(f"{count(number, 'file')} {change}" for number, change in counts if number)
            note = f"the same version with other content: {said}, {display_path(paths[0][0])}"
            self.listing.add(
                Difference(
                    area=Area.PACKAGES,
                    change=Change.CHANGED,
                    subject=package_name(purl),
                    package=purl,
                    note=note + (" the first" if len(paths) > 1 else ""),
                )
            )

    def _tell_consequences(self) -> None:
        """What the runtime user can or can no longer change where the file itself is the same."""
        first, second = self.before.writability, self.after.writability
        if first is None or second is None:
            return
        moved: dict[tuple[str | None, bool], int] = {}
        for path in sorted(self.before.places ^ self.after.places):
            old, new = self.before.tree.get(path), self.after.tree.get(path)
            if path in self._pairs or old is None or new is None:
                continue
            now = self.after.can_change(new)
            if self.before.can_change(old) != now:
                key = (self._cause(path), now)
                moved[key] = moved.get(key, 0) + 1
        for (cause, now), number in moved.items():
            who = (second if now else first).who
            places = count(number, "more place") if now else count(number, "place")
            note = f"uid {who.uid} can {'' if now else 'no longer '}change {places} that {_is(number)} the same"
            self._annotate(cause, note)

    def _cause(self, path: str) -> str | None:
        """The nearest directory above that changed; None: it is the user that did."""
        folder = path
        while folder:
            folder = posixpath.dirname(folder)
            if folder in self._pairs:
                return folder
        return None

    def _annotate(self, cause: str | None, note: str) -> None:
        if cause is not None:
            areas = (Area.PRIVILEGES, Area.WRITABLE, Area.FILES, Area.CONFIGURATION)
            if any(self.listing.annotate(area, note, cause) for area in areas):
                return
        elif self.listing.annotate(Area.START, note, "user") or self.listing.annotate(Area.ACCOUNTS, note):
            return
        self.listing.add(Difference(area=Area.WRITABLE, change=Change.CHANGED, subject=cause or "", note=note))


def _differing(before: FileTree, after: FileTree) -> Iterator[tuple[str, Pair]]:
    """Paths with the entries of both sides where these are not the same, in path order."""
    old, new = before.entries, after.entries
    for path in sorted(old.keys() | new.keys()):
        first, second = old.get(path), new.get(path)
        if first is None or second is None or _state(first) != _state(second):
            yield path, (first, second)


def _state(entry: FileEntry) -> tuple[object, ...]:
    """What is compared of a path. Permission bits of links mean nothing."""
    mode = 0 if entry.kind is FileKind.SYMLINK else entry.mode
    return (entry.kind, mode, entry.uid, entry.gid, entry.link, entry.sha256, entry.capability, entry.acl)


_CONTENT = frozenset({"content", "target", "kind"})


def _has_content(aspects: tuple[Aspect, ...]) -> bool:
    return any(aspect.name in _CONTENT for aspect in aspects)


def _aspects(old: FileEntry | None, new: FileEntry | None) -> tuple[Aspect, ...]:
    """Everything about a path that differs; of one that came or went, what it is."""
    pairs = (
        ("kind", _kind(old), _kind(new)),
        ("content", _content(old), _content(new)),
        ("target", old.link or None if old else None, new.link or None if new else None),
        ("mode", _mode(old), _mode(new)),
        ("owner", f"{old.uid}:{old.gid}" if old else None, f"{new.uid}:{new.gid}" if new else None),
        ("capabilities", _capabilities(old), _capabilities(new)),
        ("ACL", "yes" if old and old.acl else None, "yes" if new and new.acl else None),
    )
    return tuple(Aspect(name, was, now) for name, was, now in pairs if was != now)


def _kind(entry: FileEntry | None) -> str | None:
    return None if entry is None else _KINDS[entry.kind]


def _content(entry: FileEntry | None) -> str | None:
    return f"sha256:{entry.sha256}" if entry is not None and entry.sha256 else None


def _mode(entry: FileEntry | None) -> str | None:
    return None if entry is None or entry.kind is FileKind.SYMLINK else mode_text(entry.mode)


def _capabilities(entry: FileEntry | None) -> str | None:
    if entry is None or not entry.capability:
        return None
    decoded = decode(entry.capability)
    return entry.capability[:64].hex() if decoded is None else str(decoded) or "empty"


def _privileges(entry: FileEntry | None) -> tuple[object, ...]:
    """What a process gains by starting the file: setuid and setgid with the ids they give, capabilities."""
    if entry is None or entry.kind is not FileKind.REGULAR:
        return ()
    bits = entry.mode & 0o6000 if entry.executable else 0
    if not bits and not entry.capability:
        return ()
    return bits, entry.uid if bits & 0o4000 else None, entry.gid if bits & 0o2000 else None, entry.capability


def _is_program(entry: FileEntry | None) -> bool:
    """Whether something could be started from it: a program by content, or by mode if it is not empty."""
    return entry is not None and (entry.facts is not None or (entry.executable and entry.size > 0))


def _is_normal(path: str, old: FileEntry | None, new: FileEntry | None) -> bool:
    """Whether starting and running a container makes this difference. A program that appears never is."""
    place = inside(path, MOUNTED) or path in WRITTEN or path == "run/.containerenv"
    return place and not _is_program(new) and not _privileges(new)


def _change(old: FileEntry | None, new: FileEntry | None) -> Change:
    return Change.ADDED if old is None else Change.REMOVED if new is None else Change.CHANGED


def _regular(entry: FileEntry | None) -> bool:
    return entry is None or entry.kind is FileKind.REGULAR


def _is_folder(entry: FileEntry | None) -> bool:
    return entry is None or entry.kind is FileKind.DIRECTORY


def _inodes(old: FileEntry | None, new: FileEntry | None) -> tuple[int, int]:
    return -1 if old is None else old.inode, -1 if new is None else new.inode


def _yes(can: bool, entry: FileEntry | None) -> str | None:
    return None if entry is None else "yes" if can else "no"


def _is(number: int) -> str:
    return "is" if number == 1 else "are"
