"""What Python projects pin: requirements.txt, Pipfile.lock, poetry.lock, pdm.lock, uv.lock and pylock.toml (PEP 751).

A requirement that is a range, a URL or a folder names no version, so it states no package.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from compliance.errors import FormatError
from compliance.formats.json_data import mapping, read_json_object, text
from compliance.formats.plain_text import decode
from compliance.formats.stated_package import StatedPackage
from compliance.formats.toml_tables import Table, tables

_CODE = "python-lock-invalid"
_NAME_MAX = 256
_PINNED = re.compile(
    r"([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)\s*(?:\[[^\]]*\])?\s*\(?\s*===?\s*([A-Za-z0-9.+!_-]+)(?=[\s,;)#]|$)"
)
_NAME = re.compile(r"\s*([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)")
_SEPARATORS = re.compile(r"[-_.]*[-_][-_.]*|\.{2,}")
_CANONICAL = re.compile(r"[-_.]+")
_COMMENT = re.compile(r"(?:^|\s)#.*")


def canonical_name(name: str) -> str:
    """The form in which two spellings of a name are equal (PEP 503)."""
    return _CANONICAL.sub("-", name).lower()


def _stated(name: str, version: str, depends: tuple[str, ...] = ()) -> StatedPackage:
    name = name[:_NAME_MAX]
    return StatedPackage(
        name=_SEPARATORS.sub("-", name).lower(),
        version=version,
        depends=tuple(canonical_name(need[:_NAME_MAX]) for need in depends),
        provides=(canonical_name(name),),
    )


def read_requirements(content: bytes, path: str = "") -> Iterator[StatedPackage]:
    """The pinned requirements (``==``, ``===``) of a pip requirements file; markers are not evaluated."""
    for line in decode(content).replace("\\\r\n", " ").replace("\\\n", " ").split("\n"):
        stated = _COMMENT.sub("", line).strip()
        pinned = _PINNED.match(stated)
        if pinned:
            yield _stated(pinned[1], pinned[2])


def read_pipfile_lock(content: bytes, path: str = "") -> Iterator[StatedPackage]:
    """The section ``default``; the other is ``develop``."""
    for name, value in mapping(read_json_object(content).get("default")).items():
        version = text(mapping(value).get("version"))
        if version.startswith("=="):
            yield _stated(text(name), version.lstrip("= "))


def read_poetry_lock(content: bytes, path: str = "") -> Iterator[StatedPackage]:
    """Every ``[[package]]`` that is not only of a group for development."""
    some = _packages(content, "package")
    for table, parts in some:
        groups = table.texts("groups")
        if table.text("category") == "dev" or (groups and "main" not in groups):
            continue
        needs = [name for part in parts if part.name == "package.dependencies" for name in part.values]
        yield _stated(table.text("name"), table.text("version"), tuple(needs))


def read_pdm_lock(content: bytes, path: str = "") -> Iterator[StatedPackage]:
    """Every ``[[package]]``: the names of its groups do not tell which are for development."""
    for table, _ in _packages(content, "package"):
        needs = [match[1] for text_ in table.texts("dependencies") if (match := _NAME.match(text_))]
        yield _stated(table.text("name"), table.text("version"), tuple(needs))


def read_uv_lock(content: bytes, path: str = "") -> Iterator[StatedPackage]:
    """Every ``[[package]]``, the project itself among them."""
    for table, _ in _packages(content, "package"):
        yield _stated(table.text("name"), table.text("version"), tuple(table.inline("dependencies", "name")))


def read_pylock(content: bytes, path: str = "") -> Iterator[StatedPackage]:
    """Every ``[[packages]]`` with a version (PEP 751)."""
    for table, parts in _packages(content, "packages"):
        needs = [part.text("name") for part in parts if part.name == "packages.dependencies"]
        needs += table.inline("dependencies", "name")
        yield _stated(table.text("name"), table.text("version"), tuple(needs))


def _packages(content: bytes, name: str) -> Iterator[tuple[Table, list[Table]]]:
    """Each table of the array `name` with the tables below it. Raises FormatError when the file has no table."""
    current: Table | None = None
    parts: list[Table] = []
    any_table = False
    for table in tables(decode(content)):
        any_table = any_table or bool(table.name or table.values)
        if table.name.startswith(f"{name}."):
            parts.append(table)
            continue
        if current is not None:
            yield current, parts
        current, parts = (table, []) if table.name == name and table.of_array else (None, [])
    if current is not None:
        yield current, parts
    if not any_table:
        raise FormatError("no TOML table in a lock file", code=_CODE)
