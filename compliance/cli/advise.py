"""``hullmark advise``: what breaks when an image moves to a hardened runtime, and what to do."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from compliance.cli import options, output
from compliance.cli.parser import Parser
from compliance.errors import ExitCode
from compliance.formats.user_file import read_file

if TYPE_CHECKING:
    from reports.advice import AdviceDocument

SUMMARY = "what breaks when an image moves to a hardened runtime, and the way out"
DESCRIPTION = (
    "Say what will not work without a shell and a package manager, as uid 65532, on a read-only root, and propose a "
    "multi-stage Dockerfile. Exits 0 when nothing breaks, 10 when something does, 11 when that can't be said."
)
FORMATS = ("table", "json", "markdown", "dockerfile")


def arguments(parser: Parser) -> None:
    """The image, where to, and the file it was built from."""
    options.add_image(parser)
    parser.add_argument("--to", metavar="HARDENED", help="the hardened image to move to; its content is compared")
    parser.add_argument("--dockerfile", metavar="FILE", help="the Dockerfile of the image: advice names its lines")
    options.add_output(parser, ", ".join(FORMATS))


def run(values: Namespace) -> int:
    """Read, advise, write. The exit code says whether something breaks."""
    from compliance.cli import progress
    from compliance.formats.dockerfile import SIZE_MAX
    from compliance.pipeline import advise
    from reports.advice import document

    targets = output.parse_targets(values.output, FORMATS, "table")
    given = None
    if values.dockerfile is not None:
        given = read_file(Path(values.dockerfile), "Dockerfile", SIZE_MAX)
    color = output.use_color(values.color)
    watcher = progress.watcher(quiet=values.quiet, no_progress=values.no_progress)
    try:
        advice, images = advise(
            values.image,
            options.run_options(values),
            watcher,
            to=values.to,
            dockerfile=given,
            dockerfile_name=values.dockerfile,
        )
    finally:
        watcher.close()
    shape = document(advice)
    contents = [_render(target, shape, color=color) for target in targets]
    if not values.quiet:
        for image in images:
            output.say_notices(image, verbose=values.verbose)
    for target, content in zip(targets, contents, strict=True):
        output.write(target, content)
    outcome = shape["summary"]["outcome"]
    if outcome == "breaks":
        return ExitCode.NOT_SATISFIED
    return ExitCode.NOT_DETERMINED if outcome == "not-determined" else ExitCode.SATISFIED


def _render(target: output.Target, shape: AdviceDocument, *, color: bool) -> bytes:
    from reports import advice

    if target.format == "table":
        if target.file is not None:
            return advice.render_table(shape)
        return advice.render_table(shape, color=color, width=output.terminal_width())
    renderers = {
        "json": advice.render_json,
        "markdown": advice.render_markdown,
        "dockerfile": advice.render_dockerfile,
    }
    return renderers[target.format](shape)
