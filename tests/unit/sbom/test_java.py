"""Java archives."""

from __future__ import annotations

import io
import json
import zipfile

import pytest

from compliance.model.inventory import Cataloged, Package
from compliance.sbom.catalogers.java import CATALOGER
from tests.builders.evidence import Node, tree


def jar(members: dict[str, bytes | str]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as written:
        for name, content in members.items():
            written.writestr(name, content)
    return file.getvalue()


def pom(group: str, artifact: str, version: str, dependencies: str = "") -> dict[str, bytes | str]:
    folder = f"META-INF/maven/{group}/{artifact}"
    return {
        f"{folder}/pom.properties": f"groupId={group}\nartifactId={artifact}\nversion={version}\n",
        f"{folder}/pom.xml": f"<project>{dependencies}</project>",
    }


def manifest(**attributes: str) -> dict[str, bytes | str]:
    lines = "".join(f"{name.replace('_', '-')}: {value}\n" for name, value in attributes.items())
    return {"META-INF/MANIFEST.MF": f"Manifest-Version: 1.0\n{lines}\n"}


def catalog(nodes: dict[str, Node | bytes | str]) -> Cataloged:
    return CATALOGER.catalog(tree(nodes, requests=CATALOGER.requests), None)


def purls(nodes: dict[str, Node | bytes | str]) -> list[str]:
    return [package.purl for package in catalog(nodes).packages]


def test_own_pom_is_told_from_those_of_shaded_libraries() -> None:
    content = jar(pom("org.lib", "lib", "2") | pom("org.app", "app", "1"))
    own, shaded = catalog({"opt/app-1.jar": content}).packages
    assert (own.purl, own.parent) == ("pkg:maven/org.app/app@1", None)
    assert (shaded.purl, shaded.parent) == ("pkg:maven/org.lib/lib@2", own.purl)
    assert own.digests
    assert shaded.digests == ()


def test_archive_in_an_archive_is_contained_in_it_and_has_its_own_digest() -> None:
    inner = jar(pom("org.lib", "lib", "2"))
    app, lib = catalog({"app.war": jar(pom("org.app", "app", "1") | {"WEB-INF/lib/lib-2.jar": inner})}).packages
    assert lib.parent == app.purl
    assert lib.digests != app.digests
    assert [location.path for location in lib.locations] == ["app.war"]


@pytest.mark.parametrize(
    ("name", "attributes", "expected"),
    [
        ("spring-boot-webmvc-4.0.7", {}, "pkg:maven/org.springframework.boot/spring-boot-webmvc@4.0.7"),
        ("spring-core-6.1.1", {"Implementation_Version": "6.1.1"}, "pkg:maven/org.springframework/spring-core@6.1.1"),
        (
            "hibernate-core-7.0.0.Final",
            {"Bundle_SymbolicName": "org.hibernate.orm.core"},
            "pkg:maven/org.hibernate.orm/hibernate-core@7.0.0.Final",
        ),
        (
            "jspecify-1.0.0",
            {"Bundle_SymbolicName": "org.jspecify.jspecify;x=y"},
            "pkg:maven/org.jspecify/jspecify@1.0.0",
        ),
        ("x-1.0", {"Implementation_Vendor_Id": "org.vendor"}, "pkg:maven/org.vendor/x@1.0"),
        ("log4j-1.2-api-2.20.0", {"Implementation_Version": "2.20.0"}, "pkg:maven/log4j-1.2-api@2.20.0"),
        ("unheard-of-3.1-beta", {}, "pkg:maven/unheard-of@3.1-beta"),
    ],
)
def test_group_is_never_made_up_from_the_artifact(name: str, attributes: dict[str, str], expected: str) -> None:
    assert purls({f"lib/{name}.jar": jar(manifest(**attributes))}) == [expected]


def test_groups_come_from_the_pom_and_the_sbom_of_the_archive_around() -> None:
    dependency = "<dependency><groupId>org.a</groupId><artifactId>a</artifactId></dependency>"
    sbom = {"components": [{"group": "org.b", "name": "b", "version": "2", "purl": "pkg:maven/org.b/b@2"}]}
    content = jar(
        pom("org.app", "app", "1", dependency)
        | {"META-INF/sbom/application.cdx.json": json.dumps(sbom)}
        | {"BOOT-INF/lib/a-1.jar": jar({}), "BOOT-INF/lib/b-2.jar": jar({}), "BOOT-INF/lib/b-3.jar": jar({})}
    )
    assert purls({"app.jar": content}) == [
        "pkg:maven/org.app/app@1",
        "pkg:maven/org.a/a@1",
        "pkg:maven/org.b/b@2",
        "pkg:maven/b@3",
    ]


def test_jar_without_a_version_anywhere_is_no_package() -> None:
    assert purls({"usr/lib/jvm/lib/jrt-fs.jar": jar(manifest(Specification_Version="17"))}) == []


def test_licence_of_the_manifest() -> None:
    content = jar(manifest(Bundle_License='"Apache-2.0";link="https://x"'))
    (package,) = catalog({"x-1.jar": content}).packages
    assert [licence.expression for licence in package.licenses] == ["Apache-2.0"]


def test_damaged_archive_is_an_unknown_with_its_place_and_its_name_proves_nothing() -> None:
    found = catalog({"a-1.jar": b"text", "b.jar": jar(pom("g.h", "b", "1") | {"lib/c-1.jar": b"text"})})
    assert [package.name for package in found.packages] == ["b"]
    assert [unknown.path for unknown in found.unknowns] == ["a-1.jar", "b.jar!/lib/c-1.jar"]


def test_packages_are_maven_ones() -> None:
    (package,) = catalog({"x-1.jar": jar(pom("g.h", "x", "1"))}).packages
    assert isinstance(package, Package)
    assert (package.type, package.provides) == ("maven", ("g.h:x",))
