"""SLSA build provenance v0.2 and v1: who says that they built it, from what, and how.

What a statement says is not more than its signer says: which SLSA level is reached is decided elsewhere.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from compliance.formats.plain_text import plain_text
from compliance.formats.predicate_values import counted, inner, line, moment
from compliance.formats.signed_json import JsonObject

SLSA_PROVENANCE = "https://slsa.dev/provenance/"

_REVISION = ("gitCommit", "sha1", "gitTree", "sha256", "sha512")
_ADDRESS = re.compile(r"(?:git\+)?([a-z]+://[^@#?]+?)(?:\.git)?/?(?:[@#?].*)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependency:
    """An input of the build: v1 resolvedDependencies, v0.2 materials. `digest` is ``algorithm:value``, "" if none."""

    uri: str
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """A build as stated. `source` is what the builder was started with, where that is named.

    It is not guessed from the inputs: they are in no order. `parameters` are the names of external ones.
    """

    version: str
    builder: str
    build_type: str
    source: Dependency | None
    dependencies: tuple[Dependency, ...]
    parameters: tuple[str, ...]
    invocation: str
    started: datetime | None
    finished: datetime | None

    @property
    def summary(self) -> str:
        """The build in one line."""
        built = f"built by {self.builder or 'an unnamed builder'}"
        source = ""
        if self.source is not None:
            revision = f" at {self.source.digest}" if self.source.digest else ""
            source = f" from {self.source.uri}{revision}"
        inputs = f"; {counted(len(self.dependencies), 'input')} named"
        return f"SLSA provenance {self.version}: {built}{source}{inputs}"


def read_provenance(predicate: JsonObject, predicate_type: str) -> Provenance:
    """Read the predicate of either version, told by its members as drafts have odd types. Raises FormatError."""
    version = plain_text(predicate_type.removeprefix(SLSA_PROVENANCE), 20)
    is_v1 = predicate.has("buildDefinition") or predicate.has("runDetails")
    return _v1(predicate, version) if is_v1 else _v0(predicate, version)


def _v1(predicate: JsonObject, version: str) -> Provenance:
    """slsa.dev/spec/v1.0/provenance."""
    definition, details = inner(predicate, "buildDefinition"), inner(predicate, "runDetails")
    external = inner(definition, "externalParameters")
    metadata = inner(details, "metadata")
    dependencies = tuple(_dependency(item) for item in definition.members("resolvedDependencies"))
    return Provenance(
        version=version,
        builder=line(inner(details, "builder"), "id"),
        build_type=line(definition, "buildType"),
        source=_started_with(external, dependencies),
        dependencies=dependencies,
        parameters=_names(external),
        invocation=line(metadata, "invocationId"),
        started=moment(metadata, "startedOn"),
        finished=moment(metadata, "finishedOn"),
    )


def _v0(predicate: JsonObject, version: str) -> Provenance:
    """slsa.dev/provenance/v0.2; v0.1 has its recipe elsewhere, which is left out."""
    invocation, metadata = inner(predicate, "invocation"), inner(predicate, "metadata")
    dependencies = tuple(_dependency(item) for item in predicate.members("materials"))
    source = _dependency(inner(invocation, "configSource"))
    return Provenance(
        version=version,
        builder=line(inner(predicate, "builder"), "id"),
        build_type=line(predicate, "buildType"),
        source=source if source.uri else None,
        dependencies=dependencies,
        parameters=_names(inner(invocation, "parameters")) if _is_object(invocation, "parameters") else (),
        invocation=line(metadata, "buildInvocationId") or line(metadata, "buildInvocationID"),
        started=moment(metadata, "buildStartedOn"),
        finished=moment(metadata, "buildFinishedOn"),
    )


def _dependency(value: JsonObject) -> Dependency:
    """A resource descriptor: the digest that names a revision, where there is one."""
    digests = {name: text for name, text in value.texts("digest").items() if text}
    chosen = next((name for name in (*_REVISION, *sorted(digests)) if name in digests), None)
    digest = plain_text(f"{chosen}:{digests[chosen]}", 150) if chosen is not None else ""
    return Dependency(uri=line(value, "uri") or line(value, "name"), digest=digest)


def _started_with(external: JsonObject, inputs: tuple[Dependency, ...]) -> Dependency | None:
    """The source in the external parameters of the build types in use.

    GitHub Actions names the repository of the workflow, and its revision among the inputs; the delegated and
    container-based builders, and buildkit, give it whole.
    """
    if _is_object(external, "workflow"):
        workflow = external.member("workflow")
        repository, reference = line(workflow, "repository"), line(workflow, "ref", 200)
        revision = next((item.digest for item in inputs if repository and _same_place(item.uri, repository)), "")
        uri = f"{repository}@{reference}" if reference else repository
        return Dependency(uri=uri, digest=revision) if repository else None
    for name in ("source", "configSource"):
        if _is_object(external, name):
            source = external.member(name)
            found = _dependency(source.member("artifact") if _is_object(source, "artifact") else source)
            return found if found.uri else None
        if isinstance(external.values.get(name), str) and external.values[name]:
            return Dependency(uri=line(external, name), digest="")
    return None


def _same_place(uri: str, repository: str) -> bool:
    """Whether two addresses lead to one repository, whatever the revision."""
    here, there = _ADDRESS.fullmatch(uri), _ADDRESS.fullmatch(repository)
    return here is not None and there is not None and here[1].rstrip("/") == there[1].rstrip("/")


def _is_object(value: JsonObject, key: str) -> bool:
    return isinstance(value.values.get(key), dict)


def _names(parameters: JsonObject) -> tuple[str, ...]:
    """Names only: values of parameters may be anything, secrets too."""
    return tuple(sorted(plain_text(name, 100) for name in parameters.values)[:100])
