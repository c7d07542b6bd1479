"""``hullmark completion``: what a shell needs to complete the command, made from its parsers."""

from __future__ import annotations

import re
import sys
from argparse import Namespace
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from compliance.cli.parser import Parser

if TYPE_CHECKING:
    from compliance.cli.command_tree import Argument, Command, Option

SUMMARY = "print what a shell needs to complete this command"
DESCRIPTION = (
    "Print the completion script of a shell. "
    'bash: eval "$(hullmark completion bash)" in ~/.bashrc; '
    "zsh: the same with zsh, after compinit, in ~/.zshrc; "
    "fish: hullmark completion fish > ~/.config/fish/completions/hullmark.fish"
)

SHELLS = ("bash", "zsh", "fish")
FILES = "files"
"""The kind of a value that is a path; the others are `IMAGE`, words, and nothing that could be guessed."""
IMAGE = "image"
SCHEMES = ("oci-dir:", "oci-archive:", "docker-archive:", "docker:", "podman:", "registry:", "dir:", "rootfs-tar:")

_FILE_VALUES = ("FILE", "DIR", "PEM", "FLEET", "PATH", "REF")
_PLACE = re.compile(r"\b(file|files|folder|path)\b", re.IGNORECASE)


def arguments(parser: Parser) -> None:
    """Which shell."""
    parser.add_argument("shell", choices=SHELLS, metavar="SHELL", help="bash, zsh or fish")


def run(values: Namespace) -> int:
    """Print its script."""
    from compliance.cli.command_tree import command_tree

    sys.stdout.write(script(values.shell, command_tree()))
    return 0


def script(shell: str, tree: Command) -> str:
    """The completion script of `shell` for the commands of `tree`."""
    return {"bash": _bash, "zsh": _zsh, "fish": _fish}[shell](tree)


def value_kind(item: Option | Argument, name: str) -> tuple[str, ...]:
    """What completes a value called `name`: `FILES`, `IMAGE`, words, any of them together, or nothing."""
    kinds: list[str] = [*item.choices, *_listed(item, name)]
    parts = re.split(r"[|=\[\]]", name)
    if any(part in ("IMAGE", "HARDENED", "A", "B") for part in parts):
        kinds.append(IMAGE)
    if any(part.startswith(_FILE_VALUES) for part in parts) or (name == "P" and _PLACE.search(item.help)):
        kinds.append(FILES)
    return tuple(kinds)


def _listed(item: Option | Argument, name: str) -> tuple[str, ...]:
    """The words that a value can be, where the project knows them: formats from the help, the rest from the library."""
    if name.startswith("FORMAT"):
        return tuple(re.findall(r"[a-z]+(?:-[a-z]+)*", re.sub(r"\([^)]*\)|^.*?: |, to a file.*| or ", " ", item.help)))
    if name.startswith("NAME|FILE"):
        return ("auto", *_variants())
    if name == "SEVERITY":
        return _severities()
    if re.match(r"ID\||FRAMEWORK", name):
        return _frameworks()
    return ()


def _variants() -> tuple[str, ...]:
    from compliance.model.evidence import Variant

    return tuple(str(variant) for variant in Variant)


def _severities() -> tuple[str, ...]:
    from compliance.model.outcome import Severity

    return tuple(str(severity) for severity in Severity)


def _frameworks() -> tuple[str, ...]:
    from controls.loader import FRAMEWORKS

    return tuple(FRAMEWORKS)


def _value_cases(tree: Command) -> Mapping[str, tuple[str, ...]]:
    """What completes the value of an option, by ``COMMAND FLAG``; ``* FLAG`` where all commands agree."""
    by_flag: dict[str, dict[str, tuple[str, ...]]] = {}
    for command in tree.walk():
        for option in command.options:
            for flag in option.flags if option.value is not None else ():
                by_flag.setdefault(flag, {})[command.name] = value_kind(option, option.value or "")
    cases: dict[str, tuple[str, ...]] = {}
    for flag, kinds in by_flag.items():
        if len(set(kinds.values())) == 1:
            cases[f"* {flag}"] = next(iter(kinds.values()))
        else:
            cases |= {f"{name} {flag}": kind for name, kind in kinds.items()}
    return cases


def _flags(command: Command) -> tuple[str, ...]:
    return tuple(flag for option in command.options for flag in option.flags)


