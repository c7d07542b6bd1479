"""The lock files of JavaScript package managers: package-lock.json, yarn.lock, pnpm-lock.yaml, bun.lock.

Entries that the file itself marks as for development are left out, as are those without a version of their own
(workspaces, linked folders, plain archives).
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from compliance.errors import FormatError
from compliance.formats.indented_text import Line, flow_pairs, lines
from compliance.formats.json_data import mapping, read_json_object, text, texts
from compliance.formats.plain_text import decode
from compliance.formats.stated_package import StatedPackage

_CODE = "npm-lock-invalid"
_DEPTH_MAX = 64
_ALGORITHMS = {"sha1": ("SHA-1", 20), "sha256": ("SHA-256", 32), "sha384": ("SHA-384", 48), "sha512": ("SHA-512", 64)}
_VERSION = re.compile(r"v?\d[\w.+~-]*")
_GIT = re.compile(r"(?:git[+:]|github:|gitlab:|bitbucket:|[\w-]+/[\w.-]+#|https?://[^#]+\.git#).*#([0-9a-f]{7,64})$")
_NAME = re.compile(r"(?:@[^/@\s]+/)?[^/@\s][^/\s]*")


def _stated(
    name: str,
    version: str,
    *,
    integrity: str = "",
    depends: tuple[str, ...] = (),
    licenses: tuple[str, ...] = (),
) -> StatedPackage | None:
    """None where name or version is not one of a package; of a Git reference the commit is the version."""
    qualifiers: tuple[tuple[str, str], ...] = ()
    if not _VERSION.fullmatch(version):
        commit = _GIT.match(version)
        if commit is None:
            return None
        url = version.partition("#")[0]
        qualifiers = (("vcs_url", f"{url if ':' in url else 'github:' + url}@{commit[1]}"),)
        version = commit[1]
    if not _NAME.fullmatch(name):
        return None
    return StatedPackage(
        name=name,
        version=version,
        qualifiers=qualifiers,
        digests=tuple(_digests(integrity)),
        depends=depends,
        licenses=licenses,
    )


def _digests(integrity: str) -> Iterator[tuple[str, str]]:
    """Subresource integrity: ``sha512-BASE64`` of the archive, several between blanks."""
    for part in integrity.split()[:4]:
        algorithm, _, encoded = part.partition("-")
        name, size = _ALGORITHMS.get(algorithm, ("", 0))
        try:
            raw = base64.b64decode(encoded.partition("?")[0], validate=True)
        except (binascii.Error, ValueError):
            continue
        if name and len(raw) == size:
            yield name, raw.hex()


# package-lock.json, npm-shrinkwrap.json (package-lock-json(5))


def read_package_lock(content: bytes, path: str = "") -> Iterator[StatedPackage]:
    """lockfileVersion 1 (``dependencies``, nested), 2 and 3 (``packages`` by place)."""
    lock = read_json_object(content)
    packages = mapping(lock.get("packages"))
    if packages:
        yield from _placed(lock, packages)
    else:
        yield from _nested(mapping(lock.get("dependencies")))


def _placed(lock: Mapping[str, Any], packages: Mapping[str, Any]) -> Iterator[StatedPackage]:
    names = {place: _name(place, mapping(value), lock) for place, value in packages.items()}
    for place, value in packages.items():
        entry = mapping(value)
        if any(entry.get(mark) is True for mark in ("dev", "link", "extraneous")):
            continue
        version = text(entry.get("version")) or text(entry.get("resolved") if place else lock.get("version"))
        found = _stated(
            names[place],
            version,
            integrity=text(entry.get("integrity")),
            depends=tuple(_resolved(place, entry, packages, names)),
            licenses=tuple(texts(entry.get("license"))),
        )
        if found:
            yield found


def _name(place: str, entry: Mapping[str, Any], lock: Mapping[str, Any]) -> str:
    """As stated, which an alias needs; else by the place: below node_modules or a workspace's folder."""
    if stated := text(entry.get("name") or ("" if place else lock.get("name"))):
        return stated
    _, modules, name = place.rpartition("node_modules/")
    return name if modules else place.rpartition("/")[2]


