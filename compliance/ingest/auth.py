"""Who one is to a registry: challenges (RFC 9110, 11.6.1) and the credentials that docker or podman login stored.

Credentials are looked up only when a registry asks, and for that registry's name only.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from compliance.errors import SourceError, UsageError
from compliance.formats.plain_text import plain_text
from compliance.ingest.registry_name import DEFAULT_HOST

HELPER_SECONDS = 60
"""How long a credential helper may take: some ask a person or a cloud's API."""

_CONFIG_MAX = 2**20
_HUB_KEY = f"https://index.{DEFAULT_HOST}/v1/"
"""Under which name docker login stores the default registry's credentials."""
_HELPER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_IDENTITY_USER = "<token>"
"""The user name with which a helper says that its secret is an identity token."""
_NOT_FOUND = "credentials not found"

_CHALLENGE = re.compile(
    r"""(?P<key>[A-Za-z0-9_-]+)\s*=\s*(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<plain>[^\s,"]*))|(?P<scheme>[A-Za-z0-9_-]+)"""
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """What a registry asks for: `scheme` in lower case, parameters by their lower-case names."""

    scheme: str
    parameters: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """A login. With `is_identity_token` the secret is an OAuth 2 refresh token, and the user name says nothing."""

    username: str
    secret: str = field(repr=False)
    is_identity_token: bool = False

    @property
    def basic(self) -> str:
        """The Authorization header's value (RFC 7617)."""
        return "Basic " + base64.b64encode(f"{self.username}:{self.secret}".encode()).decode("ascii")


def parse_challenges(header: str) -> tuple[Challenge, ...]:
    """Read the value of WWW-Authenticate, which may hold several. What is no challenge is passed over."""
    challenges: list[Challenge] = []
    parameters: dict[str, str] = {}
    for found in _CHALLENGE.finditer(header):
        if found["scheme"]:
            parameters = {}
            challenges.append(Challenge(scheme=found["scheme"].lower(), parameters=parameters))
        elif challenges:
            value = found["plain"] if found["quoted"] is None else re.sub(r"\\(.)", r"\1", found["quoted"])
            parameters.setdefault(found["key"].lower(), value)
    return tuple(challenges)


def find_credential(host: str, repository: str, environment: Mapping[str, str]) -> Credential | None:
    """What a login stored for `host`, in the first configuration file that knows it; None without one.

    Raises UsageError (``login-invalid``) for a file that can't be understood, SourceError (``helper-failed``).
    """
    for path in _config_files(environment):
        config = _read_config(path)
        credential = None if config is None else _in_config(config, host, repository, path)
        if credential is not None:
            return credential
    return None


def _config_files(environment: Mapping[str, str]) -> Iterator[Path]:
    """Docker's file and podman's (config.json, containers-auth.json(5)); one that is named replaces its default."""
    home = Path(environment.get("HOME") or "/nonexistent")
    if named := environment.get("REGISTRY_AUTH_FILE"):
        yield Path(named)
    yield Path(environment.get("DOCKER_CONFIG") or home / ".docker") / "config.json"
    if runtime := environment.get("XDG_RUNTIME_DIR"):
        yield Path(runtime) / "containers" / "auth.json"
    yield Path(environment.get("XDG_CONFIG_HOME") or home / ".config") / "containers" / "auth.json"


def _read_config(path: Path) -> dict[str, object] | None:
    try:
        with path.open("rb") as stream:
            content = stream.read(_CONFIG_MAX + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise _invalid(path, f"can't be read: {error.strerror}") from None
    if len(content) > _CONFIG_MAX:
        raise _invalid(path, f"has more than {_CONFIG_MAX} bytes")
    try:
        config = json.loads(content)
    except (ValueError, RecursionError):
        raise _invalid(path, "is not JSON") from None
    if not isinstance(config, dict):
        raise _invalid(path, "is no JSON object")
    return config


def _in_config(config: Mapping[str, object], host: str, repository: str, path: Path) -> Credential | None:
    """A helper for this host; the store for all; what stands in the file itself: the order of docker."""
    key = _HUB_KEY if host == DEFAULT_HOST else host
    helpers = _object(config, "credHelpers", path)
    helper = helpers.get(host, helpers.get(key))
    if helper is not None:
        return _from_helper(helper, key, path)
    store = config.get("credsStore")
    stored = _from_helper(store, key, path) if store else None
    return stored or _from_file(_object(config, "auths", path), host, repository, path)


def _from_file(auths: Mapping[str, object], host: str, repository: str, path: Path) -> Credential | None:
    """The entry with the longest name that fits: podman stores logins for a part of a registry too."""
    parts = repository.split("/")
    names = ["/".join((host, *parts[:count])) for count in range(len(parts), -1, -1)]
    if host == DEFAULT_HOST:
        names.append(f"index.{DEFAULT_HOST}")
    entries = {_normal(key): value for key, value in auths.items()}
    for name in names:
        entry = entries.get(name)
        if isinstance(entry, dict) and entry:
            return _decoded(entry, path)
    return None


def _normal(key: str) -> str:
    """The name an entry is for: an address (``https://HOST/v1/``) is for its host."""
    scheme, address, rest = key.partition("://")
    return rest.partition("/")[0] if address else scheme.rstrip("/")


def _decoded(entry: Mapping[str, object], path: Path) -> Credential | None:
    token, encoded = entry.get("identitytoken"), entry.get("auth")
    if isinstance(token, str) and token:
        return Credential(username=_IDENTITY_USER, secret=token, is_identity_token=True)
    username, secret = entry.get("username"), entry.get("password")
    if isinstance(encoded, str) and encoded:
        try:
            username, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
        except (binascii.Error, ValueError):
            raise _invalid(path, "has an entry whose auth is not base64") from None
        secret = secret.rstrip("\0")
    if not isinstance(username, str) or not isinstance(secret, str) or not username:
        return None
    return Credential(username=username, secret=secret)


def _from_helper(name: object, key: str, path: Path) -> Credential | None:
    """Ask ``docker-credential-NAME get``: the key on its input, JSON on its output (docker-credential-helpers)."""
    if not isinstance(name, str) or _HELPER_NAME.fullmatch(name) is None:
        raise _invalid(path, "names a credential helper that can't be one")
    program = shutil.which(f"docker-credential-{name}")
    if program is None:
        raise _helper_failed(name, "it is not installed", path)
    try:
        run = subprocess.run(  # noqa: S603 - the program that the user's own configuration names
            [program, "get"], input=key.encode(), capture_output=True, timeout=HELPER_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        why = f"no answer in {HELPER_SECONDS} s" if isinstance(error, subprocess.TimeoutExpired) else error.strerror
        raise _helper_failed(name, why or "it can't be run", path) from None
    if run.returncode != 0:
        said = plain_text(run.stdout[:2000].decode("utf-8", "replace"), 200)
        if said.startswith(_NOT_FOUND):
            return None
        raise _helper_failed(name, said or f"exit status {run.returncode}", path)
    return _helper_answer(name, run.stdout, path)


def _helper_answer(name: str, content: bytes, path: Path) -> Credential | None:
    try:
        answer = json.loads(content)
    except (ValueError, RecursionError):
        answer = None
    username, secret = (answer.get("Username"), answer.get("Secret")) if isinstance(answer, dict) else (None, None)
    if not isinstance(username, str) or not isinstance(secret, str):
        raise _helper_failed(name, "its answer is not a user name and a secret", path)
    if not username and not secret:
        return None
    return Credential(username=username, secret=secret, is_identity_token=username == _IDENTITY_USER)


def _object(config: Mapping[str, object], key: str, path: Path) -> Mapping[str, object]:
    value = config.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise _invalid(path, f"has a {key} that is no object")
    return value


def _invalid(path: Path, why: str) -> UsageError:
    return UsageError(
        f"the login configuration {why}",
        code="login-invalid",
        where=os.fspath(path),
        hint="repair it, or log in again with docker login",
    )


def _helper_failed(name: str, why: str, path: Path) -> SourceError:
    return SourceError(
        f"the credential helper docker-credential-{name} failed: {why}",
        code="helper-failed",
        where=os.fspath(path),
        hint="repair the helper, or name no helper for this registry",
    )
