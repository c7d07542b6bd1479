"""The charts of the HTML report as inline SVG. Their colours come from the style sheet by class: it has two schemes.

Every chart has its numbers as text, for whoever does not see it, and they stand beside it for everybody.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markupsafe import Markup

_WIDTH = 1000.0
_GAP = 3.0


def stacked_bar(parts: Sequence[tuple[str, int]], label: str, height: int = 14) -> Markup:
    """One bar of parts, each a class and a number, as long together as the chart is wide."""
    total = sum(number for _, number in parts)
    shown = [(name, number) for name, number in parts if number]
    room = _WIDTH - _GAP * max(len(shown) - 1, 0)
    return _svg(_WIDTH, height, label, _row(shown, room, total, height))


def unit_bar(parts: Sequence[tuple[str, int]], most: int, label: str, height: int = 14) -> Markup:
    """One square for each thing counted; `most` fill the chart, so that bars below each other can be compared."""
    cells = [name for name, number in parts for _ in range(number)]
    step = _WIDTH / max(most, len(cells), 1)
    gap = min(_GAP * 1.5, step / 4)
    rects = [_rect(place * step, step - gap, height, name) for place, name in enumerate(cells)]
    return _svg(_WIDTH, height, label, rects)


def bar(value: int, most: int, label: str, name: str = "amount", height: int = 10) -> Markup:
    """One bar of a length in proportion to the largest of its column; the smallest can still be seen."""
    length = max(_WIDTH * value / most, 4.0) if most and value else 0.0
    return _svg(_WIDTH, height, label, [_rect(0, _WIDTH, height, "track"), _rect(0, length, height, name)])


def _row(parts: Sequence[tuple[str, int]], room: float, total: int, height: int) -> list[Markup]:
    rects = []
    place = 0.0
    for name, number in parts:
        length = room * number / total
        rects.append(_rect(place, length, height, name))
        place += length + _GAP
    return rects


def _rect(x: float, width: float, height: int, name: str) -> Markup:
    from markupsafe import Markup

    return Markup('<rect x="{:.1f}" width="{:.1f}" height="{}" class="{}"/>').format(x, width, height, name)


def _svg(width: float, height: int, label: str, shapes: Sequence[Markup]) -> Markup:
    from markupsafe import Markup

    return Markup(
        '<svg class="chart" viewBox="0 0 {0:.0f} {1}" preserveAspectRatio="none" role="img" aria-label="{2}">{3}</svg>'
    ).format(width, height, label, Markup("").join(shapes))


def columns(runs: Sequence[Sequence[tuple[str, int]]], label: str, height: int = 120) -> Markup:
    """One column for each of `runs`, of parts from the bottom up, each a class and a number; the highest fills it."""
    most = max((sum(number for _, number in parts) for parts in runs), default=0)
    step = _WIDTH / max(len(runs), 1)
    gap = min(_GAP * 4, step / 5)
    shapes: list[Markup] = []
    for place, parts in enumerate(runs):
        foot = float(height)
        for name, number in parts:
            length = height * number / most if most else 0.0
            foot -= length
            shapes.append(_box(place * step + gap / 2, foot, step - gap, length, name))
    return _svg(_WIDTH, height, label, shapes)


def _box(x: float, y: float, width: float, height: float, name: str) -> Markup:
    from markupsafe import Markup

    return Markup('<rect x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" class="{}"/>').format(
        x, y, width, height, name
    )
