"""Hex packages of Elixir and Erlang."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from compliance.model.inventory import Cataloged
from compliance.sbom.catalogers.hex import CATALOGER
from tests.builders.evidence import Node, tree


def catalog(nodes: dict[str, Node | bytes | str]) -> Cataloged:
    return CATALOGER.catalog(tree(nodes, requests=CATALOGER.requests), None)


def test_mix_lock_with_checksums_needs_and_commits() -> None:
    outer = "a" * 64
    lock = (
        '%{\n  "one": {:hex, :true_one, "1.0.0", "' + "b" * 64 + '", [:mix], '
        '[{:two, "~> 1.0", [hex: :two, repo: "hexpm", optional: false]}], "hexpm", "' + outer + '"},\n'
        '  "git": {:git, "https://example.org/git.git", "c0ffee", [tag: "v1"]},\n'
        '  "local": {:path, "../local"},\n}\n'
    )
    one, git = catalog({"app/mix.lock": lock}).packages
    assert (one.purl, one.depends, one.declared) == ("pkg:hex/true_one@1.0.0", ("two",), True)
    assert one.digests == (("SHA-256", outer),)
    assert git.purl == "pkg:hex/git@c0ffee"


def test_rebar_lock_with_checksums_and_commits() -> None:
    lock = (
        '{"1.2.0",\n[{<<"a">>,{pkg,<<"true_a">>,<<"1.0.0">>},0},\n'
        ' {<<"g">>,{git,"https://example.org/g.git",{ref,"c0ffee1234"}},1}]}.\n'
        '[\n{pkg_hash,[{<<"a">>, <<"' + "A" * 64 + '">>}]},\n{pkg_hash_ext,[{<<"a">>, <<"' + "B" * 64 + '">>}]}\n].\n'
    )
    a, g = catalog({"app/rebar.lock": lock}).packages
    assert (a.purl, a.digests) == ("pkg:hex/true_a@1.0.0", (("SHA-256", "b" * 64),))
    assert g.purl.startswith("pkg:hex/g@c0ffee1234?vcs_url=git%2Bhttps://example.org/g.git")


@given(st.binary(max_size=200))
def test_any_bytes_are_catalogued(content: bytes) -> None:
    start = b'  "a": {:hex, :a, '
    for package in catalog({"mix.lock": start + content, "rebar.lock": start + content}).packages:
        package.purl.encode()
