"""Two images that differ in one thing: the drift is that one thing. Images are built, and read by the real pipeline."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pytest

from compliance.model.drift import Area, Change, Difference, Drift
from compliance.model.evidence import Evidence
from compliance.model.filesystem import FileKind
from compliance.pipeline import Options, gather
from controls.drift import compare
from controls.file_drift import LISTED_MAX
from controls.registry import CHECKS
from reports import drift_document, drift_markdown, drift_table
from tests.builders.elf import static_program
from tests.builders.evidence import NOW, Node, directory, file, program, symlink
from tests.builders.layout import Layout

Nodes = dict[str, Node | bytes | str]
Told = tuple[Area, Change, str]

TOOL = static_program()
README = "how to use it\n"
PASSWD = "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000::/app:/usr/sbin/nologin\n"  # noqa: S105
GROUP = "root:x:0:\napp:x:1000:\n"
SHADOW = "root:*:20000:0:99999:7:::\napp:!:20000:0:99999:7:::\n"


def status(*packages: tuple[str, str]) -> str:
    return "".join(
        f"Package: {name}\nStatus: install ok installed\nVersion: {version}\nArchitecture: amd64\n\n"
        for name, version in packages
    )


def installed(name: str, version: str, files: Mapping[str, Node | bytes]) -> Nodes:
    """What dpkg leaves of a package, but for the status file."""
    sums = "".join(
        f"{hashlib.md5(node.content if isinstance(node, Node) else node, usedforsecurity=False).hexdigest()}  {path}\n"
        for path, node in files.items()
    )
    return {
        **files,
        f"var/lib/dpkg/info/{name}.list": "".join(f"/{path}\n" for path in files),
        f"var/lib/dpkg/info/{name}.md5sums": sums,
    }


BASE: Nodes = {
    "etc/passwd": PASSWD,
    "etc/group": GROUP,
    "etc/shadow": file(SHADOW, 0o640),
    "etc/os-release": "ID=debian\nVERSION_ID=12\n",
    "etc/app.conf": "level=1\n",
    "var/lib/dpkg/status": status(("other", "2.0-1"), ("tool", "1.0-1")),
    **installed("tool", "1.0-1", {"usr/bin/tool": program(TOOL), "usr/share/doc/tool/readme": README.encode()}),
    **installed("other", "2.0-1", {"usr/lib/other/data": b"other"}),
    "usr/bin/again": file(same_as="usr/bin/tool"),
    "app/run.sh": program("#!/usr/bin/tool\n"),
    "app/data": "data",
    "usr/lib/libx.so.1": symlink("libx.so.1.0"),
    "usr/lib/libx.so.1.0": file(TOOL),
    "tmp": directory(0o1777),
}
CONFIG: Mapping[str, object] = {
    "User": "app",
    "Entrypoint": ["/app/run.sh"],
    "Cmd": ["serve"],
    "Env": ["PATH=/usr/bin", "MODE=fast"],
    "WorkingDir": "/app",
    "ExposedPorts": {"8080/tcp": {}},
    "Volumes": {"/data": {}},
    "Labels": {"team": "a"},
    "StopSignal": "SIGTERM",
    "Healthcheck": {"Test": ["CMD", "/usr/bin/tool"], "Interval": 1},
}


@dataclass(frozen=True, kw_only=True)
class One:
    """One thing made different, and how it has to be told."""

    told: Sequence[Told]
    nodes: Nodes = field(default_factory=dict)
    without: Sequence[str] = ()
    config: Mapping[str, object] = field(default_factory=dict)
    manifest: Mapping[str, object] = field(default_factory=dict)
    split: bool = False
    compression: str = "+gzip"


def read(reference: str) -> Evidence:
    requests = [request for check in CHECKS for request in check.requests]
    return gather(reference, Options(now=NOW), requests=requests)


def made(root: Path, change: One) -> Evidence:
    nodes = {path: node for path, node in {**BASE, **change.nodes}.items() if path not in change.without}
    items = list(nodes.items())
    layers = [dict(items[:4]), dict(items[4:])] if change.split else [nodes]
    config = {key: value for key, value in {**CONFIG, **change.config}.items() if value is not None}
    Layout(root=root).add_image(
        layers, config=config, compression=change.compression, manifest_extra=dict(change.manifest)
    )
    return read(f"oci-dir:{root}")


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    return made(tmp_path_factory.mktemp("base"), One(told=()))


def capability() -> bytes:
    """cap_net_raw=ep, revision 2."""
    return struct.pack("<5I", 0x02000001, 1 << 13, 0, 0, 0)


@cache
def linked(content: str) -> Nodes:
    return {"usr/bin/tool": program(content), "usr/bin/again": file(same_as="usr/bin/tool")}


A, R, C = Change.ADDED, Change.REMOVED, Change.CHANGED
CASES: dict[str, One] = {
    "user": One(config={"User": "1000:1000"}, told=[(Area.START, C, "user")]),
    "entry point": One(config={"Entrypoint": ["/usr/bin/tool"]}, told=[(Area.START, C, "entry point")]),
    "no command": One(config={"Cmd": None}, told=[(Area.START, R, "command")]),
    "working directory": One(config={"WorkingDir": "/"}, told=[(Area.START, C, "working directory")]),
    "stop signal": One(config={"StopSignal": "SIGINT"}, told=[(Area.START, C, "stop signal")]),
    "shell": One(config={"Shell": ["/bin/sh", "-c"]}, told=[(Area.START, A, "shell")]),
    "health check": One(
        config={"Healthcheck": {"Test": ["NONE"], "Interval": 1}}, told=[(Area.START, C, "health check")]
    ),
    "health check's interval": One(
        config={"Healthcheck": {"Test": ["CMD", "/usr/bin/tool"], "Interval": 2}},
        told=[(Area.METADATA, C, "config key Healthcheck.Interval")],
    ),
    "port": One(config={"ExposedPorts": {"8080/tcp": {}, "22/tcp": {}}}, told=[(Area.PORTS, A, "22/tcp")]),
    "volume": One(config={"Volumes": None}, told=[(Area.VOLUMES, R, "/data")]),
    "variable": One(config={"Env": ["PATH=/usr/bin", "MODE=slow"]}, told=[(Area.ENVIRONMENT, C, "MODE")]),
    "new variable": One(
        config={"Env": ["PATH=/usr/bin", "MODE=fast", "LD_PRELOAD=/x.so"]},
        told=[(Area.ENVIRONMENT, A, "LD_PRELOAD")],
    ),
    "label": One(config={"Labels": {"team": "b"}}, told=[(Area.LABELS, C, "label team")]),
    "annotation": One(manifest={"annotations": {"a": "b"}}, told=[(Area.LABELS, A, "annotation a")]),
    "setuid bit": One(
        nodes={"app/run.sh": file("#!/usr/bin/tool\n", 0o4755)}, told=[(Area.PRIVILEGES, C, "app/run.sh")]
    ),
    "setgid program": One(nodes={"app/x": file(TOOL, 0o2755)}, told=[(Area.PRIVILEGES, A, "app/x")]),
    "capability": One(
        nodes={"app/run.sh": program("#!/usr/bin/tool\n", capability=capability())},
        told=[(Area.PRIVILEGES, C, "app/run.sh")],
    ),
    "program of a package": One(nodes=linked("#!/bin/evil\n"), told=[(Area.EXECUTABLES, C, "usr/bin/again")]),
    "script": One(
        nodes={"app/run.sh": program("#!/usr/bin/tool\n# evil\n")}, told=[(Area.EXECUTABLES, C, "app/run.sh")]
    ),
    "new program in new folders": One(nodes={"opt/a/b/x": program(TOOL)}, told=[(Area.EXECUTABLES, A, "opt/a/b/x")]),
    "program gone": One(without=["app/run.sh"], told=[(Area.EXECUTABLES, R, "app/run.sh")]),
    "execute bit": One(nodes={"app/data": file("data", 0o755)}, told=[(Area.EXECUTABLES, C, "app/data")]),
    "new name of a program": One(
        nodes={"usr/bin/x": file(same_as="usr/bin/tool")}, told=[(Area.EXECUTABLES, A, "usr/bin/x")]
    ),
    "link to a library": One(
        nodes={"usr/lib/libx.so.1": symlink("/app/run.sh")}, told=[(Area.EXECUTABLES, C, "usr/lib/libx.so.1")]
    ),
    "writable script": One(
        nodes={"app/run.sh": file("#!/usr/bin/tool\n", 0o777)}, told=[(Area.WRITABLE, C, "app/run.sh")]
    ),
    "data owned by the user": One(nodes={"app/data": file("data", uid=1000)}, told=[(Area.WRITABLE, C, "app/data")]),
    "writable folder": One(nodes={"app": directory(0o777)}, told=[(Area.WRITABLE, C, "app")]),
    "new writable folder": One(nodes={"srv/data": directory(0o700, uid=1000)}, told=[(Area.WRITABLE, A, "srv/data")]),
    "user account": One(
        nodes={
            "etc/passwd": PASSWD + "eve:x:0:0::/:/bin/sh\n",
            "etc/shadow": file(SHADOW + "eve:$6$x$y:20000::::::\n", 0o640),
        },
        told=[(Area.ACCOUNTS, A, "user eve")],
    ),
    "login shell": One(
        nodes={"etc/passwd": PASSWD.replace("/usr/sbin/nologin", "/bin/sh")}, told=[(Area.ACCOUNTS, C, "user app")]
    ),
    "password": One(
        nodes={"etc/shadow": file(SHADOW.replace("app:!", "app:$6$x$secret"), 0o640)},
        told=[(Area.ACCOUNTS, C, "user app")],
    ),
    "group member": One(
        nodes={"etc/group": GROUP.replace("root:x:0:", "root:x:0:app")}, told=[(Area.ACCOUNTS, C, "group root")]
    ),
    "order of accounts": One(
        nodes={"etc/passwd": "".join(reversed(PASSWD.splitlines(keepends=True)))},
        told=[(Area.CONFIGURATION, C, "etc/passwd")],
    ),
    "package": One(
        nodes={
            "var/lib/dpkg/status": status(("new", "1"), ("other", "2.0-1"), ("tool", "1.0-1")),
            **installed("new", "1", {"usr/bin/new": program(TOOL), "usr/share/doc/new/x": b"x"}),
        },
        told=[(Area.PACKAGES, A, "deb/debian/new")],
    ),
    "package gone": One(
        nodes={"var/lib/dpkg/status": status(("tool", "1.0-1"))},
        without=["usr/lib/other/data", "var/lib/dpkg/info/other.list", "var/lib/dpkg/info/other.md5sums"],
        told=[(Area.PACKAGES, R, "deb/debian/other")],
    ),
    "package upgrade": One(
        nodes={
            "var/lib/dpkg/status": status(("other", "2.0-2"), ("tool", "1.0-1")),
            **installed("other", "2.0-2", {"usr/lib/other/data": b"newer"}),
        },
        told=[(Area.PACKAGES, C, "deb/debian/other")],
    ),
    "data of a package": One(nodes={"usr/lib/other/data": b"changed"}, told=[(Area.PACKAGES, C, "deb/debian/other")]),
    "configuration": One(nodes={"etc/app.conf": "level=2\n"}, told=[(Area.CONFIGURATION, C, "etc/app.conf")]),
    "configuration's mode": One(
        nodes={"etc/app.conf": file("level=1\n", 0o600)}, told=[(Area.CONFIGURATION, C, "etc/app.conf")]
    ),
    "data": One(nodes={"app/data": "other"}, told=[(Area.FILES, C, "app/data")]),
    "empty folder": One(nodes={"srv/x": directory()}, told=[(Area.FILES, A, "srv/x")]),
    "device": One(nodes={"srv/null": Node(kind=FileKind.CHARACTER_DEVICE)}, told=[(Area.FILES, A, "srv/null")]),
    "file became a folder": One(nodes={"app/data": directory()}, told=[(Area.FILES, C, "app/data")]),
    "other layers": One(split=True, told=[(Area.LAYERS, C, "layers"), (Area.METADATA, C, "build steps")]),
    "layers packed otherwise": One(compression="+zstd", told=[(Area.METADATA, C, "layer 1 as stored")]),
    "unknown key of the manifest": One(manifest={"x": 1}, told=[(Area.METADATA, C, "manifest")]),
    "nothing": One(told=[]),
}


def told(drift: Drift) -> list[Told]:
    return [(difference.area, difference.change, difference.subject) for difference in drift]


@pytest.mark.parametrize("name", CASES)
def test_one_difference_is_told_once_and_alone(base: Evidence, tmp_path: Path, name: str) -> None:
    other = made(tmp_path, CASES[name])
    forth, back = compare(base, other), compare(other, base)
    assert told(forth) == list(CASES[name].told)
    opposite = {A: R, R: A, C: C}
    assert told(back) == [(area, opposite[change], subject) for area, change, subject in CASES[name].told]
    assert (forth.total, forth.unread, forth.not_compared, forth.normal) == (len(CASES[name].told), (), (), ())


def only(base: Evidence, tmp_path: Path, name: str) -> Difference:
    (difference,) = compare(base, made(tmp_path, CASES[name]))
    return difference


def aspects(difference: Difference) -> dict[str, tuple[object, object]]:
    return {aspect.name: (aspect.before, aspect.after) for aspect in difference.aspects}


def test_every_aspect_of_a_file_is_told_with_it(base: Evidence, tmp_path: Path) -> None:
    assert aspects(only(base, tmp_path, "setuid bit")) == {"mode": ("0755", "4755")}
    assert aspects(only(base, tmp_path / "2", "capability")) == {"capabilities": (None, "cap_net_raw=ep")}
    assert aspects(only(base, tmp_path / "3", "writable script")) == {
        "mode": ("0755", "0777"),
        "uid 1000 can change it": ("no", "yes"),
    }


def test_a_file_with_two_names_is_one_difference_with_its_owner(base: Evidence, tmp_path: Path) -> None:
    difference = only(base, tmp_path, "program of a package")
    assert (difference.subject, difference.names) == ("usr/bin/again", ("usr/bin/tool",))
    assert difference.package is not None
    assert difference.package.startswith("pkg:deb/debian/tool@1.0-1")


def test_what_a_package_brings_is_listed_as_carried_by_it(base: Evidence, tmp_path: Path) -> None:
    drift = compare(base, made(tmp_path, CASES["package"]))
    carried = {item.path: item.by for item in drift.carried}
    assert carried["usr/bin/new"].startswith("pkg:deb/debian/new@1")
    assert {"usr/share/doc/new/x", "var/lib/dpkg/status", "var/lib/dpkg/info/new.list"} <= carried.keys()
    assert drift.carried_total == len(drift.carried)


def test_a_setuid_program_that_a_package_brings_is_told_beside_the_package(base: Evidence, tmp_path: Path) -> None:
    change = One(
        told=(),
        nodes={
            "var/lib/dpkg/status": status(("new", "1"), ("other", "2.0-1"), ("tool", "1.0-1")),
            **installed("new", "1", {"usr/bin/new": file(TOOL, 0o4755)}),
        },
    )
    assert told(compare(base, made(tmp_path, change))) == [
        (Area.PRIVILEGES, A, "usr/bin/new"),
        (Area.PACKAGES, A, "deb/debian/new"),
    ]


def test_a_changed_package_does_not_hide_a_foreign_program_or_a_mode(base: Evidence, tmp_path: Path) -> None:
    upgrade = CASES["package upgrade"].nodes
    hidden = {"var/lib/dpkg/x": program(TOOL), "usr/lib/other/data": file(b"newer", 0o666)}
    assert told(compare(base, made(tmp_path, One(told=(), nodes={**upgrade, **hidden})))) == [
        (Area.EXECUTABLES, A, "var/lib/dpkg/x"),
        (Area.WRITABLE, C, "usr/lib/other/data"),
        (Area.PACKAGES, C, "deb/debian/other"),
    ]


def test_an_upgrade_and_a_downgrade_are_told_apart(base: Evidence, tmp_path: Path) -> None:
    other = made(tmp_path, CASES["package upgrade"])
    assert [difference.note for difference in compare(base, other)] == ["a newer version"]
    assert [difference.note for difference in compare(other, base)] == ["an older version"]


def test_passwords_are_never_told(base: Evidence, tmp_path: Path) -> None:
    difference = only(base, tmp_path, "password")
    assert aspects(difference) == {"password": ("locked", "set")}
    assert "secret" not in repr(difference)


def test_what_a_new_user_can_change_is_told_with_the_user(base: Evidence, tmp_path: Path) -> None:
    theirs: Nodes = {"srv/1000": directory(uid=1000), "srv/1001": directory(uid=1001)}
    first = made(tmp_path / "1", One(told=(), nodes=theirs))
    second = made(tmp_path / "2", One(told=(), nodes=theirs, config={"User": "1001"}))
    (difference,) = compare(first, second)
    assert (difference.area, difference.subject) == (Area.START, "user")
    assert difference.note is not None
    assert "uid 1000 can no longer change 1 place" in difference.note
    assert "uid 1001 can change 1 more place" in difference.note


def test_a_folder_that_opens_a_way_tells_what_it_opens(tmp_path: Path) -> None:
    inside: Nodes = {"srv/d/x": file("x", 0o666)}
    first = made(tmp_path / "1", One(told=(), nodes={"srv/d": directory(0o700), **inside}))
    second = made(tmp_path / "2", One(told=(), nodes={"srv/d": directory(0o755), **inside}))
    (difference,) = compare(first, second)
    assert (difference.area, difference.subject) == (Area.FILES, "srv/d")
    assert difference.note == "uid 1000 can change 1 more place that is the same"


def test_root_can_change_everything_and_that_is_said_in_numbers(base: Evidence, tmp_path: Path) -> None:
    drift = compare(base, made(tmp_path, One(told=(), config={"User": "0"})))
    assert told(drift) == [(Area.START, C, "user")]
    assert drift.writable is not None
    assert [side.places for side in drift.writable] == [1, None]


def test_shared_layers_are_counted_from_the_lowest(base: Evidence, tmp_path: Path) -> None:
    Layout(root=tmp_path).add_image([BASE, {"app/more": "x"}], config=CONFIG)
    drift = compare(base, read(f"oci-dir:{tmp_path}"))
    assert (drift.shared_layers, drift.before.layers, drift.after.layers) == (1, 1, 2)
    assert (Area.FILES, A, "app/more") in told(drift)


def test_more_than_can_be_listed_is_counted(base: Evidence, tmp_path: Path) -> None:
    many: Nodes = {f"app/many/{number}": "x" for number in range(LISTED_MAX + 7)}
    (area,) = compare(base, made(tmp_path, One(told=(), nodes=many))).areas
    assert (area.area, area.total, len(area.differences), area.more) == (Area.FILES, LISTED_MAX + 7, LISTED_MAX, 7)


def test_the_same_two_images_give_the_same_drift(base: Evidence, tmp_path: Path) -> None:
    other = made(tmp_path, CASES["package upgrade"])
    assert compare(base, other) == compare(base, other)


RUNNING: Nodes = {
    ".dockerenv": file("", 0o755),
    "etc/hostname": "c1\n",
    "etc/hosts": "127.0.0.1 localhost\n",
    "etc/resolv.conf": "nameserver 1.1.1.1\n",
    "etc/mtab": symlink("/proc/mounts"),
    "proc": directory(0o555),
    "dev/console": file("", 0o600),
    "run/app.pid": "7\n",
    "tmp/cache/x": "x",
}


def running(root: Path, nodes: Nodes) -> Evidence:
    """A root filesystem in a folder. Owners are those of the user who runs the tests."""
    for path, given in nodes.items():
        node = given if isinstance(given, Node) else file(given)
        place = root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        if node.kind is FileKind.DIRECTORY:
            place.mkdir(exist_ok=True)
        elif node.kind is FileKind.SYMLINK:
            place.symlink_to(node.link)
        elif node.same_as is not None:
            place.hardlink_to(root / node.same_as)
        else:
            place.write_bytes(node.content)
        if node.kind in (FileKind.REGULAR, FileKind.DIRECTORY) and node.same_as is None:
            place.chmod(node.mode)
    return read(f"dir:{root}")


def started(root: Path, extra: Nodes) -> Drift:
    """From a root filesystem to the same one with what a runtime and `extra` made in it."""
    return compare(running(root / "1", BASE), running(root / "2", {**BASE, **RUNNING, **extra}))


def test_what_starting_a_container_makes_is_told_apart(tmp_path: Path) -> None:
    drift = started(tmp_path, {})
    assert told(drift) == []
    normal = [difference.subject for area in drift.normal for difference in area.differences]
    assert {path for path in RUNNING if path != "proc"} <= set(normal)
    assert any("root filesystem" in text for text in drift.not_compared)


@pytest.mark.parametrize("path", ["tmp/x", "run/x", "dev/x", "var/tmp/x", "etc/hosts"])
def test_a_program_that_appears_is_drift_wherever_it_is(tmp_path: Path, path: str) -> None:
    assert told(started(tmp_path, {path: program(TOOL)})) == [(Area.EXECUTABLES, A, path)]


def test_a_new_file_elsewhere_is_drift_of_a_running_container(tmp_path: Path) -> None:
    assert told(started(tmp_path, {"app/new": "x"})) == [(Area.FILES, A, "app/new")]


def test_two_images_have_no_differences_that_are_normal(base: Evidence, tmp_path: Path) -> None:
    drift = compare(base, made(tmp_path, One(told=(), nodes={"tmp/x": "x", "etc/hosts": "1.2.3.4 x\n"})))
    assert told(drift) == [(Area.CONFIGURATION, A, "etc/hosts"), (Area.FILES, A, "tmp/x")]


def test_hostile_names_are_told_without_harm_in_every_format(base: Evidence, tmp_path: Path) -> None:
    odd = "\udcff\x1b[31m\u202e<b>|*x*\n"
    change = One(
        told=(),
        nodes={
            f"app/{odd}": program(TOOL),
            f"etc/{odd}": symlink(odd),
            "etc/passwd": (PASSWD + f"{odd.strip()}:x:1:1:{odd.strip()}:/:/bin/sh\n").encode(
                "utf-8", "surrogateescape"
            ),
        },
        config={"Labels": {odd.replace("\udcff", ""): odd.replace("\udcff", "")}, "User": "app"},
    )
    drift = compare(base, made(tmp_path, change))
    shape = drift_document.document(drift, {"name": "hullmark", "version": "1"})
    drift_document.schema().check(shape)
    for content in (
        drift_document.render(shape),
        drift_markdown.render(shape),
        drift_table.render(shape).encode(),
    ):
        assert not set(content.decode()) & {"\x1b", "\u202e"}
    assert "<b>" not in drift_markdown.render(shape).decode()
