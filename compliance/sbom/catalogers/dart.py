"""Dart packages that a pubspec.lock declares (pub, "lock file")."""

from __future__ import annotations

import re
from collections.abc import Iterator

from compliance.formats.indented_text import Line, lines
from compliance.formats.plain_text import decode
from compliance.formats.stated_package import StatedPackage
from compliance.model.request import ContentRequest
from compliance.sbom.stated import StatingFiles

_DEFAULT_HOST = re.compile(r"pub\.(?:dev|dartlang\.org)")
_NUMBER = re.compile(r"\d[\w.+-]*")
_NO_VERSION = "0.0.0"
"""What pub writes for a package of an SDK: it has the SDK's version."""


def read_pubspec_lock(content: bytes, path: str = "") -> Iterator[StatedPackage]:
    """Every entry of ``packages``; a package of an SDK gets the lowest version that the lock allows of it."""
    packages: list[dict[str, str]] = []
    sdks: dict[str, str] = {}
    top = ""
    for line in lines(decode(content)):
        if line.indent == 0:
            top = line.key
        elif top == "sdks":
            sdks[line.key] = line.value
        elif top == "packages" and line.indent == 2:
            packages.append({"name": line.key})
        elif top == "packages" and packages:
            _take(packages[-1], line)
    for package in packages:
        if package.get("source") != "path":
            yield _stated(package, sdks)


def _take(package: dict[str, str], line: Line) -> None:
    key = line.key if line.indent == 4 else f"description.{line.key}"
    package.setdefault(key, line.value)


def _stated(package: dict[str, str], sdks: dict[str, str]) -> StatedPackage:
    version, confidence, inferred = package.get("version", ""), 1.0, None
    if package.get("source") == "sdk" and version == _NO_VERSION:
        allowed = _NUMBER.search(sdks.get(package.get("description", ""), ""))
        if allowed:
            version, confidence = allowed[0], 0.5
            inferred = "version: the lowest of the SDK that the lock allows"
    url = package.get("description.url", "")
    qualifiers: tuple[tuple[str, str], ...] = ()
    if package.get("source") == "git" and url:
        qualifiers = (("vcs_url", f"{url}@{package.get('description.resolved-ref', '')}"),)
    elif package.get("source") == "hosted" and (host := url.partition("://")[2].rstrip("/")):
        qualifiers = () if _DEFAULT_HOST.fullmatch(host) else (("hosted_url", host),)
    sha256 = package.get("description.sha256", "")
    return StatedPackage(
        name=package["name"],
        version=version,
        qualifiers=qualifiers,
        digests=(("SHA-256", sha256),) if re.fullmatch(r"[0-9a-f]{64}", sha256) else (),
        confidence=confidence,
        inferred=inferred,
    )


CATALOGER = StatingFiles(
    id="dart",
    type_="pub",
    readers=((ContentRequest(name="pubspec-lock", globs=("**/pubspec.lock",)), read_pubspec_lock),),
)
