"""The code word of every error, read from the source: which class raises it, with which message and which advice."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from compliance import errors
from compliance.errors import ComplianceError

CHECKOUT = Path(__file__).resolve().parents[2]
PACKAGES = ("compliance", "controls", "reports")
_HOLE = "…"
_BASES = {
    name: value
    for name, value in vars(errors).items()
    if isinstance(value, type) and issubclass(value, ComplianceError)
}


@dataclass(kw_only=True)
class ErrorWord:
    """A code word: the errors that bear it, what they say, and the hints that they give; what is filled in is ``…``."""

    word: str
    classes: set[type[ComplianceError]] = field(default_factory=set)
    messages: set[str] = field(default_factory=set)
    hints: set[str] = field(default_factory=set)


@cache
def error_words() -> Mapping[str, ErrorWord]:
    """All of them, in the order of the alphabet."""
    modules = [_Module(path) for package in PACKAGES for path in sorted((CHECKOUT / package).rglob("*.py"))]
    classes = _error_classes(modules)
    passed_on = _passed_on(modules, classes)
    found: dict[str, ErrorWord] = {}
    for module in modules:
        for call, name in module.calls():
            code = module.text(_keyword(call, "code"))
            if code is None:
                continue
            raised = {classes[name]} if name in classes else passed_on.get(name, set())
            if not raised:
                continue
            word = found.setdefault(code, ErrorWord(word=code))
            word.classes |= raised
            if name in classes:
                word.messages |= {_template(call.args[0])} - {_HOLE} if call.args else set()
                hint = _keyword(call, "hint")
                word.hints |= {_template(hint)} - {_HOLE, "None"} if hint is not None else set()
    return dict(sorted(found.items()))


class _Module:
    """One file, parsed, with the texts that its names stand for."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.tree = ast.parse(path.read_text(), str(path))
        self.texts: dict[str, str] = {}
        for node in self.tree.body:
            target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
            value = getattr(node, "value", None)
            if isinstance(target, ast.Name) and isinstance(value, ast.Constant) and isinstance(value.value, str):
                self.texts[target.id] = value.value

    def calls(self) -> Iterator[tuple[ast.Call, str]]:
        """Every call with the last word of what is called."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Call):
                yield node, node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")

    def text(self, node: ast.expr | None) -> str | None:
        """The text that an expression is: written there, or a name of this module."""
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            return node.value
        return self.texts.get(node.id) if isinstance(node, ast.Name) else None


def _error_classes(modules: list[_Module]) -> dict[str, type[ComplianceError]]:
    """The class of `compliance.errors` behind each class of errors; others are made below it in their modules."""
    found = dict(_BASES)
    for module in modules:
        for node in ast.walk(module.tree):
            if isinstance(node, ast.ClassDef):
                for base in node.bases:
                    if isinstance(base, ast.Name) and base.id in found:
                        found.setdefault(node.name, found[base.id])
    return found


def _passed_on(
    modules: list[_Module], classes: Mapping[str, type[ComplianceError]]
) -> dict[str, set[type[ComplianceError]]]:
    """The functions and classes that are given a code word, and which errors the file around them makes with it."""
    found: dict[str, set[type[ComplianceError]]] = {}
    for module in modules:
        raised = {
            classes[name]
            for call, name in module.calls()
            if name in classes and (code := _keyword(call, "code")) is not None and module.text(code) is None
        }
        for node in ast.walk(module.tree):
            if raised and isinstance(node, ast.FunctionDef):
                parameters = (*node.args.args, *node.args.kwonlyargs)
                if any(parameter.arg in ("code", "missing") for parameter in parameters):
                    found.setdefault(node.name, set()).update(raised)
    return found


def _keyword(call: ast.Call, name: str) -> ast.expr | None:
    return next((keyword.value for keyword in call.keywords if keyword.arg == name), None)


def _template(node: ast.expr) -> str:
    """A text with ``…`` where something is filled in."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(_template(part) for part in parts)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _template(left) + _template(right)
        case ast.IfExp(body=body, orelse=orelse):
            either = [text for text in (_template(body), _template(orelse)) if text not in (_HOLE, "None")]
            return " / ".join(either) or _HOLE
        case ast.Constant(value=None):
            return "None"
    return _HOLE
