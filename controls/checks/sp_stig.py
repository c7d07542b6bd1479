"""SP-STIG: somebody held this image against a SCAP benchmark, and it reached the whole score."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from compliance.formats.benchmark_result import DHI_STIG, BenchmarkResult, BenchmarkScan
from compliance.model.evidence import AgeLimits, Evidence
from compliance.model.outcome import Check, Failed, Observation, Outcome, Passed, Severity, Trait, Unknown
from controls.observe import count
from controls.testimony import Testimony, age_reservation, docket, judge, listed, note_about

AGE_DAYS = AgeLimits().benchmark
LISTED_MAX = 500
_TOLERANCE = 0.01
_PER_LINE = 10


def run(evidence: Evidence) -> Outcome:
    """Every benchmark result about this digest, profile by profile."""
    return judge(
        evidence,
        docket(evidence, BenchmarkScan, (DHI_STIG,)),
        "SCAP benchmark result about this digest",
        weigh=_weigh,
        reservation=partial(_reservation, evidence),
    )


def _weigh(testimony: Testimony[BenchmarkScan]) -> Outcome:
    scan = testimony.said
    failures = tuple(seen for profile in scan.profiles for seen in _failures(profile))
    if failures:
        return Failed(observations=listed(failures, LISTED_MAX))
    for profile in scan.profiles:
        reason = _undecided(profile)
        if reason is not None:
            rules = (note_about(f"No verdict on the rule {rule}.") for rule in profile.undecided)
            return Unknown(reason=f"{profile.profile}: {reason}", observations=listed(rules, LISTED_MAX))
    return Passed(observations=tuple(seen for profile in scan.profiles for seen in _reached(profile)))


def _failures(profile: BenchmarkResult) -> Iterator[Observation]:
    if profile.score is not None and profile.maximum is not None and profile.score < profile.maximum - _TOLERANCE:
        yield note_about(f"{profile.profile}: the score is {profile.score:g} of {profile.maximum:g}.")
    for rule in profile.failed:
        yield note_about(f"{profile.profile}: the rule {rule} failed.")


def _undecided(profile: BenchmarkResult) -> str | None:
    """Why a profile without a failure still shows nothing; None when it does."""
    if profile.undecided:
        return f"{count(len(profile.undecided), 'rule')} ended in an error or without a verdict"
    if profile.score is None or not profile.maximum:
        return "it states no score"
    if profile.counts is not None and not profile.counts.get("pass"):
        return "no rule passed, so nothing was checked"
    return None


def _reached(profile: BenchmarkResult) -> Iterator[Observation]:
    yield note_about(f"{profile.profile}: the score is {profile.score:g} of {profile.maximum:g}.")
    if profile.counts is None:
        yield note_about(f"{profile.profile}: it does not tell rule by rule what was checked and what was not.")
        return
    counts = ", ".join(f"{number:,} {word}" for word, number in profile.counts.items())
    yield note_about(f"{profile.profile}: rules by result: {counts}.")
    for start in range(0, len(profile.unchecked[:LISTED_MAX]), _PER_LINE):
        rules = ", ".join(profile.unchecked[start : start + _PER_LINE])
        yield note_about(f"{profile.profile}: not checked: {rules}.")


def _reservation(evidence: Evidence, scan: BenchmarkScan) -> str | None:
    days = evidence.profile.ages.benchmark
    late = (age_reservation(item.ended, evidence.assessed_at, days, "a result") for item in scan.profiles)
    return next((reason for reason in late if reason is not None), None)


CHECK = Check(
    id="SP-STIG",
    title="SCAP/STIG result attestation present and scored",
    trait=Trait.SUPPLY,
    severity=Severity.MEDIUM,
    rationale="Where a STIG applies, an assessor wants the result of its benchmark; one that is attested about this "
    "digest need not be taken again.",
    looks_at="Attestations about this digest of predicate type docker.com/dhi/stig, verified against the key or "
    "identity that was named, with the XCCDF reports inside; XCCDF results and ARF collections given as files.",
    proves="A pass proves that the named signer attested, for every profile told of, the whole score by the default "
    f"scoring and no failed rule, not more than {AGE_DAYS} days ago (or what the profile sets). Rules that were not "
    "checked do not lower a score: they are listed, and nothing is proved about them. It does not prove that the "
    "benchmark suits a container. A result that nobody signed can make the check fail, and never makes it pass.",
    remediation="Run the benchmark against the image (oscap-podman, or oscap on the unpacked root), mend what fails, "
    "and attest the result.",
    run=run,
    references=("NIST IR 7275 r4 (XCCDF 1.2)", "docs.docker.com: Docker Hardened Images, STIG"),
)
