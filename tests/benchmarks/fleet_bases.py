"""Builds the bases of the fleet benchmark: small images that have little in common, from the system's own packages.

Run as root on Debian: ``python -m tests.benchmarks.fleet_bases [NAME …]``; every base when none is named. Each becomes
FOLDER/bases/NAME/oci (FOLDER is .bench of the checkout): two minutes, 0.3 GB. Some are images without dpkg, whose
packages are unpacked beside records in /var/lib/dpkg/status.d; some are slim Debian with packages that apt installed;
one has an RPM database. What a base is for is run in it before it counts as built. Then they are counted, with the
samples of the checkout, in a table as the docs have it.
"""

from __future__ import annotations

import argparse
import gzip
import json
import shutil
import subprocess
import sys
import tarfile
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, cast

import zstandard

from tests.benchmarks.images import APT_INSTALL, CHECKOUT, FOLDER, Recipe, Root, Workshop, build, rpm_app, run
from tests.benchmarks.layout import read_image

PLACE = "bases"
_ZSTD = bytes.fromhex("28b52ffd")
SAMPLES = CHECKOUT / "examples" / "images"
"""Of the checkout, built reproducibly by its own script; bases like the others."""

GLIBC = ("base-files", "libc6", "libcrypt1", "libgcc-s1", "netbase", "tzdata")
CERTIFICATES = "ca-certificates"
PASSWD = "root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:65532:65532::/home/nonroot:/sbin/nologin\n"  # noqa: S105
APT_DOWNLOAD = APT_INSTALL.partition("apt-get -q install")[0] + 'cd /packages && apt-get -q download "$@"\n'


@dataclass(frozen=True, slots=True, kw_only=True)
class Unpacked:
    """A base without dpkg: its packages, what it runs, as whom, and a command that shows that it does.

    `aliases` are further names of the program that it runs.
    """

    packages: tuple[str, ...]
    entrypoint: tuple[str, ...]
    proof: tuple[str, ...]
    user: str = "65532:65532"
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """A base on slim Debian: the packages that apt installs, what it runs, and a command that shows that it does."""

    packages: tuple[str, ...]
    command: tuple[str, ...]
    proof: tuple[str, ...]
    user: str = ""


UNPACKED: Mapping[str, Unpacked] = {
    "glibc": Unpacked(packages=GLIBC, entrypoint=(), proof=("/lib64/ld-linux-x86-64.so.2", "--version")),
    "openssl": Unpacked(
        packages=(*GLIBC, CERTIFICATES, "libssl3", "openssl"),
        entrypoint=("/usr/bin/openssl",),
        proof=("/usr/bin/openssl", "version"),
    ),
    "perl": Unpacked(
        packages=(*GLIBC, "perl-base"), entrypoint=("/usr/bin/perl",), proof=("/usr/bin/perl", "-MPOSIX", "-e1")
    ),
    "node": Unpacked(
        packages=(
            *(*GLIBC, CERTIFICATES, "libssl3", "libstdc++6", "zlib1g", "nodejs", "libnode108", "libbrotli1"),
            *("libc-ares2", "libicu72", "libnghttp2-14", "libuv1", "node-acorn", "node-cjs-module-lexer"),
            *("node-undici", "node-busboy", "node-xtend"),
        ),
        entrypoint=("/usr/bin/node",),
        proof=("/usr/bin/node", "--eval", "fetch"),
    ),
    "java": Unpacked(
        packages=(
            *(*GLIBC, "libstdc++6", "zlib1g", "java-common", "openjdk-17-jre-headless", "libcommons-lang3-java"),
            *("libguava-java", "libjackson2-annotations-java", "libjackson2-core-java", "libjackson2-databind-java"),
            *("libslf4j-java", "liblogback-java"),
        ),
        entrypoint=("/usr/lib/jvm/java-17-openjdk-amd64/bin/java", "-cp", "/usr/share/java/*", "app.Main"),
        proof=("/usr/lib/jvm/java-17-openjdk-amd64/bin/java", "-version"),
    ),
    "go": Unpacked(
        packages=(*GLIBC, CERTIFICATES, "prometheus-node-exporter"),
        entrypoint=("/usr/bin/prometheus-node-exporter",),
        proof=("/usr/bin/prometheus-node-exporter", "--version"),
    ),
    "haproxy": Unpacked(
        packages=(
            *(*GLIBC, CERTIFICATES, "libssl3", "haproxy", "libcap2", "libgcrypt20", "libgpg-error0", "liblua5.3-0"),
            *("liblz4-1", "liblzma5", "libopentracing-c-wrapper0", "libopentracing1", "libpcre2-8-0", "libstdc++6"),
            *("libsystemd0", "libzstd1", "zlib1g"),
        ),
        entrypoint=("/usr/sbin/haproxy", "-f", "/etc/haproxy/haproxy.cfg"),
        proof=("/usr/sbin/haproxy", "-v"),
    ),
    "busybox": Unpacked(
        packages=("busybox-static",),
        entrypoint=("/bin/sh",),
        proof=("/bin/sh", "-c", "echo done"),
        user="",
        aliases=tuple(f"bin/{name}" for name in ("sh", "cat", "cp", "ls", "mkdir", "nc", "rm", "sed", "vi", "wget")),
    ),
}

