"""The registry of checks against the list that the mappings name, and what every check must say of itself."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from compliance.model.evidence import Evidence, Variant
from compliance.model.filesystem import Unread
from compliance.model.image import ImageConfig
from compliance.model.outcome import Check, Passed
from controls.registry import CHECKS
from tests.builders.elf import static_program as elf
from tests.builders.evidence import evidence, file, program
from tests.builders.examiner import examiner


def mapped(checkout: Path) -> dict[str, dict[str, str]]:
    listed = yaml.safe_load((checkout / "controls" / "mappings" / "checks.yaml").read_text())["checks"]
    return {check["id"]: check for check in listed}


def test_every_check_is_as_the_mappings_describe_it(checkout: Path) -> None:
    listed = mapped(checkout)
    for check in CHECKS:
        said = listed[check.id]
        assert (check.title, check.trait.value, str(check.severity), check.rationale) == (
            said["title"],
            said["trait"],
            said["severity"],
            said["rationale"],
        )


def test_the_registry_is_in_the_order_of_the_mappings_and_without_repetition(checkout: Path) -> None:
    order = [check.id for check in CHECKS]
    assert order == [id_ for id_ in mapped(checkout) if id_ in order]
    assert len(set(order)) == len(order)


def test_every_check_file_is_registered(checkout: Path) -> None:
    files = {path.stem for path in (checkout / "controls" / "checks").glob("*.py")} - {"__init__"}
    assert files == {check.id.lower().replace("-", "_") for check in CHECKS}


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.id)
def test_every_check_says_what_it_looks_at_proves_and_advises(check: Check) -> None:
    for text in (check.looks_at, check.proves, check.remediation, check.rationale):
        assert text.endswith((".", '"].')), text
        assert "  " not in text


def test_requests_of_different_checks_have_different_names() -> None:
    requests = [(request.name, request) for check in CHECKS for request in check.requests]
    assert len({name for name, _ in requests}) == len(set(requests))


PLACES: list[Evidence] = [
    evidence({}, examiner=examiner()),
    evidence({}, without_config=True, examiner=examiner()),
    evidence(
        {"app/x": program(elf()), "etc/passwd": file(b"\xff:\0:\n" * 3)},
        config=ImageConfig(
            user="\udcff", entrypoint=("", ""), cmd=("\0",), healthcheck=("CMD-SHELL",), env={"PATH": ":"}
        ),
        variant=Variant.SDK,
        examiner=examiner(),
    ),
    evidence(
        {"a": program("#!\n"), "b": program("#!/a\n")},
        config=ImageConfig(user=":", entrypoint=("/b",), volumes=("",), exposed_ports=("",), on_build=("",)),
        examiner=examiner(),
    ),
]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.id)
@pytest.mark.parametrize("number", range(len(PLACES)))
def test_no_check_breaks_on_empty_or_odd_evidence(check: Check, number: int) -> None:
    check.run(PLACES[number])


# What these decide is not in the file tree: config, labels, digests and signatures are whole or not there.
NOT_OF_THE_TREE = {"NR-PORT", "SC-LABEL", "SP-INTEGRITY", "IM-HEALTH", "IM-EXEC", "NR-USER", "NR-NUMERIC", "NR-GROUP"}


@pytest.mark.parametrize("check", [check for check in CHECKS if check.id not in NOT_OF_THE_TREE], ids=lambda c: c.id)
def test_a_tree_that_was_not_wholly_read_proves_no_absence(check: Check) -> None:
    unread = (Unread(path="", reason="the layer is cut short", layer=0),)
    config = ImageConfig(user="65532:65532", entrypoint=("/app/x",), volumes=("/data",))
    cut = evidence({"app/x": program(elf())}, config=config, examiner=examiner(), unread=unread)
    assert not isinstance(check.run(cut), Passed)
