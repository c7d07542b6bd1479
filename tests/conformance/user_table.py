"""USER as Docker, containerd and the checks understand it: ``python -m tests.conformance.user_table``.

Writes docs/run-as.md. The answers of Docker and containerd are what their own code gives (tests/builders/runas); a
test asks it again where it is built, and holds the page against the code in any case.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from compliance.model.evidence import Evidence
from compliance.model.image import ImageConfig
from compliance.model.outcome import outcome_word
from controls.accounts import ACCOUNT_FILES, ID_MAX, CannotStart, Identity, run_as
from controls.checks import nr_group, nr_numeric, nr_user
from tests.builders.evidence import Node, evidence, symlink, tree
from tests.builders.program import program

PAGE = Path(__file__).resolve().parents[2] / "docs" / "run-as.md"

ACCOUNTS = """root:x:0:0:root:/root:/bin/sh
toor:x:0:0:alias:/root:/bin/sh
admin:x:0:1000:another:/:
app:x:1000:1000::/home/app:/sbin/nologin
app:x:0:0:second line of the name::
later:x:1000:7:second line of the id::
gid0:x:1001:0::/:
1234:x:77:77:a name of digits::
-1:x:78:78:a name like a number::
65532:x:0:0:a name like an id::
2147483648:x:79:79::/:
"""
GROUP = """root:x:0:
adm:x:4:app,,gid0
app:x:1000:
audio:x:63:app
audio:x:0:second line of the name
1000:x:5:
# wheel:x:10:app
"""
_DAMAGED = """
# comment:x:5:5::/:
+::::::
-lost:x:9:9::/:
+@nis:x:3:3::/:
noid
text:x:abc:def::/:
hex:x:0x10:0x10::/:
blank:x: 7: 7::/:
negative:x:-5:5::/:
wraps:x:4294967296:4294967296::/:
wrapped:x:4295032828:4295032828::/:
huge:x:9223372036854775808:1::/:
kernel:x:2147483648:1::/:
group:x:8:2147483648::/:
   indented:x:12:12::/:
