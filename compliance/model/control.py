"""Controls, and what a check's outcome says about one."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Relation(StrEnum):
    """How a check bears on a control, in the style of NIST IR 8477.

    Only SATISFIES lets a pass make a control satisfied; the others never claim the whole control.
    """

    SATISFIES = "satisfies"
    PARTIALLY_SUPPORTS = "partially supports"
    PROVIDES_EVIDENCE_FOR = "provides evidence for"

    @property
    def set_relation(self) -> str:
        """The OSCAL 1.2 mapping-collection relationship: from the check (source) to the control (target)."""
        return {
            Relation.SATISFIES: "equivalent-to",
            Relation.PARTIALLY_SUPPORTS: "subset-of",
            Relation.PROVIDES_EVIDENCE_FOR: "intersects-with",
        }[self]


@dataclass(frozen=True, slots=True, kw_only=True)
class MappedCheck:
    """One line of a mapping: this check bears on the control so, because of `rationale`."""

    check: str
    relation: Relation
    rationale: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """One control of a framework with the checks that bear on it.

    `id` is the machine id (OSCAL's for SP 800-53: ``cm-7.2``), `label` the printed one (``CM-7(2)``);
    `verbatim` whether the title is the framework's own words (else our short paraphrase); `source` where id
    and title were confirmed; `confirmed` false where they could not be; `baselines` the SP 800-53B baselines
    (low, moderate, high), None for other frameworks. `asks` is what it asks as far as an image is concerned, in one
    sentence; empty where nobody wrote it down.
    """

    id: str
    label: str
    title: str
    verbatim: bool
    confirmed: bool
    source: str
    checks: tuple[MappedCheck, ...]
    baselines: tuple[str, ...] | None = None
    asks: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Framework:
    """A published set of controls as far as image checks bear on it. `caveats` are printed with its results.

    `given_by` is the user's file that it comes from, None for a shipped one that no overlay changed.
    """

    id: str
    name: str
    version: str
    source: str
    controls: tuple[Control, ...]
    caveats: tuple[str, ...] = ()
    given_by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """A part of a framework on which no check bears, and why."""

    what: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlLibrary:
    """All frameworks in report order; `digest` is the sha256 over the data files they were read from."""

    frameworks: tuple[Framework, ...]
    digest: str


class ControlStatus(StrEnum):
    """What the checks say about a control. Ordered from best to worst except not-applicable."""

    SATISFIED = "satisfied"
    SUPPORTED = "supported"
    CONTRADICTED = "contradicted"
    UNDETERMINED = "undetermined"
    NOT_APPLICABLE = "not-applicable"