def _resolved(
    place: str, entry: Mapping[str, Any], packages: Mapping[str, Any], names: Mapping[str, str]
) -> Iterator[str]:
    """``name@version`` of what Node.js would load from `place` for each dependency."""
    for key in ("dependencies", "optionalDependencies"):
        for name in mapping(entry.get(key)):
            folder = place
            for _ in range(_DEPTH_MAX):
                target = f"{folder}/node_modules/{name}" if folder else f"node_modules/{name}"
                if target in packages:
                    version = text(mapping(packages[target]).get("version"))
                    if version:
                        yield f"{names[target]}@{version}"
                    break
                if not folder:
                    break
                folder = folder.rpartition("node_modules/")[0].rstrip("/")


def _nested(top: Mapping[str, Any]) -> Iterator[StatedPackage]:
    todo = [(top, 0)]
    while todo:
        some, depth = todo.pop()
        for name, value in some.items():
            entry = mapping(value)
            if entry.get("dev") is True:
                continue
            version, true_name = text(entry.get("version")), name.rpartition("node_modules/")[2]
            if version.startswith("npm:"):  # an alias
                true_name, _, version = version.removeprefix("npm:").rpartition("@")
            found = _stated(true_name, version, integrity=text(entry.get("integrity")))
            if found:
                yield found
            inner = mapping(entry.get("dependencies"))
            if inner and depth < _DEPTH_MAX:
                todo.append((inner, depth + 1))


# yarn.lock


def read_yarn_lock(content: bytes, path: str = "") -> Iterator[StatedPackage]:
    """Of Yarn 1 (its own format) and of later ones (YAML with ``__metadata``)."""
    stated = decode(content)
    if "__metadata:" in stated[:4096]:
        return _berry(stated)
    return _classic(stated)


@dataclass(slots=True)
class _Block:
    """One entry of a yarn.lock: what it answers to, its values, and the needs as ``name@range``."""

    descriptors: list[str]
    values: dict[str, str] = field(default_factory=dict)
    needs: list[str] = field(default_factory=list)


def _classic(stated: str) -> Iterator[StatedPackage]:
    blocks = list(_classic_blocks(stated))
    if not blocks and stated.strip() and not stated.lstrip().startswith("#"):
        raise FormatError("not a yarn.lock", code=_CODE)
    identities = [(_classic_name(block), block.values.get("version", "")) for block in blocks]
    answers = _answers(blocks, identities)
    for block, (name, version) in zip(blocks, identities, strict=True):
        found = _stated(
            name,
            version,
            integrity=block.values.get("integrity", ""),
            depends=tuple(answers[need] for need in block.needs if need in answers),
        )
        if found:
            yield found


def _answers(blocks: list[_Block], identities: list[tuple[str, str]]) -> dict[str, str]:
    return {
        descriptor: f"{name}@{version}"
        for block, (name, version) in zip(blocks, identities, strict=True)
        for descriptor in block.descriptors
    }


def _classic_blocks(stated: str) -> Iterator[_Block]:
    block, section = None, ""
    for raw in stated.split("\n"):
        line = raw.strip()
        if not line or line[0] == "#":
            continue
        indent = len(raw) - len(raw.lstrip(" "))
        if indent == 0:
            if block is not None:
                yield block
            block = _Block([part.strip().strip('"') for part in line.rstrip(":").split(",")])
            section = ""
        elif block is None:
            raise FormatError("not a yarn.lock", code=_CODE)
        elif indent == 2:
            key, _, value = line.partition(" ")
            section = key.rstrip(":") if not value else ""
            if value:
                block.values.setdefault(key, value.strip('"'))
        elif section in ("dependencies", "optionalDependencies"):
            key, _, value = line.rpartition(" ")
            block.needs.append(f"{_bare(key)}@{_bare(value)}")
    if block is not None:
        yield block


