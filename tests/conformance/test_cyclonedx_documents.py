"""The example documents of the CycloneDX project: every valid one is read, no invalid one crashes."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from cyclonedx.validation.xml import XmlValidator

from compliance.errors import FormatError
from compliance.formats.sbom import read, write
from compliance.formats.sbom_document import Tool

NOW = datetime(2026, 11, 1, tzinfo=UTC)
TOOL = Tool(name="hullmark", version="1")
CAUGHT = re.compile(
    r"invalid-(bomformat|component-ref|component-type|dependency|empty-component|hash-\w+|metadata-timestamp|"
    r"missing-component-type|namespace|scope|serialnumber|license-missing-id-and-name)-1\.\d\.(json|xml)"
)
"""What is wrong where an inventory is read, and so refused. The others are wrong where nobody looks."""


@pytest.fixture(scope="module")
def documents(shared: Path) -> tuple[Path, ...]:
    found = tuple(sorted((shared / "fixtures" / "cyclonedx").glob("1.*/*")))
    assert len(found) == 288
    return found


@cache
def xml_validator(version: SchemaVersion) -> XmlValidator:
    return XmlValidator(version)


@cache
def json_validator(version: SchemaVersion) -> JsonStrictValidator:
    return JsonStrictValidator(version)


def test_every_valid_document_is_read_and_what_is_made_of_it_is_valid(documents: tuple[Path, ...]) -> None:
    valid = [path for path in documents if path.name.startswith("valid-")]
    assert len(valid) == 180
    for path in valid:
        document = read(path.read_bytes(), TOOL, NOW)
        for version, schema in (("1.6", SchemaVersion.V1_6), ("1.7", SchemaVersion.V1_7)):
            in_json, in_xml = (write(document, f"cyclonedx-{kind}@{version}") for kind in ("json", "xml"))
            assert json_validator(schema).validate_str(in_json.decode()) is None, path
            assert xml_validator(schema).validate_str(in_xml.decode()) is None, path


def test_no_invalid_document_crashes_and_what_is_read_wrong_is_refused(documents: tuple[Path, ...]) -> None:
    accepted = set()
    for path in documents:
        if not path.name.startswith("valid-"):
            try:
                read(path.read_bytes(), TOOL, NOW)
                accepted.add(path.name)
            except FormatError as error:
                assert error.where, path  # noqa: PT017 - to be read is right too
    assert [name for name in sorted(accepted) if CAUGHT.fullmatch(name)] == []
