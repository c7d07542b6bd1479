"""RM-EDITDOC: no editors, pagers or manuals, which nobody reads in a container."""

from __future__ import annotations

from compliance.model.evidence import Evidence
from compliance.model.outcome import Check, Outcome, Severity, Trait
from controls.detection import conclude, detect
from controls.knowledge import path_sorts
from controls.trees import sums_of


def run(evidence: Evidence) -> Outcome:
    """Editors and pagers as programs; documentation by path, legal texts exempt."""
    return conclude(evidence, detect(evidence, "editors"), more=sums_of(evidence, path_sorts("docs")))


CHECK = Check(
    id="RM-EDITDOC",
    title="No editors, pagers, manuals or docs",
    trait=Trait.REMOVED,
    severity=Severity.LOW,
    rationale="Editors and pagers can start other programs and change files by hand; manuals and documentation only "
    "make the image larger and slower to review.",
    looks_at="Every regular file of the merged file tree: editors and pagers by content markers, BusyBox applet and "
    "name, and files that are not empty under /usr/share/man, info, doc, gtk-doc, lintian and the like. Copyright "
    "notices and licences are exempt: they have to stay.",
    proves="A pass proves that every regular file was read, that none is an editor or pager known by content, applet, "
    "package or name, and that the documentation folders hold legal texts at most.",
    remediation="Exclude documentation when installing (dpkg path-exclude, tsflags=nodocs, apk without -doc packages) "
    "and leave editors in the build stage. Keep /usr/share/doc/*/copyright and licence files.",
    run=run,
    references=("dpkg(1): path-exclude", "Debian policy 12.5: copyright information"),
)
