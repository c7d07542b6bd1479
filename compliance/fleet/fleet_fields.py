"""Fields that the sections of a fleet file have in common: paths, times, sizes, names of variables."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from compliance.formats.strict_yaml import Section

FILES_MAX: Final = 200
"""Files that one field may name."""
PATH_MAX: Final = 4096
_SECONDS_MAX: Final = 366 * 86400
_BYTES_MAX: Final = 2**50
_ENVIRONMENT: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")
_DURATION: Final = re.compile(r"([0-9]{1,9})(s|m|h|d)")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_SIZE: Final = re.compile(r"([0-9]{1,9})(KiB|MiB|GiB|TiB)")
_SIZES: Final = {"KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}
_FILE_ENDS: Final = (".yaml", ".yml", ".json")


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedFile:
    """A file that the fleet refers to: `name` as written there, `path` where that is."""

    name: str
    path: Path


def names_or_files(section: Section, key: str, folder: Path) -> tuple[str | NamedFile, ...]:
    """Names of what is shipped or installed, and files; empty where the field is not there."""
    texts = section.text_or_texts(key) if section.has(key) else ()
    _not_too_many(section, key, texts)
    return tuple(
        named_file(section, item_key(section, key, index), text, folder) if is_file(text) else text
        for index, text in enumerate(texts)
    )


def files(section: Section, key: str, folder: Path) -> tuple[NamedFile, ...]:
    """A file or a list of them; empty where the field is not there."""
    texts = section.text_or_texts(key) if section.has(key) else ()
    _not_too_many(section, key, texts)
    return tuple(named_file(section, item_key(section, key, index), text, folder) for index, text in enumerate(texts))


def _not_too_many(section: Section, key: str, texts: tuple[str, ...]) -> None:
    if len(texts) > FILES_MAX:
        raise section.error(f"more than {FILES_MAX} files", key, hint="join some of them")
    twice = next((index for index, text in enumerate(texts) if text in texts[:index]), None)
    if twice is not None:
        raise section.error(
            f"{texts[twice]!r} is there twice", item_key(section, key, twice), hint="keep one of the two"
        )


def named_file(section: Section, key: str, text: str, folder: Path) -> NamedFile:
    """The file that `text`, at the field `key`, names from `folder`."""
    if len(text) > PATH_MAX or not text.isprintable():
        raise section.error("not the path of a file", key, hint="write it relative to the fleet file")
    return NamedFile(name=text, path=folder / text)


def is_file(text: str) -> bool:
    """Whether `text` is meant as a file. What lies on the disk decides nothing: a name must mean the same anywhere."""
    return "/" in text or text.endswith(_FILE_ENDS)


def environment_name(section: Section, key: str) -> str:
    """The name of an environment variable, which holds what must not stand in a file."""
    name = section.text(key)
    if not _ENVIRONMENT.fullmatch(name):
        raise section.error(
            "not the name of an environment variable", key, hint="name the variable; never write the secret itself"
        )
    return name


def seconds(section: Section, key: str, least: int) -> float:
    """A number of seconds, or ``30m``, ``12h``, ``7d``."""
    value = section.values[key]
    found = _DURATION.fullmatch(value) if isinstance(value, str) else None
    number = int(found[1]) * _SECONDS[found[2]] if found else value
    if type(number) is not int or not least <= number <= _SECONDS_MAX:
        raise section.error(f"not a time from {least} s to a year", key, hint="write e.g. 90s, 30m, 12h or 7d")
    return float(number)


def size(section: Section, key: str, least: int) -> int:
    """A number of bytes, or ``512MiB``, ``4GiB``."""
    value = section.values[key]
    found = _SIZE.fullmatch(value) if isinstance(value, str) else None
    number = int(found[1]) * _SIZES[found[2]] if found else value
    if type(number) is not int or not least <= number <= _BYTES_MAX:
        raise section.error(f"not a size of at least {least // 2**20} MiB", key, hint="write e.g. 512MiB or 4GiB")
    return number


def one_line(section: Section, key: str) -> str:
    """A text that is shown beside every image: one line."""
    text = section.text(key)
    if len(text) > 200 or not text.isprintable():
        raise section.error("must be one line of at most 200 characters", key, hint="write a name or an address")
    return text


def item_key(section: Section, key: str, index: int) -> str:
    """The place of one of a field's texts, for messages: the field may be a text alone."""
    return key if isinstance(section.values[key], str) else f"{key}[{index}]"


def place_of(section: Section, key: str) -> str:
    """The place of a field in the file."""
    return f"{section.path}.{key}"
