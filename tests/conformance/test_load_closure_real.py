"""The load closure held against the loaders themselves: real programs of this machine in a root of their own.

What glibc's loader maps at the start is what LD_TRACE_LOADED_OBJECTS tells (as ldd(1) asks), what it maps later what
LD_DEBUG tells of a run; musl's loader lists both. Each program is run with chroot(2).
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

from compliance.model.evidence import Evidence
from compliance.model.filesystem import FileTree
from compliance.pipeline import Options, gather
from controls.load_closure import NAMING, REQUEST, Use, closure_of, load_closure
from tests.builders.evidence import NOW

RUNS: Mapping[str, tuple[str, ...]] = {
    "/usr/bin/python3": ("-c", "import ctypes, ssl, sqlite3, decimal, lzma, bz2, zlib, uuid, asyncio, multiprocessing"),
    "/usr/bin/perl": ("-MSocket", "-MPOSIX", "-MList::Util", "-MFcntl", "-e", "1"),
    "/usr/bin/openssl": ("list", "-provider", "legacy", "-providers"),
    "/usr/bin/iconv": ("-f", "EUC-JP", "-t", "SHIFT_JIS", "/etc/group"),
    "/usr/bin/curl": ("--silent", "file:///etc/group"),
    "/usr/bin/git": ("version",),
    "/usr/sbin/sshd": ("-V",),
    "/usr/bin/ssh": ("-V",),
    "/usr/bin/getent": ("hosts", "localhost"),
    "/usr/bin/dpkg": ("--version",),
    "/usr/sbin/nginx": ("-V",),
    "/usr/bin/memcached": ("-h",),
}
"""Programs and what makes them load more than they need; those that are not here are left out."""
LATER = ("/usr/bin/python3", "/usr/bin/perl", "/usr/bin/openssl", "/usr/bin/iconv")
"""Those that load modules while they run."""
MODULES = (
    "usr/lib/python3.*/**/*.py",
    "usr/lib/python3.*/lib-dynload/*.so",
    "usr/lib/*/perl-base/**/*",
    "usr/lib/*/ossl-modules/*.so",
    "usr/lib/*/engines-3/*.so",
    "usr/lib/*/gconv/*",
    "usr/lib/ssl/openssl.cnf",
)
PRESENT = tuple(name for name in RUNS if Path(name).exists())
LOADER = Path("/lib64/ld-linux-x86-64.so.2")

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0 or not LOADER.exists(),
    reason="chroot(2) needs root, and glibc's loader",
)


def in_root(root: Path, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    def enter() -> None:
        os.chroot(root)
        os.chdir("/")

    return subprocess.run(
        command, preexec_fn=enter, env=environment, capture_output=True, text=True, errors="replace", timeout=60
    )


def traced(root: Path, program: str) -> set[str]:
    """What the loader maps before the program begins, the loader itself too."""
    run = in_root(root, str(LOADER), program, LD_TRACE_LOADED_OBJECTS="1")
    assert run.returncode == 0, run.stderr
    return set(re.findall(r"(/\S+) \(0x", run.stdout))


def ran(root: Path, program: str) -> set[str]:
    """What was mapped when the program had done its work."""
    log = root / "tmp" / "loader"
    log.mkdir(parents=True)
    run = in_root(root, program, *RUNS[program], LD_DEBUG="files", LD_DEBUG_OUTPUT="/tmp/loader/log")  # noqa: S108
    assert run.returncode == 0, run.stderr
    text = "".join(path.read_text(errors="replace") for path in log.iterdir())
    shutil.rmtree(log)
    return set(re.findall(r"calling init: (/\S+)", text))


def put(root: Path, path: str) -> None:
    target = root / path.lstrip("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.exists():
        shutil.copy2(Path(path).resolve(), target)


def inodes(tree: FileTree, paths: Iterable[str]) -> set[int]:
    found = {path: tree.resolve(path) for path in paths}
    assert None not in found.values(), [path for path, entry in found.items() if entry is None]
    return {entry.inode for entry in found.values() if entry is not None}


def libraries(path: str) -> list[str]:
    run = subprocess.run(["ldd", path], capture_output=True, text=True)
    return re.findall(r"(/\S+) \(0x", run.stdout)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All those programs with their libraries and modules, and no cache of the loader's."""
    place = tmp_path_factory.mktemp("root")
    files = [*PRESENT, str(LOADER)]
    for pattern in MODULES:
        files += [f"/{path}" for path in _glob(pattern)]
    for path in list(files):
        if path in RUNS or ".so" in path:
            files += libraries(path)
    for path in dict.fromkeys(files):
        put(place, path)
    for folder in ("etc", "dev"):
        (place / folder).mkdir(exist_ok=True)
    (place / "dev/null").touch()
    (place / "etc/hosts").write_text("127.0.0.1 localhost\n")
    (place / "etc/group").write_text("root:x:0:\n")
    (place / "etc/passwd").write_text("root:x:0:0::/:\nsshd:x:1:1::/run/sshd:\n")
    return place


