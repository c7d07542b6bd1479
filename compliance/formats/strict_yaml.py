"""Strict reading of YAML, ours and users': known keys and right types only; errors name file, line and field.

A subset of YAML is read, the one that people write by hand: one document, no anchors, aliases or tags. So a small
file can't stand for a large one, and every value has one place.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from difflib import get_close_matches
from functools import cache
from typing import Any, NoReturn, TypeVar

from compliance.errors import PolicyError

SIZE_MAX = 4 * 2**20
"""Bytes of one file: a hundred times the largest of the control library."""
DEPTH_MAX = 32
"""Mappings and lists inside each other; what people write has five."""
_SHOWN_MAX = 120
_NAMES_SHOWN = 12
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")

_Value = TypeVar("_Value")


class _Mapping(dict[str, object]):
    """A mapping that remembers the line on which it begins, and that of each of its keys."""

    __slots__ = ("line", "lines")

    def __init__(self, line: int) -> None:
        self.line = line
        self.lines: dict[str, int] = {}


class _List(list[object]):
    """A list that remembers the line of each item."""

    __slots__ = ("lines",)

    def __init__(self) -> None:
        self.lines: list[int] = []


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One mapping of a file, read field by field. `path` is its place: ``controls[3].checks[0]``, "" at the top.

    Every method raises PolicyError, with `code`, when the field is missing or not what is asked for.
    """

    file: str
    path: str
    values: Mapping[str, object]
    code: str = "library-invalid"

    def error(self, message: str, key: str | None = None, *, hint: str | None = None) -> PolicyError:
        """An error about the field `key` (``name`` or ``name[2]``), or about the section itself.

        The line is that of the field; for one that is missing, that of the section.
        """
        field = ".".join(part for part in (self.path, key) if part)
        line = self._line(key)
        where = ", ".join(part for part in (self.file, f"line {line}" if line else "", field) if part)
        return PolicyError(message, code=self.code, where=where, hint=hint)

    def only(self, *keys: str) -> None:
        """Refuse every key but these."""
        for key in self.values:
            if key not in keys:
                raise self.error(f"unknown key; known are {', '.join(keys)}", key, hint=_meant(key, keys))

    def has(self, key: str) -> bool:
        """Whether the field is there at all."""
        return key in self.values

    def text(self, key: str) -> str:
        """A text that is not empty."""
        value = self._value(key)
        if not isinstance(value, str) or not value.strip():
            raise self.error(f"must be a text, not {_shown(value)}", key, hint=_quoted(value))
        return value

    def word(self, key: str) -> str:
        """An identifier: letters, digits, dots, dashes and underscores."""
        text = self.text(key)
        if not _WORD.fullmatch(text):
            raise self.error(
                f"{_shown(text)} is not an identifier", key, hint="use letters, digits, dots, dashes and underscores"
            )
        return text

    def known(self, key: str, names: Collection[str], what: str) -> str:
        """A text that is one of `names`; `what` they are, as ``a check``."""
        name = self.text(key)
        if name not in names:
            self.refuse_unknown(name, names, what, key)
        return name

    def refuse_unknown(self, name: str, names: Collection[str], what: str, key: str) -> NoReturn:
        """Raise PolicyError: `name`, at the field `key`, is none of `names`."""
        raise self.error(f"{_shown(name)} is not {what} that there is", key, hint=_meant(name, names))

    def sentence(self, key: str) -> str:
        """A text that ends with a full stop."""
        value = self.text(key)
        if not value.endswith("."):
            raise self.error("must be a sentence that ends with a full stop", key, hint="end it with a full stop")
        return value

    def flag(self, key: str) -> bool:
        """True or false."""
        value = self._value(key)
        if not isinstance(value, bool):
            raise self.error(
                f"must be true or false, not {_shown(value)}", key, hint="write true or false, without quotes"
            )
        return value

    def number(self, key: str, least: int, most: int) -> int:
        """A whole number from `least` to `most`."""
        value = self._value(key)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise self.error(
                f"must be a whole number from {least} to {most}, not {_shown(value)}", key, hint="write a number within"
            )
        return value

    def moment(self, key: str) -> datetime:
        """A time with its offset (RFC 3339), in UTC; one without would be a guess."""
        value = self._value(key)
        if isinstance(value, str):
            try:
                value = datetime.fromisoformat(value)
            except ValueError:
                value = None
        if not isinstance(value, datetime) or value.tzinfo is None:
            raise self.error("must be a time with an offset", key, hint="write e.g. 2027-01-01T00:00:00Z")
        return value.astimezone(UTC)

    def choice(self, key: str, choices: Mapping[str, _Value]) -> _Value:
        """The value that `choices` has for the word found."""
        word = self.text(key)
        if word not in choices:
            raise self.error(f"{word!r} is not one of: {', '.join(choices)}", key, hint=_meant(word, choices))
        return choices[word]

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of texts; it may be empty."""
        items = self._items(key)
        for index, item in enumerate(items):
            if not isinstance(item, str) or not item.strip():
                raise self.error(
                    f"must be a list of texts, not {_shown(items)}", _at(key, index, items), hint=_quoted(item)
                )
        return tuple(str(item) for item in items)

    def text_or_texts(self, key: str) -> tuple[str, ...]:
        """A text, or a list of texts that is not empty."""
        if isinstance(self.values.get(key), str):
            return (self.text(key),)
        found = self.texts(key)
        if not found:
            raise self.error("must not be empty", key, hint="add at least one")
        return found

    def section(self, key: str) -> Section:
        """A mapping."""
        return self._section(key, self._value(key))

    def sections(self, key: str) -> tuple[Section, ...]:
        """A list of mappings that is not empty."""
        items = self._items(key)
        if not items:
            raise self.error("must not be empty", key, hint="add at least one")
        return tuple(self._section(f"{key}[{index}]", item) for index, item in enumerate(items))

    def named_sections(self, key: str) -> Mapping[str, Section]:
        """A mapping of names to mappings that is not empty, in the order of the file."""
        value = self._value(key)
        if not isinstance(value, dict) or not value:
            raise self.error("must be a mapping with at least one name in it", key)
        inside = self._section(key, value)
        return {name: inside._section(name, item) for name, item in value.items()}

    def _section(self, key: str, item: object) -> Section:
        if not isinstance(item, dict):
            raise self.error(f"must be a mapping, not {_shown(item)}", key, hint="write lines of the form KEY: VALUE")
        return replace(self, path=f"{self.path}.{key}" if self.path else key, values=item)

    def _items(self, key: str) -> list[object]:
        value = self._value(key)
        if not isinstance(value, list):
            raise self.error(f"must be a list, not {_shown(value)}", key, hint="write each item behind a dash")
        return value

    def _value(self, key: str) -> object:
        if key not in self.values:
            raise self.error("missing", key, hint=f"add {key}")
        return self.values[key]

    def _line(self, key: str | None) -> int | None:
        if not isinstance(self.values, _Mapping):
            return None
        name, _, index = (key or "").rstrip("]").partition("[")
        item = self.values.get(name)
        if index and isinstance(item, _List):
            return item.lines[int(index)]
        return self.values.lines.get(name, self.values.line)


def read_section(file: str, content: bytes, code: str = "library-invalid") -> Section:
    """The mapping that `content` is as YAML. Raises PolicyError with `code`, naming `file` and the line."""
    import yaml

    if len(content) > SIZE_MAX:
        raise PolicyError(f"more than {SIZE_MAX} bytes", code=code, where=file)
    try:
        values = _read(content)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{file}, line {mark.line + 1}" if mark else file
        problem = getattr(error, "problem", None) or str(error)
        hint = getattr(error, "note", None) or "check quotes, brackets and indentation before that place"
        raise PolicyError(f"not readable as YAML: {problem}", code=code, where=where, hint=hint) from error
    if not isinstance(values, dict):
        raise PolicyError(
            f"must be a mapping, not {type(values).__name__}", code=code, where=file, hint="begin with schema: 1"
        )
    return Section(file=file, path="", values=values, code=code)


def _read(content: bytes) -> object:
    """The one document in `content`. Events are read, not a tree, so that depth is bounded before anything is built."""
    import yaml

    events = yaml.parse(content, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    value: object = None
    documents = 0
    for event in events:
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents > 1:
                raise _refusal("more than one document", event)
            value = _build(next(events), events, 0)
    return value


def _build(event: Any, events: Iterator[Any], depth: int) -> object:
    import yaml

    if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
        raise _refusal("anchors and aliases are not read here: write it out", event)
    if depth > DEPTH_MAX:
        raise _refusal(f"nested more than {DEPTH_MAX} deep", event)
    if isinstance(event, yaml.ScalarEvent):
        return _scalar(event)
    if event.tag is not None:
        raise _refusal(f"tags are not read here, nor {event.tag!r}", event)
    if isinstance(event, yaml.SequenceStartEvent):
        items = _List()
        while not isinstance(item := next(events), yaml.SequenceEndEvent):
            items.lines.append(item.start_mark.line + 1)
            items.append(_build(item, events, depth + 1))
        return items
    return _mapping(event, events, depth)


def _mapping(event: Any, events: Iterator[Any], depth: int) -> _Mapping:
    import yaml

    mapping = _Mapping(event.start_mark.line + 1)
    while not isinstance(item := next(events), yaml.MappingEndEvent):
        key = _build(item, events, depth + 1)
        if not isinstance(key, str):
            raise _refusal(f"a key that is no text: {_shown(key)}", item)
        if key in mapping:
            raise _refusal(f"duplicate key {key!r}", item, "keep one of the two")
        mapping.lines[key] = item.start_mark.line + 1
        mapping[key] = _build(next(events), events, depth + 1)
    return mapping


def _scalar(event: Any) -> object:
    """A text, or what a plain word means in YAML 1.1: a number, a truth value, a date, nothing."""
    import yaml

    if event.tag is not None:
        raise _refusal(f"tags are not read here, nor {event.tag!r}", event)
    text: str = event.value
    if not event.implicit[0]:  # quoted
        return text
    resolvers = yaml.SafeLoader.yaml_implicit_resolvers.get(text[:1], ())
    tag = next((tag for tag, pattern in resolvers if pattern.match(text)), None)
    if tag is None:
        return text
    node = yaml.ScalarNode(tag, text, event.start_mark, event.end_mark)
    try:
        return _constructor().construct_object(node)
    except ValueError:  # a month 13, a number of more digits than Python reads
        raise _refusal(f"not a number or date: {_shown(text)}", event) from None


@cache
def _constructor() -> Any:
    import yaml

    return yaml.constructor.SafeConstructor()


def _refusal(problem: str, event: Any, mend: str = "write it plainly") -> Exception:
    import yaml

    return yaml.MarkedYAMLError(problem=problem, problem_mark=event.start_mark, note=mend)


def _at(key: str, index: int, items: list[object]) -> str:
    return f"{key}[{index}]" if isinstance(items, _List) else key


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN_MAX else f"{text[:_SHOWN_MAX]}…"


def _meant(name: str, names: Collection[str]) -> str:
    """What to write in place of an unknown name: the one that is most like it, else some of those there are."""
    close = get_close_matches(name, names, n=1)
    if close:
        return f"did you mean {close[0]}?"
    some = list(names)[:_NAMES_SHOWN]
    return f"write one of {', '.join(some)}{', …' if len(names) > len(some) else ''}"


def _quoted(value: object) -> str | None:
    """What to do about a word that YAML takes for something else than a text."""
    return "put it into quotes" if isinstance(value, bool | int | float | date) else None
