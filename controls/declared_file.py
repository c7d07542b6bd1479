"""The question of a declared check to files: there or not there at some paths, with what mode, owner and text."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from compliance.formats.globs import PathMatcher, translate
from compliance.formats.strict_yaml import Section
from compliance.model.evidence import Evidence
from compliance.model.filesystem import FileEntry, FileKind, display_path
from compliance.model.outcome import Failed, NotApplicable, Observation, Outcome, Passed, Unknown
from compliance.model.request import ContentRequest
from controls.observe import count, coverage, file_observation, mode_text, not_wholly_read, once

LISTED_MAX = 500
_SHOWN_MAX = 20
_PATHS_MAX = 100
_TEXTS_MAX = 50
_TEXT_MAX = 1000
_ANYTHING = re.compile(r"[*/]*")
_MODE = re.compile(r"0?[0-7]{3,4}")
_OWNER = re.compile(r"(\d{1,10})(?::(\d{1,10}))?")


class State(StrEnum):
    """What is demanded of the things that a question is about."""

    PRESENT = "present"
    ABSENT = "absent"
    IF_PRESENT = "if-present"


STATES: Final[Mapping[str, State]] = {state.value: state for state in State}


@dataclass(frozen=True, slots=True, kw_only=True)
class TextsIn:
    """Reduces a file's content to which of `texts` are in it, so that no content is kept."""

    texts: tuple[bytes, ...]

    def __call__(self, content: bytes) -> tuple[bool, ...]:
        """One answer for each text."""
        return tuple(text in content for text in self.texts)


