"""The SPDX 2.3 document, validated by the schema and by the format's own library."""

from __future__ import annotations

import importlib.resources
import json
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from spdx_tools.spdx.parser.jsonlikedict.json_like_dict_parser import JsonLikeDictParser
from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

from compliance.formats.cyclonedx import LISTING
from compliance.formats.plain_text import plain_text
from compliance.formats.purl import package_url
from compliance.formats.sbom_document import Tool, of_image
from compliance.formats.spdx import DECLARED_ONLY, to_spdx_json
from compliance.model.image import Image
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
from tests.builders.evidence import image, program, tree

EFFECTIVE = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
TOOL = Tool(name="hullmark", version="1.2")


@cache
def schema() -> Any:
    text = importlib.resources.files("lib4sbom").joinpath("schemas", "spdx", "2.3-schema.json").read_text("utf-8")
    return jsonschema_rs.validator_for(json.loads(text))


def valid(inventory: Inventory, subject: Image | None = None, **more: Any) -> dict[str, Any]:
    made = of_image(subject or image(), inventory, tool=TOOL, effective=EFFECTIVE, **more)
    document: dict[str, Any] = json.loads(to_spdx_json(made))
    assert [error.message for error in schema().iter_errors(document)] == []
    messages = validate_full_spdx_document(JsonLikeDictParser().parse(document))  # type: ignore[no-untyped-call]
    assert [message.validation_message for message in messages] == []
    return document


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


def only(document: dict[str, Any]) -> dict[str, Any]:
    (_, found) = document["packages"]
    return dict(found)


def test_package_carries_what_is_known() -> None:
    stated = package(
        "bash",
        version="5",
        licenses=(License(raw="GPL-3+", expression="GPL-3.0-or-later"), License(raw="public-domain")),
        supplier="A (of) B <a@b.org>",
        homepage="https://bash.org/",
        digests=(("SHA-256", "a" * 64),),
        source_name="src",
        source_version="5",
        cpes=("cpe:2.3:a:gnu:bash:5:*:*:*:*:*:*:*",),
    )
    document = valid(Inventory(packages=(stated,)))
    found = only(document)
    assert found["supplier"] == "Person: A [of] B (a@b.org)"
    assert found["licenseDeclared"] == "GPL-3.0-or-later AND LicenseRef-hullmark-public-domain"
    assert found["licenseConcluded"] == "NOASSERTION"
    assert found["checksums"] == [{"algorithm": "SHA256", "checksumValue": "a" * 64}]
    assert found["sourceInfo"] == f"found by test in /var/lib/db [layer {image().layers[0].digest}]"
    assert found["comment"] == "source package src 5\ndependencies: complete"
    assert [one["referenceType"] for one in found["externalRefs"]] == ["purl", "cpe23Type"]
    assert document["hasExtractedLicensingInfos"] == [
        {
            "licenseId": "LicenseRef-hullmark-public-domain",
            "extractedText": "public-domain",
            "name": "public-domain",
        }
    ]


def test_image_is_described_and_contains_what_is_installed_and_not_what_is_only_declared() -> None:
    installed, declared = package("a"), package("b", "npm", declared=True)
    edge = Relationship(source=installed.purl, kind=RelationshipKind.DEPENDS_ON, target=declared.purl)
    document = valid(Inventory(packages=(installed, declared), relationships=(edge,)))
    root, first, second = (one["SPDXID"] for one in document["packages"])
    told = {
        (one["spdxElementId"], one["relationshipType"], one["relatedSpdxElement"]) for one in document["relationships"]
    }
    assert told == {
        ("SPDXRef-DOCUMENT", "DESCRIBES", root),
        (root, "CONTAINS", first),
        (root, "OTHER", second),
        (first, "DEPENDS_ON", second),
    }
    assert document["packages"][2]["comment"].splitlines()[0] == DECLARED_ONLY


def test_identifiers_are_unique_for_purls_that_differ_in_qualifiers_alone() -> None:
    one = package("a", purl="pkg:deb/a@1?arch=amd64")
    two = package("a", purl="pkg:deb/a@1?arch=i386")
    identifiers = [found["SPDXID"] for found in valid(Inventory(packages=(one, two)))["packages"]]
    assert len(set(identifiers)) == 3


def test_files_are_listed_with_a_verification_code_where_sha1_is_known() -> None:
    files = tree({"usr/bin/a": program(b"\x7fELFa"), "usr/share/a": "data", "opt/own": "x"})
    owned = package("a", files=("usr/bin/a", "usr/share/a"))
    inventory = Inventory(packages=(owned,), owners=dict.fromkeys(owned.files, owned.purl))
    document = valid(inventory, tree=files, files=True)
    assert [one["fileName"] for one in document["files"]] == ["./opt/own", "./usr/bin/a", "./usr/share/a"]
    found = only(document)
    assert found["filesAnalyzed"] is True
    assert found["checksums"][0]["algorithm"] == "SHA256"
    assert f"SHA256: {LISTING}" in found["comment"]
    contained = [one for one in document["relationships"] if one["spdxElementId"] == found["SPDXID"]]
    assert len(contained) == 2


def test_package_with_a_file_without_sha1_lists_none_and_says_so() -> None:
    files = tree({"app/a": "x", "app/b": "y"})
    without = {path: replace(entry, reading=entry.reading._replace(sha1="")) for path, entry in files.entries.items()}
    owned = package("a", files=("app/a", "app/b"))
    inventory = Inventory(packages=(owned,), owners=dict.fromkeys(owned.files, owned.purl))
    document = valid(inventory, tree=type(files)(without), files=True)
    assert "files" not in document
    assert any("files-left-out 2" in one["comment"] for one in document["annotations"])


def test_unknowns_and_distribution_are_annotations_of_the_document() -> None:
    inventory = Inventory(
        packages=(),
        unknowns=(Unknown(path="a\nb.jar", reason="not a zip\x1b archive"),),
        distribution=Distribution(id="debian", version_id="12"),
    )
    assert [one["comment"] for one in valid(inventory)["annotations"]] == [
        "hullmark:distribution debian 12",
        "hullmark:unknown /a\\x0ab.jar: not a zip\ufffd archive",
    ]


def test_same_input_gives_the_same_bytes() -> None:
    made = of_image(image(), Inventory(packages=(package("a"),)), tool=TOOL, effective=EFFECTIVE)
    assert to_spdx_json(made) == to_spdx_json(made)
    other = replace(made, identity="other")
    assert json.loads(to_spdx_json(other))["documentNamespace"] != json.loads(to_spdx_json(made))["documentNamespace"]


@pytest.mark.parametrize("text", ["\ud800", "a\x00b\x1b[31m", "<b>&\"']]>", "(((", "Person: x (y)", "x" * 5000])
def test_hostile_texts_are_valid(text: str) -> None:
    stated = replace(
        package("a"),
        name=text,
        version=text,
        purl=package_url("generic", plain_text(text).replace("/", "") or "x", "1"),
        supplier=text,
        homepage=text,
        licenses=(License(raw=text),),
        inferred=text,
        source_name=text,
    )
    valid(Inventory(packages=(stated,)))


@settings(max_examples=30, deadline=None)
@given(st.text(max_size=20), st.text(max_size=20))
def test_any_text_is_valid(one: str, two: str) -> None:
    stated = replace(package("a"), name=one or "x", supplier=f"{two} <{one}@{two}>", licenses=(License(raw=two),))
    valid(Inventory(packages=(stated,)))