INSTALLED: Mapping[str, Installed] = {
    "debian-slim": Installed(packages=(), command=("bash",), proof=("bash", "--version")),
    "python": Installed(packages=("python3-minimal",), command=("python3",), proof=("python3", "-c", "import sys")),
    "nginx": Installed(
        packages=("nginx-light",), command=("nginx", "-g", "daemon off;"), proof=("nginx", "-t"), user="www-data"
    ),
    "redis": Installed(
        packages=("redis-server",), command=("redis-server",), proof=("redis-server", "--version"), user="redis"
    ),
    "postgresql-client": Installed(packages=("postgresql-client",), command=("psql",), proof=("psql", "--version")),
    "ruby": Installed(packages=("ruby",), command=("irb",), proof=("ruby", "-e", "require 'json'")),
}


def download(workshop: Workshop, part: Path) -> None:
    """The Debian packages of all unpacked bases, as apt finds them for the slim base."""
    root = Root.on_debian(workshop, "download", "slim")
    (root.path / "packages").mkdir()
    shutil.copy("/etc/resolv.conf", root.path / "etc/resolv.conf")
    names = sorted({name for base in UNPACKED.values() for name in base.packages})
    root.run("sh", "-ec", APT_DOWNLOAD, "sh", *names)
    for package in (root.path / "packages").glob("*.deb"):
        shutil.copy(package, part / f"{package.name.partition('_')[0]}.deb")
    shutil.rmtree(root.path)


def unpack(workshop: Workshop, name: str) -> None:
    """Build one of UNPACKED."""
    base = UNPACKED[name]
    packages = workshop.cached("packages", partial(download, workshop))
    root = Root(workshop=workshop, name=name)
    shutil.rmtree(root.path, ignore_errors=True)
    for folder in ("bin", "lib", "lib64", "sbin"):
        (root.path / "usr" / folder).mkdir(parents=True)
        (root.path / folder).symlink_to(f"usr/{folder}")
    for folder in ("dev", "etc", "home/nonroot", "proc", "tmp", "var/lib/dpkg/status.d"):
        (root.path / folder).mkdir(parents=True)
    for package in base.packages:
        unpack_package(packages / f"{package}.deb", root.path)
    root.remove("usr/share/doc/*/[!c]*", "usr/share/doc/*/c[!o]*", "usr/share/man", "usr/share/lintian")
    (root.path / "etc/passwd").write_text(PASSWD)
    if CERTIFICATES in base.packages:
        bundle(root.path)
    for alias in base.aliases:
        (root.path / alias).symlink_to("busybox")
    root.run(*base.proof)
    root.commit("COPY . /")
    root.finish(User=base.user, Entrypoint=list(base.entrypoint) or None)


def unpack_package(package: Path, root: Path) -> None:
    """A package's files, and its record as images without dpkg have it."""
    with subprocess.Popen(("dpkg-deb", "--fsys-tarfile", package), stdout=subprocess.PIPE) as archive:
        into = ("tar", "--extract", "--keep-directory-symlink", "--preserve-permissions", "--directory", root)
        unpacked = subprocess.run(into, stdin=archive.stdout, check=False)
    if archive.returncode or unpacked.returncode:
        raise SystemExit(f"{package.name} can't be unpacked")
    (root / "var/lib/dpkg/status.d" / package.stem).write_text(run("dpkg-deb", "--field", package))


def bundle(root: Path) -> None:
    """The certificates as one file, which otherwise a script of their package writes."""
    found = sorted((root / "usr/share/ca-certificates/mozilla").glob("*.crt"))
    place = root / "etc/ssl/certs"
    place.mkdir(parents=True, exist_ok=True)
    (place / "ca-certificates.crt").write_bytes(b"".join(path.read_bytes() for path in found))


