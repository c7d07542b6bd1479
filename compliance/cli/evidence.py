"""``hullmark evidence``: check an evidence bundle again, offline."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from pathlib import Path

from compliance.cli import options
from compliance.cli.parser import Parser
from compliance.errors import ExitCode

SUMMARY = "check every digest and signature of an evidence folder, offline"
DESCRIPTION = "Check an evidence folder again, offline, without the image."


def arguments(parser: Parser) -> None:
    """verify."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True, parser_class=Parser)
    verify = actions.add_parser(
        "verify",
        help="check digests, signatures, and that the files agree with each other",
        description=(
            "Check every digest and signature of an evidence folder, offline. Without --key the key that lies in the "
            "folder is taken: that shows that nothing changed since it signed, not who signed. Exit code 0 all "
            "holds, 11 nothing is wrong but nothing is signed, 12 something does not hold."
        ),
    )
    verify.add_argument("place", metavar="DIR", help="an evidence folder")
    verify.add_argument("--key", metavar="PEM", help="public key whose signatures are demanded")
    verify.add_argument("--json", action="store_true", help="as JSON")
    verify.add_argument("-q", "--quiet", action="store_true", help="only the exit code and errors")
    verify.add_argument("--offline", action="store_true", help="touch no network (it never does)")


def run(values: Namespace) -> int:
    """Verify and say what was found."""
    from compliance.model.verification import Verdict
    from compliance.store.evidence_bundle import verify_bundle
    from reports.pdf_attachments import embedded_files

    key = options.read_given(values.key, "public key")
    report = verify_bundle(Path(values.place), key=key, embedded_files=embedded_files)
    findings = [
        {"what": finding.what, "verdict": finding.verdict.value, "reason": finding.reason}
        for finding in report.findings
    ]
    if values.json:
        document = {"subject": report.subject, "keyId": report.key_id, "findings": findings}
        sys.stdout.write(json.dumps(document, indent=2) + "\n")
    elif not values.quiet:
        by = f"key {report.key_id}" if report.key_id else "no key"
        lines = [f"{item['verdict']:10} {item['what']}: {item['reason']}" for item in findings]
        lines.append(f"{len(findings)} findings about {report.subject}, {len(report.wrong)} wrong, {by}")
        sys.stdout.write("".join(f"{line}\n" for line in lines))
    report.demand()
    signed = any(
        finding.verdict is Verdict.VERIFIED and finding.what.startswith("attestations/") for finding in report.findings
    )
    return ExitCode.SATISFIED if signed else ExitCode.NOT_DETERMINED
