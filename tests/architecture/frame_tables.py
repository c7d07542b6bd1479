"""Writes the frames and the questions into docs/notebooks.md: ``python -m tests.architecture.frame_tables``."""

from __future__ import annotations

import inspect
import re
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import get_args

from compliance.api import tables
from compliance.api.store import columns_of
from compliance.store.frames import TableName
from tests.conformance.frame_questions import QUESTIONS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "notebooks.md"


def page(text: str) -> str:
    """The page with its two written parts as they have to be."""
    for name, lines in (("questions", _questions()), ("frames", _frames())):
        part = re.compile(rf"(<!-- {name}: [^\n]*-->\n).*?(<!-- end of {name} -->)", re.DOTALL)
        assert len(part.findall(text)) == 1, f"docs/notebooks.md has one place for the {name}"
        written = "\n".join(lines)
        text = part.sub(lambda match, written=written: f"{match[1]}\n{written}\n\n{match[2]}", text)  # type: ignore[misc]
    return text


def body(question: Callable[..., object]) -> list[str]:
    """The lines of a function below its head."""
    lines = inspect.getsource(question).splitlines()
    return textwrap.dedent("\n".join(lines[1:])).splitlines()


def _questions() -> Iterator[str]:
    for number, question in enumerate(QUESTIONS):
        if number:
            yield ""
        words = question.__name__.replace("_", " ")
        yield f"{words[0].upper()}{words[1:]}?"
        yield ""
        yield "```python"
        yield from ("\n".join(body(question)).replace("return ", "")).splitlines()
        yield "```"


def _frames() -> Iterator[str]:
    for name in get_args(TableName):
        yield from _frame(f"Store.{name}", columns_of(name))
    for name, columns in tables.TABLES.items():
        yield from _frame(name, columns)


def _frame(name: str, columns: Mapping[str, str]) -> Iterator[str]:
    yield f"### `{name}`"
    yield ""
    yield "| column | dtype |"
    yield "| --- | --- |"
    yield from (f"| `{column}` | {_dtype(column, kind)} |" for column, kind in columns.items())
    yield ""


def _dtype(column: str, kind: str) -> str:
    return f"{kind}, ordered" if column in tables.ORDERED else kind


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text()))
    sys.exit()