\u00a0nobreak:x:13:13::/:
tab:x:14:14::/:\t
crlf:x:15:15::/:\r
spaced :x:16:16::/:
Ünï:x:17:17::/:
"""
_LONG = ACCOUNTS + "long:x:90:90:" + "g" * 65536 + ":/:\n"
_MANY = GROUP + "many:x:91:" + ",".join(f"member{number}" for number in range(10_000)) + ",app\n"


@dataclass(frozen=True, kw_only=True)
class Files:
    """The account files of a group of cases, as nodes of a tree; `about` says what is special about them."""

    about: str
    nodes: Mapping[str, Node | str | bytes]


USUAL = Files(about="usual files", nodes={"etc/passwd": ACCOUNTS, "etc/group": GROUP})
NONE = Files(about="no account files", nodes={})
FILES = {
    "usual": USUAL,
    "none": NONE,
    "no root": Files(
        about="no line for root", nodes={"etc/passwd": "app:x:1000:1000::/:\n", "etc/group": "wheel:x:10:root\n"}
    ),
    "no group": Files(about="no /etc/group", nodes={"etc/passwd": ACCOUNTS}),
    "only group": Files(about="no /etc/passwd", nodes={"etc/group": "wheel:x:10:root,app\n"}),
    "damaged": Files(
        about="damaged lines", nodes={"etc/passwd": _DAMAGED, "etc/group": "x:x:text:\nbig:x:4294967296:\n"}
    ),
    "long line": Files(about="a line of 64 KiB in /etc/passwd", nodes={"etc/passwd": _LONG, "etc/group": GROUP}),
    "many members": Files(about="a line of 120 KB in /etc/group", nodes={"etc/passwd": ACCOUNTS, "etc/group": _MANY}),
    "links": Files(
        about="both files are links",
        nodes={
            "etc/passwd": symlink("/usr/lib/passwd"),
            "etc/group": symlink("../../../../usr/lib/group"),
            "usr/lib/passwd": "app:x:21:22::/:\n",
            "usr/lib/group": "app:x:23:\n",
        },
    ),
    "dangling": Files(about="/etc/passwd is a dangling link", nodes={"etc/passwd": symlink("/nowhere")}),
    "empty": Files(about="empty files", nodes={"etc/passwd": "", "etc/group": ""}),
}


@dataclass(frozen=True, kw_only=True)
class Case:
    """One image: config.User (None where the config has none), its account files, what its history says."""

    user: str | None
    files: str = "usual"
    history: tuple[str, ...] = ()


# fmt: off
MEASURED = {
    "nouser-buildkit-history": Case(user=None, history=("RUN /bin/sh -c useradd app # buildkit", 'CMD ["app"]')),
    "nouser-umoci-history": Case(user=None, history=("umoci repack",)),
    "nouser-crane-history": Case(user=None, history=("crane append",)),
    "nouser-no-history": Case(user=None),
    "nouser-nop-history": Case(user="", history=('/bin/sh -c #(nop)  CMD ["app"]',)),
    "nouser-kaniko-bazel": Case(user="", history=("bazel build ...",)),
    "user-0": Case(user="0"),
    "user-root": Case(user="root"),
    "user-0colon0": Case(user="0:0"),
    "user-00": Case(user="00"),
    "user-root-group": Case(user="root:root"),
    "user-nonroot-gid0": Case(user="1001:0"),
    "user-65532-then-config": Case(user="65532", history=("USER 0",)),
    "history-says-65532-config-root": Case(user="root", history=("USER 65532",)),
    "user-65532-no-history": Case(user="65532", files="none"),
    "user-0-no-history": Case(user="0", files="none"),
    "user-unknown-name": Case(user="nobody-here"),
}
"""The images on which other tools were measured, by the names of that measurement."""

SPELLINGS = (
    *(Case(user=user) for user in (
        "+0", "-0", "000", "0x0", "0.0", "0 ", " 0", "\u0660", "toor", "admin", "ROOT", "toor:1000", ":", ":0", ":1000",
        ":app", "0:1000", "0:0:0", "app", "app:", "app:app", "app:audio", "app:1000", "app:0", "app:root",
        "app:nogroup",
        "app:-1", "app:2147483648", "app:9223372036854775808", "app: 5", "app:audio:x", "later", "1000", "1000:",
        "1000:1000", "1000:audio", "gid0", "1001", "1234", "+1234", "0001000", "65532:65532", "65532:audio", "-1",
        "-1:5",
        "2147483647", "2147483647:2147483647", "2147483648", "4294967295", "4294967296", "9223372036854775808",
        "99999999999999999999999999", "app ", " app", "app\t", "root:adm", "1e3", "1_000",
    )),
    *(Case(user=user, files="none") for user in (
        "", "root", "65532", "65532:0", "65532:65532", "app", "65532:app", ":5", "0:5",
    )),
    *(Case(user=user, files="no root") for user in ("", "0", "root", "app")),
    *(Case(user=user, files="no group") for user in ("app", "app:app", "app:5", "app:")),
    *(Case(user=user, files="only group") for user in ("", "0", "root", "app", "5:wheel", "5")),
    *(Case(user=user, files="damaged") for user in (
        "", "0", "5", "+", "-lost", "+@nis", "noid", "text", "hex", "blank", "negative", "wraps", "wrapped", "65532",
        "huge", "kernel", "group", "2147483648", "indented", "nobreak", "tab", "crlf", "spaced", "spaced ", "Ünï",
        "5:x", "5:big", "# comment",
    )),
    *(Case(user=user, files="long line") for user in ("app", "65532", "0")),
    *(Case(user=user, files="many members") for user in ("app", "app:app")),
    *(Case(user=user, files="links") for user in ("app", "21", "app:app", "root")),
    *(Case(user=user, files="dangling") for user in ("app", "1000", "")),
    *(Case(user=user, files="empty") for user in ("", "app", "65532")),
)
# fmt: on
CASES = (*MEASURED.values(), *SPELLINGS)


@dataclass(frozen=True, kw_only=True)
class Start:
    """A user id, the primary group, all others in order; or none of them where the container does not start."""

    refused: bool = False
    uid: int = 0
    gid: int = 0
    groups: tuple[int, ...] = ()

    def __str__(self) -> str:
        if self.refused:
            return "does not start"
        return " + ".join((f"{self.uid}:{self.gid}", *map(str, self.groups)))


REFUSED = Start(refused=True)


def image_of(case: Case) -> Evidence:
    """The evidence of an image of that config and those files."""
    config = ImageConfig(user=case.user, history=case.history)
    return evidence(tree(FILES[case.files].nodes, requests=(ACCOUNT_FILES,)), config=config)


def ours(case: Case) -> Start:
    """What `controls.accounts` says for both runtimes together."""
    who = run_as(image_of(case))
    if isinstance(who, CannotStart):
        return REFUSED
    assert isinstance(who, Identity), who
    assert who.groups_problem is None
    return Start(uid=who.uid, gid=who.gid, groups=tuple(sorted(who.groups)))


def theirs(asked: Iterable[tuple[str | None, Path]]) -> list[tuple[Start, Start]]:
    """What Docker and containerd do with each USER and root folder; of containerd ``ctr`` and a kubelet together."""
    lines = "".join(f"{json.dumps({'spec': spec or '', 'root': str(root)})}\n" for spec, root in asked)
    done = subprocess.run([program("runas")], input=lines.encode(), capture_output=True, check=True)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    return [(_start(one["docker"]), _start(one["containerd"], one["cri"])) for one in answers]


def _start(*answers: dict[str, Any]) -> Start:
    """One answer of several: refused by one is refused. runc starts no process with an id above 2^31-1."""
    if any(answer.get("error") for answer in answers):
        return REFUSED
    ids = {(answer["uid"], answer["gid"]) for answer in answers}
    ((uid, gid),) = ids
    groups = {group for answer in answers for group in answer["groups"]} - {gid}
    if max(uid, gid, *groups, 0) > ID_MAX:
        return REFUSED
    return Start(uid=uid, gid=gid, groups=tuple(sorted(groups)))


def joined(docker: Start, containerd: Start) -> Start:
    """The answer that is safe under both: refused by one is refused, groups are those that either gives."""
    if docker.refused or containerd.refused:
        return REFUSED
    assert docker.uid == containerd.uid
    groups = {*docker.groups, containerd.gid, *containerd.groups} - {docker.gid}
    return Start(uid=docker.uid, gid=docker.gid, groups=tuple(sorted(groups)))


def write_root(files: Mapping[str, Node | str | bytes], root: Path) -> Path:
    """Put the files where the programs can read them."""
    for name, node in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(node, Node):
            path.symlink_to(node.link)
        else:
            path.write_bytes(node if isinstance(node, bytes) else node.encode())
    root.mkdir(exist_ok=True)
    return root


def ask(folder: Path) -> list[tuple[Start, Start]]:
    """What the runtimes answer to all cases."""
    roots = {name: write_root(files.nodes, folder / str(number)) for number, (name, files) in enumerate(FILES.items())}
    return theirs((case.user, roots[case.files]) for case in CASES)


def page(answers: Iterable[tuple[Start, Start]]) -> str:
    """docs/run-as.md."""
    names = {id(case): name for name, case in MEASURED.items()}
    rows = [
        (
            f"{names.get(id(case), '')}",
            "" if case.user is None else f"`{json.dumps(case.user, ensure_ascii=False)}`",
            FILES[case.files].about,
            str(docker),
            str(containerd),
            str(ours(case)),
            *(outcome_word(check.CHECK.run(image_of(case))).value for check in (nr_user, nr_numeric, nr_group)),
        )
        for case, (docker, containerd) in zip(CASES, answers, strict=True)
    ]
    body = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    return _HEAD.format(count=len(CASES), files=_files(), body=body)


def recorded() -> list[tuple[Start, Start]]:
    """The answers of the runtimes as the page has them."""
    lines = PAGE.read_text().partition("\n|---")[2].splitlines()[1:]
    cells = [line.strip("|").split("|") for line in lines if line.startswith("|")]
    return [(_parsed(row[3]), _parsed(row[4])) for row in cells]


def answered() -> list[tuple[Case, tuple[Start, Start]]]:
    """All cases with those answers."""
    return list(zip(CASES, recorded(), strict=True))


def _parsed(cell: str) -> Start:
    if cell.strip() == str(REFUSED):
        return REFUSED
    first, *groups = cell.split("+")
    uid, gid = first.split(":")
    return Start(uid=int(uid), gid=int(gid), groups=tuple(int(group) for group in groups))


def _files() -> str:
    return f"/etc/passwd:\n\n```text\n{ACCOUNTS}```\n\n/etc/group:\n\n```text\n{GROUP}```"


_HEAD = """# Who a container runs as: every spelling of USER

