"""assess, open_image and what they give, on the sample images."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest

from compliance import Assessment, ComplianceError, Trust, assess, open_image, verify_evidence
from compliance.api import tables
from compliance.cli.main import run

WHEN = "2026-11-20T00:00:00Z"


@pytest.fixture(scope="module")
def hardened(samples: Path) -> Assessment:
    trust = Trust(key=samples / "hardened.pub", insecure_ignore_tlog=True)
    ordinary = f"oci-dir:{samples / 'ordinary'}"
    return assess(f"oci-dir:{samples / 'hardened'}", trust=trust, baseline=ordinary, effective_time=WHEN)


@pytest.fixture(scope="module")
def ordinary(samples: Path) -> Assessment:
    return assess(f"oci-dir:{samples / 'ordinary'}", profile="runtime", effective_time=WHEN)


def test_it_says_what_the_command_says(ordinary: Assessment, samples: Path, tmp_path: Path) -> None:
    out = tmp_path / "assessment.json"
    image = f"oci-dir:{samples / 'ordinary'}"
    code = run(["assess", image, "--profile", "runtime", "--effective-time", WHEN, "-q", "-o", f"json={out}"])
    assert json.loads(out.read_bytes()) == ordinary.document
    assert code == ordinary.document["summary"]["exitCode"]
    assert ordinary.render("json") == out.read_bytes()


def test_it_prints_nothing(samples: Path, capfd: pytest.CaptureFixture[str], no_sockets: None) -> None:
    assess(f"oci-dir:{samples / 'hardened'}", effective_time=datetime(2026, 11, 20, tzinfo=UTC), cache=False)
    assert capfd.readouterr() == ("", "")


def test_the_assessment_of_a_file_says_the_same(ordinary: Assessment, tmp_path: Path) -> None:
    (tmp_path / "assessment.json").write_bytes(ordinary.render("json"))
    again = Assessment.read(tmp_path / "assessment.json")
    assert again.document == ordinary.document
    assert again.evidence is None
    assert again._repr_html_() == ordinary._repr_html_()
    pd.testing.assert_frame_equal(again.observations, ordinary.observations)
    with pytest.raises(ComplianceError, match="without its SBOM"):
        again.inventory  # noqa: B018
    with pytest.raises(ComplianceError, match="whoever assessed"):
        again.write_evidence(tmp_path / "evidence")


@pytest.mark.parametrize(
    ("name", "columns"), [(name, kinds) for name, kinds in tables.TABLES.items() if name.startswith("Assessment.")]
)
def test_frames_have_the_columns_and_dtypes_that_are_documented(
    name: str, columns: dict[str, str], hardened: Assessment
) -> None:
    frame = getattr(hardened, name.partition(".")[2])
    assert len(frame) > 0
    assert list(frame.columns) == list(columns)
    for column, kind in columns.items():
        assert str(frame[column].dtype) == kind, column


def test_frames_without_rows_have_them_too(samples: Path) -> None:
    signatures = open_image(f"oci-dir:{samples / 'ordinary'}").signatures
    assert len(signatures) == 0
    assert {column: str(dtype) for column, dtype in signatures.dtypes.items()} == dict(tables.SIGNATURES)


def test_severities_compare(ordinary: Assessment) -> None:
    checks = ordinary.to_frame()
    high = checks[checks["severity"] >= "high"]
    assert set(high["severity"]) == {"high", "critical"}
    assert 0 < len(high) < len(checks)


def test_every_observation_of_every_check_is_a_row(ordinary: Assessment) -> None:
    counts = ordinary.observations.groupby("check", observed=True).size()
    for row in ordinary.checks.itertuples():
        assert counts.get(row.check, 0) == row.observations
    shells = ordinary.check("RM-SHELL")
    assert shells.outcome == "failed"
    assert len(shells.to_frame()) == counts["RM-SHELL"]
    with pytest.raises(KeyError):
        ordinary.check("RM-NOTHING")


def test_an_image_is_opened_without_its_layers_and_its_inventory_read_on_demand(samples: Path, tmp_path: Path) -> None:
    trust = Trust(key=samples / "hardened.pub", insecure_ignore_tlog=True)
    image = open_image(f"oci-dir:{samples / 'hardened'}", trust=trust)
    assert (image.user, image.platform) == ("65532:65532", "linux/amd64")
    assert list(image.layers["position"]) == [0, 1]
    assert image.signatures.set_index("what")["verdict"].to_dict() == {
        "signature": "verified",
        "https://slsa.dev/provenance/v1": "verified",
        "https://cyclonedx.org/bom": "verified",
    }
    assert image.signatures["builder"].dropna().tolist() == ["urn:hullmark:examples/images/build"]
    assert len(image.inventory) == 9
    assert image.inventory is image.inventory
    frame = image.inventory.to_frame()
    assert {column: str(dtype) for column, dtype in frame.dtypes.items()} == dict(tables.PACKAGES)


def test_an_image_that_changed_since_it_was_opened_has_no_inventory(samples: Path, tmp_path: Path) -> None:
    import shutil

    place = tmp_path / "image"
    shutil.copytree(samples / "hardened", place)
    image = open_image(f"oci-dir:{place}")
    shutil.rmtree(place)
    shutil.copytree(samples / "ordinary", place)
    with pytest.raises(ComplianceError, match="another since it was opened"):
        image.inventory  # noqa: B018


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({"profile": "runtme"}, "profile-unknown"),
        ({"fail_on": "bad"}, "severity-unknown"),
        ({"effective_time": "yesterday"}, "time-invalid"),
        ({"effective_time": datetime(2026, 1, 1)}, "time-invalid"),  # noqa: DTZ001 - no offset is the point
        ({"trust": "missing.yaml"}, "not-found"),
        ({"trust": Trust(key="missing.pub")}, "not-found"),
        ({"waivers": ["missing.yaml"]}, "not-found"),
        ({"frameworks": ["nist-800-999"]}, "framework-unknown"),
    ],
)
def test_a_mistake_is_one_clear_line(arguments: dict[str, object], code: str, samples: Path) -> None:
    with pytest.raises(ComplianceError) as caught:
        assess(f"oci-dir:{samples / 'hardened'}", **arguments)  # type: ignore[arg-type]
    assert caught.value.code == code
    assert "\n" not in str(caught.value)


def test_evidence_is_written_and_holds_for_its_key_only(hardened: Assessment, samples: Path, tmp_path: Path) -> None:
    hardened.write_evidence(tmp_path / "evidence", sign_key=f"generate:{tmp_path / 'key.pem'}")
    checked = verify_evidence(tmp_path / "evidence", trust=Trust(key=tmp_path / "key.pem.pub"))
    assert (checked.outcome, checked.digest) == ("holds", hardened.digest)
    assert checked.assessment.document == hardened.document
    assert len(checked.assessment.inventory) == 9
    other = verify_evidence(tmp_path / "evidence", trust=Trust(key=samples / "hardened.pub"))
    assert other.outcome == "does-not-hold"
    with pytest.raises(ComplianceError, match="does not verify"):
        other.assessment  # noqa: B018


def test_unsigned_evidence_is_not_shown(hardened: Assessment, tmp_path: Path) -> None:
    hardened.write_evidence(tmp_path / "evidence")
    checked = verify_evidence(tmp_path / "evidence")
    assert checked.outcome == "not-shown"
    assert "NOT SHOWN" in checked._repr_html_()


def test_evidence_is_checked_from_within_an_event_loop(hardened: Assessment, tmp_path: Path) -> None:
    import asyncio

    async def cell() -> str:
        hardened.write_evidence(tmp_path / "evidence", sign_key=f"generate:{tmp_path / 'key.pem'}")
        return verify_evidence(tmp_path / "evidence").outcome

    assert asyncio.run(cell()) == "holds"


@pytest.mark.parametrize(("library", "ask"), [("pandas", "to_frame"), ("matplotlib", "plot")])
def test_a_library_that_is_not_installed_is_named(
    library: str, ask: str, ordinary: Assessment, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    checks = ordinary.to_frame()
    monkeypatch.setitem(sys.modules, library, None)
    monkeypatch.setitem(sys.modules, f"{library}.pyplot", None)
    with pytest.raises(ComplianceError, match=r"hullmark\[notebook\]"):
        ordinary.to_frame() if ask == "to_frame" else checks.hullmark.coverage()
