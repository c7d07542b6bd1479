"""Any bytes at the places that catalogers read: packages, unknowns or nothing, never an exception."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compliance.model.inventory import Cataloged, Cataloger, Distribution
from compliance.sbom.catalogers import (
    alpm,
    chisel,
    conda,
    dotnet,
    embedded_sbom,
    homebrew,
    php,
    portage,
    r,
    ruby,
    rust,
    snap,
    wordpress,
)
from tests.builders.evidence import tree

PLACES: tuple[tuple[Cataloger, str], ...] = (
    (alpm.CATALOGER, "var/lib/pacman/local/a-1-1/desc"),
    (alpm.CATALOGER, "var/lib/pacman/local/a-1-1/files"),
    (chisel.CATALOGER, "var/lib/chisel/manifest.wall"),
    (conda.CATALOGER, "opt/conda-meta/a.json"),
    (dotnet.CATALOGER, "app/a.deps.json"),
    (dotnet.CATALOGER, "app/packages.lock.json"),
    (embedded_sbom.CATALOGER, "opt/docker/sbom/a/a.json"),
    (homebrew.CATALOGER, "opt/Cellar/a/1/INSTALL_RECEIPT.json"),
    (homebrew.CATALOGER, "opt/Cellar/a/1/.brew/a.rb"),
    (php.CATALOGER, "vendor/composer/installed.json"),
    (php.CATALOGER, "app/composer.lock"),
    (php.CATALOGER, "usr/.registry/a.reg"),
    (portage.CATALOGER, "var/db/pkg/a/b-1/CONTENTS"),
    (portage.CATALOGER, "var/db/pkg/a/b-1/LICENSE"),
    (r.CATALOGER, "usr/library/a/DESCRIPTION"),
    (r.CATALOGER, "app/renv.lock"),
    (ruby.CATALOGER, "usr/specifications/a.gemspec"),
    (ruby.CATALOGER, "app/Gemfile.lock"),
    (rust.CATALOGER, "app/Cargo.lock"),
    (snap.CATALOGER, "snap/a/1/meta/snap.yaml"),
    (wordpress.CATALOGER, "wp-content/plugins/a/a.php"),
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
# Keys that the readers ask for, so that values of the wrong kind stand where they look.
KEYS = st.sampled_from(
    [
        *("name", "version", "packages", "dependencies", "files", "paths_data", "paths", "depends", "license", "dist"),
        *("targets", "libraries", "Packages", "components", "metadata", "component", "bom-ref", "purl", "externalRefs"),
        *("relationships", "licenses", "hashes", "authors", "require", "runtime", "dependsOn", "a/1"),
    ]
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=6), max_leaves=30
)


def catalog(cataloger: Cataloger, path: str, content: bytes) -> Cataloged:
    found = cataloger.catalog(tree({path: content}, requests=cataloger.requests), Distribution(id="x"))
    for package in found.packages:
        assert package.name
        assert package.version
        assert package.purl.startswith(f"pkg:{package.type}/")
    return found


@pytest.mark.parametrize(("cataloger", "path"), PLACES, ids=[path for _, path in PLACES])
@settings(deadline=None, max_examples=60)
@given(content=st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_noise(cataloger: Cataloger, path: str, content: bytes) -> None:
    catalog(cataloger, path, content)


@pytest.mark.parametrize(("cataloger", "path"), PLACES, ids=[path for _, path in PLACES])
@settings(deadline=None, max_examples=60)
@given(value=VALUES, head=st.sampled_from([{}, {"bomFormat": "CycloneDX"}, {"spdxVersion": "SPDX-2.3"}]))
def test_json_of_wrong_kinds(cataloger: Cataloger, path: str, value: object, head: dict[str, str]) -> None:
    document = {**head, **value} if isinstance(value, dict) else value
    catalog(cataloger, path, json.dumps(document).encode())


@pytest.mark.parametrize(("cataloger", "path"), PLACES, ids=[path for _, path in PLACES])
def test_json_nested_too_deeply(cataloger: Cataloger, path: str) -> None:
    catalog(cataloger, path, b'{"bomFormat": ' + b"[" * 200_000)
