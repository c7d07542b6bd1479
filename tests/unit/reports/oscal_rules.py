"""What OSCAL asks beyond its JSON schemas: the metaschema's constraints, by hand."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

_TOKEN = re.compile(r"[^\W\d][\w.\-]*")
_METHODS = {"EXAMINE", "INTERVIEW", "TEST", "UNKNOWN"}
_TYPES = {"ssp-statement-issue", "control-objective", "mitigation", "discovery", "historic"}
_RISK_STATUSES = {"open", "investigating", "remediating", "deviation-requested", "deviation-approved", "closed"}
_OWN_PROPS = {"asset-id", "version", "accepted", "label"}
"""Names of OSCAL's namespace that we use, where it allows them."""
_PARTS = {"statement", "guidance"}


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
    known = {f"#{resource['uuid']}": _ids(resource, version, catalog) for resource in resources(body)}
    if "mappings" in body:
        _mappings(body, known)
    elif "components" in body:
        _component_definition(body, known)
    else:
        _catalog_ids(document, catalog)
    for result in body.get("results", []):
        _result(result)
    if "poam-items" in body:
        _poam(body)


def resources(body: Any) -> list[Any]:
    """The back-matter resources of a document."""
    found: list[Any] = body.get("back-matter", {}).get("resources", [])
    return found


def embedded(resource: Any) -> Any:
    """The document that a resource holds; None when it holds none."""
    return json.loads(base64.b64decode(resource["base64"]["value"])) if "base64" in resource else None


def _ids(resource: Any, version: str, catalog: dict[str, Any]) -> set[str]:
    """The control ids of the catalog that a resource is."""
    inside = embedded(resource)
    if inside is None:
        return {name for name, control in catalog.items() if not control["withdrawn"]}
    check(inside, version, catalog)
    controls = [value for path, value in walk(inside) if path.rpartition("/")[0].endswith("/controls")]
    ids = [control["id"] for control in controls]
    assert len(ids) == len(set(ids)), "control ids are unique"
    assert ids
    assert all(_TOKEN.fullmatch(name) for name in ids)
    parts = [part for control in controls for part in control.get("parts", [])]
    assert {part["name"] for part in parts} <= _PARTS
    part_ids = [part["id"] for part in parts]
    assert len(part_ids) == len(set(part_ids))
    return set(ids)


def _mappings(body: Any, known: dict[str, set[str]]) -> None:
    assert body["provenance"]["status"] in {"complete", "not-complete", "draft", "deprecated", "superseded"}
    for mapping in body["mappings"]:
        sources, targets = (known[mapping[f"{end}-resource"]["href"]] for end in ("source", "target"))
        pairs = []
        for one in mapping["maps"]:
            assert one["relationship"] in {"equivalent-to", "subset-of", "intersects-with"}
            (source,), (target,) = one["sources"], one["targets"]
            assert source["id-ref"] in sources
            assert target["id-ref"] in targets
            pairs.append((source["id-ref"], target["id-ref"]))
        assert len(pairs) == len(set(pairs))
        gap = mapping.get("source-gap-summary", {}).get("unmapped-controls", [{"with-ids": []}])
        assert set(gap[0]["with-ids"]) == sources - {source for source, _ in pairs}


def _component_definition(body: Any, known: dict[str, set[str]]) -> None:
    (component,) = body["components"]
    assert component["type"] == "validation"
    rules = {prop["value"] for prop in component["props"] if prop["name"] == "Rule_Id"}
    for implementation in component.get("control-implementations", []):
        controls = known[implementation["source"]]
        requirements = implementation["implemented-requirements"]
        assert len({one["control-id"] for one in requirements}) == len(requirements)
        for requirement in requirements:
            assert requirement["control-id"] in controls
            assert {prop["value"] for prop in requirement["props"] if prop["name"] == "Rule_Id"} <= rules


def _poam(body: Any) -> None:
    observations = {one["uuid"] for one in body.get("observations", [])}
    risks = {one["uuid"]: one for one in body.get("risks", [])}
    for item in body["poam-items"]:
        assert {one["observation-uuid"] for one in item.get("related-observations", [])} <= observations
        assert {one["risk-uuid"] for one in item.get("related-risks", [])} <= risks.keys()
    for risk in risks.values():
        assert risk["status"] in _RISK_STATUSES
        if "deadline" in risk:
            assert datetime.fromisoformat(risk["deadline"]).tzinfo is not None


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
            assert "ns" in value or value["name"] in _OWN_PROPS, f"{path} takes a name of OSCAL's namespace"


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
