"""What the images of a group are held against, read whole, so that it can be sent to a worker on another machine."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from compliance.errors import UsageError
from compliance.fleet.fleet_fields import NamedFile
from compliance.fleet.fleet_file import AUTO, Fleet, Group
from compliance.formats.user_file import FILE_SIZE_MAX, read_file
from compliance.model.evidence import Variant
from compliance.model.outcome import Severity
from compliance.model.reference import Platform

if TYPE_CHECKING:
    from compliance.ingest.layer_cache import LayerCache
    from compliance.ingest.limits import Limits
    from compliance.ingest.registry_options import RegistryOptions
    from compliance.model.outcome import Waiver
    from compliance.pipeline import Options
    from compliance.verify.trust_policy import TrustPolicy
    from controls.definitions import Definitions, GivenFile

_BESIDE_MAX: Final = 500
"""Files that one policy file names."""
_HINT: Final = "paths are relative to the folder of the file that names them"


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyFile:
    """A file as it was read: its name as written in the fleet, its bytes, and the files that it names itself."""

    name: str
    content: bytes = field(repr=False)
    beside: tuple[tuple[str, bytes], ...] = field(default=(), repr=False)

    def other(self, name: str, size_max: int) -> bytes:
        """The content of a file that this one names. Raises UsageError."""
        content = dict(self.beside).get(name)
        if content is None or len(content) > size_max:
            raise UsageError("a file that was not there when the run began", code="not-found", where=name)
        return content


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupPolicy:
    """Everything that an image is held against. Picklable: files are bytes.

    `digest` (``sha256:…``) covers all that decides an assessment but the image and the time, save what the time puts
    into or out of force. Policies of one group differ where its trust policy or its waivers tell images apart by their
    names: `about` is what they say of this policy's images.
    """

    digest: str
    platform: Platform | None
    profile: str | PolicyFile
    frameworks: tuple[str | PolicyFile, ...]
    checks: tuple[str | PolicyFile, ...]
    trust: PolicyFile | None
    waivers: tuple[tuple[PolicyFile, bytes | None], ...]
    fail_on: Severity
    about: tuple[str, ...] = ()

    def for_image(self, name: str) -> GroupPolicy:
        """The policy for the image that trust policies know by that `name` (`compliance.pipeline.policy_name`)."""
        about = _said_of(name, self.trust, self.waivers)
        return self if about == self.about else replace(self, digest=_digest(self.digest, *about), about=about)

    def for_platform(self, platform: Platform) -> GroupPolicy:
        """The policy for images of that platform."""
        return replace(self, digest=_digest(self.digest, str(platform)), platform=platform)

    def options(
        self,
        *,
        now: datetime,
        effective: datetime | None,
        cache: LayerCache | None,
        registry: RegistryOptions,
        limits: Limits,
    ) -> Options:
        """The options of one assessment under this policy. Raises PolicyError, UsageError for files that are wrong."""
        from compliance.pipeline import Options, Trust, WaiverFile

        policy = None if self.trust is None else _trust_policy(self.trust)
        return Options(
            platform=self.platform,
            variant=Variant(self.profile) if isinstance(self.profile, str) and self.profile != AUTO else None,
            definitions=_definitions(self.frameworks, self.checks, self.profile),
            waivers=tuple(
                WaiverFile(name=file.name, content=file.content, bundle=bundle) for file, bundle in self.waivers
            ),
            trust=Trust() if self.trust is None else Trust(policy=policy, policy_file=self.trust.name),
            fail_on=self.fail_on,
            now=now,
            effective=effective,
            limits=limits,
            cache=cache,
            registry=registry,
        )


def group_policy(fleet: Fleet, group: Group, effective: datetime) -> GroupPolicy:
    """The policy of `group` as of `effective`, before it is told which image it is for.

    Everything is read and understood here, so that a mistake ends the run before its first image.
    Raises PolicyError, UsageError for files that are wrong or missing.
    """
    from compliance.verify.file_signature import BUNDLE_SUFFIX

    bundles = [_bundle(file.path.with_name(file.path.name + BUNDLE_SUFFIX)) for file in group.waivers]
    checks = tuple(one if isinstance(one, str) else _read(one) for one in group.checks)
    policy = GroupPolicy(
        digest="",
        platform=None,
        profile=group.profile if isinstance(group.profile, str) else _read(group.profile),
        frameworks=_frameworks(group.frameworks, checks),
        checks=checks,
        trust=None if group.trust is None else _trust(group.trust),
        waivers=tuple((_read(file), bundle) for file, bundle in zip(group.waivers, bundles, strict=True)),
        fail_on=group.fail_on,
    )
    _demand_waivers(policy, effective)
    return replace(policy, digest=_digest(*_parts(policy, effective)))


def _demand_waivers(policy: GroupPolicy, effective: datetime) -> None:
    """Read the waivers as an assessment does, which also compares their ids and verifies who signed them."""
    if not policy.waivers:
        return
    from compliance.ingest.limits import DEFAULT_LIMITS
    from compliance.ingest.registry_options import RegistryOptions
    from compliance.pipeline import read_waiver_files

    read_waiver_files(
        policy.options(
            now=effective, effective=effective, cache=None, registry=RegistryOptions(), limits=DEFAULT_LIMITS
        )
    )


def _parts(policy: GroupPolicy, effective: datetime) -> list[str]:
    """Everything that the digest of a policy covers, each with what it is."""
    from compliance.pipeline import tool_version

    definitions = _definitions(policy.frameworks, policy.checks, policy.profile)
    parts = [
        f"tool {tool_version()}",
        f"controls {definitions.library.digest}",
        f"fail-on {policy.fail_on}",
        f"profile {policy.profile if isinstance(policy.profile, str) else ''}",
        *(f"framework {one}" for one in policy.frameworks if isinstance(one, str)),
        *(f"definition {file.role} {file.name} {file.sha256}" for file in definitions.files),
    ]
    if policy.trust is not None:
        trusted = _trust_policy(policy.trust)
        expired = trusted.expires is not None and effective >= trusted.expires
        parts += _file_parts("trust", policy.trust)
        parts.append(f"trust expired {expired}")
    for file, bundle in policy.waivers:
        parts += _file_parts("waivers", file)
        parts.append(f"waivers signed {'' if bundle is None else _sha256(bundle)}")
    return [*parts, *(f"waiver {waiver.id} {_force(waiver, effective)}" for waiver in _waivers(policy.waivers))]


def _file_parts(role: str, file: PolicyFile) -> list[str]:
    return [
        f"{role} {file.name} {_sha256(file.content)}",
        *(f"{role} beside {name} {_sha256(content)}" for name, content in file.beside),
    ]


def _force(waiver: Waiver, effective: datetime) -> str:
    if waiver.expires is not None and effective >= waiver.expires:
        return "expired"
    return "not-yet" if effective < waiver.created else "in-force"


def _said_of(
    name: str, trust: PolicyFile | None, waivers: tuple[tuple[PolicyFile, bytes | None], ...]
) -> tuple[str, ...]:
    """Which requirements are made of the image of that name, and which waivers may be about it."""
    from compliance.verify.image_pattern import names

    required = () if trust is None else _trust_policy(trust).requirements_for(name)
    waived = (
        waiver.id
        for waiver in _waivers(waivers)
        if waiver.images and any(names(pattern, name) for pattern in waiver.images)
    )
    return (*(f"requirement {requirement!r}" for _, requirement in required), *(f"waiver {one}" for one in waived))


@lru_cache(maxsize=64)
def _trust_policy(file: PolicyFile) -> TrustPolicy:
    from compliance.verify.trust_policy_file import read_policy

    return read_policy(file.name, file.content, file.other)


@lru_cache(maxsize=64)
def _waivers(files: tuple[tuple[PolicyFile, bytes | None], ...]) -> tuple[Waiver, ...]:
    """All waivers of the files, whoever signed them; the assessment looks at that."""
    from compliance.evaluate.waiver_file import read_waivers
    from compliance.verify.image_pattern import pattern_mistake

    return tuple(waiver for file, _ in files for waiver in read_waivers(file.name, file.content, pattern_mistake))


@lru_cache(maxsize=64)
def _definitions(
    frameworks: tuple[str | PolicyFile, ...], checks: tuple[str | PolicyFile, ...], profile: str | PolicyFile
) -> Definitions:
    from controls.definitions import define

    return define(
        frameworks=tuple(one if isinstance(one, str) else _given(one) for one in frameworks),
        checks=tuple(one if isinstance(one, str) else _given(one) for one in checks),
        profile=None if isinstance(profile, str) else _given(profile),
    )


def _given(file: PolicyFile) -> GivenFile:
    from controls.definitions import GivenFile

    return GivenFile(name=file.name, content=file.content, beside=file.other)


def _trust(named: NamedFile) -> PolicyFile:
    from compliance.verify.trust_policy_file import read_policy

    beside = _Beside(named.path.parent)
    content = _content(named.path, named.name, FILE_SIZE_MAX)
    read_policy(named.name, content, beside)
    return PolicyFile(name=named.name, content=content, beside=beside.found())


def _frameworks(
    given: tuple[str | NamedFile, ...], checks: tuple[str | PolicyFile, ...]
) -> tuple[str | PolicyFile, ...]:
    """Frameworks, those of the user's with the files that they name: reading them tells which those are."""
    from controls.definitions import GivenFile, define

    beside = {one: _Beside(one.path.parent) for one in given if isinstance(one, NamedFile)}
    files = {one: GivenFile(name=one.name, content=_read(one).content, beside=found) for one, found in beside.items()}
    define(
        frameworks=tuple(one if isinstance(one, str) else files[one] for one in given),
        checks=tuple(one if isinstance(one, str) else _given(one) for one in checks),
    )
    return tuple(
        one
        if isinstance(one, str)
        else PolicyFile(name=one.name, content=files[one].content, beside=beside[one].found())
        for one in given
    )


class _Beside:
    """Reads files that a policy file names, and remembers what it read."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: dict[str, bytes] = {}

    def __call__(self, name: str, size_max: int) -> bytes:
        if len(self._read) >= _BESIDE_MAX:
            raise UsageError(f"more than {_BESIDE_MAX} files", code="limit-exceeded", where=name)
        self._read[name] = _content(self._folder / name, name, size_max)
        return self._read[name]

    def found(self) -> tuple[tuple[str, bytes], ...]:
        return tuple(sorted(self._read.items()))


def _read(named: NamedFile) -> PolicyFile:
    return PolicyFile(name=named.name, content=_content(named.path, named.name, FILE_SIZE_MAX))


def _bundle(path: Path) -> bytes | None:
    return _content(path, path.name, FILE_SIZE_MAX) if path.exists() else None


def _content(path: Path, name: str, size_max: int) -> bytes:
    return read_file(path, "file", size_max, name=name, hint=_HINT)


def _digest(*parts: str) -> str:
    """Of texts, each with its length before it: no two lists have the same bytes."""
    digest = hashlib.sha256()
    for part in parts:
        content = part.encode()
        digest.update(f"{len(content)}:".encode() + content)
    return f"sha256:{digest.hexdigest()}"


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
