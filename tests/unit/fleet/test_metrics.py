"""The figures for Prometheus, read back by the parser of its own client."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from prometheus_client.parser import text_string_to_metric_families

from compliance.fleet.metrics import FleetFigures, exposition
from compliance.fleet.posture import posture
from compliance.fleet.run_rows import read_run
from tests.builders.fleet import fleet

STORE = fleet(images=40, runs=2)
RUN = STORE.history[-1][0]
FACTS = posture(read_run(STORE, RUN))
HOSTILE = 'a "fleet"\\ with\nlines'
assert RUN.finished is not None
NOW = RUN.finished + timedelta(seconds=90)


def figures(name: str = "shop") -> FleetFigures:
    return FleetFigures(
        fleet=name,
        readable=True,
        run=RUN,
        total=FACTS.total,
        open_items=38,
        open_done=7,
        next_start=NOW + timedelta(hours=1),
        missed=2,
        schedule_failures=1,
        waivers_expiring=3,
    )


def parsed(*fleets: FleetFigures) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    families = list(text_string_to_metric_families(exposition(fleets, NOW, "hullmark 0.1.0")))
    assert len({family.name for family in families}) == len(families)
    assert all(family.type == "gauge" and family.documentation for family in families)
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


def test_another_parser_reads_what_was_written() -> None:
    found = parsed(figures())
    of = (("fleet", "shop"),)
    assert found["hullmark_info", (("name", "hullmark"), ("version", "0.1.0"))] == 1
    for outcome, number in FACTS.total.outcomes.items():
        assert found["hullmark_fleet_images", (*of, ("outcome", outcome))] == number
    for severity, number in FACTS.total.failed.items():
        assert found["hullmark_fleet_open_failures", (*of, ("severity", severity))] == number
    assert found["hullmark_fleet_references", of] == FACTS.total.coverage.references
    assert found["hullmark_fleet_last_run_age_seconds", of] == 90
    assert found["hullmark_fleet_last_run_duration_seconds", of] == 17 * 60 + 2
    assert found["hullmark_fleet_next_run_timestamp_seconds", of] == (NOW + timedelta(hours=1)).timestamp()
    assert found["hullmark_fleet_missed_runs", of] == 2
    assert found["hullmark_fleet_open_run_images_done", of] == 7
    assert found["hullmark_fleet_schedule_failures", of] == 1
    assert found["hullmark_fleet_waivers_expiring", of] == 3


def test_outcomes_add_up_to_images_and_unresolved_references() -> None:
    found = parsed(figures())
    images = sum(value for (name, _), value in found.items() if name == "hullmark_fleet_images")
    states = sum(value for (name, _), value in found.items() if name == "hullmark_fleet_images_by_state")
    assert images == states + found["hullmark_fleet_references_unresolved", (("fleet", "shop"),)]


def test_a_store_that_cannot_be_read_has_no_figures_but_that() -> None:
    found = parsed(replace(figures(), readable=False, run=None, total=None), figures("other"))
    lost = {name for name, labels in found if ("fleet", "shop") in labels}
    assert found["hullmark_fleet_store_readable", (("fleet", "shop"),)] == 0
    assert found["hullmark_fleet_store_readable", (("fleet", "other"),)] == 1
    assert lost == {
        "hullmark_fleet_store_readable",
        "hullmark_fleet_next_run_timestamp_seconds",
        "hullmark_fleet_schedule_failures",
    }


def test_a_name_cannot_add_a_figure() -> None:
    found = parsed(figures(HOSTILE))
    assert {dict(labels).get("fleet", HOSTILE) for _, labels in found} == {HOSTILE}
