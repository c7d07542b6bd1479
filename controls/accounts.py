"""Who the image runs as: /etc/passwd and /etc/group read, and USER resolved, as container runtimes do it.

The lines are read as moby/sys/user reads them, which Docker, Podman, CRI-O and containerd share: leniently, a number
is always an id and never a name, the first matching line wins, nothing but these two files is asked. What they make
of USER differs in details between GetExecUser (the first three) and containerd's oci.WithUser; an answer here holds
for both, the less safe one where they part.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache

from compliance.model.evidence import Evidence
from compliance.model.filesystem import FileKind, FileTree
from compliance.model.request import ContentRequest

PASSWD, GROUP, SHADOW = "etc/passwd", "etc/group", "etc/shadow"

ACCOUNT_FILES = ContentRequest(name="account-files", globs=("**/passwd", "**/group", "**/shadow"))
"""The account files wherever they are: those in /etc may be links to files of the same name."""

ID_MAX = 2**31 - 1
"""The largest user or group id a runtime accepts."""
PASSWD_LINE_MAX, GROUP_LINE_MAX = 2**16 - 1, 2**20 - 1
"""Bytes in a line of the file, above which the runtimes give up on all of it."""
_INT64_MAX = 2**63 - 1
_INTEGER = re.compile(r"([+-]?)0*([0-9]*)", re.ASCII)
_SIGNED_DIGITS = re.compile(r"[+-]?[0-9]+", re.ASCII)
_SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))
"""What Go's bytes.TrimSpace takes off a line: Unicode's White_Space."""


def integer(text: str) -> int | None:
    """`text` as Go's strconv.Atoi reads it: ``00`` and ``+0`` are 0; None for anything else, or past 64 bits."""
    match = _INTEGER.fullmatch(text)
    if match is None or not text[-1:].isdigit() or len(match[2]) > 19:
        return None
    value = int(match[2] or "0")
    value = -value if match[1] == "-" else value
    return value if -_INT64_MAX - 1 <= value <= _INT64_MAX else None


def _stated(text: str) -> int | None:
    """`text` if it is a number, one past 64 bits brought back into them; None if it is a name or empty."""
    if not _SIGNED_DIGITS.fullmatch(text):
        return None
    value = integer(text)
    if value is not None:
        return value
    return -_INT64_MAX - 1 if text.startswith("-") else _INT64_MAX


def _lenient(text: str) -> int:
    """A number in an account file: text that is none reads as 0, which is how a damaged line becomes root."""
    return _stated(text) or 0


