"""Which images Kubernetes objects name: manifests as people and Helm write them, and pods as a cluster lists them.

An object is known by its shape rather than its kind: whatever has containers, or a template of a pod, runs images.
So a Rollout or a DeploymentConfig is read as a Deployment is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from compliance.errors import FormatError, LimitError
from compliance.formats.plain_text import plain_text

FILE_MAX: Final = 128 * 2**20
"""Bytes: a list of ten thousand pods as JSON."""
IMAGES_MAX: Final = 200_000
_YAML_MAX: Final = 32 * 2**20
"""Bytes: all that a cluster of some hundred charts runs; reading takes a second a megabyte or so."""
_DEPTH_MAX: Final = 100
"""Mappings and lists inside each other; schemas of custom resources have forty."""
_NOTHING: Final = ("", "~", "null", "Null", "NULL")
_LOOKS_MAX: Final = 200_000
_END: Final = object()
_LISTS_MAX: Final = 4
"""Lists inside lists; kubectl makes one."""
_NAME_MAX: Final = 300
_CONTAINERS: Final = (
    ("initContainers", "initContainerStatuses"),
    ("containers", "containerStatuses"),
    ("ephemeralContainers", "ephemeralContainerStatuses"),
)
_POD_PATHS: Final = (
    ("spec",),
    ("spec", "template", "spec"),
    ("spec", "jobTemplate", "spec", "template", "spec"),
    ("template", "spec"),
)
"""Where a pod's specification lies in a Pod, in most that make pods, in a CronJob, in a PodTemplate."""
_REPOSITORY_DIGEST = re.compile(r"(?:[a-z-]+://)?[^@\s]+@(sha256:[0-9a-f]{64})")


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadImage:
    """The image of one container. `workload` is ``NAMESPACE/NAME/CONTAINER``, the kind before it if it is no pod.

    `image` is as the specification has it, "" where it has none. `reported` says whether the cluster tells what it
    runs, and `running` is the digest in the registry of that: an index's or a manifest's, None where it tells none.
    """

    workload: str
    image: str
    reported: bool = False
    running: str | None = None


def workload_images(content: bytes) -> tuple[WorkloadImage, ...]:
    """The images of all containers in `content`, JSON or YAML of any number of documents, in their order.

    Raises FormatError for what is neither, LimitError for more than anybody has.
    """
    if len(content) > FILE_MAX:
        raise LimitError(f"more than {FILE_MAX} bytes", code="limit-exceeded")
    found: list[WorkloadImage] = []
    for item in _objects(_documents(content)):
        found.extend(_of_object(item))
        if len(found) > IMAGES_MAX:
            raise LimitError(f"more than {IMAGES_MAX} containers", code="limit-exceeded")
    return tuple(found)


