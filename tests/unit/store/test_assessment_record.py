"""A record is computed from the two documents and from nothing else."""

import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from compliance.errors import FormatError
from compliance.model.fleet import CheckRow, LayerRow
from compliance.store.assessment_record import finding_key, record_of
from tests.builders.fleet_documents import POLICY, documents, hexed, image_digest


def test_a_record_says_what_the_documents_say() -> None:
    told, sbom = documents(7)
    record = record_of(told, sbom, policy=POLICY)
    values = json.loads(told)
    assert record.id == hashlib.sha256(told).hexdigest()
    assert record.sbom == hashlib.sha256(sbom).hexdigest()
    assert record.digest == image_digest(7)
    assert record.policy == POLICY
    assert record.assessed_at == datetime(2026, 11, 1, 3, 0, tzinfo=UTC)
    assert (record.outcome, record.worst) == ("not-satisfied", "critical")
    assert record.user == values["subject"]["config"]["user"]
    assert record.distribution == "debian 12"
    assert record.profile == values["profile"]["id"]
    assert record.tool == "hullmark 0.1.0"
    assert len(record.checks) == len(values["checks"])
    assert len(record.controls) == len(values["controls"])
    assert record.layers[0] == LayerRow(
        position=0,
        diff_id=f"sha256:{hexed('base diff', 3)}",
        digest=f"sha256:{hexed('base', 3)}",
        size=29126484,
        created_by="# debian.sh --arch 'amd64' out/ 'bookworm' '@1761091200'",
    )


def test_a_checks_row_has_its_answer_and_the_waiver_that_was_applied() -> None:
    told, sbom = documents(7)
    checks = {check.check: check for check in record_of(told, sbom).checks}
    assert checks["RM-SHELL"] == CheckRow(
        check="RM-SHELL", trait="removed", severity="high", outcome="failed", waiver=None, observations=11
    )
    assert [check.waiver for check in checks.values() if check.waiver] == [
        waiver.id for waiver in record_of(told, sbom).waivers
    ]


def test_only_what_failed_or_is_unknown_or_errored_is_a_finding() -> None:
    record = record_of(*documents(7))
    outcomes = {check.check: check.outcome for check in record.checks}
    assert {outcomes[finding.check] for finding in record.findings} <= {"failed", "unknown", "errored"}
    of_shells = [finding for finding in record.findings if finding.check == "RM-SHELL"]
    assert len([finding for finding in of_shells if (finding.path or "").startswith("/opt/app-7/")]) == 5


def test_a_finding_is_the_same_in_another_image() -> None:
    one, other = (record_of(*documents(number)) for number in (7, 8))
    shared = {finding.key for finding in one.findings} & {finding.key for finding in other.findings}
    assert finding_key("RM-SHELL", "file", "/usr/bin/bash", None) in shared
    assert finding_key("RM-SHELL", "file", "/opt/app-7/bin/tool-0", None) not in shared
    assert finding_key("C", "package", None, "pkg:deb/x") != finding_key("C", "package", "pkg:deb/x", None)


def test_a_packages_layer_is_the_diffid_that_its_record_lies_in() -> None:
    told, sbom = documents(7)
    values = json.loads(told)
    diff_ids = {layer["diffId"] for layer in values["subject"]["layers"]}
    record = record_of(told, sbom)
    assert {package.layer for package in record.packages} <= diff_ids | {None}
    assert any(package.purl == "pkg:generic/app-7@1" for package in record.packages)


def test_packages_that_only_a_lock_file_states_are_told_apart() -> None:
    told, sbom = documents(7)
    values = json.loads(sbom)
    values["components"][0]["properties"] = [{"name": "hullmark:declared", "value": "true"}]
    record = record_of(told, json.dumps(values).encode())
    assert [package.purl for package in record.packages if package.declared] == [values["components"][0]["purl"]]


def test_nested_components_are_packages_and_files_are_not() -> None:
    told, sbom = documents(7)
    values = json.loads(sbom)
    values["components"][0]["components"] = [
        {"type": "library", "name": "inner", "version": "1", "purl": "pkg:pypi/inner@1"},
        {"type": "file", "name": "/x", "purl": "pkg:generic/x"},
    ]
    purls = {package.purl for package in record_of(told, json.dumps(values).encode()).packages}
    assert "pkg:pypi/inner@1" in purls
    assert "pkg:generic/x" not in purls


def _without(key: str) -> Callable[[dict[str, Any]], None]:
    return lambda values: values.pop(key)


def _replaced(path: str, value: object) -> Callable[[dict[str, Any]], None]:
    def change(values: Any) -> None:
        *above, last = path.split(".")
        for step in above:
            values = values[int(step) if step.isdigit() else step]
        values[last] = value

    return change


@pytest.mark.parametrize(
    "change",
    [
        *map(_without, ("subject", "checks", "controls", "inventory", "summary", "tool", "waivers", "profile")),
        _replaced("subject.layers", 7),
        _replaced("subject.layers.0.size", -1),
        _replaced("subject.layers.0.size", 2**63),
        _replaced("subject.layers.0.size", True),
        _replaced("checks.0.id", None),
        _replaced("checks.0.observations", None),
        _replaced("checks.0.observations", [None]),
        _replaced("checks", {"a": 1}),
        _replaced("finishedAt", "yesterday"),
        _replaced("finishedAt", "2026-11-01T03:00:00"),
    ],
)
def test_a_document_of_another_shape_is_one_error(change: Callable[[dict[str, Any]], None]) -> None:
    told, sbom = documents(7)
    values = json.loads(told)
    change(values)
    with pytest.raises(FormatError) as caught:
        record_of(json.dumps(values).encode(), sbom)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "sbom", [b"", b"[]", b"\xff", b'{"components": 3}', b'{"components": [3]}', b'{"components": [{"purl": "x"}]}',
             b'{"components": ' + b'[{"components": ' * 100 + b"[]" + b"}]" * 100 + b"}"],
)  # fmt: skip
def test_an_sbom_of_another_shape_is_one_error(sbom: bytes) -> None:
    with pytest.raises(FormatError):
        record_of(documents(7)[0], sbom)
