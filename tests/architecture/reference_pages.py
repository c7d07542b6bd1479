"""Writes docs/reference and man/hullmark.1 from the code: ``python -m tests.architecture.reference_pages``.

Commands, options and variables come from the parsers, error words from the source, frameworks from the control library,
the keys of the documents from their JSON Schemas. A test holds the files against this.
"""

from __future__ import annotations

import ast
import inspect
import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from compliance.cli.command_tree import Command, Option, command_tree
from compliance.errors import ExitCode
from compliance.ingest.limits import DEFAULT_LIMITS, Limits
from compliance.model.control import Control, Framework, Relation
from compliance.pipeline import tool_version
from controls.coverage import FrameworkCoverage, Reach, coverage_of
from controls.loader import FRAMEWORKS, load_library
from controls.registry import CHECKS
from tests.architecture.api_page import api_page
from tests.architecture.error_words import ErrorWord, error_words
from tests.architecture.man_page import man_page

CHECKOUT = Path(__file__).resolve().parents[2]
FOLDER = CHECKOUT / "docs" / "reference"
MAN_PAGE = CHECKOUT / "man" / "hullmark.1"
WRITTEN_BY = "Written by `python -m tests.architecture.reference_pages` from the code; not edited by hand."

EXIT_CODES: Mapping[ExitCode, str] = {
    ExitCode.SATISFIED: "satisfied: what was asked holds",
    ExitCode.TOOL_FAILED: "the tool failed: an unreadable image, the network, a bug; nothing is said about the image",
    ExitCode.USAGE: "usage: the command line, or a file written for it, asks for something that does not exist",
    ExitCode.NOT_SATISFIED: "not satisfied: a check at or above --fail-on failed, and no waiver covers it",
    ExitCode.NOT_DETERMINED: "not determined: evidence is missing or can't be read",
    ExitCode.NOT_VERIFIED: "does not verify: a digest differs, or no signature is one that was demanded",
}

VARIABLES: Mapping[str, str] = {
    "HULLMARK_CACHE_DIR": "where the cache of layers lies; else hullmark in XDG_CACHE_HOME, or in ~/.cache",
    "HULLMARK_CACHE_SIZE": "how large it may grow, in bytes or as 20G; else 2 GiB",
    "HULLMARK_CONFIG": "the configuration file, as --config",
    "HULLMARK_DEBUG": "set: an internal error shows where it happened",
    "HULLMARK_KEY_PASSWORD": "the password of an encrypted signing key, or the PIN of a token",
    "SOURCE_DATE_EPOCH": "the effective time in seconds since 1970, where --effective-time is not given",
    "NO_COLOR": "set: no colour in tables, as --color never",
    "REGISTRY_AUTH_FILE": "credentials of registries (containers-auth.json); looked at first",
    "DOCKER_CONFIG": "the folder of docker's config.json with credentials and helpers; else ~/.docker",
    "XDG_RUNTIME_DIR": "containers/auth.json there, and the engines' sockets of this user",
    "XDG_CONFIG_HOME": "containers/auth.json there; else ~/.config",
    "XDG_CACHE_HOME": "where the cache of layers lies, in hullmark",
    "HOME": "where ~ is",
    "DOCKER_HOST": "docker's socket, unix:///PATH",
    "CONTAINER_HOST": "podman's socket, unix:///PATH",
    "PYKCS11LIB": "the PKCS #11 module, where a pkcs11: reference names none",
}
"""Those that belong to no option. A test compares them with the names that the source asks the environment for."""

