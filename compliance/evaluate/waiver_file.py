"""Reading waiver files, strictly. The format is told in docs/waivers.md and in ``waivers.schema.json`` beside this."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from compliance.formats.globs import translate
from compliance.formats.strict_yaml import Section, read_section
from compliance.model.outcome import Waiver

CODE: Final = "waivers-invalid"

_SCHEMA = 1
_WAIVERS_MAX = 10_000
_PATHS_MAX = 200
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_REASON_MIN = 10
"""Characters: "ok" is no reason."""


def read_waivers(
    file: str, content: bytes, pattern_mistake: Callable[[str], str | None], *, signer: str | None = None
) -> tuple[Waiver, ...]:
    """The waivers in the YAML `content`. Raises PolicyError naming `file`, line and field.

    `pattern_mistake` says what is wrong with a pattern that names images; `signer` signed the file, verified.
    """
    top = read_section(file, content, code=CODE)
    top.only("schema", "waivers")
    if top.values.get("schema") != _SCHEMA:
        raise top.error(f"must be {_SCHEMA}", "schema", hint=f"write schema: {_SCHEMA}")
    parts = top.sections("waivers")
    if len(parts) > _WAIVERS_MAX:
        raise top.error(f"more than {_WAIVERS_MAX} waivers", "waivers", hint="split the file")
    found: dict[str, Waiver] = {}
    for part in parts:
        waiver = _waiver(part, pattern_mistake, signer)
        if waiver.id in found:
            raise part.error(f"{waiver.id!r} is there twice", "id", hint="give each waiver its own id")
        found[waiver.id] = waiver
    return tuple(found.values())


def _waiver(part: Section, pattern_mistake: Callable[[str], str | None], signer: str | None) -> Waiver:
    part.only("id", "check", "images", "digest", "paths", "reason", "approver", "ticket", "created", "expires")
    images = _images(part, pattern_mistake)
    digest = _digest(part)
    if not images and digest is None:
        raise part.error(
            "says not which images it is about", hint='add images, as ["registry.example/team/**"], or digest'
        )
    created = part.moment("created")
    expires = part.moment("expires") if part.has("expires") else None
    if expires is not None and expires <= created:
        raise part.error("ends before it begins", "expires", hint="write a time after created")
    reason = part.text("reason")
    if len(reason.strip()) < _REASON_MIN:
        raise part.error("is no reason", "reason", hint="say why the failure is acceptable, for whoever asks later")
    return Waiver(
        id=part.word("id"),
        check=part.text("check"),
        reason=reason,
        approver=part.text("approver"),
        ticket=part.text("ticket") if part.has("ticket") else None,
        created=created,
        expires=expires,
        images=images,
        digest=digest,
        paths=_paths(part),
        file=part.file,
        signer=signer,
    )


def _images(part: Section, pattern_mistake: Callable[[str], str | None]) -> tuple[str, ...]:
    images = part.text_or_texts("images") if part.has("images") else ()
    for image in images:
        mistake = pattern_mistake(image)
        if mistake is not None:
            raise part.error(
                f"{image!r}: {mistake}", "images", hint="write REGISTRY/REPOSITORY[:TAG], with * and ** for many"
            )
    return images


def _digest(part: Section) -> str | None:
    if not part.has("digest"):
        return None
    digest = part.text("digest")
    if not _DIGEST.fullmatch(digest):
        raise part.error(f"{digest!r} is not a digest", "digest", hint="write sha256: and 64 hex digits")
    return digest


def _paths(part: Section) -> tuple[str, ...]:
    paths = tuple(path.strip().strip("/") for path in part.text_or_texts("paths")) if part.has("paths") else ()
    if len(paths) > _PATHS_MAX:
        raise part.error(f"more than {_PATHS_MAX} paths", "paths", hint="use globs, or waive the check as a whole")
    for path in paths:
        if not path or ".." in path.split("/"):
            raise part.error(f"not a path in the image: {path!r}", "paths", hint="write it from the root, as usr/bin/*")
        try:
            re.compile(translate(path))
        except re.error as error:
            raise part.error(f"not a glob: {error}", "paths", hint="check brackets and braces") from None
    return paths
