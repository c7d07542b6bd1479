"""Who the image runs as: /etc/passwd and /etc/group read, and USER resolved, as container runtimes do it.

The rules are those of moby/sys/user (GetExecUser), which Docker, containerd and runc share: lenient lines, a
number is always an id and never a name, the first matching line wins, nothing but these two files is asked.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from compliance.model.evidence import Evidence
from compliance.model.filesystem import FileKind, FileTree
from compliance.model.request import ContentRequest

PASSWD, GROUP, SHADOW = "etc/passwd", "etc/group", "etc/shadow"

ACCOUNT_FILES = ContentRequest(name="account-files", globs=("**/passwd", "**/group", "**/shadow"))
"""The account files wherever they are: those in /etc may be links to files of the same name."""

ID_MAX = 2**31 - 1
"""The largest user or group id a runtime accepts."""
_INT64_MAX = 2**63 - 1
_INTEGER = re.compile(r"([+-]?)0*([0-9]*)", re.ASCII)


def integer(text: str) -> int | None:
    """`text` as Go's strconv.Atoi reads it: ``00`` and ``+0`` are 0; None for anything else, or past 64 bits."""
    match = _INTEGER.fullmatch(text)
    if match is None or not text[-1:].isdigit() or len(match[2]) > 19:
        return None
    value = int(match[2] or "0")
    value = -value if match[1] == "-" else value
    return value if -_INT64_MAX - 1 <= value <= _INT64_MAX else None


def _lenient(text: str) -> int:
    """A number in an account file: text that is none reads as 0, which is how a damaged line becomes root."""
    value = integer(text)
    if value is not None:
        return value
    if not re.fullmatch(r"[+-]?[0-9]+", text, re.ASCII):
        return 0
    return -_INT64_MAX - 1 if text.startswith("-") else _INT64_MAX


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """One line of passwd(5). `uid` and `gid` are 0 where `uid_text`, `gid_text` are no numbers, as in runtimes."""

    number: int  # of the line, from 1
    name: str
    password: str
    uid: int
    gid: int
    uid_text: str
    home: str
    shell: str
    fields: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """One line of group(5)."""

    number: int
    name: str
    gid: int
    gid_text: str
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shadow:
    """One line of shadow(5). `password` must never be printed."""

    number: int
    name: str
    password: str


def _lines(content: bytes) -> list[tuple[int, list[str]]]:
    lines = ((number, line.strip()) for number, line in enumerate(content.split(b"\n"), 1))
    return [(number, line.decode("utf-8", "surrogateescape").split(":")) for number, line in lines if line]


def parse_passwd(content: bytes) -> tuple[User, ...]:
    """The lines of a passwd file, damaged ones too, with missing fields empty."""
    users = []
    for number, fields in _lines(content):
        name, password, uid, gid, _, home, shell = (*fields, "", "", "", "", "", "")[:7]
        users.append(
            User(
                number=number,
                name=name,
                password=password,
                uid=_lenient(uid),
                gid=_lenient(gid),
                uid_text=uid,
                home=home,
                shell=shell,
                fields=len(fields),
            )
        )
    return tuple(users)


def parse_group(content: bytes) -> tuple[Group, ...]:
    """The lines of a group file, damaged ones too."""
    groups = []
    for number, fields in _lines(content):
        name, _, gid, members = (*fields, "", "", "")[:4]
        groups.append(
            Group(
                number=number,
                name=name,
                gid=_lenient(gid),
                gid_text=gid,
                members=tuple(members.split(",")) if members else (),
            )
        )
    return tuple(groups)


