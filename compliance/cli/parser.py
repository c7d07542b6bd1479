"""The argument parser: argparse, with values from the environment and from a configuration file.

Precedence: flag, then HULLMARK_NAME, then ``hullmark.toml`` (``--config``), then the default. argparse starts in
a tenth of the time that other command-line libraries need.
"""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from compliance.errors import UsageError

PREFIX = "HULLMARK_"
_TRUE, _FALSE = ("1", "true", "yes", "on"), ("0", "false", "no", "off", "")


class Parser(argparse.ArgumentParser):
    """An ArgumentParser whose options can also be set by the environment and a file."""

    def __init__(self, **settings: Any) -> None:
        """No abbreviations: a script must not break when an option is added."""
        settings.setdefault("formatter_class", _Formatter)
        super().__init__(allow_abbrev=False, **settings)
        self._settable: dict[str, argparse.Action] = {}
        self._shared: list[tuple[str, frozenset[str], Callable[[], frozenset[str]]]] = []

    @property
    def settable(self) -> frozenset[str]:
        """The options that can also be set by the environment and a file, by their names in Python."""
        return frozenset(self._settable)

    def share_table(self, table: str, names: frozenset[str], known: Callable[[], frozenset[str]]) -> None:
        """Take the options `names` also from `table` of the configuration, where the command's own has none of them.

        Whatever else it holds has to be among `known`, so that a misspelt name is no silence.
        """
        self._shared.append((table, names, known))

    def add_argument(self, *names: Any, **settings: Any) -> argparse.Action:
        """As argparse's; a long option may be set from elsewhere too."""
        action = super().add_argument(*names, **settings)
        if any(name.startswith("--") for name in action.option_strings) and action.dest not in ("help", "version"):
            self._settable[action.dest] = action
        return action

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> tuple[Any, list[str]]:
        """Take defaults from file and environment, then parse."""
        given = list(args or ())
        if "config" in self._settable:
            path = _config_path(given)
            for table, names, known in self._shared:
                self._apply(_shared_values(path, table, names, known), "hullmark.toml")
            self._apply(_file_values(path, self.prog.rpartition(" ")[2]), "hullmark.toml")
        self._apply(
            {name: os.environ[PREFIX + name.upper()] for name in self._settable if PREFIX + name.upper() in os.environ},
            "environment",
        )
        return super().parse_known_args(given, namespace)

    def error(self, message: str) -> NoReturn:
        """Usage and message on stderr, exit 2."""
        raise UsageError(message, code="usage", hint=f"{_meant(message)}{self.prog} --help")

    def _apply(self, values: Mapping[str, object], where: str) -> None:
        for name, value in values.items():
            action = self._settable.get(name)
            if action is None:
                raise UsageError(f"no such option: {name}", code="config-invalid", where=where)
            self.set_defaults(**{name: _converted(action, value, where)})


class _Formatter(argparse.HelpFormatter):
    """Help in 80 columns whatever the terminal, so that documentation can quote it."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=30, width=80)


def _meant(message: str) -> str:
    """``did you mean assess? `` for a word that is none of those there are, and close to one."""
    _, found, rest = message.partition("invalid choice: ")
    if not found:
        return ""
    from difflib import get_close_matches

    word, *choices = re.findall(r"[\w-]+", rest.replace("choose from", ""))
    close = get_close_matches(word, choices, n=1)
    return f"did you mean {close[0]}? " if close else ""


def _config_path(arguments: Sequence[str]) -> Path | None:
    """The file of ``--config`` or HULLMARK_CONFIG, else ``hullmark.toml`` here if there is one."""
    for index, word in enumerate(arguments):
        if word == "--config" and index + 1 < len(arguments):
            return Path(arguments[index + 1])
        if word.startswith("--config="):
            return Path(word.partition("=")[2])
    named = os.environ.get(f"{PREFIX}CONFIG")
    if named:
        return Path(named)
    here = Path("hullmark.toml")
    return here if here.is_file() else None


def _file_values(path: Path | None, command: str) -> Mapping[str, object]:
    """The table of `command` in a configuration file, with keys as option names (dashes or underscores)."""
    if path is None:
        return {}
    import tomllib

    try:
        with path.open("rb") as stream:
            document = tomllib.load(stream)
    except OSError as error:
        raise UsageError(f"can't read the configuration: {error.strerror}", code="not-found", where=str(path)) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"not TOML: {error}", code="config-invalid", where=str(path)) from None
    table = document.get(command, {})
    if not isinstance(table, dict):
        raise UsageError(f"[{command}] is not a table", code="config-invalid", where=str(path))
    return {name.replace("-", "_"): value for name, value in table.items()}


def _shared_values(
    path: Path | None, table: str, names: frozenset[str], known: Callable[[], frozenset[str]]
) -> Mapping[str, object]:
    values = _file_values(path, table)
    for name in values.keys() - names:
        if name not in known():
            raise UsageError(f"no such option: {name}", code="config-invalid", where=f"{path}: [{table}]")
    return {name: value for name, value in values.items() if name in names}


def _converted(action: argparse.Action, value: object, where: str) -> object:
    """A value of the environment or a file as the option would have it."""
    name = action.dest
    if action.nargs == 0:
        if isinstance(value, bool):
            return value
        if isinstance(value, str) and value.lower() in (*_TRUE, *_FALSE):
            return value.lower() in _TRUE
        raise UsageError(f"{name} is on or off", code="config-invalid", where=where)
    if isinstance(action.default, list) or type(action).__name__ == "_AppendAction":
        items = value.split() if isinstance(value, str) else value
        if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
            raise UsageError(f"{name} is a list of texts", code="config-invalid", where=where)
        return items
    if not isinstance(value, str):
        raise UsageError(f"{name} is a text", code="config-invalid", where=where)
    return value  # argparse converts a text default as it converts an argument
