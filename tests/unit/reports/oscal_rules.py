"""What OSCAL asks of assessment results and plans beyond its JSON schema: the metaschema's constraints, by hand."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

_TOKEN = re.compile(r"[^\W\d][\w.\-]*")
_METHODS = {"EXAMINE", "INTERVIEW", "TEST", "UNKNOWN"}
_TYPES = {"ssp-statement-issue", "control-objective", "mitigation", "discovery", "historic"}
_RISK_STATUSES = {"open", "investigating", "remediating", "deviation-requested", "deviation-approved", "closed"}
_COMPONENT_PROPS = {"asset-id", "version"}


def walk(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every value of a JSON document with its path."""
    yield path, value
    if isinstance(value, dict):
        for key, item in value.items():
            yield from walk(item, f"{path}/{key}")
    elif isinstance(value, list):
        for place, item in enumerate(value):
            yield from walk(item, f"{path}/{place}")


def defined_uuids(document: Any) -> list[str]:
    """The UUIDs of everything that has one, in document order."""
    return [value["uuid"] for _, value in walk(document) if isinstance(value, dict) and "uuid" in value]


def check(document: Any, version: str, catalog: dict[str, Any]) -> None:
    """Raise AssertionError where a rule does not hold. `catalog` are the controls with their part ids."""
    body = next(iter(document.values()))
    assert body["metadata"]["oscal-version"] == version
    uuids = defined_uuids(document)
    assert len(uuids) == len(set(uuids)), "uuids are unique"
    _references(document, set(uuids))
    _strings(document)
    _catalog_ids(document, catalog)
    for result in body.get("results", []):
        _result(result)


def _references(document: Any, uuids: set[str]) -> None:
    for path, value in walk(document):
        key = path.rpartition("/")[2]
        if key.endswith("-uuid"):
            assert value in uuids, f"{path} refers to nothing"
        if key == "href" and isinstance(value, str) and value.startswith("#"):
            assert value[1:] in uuids, f"{path} refers to nothing"


def _strings(document: Any) -> None:
    for path, value in walk(document):
        key = path.rpartition("/")[2]
        if isinstance(value, str):
            assert value, f"{path} is empty"
            assert value == value.strip(), f"{path} has blanks at an end"
            if key in ("title", "value", "name"):
                assert "\n" not in value, f"{path} has two lines"
        if isinstance(value, dict) and {"name", "value"} <= value.keys() and "system" not in value:
            assert _TOKEN.fullmatch(value["name"]), f"{path} is no token"
            assert "ns" in value or value["name"] in _COMPONENT_PROPS, f"{path} takes a name of OSCAL's namespace"


def _catalog_ids(document: Any, catalog: dict[str, Any]) -> None:
    parts = {part for control in catalog.values() for part in (*control["statement_ids"], *control["objective_ids"])}
    for path, value in walk(document):
        key = path.rpartition("/")[2]
        if key == "control-id":
            assert value in catalog, f"{path} is in no catalog"
            assert not catalog[value]["withdrawn"], f"{path} is withdrawn"
        if key == "target-id":
            assert value in parts, f"{path} is in no catalog"


def _result(result: Any) -> None:
    start, end = datetime.fromisoformat(result["start"]), datetime.fromisoformat(result["end"])
    observations = {one["uuid"] for one in result.get("observations", [])}
    risks = {one["uuid"] for one in result.get("risks", [])}
    for observation in result.get("observations", []):
        assert start <= datetime.fromisoformat(observation["collected"]) <= end
        assert set(observation["methods"]) <= _METHODS
        assert set(observation["types"]) <= _TYPES
    for risk in result.get("risks", []):
        assert risk["status"] in _RISK_STATUSES
        assert {item["observation-uuid"] for item in risk["related-observations"]} <= observations
    for finding in result.get("findings", []):
        target = finding["target"]
        assert target["type"] == ("objective-id" if "_obj" in target["target-id"] else "statement-id")
        assert target["status"] == {"state": "not-satisfied", "reason": "fail"}
        related = {item["observation-uuid"] for item in finding["related-observations"]}
        assert related
        assert related <= observations
        assert {item["risk-uuid"] for item in finding["related-risks"]} <= risks
