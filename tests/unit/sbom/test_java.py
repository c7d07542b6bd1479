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


def found(nodes: dict[str, Node | bytes | str]) -> dict[str, Package]:
    return {package.purl: package for package in catalog(nodes).packages}


def test_group_that_is_not_stated_says_whence_it_is_and_how_sure() -> None:
    sure = found({"app-1.jar": jar(pom("org.app", "app", "1"))})["pkg:maven/org.app/app@1"]
    assert (sure.confidence, sure.inferred) == (1.0, None)
    guessed = found({"x-1.0.jar": jar(manifest(Implementation_Vendor_Id="org.vendor"))})["pkg:maven/org.vendor/x@1.0"]
    assert guessed.confidence < 1
    assert guessed.inferred == (
        "artifact and version from the file name, group id from the manifest's Implementation-Vendor-Id"
    )
    unknown = found({"x-1.0.jar": jar({})})["pkg:maven/x@1.0"]
    assert unknown.confidence < guessed.confidence
    assert unknown.inferred is not None


def test_coordinates_of_a_title_as_gradle_writes_it() -> None:
    content = jar(manifest(Implementation_Title="io.m#m-core;1.2"))
    (package,) = catalog({"m-core-1.2.jar": content}).packages
    assert (package.purl, package.confidence) == ("pkg:maven/io.m/m-core@1.2", 0.95)


def test_group_of_a_jar_comes_from_the_pom_of_one_beside_it_unless_poms_disagree() -> None:
    def needs(group: str) -> str:
        return f"<dependency><groupId>{group}</groupId><artifactId>a</artifactId></dependency>"

    nodes: dict[str, Node | bytes | str] = {
        "lib/a-1.jar": jar({}),
        "lib/b-1.jar": jar(pom("org.b", "b", "1", needs("org.a"))),
    }
    assert "pkg:maven/org.a/a@1" in found(nodes)
    nodes["lib/c-1.jar"] = jar(pom("org.c", "c", "1", needs("org.other")))
    assert "pkg:maven/a@1" in found(nodes)


def test_pom_without_properties_names_its_artifact() -> None:
    xml = "<project><parent><groupId>org.p</groupId><version>3</version></parent><artifactId>a</artifactId></project>"
    (package,) = catalog({"a.jar": jar({"META-INF/maven/org.p/a/pom.xml": xml})}).packages
    assert (package.purl, package.confidence) == ("pkg:maven/org.p/a@3", 1.0)


def test_place_inside_nested_archives_is_told() -> None:
    inner = jar(pom("org.in", "in", "1"))
    lib = jar(pom("org.lib", "lib", "2") | pom("org.shaded", "shaded", "3") | {"deep/in-1.jar": inner})
    packages = found({"app.war": jar(pom("org.app", "app", "1") | {"WEB-INF/lib/lib-2.jar": lib})})
    places = {package.name: package.locations[0].inner for package in packages.values()}
    assert places == {
        "app": None,
        "lib": "WEB-INF/lib/lib-2.jar",
        "shaded": "WEB-INF/lib/lib-2.jar!/META-INF/maven/org.shaded/shaded/pom.properties",
        "in": "WEB-INF/lib/lib-2.jar!/deep/in-1.jar",
    }


def test_unpacked_application_and_the_lists_beside_its_libraries() -> None:
    properties = pom("org.app", "app", "1")["META-INF/maven/org.app/app/pom.properties"]
    sbom = {"components": [{"group": "org.a", "name": "a", "version": "1", "purl": "pkg:maven/org.a/a@1"}]}
    nodes: dict[str, Node | bytes | str] = {
        "app/META-INF/maven/org.app/app/pom.properties": properties,
        "app/META-INF/maven/org.app/app/pom.xml": "<project/>",
        "app/META-INF/sbom/application.cdx.json": json.dumps(sbom),
        "app/BOOT-INF/lib/a-1.jar": jar({}),
        "quarkus-app-dependencies.txt": "org.q:q::jar:2\n",
        "quarkus/lib/main/q-2.jar": jar({}),
    }
    packages = found(nodes)
    assert set(packages) == {"pkg:maven/org.app/app@1", "pkg:maven/org.a/a@1", "pkg:maven/org.q/q@2"}
    assert not any(package.declared for package in packages.values())


def test_own_pom_of_a_jar_named_with_its_group() -> None:
    content = jar(pom("io.q.arc", "arc", "3.0") | pom("org.shaded", "s", "1"))
    assert purls({"lib/io.q.arc.arc-3.0.jar": content})[0] == "pkg:maven/io.q.arc/arc@3.0"


def test_number_behind_an_underscore_is_a_version_only_with_a_dot() -> None:
    assert purls({"nested_at_10.jar": jar({})}) == []
    assert purls({"org.e.f_1.2.0.jar": jar({})}) == ["pkg:maven/org.e.f@1.2.0"]


def test_build_files_declare_where_what_they_make_is_not_there() -> None:
    lock = "org.a:a:1.0=runtimeClasspath\norg.b:b:1.0=runtimeClasspath\norg.c:c:1.0=runtimeClasspath\nempty=\n"
    declared = found({"src/gradle.lockfile": lock})
    assert {purl: package.declared for purl, package in declared.items()} == {
        "pkg:maven/org.a/a@1.0": True,
        "pkg:maven/org.b/b@1.0": True,
        "pkg:maven/org.c/c@1.0": True,
    }
    beside = found({"src/gradle.lockfile": lock, "src/build/libs/a-2.0.jar": jar(pom("org.a", "a", "2.0"))})
    assert set(beside) == {"pkg:maven/org.a/a@2.0"}
    elsewhere = found({"src/gradle.lockfile": lock, "opt/a.jar": jar(pom("org.a", "a", "1.0"))})
    assert {purl: package.declared for purl, package in elsewhere.items()} == {
        "pkg:maven/org.a/a@1.0": False,
        "pkg:maven/org.b/b@1.0": True,
        "pkg:maven/org.c/c@1.0": True,
    }


def test_damaged_pom_file_is_an_unknown() -> None:
    assert [unknown.path for unknown in catalog({"src/pom.xml": "<html/>"}).unknowns] == ["src/pom.xml"]


def test_licence_text_in_the_archive_counts_where_nothing_is_stated() -> None:
    text = "\n  Apache License\n  Version 2.0, January 2004\n"
    members = {**pom("org.x", "a", "1"), "META-INF/LICENSE.txt": text}
    (package,) = catalog({"a-1.jar": jar(members)}).packages
    assert [(one.raw, one.expression) for one in package.licenses] == [("text of META-INF/LICENSE.txt", "Apache-2.0")]
    stated = {**members, **manifest(**{"Bundle-License": "MIT"})}
    (package,) = catalog({"a-1.jar": jar(stated)}).packages
    assert [one.expression for one in package.licenses] == ["MIT"]