def _argument_kinds(command: Command) -> tuple[str, ...]:
    """What completes its arguments, of all places: a shell need not count them."""
    kinds = [kind for argument in command.arguments for kind in value_kind(argument, argument.name)]
    return tuple(dict.fromkeys(kinds))


def _case(patterns: Iterable[tuple[str, str]]) -> str:
    return "\n".join(f"        {pattern}) printf '%s' {_quoted(words)} ;;" for pattern, words in patterns)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def _pattern(case: str) -> str:
    return f'*"{case[1:]}"' if case.startswith("*") else f'"{case}"'


def _tables(tree: Command) -> str:
    """The functions that bash and zsh share: what is below a command, its options, and what completes a value."""
    commands = [(f'"{one.name}"', " ".join(below.path[-1] for below in one.commands)) for one in tree.walk()]
    flags = [(f'"{one.name}"', " ".join(_flags(one))) for one in tree.walk()]
    values = [(_pattern(case), " ".join(kinds) or "-") for case, kinds in _value_cases(tree).items()]
    places = [(f'"{one.name}"', " ".join(_argument_kinds(one))) for one in tree.walk() if one.arguments]
    parts = []
    for name, what, patterns in (
        ("commands", "below the command $1", [item for item in commands if item[1]]),
        ("flags", "of the command $1", flags),
        ("value", 'of an option, "COMMAND FLAG"; nothing for a switch', values),
        ("argument", "of the command $1", places),
    ):
        parts.append(f"_hullmark_{name}() {{ # {what}\n    case $1 in\n{_case(patterns)}\n    esac\n}}\n")
    return "\n".join(parts)


# Where the cursor is: `place` is the command (`path` is PATH itself in zsh), `option` the one whose value is typed.
_WHERE = """
_hullmark_where() { # the words before the cursor; sets place and option
    place=hullmark option=
    local word below
    for word in "$@"; do
        if [[ -n $option ]]; then
            option=
        elif [[ $word == -*=* ]]; then
            :
        elif [[ $word == -* ]]; then
            [[ -z $(_hullmark_value "$place $word") ]] || option=$word
        else
            below=" $(_hullmark_commands "$place") "
            [[ $below != *" $word "* ]] || place="$place $word"
        fi
    done
}
"""


def _bash(tree: Command) -> str:
    return f"""# Completion of hullmark for bash; made by: hullmark completion bash
{_tables(tree)}{_WHERE}
_hullmark() {{
    # bash parts words at = and : too; they are put together again before they are looked at.
    local -a words=()
    local index part joined=
    for ((index = 1; index <= COMP_CWORD; index++)); do
        part=${{COMP_WORDS[index]}}
        if [[ -n $joined || $part == [:=]* ]] && ((${{#words[@]}})); then
            words[-1]+=$part
        else
            words+=("$part")
        fi
        joined=
        [[ $part != [:=] ]] || joined=1
    done
    local current= place option kinds kind
    if ((${{#words[@]}})); then
        current=${{words[-1]}}
        unset 'words[-1]'
    fi
    _hullmark_where "${{words[@]}}"
    if [[ $current == --*=* ]]; then
        option=${{current%%=*}}
        current=${{current#*=}}
    fi
    COMPREPLY=()
    if [[ -n $option ]]; then
        kinds=$(_hullmark_value "$place $option")
    elif [[ $current == -* ]]; then
        kinds=$(_hullmark_flags "$place")
    else
        kinds="$(_hullmark_commands "$place") $(_hullmark_argument "$place")"
    fi
    local -a candidates=()
    # What lies before the last = or : is not typed again: readline replaces only what comes after it.
    local file=${{current##*[=:]}} kept=
    [[ $current != *[=:]* ]] || kept=1
    for kind in $kinds; do
        case $kind in
        -) ;;
        {FILES} | {IMAGE})
            if [[ $kind == {IMAGE} && -z $kept ]]; then
                candidates+=($(compgen -W "{" ".join(SCHEMES)}" -- "$current"))
            fi
            # With a scheme among them, bash would put a backslash before its colon.
            ((${{#candidates[@]}})) || compopt -o filenames 2>/dev/null
            while IFS= read -r part; do candidates+=("$part"); done < <(compgen -f -- "$file")
            ;;
        *) [[ -n $kept || $kind != "$current"* ]] || candidates+=("$kind") ;;
        esac
    done
    COMPREPLY=("${{candidates[@]}}")
    if ((${{#COMPREPLY[@]}} == 1)) && [[ ${{COMPREPLY[0]}} == *: ]]; then
        compopt -o nospace 2>/dev/null
    fi
    return 0
}}
complete -F _hullmark hullmark
"""


