"""The interpreter that runs an application, found again in the target image."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from compliance.model.advice import Advice, Gap, Impact, Place
from compliance.model.evidence import Evidence
from compliance.model.filesystem import FileEntry
from compliance.model.image import ImageConfig
from controls.application import package_of
from controls.entrypoint import DEFAULT_PATH, basename, resolve_program
from controls.runtime_tree import RuntimeTree
from controls.start_plan import Command, Interpreter

_LIBRARY = re.compile(r"(?P<prefix>.*)/lib/python\d+\.\d+/(?!site-packages/|dist-packages/).*")
_VERSION = re.compile(r"python(\d+\.\d+)$")


def belongs_to_interpreter(evidence: Evidence, interpreter: Interpreter, path: str) -> bool:
    """Whether a file is part of an interpreter that no package installed: its library, its headers, its tools."""
    if package_of(evidence, interpreter.entry) is not None:
        return False
    home = posixpath.dirname(posixpath.dirname(interpreter.entry.path))
    if path == interpreter.entry.path or path.startswith(f"{home}/include/"):
        return True
    if not path.startswith(f"{home}/"):
        return False
    name = posixpath.basename(path)
    match interpreter.language:
        case "python":
            tool = path.startswith(f"{home}/bin/") and re.match(r"(?:python|idle|pydoc|2to3|pip)[\d.]*", name)
            library = _LIBRARY.fullmatch(f"/{path}")
            own = library is not None and library["prefix"] == f"/{home}"
            return bool(tool) or own or name.startswith("libpython")
        case "node":
            return path.startswith((f"{home}/bin/node", f"{home}/share/doc/", f"{home}/share/man/"))
        case "java":
            return "/" in home  # a JDK in a folder of its own
        case _:
            return False


@dataclass(slots=True)
class InterpreterMove:
    """Starts the program with the target's interpreter; `environment` may get a path of modules."""

    evidence: Evidence
    target: Evidence
    runtime: RuntimeTree
    environment: dict[str, str]
    advice: list[Advice] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)

    def words(self, command: Command, interpreter: Interpreter, word: str) -> tuple[str, ...]:
        """The words that start the program, whose path is `word`, in the target."""
        config = replace(self.evidence.image.config or ImageConfig(), env=self.environment)
        image = replace(self.evidence.image, config=config)
        runtime = replace(self.evidence, filesystem=self.runtime.tree(), image=image)
        found = resolve_program(runtime, word)
        if found.problem is None:
            self._compare(interpreter, found.started)
            return (word,)
        theirs = self._find(interpreter)
        if theirs is None:
            self._tell_missing(interpreter)
            return (word,)
        self._compare(interpreter, self.target.filesystem.resolve(theirs))
        program = command.resolved
        named = program.interpreter_names[-1] if program.interpreter_names else program.word
        packages = self._virtual_environment(named)
        if packages is not None:
            known = self.environment.get("PYTHONPATH", "")
            self.environment["PYTHONPATH"] = f"{packages}:{known}" if known else packages
        itself = program.entry is not None and program.entry.inode == interpreter.entry.inode
        self._tell_path(interpreter, program.entry, named, theirs, packages)
        return (theirs,) if itself else (theirs, word)

    def _find(self, interpreter: Interpreter) -> str | None:
        """The path of the target's interpreter of that language, by its PATH."""
        environment: Mapping[str, str] = self.target.image.config.env if self.target.image.config is not None else {}
        names = dict.fromkeys((basename(interpreter.word), interpreter.entry.name, interpreter.language))
        if interpreter.language == "python":
            names.setdefault("python3")
        for name in names:
            for folder in environment.get("PATH", DEFAULT_PATH).split(":"):
                entry = self.target.filesystem.resolve(f"{folder}/{name}")
                if entry is not None and entry.executable and folder.startswith("/"):
                    return f"{folder.rstrip('/')}/{name}"
        return None

    def _virtual_environment(self, named: str) -> str | None:
        """The packages of the virtual environment whose interpreter `named` is; None where it is no such one."""
        home = posixpath.dirname(posixpath.dirname(named)).strip("/")
        if self.evidence.filesystem.get(f"{home}/pyvenv.cfg") is None:
            return None
        folders = self.evidence.filesystem.children(f"{home}/lib")
        return next((f"/{one.path}/site-packages" for one in folders if one.name.startswith("python")), None)

    def _tell_path(
        self, interpreter: Interpreter, script: FileEntry | None, named: str, theirs: str, packages: str | None
    ) -> None:
        way_out = "The proposal names the target's interpreter in the entry point"
        way_out += f", and the packages of the virtual environment in PYTHONPATH ({packages})." if packages else "."
        language = interpreter.language
        self.advice.append(
            Advice(
                id="interpreter-path",
                impact=Impact.BREAKS,
                what=f"The program names its interpreter as {named}; the target has its {language} at {theirs}.",
                places=(
                    Place(
                        path=script.path if script is not None else None,
                        layer=script.layer if script is not None else None,
                        line=1,
                        text=named,
                    ),
                ),
                way_out=way_out,
            )
        )

    def _tell_missing(self, interpreter: Interpreter) -> None:
        self.advice.append(
            Advice(
                id="interpreter-missing",
                impact=Impact.BREAKS,
                what=f"The application needs {interpreter.language}, which the target does not have on its PATH.",
                places=(Place(path=interpreter.entry.path, layer=interpreter.entry.layer, text=interpreter.word),),
                way_out=f"Choose a hardened image that ships {interpreter.language}, in the same version.",
            )
        )

    def _compare(self, interpreter: Interpreter, theirs: FileEntry | None) -> None:
        """The versions in the interpreters' file names; else that they were not compared."""
        if theirs is None or theirs.sha256 == interpreter.entry.sha256:
            return
        mine, other = _VERSION.search(interpreter.entry.name), _VERSION.search(theirs.name)
        if mine is None or other is None:
            self.gaps.append(Gap(what=f"the version of {interpreter.language} in the target was not compared"))
        elif mine[1] != other[1]:
            self.advice.append(
                Advice(
                    id="interpreter-version",
                    impact=Impact.BREAKS,
                    what=f"The application is installed for Python {mine[1]}, and the target has {other[1]}.",
                    places=(Place(path=interpreter.entry.path, layer=interpreter.entry.layer),),
                    way_out="Install its packages again in a build stage from the target's -dev image.",
                )
            )