def install(workshop: Workshop, name: str) -> None:
    """Build one of INSTALLED."""
    base = INSTALLED[name]
    root = Root.on_debian(workshop, name, "slim")
    if base.packages:
        root.install(*base.packages)
    root.remove("var/lib/apt/lists/*")
    root.run(*base.proof)
    if base.packages:
        root.commit(
            f"RUN apt-get update && apt-get install -y {' '.join(base.packages)} && rm -rf /var/lib/apt/lists/*"
        )
    root.finish(User=base.user, Cmd=list(base.command))


def _recipes(build_one: Callable[[Workshop, str], None], names: Iterable[str]) -> dict[str, Recipe]:
    return {name: Recipe(build=partial(_swapped, build_one, name), needs=("mmdebstrap",)) for name in names}


def _swapped(build_one: Callable[[Workshop, str], None], name: str, workshop: Workshop) -> None:
    build_one(workshop, name)


RECIPES: Mapping[str, Recipe] = {
    **_recipes(unpack, UNPACKED),
    **_recipes(install, INSTALLED),
    "rpm-app": Recipe(build=rpm_app, needs=("mmdebstrap", "rpmbuild", "rpm")),
}


def layouts(folder: Path = FOLDER) -> dict[str, Path]:
    """Name -> OCI layout of the bases that are built, and of the samples of the checkout."""
    built = {name: folder / PLACE / name / "oci" for name in RECIPES}
    samples = {f"sample-{path.name}": path for path in sorted(SAMPLES.iterdir()) if path.is_dir()}
    return {name: layout for name, layout in (built | samples).items() if layout.is_dir()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """What is in a base: bytes as stored and inflated, regular files in its layers, packages that its SBOM has."""

    stored: int
    inflated: int
    files: int
    packages: Mapping[str, int]

    def row(self, name: str) -> str:
        """A line of the table."""
        kinds = ", ".join(f"{number} {kind}" for kind, number in self.packages.items())
        size = f"{self.stored / 1e6:.1f} | {self.inflated / 1e6:.1f}"
        return f"| {name} | {_what(name)} | {size} | {self.files:,} | {kinds or 'none'} |"


HEAD = "| base | made of | MB stored | MB inflated | files | packages |\n| --- | --- | --- | --- | --- | --- |"


def count(layout: Path) -> Count:
    """Read all of it."""
    image = read_image(layout)
    stored = inflated = files = 0
    for layer in image.layers:
        stored += layer.stat().st_size
        with _inflating(layer) as stream, tarfile.open(fileobj=stream, mode="r|") as archive:
            files += sum(member.isreg() for member in archive)
            inflated += archive.offset
    command = (sys.executable, "-m", "compliance.cli.main", "sbom", f"oci-dir:{layout}", "-q", "-o", "cyclonedx-json")
    components = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)["components"]
    purls = [one["purl"] for one in components if "purl" in one]
    kinds = Counter(purl.removeprefix("pkg:").partition("/")[0] for purl in purls)
    return Count(stored=stored, inflated=inflated, files=files, packages=dict(sorted(kinds.items())))


def _inflating(layer: Path) -> IO[bytes]:
    """The samples' layers are zstd."""
    with layer.open("rb") as stored:
        compressed = stored.read(4)
    return cast("IO[bytes]", zstandard.open(layer, "rb") if compressed == _ZSTD else gzip.open(layer))


def _what(name: str) -> str:
    """What a base is made of, in a few words."""
    if name in UNPACKED:
        own = [package for package in UNPACKED[name].packages if package not in GLIBC]
        return f"glibc, {', '.join(own)}" if "libc6" in UNPACKED[name].packages and own else ", ".join(own or GLIBC)
    if name in INSTALLED:
        return "slim Debian" + (f", apt: {', '.join(INSTALLED[name].packages)}" if INSTALLED[name].packages else "")
    return "slim Debian's files as RPM packages" if name == "rpm-app" else "the checkout's sample"


def main() -> None:
    """Build what is missing, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where to build (default: .bench)")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(RECIPES)} (default: all)")
    values = parser.parse_args()
    if unknown := set(values.names) - set(RECIPES):
        parser.error(f"no such base: {', '.join(sorted(unknown))}")
    folder = values.folder.resolve()
    build(Workshop(folder=folder, place=PLACE), values.names or tuple(RECIPES), RECIPES)
    rows = [count(layout).row(name) for name, layout in layouts(folder).items()]
    sys.stdout.write("\n".join((HEAD, *rows)) + "\n")


if __name__ == "__main__":
    main()
