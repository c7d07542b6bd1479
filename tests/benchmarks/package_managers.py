"""What the package managers' own tools say is in an unpacked image."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from tests.benchmarks.images import MAVEN_LIST, MAVEN_PROJECT
from tests.benchmarks.layout import OPAQUE, StoredImage


class Known(NamedTuple):
    """A package; the name has its namespace in front (group/artifact, @scope/name), except a distribution's."""

    type: str
    name: str
    version: str

    def __str__(self) -> str:
        return f"{self.name}@{self.version}" if self.version else self.name


class UnknownTruthError(Exception):
    """The tool that would know is not here."""


def unpack(image: StoredImage, to: Path) -> None:
    """Lay the layers over each other in `to` with GNU tar; deletions apply to what lies below (layer.md)."""
    for layer in image.layers:
        for name in _tar("--list", "--file", layer, "--wildcards", "*.wh.*", may_fail=True).splitlines():
            folder, _, deleted = name.rpartition("/")
            if deleted == OPAQUE:
                _empty(to / folder)
            elif deleted.startswith(".wh."):
                _remove(to / folder / deleted.removeprefix(".wh."))
        _tar("--extract", "--file", layer, "--directory", to, "--numeric-owner", "--exclude=.wh.*")


def _tar(*arguments: str | Path, may_fail: bool = False) -> str:
    # a pattern that nothing matches is a failure to tar
    done = subprocess.run(
        ("tar", "--quoting-style=literal", *arguments), capture_output=True, text=True, errors="surrogateescape"
    )
    if done.returncode and not may_fail:
        raise SystemExit(f"tar: {done.stderr[-2000:]}")
    return done.stdout


def _empty(folder: Path) -> None:
    if folder.is_dir() and not folder.is_symlink():
        for path in folder.iterdir():
            _remove(path)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


# --- one tool each ----------------------------------------------------------------------------------------------


def debian(root: Path, image: Path) -> Iterator[Known]:
    """dpkg-query over the image's database, or over one made of the single records that distroless images keep."""
    database, records = root / "var/lib/dpkg/status", root / "var/lib/dpkg/status.d"
    stanzas = [database.read_bytes()] if database.is_file() else []
    for record in sorted(records.iterdir()) if records.is_dir() else ():
        if record.suffix != ".md5sums" and b"\nVersion:" in (text := record.read_bytes()):
            stanzas.append(text.strip() + b"\n")
            if not re.search(rb"^Status:", text, re.MULTILINE):
                stanzas[-1] += b"Status: install ok installed\n"
    if not stanzas:
        return
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "status").write_bytes(b"\n".join(stanzas))
        shown = _tool("dpkg-query", f"--admindir={folder}", "-W", "-f=${db:Status-Status}\t${Package}\t${Version}\n")
    for line in shown.splitlines():
        state, name, version = line.split("\t")
        if state not in ("not-installed", "config-files"):
            yield Known("deb", name, version)


def rpm(root: Path, image: Path) -> Iterator[Known]:
    """rpm -qa over the image's database; keys that rpm lists as packages are left out."""
    folders = [path for path in (root / "var/lib/rpm", root / "usr/lib/sysimage/rpm") if path.is_dir()]
    if not any((folder / name).exists() for folder in folders for name in ("rpmdb.sqlite", "Packages", "Packages.db")):
        return
    form = "%{NAME}\t%|EPOCH?{%{EPOCH}:}|%{VERSION}-%{RELEASE}\n"
    for line in _tool("rpm", f"--dbpath={folders[0].resolve()}", "-qa", "--qf", form).splitlines():
        name, version = line.split("\t")
        if name != "gpg-pubkey":
            yield Known("rpm", name, version.removeprefix("0:"))


def python(root: Path, image: Path) -> Iterator[Known]:
    """importlib.metadata over every site-packages and dist-packages."""
    for folder, folders, _ in os.walk(root):
        for name in folders:
            if name in ("site-packages", "dist-packages"):
                for found in importlib.metadata.distributions(path=[str(Path(folder) / name)]):
                    yield Known("pypi", re.sub(r"[-_.]+", "-", found.metadata["Name"]).lower(), found.version)


def node(root: Path, image: Path) -> Iterator[Known]:
    """package.json of each folder that is a package in a node_modules tree, as npm lays it.

    What lies deeper in a package, or in a node_modules that is not a package's own, is that package's data: npm
    did not install it (test fixtures, bundles).
    """
    for folder, folders, _ in os.walk(root):
        if "node_modules" in folders:
            folders.remove("node_modules")
            yield from _node_modules(Path(folder) / "node_modules")


