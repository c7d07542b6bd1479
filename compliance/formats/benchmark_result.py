"""Results of SCAP benchmarks: XCCDF 1.1 and 1.2 TestResults, alone, in a Benchmark or in an ARF collection.

(NIST IR 7275 r4, section 6.6; ARF: NIST IR 7694.) And the STIG predicate of Docker Hardened Images.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from compliance.errors import FormatError
from compliance.formats.named_image import NO_IMAGE, NamedImage
from compliance.formats.plain_text import plain_text
from compliance.formats.predicate_values import CODE, counted, day, decimal, decimal_text, inner, line, moment_text
from compliance.formats.signed_json import JsonObject
from compliance.formats.xml_events import walk

DHI_STIG = "https://docker.com/dhi/stig/"
RULES_MAX = 100_000
RESULTS_MAX = 50

_WORDS = frozenset(
    {"pass", "fail", "error", "unknown", "notapplicable", "notchecked", "notselected", "informational", "fixed"}
)
_DEFAULT_SCORING = "urn:xccdf:scoring:default"
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_PREFIX = re.compile(r"^xccdf_[A-Za-z0-9.-]+_(?:rule|profile|benchmark)_")


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkResult:
    """One profile's result. `counts` are rules by XCCDF's words, None where no rules are told.

    `failed` are rules that failed, `undecided` ended in error or unknown, `unchecked` were not checked: names
    without the usual prefix. `score` of `maximum`; None where none is stated.
    """

    profile: str
    benchmark: str
    ended: datetime | None
    score: float | None
    maximum: float | None
    counts: Mapping[str, int] | None = None
    failed: tuple[str, ...] = ()
    undecided: tuple[str, ...] = ()
    unchecked: tuple[str, ...] = ()
    image: NamedImage = NO_IMAGE

    @property
    def summary(self) -> str:
        """The result in one line."""
        score = f" score {self.score:g}" if self.score is not None else " no score"
        score += f" of {self.maximum:g}" if self.maximum is not None else ""
        counts = self.counts or {}
        rules = "".join(f", {counts[word]:,} {word}" for word in ("pass", "fail", "notchecked") if word in counts)
        return f"{self.profile or 'an unnamed profile'} {day(self.ended)}:{score}{rules}"


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkScan:
    """All profiles that one report or attestation tells of."""

    profiles: tuple[BenchmarkResult, ...]

    @property
    def summary(self) -> str:
        """The scan in one line."""
        shown = "; ".join(profile.summary for profile in self.profiles[:3])
        more = f" and {len(self.profiles) - 3:,} more" if len(self.profiles) > 3 else ""
        return f"SCAP benchmark, {counted(len(self.profiles), 'profile')}: {shown}{more}"


class _Results:
    """Gathers the TestResult elements of a document; everything else passes by."""

    def __init__(self) -> None:
        self.found: list[BenchmarkResult] = []
        self.benchmark = ""
        self._inside = False
        self._rule = ""
        self._rules = 0
        self._reset({})

    def _reset(self, attributes: Mapping[str, str]) -> None:
        self._ended = attributes.get("end-time", "")
        self._profile = ""
        self._named = self.benchmark
        self._counts: Counter[str] = Counter()
        self._lists: dict[str, list[str]] = {"fail": [], "undecided": [], "notchecked": []}
        self._scores: list[tuple[str, float, float | None]] = []
        self._score_attributes: Mapping[str, str] = {}
        self._digests: list[str] = []

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        if name == "Benchmark" and not self._inside:
            self.benchmark = _short(attributes.get("id", ""))
        elif name == "TestResult":
            if len(self.found) >= RESULTS_MAX:
                raise FormatError(f"more than {RESULTS_MAX} test results", code="limit-exceeded")
            self._reset(attributes)
            self._inside = True
        elif not self._inside:
            return
        elif name == "rule-result":
            self._rule = _short(attributes.get("idref", ""))
        elif name == "profile":
            self._profile = _short(attributes.get("idref", ""))
        elif name == "benchmark":
            self._named = _short(attributes.get("id", "")) or self._named
        elif name == "score":
            self._score_attributes = dict(attributes)
        elif name == "target-id-ref":
            self._digests += _DIGEST.findall(f"{attributes.get('name', '')} {attributes.get('href', '')}"[:4096])

    def end(self, name: str, text: str) -> None:
        if not self._inside:
            return
        if name == "result" and self._rule:
            self._result(text)
        elif name == "rule-result":
            self._rule = ""
        elif name == "score":
            attributes = self._score_attributes
            maximum = attributes.get("maximum")
            self._scores.append(
                (
                    attributes.get("system", _DEFAULT_SCORING),
                    decimal_text(text, "score"),
                    decimal_text(maximum, "score") if maximum is not None else 100.0,
                )
            )
        elif name in ("target", "fact", "identity", "title"):
            self._digests += _DIGEST.findall(text)
        elif name == "TestResult":
            self._inside = False
            self.found.append(self._finish())

    def _result(self, word: str) -> None:
        self._rules += 1
        if self._rules > RULES_MAX:
            raise FormatError(f"more than {RULES_MAX} rule results", code="limit-exceeded")
        if word not in _WORDS:
            raise FormatError(f"no result of XCCDF: {plain_text(word, 40)}", code=CODE, where=self._rule)
        self._counts[word] += 1
        kept = self._lists.get("undecided" if word in ("error", "unknown") else word)
        if kept is not None:
            kept.append(self._rule)

    def _finish(self) -> BenchmarkResult:
        scores = {system: (value, maximum) for system, value, maximum in self._scores}
        score, maximum = scores.get(_DEFAULT_SCORING, next(iter(scores.values()), (None, None)))
        return BenchmarkResult(
            profile=self._profile or "the default profile",
            benchmark=self._named,
            ended=moment_text(self._ended, "TestResult.end-time") if self._ended else None,
            score=score,
            maximum=maximum,
            counts=dict(sorted(self._counts.items())),
            failed=tuple(self._lists["fail"]),
            undecided=tuple(self._lists["undecided"]),
            unchecked=tuple(self._lists["notchecked"]),
            image=NamedImage(digests=tuple(dict.fromkeys(self._digests[:20]))),
        )


def read_xccdf(content: bytes) -> BenchmarkScan:
    """Every TestResult of the document. Raises FormatError, also when there is none."""
    results = _Results()
    walk(content, results)
    if not results.found:
        raise FormatError("no XCCDF TestResult in it", code=CODE)
    return BenchmarkScan(profiles=tuple(results.found))


def read_stig_predicate(profiles: tuple[JsonObject, ...]) -> BenchmarkScan:
    """https://docker.com/dhi/stig/v0.1: per profile a summary with its score, and reports in base64.

    Rules and time come from the XCCDF report inside, where there is one. Raises FormatError, also when no
    profile is told of.
    """
    if not profiles:
        raise FormatError("a STIG attestation without profiles", code=CODE, where="statement.predicate")
    return BenchmarkScan(profiles=tuple(_stig_profile(profile) for profile in profiles))


def _stig_profile(profile: JsonObject) -> BenchmarkResult:
    summary = inner(profile, "summary")
    name, version = line(profile, "name", 200), line(profile, "version", 60)
    reports = [item.base64("content") for item in profile.members("output") if line(item, "format", 40) == "xccdf"]
    inside = [result for report in reports for result in read_xccdf(report).profiles]
    if len(inside) > 1:
        raise FormatError("several test results for one profile", code=CODE, where=profile.where)
    stated = BenchmarkResult(
        profile=f"{name} {version}".strip(),
        benchmark="",
        ended=None,
        score=decimal(summary, "defaultScore"),
        maximum=decimal(summary, "maxDefaultScore"),
    )
    if not inside:
        return stated
    told = inside[0]
    if stated.score is not None and told.score is not None and abs(stated.score - told.score) > 0.01:
        raise FormatError("its summary and its XCCDF report state different scores", code=CODE, where=profile.where)
    return replace(
        told,
        profile=stated.profile or told.profile,
        score=stated.score if stated.score is not None else told.score,
        maximum=stated.maximum if stated.score is not None else told.maximum,
    )


def _short(identifier: str) -> str:
    return _PREFIX.sub("", plain_text(identifier, 300))
