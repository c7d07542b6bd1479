"""Dart packages."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from compliance.model.inventory import Cataloged
from compliance.sbom.catalogers.dart import CATALOGER
from tests.builders.evidence import Node, tree


def catalog(nodes: dict[str, Node | bytes | str]) -> Cataloged:
    return CATALOGER.catalog(tree(nodes, requests=CATALOGER.requests), None)


LOCK = """packages:
  hosted_one:
    description:
      name: hosted_one
      sha256: "%s"
      url: "https://pub.example"
    source: hosted
    version: "1.0.0"
  by_git:
    description:
      resolved-ref: c0ffee
      url: "git@example.org:a/b.git"
    source: git
    version: "2.0.0"
  by_path:
    description:
      path: "../x"
    source: path
    version: "3.0.0"
  flutter:
    description: flutter
    source: sdk
    version: "0.0.0"
sdks:
  dart: ">=3.0.0 <4.0.0"
  flutter: ">=3.24.5"
""" % ("0" * 64)


def test_hosted_git_and_sdk_packages() -> None:
    hosted, git, flutter = catalog({"app/pubspec.lock": LOCK}).packages
    assert (hosted.purl, hosted.declared) == ("pkg:pub/hosted_one@1.0.0?hosted_url=pub.example", True)
    assert hosted.digests == (("SHA-256", "0" * 64),)
    assert git.purl == "pkg:pub/by_git@2.0.0?vcs_url=git%40example.org:a/b.git%40c0ffee"
    assert (flutter.version, flutter.confidence) == ("3.24.5", 0.5)
    assert flutter.inferred is not None


def test_default_host_is_not_told() -> None:
    lock = LOCK.replace("pub.example", "pub" + ".dev")
    assert catalog({"pubspec.lock": lock}).packages[0].purl == "pkg:pub/hosted_one@1.0.0"


@given(st.binary(max_size=200))
def test_any_bytes_are_catalogued(content: bytes) -> None:
    start = b"packages:\n  a:\n    version: 1\n"
    for package in catalog({"pubspec.lock": start + content}).packages:
        package.purl.encode()