ADVICE: Mapping[str, str] = {
    "ComplianceError": "Mend what the message says, then run it again; `-v` tells more.",
    "UsageError": "Mend what the brackets name; `--help` lists what there is.",
    "PolicyError": "Mend the file at the place in the brackets.",
    "SourceError": "Check the image reference, and that what it names is whole and can be reached.",
    "IntegrityError": (
        "Do not use these bytes. Fetch them again from where they come; if it stays, somebody changed them."
    ),
    "LimitError": "If the input is trusted, raise the bound that is named: `--limit NAME=NUMBER`.",
    "FormatError": (
        "A file that you gave is damaged or of another kind: make it again. One inside an image ends no run: "
        "it is recorded as unknown, with this reason."
    ),
    "VerificationError": "Do not rely on it. Ask whoever signed, or name the signer that you mean.",
    "SigningError": "Check that the key or service can be used by this user; nothing was attached half.",
    "StoreError": "Check the folder: whether it exists, is empty or a bundle, and may be written.",
}
"""What to do where the error itself gives no hint, by its class in `compliance.errors`."""

_MESSAGES_SHOWN = 6


def files() -> Mapping[Path, str]:
    """The text of each file by its path."""
    tree = command_tree()
    coverage = coverage_of(load_library(), {check.id for check in CHECKS})
    found = {
        FOLDER / "api.md": _page(api_page(WRITTEN_BY)),
        FOLDER / "cli.md": _page(_cli(tree)),
        FOLDER / "configuration.md": _page(_configuration(tree)),
        FOLDER / "errors.md": _page(_errors(error_words())),
        FOLDER / "assessment.md": _page(_schema_page()),
        FOLDER / "frameworks" / "README.md": _page(_frameworks(coverage)),
        MAN_PAGE: man_page(tree, VARIABLES, EXIT_CODES, tool_version()),
    }
    for one in coverage:
        found[FOLDER / "frameworks" / f"{one.framework.id}.md"] = _page(_framework(one))
    return found


def _page(lines: Iterable[str]) -> str:
    return "\n".join(lines) + "\n"


# --- commands


def _cli(tree: Command) -> Iterator[str]:
    yield from ("# Commands", "", WRITTEN_BY, "", tree.description, "")
    yield from ("| command | does |", "|---|---|")
    for command in tree.walk():
        if command is not tree and not command.commands:
            yield f"| [`{command.name}`](#{_anchor(command.name)}) | {_text(command.summary)} |"
    yield from ("", "## Exit codes", "", "| code | means |", "|---|---|")
    for code, text in EXIT_CODES.items():
        yield f"| {int(code)} | {_text(text)} |"
    yield from (
        "",
        (
            "Interrupted from the keyboard it ends with 130. An error is one line on stderr: `hullmark: CODE: "
            "what [where] — what to do`; the [code words](errors.md) are stable."
        ),
        "",
        (
            "Every long option can also be set by a variable and, where the command has `--config`, in "
            "`hullmark.toml`: see [configuration](configuration.md)."
        ),
        "",
    )
    for command in tree.walk():
        if command is not tree:
            yield from _command(command)


def _command(command: Command) -> Iterator[str]:
    yield from (f"## {command.name}", "", _text(command.description or command.summary), "")
    if command.commands:
        yield " · ".join(f"[`{below.name}`](#{_anchor(below.name)})" for below in command.commands)
        yield ""
        return
    yield from ("```text", *_usage(command), "```", "")
    if command.arguments:
        yield from ("| argument | is |", "|---|---|")
        for argument in command.arguments:
            also = " (may be left out)" if argument.optional else ""
            yield f"| `{_code(argument.name)}` | {_text(argument.help)}{also} |"
        yield ""
    options = [option for option in command.options if "--help" not in option.flags]
    if options:
        yield from ("| option, variable | does | default |", "|---|---|---|")
        yield from map(_option, options)
        yield ""


def _usage(command: Command) -> Iterator[str]:
    words = [command.name, "[OPTION]..."]
    for argument in command.arguments:
        text = f"{argument.name}..." if argument.repeatable else argument.name
        words.append(f"[{text}]" if argument.optional else text)
    yield " ".join(words)


