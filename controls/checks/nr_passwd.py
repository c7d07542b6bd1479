"""NR-PASSWD: no account that somebody can log in to."""

from __future__ import annotations

import re
from collections.abc import Iterable

from compliance.model.evidence import Evidence
from compliance.model.filesystem import FileKind, FileTree
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
from controls.accounts import PASSWD, SHADOW, User, parse_passwd, parse_shadow, read_account_file
from controls.observe import count

NO_LOGIN = frozenset(("nologin", "false", "true", "sync", "halt", "shutdown", "git-shell"))
"""Programs in the shell field that give no command line."""
DEFAULT_SHELL = "/bin/sh"
"""The shell of an account whose field is empty (passwd(5))."""
_HASH = re.compile(r"\$.+|_[./0-9A-Za-z]{19}|[./0-9A-Za-z]{13}", re.DOTALL)
"""The forms of crypt(5). Anything else (``x``, ``*``, ``!$6$…``) is matched by no password."""
_METHOD = re.compile(r"\$(?:[0-9a-z]{1,10}|[a-z][0-9a-z-]{1,20})\$")


def run(evidence: Evidence) -> Outcome:
    """Password fields of both files, and the login shells that exist. A hash is never written down."""
    tree = evidence.filesystem
    passwd, shadow = read_account_file(tree, PASSWD), read_account_file(tree, SHADOW)
    users = [line for line in parse_passwd(passwd.content) if not line.name.startswith(("#", "+", "-"))]
    shadows = parse_shadow(shadow.content)
    found = [
        *_passwords(PASSWD, ((line.name, line.password) for line in users if line.fields > 1)),
        *_passwords(SHADOW, ((line.name, line.password) for line in shadows)),
        *_shells(tree, users),
    ]
    if found:
        return Failed(observations=tuple(found))
    for file in (passwd, shadow):
        if file.problem:
            return Unknown(reason=file.problem)
    if users and not tree.wholly_read:
        return Unknown(reason="whether the login shells exist can't be said: the image was not wholly read")
    if not passwd.present and not shadow.present:
        return Passed(
            observations=(_account("The image has no /etc/passwd and no /etc/shadow, so no accounts.", None),)
        )
    return Passed(
        observations=(
            _account(
                f"{count(len(users), 'account')} in /etc/passwd and {count(len(shadows), 'line')} in /etc/shadow: "
                "no password is set or empty, and no account but root has a login shell that exists.",
                PASSWD if passwd.present else None,
            ),
        )
    )


def _passwords(path: str, fields: Iterable[tuple[str, str]]) -> Iterable[Observation]:
    for name, password in fields:
        if password == "":
            yield _account(f"The account {name!r} has an empty password in /{path}.", path)
        elif _HASH.fullmatch(password):
            method = _METHOD.match(password)
            kind = f" (method {method[0]})" if method else ""
            yield _account(f"The account {name!r} has a password hash in /{path}{kind}.", path)


def _shells(tree: FileTree, users: Iterable[User]) -> Iterable[Observation]:
    for user in users:
        shell = user.shell or DEFAULT_SHELL
        if user.uid == 0 or shell.rpartition("/")[2] in NO_LOGIN:
            continue
        entry = tree.resolve(shell)
        if entry is None or entry.kind is not FileKind.REGULAR or not entry.executable:
            continue
        stated = "" if user.shell else ", the default for an empty field"
        yield _account(
            f"The account {user.name!r} (uid {user.uid}) has the login shell {shell}{stated}, which exists.", PASSWD
        )


def _account(summary: str, path: str | None) -> Observation:
    return Observation(
        summary=summary, kind=ObservationKind.ACCOUNT, path=path, method="account files of the merged file tree"
    )


CHECK = Check(
    id="NR-PASSWD",
    title="No usable passwords, empty passwords or login shells",
    trait=Trait.NONROOT,
    severity=Severity.HIGH,
    rationale="A password in an image is the same for everybody who pulls it, and cannot be changed where it runs; "
    "an account that can be logged in to has no use in a container.",
    looks_at="The password fields of /etc/passwd and /etc/shadow, the shell field of every account with a user id "
    "above 0, and whether that shell exists in the merged file tree.",
    proves="A pass proves that no account of these files has an empty password or a hash that could be matched, and "
    "that none but root has a login shell that exists. Locked fields (! or *) count as no password. Keys, PAM and "
    "other account sources are not looked at.",
    remediation="Lock every password (passwd -l, field ! or *) and set every shell to /sbin/nologin while building.",
    run=run,
    references=("passwd(5)", "shadow(5)", "crypt(5)"),
)
