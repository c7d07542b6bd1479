"""The trust policy: who may sign what about which images, and what must be signed. Values and judgement, no files.

All rules that name the image apply. A requirement holds when one verified piece of evidence fits it, so that taking
evidence away can never make one hold.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from compliance.errors import FormatError, PolicyError
from compliance.formats.plain_text import plain_text
from compliance.formats.public_key import PublicKey, key_id
from compliance.model.verification import (
    Attestation,
    PolicyAnswer,
    PolicyState,
    RequirementAnswer,
    Signature,
    Signer,
    Verdict,
    Verification,
)
from compliance.verify.build_origin import build_origin
from compliance.verify.image_pattern import fits, names

CODE = "policy-invalid"
_REASONS_MAX = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustedSigner:
    """Somebody whom the policy trusts, under the policy's `name` for them: the holder of `key`, or an identity.

    An identity and its issuer are exact, or regular expressions that must match the whole. What they sign is checked
    with `trusted_root`, None for that of Sigstore's public instance: an identity is worth what its authority is.
    """

    name: str
    key: PublicKey | None = None
    identity: str | None = None
    identity_regexp: str | None = None
    issuer: str | None = None
    issuer_regexp: str | None = None
    trusted_root: bytes | None = field(default=None, repr=False)
    log_required: bool = True

    def accepts(self, signer: Signer) -> bool:
        """Whether the verified `signer` is this one."""
        if self.key is not None:
            return signer.key_id == key_id(self.key)
        return _is(signer.identity, self.identity, self.identity_regexp) and _is(
            signer.issuer, self.issuer, self.issuer_regexp
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """One signature or attestation of the kinds `what`, by one of `signers`. Never without a signer.

    For provenance: built by one of `builders` and from one of `sources`, both globs, both without bound if empty.
    """

    what: tuple[str, ...]
    signers: tuple[str, ...]
    builders: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What is required of the images that one of the patterns names. See `names` for patterns."""

    images: tuple[str, ...]
    requirements: tuple[Requirement, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustPolicy:
    """A whole policy. `digest` is that of its bytes, `files` are (name, digest) of the files it refers to."""

    digest: str
    files: tuple[tuple[str, str], ...]
    expires: datetime | None
    signers: Mapping[str, TrustedSigner]
    rules: tuple[Rule, ...]

    def demand_current(self, file: str, now: datetime) -> None:
        """Raise PolicyError if the policy has expired at `now`: what it said then may be said no more."""
        if self.expires is not None and now >= self.expires:
            raise PolicyError(
                f"the trust policy expired at {self.expires:%Y-%m-%dT%H:%M:%SZ}",
                code="policy-expired",
                where=file,
                hint="review it, and give it a later date under expires",
            )

    def about(self, beginning: str) -> TrustPolicy:
        """The policy with only those of its rules whose patterns begin so: rules for all images are not for files."""
        rules = (
            replace(rule, images=tuple(pattern for pattern in rule.images if pattern.startswith(beginning)))
            for rule in self.rules
        )
        return replace(self, rules=tuple(rule for rule in rules if rule.images))

    def requirements_for(self, image: str) -> tuple[tuple[str, Requirement], ...]:
        """Every requirement on the image of that name, each with the pattern that named it."""
        found: list[tuple[str, Requirement]] = []
        for rule in self.rules:
            pattern = next((pattern for pattern in rule.images if names(pattern, image)), None)
            if pattern is not None:
                found += [(pattern, requirement) for requirement in rule.requirements]
        return tuple(found)

    def signers_for(self, image: str) -> Mapping[str, tuple[TrustedSigner, ...]]:
        """For each kind that is required of that image, whom the requirements on it accept."""
        named: dict[str, dict[str, TrustedSigner]] = {}
        for _, requirement in self.requirements_for(image):
            for what in requirement.what:
                named.setdefault(what, {}).update({name: self.signers[name] for name in requirement.signers})
        return {what: tuple(signers.values()) for what, signers in named.items()}


def judge(policy: TrustPolicy, image: str, found: Verification) -> PolicyAnswer:
    """What `policy` says about the image of that name, of which `found` was verified with its signers."""
    items: tuple[Signature | Attestation, ...] = (*found.signatures, *found.attestations)
    answers = tuple(
        _answer(pattern, requirement, items, found) for pattern, requirement in policy.requirements_for(image)
    )
    state, reason = _together(answers, any(item.verdict is not Verdict.UNSIGNED for item in items), image)
    return PolicyAnswer(
        digest=policy.digest,
        files=policy.files,
        image=plain_text(image, 400),
        expires=None if policy.expires is None else f"{policy.expires:%Y-%m-%dT%H:%M:%SZ}",
        state=state,
        reason=reason,
        requirements=answers,
    )


def together(states: Iterable[PolicyState], *, material: bool) -> PolicyState:
    """The state of all: held only when all are, and there is one.

    Where there is signed `material` but nothing that is required is held, it is not held rather than undetermined:
    whoever signed, it is not who should have.
    """
    found = tuple(states)
    if found and all(state is PolicyState.HELD for state in found):
        return PolicyState.HELD
    if PolicyState.NOT_HELD in found or (found and material and PolicyState.HELD not in found):
        return PolicyState.NOT_HELD
    return PolicyState.UNDETERMINED


def _together(answers: tuple[RequirementAnswer, ...], material: bool, image: str) -> tuple[PolicyState, str]:
    if not answers:
        return PolicyState.UNDETERMINED, f"the policy has no rule for {plain_text(image, 400)}"
    states = [answer.state for answer in answers]
    held = states.count(PolicyState.HELD)
    return together(states, material=material), f"{held} of {len(answers)} requirements held"


def _answer(
    pattern: str, requirement: Requirement, items: Iterable[Signature | Attestation], found: Verification
) -> RequirementAnswer:
    weighed = [item for item in items if item.what in requirement.what and item.verdict is not Verdict.UNSIGNED]
    objections = [(item, _objection(item, requirement)) for item in weighed]
    holding = [item for item, objection in objections if objection is None]
    if holding:
        state, reason = PolicyState.HELD, "; ".join(dict.fromkeys(item.reason for item in holding))
    elif any(item.verdict is not Verdict.UNCHECKED for item in weighed):
        state, reason = PolicyState.NOT_HELD, _joined(objection for _, objection in objections if objection)
    elif weighed:
        state, reason = PolicyState.UNDETERMINED, _joined(item.reason for item in weighed)
    else:
        state, reason = PolicyState.UNDETERMINED, _missing(requirement, found)
    return RequirementAnswer(
        images=pattern,
        what=requirement.what,
        signers=requirement.signers,
        builders=requirement.builders,
        sources=requirement.sources,
        state=state,
        reason=reason,
        materials=tuple(dict.fromkeys(item.material for item in holding or weighed)),
    )


def _objection(item: Signature | Attestation, requirement: Requirement) -> str | None:
    """Why `item` does not hold the requirement; None where it does."""
    if item.verdict is not Verdict.VERIFIED:
        return item.reason
    if set(requirement.signers).isdisjoint(item.accepted_as):
        return f"{item.reason}, who is not accepted for this"
    if not (requirement.builders or requirement.sources):
        return None
    return _origin_objection(item, requirement)


def _origin_objection(item: Signature | Attestation, requirement: Requirement) -> str | None:
    if not isinstance(item, Attestation):
        return "a signature says nothing of a build"
    try:
        origin = build_origin(item.statement)
    except FormatError as error:
        return f"its provenance can't be read: {error}"
    if requirement.builders and not _any_fits(origin.builder, requirement.builders):
        return f"built by {plain_text(origin.builder, 200) or 'a builder without a name'}, which is not accepted"
    if requirement.sources and not origin.sources:
        return "its provenance names no source repository in a form that is known here"
    strange = next((source for source in origin.sources if not _any_fits(source, requirement.sources)), None)
    if requirement.sources and strange is not None:
        return f"built from {plain_text(strange, 200)}, which is not accepted"
    return None


def _missing(requirement: Requirement, found: Verification) -> str:
    reason = f"no {' or '.join(requirement.what)} lies with the image"
    if any(item.verdict is Verdict.UNSIGNED and item.what in requirement.what for item in found.attestations):
        reason += "; one is there that nobody signed"
    return reason + ("; some of what lies there can't be read" if found.unreadable else "")


def _joined(reasons: Iterable[str]) -> str:
    each = list(dict.fromkeys(reasons))
    more = len(each) - _REASONS_MAX
    return "; ".join(each[:_REASONS_MAX]) + (f"; and {more} more" if more > 0 else "")


def _any_fits(text: str, globs: Iterable[str]) -> bool:
    return ".." not in text.split("/") and any(fits(text, glob) for glob in globs)


def _is(value: str | None, exact: str | None, regexp: str | None) -> bool:
    if value is None or (exact is None and regexp is None):
        return False
    return (exact is None or value == exact) and (regexp is None or re.fullmatch(regexp, value) is not None)