def _option(option: Option) -> str:
    value = "" if option.value is None else f" {option.value}"
    flags = ", ".join(f"`{flag}`" for flag in option.flags[:-1])
    shown = f"{flags}, " if flags else ""
    help_text = _text(option.help) + (" (must be given)" if option.required else "")
    default = f"`{option.default}`" if option.default is not None else ""
    variable = f"<br>`{option.variable}`" if option.variable is not None else ""
    return f"| {shown}`{_code(option.flags[-1] + value)}`{variable} | {help_text} | {default} |"


# --- configuration


def _configuration(tree: Command) -> Iterator[str]:
    yield from ("# Configuration", "", WRITTEN_BY, "")
    yield (
        "What holds is, in this order: the flag, the environment variable `HULLMARK_NAME`, `hullmark.toml`, the "
        "default."
    )
    yield from ("", "## hullmark.toml", "")
    yield (
        "The file of `--config` or `HULLMARK_CONFIG`, else `hullmark.toml` in the working directory. A table "
        "for each command; "
        "a key is the option's name without the dashes in front. Switches are true or false, options that "
        "may be repeated lists "
        "of texts, all others texts. An option that does not exist is an error."
    )
    yield from ("", '```toml title="hullmark.toml"', *_example_configuration(), "```", "")
    yield (
        "`[report]` also gives its title, organisation, logo, classification, scope and contact to every command "
        "that writes reports."
    )
    yield ""
    for command in tree.walk():
        keys = [option for option in command.options if option.key is not None]
        if keys:
            yield from (f"### [{command.path[-1]}]", "", "| key | takes | does |", "|---|---|---|")
            for option in keys:
                yield f"| `{option.key}` | {_takes(option)} | {_text(option.help)} |"
            yield ""
    yield from ("## Environment", "", "Besides the options' own:", "", "| variable | says |", "|---|---|")
    for name, text in VARIABLES.items():
        yield f"| `{name}` | {_text(text)} |"
    yield from (
        "",
        "Proxies are taken from the usual variables (`https_proxy`, `no_proxy` …); loopback is reached directly.",
    )
    yield from (
        "",
        "## Limits",
        "",
        "`--limit NAME=NUMBER`; what passes one is an error or a recorded unknown, never a guess.",
        "",
    )
    yield from ("| limit | default | is |", "|---|---|---|")
    reasons = _attribute_docstrings(Limits)
    for field in fields(Limits):
        yield f"| `{field.name}` | {getattr(DEFAULT_LIMITS, field.name):,} | {_text(reasons[field.name])} |"


def _example_configuration() -> tuple[str, ...]:
    return (
        "[assess]",
        'fail-on = "critical"',
        'framework = ["nist-800-190", "cis-docker"]',
        "no-progress = true",
        "",
        "[report]",
        'organisation = "ACME"',
        'classification = "internal"',
    )


def _takes(option: Option) -> str:
    if option.value is None:
        return "true or false"
    if option.choices:
        return ", ".join(f"`{choice}`" for choice in option.choices)
    return ("list of " if option.repeatable else "") + f"`{_code(option.value)}`"


def _attribute_docstrings(kind: type) -> Mapping[str, str]:
    """The text under each field of a class, which Python does not keep."""
    (node,) = ast.parse(inspect.getsource(kind)).body
    assert isinstance(node, ast.ClassDef)
    found = {}
    for statement, after in zip(node.body, node.body[1:], strict=False):
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            match after:
                case ast.Expr(value=ast.Constant(value=str(text))):
                    found[statement.target.id] = " ".join(text.split())
    return found


# --- errors


