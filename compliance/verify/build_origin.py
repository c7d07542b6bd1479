"""Who built it from where, as signed provenance states it, read for comparing with a trust policy.

Only what the builder itself was started with counts as the source. The inputs it lists (materials,
resolvedDependencies) are in no order, and anybody's repository may be among them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from compliance.formats.intoto import read_statement
from compliance.formats.predicate_values import inner
from compliance.formats.signed_json import JsonObject

_ADDRESS = re.compile(r"(?:git\+)?(https?://[^@#?]+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildOrigin:
    """`builder` is "" where none is named; `sources` are addresses of repositories without revision."""

    builder: str
    sources: tuple[str, ...]


def build_origin(statement: bytes) -> BuildOrigin:
    """The origin that a provenance statement states. Raises FormatError."""
    predicate = read_statement(statement).predicate
    if predicate.has("buildDefinition"):
        builder = inner(inner(predicate, "runDetails"), "builder")
        stated = _stated(inner(predicate.member("buildDefinition"), "externalParameters"))
    else:
        builder = inner(predicate, "builder")
        stated = iter((inner(inner(predicate, "invocation"), "configSource").text("uri", ""),))
    sources = dict.fromkeys(_repository(address) for address in stated if address)
    return BuildOrigin(builder=builder.text("id", ""), sources=tuple(sources))


def _stated(external: JsonObject) -> Iterator[str]:
    """The repositories in the external parameters of SLSA v1, by the build types that are in use."""
    yield inner(external, "workflow").text("repository", "")  # GitHub Actions
    for name in ("source", "configSource"):  # delegated and container-based builders; buildkit
        value = external.values.get(name)
        if isinstance(value, str):
            yield external.text(name)
        else:
            source = inner(external, name)
            yield (inner(source, "artifact") if source.has("artifact") else source).text("uri", "")
    for name in ("sourceToBuild", "buildConfigSource"):  # Google Cloud Build
        yield inner(external, name).text("repository", "")


def _repository(address: str) -> str:
    """`address` without git's prefix, revision and ending; what is no web address stays as it is."""
    found = _ADDRESS.match(address)
    return found[1].rstrip("/").removesuffix(".git") if found else address
