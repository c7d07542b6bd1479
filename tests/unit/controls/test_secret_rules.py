"""knowledge/secrets.yaml: what it must hold, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from compliance.errors import PolicyError
from compliance.formats.secrets import base62_crc32
from controls.secret_rules import parse_secrets, secret_knowledge

GOOD = """
schema: 1
kind: secrets
rules:
  - {id: one, kind: a token, literals: [abcd], regex: '(?P<secret>abcd)', source: here}
names: {credential: 'token', exempt: 'x', open: 'y'}
placeholders: ['example']
published: [{what: a sample, sha256: ['DIGEST']}]
places: [{why: tests, globs: ['**/test/**'], owned: true}]
""".replace("DIGEST", "0" * 64)


def test_what_ships_is_read() -> None:
    knowledge = secret_knowledge()
    assert len(knowledge.rules.rules) > 40
    assert knowledge.rules.published
    assert knowledge.places


def test_a_small_one_is_read_as_it_says() -> None:
    knowledge = parse_secrets(GOOD.encode())
    (rule,) = knowledge.rules.rules
    assert (rule.id, rule.kind, rule.literals, rule.regex) == ("one", "a token", (b"abcd",), b"(?P<secret>abcd)")
    assert knowledge.rules.published == {"0" * 64: "a sample"}
    (place,) = knowledge.places
    assert place.owned
    assert place.paths.matches("usr/lib/x/test/key.pem")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("schema: 1", "schema: 2", "schema"),
        ("kind: secrets", "kind: others", "schema"),
        ("source: here", "sauce: here", "sauce"),
        (", source: here", "", "source"),
        ("literals: [abcd], ", "", "needs literals, files or config"),
        ("literals: [abcd]", "literals: [ab]", "at least 3 bytes"),
        ("literals: [abcd]", "literals: [ab\u20acd]", "bytes above 127"),
        ("regex: '(?P<secret>abcd)'", "regex: 'abcd'", "needs the group secret"),
        ("regex: '(?P<secret>abcd)'", "regex: '(?P<secret>'", "rules[0]"),
        ("regex: '(?P<secret>abcd)'", "reads: magic", "no reader 'magic'"),
        ("source: here", "source: here, checksum: md5", "no checksum 'md5'"),
        ("source: here", "source: here, entropy: high", "'before' and 'entropy' are numbers"),
        ("0" * 64, "0" * 63, "not a digest in hex"),
        ("owned: true", "owned: perhaps", "owned"),
        ("exempt: 'x', ", "", "exempt"),
        ("credential: 'token'", "credential: '(token'", "names"),
        ("placeholders: ['example']", "placeholders: ['(example']", "placeholders"),
    ],
)
def test_a_damaged_one_is_refused_and_the_field_named(old: str, new: str, told: str) -> None:
    assert old in GOOD
    with pytest.raises(PolicyError) as error:
        parse_secrets(GOOD.replace(old, new).encode())
    assert told in str(error.value) or told in str(error.value.where)


def test_an_id_that_is_there_twice_is_refused() -> None:
    line = GOOD.splitlines()[4]
    with pytest.raises(PolicyError, match="twice"):
        parse_secrets(GOOD.replace(line, f"{line}\n{line}").encode())


def test_no_rule_reads_without_bounds(checkout: Path) -> None:
    """`*`, `+` and `{n,}` take as much as there is: every repetition of a rule says how much at most."""
    rules = yaml.safe_load((checkout / "controls" / "knowledge" / "secrets.yaml").read_text())["rules"]
    for rule in rules:
        for key in ("regex", "near"):
            text = rule.get(key, "")
            plain = _without_classes(text)
            assert not any(mark in plain for mark in ("*", "+", ",}")), (rule["id"], text)


def _without_classes(text: str) -> str:
    """`text` without escapes and character classes."""
    out, at = "", 0
    while at < len(text):
        if text[at] == "\\":
            at += 2
        elif text[at] == "[":
            at += 2
            while text[at] != "]":
                at += 2 if text[at] == "\\" else 1
            at += 1
        else:
            out += text[at]
            at += 1
    return out


def test_the_file_holds_no_token_of_its_own(checkout: Path) -> None:
    content = (checkout / "controls" / "knowledge" / "secrets.yaml").read_bytes()
    assert b"PRIVATE KEY-----" not in content
    assert not base62_crc32(content)
