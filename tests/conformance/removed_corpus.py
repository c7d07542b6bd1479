"""Recall and false alarms of the RM-* checks on Debian's own programs: ``python -m tests.conformance.removed_corpus``.

Every program of removed_corpus.yaml is taken from its package, made into variants (another name, stripped, packed …),
and each variant is put into an image tree of its own, alone, so that no copy beside it helps. It counts as found
when the check of its kind fails and names it. The files of the other packages are put at their own paths into one
tree: whatever a check names there is a false alarm, unless `true_alarms` says why it is none.

It downloads about 2 GB with ``apt-get download`` on a machine with Debian 12's package lists, and keeps that and what
it unpacks in a folder (``--cache``, HULLMARK_CORPUS_DIR). ``objcopy`` strips and ``upx`` packs; without one of them
its variants are left out and the table says so. Debian 12 itself has no UPX: its backports and its successor do.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from compliance.formats.elf import MAGIC
from compliance.model.filesystem import FileAttributes, FileEntry, FileFacts, FileKind, FileReading, FileTree
from compliance.model.outcome import Check, Failed, Observation
from controls.checks import (
    rm_compiler,
    rm_debug,
    rm_editdoc,
    rm_interp,
    rm_langpm,
    rm_nettool,
    rm_pkgmgr,
    rm_remote,
    rm_shell,
)
from controls.detection import Presence
from tests.builders.evidence import evidence
from tests.builders.examiner import examiner

CHECKS: Mapping[str, Check] = {
    "shells": rm_shell.CHECK,
    "os-package-managers": rm_pkgmgr.CHECK,
    "language-package-managers": rm_langpm.CHECK,
    "compilers": rm_compiler.CHECK,
    "interpreters": rm_interp.CHECK,
    "debuggers": rm_debug.CHECK,
    "network-tools": rm_nettool.CHECK,
    "remote-access": rm_remote.CHECK,
    "editors": rm_editdoc.CHECK,
}
PACKED_SIZE_MAX = 8 * 2**20
"""Bytes of a program that is packed: packing larger ones takes minutes."""


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """removed_corpus.yaml: per kind (package, path) of each program; other packages; reasons of true alarms."""

    programs: Mapping[str, tuple[tuple[str, str], ...]]
    others: tuple[str, ...]
    true_alarms: Mapping[str, str]


@cache
def corpus() -> Corpus:
    """The corpus as it is written down."""
    data: dict[str, Any] = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text("utf-8"))
    programs = {
        kind: tuple((package, path) for package, paths in packages.items() for path in paths)
        for kind, packages in data["programs"].items()
    }
    return Corpus(programs=programs, others=tuple(data["others"]), true_alarms=data["true_alarms"])


@dataclass(frozen=True, kw_only=True)
class File:
    """One name in a tree: with the facts of its content, or a link of either sort to `target`."""

    path: str
    mode: int = 0o755
    size: int = 0
    sha256: str = ""
    facts: FileFacts | None = None
    target: str = ""
    hard: bool = False

    @classmethod
    def read(cls, path: str, content: bytes, mode: int = 0o755) -> File:
        """A file at `path` with what one reading of `content` tells."""
        facts = examiner().examine(content)
        return cls(path=path, mode=mode, size=len(content), sha256=hashlib.sha256(content).hexdigest(), facts=facts)


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One way to hide a program: the files that it makes of it, and the path at which it has to be found."""

    name: str
    files: tuple[File, ...]
    at: str
    presence: Presence = Presence.PRESENT


def variants(path: str, content: bytes, tools: Tools) -> Iterator[Variant]:
    """All variants of the program that lies at `path` in its package."""
    plain = File.read(path, content)
    name = path.rpartition("/")[2]

    def placed(variant: str, at: str, mode: int = 0o755, more: tuple[File, ...] = ()) -> Variant:
        presence = Presence.PRESENT if mode & 0o111 else Presence.DORMANT
        files = (replace(plain, path=at, mode=mode), *more)
        return Variant(name=variant, files=files, at=at, presence=presence)

    def changed(variant: str, data: bytes) -> Variant:
        at = "opt/app/lib/worker"
        files = (File.read(at, data),)
        return Variant(name=variant, files=files, at=at)

    yield placed("plain", path)
    yield placed("copied", f"opt/app/bin/{name}")
    yield placed("renamed", "opt/app/lib/worker")
    yield placed("not executable", "srv/data/blob-07", 0o644)
    link = File(path="opt/app/start", target="opt/app/lib/data.bin", hard=True)
    yield placed("hard-linked", "opt/app/lib/data.bin", more=(link,))
    yield placed(
        "symlinked", "opt/app/lib/worker", more=(File(path=f"usr/local/bin/{name}", target="/opt/app/lib/worker"),)
    )
    if content[:4] == MAGIC:
        stripped = tools.stripped(content)
        if stripped is not None:
            yield changed("stripped", stripped)
        packed = tools.packed(content)
        if packed is not None:
            yield changed("packed", packed)


