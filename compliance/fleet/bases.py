"""Failures that lie in layers which several images share: mended there once, they are gone from all of them.

Images on one base have their lowest layers in common. The chains of layers make a tree; a base is a place in it where
several images are still together, and above which they part or one of them ends. A failure belongs to the lowest
base that has its layer, as that is the image to mend.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from compliance.fleet.run_rows import FleetImage
from compliance.fleet.standing import Standing, standing_of
from compliance.model.fleet import AssessmentRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedBase:
    """A chain of layers, lowest first, that `images` (digests) have in common.

    `layers` are the diffIDs of the whole chain, of which the last `own` are not in a smaller base below (`parent`, the
    index in the list of bases). `findings` are different observations of failures in those; they are there
    `occurrences` times, once an image. `cleared` are failures (image and check) all of whose observations lie in the
    chain, so that they end when it is mended. `itself` are references of the fleet to an image that is exactly this
    chain; `created_by` is what the history of its topmost layer claims.
    """

    layers: tuple[str, ...]
    own: int
    parent: int | None
    images: tuple[str, ...] = field(repr=False)
    groups: tuple[str, ...]
    distribution: str | None
    created_by: str | None
    itself: tuple[str, ...]
    findings: int
    occurrences: int
    cleared: int
    checks: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedBases:
    """All of them that have failures in them, those that clear most first; and how many there are in all.

    `occurrences` are the observations of failures in all images; `placed` those of them that lie in any layer: others,
    as of a configuration, can be mended in one image only.
    """

    bases: tuple[SharedBase, ...]
    images: int
    occurrences: int
    placed: int


@dataclass(slots=True)
class _Node:
    """A chain of layers. `images` are indices of those that have it."""

    parent: int | None
    layer: str
    depth: int
    created_by: str | None
    images: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    children: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class _Tally:
    findings: set[str] = field(default_factory=set)
    occurrences: int = 0
    cleared: int = 0
    checks: set[str] = field(default_factory=set)


def shared_bases(images: Iterable[FleetImage]) -> SharedBases:
    """The bases behind failures that count and that no waiver covers. Images are counted by digest."""
    chosen: dict[str, FleetImage] = {}
    for image in images:
        if image.record is not None and image.record.layers:
            chosen.setdefault(image.item.digest, image)
    found = [(image, image.record) for image in chosen.values() if image.record is not None]
    nodes = _tree([record for _, record in found])
    bases = [index for index, node in enumerate(nodes) if _is_base(nodes, node)]
    homes = _homes(nodes, frozenset(bases))
    tallies: dict[int, _Tally] = {index: _Tally() for index in bases}
    occurrences = placed = 0
    ends = {number: index for index, node in enumerate(nodes) for number in node.ends}
    for number, (_, record) in enumerate(found):
        chain = [homes[index] for index in (*reversed(tuple(_below(nodes, ends[number]))), ends[number])]
        for check, places in _failures(record):
            occurrences += len(places)
            placed += sum(place is not None for _, place in places)
            _count(tallies, nodes, chain, check, places)
    kept = [index for index in bases if tallies[index].occurrences]
    kept.sort(key=lambda index: (-tallies[index].cleared, -tallies[index].occurrences, _chain(nodes, index)))
    return SharedBases(
        bases=tuple(_shared(nodes, index, kept, frozenset(bases), tallies[index], found) for index in kept),
        images=len(found),
        occurrences=occurrences,
        placed=placed,
    )


def _tree(records: Iterable[AssessmentRecord]) -> list[_Node]:
    nodes: list[_Node] = []
    roots: dict[str, int] = {}
    for number, record in enumerate(records):
        below, parent = roots, None
        for layer in sorted(record.layers, key=lambda layer: layer.position):
            index = below.get(layer.diff_id)
            if index is None:
                index = below[layer.diff_id] = len(nodes)
                depth = 1 if parent is None else nodes[parent].depth + 1
                nodes.append(_Node(parent=parent, layer=layer.diff_id, depth=depth, created_by=layer.created_by))
            nodes[index].images.append(number)
            below, parent = nodes[index].children, index
        if parent is not None:
            nodes[parent].ends.append(number)
    return nodes


def _is_base(nodes: list[_Node], node: _Node) -> bool:
    """Several images are together here, and not all of them in one layer more."""
    return len(node.images) > 1 and all(len(nodes[child].images) < len(node.images) for child in node.children.values())


def _homes(nodes: list[_Node], bases: frozenset[int]) -> list[int | None]:
    """Of each chain, the lowest base that has its topmost layer: that chain itself, or the first one above it."""
    homes: list[int | None] = [None] * len(nodes)
    for index in range(len(nodes) - 1, -1, -1):  # children come after their parents
        node = nodes[index]
        if index in bases:
            homes[index] = index
        elif len(node.images) > 1:
            homes[index] = next(
                homes[child] for child in node.children.values() if len(nodes[child].images) == len(node.images)
            )
    return homes


def _failures(record: AssessmentRecord) -> Iterator[tuple[str, list[tuple[str, int | None]]]]:
    """Each check that failed, with the key of each of its observations and the position of the layer it lies in."""
    failed = {row.check for row in record.checks if standing_of(row) is Standing.FAILED}
    positions: dict[str, int] = {}
    for layer in record.layers:
        positions.setdefault(layer.digest, layer.position)
        positions.setdefault(layer.diff_id, layer.position)
    found: dict[str, list[tuple[str, int | None]]] = {}
    for finding in record.findings:
        if finding.check in failed and finding.kind != "coverage":
            place = None if finding.layer is None else positions.get(finding.layer)
            found.setdefault(finding.check, []).append((finding.key, place))
    yield from sorted(found.items())


def _count(
    tallies: dict[int, _Tally],
    nodes: list[_Node],
    chain: list[int | None],
    check: str,
    places: list[tuple[str, int | None]],
) -> None:
    """Put the observations of one failure of one image where they belong; `chain` has the base of each position."""
    homes = [None if place is None else chain[place] for _, place in places]
    for (key, _), home in zip(places, homes, strict=True):
        if home is not None:
            tally = tallies[home]
            tally.findings.add(f"{check} {key}")
            tally.occurrences += 1
            tally.checks.add(check)
    known = [home for home in homes if home is not None]
    if known and len(known) == len(homes):
        # All lie on one chain: the highest of their bases has them all.
        tallies[max(known, key=lambda home: nodes[home].depth)].cleared += 1


def _chain(nodes: list[_Node], index: int) -> tuple[str, ...]:
    return tuple(nodes[place].layer for place in (*reversed(tuple(_below(nodes, index))), index))


def _shared(
    nodes: list[_Node],
    index: int,
    kept: list[int],
    bases: frozenset[int],
    tally: _Tally,
    found: list[tuple[FleetImage, AssessmentRecord]],
) -> SharedBase:
    node = nodes[index]
    under = [place for place in _below(nodes, index) if place in bases]
    own = node.depth - (nodes[under[0]].depth if under else 0)
    parent = next((kept.index(place) for place in under if place in kept), None)
    members = [found[number] for number in node.images]
    distributions = {record.distribution for _, record in members}
    return SharedBase(
        layers=_chain(nodes, index),
        own=own,
        parent=parent,
        images=tuple(sorted(image.item.digest for image, _ in members)),
        groups=tuple(sorted({group for image, _ in members for group in image.groups})),
        distribution=distributions.pop() if len(distributions) == 1 else None,
        created_by=node.created_by,
        itself=tuple(sorted({name for number in node.ends for name in found[number][0].references})),
        findings=len(tally.findings),
        occurrences=tally.occurrences,
        cleared=tally.cleared,
        checks=tuple(sorted(tally.checks)),
    )


def _below(nodes: list[_Node], index: int) -> Iterator[int]:
    """The chains that are one, two, … layers shorter."""
    place = nodes[index].parent
    while place is not None:
        yield place
        place = nodes[place].parent
