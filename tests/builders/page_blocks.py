"""The code blocks of a page in Markdown, and running them as a reader would: in order, in one folder.

A comment in the line before a block says what a reader is told in words, or what a test has to know:

- ``<!-- not run: REASON -->``: it can't run here, and why;
- ``<!-- exit code: 10 -->``: its last command ends so;
- ``<!-- needs: cosign -->``: programs that have to be there;
- ``<!-- output -->``: its lines are printed by the block before it;
- ``<!-- file: PATH -->``: it is that file, as a block with ``title="PATH"`` is.

Blocks of other languages that are no file are for the eye.
"""

from __future__ import annotations

import re
import subprocess
import textwrap
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.builders.program import program

_FENCE = re.compile(r"^(?P<indent> *)(?P<ticks>`{3,})(?P<info>[^`]*)$")
_COMMENT = re.compile(r"^ *<!-- (?P<what>not run|exit code|needs|output|file)(?:: (?P<value>.+))? -->$")
_TITLE = re.compile(r'title="([^"]+)"')
_SECONDS = 300
SHELL = ("sh", "bash")


@dataclass(frozen=True, kw_only=True)
class Block:
    """One block, with the line it begins at and what the comment before it says."""

    page: str
    line: int
    language: str
    title: str | None
    text: str
    not_run: str | None = None
    exit_code: int = 0
    needs: tuple[str, ...] = ()
    output: bool = False

    @property
    def place(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def is_command(self) -> bool:
        return self.language in SHELL and self.title is None


def blocks(path: Path, name: str) -> tuple[Block, ...]:
    """All of a page, in order."""
    return tuple(_blocks(path.read_text().splitlines(), name))


def _blocks(lines: list[str], page: str) -> Iterator[Block]:
    told: dict[str, str] = {}
    at = 0
    while at < len(lines):
        line = lines[at]
        at += 1
        if comment := _COMMENT.match(line):
            told[comment["what"]] = comment["value"] or ""
        elif fence := _FENCE.match(line):
            begin = at
            while lines[at].strip() != fence["ticks"]:
                at += 1
            title = _TITLE.search(fence["info"])
            yield Block(
                page=page,
                line=begin,
                language=(fence["info"].split() or [""])[0],
                title=title[1] if title else told.get("file"),
                text=textwrap.dedent("\n".join(lines[begin:at])) + "\n",
                not_run=told.get("not run"),
                exit_code=int(told.get("exit code", 0)),
                needs=tuple(told.get("needs", "").split()),
                output="output" in told,
            )
            at += 1
            told = {}
        elif line.strip():
            assert not told, f"{page}:{at}: a comment about a block, and no block"


def run(
    page: tuple[Block, ...], folder: Path, environment: Mapping[str, str], *, left_out: Collection[str] = ()
) -> int:
    """Write the files and run the commands of a page in `folder`; how many were run.

    Lines that are `left_out` must be there, and are not run. Fails at the first block that ends otherwise than the page
    says. A program that is missing skips the test, or fails in CI.
    """
    lines = {line for block in page for line in block.text.splitlines()}
    assert set(left_out) <= lines, f"no such lines: {set(left_out) - lines}"
    printed = ""
    done = 0
    for block in page:
        if block.not_run is not None:
            continue
        if block.title is not None:
            target = folder / block.title
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(block.text)
        elif block.output:
            _compare(block, printed)
        elif block.is_command:
            for name in block.needs:
                program(name)
            ended = subprocess.run(
                ["bash", "-eu", "-o", "pipefail", "-c", _without(block.text, left_out)],
                cwd=folder,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=_SECONDS,
            )
            printed = ended.stdout + ended.stderr
            if ended.returncode != block.exit_code:
                pytest.fail(
                    f"{block.place}: exit code {ended.returncode}, not {block.exit_code}\n{block.text}{printed}"
                )
            done += 1
    return done


def _without(text: str, lines: Collection[str]) -> str:
    return "".join(f"{line}\n" for line in text.splitlines() if line not in lines)


def _compare(block: Block, printed: str) -> None:
    """Every line of the page is a line of the output, in the same order; what a page leaves out it marks by ``…``."""
    left = printed.splitlines()
    for line in block.text.splitlines():
        pattern = re.compile(".*".join(re.escape(part) for part in line.strip().split("…")))
        at = next((index for index, found in enumerate(left) if pattern.fullmatch(found.strip())), None)
        if at is None:
            pytest.fail(f"{block.place}: {line!r} is not in what the command printed:\n{printed}")
        left = left[at + 1 :]
