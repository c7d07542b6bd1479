"""pom.xml and gradle.lockfile."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compliance.errors import FormatError
from compliance.formats.maven_build import read_gradle_lock, read_pom, read_pom_file

POM = """<?xml version="1.0"?>
<!-- <groupId>commented</groupId> -->
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <parent><groupId>org.parent</groupId><artifactId>parent</artifactId><version>3</version></parent>
  <artifactId>app</artifactId>
  <properties><lib.version>${base}.1</lib.version><base>2</base><loop>${loop}</loop></properties>
  <dependencyManagement><dependencies>
    <dependency><groupId>org.m</groupId><artifactId>managed</artifactId><version>1</version></dependency>
  </dependencies></dependencyManagement>
  <dependencies>
    <dependency><exclusions><exclusion><groupId>no</groupId></exclusion></exclusions>
      <groupId>org.lib</groupId><artifactId>lib</artifactId><version>${lib.version}</version></dependency>
    <dependency><groupId>${project.groupId}</groupId><artifactId>own</artifactId><version>${project.version}</version>
    </dependency>
    <dependency><groupId>org.m</groupId><artifactId>managed</artifactId></dependency>
    <dependency><groupId>org.l</groupId><artifactId>l</artifactId><version>${loop}</version></dependency>
    <dependency><groupId>org.r</groupId><artifactId>r</artifactId><version>[1,2)</version></dependency>
  </dependencies>
  <build><plugins><plugin><groupId>org.p</groupId><artifactId>p</artifactId><version>1</version></plugin></plugins>
  </build>
</project>"""


def test_pom_with_parent_properties_and_what_is_not_its_dependency() -> None:
    pom = read_pom(POM)
    assert pom is not None
    assert (pom.group, pom.artifact, pom.version) == ("org.parent", "app", "3")
    assert pom.dependencies == (("org.lib", "lib", "2.1"), ("org.parent", "own", "3"))


def test_pom_file_states_the_project_and_its_dependencies() -> None:
    project, *others = read_pom_file(POM.encode())
    assert project.provides == ("org.parent:app",)
    assert project.depends == ("org.lib:lib", "org.parent:own")
    assert [package.provides[0] for package in others] == ["org.lib:lib", "org.parent:own"]


def test_file_without_a_project_is_a_format_error() -> None:
    with pytest.raises(FormatError):
        list(read_pom_file(b"<html/>"))


def test_gradle_lock() -> None:
    content = b"# comment\norg.a:a:1.0=compileClasspath,runtimeClasspath\nempty=annotationProcessor\n"
    assert [(p.namespace, p.name, p.version) for p in read_gradle_lock(content)] == [("org.a", "a", "1.0")]


@given(st.text(max_size=200))
def test_any_text_is_read(content: str) -> None:
    for start in ("<project>", "<project><dependencies><dependency>", "<project><properties><a>${a}</a>"):
        read_pom(start + content)
    list(read_gradle_lock(content.encode("utf-8", "surrogatepass")))
