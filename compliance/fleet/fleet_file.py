"""Reading FLEET.yaml, strictly: which images are assessed, against what, when, and who hears of it.

The format is told in docs/fleet.md, and for editors in ``fleet.schema.json`` beside this file. Only the file itself is
read here: what it refers to is read when a run begins (`group_policy`, `resolve`).
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from compliance.errors import ComplianceError, PolicyError
from compliance.fleet.cron import parse_cron
from compliance.fleet.fleet_fields import (
    PATH_MAX,
    NamedFile,
    files,
    is_file,
    item_key,
    named_file,
    names_or_files,
    one_line,
    seconds,
    size,
)
from compliance.fleet.image_source import Source, read_sources
from compliance.fleet.notification import Notification, read_notifications
from compliance.formats.strict_yaml import SIZE_MAX, Section, read_section
from compliance.model.evidence import Variant
from compliance.model.outcome import Severity
from compliance.model.reference import Platform

CODE: Final = "fleet-invalid"
SCHEMA: Final = 1
AUTO: Final = "auto"
"""The profile that the image itself names."""

_GROUPS_MAX: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Images that somebody answers for (`owner`), and what they are held against.

    `profile`, and each of `frameworks` and `checks`, is the name of a shipped or installed one, or a file.
    Each image is assessed for each of `platforms`; without any, for the default one.
    """

    name: str
    owner: str
    sources: tuple[Source, ...]
    platforms: tuple[Platform, ...] = ()
    profile: str | NamedFile = "auto"
    frameworks: tuple[str | NamedFile, ...] = ()
    checks: tuple[str | NamedFile, ...] = ()
    trust: NamedFile | None = None
    waivers: tuple[NamedFile, ...] = ()
    fail_on: Severity = Severity.HIGH


@dataclass(frozen=True, slots=True, kw_only=True)
class RunLimits:
    """What one image may take, and how often it is tried. `jobs` images at a time; None: as many as there are cores.

    An assessment that is not older than `reuse_seconds`, of the same image under the same policy, is not made again.
    """

    jobs: int | None = None
    image_seconds: float = 1800.0
    image_bytes: int = 4 * 2**30
    attempts: int = 3
    reuse_seconds: float = 7 * 86400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """When runs begin: a cron expression (`parse_cron`), in an IANA time zone, later by up to `jitter_seconds`.

    `cron` has weekdays as names (``sun``), whatever was written: schedulers count them from different days.
    """

    cron: str
    timezone: str = "UTC"
    jitter_seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """FLEET.yaml. `digest` (``sha256:…``) is that of its bytes; paths of files in it are relative to its folder.

    `store` and `blobs` are URLs or absolute paths, None where the file says nothing of them.
    """

    name: str
    path: Path
    digest: str
    groups: tuple[Group, ...]
    limits: RunLimits = RunLimits()
    schedule: Schedule | None = None
    notify: tuple[Notification, ...] = ()
    store: str | None = None
    blobs: str | None = None


def read_fleet(path: Path) -> Fleet:
    """The fleet in the file at `path`. Raises PolicyError (``fleet-invalid``) naming file, line and field."""
    try:
        with path.open("rb") as stream:
            content = stream.read(SIZE_MAX + 1)
    except OSError as error:
        raise PolicyError(
            f"can't read the fleet file: {error.strerror}", code="not-found", where=str(path), hint="name a FLEET.yaml"
        ) from None
    top = read_section(str(path), content, CODE)
    top.only("schema", "name", "store", "blobs", "limits", "schedule", "notify", "groups")
    if type(top.values.get("schema")) is not int or top.values["schema"] != SCHEMA:
        raise top.error(f"must be {SCHEMA}", "schema", hint=f"begin the file with schema: {SCHEMA}")
    folder = path.absolute().parent
    groups = top.named_sections("groups")
    if len(groups) > _GROUPS_MAX:
        raise top.error(f"more than {_GROUPS_MAX} groups", "groups", hint="split the fleet")
    return Fleet(
        name=top.word("name"),
        path=path,
        digest=f"sha256:{hashlib.sha256(content).hexdigest()}",
        groups=tuple(_group(top, name, section, folder) for name, section in groups.items()),
        limits=_limits(top.section("limits")) if top.has("limits") else RunLimits(),
        schedule=_schedule(top.section("schedule")) if top.has("schedule") else None,
        notify=tuple(read_notifications(top, folder)) if top.has("notify") else (),
        store=_place(top, "store", folder) if top.has("store") else None,
        blobs=_place(top, "blobs", folder) if top.has("blobs") else None,
    )


