"""A run over a fleet on one screen, for somebody who has to decide something now."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from compliance.model.fleet import ItemState, RunState

if TYPE_CHECKING:
    from compliance.fleet.run_summary import RunSummary
    from compliance.model.fleet import ItemOutcome

_SHOWN = 8
_WIDTH = 100
_STATES = {
    ItemState.ASSESSED: "assessed",
    ItemState.REUSED: "assessed earlier and still valid",
    ItemState.NOT_DETERMINED: "not determined",
}
_OUTCOMES = {
    "satisfied": "satisfied",
    "not-satisfied": "not satisfied",
    "not-determined": "not determined",
    "not-verified": "not verified",
}


def summary_lines(summary: RunSummary) -> Iterator[str]:
    """What was to be assessed, was, and was not, and why not; what came out; where the chain ends."""
    run = summary.run
    state = "ended" if run.state is RunState.ENDED else "not ended: the next run continues it"
    yield f"fleet {run.fleet}, run {run.number}, as of {run.effective:%Y-%m-%d %H:%M} UTC, {state}"
    yield f"  population  {_count(summary.references, 'reference')} to {_count(summary.images, 'image')}"
    if summary.unresolved:
        yield f"              {_count(sum(summary.unresolved.values()), 'reference')} led to none:"
        yield from _reasons(summary.unresolved)
    told = [f"{summary.states[state]:,} {word}" for state, word in _STATES.items() if summary.states.get(state)]
    waiting = summary.images - summary.recorded
    told += [f"{waiting:,} not looked at yet"] if waiting else []
    yield f"  coverage    {', '.join(told) or 'nothing'}"
    yield from _without(summary.without)
    told = [f"{summary.outcomes[key]:,} {word}" for key, word in _OUTCOMES.items() if summary.outcomes.get(key)]
    yield f"  outcome     {', '.join(told) or 'none'}"
    if run.chain is not None:
        yield f"  chain       {run.chain}"


def _without(outcomes: tuple[ItemOutcome, ...]) -> Iterator[str]:
    for outcome in outcomes[:_SHOWN]:
        text = f"{outcome.item.reference}: {outcome.code}: {outcome.reason}"
        yield from textwrap.wrap(
            text, _WIDTH, initial_indent=" " * 14, subsequent_indent=" " * 16, break_on_hyphens=False
        )
    if len(outcomes) > _SHOWN:
        yield f"              and {len(outcomes) - _SHOWN:,} more"


def _reasons(reasons: Mapping[str, int]) -> Iterator[str]:
    often = sorted(reasons.items(), key=lambda pair: (-pair[1], pair[0]))
    for reason, count in often[:_SHOWN]:
        yield from textwrap.wrap(
            f"{reason} ({count:,})", _WIDTH, initial_indent=" " * 14, subsequent_indent=" " * 18, break_on_hyphens=False
        )
    if len(often) > _SHOWN:
        yield f"              and {len(often) - _SHOWN:,} more reasons"


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
