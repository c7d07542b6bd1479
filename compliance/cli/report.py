"""``hullmark report``: an assessment rendered again, without the image."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from compliance.cli import options, output


def command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="An assessment.json.")],
    outputs: options.Output = None,
    color: options.Color = "auto",
) -> None:
    """Render an assessment.json in any format; the PDF then carries only what the assessment holds."""
    from reports.assessment_json import parse
    from reports.exporter import FORMATS

    targets = output.parse_targets(outputs, FORMATS, "table")
    colored = output.use_color(color)
    shape = parse(options.read_file(file, "assessment", limit=512 * 2**20))
    for target in targets:
        output.write(target, output.render_document(target, shape, color=colored))
