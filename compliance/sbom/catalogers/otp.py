"""Erlang/OTP applications that are installed: the resource file in each one's ebin (app(4))."""

from __future__ import annotations

import re
from collections.abc import Iterator

from compliance.formats.plain_text import decode
from compliance.formats.stated_package import StatedPackage
from compliance.model.request import ContentRequest
from compliance.sbom.stated import StatingFiles

_APPLICATION = re.compile(r"\{\s*application\s*,\s*'?([a-z]\w{0,254})'?\s*,")
_VERSION = re.compile(r'\{\s*vsn\s*,\s*"([^"]{1,256})"\s*\}')
_NEEDS = re.compile(r"\{\s*applications\s*,\s*\[([^\]]{0,4096})\]")
_LICENSES = re.compile(r"\{\s*licenses\s*,\s*\[([^\]]{0,4096})\]")
_COMMENT = re.compile(r"^[ \t]*%.*$", re.MULTILINE)


def read_application(content: bytes, path: str = "") -> Iterator[StatedPackage]:
    """The application; nothing for a file of another kind, or of a build that put no version in."""
    stated = _COMMENT.sub("", decode(content))
    name = _APPLICATION.match(stated.lstrip())
    version = _VERSION.search(stated)
    if name and version:
        needs = _NEEDS.search(stated)
        licenses = _LICENSES.search(stated)
        yield StatedPackage(
            name=name[1],
            version=version[1],
            depends=tuple(re.findall(r"\w+", needs[1])) if needs else (),
            licenses=tuple(re.findall(r'"([^"]{1,256})"', licenses[1])) if licenses else (),
        )


CATALOGER = StatingFiles(
    id="otp",
    type_="otp",
    readers=((ContentRequest(name="otp-application", globs=("**/*.app",), max_size=2**20), read_application),),
    declared=lambda path: False,
)
