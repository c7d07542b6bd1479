"""RM-LOCALE: no translations and locale data for languages that the image does not ask for."""

from __future__ import annotations

import re
from collections.abc import Mapping

from compliance.formats.globs import PathMatcher
from compliance.model.evidence import Evidence
from compliance.model.filesystem import FileEntry
from compliance.model.outcome import Check, Failed, Observation, ObservationKind, Outcome, Passed, Severity, Trait
from controls.observe import coverage, not_wholly_read
from controls.trees import folder_sums

_VARIABLES = ("LANG", "LANGUAGE", "LC_ALL", "LC_CTYPE", "LC_MESSAGES", "LC_NUMERIC", "LC_TIME", "LC_COLLATE",
              "LC_MONETARY", "LC_PAPER", "LC_NAME", "LC_ADDRESS", "LC_TELEPHONE", "LC_MEASUREMENT",
              "LC_IDENTIFICATION")  # fmt: skip
_TRANSLATION = re.compile(r"usr/(?:local/)?share/(?:locale|locale-langpack)/(?P<locale>[^/]+)/.+")
_COMPILED = re.compile(r"usr/lib(?:64)?/locale/(?P<locale>[^/]+)/.+")
_ARCHIVE = "usr/lib/locale/locale-archive"
_SOURCES = PathMatcher(("usr/share/i18n/locales/**", "usr/share/i18n/charmaps/**", "usr/share/X11/locale/**"))
_BEGINNINGS = (
    "usr/share/locale",
    "usr/local/share/locale",
    "usr/lib/locale/",
    "usr/lib64/locale/",
    "usr/share/i18n/",
    "usr/share/X11/locale/",
)
"""What all of these begin with: it spares most paths the expressions."""
_OPTIONAL = PathMatcher(
    (
        "usr/lib/**/gconv/*.so",
        "usr/lib64/gconv/*.so",
        "**/site-packages/**/locale/**/*.mo",
        "**/dist-packages/**/locale/**/*.mo",
    )
)


def run(evidence: Evidence) -> Outcome:
    """Data of locales that no variable of the config names; what a program may choose at run time is noted."""
    wanted = _wanted(evidence)
    unused: dict[str, list[FileEntry]] = {}
    possibly: list[FileEntry] = []
    for entry in evidence.filesystem.regular():
        what = _unused(entry.path, wanted) if entry.size else None
        if what is not None:
            unused.setdefault(what, []).append(entry)
        elif entry.size and entry.path.endswith((".mo", ".so")) and _OPTIONAL.matches(entry.path):
            possibly.append(entry)
    found: list[Observation] = []
    for what, entries in sorted(unused.items()):
        found.extend(folder_sums(evidence, entries, what, depth=3, verdict="unused"))
    notes = folder_sums(
        evidence,
        possibly,
        "data for other languages or character sets that a program may choose at run time",
        depth=5,
        kind=ObservationKind.NOTE,
        verdict="possibly-used",
    )
    if found:
        return Failed(observations=(*found, *notes))
    tree = evidence.filesystem
    if not tree.wholly_read:
        return not_wholly_read(tree, notes)
    kept = ", ".join(sorted(wanted)) or "none but C"
    covered = coverage(evidence, f"no translation or locale data beyond the locales that the config names ({kept})")
    return Passed(observations=(covered, *notes))


def _unused(path: str, wanted: frozenset[str]) -> str | None:
    """What sort of unneeded data lies at `path`, if any."""
    if not path.startswith(_BEGINNINGS):
        return None
    translation = _TRANSLATION.fullmatch(path)
    if translation is not None:
        return None if _kept(translation["locale"], wanted) else "translations that no variable asks for"
    compiled = _COMPILED.fullmatch(path)
    if compiled is not None:
        return None if _kept(compiled["locale"], wanted) else "a compiled locale that no variable asks for"
    if path == _ARCHIVE:
        return None if wanted else "an archive of compiled locales, while no variable asks for one"
    return "sources of locales, which only localedef or X11 reads" if _SOURCES.matches(path) else None


def _kept(locale: str, wanted: frozenset[str]) -> bool:
    """Whether a folder's locale is C, or one that is wanted: ``pt`` serves ``pt_BR``, ``pt_PT`` does not."""
    name = _plain(locale)
    return name in ("c", "posix") or name in wanted or any(one.startswith(f"{name}_") for one in wanted)


def _wanted(evidence: Evidence) -> frozenset[str]:
    config = evidence.image.config
    environment: Mapping[str, str] = config.env if config is not None else {}
    values = [value for name in _VARIABLES for value in environment.get(name, "").split(":")]
    return frozenset(_plain(value) for value in values if _plain(value) not in ("", "c", "posix"))


def _plain(locale: str) -> str:
    """``de_DE.UTF-8@euro`` as ``de_de``: translations are found whatever the character set."""
    return re.split(r"[.@]", locale.strip().lower(), maxsplit=1)[0]


CHECK = Check(
    id="RM-LOCALE",
    title="No unused locale or translation data",
    trait=Trait.REMOVED,
    severity=Severity.LOW,
    rationale="Translations and locale data for languages that nobody asked for are bytes to pull and files to "
    "review that serve nobody.",
    looks_at="Files that are not empty under /usr/share/locale, /usr/share/locale-langpack, /usr/lib/locale, "
    "/usr/share/i18n and /usr/share/X11/locale of the merged file tree, held against LANG, LANGUAGE and LC_* of the "
    "config's Env. Character set converters (gconv) and translations inside Python packages are noted: programs choose "
    "among them at run time.",
    proves="A pass proves that every regular file was read and that no data for other locales is at those places. It "
    "does not prove that the data of the locales asked for is used, nor says anything of data elsewhere.",
    remediation="Exclude locales when installing (dpkg path-exclude=/usr/share/locale/*, no locales or glibc-langpack "
    "packages), or set LANG to the locale the application needs.",
    run=run,
    references=("locale(7)", "GNU gettext: Locale Names"),
)
