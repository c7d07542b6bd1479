"""The JSON Schema reader, against an independent validator."""

import copy
import json
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from compliance.errors import FormatError
from reports import assessment_json
from reports.schema import Schema
from tests.builders.assessment import assessment

_DOCUMENT = json.loads(assessment_json.render(assessment_json.document(assessment())))
_ROOT = dict(assessment_json.schema().root)
_REFERENCE = jsonschema_rs.Draft202012Validator(_ROOT)


def accepts(value: Any) -> bool:
    try:
        assessment_json.schema().check(value)
    except FormatError:
        return False
    return True


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    below = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, item in below for place in _places(item, (*path, key)))]


_PLACES = _places(_DOCUMENT)
_VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 3), st.text(max_size=4), st.just([]), st.just({}), st.just({"a": 1})
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(place=st.sampled_from(_PLACES[1:]), value=_VALUES, remove=st.booleans(), text=st.sampled_from(["\n", "x", ""]))
def test_it_agrees_with_a_full_validator_on_damaged_documents(
    place: tuple[Any, ...], value: Any, remove: bool, text: str
) -> None:
    damaged = copy.deepcopy(_DOCUMENT)
    parent: Any = damaged
    for key in place[:-1]:
        parent = parent[key]
    if remove:
        del parent[place[-1]]
    elif isinstance(parent[place[-1]], str) and text:
        parent[place[-1]] += text
    else:
        parent[place[-1]] = value
    assert accepts(damaged) == _REFERENCE.is_valid(damaged)


def test_a_keyword_that_it_does_not_know_is_an_error_of_the_schema() -> None:
    with pytest.raises(KeyError, match="maxLength"):
        Schema({"maxLength": 3}).check("four")


def test_every_keyword_of_the_shipped_schema_is_known() -> None:
    def rules(rule: Any) -> list[Any]:
        below = [*rule.get("properties", {}).values(), *rule.get("$defs", {}).values()]
        below += [rule[key] for key in ("items", "additionalProperties") if isinstance(rule.get(key), dict)]
        return [rule, *(one for item in below for one in rules(item))]

    known = set(Schema({})._keywords) | {"properties", "additionalProperties"}
    known |= {"$schema", "$defs", "title", "description"}
    assert {keyword for rule in rules(_ROOT) for keyword in rule} <= known


def test_the_schema_itself_is_valid() -> None:
    assert jsonschema_rs.meta.is_valid(_ROOT)
