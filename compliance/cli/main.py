"""The command ``hullmark``: its subcommands, and the one place where errors become lines and exit codes."""

from __future__ import annotations

import gc
import importlib
import os
import sys
from collections.abc import Sequence
from types import ModuleType

from compliance.cli.output import say
from compliance.cli.parser import Parser
from compliance.errors import ComplianceError, ExitCode

COMMANDS = (
    "assess",
    "sbom",
    "verify",
    "attest",
    "report",
    "evidence",
    "diff",
    "advise",
    "controls",
    "waivers",
    "fleet",
    "cache",
    "completion",
    "version",
)
"""Each is a module of this package with SUMMARY, `arguments(parser)` and `run(values) -> int`."""

COLLECTOR = (100_000, 20, 100)
"""The collector's thresholds. A run makes many objects that live to its end and hardly any cycles: at Python's own
(700) it goes through all of them again and again, a fifteenth of the time an inventory takes."""

DESCRIPTION = "Prove what is in a container image, who signed it, how hardened it is, and which controls that bears on."
EXIT_CODES = (
    "exit codes: 0 satisfied, 10 not satisfied, 11 not determined, 12 does not verify, 1 the tool failed, 2 usage"
)


def build(only: str | None = None) -> Parser:
    """The parser of every subcommand, or (faster) with the arguments of `only` one."""
    parser = Parser(prog="hullmark", description=DESCRIPTION, epilog=EXIT_CODES)
    parser.add_argument("--version", action="store_true", help="show the version and exit")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands", parser_class=Parser)
    for name in COMMANDS:
        module = _module(name)
        below = commands.add_parser(name, help=module.SUMMARY, description=module.DESCRIPTION, epilog=EXIT_CODES)
        if only in (None, name):
            module.arguments(below)
    return parser


def run(arguments: Sequence[str]) -> int:
    """Parse and do; the exit code. Raises ComplianceError."""
    command = next((word for word in arguments if word in COMMANDS), None)
    parser = build(only=command)
    values = parser.parse_args(arguments)
    if values.version:
        return int(_module("version").run(values))
    if values.command is None:
        parser.print_help()
        return int(ExitCode.USAGE)
    return int(_module(values.command).run(values))


def main() -> None:
    """Run the command. Never ends in a traceback unless HULLMARK_DEBUG asks for one."""
    gc.set_threshold(*COLLECTOR)
    try:
        code = run(sys.argv[1:])
        sys.stdout.flush()
    except ComplianceError as error:
        say(f"hullmark: {error.code}: {error}")
        code = error.exit_code
    except BrokenPipeError:
        # The reader of our output is gone, as `head` goes: not an error worth a word.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = ExitCode.TOOL_FAILED
    except KeyboardInterrupt:
        say("hullmark: interrupted; nothing was left half-written")
        code = 130
    except Exception as error:
        if os.environ.get("HULLMARK_DEBUG"):
            raise
        say(
            f"hullmark: internal error: {type(error).__name__}: {error} — this is a fault of the tool; "
            "HULLMARK_DEBUG=1 shows where"
        )
        code = ExitCode.TOOL_FAILED
    gc.freeze()  # the process ends: the collector would walk through all that was read once more
    sys.exit(code)


def _module(name: str) -> ModuleType:
    return importlib.import_module(f"compliance.cli.{name}")


if __name__ == "__main__":
    main()
