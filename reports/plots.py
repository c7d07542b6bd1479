"""Plots of fleet frames with matplotlib, fit to be shown as they come.

They stand on the page's own background in a grey that is legible on white and on black. Status has the colours of the
other reports, and never colour alone: cells carry the reports' marks, parts of bars their numbers and a hatch of their
own. Titles say what is shown and how many; what does not fit is counted there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from compliance.errors import UsageError
from reports import findings, wording
from reports.audit_charts import AMBER, BLUE, GREEN, GREY, PURPLE, RED

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from pandas import DataFrame, Series

ROWS_MAX, COLUMNS_MAX = 40, 60
INK = "#737d87"
"""Of text and lines: 4.2 to 1 on white, 4.6 to 1 on #111."""

COLORS: Mapping[str, str] = {
    **dict.fromkeys(("passed", "satisfied", "verified", "gone"), GREEN),
    **dict.fromkeys(("failed", "contradicted", "not-satisfied", "invalid", "new"), RED),
    **dict.fromkeys(("unknown", "undetermined", "not-determined", "unchecked", "unsigned"), AMBER),
    "not-verified": "#6f1410",
    "supported": "#4f9a72",
    "errored": PURPLE,
    "not-applicable": GREY,
    "low": "#8fb0cc",
    "medium": BLUE,
    "high": "#1d3f5c",
    "critical": RED,
}
_HATCHES = {"failed": "///", "contradicted": "///", "not-satisfied": "///", "not-verified": "xxx", "new": "///"}
_HATCHES |= {"unknown": "...", "undetermined": "...", "not-determined": "...", "critical": "///"}

IMAGE_OUTCOMES = ("not-verified", "not-satisfied", "not-determined", "satisfied")
_ORDERS: tuple[Sequence[str], ...] = (findings.OUTCOMES, findings.STATUSES, IMAGE_OUTCOMES, findings.SEVERITIES[::-1])


def status_cells(words: DataFrame, title: str, axes: Axes | None = None) -> Axes:
    """One cell for each row and column, its word as a colour and a mark; empty cells are no word at all."""
    shown = words.iloc[:ROWS_MAX, :COLUMNS_MAX]
    axes = axes or _axes(2.6 + 0.26 * shown.shape[1], 1.5 + 0.26 * shown.shape[0])
    for row, cells in enumerate(shown.to_numpy()):
        for column, word in enumerate(cells):
            if isinstance(word, str):
                _cell(axes, column, row, COLORS.get(word, GREY), wording.MARKS.get(word, ""))
    _grid(axes, shown, _title(title, words))
    present = [word for word in dict.fromkeys(words.to_numpy().ravel()) if isinstance(word, str)]
    _legend(axes, sorted(present, key=_rank), marks=True)
    return axes


def count_cells(counts: DataFrame, title: str, axes: Axes | None = None) -> Axes:
    """One cell for each row and column with its number, darker where there are more; nothing where there is none."""
    from matplotlib.colors import LinearSegmentedColormap, LogNorm

    shown = counts.iloc[:ROWS_MAX, :COLUMNS_MAX]
    axes = axes or _axes(2.8 + 0.34 * shown.shape[1], 1.4 + 0.26 * shown.shape[0])
    colors = LinearSegmentedColormap.from_list("amount", ["#b9cfe0", "#35658c", "#12293d"])
    most = max(2, int(shown.to_numpy().max(initial=0)))
    norm = LogNorm(1, most)
    for row, cells in enumerate(shown.to_numpy()):
        for column, number in enumerate(cells):
            if number > 0:
                ink = "#fff" if norm(number) > 0.35 else "#10171e"
                _cell(axes, column, row, colors(norm(number)), f"{int(number)}", ink=ink, size=7)
    _grid(axes, shown, _title(title, counts))
    return axes


def stacked_bars(counts: DataFrame, title: str, unit: str, axes: Axes | None = None) -> Axes:
    """One bar a row, as long as its sum, its parts by column with their numbers."""
    shown = counts.iloc[:ROWS_MAX]
    axes = axes or _axes(8.5, 1.5 + 0.34 * len(shown))
    start = shown.iloc[:, :0].sum(axis=1).astype(float)
    longest = float(shown.sum(axis=1).max() or 1)
    for word in counts.columns:
        _bar(axes, str(word), shown[word], start, longest)
        start = start + shown[word]
    for row, total in enumerate(start):
        axes.text(total + longest * 0.01, row, f"{int(total):,}", va="center", ha="left", color=INK, fontsize=8)
    axes.set_yticks(range(len(shown)), [_short(name) for name in shown.index])
    axes.set_ylim(max(len(shown), 1) - 0.5, -0.5)
    axes.set_xlabel(unit)
    axes.set_xlim(0, longest * 1.08)
    _plain(axes, _title(title, counts, rows_only=True))
    _legend(axes, [str(word) for word in counts.columns])
    return axes


