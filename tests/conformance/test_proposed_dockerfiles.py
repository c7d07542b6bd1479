"""A proposal of ``hullmark advise``, built by hand from real files, is a hardened image whose program starts.

Each source image is put together from programs of this machine with a shell script as entry point. The proposal's
last stage is assembled as BuildKit would, assessed as a runtime image, and its program started in it with chroot(2)
as uid 65532.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from compliance import pipeline
from compliance.model.evidence import Variant
from compliance.pipeline import Options
from tests.builders.container_build import Built, build, layer, start
from tests.builders.evidence import NOW
from tests.builders.layout import Layout

TOOLS = ("/bin/sh", "/bin/mkdir", "/bin/rm", "/bin/chmod", "/bin/cat")
MUST_PASS = frozenset(
    ("RM-SHELL", "RM-PKGMGR", "NR-USER", "NR-NUMERIC", "NR-GROUP", "IM-EXEC", "IM-USERWR", "IM-ROFS", "IM-WWFILE",
     "IM-WWDIR", "IM-SETUID", "IM-PATH", "IM-INSTALL")
)  # fmt: skip

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or not hasattr(os, "geteuid") or os.geteuid() != 0, reason="chroot(2) needs root on Linux"
)


def libraries(program: str) -> list[str]:
    """What the machine's loader maps for `program`, by ldd(1)."""
    run = subprocess.run(["ldd", program], capture_output=True, text=True)
    return re.findall(r"(/\S+) \(0x", run.stdout)


def install(root: Path, *programs: str) -> None:
    """Put programs of this machine with their libraries into `root`, under the paths they have here."""
    for path in dict.fromkeys(one for program in programs for one in (program, *libraries(program))):
        target = root / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(Path(path).resolve(), target)


def write(root: Path, path: str, text: str, mode: int = 0o644) -> None:
    target = root / path.lstrip("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text)
    target.chmod(mode)


@dataclass(frozen=True)
class Advised:
    code: int
    document: dict[str, object]
    dockerfile: bytes

    @property
    def ids(self) -> dict[str, dict[str, object]]:
        return {item["id"]: item for item in self.document["advice"]}  # type: ignore[attr-defined]


def hullmark(*arguments: str | Path) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "compliance.cli.main", *map(str, arguments)], capture_output=True, timeout=300
    )


def store(stage: Built, where: Path) -> Path:
    Layout(root=where).add_image([layer(stage.root)], config=stage.config)
    return where


def advise(source: Path, work: Path, *more: str | Path) -> Advised:
    outputs = ("-o", f"json={work / 'advice.json'}", "-o", f"dockerfile={work / 'Dockerfile'}")
    run = hullmark("advise", f"oci-dir:{source}", "-q", *outputs, *more)
    assert b"internal error" not in run.stderr, run.stderr
    assert run.returncode in (0, 10, 11), run.stderr
    document = json.loads((work / "advice.json").read_bytes())
    return Advised(code=run.returncode, document=document, dockerfile=(work / "Dockerfile").read_bytes())


def assess(stage: Built, where: Path) -> dict[str, str]:
    """Check id to outcome of the stage, held against the runtime profile."""
    assessment = pipeline.assess(f"oci-dir:{store(stage, where)}", Options(variant=Variant.RUNTIME, now=NOW))
    return {result.check.id: str(result.word) for result in assessment.results}


@pytest.fixture
def source(tmp_path: Path) -> Built:
    """An image with a shell and a few tools, and nothing else."""
    root = tmp_path / "source"
    install(root, *TOOLS)
    (root / "tmp").mkdir()
    (root / "tmp").chmod(0o1777)
    write(root, "etc/passwd", "root:x:0:0:root:/root:/bin/sh\n")
    write(root, "etc/group", "root:x:0:\n")
    return Built(root=root)


def runtime_of(advised: Advised, source: Built, tmp_path: Path, **more: Built) -> Built:
    contexts = {"application-image": source, **{name.replace("_", "-"): one for name, one in more.items()}}
    return build(advised.dockerfile, contexts, tmp_path / "built")


def test_program_with_shared_libraries_started_by_a_script(source: Built, tmp_path: Path) -> None:
    program = shutil.which("xz")
    if program is None or not libraries(program):
        pytest.skip("no dynamically linked xz on this machine")
    install(source.root, program)
    script = """#!/bin/sh
set -e
: "${LEVEL:=9}"
export XZ_DEFAULTS="${XZ_DEFAULTS:---verbose}"
mkdir -p /var/lib/packer
echo "packing with level $LEVEL"
cd /var/lib/packer
exec xz -"$LEVEL" "$@"
"""
    write(source.root, "usr/local/bin/start.sh", script, 0o755)
    source.config.update(
        {
            "Entrypoint": ["/usr/local/bin/start.sh"],
            "Cmd": ["--keep", "note"],
            "Env": ["PATH=/usr/local/bin:/usr/bin:/bin"],
        }
    )
    advised = advise(store(source, tmp_path / "image"), tmp_path)
    assert advised.code == 10
    assert {"shell-script", "libraries", "writable", "user-root"} <= advised.ids.keys()
    runtime = runtime_of(advised, source, tmp_path)
    assert runtime.config["Entrypoint"] == [program, "-9"]
    assert runtime.config["Cmd"] == ["--keep", "note"]
    outcomes = assess(runtime, tmp_path / "runtime-image")
    assert {check for check in MUST_PASS if outcomes[check] != "passed"} == set()

    (runtime.root / "var/lib/packer/note").write_text("text")
    os.chown(runtime.root / "var/lib/packer/note", 65532, 65532)
    run = start(runtime)
    assert run.returncode == 0, run.stderr
    assert "note" in run.stderr, "XZ_DEFAULTS of the script makes it say what it packs"
    packed = (runtime.root / "var/lib/packer/note.xz").stat()
    assert packed.st_uid == 65532


