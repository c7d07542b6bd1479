"""What of an image has to be in a hardened runtime image for its application to start there, and how it gets there.

The plan is tried on the spot: the runtime image's tree is put together from the target's entries and the copies, and
the programs and libraries are looked up in it as its kernel and its loader would.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from compliance.model.advice import RUNTIME_UID, Advice, Gap, Impact, Place
from compliance.model.evidence import Evidence
from compliance.model.filesystem import FileEntry, FileKind, FileTree, display_path
from compliance.model.image import ImageConfig
from controls.accounts import Identity
from controls.application import Application, application_of, collapse, package_of
from controls.detection import Finding, Presence
from controls.entrypoint import DEFAULT_PATH, basename, locate, resolve_program
from controls.load_closure import Library
from controls.observe import count
from controls.runtime_interpreter import InterpreterMove, belongs_to_interpreter
from controls.runtime_libraries import LibraryMove
from controls.runtime_tree import Copy, RuntimeTree, folder_entry, inside, is_closed
from controls.start_plan import Command, Interpreter, StartPlan

TOOLS = (
    "shells",
    "os-package-managers",
    "language-package-managers",
    "compilers",
    "debuggers",
    "editors",
    "network-tools",
    "remote-access",
)
"""Kinds of tools that do not belong into a runtime image."""
REMOVED = frozenset(("shells", "os-package-managers", "language-package-managers"))
"""Those that are taken out of the application's own folders; the others may be what it works with."""
LINKS_SHOWN = 8
UNITS_MAX = 500
"""Files and folders that a proposal copies; an application in more pieces is not moved by a Dockerfile."""
RUNTIME = Identity(spec=f"{RUNTIME_UID}:{RUNTIME_UID}", uid=RUNTIME_UID, gid=RUNTIME_UID)

