"""IM-INSTALL: what starts with the container installs nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from compliance.model.evidence import Evidence
from compliance.model.filesystem import FileEntry, display_path
from compliance.model.outcome import (
    Check,
    Failed,
    NotApplicable,
    Observation,
    ObservationKind,
    Outcome,
    Passed,
    Severity,
    Trait,
    Unknown,
)
from controls.detection import Finding, detect
from controls.entrypoint import SHELL_NAMES, Form, Launch, basename, launches, locate, resolve_program, unwrap
from controls.install_commands import INTERPRETERS, install_calls, install_commands, installs, shell_commands
from controls.observe import config_observation, count, file_observation, not_wholly_read, note

MANAGERS = ("os-package-managers", "language-package-managers")
DOWNLOADERS = frozenset(("curl", "wget", "downloaders", "http-clients"))
"""Tools of the kind network-tools that fetch a file by command."""
FOLLOWED_MAX = 1
"""Scripts that a started script calls are read too; those that these call are not."""
SCRIPTS_MAX = 200
_SCRIPT_NAME = re.compile(r"\.(?:sh|bash|py|pl|rb|js|mjs|cjs|php)$")
_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)(?::?-([^}$]*))?\})")
_ARGUMENTS = frozenset(("$@", "$*", "${@}", "${*}"))


def run(evidence: Evidence) -> Outcome:
    """Reads the scripts that start, then asks whether the image has anything that could install."""
    config = evidence.image.config
    if config is None:
        return Unknown(reason="a root filesystem has no image config, so what it starts is not stated")
    walk = _Walk(evidence)
    started = launches(config)
    for launch in started:
        walk.launch(launch)
    found = (*walk.found, *_triggers(config.on_build))
    if found:
        return Failed(observations=found)
    if not started:
        return NotApplicable(reason="the image config names neither Entrypoint nor Cmd, so nothing starts by default")
    return _without_finding(evidence, walk)


def _without_finding(evidence: Evidence, walk: _Walk) -> Outcome:
    """No command found where one could look: proved only by the absence of everything that installs."""
    if not evidence.filesystem.wholly_read:
        return not_wholly_read(evidence.filesystem)
    detections = [detect(evidence, kind) for kind in MANAGERS]
    tools = [finding for detection in detections for finding in detection.findings if not finding.observe]
    if walk.blind:
        tools += [tool for tool in detect(evidence, "network-tools").findings if DOWNLOADERS & {*tool.tools}]
    read = f"{count(len(walk.scripts), 'script')} read"
    notes = (*(note(f"Not followed: {text}.") for text in walk.blind), *_tool_notes(tools))
    if tools:
        programs = ", ".join(dict.fromkeys(walk.programs)) or "nothing that was found"
        return Unknown(
            reason=f"no command that installs was found ({read}), but what {programs} does can't be read, and the "
            f"image has {count(len(tools), 'tool')} that it could install with",
            observations=notes,
        )
    if detections[0].unjudged:
        return Unknown(
            reason="the content of some programs is hidden, so they may be package managers",
            observations=detections[0].unjudged,
        )
    scripts = ", ".join(display_path(entry.path) for entry in walk.scripts[:10])
    return Passed(
        observations=(
            config_observation(
                f"What starts calls nothing that installs software ({read}{': ' if scripts else ''}{scripts}), and no "
                "package manager is in the image that it could call."
            ),
            *(detection.coverage for detection in detections),
            *notes,
        )
    )


def _tool_notes(tools: Iterable[Finding]) -> Iterable[Observation]:
    for tool in tools:
        yield Observation(
            summary=f"{display_path(tool.entry.path)} could install software ({', '.join(tool.tools)}).",
            kind=ObservationKind.NOTE,
            path=tool.entry.path,
            names=tool.names,
            layer=tool.entry.layer,
            sha256=tool.entry.sha256 or None,
            method=tool.method,
        )


def _triggers(on_build: tuple[str, ...]) -> Iterable[Observation]:
    for text in on_build:
        command = re.sub(r"^\s*RUN\s+", "", text, flags=re.IGNORECASE)
        if command.startswith("["):
            command = re.sub(r"[\[\]\",]+", " ", command)
        for found in install_commands(command):
            yield config_observation(
                f"An ONBUILD trigger runs {found!r} in every image that is built from this one.", text[:300]
            )


class _Walk:
    """The scripts and programs reached from the image config."""

    def __init__(self, evidence: Evidence) -> None:
        self.evidence = evidence
        self.tree = evidence.filesystem
        config = evidence.image.config
        self.environment: Mapping[str, str] = config.env if config is not None else {}
        self.working_dir = config.working_dir if config is not None else None
        self.found: list[Observation] = []
        self.blind: list[str] = []
        self.scripts: list[FileEntry] = []
        self.programs: list[str] = []

    def launch(self, launch: Launch) -> None:
        said = " ".join(launch.argv)
        if launch.shell_text is not None:
            for command in install_commands(launch.shell_text):
                self.found.append(config_observation(f"The {launch.role} ({launch.fields}) runs {command!r}.", said))
            self._references(launch.shell_text, f"the {launch.role}", depth=-1)
            return
        words = unwrap(launch.argv)
        if installs(words):
            self.found.append(config_observation(f"The {launch.role} ({launch.fields}) installs software.", said))
        self._program(words, depth=0)
        behind = unwrap(words[1:])  # what an entry point script runs with exec "$@"
        if behind and self._locate(behind[0]) is not None:
            if installs(behind):
                self.found.append(config_observation(f"The {launch.role} is given a command that installs.", said))
            self._program(behind, depth=0)

    def _locate(self, word: str) -> FileEntry | None:
        return locate(self.tree, word, self.environment, self.working_dir)

    def _program(self, words: tuple[str, ...], *, depth: int) -> None:
        """What a command line leads to: a script, or a program and the scripts among its arguments."""
        if not words:
            return
        program = resolve_program(self.evidence, words[0])
        if program.entry is None:
            return
        if program.form is Form.SCRIPT:
            self._script(program.entry, depth)
            return
        self.programs.append(display_path(program.entry.path))
        for word in words[1:]:
            entry = self._locate(word) if "/" in word or _SCRIPT_NAME.search(word) else None
            if entry is not None and (_SCRIPT_NAME.search(entry.name) or _shebang(entry)):
                self._script(entry, depth)

    def _script(self, entry: FileEntry, depth: int) -> None:
        if any(entry.inode == known.inode for known in self.scripts):
            return
        shown = display_path(entry.path)
        content = self.tree.content(entry.path)
        if depth > FOLLOWED_MAX or len(self.scripts) >= SCRIPTS_MAX:
            self.blind.append(f"the script {shown}, which is called by a script that another one calls")
            return
        if content is None:
            self.blind.append(f"the script {shown}, whose content was not kept")
            return
        self.scripts.append(entry)
        text = content.decode("utf-8", "replace")
        shell = _is_shell_script(entry)
        for command in install_commands(text) if shell else install_calls(text):
            summary = f"The script runs {command!r}."
            self.found.append(file_observation(self.evidence, entry, summary, value=command, method="script text"))
        if shell:
            self._references(text, shown, depth=depth)
        else:
            self.programs.append(shown)

    def _references(self, text: str, where: str, *, depth: int) -> None:
        """Scripts that shell `text` calls or sources, and commands that are put together only when it runs."""
        for command in shell_commands(text):
            call = tuple(self._expand(word) for word in command.call)
            if not call or call[0] in _ARGUMENTS:
                continue
            target = call[1:2] if call[0] in (".", "source") else call[:1]
            if target and "$" in target[0] and target[0] not in _ARGUMENTS:
                self.blind.append(f"in {where} the command {str(command)!r}, put together when it runs")
                continue
            if call[0] in (".", "source"):
                entry = self._locate(target[0]) if target else None
                if entry is not None:
                    self._script(entry, depth + 1)
            elif self._locate(call[0]) is not None:
                self._program(call, depth=depth + 1)

    def _expand(self, word: str) -> str:
        """`word` with the variables that the image config sets."""

        def value(match: re.Match[str]) -> str:
            return self.environment.get(match[1] or match[2], match[3] if match[3] is not None else match[0])

        return _VARIABLE.sub(value, word)


def _shebang(entry: FileEntry) -> str | None:
    return entry.facts.shebang if entry.facts is not None else None


def _is_shell_script(entry: FileEntry) -> bool:
    shebang = _shebang(entry)
    if shebang:
        words = unwrap(tuple(shebang.split()))
        return not words or basename(words[0]) in SHELL_NAMES or not INTERPRETERS.fullmatch(basename(words[0]))
    return not re.search(r"\.(?:py|pl|rb|js|mjs|cjs|php)$", entry.name)


CHECK = Check(
    id="IM-INSTALL",
    title="Nothing installs software at start",
    trait=Trait.IMMUTABLE,
    severity=Severity.HIGH,
    rationale="An image that installs software when it starts runs what the repositories hold that day: no scan, "
    "SBOM or signature of the image is about that.",
    looks_at="config.Entrypoint, Cmd, Healthcheck and OnBuild; the text of the scripts they start, and of those that "
    "these call or source; and whether any OS or language package manager is in the merged file tree.",
    proves="A pass proves that no command known to install software is in those scripts, and that no known package "
    "manager is in the image that a compiled program, or a part that could not be followed, could call. A program "
    "that downloads and runs code by itself is not excluded.",
    remediation="Install everything while building; start the program itself, and remove package managers from the "
    "final stage.",
    run=run,
    references=("OCI image-spec config.md: config.Entrypoint, config.Cmd",),
)
