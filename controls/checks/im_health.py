"""IM-HEALTH: a health check that works without a shell."""

from __future__ import annotations

from compliance.model.evidence import Evidence
from compliance.model.outcome import Check, Failed, NotApplicable, Outcome, Passed, Severity, Trait, Unknown
from controls.accounts import Identity, run_as
from controls.entrypoint import Launch, Role, launches, resolve_program, shell_of, unwrap
from controls.observe import config_observation

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"


def run(evidence: Evidence) -> Outcome:
    """config.Healthcheck, which only Docker's image config defines."""
    config = evidence.image.config
    if config is None:
        return Unknown(reason="a root filesystem has no image config, so no health check is declared")
    test = config.healthcheck or ()
    if not test or test[0] == "":
        if evidence.image.media_type == OCI_MANIFEST:
            return NotApplicable(reason="the OCI image config defines no health check, and this one adds none")
        return Failed(observations=(config_observation("The image config declares no health check."),))
    if test[0] == "NONE":
        return Failed(observations=(config_observation("The image config switches the health check off.", "NONE"),))
    launch = next((launch for launch in launches(config) if launch.role is Role.HEALTH), None)
    if launch is None:
        return Failed(observations=(config_observation("The health check names no command.", " ".join(test)),))
    return _runnable(evidence, launch)


def _runnable(evidence: Evidence, launch: Launch) -> Outcome:
    command = " ".join(launch.argv)
    if launch.shell_text is not None:
        summary = "The health check is in shell form, so it needs a shell in the image."
        return Failed(observations=(config_observation(summary, command),))
    who = run_as(evidence)
    word = unwrap(launch.argv)[0]
    program = resolve_program(evidence, word, who if isinstance(who, Identity) else None)
    if program.problem is not None:
        if program.missing and not evidence.filesystem.wholly_read:
            return Unknown(reason=f"{program.problem} as far as it was read")
        return Failed(observations=(config_observation(f"The health check can't run: {program.problem}.", command),))
    shell = shell_of(program)
    if shell is not None:
        return Failed(observations=(config_observation(f"The health check is run by the shell {shell}.", command),))
    path = program.entry.path if program.entry is not None else word
    return Passed(observations=(config_observation(f"The health check runs /{path} without a shell.", command),))


CHECK = Check(
    id="IM-HEALTH",
    title="HEALTHCHECK present and runnable without a shell",
    trait=Trait.IMMUTABLE,
    severity=Severity.LOW,
    rationale="Without a health check the engine knows only that the process is there, not that it works; one that "
    "is a shell command keeps a shell and often curl in the image for its sake.",
    looks_at="config.Healthcheck, and the program it names in the merged file tree. The OCI image config has no such "
    "field, so an OCI image without one is not held against it.",
    proves="A pass proves that a health check in exec form is declared and that its program, interpreter and loader "
    "exist and may be run by the default user. Whether it tells health is not looked at.",
    remediation='Declare a health check in exec form with a program of the image: HEALTHCHECK CMD ["/app", "health"].',
    run=run,
    references=("Docker image specification v1.2: Healthcheck",),
)
