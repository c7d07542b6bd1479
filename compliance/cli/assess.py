"""``hullmark assess``: the main job."""

from __future__ import annotations

import sys
from argparse import Namespace
from dataclasses import replace
from pathlib import Path

from compliance.cli import options, output
from compliance.cli.parser import Parser
from compliance.errors import UsageError

SUMMARY = "the main job: inventory, signatures, checks, controls; reports and evidence"
DESCRIPTION = (
    "Assess an image: what is in it, who signed it, how hardened it is, and which controls that bears on. "
    "Prints a summary; -o writes other formats, --evidence the whole bundle."
)


def arguments(parser: Parser) -> None:
    """What to assess, against what, and what to write."""
    options.add_image(parser)
    options.add_output(
        parser, "table, json, cyclonedx-json, cyclonedx-xml, spdx-json, oscal-ar, oscal-ap, csv, markdown, pdf"
    )
    parser.add_argument("--evidence", metavar="DIR", help="write the whole evidence bundle to this folder")
    parser.add_argument(
        "--sign-key",
        metavar="PEM",
        help="ECDSA P-256 key that signs the attestations; generate:PEM makes it where it is missing",
    )
    parser.add_argument(
        "--profile", metavar="NAME", default="auto", help="what the image is held against: auto, runtime, dev or sdk"
    )
    parser.add_argument("--framework", action="append", metavar="ID", help="only this framework; may be repeated")
    parser.add_argument("--fail-on", metavar="SEVERITY", default="high", help="low, medium, high (default) or critical")
    options.add_trust(parser)


def run(values: Namespace) -> int:
    """Assess, write the evidence, then the outputs. The exit code is the verdict."""
    from compliance.cli import progress
    from compliance.formats import sbom
    from compliance.pipeline import assess, write_evidence
    from compliance.sign.key_signer import signing_key
    from reports.assessment_json import document
    from reports.exporter import FORMATS

    targets = output.parse_targets(values.output, (*FORMATS, *sbom.NAMES), "table")
    if values.sign_key is not None and values.evidence is None:
        raise UsageError("--sign-key signs the evidence", code="usage", hint="add --evidence DIR")
    chosen = replace(
        options.run_options(values, options.trust_of(values)),
        variant=options.parse_variant(values.profile),
        frameworks=tuple(values.framework) if values.framework else None,
        fail_on=options.parse_severity(values.fail_on),
    )
    signer = signing_key(values.sign_key) if values.sign_key is not None else None
    color = output.use_color(values.color)
    watcher = progress.watcher(quiet=values.quiet, no_progress=values.no_progress)
    try:
        assessment = assess(values.image, chosen, watcher)
        if values.evidence is not None:
            write_evidence(Path(values.evidence), assessment, signer, watcher)
        shape = document(assessment)
        contents = [output.render(target, shape, assessment, color=color) for target in targets]
    finally:
        watcher.close()
    if not values.quiet:
        output.say_notices(assessment.evidence.image, verbose=values.verbose)
    for target, content in zip(targets, contents, strict=True):
        output.write(target, content)
    if values.evidence is not None and not values.quiet:
        sys.stderr.write(f"evidence: {values.evidence} (report: {Path(values.evidence) / 'report.pdf'})\n")
    return assessment.summary.outcome