def _group(top: Section, name: str, section: Section, folder: Path) -> Group:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", name):
        raise top.error(f"{name!r} is no name of a group", "groups", hint="use letters, digits, dots and dashes")
    section.only(
        "owner", "images", "files", "kubernetes", "catalogs", "platforms", "profile", "frameworks", "checks", "trust",
        "waivers", "fail-on",
    )  # fmt: skip
    return Group(
        name=name,
        owner=one_line(section, "owner"),
        sources=read_sources(section, folder),
        platforms=_platforms(section) if section.has("platforms") else (),
        profile=_profile(section, folder) if section.has("profile") else AUTO,
        frameworks=names_or_files(section, "frameworks", folder),
        checks=names_or_files(section, "checks", folder),
        trust=named_file(section, "trust", section.text("trust"), folder) if section.has("trust") else None,
        waivers=files(section, "waivers", folder),
        fail_on=(
            section.choice("fail-on", {str(severity): severity for severity in Severity})
            if section.has("fail-on")
            else Severity.HIGH
        ),
    )


def _platforms(section: Section) -> tuple[Platform, ...]:
    found: dict[Platform, None] = {}
    for index, text in enumerate(section.text_or_texts("platforms")):
        key = item_key(section, "platforms", index)
        try:
            platform = Platform.parse(text)
        except ComplianceError as error:
            raise section.error(error.message, key, hint=error.hint) from None
        if not re.fullmatch(r"[a-z0-9][a-z0-9./-]{0,60}", text) or platform in found:
            raise section.error(f"{text!r} is no platform, or is there twice", key, hint="write e.g. linux/arm64")
        found[platform] = None
    return tuple(found)


def _profile(section: Section, folder: Path) -> str | NamedFile:
    text = section.text("profile")
    if is_file(text):
        return named_file(section, "profile", text, folder)
    return section.known("profile", (AUTO, *(str(variant) for variant in Variant)), "a profile")


def _limits(section: Section) -> RunLimits:
    section.only("jobs", "time", "memory", "attempts", "reuse")
    default = RunLimits()
    return RunLimits(
        jobs=section.number("jobs", 1, 4096) if section.has("jobs") else None,
        image_seconds=seconds(section, "time", 1) if section.has("time") else default.image_seconds,
        image_bytes=size(section, "memory", 256 * 2**20) if section.has("memory") else default.image_bytes,
        attempts=section.number("attempts", 1, 20) if section.has("attempts") else default.attempts,
        reuse_seconds=seconds(section, "reuse", 0) if section.has("reuse") else default.reuse_seconds,
    )


def _schedule(section: Section) -> Schedule:
    section.only("cron", "timezone", "jitter")
    try:
        cron = str(parse_cron(section.text("cron")))
    except ValueError as error:
        raise section.error(f"not a cron expression: {error}", "cron", hint='write e.g. "30 2 * * *"') from None
    return Schedule(
        cron=cron,
        timezone=_timezone(section) if section.has("timezone") else "UTC",
        jitter_seconds=seconds(section, "jitter", 0) if section.has("jitter") else 0.0,
    )


def _timezone(section: Section) -> str:
    from zoneinfo import available_timezones

    return section.known("timezone", sorted(available_timezones()), "a time zone")


def _place(section: Section, key: str, folder: Path) -> str:
    """A URL, or a path from the file's folder. A password is not repeated, and stands elsewhere."""
    text = section.text(key)
    if "://" not in text:
        return str(named_file(section, key, text, folder).path)
    try:
        parts = urlsplit(text)
        secret = parts.password is not None or "password=" in parts.query.lower()
    except ValueError:
        raise section.error("not a URL", key, hint="write KIND://HOST/NAME, or a path") from None
    if secret:
        raise section.error(
            "a password stands in the file",
            key,
            hint="take it from where the server's client does (PGPASSWORD, ~/.pgpass), or set HULLMARK_FLEET_STORE",
        )
    if len(text) > PATH_MAX or not text.isprintable():
        raise section.error("not a URL", key, hint="write KIND://HOST/NAME, or a path")
    return text