def _bare(text_: str) -> str:
    return text_.strip('"')


def _classic_name(block: _Block) -> str:
    """The name under which it was fetched, which an alias hides; else that of the first descriptor."""
    before, dash, _ = block.values.get("resolved", "").partition("/-/")
    parts = before.replace("%2f", "/").replace("%2F", "/").split("/")
    if dash and len(parts) > 3:
        return "/".join(parts[-2:]) if parts[-2].startswith("@") else parts[-1]
    descriptor = block.descriptors[0]
    name, _, wanted = descriptor[1:].partition("@")
    if wanted.startswith("npm:"):
        alias = wanted.removeprefix("npm:")
        return alias[:1] + alias[1:].partition("@")[0]
    return descriptor[:1] + name


def _berry(stated: str) -> Iterator[StatedPackage]:
    blocks = list(_berry_blocks(stated))
    identities = [_berry_identity(block) for block in blocks]
    answers = _answers(blocks, identities)
    for block, (name, version) in zip(blocks, identities, strict=True):
        if block.values.get("linkType", "hard") != "hard":
            continue  # a workspace or a linked folder
        found = _stated(name, version, depends=tuple(answers[need] for need in block.needs if need in answers))
        if found:
            yield found


def _berry_blocks(stated: str) -> Iterator[_Block]:
    block, section = None, ""
    for line in lines(stated):
        if line.indent == 0:
            if block is not None:
                yield block
            block = None if line.key == "__metadata" else _Block([part.strip() for part in line.key.split(",")])
        elif block is not None and line.indent == 2:
            section = line.key if not line.value else ""
            if line.value:
                block.values.setdefault(line.key, line.value)
        elif block is not None and section == "dependencies":
            wanted = line.value if ":" in line.value else f"npm:{line.value}"
            block.needs.append(f"{line.key}@{wanted}")
    if block is not None:
        yield block


def _berry_identity(block: _Block) -> tuple[str, str]:
    """Name of ``resolution`` (a locator: name, protocol, reference) and the version."""
    locator = block.values.get("resolution", "") or block.descriptors[0]
    return locator[:1] + locator[1:].partition("@")[0], block.values.get("version", "")


# pnpm-lock.yaml


@dataclass(slots=True)
class _PnpmEntry:
    key: str
    values: dict[str, str] = field(default_factory=dict)
    needs: list[tuple[str, str]] = field(default_factory=list)


def read_pnpm_lock(content: bytes, path: str = "") -> Iterator[StatedPackage]:
    """lockfileVersion 5 to 9: ``packages``, with the dependencies of ``snapshots`` since 9."""
    version, packages = "", []
    snapshots: dict[str, list[tuple[str, str]]] = {}
    for section, entry in _pnpm_entries(decode(content)):
        if section == "lockfileVersion":
            version = entry.key
        elif section == "packages":
            packages.append(entry)
        elif section == "snapshots":
            snapshots.setdefault(entry.key.partition("(")[0], entry.needs)
    if not version:
        raise FormatError("pnpm-lock.yaml without lockfileVersion", code=_CODE)
    by_slash = version.startswith(("3", "4", "5"))
    for entry in packages:
        name, number = _pnpm_identity(entry, by_slash=by_slash)
        if entry.values.get("dev") == "true":
            continue
        needs = entry.needs or snapshots.get(entry.key.partition("(")[0], [])
        found = _stated(
            name,
            number,
            integrity=flow_pairs(entry.values.get("resolution", "")).get("integrity", ""),
            depends=tuple(_pnpm_need(*need, by_slash=by_slash) for need in needs),
        )
        if found:
            yield found


