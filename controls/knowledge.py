"""What a shell, a package manager, a debugger … is: the data of ``controls/knowledge/*.yaml`` as values.

One file a kind, read when its check runs and only once. Reading is strict: a key that nobody knows, a marker rule
that no file defines or a tool that nothing could recognise is an error of the library, not a gap.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from compliance.formats.markers import Marker, MarkerRule
from compliance.formats.strict_yaml import Section, read_section

_SCHEMA = 1
# fmt: off
_TOOL_KEYS = (
    "id", "names", "markers", "applets", "go", "needs", "size_max", "unless", "paths", "packages", "ambiguous",
    "observe",
)
# fmt: on


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """One tool and everything that tells it.

    `names` are globs over file names; `markers` ids of marker rules (``shell:*`` for all of a prefix); `applets`
    commands of a multi-call binary; `go` globs over the package path of a Go main program; `needs` globs over
    DT_NEEDED, for programs up to `size_max` bytes; none is the tool for which a rule of `unless` holds; `paths` globs
    over the tree; `packages` pairs of a purl type and globs over package names.

    An `ambiguous` name is that of other things too: it counts with content or with the owning package only.
    An `observe` tool is reported, never failed.
    """

    id: str
    names: tuple[str, ...] = ()
    markers: tuple[str, ...] = ()
    applets: tuple[str, ...] = ()
    go: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    size_max: int | None = None
    unless: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    packages: tuple[tuple[str, tuple[str, ...]], ...] = ()
    ambiguous: bool = False
    observe: bool = False

    @property
    def known_by_content(self) -> bool:
        """Whether the real tool would be recognised without its name."""
        return bool(self.markers or self.go or self.needs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """All tools that one check looks for; `noun` is what one of them is.

    `in_libraries` tells that one inside a shared library, which another program starts, is a possible finding.
    """

    id: str
    noun: str
    tools: tuple[Tool, ...]
    in_libraries: bool = False


@cache
def kind(name: str) -> Kind:
    """The kind in ``knowledge/<name>.yaml``. Raises PolicyError for a damaged file."""
    return parse_kind(name, _read(f"{name}.yaml"), frozenset(rule.id for rule in marker_rules()))


@cache
def marker_rules() -> tuple[MarkerRule, ...]:
    """Every content-marker rule, for `compliance.formats.examine.Examiner`. Raises PolicyError for a damaged file."""
    return parse_rules("markers.yaml", _read("markers.yaml"))


def parse_rules(file: str, content: bytes) -> tuple[MarkerRule, ...]:
    """The marker rules in the YAML `content`. Raises PolicyError naming `file` and the field."""
    top = _top(file, content, "schema", "rules")
    rules = []
    for part in top.sections("rules"):
        part.only("id", "in", "minimum", "markers")
        minimum, markers = part.values.get("minimum"), part.values.get("markers")
        if part.values.get("in", "scripts") != "scripts":
            raise part.error("must be scripts, or left out for ELF files", "in")
        if not isinstance(minimum, int) or not isinstance(markers, list):
            raise part.error("needs a number 'minimum' and a list 'markers'")
        try:
            rules.append(
                MarkerRule(
                    id=part.text("id"),
                    minimum=minimum,
                    markers=tuple(_marker(part, value) for value in markers),
                    scripts="in" in part.values,
                )
            )
        except ValueError as problem:
            raise part.error(str(problem)) from problem
    if len({rule.id for rule in rules}) < len(rules):
        raise top.error("an id is there twice", "rules")
    return tuple(rules)


def parse_kind(name: str, content: bytes, rules: frozenset[str]) -> Kind:
    """The kind `name` in the YAML `content`; `rules` are the marker rules that its tools may name.

    Raises PolicyError naming the file and the field.
    """
    top = _top(f"{name}.yaml", content, "schema", "kind", "noun", "in_libraries", "tools")
    if top.text("kind") != name:
        raise top.error(f"must be the name of the file: {name}", "kind")
    return Kind(
        id=name,
        noun=top.text("noun"),
        tools=tuple(_tool(part, rules) for part in top.sections("tools")),
        in_libraries="in_libraries" in top.values and top.flag("in_libraries"),
    )


@cache
def _read(file: str) -> bytes:
    return (files("controls") / "knowledge" / file).read_bytes()


def _top(file: str, content: bytes, *keys: str) -> Section:
    top = read_section(file, content)
    top.only(*keys)
    if top.values.get("schema") != _SCHEMA:
        raise top.error(f"must be {_SCHEMA}", "schema")
    return top


def _marker(part: Section, value: object) -> Marker:
    """A text, a list of alternatives, or {at, regex}. Texts are byte strings: characters U+0000 to U+00FF."""
    regex: object = None
    if isinstance(value, dict):
        if set(value) != {"at", "regex"}:
            raise part.error("a marker with an expression has 'at' and 'regex'", "markers")
        regex, value = value["regex"], value["at"]
    texts = value if isinstance(value, list) else [value]
    if not all(isinstance(text, str) for text in (*texts, "" if regex is None else regex)):
        raise part.error(f"not a text: {value!r}", "markers")
    try:
        return Marker(
            alternatives=tuple(str(text).encode("latin-1") for text in texts),
            regex=None if regex is None else str(regex).encode("latin-1"),
        )
    except UnicodeEncodeError as problem:
        raise part.error("bytes above 127 are written \\xNN", "markers") from problem


def _tool(part: Section, rules: frozenset[str]) -> Tool:
    part.only(*_TOOL_KEYS)

    def texts(key: str) -> tuple[str, ...]:
        return part.texts(key) if key in part.values else ()

    size_max = part.values.get("size_max")
    if size_max is not None and (not isinstance(size_max, int) or "needs" not in part.values):
        raise part.error("must be a number of bytes, beside 'needs'", "size_max")
    tool = Tool(
        id=part.text("id"),
        names=texts("names"),
        markers=_rule_ids(part, texts("markers"), rules),
        applets=texts("applets"),
        go=texts("go"),
        needs=texts("needs"),
        size_max=size_max,
        unless=_rule_ids(part, texts("unless"), rules),
        paths=texts("paths"),
        packages=_packages(part),
        ambiguous="ambiguous" in part.values and part.flag("ambiguous"),
        observe="observe" in part.values and part.flag("observe"),
    )
    if not (tool.names or tool.markers or tool.applets or tool.go or tool.needs or tool.paths):
        raise part.error("nothing could recognise this tool")
    return tool


def _rule_ids(part: Section, ids: tuple[str, ...], rules: frozenset[str]) -> tuple[str, ...]:
    """`ids` with ``prefix:*`` replaced by the rules it stands for."""
    out: list[str] = []
    for one in ids:
        found = [rule for rule in sorted(rules) if rule == one or (one.endswith("*") and rule.startswith(one[:-1]))]
        if not found:
            raise part.error(f"no marker rule {one!r}", "markers")
        out.extend(found)
    return tuple(out)


def _packages(part: Section) -> tuple[tuple[str, tuple[str, ...]], ...]:
    if "packages" not in part.values:
        return ()
    value = part.values["packages"]
    if not isinstance(value, dict):
        raise part.error("must map purl types to package names", "packages")
    names = Section(file=part.file, path=f"{part.path}.packages", values=value)
    return tuple((type_, names.texts(type_)) for type_ in value)


@dataclass(frozen=True, slots=True, kw_only=True)
class PathSort:
    """Files of one sort by their paths. `exempt` are globs of files that are none; `depth` the parts of a path that
    name the folder under which they are summed."""

    what: str
    globs: tuple[str, ...]
    exempt: tuple[str, ...]
    depth: int


@cache
def path_sorts(name: str) -> tuple[PathSort, ...]:
    """The sorts of files in ``knowledge/<name>.yaml``. Raises PolicyError for a damaged file."""
    return parse_path_sorts(name, _read(f"{name}.yaml"))


def parse_path_sorts(name: str, content: bytes) -> tuple[PathSort, ...]:
    """The sorts of files in the YAML `content`. Raises PolicyError naming the file and the field."""
    top = _top(f"{name}.yaml", content, "schema", "kind", "sorts")
    if top.text("kind") != name:
        raise top.error(f"must be the name of the file: {name}", "kind")
    sorts = []
    for part in top.sections("sorts"):
        part.only("what", "globs", "except", "depth")
        depth = part.values.get("depth")
        if not isinstance(depth, int) or depth < 1:
            raise part.error("must be a number of at least 1", "depth")
        exempt = part.texts("except") if "except" in part.values else ()
        sorts.append(PathSort(what=part.text("what"), globs=part.texts("globs"), exempt=exempt, depth=depth))
    return tuple(sorts)
