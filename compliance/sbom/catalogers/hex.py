"""Hex packages that mix.lock (Elixir) and rebar.lock (Erlang) declare."""

from __future__ import annotations

import re
from collections.abc import Iterator

from compliance.formats.plain_text import decode
from compliance.formats.stated_package import StatedPackage
from compliance.model.request import ContentRequest
from compliance.sbom.stated import StatingFiles

_MIX = re.compile(
    r'^[ \t]*"([^"\n]{1,256})": \{:(hex|git), (?::"?([\w.-]{1,256})"?|"[^"\n]*"), "([^"\n]{1,256})"(.*)$', re.MULTILINE
)
_MIX_NEED = re.compile(r'\{:"?([\w.-]{1,256})"?, "')
_MIX_CHECKSUM = re.compile(r'"([0-9a-f]{64})"\},?\s*$')
_REBAR_PACKAGE = re.compile(
    r'\{<<"([^"]{1,256})">>,\s*\{pkg,\s*<<"([^"]{1,256})">>,\s*<<"([^"]{1,256})">>(?:,\s*<<"[^"]*">>){0,2}\},\s*\d+\}'
)
_REBAR_GIT = re.compile(
    r'\{<<"([^"]{1,256})">>,\s*\{git,\s*"([^"]{1,1024})",\s*\{ref,\s*"([0-9a-f]{7,64})"\}\},\s*\d+\}'
)
_REBAR_CHECKSUM = re.compile(r'\{<<"([^"]{1,256})">>,\s*<<"([0-9A-Fa-f]{64})">>\}')


def read_mix_lock(content: bytes, path: str = "") -> Iterator[StatedPackage]:
    """Packages by version, Git dependencies by commit; the checksum is that of the whole archive."""
    for app, kind, name, version, rest in _MIX.findall(decode(content)):
        checksum = _MIX_CHECKSUM.search(rest) if kind == "hex" else None
        yield StatedPackage(
            name=name or app,
            version=version,
            digests=(("SHA-256", checksum[1]),) if checksum else (),
            depends=tuple(_MIX_NEED.findall(rest)) if kind == "hex" else (),
        )


def read_rebar_lock(content: bytes, path: str = "") -> Iterator[StatedPackage]:
    """Packages with the checksums of ``pkg_hash_ext``, Git dependencies by commit."""
    stated = decode(content)
    checksums = dict(_REBAR_CHECKSUM.findall(stated.partition("pkg_hash_ext")[2]))
    for app, name, version in _REBAR_PACKAGE.findall(stated):
        checksum = checksums.get(app, "").lower()
        yield StatedPackage(name=name, version=version, digests=(("SHA-256", checksum),) if checksum else ())
    for app, url, commit in _REBAR_GIT.findall(stated):
        yield StatedPackage(name=app, version=commit, qualifiers=(("vcs_url", f"git+{url}@{commit}"),))


CATALOGER = StatingFiles(
    id="hex",
    type_="hex",
    readers=(
        (ContentRequest(name="mix-lock", globs=("**/mix.lock",)), read_mix_lock),
        (ContentRequest(name="rebar-lock", globs=("**/rebar.lock",)), read_rebar_lock),
    ),
)
