"""A multi-stage Dockerfile whose last stage is the hardened runtime image of a plan.

What comes out of an image is written only where it can't change the meaning of the file: paths and words with control
characters are left out, and said so; values that look like secrets are left for the start of the container.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field

from compliance.formats.dockerfile import Dockerfile
from compliance.model.advice import RUNTIME_UID, Proposal
from compliance.model.evidence import Evidence
from compliance.model.filesystem import display_path
from compliance.model.image import Image
from compliance.model.reference import Scheme
from controls.entrypoint import DEFAULT_PATH
from controls.runtime_plan import RuntimePlan
from controls.runtime_tree import Copy
from controls.start_plan import StartPlan

SYNTAX = "# syntax=docker/dockerfile:1"
"""BuildKit's stable syntax: here-documents are of 1.4."""
APPLICATION, PREPARED = "application", "prepared"
WITHHELD = "[withheld]"
SOURCES_MAX = 12
"""Paths in one COPY."""

_GROUPS = {
    "application": "The application",
    "data": "Data that it looks up by fixed paths",
    "library": "The libraries that it loads and the base lacks",
    "writable": "What it may write",
}
_SECRET = re.compile(
    r"pass(?:wd|word|phrase)?|pwd|secret|token|credential|api[_-]?key|access[_-]?key|private[_-]?key|auth(?!or)",
    re.IGNORECASE,
)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")


@dataclass(slots=True)
class _Writer:
    """The lines; `unwritten` is what could not be said in them."""

    escape: str = "\\"
    lines: list[str] = field(default_factory=list)
    unwritten: list[str] = field(default_factory=list)

    def say(self, *lines: str) -> None:
        self.lines.extend(lines)

    def comment(self, text: str) -> None:
        self.lines.append(f"# {_printable(text)}")

    def blank(self) -> None:
        if self.lines and self.lines[-1]:
            self.lines.append("")

    def path(self, path: str) -> str | None:
        """A path as a word of COPY, in tree form given; None where it can't be one."""
        text = f"/{path}"
        if not _is_writable(text) or self.escape in text:
            self.unwritten.append(display_path(path))
            return None
        return re.sub(r"([*?\[])", r"[\1]", text).replace("$", f"{self.escape}$")

    def quoted(self, value: str) -> str | None:
        """A value of ENV in double quotes; None where it can't be one."""
        if not _is_writable(value) or (self.escape in value and self.escape != "\\"):
            return None
        return '"' + re.sub(r"([\\\"$])", rf"{re.escape(self.escape)}\1", value) + '"'


def propose(evidence: Evidence, start: StartPlan, plan: RuntimePlan, dockerfile: Dockerfile | None) -> Proposal:
    """The Dockerfile of `plan`. With `dockerfile` its stages stay as they are and become the build stages."""
    writer = _Writer(escape=dockerfile.escape if dockerfile is not None else "\\")
    stage = _build_stages(writer, evidence, dockerfile)
    if plan.remove or plan.make or plan.open:
        stage = _prepared(writer, stage, plan)
    writer.blank()
    _runtime_base(writer, plan)
    for group, heading in _GROUPS.items():
        _copies(writer, stage, heading, [copy for copy in plan.copies if copy.group == group])
    if plan.from_nothing:
        _accounts(writer)
    writer.blank()
    _settings(writer, plan, evidence)
    _commands(writer, start, plan)
    left_out = list(plan.left_out)
    if writer.unwritten:
        left_out.append(f"what can't be written in a Dockerfile: {', '.join(writer.unwritten[:8])}")
    return Proposal(
        text="\n".join(writer.lines) + "\n",
        obstacles=start.obstacles,
        left_out=tuple(left_out),
        run_with=_run_with(plan),
    )


def _build_stages(writer: _Writer, evidence: Evidence, dockerfile: Dockerfile | None) -> str:
    """The stages that hold the application; the name of the last one."""
    if dockerfile is None:
        writer.say(SYNTAX)
        writer.comment(f"The image as it is: {evidence.image.reference}")
        _from(writer, evidence.image, "application-image", APPLICATION)
        return APPLICATION
    lines = list(dockerfile.lines)
    last = dockerfile.stages[-1]
    name = last.name or _free_name(dockerfile, APPLICATION)
    if last.name is None:
        first = last.origin.line - 1
        flags = "".join(f"--{key}={value} " for key, value in last.origin.flags)
        lines[first : last.origin.end] = [f"FROM {flags}{last.origin.arguments} AS {name}"]
    while lines and not lines[-1].strip():
        lines.pop()
    if "syntax" not in dockerfile.directives:
        lines.insert(0, SYNTAX)
    writer.say(*lines)
    return name


