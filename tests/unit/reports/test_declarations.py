"""CycloneDX attestations: what the checks claim, on what evidence, and no more."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from compliance import pipeline
from compliance.errors import FormatError
from reports import assessment_json
from reports.declarations import with_declarations
from reports.document import Document
from tests.builders.assessment import HIDDEN, assessment


@cache
def sbom() -> bytes:
    return pipeline.sbom(assessment().evidence)


@cache
def document() -> Document:
    return assessment_json.document(assessment())


def declared() -> Any:
    return json.loads(with_declarations(sbom(), document()))


def test_it_is_valid_cyclonedx(shared: Path) -> None:
    folder = shared / "schemas" / "cyclonedx"
    schemas = {name: json.loads((folder / name).read_bytes()) for name in ("jsf-0.82.schema.json", "spdx.schema.json")}
    registry = jsonschema_rs.Registry([(schema["$id"], schema) for schema in schemas.values()])
    schema = json.loads((folder / "bom-1.6.schema.json").read_bytes())
    validator = jsonschema_rs.Draft7Validator(schema, registry=registry)
    assert [str(error) for error in validator.iter_errors(declared())] == []


def test_the_strict_validator_of_cyclonedx_accepts_it() -> None:
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(declared())) is None


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if "bom-ref" in value:
            yield value["bom-ref"]
        for item in value.values():
            yield from references(item)
    elif isinstance(value, list):
        for item in value:
            yield from references(item)


def test_no_reference_leads_nowhere_and_none_is_given_twice() -> None:
    value = declared()
    known = list(references(value))
    assert len(known) == len(set(known))
    declarations = value["declarations"]
    used = [one["assessor"] for one in declarations["attestations"]]
    for one in declarations["attestations"]:
        for mapped in one["map"]:
            used += [mapped["requirement"], *mapped.get("claims", []), *mapped.get("counterClaims", [])]
    for claim in declarations["claims"]:
        used += [claim["target"], *claim["evidence"]]
    assert set(used) <= set(known)


def test_the_inventory_is_untouched() -> None:
    value = declared()
    del value["definitions"], value["declarations"]
    assert value == json.loads(sbom())


def test_only_what_passed_or_failed_is_claimed_and_failures_count_against() -> None:
    outcomes = {f"claim:{check['id']}": check["outcome"] for check in document()["checks"]}
    declarations = declared()["declarations"]
    assert {claim["bom-ref"] for claim in declarations["claims"]} == {
        name for name, outcome in outcomes.items() if outcome in ("passed", "failed")
    }
    for one in declarations["attestations"]:
        for mapped in one["map"]:
            assert {outcomes[name] for name in mapped.get("claims", [])} <= {"passed"}
            assert {outcomes[name] for name in mapped.get("counterClaims", [])} <= {"failed"}


def test_no_score_is_made_up_and_caveats_stand_with_the_standard() -> None:
    value = declared()
    assert '"score"' not in json.dumps(value)
    told = {one["name"]: one["description"] for one in value["definitions"]["standards"]}
    for framework in document()["frameworks"]:
        for caveat in framework["caveats"]:
            assert caveat in told[framework["name"]]


def test_equal_inputs_give_equal_bytes_without_secrets() -> None:
    content = with_declarations(sbom(), document())
    assert content == with_declarations(sbom(), document())
    assert HIDDEN.encode() not in content


@pytest.mark.parametrize("content", [b"{}", b"[]", b'{"specVersion":"1.5","metadata":{"component":{"bom-ref":"a"}}}'])
def test_what_is_no_such_sbom_is_refused(content: bytes) -> None:
    with pytest.raises(FormatError):
        with_declarations(content, document())
