"""DR-BASELINE: pass, fail and unknown, on images that are built and read by the real pipeline."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from compliance.model.evidence import Evidence
from compliance.model.filesystem import Unread
from compliance.model.outcome import Failed, Observation, ObservationKind, Passed, Unknown
from compliance.pipeline import Options, assess, gather
from controls.checks.dr_baseline import CHECK, LISTED_MAX
from controls.drift import with_baseline
from controls.registry import CHECKS
from tests.builders.evidence import DIGEST, NOW, evidence, file, program, tree
from tests.builders.layout import Nodes, simple_image

BASE: Nodes = {"app/run": program("#!/bin/true\n"), "etc/app.conf": "1"}
CONFIG = {"User": "1000", "Entrypoint": ["/app/run"]}


def built(root: Path, nodes: Nodes, config: dict[str, object] | None = None) -> str:
    return f"oci-dir:{simple_image(root, (nodes,), config={**CONFIG, **(config or {})})}"


def read(reference: str) -> Evidence:
    return gather(reference, Options(now=NOW), requests=[one for check in CHECKS for one in check.requests])


def compared(tmp_path: Path, nodes: Nodes, config: dict[str, object] | None = None) -> Evidence:
    before, after = built(tmp_path / "before", BASE), built(tmp_path / "after", {**BASE, **nodes}, config)
    return with_baseline(read(after), read(before))


def changes(outcome: object) -> list[Observation]:
    assert isinstance(outcome, Failed)
    return [one for one in outcome.observations if one.kind is not ObservationKind.NOTE]


def test_without_a_baseline_it_is_unknown() -> None:
    outcome = CHECK.run(evidence({}))
    assert isinstance(outcome, Unknown)
    assert "--baseline" in outcome.reason


def test_the_same_content_passes_and_names_the_digest_that_was_compared(tmp_path: Path) -> None:
    found = compared(tmp_path, {})
    outcome = CHECK.run(found)
    assert isinstance(outcome, Passed)
    assert found.baseline is not None
    assert found.baseline.image.digest in outcome.observations[0].summary


def test_labels_and_times_alone_are_told_and_pass(tmp_path: Path) -> None:
    outcome = CHECK.run(compared(tmp_path, {}, {"Labels": {"release": "2"}}))
    assert isinstance(outcome, Passed)
    assert any("label release" in one.summary for one in outcome.observations)


@pytest.mark.parametrize(
    ("nodes", "config", "path", "words"),
    [
        ({"app/new": program("#!/bin/true\n")}, {}, "app/new", "Program added: /app/new"),
        ({"app/run": file("#!/bin/true\n", 0o4755)}, {}, "app/run", "mode 0755 → 4755"),
        ({"etc/app.conf": "2"}, {}, "etc/app.conf", "Configuration changed: /etc/app.conf"),
        ({}, {"User": "0"}, None, "user (value 1000 → 0)"),
        ({}, {"ExposedPorts": {"22/tcp": {}}}, None, "Port added: 22/tcp"),
    ],
)
def test_each_difference_is_a_counter_example(
    tmp_path: Path, nodes: Nodes, config: dict[str, object], path: str | None, words: str
) -> None:
    (seen,) = changes(CHECK.run(compared(tmp_path, nodes, config)))
    assert seen.path == path
    assert words in seen.summary


def test_values_of_variables_are_not_told(tmp_path: Path) -> None:
    (seen,) = changes(CHECK.run(compared(tmp_path, {}, {"Env": ["SECRET=hunter2"]})))
    assert "SECRET" in seen.summary
    assert "hunter2" not in repr(seen)


def test_more_differences_than_are_listed_are_counted(tmp_path: Path) -> None:
    many: Nodes = {f"app/x/{number}": "x" for number in range(LISTED_MAX + 3)}
    outcome = CHECK.run(compared(tmp_path, many))
    assert isinstance(outcome, Failed)
    assert any(one.summary.startswith("3 more differences") for one in outcome.observations)


def test_a_difference_that_may_be_hidden_is_unknown_and_one_that_is_seen_stays_a_failure() -> None:
    cut = (Unread(path="usr", reason="the layer is cut short", layer=0),)
    whole, gap = evidence({"a": "x"}), evidence({"a": "x"}, unread=cut)
    for found in (with_baseline(gap, whole), with_baseline(whole, gap)):
        outcome = CHECK.run(found)
        assert isinstance(outcome, Unknown)
        assert "the layer is cut short" in outcome.reason
    assert isinstance(CHECK.run(with_baseline(evidence({"a": "y"}, unread=cut), whole)), Failed)


def test_a_root_filesystem_has_no_config_to_compare_so_it_can_only_fail() -> None:
    files = tree({"a": "x"})
    assert isinstance(CHECK.run(with_baseline(evidence(files), evidence(files, without_config=True))), Unknown)
    other = evidence({"a": "y"}, without_config=True)
    assert isinstance(CHECK.run(with_baseline(evidence(files), other)), Failed)


def test_the_very_image_is_its_own_baseline() -> None:
    found = evidence({"a": "x"})
    outcome = CHECK.run(with_baseline(found, found))
    assert isinstance(outcome, Passed)
    assert "the very image" in outcome.observations[1].summary
    assert outcome.observations[1].value == DIGEST


def test_assess_reads_the_baseline_it_is_given(tmp_path: Path) -> None:
    before, after = built(tmp_path / "1", BASE), built(tmp_path / "2", {**BASE, "app/new": "x"})
    assessment = assess(after, replace(Options(now=NOW), baseline=before))
    result = next(one for one in assessment.results if one.check.id == "DR-BASELINE")
    assert isinstance(result.outcome, Failed)
    assert assessment.evidence.baseline is not None
    assert assessment.evidence.drift is not None
    assert assessment.evidence.drift.before.digest == assessment.evidence.baseline.image.digest
