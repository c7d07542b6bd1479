"""Images in a container engine: Docker's, or Podman's, which answers the same API (Docker Engine API, /images).

The engine is asked over its Unix socket only: a TCP or SSH address would need keys that are the engine's business.
"""

from __future__ import annotations

import errno
import json
import os
import re
import socket
import stat
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from http.client import HTTPConnection, HTTPException, HTTPResponse
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote, urlencode

from compliance.errors import FormatError, IntegrityError, SourceError, UsageError
from compliance.formats import oci
from compliance.formats.plain_text import plain_text
from compliance.ingest.archive import TarBlobs, archive_in
from compliance.ingest.limits import DEFAULT_LIMITS, Limits, exceeded
from compliance.ingest.source import Source
from compliance.model.image import Image, Layer
from compliance.model.reference import ImageReference, Platform, Scheme, is_digest

ANSWER_SECONDS = 300
"""How long the engine may be silent: Docker prepares an export on its own disk before the first byte comes."""

_PIECE = 2**20
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*(?:[/:@][A-Za-z0-9_][A-Za-z0-9._+-]*)*")
_UNIX = "unix://"


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """What differs between engines. `sockets` are tried in order; {runtime} is the user's runtime directory."""

    title: str
    variable: str
    sockets: tuple[str, ...]
    start: str
    pull: str


ENGINES: Mapping[Scheme, Engine] = {
    Scheme.DOCKER: Engine(
        title="Docker",
        variable="DOCKER_HOST",
        sockets=("/var/run/docker.sock", "{runtime}/docker.sock", "{home}/.docker/run/docker.sock"),
        start="start Docker",
        pull="docker pull",
    ),
    Scheme.PODMAN: Engine(
        title="Podman",
        variable="CONTAINER_HOST",
        sockets=("{runtime}/podman/podman.sock", "/run/podman/podman.sock"),
        start="run 'systemctl --user start podman.socket' or 'podman system service'",
        pull="podman pull",
    ),
}


class EngineImage:
    """A Source over an image that an engine holds.

    The engine's export is one tar whose manifest comes last, so it is written to an unnamed temporary file first,
    uncompressed, up to Limits.archive_bytes; the file is gone when the source is closed or the process ends.
    """

    remote = False  # once `image` has returned

    def __init__(self, reference: ImageReference, limits: Limits = DEFAULT_LIMITS) -> None:
        """Nothing is asked yet. Raises UsageError for a name that no engine accepts, SourceError without a socket."""
        self._reference = reference
        self._name = _name(reference)
        self._engine = ENGINES[reference.scheme]
        self._limits = limits
        self._sockets = sockets(self._engine, os.environ)
        self._archive: Source | None = None

    def image(self, platform: Platform | None) -> Image:
        """See Source. The image is exported by its ID, and what comes must have that ID."""
        with closing(self._connect()) as api:
            identity = self._identity(api)
            spooled = self._export(api, identity, platform)
        where = Path(api.path)
        try:
            bare = replace(self._reference, tag=None, digest=None)  # the export holds this one image
            self._archive = archive_in(bare, TarBlobs(spooled, str(self._reference), self._limits), where, self._limits)
        except BaseException:
            spooled.close()
            raise
        image = self._archive.image(platform)
        self._compare(image, identity)
        return replace(image, reference=self._reference, tag=self._reference.tag or image.tag)

    def open_layer(self, layer: Layer) -> BinaryIO:
        """See Source. `image` has been called."""
        if self._archive is None:
            raise SourceError("the image was not selected before its layers", code="no-image", where=self._name)
        return self._archive.open_layer(layer)

    def close(self) -> None:
        """See Source."""
        if self._archive is not None:
            self._archive.close()

    def _connect(self) -> _UnixConnection:
        """The first socket that accepts. Raises SourceError (``engine-unreachable``, ``engine-refused``)."""
        failures: list[tuple[str, OSError]] = []
        for path in self._sockets:
            connection = _UnixConnection(path)
            try:
                connection.connect()
            except OSError as error:
                connection.close()
                failures.append((path, error))
            else:
                return connection
        raise _unreachable(self._engine, failures)

    def _identity(self, api: _UnixConnection) -> str:
        """The image ID: the digest of its config, or of its manifest or index where Docker keeps images so."""
        with self._get(api, f"/images/{quote(self._name, safe='/:@')}/json") as response:
            content = response.read(self._limits.manifest_bytes + 1)
        if len(content) > self._limits.manifest_bytes:
            raise exceeded("manifest_bytes", "the engine describes the image at too great length", str(self._reference))
        told = oci.load_json(content, "the engine's answer", "engine-answer-invalid")
        identity = told.get("Id") if isinstance(told, dict) else None
        identity = f"sha256:{identity}" if isinstance(identity, str) and ":" not in identity else identity
        if not isinstance(identity, str) or not is_digest(identity):
            raise FormatError("the engine told no image ID", code="engine-answer-invalid", where=str(self._reference))
        return identity

    def _export(self, api: _UnixConnection, identity: str, platform: Platform | None) -> BinaryIO:
        query = {"names": identity}
        if platform is not None:  # since API 1.48; others pass over it
            parts = {"os": platform.os, "architecture": platform.architecture, "variant": platform.variant}
            query["platform"] = json.dumps({key: value for key, value in parts.items() if value})
        spooled: BinaryIO = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the source
        try:
            with self._get(api, f"/images/get?{urlencode(query)}") as response:
                self._spool(response, spooled)
        except BaseException:
            spooled.close()
            raise
        return spooled

    def _spool(self, response: HTTPResponse, to: BinaryIO) -> None:
        left = self._limits.archive_bytes
        while piece := response.read(_PIECE):
            left -= len(piece)
            if left < 0:
                size = self._limits.archive_bytes
                raise exceeded("archive_bytes", f"the engine exports more than {size} bytes", str(self._reference))
            try:
                to.write(piece)
            except OSError as error:
                raise SourceError(
                    f"can't keep the engine's export: {error.strerror}",
                    code="no-space",
                    where=tempfile.gettempdir(),
                    hint="set TMPDIR to a folder with room for the uncompressed image",
                ) from None
        to.seek(0)

    @contextmanager
    def _get(self, api: _UnixConnection, target: str) -> Iterator[HTTPResponse]:
        """The answer to one request. Raises SourceError for any status but 200, or when the answer breaks off."""
        try:
            api.request("GET", target, headers={"Host": "engine"})
            response = api.getresponse()
            if response.status != 200:
                raise self._refused(response)
            yield response
            response.read(1)  # the end of the answer, so that the connection can be used again
        except (OSError, HTTPException) as error:
            why = "no answer in time" if isinstance(error, TimeoutError) else _said(str(error)) or type(error).__name__
            raise SourceError(
                f"{self._engine.title} broke off its answer ({why})",
                code="engine-failed",
                where=api.path,
                hint="look at the engine's log, then try again",
            ) from None

    def _refused(self, response: HTTPResponse) -> SourceError:
        said = _message(response.read(2**16))
        if response.status == 404:
            return SourceError(
                f"{self._engine.title} has no image {self._name}",
                code="no-image",
                where=str(self._reference),
                hint=f"get it with '{self._engine.pull} {self._name}', or give registry:{self._name}",
            )
        return SourceError(
            f"{self._engine.title} answers {response.status}{f': {said}' if said else ''}",
            code="engine-failed",
            where=str(self._reference),
        )

    def _compare(self, image: Image, identity: str) -> None:
        """What was exported is what was asked for, by its own bytes. Raises IntegrityError, SourceError."""
        proved = {image.digest, image.index_digest, image.config_digest}
        if identity not in proved:
            raise IntegrityError(
                f"{self._engine.title} exported another image than {identity}",
                code="digest-mismatch",
                where=str(self._reference),
            )
        wanted = self._reference.digest
        if wanted is None or wanted in proved:
            return
        raise SourceError(
            f"{self._engine.title} exports the image without its manifest, so {wanted} can't be compared",
            code="digest-unproved",
            where=str(self._reference),
            hint=f"give registry:{self._reference.target}@DIGEST, or the name without a digest",
        )


