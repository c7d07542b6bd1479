"""Changesets applied in order."""

from __future__ import annotations

import io

from compliance.formats.examine import Examiner
from compliance.ingest.layers import LayerReader
from compliance.ingest.limits import DEFAULT_LIMITS
from compliance.ingest.merge import TreeBuilder
from compliance.model.filesystem import FileKind, FileTree
from compliance.model.image import Layer
from compliance.model.request import ContentRequest
from tests.builders.evidence import directory, file, symlink
from tests.builders.layout import Nodes, digest, layer_tar


def merged(*layers: Nodes, requests: tuple[ContentRequest, ...] = ()) -> tuple[FileTree, list[str]]:
    reader = LayerReader(requests, Examiner(()), DEFAULT_LIMITS)
    builder = TreeBuilder()
    for index, nodes in enumerate(layers):
        content = layer_tar(nodes)
        layer = Layer(
            index=index, digest=digest(content), diff_id=digest(content), media_type="x.tar", size=len(content)
        )
        builder.apply(reader.read(layer, io.BytesIO(content)))
    return builder.finish(), builder.notices


def test_whiteout_of_a_folder_takes_everything_below_it() -> None:
    tree, _ = merged({"a/b/c": "1", "a/d": "2"}, {".wh.a": ""})
    assert list(tree.entries) == [""]


def test_tree_is_in_path_order_whatever_the_order_of_the_archive() -> None:
    tree, _ = merged({"b": "1", "a-b": "2", "a/b": "3"}, {"0": "4"})
    assert list(tree.entries) == ["", "0", "a", "a-b", "a/b", "b"]
    assert [entry.path for entry in tree] == list(tree.entries)


def test_entries_with_the_same_attributes_share_them() -> None:
    tree, _ = merged({"a": "1", "b": "2", "c": directory(0o755), "d": file("3", capability=b"x")})
    assert tree.entries["a"].attributes is tree.entries["b"].attributes
    assert [tree.entries[path].mode for path in "abc"] == [0o644, 0o644, 0o755]
    assert [tree.entries[path].capability for path in "abd"] == [b"", b"", b"x"]


def test_whiteout_hides_only_lower_layers_whatever_the_order() -> None:
    for upper in ({"a/.wh.b": "", "a/b": "new"}, {"a/b": "new", "a/.wh.b": ""}):
        tree, _ = merged({"a/b": "old"}, upper)
        assert tree.entries["a/b"].layer == 1


def test_file_replaces_folder_and_folder_replaces_file() -> None:
    tree, _ = merged({"x/y": "1", "z": "2"}, {"x": "file", "z": directory(), "z/w": "3"})
    assert tree.entries["x"].kind is FileKind.REGULAR
    assert "x/y" not in tree.entries
    assert "z/w" in tree.entries
    assert [(item.path, item.hidden_by) for item in tree.residue] == [("x/y", 1), ("z", 1)]


def test_metadata_of_a_folder_changes_without_losing_its_files() -> None:
    tree, _ = merged({"x": directory(0o755), "x/y": "1"}, {"x": directory(0o700)})
    assert tree.entries["x"].mode == 0o700
    assert "x/y" in tree.entries


def test_entry_below_a_lower_link_makes_a_folder_of_it_and_says_so() -> None:
    tree, notices = merged({"lib": symlink("usr/lib"), "usr/lib/a": "1"}, {"lib/b": "2"})
    assert tree.entries["lib"].kind is FileKind.DIRECTORY
    assert "lib/b" in tree.entries
    assert any("/lib" in notice for notice in notices)


def test_hard_link_survives_the_removal_of_its_first_name() -> None:
    tree, _ = merged({"a": file("x", 0o755), "b": file(same_as="a")}, {".wh.a": ""})
    assert tree.entries["b"].size == 1
    assert tree.entries["b"].mode == 0o755


def test_content_of_a_hard_link_is_found_under_the_name_that_was_asked_for() -> None:
    wanted = ContentRequest(name="conf", globs=("etc/app.conf",))
    tree, _ = merged({"opt/real": "v", "etc/app.conf": file(same_as="opt/real")}, requests=(wanted,))
    # The bytes were not kept when opt/real streamed by: that is said, never passed over.
    assert tree.captured("conf") == ()
    assert [(item.path, item.request) for item in tree.unkept] == [("etc/app.conf", "conf")]
    assert tree.wholly_read
    both = ContentRequest(name="conf", globs=("etc/app.conf", "opt/real"))
    tree, _ = merged({"opt/real": "v", "etc/app.conf": file(same_as="opt/real")}, requests=(both,))
    assert [item.entry.path for item in tree.captured("conf")] == ["etc/app.conf", "opt/real"]
    assert tree.wholly_read


def test_gap_in_a_file_that_an_upper_layer_hides_is_no_gap() -> None:
    small = ContentRequest(name="small", globs=("db",), max_size=2)
    tree, _ = merged({"db": "large"}, requests=(small,))
    assert [(item.path, item.request) for item in tree.unkept] == [("db", "small")]
    assert tree.wholly_read, "its bytes were read, only its content was not kept"
    tree, _ = merged({"db": "large"}, {".wh.db": ""}, requests=(small,))
    assert tree.unkept == ()
    tree, _ = merged({"db": "large"}, {"db": "ok"}, requests=(small,))
    assert tree.unkept == ()


def test_root_entry_keeps_the_tree() -> None:
    tree, _ = merged({".": directory(0o700), "a": "1"})
    assert tree.entries[""].mode == 0o700
    tree, notices = merged({"a": "1"}, {"./": symlink("/etc")})
    assert "a" in tree.entries
    assert any("root" in notice for notice in notices)