Written by `python -m tests.conformance.user_table`; a test fails when the code answers anything else.

Docker, Podman and CRI-O resolve `config.User` by `GetExecUser` of moby/sys/user, containerd (Kubernetes, `ctr`) by its
own `oci.WithUser` and `oci.WithAdditionalGIDs`. The columns *Docker* and *containerd* are what that code answers
(moby/sys/user 0.4.1, containerd 2.4.2; runc refuses ids above 2147483647): `uid:gid + supplementary groups`, for
containerd those of `ctr` and of a kubelet's containers together. *Checks* is what the NR checks go by, the less safe of
both: what one runtime refuses does not start, and a group that either gives counts. The last three columns are the
outcomes for a runtime image.

They part in these: after a group in USER Docker gives no supplementary groups and containerd does; `name:` and `uid:`
with nothing after the colon are group 0 in containerd and the group of /etc/passwd in Docker; more than one colon is
refused by containerd alone. Neither reads the image's history, NSS, or any file but /etc/passwd and /etc/group of the
merged file tree. Damaged lines are read, not skipped: a user id that is no number is 0, and of a number the lower 32
bits count, so `4294967296` is root.

The runtimes themselves, each starting a container of every image: Docker 20.10, containerd 1.6 (`ctr`) and Podman 4.3,
all over runc 1.1, answer as the page has it but for this. runc 1.1 starts an id above 2147483647 that /etc/passwd has a
line for; containerd 1.6 takes a number outside the range for a name; Podman 4.3 gives no supplementary groups after
`name:`. None of them starts somebody as root whom the checks pass.

{count} cases. The first column names the images of a measurement in which other tools passed some that run as root.
The usual files:

{files}

| image | USER | files | Docker | containerd | checks | NR-USER | NR-NUMERIC | NR-GROUP |
|---|---|---|---|---|---|---|---|---|
{body}
"""


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        PAGE.write_text(page(ask(Path(folder))))
    sys.stdout.write(f"{PAGE}\n")
