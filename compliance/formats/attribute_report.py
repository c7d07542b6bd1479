"""SCAI attribute reports v0.2 and v0.3 (in-toto/attestation, predicates/scai.md): assertions about an artifact."""

from __future__ import annotations

from dataclasses import dataclass

from compliance.formats.predicate_values import counted, inner, line
from compliance.formats.signed_json import JsonObject

ATTRIBUTE_REPORT = "https://in-toto.io/attestation/scai/"
_SHOWN = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class AttributeReport:
    """The asserted attributes, and how many of them name evidence."""

    producer: str
    attributes: tuple[str, ...]
    with_evidence: int

    @property
    def summary(self) -> str:
        """The report in one line."""
        more = f" and {len(self.attributes) - _SHOWN:,} more" if len(self.attributes) > _SHOWN else ""
        named = f": {', '.join(self.attributes[:_SHOWN])}{more}" if self.attributes else ""
        by = f" by {self.producer}" if self.producer else ""
        return f"{counted(len(self.attributes), 'attribute')} asserted{by}, {self.with_evidence:,} with evidence{named}"


def read_attribute_report(predicate: JsonObject) -> AttributeReport:
    """Read it. Raises FormatError."""
    found = predicate.members("attributes")
    producer = inner(predicate, "producer")
    return AttributeReport(
        producer=line(producer, "name", 100) or line(producer, "uri", 100),
        attributes=tuple(line(item, "attribute", 100) for item in found),
        with_evidence=sum(item.has("evidence") for item in found),
    )
