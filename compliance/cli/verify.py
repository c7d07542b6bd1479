"""``hullmark verify``: only signatures and attestations."""

from __future__ import annotations

import json
from argparse import Namespace
from typing import TYPE_CHECKING

from compliance.cli import options, output
from compliance.cli.parser import Parser
from compliance.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from compliance.model.verification import Attestation, PolicyAnswer, Signature, Verification


SUMMARY = "only signatures and attestations, offline"
DESCRIPTION = (
    "Verify the signatures and attestations that lie with an image, offline. Exit code 0 when what was demanded "
    "verifies, 12 when material is there but what was demanded does not verify, 11 when there is nothing to verify, "
    "nobody was demanded, or no rule of the trust policy is about the image."
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
    if required and (chosen.trust.policy is not None or not verification.demand.made):
        raise UsageError(
            "--require needs one signer to require it of, named by an option",
            code="usage",
            hint="add --key or --certificate-identity; a trust policy says itself what is required",
        )
    for target in targets:
        if target.format == "json":
            content = json.dumps(verification_document(verification), indent=2, ensure_ascii=False) + "\n"
        else:
            content = _table(verification)
        output.write(target, content.encode("utf-8", "backslashreplace"))
    return decide(verification, required)


_CODES = {"held": ExitCode.SATISFIED, "not-held": ExitCode.NOT_VERIFIED, "undetermined": ExitCode.NOT_DETERMINED}


def decide(verification: Verification, required: tuple[str, ...]) -> ExitCode:
    """The exit code. Without a demanded signer nothing is trusted, so verified material leaves it undetermined.

    Where nothing is required by name, anything that verifies for the demanded signer will do. What can't be read and
    what nobody signed is nothing that could be verified.
    """
    from compliance.model.verification import PolicyState, Verdict
    from compliance.verify.trust_policy import together

    items: tuple[Signature | Attestation, ...] = (*verification.signatures, *verification.attestations)
    signed = [item for item in items if item.verdict is not Verdict.UNSIGNED]
    if verification.policy is not None:
        return _CODES[verification.policy.state]
    if not (signed and verification.demand.made):
        return ExitCode.NOT_DETERMINED
    verified = {item.what for item in signed if item.verdict is Verdict.VERIFIED}
    if not required:
        return ExitCode.SATISFIED if verified else ExitCode.NOT_VERIFIED
    there = {item.what for item in signed}
    missing = {what: PolicyState.NOT_HELD if what in there else PolicyState.UNDETERMINED for what in required}
    states = (PolicyState.HELD if what in verified else missing[what] for what in required)
    return _CODES[together(states, material=True)]


def _table(verification: Verification) -> str:
    lines = []
    for signature in verification.signatures:
        lines += _lines("signature", signature)
    for attestation in verification.attestations:
        lines += _lines(f"attestation {attestation.predicate_type}", attestation)
    lines += [f"unreadable: {where}: {why}" for where, why in verification.unreadable]
    if not lines:
        lines.append("no signature and no attestation lies with this image")
    if verification.policy is not None:
        lines += _policy_lines(verification.policy)
    return "".join(f"{output.printable(line)}\n" for line in lines)


def _policy_lines(policy: PolicyAnswer) -> list[str]:
    lines = [f"trust policy {policy.state.value}: {policy.reason} ({policy.digest})"]
    for answer in policy.requirements:
        lines.append(f"  {answer.state.value:12} {' or '.join(answer.what)} by {' or '.join(answer.signers)}")
        lines.append(f"               {answer.reason}")
    return lines


def _lines(what: str, item: Signature | Attestation) -> list[str]:
    signer = item.signer
    who = signer.identity or (f"key {signer.key_id}" if signer.key_id else None)
    lines = [f"{item.verdict.value:10} {what}"]
    if who:
        lines.append(f"           by {who}" + (f" (issuer {signer.issuer})" if signer.issuer else ""))
    lines.append(f"           {item.reason}; transparency: {item.transparency}")
    return lines
