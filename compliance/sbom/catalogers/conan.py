"""Conan packages: conan.lock and conanfile.txt declare, conaninfo.txt in Conan's cache shows an installed one."""

from __future__ import annotations

import re
from collections.abc import Iterator

from compliance.formats.json_data import mapping, read_json_object, text, texts
from compliance.formats.plain_text import decode
from compliance.formats.stated_package import StatedPackage
from compliance.model.request import ContentRequest
from compliance.sbom.stated import StatingFiles

_REFERENCE = re.compile(
    r"([\w.+-]{1,128})/([\w.+-]{1,128})(?:@(?:([\w.+-]{1,128})/([\w.+-]{1,128}))?)?(?:#[0-9a-f]+)?(?:[:%].*)?"
)
_CACHE = re.compile(r"(?:.*/)?\.conan/data/([^/]+/[^/]+)/([^/]+/[^/]+)/package/[^/]+/conaninfo\.txt")


def read_conan_lock(content: bytes, path: str = "") -> Iterator[StatedPackage]:
    """Version 0.4 (``graph_lock.nodes``) and 0.5 (``requires``: what is built in; tools for building are not)."""
    lock = read_json_object(content)
    for node in mapping(mapping(lock.get("graph_lock")).get("nodes")).values():
        yield from _referenced(text(mapping(node).get("ref")))
    for reference in texts(lock.get("requires")):
        yield from _referenced(reference)


def read_conanfile(content: bytes, path: str = "") -> Iterator[StatedPackage]:
    """The section ``[requires]``; ranges name no version."""
    section = ""
    for line in decode(content).split("\n"):
        stated = line.partition("#")[0].strip() if line.lstrip().startswith("#") else line.strip()
        if stated.startswith("["):
            section = stated
        elif section == "[requires]":
            yield from _referenced(stated)


def read_conaninfo(content: bytes, path: str = "") -> Iterator[StatedPackage]:
    """The package of a binary in the cache of Conan 1, which its place names."""
    match = _CACHE.fullmatch(path)
    if match:
        yield from _referenced(match[1] if match[2] == "_/_" else f"{match[1]}@{match[2]}")


def _referenced(reference: str) -> Iterator[StatedPackage]:
    """``name/version@user/channel#revision``."""
    match = _REFERENCE.fullmatch(reference.strip())
    if match:
        name, version, user, channel = match.groups()
        yield StatedPackage(
            name=name,
            version=version,
            namespace=user if user != "_" else None,
            purl_name=name,
            qualifiers=(("channel", channel),) if channel and channel != "_" else (),
        )


CATALOGER = StatingFiles(
    id="conan",
    type_="conan",
    readers=(
        (ContentRequest(name="conan-lock", globs=("**/conan.lock",)), read_conan_lock),
        (ContentRequest(name="conanfile", globs=("**/conanfile.txt",), max_size=2**20), read_conanfile),
        (ContentRequest(name="conaninfo", globs=("**/conaninfo.txt",), max_size=2**20), read_conaninfo),
    ),
    declared=lambda path: not path.endswith("conaninfo.txt"),
)
