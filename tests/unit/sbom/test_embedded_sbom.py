"""SBOMs inside an image, taken as statements."""

from __future__ import annotations

import json
from typing import Any

import pytest

from compliance.model.inventory import Cataloged, Distribution, Package, RelationshipKind
from compliance.sbom.catalogers import dpkg
from compliance.sbom.catalogers.embedded_sbom import CATALOGER
from compliance.sbom.inventory import requests, take_inventory
from tests.builders.evidence import Node, tree

DEBIAN = Distribution(id="debian", version_id="12")
BITNAMI = "opt/bitnami/postgresql/.spdx-postgresql.spdx"


def spdx_package(ref: str, purl: str | None = None, **more: Any) -> dict[str, Any]:
    references = [{"referenceCategory": "PACKAGE_MANAGER", "referenceType": "purl", "referenceLocator": purl}]
    return {"SPDXID": ref, "name": ref, "versionInfo": "9", "externalRefs": references if purl else [], **more}


def spdx(*packages: dict[str, Any], relations: tuple[tuple[str, str, str], ...] = ()) -> str:
    keys = ("spdxElementId", "relationshipType", "relatedSpdxElement")
    return json.dumps(
        {
            "spdxVersion": "SPDX-2.3",
            "packages": packages,
            "relationships": [dict(zip(keys, relation, strict=True)) for relation in relations],
        }
    )


def cyclonedx(*components: dict[str, Any], **more: Any) -> str:
    return json.dumps({"bomFormat": "CycloneDX", "specVersion": "1.6", "components": components, **more})


def catalog(path: str, content: str, distribution: Distribution | None = DEBIAN) -> Cataloged:
    return CATALOGER.catalog(tree({path: content}, requests=CATALOGER.requests), distribution)


def by_purl(found: Cataloged) -> dict[str, Package]:
    return {package.purl: package for package in found.packages}


def test_spdx_package_with_what_is_stated_of_it() -> None:
    stated = spdx_package(
        "a",
        "pkg:bitnami/PostgreSQL@17.2.0-8?arch=arm64&distro=debian-12",
        licenseDeclared="NOASSERTION",
        licenseConcluded="PostgreSQL",
        supplier="Organization: Broadcom",
        homepage="https://p.example/",
        checksums=[{"algorithm": "SHA256", "checksumValue": "A" * 64}, {"algorithm": "X", "checksumValue": "0"}],
    )
    cpe = "cpe:2.3:*:postgresql:postgresql:17.2.0:*:*:*:*:*:*:*"
    stated["externalRefs"].append({"referenceType": "cpe23Type", "referenceLocator": cpe})
    (package,) = catalog(BITNAMI, spdx(stated)).packages
    assert package.purl == "pkg:bitnami/postgresql@17.2.0-8?arch=arm64&distro=debian-12"
    assert (package.supplier, package.homepage, package.architecture) == ("Broadcom", "https://p.example/", "arm64")
    assert [licence.expression for licence in package.licenses] == ["PostgreSQL"]
    assert package.digests == (("SHA-256", "a" * 64),)
    assert package.cpes == (cpe,)


def test_packages_are_contained_in_the_nearest_container_that_is_one() -> None:
    document = spdx(
        spdx_package("app", "pkg:bitnami/app@1"),
        spdx_package("group", None, versionInfo=None),
        spdx_package("jar", "pkg:maven/g/a@2"),
        relations=(("app", "CONTAINS", "group"), ("group", "CONTAINS", "jar")),
    )
    found = by_purl(catalog(BITNAMI, document))
    assert found["pkg:maven/g/a@2"].parent == "pkg:bitnami/app@1"
    assert found["pkg:bitnami/app@1"].parent is None


def test_container_cycles_end() -> None:
    document = spdx(
        spdx_package("a", None, versionInfo=None),
        spdx_package("b", None, versionInfo=None),
        spdx_package("c", "pkg:maven/g/c@2"),
        relations=(("a", "CONTAINS", "b"), ("b", "CONTAINS", "a"), ("b", "CONTAINS", "c")),
    )
    assert by_purl(catalog(BITNAMI, document))["pkg:maven/g/c@2"].parent is None


@pytest.mark.parametrize(
    "relation",
    [
        ("app", "GENERATED_FROM", "other"),
        ("other", "BUILD_TOOL_OF", "app"),
        ("app", "DESCRIBED_BY", "other"),
        ("other", "TEST_DEPENDENCY_OF", "app"),
    ],
)
def test_what_a_package_was_made_from_is_not_in_the_image(relation: tuple[str, str, str]) -> None:
    packages = (spdx_package("app", "pkg:apk/wolfi/app@1"), spdx_package("other", "pkg:generic/other@2"))
    assert [
        p.type for p in catalog("var/lib/db/sbom/app.spdx.json", spdx(*packages, relations=(relation,))).packages
    ] == ["apk"]


def test_image_itself_files_and_systems_are_no_packages() -> None:
    found = catalog(
        "opt/docker/sbom/x/.spdx.x.json",
        spdx(
            spdx_package("image", "pkg:docker/dhi/x@1"),
            spdx_package("os", "pkg:generic/debian@12", primaryPackagePurpose="OPERATING-SYSTEM"),
            spdx_package("x", "pkg:dhi/x@1?os_name=debian&os_version=13"),
        ),
    )
    assert [package.purl for package in found.packages] == ["pkg:dhi/x@1"]