CERTIFICATES = ("etc/ssl/certs/ca-certificates.crt", "etc/pki/tls/certs/ca-bundle.crt", "etc/ssl/cert.pem")
CERTIFICATE_VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")
NEUTRAL_LOCALE = re.compile(r"(?:C|POSIX)?(?:\.utf-?8)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimePlan:
    """The runtime image. `target` is None where it is built from nothing, or where `placeholder` says what it needs.

    `remove`, `make` and `open` are prepared in the build stage: tools taken out, directories made, files made
    readable. `tree` is the runtime image's tree as the plan makes it, `config` its configuration.
    """

    target: Evidence | None
    placeholder: Interpreter | None
    application: Application
    copies: tuple[Copy, ...]
    remove: tuple[str, ...]
    make: tuple[str, ...]
    open: tuple[str, ...]
    libraries: tuple[Library, ...]
    tree: FileTree
    config: ImageConfig
    advice: tuple[Advice, ...]
    gaps: tuple[Gap, ...]
    left_out: tuple[str, ...]

    @property
    def from_nothing(self) -> bool:
        """Whether the runtime image has no base at all."""
        return self.target is None and self.placeholder is None

    def holds(self, folder: str) -> bool:
        """Whether something of the application is copied to or below `folder`."""
        return _holds(self.copies, folder)


def plan_runtime(
    evidence: Evidence, start: StartPlan, target: Evidence | None, tools: Mapping[str, tuple[Finding, ...]]
) -> RuntimePlan:
    """What the runtime image of `evidence` needs, on top of `target` if one is given.

    `tools` are what was found of each of TOOLS.
    """
    runtime = RuntimeTree(base=target.filesystem if target is not None else None)
    return _Planner(evidence, start, target, runtime, tools).plan()


@dataclass(slots=True)
class _Planner:
    evidence: Evidence
    start: StartPlan
    target: Evidence | None
    runtime: RuntimeTree
    tools: Mapping[str, tuple[Finding, ...]]
    advice: list[Advice] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    links: list[FileEntry] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    remove: tuple[str, ...] = ()
    make: list[str] = field(default_factory=list)
    open: list[str] = field(default_factory=list)

    def plan(self) -> RuntimePlan:
        command = self.start.command
        interpreter = command.interpreter if command is not None else None
        placeholder = interpreter if self.target is None else None
        application = self._application(interpreter)
        self._copy_application(application)
        self._environment()
        libraries = LibraryMove(self.evidence, self.target, self.runtime, self.environment)
        if placeholder is None:
            libraries.move()
            self.advice.extend(libraries.advice)
            self.gaps.extend(libraries.gaps)
            self._data(libraries.copied)
        entrypoint, cmd = self._commands(command, interpreter)
        health = self._health(placeholder)
        config = ImageConfig(
            user=f"{RUNTIME_UID}:{RUNTIME_UID}",
            entrypoint=entrypoint,
            cmd=cmd,
            env=self.environment,
            working_dir=self.start.working_dir,
            exposed_ports=self.evidence.image.config.exposed_ports if self.evidence.image.config is not None else (),
            volumes=self._writable(),
            healthcheck=("CMD", *health) if health is not None else None,
        )
        if placeholder is None and (entrypoint or cmd):
            self._try(config, libraries)
        self._tell_links()
        return RuntimePlan(
            target=self.target,
            placeholder=placeholder,
            application=application,
            copies=tuple(sorted(self.runtime.copies.values(), key=lambda copy: (copy.group, copy.target))),
            remove=self.remove,
            make=tuple(self.make),
            open=tuple(self.open),
            libraries=tuple(sorted(libraries.copied.values(), key=lambda one: one.entry.path)),
            tree=self.runtime.tree(),
            config=config,
            advice=tuple(self.advice),
            gaps=tuple(self.gaps),
            left_out=tuple(self.left_out),
        )

    # the application

    def _application(self, interpreter: Interpreter | None) -> Application:
        """The application's files, less an interpreter that the target brings, tools, and unfolded scripts."""
        commands = [one for one in (self.start.command, self.start.health) if one is not None]
        started = [file for one in commands for file in one.files if file.path not in self.start.scripts]
        if self.start.health is not None:
            # what only the health check starts, and comes in a package, is not worth a package
            mine = self.start.command.files if self.start.command is not None else ()
            started = [file for file in started if file in mine or package_of(self.evidence, file) is None]
        found = application_of(self.evidence, started)
        paths = {path for path in found.paths if not self._comes_with_target(path, interpreter)}
        needed = {file.path for file in started}
        unwanted = {*self._tools(paths, needed), *(set(self.start.scripts) & paths)}
        unwanted |= {path for path in paths if self._leads_to(path, unwanted)}
        kept = paths - unwanted
        units = collapse(self.evidence.filesystem, kept)
        if unwanted and self._can_run("rm"):
            whole = collapse(self.evidence.filesystem, paths)
            units = tuple(unit for unit in whole if any(inside(path, unit) for path in kept))
            unwanted_units = collapse(self.evidence.filesystem, unwanted)
            self.remove = tuple(one for one in unwanted_units if any(one.startswith(f"{unit}/") for unit in units))
        if len(units) > UNITS_MAX:
            more = count(len(units) - UNITS_MAX, "more file or folder", "more files or folders")
            self.left_out.append(f"{more} of the application: too many to list")
            self.gaps.append(
                Gap(what="the proposal does not copy all files of the application: too many", decisive=True)
            )
        return replace(found, paths=frozenset(kept), units=units[:UNITS_MAX])

    def _leads_to(self, path: str, places: set[str]) -> bool:
        """Whether a link leads to one of `places`."""
        tree = self.evidence.filesystem
        return tree.entries[path].kind is FileKind.SYMLINK and tree.real_path(path) in places

    def _comes_with_target(self, path: str, interpreter: Interpreter | None) -> bool:
        """Whether a file is the interpreter's, or a packaged one that the target has too; configuration is neither."""
        if interpreter is not None and belongs_to_interpreter(self.evidence, interpreter, path):
            return True
        if self.target is None or path.startswith("etc/"):
            return False
        entry = self.evidence.filesystem.entries[path]
        return self.target.filesystem.resolve(path) is not None and package_of(self.evidence, entry) is not None

    def _tools(self, paths: set[str], needed: set[str]) -> Iterator[str]:
        """Files of `paths` that are tools, modules with all that is in their folder."""
        folders: set[str] = set()
        for kind in sorted(REMOVED & self.tools.keys()):
            for finding in self.tools[kind]:
                if finding.observe:
                    continue
                for name in (finding.entry.path, *finding.names):
                    folder = _module_folder(name)
                    telling = folder is not None and posixpath.basename(folder) in finding.tools
                    if finding.presence is Presence.POSSIBLE and not telling:
                        continue
                    if folder is not None:
                        folders.update((folder, *self._records(folder)))
                    elif name in paths and name not in needed:
                        yield name
        for path in paths if folders else ():
            if path not in needed and _unit_of(path, folders) is not None:
                yield path

    def _records(self, folder: str) -> Iterator[str]:
        """What states that a Python module is installed, beside its folder."""
        above, name = posixpath.split(folder)
        for entry in self.evidence.filesystem.children(above):
            if re.fullmatch(rf"{re.escape(name)}-[^/]*\.(?:dist|egg)-info", entry.name):
                yield entry.path

    def _can_run(self, *programs: str) -> bool:
        """Whether the build stage has a shell and those programs."""
        config = self.evidence.image.config
        named = {"PATH": config.env.get("PATH", DEFAULT_PATH) if config is not None else DEFAULT_PATH}
        found = (locate(self.evidence.filesystem, program, named, "/") for program in ("/bin/sh", *programs))
        return all(entry is not None for entry in found)

    def _copy_application(self, application: Application) -> None:
        tree = self.evidence.filesystem
        below: dict[str, list[FileEntry]] = {unit: [] for unit in application.units}
        removed = frozenset(self.remove)
        for entry in tree:
            unit = _unit_of(entry.path, below)
            if unit is not None and _unit_of(entry.path, removed) is None:
                below[unit].append(entry)
        for unit, entries in below.items():
            if tree.entries[unit].kind is FileKind.SYMLINK:  # COPY would follow a link that it is told by name
                self.links.append(tree.entries[unit])
                continue
            if any(is_closed(entry) for entry in entries) and self._can_run("chmod"):
                self.open.append(unit)
            copy = Copy(source=unit, target=self.runtime.place(unit), group="application")
            self.runtime.put(copy, entries, opened=unit in self.open)

    def _tell_links(self) -> None:
        """Links that lead to what is copied, and are not copied themselves."""
        lost = [link for link in self.links if link.path not in self.runtime.ours and self._leads_to_ours(link)]
        if lost:
            shown = ", ".join(f"{display_path(link.path)} -> {link.link}" for link in lost[:LINKS_SHOWN])
            self.left_out.append(f"{count(len(lost), 'link')}, which COPY would follow: {shown}")

    def _leads_to_ours(self, link: FileEntry) -> bool:
        target = self.evidence.filesystem.resolve(link.path)
        return target is not None and target.path in self.runtime.ours and target.kind is FileKind.REGULAR

    # environment, data, writable places

    def _environment(self) -> None:
        config = self.evidence.image.config
        given = {**(config.env if config is not None else {}), **self.start.environment}
        theirs: Mapping[str, str] = {}
        if self.target is not None and self.target.image.config is not None:
            theirs = self.target.image.config.env
        self.environment.update({**theirs, **given})
        if self.target is not None:
            copies = tuple(self.runtime.copies.values())
            own = [one for one in given.get("PATH", "").split(":") if _holds(copies, one)]
            self.environment["PATH"] = ":".join(dict.fromkeys((*own, *theirs.get("PATH", DEFAULT_PATH).split(":"))))

    def _data(self, libraries: Mapping[int, Library]) -> None:
        """Certificates, time zone, locale, and what tells scanners the distribution of copied libraries."""
        tree, config = self.evidence.filesystem, self.evidence.image.config
        environment = config.env if config is not None else {}
        wanted = [path for path in CERTIFICATES if tree.resolve(path) is not None][:1]
        named = [environment[name] for name in CERTIFICATE_VARIABLES if environment.get(name, "").startswith("/")]
        for path in (*wanted, *named):
            self._data_file(path.strip("/"))
        zone = environment.get("TZ", "").lstrip(":")
        if re.fullmatch(r"[A-Za-z0-9_+-]+(?:/[A-Za-z0-9_+-]+)*", zone):
            self._data_file(f"usr/share/zoneinfo/{zone}")
        if tree.get("etc/localtime") is not None and "UTC" not in (tree.real_path("etc/localtime") or ""):
            self._data_file("etc/localtime")
        for value in dict.fromkeys(environment.get(name, "") for name in ("LC_ALL", "LANG", "LC_CTYPE")):
            if not NEUTRAL_LOCALE.fullmatch(value):
                self._locale(value)
        if libraries and self.target is None:
            self._data_file("etc/os-release")
            self._package_records(libraries.values())
        temporary = tree.get("tmp")
        if self.runtime.tree().get("tmp") is None and temporary is not None and not tree.children("tmp"):
            self.runtime.put(Copy(source="tmp", target="tmp", group="data"), [temporary])

    def _package_records(self, libraries: Iterable[Library]) -> None:
        """The records of packages that have one file each (/var/lib/dpkg/status.d), for scanners to find."""
        owners = {package_of(self.evidence, library.entry) for library in libraries}
        for package in self.evidence.inventory.installed:
            for place in package.locations[:1] if package.purl in owners else ():
                for path in (place.path, f"{place.path}.md5sums"):
                    if "/status.d/" in path:
                        self._data_file(path)

    def _data_file(self, path: str) -> None:
        found = self.evidence.filesystem.resolve(path)
        if found is None or found.kind is not FileKind.REGULAR or self.runtime.tree().resolve(path) is not None:
            return
        self.runtime.put_file(found, path, "data")

    def _locale(self, value: str) -> None:
        name, _, charset = value.partition(".")
        spelled = f"{name}.{charset.lower().replace('-', '')}" if charset else name
        tree = self.evidence.filesystem
        for place in (f"usr/lib/locale/{spelled}", f"usr/lib/locale/{value}"):
            entry = tree.get(place)
            if entry is not None and entry.kind is FileKind.DIRECTORY and self.runtime.tree().get(place) is None:
                below = [one for one in tree if inside(one.path, place)]
                self.runtime.put(Copy(source=place, target=place, group="data"), below)
                return
        self._data_file("usr/lib/locale/locale-archive")

    def _writable(self) -> tuple[str, ...]:
        """Directories that the runtime user must be able to write: copied where they are there, else made."""
        config = self.evidence.image.config
        asked = [path for path, _ in self.start.directories]
        volumes: list[str] = []
        for text in dict.fromkeys((*(config.volumes if config is not None else ()), *asked)):
            path = (self.evidence.filesystem.real_path(text) or text).strip("/")
            entry = self.evidence.filesystem.get(path)
            if not path or not text.startswith("/") or (entry is not None and entry.kind is not FileKind.DIRECTORY):
                continue
            if self.runtime.holds_code(path):
                self._code_stays(text, path, entry)
                continue
            volumes.append(f"/{path}")
            self._writable_folder(path, entry)
        return tuple(sorted(dict.fromkeys(volumes)))

    def _writable_folder(self, path: str, entry: FileEntry | None) -> None:
        if entry is not None:
            below = [one for one in self.evidence.filesystem if inside(one.path, path)]
        elif self._can_run("mkdir"):
            self.make.append(path)
            below = [folder_entry(path)]
        else:
            what = f"/{path} is not in the image, which has no shell to make it with: mount it for uid {RUNTIME_UID}"
            self.gaps.append(Gap(what=what))
            return
        self.runtime.put(Copy(source=path, target=self.runtime.place(path), group="writable", writable=True), below)

    def _code_stays(self, text: str, path: str, entry: FileEntry | None) -> None:
        told = next((place for given, place in self.start.directories if given == text), None)
        self.advice.append(
            Advice(
                id="writable-code",
                impact=Impact.MAY_BREAK,
                what=f"{text} is made writable for the application and holds its code too.",
                places=(
                    told or Place(config="Volumes", text=text),
                    Place(path=path, layer=entry.layer if entry is not None else None),
                ),
                way_out="The proposal leaves the code to root. Which files below it the application writes can't be "
                "seen in the image: move those to a directory of their own and declare that one as VOLUME.",
            )
        )

    # commands

    def _commands(
        self, command: Command | None, interpreter: Interpreter | None
    ) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Entry point and command with absolute paths, as the runtime tree has them."""
        if command is None:
            return (), ()
        argv, at, fixed = list(command.argv), command.program, len(command.entrypoint)
        argv[:at] = [self._absolute(argv[0]), *argv[1:at]][:at]
        searched = self.target is None and interpreter is not None and argv[at] == interpreter.word
        if not searched or "/" in argv[at]:  # a target that is not known has its own place for an interpreter
            argv[at] = self._absolute(argv[at])
        # the program itself is not for the user to replace, where the image had all of it in Cmd
        fixed = max(fixed, at + 1)
        if interpreter is not None and self.target is not None:
            move = InterpreterMove(self.evidence, self.target, self.runtime, self.environment)
            words = move.words(command, interpreter, argv[at])
            argv[at : at + 1] = words
            fixed += len(words) - 1
            self.advice.extend(move.advice)
            self.gaps.extend(move.gaps)
        return tuple(argv[:fixed]), tuple(argv[fixed:])

    def _absolute(self, word: str) -> str:
        """The path of a program in the runtime image; a name that a link gives it is kept where it matters."""
        config = self.evidence.image.config
        environment = {**(config.env if config is not None else {}), **self.start.environment}
        working_dir = self.start.working_dir or "/"
        entry = locate(self.evidence.filesystem, word, environment, working_dir)
        if entry is None:
            return word
        tree = self.runtime.tree()
        asked = posixpath.normpath(posixpath.join(working_dir, word))
        if "/" in word and (tree.resolve(asked) is not None or tree.get(asked) is not None):
            return asked
        if basename(word) == entry.name or tree.get(entry.path) is None:
            return asked if "/" in word and tree.get(entry.path) is None else f"/{entry.path}"
        alias = f"{posixpath.dirname(entry.path)}/{basename(word)}"  # a program may go by the name it is called
        self.runtime.put_file(entry, alias, "application")
        return f"/{alias}"

    def _health(self, placeholder: Interpreter | None) -> tuple[str, ...] | None:
        """The health check, if what it starts is in the runtime tree."""
        health = self.start.health
        if health is None:
            return None
        word = self._absolute(health.argv[0])
        runtime = replace(self.evidence, filesystem=self.runtime.tree())
        interpreted = placeholder is not None and health.interpreter == placeholder
        if interpreted or resolve_program(runtime, word).problem is None:
            return (word, *health.argv[1:])
        return None

    # the trial

    def _try(self, config: ImageConfig, libraries: LibraryMove) -> None:
        """Whether the entry point can be started in the runtime tree as the runtime user."""
        runtime = replace(
            self.evidence, filesystem=self.runtime.tree(), image=replace(self.evidence.image, config=config)
        )
        argv = (*config.entrypoint, *config.cmd)
        at = self.start.command.program if self.start.command is not None else 0
        for word in dict.fromkeys((argv[0], argv[at])):
            problem = resolve_program(runtime, word, RUNTIME).problem
            if problem is not None:
                self.gaps.append(Gap(what=f"in the proposed runtime image {problem}", decisive=True))
        told = {advice.places[0].text for advice in self.advice if advice.id == "library-unresolved"}
        for name, needing in libraries.missing():
            if name not in told:
                what = f"in the proposed runtime image {display_path(needing.path)} does not find {name}"
                self.gaps.append(Gap(what=what, decisive=True))


def _holds(copies: Iterable[Copy], folder: str) -> bool:
    place = folder.strip("/")
    return bool(place) and any(inside(place, copy.target) or inside(copy.target, place) for copy in copies)


def _unit_of(path: str, units: Container[str]) -> str | None:
    """The one of `units` that `path` is, or is below."""
    while path:
        if path in units:
            return path
        path = posixpath.dirname(path)
    return None


def _module_folder(path: str) -> str | None:
    """The folder of the module that a package manager's file is in; None for a program by itself."""
    node = re.fullmatch(r"(.*/node_modules/(?:@[^/]+/)?[^/]+)/.*", path)
    if node is not None:
        return node[1]
    python = re.fullmatch(r"(.*/(?:site|dist)-packages/[^/]+)/.*", path)
    return python[1] if python is not None else None
