"""What is to be said of one check to whoever has to trust it: docs/checks and ``hullmark controls show CHECK-ID``.

All of it comes from the check itself, the mappings and the profiles. The reasons for which a check does not apply or
can't tell are read from its code, so that none is left out; what is filled in for an image stands as ``…``.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from compliance.model.control import ControlLibrary, Framework, MappedCheck, Relation
from compliance.model.evidence import Variant
from compliance.model.outcome import Check
from controls.asking import HOW
from controls.coverage import NEEDS
from controls.profile import Counting, shipped_profile

_OUTCOMES = {"NotApplicable": "not applicable", "Unknown": "unknown"}
_PLACEHOLDER = "…"
_WORDS_MIN = 3
_CALLS_MAX = 6
"""How many functions deep a reason may lie."""

TRAITS = {
    "removed": "components that a hardened image does without",
    "nonroot": "who the container runs as",
    "immutable": "what can be changed while it runs",
    "purpose": "whether the image is what it says it is for",
    "drift": "whether it is still what was made or approved",
    "supply": "where it comes from, and what others attest of it",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One part of a page: a heading, sentences, and a list."""

    heading: str
    text: str = ""
    items: tuple[str, ...] = ()


def check_page(check: Check, library: ControlLibrary) -> tuple[Part, ...]:
    """The parts of the page in their order; the title is the check's."""
    needs = (f"It needs what an image alone does not have: {NEEDS[check.id]}.",) if check.id in NEEDS else ()
    return (
        Part(
            heading="In short",
            items=(
                f"Severity of a failure in a runtime image: {check.severity}.",
                f"Promise: {check.trait} ({TRAITS[check.trait.value]}).",
                *needs,
                _counting(check),
            ),
        ),
        Part(heading="What it looks at", text=check.looks_at),
        Part(heading="Why it matters", text=check.rationale),
        Part(heading="What a pass proves, and what it does not", text=check.proves),
        Part(heading="Outcomes", items=_outcomes(check)),
        Part(heading="How to fix", text=check.remediation),
        Part(heading="Controls it bears on", items=tuple(_controls(check, library))),
        Part(heading="References", items=check.references),
    )


def markdown(check: Check, parts: tuple[Part, ...], *, example: tuple[str, ...] = ()) -> str:
    """The page as Markdown; `example` are sentences of a real run."""
    lines = [f"# {check.id}: {check.title}", ""]
    for part in (*parts, *((Part(heading="Example", items=example),) if example else ())):
        lines += [f"## {part.heading}", ""]
        lines += [_escaped(part.text), ""] if part.text else []
        lines += [f"- {_escaped(item)}" for item in part.items]
        lines += [""] if part.items else []
    return "\n".join(lines)


def _escaped(text: str) -> str:
    """`text` such that no character of it is markup; an underscore inside a word is none."""
    return re.sub(r"[\\`*\[\]<>|#]|(?<!\w)_|_(?!\w)", r"\\\g<0>", text)


def _counting(check: Check) -> str:
    """Whether the answer for an image rests on it, by the profiles that are shipped."""
    by_profile = {variant: _stance(variant, check.id) for variant in Variant}
    words = {
        Counting.ALWAYS: "it counts",
        Counting.ASKED: f"it counts when asked for (by {HOW.get(check.id)})",
        Counting.NEVER: "it does not count",
    }
    said = {counting: [v for v, its in by_profile.items() if its is counting] for counting in Counting}
    parts = [f"{words[counting]} for {_listed(variants)}" for counting, variants in said.items() if variants]
    return f"{'; '.join(parts)} images.".replace("it counts", "It counts", 1)


def _stance(variant: Variant, check: str) -> Counting:
    stance = shipped_profile(variant).stances.get(check)
    return Counting.ALWAYS if stance is None else stance.counting


