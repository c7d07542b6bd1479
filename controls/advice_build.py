"""What of an image belongs into its build stages, and what a Dockerfile does that a bare runtime stage can't."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

from compliance.formats.dockerfile import Dockerfile, Instruction, Stage, expand, variables
from compliance.model.advice import Advice, Gap, Impact, Place
from compliance.model.evidence import Evidence
from compliance.model.image import ImageConfig
from compliance.model.inventory import Package
from controls.detection import Finding, Presence
from controls.observe import count
from controls.runtime_plan import REMOVED, TOOLS, RuntimePlan

KINDS: Mapping[str, str] = {
    "compilers": "compilers and build tools",
    "os-package-managers": "package managers of the operating system",
    "language-package-managers": "package managers of languages",
    "debuggers": "debuggers",
    "network-tools": "network tools",
    "editors": "editors",
    "remote-access": "remote access",
    "shells": "shells",
}
PLACES_MAX = 12
PLACES_OF_KIND_MAX = 3
NAMES_MAX = 12
_DEVELOPMENT = re.compile(
    r".*-(?:dev|devel|headers)|linux-libc-dev|build-essential|git(?:-core|-man)?|make|cmake|patch"
)
_FETCHES = re.compile(r"\b(?:apt|apt-get|apk|dnf|microdnf|yum|zypper|pip3?|npm|yarn|pnpm|gem|go|cargo|mvn)\b")


def build_advice(evidence: Evidence, plan: RuntimePlan, tools: Mapping[str, tuple[Finding, ...]]) -> Iterator[Advice]:
    """Tools and development packages that the runtime image does without; `tools` are what was found of each kind."""
    ours = plan.application.paths
    kinds: list[str] = []
    places: list[Place] = []
    for kind, what in KINDS.items():
        found = [one for one in tools.get(kind, ()) if one.presence is not Presence.POSSIBLE and not one.observe]
        found = [one for one in found if one.entry.path not in ours]
        if not found:
            continue
        kinds.append(f"{what} ({_names([tool for one in found for tool in one.tools])})")
        places.extend(
            Place(
                path=one.entry.path,
                layer=one.entry.layer,
                package=evidence.inventory.owner(one.entry.path, *one.names),
                text=", ".join(one.tools),
            )
            for one in found[:PLACES_OF_KIND_MAX]
        )
    if kinds:
        yield Advice(
            id="build-tools",
            impact=Impact.IMPROVE,
            what=f"The image has {', '.join(kinds)}.",
            places=tuple(places),
            way_out="They stay behind in the build stage (in a hardened line: the -dev image). Scripts that call "
            "them are listed by themselves.",
        )
    held = [one for kind in TOOLS if kind not in REMOVED for one in tools.get(kind, ()) if one.entry.path in ours]
    if held:
        yield Advice(
            id="tools-in-application",
            impact=Impact.IMPROVE,
            what=f"The application's own folders hold tools: {_names([tool for one in held for tool in one.tools])}.",
            places=_few([Place(path=one.entry.path, layer=one.entry.layer) for one in held]),
            way_out="The proposal keeps them, as the application may work with them. Install it without its "
            "development dependencies (npm ci --omit=dev, pip without extras) where it does not.",
        )
    packages = [package for package in evidence.inventory.installed if _is_development(package)]
    if packages:
        shown = _names([package.name for package in packages])
        yield Advice(
            id="build-packages",
            impact=Impact.IMPROVE,
            what=f"{count(len(packages), 'package')} are for building: {shown}.",
            places=_few([Place(package=package.purl, path=_stated(package)) for package in packages]),
            way_out="They stay behind in the build stage (in a hardened line: the -dev image).",
        )


def _names(names: list[str]) -> str:
    names = list(dict.fromkeys(names))
    more = f" and {len(names) - NAMES_MAX} more" if len(names) > NAMES_MAX else ""
    return ", ".join(names[:NAMES_MAX]) + more


def _is_development(package: Package) -> bool:
    return package.type in ("deb", "apk", "rpm") and _DEVELOPMENT.fullmatch(package.name) is not None


def _stated(package: Package) -> str | None:
    return package.locations[0].path if package.locations else None


def _few(places: list[Place]) -> tuple[Place, ...]:
    more = [Place(text=f"{len(places) - PLACES_MAX:,} more")] if len(places) > PLACES_MAX else []
    return (*places[:PLACES_MAX], *more)


def dockerfile_advice(dockerfile: Dockerfile, config: ImageConfig) -> Iterator[Advice | Gap]:
    """What the last stage does that needs a shell, and where the file and the image differ."""
    last = dockerfile.stages[-1]
    runs = [one for one in last.named("RUN") if one.form is None]
    if runs:
        fetching = sum(_FETCHES.search(one.arguments) is not None for one in runs)
        also = f", {fetching} of them with a package manager" if fetching else ""
        yield Advice(
            id="run-in-last-stage",
            impact=Impact.BREAKS,
            what=f"The last stage has {count(len(runs), 'RUN instruction')} for a shell{also}: "
            "on a hardened base they fail.",
            places=tuple(_place(one) for one in runs[:PLACES_MAX]),
            way_out="The proposal makes that stage a build stage and copies from it.",
        )
    for one in last.named("SHELL"):
        yield Advice(
            id="shell-instruction",
            impact=Impact.IMPROVE,
            what="SHELL is set, which has no meaning without a shell.",
            places=(_place(one),),
            way_out="Leave it to the build stages.",
        )
    for one in last.named("ONBUILD"):
        yield Advice(
            id="on-build",
            impact=Impact.MAY_BREAK,
            what="ONBUILD acts in images that are built from this one, which then need what it calls.",
            places=(_place(one),),
            way_out="Offer a -dev image for building on, with the trigger, and a runtime image without.",
        )
    if last.unresolved:
        yield Gap(what=f"the base of the last stage ({last.base}) has a variable without a value in the Dockerfile")
    yield from _differences(dockerfile, last, config)


def _differences(dockerfile: Dockerfile, last: Stage, config: ImageConfig) -> Iterator[Gap]:
    for name, values in (("ENTRYPOINT", config.entrypoint), ("CMD", config.cmd)):
        said = dockerfile.last(last, name)
        if said is None:
            continue
        words = said.form if said.form is not None else (*(config.shell or ("/bin/sh", "-c")), said.arguments)
        if words != values:
            yield Gap(
                what=f"{name} in line {said.line} of the Dockerfile is not what the image has: "
                "the file may be another image's"
            )


def config_on_build(config: ImageConfig) -> Iterator[Advice]:
    """ONBUILD triggers in the image itself."""
    if config.on_build:
        yield Advice(
            id="on-build",
            impact=Impact.MAY_BREAK,
            what=f"The image has {count(len(config.on_build), 'ONBUILD trigger')} for images that are built from it.",
            places=tuple(Place(config="OnBuild", text=text[:160]) for text in config.on_build[:PLACES_MAX]),
            way_out="Offer a -dev image for building on, with the triggers, and a runtime image without.",
        )


def with_lines(advice: Advice, dockerfile: Dockerfile) -> Advice:
    """`advice` with the lines of the Dockerfile that its places come from, where they can be told."""
    last = dockerfile.stages[-1]
    known = variables(dockerfile, last)
    return replace(advice, places=tuple(_with_line(place, dockerfile, last, known) for place in advice.places))


def _with_line(place: Place, dockerfile: Dockerfile, last: Stage, known: Mapping[str, str]) -> Place:
    if place.dockerfile_line is not None:
        return place
    found: Instruction | None = None
    if place.config is not None:
        found = _of_config(place, dockerfile, last, known)
    elif place.path is not None:
        found = _of_path(place.path, last, known) or _of_package(place.package, last)
    elif place.package is not None:
        found = _of_package(place.package, last)
    return place if found is None else replace(place, dockerfile_line=found.line)


_KEYS = {"Cmd": "CMD", "Entrypoint": "ENTRYPOINT", "Healthcheck": "HEALTHCHECK", "User": "USER", "OnBuild": "ONBUILD"}


def _of_config(place: Place, dockerfile: Dockerfile, last: Stage, known: Mapping[str, str]) -> Instruction | None:
    """The instruction behind a key of the config, or behind one entry of it."""
    key, text = place.config or "", place.text or ""
    for name in key.split(" and "):
        if name in _KEYS and (found := dockerfile.last(last, _KEYS[name])) is not None:
            return found
    wanted = {
        "ExposedPorts": ("EXPOSE", text.partition("/")[0]),
        "Volumes": ("VOLUME", f"/{place.path}" if place.path is not None else text),
        "Env": ("ENV", text.partition("=")[0]),
    }.get(key)
    if wanted is None or not wanted[1]:
        return None
    word = re.compile(rf"(?<![\w./-]){re.escape(wanted[1])}(?![\w.-])")
    for stage in dockerfile.lineage(last):
        for one in reversed(tuple(stage.named(wanted[0]))):
            if word.search(expand(one.arguments, known)[0]):
                return one
    return None


def _of_path(path: str, last: Stage, known: Mapping[str, str]) -> Instruction | None:
    """The last COPY or ADD of the last stage whose target is `path` or a folder above it."""
    working_dir = "/"
    found: Instruction | None = None
    for one in last.named("WORKDIR", "COPY", "ADD"):
        if one.name == "WORKDIR":
            working_dir = posixpath.join(working_dir, expand(one.arguments, known)[0])
            continue
        words = one.form or tuple(expand(one.arguments, known)[0].split())
        if len(words) < 2:
            continue
        target = posixpath.normpath(posixpath.join(working_dir, words[-1])).strip("/")
        named = posixpath.basename(path) in (posixpath.basename(word) for word in words[:-1])
        if path == target or (target and path.startswith(f"{target}/")) or (not target and named):
            found = one
    return found


def _of_package(purl: str | None, last: Stage) -> Instruction | None:
    """The RUN of the last stage that names a package."""
    match = re.match(r"pkg:[^/]+/(?:[^/@]+/)*([^/@?]+)", purl or "")
    if match is None:
        return None
    word = re.compile(rf"(?<![\w.+/-]){re.escape(match[1])}(?![\w.+-])")
    return next((one for one in last.named("RUN") if word.search(one.arguments)), None)


def _place(one: Instruction) -> Place:
    text = " ".join(f"{one.name} {one.arguments}".split())
    return Place(dockerfile_line=one.line, text=text if len(text) <= 160 else f"{text[:157]}...")
