"""The CycloneDX document."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from cyclonedx.model.bom import Bom
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from cyclonedx.validation.xml import XmlValidator
from hypothesis import given, settings
from hypothesis import strategies as st

from compliance.formats.cyclonedx import CANDIDATE_CONFIDENCE, LISTING, to_cyclonedx_json, to_cyclonedx_xml
from compliance.formats.cyclonedx_xml import read as read_xml
from compliance.formats.plain_text import plain_text
from compliance.formats.purl import package_url
from compliance.formats.sbom_document import Tool, of_image
from compliance.model.image import Image, ImageConfig
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
from compliance.model.reference import ImageReference, Scheme
from compliance.sbom.inventory import requests, take_inventory
from tests.builders.evidence import ImageSpec, image, program, tree

EFFECTIVE = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)


@cache
def validators() -> dict[str, tuple[JsonStrictValidator, XmlValidator]]:
    schemas = {"1.6": SchemaVersion.V1_6, "1.7": SchemaVersion.V1_7}
    return {version: (JsonStrictValidator(schema), XmlValidator(schema)) for version, schema in schemas.items()}


def written(inventory: Inventory, subject: Image | None = None, version: str = "1.6", **more: Any) -> bytes:
    tool = more.pop("tool", Tool(name="hullmark", version="1.2"))
    made = of_image(subject or image(), inventory, tool=tool, effective=EFFECTIVE, **more)
    return to_cyclonedx_json(made, version)


def write(inventory: Inventory, subject: Image | None = None) -> bytes:
    return written(inventory, subject)


def valid(inventory: Inventory, subject: Image | None = None, **more: Any) -> dict[str, Any]:
    """The values, after all four ways to write them have been found valid, and the XML ones to say the same."""
    tool = Tool(name="hullmark", version="1.2")
    made = of_image(subject or image(), inventory, tool=tool, effective=EFFECTIVE, **more)
    for version, (json_validator, xml_validator) in validators().items():
        assert json_validator.validate_str(to_cyclonedx_json(made, version).decode()) is None
        assert xml_validator.validate_str(to_cyclonedx_xml(made, version).decode()) is None
    loaded: dict[str, Any] = json.loads(to_cyclonedx_json(made))
    assert_same(read_xml(to_cyclonedx_xml(made)), loaded)
    return loaded


def assert_same(xml: Any, values: dict[str, Any]) -> None:
    """XML has no text with blanks around it, and no characters that XML 1.0 lacks."""
    skipped = ("$schema", "version")
    shown = {key: value for key, value in values.items() if key not in skipped}
    assert json.dumps(stripped(xml), sort_keys=True) == json.dumps(stripped(shown), sort_keys=True)


def stripped(value: Any) -> Any:
    """`value` with no blanks around its texts: a reader of XML drops them, a path may have them."""
    if isinstance(value, dict):
        return {key: stripped(item) for key, item in value.items()}
    if isinstance(value, list):
        return [stripped(item) for item in value]
    return value.strip() if isinstance(value, str) else value


def package(name: str, type_: str = "deb", version: str = "1", **more: Any) -> Package:
    namespace, _, last = name.rpartition("/")
    made = Package(
        name=name,
        version=version,
        type=type_,
        purl=package_url(type_, last, version, namespace=namespace),
        found_by="test",
        locations=(Location(path="var/lib/db", layer=0),),
    )
    return replace(made, **more)


def inventory(*packages: Package, edges: tuple[tuple[str, str], ...] = (), **more: Any) -> Inventory:
    purls = {item.name: item.purl for item in packages}
    relationships = tuple(
        Relationship(source=purls[source], kind=RelationshipKind.DEPENDS_ON, target=purls[target])
        for source, target in edges
    )
    ordered = tuple(sorted(packages, key=lambda item: item.purl))
    return Inventory(packages=ordered, relationships=relationships, **more)


def test_component_carries_what_is_known_of_the_package() -> None:
    stated = package(
        "bash",
        version="1:5.2+b1",
        licenses=(License(raw="GPL-3+", expression="GPL-3.0-or-later"), License(raw="custom")),
        supplier="A B <a@b.org>",
        homepage="https://bash.org/",
        digests=(("SHA-256", "a" * 64), ("NO-SUCH", "b")),
        source_name="src",
        source_version="5",
    )
    (component,) = valid(inventory(stated))["components"]
    layer = image().layers[0].digest
    assert component == {
        "bom-ref": "pkg:deb/bash@1:5.2%2Bb1",
        "evidence": {
            "identity": [
                {
                    "confidence": 1.0,
                    "field": "purl",
                    "methods": [{"confidence": 1.0, "technique": "manifest-analysis", "value": "/var/lib/db"}],
                },
                {
                    "concludedValue": "cpe:2.3:a:*:bash:1\\:5.2\\+b1:*:*:*:*:*:*:*",
                    "confidence": CANDIDATE_CONFIDENCE,
                    "field": "cpe",
                    "methods": [
                        {
                            "confidence": CANDIDATE_CONFIDENCE,
                            "technique": "other",
                            "value": "name and version, any vendor",
                        }
                    ],
                },
            ],
            "occurrences": [{"additionalContext": f"layer {layer}", "location": "/var/lib/db"}],
            "licenses": [{"license": {"name": "GPL-3+"}}, {"license": {"name": "custom"}}],
        },
        "externalReferences": [{"type": "website", "url": "https://bash.org/"}],
        "hashes": [{"alg": "SHA-256", "content": "a" * 64}],
        "licenses": [{"acknowledgement": "declared", "expression": "GPL-3.0-or-later AND LicenseRef-hullmark-custom"}],
        "name": "bash",
        "properties": [
            {"name": "hullmark:found-by", "value": "test"},
            {"name": "hullmark:source", "value": "src 5"},
        ],
        "purl": "pkg:deb/bash@1:5.2%2Bb1",
        "supplier": {"contact": [{"email": "a@b.org"}], "name": "A B"},
        "type": "library",
        "version": "1:5.2+b1",
    }


@pytest.mark.parametrize(
    ("licenses", "expected"),
    [
        ((), None),
        ((("MIT", "MIT"),), [{"license": {"id": "MIT"}}]),
        ((("x", "MIT OR ISC"),), [{"expression": "MIT OR ISC"}]),
        ((("x", "MIT OR ISC"), ("y", "Zlib")), [{"expression": "(MIT OR ISC) AND Zlib"}]),
        ((("x", "MIT OR ISC"), ("odd", None)), [{"expression": "(MIT OR ISC) AND LicenseRef-hullmark-odd"}]),
        ((("a", "MIT AND ISC"), ("b", "ISC")), [{"expression": "MIT AND ISC"}]),
        ((("as it is", None),), [{"license": {"name": "as it is"}}]),
        ((("LicenseRef-a", "LicenseRef-a"),), [{"expression": "LicenseRef-a"}]),
    ],
)
def test_licences(licenses: tuple[tuple[str, str | None], ...], expected: list[dict[str, Any]] | None) -> None:
    stated = package("a", licenses=tuple(License(raw=raw, expression=expression) for raw, expression in licenses))
    (component,) = valid(inventory(stated))["components"]
    found = component.get("licenses")
    for part in found or ():
        assert part.get("license", part).pop("acknowledgement") == "declared"
    assert found == expected


@pytest.mark.parametrize(
    ("name", "type_", "expected"),
    [
        ("@babel/core", "npm", ("@babel", "core")),
        ("react", "npm", (None, "react")),
        ("github.com/a/b", "golang", (None, "github.com/a/b")),
    ],
)
def test_scopes_are_groups(name: str, type_: str, expected: tuple[str | None, str]) -> None:
    (component,) = valid(inventory(package(name, type_)))["components"]
    assert (component.get("group"), component["name"]) == expected


def test_maven_group() -> None:
    stated = package("core", "maven", purl="pkg:maven/org.x/core@1")
    (component,) = valid(inventory(stated))["components"]
    assert (component["group"], component["name"]) == ("org.x", "core")


def test_document_is_bound_to_the_image_and_not_to_the_place_it_was_read_from() -> None:
    local = replace(image(), reference=ImageReference(scheme=Scheme.OCI_DIR, target="/home/me/secret-project"))
    written = write(inventory(package("a")), local)
    assert b"secret-project" not in written
    root = valid(inventory(package("a")), local)["metadata"]["component"]
    assert (root["name"], root["version"], root["type"]) == (local.digest, local.digest, "container")
    assert root["hashes"] == [{"alg": "SHA-256", "content": local.digest.removeprefix("sha256:")}]
    assert "purl" not in root
    assert valid(inventory(), image(ImageSpec(tag="v1")))["metadata"]["component"]["name"] == "v1"


def test_image_of_a_registry_has_its_repository_as_name_and_an_oci_purl() -> None:
    reference = ImageReference(scheme=Scheme.REGISTRY, target="r.example:5000/team/App", tag="v1")
    root = valid(inventory(), replace(image(), reference=reference))["metadata"]["component"]
    assert root["name"] == "r.example:5000/team/App"
    assert root["purl"] == (f"pkg:oci/app@{image().digest}?arch=amd64&repository_url=r.example:5000/team/app&tag=v1")


def test_what_the_image_claims_of_itself_is_in_its_component() -> None:
    labels = {"org.opencontainers.image.vendor": "V\x1b[2J", "org.opencontainers.image.licenses": "MIT AND nonsense"}
    root = valid(inventory(), image(ImageSpec(config=ImageConfig(labels=labels))))["metadata"]["component"]
    assert root["supplier"] == {"name": "V�[2J"}
    assert root["licenses"][0]["license"]["name"] == "MIT AND nonsense"


def test_metadata_name_tool_phase_and_time() -> None:
    metadata = valid(inventory())["metadata"]
    assert metadata["timestamp"] == "2026-11-01T12:00:00Z"
    assert metadata["lifecycles"] == [{"phase": "post-build"}]
    (tool,) = metadata["tools"]["components"]
    assert (tool["name"], tool["version"]) == ("hullmark", "1.2")


def test_same_input_gives_the_same_bytes_and_another_tool_version_another_serial_number() -> None:
    found = inventory(package("a", depends=("b",)), package("b"), edges=(("a", "b"),))
    assert write(found) == write(found)
    other = written(found, tool=Tool(name="hullmark", version="2"))
    assert json.loads(other)["serialNumber"] != json.loads(write(found))["serialNumber"]


def test_bytes_do_not_depend_on_the_hash_seed(checkout: Path) -> None:
    program = (
        "import sys; from tests.unit.formats.test_cyclonedx import inventory, package, write\n"
        "names = [f'p{n}' for n in range(40)]\n"
        "edges = tuple((a, b) for a in names for b in names[::7])\n"
        "sys.stdout.buffer.write(write(inventory(*map(package, names), edges=edges)))"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", program],
            cwd=checkout,
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1


def test_every_component_has_a_line_and_all_are_reached_from_the_image() -> None:
    names = ("app", "lib", "x", "y", "alone")
    edges = (("app", "lib"), ("x", "y"), ("y", "x"))
    document = valid(inventory(*map(package, names), edges=edges))
    graph = {line["ref"]: line.get("dependsOn", []) for line in document["dependencies"]}
    root = document["metadata"]["component"]["bom-ref"]
    assert set(graph) == {root, *(part["bom-ref"] for part in document["components"])}
    assert graph[root] == ["pkg:deb/alone@1", "pkg:deb/app@1", "pkg:deb/x@1"]


def test_language_package_of_a_system_package_is_a_part_of_its_component() -> None:
    system = package("python3-requests")
    language = package("requests", "pypi", parent=system.purl)
    jar = package("lib", "maven", parent=system.purl)
    relationships = tuple(
        Relationship(source=system.purl, kind=RelationshipKind.CONTAINS, target=part.purl) for part in (jar, language)
    )
    found = Inventory(packages=(system, jar, language), relationships=relationships)
    document = valid(found)
    assert [part["name"] for part in document["components"]] == ["python3-requests", "lib"]
    assert [part["name"] for part in document["components"][0]["components"]] == ["requests"]
    line = next(line for line in document["dependencies"] if line["ref"] == system.purl)
    assert line["dependsOn"] == [jar.purl, language.purl]


def test_what_could_not_be_read_is_said_and_completeness_never_claimed() -> None:
    assert valid(inventory())["compositions"][0]["aggregate"] == "unknown"
    found = inventory(
        unknowns=(Unknown(path="a\nb.jar", reason="not a zip\x1b[31m archive"),),
        distribution=Distribution(id="debian", version_id="12", pretty_name="Debian 12"),
    )
    document = valid(found)
    assert document["compositions"] == [{"aggregate": "incomplete", "assemblies": [f"image:{image().digest}"]}]
    assert document["properties"] == [
        {"name": "hullmark:distribution", "value": "Debian 12"},
        {"name": "hullmark:distribution:id", "value": "debian"},
        {"name": "hullmark:distribution:version", "value": "12"},
        {"name": "hullmark:unknown", "value": "/a\\x0ab.jar: not a zip�[31m archive"},
    ]


def test_completeness_of_the_dependencies_is_told_by_ecosystem() -> None:
    found = inventory(
        package("a", depends=("b | c",), files=()),
        package("b"),
        package("broken", depends=("not-there",)),
        package("lib", "maven"),
    )
    dependencies = [(one["aggregate"], one["dependencies"]) for one in valid(found)["compositions"][1:]]
    assert dependencies == [
        ("complete", ["pkg:deb/a@1", "pkg:deb/b@1"]),
        ("incomplete", ["pkg:deb/broken@1"]),
        ("unknown", ["pkg:maven/lib@1"]),
    ]


def test_declared_and_inferred_packages_say_so() -> None:
    found = inventory(
        package("a", "npm", declared=True),
        package("b", "maven", confidence=0.6, inferred="group from the manifest"),
        package("c"),
    )
    declared, inferred, plain = sorted(valid(found)["components"], key=lambda part: str(part["name"]))
    assert declared["scope"] == "optional"
    assert {"name": "hullmark:declared", "value": "true"} in declared["properties"]
    assert {"name": "hullmark:inferred", "value": "group from the manifest"} in inferred["properties"]
    assert inferred["evidence"]["identity"][0]["confidence"] == 0.6
    assert "scope" not in plain


def test_known_cpes_are_asserted_and_a_candidate_is_evidence_alone() -> None:
    known = ("cpe:2.3:a:gnu:bash:5:*:*:*:*:*:*:*", "cpe:2.3:a:bash:bash:5:*:*:*:*:*:*:*")
    stated, unknown = valid(inventory(package("bash", cpes=known), package("zsh", version="5 odd")))["components"]
    assert stated["cpe"] == known[0]
    assert {"name": "hullmark:cpe", "value": known[1]} in stated["properties"]
    assert "cpe" not in unknown
    assert [one["field"] for one in unknown["evidence"]["identity"]] == ["purl"]  # a version with a blank has no CPE


def test_place_inside_an_archive_is_in_the_occurrence() -> None:
    place = Location(path="app/a.war", layer=0, inner="WEB-INF/lib/b.jar")
    (component,) = valid(inventory(package("b", "maven", locations=(place,))))["components"]
    assert component["evidence"]["occurrences"][0]["location"] == "/app/a.war!/WEB-INF/lib/b.jar"


def test_go_module_names_its_host_and_repository() -> None:
    (component,) = valid(inventory(package("github.com/a/b/v2", "golang")))["components"]
    assert component["supplier"] == {"name": "github.com/a", "url": ["https://github.com/a"]}
    assert component["externalReferences"] == [{"type": "vcs", "url": "https://github.com/a/b"}]


def test_files_are_listed_with_their_owner_and_hash_only_when_asked() -> None:
    files = tree({"usr/bin/a": program(b"\x7fELFa"), "usr/share/a": "data", "opt/own": program("#!/bin/sh\n")})
    owned = package("a", files=("usr/bin/a", "usr/share/a", "usr/share/gone"))
    found = inventory(owned, owners=dict.fromkeys(owned.files, owned.purl))
    document = valid(found, tree=files, files=True)
    component, loose = document["components"]
    assert [part["name"] for part in component["components"]] == ["/usr/bin/a", "/usr/share/a"]
    assert loose["name"] == "/opt/own"
    assert loose["hashes"] == [{"alg": "SHA-256", "content": hashlib.sha256(b"#!/bin/sh\n").hexdigest()}]
    (without,) = valid(found, tree=files)["components"]
    assert "components" not in without


def test_hash_of_a_package_is_that_of_the_listing_of_its_files(tmp_path: Path) -> None:
    """As the tools of the system make it: anybody can compute it from the image."""
    contents = {"usr/bin/b": b"two", "usr/bin/a": b"one", "etc/x": b""}
    for path, content in contents.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(content)
    script = "LC_ALL=C; export LC_ALL; sha256sum $(find . -type f | sed s,./,, | sort) | sha256sum"
    by_hand = subprocess.run(["sh", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True)
    owned = package("a", files=tuple(contents))
    found = inventory(owned, owners=dict.fromkeys(owned.files, owned.purl))
    (component,) = valid(found, tree=tree(contents))["components"]
    assert component["hashes"] == [{"alg": "SHA-256", "content": by_hand.stdout.split()[0]}]
    assert {"name": "hullmark:hash:covers", "value": LISTING} in component["properties"]


def test_component_that_is_one_file_has_the_properties_of_bsi() -> None:
    content = b"PK jar"
    files = tree({"app/a.jar": content})
    digest = (("SHA-256", hashlib.sha256(content).hexdigest()),)
    jar = package("a", "maven", digests=digest, locations=(Location(path="app/a.jar", layer=0),))
    component, several = valid(inventory(jar, package("b", "npm")), tree=files)["components"]
    said = {one["name"]: one["value"] for one in component["properties"] if one["name"].startswith("bsi:")}
    assert said == {
        "bsi:component:filename": "a.jar",
        "bsi:component:executable": "executable",
        "bsi:component:archive": "archive",
        "bsi:component:structured": "structured",
    }
    assert not any(one["name"].startswith("bsi:") for one in several["properties"])


def test_author_and_supplier_are_those_given_and_the_tool_where_none_is() -> None:
    given = valid(inventory(), author="Jane <jane@x.org>", supplier="ACME <https://acme.example>")["metadata"]
    assert given["authors"] == [{"name": "Jane", "email": "jane@x.org"}]
    assert given["supplier"] == {"name": "ACME", "url": ["https://acme.example"]}
    assert valid(inventory())["metadata"]["authors"] == [{"name": "hullmark 1.2"}]
    assert valid(inventory())["metadata"]["licenses"] == [{"license": {"id": "CC0-1.0"}}]


def test_library_of_the_format_reads_back_what_was_written() -> None:
    """cyclonedx-python-lib as the reference reader: the same components and edges from JSON and from XML."""
    names = ("app", "lib", "x")
    made = of_image(
        image(),
        inventory(*map(package, names), edges=(("app", "lib"),)),
        tool=Tool(name="hullmark", version="1"),
        effective=EFFECTIVE,
    )
    from_json = Bom.from_json(json.loads(to_cyclonedx_json(made)))  # type: ignore[attr-defined]
    tree_of_xml = ElementTree.fromstring(to_cyclonedx_xml(made))  # noqa: S314 - our own
    from_xml = Bom.from_xml(tree_of_xml)  # type: ignore[attr-defined]
    for bom in (from_json, from_xml):
        assert {part.name for part in bom.components} == set(names)
        assert {len(line.dependencies) for line in bom.dependencies if "app" in str(line.ref)} == {1}
    assert {part.purl for part in from_json.components} == {part.purl for part in from_xml.components}


@pytest.mark.parametrize("name", ["\ud800", "a\x00b\x1b[31m", "<b>&\"']]>", "\ufffe\u202e", "x" * 5000])
def test_hostile_texts_are_valid_in_every_format(name: str) -> None:
    purl = package_url("generic", plain_text(name) or "x", "1")
    stated = replace(
        package("a"), name=name, purl=purl, version=name, supplier=name, homepage=name, licenses=(License(raw=name),)
    )
    valid(inventory(replace(stated, source_name=name, inferred=name, cpes=())))


def test_an_image_without_packages_has_an_empty_list_of_components() -> None:
    assert valid(inventory())["components"] == []


def test_hostile_manifest_gives_a_valid_document() -> None:
    manifest = json.dumps(
        {
            "name": "<b>&\"'",
            "version": "1.0\ud800",
            "license": "<script>alert(1)</script>",
            "author": "a\u001b[2Jb\ud800 <x@y\u0000>",
            "homepage": "https://x/ y\u202e",
            "dependencies": {"\ud800": "1"},
        }
    )
    files = tree({"app/node_modules/m/package.json": manifest}, requests=requests())
    (component,) = valid(take_inventory(files))["components"]
    assert component["name"] == "<b>&\"'"
    assert "\x1b" not in json.dumps(component, ensure_ascii=False)


TEXT = st.text(max_size=20).map(plain_text)
ADDRESS = TEXT | st.text(st.sampled_from("a1.-:/?#[]@%&<>"), max_size=12)


@settings(max_examples=40, deadline=None)
@given(name=TEXT.filter(bool), version=TEXT, raw=TEXT, supplier=TEXT, homepage=ADDRESS, path=st.text(max_size=20))
def test_any_text_gives_a_valid_document(
    name: str, version: str, raw: str, supplier: str, homepage: str, path: str
) -> None:
    stated = replace(
        package("a"),
        name=name,
        version=version,
        purl=package_url("generic", name.strip("/ ") or "x", version),
        licenses=(License(raw=raw),),
        supplier=f"{supplier} <{homepage}@{homepage}>",
        homepage=f"https://{homepage}",
        locations=(Location(path=path, layer=7),),
    )
    valid(inventory(stated))
