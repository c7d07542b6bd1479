"""A Dockerfile built by hand, on real files: FROM, COPY, RUN and what sets the configuration, as BuildKit does them.

Enough for the proposals of ``hullmark advise``. RUN changes root, so building needs to be root.
"""

from __future__ import annotations

import io
import json
import os
import re
import shlex
import shutil
import stat
import subprocess
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from compliance.formats.dockerfile import Instruction, parse_dockerfile


@dataclass(kw_only=True)
class Built:
    """A stage: its root on disk, and its configuration in the words of an image config."""

    root: Path
    config: dict[str, object] = field(default_factory=dict)

    @property
    def env(self) -> dict[str, str]:
        return dict(pair.split("=", 1) for pair in self.config.get("Env", []))  # type: ignore[attr-defined]

    @property
    def argv(self) -> list[str]:
        return [*self.config.get("Entrypoint", []), *self.config.get("Cmd", [])]  # type: ignore[misc]


def build(text: bytes, contexts: Mapping[str, Built], work: Path) -> Built:
    """The last stage of the Dockerfile `text`; `contexts` are the images that FROM may name."""
    known: dict[str, Built] = dict(contexts)
    stage = Built(root=work)
    for index, parsed in enumerate(parse_dockerfile(text).stages):
        root = work / f"stage-{index}"
        if parsed.base == "scratch":
            root.mkdir(parents=True)
            stage = Built(root=root)
        else:
            base = known[parsed.base]
            shutil.copytree(base.root, root, symlinks=True)
            _same_owners(base.root, root)
            stage = Built(root=root, config=json.loads(json.dumps(base.config)))
        known[str(index)] = stage
        if parsed.name is not None:
            known[parsed.name] = stage
        for instruction in parsed.instructions:
            _do(instruction, stage, known)
    return stage


def _same_owners(source: Path, target: Path) -> None:
    for where, folders, files in os.walk(source):
        for name in (".", *folders, *files):
            path = Path(where, name)
            status = path.lstat()
            copy = target / path.relative_to(source)
            os.chown(copy, status.st_uid, status.st_gid, follow_symlinks=False)
            if not path.is_symlink():
                copy.chmod(stat.S_IMODE(status.st_mode))


def _do(one: Instruction, stage: Built, known: Mapping[str, Built]) -> None:
    config, words = stage.config, _words(one, stage)
    match one.name:
        case "COPY":
            _copy(one, words, stage, known)
        case "RUN":
            _run(one, stage)
        case "ENV":
            (word,) = words
            name, value = word.split("=", 1)
            config["Env"] = [f"{key}={text}" for key, text in {**stage.env, name: value}.items()]
        case "WORKDIR":
            (stage.root / words[0].lstrip("/")).mkdir(parents=True, exist_ok=True)
            config["WorkingDir"] = words[0]
        case "USER":
            config["User"] = words[0]
        case "EXPOSE":
            config["ExposedPorts"] = {**_table(config, "ExposedPorts"), **{word: {} for word in words}}
        case "VOLUME":
            config["Volumes"] = {**_table(config, "Volumes"), **{word: {} for word in one.form or words}}
        case "ENTRYPOINT":
            assert one.form is not None, "shell form"
            config["Entrypoint"] = list(one.form)
            config["Cmd"] = []
        case "CMD":
            assert one.form is not None, "shell form"
            config["Cmd"] = list(one.form)
        case "HEALTHCHECK":
            config["Healthcheck"] = {"Test": _health(one)}
        case other:
            assert other in ("SHELL", "STOPSIGNAL"), f"{other} is not for a proposal"


def _table(config: Mapping[str, object], key: str) -> dict[str, object]:
    found = config.get(key, {})
    assert isinstance(found, dict)
    return found


def _health(one: Instruction) -> list[str]:
    if one.arguments == "NONE":
        return ["NONE"]
    form = json.loads(one.arguments.removeprefix("CMD "))
    return ["CMD", *form]


def _words(one: Instruction, stage: Built) -> list[str]:
    """The words of an instruction, quotes off, variables of the stage replaced."""
    if one.name in ("RUN", "ENTRYPOINT", "CMD", "HEALTHCHECK", "SHELL"):
        return []
    if one.form is not None:
        return list(one.form)
    out = []
    for word in shlex.split(one.arguments.replace("\\$", "\0")):
        expanded = re.sub(r"\$(\w+)", lambda match: stage.env.get(match[1], ""), word)
        out.append(expanded.replace("\0", "$"))
    return out


def _copy(one: Instruction, words: list[str], stage: Built, known: Mapping[str, Built]) -> None:
    owner, _, group = (one.flag("chown") or "0:0").partition(":")
    ids = int(owner), int(group or owner)
    target = stage.root / words[-1].lstrip("/")
    if one.here:
        (document,) = one.here
        _parents(target)
        target.write_text(document.text)
        target.chmod(int(one.flag("chmod") or "0644", 8))
        os.chown(target, *ids)
        return
    (source,) = words[:-1]
    origin = _inside(known[one.flag("from") or ""].root, re.sub(r"\[(.)\]", r"\1", source))
    _parents(target)
    if origin.is_dir():
        shutil.copytree(origin, target, symlinks=True, dirs_exist_ok=True)
        _same_owners(origin, target)
        for where, folders, files in os.walk(target):
            for name in (".", *folders, *files):
                os.chown(Path(where, name), *ids, follow_symlinks=False)
        return
    shutil.copy2(origin, target)
    os.chown(target, *ids)


def _parents(target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)


def _inside(root: Path, path: str) -> Path:
    """`path` in `root` with its links followed inside it, as COPY follows what it is told by name."""
    todo, done = [part for part in reversed(path.split("/")) if part], root
    while todo:
        here = done / todo.pop()
        if here.is_symlink():
            link = str(here.readlink())
            done = root if link.startswith("/") else done
            todo.extend(part for part in reversed(link.split("/")) if part)
        elif here.name == "..":
            done = done.parent
        else:
            done = here
    return done


def _run(one: Instruction, stage: Built) -> None:
    subprocess.run(
        ["/bin/sh", "-c", one.arguments],
        check=True,
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", **stage.env},
        preexec_fn=lambda: _enter(stage.root, "/", None),
    )


def _enter(root: Path, folder: str, ids: tuple[int, int] | None) -> None:
    os.chroot(root)
    os.chdir(folder)
    if ids is not None:
        os.setgroups([])
        os.setgid(ids[1])
        os.setuid(ids[0])


def start(
    stage: Built, *arguments: str, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Start the stage's entry point in its root as its user, with nothing but its own environment."""
    user, _, group = str(stage.config["User"]).partition(":")
    argv = [*stage.config.get("Entrypoint", []), *(arguments or stage.config.get("Cmd", []))]  # type: ignore[misc]
    return subprocess.run(
        argv,
        executable=argv[0],
        env={**stage.env, **(environment or {})},
        capture_output=True,
        text=True,
        timeout=60,
        preexec_fn=lambda: _enter(stage.root, str(stage.config.get("WorkingDir", "/")), (int(user), int(group))),
    )


def layer(root: Path) -> bytes:
    """The stage's files as a layer."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path in sorted(root.iterdir()):
            archive.add(path, arcname=path.name, filter=_plain)
    return out.getvalue()


def _plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.mtime = 0
    member.uname = member.gname = ""
    return member
