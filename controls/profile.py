"""Profiles: which checks decide the answer for an image, how much they weigh, and how old the word of others may be.

``profiles/<variant>.yaml`` are those shipped; a user's file extends one of them. Every check counts that a profile
does not except, so that a new check counts until somebody decides otherwise.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Final

from compliance.formats.strict_yaml import Section, read_section
from compliance.model.evidence import AgeLimits, Variant
from compliance.model.outcome import Check, CheckResult, Severity
from controls.asking import HOW

CODE: Final = "profile-invalid"

_SCHEMA = 1
_DAYS_MAX = 3660
_SEVERITIES = {str(severity): severity for severity in Severity}
_VARIANTS = {variant.value: variant for variant in Variant}
_AGES = {
    "vulnerability-scan": "vulnerability_scan",
    "malware-scan": "malware_scan",
    "benchmark": "benchmark",
}


class Counting(StrEnum):
    """When a check has a bearing on the answer for the image. It is run and shown always."""

    ALWAYS = "always"
    ASKED = "asked"
    NEVER = "never"


_COUNTINGS = {counting.value: counting for counting in Counting}


@dataclass(frozen=True, slots=True, kw_only=True)
class Stance:
    """What a profile says of one check; `severity` replaces the check's own, for the reason `because`."""

    counting: Counting = Counting.ALWAYS
    severity: Severity | None = None
    because: str | None = None


_PLAIN = Stance()


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckProfile:
    """A whole profile: what it says of checks by id, those not there count as they are."""

    id: str
    title: str
    variant: Variant
    stances: Mapping[str, Stance]
    ages: AgeLimits

    def weighed(self, checks: Iterable[Check]) -> tuple[Check, ...]:
        """`checks` with the severities that the profile gives them."""
        return tuple(
            check if (severity := self._stance(check.id).severity) is None else replace(check, severity=severity)
            for check in checks
        )

    def counted(self, checks: Iterable[Check], asked: Collection[str]) -> tuple[Check, ...]:
        """Those of `checks` that count where `asked` are the ids asked for."""
        return tuple(check for check in checks if self.uncounted(check.id, asked) is None)

    def uncounted(self, check: str, asked: Collection[str]) -> str | None:
        """Why `check` has no bearing on the answer; None where it has. What was found plays no part in it."""
        stance = self._stance(check)
        if stance.counting is Counting.NEVER:
            return f"the profile {self.id} leaves it out: {stance.because}"
        if stance.counting is Counting.ASKED and check not in asked:
            return f"not asked for (by {HOW[check]})"
        return None

    def marked(
        self, results: Iterable[CheckResult], checks: Iterable[Check], asked: Collection[str]
    ) -> tuple[CheckResult, ...]:
        """`results` with what the profile says of each; `checks` are those of them as they come, unweighed."""
        own = {check.id: check.severity for check in checks}
        return tuple(
            replace(
                result,
                uncounted=self.uncounted(result.check.id, asked),
                own_severity=own[result.check.id] if own[result.check.id] is not result.check.severity else None,
            )
            for result in results
        )

    def _stance(self, check: str) -> Stance:
        return self.stances.get(check, _PLAIN)


@cache
def shipped_profile(variant: Variant) -> CheckProfile:
    """The profile of that name. Raises PolicyError for a damaged file."""
    from controls.loader import check_catalog

    file = f"{variant}.yaml"
    return read_profile(file, (files("controls") / "profiles" / file).read_bytes(), check_catalog(), reserved=())


def read_profile(
    file: str, content: bytes, checks: Collection[str], *, reserved: Collection[str] = tuple(_VARIANTS)
) -> CheckProfile:
    """The profile in the YAML `content`. Raises PolicyError naming `file`, line and field.

    `checks` are the ids that there are; `reserved` ids are not for it to take.
    """
    top = read_section(file, content, code=CODE)
    top.only("schema", "id", "title", "extends", "variant", "checks", "ages")
    if top.values.get("schema") != _SCHEMA:
        raise top.error(f"must be {_SCHEMA}", "schema", hint=f"write schema: {_SCHEMA}")
    name = top.word("id")
    if name in reserved:
        raise top.error(f"{name!r} is a shipped profile", "id", hint="give yours another name")
    base = _base(top, required=bool(reserved))
    stances = dict(base.stances) if base is not None else {}
    stances.update(_stances(top, checks, stances))
    return CheckProfile(
        id=name,
        title=top.text("title") if top.has("title") or base is None else base.title,
        variant=top.choice("variant", _VARIANTS) if top.has("variant") or base is None else base.variant,
        stances=MappingProxyType(stances),
        ages=_ages(top, base.ages if base is not None else AgeLimits()),
    )


def _base(top: Section, *, required: bool) -> CheckProfile | None:
    if top.has("extends"):
        return shipped_profile(top.choice("extends", _VARIANTS))
    return shipped_profile(Variant.RUNTIME) if required else None


def _stances(top: Section, checks: Collection[str], inherited: Mapping[str, Stance]) -> dict[str, Stance]:
    stances: dict[str, Stance] = {}
    for part in top.sections("checks") if top.has("checks") else ():
        part.only("check", "counts", "severity", "because")
        check = part.known("check", checks, "a check")
        if check in stances:
            raise part.error(f"{check!r} is there twice", "check", hint="say it all in one entry")
        stances[check] = _stance(part, check, inherited.get(check, _PLAIN))
    return stances


def _stance(part: Section, check: str, inherited: Stance) -> Stance:
    if not part.has("counts") and not part.has("severity"):
        raise part.error("says nothing of the check", hint="add counts or severity")
    counting = part.choice("counts", _COUNTINGS) if part.has("counts") else inherited.counting
    severity = part.choice("severity", _SEVERITIES) if part.has("severity") else inherited.severity
    if counting is Counting.ASKED and check not in HOW:
        raise part.error(
            f"{check} can't be asked for, as it looks at the image alone",
            "counts",
            hint=f"write always or never; asked is for {', '.join(HOW)}",
        )
    reasoned = part.has("severity") or (counting is Counting.NEVER and part.has("counts"))
    if reasoned and not part.has("because"):
        raise part.error("missing", "because", hint="say in a sentence why, for whoever reads the report")
    return Stance(
        counting=counting,
        severity=severity,
        because=part.sentence("because") if part.has("because") else inherited.because,
    )


def _ages(top: Section, inherited: AgeLimits) -> AgeLimits:
    if not top.has("ages"):
        return inherited
    ages = top.section("ages")
    ages.only(*_AGES)
    return replace(inherited, **{_AGES[key]: ages.number(key, 1, _DAYS_MAX) for key in ages.values})