@dataclass(frozen=True, kw_only=True)
class Tools:
    """The programs that change a program, where there are any; their results are kept under `kept`."""

    objcopy: str | None
    upx: str | None
    kept: Path

    @classmethod
    def found(cls, kept: Path, upx: str | None = None) -> Tools:
        """Those on the search path."""
        return cls(
            objcopy=shutil.which("objcopy"), upx=upx or shutil.which("upx") or shutil.which("upx-ucl"), kept=kept
        )

    def stripped(self, content: bytes) -> bytes | None:
        """Without symbols, notes, comments and the table of sections; None where objcopy can't."""
        if self.objcopy is None:
            return None
        command = [self.objcopy, "--strip-all", "--remove-section=.note.gnu.build-id", "--remove-section=.comment"]
        data = self._made("stripped", content, lambda given, made: [*command, given, made])
        return None if data is None else _without_sections(data)

    def packed(self, content: bytes) -> bytes | None:
        """Packed with UPX; None where it can't. Larger ones with LZMA, as one does to save space."""
        if self.upx is None or len(content) > PACKED_SIZE_MAX:
            return None
        upx = self.upx
        method = ["--lzma"] if len(content) > 2**20 else []
        return self._made("packed", content, lambda given, made: [upx, "-q", *method, "-o", made, given])

    def _made(self, what: str, content: bytes, command: Callable[[str, str], list[str]]) -> bytes | None:
        folder = self.kept / what
        folder.mkdir(parents=True, exist_ok=True)
        made = folder / hashlib.sha256(content).hexdigest()
        if not made.exists():
            given = folder / "given"
            given.write_bytes(content)
            given.chmod(0o755)
            done = subprocess.run(command(str(given), str(made)), capture_output=True, check=False)
            if done.returncode != 0 or not made.exists():
                made.write_bytes(b"")
        return made.read_bytes() or None


def _without_sections(content: bytes) -> bytes:
    """With an ELF header that leads to no section headers: a loader does not read them."""
    out = bytearray(content)
    place, count = ((0x28, 8), 0x3C) if out[4] == 2 else ((0x20, 4), 0x30)
    out[place[0] : place[0] + place[1]] = bytes(place[1])
    out[count : count + 4] = bytes(4)
    return bytes(out)


def tree_of(files: Iterable[File]) -> FileTree:
    """The merged tree of `files`, with their parents."""
    files = tuple(files)
    inodes = {file.path: number for number, file in enumerate(files, 1)}
    by_path = {file.path: file for file in files}
    entries: dict[str, FileEntry] = {}
    for file in files:
        real = by_path[file.target] if file.hard else file
        kind = FileKind.SYMLINK if file.target and not file.hard else FileKind.REGULAR
        entries[file.path] = FileEntry(
            path=file.path,
            kind=kind,
            size=real.size,
            inode=inodes[real.path],
            attributes=FileAttributes(mode=real.mode, uid=0, gid=0, layer=0),
            reading=FileReading(
                sha256=real.sha256, facts=real.facts, link=file.target if kind is FileKind.SYMLINK else ""
            ),
        )
        folder = file.path.rpartition("/")[0]
        while folder and folder not in entries:
            inode = len(files) + len(entries) + 1
            entries[folder] = FileEntry(folder, FileKind.DIRECTORY, 0, inode, FileAttributes(0o755, 0, 0, 0))
            folder = folder.rpartition("/")[0]
    return FileTree(dict(sorted(entries.items())))


