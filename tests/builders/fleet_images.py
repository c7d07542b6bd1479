"""A fleet's worth of small images in a registry, alike as those of one house are, and what the registry was asked."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.builders.evidence import directory, file
from tests.builders.layout import Layout, Nodes
from tests.builders.registry_push import Pusher
from tests.builders.registry_server import Server

_ACCESS = re.compile(r'"(GET|HEAD|POST|PUT|PATCH) (/v2/\S*) HTTP/1\.1" (\d{3})')


@dataclass(frozen=True, kw_only=True)
class PushedImage:
    """An image as it was pushed: its reference with a tag, and its digest."""

    reference: str
    digest: str


def push_images(
    server: Server, folder: Path, count: int, *, repositories: int = 4, edition: str = "1", numbers: Sequence[int] = ()
) -> tuple[PushedImage, ...]:
    """Push `count` images over so many repositories, each on its repository's base; `numbers` are all of them if given.

    An image differs from others of its repository by one small layer; another `edition` of it by that layer's content.
    """
    pushed = []
    for number in numbers or range(count):
        repository = number % repositories
        layout = Layout(root=folder / f"image-{number}-{edition}")
        manifest = layout.add_image(
            [_base(repository), _own(number, edition)],
            config={"Entrypoint": ["/srv/app"], "User": "65532:65532" if number % 3 else "0"},
            tag=f"v{number}",
        )
        pusher = Pusher(url=server.url, name=f"team/service-{repository}")
        pusher.layout(layout.root)
        pushed.append(
            PushedImage(
                reference=f"registry:{server.host}/team/service-{repository}:v{number}", digest=str(manifest["digest"])
            )
        )
    return tuple(pushed)


def asked(folder: Path) -> list[tuple[str, str, int]]:
    """Method, path and status of every request that the registry in `folder` answered, in order."""
    text = (folder / "server.log").read_text(errors="replace")
    return [(method, path, int(status)) for method, path, status in _ACCESS.findall(text)]


def read(folder: Path, kind: str) -> Counter[str]:
    """How often each of the repositories' ``manifests`` or ``blobs`` was read, by name or digest."""
    found: Counter[str] = Counter()
    for method, path, status in asked(folder):
        parts = path.partition("?")[0].split("/")
        if method == "GET" and status < 300 and len(parts) > 2 and parts[-2] == kind:
            found[parts[-1]] += 1
    return found


def fleet_file(
    folder: Path, references: Sequence[str], *, groups: int = 2, limits: str = "", name: str = "tests"
) -> Path:
    """A FLEET.yaml over `references`, dealt out to its groups."""
    document: dict[str, object] = {
        "schema": 1,
        "name": name,
        "groups": {
            f"group-{number}": {"owner": f"owner-{number}@example", "images": list(references[number::groups])}
            for number in range(groups)
            if references[number::groups]
        },
    }
    path = folder / "FLEET.yaml"
    path.write_text(json.dumps(document)[:-1] + (f', "limits": {limits}' if limits else "") + "}\n")  # JSON is YAML
    return path


def _base(repository: int) -> Nodes:
    packages = "\n".join(
        f"Package: lib{repository}-{index}\nStatus: install ok installed\nVersion: 1.{index}\nArchitecture: amd64\n"
        f"Maintainer: Nobody <nobody@example>\nDescription: part {index}\n"
        for index in range(20)
    )
    return {
        "etc": directory(),
        "etc/os-release": f'ID=debian\nVERSION_ID="12"\nPRETTY_NAME="Base {repository}"\n',
        "etc/passwd": "root:x:0:0:root:/root:/bin/sh\n",
        "var": directory(),
        "var/lib": directory(),
        "var/lib/dpkg": directory(),
        "var/lib/dpkg/status": packages,
        "usr": directory(),
        "usr/bin": directory(),
        "usr/bin/tool": file(f"#!/bin/sh\necho base {repository}\n", 0o755),
    }


def _own(number: int, edition: str) -> Nodes:
    return {
        "srv": directory(),
        "srv/app": file(f"#!/usr/bin/tool\nimage {number}, edition {edition}\n", 0o755),
    }