def _pnpm_entries(stated: str) -> Iterator[tuple[str, _PnpmEntry]]:
    """(section, entry): those of ``packages`` and ``snapshots``, and each plain value with itself as key."""
    top, entry, section = "", None, ""
    for line in lines(stated):
        if line.indent <= 2 and entry is not None:
            yield top, entry
            entry = None
        if line.indent == 0:
            top = line.key
            if line.value:
                yield top, _PnpmEntry(line.value)
        elif top in ("packages", "snapshots"):
            if line.indent == 2:
                entry, section = _PnpmEntry(line.key), ""
            elif entry is None:
                raise FormatError("a damaged pnpm-lock.yaml", code=_CODE)
            else:
                section = _pnpm_line(entry, line, section)
    if entry is not None:
        yield top, entry


def _pnpm_line(entry: _PnpmEntry, line: Line, section: str) -> str:
    """Takes one line of an entry; answers the section of the entry in which the next deeper lines stand."""
    if line.indent == 4:
        if line.value:
            entry.values.setdefault(line.key, line.value)
        return line.key if not line.value else ""
    if section in ("dependencies", "optionalDependencies"):
        entry.needs.append((line.key, line.value))
    elif section == "resolution" and line.key == "integrity":
        entry.values.setdefault("resolution", f"{{integrity: {line.value}}}")
    return section


def _pnpm_identity(entry: _PnpmEntry, *, by_slash: bool) -> tuple[str, str]:
    """``/@s/x/1.0.0_peer`` up to version 5, ``/@s/x@1.0.0(peer)`` in 6, the same without slash in 9."""
    key = entry.key.partition("(")[0]
    if by_slash and key.startswith("/"):
        name, _, version = key[1:].rpartition("/")
        version = version.partition("_")[0]
    else:
        key = key.removeprefix("/")
        at = key.find("@", 1)
        name, version = (key[:at], key[at + 1 :]) if at > 0 else ("", "")
    name = entry.values.get("name") or name
    if not _VERSION.fullmatch(version):
        version = entry.values.get("version") or version
    return name, version


def _pnpm_need(name: str, wanted: str, *, by_slash: bool) -> str:
    version = wanted.partition("(")[0]
    if by_slash:
        version = version.partition("_")[0]
    if version.startswith("/") or version.find("@", 1) > 0:  # an alias: the target's own key
        return version.removeprefix("/")
    return f"{name}@{version}"


# bun.lock

_COMMA = re.compile(r'("(?:[^"\\]|\\.)*"?)|//[^\n]*|,(?=\s*[}\]])', re.DOTALL)


def read_bun_lock(content: bytes, path: str = "") -> Iterator[StatedPackage]:
    """``packages`` of the text form; JSON with trailing commas."""
    try:
        lock = json.loads(_COMMA.sub(lambda match: match[1] or "", decode(content)))
    except (ValueError, RecursionError):
        raise FormatError("bun.lock is not JSON", code=_CODE) from None
    packages = mapping(mapping(lock).get("packages"))
    identities = {key: _bun_identity(value) for key, value in packages.items()}
    for key, value in packages.items():
        name, version = identities[key]
        parts = value if isinstance(value, list) else []
        about = next((part for part in parts[1:] if isinstance(part, dict)), {})
        found = _stated(
            name,
            version,
            integrity=text(parts[-1]) if len(parts) > 1 else "",
            depends=tuple(_bun_needs(key, about, identities)),
        )
        if found:
            yield found


def _bun_identity(value: Any) -> tuple[str, str]:
    locator = text(value[0]) if isinstance(value, list) and value else ""
    at = locator.find("@", 1)
    return (locator[:at], locator[at + 1 :]) if at > 0 else ("", "")


def _bun_needs(key: str, about: Mapping[str, Any], identities: Mapping[str, tuple[str, str]]) -> Iterator[str]:
    """Keys are the places: ``a/b`` is the b that only a sees."""
    for section in ("dependencies", "optionalDependencies"):
        for name in mapping(about.get(section)):
            found = identities.get(f"{key}/{name}") or identities.get(name)
            if found and found[1]:
                yield "@".join(found)
