"""Results of somebody else's verification: SLSA verification summaries (VSA v1) and simple results (SVR v0.1, v0.2)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from compliance.formats.predicate_values import counted, day, inner, line, lines, moment
from compliance.formats.signed_json import JsonObject

VERIFICATION_SUMMARY = "https://slsa.dev/verification_summary/"
SIMPLE_RESULT = "https://in-toto.io/attestation/svr/"
_SHOWN = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class VerificationSummary:
    """A VSA: by `verifier`, under `policy`, the artifact reached `levels` (v1 verifiedLevels)."""

    verifier: str
    verified_at: datetime | None
    passed: bool
    result: str
    policy: str
    levels: tuple[str, ...]

    @property
    def summary(self) -> str:
        """The summary in one line."""
        levels = f", levels {_listed(self.levels)}" if self.levels else ""
        return (
            f"verification summary {day(self.verified_at)} by {self.verifier or 'nobody named'}: {self.result}{levels}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SimpleResult:
    """An SVR: properties that `verifier` found to hold; what is not listed was not shown."""

    verifier: str
    created_at: datetime | None
    policies: int
    properties: tuple[str, ...]

    @property
    def summary(self) -> str:
        """The result in one line."""
        holding = f": {_listed(self.properties)}" if self.properties else ""
        count = counted(len(self.properties), "property", "properties")
        return f"verification result {day(self.created_at)} by {self.verifier or 'nobody named'}, {count}{holding}"


def read_verification_summary(predicate: JsonObject) -> VerificationSummary:
    """slsa.dev/spec/v1.0/verification_summary. Raises FormatError."""
    result = line(predicate, "verificationResult", 40)
    policy = inner(predicate, "policy")
    return VerificationSummary(
        verifier=line(inner(predicate, "verifier"), "id"),
        verified_at=moment(predicate, "timeVerified"),
        passed=result == "PASSED",
        result=result or "no result",
        policy=line(policy, "uri"),
        levels=lines(predicate, "verifiedLevels", 100),
    )


def read_simple_result(predicate: JsonObject) -> SimpleResult:
    """in-toto/attestation, predicates/svr.md; v0.1 has no policies. Raises FormatError."""
    verifier = predicate.member("verifier")
    return SimpleResult(
        verifier=line(verifier, "id"),
        created_at=moment(predicate, "timeCreated"),
        policies=len(verifier.members("policies")),
        properties=lines(predicate, "properties", 100),
    )


def _listed(words: tuple[str, ...]) -> str:
    more = f" and {len(words) - _SHOWN:,} more" if len(words) > _SHOWN else ""
    return ", ".join(words[:_SHOWN]) + more
