"""``hullmark sbom``: only the bill of materials."""

from __future__ import annotations

from argparse import Namespace

from compliance.cli import options, output
from compliance.cli.parser import Parser

SUMMARY = "only the bill of materials"
DESCRIPTION = "Write the image's software bill of materials."


def arguments(parser: Parser) -> None:
    """What to read and where to write."""
    options.add_image(parser)
    options.add_output(parser, "cyclonedx-json")


def run(values: Namespace) -> int:
    """Read, inventory, write."""
    from compliance.cli import progress
    from compliance.pipeline import gather, sbom

    targets = output.parse_targets(values.output, ("cyclonedx-json",), "cyclonedx-json")
    watcher = progress.watcher(quiet=values.quiet, no_progress=values.no_progress)
    try:
        evidence = gather(values.image, options.run_options(values), watcher)
        content = sbom(evidence)
    finally:
        watcher.close()
    if not values.quiet:
        output.say_notices(evidence.image, verbose=values.verbose)
    for target in targets:
        output.write(target, content)
    return 0
