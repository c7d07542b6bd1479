"""Programs that tell their version in their own bytes: interpreters, servers and tools put there without a package.

A file is looked at for the programs its name stands for (knowledge/binaries.py). The identity is read off texts that
anybody could write into a file, so no package is certain; one that a lone version tells is less so.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import islice
from typing import NamedTuple

from compliance.formats.purl import package_url
from compliance.model.filesystem import Captured, FileEntry, FileTree
from compliance.model.inventory import Cataloged, Distribution, Location, Package
from compliance.model.request import ContentRequest
from compliance.sbom.knowledge.binaries import RULES, VERSION, Lone, Program, Rule, Text

SIZE_MAX = 256 * 2**20
"""Above, a file is not looked at; the tree says of a program that large that it was not examined."""

_AROUND = 160
"""Bytes before and behind the fixed words in which the version is looked for: longest are paths of sources."""
_PLACES_MAX = 20_000
"""Places of a sign in one file: more are in files made to be slow to read, and tell nothing."""
_TEXT_CONFIDENCE = 0.9
_LONE_CONFIDENCE = 0.6

_TAIL = re.compile(rb"\.\d[\w.+~-]{0,40}(?=\0)")  # begins with a literal, which is found ten times as fast
_HEAD = re.compile(rb"(?:\A|[^ -~])[^a-z\d %+./-]{0,2}((?:[a-z]{1,8}-?)?\d{1,4})\Z")  # numbers before may end printable
_HEAD_MAX = 16
_NAME_VERSION = re.compile(r"\d+\.\d+")
_CPE_VERSION = re.compile(
    r"(?P<version>\d+(?:\.\d+)+[a-z]{0,2}?)(?:[-.]?(?P<update>(?:alpha|beta|rc|preview|RC|a|b|p)[-.]?\d+))?(?:\+[\w.+-]*)?"
)


class Finding(NamedTuple):
    """A program that a file's bytes name, with the versions they give it: several are in different places."""

    program: Program
    versions: tuple[str, ...]
    confidence: float


@dataclass(frozen=True, slots=True)
class Recogniser:
    """Looks for the program of one rule; a method of it is what reduces a file's content."""

    rule: Rule

    def recognise(self, content: bytes) -> tuple[Finding, ...]:
        """What each sign of the rule finds in `content`, in their order."""
        found = ((sign, _versions(sign, content)) for sign in self.rule.signs)
        return tuple(
            Finding(sign.program, versions, _TEXT_CONFIDENCE if isinstance(sign, Text) else _LONE_CONFIDENCE)
            for sign, versions in found
            if versions
        )


def _versions(sign: Text | Lone, content: bytes) -> tuple[str, ...]:
    texts = _near(sign, content) if isinstance(sign, Text) else _alone(sign, content)
    places = tuple(islice(texts, _PLACES_MAX + 1))
    if len(places) > _PLACES_MAX:
        return ()
    return tuple(dict.fromkeys(text.decode("ascii", "replace") for text in places if text))


def _near(sign: Text, content: bytes) -> Iterator[bytes | None]:
    """For each place of the fixed words the version by them."""
    expression = _compiled(sign.regex)
    place = content.find(sign.at)
    while place >= 0:
        match = expression.search(content, max(place - _AROUND, 0), place + len(sign.at) + _AROUND)
        yield match[1] if match else None
        place = content.find(sign.at, place + 1)


def _alone(sign: Lone, content: bytes) -> Iterator[bytes | None]:
    """For each end of a text that may be a version the version it is."""
    expression = _compiled(sign.regex)
    for tail in _TAIL.finditer(content):
        start = tail.start()
        head = _HEAD.search(content[max(start - _HEAD_MAX, 0) : start])
        match = expression.fullmatch(head[1] + tail[0]) if head else None
        yield match[1] if match else None


@cache
def _compiled(expression: bytes) -> re.Pattern[bytes]:
    return re.compile(expression.replace(b"<V>", VERSION))


class BinaryCataloger:
    """One package a program and file, with all names of the file that its rule knows.

    Files of OS packages are among them: the inventory, which knows the owners, leaves those out.
    """

    id: str = "binary"
    requests: tuple[ContentRequest, ...] = tuple(
        ContentRequest(name=f"binary:{rule.id}", globs=rule.globs, max_size=SIZE_MAX, reduce=Recogniser(rule).recognise)
        for rule in RULES
    )

    def catalog(self, tree: FileTree, distribution: Distribution | None) -> Cataloged:
        """Of the signs of a rule the first that tells one version counts."""
        packages: list[Package] = []
        for rule, request in zip(RULES, self.requests, strict=True):
            files: dict[int, list[Captured]] = {}
            for item in tree.captured(request.name):
                files.setdefault(item.entry.inode, []).append(item)
            for names in files.values():
                if not _is_stated(tree, rule, names[0].entry):
                    packages.extend(_package(rule, names))
        return Cataloged(packages=tuple(packages))


CATALOGER = BinaryCataloger()


def _package(rule: Rule, names: list[Captured]) -> Iterator[Package]:
    entry, findings = names[0].entry, names[0].value
    if not isinstance(findings, tuple) or _is_another_go_program(rule, entry):
        return
    for program, versions, confidence in findings:
        version = _only(versions, entry.name)
        if version is None:
            continue
        yield Package(
            name=program.shown or program.name,
            version=version,
            type=program.type,
            purl=package_url(program.type, program.name, version, namespace=program.namespace),
            found_by=CATALOGER.id,
            locations=tuple(Location(path=item.entry.path, layer=item.entry.layer) for item in names),
            digests=(("SHA-256", entry.sha256),) if entry.sha256 else (),
            cpes=_cpes(program, version),
            confidence=confidence,
            inferred="name and version, from the file's name and a text in it",
        )
        return


def _is_stated(tree: FileTree, rule: Rule, entry: FileEntry) -> bool:
    """Whether the home folder of the program has the file that states what it is, which another cataloger reads."""
    home = posixpath.dirname(posixpath.dirname(entry.path))
    return rule.stated_in is not None and tree.get(posixpath.join(home, rule.stated_in)) is not None


def _is_another_go_program(rule: Rule, entry: FileEntry) -> bool:
    """Whether the Go linker recorded another program than the rule's, or its version, which `go` then reports."""
    info = entry.facts.elf.go if entry.facts is not None and entry.facts.elf is not None else None
    if info is None or rule.go is None:
        return False
    path, version, _ = info.main
    return not (info.path or path).startswith(rule.go) or version.startswith("v")


def _only(versions: tuple[str, ...], name: str) -> str | None:
    """The one version, or the one that begins as the file's name says (python3.11)."""
    if len(versions) > 1 and (stated := _NAME_VERSION.search(name)):
        versions = tuple(version for version in versions if version.startswith(f"{stated[0]}."))
    return versions[0] if len(versions) == 1 else None


def _cpes(program: Program, version: str) -> tuple[str, ...]:
    """One CPE 2.3 name where vendor and product are known and the version is of a form that it has there.

    A pre-release is the update, build numbers of Java are left out; versions of other forms give none.
    """
    parts = _CPE_VERSION.fullmatch(version)
    if not program.cpe or parts is None:
        return ()
    update = (parts["update"] or "*").replace(".", "").replace("-", "")
    return (f"cpe:2.3:a:{program.cpe}:{parts['version']}:{update}:*:*:*:*:*:*",)
