"""What changed among users and groups: the lines of /etc/passwd, group and shadow compared by name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from compliance.model.drift import Area, Aspect, Change, Difference
from compliance.model.filesystem import FileTree
from controls.accounts import GROUP, PASSWD, SHADOW, read_account_file

GSHADOW = "etc/gshadow"
_FIELDS = {
    PASSWD: ("password", "user id", "group id", "comment", "home", "shell"),
    GROUP: ("password", "group id", "members"),
    SHADOW: ("password", "last change", "minimum age", "maximum age", "warning", "inactivity", "expiry", "reserved"),
}
_SORTS = {PASSWD: "user", SHADOW: "user", GROUP: "group", GSHADOW: "group"}
_TELLING = frozenset({"password", "user id", "group id", "members", "home", "shell"})
"""What is told of an account that came or went."""
_USUAL = frozenset({None, "", "in shadow", "locked"})
_SECRET = "password"  # noqa: S105 - the name of a field


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountDrift:
    """`explained` are the paths of account files whose content differs only in lines of the accounts told."""

    differences: tuple[Difference, ...]
    explained: frozenset[str]
    not_compared: tuple[str, ...]


def compare_accounts(before: FileTree, after: FileTree) -> AccountDrift:
    """Users and groups by name. Passwords are never told, only whether one is set and whether it is another."""
    aspects: dict[str, list[Aspect]] = {}
    there: dict[str, Change] = {}
    not_compared: list[str] = []
    for path in _FIELDS:
        problem = read_account_file(before, path).problem or read_account_file(after, path).problem
        if problem is not None:
            not_compared.append(f"accounts: {problem}")
            continue
        old, new = _by_name(_lines(before, path)), _by_name(_lines(after, path))
        for name in sorted(old.keys() | new.keys()):
            if old.get(name) != new.get(name):
                key = f"{_SORTS[path]} {name}"
                aspects.setdefault(key, []).extend(_aspects(path, old.get(name, ()), new.get(name, ())))
                if path != SHADOW:
                    there[key] = Change.CHANGED if name in old and name in new else _one_sided(name in new)
    differences = tuple(
        Difference(
            area=Area.ACCOUNTS,
            change=there.get(key, Change.CHANGED),
            subject=key,
            aspects=tuple(aspects[key]),
        )
        for key in sorted(aspects, key=lambda key: (not key.startswith("user "), key))
    )
    explained = frozenset(_explained(before, after, frozenset(aspects)))
    return AccountDrift(differences=differences, explained=explained, not_compared=tuple(not_compared))


def _one_sided(new: bool) -> Change:
    return Change.ADDED if new else Change.REMOVED


def _lines(tree: FileTree, path: str) -> tuple[str, ...]:
    content = tree.content(path) or b""
    return tuple(line for line in content.decode("utf-8", "surrogateescape").split("\n") if line.strip())


def _name(line: str) -> str:
    return line.strip().partition(":")[0]


def _by_name(lines: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """All lines of each name, in their order: the first one counts."""
    found: dict[str, list[str]] = {}
    for line in lines:
        found.setdefault(_name(line), []).append(line)
    return {name: tuple(some) for name, some in found.items()}


def _aspects(path: str, before: tuple[str, ...], after: tuple[str, ...]) -> Iterator[Aspect]:
    """The fields of the first line that differ, and a change among further lines of the name."""
    old = before[0].strip().split(":")[1:] if before else []
    new = after[0].strip().split(":")[1:] if after else []
    for number, label in enumerate(_FIELDS[path]):
        was = old[number] if number < len(old) else None
        now = new[number] if number < len(new) else None
        if was == now:
            continue
        if label == _SECRET:
            was, now = _password(was), _password(now)
            now = f"{now}, another one" if was == now else now
        if not (before and after) and (label not in _TELLING or (was or now) in _USUAL):
            continue
        if (was or None) != (now or None):
            yield Aspect(label, was or None, now or None)
    if before[1:] != after[1:]:
        yield Aspect("further lines of this name", str(len(before[1:])), str(len(after[1:])))


def _password(field: str | None) -> str | None:
    """What a password field says, without the field."""
    if field is None:
        return None
    if not field:
        return "empty"
    if field == "x":
        return "in shadow"
    return "locked" if field.startswith(("!", "*")) else "set"


def _explained(before: FileTree, after: FileTree, told: frozenset[str]) -> Iterator[str]:
    for path, sort in _SORTS.items():
        first, second = _lines(before, path), _lines(after, path)
        rest = [[line for line in lines if f"{sort} {_name(line)}" not in told] for lines in (first, second)]
        if first != second and rest[0] == rest[1]:
            for tree in (before, after):
                entry = tree.resolve(path)
                if entry is not None:
                    yield entry.path