def diverging_bars(new: Series, gone: Series, title: str, unit: str, axes: Axes | None = None) -> Axes:
    """What came to the right, what went to the left, one line for each name; both have the same index."""
    new, gone = new.iloc[:ROWS_MAX], gone.iloc[:ROWS_MAX]
    axes = axes or _axes(8.5, 1.5 + 0.3 * len(new))
    most = float(max(new.max() if len(new) else 0, gone.max() if len(gone) else 0, 1))
    for word, numbers, sign in (("gone", gone, -1), ("new", new, 1)):
        places = range(len(numbers))
        axes.barh(places, sign * numbers, color=COLORS[word], hatch=_HATCHES.get(word), edgecolor="#fff", linewidth=0)
        for place, number in zip(places, numbers, strict=True):
            if number:
                where = sign * (number + most * 0.02)
                side = "left" if sign > 0 else "right"
                axes.text(where, place, f"{int(number):,}", va="center", ha=side, color=INK, fontsize=8)
    axes.axvline(0, color=INK, linewidth=0.8)
    axes.set_yticks(range(len(new)), [_short(name) for name in new.index])
    axes.set_ylim(max(len(new), 1) - 0.4, -0.6)
    axes.set_xlim(-most * 1.15, most * 1.15)
    axes.set_xticks([])
    axes.set_xlabel(f"← gone      {unit}      new →")
    _plain(axes, title)
    return axes


def columns(counts: DataFrame, title: str, unit: str, axes: Axes | None = None) -> Axes:
    """One column a row of `counts`, its parts stacked by word, for what has an order: ages, or runs by time."""
    axes = axes or _axes(max(5.0, 2.2 + 0.75 * len(counts)), 3.6)
    start = counts.iloc[:, :0].sum(axis=1).astype(float)
    places = list(range(len(counts)))
    tallest = float(counts.sum(axis=1).max() or 1)
    for word in counts.columns:
        hatch = _HATCHES.get(str(word))
        axes.bar(
            places, counts[word], bottom=start, color=COLORS.get(str(word), BLUE), hatch=hatch, edgecolor="#fff",
            linewidth=0, width=0.75,
        )  # fmt: skip
        for place, (number, below) in enumerate(zip(counts[word], start, strict=True)):
            if number >= tallest * 0.06:
                _inside(axes, place, below + number / 2, number)
        start = start + counts[word]
    for place, total in enumerate(start):
        axes.text(place, total + tallest * 0.015, f"{int(total):,}", ha="center", va="bottom", color=INK, fontsize=8)
    axes.set_xticks(places, [str(name) for name in counts.index])
    axes.set_ylabel(unit)
    axes.set_ylim(0, tallest * 1.1)
    _plain(axes, title)
    _legend(axes, [str(word) for word in counts.columns])
    return axes


def graph(stages: Sequence[tuple[str, Sequence[str]]], edges: DataFrame, title: str, axes: Axes | None = None) -> Axes:
    """Names in columns, one for each stage, and lines between neighbours.

    `edges` has the columns stage (of the left end), left, right and verdict; a line that is not verified is broken.
    """
    tallest = max(len(names) for _, names in stages)
    axes = axes or _axes(2.2 + 3.1 * len(stages), 1.6 + 0.62 * tallest)
    places = {
        (stage, name): (stage * 3.0, (row + 0.5) * tallest / len(names))
        for stage, (_, names) in enumerate(stages)
        for row, name in enumerate(names)
    }
    for stage, left, right, verdict in edges[["stage", "left", "right", "verdict"]].itertuples(index=False):
        (x, y), (to_x, to_y) = places[stage, left], places[stage + 1, right]
        style = "-" if verdict == "verified" else (0, (3, 3))
        color = COLORS["supported" if verdict == "verified" else verdict] if verdict in COLORS else GREY
        axes.plot((x, to_x), (y, to_y), color=color, linestyle=style, linewidth=1.8, zorder=1)
    for (_, name), (x, y) in places.items():
        axes.text(
            x, y, _short(name, 34), ha="center", va="center", fontsize=8, color="#10171e", zorder=2,
            bbox={"boxstyle": "round,pad=0.45", "facecolor": "#e6ebef", "edgecolor": GREY},
        )  # fmt: skip
    for stage, (heading, names) in enumerate(stages):
        axes.text(
            stage * 3.0, -0.25, f"{heading} ({len(names)})", ha="center", va="bottom", color=INK, fontweight="bold"
        )
    axes.set_xlim(-1.5, (len(stages) - 1) * 3.0 + 1.5)
    axes.set_ylim(tallest + 0.1, -0.75)
    axes.set_axis_off()
    _plain(axes, title)
    return axes


