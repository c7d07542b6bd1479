"""The part of JSON Schema 2020-12 that the shipped schema uses, so that a file is checked before it is believed."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from importlib.resources.abc import Traversable
from typing import cast

from compliance.errors import FormatError

_ANNOTATIONS = frozenset({"$schema", "$id", "$defs", "$comment", "title", "description"})
_TYPES: Mapping[str, Callable[[object], bool]] = {
    "null": lambda value: value is None,
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "string": lambda value: isinstance(value, str),
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
}

_Rule = Mapping[str, object]


class Schema:
    """A schema to check values against. Keywords it does not know are an error of the schema, never ignored."""

    def __init__(self, root: Mapping[str, object]) -> None:
        self.root = root
        self._keywords: Mapping[str, Callable[[object, object, str], None]] = {
            "$ref": self._ref,
            "allOf": self._all_of,
            "type": self._type,
            "const": self._const,
            "enum": self._enum,
            "pattern": self._pattern,
            "minimum": self._minimum,
            "maximum": self._maximum,
            "minItems": self._min_items,
            "items": self._items,
            "required": self._required,
        }

    @classmethod
    def load(cls, file: Traversable) -> Schema:
        """Read a schema that ships with the package."""
        return cls(json.loads(file.read_bytes()))

    def check(self, value: object) -> None:
        """Raise FormatError at the first place where `value` is not what the schema says."""
        self._check(value, self.root, "$")

    def _check(self, value: object, rule: _Rule, where: str) -> None:
        for keyword, argument in rule.items():
            if keyword in _ANNOTATIONS or keyword in ("properties", "additionalProperties"):
                continue
            self._keywords[keyword](value, argument, where)
        if isinstance(value, dict) and ("properties" in rule or "additionalProperties" in rule):
            self._members(value, rule, where)

    def _members(self, value: Mapping[str, object], rule: _Rule, where: str) -> None:
        properties = cast(Mapping[str, _Rule], rule.get("properties", {}))
        others = cast("bool | _Rule", rule.get("additionalProperties", True))
        for key, member in value.items():
            place = f"{where}.{key}"
            if key in properties:
                self._check(member, properties[key], place)
            elif others is False:
                raise _invalid(place, "no such key")
            elif not isinstance(others, bool):
                self._check(member, others, place)

    def _ref(self, value: object, argument: object, where: str) -> None:
        name = cast(str, argument).removeprefix("#/$defs/")
        self._check(value, cast(Mapping[str, _Rule], self.root["$defs"])[name], where)

    def _all_of(self, value: object, argument: object, where: str) -> None:
        for rule in cast(list[_Rule], argument):
            self._check(value, rule, where)

    def _type(self, value: object, argument: object, where: str) -> None:
        names = [argument] if isinstance(argument, str) else cast(list[str], argument)
        if not any(_TYPES[name](value) for name in names):
            raise _invalid(where, f"must be {' or '.join(names)}")

    def _const(self, value: object, argument: object, where: str) -> None:
        if value != argument or type(value) is not type(argument):
            raise _invalid(where, f"must be {argument!r}")

    def _enum(self, value: object, argument: object, where: str) -> None:
        choices = cast(list[object], argument)
        if not any(value == choice and type(value) is type(choice) for choice in choices):
            raise _invalid(where, f"must be one of {', '.join(map(str, choices))}")

    def _pattern(self, value: object, argument: object, where: str) -> None:
        # In ECMA-262, which JSON Schema speaks, "$" is the end of the text; in Python also before a last newline.
        pattern = re.sub(r"\$$", r"\\Z", cast(str, argument))
        if isinstance(value, str) and re.search(pattern, value) is None:
            raise _invalid(where, f"must match {argument}")

    def _minimum(self, value: object, argument: object, where: str) -> None:
        if isinstance(value, int) and not isinstance(value, bool) and value < cast(int, argument):
            raise _invalid(where, f"must be at least {argument}")

    def _maximum(self, value: object, argument: object, where: str) -> None:
        if isinstance(value, int) and not isinstance(value, bool) and value > cast(int, argument):
            raise _invalid(where, f"must be at most {argument}")

    def _min_items(self, value: object, argument: object, where: str) -> None:
        if isinstance(value, list) and len(value) < cast(int, argument):
            raise _invalid(where, f"must have at least {argument} items")

    def _items(self, value: object, argument: object, where: str) -> None:
        if isinstance(value, list):
            for place, item in enumerate(value):
                self._check(item, cast(_Rule, argument), f"{where}[{place}]")

    def _required(self, value: object, argument: object, where: str) -> None:
        if isinstance(value, dict):
            for key in cast(list[str], argument):
                if key not in value:
                    raise _invalid(where, f"lacks {key!r}")


def _invalid(where: str, message: str) -> FormatError:
    return FormatError(
        message, code="assessment-invalid", where=where, hint="give the assessment.json that assess wrote"
    )
