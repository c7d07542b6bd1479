"""``hullmark verify``: only signatures and attestations."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from compliance.cli import options, output
from compliance.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from compliance.model.verification import Attestation, Signature, Verification


def command(
    image: options.ImageArgument,
    outputs: options.Output = None,
    key: options.Key = None,
    certificate_identity: options.Identity = None,
    certificate_identity_regexp: options.IdentityRegexp = None,
    certificate_oidc_issuer: options.Issuer = None,
    certificate_oidc_issuer_regexp: options.IssuerRegexp = None,
    trusted_root: options.TrustedRoot = None,
    insecure_ignore_tlog: options.IgnoreTlog = False,
    require: Annotated[
        list[str] | None,
        typer.Option("--require", metavar="signature|PREDICATE_TYPE", help="Must verify; may be repeated."),
    ] = None,
    platform: options.PlatformOption = None,
    effective_time: options.EffectiveTime = None,
    quiet: options.Quiet = False,
    offline: options.Offline = False,
) -> None:
    """Verify the signatures and attestations that lie with an image, offline.

    Exit code: 0 when what was demanded verifies, 12 when material is there but nothing demanded verifies, 11 when
    there is nothing to verify.
    """
    from compliance.pipeline import Options, Trust, open_image, verify
    from reports.assessment_json import verification_document

    targets = output.parse_targets(outputs, ("table", "json"), "table")
    now, effective = options.clock(effective_time)
    chosen = Options(
        platform=options.parse_platform(platform),
        trust=Trust(
            key=options.read_given(key, "public key"),
            identity=certificate_identity,
            identity_regexp=certificate_identity_regexp,
            issuer=certificate_oidc_issuer,
            issuer_regexp=certificate_oidc_issuer_regexp,
            trusted_root=options.read_given(trusted_root, "trusted root"),
            allow_no_log=insecure_ignore_tlog,
        ),
        now=now,
        effective=effective,
    )
    found = open_image(image, chosen)
    if not quiet:
        output.say_notices(found, verbose=False)
    verification = verify(found, chosen)
    if require and not verification.demand.made:
        raise UsageError(
            "--require needs a signer to require it of", code="usage", hint="add --key or --certificate-identity"
        )
    for target in targets:
        if target.format == "json":
            content = json.dumps(verification_document(verification), indent=2, ensure_ascii=False) + "\n"
        else:
            content = _table(verification)
        output.write(target, content.encode("utf-8", "backslashreplace"))
    raise typer.Exit(int(decide(verification, tuple(require or ()))))


def decide(verification: Verification, required: tuple[str, ...]) -> ExitCode:
    """The exit code. Without a demanded signer nothing is trusted, so verified material leaves it undetermined."""
    from compliance.model.verification import Verdict

    material = (*verification.signatures, *verification.attestations)
    if not material:
        return ExitCode.NOT_VERIFIED if verification.unreadable else ExitCode.NOT_DETERMINED
    if not verification.demand.made:
        return ExitCode.NOT_DETERMINED
    verified = {"signature" for item in verification.signatures if item.verdict is Verdict.VERIFIED}
    verified |= {item.predicate_type for item in verification.attestations if item.verdict is Verdict.VERIFIED}
    held = set(required) <= verified if required else bool(verified)
    return ExitCode.SATISFIED if held else ExitCode.NOT_VERIFIED


def _table(verification: Verification) -> str:
    lines = []
    for signature in verification.signatures:
        lines += _lines("signature", signature)
    for attestation in verification.attestations:
        lines += _lines(f"attestation {attestation.predicate_type}", attestation)
    lines += [f"unreadable: {where}: {why}" for where, why in verification.unreadable]
    if not lines:
        lines.append("no signature and no attestation lies with this image")
    return "".join("".join(c if c.isprintable() else " " for c in line) + "\n" for line in lines)


def _lines(what: str, item: Signature | Attestation) -> list[str]:
    signer = item.signer
    who = signer.identity or (f"key {signer.key_id}" if signer.key_id else None)
    lines = [f"{item.verdict.value:10} {what}"]
    if who:
        lines.append(f"           by {who}" + (f" (issuer {signer.issuer})" if signer.issuer else ""))
    lines.append(f"           {item.reason}; transparency: {item.transparency}")
    return lines
