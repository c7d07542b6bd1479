"""What a process in the container could change, or rise by: how many places each check on it points at."""

from __future__ import annotations

from dataclasses import dataclass

from reports import findings
from reports.document import Check, Document

CHECKS = ("IM-SETUID", "IM-FCAP", "IM-WWFILE", "IM-WWDIR", "IM-USERWR", "IM-ROFS", "IM-PATH", "NR-SUDO")
"""In the order in which they are told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WritableRow:
    """A check, how many places it points at, and what it saw first.

    `places` is None for a check that failed without a place: root needs none to write everywhere.
    """

    check: Check
    places: int | None
    seen: str

    @property
    def shown(self) -> str:
        """The number, or a dash where there is none."""
        return "–" if self.places is None else f"{self.places:,}"  # noqa: RUF001


def writable_rows(document: Document) -> tuple[WritableRow, ...]:
    """As far as checks looked at it; those that do not apply are left out."""
    checks = {check["id"]: check for check in document["checks"]}
    shown = (checks[identifier] for identifier in CHECKS if identifier in checks)
    return tuple(
        WritableRow(
            check=check,
            places=_places(check),
            seen=findings.telling(check)[0]["summary"] if check["observations"] else check["title"],
        )
        for check in shown
        if check["outcome"] != "not-applicable"
    )


def _places(check: Check) -> int | None:
    if check["outcome"] == "passed":
        return 0
    number = sum(
        item["path"] is not None and item["kind"] not in ("coverage", "note") for item in check["observations"]
    )
    return number or None