def _listed(variants: list[Variant]) -> str:
    names = [variant.value for variant in variants]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _outcomes(check: Check) -> tuple[str, ...]:
    told = [
        "passed: what is asked holds; the observations say what was looked at.",
        "failed: it does not hold; each observation is a counter-example.",
    ]
    reasons = dict.fromkeys(_reasons(check.run, _CALLS_MAX, set()))
    for word in _OUTCOMES.values():
        some = [reason for kind, reason in reasons if kind == word]
        told.append(f"{word}: {'; or '.join(some)}." if some else f"{word}: never.")
    told.append("errored: the check itself broke, which is a fault of this tool and counts as not determined.")
    return tuple(told)


def _reasons(function: Callable[..., Any], depth: int, done: set[object]) -> Iterator[tuple[str, str]]:
    """Outcome and reason of all that `function`, and the functions of this package that it calls, can give."""
    if depth == 0 or function in done:
        return
    done.add(function)
    module = inspect.getmodule(function)
    tree = ast.parse(inspect.getsource(function))
    texts = _texts(tree)
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            continue
        if node.func.id in _OUTCOMES:
            for keyword in node.keywords:
                if keyword.arg == "reason":
                    told = _values(keyword.value, texts) or [""]
                    yield from ((_OUTCOMES[node.func.id], _readable(text)) for text in told)
        elif (called := _outcome_giver(module, node.func.id)) is not None:
            yield from _reasons(called, depth - 1, done)


def _outcome_giver(module: ModuleType | None, name: str) -> Callable[..., Any] | None:
    """The function of that name, if it is this package's own and gives an outcome or a part of one."""
    found = getattr(module, name, None)
    if not inspect.isfunction(found) or not found.__module__.startswith("controls."):
        return None
    returns = str(found.__annotations__.get("return", ""))
    return found if any(word in returns for word in ("Outcome", *_OUTCOMES)) else None


def _texts(tree: ast.AST) -> dict[str, list[tuple[int, list[str]]]]:
    """The texts that are assigned to each name, by line."""
    found: dict[str, list[tuple[int, list[str]]]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            found.setdefault(node.targets[0].id, []).append((node.lineno, _values(node.value, {})))
    return found


def _values(node: ast.expr, texts: dict[str, list[tuple[int, list[str]]]]) -> list[str]:
    """What a text can be; nothing where it comes from elsewhere."""
    match node:
        case ast.Constant(value=str(text)):
            return [text]
        case ast.JoinedStr(values=parts):
            return ["".join(str(part.value) if isinstance(part, ast.Constant) else _PLACEHOLDER for part in parts)]
        case ast.IfExp(body=body, orelse=orelse):
            return [*_values(body, texts), *_values(orelse, texts)]
        case ast.Name(id=name):
            before = [some for line, some in sorted(texts.get(name, [])) if line < node.lineno]
            return before[-1] if before else []
    return []


def _readable(text: str) -> str:
    """`text` with neighbouring placeholders made one; for what has no words of its own, that the result tells it."""
    joined = re.sub(rf"(?:{_PLACEHOLDER})+", _PLACEHOLDER, text)
    return joined if len(re.findall(r"[a-z]{2,}", joined)) >= _WORDS_MIN else "for a reason that the result tells"


def _controls(check: Check, library: ControlLibrary) -> Iterator[str]:
    for framework in library.frameworks:
        mapped = list(_mapped(check, framework))
        if mapped:
            counts = {relation: sum(line.relation is relation for _, line in mapped) for relation in Relation}
            how = ", ".join(f"{relation.value} {number}" for relation, number in counts.items() if number)
            labels = ", ".join(label for label, _ in mapped)
            name = f"{framework.name} {framework.version}".strip()
            yield f"{name}: {len(mapped)} of {len(framework.controls)} ({how}): {labels}."


def _mapped(check: Check, framework: Framework) -> Iterator[tuple[str, MappedCheck]]:
    for control in framework.controls:
        for line in control.checks:
            if line.check == check.id:
                yield control.label, line
