"""The assessment document: its keys, its schema, and that nothing hostile survives in it."""

import json
import typing
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import jsonschema_rs
import pytest

from compliance.errors import ExitCode, FormatError
from compliance.model.assessment import Assessment
from compliance.model.outcome import OutcomeWord
from reports import assessment_json
from reports import document as shape
from tests.builders.assessment import DIGEST, HIDDEN, assessment


@pytest.fixture(scope="module")
def document() -> shape.Document:
    return assessment_json.document(assessment())


def plain(document: shape.Document) -> Any:
    return json.loads(assessment_json.render(document))


def test_it_is_valid_against_the_shipped_schema(document: shape.Document) -> None:
    validator = jsonschema_rs.Draft202012Validator(dict(assessment_json.schema().root))
    assert [str(error) for error in validator.iter_errors(plain(document))] == []


def test_bytes_are_those_of_the_golden_file(document: shape.Document, golden: Callable[[str, bytes], None]) -> None:
    golden("reports/assessment.json", assessment_json.render(document))


def test_equal_assessments_give_equal_bytes() -> None:
    one, other = (assessment_json.render(assessment_json.document(assessment())) for _ in range(2))
    assert one == other
    assert one.endswith(b"}\n")


def test_it_reads_back_what_it_wrote(document: shape.Document) -> None:
    assert assessment_json.parse(assessment_json.render(document)) == document


def test_layers_of_observations_are_digests(document: shape.Document) -> None:
    layers = {layer["digest"] for layer in document["subject"]["layers"]}
    seen = {item["layer"] for check in document["checks"] for item in check["observations"]}
    assert seen == layers | {None}


def test_no_secret_of_config_history_or_labels_is_written(document: shape.Document) -> None:
    assert HIDDEN not in assessment_json.render(document).decode()


def test_environment_names_stay_and_only_harmless_values(document: shape.Document) -> None:
    config = document["subject"]["config"]
    assert config is not None
    assert {one["name"]: one["value"] for one in config["environment"]} == {
        "DB_PASSWORD": None,
        "LANG": "C.UTF-8",
        "PATH": "/usr/local/bin:/usr/bin:/bin",
    }


def test_no_control_character_survives(document: shape.Document) -> None:
    text = assessment_json.render(document).decode()
    assert not [char for char in text if char != "\n" and (ord(char) < 32 or 0x7F <= ord(char) < 0xA0)]
    assert "\u202e" not in text
    assert r"\\x1b[31mred" in text


@pytest.mark.parametrize(
    ("code", "word"),
    [
        (ExitCode.SATISFIED, "satisfied"),
        (ExitCode.NOT_SATISFIED, "not-satisfied"),
        (ExitCode.NOT_DETERMINED, "not-determined"),
        (ExitCode.NOT_VERIFIED, "not-verified"),
    ],
)
def test_the_outcome_is_a_word_beside_the_exit_code(code: ExitCode, word: str) -> None:
    plain = assessment()
    summary = assessment_json.document(replace(plain, summary=replace(plain.summary, outcome=code)))["summary"]
    assert (summary["outcome"], summary["exitCode"]) == (word, int(code))


def test_every_outcome_is_counted_even_when_there_is_none() -> None:
    plain = assessment()
    summary = assessment_json.document(replace(plain, summary=replace(plain.summary, counts={OutcomeWord.PASSED: 2})))
    assert summary["summary"]["checks"] == {
        "passed": 2,
        "failed": 0,
        "not-applicable": 0,
        "unknown": 0,
        "errored": 0,
    }


def test_hard_links_count_once(document: shape.Document) -> None:
    tree = assessment().evidence.filesystem
    assert document["coverage"]["files"] == len({entry.inode for entry in tree.regular()})
    assert document["coverage"]["files"] < sum(1 for _ in tree.regular())


def test_times_are_utc_with_z() -> None:
    elsewhere = datetime(2026, 11, 1, 14, 0, tzinfo=timezone(timedelta(hours=2)))
    moment = datetime(2026, 11, 1, 12, 0, 0, 250_000, tzinfo=UTC)
    document = assessment_json.document(replace(assessment(), started=elsewhere, finished=moment))
    assert document["startedAt"] == "2026-11-01T12:00:00Z"
    assert document["finishedAt"] == "2026-11-01T12:00:00.250000Z"


def test_the_relation_of_a_control_is_the_strongest_that_was_run(document: shape.Document) -> None:
    by_id = {control["id"]: control for control in document["controls"]}
    assert by_id["4.5"]["relation"] == "satisfies"
    assert by_id["4.5"]["checks"] == ["SP-INTEGRITY"]
    assert [mapped["check"] for mapped in by_id["4.5"]["mapping"]] == ["SP-INTEGRITY", "SP-OTHER"]
    assert by_id["ac-6"]["relation"] == "provides evidence for"


