"""What is a secret and what is none: the data of ``knowledge/secrets.yaml`` as values."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from compliance.formats.globs import PathMatcher
from compliance.formats.secrets import NamedValues, SecretRule, SecretRules, SecretSearch
from compliance.formats.strict_yaml import Section, read_section

_FILE = "secrets.yaml"
_SCHEMA = 1
# fmt: off
_KEYS = (
    "id", "kind", "literals", "reads", "regex", "before", "files", "config", "near", "checksum", "entropy", "possible",
    "guessable", "source",
)
# fmt: on


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownPlace:
    """Where secrets are test data or samples: `why`; with `owned` only in files that a package owns."""

    why: str
    owned: bool
    paths: PathMatcher


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretKnowledge:
    """The rules of the search and the places where what it finds is known to be harmless."""

    rules: SecretRules
    places: tuple[KnownPlace, ...]


@cache
def secret_knowledge() -> SecretKnowledge:
    """What ships with the library. Raises PolicyError for a damaged file."""
    return parse_secrets((files("controls") / "knowledge" / _FILE).read_bytes())


@cache
def secret_search() -> SecretSearch:
    """The rules, compiled once."""
    return SecretSearch(secret_knowledge().rules)


def parse_secrets(content: bytes) -> SecretKnowledge:
    """The knowledge in the YAML `content`. Raises PolicyError naming the field."""
    top = read_section(_FILE, content)
    top.only("schema", "kind", "rules", "names", "placeholders", "published", "places")
    if top.values.get("schema") != _SCHEMA or top.text("kind") != "secrets":
        raise top.error(f"must be {_SCHEMA}, and the kind secrets", "schema")
    rules = tuple(_rule(part) for part in top.sections("rules"))
    if len({rule.id for rule in rules}) < len(rules):
        raise top.error("an id is there twice", "rules")
    names = top.section("names")
    names.only("credential", "exempt", "open")
    try:
        return SecretKnowledge(
            rules=SecretRules(
                rules=rules,
                named=NamedValues(
                    names=_expression(names, "credential", names.text("credential")),
                    exempt=_expression(names, "exempt", names.text("exempt")),
                    open=_expression(names, "open", names.text("open")),
                ),
                placeholders=tuple(_expression(top, "placeholders", text) for text in top.texts("placeholders")),
                published={digest: what for part in top.sections("published") for digest, what in _published(part)},
            ),
            places=tuple(_place(part) for part in top.sections("places")),
        )
    except UnicodeEncodeError as problem:
        raise top.error("bytes above 127 are written \\xNN") from problem


def _rule(part: Section) -> SecretRule:
    part.only(*_KEYS)
    part.text("source")
    before, entropy = part.values.get("before", 0), part.values.get("entropy", 0.0)
    if not isinstance(before, int) or not isinstance(entropy, int | float):
        raise part.error("'before' and 'entropy' are numbers")
    try:
        return SecretRule(
            id=part.text("id"),
            kind=part.text("kind"),
            literals=tuple(text.encode("latin-1") for text in part.texts("literals")) if _has(part, "literals") else (),
            reads=part.text("reads") if _has(part, "reads") else None,
            regex=_bytes(part, "regex") if _has(part, "regex") else None,
            before=before,
            files=part.texts("files") if _has(part, "files") else (),
            config=_has(part, "config") and part.flag("config"),
            near=_bytes(part, "near") if _has(part, "near") else None,
            checksum=part.text("checksum") if _has(part, "checksum") else None,
            entropy=float(entropy),
            possible=part.text("possible") if _has(part, "possible") else None,
            guessable=_has(part, "guessable") and part.flag("guessable"),
        )
    except UnicodeEncodeError as problem:
        raise part.error("bytes above 127 are written \\xNN") from problem
    except (ValueError, re.error) as problem:
        raise part.error(str(problem)) from problem


def _expression(part: Section, key: str, text: str) -> bytes:
    """`text` as an expression over bytes."""
    expression = text.encode("latin-1")
    try:
        re.compile(expression)
    except re.error as problem:
        raise part.error(f"not an expression: {problem}", key) from problem
    return expression


def _has(part: Section, key: str) -> bool:
    return key in part.values


def _bytes(part: Section, key: str) -> bytes:
    return part.text(key).encode("latin-1")


def _published(part: Section) -> list[tuple[str, str]]:
    part.only("what", "sha256")
    what = part.text("what")
    digests = part.texts("sha256")
    for digest in digests:
        if len(digest) != 64 or set(digest) - set("0123456789abcdef"):
            raise part.error(f"not a digest in hex: {digest!r}", "sha256")
    return [(digest, what) for digest in digests]


def _place(part: Section) -> KnownPlace:
    part.only("why", "globs", "owned")
    return KnownPlace(why=part.text("why"), owned=part.flag("owned"), paths=PathMatcher(part.texts("globs")))
