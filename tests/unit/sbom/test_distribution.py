"""os-release."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compliance.model.inventory import Distribution
from compliance.sbom.distribution import REQUEST, distro_qualifier, parse_os_release, read_distribution
from tests.builders.evidence import Node, symlink, tree


def test_values_are_quoted_as_a_shell_does() -> None:
    content = (
        b'NAME=x\nID=\'Debian\'\nVERSION_ID="12"\nID_LIKE="rhel fedora"\nPRETTY_NAME="A \\"B\\" C"\n# ID=no\nBAD LINE\n'
    )
    assert parse_os_release(content) == Distribution(
        id="debian", version_id="12", pretty_name='A "B" C', id_like=("rhel", "fedora")
    )


def test_without_an_id_there_is_no_distribution() -> None:
    assert parse_os_release(b"NAME=x\n") is None


@pytest.mark.parametrize(
    ("nodes", "expected"),
    [
        ({"etc/os-release": "ID=a\n", "usr/lib/os-release": "ID=b\n"}, "a"),
        ({"usr/lib/os-release": "ID=b\n"}, "b"),
        ({"etc/os-release": "NAME=x\n", "usr/lib/os-release": "ID=b\n"}, "b"),
        ({"etc/os-release": symlink("/usr/lib/os-release"), "usr/lib/os-release": "ID=b\n"}, "b"),
        (
            {
                "etc/os-release": symlink("../usr/lib/os.release.d/os-release-x"),
                "usr/lib/os.release.d/os-release-x": "ID=c\n",
            },
            "c",
        ),
        ({"etc/os-release": symlink("/etc/os-release")}, None),
        ({}, None),
    ],
)
def test_the_file_is_found_as_a_program_in_the_container_finds_it(
    nodes: dict[str, Node | bytes | str], expected: str | None
) -> None:
    found = read_distribution(tree(nodes, requests=[REQUEST]))
    assert (found.id if found else None) == expected


def test_qualifier_names_the_release_by_number_or_code_name() -> None:
    assert distro_qualifier(Distribution(id="debian", version_id="12", codename="bookworm")) == "debian-12"
    assert distro_qualifier(Distribution(id="debian", codename="sid")) == "debian-sid"
    assert distro_qualifier(Distribution(id="arch")) == "arch"
    assert distro_qualifier(None) is None


@given(st.binary(max_size=300))
def test_any_bytes_are_read(content: bytes) -> None:
    parse_os_release(b"ID=x\n" + content)
