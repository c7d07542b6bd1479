"""Programs told by texts in their bytes: each rule on what real builds hold, and what must not be taken for one."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from compliance.model.filesystem import ElfFacts, FileFacts, FileTree, GoBuildInfo, Unkept
from compliance.model.inventory import Package
from compliance.sbom.catalogers.binary import CATALOGER
from compliance.sbom.inventory import requests, take_inventory
from compliance.sbom.knowledge.binaries import RULES, Lone, Text
from tests.builders.evidence import Node, program, telling, tree

PYTHON = b"pymalloc_debug\x003.12.4\0strict\0<prefix>/lib/pythonX.X\0Python %s\n\0"
BUSYBOX = b"out of memory\0BusyBox v1.36.1 (2024-06-10 07:11:47 UTC)\0/dev/\0"
ENVOY = b"fd = {}, type = {}\x001.34.5\0RAWRR\0"


def packages(nodes: dict[str, Node | bytes | str]) -> list[Package]:
    return list(CATALOGER.catalog(tree(nodes, requests=CATALOGER.requests), None).packages)


def purls(path: str, content: bytes) -> list[str]:
    return [package.purl for package in packages({path: program(content)})]


@pytest.mark.parametrize(
    ("path", "content", "purl"),
    [
        ("usr/local/bin/python3.12", PYTHON, "python@3.12.4"),
        ("usr/local/lib/libpython3.13.so.1.0", b"\x003.13.0rc2+\0%.80s (%.80s) %.80s\0", "python@3.13.0rc2"),
        ("usr/bin/python2.7", b"\0\x002.7.18\0\0", "python@2.7.18"),
        ("opt/pypy/bin/libpypy3.9-c.so", b"3.9.16 (7.3.11, Dec 30 2024)\n[PyPy 7.3.11 with GCC]", "pypy@7.3.11"),
        ("usr/local/bin/node", b"\0/json\0node.js/v20.20.2\0(delegate_)", "node@20.20.2"),
        (
            "usr/local/bin/node",
            b"\0node.js/v21.0.0-nightly20230801d396a041f7\0",
            "node@21.0.0-nightly20230801d396a041f7",
        ),
        ("usr/bin/deno", b"Exporter-Deno/0.80.0grpcdenover2.9.6Deno/2.9.6+e518fbdDeno/2.9.6ws:", "deno@2.9.6"),
        ("usr/local/go/bin/go", b"\0\0go1.22rc1\0runtime/cgo: ", "go@1.22rc1"),
        ("usr/local/go/VERSION", b"go1.26.8\ntime 2026-08-01T00:00:00Z\n", "go@1.26.8"),
        ("usr/local/bin/perl5.38.2", b"PERL_INTERNAL_RAND_SEED\0v5.38.2\0panic: sysconf", "perl@5.38.2"),
        ("usr/local/bin/php", b"%s,%s\0X-Powered-By: PHP/8.4.0RC1\0ZEND_MM_MAX_ALLOCS", "php-cli@8.4.0RC1"),
        ("usr/local/sbin/php-fpm", b"\0X-Powered-By: PHP/8.2.36\0", "php-fpm@8.2.36"),
        ("usr/lib/apache2/modules/libphp.so", b"\0X-Powered-By: PHP/8.2.36\0", "libphp@8.2.36"),
        ("usr/local/lib/libruby.so.3.1.7", b"\0ruby 3.1.7p261 (2025-03-26 revision 0a3704f218)", "ruby@3.1.7p261"),
        ("usr/local/bin/ruby", b"\0ruby 3.4.0dev (2024-09-15 master 532af89e3b) [x86_64-linux]\0", "ruby@3.4.0dev"),
        ("usr/lib/erlang/erts-13.1.5/bin/beam.smp", b"-I/build/erlang-25.2.3+dfsg/erts/x86_64-pc", "erlang@25.2.3"),
        ("usr/local/bin/elixir", b"#!/bin/sh\nset -e\n\nELIXIR_VERSION=1.18.0-rc.0\n", "elixir@1.18.0-rc.0"),
        (
            "opt/java/bin/java",
            b"\0openjdk\0java\x000.0\x0017.0.15+6-Debian-1deb12u1\0-J",
            "oracle/openjdk@17.0.15%2B6-Debian-1deb12u1",
        ),
        ("opt/java/bin/jdb", b"\0openjdk\0jdb\x000.0\x0025.0.3+9-LTS\0-J-ms8m\0", "oracle/openjdk@25.0.3%2B9-LTS"),
        (
            "opt/graal/bin/java",
            b"\0openjdk\0java\x000.0\x0017.0.8+7-jvmci-23.0-b15\0-J",
            "oracle/graalvm@17.0.8%2B7-jvmci-23.0-b15",
        ),
        ("usr/bin/lua5.4", b"stdin\n\0\0Lua 5.4.4  Copyright (C) 1994-2022 Lua.org", "lua@5.4.4"),
        ("usr/local/bin/luajit", b"\0LuaJIT 2.1.0-beta3 -- Copyright", "luajit@2.1.0-beta3"),
        ("root/.ghcup/bin/cabal", b"/usr/lib/x86_64-linux-ghc-9.0.2/cabal-install-3.4.1.0\0", "haskell/cabal@3.4.1.0"),
        ("usr/local/bin/gcc", b"\x0012.2.0\0(Debian 12.2.0-14) \0gcc version %s %s\n", "gcc@12.2.0"),
        ("usr/sbin/nginx", b"\0nginx version: nginx/1.27.0\n\0OpenSSL 3.0.22", "nginx@1.27.0"),
        ("usr/local/apache2/bin/httpd", b"\0Apache/2.4.62 (Unix)\0", "httpd@2.4.62"),
        ("usr/sbin/lighttpd", b"\0server started (lighttpd/1.4.69)\0", "lighttpd@1.4.69"),
        ("usr/sbin/proftpd", b"tvX46\0ProFTPD Version 1.3.8b\0LANG\0", "proftpd@1.3.8b"),
        ("usr/sbin/varnishd", b"\0varnish-7.1.1 revision 7cee1c581bead20e\0", "varnish@7.1.1"),
        ("usr/sbin/haproxy", b"\x002.6.12-1+deb12u4\0\0\0\0HAProxy version follows\0", "haproxy@2.6.12"),
        ("usr/local/bin/redis-server", b"err\x007.2.4\0c11-builtin\0shutdown_in_ms", "redis@7.2.4"),
        ("usr/bin/redis-check-rdb", b"A7.0.151790282056000000000\0%llx\0networking.c", "redis@7.0.15"),
        ("usr/local/bin/valkey-server", b"\x008.0.1f3a2b1c4d5e6-1738000000000000000\0networking.c", "valkey@8.0.1"),
        ("usr/local/bin/memcached", b"listen\0memcached 1.6.18\0udp-port", "memcached@1.6.18"),
        ("usr/local/bin/postgres", b"\0postgres (PostgreSQL) 17beta2\n\0", "postgresql@17beta2"),
        ("usr/local/bin/psql", b"\0psql (PostgreSQL) 9.6.24\0", "postgresql@9.6.24"),
        (
            "usr/sbin/mysqld",
            b"/BUILD/percona-server-8.0.35-27/percona-server-8.0.35-27/sql",
            "percona-server@8.0.35-27",
        ),
        ("usr/sbin/mariadbd", b"-0+deb12u1\x0010.11.19-MariaDB\0x86_64\0", "mariadb@10.11.19"),
        ("usr/local/lib/libsqlite3.so.0.8.6", b"\0\x003.40.1\0\0", "sqlite@3.40.1"),
        ("usr/local/ssl/lib/libcrypto.so.1.1", b"\0OpenSSL 1.1.1w  11 Sep 2023\0", "openssl@1.1.1w"),
        ("usr/bin/openssl", b"\0OpenSSL 1.0.2k-fips  26 Jan 2017\0", "openssl@1.0.2k"),
        ("usr/bin/openssl", b"\0LibreSSL 3.8.2\0", "libressl@3.8.2"),
        ("usr/sbin/sshd", b"OpenSSH_7.0*,OpenSSH_6.6*\0OpenSSH_9.2p1 Debian-2\0OpenSSH_9.2p1\0SSH", "openssh@9.2p1"),
        ("usr/sbin/dropbear", b"SSH-2.0-dropbear_2022.83\r\n\0", "dropbear@2022.83"),
        ("bin/busybox", BUSYBOX, "busybox@1.36.1"),
        ("usr/bin/getopt", b"%s from %s\n\0util-linux 2.38.1\0\nUsage:", "util-linux@2.38.1"),
        ("usr/local/bin/curl", b"Accept: application/json\0curl/8.11.0\0", "curl@8.11.0"),
        ("usr/local/bin/git", b"\xff\xfe\xfe\xffgit/2.47.0.rc1\0GIT_USER_AGENT\0", "git@2.47.0.rc1"),
        ("usr/local/bin/jq", b"Error: writing output failed: %s\n\x001.7.1\0DEBUG:\0jq-%s\n\0", "jq@1.7.1"),
        ("usr/local/bin/zstd", b"Enabled\0v1.5.4\0Zstandard CLI\0Yann Collet", "zstd@1.5.4"),
        ("bin/gzip", b"file size changed while zipping\n\x001.12\0\0\0", "gzip@1.12"),
        ("usr/lib/libz.so.1.3.1", b" inflate 1.3.1 Copyright 1995-2024 Mark Adler ", "zlib@1.3.1"),
        ("sbin/tini", b"[INFO  tini (%i)] \0tini version 0.19.0\0%s (%s)\n", "tini@0.19.0"),
        ("usr/lib/libavcodec.so.59.37.100", b"license: GPL\0FFmpeg version 5.1.9-0+deb12u1\0", "ffmpeg@5.1.9"),
        ("usr/lib/libstd-a5a48102fbd58791.so", b"CAPACITY/usr/src/rustc-1.63.0/library/alloc/src", "rust@1.63.0"),
        ("usr/local/bin/filebeat", b"forcestdinsetupTest 9.1.0%s %w8.0.0sse41", "filebeat@9.1.0"),
        ("usr/local/bin/grafana", b"\0\0HEAD\0\0\0\x0011.5.0-beta1\0\0", "grafana@11.5.0-beta1"),
        ("opt/chrome/chrome", b"\0126.0.6478.114\0".replace(b"\0126", b"\x00126"), "chrome@126.0.6478.114"),
    ],
)
def test_program_is_told_by_its_text(path: str, content: bytes, purl: str) -> None:
    assert purls(path, b"\x7fELF" + content if not content.startswith((b"#!", b"go1")) else content) == [
        f"pkg:generic/{purl}"
    ]


def test_programs_of_go_are_named_by_their_module() -> None:
    assert purls("bin/helm", b"\0\0clean\0\0\0v3.17.0-rc.1\0\0") == ["pkg:golang/helm.sh/helm@3.17.0-rc.1"]
    assert purls("bin/vault", b"\0\x001.17.2\0\0") == ["pkg:golang/github.com/hashicorp/vault@1.17.2"]


def test_two_versions_tell_nothing() -> None:
    assert purls("usr/local/bin/envoy", ENVOY) == ["pkg:generic/envoy@1.34.5"]
    assert purls("usr/local/bin/envoy", ENVOY + b"\x001.58.0\0") == []


def test_of_two_versions_the_one_in_the_file_name_counts() -> None:
    content = PYTHON + b"unidata_version\x003.5.4\0ucd_3_2_0\0"
    assert purls("usr/bin/python3.12", content) == ["pkg:generic/python@3.12.4"]
    assert purls("usr/bin/python3", content) == []


def test_version_among_other_text_is_not_alone() -> None:
    assert purls("usr/local/bin/envoy", b"\0version 1.34.5\x001.34.5 of envoy\0") == []


@pytest.mark.parametrize("name", ["node", "openssl", "nginx", "bash", "java", "python3"])
def test_file_of_the_name_without_the_text_is_no_program(name: str) -> None:
    assert purls(f"usr/share/bash-completion/completions/{name}", b"# completion for 1.2.3 of it\n") == []


def test_text_at_the_edges_of_the_file_is_found() -> None:
    assert purls("bin/busybox", b"BusyBox v1.36.1") == ["pkg:generic/busybox@1.36.1"]
    assert purls("bin/xz", b"x" * 5000 + b"(XZ Utils) 5.6.2") == ["pkg:generic/xz@5.6.2"]


def test_identity_is_said_to_be_read_off_the_file() -> None:
    texts, alone = packages({"bin/busybox": BUSYBOX}) + packages({"bin/envoy": ENVOY})
    assert alone.confidence < texts.confidence < 1
    assert texts.inferred == "name and version, from the file's name and a text in it"
    assert [algorithm for algorithm, _ in texts.digests] == ["SHA-256"]


def test_one_program_in_several_files_is_one_package() -> None:
    made = tree(
        {"usr/lib/libpython3.12.so.1.0": PYTHON, "usr/bin/python3.12": program(PYTHON + b"x")}, requests=requests()
    )
    (package,) = take_inventory(made).packages
    assert {place.path for place in package.locations} == {"usr/lib/libpython3.12.so.1.0", "usr/bin/python3.12"}
    assert package.digests == ()


def test_names_of_one_file_are_places_of_one_package() -> None:
    (package,) = packages(
        {"bin/[": program(BUSYBOX), "bin/busybox": Node(same_as="bin/["), "bin/ls": Node(same_as="bin/[")}
    )
    assert [place.path for place in package.locations] == ["bin/[", "bin/busybox"]


STATUS = "Package: python3.12\nStatus: install ok installed\nVersion: 3.12.4-1\nArchitecture: amd64\nMaintainer: x\n"


def test_program_of_an_os_package_is_not_told_again() -> None:
    nodes: dict[str, Node | bytes | str] = {
        "var/lib/dpkg/status": STATUS,
        "var/lib/dpkg/info/python3.12.list": "/.\n/usr/bin/python3.12\n",
        "usr/bin/python3.12": program(PYTHON),
        "usr/local/bin/python3.12": program(PYTHON),
    }
    found = take_inventory(tree(nodes, requests=requests()))
    assert [package.type for package in found.packages] == ["deb", "generic"]
    assert [place.path for place in found.packages[1].locations] == ["usr/local/bin/python3.12"]


def test_program_in_a_wheel_is_told_beside_the_wheel() -> None:
    home = "usr/lib/python3/dist-packages"
    nodes: dict[str, Node | bytes | str] = {
        f"{home}/nodejs_bin-20.20.2.dist-info/METADATA": "Metadata-Version: 2.1\nName: nodejs-bin\nVersion: 20.20.2\n",
        f"{home}/nodejs_bin-20.20.2.dist-info/RECORD": "nodejs/bin/node,,\n",
        f"{home}/nodejs/bin/node": program(b"\0node.js/v20.20.2\0"),
    }
    found = take_inventory(tree(nodes, requests=requests()))
    assert [package.purl for package in found.packages] == ["pkg:generic/node@20.20.2", "pkg:pypi/nodejs-bin@20.20.2"]


def test_java_home_with_a_release_file_is_left_to_its_reader() -> None:
    java = b"\0openjdk\0java\x000.0\x0021.0.4+7-LTS\0-J"
    assert packages({"opt/java/bin/java": java, "opt/java/release": "x"}) == []


def of_go(path: str, content: bytes, main: str, version: str) -> FileTree:
    made = tree({path: program(content)}, requests=CATALOGER.requests)
    info = GoBuildInfo(go_version="go1.22.1", path=main, main=(main, version, ""), modules=(), settings={})
    facts = FileFacts(elf=ElfFacts(file_type="executable", machine=62, bits=64, runnable=True, go=info))
    (request,) = (request for request in CATALOGER.requests if made.captured(request.name))
    (item,) = made.captured(request.name)
    entry = telling(item.entry, facts)
    return FileTree(
        {**made.entries, path: entry}, captured={request.name: (type(item)(entry=entry, value=item.value),)}
    )


def test_go_program_of_another_module_is_not_the_one_of_that_name() -> None:
    def found(main: str, version: str = "(devel)") -> int:
        return len(CATALOGER.catalog(of_go("bin/vault", b"\0\x001.17.2\0\0", main, version), None).packages)

    assert found("github.com/hashicorp/vault") == 1
    assert found("example.org/tools/vault") == 0
    assert found("github.com/hashicorp/vault", "v1.17.2") == 0  # what the linker recorded says more


def test_recognised_programs_are_no_condition_of_a_whole_inventory() -> None:
    made = tree({"bin/gzip": program(b"x")})
    gap = Unkept(path="bin/gzip", request="binary:gzip", reason="a hard link", layer=0)
    assert take_inventory(FileTree(made.entries, unkept=(gap,))).unknowns == ()


@pytest.mark.parametrize(
    ("path", "content", "cpe"),
    [
        ("bin/busybox", BUSYBOX, "cpe:2.3:a:busybox:busybox:1.36.1:*"),
        ("usr/bin/openssl", b"\0OpenSSL 1.1.1w  11 Sep 2023\0", "cpe:2.3:a:openssl:openssl:1.1.1w:*"),
        ("usr/bin/python3.13", b"\x003.13.0rc2\0", "cpe:2.3:a:python:python:3.13.0:rc2"),
        ("usr/bin/php", b"X-Powered-By: PHP/8.4.0RC1\0", "cpe:2.3:a:php:php:8.4.0:RC1"),
        ("bin/java", b"\0openjdk\0java\x000.0\x0025.0.3+9-LTS\0-J", "cpe:2.3:a:oracle:openjdk:25.0.3:*"),
        ("bin/java", b"\0openjdk\0java\x001.8\x001.8.0_352-b08\0", None),
        ("sbin/tini", b"tini version 0.19.0\0", None),
    ],
)
def test_cpe_is_given_where_its_form_is_known(path: str, content: bytes, cpe: str | None) -> None:
    (package,) = packages({path: program(content)})
    assert package.cpes == (() if cpe is None else (f"{cpe}:*:*:*:*:*:*",))


def test_file_full_of_signs_tells_nothing() -> None:
    """Otherwise it would cost minutes to read a file made for that."""
    assert purls("bin/busybox", BUSYBOX * 1_000) == ["pkg:generic/busybox@1.36.1"]
    assert purls("bin/busybox", BUSYBOX * 30_000) == []
    assert purls("bin/envoy", b"\x001.34.5\0" * 30_000) == []


def test_every_sign_captures_one_version() -> None:
    for rule in RULES:
        for sign in rule.signs:
            assert isinstance(sign, Text | Lone)
            assert sign.regex.count(b"<V>") + sign.regex.replace(rb"\(", b"").replace(b"(?", b"").count(b"(") == 1, (
                rule.id
            )
    assert len({rule.id for rule in RULES}) == len(RULES)


def test_reducers_have_a_name_that_is_the_same_in_every_run() -> None:
    """The cache of layers is kept by what was asked of them."""
    assert {getattr(request.reduce, "__qualname__", "") for request in CATALOGER.requests} == {"Recogniser.recognise"}


ASKED = {
    **dict.fromkeys(("bash", "curl", "getopt", "git", "gzip", "jq", "node", "perl", "python3", "xz"), "--version"),
    "go": "version",
    "java": "-version",
    "openssl": "version",
    "ssh": "-V",
    "zstd": "--version",
}


@pytest.mark.parametrize("name", [name for name in sorted(ASKED) if shutil.which(name)])
def test_programs_of_this_machine_say_the_same_of_themselves(name: str) -> None:
    """Recognised in the real file, compared with what it prints when it runs."""
    place = Path(shutil.which(name) or "").resolve()
    if place.read_bytes()[:4] != b"\x7fELF":
        pytest.skip("a script here")
    said = subprocess.run([place, ASKED[name]], capture_output=True, timeout=60, check=False)
    found = packages({str(place).strip("/"): program(place.read_bytes())})
    assert len(found) <= 1  # none where a library holds the program
    for package in found:
        assert package.version in (said.stdout + said.stderr).decode("utf-8", "replace")
