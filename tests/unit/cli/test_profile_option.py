"""``--profile`` and what asks for checks, on the samples: the exit code and what the document says counts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from compliance.cli.main import run
from compliance.errors import PolicyError, UsageError
from controls.asking import HOW


def assess(samples: Path, folder: Path, name: str, *arguments: object) -> tuple[int, dict[str, Any]]:
    out = folder / "out.json"
    code = run(["assess", f"oci-dir:{samples / name}", "-q", "-o", f"json={out}", *map(str, arguments)])
    return code, json.loads(out.read_bytes())


def uncounted(document: dict[str, Any]) -> set[str]:
    return {check["id"] for check in document["checks"] if not check["counts"]}


def test_a_plain_assessment_answers_about_the_image_itself(samples: Path, tmp_path: Path) -> None:
    code, document = assess(samples, tmp_path, "hardened")
    assert (code, uncounted(document)) == (0, set(HOW))
    assert document["summary"]["counted"] == len(document["checks"]) - len(HOW)
    assert all((check["uncounted"] is None) is check["counts"] for check in document["checks"])
    assert assess(samples, tmp_path, "ordinary")[0] == 10


def test_a_signer_who_is_named_must_have_signed(samples: Path, tmp_path: Path) -> None:
    key = ("--key", samples / "hardened.pub", "--insecure-ignore-tlog")
    code, document = assess(samples, tmp_path, "hardened", *key)
    assert (code, uncounted(document)) == (0, set(HOW) - {"SP-SIG"})
    code, document = assess(samples, tmp_path, "ordinary", *key, "--fail-on", "critical")
    assert (code, document["summary"]["outcome"]) == (11, "not-determined")


def test_what_is_asked_for_and_not_shown_is_not_determined(samples: Path, tmp_path: Path) -> None:
    code, document = assess(samples, tmp_path, "hardened", "--approved-base", "sha256:" + "0" * 64)
    assert "SP-BASE" not in uncounted(document)
    assert code in (10, 11)


def test_a_baseline_is_asked_for_by_naming_it(samples: Path, tmp_path: Path) -> None:
    code, document = assess(samples, tmp_path, "hardened", "--baseline", f"oci-dir:{samples / 'hardened'}")
    assert code == 0
    assert "DR-BASELINE" not in uncounted(document)


def test_a_profile_of_the_user_s_decides_and_is_told(samples: Path, tmp_path: Path) -> None:
    profile = tmp_path / "acme.yaml"
    profile.write_text(
        "schema: 1\nid: acme\nchecks:\n"
        "  - {check: SC-LABEL, severity: high, because: We find the owner by it.}\n"
        "  - {check: RM-SHELL, counts: never, because: We know.}\n"
        "ages: {vulnerability-scan: 7}\n"
    )
    code, document = assess(samples, tmp_path, "hardened", "--profile", profile)
    assert code == 10
    told = document["profile"]
    assert (told["id"], told["variant"], told["source"]) == ("acme", "runtime", "file")
    assert told["ages"] == {"vulnerabilityScan": 7, "malwareScan": 30, "benchmark": 90}
    label = next(check for check in document["checks"] if check["id"] == "SC-LABEL")
    assert (label["severity"], label["ownSeverity"]) == ("high", "low")
    shell = next(check for check in document["checks"] if check["id"] == "RM-SHELL")
    assert shell["uncounted"] == "the profile acme leaves it out: We know."
    assert [file["role"] for file in document["definitions"]] == ["profile"]


@pytest.mark.parametrize("variant", ["runtime", "dev", "sdk"])
def test_a_shipped_profile_is_named(samples: Path, tmp_path: Path, variant: str) -> None:
    _, document = assess(samples, tmp_path, "hardened", "--profile", variant)
    assert (document["profile"]["id"], document["profile"]["source"]) == (variant, "flag")
    weights = {check["id"]: check["severity"] for check in document["checks"]}
    assert weights["IM-SETUID"] == ("high" if variant == "runtime" else "medium")


def test_what_is_neither_name_nor_file_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such profile: strict"):
        run(["assess", "oci-dir:nowhere", "--profile", "strict"])
    with pytest.raises(UsageError, match="can't read the profile"):
        run(["assess", "oci-dir:nowhere", "--profile", str(tmp_path / "none.yaml")])
    (tmp_path / "p.yaml").write_text("schema: 1\nid: runtime\n")
    with pytest.raises(PolicyError, match="is a shipped profile"):
        run(["assess", "oci-dir:nowhere", "--profile", str(tmp_path / "p.yaml")])
