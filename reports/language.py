"""The words of the PDF and the HTML report in another language: headings, and the words for outcomes and statuses.

A language file pairs English texts of the report with others. What it lacks stays English, as do all sentences that
checks wrote: those are evidence, and nobody reviewed a translation of them. The words that scripts read in the
assessment document are no part of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from types import MappingProxyType

from compliance.formats.strict_yaml import Section, read_section
from reports.text import sentence

TEXT_MAX = 400
"""Characters of one text."""
_SCHEMA = 1
_CODE = "language-invalid"
_TAG = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")  # RFC 5646, as far as a report needs it
_CALL = re.compile(r'\b(?:_|fact)\(\s*"([^"\\]+)"\s*[,)]')
_PLACEHOLDER = re.compile(r"\{[a-z]+\}")
_TEMPLATES = ("report.html.j2", "html/page.html.j2")

_WORDS: ContextVar[Mapping[str, str]] = ContextVar("words", default=MappingProxyType({}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Language:
    """`tag` is the language's (RFC 5646), `words` by English text what stands in its place."""

    tag: str = "en"
    words: Mapping[str, str] = field(default_factory=dict)


ENGLISH = Language()
"""What a report is written in."""


class Words(Mapping[str, str]):
    """English texts by the document's words for them; read while a language is spoken, they are in that language."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts = texts

    def __getitem__(self, key: str) -> str:
        return say(self._texts[key])

    def __iter__(self) -> Iterator[str]:
        return iter(self._texts)

    def __len__(self) -> int:
        return len(self._texts)

    @property
    def english(self) -> tuple[str, ...]:
        """The texts themselves."""
        return tuple(self._texts.values())


def say(text: str) -> str:
    """`text` in the language that is spoken, or itself."""
    return _WORDS.get().get(text, text)


@contextmanager
def speaking(language: Language) -> Iterator[None]:
    """Speak `language` in this context; no other thread or task is concerned."""
    before = _WORDS.set(language.words)
    try:
        yield
    finally:
        _WORDS.reset(before)


def read_language(name: str, content: bytes) -> Language:
    """A language file. Raises PolicyError, which names file, line and field."""
    top = read_section(name, content, code=_CODE)
    top.only("schema", "language", "words")
    top.number("schema", _SCHEMA, _SCHEMA)
    tag = top.text("language")
    if _TAG.fullmatch(tag) is None:
        raise top.error(f"{tag!r} is no language tag", "language", hint="write one such as de or pt-BR")
    words = top.section("words")
    known = texts()
    return Language(tag=tag, words=MappingProxyType({text: _word(words, text, known) for text in words.values}))


def _word(words: Section, text: str, known: frozenset[str]) -> str:
    if text not in known:
        words.refuse_unknown(text, known, "a text of the report", text)
    word = sentence(words.text(text))
    if len(word) > TEXT_MAX:
        raise words.error(f"longer than {TEXT_MAX} characters", text, hint="shorten it")
    wanted, given = (sorted(_PLACEHOLDER.findall(one)) for one in (text, word))
    if wanted != given:
        raise words.error(
            f"must hold {' and '.join(wanted) or 'no placeholder'}", text, hint="what is in braces is filled in"
        )
    return word


@cache
def texts() -> frozenset[str]:
    """All English texts that a language file may replace: those of the tables of words, and of the templates."""
    from reports.wording import TABLES  # which is made of Words

    templates = (resources.files("reports") / "templates" / name for name in _TEMPLATES)
    called = (found for file in templates for found in _CALL.findall(file.read_text(encoding="utf-8")))
    return frozenset((*called, *(text for table in TABLES for text in table.english)))


def shipped_language(tag: str) -> Language | None:
    """The language file for `tag` that ships with the package; None where there is none."""
    name = f"{tag}.yaml"
    for file in (resources.files("reports") / "languages").iterdir():
        if file.name == name:
            return read_language(name, file.read_bytes())
    return None
