"""Haskell packages that Stack and Cabal pin: stack.yaml.lock, stack.yaml and cabal.project.freeze."""

from __future__ import annotations

import re
from collections.abc import Iterator

from compliance.formats.indented_text import lines
from compliance.formats.plain_text import decode
from compliance.formats.stated_package import StatedPackage
from compliance.model.request import ContentRequest
from compliance.sbom.stated import StatingFiles

_IDENTIFIER = re.compile(r"([A-Za-z0-9]+(?:-[A-Za-z0-9]+)*)-(\d+(?:\.\d+)*)(?:@.*)?")
_CONSTRAINT = re.compile(r"(?:any\.)?([A-Za-z0-9][A-Za-z0-9-]*)\s*==\s*(\d+(?:\.\d+)*)(?=\s|$)")


def read_stack_lock(content: bytes, path: str = "") -> Iterator[StatedPackage]:
    """The ``completed`` packages of Hackage; those of Git and of archives are not published under an identifier."""
    completed = False
    for line in lines(decode(content)):
        if line.key in ("completed", "original"):
            completed = line.key == "completed"
        elif completed and line.key == "hackage":
            yield from _identified(line.value)


def read_stack(content: bytes, path: str = "") -> Iterator[StatedPackage]:
    """The ``extra-deps`` that are identifiers."""
    top = ""
    for line in lines(decode(content)):
        if line.key and line.indent == 0:
            top = line.key
        elif top == "extra-deps" and line.item and not line.key:
            yield from _identified(line.value)


def _identified(identifier: str) -> Iterator[StatedPackage]:
    """``name-1.2.3@sha256:…,size``; the digest is that of the package description, not of the package."""
    match = _IDENTIFIER.fullmatch(identifier)
    if match:
        yield StatedPackage(name=match[1], version=match[2])


def read_freeze(content: bytes, path: str = "") -> Iterator[StatedPackage]:
    """The constraints that name one version; flags are none."""
    for piece in decode(content).replace("constraints:", ",").split(","):
        match = _CONSTRAINT.match(piece.strip())
        if match:
            yield StatedPackage(name=match[1], version=match[2])


CATALOGER = StatingFiles(
    id="haskell",
    type_="hackage",
    readers=(
        (ContentRequest(name="stack-lock", globs=("**/stack.yaml.lock",)), read_stack_lock),
        (ContentRequest(name="stack", globs=("**/stack.yaml",), max_size=2**20), read_stack),
        (ContentRequest(name="cabal-freeze", globs=("**/cabal.project.freeze",)), read_freeze),
    ),
)
