"""RM-LANGPM: nothing in the image installs packages of a programming language."""

from __future__ import annotations

from compliance.model.evidence import Evidence
from compliance.model.outcome import Check, Outcome, Severity, Trait
from controls.detection import conclude, detect


def run(evidence: Evidence) -> Outcome:
    """Commands, and the modules that an interpreter runs without a command."""
    return conclude(evidence, detect(evidence, "language-package-managers"))


CHECK = Check(
    id="RM-LANGPM",
    title="No language package manager",
    trait=Trait.REMOVED,
    severity=Severity.MEDIUM,
    rationale="Through pip, npm and their like the application's own runtime can fetch and run code that nobody "
    "scanned, with no operating system package manager in the image.",
    looks_at="Every regular file of the merged file tree: content markers of Cargo, uv, opam and other programs, what "
    "scripts hand their work to (pip, npm, gem, Composer, Maven …) and the list of names in zip applications, "
    "whatever the file is called; names; and the paths of modules that install packages when an interpreter runs "
    "them: pip/__main__.py, the wheels of ensurepip, npm-cli.js, RubyGems' install command, the .NET SDK and others.",
    proves="A pass proves that every regular file was read and that no known package manager of a language is there, "
    "as a command or as a module at its usual path. A module moved to another path is not seen.",
    remediation="Uninstall it in the build stage (python -m pip uninstall pip setuptools; delete ensurepip/_bundled; "
    "delete node_modules/npm and corepack), or copy only the installed application into the runtime stage.",
    run=run,
    references=("NIST SP 800-190, 4.1.2", "Python documentation: ensurepip"),
)
