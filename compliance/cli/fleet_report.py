"""``hullmark fleet report``: how the fleet stands, out of its store, in any format, signed if wanted."""

from __future__ import annotations

import hashlib
from argparse import Namespace
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from compliance.cli import branding, fleet_options, options, output, signing
from compliance.cli.parser import Parser
from compliance.errors import UsageError

if TYPE_CHECKING:
    from compliance.fleet.report import Window
    from compliance.pipeline import SignsPdf
    from compliance.sign.signer import Signer
    from reports.branding import Branding
    from reports.fleet_document import FleetDocument

SUMMARY = "how the fleet stands: coverage, posture, changes, ageing, bases, waivers"
DESCRIPTION = (
    "Report on a run of the fleet out of its store; no image is read. With --from and --to on an audit window: its "
    "runs, those that were missed, and a sample that can be drawn again. With --sign-key a bundle with the SHA-256 of "
    "every written file is put beside them."
)
BUNDLE_NAME = "fleet-report.sigstore.json"
"""Beside the first file."""


def arguments(parser: Parser) -> None:
    """The fleet, the run or the window, the outputs, and who signs them."""
    fleet_options.add_fleet(parser)
    parser.add_argument("--run", metavar="N", help="the number of the run, or latest (the default)")
    parser.add_argument(
        "--from", dest="since", metavar="RFC3339", type=options.parse_time, help="begin of an audit window; with --to"
    )
    parser.add_argument("--to", dest="until", metavar="RFC3339", type=options.parse_time, help="end of it")
    parser.add_argument(
        "--sample", metavar="N", type=int, default=25, help="images to draw for the auditor of a window (default 25)"
    )
    options.add_output(parser, "table, json, html, pdf, csv, markdown, oscal-ar")
    options.add_oscal_version(parser)
    branding.add_branding(parser)
    signing.add_signer(parser)
    signing.add_pdf_signing(parser)
    parser.add_argument("--bundle", metavar="FILE", help=f"where the signature goes; default: {BUNDLE_NAME} beside")
    parser.add_argument("--offline", action="store_true", help="touch no network: an identity can't sign then")


def run(values: Namespace) -> int:
    """Read the store, render, sign, write. 0 whatever the report says: `fleet run` answers for that."""
    from compliance.fleet.report import fleet_report
    from compliance.pipeline import tool_version
    from reports.fleet_exporter import FORMATS

    targets = output.parse_targets(values.output, FORMATS, "table")
    window = _window(values)
    bundle = _bundle(values, targets)
    color = output.use_color(values.color)
    brand = branding.branding_of(values)
    signer = signing.signer_of(values)
    sign_pdf = signing.pdf_signing_of(values, signer, fleet_options.now())
    fleet = fleet_options.fleet_of(values)
    with closing(fleet_options.store_of(values, fleet)) as store:
        document = fleet_report(
            store,
            fleet.name,
            tool={"name": "hullmark", "version": tool_version()},
            run=values.run or "latest",
            window=window,
            schedule=fleet.schedule,
        )
    contents = [
        (target, _render(target, document, values.oscal_version, brand, sign_pdf, color=color)) for target in targets
    ]
    signature = None if signer is None else _signed(document, contents, signer)
    for target, content in contents:
        output.write(target, content)
    if signature is not None and bundle is not None:
        output.write(output.Target(format="bundle", file=bundle), signature)
    return 0


def _window(values: Namespace) -> Window | None:
    from compliance.fleet.report import Window

    if values.since is None and values.until is None:
        return None
    if values.since is None or values.until is None:
        raise UsageError("--from and --to go together", code="usage")
    if values.run is not None:
        raise UsageError("--run and --from exclude each other", code="usage", hint="a window ends with its last run")
    if values.sample < 0:
        raise UsageError("not a number of images", code="usage", where="--sample")
    return Window(since=values.since, until=values.until, sample=values.sample)


def _bundle(values: Namespace, targets: tuple[output.Target, ...]) -> Path | None:
    """Where the signature goes. Raises UsageError where there is nothing to sign, or two files of one name."""
    files = [target.file for target in targets if target.file is not None]
    if values.sign_key is None:
        if values.bundle is not None:
            raise UsageError("--bundle is for a signature", code="usage", hint="add --sign-key")
        return None
    if not files:
        raise UsageError("nothing to sign: no file is written", code="usage", hint="write -o FORMAT=FILE")
    names = [file.name for file in files]
    if len(set(names)) < len(names):
        raise UsageError("two files of the same name can't be told apart in a signature", code="usage")
    return files[0].parent / BUNDLE_NAME if values.bundle is None else Path(values.bundle)


def _render(
    target: output.Target,
    document: FleetDocument,
    oscal_version: str | None,
    brand: Branding,
    sign_pdf: SignsPdf | None,
    *,
    color: bool,
) -> bytes:
    from reports.fleet_exporter import FORMATS

    if target.format == "table" and target.file is None:
        from reports.fleet_table import render

        return render(document, color=color, width=output.terminal_width()).encode()
    content = FORMATS[target.format].render(document, oscal_version, brand)
    if target.format == "pdf" and sign_pdf is not None:
        from compliance.pipeline import signed_pdf

        return signed_pdf(content, sign_pdf)
    return content


def _signed(document: FleetDocument, contents: list[tuple[output.Target, bytes]], signer: Signer) -> bytes:
    """The bundle. Raises SigningError."""
    from reports.attestation import ReferencedFile
    from reports.fleet_attestation import files_statement
    from reports.fleet_exporter import FORMATS

    files = [
        ReferencedFile(
            path=target.file.name,
            sha256=hashlib.sha256(content).hexdigest(),
            media_type=FORMATS[target.format].media_type,
        )
        for target, content in contents
        if target.file is not None
    ]
    return signer.sign_statement(files_statement(document, files))
