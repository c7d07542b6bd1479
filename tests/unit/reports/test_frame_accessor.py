"""`frame.hullmark`: comparisons that are right, and plots that say what they show."""

from __future__ import annotations

from collections.abc import Iterator

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
import pandas as pd
import pytest
from matplotlib.axes import Axes

import reports.frame_accessor  # noqa: F401 - registers DataFrame.hullmark
from reports import findings, plots, wording
from tests.unit.reports.test_notebook import contrast

SEVERITY = pd.CategoricalDtype(["low", "medium", "high", "critical"], ordered=True)


@pytest.fixture(autouse=True)
def _figures_closed() -> Iterator[None]:
    yield
    plt.close("all")


def found(*rows: tuple[int, str, str], check: str = "RM-SHELL") -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["run", "reference", "key"])
    frame["check"] = check
    frame["severity"] = pd.Series(["high"] * len(frame), dtype=SEVERITY)
    return frame.astype({"reference": "category", "check": "category"})


def runs(*days: int) -> pd.DataFrame:
    times = pd.to_datetime([f"2026-11-{day:02}T00:00:00Z" for day in days])
    return pd.DataFrame({"run": range(1, len(days) + 1), "effective": times, "state": "ended"})


def checks() -> pd.DataFrame:
    words = [("a", "X-1", "failed"), ("a", "X-2", "passed"), ("b", "X-1", "unknown"), ("b", "X-2", "errored")]
    frame = pd.DataFrame([*words, ("b", "X-3", "not-applicable")], columns=["image", "check", "outcome"])
    return frame.assign(trait="removed")


def texts(axes: Axes) -> list[str]:
    return [text.get_text() for text in axes.texts]


def test_what_is_in_one_frame_only_is_new_or_gone() -> None:
    before, after = found((1, "a", "k1"), (1, "a", "k2")), found((2, "a", "k2"), (2, "a", "k3"), (2, "b", "k1"))
    changes = after.hullmark.changes(before)
    assert changes[["reference", "key", "change"]].to_numpy().tolist() == [
        ["a", "k3", "new"],
        ["b", "k1", "new"],
        ["a", "k1", "gone"],
    ]


def test_nothing_changed_between_equal_frames() -> None:
    frame = found((1, "a", "k1"))
    assert frame.hullmark.changes(frame).empty


def test_a_finding_is_as_old_as_its_unbroken_presence() -> None:
    history = found(
        (1, "a", "old"), (2, "a", "old"), (3, "a", "old"), (1, "a", "back"), (3, "a", "back"), (3, "a", "new")
    )
    ages = history.hullmark.ages(runs(1, 5, 20)).set_index("key")["age"]
    assert ages.to_dict() == {"old": 19, "back": 0, "new": 0}


def test_findings_of_earlier_runs_are_not_open() -> None:
    assert found((1, "a", "gone"), (2, "a", "here")).hullmark.ages(runs(1, 2))["key"].tolist() == ["here"]


def test_each_cell_has_a_mark_and_its_colour() -> None:
    axes = checks().hullmark.heatmap()
    assert sorted(texts(axes)) == sorted(wording.MARKS[word] for word in checks()["outcome"])
    assert "2 images, 3 checks" in axes.get_title(loc="left")


def test_the_worst_of_several_words_is_shown() -> None:
    twice = pd.concat([checks(), checks().assign(outcome="not-applicable")])
    assert sorted(texts(twice.hullmark.heatmap())) == sorted(texts(checks().hullmark.heatmap()))


def test_findings_are_counted() -> None:
    axes = found((1, "a", "k1"), (1, "a", "k2"), (1, "b", "k1")).hullmark.heatmap()
    assert sorted(texts(axes)) == ["1", "2"]
    assert "3 in 2 references" in axes.get_title(loc="left")