def _documents(content: bytes) -> Iterator[object]:
    if content.lstrip()[:1] == b"{":
        try:
            yield json.loads(content)
        except (ValueError, RecursionError):
            raise FormatError("neither JSON nor YAML", code="kubernetes-invalid") from None
        return
    if len(content) > _YAML_MAX:
        raise LimitError(f"more than {_YAML_MAX} bytes of YAML", code="limit-exceeded")
    import yaml

    try:
        yield from _yaml_documents(yaml.parse(content, getattr(yaml, "CSafeLoader", yaml.SafeLoader)))
    except (yaml.YAMLError, UnicodeDecodeError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        problem = plain_text(str(getattr(error, "problem", None) or "not a text"), 200)
        raise FormatError(
            f"not readable as YAML: {problem}",
            code="kubernetes-invalid",
            where=f"line {mark.line + 1}" if mark else None,
            hint="a chart is rendered first: helm template",
        ) from None


def _yaml_documents(events: Iterator[Any]) -> Iterator[object]:
    """From events, so that depth is bounded before anything is built: the library's own tree has the stack's depth."""
    import yaml

    for event in events:
        if isinstance(event, yaml.DocumentStartEvent):
            yield _yaml_value(next(events), events, {}, 0)


def _yaml_value(event: Any, events: Iterator[Any], anchors: dict[str, object], depth: int) -> object:
    """Texts, lists and mappings. An alias is the same object once more, and no key merges another: nothing grows."""
    import yaml

    if isinstance(event, yaml.AliasEvent):
        if event.anchor not in anchors:
            raise _refusal("an alias of nothing", event)
        return anchors[event.anchor]
    if depth > _DEPTH_MAX:
        raise _refusal(f"nested more than {_DEPTH_MAX} deep", event)
    value: object
    if isinstance(event, yaml.ScalarEvent):
        value = None if event.implicit[0] and event.value in _NOTHING else event.value
    elif isinstance(event, yaml.SequenceStartEvent):
        value = items = []
        while not isinstance(item := next(events), yaml.SequenceEndEvent):
            items.append(_yaml_value(item, events, anchors, depth + 1))
    else:
        value = _yaml_mapping(events, anchors, depth)
    if event.anchor is not None:
        anchors[event.anchor] = value
    return value


def _yaml_mapping(events: Iterator[Any], anchors: dict[str, object], depth: int) -> dict[str, object]:
    import yaml

    mapping: dict[str, object] = {}
    while not isinstance(item := next(events), yaml.MappingEndEvent):
        key = _yaml_value(item, events, anchors, depth + 1)
        if not isinstance(key, str | None):
            raise _refusal("a key that is no text", item)
        mapping[key or ""] = _yaml_value(next(events), events, anchors, depth + 1)
    return mapping


def _refusal(problem: str, event: Any) -> Exception:
    import yaml

    return yaml.MarkedYAMLError(problem=problem, problem_mark=event.start_mark)


def _objects(documents: Iterator[object]) -> Iterator[Mapping[str, object]]:
    """The objects of all documents, lists opened. Each look is counted, as a list may hold itself many times."""
    looks = 0
    open_lists = [documents]
    while open_lists:
        document = next(open_lists[-1], _END)
        looks += 1
        if looks > _LOOKS_MAX:
            raise LimitError(f"more than {_LOOKS_MAX} objects", code="limit-exceeded")
        if document is _END:
            open_lists.pop()
        elif isinstance(document, dict) and isinstance(items := document.get("items"), list):
            if len(open_lists) > _LISTS_MAX:
                raise LimitError(f"lists inside lists, more than {_LISTS_MAX} deep", code="limit-exceeded")
            open_lists.append(iter(items))
        elif isinstance(document, dict):
            yield document


def _of_object(item: Mapping[str, object]) -> Iterator[WorkloadImage]:
    owner = _owner(item)
    for path in _POD_PATHS:
        pod = _at(item, path)
        if any(key in pod for key, _ in _CONTAINERS):
            yield from _of_pod(pod, _at(item, ("status",)) if path == ("spec",) else {}, owner)


def _of_pod(pod: Mapping[str, object], status: Mapping[str, object], owner: str) -> Iterator[WorkloadImage]:
    for key, statuses_key in _CONTAINERS:
        statuses = {_text(one, "name"): one for one in _mappings(status.get(statuses_key))}
        for container in _mappings(pod.get(key)):
            name = _text(container, "name")
            told = statuses.get(name, {})
            running = _REPOSITORY_DIGEST.fullmatch(_text(told, "imageID"))
            yield WorkloadImage(
                workload=f"{owner}/{plain_text(name, _NAME_MAX) or '-'}",
                image=_text(container, "image"),
                reported=bool(_text(told, "imageID")),
                running=running[1] if running else None,
            )


def _owner(item: Mapping[str, object]) -> str:
    metadata = _at(item, ("metadata",))
    namespace, name, kind = _text(metadata, "namespace"), _text(metadata, "name"), _text(item, "kind")
    path = f"{plain_text(namespace, _NAME_MAX) or 'default'}/{plain_text(name, _NAME_MAX) or '-'}"
    return path if kind in ("Pod", "") else f"{plain_text(kind, _NAME_MAX)} {path}"


def _at(item: Mapping[str, object], path: tuple[str, ...]) -> Mapping[str, object]:
    """The mapping at `path`; an empty one where there is none."""
    found: object = item
    for key in path:
        found = found.get(key) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else {}


def _mappings(value: object) -> tuple[Mapping[str, object], ...]:
    return tuple(one for one in value if isinstance(one, dict)) if isinstance(value, list) else ()


def _text(item: Mapping[str, object], key: str) -> str:
    value = item.get(key)
    return value.strip() if isinstance(value, str) else ""