def named(check: Check, tree: FileTree) -> tuple[Observation, ...]:
    """What `check` counts in `tree` as one of its tools, or as possibly one."""
    outcome = check.run(evidence(tree))
    seen = getattr(outcome, "observations", ())
    verdicts = {presence.value for presence in Presence}
    counted = tuple(one for one in seen if one.path is not None and one.value and one.verdict in verdicts)
    certain = any(one.verdict != Presence.POSSIBLE.value for one in counted)
    assert isinstance(outcome, Failed) or not certain, (check.id, outcome)
    return counted


def is_found(kind: str, variant: Variant) -> bool:
    """Whether the check of `kind` names the program under all its names, with the verdict that it should have."""
    others = {file.path for file in variant.files if file.hard}
    return any(
        variant.at in (one.path, *one.names) and others <= {one.path, *one.names} and one.verdict == variant.presence
        for one in named(CHECKS[kind], tree_of(variant.files))
    )


@dataclass(frozen=True, kw_only=True)
class Result:
    """One kind: variants tried and found by name of the variant; the misses as words."""

    kind: str
    programs: int
    tried: Mapping[str, int]
    found: Mapping[str, int]
    misses: tuple[str, ...]


def result(kind: str, programs: Iterable[tuple[str, str, bytes]], tools: Tools) -> Result:
    """Try every (label, path, content) of `programs` in every variant."""
    tried: dict[str, int] = {}
    found: dict[str, int] = {}
    misses = []
    count = 0
    for label, path, content in programs:
        count += 1
        for variant in variants(path, content, tools):
            tried[variant.name] = tried.get(variant.name, 0) + 1
            if is_found(kind, variant):
                found[variant.name] = found.get(variant.name, 0) + 1
            else:
                misses.append(f"{kind}: {label}, {variant.name}")
    return Result(kind=kind, programs=count, tried=tried, found=found, misses=tuple(misses))


@dataclass(frozen=True, kw_only=True)
class Alarms:
    """The other side: what was looked at, and what was named there, as lines; `explained` are true ones."""

    elf: int
    scripts: int
    false: tuple[str, ...]
    explained: tuple[str, ...]


def alarms(files: Iterable[File]) -> Alarms:
    """What the checks name in one tree of `files`."""
    files = tuple(files)
    tree = tree_of(files)
    false: set[str] = set()
    explained: set[str] = set()
    for kind, check in CHECKS.items():
        for one in named(check, tree):
            reason = corpus().true_alarms.get(one.path or "")
            line = f"{kind}: /{one.path} {one.verdict} ({one.value}; {one.method})"
            if reason is None:
                false.add(line)
            else:
                explained.add(f"{line}: {reason}")
    return Alarms(
        elf=sum(file.facts is not None and file.facts.elf is not None for file in files),
        scripts=sum(file.facts is not None and file.facts.shebang is not None for file in files),
        false=tuple(sorted(false)),
        explained=tuple(sorted(explained)),
    )


COLUMNS = ("class", "programs", "variants", "found", "recall")


def render(results: Iterable[Result], other: Alarms | None, tools: Tools) -> str:
    """The table as Markdown, what was found of each variant, every miss and every alarm."""
    results = tuple(results)
    rows = [_row(one.kind, (one,)) for one in results] + [_row("all", results)]
    widths = [max(len(row[index]) for row in (COLUMNS, *rows)) for index in range(len(COLUMNS))]
    lines = [_line(COLUMNS, widths), "|" + "|".join("-" * (width + 2) for width in widths) + "|"]
    lines.extend(_line(row, widths) for row in rows)
    lines.append("")
    for name in dict.fromkeys(name for one in results for name in one.tried):
        tried = sum(one.tried.get(name, 0) for one in results)
        found = sum(one.found.get(name, 0) for one in results)
        lines.append(f"- {name}: {found} of {tried}")
    for program, what in ((tools.objcopy, "objcopy: nothing stripped"), (tools.upx, "UPX: nothing packed")):
        if program is None:
            lines.append(f"- no {what}")
    misses = [miss for one in results for miss in one.misses]
    lines.extend(("", f"missed: {len(misses)}", *(f"- {miss}" for miss in misses)))
    if other is not None:
        lines.extend(("", f"other files: {other.elf} ELF files, {other.scripts} scripts"))
        lines.extend((f"false alarms: {len(other.false)}", *(f"- {line}" for line in other.false)))
        lines.extend((f"true alarms: {len(other.explained)}", *(f"- {line}" for line in other.explained)))
    return "\n".join(lines) + "\n"


