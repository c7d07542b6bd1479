"""``hullmark assess``: the main job."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from compliance.cli import options, output, progress
from compliance.errors import UsageError


def command(
    image: options.ImageArgument,
    outputs: options.Output = None,
    evidence: Annotated[
        Path | None, typer.Option("--evidence", metavar="DIR", help="Write the whole evidence bundle to this folder.")
    ] = None,
    profile: Annotated[
        str, typer.Option("--profile", metavar="auto|runtime|dev|sdk", help="What the image is held against.")
    ] = "auto",
    framework: Annotated[
        list[str] | None, typer.Option("--framework", metavar="ID", help="Only this framework; may be repeated.")
    ] = None,
    key: options.Key = None,
    certificate_identity: options.Identity = None,
    certificate_identity_regexp: options.IdentityRegexp = None,
    certificate_oidc_issuer: options.Issuer = None,
    certificate_oidc_issuer_regexp: options.IssuerRegexp = None,
    trusted_root: options.TrustedRoot = None,
    insecure_ignore_tlog: options.IgnoreTlog = False,
    sign_key: Annotated[
        str | None,
        typer.Option(
            "--sign-key",
            metavar="PEM|generate:PEM",
            help="ECDSA P-256 key that signs the attestations; generate: makes it where it is missing.",
        ),
    ] = None,
    fail_on: Annotated[
        str, typer.Option("--fail-on", metavar="SEVERITY", help="low, medium, high or critical.")
    ] = "high",
    platform: options.PlatformOption = None,
    effective_time: options.EffectiveTime = None,
    color: options.Color = "auto",
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    no_progress: options.NoProgress = False,
    offline: options.Offline = False,
) -> None:
    """Assess an image: inventory, signatures, hardening checks, controls; then write reports and evidence.

    Exit code: 0 satisfied, 10 not satisfied, 11 not determined, 12 the image does not verify, 1 the tool failed,
    2 usage.
    """
    from compliance.pipeline import Options, Trust, assess, write_evidence
    from compliance.sign.key_signer import signing_key
    from reports.assessment_json import document
    from reports.exporter import FORMATS

    targets = output.parse_targets(outputs, (*FORMATS, "cyclonedx-json"), "table")
    colored = output.use_color(color)
    now, effective = options.clock(effective_time)
    if sign_key is not None and evidence is None:
        raise UsageError("--sign-key signs the evidence", code="usage", hint="add --evidence DIR")
    chosen = Options(
        platform=options.parse_platform(platform),
        variant=options.parse_variant(profile),
        frameworks=tuple(framework) if framework else None,
        trust=Trust(
            key=options.read_given(key, "public key"),
            identity=certificate_identity,
            identity_regexp=certificate_identity_regexp,
            issuer=certificate_oidc_issuer,
            issuer_regexp=certificate_oidc_issuer_regexp,
            trusted_root=options.read_given(trusted_root, "trusted root"),
            allow_no_log=insecure_ignore_tlog,
        ),
        fail_on=options.parse_severity(fail_on),
        now=now,
        effective=effective,
    )
    signer = signing_key(sign_key) if sign_key is not None else None
    watcher = progress.watcher(quiet=quiet, no_progress=no_progress)
    try:
        assessment = assess(image, chosen, watcher)
        if evidence is not None:
            write_evidence(evidence, assessment, signer, watcher)
        shape = document(assessment)
        contents = [output.render(target, shape, assessment, color=colored) for target in targets]
    finally:
        watcher.close()
    if not quiet:
        output.say_notices(assessment.evidence.image, verbose=verbose)
    for target, content in zip(targets, contents, strict=True):
        output.write(target, content)
    if evidence is not None and not quiet:
        sys.stderr.write(f"evidence: {evidence} (report: {evidence / 'report.pdf'})\n")
    raise typer.Exit(int(assessment.summary.outcome))
