"""``hullmark sbom``: only the bill of materials, of an image or of another tool's document."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from compliance.cli import options, output
from compliance.cli.parser import Parser
from compliance.errors import UsageError
from compliance.formats.user_file import read_file

SUMMARY = "only the bill of materials"
DESCRIPTION = (
    "Write the image's software bill of materials. A format may name its version: cyclonedx-json@1.7. "
    "--from-sbom reads another tool's document instead of an image and writes it anew."
)


def arguments(parser: Parser) -> None:
    """What to read and where to write."""
    options.add_image(parser, optional=True)
    options.add_output(parser, "cyclonedx-json, cyclonedx-xml, spdx-json")
    parser.add_argument(
        "--from-sbom", metavar="FILE", help="a CycloneDX (JSON, XML) or SPDX 2 (JSON) file to read instead of an image"
    )
    parser.add_argument("--files", action="store_true", help="list every file, with its digest and owner")
    parser.add_argument("--author", metavar="NAME", help='who makes this document: "Name <mail>"')
    parser.add_argument(
        "--supplier",
        metavar="NAME",
        help='who supplies the image: "Name <mail>"; default: the label org.opencontainers.image.vendor',
    )


def run(values: Namespace) -> int:
    """Read, inventory, write."""
    from compliance.formats.sbom import DEFAULT, NAMES

    targets = output.parse_targets(values.output, NAMES, DEFAULT)
    if (values.image is None) == (values.from_sbom is None):
        raise UsageError("an IMAGE or --from-sbom FILE, one of them", code="usage", hint="hullmark sbom --help")
    contents = _of_image(values, targets) if values.from_sbom is None else _of_sbom(values, targets)
    for target, content in zip(targets, contents, strict=True):
        output.write(target, content)
    return 0


def _of_image(values: Namespace, targets: tuple[output.Target, ...]) -> list[bytes]:
    """Every file is digested, as for an assessment: the same document comes out of both."""
    from compliance.cli import progress
    from compliance.pipeline import read_image, sbom

    watcher = progress.watcher(quiet=values.quiet, no_progress=values.no_progress)
    try:
        found = read_image(values.image, options.run_options(values), watcher, files=values.files)
        contents = [
            sbom(found, target.format, files=values.files, author=values.author, supplier=values.supplier)
            for target in targets
        ]
    finally:
        watcher.close()
    if not values.quiet:
        output.say_notices(found.image, verbose=values.verbose)
    return contents


def _of_sbom(values: Namespace, targets: tuple[output.Target, ...]) -> list[bytes]:
    from dataclasses import replace

    from compliance.formats.sbom import write
    from compliance.formats.sbom_document import read_party
    from compliance.formats.signed_json import DOCUMENT_SIZE_MAX
    from compliance.pipeline import read_sbom

    content = read_file(Path(values.from_sbom), "SBOM", DOCUMENT_SIZE_MAX)
    document = read_sbom(content, options.run_options(values))
    author, supplier = read_party(values.author), read_party(values.supplier)
    document = replace(
        document,
        authors=(author,) if author else document.authors,
        supplier=supplier or document.supplier,
        identity="\n".join((document.identity, values.author or "", values.supplier or "")),
    )
    if not values.quiet:
        output.say(f"read: {document.converted_from}: {len(document.inventory.packages)} packages")
        for what in document.left_out:
            output.say(f"notice: left out: {what}")
    return [write(document, target.format) for target in targets]
