"""``hullmark verify``: only signatures and attestations."""

from __future__ import annotations

import json
from argparse import Namespace
from typing import TYPE_CHECKING

from compliance.cli import options, output
from compliance.cli.parser import Parser
from compliance.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from compliance.model.verification import Attestation, Signature, Verification


SUMMARY = "only signatures and attestations, offline"
DESCRIPTION = (
    "Verify the signatures and attestations that lie with an image, offline. Exit code 0 when what was demanded "
    "verifies, 12 when material is there but nothing demanded verifies, 11 when there is nothing to verify."
)


def arguments(parser: Parser) -> None:
    """What to verify and against whom."""
    options.add_image(parser)
    options.add_output(parser, "table, json")
    options.add_trust(parser)
    parser.add_argument(
        "--require",
        action="append",
        metavar="WHAT",
        help="must verify: signature, or a predicate type; may be repeated",
    )


def run(values: Namespace) -> int:
    """Read what is attached, verify it, say what was found."""
    from compliance.pipeline import open_image, verify
    from reports.assessment_json import verification_document

    targets = output.parse_targets(values.output, ("table", "json"), "table")
    chosen = options.run_options(values, options.trust_of(values))
    image = open_image(values.image, chosen)
    if not values.quiet:
        output.say_notices(image, verbose=values.verbose)
    verification = verify(image, chosen)
    required = tuple(values.require or ())
    if required and not verification.demand.made:
        raise UsageError(
            "--require needs a signer to require it of", code="usage", hint="add --key or --certificate-identity"
        )
    for target in targets:
        if target.format == "json":
            content = json.dumps(verification_document(verification), indent=2, ensure_ascii=False) + "\n"
        else:
            content = _table(verification)
        output.write(target, content.encode("utf-8", "backslashreplace"))
    return decide(verification, required)


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
    return "".join(f"{output.printable(line)}\n" for line in lines)


def _lines(what: str, item: Signature | Attestation) -> list[str]:
    signer = item.signer
    who = signer.identity or (f"key {signer.key_id}" if signer.key_id else None)
    lines = [f"{item.verdict.value:10} {what}"]
    if who:
        lines.append(f"           by {who}" + (f" (issuer {signer.issuer})" if signer.issuer else ""))
    lines.append(f"           {item.reason}; transparency: {item.transparency}")
    return lines
