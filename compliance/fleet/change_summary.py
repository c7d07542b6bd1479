"""What a run changed, in the form that is sent to whoever wants to hear of it."""

from __future__ import annotations

import json
from collections.abc import Iterator

from compliance.errors import UsageError
from compliance.fleet.notify import ChangeSummary
from compliance.fleet.report import fleet_changes
from compliance.model.fleet import FleetStore, Run
from reports import fleet_wording
from reports.fleet_document import FleetChanges
from reports.markdown import escape

LISTED_MAX = 50
"""Changes that the text names; the document has all."""

_AS_BEFORE = ("still-open", "still-waived")


def change_summary(store: FleetStore, run: Run) -> ChangeSummary:
    """The changes from the run before to `run`, which has ended. A first run is a change. Raises StoreError."""
    try:
        changes = fleet_changes(store, run.fleet, None, str(run.number))
    except UsageError:  # there is none before it
        return ChangeSummary(
            fleet=run.fleet,
            run=run.number,
            started=run.started,
            changed=True,
            counts={},
            text=f"First run of the fleet {escape(run.fleet)}: from now on, what changes is told.\n",
        )
    counts = {name: number for name, number in (*changes["counts"].items(), *_images(changes)) if number}
    return ChangeSummary(
        fleet=run.fleet,
        run=run.number,
        started=run.started,
        changed=bool(counts.keys() - set(_AS_BEFORE)),
        counts=counts,
        text="\n".join(_text(run, changes)) + "\n",
        document=json.dumps(changes, ensure_ascii=False, separators=(",", ":")).encode(),
    )


def _images(changes: FleetChanges) -> Iterator[tuple[str, int]]:
    """The images' counts, told from those of failures by their names."""
    for name, number in changes["imageCounts"].items():
        yield f"images-{name}", number


def _text(run: Run, changes: FleetChanges) -> Iterator[str]:
    begun = f"{run.started:%Y-%m-%d %H:%M} UTC"
    yield f"**{escape(run.fleet)}**, run {run.number} ({begun}), since run {changes['before']}:"
    yield ""
    told = [(fleet_wording.CHANGES[kind], number) for kind, number in changes["counts"].items() if number]
    told += [(f"images: {fleet_wording.IMAGE_CHANGES[kind]}", n) for kind, n in changes["imageCounts"].items() if n]
    for words, number in told:
        yield f"- {number:,} {words}"
    if not told:
        yield "- nothing changed"
    shown = changes["findings"][:LISTED_MAX]
    if shown:
        yield ""
    for one in shown:
        words = fleet_wording.CHANGES[one["kind"]]
        yield f"- {words}: {one['check']} ({one['severity']}) in {escape(one['reference'])}"
    if len(changes["findings"]) > len(shown):
        yield f"- and {len(changes['findings']) - len(shown):,} more"