def _row(name: str, results: tuple[Result, ...]) -> tuple[str, ...]:
    tried = sum(sum(one.tried.values()) for one in results)
    found = sum(sum(one.found.values()) for one in results)
    share = f"{found * 1000 // tried / 10:.1f} %" if tried else "-"  # cut, not rounded
    return (name, str(sum(one.programs for one in results)), str(tried), str(found), share)


def _line(cells: tuple[str, ...], widths: list[int]) -> str:
    padded = (
        cell.ljust(width) if index == 0 else cell.rjust(width)
        for index, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    return "| " + " | ".join(padded) + " |"


class Packages:
    """Debian packages, downloaded and unpacked once each, in a folder that is kept."""

    def __init__(self, folder: Path) -> None:
        self._debs = folder / "debs"
        self._roots = folder / "roots"
        self._debs.mkdir(parents=True, exist_ok=True)
        self._roots.mkdir(exist_ok=True)

    def fetch(self, names: Iterable[str]) -> None:
        """Download what is missing. Raises SystemExit naming what can't be had."""
        there = {deb.name.partition("_")[0] for deb in self._debs.glob("*.deb")}
        missing = sorted(set(names) - there)
        for start in range(0, len(missing), 50):
            some = missing[start : start + 50]
            done = subprocess.run(["apt-get", "-qq", "download", *some], cwd=self._debs, check=False)
            if done.returncode != 0:
                raise SystemExit("a package can't be had: run apt-get update, on Debian 12")

    def root(self, name: str) -> Path:
        """The folder with the files of the package `name`, which was fetched."""
        root = self._roots / name
        if not root.exists():
            deb = next(self._debs.glob(f"{name}_*.deb"))
            part = root.with_name(f"{name}.part")
            subprocess.run(["dpkg-deb", "-x", str(deb), str(part)], check=True)
            part.rename(root)
        return root

    def files(self, name: str) -> Iterator[tuple[str, Path]]:
        """(path in the image, path here) of every regular file of a package, in order."""
        root = self.root(name)
        for folder, folders, names in os.walk(root):
            folders.sort()
            for one in sorted(names):
                real = Path(folder, one)
                if real.is_file() and not real.is_symlink():
                    yield real.relative_to(root).as_posix(), real


def programs_of(packages: Packages, kind: str) -> Iterator[tuple[str, str, bytes]]:
    """(label, path, content) of every program of `kind`."""
    for package, path in corpus().programs[kind]:
        yield f"{package} /{path}", path, (packages.root(package) / path).read_bytes()


def other_files(packages: Packages) -> Iterator[File]:
    """Every file of the other packages that has facts, at its own path; of two at one path the first."""
    seen: set[str] = set()
    for name in corpus().others:
        for path, real in packages.files(name):
            if path in seen:
                continue
            seen.add(path)
            file = File.read(path, real.read_bytes(), real.stat().st_mode & 0o7777)
            if file.facts is not None:
                yield file


def main() -> None:
    """Make the corpus and print the table; exit code 1 below 98 % in a class or with a false alarm."""
    arguments = argparse.ArgumentParser(prog="python -m tests.conformance.removed_corpus", description=__doc__)
    default = os.environ.get("HULLMARK_CORPUS_DIR")
    arguments.add_argument("--cache", type=Path, default=default, required=default is None, metavar="DIR")
    arguments.add_argument("--kind", action="append", choices=sorted(CHECKS), help="this kind only; repeatable")
    arguments.add_argument("--upx", metavar="PROGRAM", help="default: upx or upx-ucl on the search path")
    arguments.add_argument("--without-others", action="store_true", help="recall only")
    options = arguments.parse_args()
    kinds = options.kind or list(CHECKS)
    packages = Packages(options.cache)
    others = () if options.without_others else corpus().others
    packages.fetch([*(package for kind in kinds for package, _ in corpus().programs[kind]), *others])
    tools = Tools.found(options.cache / "made", options.upx)
    results = [result(kind, programs_of(packages, kind), tools) for kind in kinds]
    other = None if options.without_others else alarms(other_files(packages))
    sys.stdout.write(render(results, other, tools))
    low = any(sum(one.found.values()) < 0.98 * sum(one.tried.values()) for one in results)
    sys.exit(1 if low or (other is not None and other.false) else 0)


if __name__ == "__main__":
    main()
