"""The question of a declared check to attestations: one of a kind is there, about this digest, by a named signer."""

from __future__ import annotations

from dataclasses import dataclass

from compliance.formats.strict_yaml import Section
from compliance.model.evidence import Evidence
from compliance.model.outcome import Outcome
from compliance.model.request import ContentRequest
from controls.statements import attestations, judge_signed


@dataclass(frozen=True, slots=True, kw_only=True)
class AttestationQuestion:
    """An attestation whose predicate type begins with `type`."""

    type: str
    requests: tuple[ContentRequest, ...] = ()

    @property
    def asks(self) -> str:
        """What is asked, after "whether"."""
        return f"an attestation of type {self.type} about this digest verifies for a signer that was named"

    @property
    def looks_at(self) -> str:
        """What is read."""
        return (
            "The attestations found with the image whose subject is its digest or its index's, verified against the "
            "key, identity or trust policy that was given."
        )

    def run(self, evidence: Evidence) -> Outcome:
        """As for every other attestation: without a demanded signer nobody's counts."""
        return judge_signed(
            evidence, attestations(evidence, (self.type,)), "Attestation of that type about this digest"
        )


def read_attestation_question(part: Section) -> AttestationQuestion:
    """The mapping under ``attestation``. Raises PolicyError naming the line and the field."""
    part.only("type")
    kind = part.text("type")
    if "://" not in kind:
        raise part.error(
            f"{kind!r} is not a predicate type", "type", hint="write its URI, as https://slsa.dev/provenance/v1"
        )
    return AttestationQuestion(type=kind)