def test_cyclonedx_components_nested_ones_and_the_subject() -> None:
    subject = {"type": "application", "name": "app", "version": "1", "purl": "pkg:npm/app@1", "bom-ref": "app"}
    inner = {"type": "library", "name": "in", "version": "3", "purl": "pkg:npm/%40s/in@3", "bom-ref": "in"}
    outer = {
        "type": "library",
        "name": "out",
        "version": "2",
        "purl": "pkg:npm/out@2",
        "bom-ref": "out",
        "licenses": [{"license": {"id": "MIT"}}],
        "hashes": [{"alg": "SHA-1", "content": "b" * 40}],
        "publisher": "P",
        "externalReferences": [{"type": "website", "url": "https://o.example/"}],
        "components": [inner],
    }
    excluded = {"type": "library", "name": "x", "version": "1", "purl": "pkg:npm/x@1", "scope": "excluded"}
    system = {"type": "operating-system", "name": "debian", "version": "12"}
    document = cyclonedx(
        outer,
        excluded,
        system,
        metadata={"component": subject},
        dependencies=[{"ref": "app", "dependsOn": ["out", "nothing"]}],
    )
    found = by_purl(catalog("usr/share/app/app.cdx.json", document))
    assert set(found) == {"pkg:npm/app@1", "pkg:npm/out@2", "pkg:npm/%40s/in@3"}
    out = found["pkg:npm/out@2"]
    assert (out.supplier, out.homepage, out.digests) == ("P", "https://o.example/", (("SHA-1", "b" * 40),))
    assert found["pkg:npm/app@1"].depends == ("out@2",)
    assert (found["pkg:npm/%40s/in@3"].parent, found["pkg:npm/%40s/in@3"].name) == ("pkg:npm/out@2", "@s/in")


def test_only_the_places_of_vendors_say_what_is_installed() -> None:
    document = spdx(spdx_package("a", "pkg:npm/a@1"))
    for path in (BITNAMI, "opt/docker/sbom/dhi-x/.spdx.json", "var/lib/db/sbom/a.spdx.json"):
        assert [package.declared for package in catalog(path, document).packages] == [False]
    assert [package.declared for package in catalog("srv/app.spdx.json", document).packages] == [True]


def test_package_that_a_database_has_too_is_told_once() -> None:
    status = "Package: bash\nStatus: install ok installed\nVersion: 5.2-1\nArchitecture: amd64\n"
    nodes: dict[str, Node | bytes | str] = {
        "etc/os-release": "ID=debian\nVERSION_ID=12\n",
        "var/lib/dpkg/status": status,
        "srv/image.spdx.json": spdx(
            spdx_package("a", "pkg:deb/debian/bash@5.2-1?arch=amd64&distro=bookworm&upstream=bash"),
            spdx_package("b", "pkg:npm/b@1"),
            relations=(("a", "CONTAINS", "b"),),
        ),
    }
    inventory = take_inventory(tree(nodes, requests=requests()), [dpkg.CATALOGER, CATALOGER])
    bash = "pkg:deb/debian/bash@5.2-1?arch=amd64&distro=debian-12"
    assert [package.purl for package in inventory.packages] == [bash, "pkg:npm/b@1"]
    assert [(edge.source, edge.kind) for edge in inventory.relationships] == [(bash, RelationshipKind.CONTAINS)]


def test_packages_of_another_distribution_keep_it() -> None:
    document = cyclonedx({"type": "library", "name": "x", "version": "1", "purl": "pkg:rpm/almalinux/x@1?arch=x86_64"})
    (package,) = catalog("usr/lib/python3/site-packages/x.dist-info/sboms/a.cdx.json", document).packages
    assert package.purl == "pkg:rpm/almalinux/x@1?arch=x86_64"


def test_packages_without_package_url_are_a_known_gap() -> None:
    found = catalog(BITNAMI, spdx(spdx_package("a"), spdx_package("b", "no purl"), spdx_package("c", "pkg:npm/c@1")))
    assert [package.purl for package in found.packages] == ["pkg:npm/c@1"]
    assert [unknown.reason for unknown in found.unknowns] == [
        "SBOM: 2 packages with a version but without a valid package URL"
    ]


def test_version_beside_the_purl_counts_where_that_has_none() -> None:
    assert [package.purl for package in catalog(BITNAMI, spdx(spdx_package("a", "pkg:npm/a"))).packages] == [
        "pkg:npm/a@9"
    ]


@pytest.mark.parametrize(
    "content",
    [
        '{"spdxVersion": "SPDX-2.3"',
        '["bomFormat"]',
        "SPDXVersion: SPDX-2.3\n",
        '{"@context": "https://spdx.org/rdf/3.0.1/x"}',
    ],
    ids=["cut", "a list", "tag-value", "SPDX 3"],
)
def test_sbom_that_is_not_read_is_an_unknown(content: str) -> None:
    found = catalog("srv/x.spdx", content)
    assert (found.packages, [unknown.path for unknown in found.unknowns]) == ((), ["srv/x.spdx"])


@pytest.mark.parametrize("content", ["", "{}", "GIF89a", '{"components": []}', '{"bomFormat": 7, "spdxVersion": []}'])
def test_file_that_is_no_sbom_says_nothing(content: str) -> None:
    assert catalog("srv/bom.json", content) == Cataloged()
