"""Secrets found while layers stream by: hidden files, large ones, other threads, the cache."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from compliance.formats.examine import PackageExaminer
from compliance.formats.secrets import SecretSearch
from compliance.ingest.layer_cache import LayerCache, LayerKeys
from compliance.ingest.layers import LayerReader, Reads
from compliance.ingest.limits import DEFAULT_LIMITS
from compliance.ingest.read import Reading, read_tree
from compliance.ingest.source import open_source, parse_reference
from compliance.model.filesystem import FileSecrets, FileTree
from compliance.model.image import Layer
from controls.secret_rules import secret_knowledge, secret_search
from tests.builders import credentials as make
from tests.builders.evidence import file, symlink
from tests.builders.layout import digest, layer_tar, simple_image

TOKEN = make.checked_token("ghp").encode()
LARGE = 17 * 2**20
"""More than is held in memory at once."""


def tree_of(place: Path, *, search: SecretSearch | None = None, cache: LayerCache | None = None) -> FileTree:
    source = open_source(parse_reference(str(place)), limits=DEFAULT_LIMITS)
    try:
        reading = Reading(
            requests=(), examiner=PackageExaminer(), rules="x", secrets=search or secret_search(), cache=cache
        )
        return read_tree(source, source.image(None), reading)[1]
    finally:
        source.close()


def places(tree: FileTree) -> list[tuple[str, int, list[int]]]:
    assert tree.secrets is not None
    return [(one.path, one.layer, [secret.offset for secret in one.found]) for one in tree.secrets]


def test_secrets_of_every_layer_are_kept_hidden_replaced_and_live(tmp_path: Path) -> None:
    place = simple_image(
        tmp_path / "image",
        [
            {"a": file(TOKEN), "b": file(b" " + TOKEN), "c": file(b"  " + TOKEN), "plain": file("text")},
            {".wh.a": file(""), "b": file("harmless now"), "c": file(b"   " + TOKEN), "link": symlink("c")},
        ],
    )
    assert places(tree_of(place)) == [("a", 0, [0]), ("b", 0, [1]), ("c", 0, [2]), ("c", 1, [3])]


@pytest.mark.parametrize("size", [100, 200_000, LARGE])
@pytest.mark.parametrize("at", [0.0, 0.5, 1.0])
def test_files_of_every_size_are_searched_to_their_end(tmp_path: Path, size: int, at: float) -> None:
    before = int((size - len(TOKEN)) * at)
    content = b"\n" * before + TOKEN + b"\n" * (size - len(TOKEN) - before)
    place = simple_image(tmp_path / "image", [{"data": file(content)}], compression="")
    assert places(tree_of(place)) == [("data", 0, [before])]


def test_two_files_of_one_name_in_a_layer_are_both_told(tmp_path: Path) -> None:
    first, second = layer_tar({"x": file(TOKEN)}), layer_tar({"x": file(b" " + TOKEN)})
    both = first[: 512 * 3] if first[512:1024].rstrip(b"\0") == TOKEN else first
    place = simple_image(tmp_path / "image", [both[: 512 * 2] + second])
    assert places(tree_of(place)) == [("x", 0, [0]), ("x", 0, [1])]


def test_credential_files_are_known_by_their_path_in_the_layer(tmp_path: Path) -> None:
    path, content = make.FILES["netrc"]
    place = simple_image(tmp_path / "image", [{path: file(content), "other": file(content)}])
    assert places(tree_of(place)) == [(path, 0, [content.index(make.PASSWORD)])]


def test_a_root_folder_is_searched_too(tmp_path: Path) -> None:
    (tmp_path / "srv").mkdir()
    (tmp_path / "srv" / "x").write_bytes(TOKEN)
    assert places(tree_of(tmp_path)) == [("srv/x", 0, [0])]


def test_without_a_search_nothing_is_said() -> None:
    tar = layer_tar({"x": file(TOKEN)})
    layer = Layer(index=0, digest=digest(tar), diff_id=digest(tar), media_type="tar", size=len(tar))
    reader = LayerReader((), PackageExaminer(), DEFAULT_LIMITS, reads=Reads.INVENTORY)
    assert reader.read(layer, io.BytesIO(tar)).secrets is None
    reader.close()


def test_the_cache_gives_back_what_was_found(tmp_path: Path) -> None:
    place = simple_image(tmp_path / "image", [{"x": file(TOKEN), "y": file(make.keys()["ec"])}])
    cache = LayerCache(tmp_path / "cache")
    first = tree_of(place, cache=cache)
    assert cache.info().entries == 1
    again = tree_of(place, cache=cache, search=_Refuses(secret_knowledge().rules))
    assert again.secrets == first.secrets
    assert again.secrets


class _Refuses(SecretSearch):
    def search(self, content: bytes, path: str = "") -> None:  # type: ignore[override]
        raise AssertionError("a cached layer was searched again")


def test_no_entry_of_the_cache_holds_a_secret(tmp_path: Path) -> None:
    import zstandard

    place = simple_image(tmp_path / "image", [{"x": file(TOKEN)}])
    tree_of(place, cache=LayerCache(tmp_path / "cache"))
    (entry,) = [one for one in (tmp_path / "cache" / "layers").rglob("*") if one.is_file()]
    content = entry.read_bytes()
    inflated = zstandard.ZstdDecompressor().decompress(content[content.index(b"\x28\xb5\x2f\xfd") :], 2**20)
    assert b"github-token" in inflated
    assert TOKEN not in inflated


def test_other_rules_are_another_reading() -> None:
    layer = Layer(index=0, digest="sha256:" + "0" * 64, diff_id="sha256:" + "0" * 64, media_type="", size=1)
    rules = secret_knowledge().rules
    others = replace(rules, rules=rules.rules[1:])
    keys: Callable[[object], str] = lambda some: LayerKeys((), Reads.EVIDENCE, repr(some)).of(layer)  # noqa: E731
    assert keys(rules) == keys(secret_knowledge().rules)
    assert keys(rules) != keys(others)


def test_the_findings_of_a_thread_come_in_the_same_order_each_time(tmp_path: Path) -> None:
    nodes = {f"f{number:02}": file(b" " * (200_000 if number % 2 else 10) + TOKEN) for number in range(30)}
    place = simple_image(tmp_path / "image", [nodes])
    found = tree_of(place).secrets
    assert found is not None
    assert [one.path for one in found] == sorted(nodes)
    assert all(isinstance(one, FileSecrets) for one in found)
