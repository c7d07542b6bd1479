"""Where outputs go: ``-o FORMAT[=FILE]``, data on stdout, files whole or not at all."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from compliance.errors import ComplianceError, UsageError

if TYPE_CHECKING:
    from compliance.model.assessment import Assessment
    from compliance.model.image import Image
    from reports.branding import Branding
    from reports.document import Document

DEFAULT_WIDTH = 80
NOTICES_SHOWN = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One ``-o``: a format, and a file or (None) stdout."""

    format: str
    file: Path | None


def parse_targets(outputs: Iterable[str] | None, known: Iterable[str], default: str) -> tuple[Target, ...]:
    """The targets that were asked for, else `default` on stdout. Raises UsageError for an unknown format."""
    names = sorted(known)
    targets = []
    for text in outputs or (default,):
        name, equals, file = text.partition("=")
        if name not in names:
            raise UsageError(f"no such format: {name}", code="format-unknown", hint=f"choose from {', '.join(names)}")
        if equals and not file:
            raise UsageError(f"no file after {name}=", code="output-invalid")
        targets.append(Target(format=name, file=Path(file) if equals else None))
    if sum(target.file is None for target in targets) > 1:
        raise UsageError("two outputs for stdout", code="output-invalid", hint="write FORMAT=FILE for one of them")
    return tuple(targets)


def demand_version(targets: Iterable[Target], version: str | None) -> None:
    """Raise UsageError where an OSCAL output was asked for in a version that it does not have."""
    from reports.exporter import FORMATS

    for target in targets:
        known = FORMATS[target.format].versions if target.format in FORMATS else ()
        if version is not None and known and version not in known:
            raise UsageError(
                f"{target.format} has no OSCAL version {version}",
                code="oscal-version",
                where="--oscal-version",
                hint=f"choose one of {', '.join(known)}",
            )


def render(
    target: Target,
    document: Document,
    assessment: Assessment,
    *,
    color: bool,
    oscal_version: str | None = None,
    declarations: bool = False,
    branding: Branding | None = None,
) -> bytes:
    """One output of an assessment; `declarations` puts its claims into CycloneDX JSON."""
    from compliance import pipeline
    from compliance.formats import sbom

    if target.format in sbom.NAMES:
        content = pipeline.sbom(assessment.evidence, target.format)
        if declarations and target.format == "cyclonedx-json":
            from reports.declarations import with_declarations

            return with_declarations(content, document)
        return content
    if target.format == "pdf":
        files = pipeline.evidence_files(assessment, None, branding=branding, oscal_version=oscal_version)
        return files["report.pdf"]
    return render_document(target, document, color=color, oscal_version=oscal_version, branding=branding)


def render_document(
    target: Target,
    document: Document,
    *,
    color: bool,
    oscal_version: str | None = None,
    branding: Branding | None = None,
) -> bytes:
    """One output of an assessment document."""
    from reports.exporter import FORMATS

    if target.format == "table" and target.file is None:
        from reports.table import render as render_table

        return render_table(document, color=color, width=terminal_width()).encode()
    form = FORMATS[target.format]
    return form.render(document, oscal_version if form.versions else None, branding)


def say_notices(image: Image, *, verbose: bool) -> None:
    """What was resolved, and oddities that did not stop the reading, on stderr."""
    platform = f" {image.platform}" if image.platform else ""
    lines = [f"image: {image.reference}{platform} {image.digest}"]
    if not image.manifest:
        lines.append("notice: no image is there, only files: read as a root filesystem, without config and layers")
    shown = image.notices if verbose else image.notices[:NOTICES_SHOWN]
    lines += [f"notice: {notice}" for notice in shown]
    if len(image.notices) > len(shown):
        lines.append(f"notice: {len(image.notices) - len(shown)} more with -v")
    for line in lines:
        say(line)


def say(line: str) -> None:
    """One line on stderr, whatever an image or a document put into it."""
    sys.stderr.write(printable(line).encode("utf-8", "backslashreplace").decode() + "\n")


def printable(line: str) -> str:
    """`line` with a blank for each character that would move the cursor or start a line."""
    return "".join(char if char.isprintable() else " " for char in line)


def write(target: Target, content: bytes) -> None:
    """Write one output. A file appears under its name only when it is complete; a device or pipe is written to."""
    if target.file is None:
        if target.format == "pdf" and sys.stdout.isatty():
            raise UsageError("a PDF is not for a terminal", code="output-invalid", hint="write -o pdf=FILE")
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
        return
    try:
        if target.file.exists() and not target.file.is_file():
            with target.file.open("wb") as stream:
                stream.write(content)
            return
        handle, name = tempfile.mkstemp(prefix=f".{target.file.name}.", dir=target.file.parent)
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
            umask = os.umask(0)
            os.umask(umask)
            Path(name).chmod(0o666 & ~umask)
            Path(name).replace(target.file)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise ComplianceError(f"can't write: {error.strerror}", code="output-failed", where=str(target.file)) from None


def use_color(choice: str) -> bool:
    """Whether tables are coloured: the flag, else NO_COLOR (no-color.org), else whether stdout is a terminal."""
    if choice not in ("auto", "always", "never"):
        raise UsageError(f"not a colour choice: {choice}", code="usage", hint="auto, always or never")
    if choice != "auto":
        return choice == "always"
    return not os.environ.get("NO_COLOR") and sys.stdout.isatty()


def terminal_width() -> int:
    """Columns of the terminal, at most 120; 80 where there is none."""
    if not sys.stdout.isatty():
        return DEFAULT_WIDTH
    return max(40, min(os.get_terminal_size(sys.stdout.fileno()).columns, 120))