def _node_modules(modules: Path) -> Iterator[Known]:
    scopes = [path for path in modules.iterdir() if path.name.startswith("@") and path.is_dir()]
    for package in sorted([*(path for scope in scopes for path in scope.iterdir()), *modules.iterdir()]):
        manifest = package / "package.json"
        if not package.name.startswith((".", "@")) and not package.is_symlink() and manifest.is_file():
            described = json.loads(manifest.read_bytes())
            yield Known("npm", described["name"], described["version"])
            if (package / "node_modules").is_dir():
                yield from _node_modules(package / "node_modules")


def maven(root: Path, image: Path) -> Iterator[Known]:
    """Maven's dependency:list of the build, kept beside the image, as far as its jars lie in a Spring Boot jar here.

    The starters do not: they hold nothing, so the plugin that packs the jar leaves them out. It puts parts of
    Spring Boot in that are no dependency. The project itself is the jar.
    """
    jars = [path for path in root.rglob("*.jar") if path.is_file() and not path.is_symlink()]
    packed = {name.rpartition("/")[2] for path in jars for name in _boot_libraries(path)}
    listing = image / MAVEN_LIST
    if jars and not listing.is_file():
        raise UnknownTruthError(f"maven: {MAVEN_LIST} is not beside the layout")
    listed = set()
    for line in listing.read_text().splitlines() if packed else ():
        parts = re.match(r"\s+([\w.-]+):([\w.-]+):jar:(?:[\w.-]+:)?([\w.-]+):(?:compile|runtime)\b", line)
        if parts and (file := f"{parts[2]}-{parts[3]}.jar") in packed:
            listed.add(file)
            yield Known("maven", f"{parts[1]}/{parts[2]}", parts[3])
    for file in sorted(packed - listed):
        if own := re.fullmatch(r"(spring-boot-[a-z-]+)-(\d.*)\.jar", file):
            yield Known("maven", f"org.springframework.boot/{own[1]}", own[2])
    if packed:
        yield Known("maven", *MAVEN_PROJECT)


def _boot_libraries(path: Path) -> list[str]:
    with zipfile.ZipFile(path) as archive:
        return [name for name in archive.namelist() if name.startswith("BOOT-INF/lib/") and name.endswith(".jar")]


def go(root: Path, image: Path) -> Iterator[Known]:
    """go version -m over every executable: its modules (what replaced them, if so) and the standard library.

    And what go mod vendor wrote down of the sources it put into a vendor folder, where they are there.
    """
    if shutil.which("go") is None:
        raise UnknownTruthError("golang: go is not installed")
    known: list[Known] = []
    for line in _tool("go", "version", "-m", root).splitlines():
        if started := re.match(r"\S.*: go([\w.]+)", line):
            known.append(Known("golang", "stdlib", started[1]))
        kind, *parts = line.strip().split("\t")
        if kind == "=>":
            known.pop()
        if kind in ("mod", "dep", "=>"):
            known.append(Known("golang", parts[0], "" if parts[1] == "(devel)" else parts[1]))
    yield from known
    for listing in root.rglob("vendor/modules.txt"):
        for path, version in re.findall(r"^# (\S+) (v\S+)$", listing.read_text(), re.MULTILINE):
            if (listing.parent / path).is_dir():
                yield Known("golang", path, version)


def _tool(program: str, *arguments: str | Path) -> str:
    if shutil.which(program) is None:
        raise UnknownTruthError(f"{program} is not installed")
    done = subprocess.run((program, *arguments), capture_output=True, text=True, check=True)
    return done.stdout


READERS: Mapping[str, Callable[[Path, Path], Iterator[Known]]] = {
    "deb": debian,
    "rpm": rpm,
    "pypi": python,
    "npm": node,
    "maven": maven,
    "golang": go,
}


def ground_truth(image: StoredImage, beside: Path, kept: Path) -> tuple[dict[str, set[Known]], list[str]]:
    """Type -> packages, and what could not be known; `beside` holds what was kept from the build.

    A whole answer is written to the folder `kept` and found there again, unless this file changed.
    """
    code = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:12]
    place = kept / f"{image.digest.removeprefix('sha256:')[:24]}-{code}.json"
    if place.is_file():
        stored = json.loads(place.read_bytes())
        return {kind: {Known(kind, *each) for each in known} for kind, known in stored.items()}, []
    truth, unknown = _ask(image, beside)
    if not unknown:
        place.parent.mkdir(parents=True, exist_ok=True)
        listed = {kind: sorted((each.name, each.version) for each in known) for kind, known in truth.items()}
        place.write_text(json.dumps(listed, indent=1) + "\n")
    return truth, unknown


def _ask(image: StoredImage, beside: Path) -> tuple[dict[str, set[Known]], list[str]]:
    truth: dict[str, set[Known]] = {}
    unknown = []
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        root = Path(folder) / "root"
        root.mkdir()
        unpack(image, root)
        for kind, read in READERS.items():
            try:
                found = set(read(root, beside))
            except UnknownTruthError as error:
                unknown.append(str(error))
                continue
            if found:
                truth[kind] = found
    return truth, unknown
