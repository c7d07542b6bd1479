"""The page of the public API, from signatures and docstrings: a part of the reference pages."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator

import compliance

_ANNOTATION = re.compile(r"(: |-> )'([^']*)'")
"""Annotations are texts, and shown in quotes."""


def api_page(written_by: str) -> Iterator[str]:
    """Lines of docs/reference/api.md: every name of ``compliance.__all__``, classes with what is public in them."""
    yield "# The Python API"
    yield ""
    yield written_by
    yield ""
    yield "`from compliance import " + ", ".join(compliance.__all__) + "`. What is not here may change without notice."
    yield "How to use it: [Notebooks](../notebooks.md)."
    for name in sorted(compliance.__all__, key=lambda name: (not name[0].islower(), name)):
        thing = getattr(compliance, name)
        yield ""
        yield f"## {name}"
        yield from _described(name, thing)
        if isinstance(thing, type):
            yield from _members(thing)


def _members(kind: type) -> Iterator[str]:
    for name, member in sorted(vars(kind).items()):
        if name.startswith("_"):
            continue
        if isinstance(member, property):
            yield from ("", f"### {kind.__name__}.{name}", "", *_text(inspect.getdoc(member.fget)))
        elif isinstance(member, classmethod | staticmethod) or inspect.isfunction(member):
            yield ""
            yield f"### {kind.__name__}.{name}()"
            yield from _described(name, getattr(kind, name))


def _described(name: str, thing: object) -> Iterator[str]:
    if callable(thing) and not (isinstance(thing, type) and issubclass(thing, Exception)):
        yield from ("", "```text", _ANNOTATION.sub(r"\1\2", f"{name}{inspect.signature(thing)}"), "```")
    yield ""
    yield from _text(inspect.getdoc(thing))


def _text(doc: str | None) -> Iterator[str]:
    """A docstring as Markdown: an indented part is code as it stands there."""
    yield from (line.replace("``", "`") for line in (doc or "").splitlines())
