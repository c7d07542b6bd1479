"""Checks that users declare in YAML, without Python: what each asks, and the texts that a report prints of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final, Protocol

from compliance.formats.strict_yaml import Section, read_section
from compliance.model.evidence import Evidence
from compliance.model.outcome import Check, Outcome, Severity, Trait
from compliance.model.request import ContentRequest
from controls.declared_attestation import read_attestation_question
from controls.declared_file import read_file_question
from controls.declared_package import read_package_question
from controls.declared_setting import read_setting_question

CODE: Final = "checks-invalid"
SHIPPED: Final = ("RM", "NR", "IM", "SC", "DR", "SP")
"""The beginnings of our own ids: a user's check takes none of them, so that nobody takes one for another."""

_SCHEMA = 1
_CHECKS_MAX = 500
_ID = re.compile(r"([A-Z][A-Z0-9]{1,19})-[A-Z0-9][A-Z0-9-]{0,39}")
_TRAITS = {trait.value: trait for trait in Trait}
_SEVERITIES = {str(severity): severity for severity in Severity}


class Question(Protocol):
    """What a declared check asks. `asks` continues "whether"."""

    @property
    def asks(self) -> str: ...
    @property
    def looks_at(self) -> str: ...
    @property
    def requests(self) -> tuple[ContentRequest, ...]: ...
    def run(self, evidence: Evidence) -> Outcome: ...


_KINDS: Final[Mapping[str, Callable[[Section], Question]]] = {
    "file": read_file_question,
    "package": read_package_question,
    "config": partial(read_setting_question, "config"),
    "label": partial(read_setting_question, "label"),
    "env": partial(read_setting_question, "env"),
    "attestation": read_attestation_question,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnCheck:
    """A check of the user's. `shows` is the sentence that mappings are composed of."""

    check: Check
    shows: str


def read_checks(file: str, content: bytes, taken: Collection[str]) -> tuple[OwnCheck, ...]:
    """The checks in the YAML `content`. Raises PolicyError naming `file`, line and field.

    `taken` are the ids that other checks have.
    """
    top = read_section(file, content, code=CODE)
    top.only("schema", "checks")
    if top.values.get("schema") != _SCHEMA:
        raise top.error(f"must be {_SCHEMA}", "schema", hint=f"write schema: {_SCHEMA}")
    parts = top.sections("checks")
    if len(parts) > _CHECKS_MAX:
        raise top.error(f"more than {_CHECKS_MAX} checks", "checks", hint="split the file")
    found: dict[str, OwnCheck] = {}
    for part in parts:
        own = _read(part)
        if own.check.id in found or own.check.id in taken:
            raise part.error(f"{own.check.id!r} is taken", "id", hint="give this check another id")
        found[own.check.id] = own
    return tuple(found.values())


def id_mistake(identifier: str) -> str | None:
    """What is wrong with the id of a user's check; None where nothing is."""
    found = _ID.fullmatch(identifier)
    if found is None:
        return f"{identifier!r} is not an id of a check"
    return f"{found[1]}- is for shipped checks" if found[1] in SHIPPED else None


ID_HINT: Final = "write it in capitals, with your own name before the dash, as ACME-001"


def _read(part: Section) -> OwnCheck:
    part.only("id", "title", "severity", "trait", "rationale", "remediation", "references", *_KINDS)
    identifier = part.text("id")
    mistake = id_mistake(identifier)
    if mistake is not None:
        raise part.error(mistake, "id", hint=ID_HINT)
    given = [key for key in part.values if key in _KINDS]
    if len(given) != 1:
        kinds = ", ".join(_KINDS)
        message = f"{given[0]} and {given[1]} are two questions" if given else "asks nothing"
        raise part.error(message, given[1] if given else None, hint=f"a check has exactly one of {kinds}")
    question = _KINDS[given[0]](part.section(given[0]))
    check = Check(
        id=identifier,
        title=part.text("title"),
        trait=part.choice("trait", _TRAITS),
        severity=part.choice("severity", _SEVERITIES),
        rationale=part.sentence("rationale"),
        looks_at=question.looks_at,
        proves=f"A pass proves, for the bytes of this image, that {question.asks}. Declared by the user of this tool.",
        remediation=part.sentence("remediation"),
        run=question.run,
        requests=question.requests,
        references=part.texts("references") if part.has("references") else (),
    )
    return OwnCheck(check=check, shows=f"Shows whether {question.asks}.")
