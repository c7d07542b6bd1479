"""``hullmark assess``: the main job."""

from __future__ import annotations

import sys
from argparse import Namespace
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from compliance.api.given import supplied_reports, waiver_files
from compliance.cli import branding, options, output, signing
from compliance.cli.parser import Parser
from compliance.errors import UsageError

if TYPE_CHECKING:
    from compliance.pipeline import Options

SUMMARY = "the main job: inventory, signatures, checks, controls; reports and evidence"
DESCRIPTION = (
    "Assess an image: what is in it, who signed it, how hardened it is, and which controls that bears on. "
    "Prints a summary; -o writes other formats, --evidence the whole bundle."
)


def arguments(parser: Parser) -> None:
    """What to assess, against what, and what to write."""
    options.add_image(parser)
    options.add_output(
        parser,
        "table, json, cyclonedx-json, cyclonedx-xml, spdx-json, oscal-ar, oscal-ap, "
        "oscal-component, oscal-mapping, oscal-poam, csv, markdown, html, pdf, sarif, junit",
    )
    options.add_oscal_version(parser)
    parser.add_argument(
        "--declarations",
        action="store_true",
        help="put the frameworks, and what the checks claim about their requirements, into cyclonedx-json",
    )
    parser.add_argument("--evidence", metavar="DIR", help="write the whole evidence bundle to this folder")
    signing.add_signer(parser)
    signing.add_pdf_signing(parser)
    add_inputs(parser)
    branding.add_branding(parser)


def add_inputs(parser: Parser) -> None:
    """What the image is held against, and what is known of it besides: all that decides its results."""
    parser.add_argument(
        "--profile",
        metavar="NAME|FILE",
        default="auto",
        help="what the image is held against: auto, runtime, dev, sdk, or a profile of your own",
    )
    parser.add_argument("--baseline", metavar="IMAGE", help="an approved earlier image; what changed since is drift")
    parser.add_argument(
        "--approved-base",
        action="append",
        metavar="IMAGE|DIGEST",
        help="a base image that may be built on; may be repeated",
    )
    parser.add_argument(
        "--scan",
        action="append",
        metavar="FILE",
        help="a report of a scan, test or benchmark, or VEX, about the image: unsigned evidence; may be repeated",
    )
    parser.add_argument(
        "--framework",
        action="append",
        metavar="ID|FILE",
        help="only this framework, or one of your own, or an overlay (all: every shipped one); may be repeated",
    )
    parser.add_argument(
        "--checks",
        action="append",
        metavar="FILE|NAME",
        help="checks of your own: a YAML file, or an installed plugin by name; may be repeated",
    )
    parser.add_argument("--fail-on", metavar="SEVERITY", default="high", help="low, medium, high (default) or critical")
    options.add_waivers(parser)
    options.add_trust(parser)


def inputs_of(values: Namespace) -> Options:
    """What `add_inputs` and the image's own options gathered, files read. Raises UsageError."""
    if values.baseline is not None and options.is_assessment(values.baseline):
        raise UsageError(
            "a baseline is an image: an assessment holds no files to compare with",
            code="usage",
            where=values.baseline,
            hint="name the image it is about; hullmark diff compares two assessments",
        )
    variant, definitions = options.definitions_of(values)
    return replace(
        options.run_options(values, options.trust_of(values)),
        variant=variant,
        definitions=definitions,
        waivers=waiver_files(values.waivers or ()),
        fail_on=options.parse_severity(values.fail_on),
        baseline=values.baseline,
        approved_bases=tuple(values.approved_base or ()),
        supplied=supplied_reports(values.scan or ()),
    )


def run(values: Namespace) -> int:
    """Assess, write the evidence, then the outputs. The exit code is the verdict."""
    from compliance.cli import progress
    from compliance.formats import sbom
    from compliance.pipeline import assess, write_evidence
    from reports.assessment_json import document
    from reports.exporter import FORMATS

    targets = output.parse_targets(values.output, (*FORMATS, *sbom.NAMES), "table")
    in_evidence = [output.Target(format=name, file=None) for name in ("oscal-ar", "oscal-ap")]
    with_files = values.evidence is not None or any(target.format == "pdf" for target in targets)
    output.demand_version((*targets, *(in_evidence if with_files else ())), values.oscal_version)
    if values.declarations and not any(target.format == "cyclonedx-json" for target in targets):
        raise UsageError("declarations are written in cyclonedx-json", code="usage", hint="add -o cyclonedx-json=FILE")
    if values.sign_key is not None and values.evidence is None:
        raise UsageError("--sign-key signs the evidence", code="usage", hint="add --evidence DIR")
    chosen = inputs_of(values)
    brand = branding.branding_of(values)
    signer = signing.signer_of(values)
    sign_pdf = signing.pdf_signing_of(values, signer, chosen.now)
    color = output.use_color(values.color)
    watcher = progress.watcher(quiet=values.quiet, no_progress=values.no_progress)
    try:
        assessment = assess(values.image, chosen, watcher)
        if values.evidence is not None:
            write_evidence(
                Path(values.evidence),
                assessment,
                signer,
                watcher,
                branding=brand,
                sign_pdf=sign_pdf,
                oscal_version=values.oscal_version,
            )
        shape = document(assessment)
        contents = [
            output.render(
                target,
                shape,
                assessment,
                color=color,
                oscal_version=values.oscal_version,
                declarations=values.declarations,
                branding=brand,
            )
            for target in targets
        ]
    finally:
        watcher.close()
    if not values.quiet:
        output.say_notices(assessment.evidence.image, verbose=values.verbose)
        if assessment.evidence.baseline is not None:
            output.say_notices(assessment.evidence.baseline.image, verbose=values.verbose)
    for target, content in zip(targets, contents, strict=True):
        output.write(target, content)
    if values.evidence is not None and not values.quiet:
        sys.stderr.write(f"evidence: {values.evidence} (report: {Path(values.evidence) / 'report.pdf'})\n")
    return assessment.summary.outcome
