"""SP-REPO: what a package manager of the image would trust is signed or authenticated."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from compliance.model.evidence import Evidence
from compliance.model.filesystem import Captured, display_path
from compliance.model.outcome import (
    Check,
    Failed,
    NotApplicable,
    Outcome,
    Passed,
    Severity,
    Trait,
    Unknown,
)
from compliance.model.request import ContentRequest
from controls.observe import count, file_observation, not_wholly_read, note

_MAX = 2**20
_APT = ContentRequest(
    name="apt-sources",
    globs=(
        "etc/apt/sources.list",
        "etc/apt/sources.list.d/*.{list,sources}",
        "etc/apt/apt.conf",
        "etc/apt/apt.conf.d/*",
    ),
    max_size=_MAX,
)
_APK = ContentRequest(
    name="apk-repositories", globs=("etc/apk/repositories", "etc/apk/repositories.d/*"), max_size=_MAX
)
_YUM = ContentRequest(
    name="yum-repos",
    globs=("etc/yum.repos.d/*.repo", "etc/yum.conf", "etc/dnf/dnf.conf", "etc/zypp/repos.d/*.repo"),
    max_size=_MAX,
)
_PIP = ContentRequest(
    name="pip-conf", globs=("etc/pip.conf", "**/.pip/pip.conf", "**/.config/pip/pip.conf"), max_size=_MAX
)
_NPM = ContentRequest(name="npmrc", globs=("**/.npmrc", "**/npmrc"), max_size=_MAX)

_KEYRINGS = re.compile(r"etc/apk/keys/.+\.pub|etc/apt/trusted\.gpg(?:\.d/.+)?|(?:usr/share|etc/apt)/keyrings/.+")


def run(evidence: Evidence) -> Outcome:
    """Each file of package sources, line by line, by the rules of its package manager."""
    tree = evidence.filesystem
    read = [(kept, rule) for request, rule in _RULES.items() for kept in tree.captured(request)]
    found = tuple(
        file_observation(evidence, kept.entry, f"{display_path(kept.entry.path)}: {problem}.", method="content")
        for kept, rule in read
        for problem in rule(_text(kept))
    )
    if found:
        return Failed(observations=found)
    if not tree.wholly_read:
        return not_wholly_read(tree)
    if not read:
        return NotApplicable(reason="no file of package sources (APT, apk, YUM, zypper, pip, npm) is in the image")
    if _needs_keyring(tree.captured(_APT.name), tree.captured(_APK.name)) and not any(
        _KEYRINGS.fullmatch(entry.path) for entry in tree.regular()
    ):
        return Unknown(
            reason="APT or apk sources are configured, but no keyring that their signatures could be checked by"
        )
    paths = ", ".join(display_path(kept.entry.path) for kept, _ in read[:10])
    return Passed(observations=(note(f"{count(len(read), 'file')} of package sources, none unsigned: {paths}."),))


def _needs_keyring(*sources: tuple[Captured, ...]) -> bool:
    return any(_lines(_text(kept)) for some in sources for kept in some if "conf" not in kept.entry.name)


def _text(kept: Captured) -> str:
    return kept.value.decode("utf-8", "replace") if isinstance(kept.value, bytes) else ""


def _lines(text: str, comments: str = "#") -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip() and line.strip()[0] not in comments]


def _apt(text: str) -> Iterable[str]:
    """sources.list(5), deb822 sources, apt.conf(5). Plain http is authenticated by the signed Release file."""
    for line in _lines(text):
        if re.search(r"\[[^\]]*\btrusted\s*=\s*yes\b", line) or re.match(r"(?i)trusted\s*:\s*yes\b", line):
            yield f"a source is trusted without a signature ({_short(line)})"
        if re.search(r"\[[^\]]*\ballow-insecure\s*=\s*yes\b", line) or re.match(r"(?i)allow-insecure\s*:\s*yes", line):
            yield f"a source may be unsigned ({_short(line)})"
    for option in ("AllowInsecureRepositories", "AllowUnauthenticated", "AllowWeakRepositories"):
        if re.search(rf"(?im)^[^/#\n]*\b{option}\s+\"?(?:true|yes|1|on)\b", text):
            yield f"{option} is set"


def _apk(text: str) -> Iterable[str]:
    """apk indexes are signed, but only https hides and protects what is asked for (the DHI STIG profile's rule)."""
    for line in _lines(text):
        if re.match(r"(?:@\S+\s+)?http://", line):
            yield f"a repository is read over plain http ({_short(line)})"


def _yum(text: str) -> Iterable[str]:
    for line in _lines(text, "#;"):
        key, _, value = (part.strip().lower() for part in line.partition("="))
        if key in ("gpgcheck", "pkg_gpgcheck", "localpkg_gpgcheck") and value in ("0", "no", "false", "off"):
            yield f"packages are installed without checking their signature ({_short(line)})"
        elif key == "sslverify" and value in ("0", "no", "false", "off"):
            yield f"certificates are not verified ({_short(line)})"


def _pip(text: str) -> Iterable[str]:
    for line in _lines(text, "#;"):
        key, _, value = (part.strip() for part in line.partition("="))
        if key in ("index-url", "extra-index-url", "find-links") and "http://" in value:
            yield f"an index is read over plain http ({key})"
        elif key == "trusted-host" and value:
            yield f"a host is trusted without a verified certificate ({_short(line)})"


def _npm(text: str) -> Iterable[str]:
    for line in _lines(text, "#;"):
        key, _, value = (part.strip().strip('"') for part in line.partition("="))
        if key == "strict-ssl" and value == "false":
            yield "certificates are not verified (strict-ssl=false)"
        elif key.rpartition(":")[2] == "registry" and value.startswith("http://"):
            yield f"the registry is read over plain http ({key})"


def _short(line: str) -> str:
    """A line for a report: credentials in an address are left out."""
    return re.sub(r"//[^/@\s]*@", "//…@", line)[:120]


_RULES: dict[str, Callable[[str], Iterable[str]]] = {
    _APT.name: _apt,
    _APK.name: _apk,
    _YUM.name: _yum,
    _PIP.name: _pip,
    _NPM.name: _npm,
}

CHECK = Check(
    id="SP-REPO",
    title="Package sources are authenticated",
    trait=Trait.SUPPLY,
    severity=Severity.MEDIUM,
    rationale="A package source without signatures or over an unverified connection delivers what anybody on the "
    "way puts there, to every later build and to whoever installs something in the container.",
    looks_at="The configuration of APT, apk, YUM/DNF, zypper, pip and npm in the merged file tree, and whether a "
    "keyring of APT or apk is there.",
    proves="A pass proves that none of these files allows unsigned packages or unverified hosts, and that apk, pip and "
    "npm use https. APT over plain http counts as authenticated by the signed index. Options on a command line and "
    "the keys themselves are not looked at.",
    remediation="Remove the options named, use https, and name the key of each source (Signed-By). A runtime image "
    "needs no package sources at all.",
    run=run,
    requests=(_APT, _APK, _YUM, _PIP, _NPM),
    references=("apt-secure(8)", "sources.list(5)", "yum.conf(5)"),
)