def _errors(words: Mapping[str, ErrorWord]) -> Iterator[str]:
    yield from ("# Error words", "", WRITTEN_BY, "")
    yield (
        "An error is one line on stderr, `hullmark: WORD: what [where] — what to do`, and an [exit "
        "code](cli.md#exit-codes). The word "
        "is for scripts and stays; the sentence may change. `…` is filled in."
    )
    yield ""
    for word in words.values():
        codes = " or ".join(str(int(code)) for code in sorted({one.exit_code for one in word.classes}))
        yield from (f"## {word.word}", "", f"Exit code {codes}.", "")
        said = sorted(word.messages)
        yield from (f"- says: {_text(message)}" for message in said[:_MESSAGES_SHOWN])
        if len(said) > _MESSAGES_SHOWN:
            yield f"- and {len(said) - _MESSAGES_SHOWN} more of that kind"
        hints = sorted(word.hints) or [ADVICE[name] for name in sorted(one.__name__ for one in word.classes)]
        yield from (f"- do: {_text(hint) if word.hints else hint}" for hint in hints)
        yield ""


# --- the assessment document


def _schema_page() -> Iterator[str]:
    schema = json.loads((CHECKOUT / "reports" / "schemas" / "assessment.schema.json").read_bytes())
    yield from ("# The assessment document", "", WRITTEN_BY, "")
    yield (
        "What `-o json` writes and `assessment.json` of an evidence folder holds. Every key is always there; "
        "what does not exist is "
        "null. The JSON Schema ships with the package, as do those of the other files:"
    )
    yield ""
    for path in sorted(CHECKOUT.glob("*/**/*.schema.json")):
        if path.relative_to(CHECKOUT).parts[0] in ("compliance", "controls", "reports"):
            title = json.loads(path.read_bytes()).get("title", "")
            yield f"- `{path.relative_to(CHECKOUT)}`: {_text(title)}"
    yield from ("", "## document", "", *_keys(schema))
    for name, definition in schema["$defs"].items():
        if "properties" in definition:
            yield from (f"## {name}", "")
            if "description" in definition:
                yield from (_text(definition["description"]), "")
            yield from _keys(definition)


def _keys(definition: Mapping[str, Any]) -> Iterator[str]:
    yield from ("| key | is | says |", "|---|---|---|")
    yield from _rows(definition, "")
    yield ""


def _rows(definition: Mapping[str, Any], above: str) -> Iterator[str]:
    for name, value in definition["properties"].items():
        yield f"| `{above}{name}` | {_kind(value)} | {_text(value.get('description', ''))} |"
        inner = value if "properties" in value else value.get("items", {})
        if "properties" in inner:
            yield from _rows(inner, f"{above}{name}{'[]' if inner is not value else ''}.")


def _kind(value: Mapping[str, Any]) -> str:
    if "$ref" in value:
        name = value["$ref"].rpartition("/")[2]
        simple = {
            "digest": "digest",
            "digestOrNull": "digest or null",
            "time": "time",
            "path": "path",
            "pathOrNull": "path or null",
        }
        return simple.get(name) or ("severity" if name == "severity" else f"[{name}](#{_anchor(name)})")
    if "const" in value:
        return f"`{json.dumps(value['const'])}`"
    if "enum" in value:
        return ", ".join(f"`{json.dumps(one).strip(chr(34))}`" for one in value["enum"])
    if "oneOf" in value or "anyOf" in value:
        return " or ".join(_kind(one) for one in value.get("oneOf") or value["anyOf"])
    kind = value.get("type", "any")
    kinds = kind if isinstance(kind, list) else [kind]
    shown = []
    for one in kinds:
        if one == "array":
            shown.append(f"list of {_kind(value.get('items', {}))}")
        elif one == "object" and "properties" not in value and isinstance(value.get("additionalProperties"), dict):
            shown.append(f"names to {_kind(value['additionalProperties'])}")
        else:
            shown.append(one)
    return " or ".join(shown)


# --- frameworks


