"""What changed in the image config: how a container is started, what the image says of itself, how it was built."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping

from compliance.model.drift import Area, Aspect, Change, Difference, Value
from compliance.model.image import Image, ImageConfig

_KNOWN = frozenset({"config", "rootfs", "history", "created", "architecture", "os", "variant"})
_KNOWN_BELOW = frozenset(
    ("User", "Entrypoint", "Cmd", "Env", "Labels", "ExposedPorts", "Volumes", "WorkingDir", "StopSignal", "Shell")
) | {"OnBuild"}
_TEXT_MAX = 200


def compare_configs(before: Image, after: Image) -> Iterator[Difference]:
    """Differences between two images that both have a config, key by key; an empty key is as none."""
    if before.config is None or after.config is None:
        return
    yield from _start(before.config, after.config)
    yield from _names(Area.PORTS, before.config.exposed_ports, after.config.exposed_ports)
    yield from _names(Area.VOLUMES, before.config.volumes, after.config.volumes)
    yield from _mapping(Area.ENVIRONMENT, "", before.config.env, after.config.env)
    yield from _mapping(Area.LABELS, "label ", before.config.labels, after.config.labels)
    yield from _mapping(Area.LABELS, "annotation ", before.annotations, after.annotations)
    yield from _metadata(before, after)


def difference(area: Area, subject: str, before: Value, after: Value, name: str = "value") -> Difference:
    """A difference of one value: added or removed where the other side has none."""
    change = Change.ADDED if not before else Change.REMOVED if not after else Change.CHANGED
    return Difference(area=area, change=change, subject=subject, aspects=(Aspect(name, before or None, after or None),))


def _start(before: ImageConfig, after: ImageConfig) -> Iterator[Difference]:
    for subject, old, new in (
        ("user", before.user, after.user),
        ("entry point", before.entrypoint, after.entrypoint),
        ("command", before.cmd, after.cmd),
        ("working directory", before.working_dir, after.working_dir),
        ("health check", before.healthcheck, after.healthcheck),
        ("shell", before.shell, after.shell),
        ("stop signal", before.stop_signal, after.stop_signal),
        ("build triggers", before.on_build, after.on_build),
    ):
        if (old or None) != (new or None):
            yield difference(Area.START, subject, old, new)


def _names(area: Area, before: Iterable[str], after: Iterable[str]) -> Iterator[Difference]:
    old, new = set(before), set(after)
    for name in sorted(old ^ new):
        yield Difference(area=area, change=Change.ADDED if name in new else Change.REMOVED, subject=name)


def _mapping(area: Area, prefix: str, before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[Difference]:
    for key in sorted(before.keys() | after.keys()):
        old, new = before.get(key), after.get(key)
        if old != new:
            change = Change.ADDED if old is None else Change.REMOVED if new is None else Change.CHANGED
            yield Difference(area=area, change=change, subject=prefix + key, aspects=(Aspect("value", old, new),))


def _metadata(before: Image, after: Image) -> Iterator[Difference]:
    old, new = before.config or ImageConfig(), after.config or ImageConfig()
    for subject, was, now in (
        ("platform", str(before.platform or ""), str(after.platform or "")),
        ("created", old.created, new.created),
        ("build steps", old.history, new.history),
        ("media type", before.media_type, after.media_type),
    ):
        if (was or None) != (now or None):
            yield difference(Area.METADATA, subject, was, now)
    yield from _stored(before, after)
    first, second = _other_keys(before, old.history == new.history), _other_keys(after, old.history == new.history)
    yield from _mapping(Area.METADATA, "config key ", first, second)


def _stored(before: Image, after: Image) -> Iterator[Difference]:
    """Layers with the same content in other bytes: packed again."""
    for old, new in zip(before.layers, after.layers, strict=False):
        if old.diff_id != new.diff_id:
            return
        if old.digest != new.digest and old.digest != old.diff_id and new.digest != new.diff_id:
            yield difference(Area.METADATA, f"layer {old.index + 1} as stored", old.digest, new.digest, "digest")


def _other_keys(image: Image, with_history: bool) -> dict[str, str]:
    """What else the config says, by key, as short JSON: nothing that two configs do not share goes unsaid."""
    try:
        document = json.loads(image.config_bytes or b"{}")
    except (ValueError, RecursionError):
        return {}
    if not isinstance(document, dict):
        return {}
    found = {key: value for key, value in document.items() if key not in _KNOWN}
    if with_history and document.get("history"):
        found["history"] = document["history"]
    runtime = document.get("config")
    for key, value in runtime.items() if isinstance(runtime, dict) else ():
        if key == "Healthcheck" and isinstance(value, dict):
            found |= {f"Healthcheck.{name}": setting for name, setting in value.items() if name != "Test"}
        elif key not in _KNOWN_BELOW:
            found[key] = value
    return {key: _short(value) for key, value in found.items()}


def _short(value: object) -> str:
    """JSON in one line; a long one ends in its length and so much of its digest that two differ."""
    text = json.dumps(value, sort_keys=True)
    if len(text) <= _TEXT_MAX:
        return text
    import hashlib

    return f"{text[:_TEXT_MAX]}… ({len(text)} characters, sha256:{hashlib.sha256(text.encode()).hexdigest()[:16]})"
