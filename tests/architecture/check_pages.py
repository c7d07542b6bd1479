"""Writes docs/checks, a page for each check: ``python -m tests.architecture.check_pages``.

The examples are what the checks say of the two sample images at a fixed time; a test holds the pages against this.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from compliance.evaluate.runner import run_checks
from compliance.model.outcome import CheckResult, OutcomeWord
from compliance.pipeline import Options, gather
from controls.check_page import TRAITS, check_page, markdown
from controls.loader import load_library
from controls.registry import CHECKS

CHECKOUT = Path(__file__).resolve().parents[2]
FOLDER = CHECKOUT / "docs" / "checks"
SAMPLES = ("ordinary", "hardened")
NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)


def pages() -> Mapping[str, str]:
    """The text of each file in docs/checks by its name."""
    library = load_library()
    results = {sample: _results(sample) for sample in SAMPLES}
    found = {"README.md": _contents()}
    for check in CHECKS:
        example = tuple(_example(sample, results[sample][check.id]) for sample in SAMPLES)
        found[f"{check.id}.md"] = markdown(check, check_page(check, library), example=example)
    return found


def _results(sample: str) -> dict[str, CheckResult]:
    reference = f"oci-dir:{CHECKOUT / 'examples' / 'images' / sample}"
    requests = [request for check in CHECKS for request in check.requests]
    evidence = gather(reference, Options(now=NOW), requests=requests)
    return {result.check.id: result for result in run_checks(CHECKS, evidence)}


def _example(sample: str, result: CheckResult) -> str:
    """What the check says of a sample: the reason, or the first of its observations."""
    more = len(result.outcome.observations) - 1
    if result.reason is not None:
        said, rest = f"{result.reason}.", ""
    else:
        said = result.outcome.observations[0].summary
        rest = f" ({more} more)" if more and result.word is OutcomeWord.FAILED else ""
    return f"The sample image {sample}: {result.word.value}. {said}{rest}"


def _contents() -> str:
    lines = [
        "# The checks",
        "",
        "Written by `python -m tests.architecture.check_pages` from the checks themselves; "
        "`hullmark controls show CHECK-ID`",
        "prints the same in a terminal.",
        "",
    ]
    for trait, what in TRAITS.items():
        lines += [f"## {trait}: {what}", "", "| check | asks | severity |", "|---|---|---|"]
        lines += [
            f"| [{check.id}]({check.id}.md) | {check.title} | {check.severity} |"
            for check in CHECKS
            if check.trait.value == trait
        ]
        lines.append("")
    return "\n".join(lines)


def main() -> None:
    """Write them, and take away what is none of them."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    texts = pages()
    for old in FOLDER.glob("*.md"):
        if old.name not in texts:
            old.unlink()
    for name, text in texts.items():
        (FOLDER / name).write_text(text)
    sys.stdout.write(f"{len(texts)} files in {FOLDER}\n")


if __name__ == "__main__":
    main()
