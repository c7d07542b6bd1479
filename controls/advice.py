"""What will not work when an image moves to a hardened runtime, and the way out.

A hardened runtime has no shell and no package manager, runs as uid 65532 without privilege, and its root file system
may be mounted read-only. Pure: the evidence of the image, that of the target if one is named, and a Dockerfile's text
go in; what can't be read from them is a gap, never a guess.
"""

from __future__ import annotations

from collections.abc import Iterable

from compliance.formats.dockerfile import Dockerfile
from compliance.model.advice import Advice, CompatibilityAdvice, Gap, Impact, Place, Subject
from compliance.model.evidence import Evidence
from compliance.model.filesystem import display_path
from compliance.model.request import ContentRequest
from controls.advice_build import build_advice, config_on_build, dockerfile_advice, with_lines
from controls.advice_runtime import runtime_advice
from controls.application import package_of
from controls.detection import detect
from controls.load_closure import REQUEST as LOADER
from controls.proposed_dockerfile import propose
from controls.runtime_plan import TOOLS, RuntimePlan, plan_runtime
from controls.start_plan import plan_start

REQUESTS = (
    LOADER,
    ContentRequest(
        name="sourced-scripts", globs=("**/*.sh", "**/*.bash", "**/entrypoint", "**/*-entrypoint"), max_size=256 * 1024
    ),
)
"""The contents that advice is made from, beside those that every reading keeps."""

DEBUGGING = (
    "Tools for looking into a running container come from a debug container beside it, not from the image:",
    "docker debug CONTAINER (Docker Desktop): a shell with a toolbox of its own; nothing is added to the image",
    "kubectl debug -it POD --image=TOOLS --target=CONTAINER: an ephemeral container in the same process namespace; the "
    "application's files are under /proc/1/root, for its own user or one with SYS_PTRACE",
)


def advise(
    evidence: Evidence,
    *,
    target: Evidence | None = None,
    dockerfile: Dockerfile | None = None,
    dockerfile_name: str | None = None,
) -> CompatibilityAdvice:
    """Everything about moving the image of `evidence` to `target`, or to a bare hardened runtime."""
    start = plan_start(evidence)
    tools = {kind: detect(evidence, kind).findings for kind in TOOLS}
    plan = plan_runtime(evidence, start, target, tools)
    found: list[Advice | Gap] = [*start.advice, *start.gaps, *plan.advice, *plan.gaps, *_limits(evidence, target)]
    found.extend(_placeholder(evidence, plan))
    found.extend(runtime_advice(evidence, start, plan))
    found.extend(build_advice(evidence, plan, tools))
    config = evidence.image.config
    if config is not None and dockerfile is not None:
        found.extend(dockerfile_advice(dockerfile, config))
    elif config is not None:
        found.extend(config_on_build(config))
    advice = [one for one in found if isinstance(one, Advice)]
    if dockerfile is not None:
        advice = [with_lines(one, dockerfile) for one in advice]
    return CompatibilityAdvice(
        subject=_subject(evidence),
        target=_subject(target) if target is not None else None,
        dockerfile=dockerfile_name,
        advice=tuple(sorted(advice, key=lambda one: -one.impact)),
        gaps=tuple(dict.fromkeys(one for one in found if isinstance(one, Gap))),
        proposal=propose(evidence, start, plan, dockerfile) if config is not None and not start.interactive else None,
        debugging=DEBUGGING,
    )


def _placeholder(evidence: Evidence, plan: RuntimePlan) -> Iterable[Advice | Gap]:
    """An interpreted application without a target: it is for the target to bring the interpreter."""
    if plan.placeholder is None:
        return
    entry, language = plan.placeholder.entry, plan.placeholder.language
    owner = package_of(evidence, entry)
    package = next((one for one in evidence.inventory.installed if one.purl == owner), None)
    version = f", {package.name} {package.version}" if package is not None else ""
    yield Advice(
        id="interpreter",
        impact=Impact.MAY_BREAK,
        what=f"The application needs {language} ({display_path(entry.path)}{version}): the target has to ship it, "
        "in the same version.",
        places=(Place(path=entry.path, layer=entry.layer, package=owner, text=plan.placeholder.word),),
        way_out=f"Choose a hardened {language} image and name it with --to, so that its interpreter and libraries are "
        "compared with what the application needs.",
    )
    yield Gap(what=f"whether the target has {language} and the libraries of it: no target was named", decisive=True)


def _subject(evidence: Evidence) -> Subject:
    image = evidence.image
    return Subject(
        reference=str(image.reference),
        digest=image.digest,
        platform=str(image.platform) if image.platform is not None else None,
    )


def _limits(evidence: Evidence, target: Evidence | None) -> Iterable[Gap]:
    """What was not read, and what no reading of an image shows."""
    for name, one in (("image", evidence), ("target", target)):
        if one is not None and not one.filesystem.wholly_read:
            first = one.filesystem.unread[0]
            yield Gap(what=f"the {name} was not wholly read: {display_path(first.path)}: {first.reason}", decisive=True)
    if target is not None and evidence.image.platform is not None and target.image.platform is not None:
        mine, other = evidence.image.platform, target.image.platform
        if (mine.os, mine.architecture) != (other.os, other.architecture):
            yield Gap(what=f"the image is for {mine}, the target for {other}", decisive=True)
    yield Gap(
        what="whether the program itself starts a shell or other programs (system(3), popen, subprocess) is not read "
        "from its code"
    )
