"""The drawings of the audit report as inline SVG. Each has a title that says the same in words (PDF/UA-1, 7.3).

Nothing is told by colour alone: every outcome and status has a shape of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markupsafe import Markup

RED, AMBER, PURPLE, GREEN, GREY, BLUE = "#ad2119", "#b97a00", "#752a87", "#17663a", "#8793a0", "#35658c"
_TRACK = "#e8edf1"

_COLORS: Mapping[str, str] = {
    "failed": RED,
    "contradicted": RED,
    "unknown": AMBER,
    "undetermined": AMBER,
    "errored": PURPLE,
    "passed": GREEN,
    "satisfied": GREEN,
    "supported": GREEN,
    "not-applicable": GREY,
}
# Strokes within a square of side 1, by what it stands for.
_STROKES: Mapping[str, tuple[tuple[float, ...], ...]] = {
    "failed": ((0.27, 0.27, 0.73, 0.73), (0.73, 0.27, 0.27, 0.73)),
    "contradicted": ((0.27, 0.27, 0.73, 0.73), (0.73, 0.27, 0.27, 0.73)),
    "passed": ((0.22, 0.52, 0.42, 0.72, 0.79, 0.29),),
    "satisfied": ((0.22, 0.52, 0.42, 0.72, 0.79, 0.29),),
    "supported": ((0.5, 0.24, 0.5, 0.76), (0.24, 0.5, 0.76, 0.5)),
    "unknown": ((0.34, 0.5, 0.66, 0.5),),
    "undetermined": ((0.34, 0.5, 0.66, 0.5),),
    "errored": ((0.5, 0.22, 0.5, 0.56), (0.5, 0.7, 0.5, 0.78)),
    "not-applicable": (),
}
_HOLLOW = frozenset({"unknown", "undetermined", "errored", "not-applicable"})


def squares(kinds: Sequence[str], title: str, *, side: float, columns: int) -> Markup:
    """One square for each of `kinds` (outcomes or statuses) in rows of `columns`; lengths are in CSS pixels."""
    step = side * 1.18
    rows = max(-(-len(kinds) // columns), 1)
    places: dict[str, list[tuple[float, float]]] = {}
    for number, kind in enumerate(kinds):
        places.setdefault(kind, []).append((number % columns * step + 0.5, number // columns * step + 0.5))
    shapes = [shape for kind, found in places.items() for shape in _shapes(kind, found, side)]
    return _svg(min(len(kinds), columns) * step + 1, rows * step + 1, title, shapes)


def _shapes(kind: str, places: Sequence[tuple[float, float]], side: float) -> Iterable[Markup]:
    """All squares of one kind as one path, and what is drawn in them as another."""
    color = _COLORS[kind]
    outline = "".join(f"M{x:.2f} {y:.2f}h{side:.2f}v{side:.2f}h-{side:.2f}z" for x, y in places)
    if kind in _HOLLOW:
        yield _path(outline, fill="#ffffff", stroke=color, width=1)
    else:
        yield _path(outline, fill=color)
    strokes = "".join(
        "M" + "L".join(f"{x + part[i] * side:.2f} {y + part[i + 1] * side:.2f}" for i in range(0, len(part), 2))
        for x, y in places
        for part in _STROKES[kind]
    )
    if strokes:
        yield _path(strokes, stroke=color if kind in _HOLLOW else "#ffffff", width=side / 8)


def bar(value: int, most: int, title: str, *, width: float = 150, height: float = 7, color: str = BLUE) -> Markup:
    """A bar as long in proportion to `width` as `value` to `most`; what is not nothing can be seen."""
    length = max(width * value / most, 1.5) if value and most else 0.0
    track = _path(f"M0 0h{width:.1f}v{height:.1f}h-{width:.1f}z", fill=_TRACK)
    shapes = [track, _path(f"M0 0h{length:.1f}v{height:.1f}h-{length:.1f}z", fill=color)] if length else [track]
    return _svg(width, height, title, shapes)


def stacked_bar(values: Sequence[int], title: str, *, width: float, height: float = 16) -> Markup:
    """One bar of parts, two shades in turn, divided as `values` are."""
    total = sum(values) or 1
    shades: tuple[list[str], list[str]] = ([], [])
    place = 0.0
    for number, value in enumerate(values):
        length = width * value / total
        shown = max(length - 0.6, 0.4)
        shades[number % 2].append(f"M{place:.2f} 0h{shown:.2f}v{height}h-{shown:.2f}z")
        place += length
    shapes = [_path("".join(parts), fill=color) for parts, color in zip(shades, (BLUE, GREY), strict=True)]
    return _svg(width, height, title, shapes)


def _path(data: str, *, fill: str = "none", stroke: str = "none", width: float = 0) -> Markup:
    from markupsafe import Markup

    line = Markup(' stroke="{}" stroke-width="{:.2f}"').format(stroke, width) if stroke != "none" else ""
    return Markup('<path d="{}" fill="{}"{}/>').format(data, fill, line)


def _svg(width: float, height: float, title: str, shapes: Iterable[Markup]) -> Markup:
    from markupsafe import Markup

    return Markup(
        '<svg width="{0:.1f}" height="{1:.1f}" viewBox="0 0 {0:.1f} {1:.1f}"><title>{2}</title>{3}</svg>'
    ).format(width, height, title, Markup("").join(shapes))


def parts_bar(parts: Sequence[tuple[str, int]], title: str, *, width: float, height: float = 8) -> Markup:
    """One bar of parts, each a colour and a number, as long together as `width`; what is not nothing can be seen."""
    total = sum(number for _, number in parts)
    shapes = [_path(f"M0 0h{width:.1f}v{height:.1f}h-{width:.1f}z", fill=_TRACK)]
    place = 0.0
    for color, number in parts:
        if number:
            length = width * number / total
            shapes.append(_path(f"M{place:.2f} 0h{max(length - 0.6, 0.5):.2f}v{height:.1f}H{place:.2f}z", fill=color))
            place += length
    return _svg(width, height, title, shapes)


def columns(runs: Sequence[Sequence[tuple[str, int]]], title: str, *, width: float, height: float) -> Markup:
    """One column for each of `runs`, of parts from the bottom up, each a colour and a number; the highest fills it."""
    most = max((sum(number for _, number in parts) for parts in runs), default=0)
    step = width / max(len(runs), 1)
    wide = step * 0.86
    shapes = [_path(f"M0 {height:.1f}h{width:.1f}", stroke=GREY, width=0.6)]
    for place, parts in enumerate(runs):
        foot = height
        for color, number in parts:
            length = height * number / most if most else 0.0
            foot -= length
            if number:
                shapes.append(_path(f"M{place * step:.2f} {foot:.2f}h{wide:.2f}v{length:.2f}h-{wide:.2f}z", fill=color))
    return _svg(width, height, title, shapes)
