"""What docs/own-controls.md, profiles.md and waivers.md show is what works: the examples as they stand there."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any

import pytest

from compliance.cli.main import run
from compliance.evaluate.waiver_file import read_waivers
from compliance.verify.image_pattern import pattern_mistake
from controls.definitions import GivenFile, define
from controls.loader import check_catalog
from controls.profile import read_profile
from tests.builders.pdf_text import pdf_text

DOCS = Path(__file__).resolve().parents[3] / "docs"
TIME = "2026-11-20T00:00:00Z"


def examples(page: str) -> list[str]:
    return re.findall(r"```yaml\n(.*?)```", (DOCS / page).read_text(), re.DOTALL)


def given(name: str, text: str) -> GivenFile:
    return GivenFile(name=name, content=text.encode(), beside=lambda _name, _size: b"")


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory, samples: Path) -> tuple[Path, int]:
    """The folder in which the command of the page was run on the hardened sample, and its exit code."""
    folder = tmp_path_factory.mktemp("own")
    checks, framework, _ = examples("own-controls.md")
    (folder / "acme-checks.yaml").write_text(checks)
    (folder / "acme.yaml").write_text(framework)
    code = run(
        [
            *("assess", f"oci-dir:{samples / 'hardened'}", "-q", "-o", f"table={folder / 'out.txt'}"),
            *("--checks", str(folder / "acme-checks.yaml"), "--framework", str(folder / "acme.yaml")),
            *("--evidence", str(folder / "evidence"), "--sign-key", f"generate:{folder / 'key.pem'}"),
            *("--effective-time", TIME),
        ]
    )
    return folder, code


def assessment(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "evidence" / "assessment.json").read_bytes())  # type: ignore[no-any-return]


CHECKS = [f"ACME-00{number}" for number in range(1, 6)]
CONTROLS = [f"P-{number:02}" for number in range(1, 21)]


def test_the_example_is_twenty_controls_and_five_checks_in_less_than_sixty_lines() -> None:
    checks, framework, _ = examples("own-controls.md")
    assert len((checks + framework).splitlines()) < 60
    found = define(frameworks=(given("f", framework),), checks=(given("c", checks),))
    (own,) = found.library.frameworks
    assert [check.id for check in found.checks if check.id.startswith("ACME")] == CHECKS
    assert [control.id for control in own.controls] == CONTROLS


def test_they_are_in_the_assessment_with_their_files(written: tuple[Path, int]) -> None:
    folder, code = written
    document = assessment(folder)
    assert code == document["summary"]["exitCode"] == 0
    outcomes = {check["id"]: (check["outcome"], check["counts"]) for check in document["checks"]}
    assert [outcomes[name] for name in CHECKS] == [("failed", True), *[("passed", True)] * 4]
    statuses = {control["id"]: control["status"] for control in document["controls"]}
    assert list(statuses) == CONTROLS
    assert (statuses["P-01"], statuses["P-02"], statuses["P-05"]) == ("contradicted", "supported", "satisfied")
    assert statuses["P-20"] == "undetermined"  # nobody was named who should have signed
    assert [(file["role"], Path(file["name"]).name) for file in document["definitions"]] == [
        ("checks", "acme-checks.yaml"),
        ("framework", "acme.yaml"),
    ]


def test_they_are_in_the_pdf(written: tuple[Path, int]) -> None:
    text = pdf_text((written[0] / "evidence" / "report.pdf").read_bytes())
    for wanted in ("ACME Platform Standard", "Every image names its owner", *CHECKS, *CONTROLS):
        assert wanted in text
    for file in assessment(written[0])["definitions"]:
        assert file["sha256"] in "".join(text.split())


def test_they_are_in_the_oscal_results(written: tuple[Path, int]) -> None:
    results = json.loads((written[0] / "evidence" / "oscal" / "assessment-results.json").read_bytes())
    (result,) = results["assessment-results"]["results"]
    titles = " ".join(one["title"] for one in result["observations"])
    assert all(name in titles for name in CHECKS)
    values = {prop["value"] for one in result["observations"] for prop in one["props"]}
    assert {f"acme-platform: {control}" for control in CONTROLS} <= values
    assert any("ACME-001" in risk["title"] for risk in result["risks"])


def test_they_are_in_the_signed_attestation(written: tuple[Path, int]) -> None:
    folder = written[0]
    bundle = json.loads((folder / "evidence" / "attestations" / "test-result.sigstore.json").read_bytes())
    predicate = json.loads(base64.b64decode(bundle["dsseEnvelope"]["payload"]))["predicate"]
    assert "ACME-001" in predicate["failedTests"]
    assert set(CHECKS[1:]) <= set(predicate["passedTests"])
    assert list(predicate["hullmarkControls"]["acme-platform"]) == CONTROLS
    digests = {item["digest"]["sha256"] for item in predicate["configuration"] if "digest" in item}
    assert {file["sha256"] for file in assessment(folder)["definitions"]} <= digests
    code = run(["evidence", "verify", str(folder / "evidence"), "--key", str(folder / "key.pem.pub")])
    assert code == 0


def test_the_other_examples_are_read_as_they_stand() -> None:
    checks, _, overlay = examples("own-controls.md")
    (changed,) = define(frameworks=(given("o", overlay),), checks=(given("c", checks),)).library.frameworks
    assert changed.id == "cis-docker"
    (profile,) = examples("profiles.md")
    assert read_profile("p", profile.encode(), check_catalog()).id == "acme-runtime"
    waivers, rule = examples("waivers.md")
    assert [one.id for one in read_waivers("w", waivers.encode(), pattern_mistake)] == ["W-2026-014"]
    assert "waivers/*" in rule
