"""The command ``hullmark``: its subcommands, and the one place where errors become lines and exit codes."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from compliance.cli import assess, controls, evidence, report, sbom, verify, version
from compliance.errors import ComplianceError, ExitCode

app = typer.Typer(
    name="hullmark",
    help="Prove what is in a container image, who signed it, how hardened it is, and which controls that bears on.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("assess")(assess.command)
app.command("sbom")(sbom.command)
app.command("verify")(verify.command)
app.command("report")(report.command)
app.add_typer(evidence.app, name="evidence")
app.add_typer(controls.app, name="controls")
app.command("version")(version.command)


def _version(asked: bool) -> None:
    if asked:
        version.command()
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Options of the command itself."""


def main() -> None:
    """Run the command. Never ends in a traceback unless ``HULLMARK_DEBUG`` asks for one."""
    try:
        app()
    except ComplianceError as error:
        _complain(f"hullmark: {error.code}: {error}")
        sys.exit(error.exit_code)
    except BrokenPipeError:
        # The reader of our output is gone, as `head` goes: not an error worth a word.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(ExitCode.TOOL_FAILED)
    except KeyboardInterrupt:
        _complain("hullmark: interrupted; nothing was left half-written")
        sys.exit(130)
    except Exception as error:
        if os.environ.get("HULLMARK_DEBUG"):
            raise
        _complain(
            f"hullmark: internal error: {type(error).__name__}: {error} — this is a fault of the tool; "
            "HULLMARK_DEBUG=1 shows where"
        )
        sys.exit(ExitCode.TOOL_FAILED)


def _complain(line: str) -> None:
    """One line on stderr, whatever bytes an image put into it."""
    text = "".join(char if char.isprintable() else " " for char in line)
    sys.stderr.write(text.encode("utf-8", "backslashreplace").decode() + "\n")


if __name__ == "__main__":
    main()