def test_what_does_not_fit_is_counted_in_the_title() -> None:
    many = pd.concat([checks().assign(image=f"image-{number:03}") for number in range(plots.ROWS_MAX + 5)])
    axes = many.hullmark.heatmap()
    assert f"the first {plots.ROWS_MAX} of {plots.ROWS_MAX + 5} rows" in axes.get_title(loc="left")
    assert len(axes.get_yticks()) == plots.ROWS_MAX


def test_coverage_counts_every_status() -> None:
    controls = pd.DataFrame(
        {"framework": ["f", "f", "g"], "control": ["1", "2", "1"], "status": ["supported", "contradicted", "supported"]}
    )
    axes = controls.hullmark.coverage()
    assert "Controls by framework: 3" in axes.get_title(loc="left")
    assert {"2", "1"} <= set(texts(axes))


def test_a_control_that_several_checks_bear_on_counts_once() -> None:
    mapping = pd.DataFrame({"framework": "f", "control": ["1", "1"], "status": "supported", "check": ["X-1", "X-2"]})
    assert "Controls by framework: 1" in mapping.hullmark.coverage().get_title(loc="left")


def test_drift_ageing_and_trend_say_how_many() -> None:
    history = found((1, "a", "k1"), (2, "a", "k1"), (2, "a", "k2"))
    now = history[history["run"] == 2]
    assert "1 new, 0 gone, 1 stayed" in now.hullmark.drift(history[history["run"] == 1]).get_title(loc="left")
    assert "2 open, watched since 2026-11-01" in history.hullmark.ageing(runs(1, 12)).get_title(loc="left")
    images = pd.DataFrame({"run": [1, 2], "reference": "a", "outcome": ["not-satisfied", None]})
    axes = images.hullmark.trend(runs(1, 12))
    assert "2 runs" in axes.get_title(loc="left")
    assert [text.get_text() for text in axes.figure.legends[0].get_texts()] == ["× not satisfied", "? not determined"]  # noqa: RUF001


def test_an_image_that_nobody_signed_is_in_the_graph() -> None:
    signed = pd.DataFrame(
        {
            "image": ["a", "b"],
            "what": "signature",
            "verdict": ["verified", "invalid"],
            "builder": None,
            "key_id": ["ab" * 32, None],
            "identity": None,
        }
    ).astype({"key_id": "str", "identity": "str", "builder": "str"})
    shown = texts(signed.hullmark.supply_chain(["a", "b", "c"]))
    assert {"a", "b", "c", "key abababababab", "nobody verified"} <= set(shown)
    assert "Images (3)" in shown


def test_a_plot_is_drawn_where_it_is_told_to() -> None:
    _, axes = plt.subplots()
    assert checks().hullmark.coverage(ax=axes) is axes


def test_names_that_images_choose_are_no_mathematics() -> None:
    axes = checks().assign(image=r"$\frac{a}{b$").hullmark.heatmap()
    axes.figure.canvas.draw()


@pytest.mark.parametrize("call", ["heatmap", "coverage", "changes", "drift", "ages", "ageing", "trend", "supply_chain"])
def test_another_frame_is_told_what_it_lacks(call: str) -> None:
    frame = pd.DataFrame({"image": ["a"]})
    argument = () if call in ("heatmap", "coverage", "supply_chain") else (frame,)
    with pytest.raises(AttributeError, match="needs a frame with the columns"):
        getattr(frame.hullmark, call)(*argument)


def test_text_is_legible_on_white_and_on_black_and_no_word_lacks_a_colour() -> None:
    assert contrast(plots.INK, "#ffffff") >= 4
    assert contrast(plots.INK, "#111111") >= 4
    assert {*findings.OUTCOMES, *findings.STATUSES, *plots.IMAGE_OUTCOMES, *findings.SEVERITIES} <= set(plots.COLORS)


@pytest.mark.parametrize("frame", [checks().iloc[:0], found()], ids=["checks", "findings"])
def test_an_empty_frame_is_an_empty_plot(frame: pd.DataFrame) -> None:
    frame.hullmark.heatmap().figure.canvas.draw()
