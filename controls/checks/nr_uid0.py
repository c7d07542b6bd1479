"""NR-UID0: one name for root at most, and no id or name twice."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import TypeVar

from compliance.model.evidence import Evidence
from compliance.model.outcome import (
    Check,
    Failed,
    Observation,
    ObservationKind,
    Outcome,
    Passed,
    Severity,
    Trait,
    Unknown,
)
from controls.accounts import GROUP, PASSWD, Group, User, integer, parse_group, parse_passwd, read_account_file
from controls.observe import count

_Key = TypeVar("_Key", int, str)


def run(evidence: Evidence) -> Outcome:
    """Counts user ids, group ids and names, each line as a runtime reads it."""
    tree = evidence.filesystem
    passwd, group = read_account_file(tree, PASSWD), read_account_file(tree, GROUP)
    users = [line for line in parse_passwd(passwd.content) if _counts(line.name)]
    groups = [line for line in parse_group(group.content) if _counts(line.name)]
    found = (*_user_findings(users), *_group_findings(groups))
    if found:
        return Failed(observations=found)
    for file in (passwd, group):
        if file.problem:
            return Unknown(reason=file.problem)
    if not passwd.present and not group.present:
        return Passed(observations=(_account("The image has no /etc/passwd and no /etc/group, so no accounts.", None),))
    roots = ", ".join(repr(user.name) for user in users if user.uid == 0) or "nobody"
    return Passed(
        observations=(
            _account(
                f"{count(len(users), 'account')} and {count(len(groups), 'group')}, no id and no name twice; "
                f"user id 0 is {roots}.",
                PASSWD if passwd.present else GROUP,
            ),
        )
    )


def _counts(name: str) -> bool:
    """Comments and NIS lines name no account."""
    return not name.startswith(("#", "+", "-"))


def _user_findings(users: list[User]) -> Iterable[Observation]:
    for user in users:
        if integer(user.uid_text) is None:
            yield _account(
                f"Line {user.number} of /etc/passwd ({user.name!r}) has no valid user id: "
                f"container runtimes read it as {user.uid}.",
                PASSWD,
            )
    for uid, names in _repeated((user.uid, user.name) for user in users if integer(user.uid_text) is not None):
        what = "more than one name, aliases of root" if uid == 0 else "more than one line"
        yield _account(f"User id {uid} has {what}: {', '.join(map(repr, names))}.", PASSWD)
    for name, lines in _repeated((user.name, str(user.number)) for user in users):
        yield _account(f"The account {name!r} is defined more than once, on lines {', '.join(lines)}.", PASSWD)


def _group_findings(groups: list[Group]) -> Iterable[Observation]:
    for gid, names in _repeated((group.gid, group.name) for group in groups if integer(group.gid_text) is not None):
        yield _account(f"Group id {gid} has more than one line: {', '.join(map(repr, names))}.", GROUP)
    for name, lines in _repeated((group.name, str(group.number)) for group in groups):
        yield _account(f"The group {name!r} is defined more than once, on lines {', '.join(lines)}.", GROUP)


def _repeated(pairs: Iterable[tuple[_Key, str]]) -> list[tuple[_Key, list[str]]]:
    values: dict[_Key, list[str]] = defaultdict(list)
    for key, value in pairs:
        values[key].append(value)
    return [(key, some) for key, some in values.items() if len(some) > 1]


def _account(summary: str, path: str | None) -> Observation:
    return Observation(
        summary=summary, kind=ObservationKind.ACCOUNT, path=path, method="account files of the merged file tree"
    )


CHECK = Check(
    id="NR-UID0",
    title="No second uid 0 account and no duplicate ids",
    trait=Trait.NONROOT,
    severity=Severity.HIGH,
    rationale="A second name for uid 0 is root under an alias, which lists of accounts overlook; ids and names that "
    "occur twice make it uncertain who owns a file or whom USER means, since runtimes take the first line.",
    looks_at="/etc/passwd and /etc/group of the merged file tree, line by line.",
    proves="A pass proves that at most one account has user id 0 and that no user id, group id or name is defined "
    "twice in these two files. Accounts of other sources (NSS, LDAP) are not looked at.",
    remediation="Remove the further lines with the same id or name from /etc/passwd and /etc/group.",
    run=run,
    references=("passwd(5)", "group(5)"),
)