def _axes(width: float, height: float) -> Axes:
    try:
        import matplotlib.pyplot as plt
    except ImportError:
        raise UsageError("plots need matplotlib", code="extra-missing", hint="install hullmark[notebook]") from None
    figure, axes = plt.subplots(figsize=(min(width, 18.0), min(height, 14.0)), layout="constrained")
    figure.patch.set_alpha(0)
    axes.patch.set_alpha(0)
    return axes


def _plain(axes: Axes, title: str) -> None:
    axes.set_title(title, loc="left", color=INK, fontsize=10.5, fontweight="bold", pad=12)
    axes.tick_params(colors=INK, labelsize=8, length=0)
    axes.xaxis.label.set_color(INK)
    axes.yaxis.label.set_color(INK)
    for name in ("top", "right", "left", "bottom"):
        axes.spines[name].set_visible(False)


def _grid(axes: Axes, shown: DataFrame, title: str) -> None:
    height, width = shown.shape
    axes.set_xlim(-0.5, max(width, 1) - 0.5)
    axes.set_ylim(max(height, 1) - 0.5, -0.5)
    axes.set_xticks(
        range(width), [_short(name, 28) for name in shown.columns], rotation=60, ha="right", rotation_mode="anchor"
    )
    axes.set_yticks(range(height), [_short(name) for name in shown.index])
    _plain(axes, title)


def _cell(axes: Axes, column: int, row: int, color: object, text: str, *, ink: str = "#fff", size: float = 8) -> None:
    from matplotlib.patches import Rectangle

    axes.add_patch(Rectangle((column - 0.46, row - 0.44), 0.92, 0.88, facecolor=color, linewidth=0))
    axes.text(column, row, text, ha="center", va="center", color=ink, fontsize=size, fontweight="bold")


def _bar(axes: Axes, word: str, lengths: Series, start: Series, longest: float) -> None:
    places = range(len(lengths))
    color = COLORS.get(word, BLUE)
    axes.barh(
        places, lengths, left=start, color=color, hatch=_HATCHES.get(word), edgecolor="#fff", linewidth=0, height=0.72
    )
    for place, (number, left) in enumerate(zip(lengths, start, strict=True)):
        if number >= longest * 0.03:
            _inside(axes, left + number / 2, place, number)


def _inside(axes: Axes, x: float, y: float, number: float) -> None:
    """A number within a bar, on a field of its own, so that no hatch crosses it."""
    box = {"boxstyle": "round,pad=0.15", "facecolor": "#fff", "linewidth": 0, "alpha": 0.9}
    axes.text(x, y, f"{int(number):,}", ha="center", va="center", color="#10171e", fontsize=7.5, bbox=box)


def _legend(axes: Axes, words: Sequence[str], *, marks: bool = False) -> None:
    from matplotlib.patches import Patch

    handles = [
        Patch(
            facecolor=COLORS.get(word, GREY),
            hatch=None if marks else _HATCHES.get(word),
            edgecolor="#fff",
            linewidth=0,
            label=f"{wording.MARKS.get(word, '')} {word.replace('-', ' ')}".strip(),
        )
        for word in words
    ]
    if handles:
        axes.figure.legend(
            handles=handles, loc="outside lower center", ncols=min(6, len(handles)), frameon=False, labelcolor=INK,
            fontsize=8,
        )  # fmt: skip


def _title(title: str, table: DataFrame, *, rows_only: bool = False) -> str:
    rows, width = table.shape
    cut = [f"the first {ROWS_MAX} of {rows:,} rows"] if rows > ROWS_MAX else []
    cut += [f"the first {COLUMNS_MAX} of {width:,} columns"] if width > COLUMNS_MAX and not rows_only else []
    return title + (f"\n({' and '.join(cut)} are shown)" if cut else "")


def _short(name: object, limit: int = 44) -> str:
    text = str(name).replace("$", r"\$")  # no mathematics out of a name that an image chose
    return text if len(text) <= limit else f"{text[: limit // 2 - 1]}…{text[-(limit // 2) :]}"


def _rank(word: str) -> int:
    return next((order.index(word) for order in _ORDERS if word in order), 99)