def _zsh(tree: Command) -> str:
    described = []
    for command in tree.walk():
        below = [f"{one.path[-1]}:{_plain(one.summary)}" for one in command.commands]
        flags = [f"{flag}:{_plain(option.help)}" for option in command.options for flag in option.flags]
        described.append(
            f'        "{command.name}")\n'
            f"            commands=({' '.join(map(_quoted, below))})\n"
            f"            flags=({' '.join(map(_quoted, flags))}) ;;"
        )
    cases = "\n".join(described)
    return f"""#compdef hullmark
# Completion of hullmark for zsh; made by: hullmark completion zsh
{_tables(tree)}{_WHERE}
_hullmark() {{
    local place option kinds kind current=${{words[CURRENT]}}
    local -a commands flags plain before=("${{(@)words[2,CURRENT-1]}}")
    _hullmark_where "${{before[@]}}"
    if [[ $current == --*=* ]]; then
        option=${{current%%=*}}
        compset -P '--[^=]#='
    fi
    case $place in
{cases}
    esac
    if [[ -z $option ]]; then
        if [[ $current == -* ]]; then
            _describe -o option flags
            return
        fi
        (( ! ${{#commands}} )) || _describe command commands
        kinds=$(_hullmark_argument "$place")
    else
        kinds=$(_hullmark_value "$place $option")
    fi
    for kind in ${{=kinds}}; do
        case $kind in
        -) ;;
        {IMAGE})
            if compset -P '*:'; then
                _files
            else
                compadd -S '' -- {" ".join(SCHEMES)}
                _files
            fi
            ;;
        {FILES}) compset -P '*='; _files ;;
        *) plain+=($kind) ;;
        esac
    done
    (( ! ${{#plain}} )) || compadd -a plain
}}
compdef _hullmark hullmark
"""


def _plain(text: str) -> str:
    """A description: one line, without the colons that part it from the word."""
    return " ".join(text.split()).replace("\\", "\\\\").replace(":", "\\:")


def _fish(tree: Command) -> str:
    lines = [
        "# Completion of hullmark for fish; made by: hullmark completion fish",
        "function __hullmark_path",
        "    set -l place hullmark",
        "    for word in (commandline -opc)[2..]",
        '        switch "$place $word"',
        "            case " + " ".join(f'"{one.name}"' for one in tree.walk() if len(one.path) > 1),
        '                set place "$place $word"',
        "        end",
        "    end",
        "    echo $place",
        "end",
        "function __hullmark_at",
        '    test (__hullmark_path) = "$argv"',
        "end",
        "complete -c hullmark -f",
    ]
    for command in tree.walk():
        lines += _fish_command(command)
    return "\n".join(lines) + "\n"


def _fish_command(command: Command) -> list[str]:
    at = f"complete -c hullmark -n '__hullmark_at {command.name}'"
    lines = [f"{at} -a {_fish_quoted(one.path[-1])} -d {_fish_quoted(one.summary)}" for one in command.commands]
    for option in command.options:
        names = " ".join(f"-l {flag[2:]}" if flag.startswith("--") else f"-s {flag[1:]}" for flag in option.flags)
        takes = "" if option.value is None else _fish_value(value_kind(option, option.value), " -r")
        lines.append(f"{at} {names}{takes} -d {_fish_quoted(option.help)}")
    kinds = _argument_kinds(command)
    return [*lines, f"{at}{_fish_value(kinds, '')}"] if kinds else lines


def _fish_value(kinds: tuple[str, ...], required: str) -> str:
    words = [word for kind in kinds for word in (SCHEMES if kind == IMAGE else () if kind == FILES else (kind,))]
    files = " -F" if {FILES, IMAGE}.intersection(kinds) else " -f"
    return required + files + (f" -a {_fish_quoted(' '.join(words))}" if words else "")


def _fish_quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