def _glob(pattern: str) -> list[str]:
    found = (path for path in Path("/").glob(pattern) if path.is_file())
    return [str(path.relative_to("/")) for path in found if not {"test", "tests", "dist-packages"} & set(path.parts)]


@pytest.fixture(scope="module")
def seen(root: Path) -> Evidence:
    return gather(f"dir:{root}", Options(now=NOW), requests=(REQUEST, NAMING))


def test_there_are_programs_to_try() -> None:
    assert len(PRESENT) >= 5


@pytest.mark.parametrize("name", PRESENT)
def test_the_closure_is_what_the_loader_maps_at_the_start(name: str, root: Path, seen: Evidence) -> None:
    tree = seen.filesystem
    program = tree.resolve(name)
    assert program is not None
    closure = closure_of(seen, [program])
    used = {library.entry.inode for library in closure.libraries if library.use is Use.USED}
    assert used == inodes(tree, traced(root, name)) - {program.inode}
    assert closure.missing == ()
    assert any(library.use is Use.UNUSED for library in closure.libraries)  # there are others to be told apart from


@pytest.mark.parametrize("name", PRESENT)
def test_nothing_that_is_loaded_is_called_unused(name: str, root: Path, seen: Evidence) -> None:
    tree = seen.filesystem
    uses = {library.entry.inode: library.use for library in load_closure(seen).libraries}
    at_start, at_end = inodes(tree, traced(root, name)), inodes(tree, ran(root, name))
    assert {uses[inode] for inode in at_end & at_start} == {Use.USED}
    assert {uses[inode] for inode in at_end - at_start} <= {Use.USED, Use.POSSIBLY}
    if name in LATER:
        assert at_end - at_start


def test_musls_loader_maps_what_the_closure_says(tmp_path: Path) -> None:
    compiler, loader = shutil.which("musl-gcc"), Path("/lib/ld-musl-x86_64.so.1")
    if compiler is None:
        pytest.skip("musl-gcc is not installed: apt-get install musl-tools")
    root = tmp_path / "root"
    put(root, str(loader))
    for folder in ("bin", "usr/lib", "usr/local/lib", "opt/lib"):
        (root / folder).mkdir(parents=True, exist_ok=True)

    def build(output: str, code: str, *arguments: str) -> None:
        (tmp_path / "code.c").write_text(code)
        places = [f"-Wl,-rpath-link,{root / one}" for one in ("usr/lib", "usr/local/lib", "opt/lib")]
        subprocess.run([compiler, "-o", root / output, tmp_path / "code.c", *arguments, *places], check=True)

    shared = ("-shared", "-fPIC", "-Wl,-soname")
    build("opt/lib/libdeep.so.3", "int deep(void) { return 0; }", *shared, "-Wl,libdeep.so.3", "-nostdlib")
    build("usr/local/lib/liblocal.so", "int deep(void); int local(void) { return deep(); }", *shared, "-Wl,liblocal.so",
          str(root / "opt/lib/libdeep.so.3"))  # fmt: skip
    build("usr/lib/libother.so", "int other(void) { return 0; }", *shared, "-Wl,libother.so")
    build("bin/app", "int local(void); int main(void) { return local(); }", str(root / "usr/local/lib/liblocal.so"),
          "-Wl,--enable-new-dtags,-rpath,/opt/lib")  # fmt: skip
    assert in_root(root, "/bin/app").returncode == 0
    listed = in_root(root, str(loader), "--list", "/bin/app").stdout
    seen = gather(f"dir:{root}", Options(now=NOW), requests=(REQUEST, NAMING))
    program = seen.filesystem.resolve("bin/app")
    assert program is not None
    closure = closure_of(seen, [program])
    used = {library.entry.inode for library in closure.libraries if library.use is Use.USED}
    assert used == inodes(seen.filesystem, re.findall(r"(/\S+) \(0x", listed))
    assert closure.missing == ()
    assert {one.entry.path: one.use for one in closure.libraries}["usr/lib/libother.so"] is Use.UNUSED
