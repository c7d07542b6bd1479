"""What names images in a fleet file: references, lists of them, Kubernetes objects, catalogues of registries."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from compliance.errors import ComplianceError
from compliance.fleet.fleet_fields import NamedFile, files, item_key, place_of
from compliance.fleet.image_reference import image_reference
from compliance.formats.globs import translate
from compliance.formats.semver import parse_range
from compliance.formats.strict_yaml import Section
from compliance.ingest.registry_name import parse_name, split_target
from compliance.model.reference import is_digest

_CATALOGS_MAX: Final = 200
_IMAGES_MAX: Final = 100_000
_PATTERNS_MAX: Final = 200
_PATTERN_LENGTH_MAX: Final = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageSource:
    """One image reference, written in the file itself. `where` is its place there: ``groups.web.images[0]``."""

    where: str
    reference: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ListSource:
    """A file with one image reference a line."""

    where: str
    file: NamedFile


@dataclass(frozen=True, slots=True, kw_only=True)
class KubernetesSource:
    """Kubernetes manifests, or what ``kubectl get pods -o json`` printed."""

    where: str
    file: NamedFile


@dataclass(frozen=True, slots=True, kw_only=True)
class TagRule:
    """Which tags of a repository are meant. Without any rule: all of them.

    `include` and `exclude` are globs; `semver` is a range, and then only whole versions (``1.2.3``, ``v1.2.3``) count;
    `newest` keeps so many of the highest by `order` (``semver``, ``natural``); `digests` are meant instead of tags.
    """

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    semver: str | None = None
    prereleases: bool = False
    newest: int | None = None
    order: str | None = None
    digests: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogSource:
    """Repositories of one registry: those that `include` names and `exclude` does not (globs), and their tags."""

    where: str
    host: str
    include: tuple[str, ...]
    exclude: tuple[str, ...] = ()
    tags: TagRule = TagRule()


Source: TypeAlias = ImageSource | ListSource | KubernetesSource | CatalogSource


def read_sources(section: Section, folder: Path) -> tuple[Source, ...]:
    """Whatever names images in the section of a group. Raises PolicyError."""
    found: tuple[Source, ...] = (
        *_images(section),
        *(ListSource(where=where, file=file) for where, file in _placed(section, "files", folder)),
        *(KubernetesSource(where=where, file=file) for where, file in _placed(section, "kubernetes", folder)),
        *_catalogs(section),
    )
    if not found:
        raise section.error(
            "names no images", hint="add images, files, kubernetes or catalogs: an empty group would prove nothing"
        )
    return found


def _images(section: Section) -> Iterator[ImageSource]:
    images = section.text_or_texts("images") if section.has("images") else ()
    if len(images) > _IMAGES_MAX:
        raise section.error(f"more than {_IMAGES_MAX} images", "images", hint="list them in a file, under files")
    for index, text in enumerate(images):
        key = item_key(section, "images", index)
        try:
            image_reference(text)
        except ComplianceError as error:
            raise section.error(error.message, key, hint=error.hint or "write HOST/NAME:TAG") from None
        yield ImageSource(where=place_of(section, key), reference=text)


def _placed(section: Section, key: str, folder: Path) -> tuple[tuple[str, NamedFile], ...]:
    return tuple(
        (place_of(section, item_key(section, key, index)), file)
        for index, file in enumerate(files(section, key, folder))
    )


def _catalogs(section: Section) -> Iterator[CatalogSource]:
    catalogs = section.sections("catalogs") if section.has("catalogs") else ()
    if len(catalogs) > _CATALOGS_MAX:
        raise section.error(f"more than {_CATALOGS_MAX} catalogues", "catalogs")
    for catalog in catalogs:
        catalog.only("host", "include", "exclude", "tags")
        include = _patterns(catalog, "include", slashes=True)
        yield CatalogSource(
            where=catalog.path,
            host=_host(catalog),
            include=include,
            exclude=_patterns(catalog, "exclude", slashes=True) if catalog.has("exclude") else (),
            tags=_tags(catalog.section("tags"), include) if catalog.has("tags") else TagRule(),
        )


def _host(catalog: Section) -> str:
    host = catalog.text("host")
    try:
        if split_target(parse_name(f"{host}/a/b").target)[0] == host:
            return host
    except ComplianceError:
        pass
    raise catalog.error(f"{host!r} is no registry", "host", hint="write HOST or HOST:PORT, without a scheme or path")


def _tags(section: Section, include: tuple[str, ...]) -> TagRule:
    section.only("include", "exclude", "semver", "prereleases", "newest", "order", "digests")
    if not section.values:
        raise section.error("says nothing", hint="leave tags out: then all of them are meant")
    if section.has("digests"):
        return _digests(section, include)
    if section.has("newest") is not section.has("order"):
        raise section.error(
            "newest and order go together",
            "newest" if section.has("newest") else "order",
            hint="write how tags are ordered: order: semver, or natural",
        )
    semver = _range(section) if section.has("semver") else None
    order = section.choice("order", {"semver": "semver", "natural": "natural"}) if section.has("order") else None
    if section.has("prereleases") and semver is None and order != "semver":
        raise section.error("goes with versions only", "prereleases", hint="add semver, or order: semver")
    return TagRule(
        include=_patterns(section, "include", slashes=False) if section.has("include") else (),
        exclude=_patterns(section, "exclude", slashes=False) if section.has("exclude") else (),
        semver=semver,
        prereleases=section.has("prereleases") and section.flag("prereleases"),
        newest=section.number("newest", 1, 10_000) if section.has("newest") else None,
        order=order,
    )


def _digests(section: Section, include: tuple[str, ...]) -> TagRule:
    others = [key for key in section.values if key != "digests"]
    if others:
        raise section.error("digests stand alone: they name images, not tags", others[0], hint="take it out")
    if len(include) != 1 or is_pattern(include[0]):
        raise section.error(
            "a digest lies in one repository", "digests", hint="name that repository under include, without wildcards"
        )
    digests = section.text_or_texts("digests")
    for index, digest in enumerate(digests):
        if not is_digest(digest):
            key = item_key(section, "digests", index)
            raise section.error(f"{digest!r} is not a digest", key, hint="write sha256: and 64 hex digits")
    return TagRule(digests=digests)


def _range(section: Section) -> str:
    text = section.text("semver")
    try:
        parse_range(text)
    except ValueError as error:
        raise section.error(f"not a range of versions: {error}", "semver", hint='write e.g. ">=1.4 <2"') from None
    return text


def _patterns(section: Section, key: str, *, slashes: bool) -> tuple[str, ...]:
    """Globs of repositories, in which a star stays between slashes, or of tags, which have none."""
    patterns = section.text_or_texts(key)
    if len(patterns) > _PATTERNS_MAX:
        raise section.error(f"more than {_PATTERNS_MAX} patterns", key)
    for index, pattern in enumerate(patterns):
        wrong = _pattern_mistake(pattern, slashes)
        if wrong:
            hint = "write e.g. team/**" if slashes else "write e.g. v1.*"
            raise section.error(f"{pattern!r}: {wrong}", item_key(section, key, index), hint=hint)
    return patterns


def _pattern_mistake(pattern: str, slashes: bool) -> str | None:
    if len(pattern) > _PATTERN_LENGTH_MAX:
        return f"more than {_PATTERN_LENGTH_MAX} characters"
    if not pattern.isprintable() or " " in pattern:
        return "no name has such characters"
    if "/" in pattern and not slashes:
        return "a tag has no slash"
    if pattern.startswith("/") or pattern.endswith("/"):
        return "a repository neither begins nor ends with a slash"
    try:
        re.compile(translate(pattern))
    except re.error as error:
        return f"not a glob: {error}"
    return None


def is_pattern(text: str) -> bool:
    """Whether `text` may name more than one repository."""
    return any(mark in text for mark in "*?[{")
