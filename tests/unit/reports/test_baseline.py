"""A baseline in the assessment document: its digest and the drift in numbers, and no renderer stumbles over it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from compliance.model.assessment import Assessment
from compliance.model.drift import Area, AreaDrift, Aspect, Change, Compared, Difference, Drift
from reports.assessment_json import document, parse, render, schema
from reports.exporter import FORMATS
from tests.builders.assessment import DIGEST, ESCAPING, HIDDEN, assessment

BEFORE = "sha256:" + "b5" * 32


def drift() -> Drift:
    side = Compared(
        reference=f"registry:https://bot:{HIDDEN}@r.example/{ESCAPING}",
        digest=BEFORE,
        platform=None,
        rootfs=False,
        layers=1,
    )
    found = Difference(
        area=Area.ENVIRONMENT, change=Change.CHANGED, subject="TOKEN", aspects=(Aspect("value", "a", HIDDEN),)
    )
    counts = {Change.ADDED: 0, Change.REMOVED: 0, Change.CHANGED: 3}
    label = AreaDrift(area=Area.LABELS, differences=(), counts={**counts, Change.CHANGED: 2})
    return Drift(
        before=side,
        after=replace(side, digest=DIGEST),
        areas=(AreaDrift(area=Area.ENVIRONMENT, differences=(found,), counts=counts), label),
        not_compared=(ESCAPING,),
        unread=("before: /x: cut off",),
    )


def with_baseline() -> Assessment:
    plain = assessment()
    return replace(plain, evidence=replace(plain.evidence, baseline=plain.evidence, drift=drift()))


def test_without_a_baseline_the_key_is_null() -> None:
    assert document(assessment())["baseline"] is None


def test_the_document_says_what_it_was_compared_with_and_counts() -> None:
    shape = document(with_baseline())
    baseline = shape["baseline"]
    assert baseline is not None
    assert (baseline["digest"], baseline["differences"], baseline["material"]) == (BEFORE, 5, 3)
    assert baseline["areas"][0] == {"area": "environment", "added": 0, "removed": 0, "changed": 3}
    assert HIDDEN not in render(shape).decode()
    schema().check(shape)
    assert parse(render(shape)) == shape


def test_every_area_is_one_of_the_schema() -> None:
    place = schema().root["$defs"]
    assert isinstance(place, dict)
    allowed = place["baseline"]["properties"]["areas"]["items"]["properties"]["area"]["enum"]
    assert allowed == [area.value for area in Area]


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_renders_an_assessment_with_a_baseline(name: str) -> None:
    assert FORMATS[name].render(document(with_baseline()))
