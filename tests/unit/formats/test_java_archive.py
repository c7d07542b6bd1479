"""Java archives in archives."""

from __future__ import annotations

import hashlib
import io
import zipfile

from hypothesis import given
from hypothesis import strategies as st

from compliance.formats.java_archive import DEPTH_MAX, JavaArchive, read_java_archive, read_manifest


def jar(members: dict[str, bytes | str]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as written:
        for name, content in members.items():
            written.writestr(name, content)
    return file.getvalue()


def pom(group: str, artifact: str, version: str) -> dict[str, bytes | str]:
    place = f"META-INF/maven/{group}/{artifact}/pom.properties"
    return {place: f"#Created by Maven\r\nversion={version}\r\ngroupId={group}\r\nartifactId={artifact}\r\n"}


def test_continued_lines_of_a_manifest_are_joined_and_sections_left_out() -> None:
    text = "Manifest-Version: 1.0\r\nBundle-Symbolic\r\n Name: org.a\r\n .b\r\n\r\nName: x\r\nSealed: true\r\n"
    assert read_manifest(text) == {"Manifest-Version": "1.0", "Bundle-SymbolicName": "org.a.b"}


def test_pom_with_placeholders_of_the_build_is_no_artifact() -> None:
    assert read_java_archive(jar(pom("org.x", "y", "${project.version}"))).poms == ()


def test_pom_xml_adds_licences_and_dependencies_but_no_test_scope() -> None:
    xml = (
        "<project><licenses><license><name>MIT</name></license></licenses><dependencies>"
        "<dependency><groupId>a.b</groupId><artifactId>c</artifactId></dependency>"
        "<dependency><groupId>j</groupId><artifactId>junit</artifactId><scope>test</scope></dependency>"
        "</dependencies></project>"
    )
    members = pom("org.x", "y", "1") | {"META-INF/maven/org.x/y/pom.xml": xml}
    (read,) = read_java_archive(jar(members)).poms
    assert read.licenses == ("MIT",)
    assert read.dependencies == (("a.b", "c"),)


def test_nested_archive_carries_the_digest_of_its_own_bytes() -> None:
    inner = jar(pom("org.x", "y", "1"))
    ((name, read),) = read_java_archive(jar({"BOOT-INF/lib/y-1.jar": inner})).nested
    assert name == "BOOT-INF/lib/y-1.jar"
    assert read.sha256 == hashlib.sha256(inner).hexdigest()
    assert read.poms[0].artifact == "y"


def test_nesting_ends_with_a_problem() -> None:
    content = jar(pom("org.x", "deep", "1"))
    for level in range(DEPTH_MAX + 5):
        content = jar({f"lib/n{level}.jar": content})
    read: JavaArchive = read_java_archive(content)
    depth = 1
    while read.nested:
        read = read.nested[0][1]
        depth += 1
    assert depth == DEPTH_MAX
    assert read.problems == (("lib/n5.jar", f"archives nested more than {DEPTH_MAX} deep"),)


def test_bomb_beside_the_manifest_is_not_inflated() -> None:
    read = read_java_archive(jar({"zeros": bytes(64 * 2**20), "META-INF/MANIFEST.MF": "A: b\n"}))
    assert (read.manifest, read.problems) == ({"A": "b"}, ())


def test_manifest_beyond_its_limit_is_a_problem() -> None:
    read = read_java_archive(jar({"META-INF/MANIFEST.MF": b"A: b\n" * 300_000}))
    assert [name for name, _ in read.problems] == ["META-INF/MANIFEST.MF"]


def test_no_archive_is_a_problem() -> None:
    assert read_java_archive(b"text").problems == (("", "not a zip archive"),)


@given(st.binary(max_size=200), st.integers(0, 300))
def test_any_bytes_give_an_archive(noise: bytes, at: int) -> None:
    content = jar(pom("org.x", "y", "1"))
    assert isinstance(read_java_archive(content[:at] + noise + content[at:]), JavaArchive)
