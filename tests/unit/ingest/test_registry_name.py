"""Names of images in registries, read as docker reads them."""

from __future__ import annotations

from pathlib import Path

import pytest

from compliance.errors import SourceError, UsageError
from compliance.ingest.registry_name import parse_mirror, parse_name, split_target
from compliance.ingest.registry_options import RegistryOptions
from compliance.ingest.source import open_source, parse_reference
from compliance.model.reference import Scheme

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("text", "target", "tag", "digest"),
    [
        ("ubuntu", "docker.io/library/ubuntu", "latest", None),
        ("ubuntu:22.04", "docker.io/library/ubuntu", "22.04", None),
        ("library/ubuntu", "docker.io/library/ubuntu", "latest", None),
        ("someone/thing:v1", "docker.io/someone/thing", "v1", None),
        ("index.docker.io/ubuntu", "docker.io/library/ubuntu", "latest", None),
        ("localhost/x", "localhost/x", "latest", None),
        ("localhost:5000", "docker.io/library/localhost", "5000", None),
        ("localhost:5000/x", "localhost:5000/x", "latest", None),
        ("HOST/x", "HOST/x", "latest", None),
        (f"host:5000/x:tag@{DIGEST}", "host:5000/x", "tag", DIGEST),
        (f"ghcr.example/a/b/c@{DIGEST}", "ghcr.example/a/b/c", None, DIGEST),
        ("[::1]:5000/a/b:v", "[::1]:5000/a/b", "v", None),
        ("a.b/x__y/z-1.2--3:T_.-", "a.b/x__y/z-1.2--3", "T_.-", None),
    ],
)
def test_name_is_taken_apart(text: str, target: str, tag: str | None, digest: str | None) -> None:
    found = parse_name(text)
    assert (found.scheme, found.target, found.tag, found.digest) == (Scheme.REGISTRY, target, tag, digest)
    assert parse_reference(f"registry:{text}") == found
    assert parse_reference(str(found)) == found


@pytest.mark.parametrize(
    "text",
    [
        "Ubuntu",
        "a//b",
        "a/b/",
        "host:port/x",
        "host:99999/x",
        "../x",
        "x:",
        "x:.tag",
        "x:tag:tag",
        "x@sha256:beef",
        f"x@{DIGEST}/..",
        "x?y",
        "x#y",
        "x y",
        "user@host/x",
        "ho\nst.example/x",
        "x" * 300,
    ],
)
def test_what_docker_refuses_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError):
        parse_name(text)


def test_bare_name_is_a_path_if_there_is_one_else_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert parse_reference("ubuntu").scheme is Scheme.REGISTRY
    (tmp_path / "ubuntu").mkdir()
    assert parse_reference("ubuntu").scheme is Scheme.DIR
    assert parse_reference("registry:ubuntu").scheme is Scheme.REGISTRY


@pytest.mark.parametrize("text", ["image.tar", "image.tar.gz", "some/image.tgz", "./ubuntu", "../ubuntu", "/ubuntu"])
def test_what_looks_like_a_file_is_never_looked_for_in_the_network(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SourceError, match="can't read the image"):
        parse_reference(text)


def test_offline_refuses_at_once() -> None:
    with pytest.raises(UsageError, match="offline") as caught:
        open_source(parse_reference("registry:host.example/x"), registry=RegistryOptions(offline=True))
    assert "registry:host.example/x:latest" in str(caught.value)


def test_target_is_host_and_repository() -> None:
    assert split_target("host:5000/a/b") == ("host:5000", "a/b")


def test_mirror_is_a_host_and_maybe_a_prefix() -> None:
    assert parse_mirror("mirror.example:5000/prefix/x") == ("mirror.example:5000", "prefix/x")
    assert parse_mirror("mirror") == ("mirror", "")
    for text in ("https://mirror.example", "mirror/", "mirror/../x", "", "mirror/A"):
        with pytest.raises(UsageError):
            parse_mirror(text)
