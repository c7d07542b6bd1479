"""A comparison in all its formats, with every area, hostile names, and secrets that must not be written down."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from compliance.errors import FormatError
from compliance.model.drift import (
    PATH_AREAS,
    Area,
    AreaDrift,
    Aspect,
    Carried,
    Change,
    Compared,
    Difference,
    Drift,
    WritableSet,
)
from reports import drift_document, drift_markdown, drift_table, drift_wording
from reports.assessment_drift import compare
from reports.assessment_json import document as assessment_document
from reports.document import Document
from reports.drift_document import DriftDocument, ToolDocument
from tests.builders.assessment import ESCAPING, HIDDEN, LONG_PATH, assessment

TOOL: ToolDocument = {"name": "hullmark", "version": "0.1.0"}
SIDE = Compared(reference="oci-dir:a", digest="sha256:" + "a" * 64, platform="linux/amd64", rootfs=False, layers=2)


def difference(area: Area, subject: str, **more: object) -> Difference:
    plain = Difference(area=area, change=Change.CHANGED, subject=subject)
    return replace(plain, **more)  # type: ignore[arg-type]


def area_of(*differences: Difference, more: int = 0) -> AreaDrift:
    counts = {change: sum(one.change is change for one in differences) for change in Change}
    counts[Change.ADDED] += more
    return AreaDrift(area=differences[0].area, differences=differences, counts=counts)


def drift(*areas: AreaDrift, **more: object) -> Drift:
    plain = Drift(before=SIDE, after=replace(SIDE, reference="oci-dir:b", digest="sha256:" + "b" * 64), areas=areas)
    return replace(plain, **more)  # type: ignore[arg-type]


def everything() -> DriftDocument:
    """Every area, with names that would move the cursor or the reader."""
    areas = [
        area_of(
            difference(
                area,
                LONG_PATH if area in PATH_AREAS else ESCAPING,
                aspects=(
                    Aspect("value", "x" * 900, None),
                    Aspect("content", "sha256:" + "1" * 64, "sha256:" + "2" * 64),
                ),
                names=(ESCAPING,),
                package="pkg:deb/debian/a@1%2B2?arch=amd64",
                note=ESCAPING,
            ),
            more=40,
        )
        for area in Area
    ]
    return drift_document.document(
        drift(
            *areas,
            normal=(area_of(difference(Area.FILES, "etc/hosts")),),
            carried=(Carried(path=ESCAPING, change=Change.ADDED, by="pkg:deb/debian/a@1"),),
            carried_total=7,
            writable=(WritableSet(user="uid 0, gid 0", places=None), WritableSet(user="uid 1, gid 1", places=2)),
            not_compared=(ESCAPING,),
            unread=(ESCAPING,) * 12,
        ),
        TOOL,
    )


def test_the_document_is_as_the_shipped_schema_says() -> None:
    shape = everything()
    drift_document.schema().check(shape)
    assert json.loads(drift_document.render(shape)) == shape
    with pytest.raises(FormatError):
        drift_document.schema().check({**shape, "areas": [{**shape["areas"][0], "area": "weather"}]})


def test_the_schema_is_a_valid_one_for_other_validators_too(checkout: Path) -> None:
    import jsonschema_rs

    content = json.loads((checkout / "reports" / "schemas" / "diff.schema.json").read_text())
    jsonschema_rs.meta.validate(content)
    jsonschema_rs.validator_for(content).validate(everything())


def test_every_area_has_a_title_and_a_place_in_the_schema() -> None:
    places = drift_document.schema().root["$defs"]
    assert isinstance(places, dict)
    allowed = places["area"]["properties"]["area"]["enum"]
    assert set(allowed) == set(drift_wording.AREAS)
    assert {area.value for area in Area} <= set(allowed)


@pytest.mark.parametrize("width", [40, 80, 120])
def test_no_line_of_the_table_is_wider_than_asked_and_nothing_moves_the_cursor(width: int) -> None:
    text = drift_table.render(everything(), width=width)
    assert max(map(len, text.splitlines())) <= width
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert all(title in text.replace("\n", " ") for title in ("Ports", "Packages", "Not compared", "Not read"))


def test_colour_repeats_what_the_words_say() -> None:
    shape = everything()
    assert "\x1b[" in drift_table.render(shape, color=True)


def test_markdown_shows_names_and_makes_nothing_of_them() -> None:
    text = drift_markdown.render(everything()).decode()
    assert "<script>" not in text
    assert "\x1b" not in text
    assert "| Packages | 40 | 0 | 1 |" in text


def test_what_may_be_a_secret_is_withheld_in_every_format() -> None:
    shape = drift_document.document(
        drift(
            area_of(
                difference(Area.START, "command", aspects=(Aspect("value", ("x", "--password", HIDDEN), ("x",)),)),
            ),
            area_of(difference(Area.ENVIRONMENT, "MODE", aspects=(Aspect("value", HIDDEN, "2" + HIDDEN),))),
            area_of(difference(Area.LABELS, "label url", aspects=(Aspect("value", None, f"https://u:{HIDDEN}@x"),))),
            area_of(
                difference(Area.METADATA, "build steps", aspects=(Aspect("value", (f"ENV KEY={HIDDEN}",), ()),)),
            ),
        ),
        TOOL,
    )
    for content in (drift_document.render(shape), drift_markdown.render(shape), drift_table.render(shape).encode()):
        assert HIDDEN.encode() not in content
    assert "another value, [withheld]" in drift_table.render(shape)


def test_path_and_the_locale_are_no_secrets() -> None:
    changed = difference(Area.ENVIRONMENT, "PATH", aspects=(Aspect("value", "/usr/bin", "/bin"),))
    assert "/usr/bin → /bin" in drift_table.render(drift_document.document(drift(area_of(changed)), TOOL))


def test_the_outcome_is_not_determined_where_something_unread_may_differ() -> None:
    outcomes = [
        drift_document.document(found, TOOL)["summary"]["outcome"]
        for found in (
            drift(),
            drift(unread=("before: /x: cut",)),
            drift(area_of(difference(Area.PORTS, "22/tcp")), unread=("before: /x: cut",)),
        )
    ]
    assert outcomes == ["same", "not-determined", "different"]


def test_a_root_filesystem_has_no_layers_to_compare() -> None:
    found = drift(after=replace(SIDE, rootfs=True))
    assert drift_document.document(found, TOOL)["layers"] is None
    assert drift_document.document(drift(), TOOL)["layers"] == {"before": 2, "after": 2, "shared": 0}


def test_what_came_is_listed_before_what_went_and_links_last() -> None:
    one = difference(Area.EXECUTABLES, "a", change=Change.REMOVED)
    two = difference(Area.EXECUTABLES, "b", change=Change.ADDED, aspects=(Aspect("target", None, "x"),))
    three = difference(Area.EXECUTABLES, "c", change=Change.ADDED)
    shape = drift_document.document(drift(area_of(one, two, three)), TOOL)
    listed = [item["subject"] for item in drift_wording.ordered(shape["areas"][0])]
    assert listed == ["/c", "/b", "/a"]


def stated() -> Document:
    return assessment_document(assessment())


def told(before: Document, after: Document) -> list[tuple[str, str, str]]:
    shape = compare(before, after, TOOL)
    drift_document.schema().check(shape)
    assert drift_table.render(shape)
    assert drift_markdown.render(shape)
    return [(area["area"], one["change"], one["subject"]) for area in shape["areas"] for one in area["differences"]]


def test_two_assessments_of_one_image_are_the_same_and_say_what_they_cannot_compare() -> None:
    shape = compare(stated(), stated(), TOOL)
    assert (shape["summary"]["outcome"], shape["areas"]) == ("same", [])
    assert any("which packages" in text for text in shape["notCompared"])


def test_an_outcome_a_control_and_the_verdict_are_compared_and_better_is_told_from_worse() -> None:
    after = stated()
    check = next(one for one in after["checks"] if one["outcome"] == "failed")
    check["outcome"], check["observations"] = "passed", []
    control = next(one for one in after["controls"] if one["status"] == "contradicted")
    control["status"] = "supported"
    after["summary"]["outcome"] = "satisfied"
    shape = compare(stated(), after, TOOL)
    areas = {area["area"]: area["differences"] for area in shape["areas"]}
    assert areas["verdict"][0]["aspects"][0]["after"] == "satisfied"
    assert (areas["checks"][0]["subject"], areas["checks"][0]["note"]) == (check["id"], "better")
    assert areas["controls"][0]["note"] == "better"
    assert all(one["change"] == "removed" for one in areas["observations"])
    back = {area["area"]: area["differences"] for area in compare(after, stated(), TOOL)["areas"]}
    assert (back["checks"][0]["note"], back["controls"][0]["note"]) == ("worse", "worse")


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("user", "0", ("start", "added", "user")),
        ("entrypoint", [], ("start", "removed", "entry point")),
        ("exposedPorts", ["8080/tcp", "22/tcp"], ("ports", "added", "22/tcp")),
        ("volumes", ["/data"], ("volumes", "added", "/data")),
        ("environment", [{"name": "PATH", "value": "/bin"}], ("environment", "changed", "PATH")),
        ("created", "2026-10-29T00:00:00Z", ("metadata", "changed", "created")),
    ],
)
def test_the_config_of_an_assessment_is_compared_key_by_key(
    key: str, value: object, expected: tuple[str, str, str]
) -> None:
    after = stated()
    config = after["subject"]["config"]
    assert config is not None
    config[key] = value  # type: ignore[literal-required]
    assert expected in told(stated(), after)


def test_layers_packages_signatures_and_coverage_are_compared() -> None:
    after = stated()
    after["subject"]["layers"][1]["diffId"] = "sha256:" + "c" * 64
    after["inventory"]["byType"]["deb"] = 7
    after["verification"]["signatures"] = []
    after["coverage"]["files"] += 1
    areas = [area for area, _, _ in told(stated(), after)]
    assert areas == ["signatures", "coverage", "packages", "layers"]


def test_a_check_that_only_one_has_is_added_or_removed() -> None:
    after = stated()
    gone = after["checks"].pop(0)["id"]
    assert ("checks", "removed", gone) in told(stated(), after)
    assert ("checks", "added", gone) in told(after, stated())
