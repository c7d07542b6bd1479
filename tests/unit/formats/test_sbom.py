"""Reading bills of materials: what was written comes back, what others wrote is understood, the rest is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compliance.errors import ComplianceError, FormatError
from compliance.formats.plain_text import plain_text
from compliance.formats.purl import package_url
from compliance.formats.sbom import NAMES, read, write
from compliance.formats.sbom_document import Party, SbomDocument, Tool, _node_package, of_image, read_party
from compliance.model.inventory import (
    Distribution,
    Inventory,
    License,
    Location,
    Package,
    Relationship,
    RelationshipKind,
    Unknown,
)
from tests.builders.evidence import ImageSpec, image, program, tree

EFFECTIVE = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
NOW = datetime(2027, 1, 1, tzinfo=UTC)
TOOL = Tool(name="hullmark", version="1")


def package(name: str, type_: str = "deb", version: str = "1", **more: Any) -> Package:
    made = Package(
        name=name,
        version=version,
        type=type_,
        purl=package_url(type_, name, version),
        found_by="test",
        locations=(Location(path="var/lib/db", layer=0),),
    )
    return replace(made, **more)


FULL = package(
    "bash",
    version="5",
    licenses=(License(raw="MIT", expression="MIT"), License(raw="as it is")),
    supplier="A B <a@b.org>",
    homepage="https://bash.org/",
    source_name="src",
    source_version="5-1",
    digests=(("SHA-256", "a" * 64), ("SHA-1", "b" * 40)),
    cpes=("cpe:2.3:a:gnu:bash:5:*:*:*:*:*:*:*",),
)
INNER = package(
    "core",
    "maven",
    purl="pkg:maven/org.x/core@1",
    locations=(Location(path="app/a.war", layer=1, inner="WEB-INF/lib/core.jar"),),
    confidence=0.6,
    inferred="the group, from the manifest",
    parent="pkg:maven/org.x/war@1",
)
OUTER = package("war", "maven", purl="pkg:maven/org.x/war@1")
LOCKED = package("@scope/a", "npm", purl="pkg:npm/%40scope/a@1", declared=True)
OWNED = package("python3-requests", files=("usr/lib/requests.py",))
NESTED = package("requests", "pypi", parent=OWNED.purl)
INVENTORY = Inventory(
    packages=tuple(sorted((FULL, INNER, OUTER, LOCKED, OWNED, NESTED), key=lambda one: one.purl)),
    relationships=tuple(
        Relationship(source=source.purl, kind=kind, target=target.purl)
        for source, kind, target in (
            (FULL, RelationshipKind.DEPENDS_ON, OWNED),
            (OWNED, RelationshipKind.CONTAINS, NESTED),
            (OUTER, RelationshipKind.CONTAINS, INNER),
        )
    ),
    unknowns=(Unknown(path="a.jar", reason="not a zip"),),
    distribution=Distribution(id="debian", version_id="12"),
    owners={"usr/lib/requests.py": OWNED.purl},
)


def document() -> SbomDocument:
    files = tree({"usr/lib/requests.py": "x", "usr/bin/own": program("#!/bin/sh")})
    return of_image(
        image(ImageSpec(layers=2)), INVENTORY, tool=TOOL, effective=EFFECTIVE, tree=files, author="J <j@x.y>"
    )


def told(one: Package) -> Package:
    """What a document tells of a package: no names of needs, no lists of files."""
    return replace(one, files=(), depends=(), provides=())


@pytest.mark.parametrize("name", NAMES)
def test_what_was_written_is_read_back(name: str) -> None:
    first = document()
    again = read(write(first, name), TOOL, NOW)
    assert {one.purl: told(one) for one in again.inventory.packages} == {
        one.purl: told(one) for one in INVENTORY.packages
    }
    assert set(again.inventory.relationships) == set(INVENTORY.relationships)
    assert again.inventory.unknowns == INVENTORY.unknowns
    found = again.inventory.distribution
    assert found is not None
    assert (found.id, found.version_id) == ("debian", "12")
    assert (again.effective, again.layers, again.authors) == (EFFECTIVE, first.layers, (Party(name="J", mail="j@x.y"),))
    assert (again.installed, again.completeness) == (first.installed, first.completeness)
    assert (again.subject.name, again.subject.version) == (first.subject.name, first.subject.version)


@pytest.mark.parametrize("name", NAMES)
def test_a_document_read_and_written_twice_stays_the_same(name: str) -> None:
    once = read(write(document(), name), TOOL, NOW)
    twice = read(write(once, name), TOOL, NOW)
    assert twice.inventory == once.inventory
    assert (twice.installed, twice.completeness, twice.layers) == (once.installed, once.completeness, once.layers)


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(NAMES), st.text(max_size=20), st.text(max_size=20), st.text(max_size=20))
def test_any_text_is_read_back_as_a_plain_line(name: str, one: str, two: str, path: str) -> None:
    purl = package_url("deb", plain_text(one).strip("/") or "x", plain_text(two))
    stated = replace(package("a"), name=one, version=two, purl=purl, locations=(Location(path=path, layer=0),))
    made = of_image(image(), Inventory(packages=(stated,)), tool=TOOL, effective=EFFECTIVE)
    (found,) = read(write(made, name), TOOL, NOW).inventory.packages
    assert found.purl == purl
    assert found.version == plain_text(two)


def cyclonedx(**more: Any) -> bytes:
    return json.dumps({"bomFormat": "CycloneDX", "specVersion": "1.5", **more}).encode()


def component(name: str = "a", **more: Any) -> dict[str, Any]:
    return {"type": "library", "name": name, "bom-ref": name, **more}


def test_component_of_another_tool_is_read_with_its_places_and_layers() -> None:
    found = component(
        purl="pkg:deb/debian/a@1?arch=all",
        version="1",
        publisher="P <p@x.org>",
        properties=[
            {"name": "syft:location:0:path", "value": "/var/lib/dpkg/status"},
            {"name": "syft:location:0:layerID", "value": "sha256:" + "a" * 64},
            {"name": "syft:package:foundBy", "value": "dpkg-db-cataloger"},
        ],
    )
    system = {"type": "operating-system", "name": "debian", "version": "12", "bom-ref": "os"}
    made = read(cyclonedx(components=[found, system]), TOOL, NOW)
    (one,) = made.inventory.packages
    assert one.locations == (Location(path="var/lib/dpkg/status", layer=0),)
    assert made.layers == ("sha256:" + "a" * 64,)
    assert (one.found_by, one.supplier) == ("dpkg-db-cataloger", "P <p@x.org>")
    assert made.inventory.distribution == Distribution(id="debian", version_id="12")
    assert made.effective == NOW


def test_component_without_purl_gets_one_of_no_ecosystem() -> None:
    made = read(cyclonedx(components=[component("a b", group="g", version="1")]), TOOL, NOW)
    assert [one.purl for one in made.inventory.packages] == ["pkg:generic/g/a%20b@1"]


def test_two_components_of_one_purl_are_one_package_at_two_places() -> None:
    two = [
        component(ref, purl="pkg:npm/a@1", **{"bom-ref": ref}, evidence={"occurrences": [{"location": f"/{ref}"}]})
        for ref in ("x", "y")
    ]
    (one,) = read(cyclonedx(components=two), TOOL, NOW).inventory.packages
    assert [place.path for place in one.locations] == ["x", "y"]


def test_folders_of_any_depth_belong_to_the_package_above_them() -> None:
    """Deeper than Python calls may go: a root folder on disk has no bound on its depth but that of a path."""
    package = "app/node_modules/x"
    deep = f"{package}/{'d/' * 1900}f"
    other = "app/node_modules/y"
    known: dict[str, str | None] = {}
    packages = {package: "pkg:npm/x@1"}
    assert _node_package(deep.rpartition("/")[0], packages, known) == "pkg:npm/x@1"
    assert _node_package(deep.rpartition("/")[0], packages, known) == "pkg:npm/x@1"
    assert _node_package(f"{package}/lib", packages, known) == "pkg:npm/x@1"
    assert _node_package(f"{package}/node_modules/z", packages, known) is None
    assert _node_package(other, packages, known) is None


def test_what_has_no_place_in_an_inventory_is_counted() -> None:
    files = [{"type": "file", "name": "no path"}]
    made = read(cyclonedx(components=files, vulnerabilities=[{}, {}]), TOOL, NOW)
    assert made.left_out == ("1 files without path or SHA-256", "2 vulnerabilities")
    assert b"2 vulnerabilities" in write(made, "cyclonedx-json")


def spdx(*packages: dict[str, Any], **more: Any) -> bytes:
    return json.dumps(
        {
            "spdxVersion": "SPDX-2.3",
            "SPDXID": "SPDXRef-DOCUMENT",
            "name": "n",
            "creationInfo": {"created": "2026-01-01T00:00:00Z", "creators": ["Tool: t-1"]},
            "packages": list(packages),
            **more,
        }
    ).encode()


def edge(source: str, kind: str, target: str) -> dict[str, str]:
    return {"spdxElementId": source, "relationshipType": kind, "relatedSpdxElement": target}


def test_spdx_relations_are_read_in_both_directions() -> None:
    names = ("a", "b", "c")
    made = read(
        spdx(
            *({"SPDXID": name, "name": name, "licenseDeclared": "MIT OR LicenseRef-x"} for name in names),
            relationships=[edge("a", "DEPENDENCY_OF", "b"), edge("c", "CONTAINED_BY", "a"), edge("a", "OTHER", "b")],
            hasExtractedLicensingInfos=[{"licenseId": "LicenseRef-x", "extractedText": "text"}],
        ),
        TOOL,
        NOW,
    )
    assert [(one.source[-1], one.kind, one.target[-1]) for one in made.inventory.relationships] == [
        ("a", RelationshipKind.CONTAINS, "c"),
        ("b", RelationshipKind.DEPENDS_ON, "a"),
    ]
    assert made.license_texts == {"LicenseRef-x": "text"}
    assert b"LicenseRef-x" in write(made, "spdx-json")


@pytest.mark.parametrize(
    ("content", "where"),
    [
        (b"", "SBOM"),
        (b"[]", "SBOM"),
        (b"{}", "SBOM"),
        (b"not json", "SBOM"),
        (b"\xff\xfe", "SBOM"),
        (b"<bom", "line 1, 0"),
        (b"<a/>", "<a>"),
        (b'<bom xmlns="http://cyclonedx.org/schema/bom/9.9"/>', "SBOM.specVersion"),
        (b'<!DOCTYPE bom [<!ENTITY a "b">]><bom xmlns="http://cyclonedx.org/schema/bom/1.6"/>', "DOCTYPE"),
        (b"<bom>" + b"<a>" * 10_000, "a"),
        (b"[" * 100_000, "SBOM"),
        (cyclonedx(components={}), "SBOM.components"),
        (cyclonedx(components=[1]), "SBOM.components[0]"),
        (cyclonedx(components=[component(type="x")]), "SBOM.components[0].type"),
        (cyclonedx(components=[component(), component()]), "SBOM.components[1].bom-ref"),
        (cyclonedx(components=[component(hashes=[{"alg": "MD5", "content": "x"}])]), "components[0].hashes[0].content"),
        (cyclonedx(components=[component(licenses=[{"license": {}}])]), "SBOM.components[0].licenses[0].license"),
        (cyclonedx(components=[{"type": "library"}]), "SBOM.components[0]"),
        (cyclonedx(dependencies=[{"ref": "nothing"}]), "SBOM.dependencies[0].ref"),
        (cyclonedx(metadata={"timestamp": "2026-01-01"}), "SBOM.metadata.timestamp"),
        (cyclonedx(serialNumber="x"), "SBOM.serialNumber"),
        (spdx({"name": "a"}), "SBOM.packages[0].SPDXID"),
        (spdx({"name": "a", "SPDXID": "a"}, {"name": "b", "SPDXID": "a"}), "SBOM.packages[1].SPDXID"),
        (spdx({"SPDXID": "a", "name": "a", "checksums": [{"algorithm": "MD5", "checksumValue": "x"}]}), "checksums[0]"),
        (json.dumps({"spdxVersion": "SPDX-3.0"}).encode(), "SBOM.spdxVersion"),
        (json.dumps({"spdxVersion": "SPDX-2.3"}).encode(), "SBOM.creationInfo"),
    ],
)
def test_what_is_no_bill_of_materials_is_refused_with_its_place(content: bytes, where: str) -> None:
    with pytest.raises(FormatError) as caught:
        read(content, TOOL, NOW)
    assert where in (caught.value.where or "")
    assert "\n" not in str(caught.value)


def test_components_nested_too_deeply_are_refused() -> None:
    inner: dict[str, Any] = component("x0")
    for number in range(1, 100):
        inner = component(f"x{number}", components=[inner])
    with pytest.raises(FormatError, match="too deep"):
        read(cyclonedx(components=[inner]), TOOL, NOW)


KEYS = (
    *("components", "metadata", "component", "type", "name", "purl", "licenses", "license", "id", "hashes", "alg"),
    *("content", "evidence", "identity", "occurrences", "dependencies", "ref", "properties", "supplier", "packages"),
    *("SPDXID", "relationships", "externalRefs", "creationInfo", "annotations", "comment"),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=20,
)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.sampled_from(["components", "metadata", "dependencies", "packages", "creationInfo"]), JSON))
def test_values_of_any_shape_never_crash(values: dict[str, Any]) -> None:
    for kind in ({"bomFormat": "CycloneDX", "specVersion": "1.6"}, {"spdxVersion": "SPDX-2.3", "name": "x"}):
        try:
            read(json.dumps({**values, **kind}).encode(), TOOL, NOW)
        except ComplianceError as error:
            assert error.where  # noqa: PT017 - to be read is right too


@pytest.mark.parametrize(
    ("text", "party"),
    [
        ("A <a@b.org>", Party(name="A", mail="a@b.org")),
        ("a@b.org", Party(name="a@b.org", mail="a@b.org")),
        ("<a@b.org>", Party(name="a@b.org", mail="a@b.org")),
        ("A <https://a.org/>", Party(name="A", url="https://a.org/")),
        ("A <javascript:x>", Party(name="A <javascript:x>")),
        ("A, B", Party(name="A, B")),
        (" ", None),
        (None, None),
    ],
)
def test_party(text: str | None, party: Party | None) -> None:
    assert read_party(text) == party
