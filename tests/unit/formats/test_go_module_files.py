"""go.mod, go.sum and vendor/modules.txt."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from compliance.formats.go_module_files import read_go_mod, read_go_sum, read_modules_txt


def test_go_mod_with_blocks_comments_and_replacements() -> None:
    content = b"""module example.org/app // comment
go 1.21.3
require example.org/one v1.0.0
require (
    example.org/two v2.0.0+incompatible // indirect
    example.org/folder v0.0.0
    example.org/fork v1.0.0
    "example.org/other" v1.0.0
)
replace example.org/folder => ../folder
replace (
    example.org/fork v1.0.0 => example.org/mine v1.0.1
    example.org/other v9.0.0 => example.org/never v1.0.0
)
exclude example.org/bad v1.0.0
"""
    mod = read_go_mod(content)
    assert (mod.module, mod.go) == ("example.org/app", (1, 21))
    assert mod.requires == (
        ("example.org/one", "v1.0.0"),
        ("example.org/two", "v2.0.0+incompatible"),
        ("example.org/mine", "v1.0.1"),
        ("example.org/other", "v1.0.0"),
    )


def test_go_sum_names_whole_modules_only() -> None:
    content = b"a.org/x v1.0.0 h1:0=\na.org/x v1.0.0/go.mod h1:0=\na.org/y v1.0.0/go.mod h1:0=\n"
    assert list(read_go_sum(content)) == [("a.org/x", "v1.0.0")]


def test_vendored_are_the_modules_with_packages() -> None:
    content = b"""# a.org/x v1.0.0
## explicit; go 1.21
a.org/x/one
a.org/x/two
# a.org/none v1.0.0
## explicit
# a.org/old v1.0.0 => a.org/new v2.0.0
a.org/old
# a.org/all => a.org/fork v3.0.0
a.org/all
# a.org/gone => ./gone
a.org/gone
"""
    assert list(read_modules_txt(content)) == [
        ("a.org/x", "a.org/x", "v1.0.0"),
        ("a.org/old", "a.org/new", "v2.0.0"),
        ("a.org/all", "a.org/fork", "v3.0.0"),
    ]


@given(st.binary(max_size=200))
def test_any_bytes_are_read(content: bytes) -> None:
    for start in (b"", b"go ", b"require (\n", b"replace ", b"# a.org/x v1.0.0 => "):
        read_go_mod(start + content)
        list(read_go_sum(start + content))
        list(read_modules_txt(start + content))
