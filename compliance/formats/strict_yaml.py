"""Strict reading of YAML, ours and users': known keys and right types only; errors name file, line and field."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, TypeVar

from compliance.errors import PolicyError

_Value = TypeVar("_Value")


class _Mapping(dict[str, object]):
    """A mapping that remembers the line on which it begins."""

    __slots__ = ("line",)
    line: int


@cache
def _loader() -> type[Any]:
    """PyYAML's safe loader, in C where it was built so, that refuses duplicate keys and keeps line numbers."""
    import yaml

    def construct(loader: Any, node: Any) -> _Mapping:
        mapping = _Mapping()
        mapping.line = node.start_mark.line + 1
        for key_node, value_node in node.value:
            key = loader.construct_object(key_node, deep=True)
            if not isinstance(key, str):
                raise yaml.MarkedYAMLError(problem=f"a key that is no text: {key!r}", problem_mark=key_node.start_mark)
            if key in mapping:
                raise yaml.MarkedYAMLError(problem=f"duplicate key {key!r}", problem_mark=key_node.start_mark)
            mapping[key] = loader.construct_object(value_node, deep=True)
        return mapping

    loader = type("_Loader", (getattr(yaml, "CSafeLoader", yaml.SafeLoader),), {})
    loader.add_constructor("tag:yaml.org,2002:map", construct)  # type: ignore[attr-defined]
    return loader


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One mapping of a file, read field by field. `path` is its place: ``controls[3].checks[0]``, "" at the top.

    Every method raises PolicyError, with `code`, when the field is missing or not what is asked for.
    """

    file: str
    path: str
    values: Mapping[str, object]
    code: str = "library-invalid"

    def error(self, message: str, key: str | None = None) -> PolicyError:
        """An error about the field `key`, or about the section itself; the line is that of the section."""
        field = ".".join(part for part in (self.path, key) if part)
        line = getattr(self.values, "line", None)
        where = ", ".join(part for part in (self.file, f"line {line}" if line else "", field) if part)
        return PolicyError(message, code=self.code, where=where)

    def only(self, *keys: str) -> None:
        """Refuse every key but these."""
        for key in self.values:
            if key not in keys:
                raise self.error(f"unknown key; known are {', '.join(keys)}", key)

    def text(self, key: str) -> str:
        """A text that is not empty."""
        value = self._value(key)
        if not isinstance(value, str) or not value.strip():
            raise self.error(f"must be a text, not {value!r}", key)
        return value

    def sentence(self, key: str) -> str:
        """A text that ends with a full stop."""
        value = self.text(key)
        if not value.endswith("."):
            raise self.error("must be a sentence that ends with a full stop", key)
        return value

    def flag(self, key: str) -> bool:
        """True or false."""
        value = self._value(key)
        if not isinstance(value, bool):
            raise self.error(f"must be true or false, not {value!r}", key)
        return value

    def choice(self, key: str, choices: Mapping[str, _Value]) -> _Value:
        """The value that `choices` has for the word found."""
        word = self.text(key)
        if word not in choices:
            raise self.error(f"{word!r} is not one of: {', '.join(choices)}", key)
        return choices[word]

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of texts; it may be empty."""
        items = self._items(key)
        if not all(isinstance(item, str) and item.strip() for item in items):
            raise self.error(f"must be a list of texts, not {items!r}", key)
        return tuple(str(item) for item in items)

    def sections(self, key: str) -> tuple[Section, ...]:
        """A list of mappings that is not empty."""
        items = self._items(key)
        if not items:
            raise self.error("must not be empty", key)
        return tuple(self._section(f"{key}[{index}]", item) for index, item in enumerate(items))

    def _section(self, key: str, item: object) -> Section:
        if not isinstance(item, dict):
            raise self.error(f"must be a mapping, not {item!r}", key)
        return replace(self, path=f"{self.path}.{key}" if self.path else key, values=item)

    def _items(self, key: str) -> list[object]:
        value = self._value(key)
        if not isinstance(value, list):
            raise self.error(f"must be a list, not {value!r}", key)
        return value

    def _value(self, key: str) -> object:
        if key not in self.values:
            raise self.error("missing", key)
        return self.values[key]


def read_section(file: str, content: bytes, code: str = "library-invalid") -> Section:
    """The mapping that `content` is as YAML. Raises PolicyError with `code`, naming `file` and the line."""
    import yaml

    try:
        values = yaml.load(content, _loader())  # noqa: S506 - a safe loader
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{file}, line {mark.line + 1}" if mark else file
        problem = getattr(error, "problem", None) or str(error)
        raise PolicyError(f"not readable as YAML: {problem}", code=code, where=where) from error
    if not isinstance(values, dict):
        raise PolicyError(f"must be a mapping, not {type(values).__name__}", code=code, where=file)
    return Section(file=file, path="", values=values, code=code)
