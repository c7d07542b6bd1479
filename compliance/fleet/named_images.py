"""Every image that the sources of a fleet name, each with what named it; what names none is told as well.

A source that leads to nothing is no empty success: a list that a failed command left empty, a catalogue that could not
be asked, and a line that is no reference all stay in the population, with the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, TypeAlias

from compliance.errors import ComplianceError, SourceError
from compliance.fleet.concurrently import concurrently
from compliance.fleet.fleet_fields import NamedFile
from compliance.fleet.image_reference import image_reference
from compliance.fleet.image_source import (
    CatalogSource,
    ImageSource,
    KubernetesSource,
    ListSource,
    Source,
    is_pattern,
)
from compliance.fleet.tag_choice import chosen_repositories, chosen_tags
from compliance.formats.kubernetes import FILE_MAX, WorkloadImage, workload_images
from compliance.formats.plain_text import decode, plain_text
from compliance.ingest.registry_name import is_repository, is_tag, parse_name
from compliance.model.reference import ImageReference, Scheme

if TYPE_CHECKING:
    from compliance.fleet.digest_lookup import DigestLookup

LIST_MAX: Final = 64 * 2**20
"""Bytes of a list: a line of a hundred characters for each of 600,000 images."""
LINES_MAX: Final = 1_000_000
_TEXT_MAX: Final = 400

_Answer: TypeAlias = tuple[str, ...] | str
"""What a registry lists, or why it does not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedImage:
    """What a source named: an image by its `reference`, or in its place the `reason` why there is none.

    `text` is the reference as it is recorded. `running` is what the specification of a container names, and the digest
    that it runs.
    """

    text: str
    origin: str
    reference: ImageReference | None = None
    reason: str | None = None
    running: tuple[ImageReference, str] | None = None


def named_images(sources: Sequence[Source], lookup: DigestLookup) -> Mapping[str, tuple[NamedImage, ...]]:
    """What each source names, by its `where`. A registry is asked several things at a time, and each of them once."""
    lists = _Lists(sources, lookup)
    found: dict[str, tuple[NamedImage, ...]] = {}
    for source in sources:
        match source:
            case ImageSource():
                named = iter((_typed(source.reference, source.where),))
            case ListSource():
                named = _of_list(source)
            case KubernetesSource():
                named = _of_workloads(source)
            case CatalogSource():
                named = _of_catalog(source, lists)
        found[source.where] = tuple(named) or (_gap(_shown(source), source.where, "it names no image"),)
    return found


class _Lists:
    """What registries list for all catalogue sources together."""

    def __init__(self, sources: Iterable[Source], lookup: DigestLookup) -> None:
        catalogs = [source for source in sources if isinstance(source, CatalogSource)]
        hosts = sorted({one.host for one in catalogs if any(is_pattern(name) for name in one.include)})
        self._repositories: dict[str, _Answer] = dict(
            zip(hosts, concurrently(lambda host: _answer(lookup.repositories, host), hosts), strict=True)
        )
        targets = sorted(
            {
                f"{one.host}/{name}"
                for one in catalogs
                for name in self.repositories(one)
                if not one.tags.digests and is_repository(name)
            }
        )
        self._tags: dict[str, _Answer] = dict(
            zip(targets, concurrently(lambda target: _answer(lookup.tags, target), targets), strict=True)
        )

    def refusal(self, source: CatalogSource) -> str | None:
        """Why the source's catalogue is not known; None where it is, or is not needed."""
        answer = self._repositories.get(source.host)
        return answer if isinstance(answer, str) and any(is_pattern(name) for name in source.include) else None

    def repositories(self, source: CatalogSource) -> tuple[str, ...]:
        """The repositories that the source means, as far as they are known."""
        answer = self._repositories.get(source.host, ())
        literal = (name for name in source.include if not is_pattern(name))
        return chosen_repositories(source, (*literal, *(() if isinstance(answer, str) else answer)))

    def tags(self, target: str) -> _Answer:
        """All tags of a repository, or why they are not known."""
        return self._tags.get(target, ())


def _answer(ask: Callable[[str], tuple[str, ...]], name: str) -> _Answer:
    try:
        return ask(name)
    except ComplianceError as error:
        return str(error)


