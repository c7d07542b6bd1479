"""The operating system an image says it is: os-release(5)."""

from __future__ import annotations

import re

from compliance.formats.plain_text import decode, plain_text
from compliance.model.filesystem import FileTree
from compliance.model.inventory import Distribution
from compliance.model.request import ContentRequest

REQUEST = ContentRequest(
    name="distribution",
    # Distributions keep the file elsewhere and link to it; what the links lead to has to be kept as well.
    globs=("**/os-release", "usr/lib/{os.release.d,*-release}/os-release*"),
    max_size=64 * 1024,
)

_PLACES = ("etc/os-release", "usr/lib/os-release")
_ASSIGNMENT = re.compile(r"""^([A-Z][A-Z0-9_]*)=(?:"((?:[^"\\]|\\.)*)"|'([^']*)'|(\S*))[ \t]*$""", re.MULTILINE)
_ESCAPE = re.compile(r"\\(.)")


def read_distribution(tree: FileTree) -> Distribution | None:
    """What os-release says; /etc/os-release comes before /usr/lib/os-release. None when neither names an ID."""
    for place in _PLACES:
        content = tree.content(place)
        if content is not None and (distribution := parse_os_release(content)) is not None:
            return distribution
    return None


def parse_os_release(content: bytes) -> Distribution | None:
    """Read the shell-like assignments; None without an ID (os-release(5) would have it mean ``linux``)."""
    values: dict[str, str] = {}
    for name, double, single, bare in _ASSIGNMENT.findall(decode(content).replace("\r\n", "\n")):
        values[name] = plain_text(_ESCAPE.sub(r"\1", double) or single or bare, 256)
    if not values.get("ID"):
        return None
    return Distribution(
        id=values["ID"].lower(),
        version_id=values.get("VERSION_ID") or None,
        pretty_name=values.get("PRETTY_NAME") or None,
        id_like=tuple(values.get("ID_LIKE", "").lower().split()),
        codename=values.get("VERSION_CODENAME") or None,
    )


def distro_qualifier(distribution: Distribution | None) -> str | None:
    """The purl qualifier ``distro``: ``debian-12``; the code name for a release without number."""
    if distribution is None:
        return None
    release = distribution.version_id or distribution.codename
    return f"{distribution.id}-{release}" if release else distribution.id
