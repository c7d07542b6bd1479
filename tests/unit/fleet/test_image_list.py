"""The list of images: filters, orders and pages, against a plain reading of the rows."""

from __future__ import annotations

import pytest

from compliance.fleet.dashboard.image_list import PAGE_SIZE, SORTS, WITHOUT, ImageFilter, choose, image_lines
from compliance.fleet.posture import posture
from compliance.fleet.run_rows import read_run
from compliance.fleet.standing import Standing
from tests.builders.fleet import fleet

STORE = fleet(images=140, runs=2)
ROWS = read_run(STORE, STORE.history[-1][0])
LINES = image_lines(ROWS)
FACTS = posture(ROWS)


def found(**wanted: object) -> list[str]:
    """References on all pages, the pages put together."""
    first = choose(LINES, ImageFilter(**wanted))  # type: ignore[arg-type]
    pages = [choose(LINES, ImageFilter(**wanted, page=number)) for number in range(1, first.pages + 1)]  # type: ignore[arg-type]
    lines = [line for page in pages for line in page.lines]
    assert len(lines) == first.total
    return [line.references[0] for line in lines]


def test_every_image_and_every_reference_without_one_has_its_line() -> None:
    assert len(LINES) == len(ROWS.images) + len(ROWS.unresolved)
    assert sorted(found()) == sorted(line.references[0] for line in LINES)


@pytest.mark.parametrize("outcome", ["satisfied", "not-satisfied", "not-determined"])
def test_as_many_have_an_outcome_as_the_posture_counts(outcome: str) -> None:
    assert len(found(outcome=outcome)) == FACTS.total.outcomes[outcome] > 0


def test_what_has_no_assessment_is_what_coverage_says() -> None:
    coverage = FACTS.total.coverage
    assert len(found(state=WITHOUT)) == coverage.not_determined + coverage.unresolved > 0


def test_a_check_and_how_it_stands() -> None:
    for check in FACTS.checks[:10]:
        for standing in (Standing.FAILED, Standing.WAIVED, Standing.PASSED):
            assert len(found(check=check.check, standing=standing.value)) == check.counts[standing]


def test_filters_hold_together() -> None:
    both = set(found(group="edge", outcome="not-satisfied"))
    assert both == set(found(group="edge")) & set(found(outcome="not-satisfied"))
    assert both


def test_search_finds_words_in_any_order_and_case() -> None:
    line = next(line for line in LINES if line.distribution == "debian 12")
    name = line.references[0].rpartition("/")[2].partition(":")[0]
    assert line.references[0] in found(q=f"DEBIAN {name}")
    assert line.references[0] in found(q=(line.digest or "")[:20])
    assert found(q="nothing-has-this-name") == []


@pytest.mark.parametrize("sort", SORTS)
def test_an_order_is_whole_and_the_same_again(sort: str) -> None:
    assert found(sort=sort) == found(sort=sort)
    assert sorted(found(sort=sort)) == sorted(found())


def test_worst_first_is_the_order_of_the_worst_images() -> None:
    counts = [tuple(line.failed.get(word, 0) for word in ("critical", "high", "medium", "low")) for line in
              choose(LINES, ImageFilter()).lines]  # fmt: skip
    assert counts == sorted(counts, reverse=True)


def test_a_page_behind_the_last_is_the_last() -> None:
    last = choose(LINES, ImageFilter(page=10**6))
    assert last.page == last.pages == -(-len(LINES) // PAGE_SIZE)
    assert last.last == last.total == len(LINES)
    assert choose(LINES, ImageFilter(q="nothing-has-this-name")).first == 0