def _free_name(dockerfile: Dockerfile, wanted: str) -> str:
    taken = {stage.name for stage in dockerfile.stages}
    return next(name for name in (wanted, *(f"{wanted}-{n}" for n in range(2, 5000))) if name not in taken)


def _from(writer: _Writer, image: Image, context: str, name: str | None) -> None:
    """FROM for an image, by digest where a registry has it; else under the name of a build context."""
    reference = image.reference
    called = f" AS {name}" if name is not None else ""
    if reference.scheme is Scheme.REGISTRY and _is_writable(reference.target) and " " not in reference.target:
        writer.say(f"FROM {reference.target}@{image.digest}{called}")
        return
    if reference.scheme is Scheme.OCI_DIR:
        digest = image.index_digest or image.digest
        writer.comment(f"Build with: --build-context {context}=oci-layout://{reference.target}@{digest}")
    elif reference.scheme is Scheme.DOCKER and _is_writable(reference.target):
        writer.comment(f"Build with: --build-context {context}=docker-image://{reference.target}")
    else:
        writer.comment(f"Load {reference} into the engine and give its name:")
        writer.comment(f"  --build-context {context}=docker-image://NAME   (its digest: {image.digest})")
    writer.say(f"FROM {context}{called}")


def _prepared(writer: _Writer, stage: str, plan: RuntimePlan) -> str:
    """A stage that takes tools out and makes directories: the last one that needs a shell."""
    writer.blank()
    writer.comment("Made ready while building, where there still is a shell.")
    writer.say(f"FROM {stage} AS {PREPARED}", "USER 0:0", 'SHELL ["/bin/sh", "-c"]')
    for command, paths in (
        ("rm -rf", plan.remove),
        ("chmod -R a+rX,go-w", plan.open),
        ("mkdir -p", plan.make),
    ):
        safe = [f"/{path}" for path in paths if _is_writable(path) and writer.escape not in path]
        writer.unwritten.extend(display_path(path) for path in paths if f"/{path}" not in safe)
        for few in _pieces(safe):
            writer.say(f"RUN {command} -- {' '.join(shlex.quote(path) for path in few)}")
    return PREPARED


def _runtime_base(writer: _Writer, plan: RuntimePlan) -> None:
    if plan.target is not None:
        writer.comment(f"The runtime image, on {plan.target.image.reference}")
        _from(writer, plan.target.image, "runtime-image", None)
    elif plan.placeholder is not None:
        language = plan.placeholder.language
        writer.comment(f"The runtime image: name a hardened image that ships {language}, without a shell, by digest.")
        writer.comment("hullmark advise --to IMAGE then says whether it has all that is needed.")
        writer.say("FROM runtime-image")
    else:
        writer.comment("The runtime image: nothing but the program and what it loads.")
        writer.say("FROM scratch")


def _copies(writer: _Writer, stage: str, heading: str, copies: list[Copy]) -> None:
    """COPY lines: files that keep their names together by folder, everything else one by one."""
    if not copies:
        return
    writer.blank()
    writer.comment(heading)
    for copy in copies:
        source, target = writer.path(copy.source), writer.path(copy.target)
        if source is None or target is None:
            continue
        owner = f"{RUNTIME_UID}:{RUNTIME_UID}" if copy.writable else "0:0"
        words = f"{source} {target}" if " " not in source + target else json.dumps([source, target], ensure_ascii=False)
        writer.say(f"COPY --from={stage} --chown={owner} {words}")


def _accounts(writer: _Writer) -> None:
    """Names for the runtime user: many programs ask for them (getpwuid(3)). No root account."""
    writer.blank()
    writer.comment("The runtime user has a name; it has no home that it could write.")
    writer.say(
        "COPY --chown=0:0 --chmod=0644 <<PASSWD /etc/passwd",
        f"nonroot:x:{RUNTIME_UID}:{RUNTIME_UID}:nonroot:/nonexistent:/sbin/nologin",
        "PASSWD",
        "COPY --chown=0:0 --chmod=0644 <<GROUP /etc/group",
        f"nonroot:x:{RUNTIME_UID}:",
        "GROUP",
    )


