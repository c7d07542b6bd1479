"""The terminal that tables are printed to: a text of fixed width, the same on every machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.console import Console

WIDTH_MIN = 40


def console(out: TextIO, *, color: bool, width: int) -> Console:
    """A console that writes to `out`, at least WIDTH_MIN columns wide, with ANSI colours when `color`.

    Nothing of the machine's own terminal or environment has a bearing on what is written.
    """
    from rich.console import Console

    return Console(
        file=out,
        width=max(width, WIDTH_MIN),
        force_terminal=color,
        color_system="standard" if color else None,
        no_color=not color,
        legacy_windows=False,
        highlight=False,
        markup=False,
        emoji=False,
        _environ={},
    )