def _frameworks(coverage: tuple[FrameworkCoverage, ...]) -> Iterator[str]:
    controls = sum(len(one.framework.controls) for one in coverage)
    relations = sum(len(control.checks) for one in coverage for control in one.framework.controls)
    yield from ("# Frameworks", "", WRITTEN_BY, "")
    yield (
        f"{len(coverage)} frameworks, {controls} controls on which checks of an image bear, {relations} "
        "relations, each with its reason."
    )
    yield ""
    yield from (
        "- **satisfies**: the check tests what the control asks of an image; a pass makes the control satisfied.",
        "- **partially supports**: what the check tests lies wholly within the control, which asks more.",
        "- **provides evidence for**: the two overlap; a person must judge.",
        "",
        (
            "*Image*: controls for or against which its own bytes speak. *Others*: those that need what others "
            "made (a signature, a scan, an approved base). *Relations*: how many satisfy · partially support · provide "
            "evidence. `hullmark controls show FRAMEWORK CONTROL` prints the same in a terminal."
        ),
        "",
        "| framework | version | controls | image | others | relations |",
        "|---|---|---|---|---|---|",
    )
    for one in coverage:
        counts = [
            sum(line.relation is relation for control in one.framework.controls for line in control.checks)
            for relation in Relation
        ]
        name = f"[{_text(one.framework.name)}]({one.framework.id}.md)<br>`{one.framework.id}`"
        reach = f"{one.count(Reach.IMAGE)} | {one.count(Reach.OTHERS)}"
        version = _text(one.framework.version)
        yield f"| {name} | {version} | {len(one.controls)} | {reach} | {' · '.join(map(str, counts))} |"


def _framework(coverage: FrameworkCoverage) -> Iterator[str]:
    framework: Framework = coverage.framework
    yield from (f"# {_text(framework.name)}", "", WRITTEN_BY, "")
    yield from (
        f"`--framework {framework.id}` or `{FRAMEWORKS[framework.id]}`. Version: {_text(framework.version)}.",
        "",
    )
    yield from (f"Ids and titles from: {_text(framework.source)}", "")
    if framework.caveats:
        yield from (
            "## What to know before it is quoted",
            "",
            *(f"- {_text(caveat)}" for caveat in framework.caveats),
            "",
        )
    yield from ("## Controls", "")
    reaches = {one.control.id: one.reach for one in coverage.controls}
    for control in framework.controls:
        yield from _control(control, reaches[control.id])
    if coverage.left_out:
        yield from ("## Left out", "", *(f"- {_text(one.what)}: {_text(one.why)}" for one in coverage.left_out), "")


def _control(control: Control, reach: Reach) -> Iterator[str]:
    yield from (f"### {_text(control.label)}: {_text(control.title)}", "")
    about = [] if control.verbatim else ["The title is a paraphrase."]
    about += [] if control.confirmed else ["Id and title could not be confirmed."]
    about += [f"Baselines: {', '.join(control.baselines) or 'none'}."] if control.baselines is not None else []
    about += [
        {Reach.IMAGE: "From the image.", Reach.OTHERS: "Needs other evidence.", Reach.NONE: "No check bears on it."}[
            reach
        ]
    ]
    if control.asks:
        yield f"Asks of an image: {_text(control.asks)}"
        yield ""
    yield from (" ".join(about), "")
    for line in control.checks:
        yield f"- [{line.check}](../../checks/{line.check}.md) *{line.relation.value}* it: {_text(line.rationale)}"
    yield ""


# --- text as Markdown


def _text(text: str) -> str:
    """A sentence; what would be markup is escaped, and options stand as code."""
    for character in "\\`*_<>[]|":
        text = text.replace(character, f"\\{character}")
    return re.sub(r"(?<![\w-])--?[a-z][a-z-]*(?![\w-])", lambda option: f"`{option[0]}`", " ".join(text.split()))


def _code(text: str) -> str:
    """Code in a table's cell, where a bar would end it."""
    return text.replace("|", "\\|")


def _anchor(heading: str) -> str:
    return heading.lower().replace(" ", "-")


def main() -> None:
    """Write them, and take away what is none of them."""
    texts = files()
    for old in FOLDER.rglob("*.md"):
        if old not in texts and old.name != "api.md":
            old.unlink()
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    sys.stdout.write(f"{len(texts)} files in {FOLDER} and {MAN_PAGE.parent}\n")


if __name__ == "__main__":
    main()
