"""Which files of an image are the application's, told from those of its distribution.

The application's are files that no package of the operating system owns, where applications are put; files anywhere
that a COPY or ADD of the build put there, by the image's own history; and, where the program that starts comes in a
package itself, that package's files with those that it needs of the same source package.
"""

from __future__ import annotations

import posixpath
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from compliance.formats.globs import PathMatcher
from compliance.model.evidence import Evidence
from compliance.model.filesystem import FileEntry, FileKind, FileTree
from compliance.model.inventory import Package
from controls.knowledge import path_sorts

OS_PACKAGES = ("pkg:deb/", "pkg:apk/", "pkg:rpm/", "pkg:alpm/")
DEPENDENCIES_MAX = 50

_SYSTEM = frozenset(
    (
        "bin", "sbin", "lib", "lib32", "lib64", "libx32", "usr", "etc", "var", "root", "run", "tmp", "proc", "sys",
        "dev", "boot", "media", "mnt", "lost+found",
    )
)  # fmt: skip
_APPLICATIONS = ("usr/local", "usr/src", "var/www", "var/task", "var/runtime", "var/opt")
"""Places inside the system's folders that are the application's by convention (hier(7))."""
_NEVER_WHOLE = frozenset(
    (
        "", "bin", "sbin", "lib", "lib32", "lib64", "libx32", "usr", "usr/bin", "usr/sbin", "usr/lib", "usr/lib64",
        "usr/libexec", "usr/local", "usr/share", "usr/src", "etc", "var", "var/lib", "var/log", "var/cache", "run",
        "tmp", "root", "var/opt", "var/tmp", "usr/local/share", "usr/include",
    )
)  # fmt: skip
"""Folders of which parts are copied, never the whole."""
_MULTIARCH = re.compile(r"(?:usr/)?lib/[^/]+-linux-[^/]+")
_MADE_BY_SYSTEM = PathMatcher(
    (
        "etc/{passwd,group,shadow,gshadow,subuid,subgid}{,-}",
        "etc/{hostname,hosts,resolv.conf,mtab,fstab,ld.so.cache,os-release,localtime,timezone,.pwd.lock,nsswitch.conf}",
        "etc/{apk,apt,dpkg,yum.repos.d,ssl,alternatives,pam.d,security,ca-certificates*}/**",
        "etc/ca-certificates.conf",
        "var/{cache,lib/{apk,apt,dpkg,rpm,pam,systemd,ucf,python}}/**",
        "var/log/{apt,dpkg.log,alternatives.log,bootstrap.log,faillog,lastlog,btmp,wtmp}{,/**}",
        "lib/apk/**",
        "usr/share/{info,mime,icons,applications}/**",
        "**/.wh.*",
    )
)
_COPIED = re.compile(r"\s*(?:/bin/sh -c #\(nop\) )?(?:COPY|ADD)\b")
_UNIT_FILES = re.compile(
    r"(?:usr/)?(?:lib/systemd|share/(?:bash-completion|zsh|fish|lintian|bug))/|etc/(?:init\.d|cron)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """The application's files: `paths` (regular files and links) and the `units` that they make up.

    A unit is a directory of which every file is the application's, or one file; sorted, none inside another.
    `packages` are those of the operating system that the application is in.
    """

    paths: frozenset[str]
    units: tuple[str, ...]
    packages: tuple[Package, ...]


def application_of(evidence: Evidence, started: Iterable[FileEntry]) -> Application:
    """The application's files of an image that starts the files `started`."""
    tree = evidence.filesystem
    packages = _packages_of(evidence, started)
    paths = {entry.path for entry in tree if _is_application(evidence, entry)}
    documentation = [PathMatcher(sort.globs) for sort in path_sorts("docs")]
    for package in packages:
        for path in package.files:
            entry = tree.get(path) or tree.get(tree.real_path(path) or "")
            if entry is None or entry.kind not in (FileKind.REGULAR, FileKind.SYMLINK):
                continue
            if not any(one.matches(entry.path) for one in documentation) and not _UNIT_FILES.match(entry.path):
                paths.add(entry.path)
    for entry in started:
        if not package_of(evidence, entry):
            paths.add(entry.path)
    units = collapse(tree, paths)
    return Application(paths=frozenset(paths), units=units, packages=packages)


def package_of(evidence: Evidence, entry: FileEntry) -> str | None:
    """The purl of the operating system's package that owns a file, by any of its names, ``/usr`` merged or not."""
    for name in evidence.filesystem.names(entry):
        for path in (name, name.removeprefix("usr/"), f"usr/{name}"):
            owner = evidence.inventory.owners.get(path)
            if owner is not None and owner.startswith(OS_PACKAGES):
                return owner
    return None


def _is_application(evidence: Evidence, entry: FileEntry) -> bool:
    if entry.kind not in (FileKind.REGULAR, FileKind.SYMLINK) or _MADE_BY_SYSTEM.matches(entry.path):
        return False
    top = entry.path.split("/", 1)[0]
    if top in _SYSTEM and not any(entry.path.startswith(place + "/") for place in _APPLICATIONS):
        # /etc/app.conf and the like: told from what maintainer scripts make by the step of the build
        return _was_copied(evidence, entry) and package_of(evidence, entry) is None
    if "/" not in entry.path and entry.kind is FileKind.SYMLINK:
        return False  # /bin -> usr/bin and their like
    return package_of(evidence, entry) is None


def _was_copied(evidence: Evidence, entry: FileEntry) -> bool:
    """Whether the layer is one of COPY or ADD, as the image's history claims, above a distribution's."""
    layers = evidence.image.layers
    if not 0 < entry.layer < len(layers):
        return False
    step = layers[entry.layer].created_by
    return step is not None and _COPIED.match(step) is not None


def _packages_of(evidence: Evidence, started: Iterable[FileEntry]) -> tuple[Package, ...]:
    """The packages that own what is started, with those of the same source that they depend on."""
    known = {package.purl: package for package in evidence.inventory.installed}
    needs: dict[str, list[str]] = {}
    for relation in evidence.inventory.relationships:
        if relation.kind == "depends-on":
            needs.setdefault(relation.source, []).append(relation.target)
    found: dict[str, Package] = {}
    todo = [package_of(evidence, entry) for entry in started]
    while todo and len(found) < DEPENDENCIES_MAX:
        purl = todo.pop()
        package = known.get(purl or "")
        if purl is None or package is None or purl in found:
            continue
        found[purl] = package
        for target in needs.get(purl, ()):
            other = known.get(target)
            if other is not None and _source(other) == _source(package):
                todo.append(target)
    return tuple(found[purl] for purl in sorted(found))


def _source(package: Package) -> str:
    return package.source_name or package.name


def collapse(tree: FileTree, paths: Iterable[str]) -> tuple[str, ...]:
    """`paths` with each directory of which all files are among them in the place of these."""
    wanted = set(paths)
    every: Counter[str] = Counter()
    ours: Counter[str] = Counter()
    for entry in tree:
        if entry.kind is FileKind.DIRECTORY:
            continue
        mine = entry.path in wanted
        folder = posixpath.dirname(entry.path)
        while True:
            every[folder] += 1
            ours[folder] += mine
            if not folder:
                break
            folder = posixpath.dirname(folder)
    units: list[str] = []
    for path in sorted(wanted):
        unit = path
        parts = path.split("/")
        for depth in range(1, len(parts)):
            folder = "/".join(parts[:depth])
            if folder not in _NEVER_WHOLE and not _MULTIARCH.fullmatch(folder) and ours[folder] == every[folder]:
                unit = folder
                break
        if not units or units[-1] != unit:
            units.append(unit)
    return tuple(dict.fromkeys(units))