def _settings(writer: _Writer, plan: RuntimePlan, evidence: Evidence) -> None:
    base = plan.target.image.config.env if plan.target is not None and plan.target.image.config is not None else {}
    for name, value in plan.config.env.items():
        if base.get(name) == value or (name == "PATH" and plan.target is None):
            continue
        quoted = writer.quoted(value) if _NAME.fullmatch(name) else None
        if _SECRET.search(name):
            writer.comment(f"ENV {name}: looks like a secret, so it is left for the start of the container")
        elif quoted is None:
            writer.unwritten.append(f"the variable {_printable(name)}")
        else:
            writer.say(f"ENV {name}={quoted}")
    if plan.target is None:
        _search_path(writer, plan)
    inherited = plan.target.image.config.working_dir if plan.target is not None and plan.target.image.config else None
    working_dir = writer.path((plan.config.working_dir or "/").strip("/"))
    if working_dir is not None and working_dir != (inherited or "/"):
        writer.say(f"WORKDIR {working_dir}")
    for port in plan.config.exposed_ports:
        if re.fullmatch(r"\d{1,5}(?:-\d{1,5})?(?:/[a-z]+)?", port):
            writer.say(f"EXPOSE {port}")
    volumes = [volume for volume in plan.config.volumes if _is_writable(volume)]
    if volumes:
        writer.say(f"VOLUME {json.dumps(volumes, ensure_ascii=False)}")
    writer.say(f"USER {RUNTIME_UID}:{RUNTIME_UID}")
    signal = evidence.image.config.stop_signal if evidence.image.config is not None else None
    if signal and re.fullmatch(r"[A-Z0-9+]{1,16}", signal):
        writer.say(f"STOPSIGNAL {signal}")


def _search_path(writer: _Writer, plan: RuntimePlan) -> None:
    """PATH as the image has it; in front of that of a base that is not known yet."""
    path = plan.config.env.get("PATH", DEFAULT_PATH)
    if plan.placeholder is not None:
        path = ":".join(one for one in path.split(":") if plan.holds(one))
    quoted = writer.quoted(path)
    if quoted is not None and path not in ("", DEFAULT_PATH):
        writer.say(f"ENV PATH={quoted}" if plan.placeholder is None else f'ENV PATH={quoted[:-1]}:$PATH"')


def _commands(writer: _Writer, start: StartPlan, plan: RuntimePlan) -> None:
    config = plan.config
    if config.healthcheck is not None:
        writer.say(f"HEALTHCHECK CMD {_form(config.healthcheck[1:])}")
    elif start.health_options:
        writer.comment("Its health check needs what is not here: let the orchestrator probe the service.")
        writer.say("HEALTHCHECK NONE")
    if start.obstacles:
        writer.comment("No ENTRYPOINT: what the script does before it starts the program can't be told in exec form.")
        for obstacle in start.obstacles:
            place = obstacle.place
            where = display_path(place.path) if place.path is not None else place.config or ""
            line = f", line {place.line}" if place.line is not None else ""
            writer.comment(f"  {where}{line}: {obstacle.reason}: {place.text or ''}")
        return
    for remark in start.remarks:
        line = f"line {remark.place.line}: " if remark.place.line is not None else ""
        writer.comment(f"{line}{remark.what}")
    words = _without_secrets((*config.entrypoint, *config.cmd))
    if WITHHELD in "".join(words):
        writer.comment(f"{WITHHELD} looks like a secret: give it when the container starts, as a file if possible.")
    if config.entrypoint:
        writer.say(f"ENTRYPOINT {_form(words[: len(config.entrypoint)])}")
    if config.cmd:
        writer.say(f"CMD {_form(words[len(config.entrypoint) :])}")
    if not config.entrypoint and not config.cmd:
        writer.comment("No ENTRYPOINT: what the image starts is not known.")


def _without_secrets(words: tuple[str, ...]) -> tuple[str, ...]:
    """`words` with the value of an option that sounds like a secret's withheld."""
    out: list[str] = []
    after = False
    for word in words:
        name, equals, _ = word.partition("=")
        secret = word.startswith("-") and _SECRET.search(name) is not None
        if secret and equals:
            out.append(f"{name}={WITHHELD}")
        else:
            out.append(WITHHELD if after and not word.startswith("-") else word)
        after = secret and not equals
    return tuple(out)


def _form(words: tuple[str, ...]) -> str:
    """The JSON form, on one line whatever the words hold."""
    return json.dumps(list(words))


def _run_with(plan: RuntimePlan) -> tuple[str, ...]:
    options = ["--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--tmpfs=/tmp"]
    return (*options, *(f"--volume=NAME:{volume}" for volume in plan.config.volumes if _is_writable(volume)))


def _pieces(items: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(items), SOURCES_MAX):
        yield items[start : start + SOURCES_MAX]


def _is_writable(text: str) -> bool:
    """Whether `text` may stand in a line of the file: no control characters, no undecodable bytes."""
    return text.isprintable() and "\\" not in text and not text.endswith(" ")


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() else " " for char in text)
