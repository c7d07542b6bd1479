"""Ruby gems: those installed, by their specifications, and those that Bundler's lock files declare."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from compliance.formats.plain_text import decode, plain_text
from compliance.formats.purl import package_url
from compliance.model.filesystem import FileEntry, FileTree
from compliance.model.inventory import Cataloged, Distribution, Location, Package, Unknown
from compliance.model.request import ContentRequest
from compliance.sbom.licenses import licenses_of
from compliance.sbom.stated import describes_installed, of_others

_SPECIFICATION = ContentRequest(
    name="ruby-specification", globs=("**/specifications/*.gemspec", "**/specifications/default/*.gemspec")
)
_LOCK = ContentRequest(name="ruby-lock", globs=("**/Gemfile.lock", "**/gems.locked"), max_size=8 * 2**20)

# `# stub: NAME VERSION PLATFORM PATHS` is what RubyGems itself reads first (Gem::StubSpecification).
_STUB = re.compile(r"^# stub: (?P<name>\S+) (?P<version>\S+) (?P<platform>\S+)", re.MULTILINE)
_STRING = re.compile(r""""((?:[^"\\]|\\.){0,4096})"|'((?:[^'\\]|\\.){0,4096})'|%[qQ]?<([^>]{0,4096})>""")
_ASSIGNMENT = re.compile(
    r"^[ \t]*\w+\.(name|version|platform|homepage|license|licenses|author|authors|files)[ \t]*=[ \t]*"
    r"""(?:Gem::Version\.new[ \t]*\(?[ \t]*)?(\[(?:[^\]"']|"(?:[^"\\]|\\.)*+"|'(?:[^'\\]|\\.)*+')*+|["'%].*)""",
    re.MULTILINE,
)
_DEPENDENCY = re.compile(r"\.add_(runtime_)?dependency[ \t]*\(?[ \t]*(%[qQ]?<[^>]+>|\"[^\"]+\"|'[^']+')")
# Specifications written for old and new RubyGems name everything again for the old, which had one kind only.
_OLD_AND_NEW = "respond_to? :add_runtime_dependency"
_ESCAPE = re.compile(r"\\u\{?([0-9A-Fa-f]{4,6})\}?|\\(.)")
_VERSION = re.compile(r"[0-9][0-9A-Za-z.-]*")
_ANY_PLATFORM = "ruby"

_SECTION = re.compile(r"(\S.*?)\s*")
_LOCKED = re.compile(r" {4}(?P<name>[^\s()]+) \((?P<version>[^\s()-]+)(?:-(?P<platform>[^\s()]+))?\)")
_NEEDED = re.compile(r" {6}(?P<name>[^\s()!]+)(?: \(.*\))?!?")
_CHECKSUM = re.compile(r" {2}(?P<name>[^\s()]+) \((?P<version>[^\s()]+)\) sha256=(?P<digest>[0-9a-f]{64})")
_SOURCES = frozenset({"GEM", "GIT", "PATH", "PLUGIN SOURCE"})


class RubyCataloger:
    """Gems of every specifications folder; gems of lock files as declared, if they are not those installed."""

    id: str = "ruby"
    requests: tuple[ContentRequest, ...] = (_SPECIFICATION, _LOCK)

    def catalog(self, tree: FileTree, distribution: Distribution | None) -> Cataloged:
        """Every specification that states a name and a version as texts; others are unknowns."""
        packages: list[Package] = []
        unknowns: list[Unknown] = []
        for item in tree.captured(_SPECIFICATION.name):
            if not isinstance(item.value, bytes):
                continue
            package = _installed(decode(item.value), item.entry)
            if package is not None:
                packages.append(package)
            else:
                unknowns.append(Unknown(path=item.entry.path, reason="a gem specification without name and version"))
        installed = {package.name for package in packages}
        for item in tree.captured(_LOCK.name):
            if isinstance(item.value, bytes) and not of_others(item.entry.path):
                declared = list(_declared(decode(item.value), item.entry))
                if not describes_installed({gem.name for gem in declared}, installed):
                    packages.extend(declared)
        return Cataloged(packages=tuple(packages), unknowns=tuple(unknowns))


