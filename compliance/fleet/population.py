"""From a fleet to its population: every reference that it leads to, resolved to digests once, at one time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

from compliance.errors import ComplianceError, LimitError
from compliance.fleet.concurrently import concurrently
from compliance.fleet.digest_lookup import DigestLookup, Found
from compliance.fleet.fleet_file import Fleet, Group
from compliance.fleet.group_policy import GroupPolicy, group_policy
from compliance.fleet.image_reference import located
from compliance.fleet.named_images import NamedImage, named_images
from compliance.formats.plain_text import plain_text
from compliance.model.fleet import Item, Member
from compliance.model.reference import ImageReference, Platform

if TYPE_CHECKING:
    from compliance.ingest.registry_options import RegistryOptions
    from compliance.pipeline import Watcher

MEMBERS_MAX: Final = 2_000_000
"""References of a fleet: twice the largest that the arithmetic of docs/fleet.md is made for."""
_REASON_MAX: Final = 500

_Question: TypeAlias = tuple[ImageReference, Platform | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Population:
    """`members` in the order of group, reference, origin; `items` in that of digest, policy; `policies` by digest."""

    members: tuple[Member, ...]
    items: tuple[Item, ...]
    policies: Mapping[str, GroupPolicy]


def resolve(
    fleet: Fleet, *, effective: datetime, registry: RegistryOptions, watcher: Watcher | None = None
) -> Population:
    """The population of `fleet` now. What can't be resolved is a member with a reason, and the rest goes on.

    Each image is asked for once, however many name it, and so a tag that moves meanwhile means one image to all.
    Raises PolicyError, UsageError for a policy that is wrong: that is no matter of one image. LimitError for a fleet
    of more than MEMBERS_MAX.
    """
    from compliance.pipeline import Stage, Watcher

    watcher = watcher or Watcher()
    policies = {group.name: group_policy(fleet, group, effective) for group in fleet.groups}
    lookup = DigestLookup(fleet.path.absolute().parent, registry)
    try:
        watcher.stage(Stage(name="listing images"))
        named = named_images([source for group in fleet.groups for source in group.sources], lookup)
        references = [
            _Reference(group=group, platform=platform, image=image)
            for group in fleet.groups
            for source in group.sources
            for image in named[source.where]
            for platform in group.platforms or (None,)
        ]
        if len(references) > MEMBERS_MAX:
            raise LimitError(f"more than {MEMBERS_MAX} references", code="limit-exceeded", where=str(fleet.path))
        questions = list(dict.fromkeys(question for one in references if (question := one.question) is not None))
        watcher.stage(Stage(name="resolving images", total=len(questions)))
        answers = concurrently(lambda question: _found(question, lookup), questions, watcher.advance)
        running = list(dict.fromkeys(pair for one in references if (pair := one.image.running) is not None))
        notes = concurrently(lambda pair: _moved(*pair, lookup), running)
    finally:
        lookup.close()
    settled = _Settled(
        folder=fleet.path.absolute().parent,
        policies=policies,
        found=dict(zip(questions, answers, strict=True)),
        notes=dict(zip(running, notes, strict=True)),
    )
    return _population(settled.member(one) for one in references)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reference:
    """What a group named, for one of its platforms."""

    group: Group
    platform: Platform | None
    image: NamedImage

    @property
    def question(self) -> _Question | None:
        return None if self.image.reference is None else (self.image.reference, self.platform)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Resolved:
    """A member, its policy, and the reference that leads to its image for good, if there is one."""

    member: Member
    policy: GroupPolicy
    pinned: ImageReference | None
    through_index: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Settled:
    """All answers, and how members are made of them."""

    folder: Path
    policies: Mapping[str, GroupPolicy]
    found: Mapping[_Question, Found | str]
    notes: Mapping[tuple[ImageReference, str], str]

    def member(self, one: _Reference) -> _Resolved:
        """The member that `one` is."""
        from compliance.pipeline import policy_name

        found: Found | str | None = None if one.question is None else self.found[one.question]
        policy = self.policies[one.group.name]
        if one.platform is not None:
            policy = policy.for_platform(one.platform)
        pinned = None
        if one.image.reference is not None:
            place = located(one.image.reference, self.folder)
            policy = policy.for_image(policy_name(place))
            pinned = replace(place, digest=found.index or found.digest) if isinstance(found, Found) else None
        member = Member(
            group=one.group.name,
            owner=one.group.owner,
            reference=one.image.text,
            origin=one.image.origin + ("" if one.image.running is None else self.notes[one.image.running]),
            policy=policy.digest,
            platform=None if one.platform is None else str(one.platform),
            digest=found.digest if isinstance(found, Found) else None,
            reason=one.image.reason if found is None else found if isinstance(found, str) else None,
        )
        return _Resolved(
            member=member,
            policy=policy,
            pinned=pinned,
            through_index=isinstance(found, Found) and found.index is not None,
        )


def _found(question: _Question, lookup: DigestLookup) -> Found | str:
    """The image, or why there is none."""
    try:
        return lookup.image(*question)
    except ComplianceError as error:
        return plain_text(str(error), _REASON_MAX)
    except Exception as error:  # noqa: BLE001 - a fault of ours over one image is no end of the run
        return plain_text(f"internal error: {type(error).__name__}: {error}", _REASON_MAX)


def _moved(reference: ImageReference, running: str, lookup: DigestLookup) -> str:
    """What is to be noted of a container that runs the digest `running`: nothing, if its `reference` names it still."""
    if reference.digest is not None:
        return "" if reference.digest == running else f"; its specification names {reference.digest}"
    try:
        named = lookup.named(reference)
        if lookup.lists(reference, named, running):
            return ""
    except ComplianceError as error:
        return f"; its tag {reference.tag} can't be compared: {plain_text(error.message, 200)}"
    return f"; its tag {reference.tag} names {named.digest} now"


def _population(resolved: Iterable[_Resolved]) -> Population:
    """In the order of group, reference, origin. An item is reached through an index where any reference goes through
    one: what signs the index is found from there alone.
    """
    ordered = sorted(
        resolved,
        key=lambda one: (one.member.group, one.member.reference, one.member.origin, one.member.platform or ""),
    )
    items: dict[tuple[str, str], Item] = {}
    for one in sorted(ordered, key=lambda one: not one.through_index):
        if one.pinned is not None and one.member.digest is not None:
            item = Item(digest=one.member.digest, policy=one.member.policy, reference=str(one.pinned))
            items.setdefault(item.key, item)
    return Population(
        members=tuple(one.member for one in ordered),
        items=tuple(items[key] for key in sorted(items)),
        policies={one.member.policy: one.policy for one in ordered},
    )