def test_only_frameworks_with_results_are_listed() -> None:
    document = assessment_json.document(assessment(frameworks=1))
    assert [framework["id"] for framework in document["frameworks"]] == ["nist-sp-800-53"]


def test_a_root_filesystem_has_no_config() -> None:
    plain = assessment()
    image = replace(plain.evidence.image, config=None, config_digest=None, layers=(), platform=None)
    bare = replace(plain, evidence=replace(plain.evidence, image=image))
    document = assessment_json.document(bare)
    assert document["subject"]["config"] is None
    assert assessment_json.parse(assessment_json.render(document)) == document


def altered(change: Callable[[Any], object]) -> bytes:
    value = plain(assessment_json.document(assessment()))
    change(value)
    return json.dumps(value).encode()


@pytest.mark.parametrize(
    ("change", "where"),
    [
        (lambda value: value.pop("checks"), "$"),
        (lambda value: value.update(verdict="fine"), "$.verdict"),
        (lambda value: value["checks"][0].update(outcome="ok"), "$.checks[0].outcome"),
        (lambda value: value["subject"].update(digest="sha256:../../etc/passwd"), "$.subject.digest"),
        (lambda value: value["subject"].update(digest=DIGEST + "\n"), "$.subject.digest"),
        (lambda value: value["coverage"].update(files=True), "$.coverage.files"),
        (lambda value: value["coverage"].update(files=-1), "$.coverage.files"),
        (lambda value: value["coverage"].update(bytes=10**400), "$.coverage.bytes"),
        (lambda value: value.update(effectiveTime="2026-02-31T12:00:00Z"), "$.effectiveTime"),
        (lambda value: value.update(startedAt="0001-01-01T00:00:00Z"), "$.startedAt"),
        (lambda value: value["controls"][1]["checks"].append("XX-NONE"), "$.controls[1].checks"),
        (lambda value: value["controls"][0].update(framework="other"), "$.controls[0].framework"),
        (lambda value: value["checks"].append(value["checks"][0]), "$.checks"),
        (lambda value: value["inventory"]["byType"].update(deb="many"), "$.inventory.byType.deb"),
    ],
)
def test_a_damaged_document_is_refused_with_its_place(change: Callable[[Any], object], where: str) -> None:
    with pytest.raises(FormatError) as caught:
        assessment_json.parse(altered(change))
    assert caught.value.where == where


@pytest.mark.parametrize(
    "content", [b"", b"\xff", b"[", b"[" * 100_000, b"[]", b"1", b'{"schemaVersion": NaN}', b"9" * 10_000]
)
def test_what_is_no_document_is_refused(content: bytes) -> None:
    with pytest.raises(FormatError):
        assessment_json.parse(content)


def test_another_schema_version_is_named() -> None:
    with pytest.raises(FormatError, match="schemaVersion is '2'"):
        assessment_json.parse(altered(lambda value: value.update(schemaVersion="2")))


def test_text_of_somebody_elses_file_is_cleaned() -> None:
    content = altered(lambda value: value["checks"][0].update(title="\x1b[2J"))
    assert assessment_json.parse(content)["checks"][0]["title"] == r"\x1b[2J"


def test_the_types_are_those_of_the_schema() -> None:
    root: Any = assessment_json.schema().root
    pairs = list(_typed_objects(shape.Document, root, root, "$"))
    assert len(pairs) > 25
    for where, keys, rule in pairs:
        assert keys == set(rule["properties"]) == set(rule["required"]), where
        assert rule["additionalProperties"] is False, where


def _typed_objects(kind: Any, rule: Any, root: Any, where: str) -> typing.Iterator[tuple[str, set[str], Any]]:
    """Every TypedDict below `kind` with the schema's rule for it."""
    if "$ref" in rule:
        rule = root["$defs"][rule["$ref"].removeprefix("#/$defs/")]
    if typing.is_typeddict(kind):
        hints = typing.get_type_hints(kind)
        yield where, set(hints), rule
        for key, hint in hints.items():
            yield from _typed_objects(hint, rule["properties"][key], root, f"{where}.{key}")
    elif typing.get_origin(kind) is list and "items" in rule:
        yield from _typed_objects(typing.get_args(kind)[0], rule["items"], root, f"{where}[]")
    else:
        for part in typing.get_args(kind):
            if typing.is_typeddict(part):
                yield from _typed_objects(part, rule, root, where)


def test_the_builder_has_every_outcome() -> None:
    document = assessment_json.document(assessment())
    assert {check["outcome"] for check in document["checks"]} == set(OutcomeWord)


def test_a_large_assessment_is_written_in_seconds() -> None:
    plain: Assessment = assessment()
    many = replace(plain, results=plain.results[:1], controls=())
    outcome = many.results[0].outcome
    crowd = replace(outcome, observations=outcome.observations * 2000)
    document = assessment_json.document(replace(many, results=(replace(many.results[0], outcome=crowd),)))
    assert len(document["checks"][0]["observations"]) == 12_000
