"""Image references as users type them."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from compliance.errors import ComplianceError, UsageError
from compliance.ingest import transport
from compliance.ingest.source import open_source, parse_reference
from compliance.model.reference import Platform, Scheme

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("text", "target", "tag", "digest"),
    [
        ("oci-dir:some/path", "some/path", None, None),
        ("oci-dir:some/path:v1", "some/path", "v1", None),
        (f"oci-dir:some/path@{DIGEST}", "some/path", None, DIGEST),
        (f"oci-archive:/abs/x.tar:v1@{DIGEST}", "/abs/x.tar", "v1", DIGEST),
        ("docker-archive:x.tar:repo", "x.tar", "repo", None),
        ("dir:/a:b", "/a:b", None, None),
    ],
)
def test_reference_is_taken_apart(text: str, target: str, tag: str | None, digest: str | None) -> None:
    found = parse_reference(text)
    assert (found.target, found.tag, found.digest) == (target, tag, digest)
    assert str(found) == text


def test_path_with_a_colon_that_exists_is_a_path(tmp_path: Path) -> None:
    layout = tmp_path / "a:b"
    layout.mkdir()
    (layout / "index.json").write_text("{}")
    assert parse_reference(f"oci-dir:{layout}").target == str(layout)
    assert parse_reference(str(layout)).scheme is Scheme.OCI_DIR


def test_folder_without_an_index_is_a_root_filesystem(tmp_path: Path) -> None:
    assert parse_reference(str(tmp_path)).scheme is Scheme.DIR


@pytest.mark.parametrize("text", ["oci-dir:", "oci-dir:x@sha256:beef", "oci-dir:x@sha256:../../etc/passwd"])
def test_malformed_reference_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError):
        parse_reference(text)


def test_missing_path_names_it(tmp_path: Path) -> None:
    with pytest.raises(ComplianceError, match="nothing-here"):
        parse_reference(str(tmp_path / "nothing-here"))


def test_platform_grammar() -> None:
    assert str(Platform.parse("linux/arm/v7")) == "linux/arm/v7"
    assert Platform.parse("linux/arm").accepts(Platform.parse("linux/arm/v7"))
    assert not Platform.parse("linux/arm/v6").accepts(Platform.parse("linux/arm/v7"))
    with pytest.raises(UsageError):
        Platform.parse("linux")


@pytest.mark.parametrize(("typed", "taken"), [("nope", "docker.io/library/nope"), ("a/nope", "docker.io/a/nope")])
def test_name_that_may_be_a_mistyped_path_says_what_it_was_taken_for(
    typed: str, taken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nowhere(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "no such name")

    monkeypatch.setattr(socket, "getaddrinfo", nowhere)
    monkeypatch.setattr(transport, "PAUSES", (0.0,))
    source = open_source(parse_reference(typed))
    with pytest.raises(ComplianceError, match=f"no file or folder is called so here, and it was taken for {taken};"):
        source.image(None)
    source.close()
