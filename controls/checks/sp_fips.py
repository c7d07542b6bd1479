"""SP-FIPS: where FIPS is promised, OpenSSL's FIPS provider is there and switched on."""

from __future__ import annotations

import re
from collections.abc import Mapping

from compliance.model.evidence import Evidence
from compliance.model.filesystem import FileEntry, display_path
from compliance.model.outcome import (
    Check,
    Failed,
    NotApplicable,
    Observation,
    Outcome,
    Passed,
    Severity,
    Trait,
    Unknown,
)
from compliance.model.request import ContentRequest
from controls.observe import file_observation, not_wholly_read, note
from controls.variant import DHI, claims

_CONFIGURATION = ContentRequest(
    name="openssl-configuration", globs=("**/openssl*.cnf", "**/fipsmodule.cnf"), max_size=2**20
)
_PROVIDER = re.compile(r"(?:^|/)ossl-modules(?:-\d)?/fips\.so$")
_SECTION = re.compile(r"\[\s*([^\]]+?)\s*\]")
_INCLUDE = re.compile(r"(?m)^\s*\.include\s*=?\s*\S*fipsmodule\.cnf\s*$")
_SETTING = re.compile(r"([\w.:-]+)\s*=\s*(.*)")


def run(evidence: Evidence) -> Outcome:
    """Asked only where a label or the tag promises FIPS: provider, module configuration, activation."""
    promise = _promise(evidence)
    if promise is None:
        return NotApplicable(reason="neither a label nor the tag promises FIPS")
    tree = evidence.filesystem
    provider = next((entry for entry in tree.regular() if _PROVIDER.search(entry.path)), None)
    kept = {item.entry.path: item for item in tree.captured(_CONFIGURATION.name) if isinstance(item.value, bytes)}
    texts = {path: _text(item.value) for path, item in kept.items()}
    active = next((path for path, text in texts.items() if _activates(text)), None)
    module = next((path for path, text in texts.items() if _is_module_configuration(text)), None)
    if provider is not None and active is not None and module is not None:
        return Passed(observations=(note(f"{promise}."), *_seen(evidence, provider, (active, module))))
    if not tree.wholly_read:
        return not_wholly_read(tree)
    if provider is None and not texts:
        return Unknown(reason=f"{promise}, but no OpenSSL provider was found: another FIPS module is not judged here")
    lacking = [
        what
        for what, there in (
            ("no provider ossl-modules/fips.so is in the image", provider),
            ("no module configuration with its MAC (fipsmodule.cnf) is in the image", module),
            ("no OpenSSL configuration activates fips with default_properties = fips=yes", active),
        )
        if there is None
    ]
    return Failed(observations=(note(f"{promise}, but {'; '.join(lacking)}."),))


def _promise(evidence: Evidence) -> str | None:
    """The label or tag that puts the image into the scope of FIPS."""
    compliance = claims(evidence.image).get(f"{DHI}compliance", "")
    if "fips" in re.split(r"[\s,]+", compliance.lower()):
        return f"The label {DHI}compliance={compliance} promises FIPS"
    tag = evidence.image.tag or evidence.image.reference.tag or ""
    return f"The tag {tag} promises FIPS" if "fips" in tag.lower().split("-")[1:] else None


def _text(content: object) -> str:
    return content.decode("utf-8", "replace") if isinstance(content, bytes) else ""


def _sections(text: str) -> Mapping[str, Mapping[str, str]]:
    """Sections of an OpenSSL configuration with their settings (config(5)); "default" is what comes before them."""
    sections: dict[str, dict[str, str]] = {"default": {}}
    current = sections["default"]
    for line in (line.partition("#")[0].strip() for line in text.splitlines()):
        if match := _SECTION.fullmatch(line):
            current = sections.setdefault(match[1], {})
        elif match := _SETTING.fullmatch(line):
            current[match[1]] = match[2].strip().strip('"')
    return sections


def _activates(text: str) -> bool:
    """Whether what openssl_conf leads to configures the fips provider, here or by include, and asks for it."""
    sections = _sections(text)
    start = sections.get(sections["default"].get("openssl_conf", ""), {})
    providers = sections.get(start.get("providers", ""), {})
    algorithms = sections.get(start.get("alg_section", ""), {})
    wanted = algorithms.get("default_properties", "").replace(" ", "")
    configured = providers.get("fips") in sections or _INCLUDE.search(text) is not None
    return "fips" in providers and configured and "fips=yes" in wanted.split(",")


def _is_module_configuration(text: str) -> bool:
    return any("module-mac" in settings and settings.get("activate") == "1" for settings in _sections(text).values())


def _seen(evidence: Evidence, provider: FileEntry, paths: tuple[str, ...]) -> tuple[Observation, ...]:
    files = [evidence.filesystem.entries[path] for path in dict.fromkeys(paths)]
    return (
        file_observation(
            evidence, provider, f"{display_path(provider.path)} is OpenSSL's FIPS provider.", method="path"
        ),
        *(
            file_observation(
                evidence,
                entry,
                f"{display_path(entry.path)} configures and activates it.",
                method="OpenSSL configuration",
            )
            for entry in files
        ),
    )


CHECK = Check(
    id="SP-FIPS",
    title="FIPS provider configured (FIPS scope only)",
    trait=Trait.SUPPLY,
    severity=Severity.MEDIUM,
    rationale="Where validated cryptography is required, installing the module is not enough: unless the "
    "configuration makes it the one in use, programs use other implementations without a word.",
    looks_at="The label com.docker.dhi.compliance and the tag for a promise of FIPS; then OpenSSL's provider fips.so, "
    "fipsmodule.cnf and openssl.cnf in the merged file tree.",
    proves="A pass proves that OpenSSL's FIPS provider is in the image with its module configuration, and that a "
    "configuration activates it with default_properties = fips=yes. It does not prove that this build of the module is "
    "validated (its CMVP status has to be looked up), nor that every program uses OpenSSL with that configuration.",
    remediation="Install the FIPS provider with its module configuration (openssl fipsinstall), include fipsmodule.cnf "
    "and set default_properties = fips=yes in openssl.cnf.",
    run=run,
    requests=(_CONFIGURATION,),
    references=("fips_module(7)", "config(5)"),
)
