"""Writing an evidence bundle: whole or not at all, and nothing of the user's is lost."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest

from compliance.errors import FormatError, StoreError
from compliance.store.evidence_bundle import write_bundle, write_files
from tests.builders.evidence_files import unsigned_files

FILES = unsigned_files()


def snapshot(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_bundle_holds_every_file_and_a_manifest_of_them(tmp_path: Path) -> None:
    write_bundle(tmp_path / "evidence", FILES)
    there = snapshot(tmp_path / "evidence")
    manifest = json.loads(there.pop("manifest.json"))
    assert there == FILES
    assert manifest["schemaVersion"] == "1"
    assert manifest["subject"] == {"digest": json.loads(FILES["assessment.json"])["subject"]["digest"]}
    assert manifest["tool"]["name"] == "hullmark"
    assert [line["path"] for line in manifest["files"]] == sorted(FILES)
    for line in manifest["files"]:
        content = FILES[line["path"]]
        assert (line["sha256"], line["size"]) == (hashlib.sha256(content).hexdigest(), len(content))
    roles = {line["path"]: (line["mediaType"], line["role"]) for line in manifest["files"]}
    assert roles["sbom.cdx.json"] == ("application/vnd.cyclonedx+json", "sbom")
    assert roles["report.pdf"] == ("application/pdf", "report")


def test_equal_files_give_equal_bytes_in_any_order(tmp_path: Path) -> None:
    write_bundle(tmp_path / "one", FILES)
    write_bundle(tmp_path / "two", dict(reversed(FILES.items())))
    assert snapshot(tmp_path / "one") == snapshot(tmp_path / "two")


def test_nothing_is_left_beside_the_bundle(tmp_path: Path) -> None:
    write_bundle(tmp_path / "evidence", FILES)
    write_bundle(tmp_path / "evidence", FILES)
    assert [path.name for path in tmp_path.iterdir()] == ["evidence"]
    assert (tmp_path / "evidence").stat().st_mode & 0o777 == 0o755


def test_an_own_bundle_is_replaced_whole(tmp_path: Path) -> None:
    write_bundle(tmp_path / "evidence", {**FILES, "report.html": b"<html>"})
    write_bundle(tmp_path / "evidence", FILES)
    assert sorted(snapshot(tmp_path / "evidence")) == sorted((*FILES, "manifest.json"))


def test_an_own_bundle_stays_when_replacing_was_not_asked(tmp_path: Path) -> None:
    write_bundle(tmp_path / "evidence", FILES)
    with pytest.raises(StoreError):
        write_bundle(tmp_path / "evidence", FILES, replace_own=False)


def test_an_empty_folder_is_taken(tmp_path: Path) -> None:
    (tmp_path / "evidence" / "empty").mkdir(parents=True)
    write_bundle(tmp_path / "evidence", FILES)
    assert (tmp_path / "evidence" / "manifest.json").is_file()


@pytest.mark.parametrize(
    "theirs",
    [
        {"thesis.tex": b"years of work"},
        {"manifest.json": b'{"name": "a web app"}'},
        {"manifest.json": b"not JSON", "app.js": b""},
    ],
)
def test_a_foreign_folder_is_refused_and_kept(tmp_path: Path, theirs: dict[str, bytes]) -> None:
    folder = tmp_path / "evidence"
    folder.mkdir()
    for name, content in theirs.items():
        (folder / name).write_bytes(content)
    with pytest.raises(StoreError):
        write_bundle(folder, FILES)
    assert snapshot(folder) == theirs


def test_a_file_put_into_a_bundle_is_not_lost(tmp_path: Path) -> None:
    write_bundle(tmp_path / "evidence", FILES)
    (tmp_path / "evidence" / "oscal" / "my-notes.txt").write_bytes(b"notes")
    with pytest.raises(StoreError, match=r"oscal/my-notes\.txt"):
        write_bundle(tmp_path / "evidence", FILES)
    assert (tmp_path / "evidence" / "oscal" / "my-notes.txt").read_bytes() == b"notes"


@pytest.mark.parametrize("kind", ["file", "link", "dangling"])
def test_what_is_no_folder_is_refused(tmp_path: Path, kind: str) -> None:
    place = tmp_path / "evidence"
    (tmp_path / "elsewhere").mkdir()
    if kind == "file":
        place.write_bytes(b"mine")
    else:
        place.symlink_to(tmp_path / ("elsewhere" if kind == "link" else "nowhere"))
    with pytest.raises(StoreError):
        write_bundle(place, FILES)
    assert place.is_symlink() or place.read_bytes() == b"mine"


@pytest.mark.parametrize(
    "path", ["../escape", "/etc/passwd", "a//b", "a/../b", ".hidden", "a/b/c/d/e", "a\\b", "", "a\n", "x" * 200]
)
def test_paths_that_leave_the_folder_are_refused(tmp_path: Path, path: str) -> None:
    with pytest.raises(StoreError):
        write_bundle(tmp_path / "evidence", {**FILES, path: b""})
    assert not list(tmp_path.iterdir())


def test_a_bundle_without_an_assessment_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError):
        write_bundle(tmp_path / "evidence", {"sbom.cdx.json": b"{}"})
    with pytest.raises(FormatError):
        write_bundle(tmp_path / "evidence", {"assessment.json": b"{}"})


@pytest.mark.parametrize("failing", ["write", "rename"])
def test_a_failure_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str) -> None:
    folder = tmp_path / "evidence"
    write_bundle(folder, FILES)
    before = snapshot(folder)
    calls = 0
    rename = Path.rename

    def full(descriptor: int) -> None:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise OSError(28, "No space left on device")

    def refused(source: Path, target: Path) -> Path:
        if source.name.endswith(".new"):
            raise OSError(1, "Operation not permitted")
        return rename(source, target)

    if failing == "write":
        monkeypatch.setattr(os, "fsync", full)
    else:
        monkeypatch.setattr(Path, "rename", refused)
    with pytest.raises(StoreError, match="can't be written"):
        write_bundle(folder, {**FILES, "report.html": b"new"})
    assert snapshot(folder) == before
    assert [path.name for path in tmp_path.iterdir()] == ["evidence"]


def test_files_are_written_as_they_are_with_no_manifest_of_ours(tmp_path: Path) -> None:
    files = {"manifest.json": b"whatever it says", "a/b.json": b"{}"}
    (tmp_path / "to").mkdir()
    write_files(tmp_path / "to", files)
    assert snapshot(tmp_path / "to") == files
    assert [path.name for path in tmp_path.iterdir()] == ["to"]


def test_files_are_written_over_nothing(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_bytes(b"mine")
    with pytest.raises(StoreError, match="there is something already"):
        write_files(tmp_path, {"mine.txt": b"theirs"})
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreError):
        write_files(tmp_path / "link", {"a": b""})
    assert snapshot(tmp_path) == {"mine.txt": b"mine"}


@pytest.mark.parametrize("path", ["../escape", "/etc/passwd", "a/../b", ".hidden", "a\nb", ""])
def test_no_file_is_written_where_one_leads_out(tmp_path: Path, path: str) -> None:
    with pytest.raises(StoreError, match="not a path inside"):
        write_files(tmp_path / "to", {"good.json": b"{}", path: b""})
    assert not list(tmp_path.iterdir())
