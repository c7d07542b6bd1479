"""Java runtimes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compliance.model.inventory import Cataloged
from compliance.sbom.catalogers.jvm import CATALOGER
from tests.builders.evidence import Node, tree


def catalog(nodes: dict[str, Node | bytes | str]) -> Cataloged:
    return CATALOGER.catalog(tree(nodes, requests=CATALOGER.requests), None)


@pytest.mark.parametrize(
    ("content", "purl", "cpes"),
    [
        (
            'IMPLEMENTOR="Eclipse Adoptium"\nJAVA_VERSION="21.0.4"\nFULL_VERSION="21.0.4+7-LTS"\n'
            'SOURCE_REPO="https://example.org/jdk21u.git"\n',
            "pkg:generic/oracle/openjdk@21.0.4%2B7-LTS?repository_url=https://example.org/jdk21u.git",
            ("cpe:2.3:a:oracle:openjdk:21.0.4:*:*:*:*:*:*:*",),
        ),
        (
            'IMPLEMENTOR="Debian"\nJAVA_VERSION="17.0.9"\nJAVA_RUNTIME_VERSION="17.0.9+9-Debian-1"\n',
            "pkg:generic/oracle/openjdk@17.0.9%2B9-Debian-1",
            ("cpe:2.3:a:oracle:openjdk:17.0.9:*:*:*:*:*:*:*",),
        ),
        (
            'IMPLEMENTOR="Oracle Corporation"\nJAVA_VERSION="21.0.2"\nIMAGE_TYPE="JRE"\n',
            "pkg:generic/oracle/jre@21.0.2",
            ("cpe:2.3:a:oracle:jre:21.0.2:*:*:*:*:*:*:*",),
        ),
        (
            'IMPLEMENTOR="Azul Systems, Inc."\nJAVA_VERSION="17.0.1"\n',
            "pkg:generic/azul/zulu@17.0.1",
            ("cpe:2.3:a:azul:zulu:17.0.1:*:*:*:*:*:*:*",),
        ),
        ('GRAALVM_VERSION="23"\nJAVA_VERSION="bad version"\n', "pkg:generic/oracle/graalvm@bad%20version", ()),
    ],
)
def test_release_file_names_the_runtime(content: str, purl: str, cpes: tuple[str, ...]) -> None:
    (package,) = catalog({"opt/java/release": content}).packages
    assert (package.purl, package.cpes, package.declared) == (purl, cpes, False)


@pytest.mark.parametrize("content", ["", "v1.2.3\n", 'VERSION="1"\n'])
def test_other_files_of_that_name_are_none(content: str) -> None:
    assert catalog({"srv/release": content}) == Cataloged()


@given(st.binary(max_size=200))
def test_any_bytes_are_catalogued(content: bytes) -> None:
    start = b"JAVA_VERSION="
    for package in catalog({"release": start + content}).packages:
        package.purl.encode()