class _UnixConnection(HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("engine", timeout=ANSWER_SECONDS)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(ANSWER_SECONDS)
        self.sock.connect(self.path)


def sockets(engine: Engine, environment: Mapping[str, str]) -> tuple[str, ...]:
    """Where the engine may listen: what its variable says and nothing else, or its usual places.

    Raises SourceError (``engine-unsupported``) for an address that is no Unix socket.
    """
    told = environment.get(engine.variable, "")
    if told.startswith(_UNIX):
        return (told.removeprefix(_UNIX),)
    if told:
        raise SourceError(
            f"{engine.variable} is {_said(told)!r}: engines are asked over a Unix socket only",
            code="engine-unsupported",
            where=engine.variable,
            hint=f"set {engine.variable}=unix:///PATH, or save the image there and give docker-archive:FILE",
        )
    runtime = environment.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}"
    home = environment.get("HOME") or "/nonexistent"
    return tuple(path.format(runtime=runtime, home=home) for path in engine.sockets)


def _unreachable(engine: Engine, failures: list[tuple[str, OSError]]) -> SourceError:
    """One line for all sockets: one that may not be used says more than one that is not there."""
    for path, error in failures:
        if isinstance(error, PermissionError):
            return SourceError(
                f"{engine.title}'s socket may not be used: {error.strerror}",
                code="engine-refused",
                where=path,
                hint="run as its owner or join its group, or start a rootless engine",
            )
    listed = ", ".join(f"{path} ({_why(path, error)})" for path, error in failures)
    return SourceError(
        f"{engine.title} does not listen",
        code="engine-unreachable",
        where=listed,
        hint=f"{engine.start}, or set {engine.variable}=unix:///PATH",
    )


def _why(path: str, error: OSError) -> str:
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return "not there"
    if error.errno == errno.ECONNREFUSED:
        return "nobody listens" if stat.S_ISSOCK(Path(path).stat().st_mode) else "not a socket"
    return error.strerror or str(error)  # some have a text only: a path too long for a socket


def _name(reference: ImageReference) -> str:
    """The name as engines take it. Raises UsageError for one that could be another request."""
    tag = f":{reference.tag}" if reference.tag else ""
    digest = f"@{reference.digest}" if reference.digest else ""
    name = f"{reference.target}{tag}{digest}"
    if _NAME.fullmatch(name) is None:
        raise UsageError(
            f"not an image name: {_said(name)!r}",
            code="reference-invalid",
            where=reference.scheme,
            hint="write NAME, NAME:TAG or an image ID",
        )
    return name


def _message(content: bytes) -> str:
    """The engine's own words in an error answer."""
    try:
        told = oci.load_json(content, "answer", "engine-answer-invalid")
    except FormatError:
        return ""
    message = told.get("message") if isinstance(told, dict) else None
    return _said(message) if isinstance(message, str) else ""


def _said(text: str) -> str:
    return plain_text(text, 200)