def _typed(text: str, origin: str) -> NamedImage:
    """A reference that a person wrote."""
    try:
        reference = image_reference(text)
    except ComplianceError as error:
        return _gap(text, origin, str(error))
    return NamedImage(text=str(reference), origin=origin, reference=reference)


def _gap(text: str, origin: str, reason: str) -> NamedImage:
    return NamedImage(text=plain_text(text, _TEXT_MAX), origin=origin, reason=plain_text(reason, _TEXT_MAX))


def _shown(source: Source) -> str:
    match source:
        case ImageSource():
            return source.reference
        case CatalogSource():
            return f"{source.host}/{{{','.join(source.include)}}}"
        case _:
            return source.file.name


def _of_list(source: ListSource) -> Iterator[NamedImage]:
    """One reference a line. Blank lines and what follows a hash are passed over: no reference has one."""
    try:
        lines = decode(_content(source.file, LIST_MAX)).splitlines()
    except ComplianceError as error:
        yield _gap(source.file.name, source.where, str(error))
        return
    if len(lines) > LINES_MAX:
        yield _gap(source.file.name, source.where, f"more than {LINES_MAX} lines")
        return
    for number, line in enumerate(lines, 1):
        text = line.partition("#")[0].strip()
        if text:
            yield _typed(text, f"{source.file.name}:{number}")


def _of_workloads(source: KubernetesSource) -> Iterator[NamedImage]:
    try:
        found = workload_images(_content(source.file, FILE_MAX))
    except ComplianceError as error:
        yield _gap(source.file.name, source.where, str(error))
        return
    for one in found:
        yield _of_workload(one, f"{source.file.name}: {one.workload}")


def _of_workload(one: WorkloadImage, origin: str) -> NamedImage:
    """What runs where the cluster tells it, else what is to run. A bare name is a registry's, whatever lies here."""
    if not one.image:
        return _gap("(no image)", origin, "the container names no image")
    try:
        reference = parse_name(one.image)
    except ComplianceError as error:
        return _gap(one.image, origin, str(error))
    if one.running is None:
        unknown = " (what it runs is told without a digest of the registry)" if one.reported else ""
        return NamedImage(text=str(reference), origin=origin + unknown, reference=reference)
    pinned = replace(reference, digest=one.running)
    return NamedImage(text=str(pinned), origin=origin, reference=pinned, running=(reference, one.running))


def _of_catalog(source: CatalogSource, lists: _Lists) -> Iterator[NamedImage]:
    origin = f"catalog {source.host}"
    refusal = lists.refusal(source)
    if refusal is not None:
        yield _gap(_shown(source), f"{source.where}: {origin}", refusal)
    for name in lists.repositories(source):
        target = f"{source.host}/{name}"
        if not is_repository(name):
            yield _gap(target, origin, "the registry lists a name that is none")
        elif source.tags.digests:
            for digest in source.tags.digests:
                reference = ImageReference(scheme=Scheme.REGISTRY, target=target, digest=digest)
                yield NamedImage(text=str(reference), origin=origin, reference=reference)
        else:
            yield from _of_repository(source, target, lists.tags(target), literal=name in source.include)


def _of_repository(source: CatalogSource, target: str, tags: _Answer, *, literal: bool) -> Iterator[NamedImage]:
    """The images of one repository. One that was named exactly, and has no tag that is meant, is a gap."""
    origin = f"catalog {source.host}"
    if isinstance(tags, str):
        yield _gap(f"{Scheme.REGISTRY}:{target}", origin, tags)
        return
    meant = chosen_tags(source.tags, tags)
    if literal and not meant:
        yield _gap(f"{Scheme.REGISTRY}:{target}", origin, f"none of its {len(tags)} tags is meant")
    for tag in meant:
        reference = ImageReference(scheme=Scheme.REGISTRY, target=target, tag=tag)
        if is_tag(tag):
            yield NamedImage(text=str(reference), origin=origin, reference=reference)
        else:
            yield _gap(str(reference), origin, "the registry lists a tag that is none")


def _content(file: NamedFile, size_max: int) -> bytes:
    """Raises SourceError."""
    try:
        with file.path.open("rb") as stream:
            content = stream.read(size_max + 1)
    except OSError as error:
        raise SourceError(f"can't read the file: {error.strerror}", code="not-found", where=file.name) from None
    if len(content) > size_max:
        raise SourceError(f"the file is larger than {size_max} bytes", code="limit-exceeded", where=file.name)
    return content