def _kernel_id(number: int) -> int:
    """The id that a runtime hands on: the lower 32 bits, so that 4294967296 in an account file is root."""
    return number & 0xFFFFFFFF


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
    lines = enumerate(content.split(b"\n"), 1)
    texts = ((number, line.decode("utf-8", "surrogateescape").strip(_SPACE)) for number, line in lines)
    return [(number, text.split(":")) for number, text in texts if text]


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
    """The lines of a group file, damaged ones too. Unlike passwd it has comments: lines that begin with ``#``."""
    groups = []
    for number, fields in _lines(content):
        if fields[0].startswith("#"):
            continue
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

    @property
    def longest_line(self) -> int:
        """Bytes of the longest line, without its end."""
        return max(map(len, self.content.split(b"\n")))


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

    `spec` is config.User, `name` the passwd name that the user id was found under. `gid` is the primary group that
    Docker gives and `containerd_gid` that of containerd; `groups` are all others that either of them gives, so
    that what is denied to this identity is denied under both. `groups_problem` says why they are not certain; the
    user id is.
    """

    spec: str
    uid: int
    gid: int
    containerd_gid: int = 0
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
    """Who ``USER spec`` is. An empty `spec` is user id 0; what one of the runtimes refuses cannot start."""
    user_text, *more = spec.split(":")
    if len(more) > 1:
        return CannotStart(reason=f"USER {spec!r} has more than one colon: containerd refuses to start it")
    for what, text in (("user", user_text), ("group", more[0] if more else "")):
        if (number := _stated(text)) is not None and not 0 <= number <= ID_MAX:
            return CannotStart(
                reason=f"USER {spec!r} has the {what} id {number}, outside 0 to {ID_MAX}: "
                "a container runtime refuses to start it"
            )
    if passwd.longest_line > PASSWD_LINE_MAX:
        return CannotStart(reason=f"/etc/passwd has a line over {PASSWD_LINE_MAX} bytes: container runtimes refuse it")
    wanted = 0 if user_text == "" else _stated(user_text)
    if wanted is None and passwd.problem:
        return Undetermined(reason=f"USER {user_text!r} is a name and {passwd.problem}")
    users = parse_passwd(passwd.content)
    match = next((u for u in users if (u.name == user_text if wanted is None else u.uid == wanted)), None)
    if match is None and wanted is None:
        where = "is not in /etc/passwd" if passwd.present else "is a name, and the image has no /etc/passwd"
        return CannotStart(reason=f"USER {user_text!r} {where}: a container runtime refuses to start it")
    identity = Identity(
        spec=spec,
        uid=_kernel_id(match.uid if match is not None else wanted or 0),
        gid=_kernel_id(match.gid) if match is not None else 0,
        name=match.name if match is not None else None,
        home=match.home if match is not None else None,
        groups_problem=passwd.problem,
    )
    return _in_range(_with_groups(identity, users, group))


def _with_groups(identity: Identity, users: tuple[User, ...], group: AccountFile) -> RunAs:
    """The group part. A group in USER replaces that of /etc/passwd; after it Docker gives no further ones."""
    group_text = identity.spec.partition(":")[2]
    groups = parse_group(group.content)
    docker, containerd = _names_looked_up(identity, users)
    if (group_text or docker or containerd) and group.longest_line > GROUP_LINE_MAX:
        return CannotStart(reason=f"/etc/group has a line over {GROUP_LINE_MAX} bytes: container runtimes refuse it")
    gid, problem = identity.gid, identity.groups_problem
    if group_text and (number := _stated(group_text)) is not None:
        gid = number
    elif group_text and group.problem:
        problem = f"the group {group_text!r} is a name and {group.problem}"
    elif group_text:
        named = next((line.gid for line in groups if line.name == group_text), None)
        if named is None:
            return CannotStart(
                reason=f"USER {identity.spec!r} names the group {group_text!r}, which is not in /etc/group: "
                "a container runtime refuses to start it"
            )
        gid = _kernel_id(named)
    containerd_gid = 0 if identity.spec == "" or identity.spec.endswith(":") else gid
    member = [line for line in groups if not (docker | containerd - {line.name}).isdisjoint(line.members)]
    further = (containerd_gid, *(_kernel_id(line.gid) for line in member))
    return replace(
        identity,
        gid=gid,
        containerd_gid=containerd_gid,
        groups=tuple(one for one in dict.fromkeys(further) if one != gid),
        groups_problem=problem or (group.problem if docker or containerd else None),
    )


def _names_looked_up(identity: Identity, users: tuple[User, ...]) -> tuple[set[str], set[str]]:
    """Whose groups Docker gives, and whose containerd: by uid for ``ctr``, by the name as written for a kubelet."""
    user_text, _, group_text = identity.spec.partition(":")
    docker = {identity.name} if identity.name and not group_text else set()
    first = next((user.name for user in users if user.uid == identity.uid), None)
    containerd = set() if first is None else {first}
    if identity.spec == "":
        containerd.add("root")
    elif _stated(user_text) is None:
        containerd.add(user_text)
    return docker, containerd


def _in_range(who: RunAs) -> RunAs:
    """Refused where an id that came from the files is one that runc refuses."""
    if isinstance(who, Identity):
        for what, number in (("user", who.uid), *(("group", gid) for gid in (who.gid, *who.groups))):
            if number > ID_MAX:
                reason = f"USER {who.spec!r} has the {what} id {number}, above {ID_MAX}: runc refuses such ids"
                return CannotStart(reason=reason)
    return who


def run_as(evidence: Evidence) -> RunAs:
    """Who a container of this image starts as by default. Without a config (a root filesystem) nobody can say."""
    config = evidence.image.config
    if config is None:
        return Undetermined(reason="a root filesystem has no image config, so no default user is stated")
    tree = evidence.filesystem
    etc = tree.get("etc")
    if etc is not None and etc.kind is FileKind.SYMLINK:
        other = AccountFile(problem="/etc is a link, which Docker puts an empty folder in place of")
        return _resolved(config.user or "", other, other)
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