@dataclass(frozen=True, slots=True, kw_only=True)
class FileQuestion:
    """Files at `paths`, globs without a leading slash. Each has every text of `contains` and none of `lacks`.

    Where they must be absent, a file with any text of `contains` is one that must not be there.
    """

    paths: tuple[str, ...]
    state: State
    mode_at_most: int | None = None
    uid: int | None = None
    gid: int | None = None
    contains: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()

    @property
    def requests(self) -> tuple[ContentRequest, ...]:
        """For the texts, if any."""
        if not self._texts:
            return ()
        return (ContentRequest(name=self._request, globs=self.paths, reduce=TextsIn(texts=self._texts)),)

    @property
    def asks(self) -> str:
        """What is asked, after "whether"."""
        where = " or ".join(display_path(path) for path in self.paths)
        if self.state is State.ABSENT:
            with_text = f" with the text {_either(self.contains)}" if self.contains else ""
            return f"no file{with_text} is at {where}"
        each = ", ".join(self._conditions)
        if self.state is State.IF_PRESENT:
            return f"each file at {where}, if there is any, {each}"
        return f"there is a file at {where}" + (f", and each {each}" if each else "")

    @property
    def looks_at(self) -> str:
        """The bytes that are read."""
        return "The merged file tree, every path of it; symbolic links at the paths are followed." + (
            " The content of the files at the paths, to their end." if self._texts else ""
        )

    def run(self, evidence: Evidence) -> Outcome:
        """Absence, and that each file is as demanded, is only said of a tree that was read to its end."""
        if self.state is State.ABSENT:
            return self._run_absent(evidence)
        found = tuple(self._found(evidence))
        wrong: list[Observation] = []
        unsure: list[tuple[str, Observation]] = []
        right: list[Observation] = []
        for entry in found:
            problem, doubt = self._judge(evidence, entry)
            if problem:
                wrong.append(file_observation(evidence, entry, f"{problem}.", value=_rights(entry)))
            elif doubt:
                unsure.append((f"{display_path(entry.path)}: {doubt}", file_observation(evidence, entry, f"{doubt}.")))
            else:
                right.append(file_observation(evidence, entry, "It is there, as asked.", value=_rights(entry)))
        if wrong:
            return Failed(observations=_listed(wrong))
        if unsure:
            return Unknown(reason=unsure[0][0], observations=_listed([seen for _, seen in unsure]))
        if not evidence.filesystem.wholly_read:
            return not_wholly_read(evidence.filesystem, tuple(right[:_SHOWN_MAX]))
        if not found:
            nothing = coverage(evidence, "nothing is at a path that was asked about")
            if self.state is State.IF_PRESENT:
                return NotApplicable(reason="no such file is in the image", observations=(nothing,))
            return Failed(observations=(nothing,))
        whole = coverage(evidence, f"{count(len(found), 'file')} at the paths asked about, each as asked")
        return Passed(observations=(*right[:_SHOWN_MAX], whole))

    def _run_absent(self, evidence: Evidence) -> Outcome:
        hits: list[Observation] = []
        unsure: list[Observation] = []
        looked = 0
        for entry in self._found(evidence):
            looked += 1
            inside = self._inside(evidence, entry) if self.contains else (True,)
            if inside is None and entry.kind is FileKind.SYMLINK:
                continue  # the file it leads to lies elsewhere, where nothing is asked
            if inside is None:
                unsure.append(file_observation(evidence, entry, "Its content was not kept, so it can't be told."))
            elif any(inside):
                texts = [text for text, there in zip(self.contains, inside, strict=False) if there]
                said = f"It holds the text {_either(tuple(texts))}." if texts else "It is there."
                hits.append(file_observation(evidence, entry, said, value=_rights(entry)))
        if hits:
            return Failed(observations=_listed(hits))
        if unsure:
            return Unknown(
                reason=f"the content of {count(len(unsure), 'file')} was not kept", observations=_listed(unsure)
            )
        if not evidence.filesystem.wholly_read:
            return not_wholly_read(evidence.filesystem)
        seen = f"{count(looked, 'file')} at the paths asked about, none with such a text" if looked else "nothing there"
        return Passed(observations=(coverage(evidence, seen),))

    @property
    def _conditions(self) -> Iterator[str]:
        if self.mode_at_most is not None:
            yield f"has no permission beyond {mode_text(self.mode_at_most)}"
        if self.uid is not None:
            yield f"belongs to {self.uid}" + (f":{self.gid}" if self.gid is not None else "")
        if self.contains:
            yield f"holds the text {_all(self.contains)}"
        if self.lacks:
            yield f"does not hold the text {_either(self.lacks)}"

    @property
    def _texts(self) -> tuple[bytes, ...]:
        return tuple(text.encode("utf-8", "surrogateescape") for text in (*self.contains, *self.lacks))

    @property
    def _request(self) -> str:
        told = repr((self.paths, self._texts)).encode("utf-8", "surrogateescape")
        return f"declared:{hashlib.sha256(told).hexdigest()[:16]}"

    def _found(self, evidence: Evidence) -> Iterator[FileEntry]:
        """Entries at the paths, each inode once; only regular files and links to them where content is asked for."""
        matcher = PathMatcher(self.paths)
        tree = evidence.filesystem
        for entry in once(tree, (entry for entry in tree if entry.path and matcher.matches(entry.path))):
            target = _target(evidence, entry)
            if not self._texts or target is None or target.kind is FileKind.REGULAR:
                yield entry

    def _judge(self, evidence: Evidence, entry: FileEntry) -> tuple[str | None, str | None]:
        """What is wrong with a file that is there, and what can't be told of it."""
        target = _target(evidence, entry)
        if target is None:
            return "It is a symbolic link that leads to nothing", None
        if self.mode_at_most is not None:
            beyond = target.mode & ~self.mode_at_most
            if beyond:
                return f"Its mode is {mode_text(target.mode)}, beyond {mode_text(self.mode_at_most)}", None
            if target.acl:
                return None, "An access control list may grant more than its mode says"
        if self.uid is not None and target.uid != self.uid:
            return f"It belongs to user {target.uid}, not {self.uid}", None
        if self.gid is not None and target.gid != self.gid:
            return f"It belongs to group {target.gid}, not {self.gid}", None
        return self._judge_content(evidence, entry)

    def _judge_content(self, evidence: Evidence, entry: FileEntry) -> tuple[str | None, str | None]:
        if not self._texts:
            return None, None
        inside = self._inside(evidence, entry)
        if inside is None and entry.kind is FileKind.SYMLINK:
            return None, "It is a link to a file at none of the paths, so that file was not searched: name it too"
        if inside is None:
            return None, "Its content was not kept, so it can't be told what is in it"
        wanted, unwanted = inside[: len(self.contains)], inside[len(self.contains) :]
        if not all(wanted):
            return f"It does not hold the text {_shown(self.contains[wanted.index(False)])}", None
        if any(unwanted):
            return f"It holds the text {_shown(self.lacks[unwanted.index(True)])}", None
        return None, None

    def _inside(self, evidence: Evidence, entry: FileEntry) -> tuple[bool, ...] | None:
        """Which texts are in the file; None where its content is not at hand: too large, or a link out of the paths."""
        target = _target(evidence, entry)
        kept = evidence.filesystem.captured(self._request)
        values = (one.value for one in kept if target is not None and one.entry.inode == target.inode)
        value = next(values, None)
        return value if isinstance(value, tuple) else None