def parse_shadow(content: bytes) -> tuple[Shadow, ...]:
    """The lines of a shadow file that have a password field."""
    return tuple(
        Shadow(number=number, name=fields[0], password=fields[1])
        for number, fields in _lines(content)
        if len(fields) > 1
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountFile:
    """One of the account files: its bytes, b"" with `present` false where there is none, or why it is not known."""

    content: bytes = b""
    present: bool = False
    problem: str | None = None


def read_account_file(tree: FileTree, path: str) -> AccountFile:
    """The file that a runtime would open at `path`: links are followed, without leaving the root."""
    entry = tree.resolve(path)
    if entry is None:
        if tree.wholly_read:
            return AccountFile()
        return AccountFile(problem=f"/{path} was not found, but the image was not wholly read")
    if entry.kind is not FileKind.REGULAR:
        return AccountFile(problem=f"/{path} is not a regular file")
    content = tree.content(path)
    if content is None:
        return AccountFile(problem=f"/{path} was not kept while the image was read")
    if any(place.path in ("", entry.path) for place in tree.unread):
        return AccountFile(problem=f"/{path} may not be what was read of it: the reading was cut short")
    return AccountFile(content=content, present=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """The user a container starts as.

    `spec` is config.User, `name` the passwd name that the user id was found under, `groups` the supplementary
    group ids. `groups_problem` says why `gid` and `groups` are not certain; the user id is.
    """

    spec: str
    uid: int
    gid: int
    groups: tuple[int, ...] = ()
    name: str | None = None
    home: str | None = None
    groups_problem: str | None = None

    @property
    def root(self) -> bool:
        """Whether this is user id 0, to whom file permissions do not apply."""
        return self.uid == 0

    @property
    def numeric(self) -> bool:
        """Whether config.User names the user by number, which can be checked without the image's files."""
        return integer(self.spec.split(":")[0]) is not None

    def __str__(self) -> str:
        """``uid 65532, gid 65532, supplementary groups 5, 7``."""
        groups = f", supplementary groups {', '.join(map(str, self.groups))}" if self.groups else ""
        return f"uid {self.uid}, gid {self.gid}{groups}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CannotStart:
    """USER names nobody: a runtime refuses to start the container."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Undetermined:
    """Who USER is can't be said from what was read."""

    reason: str


RunAs = Identity | CannotStart | Undetermined


def resolve_user(spec: str, passwd: AccountFile, group: AccountFile) -> RunAs:
    """Who ``USER spec`` is (moby/sys/user: GetExecUser). An empty `spec` is user id 0."""
    user_text, _, rest = spec.partition(":")
    group_text = rest.partition(":")[0]
    wanted = 0 if user_text == "" else integer(user_text)
    if wanted is None and passwd.problem:
        return Undetermined(reason=f"USER {user_text!r} is a name and {passwd.problem}")
    users = parse_passwd(passwd.content)
    match = next((u for u in users if (u.name == user_text if wanted is None else u.uid == wanted)), None)
    if match is None and wanted is None:
        where = "is not in /etc/passwd" if passwd.present else "is a name, and the image has no /etc/passwd"
        return CannotStart(reason=f"USER {user_text!r} {where}: a container runtime refuses to start it")
    uid = match.uid if match is not None else wanted or 0
    if not 0 <= uid <= ID_MAX:
        return CannotStart(reason=f"USER {user_text!r} is user id {uid}, outside 0 to {ID_MAX}")
    identity = Identity(
        spec=spec,
        uid=uid,
        gid=match.gid if match is not None else 0,
        name=match.name if match is not None else None,
        home=match.home if match is not None else None,
        groups_problem=passwd.problem,
    )
    return _with_groups(identity, group_text, group)


def _with_groups(identity: Identity, group_text: str, group: AccountFile) -> RunAs:
    """The group part: an explicit group replaces the passwd one and drops all supplementary groups."""
    groups = parse_group(group.content)
    gid, problem = identity.gid, identity.groups_problem
    supplementary: tuple[int, ...] = ()
    if group_text:
        number = integer(group_text)
        if number is None and group.problem:
            problem = f"the group {group_text!r} is a name and {group.problem}"
        elif number is None:
            named = next((line.gid for line in groups if line.name == group_text), None)
            if named is None:
                return CannotStart(
                    reason=f"USER {identity.spec!r} names the group {group_text!r}, which is not in /etc/group: "
                    "a container runtime refuses to start it"
                )
            gid, problem = named, None
        else:
            gid, problem = number, None
    elif identity.name:
        supplementary = tuple(dict.fromkeys(line.gid for line in groups if identity.name in line.members))
        problem = problem or group.problem
    if not 0 <= gid <= ID_MAX:
        return CannotStart(reason=f"USER {identity.spec!r} has group id {gid}, outside 0 to {ID_MAX}")
    return Identity(
        spec=identity.spec,
        uid=identity.uid,
        gid=gid,
        groups=supplementary,
        name=identity.name,
        home=identity.home,
        groups_problem=problem,
    )


def run_as(evidence: Evidence) -> RunAs:
    """Who a container of this image starts as by default. Without a config (a root filesystem) nobody can say."""
    config = evidence.image.config
    if config is None:
        return Undetermined(reason="a root filesystem has no image config, so no default user is stated")
    tree = evidence.filesystem
    return _resolved(config.user or "", read_account_file(tree, PASSWD), read_account_file(tree, GROUP))


@lru_cache(maxsize=64)
def _resolved(spec: str, passwd: AccountFile, group: AccountFile) -> RunAs:
    return resolve_user(spec, passwd, group)


def group_names(tree: FileTree) -> dict[int, str]:
    """The first name of each group id in /etc/group; empty where the file is missing or not known."""
    names: dict[int, str] = {}
    for line in parse_group(read_account_file(tree, GROUP).content):
        names.setdefault(line.gid, line.name)
    return names