def test_static_program_started_by_a_shell_form(source: Built, tmp_path: Path) -> None:
    program = Path("/sbin/ldconfig")
    if not program.exists() or libraries(str(program)):
        pytest.skip("no static ldconfig on this machine")
    (source.root / "srv").mkdir()
    shutil.copy2(program, source.root / "srv/tool")
    source.config.update({"Cmd": ["/bin/sh", "-c", "exec /srv/tool --version"], "ExposedPorts": {"80/tcp": {}}})
    advised = advise(store(source, tmp_path / "image"), tmp_path)
    assert {"shell-form", "port"} <= advised.ids.keys()
    assert "libraries" not in advised.ids
    runtime = runtime_of(advised, source, tmp_path)
    assert runtime.argv == ["/srv/tool", "--version"]
    outcomes = assess(runtime, tmp_path / "runtime-image")
    assert {check for check in MUST_PASS if outcomes[check] != "passed"} == set()
    run = start(runtime)
    assert (run.returncode, "ldconfig" in run.stdout) == (0, True), run.stderr


@pytest.fixture(scope="module")
def python_home() -> Path:
    """The machine's own Python, which a target can ship."""
    for program in sorted(Path("/usr/bin").glob("python3.*")):
        library = Path("/usr/lib") / program.name
        if re.fullmatch(r"python3\.\d+", program.name) and library.is_dir():
            return program
    pytest.skip("no Python of the distribution on this machine")


def install_python(root: Path, python: Path) -> None:
    install(root, str(python))
    (root / "usr/bin/python3").symlink_to(python.name)
    library = root / "usr/lib" / python.name
    shutil.copytree(
        Path("/usr/lib") / python.name,
        library,
        symlinks=True,
        ignore=shutil.ignore_patterns("test", "idlelib", "ensurepip", "lib2to3", "*.pyc", "config-*", "pydoc_data"),
    )
    for module in library.glob("lib-dynload/*.so"):
        install(root, *libraries(str(module)))


def test_python_application_whose_target_ships_python(source: Built, tmp_path: Path, python_home: Path) -> None:
    install_python(source.root, python_home)
    write(
        source.root,
        "app/main.py",
        "import json, os, sys\nprint(json.dumps([os.getuid(), sys.argv[1:], os.environ['MODE']]))\n",
    )
    script = '#!/bin/sh\nMODE=${MODE:-serve}\nexport MODE\ncd /app || exit 1\nexec python3 main.py "$@"\n'
    write(source.root, "app/entrypoint.sh", script, 0o755)
    source.config.update({"Entrypoint": ["/app/entrypoint.sh"], "Cmd": ["--port", "8080"]})

    target = Built(
        root=tmp_path / "target", config={"User": "65532", "Env": ["PATH=/usr/bin"], "Entrypoint": ["python3"]}
    )
    install_python(target.root, python_home)
    write(target.root, "etc/passwd", "nonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n")
    write(target.root, "etc/group", "nonroot:x:65532:\n")
    hardened = store(target, tmp_path / "hardened")

    advised = advise(store(source, tmp_path / "image"), tmp_path, "--to", f"oci-dir:{hardened}")
    assert advised.code == 10
    assert "libraries" not in advised.ids, "the target ships what Python needs"
    assert not [gap for gap in advised.document["gaps"] if gap["decisive"]]  # type: ignore[attr-defined]
    runtime = runtime_of(advised, source, tmp_path, runtime_image=target)
    assert runtime.argv == ["/usr/bin/python3", "main.py", "--port", "8080"]
    assert not (runtime.root / "app/entrypoint.sh").exists(), "an unfolded script is not needed"
    outcomes = assess(runtime, tmp_path / "runtime-image")
    assert {check for check in MUST_PASS - {"IM-ROFS"} if outcomes[check] != "passed"} == set()
    for environment, mode in (({}, "serve"), ({"MODE": "migrate"}, "migrate")):
        run = start(runtime, environment=environment)
        assert json.loads(run.stdout) == [65532, ["--port", "8080"], mode], run.stderr


def test_script_that_decides_at_start_is_not_unfolded_and_its_line_is_named(source: Built, tmp_path: Path) -> None:
    program = shutil.which("xz")
    if program is None:
        pytest.skip("no xz on this machine")
    install(source.root, program)
    script = """#!/bin/sh
set -e
if [ -n "$MIGRATE" ]; then
  cat /etc/group
fi
THREADS=$(nproc)
exec xz -T "$THREADS" "$@"
"""
    write(source.root, "entrypoint.sh", script, 0o755)
    source.config.update({"Entrypoint": ["/entrypoint.sh"]})
    advised = advise(store(source, tmp_path / "image"), tmp_path)
    assert advised.code == 10
    proposal = advised.document["proposal"]
    assert isinstance(proposal, dict)
    assert proposal["complete"] is False
    told = [(one["place"]["path"], one["place"]["line"], one["reason"]) for one in proposal["obstacles"]]
    assert told == [("/entrypoint.sh", 3, "a condition"), ("/entrypoint.sh", 6, "the output of a command")]
    assert b"ENTRYPOINT [" not in advised.dockerfile
    runtime = runtime_of(advised, source, tmp_path)
    assert runtime.argv == []