CATALOGER = RubyCataloger()


def _installed(source: str, entry: FileEntry) -> Package | None:
    """The gem of one specification: its assignments of texts, which RubyGems generates; no Ruby is run."""
    values: dict[str, list[str]] = {}
    for key, value in _ASSIGNMENT.findall(source):
        values.setdefault(key, list(_strings(value) if value[0] == "[" else list(_strings(value))[:1]))
    stub = _STUB.search(source)
    name = _one(values, "name") or (plain_text(stub["name"], 256) if stub else "")
    version = _one(values, "version") or (plain_text(stub["version"], 128) if stub else "")
    platform = _one(values, "platform") or (plain_text(stub["platform"], 128) if stub else "")
    if not name or not _VERSION.fullmatch(version):
        return None
    full_name = f"{name}-{version}" if platform in ("", _ANY_PLATFORM) else f"{name}-{version}-{platform}"
    home = posixpath.dirname(entry.path.partition("/specifications/")[0] + "/x")
    return Package(
        name=name,
        version=version,
        type="gem",
        purl=_purl(name, version, platform),
        found_by=CATALOGER.id,
        locations=(Location(path=entry.path, layer=entry.layer),),
        licenses=licenses_of((*values.get("license", ()), *values.get("licenses", ()))),
        supplier=_one(values, "author") or _one(values, "authors") or None,
        homepage=_one(values, "homepage") or None,
        depends=tuple(dict.fromkeys(_runtime_dependencies(source))),
        files=(entry.path, *(f"{home}/gems/{full_name}/{path}" for path in values.get("files", ()) if path)),
    )


def _runtime_dependencies(source: str) -> Iterator[str]:
    runtime_only = _OLD_AND_NEW in source
    for match in _DEPENDENCY.finditer(source):
        if match[1] or not runtime_only:
            yield from _strings(match[2])


def _one(values: dict[str, list[str]], key: str) -> str:
    return next(iter(values.get(key, ())), "")


def _strings(source: str) -> Iterator[str]:
    """The string literals in a piece of Ruby, each as one plain line."""
    for match in _STRING.finditer(source):
        double, single, angled = match.groups()
        yield plain_text(_ESCAPE.sub(_unescaped, double) if double is not None else single or angled or "", 1024)


def _unescaped(match: re.Match[str]) -> str:
    code = int(match[1], 16) if match[1] else 0
    return match[2] or (chr(code) if 0 < code < 0x110000 else "")


def _purl(name: str, version: str, platform: str) -> str:
    return package_url("gem", name, version, qualifiers={"platform": platform if platform != _ANY_PLATFORM else None})


def _declared(text: str, entry: FileEntry) -> Iterator[Package]:
    """The gems of a lock file, each with the names under it (Bundler::LockfileParser)."""
    digests = {(match["name"], match["version"]): match["digest"] for match in _CHECKSUM.finditer(text)}
    section = ""
    gem: re.Match[str] | None = None
    needs: list[str] = []
    for line in (*text.splitlines(), "END"):  # the last gem ends there
        needed = _NEEDED.fullmatch(line) if gem else None
        if needed:
            needs.append(plain_text(needed["name"], 256))
            continue
        if gem is not None:
            yield _declared_gem(gem, tuple(dict.fromkeys(needs)), digests, entry)
        if title := _SECTION.fullmatch(line):
            section = title[1]
        gem = _LOCKED.fullmatch(line) if section in _SOURCES else None
        needs = []


def _declared_gem(
    gem: re.Match[str], needs: tuple[str, ...], digests: dict[tuple[str, str], str], entry: FileEntry
) -> Package:
    name, version, platform = plain_text(gem["name"], 256), plain_text(gem["version"], 128), gem["platform"] or ""
    digest = digests.get((gem["name"], f"{gem['version']}-{platform}" if platform else gem["version"]))
    return Package(
        name=name,
        version=version,
        type="gem",
        purl=_purl(name, version, plain_text(platform, 128)),
        found_by=CATALOGER.id,
        locations=(Location(path=entry.path, layer=entry.layer),),
        digests=(("SHA-256", digest),) if digest else (),
        depends=needs,
        declared=True,
    )