def read_file_question(part: Section) -> FileQuestion:
    """The mapping under ``file``. Raises PolicyError naming the line and the field."""
    part.only("path", "state", "mode-at-most", "owner", "contains", "lacks")
    state = part.choice("state", STATES) if part.has("state") else State.PRESENT
    if state is State.ABSENT:
        for key in ("mode-at-most", "owner", "lacks"):
            if part.has(key):
                raise part.error(
                    "says how a file has to be, and this one must be absent", key, hint="leave it out, or change state"
                )
    uid, gid = _owner(part)
    question = FileQuestion(
        paths=_paths(part),
        state=state,
        mode_at_most=_mode(part),
        uid=uid,
        gid=gid,
        contains=_texts(part, "contains"),
        lacks=_texts(part, "lacks"),
    )
    if state is State.IF_PRESENT and not any(True for _ in question._conditions):
        raise part.error(
            "if-present demands nothing of the files", "state", hint="add mode-at-most, owner, contains or lacks"
        )
    return question


def _paths(part: Section) -> tuple[str, ...]:
    paths = tuple(path.strip().strip("/") for path in part.text_or_texts("path"))
    if len(paths) > _PATHS_MAX:
        raise part.error(f"more than {_PATHS_MAX} paths", "path", hint="use globs: * and ** stand for many")
    for path in paths:
        if not path or ".." in path.split("/"):
            raise part.error(
                f"not a path in the image: {path!r}", "path", hint="write it from the root, as etc/ssl/**/*.pem"
            )
        if (part.has("contains") or part.has("lacks")) and _ANYTHING.fullmatch(path):
            raise part.error(
                "every file of the image would be searched",
                "path",
                hint="name a folder, or a name such as **/*.conf",
            )
        try:
            re.compile(translate(path))
        except re.error as error:
            raise part.error(f"not a glob: {error}", "path", hint="check brackets and braces") from None
    return paths


def _mode(part: Section) -> int | None:
    if not part.has("mode-at-most"):
        return None
    value = part.values["mode-at-most"]
    if not isinstance(value, str) or not _MODE.fullmatch(value):
        raise part.error("must be a mode in octal digits, in quotes", "mode-at-most", hint='write e.g. "0644"')
    return int(value, 8)


def _owner(part: Section) -> tuple[int | None, int | None]:
    if not part.has("owner"):
        return None, None
    value = part.values["owner"]
    found = _OWNER.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise part.error(
            "must be a user id, or user and group id, in quotes",
            "owner",
            hint='write e.g. "0:0"; names differ from image to image',
        )
    return int(found[1]), int(found[2]) if found[2] else None


def _texts(part: Section, key: str) -> tuple[str, ...]:
    texts = part.text_or_texts(key) if part.has(key) else ()
    if len(texts) > _TEXTS_MAX or any(len(text) > _TEXT_MAX for text in texts):
        raise part.error(
            f"at most {_TEXTS_MAX} texts of {_TEXT_MAX} characters", key, hint="a short, telling text is enough"
        )
    return texts


def _target(evidence: Evidence, entry: FileEntry) -> FileEntry | None:
    """What a process opens at that path; None for a link to nothing."""
    return evidence.filesystem.resolve(entry.path) if entry.kind is FileKind.SYMLINK else entry


def _rights(entry: FileEntry) -> str | None:
    return None if entry.kind is FileKind.SYMLINK else f"{mode_text(entry.mode)} {entry.uid}:{entry.gid}"


def _listed(seen: list[Observation]) -> tuple[Observation, ...]:
    return tuple(seen[:LISTED_MAX])


def _shown(text: str) -> str:
    return f"“{text}”" if len(text) <= 80 else f"“{text[:80]}…”"


def _either(texts: tuple[str, ...]) -> str:
    return " or ".join(map(_shown, texts))


def _all(texts: tuple[str, ...]) -> str:
    return " and ".join(map(_shown, texts))
