"""Assess an image, or open it, with what the command line takes under the same names."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from os import fspath
from typing import TYPE_CHECKING

from compliance.api.given import file_or_name, given_file, is_path
from compliance.api.trust import FilePath, Trust, read_trust
from compliance.errors import UsageError

if TYPE_CHECKING:
    from compliance.api.assessment import Assessment
    from compliance.api.opened_image import OpenedImage
    from compliance.model.evidence import Variant
    from compliance.model.outcome import Severity
    from compliance.pipeline import Options
    from controls.definitions import Definitions


def assess(
    image: str,
    *,
    profile: FilePath = "auto",
    frameworks: Iterable[FilePath] = (),
    checks: Iterable[FilePath] = (),
    fail_on: str = "high",
    waivers: Iterable[FilePath] = (),
    scans: Iterable[FilePath] = (),
    baseline: str | None = None,
    approved_bases: Iterable[str] = (),
    trust: FilePath | Trust | None = None,
    platform: str | None = None,
    effective_time: datetime | str | None = None,
    offline: bool = False,
    cache: bool = True,
) -> Assessment:
    """Everything about one image: what ``hullmark assess`` does, with its flags as arguments.

    Network is used only for an image in a registry, and not at all when `offline`. Without `trust`, which is the path
    of a trust policy or names one signer, nobody is trusted and no signature is verified. `profile` is auto, runtime,
    dev, sdk or a file; `frameworks` are ids and files, none of them meaning every shipped one; `checks` are files, or
    names of plugins, which are programs that run with your rights. `effective_time` (RFC 3339 with an offset, or an
    aware datetime) is the time in every output, at which waivers and signatures are judged; the default is now.
    `cache` keeps what was read of each layer for the next time.

    Raises ComplianceError, in one line that says what, where and what to do.
    """
    from dataclasses import replace

    from compliance import pipeline
    from compliance.api.assessment import Assessment
    from compliance.api.given import supplied_reports, waiver_files

    variant, definitions = _definitions(fspath(profile), frameworks, checks)
    options = replace(
        reading_options(trust, platform=platform, effective_time=effective_time, offline=offline, cache=cache),
        variant=variant,
        definitions=definitions,
        waivers=waiver_files(fspath(path) for path in waivers),
        supplied=supplied_reports(fspath(path) for path in scans),
        baseline=baseline,
        approved_bases=tuple(approved_bases),
        fail_on=_severity(fail_on),
    )
    return Assessment.of(pipeline.assess(image, options))


def open_image(
    image: str,
    *,
    trust: FilePath | Trust | None = None,
    platform: str | None = None,
    effective_time: datetime | str | None = None,
    offline: bool = False,
    cache: bool = True,
) -> OpenedImage:
    """An image without its layers: manifest, config and what is attached, each held against its digest.

    Its layers are read when its inventory is first asked for, its signatures are verified when they are. The arguments
    are those of `assess`. Raises ComplianceError.
    """
    from compliance import pipeline
    from compliance.api.opened_image import OpenedImage

    options = reading_options(trust, platform=platform, effective_time=effective_time, offline=offline, cache=cache)
    return OpenedImage(pipeline.open_image(image, options), options)


def reading_options(
    trust: FilePath | Trust | None = None,
    *,
    platform: str | None = None,
    effective_time: datetime | str | None = None,
    offline: bool = False,
    cache: bool = True,
) -> Options:
    """How images are read and signatures are judged, the clock read once. Raises UsageError, PolicyError."""
    from compliance.ingest.layer_cache import default_cache
    from compliance.ingest.registry_options import RegistryOptions
    from compliance.model.reference import Platform
    from compliance.pipeline import Options

    return Options(
        platform=None if platform is None else Platform.parse(platform),
        trust=read_trust(trust),
        now=datetime.now(UTC).replace(microsecond=0),
        effective=None if effective_time is None else _moment(effective_time),
        registry=RegistryOptions(offline=offline),
        cache=default_cache() if cache else None,
    )


def _moment(given: datetime | str) -> datetime:
    """An aware time in UTC. Raises UsageError for one without offset, which would be a guess."""
    try:
        moment = datetime.fromisoformat(given) if isinstance(given, str) else given
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise UsageError(
            f"not a time with an offset: {str(given)!r:.60}",
            code="time-invalid",
            where="effective_time",
            hint="write e.g. 2026-11-01T00:00:00Z",
        )
    return moment.astimezone(UTC).replace(microsecond=0)


def _definitions(
    profile: str, frameworks: Iterable[FilePath], checks: Iterable[FilePath]
) -> tuple[Variant | None, Definitions]:
    from compliance.model.evidence import Variant
    from controls.definitions import define

    variant = Variant(profile) if profile in tuple(Variant) else None
    own = variant is None and profile != "auto"
    if own and not is_path(profile):
        raise UsageError(
            f"no such profile: {profile}", code="profile-unknown", hint="auto, runtime, dev, sdk, or the path of a file"
        )
    return variant, define(
        frameworks=tuple(file_or_name(fspath(one), "framework") for one in frameworks),
        checks=tuple(file_or_name(fspath(one), "checks") for one in checks),
        profile=given_file(profile, "profile") if own else None,
    )


def _severity(word: str) -> Severity:
    from compliance.model.outcome import Severity

    try:
        return Severity.parse(word)
    except KeyError:
        raise UsageError(
            f"no such severity: {word}", code="severity-unknown", hint="low, medium, high or critical"
        ) from None
