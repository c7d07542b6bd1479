"""Waivers: what one accepts, for which image and how long; and what a review of them finds."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib.resources import files

import jsonschema_rs
import pytest
import yaml

from compliance.errors import ExitCode, PolicyError
from compliance.evaluate.rollup import summarise
from compliance.evaluate.waiver_file import read_waivers
from compliance.evaluate.waivers import Assessed, WaivedImage, apply, review, too_broad
from compliance.model.assessment import WaiverState
from compliance.model.outcome import (
    AnyOutcome,
    CheckResult,
    Errored,
    Failed,
    NotApplicable,
    Observation,
    ObservationKind,
    OutcomeWord,
    Passed,
    Severity,
    Trait,
    Unknown,
    Waiver,
)
from compliance.verify.image_pattern import names, pattern_mistake
from tests.builders.assessment import check

NOW = datetime(2026, 11, 1, tzinfo=UTC)
DIGEST = "sha256:" + "a" * 64
IMAGE = WaivedImage(name="r.example/team/app:1", digests=frozenset({DIGEST}))
NOTE = Observation(summary="Something else.", kind=ObservationKind.NOTE)


def found(path: str | None, *others: str) -> Observation:
    return Observation(summary="It is there.", kind=ObservationKind.FILE, path=path, names=others)


def waiver(**more: object) -> Waiver:
    plain = Waiver(
        id="W-1", check="RM-SHELL", reason="The start script needs it.", approver="somebody",
        created=NOW - timedelta(days=30), expires=NOW + timedelta(days=30), images=("r.example/team/**",),
    )  # fmt: skip
    return replace(plain, **more)  # type: ignore[arg-type]


def result(outcome: AnyOutcome) -> CheckResult:
    return CheckResult(check=check("RM-SHELL", "No shell", Trait.REMOVED, Severity.HIGH), outcome=outcome)


FAILURE = Failed(observations=(found("usr/bin/dash", "bin/sh"), NOTE))


def state(one: Waiver, outcome: AnyOutcome = FAILURE, image: WaivedImage = IMAGE) -> WaiverState:
    (after,), (use,) = apply((one,), [result(outcome)], image, names, NOW)
    assert (after.waiver is one) is (use.state is WaiverState.APPLIED)
    assert after.outcome is outcome
    return use.state


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, WaiverState.APPLIED),
        ({"expires": None}, WaiverState.APPLIED),
        ({"expires": NOW}, WaiverState.EXPIRED),
        ({"expires": NOW + timedelta(seconds=1)}, WaiverState.APPLIED),
        ({"created": NOW + timedelta(seconds=1)}, WaiverState.NOT_YET),
        ({"created": NOW}, WaiverState.APPLIED),
        ({"images": ("r.example/other/**",)}, WaiverState.OTHER_IMAGE),
        ({"images": ("r.example/team/app:2",)}, WaiverState.OTHER_IMAGE),
        ({"images": (), "digest": DIGEST}, WaiverState.APPLIED),
        ({"images": (), "digest": "sha256:" + "b" * 64}, WaiverState.OTHER_IMAGE),
        ({"digest": DIGEST}, WaiverState.APPLIED),
        ({"images": ("r.example/other/**",), "digest": DIGEST}, WaiverState.OTHER_IMAGE),
        ({"check": "NR-USER"}, WaiverState.NO_CHECK),
        ({"paths": ("usr/bin/dash", "bin/sh")}, WaiverState.APPLIED),
        ({"paths": ("**/{dash,sh}",)}, WaiverState.APPLIED),
        ({"paths": ("usr/bin/dash",)}, WaiverState.NOT_ALL),
        ({"paths": ("usr/bin/bash",)}, WaiverState.NOT_ALL),
    ],
)
def test_what_a_waiver_has_to_be_about(changed: dict[str, object], expected: WaiverState) -> None:
    assert state(waiver(**changed)) is expected


@pytest.mark.parametrize(
    "outcome",
    [Passed(observations=(NOTE,)), NotApplicable(reason="r"), Unknown(reason="r"), Errored(reason="r")],
)
def test_only_a_failure_is_covered(outcome: AnyOutcome) -> None:
    assert state(waiver(), outcome) is WaiverState.NO_FAILURE


def test_one_more_finding_is_not_covered_by_a_waiver_with_paths() -> None:
    paths = waiver(paths=("usr/bin/dash",))
    assert state(paths, Failed(observations=(found("usr/bin/dash"),))) is WaiverState.APPLIED
    assert state(paths, Failed(observations=(found("usr/bin/dash"), found("opt/x")))) is WaiverState.NOT_ALL
    assert state(paths, Failed(observations=(found("usr/bin/dash"), found(None)))) is WaiverState.NOT_ALL
    assert state(paths, Failed(observations=(NOTE,))) is WaiverState.NOT_ALL


def test_the_first_that_covers_is_the_one_and_two_are_not_added_up() -> None:
    failure = Failed(observations=(found("a"), found("b")))
    first, second = waiver(id="A", paths=("a",)), waiver(id="B", paths=("b",))
    (after,), uses = apply((first, second), [result(failure)], IMAGE, names, NOW)
    assert after.waiver is None
    assert [use.state for use in uses] == [WaiverState.NOT_ALL, WaiverState.NOT_ALL]
    whole, again = waiver(id="C"), waiver(id="D")
    (after,), uses = apply((first, whole, again), [result(failure)], IMAGE, names, NOW)
    assert after.waiver is whole
    assert [use.state for use in uses] == [WaiverState.NOT_ALL, WaiverState.APPLIED, WaiverState.SURPLUS]


def test_a_waived_failure_no_longer_decides_and_is_counted_as_failed() -> None:
    other = CheckResult(
        check=check("NR-USER", "User", Trait.NONROOT, Severity.HIGH), outcome=Passed(observations=(NOTE,))
    )
    for waivers, answer in (((), ExitCode.NOT_SATISFIED), ((waiver(),), ExitCode.SATISFIED)):
        after, _ = apply(waivers, [result(FAILURE), other], IMAGE, names, NOW)
        summary = summarise(after, Severity.HIGH)
        assert summary.outcome is answer
        assert summary.counts[OutcomeWord.FAILED] == 1


@pytest.mark.parametrize(
    ("changed", "reasons"),
    [
        ({}, 0),
        ({"images": ("**",)}, 1),
        ({"images": ("**",), "digest": DIGEST}, 0),
        ({"images": ("r.example/**", "**:*")}, 1),
        ({"paths": ("**",)}, 1),
        ({"expires": NOW + timedelta(days=400)}, 1),
        ({"images": ("**",), "paths": ("**/*",), "expires": NOW + timedelta(days=400)}, 3),
    ],
)
def test_what_is_too_broad(changed: dict[str, object], reasons: int) -> None:
    assert len(too_broad(waiver(**changed))) == reasons


def reviewed(one: Waiver, *assessments: Assessed) -> tuple[set[str], bool]:
    (found_,) = review(
        (one,), now=NOW, soon=timedelta(days=30), checks={"RM-SHELL"}, assessments=assessments, names=names
    )
    return {word for word, _ in found_.wrong}, found_.soon is not None


def assessed(outcome: OutcomeWord, *paths: tuple[str, ...] | None, image: WaivedImage = IMAGE) -> Assessed:
    return Assessed(image=image, outcomes={"RM-SHELL": outcome}, paths={"RM-SHELL": paths})


@pytest.mark.parametrize(
    ("changed", "wrong", "soon"),
    [
        ({"expires": NOW + timedelta(days=31)}, set(), False),
        ({}, set(), True),
        ({"expires": NOW}, {"expired"}, False),
        ({"expires": None}, {"never-expires"}, False),
        ({"check": "RM-SHEL"}, {"orphaned"}, True),
        ({"images": ("**",)}, {"too-broad"}, True),
        ({"created": NOW + timedelta(days=1)}, {"not-yet"}, True),
    ],
)
def test_a_review_finds(changed: dict[str, object], wrong: set[str], soon: bool) -> None:
    assert reviewed(waiver(**changed)) == (wrong, soon)


def test_orphaned_is_what_covers_no_failure_in_any_assessment_of_its_images() -> None:
    failed, passed = assessed(OutcomeWord.FAILED, ("usr/bin/dash",)), assessed(OutcomeWord.PASSED)
    elsewhere = assessed(OutcomeWord.PASSED, image=WaivedImage(name="r.example/x", digests=frozenset()))
    assert reviewed(waiver(), failed)[0] == set()
    assert reviewed(waiver(), passed)[0] == {"orphaned"}
    assert reviewed(waiver(), passed, failed)[0] == set()
    assert reviewed(waiver(), elsewhere)[0] == set()
    assert reviewed(waiver(paths=("usr/bin/dash",)), failed)[0] == set()
    assert reviewed(waiver(paths=("usr/bin/bash",)), failed)[0] == {"orphaned"}


TEXT = """schema: 1
waivers:
  - id: W-1
    check: RM-SHELL
    images: r.example/app
    reason: The start script needs it.
    approver: somebody
    ticket: SEC-1
    created: 2026-01-01T00:00:00+01:00
    expires: 2026-06-01T00:00:00Z
  - id: W-2
    check: NR-USER
    digest: sha256:%s
    paths: [/usr/bin/x, opt/**]
    reason: The start script needs it.
    approver: somebody
    created: 2026-01-01T00:00:00Z
""" % ("c" * 64)


def test_a_file_is_read_whole() -> None:
    first, second = read_waivers("w.yaml", TEXT.encode(), pattern_mistake, signer="key 00")
    assert first == Waiver(
        id="W-1", check="RM-SHELL", reason="The start script needs it.", approver="somebody", ticket="SEC-1",
        created=datetime(2025, 12, 31, 23, tzinfo=UTC), expires=datetime(2026, 6, 1, tzinfo=UTC),
        images=("r.example/app",), file="w.yaml", signer="key 00",
    )  # fmt: skip
    assert (second.digest, second.paths, second.expires) == ("sha256:" + "c" * 64, ("usr/bin/x", "opt/**"), None)


class _Plain(yaml.SafeLoader):
    """As an editor reads YAML 1.2, in which a time is a text."""


_Plain.yaml_implicit_resolvers = {
    first: [item for item in resolvers if not item[0].endswith("timestamp")]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


@pytest.mark.parametrize(
    ("old", "new", "good"),
    [
        ("", "", True),
        ("    approver: somebody\n", "", False),
        ("    images: r.example/app\n", "", False),
        ("2026-06-01T00:00:00Z", "2026-06-01", False),
        ("reason: The start script needs it.", "reason: ok", False),
        ("ticket:", "tickets:", False),
        ("sha256:", "sha1:", False),
        ("id: W-1", "id: a b", False),
    ],
)
def test_the_schema_and_the_reader_agree(old: str, new: str, good: bool) -> None:
    text = TEXT.replace(old, new) if old else TEXT
    schema = jsonschema_rs.validator_for(
        json.loads((files("compliance.evaluate") / "waivers.schema.json").read_bytes())
    )
    assert schema.is_valid(yaml.load(text, _Plain)) is good  # noqa: S506 - a safe loader
    if good:
        assert read_waivers("w.yaml", text.encode(), pattern_mistake)
    else:
        with pytest.raises(PolicyError):
            read_waivers("w.yaml", text.encode(), pattern_mistake)
