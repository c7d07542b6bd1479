"""Reading trust policies, strictly: what could be a slip is an error that says where it is and what to write.

The format is told in docs/trust-policy.md, and for editors in ``trust-policy.schema.json`` beside this file.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from difflib import get_close_matches

from compliance.errors import ComplianceError, PolicyError
from compliance.formats.globs import translate
from compliance.formats.provenance import SLSA_PROVENANCE
from compliance.formats.public_key import KEY_SIZE_MAX, PublicKey, key_id, load_public_key
from compliance.formats.strict_yaml import Section, read_section
from compliance.model.verification import SIGNATURE
from compliance.verify.image_pattern import pattern_mistake
from compliance.verify.trust_policy import Requirement, Rule, TrustedSigner, TrustPolicy
from compliance.verify.trusted_root import TRUSTED_ROOT_SIZE_MAX

CODE = "policy-invalid"
SCHEMA = 1
PUBLIC = "public"
"""Under trusted-root: that of Sigstore's public instance, as shipped with the sigstore library."""

_SIGNERS_MAX = 200
_PEM = "-----BEGIN "
_LOG = {"required": True, "not-required": False}
_KEY_ID = re.compile(r"[0-9a-f]{64}")
_GLOB_ORIGINS = ("builders", "sources")

ReadFile = Callable[[str, int], bytes]
"""The content of a file named in the policy, relative to it, of at most so many bytes. Raises ComplianceError."""


def read_policy(file: str, content: bytes, read_file: ReadFile) -> TrustPolicy:
    """The policy in the YAML `content`. Raises PolicyError, which names `file`, the line and the field."""
    top = read_section(file, content, CODE)
    top.only("schema", "expires", "trusted-root", "signers", "rules")
    if type(top.values.get("schema")) is not int or top.values["schema"] != SCHEMA:
        raise top.error(f"must be {SCHEMA}", "schema", hint=f"begin the file with schema: {SCHEMA}")
    files = _Files(read=read_file)
    root = files.trusted_root(top, default=None)
    sections = top.named_sections("signers")
    if len(sections) > _SIGNERS_MAX:
        raise top.error(f"more than {_SIGNERS_MAX} signers", "signers")
    signers = {name: _signer(name, section, files, root) for name, section in sections.items()}
    rules = tuple(_rule(section, signers) for section in top.sections("rules"))
    return TrustPolicy(
        digest=_digest(content),
        files=tuple(files.digests.items()),
        expires=top.moment("expires") if top.has("expires") else None,
        signers=signers,
        rules=rules,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Files:
    """The files that a policy refers to: each read once, with the digest of what was read."""

    read: ReadFile
    contents: dict[str, bytes] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)

    def content(self, section: Section, key: str, size_max: int) -> bytes:
        name = section.text(key)
        if name not in self.contents:
            try:
                self.contents[name] = self.read(name, size_max)
            except ComplianceError as error:
                raise section.error(error.message, key, hint="paths are relative to the policy's folder") from error
            self.digests[name] = _digest(self.contents[name])
        return self.contents[name]

    def trusted_root(self, section: Section, default: bytes | None) -> bytes | None:
        """The content of the trusted root that `section` names; None for the public one."""
        if not section.has("trusted-root"):
            return default
        if section.text("trusted-root") == PUBLIC:
            return None
        return self.content(section, "trusted-root", TRUSTED_ROOT_SIZE_MAX)


def _signer(name: str, section: Section, files: _Files, root: bytes | None) -> TrustedSigner:
    section.only(
        "identity",
        "identity-regexp",
        "issuer",
        "issuer-regexp",
        "key",
        "key-id",
        "trusted-root",
        "transparency-log",
    )
    log_required = section.choice("transparency-log", _LOG) if section.has("transparency-log") else True
    root = files.trusted_root(section, root)
    identity_given = any(key.startswith(("identity", "issuer")) for key in section.values)
    if section.has("key") is identity_given:
        raise section.error("a signer is either a key or an identity", hint="write key, or identity and issuer")
    if section.has("key"):
        return TrustedSigner(name=name, key=_key(section, files), trusted_root=root, log_required=log_required)
    if section.has("key-id"):
        raise section.error("goes with a key", "key-id", hint="write the key too: an id alone verifies nothing")
    identity, identity_regexp = _exact_or_regexp(section, "identity")
    issuer, issuer_regexp = _exact_or_regexp(section, "issuer")
    return TrustedSigner(
        name=name,
        identity=identity,
        identity_regexp=identity_regexp,
        issuer=issuer,
        issuer_regexp=issuer_regexp,
        trusted_root=root,
        log_required=log_required,
    )


def _key(section: Section, files: _Files) -> PublicKey:
    text = section.text("key")
    inline = text.lstrip().startswith(_PEM)
    try:
        key = load_public_key(text.encode() if inline else files.content(section, "key", KEY_SIZE_MAX))
    except PolicyError:
        raise
    except ComplianceError as error:
        hint = error.hint or "write a PEM public key, or the path of one"
        raise section.error(error.message, "key", hint=hint) from error
    if section.has("key-id"):
        stated = section.text("key-id")
        if not _KEY_ID.fullmatch(stated):
            raise section.error("must be 64 lower-case hexadecimal digits", "key-id", hint=f"it is {key_id(key)}")
        if stated != key_id(key):
            raise section.error(f"is not the id of the key, which is {key_id(key)}", "key-id")
    return key


def _exact_or_regexp(section: Section, name: str) -> tuple[str | None, str | None]:
    """One of the two forms. A regular expression says where it begins and ends: parts of names are anybody's."""
    regexp = f"{name}-regexp"
    if section.has(name) is section.has(regexp):
        raise section.error(
            f"needs either {name} or {regexp}",
            name if section.has(name) else None,
            hint="an identity is one only with the issuer that vouches for it",
        )
    if section.has(name):
        return section.text(name), None
    pattern = section.text(regexp)
    if not (pattern.startswith("^") and pattern.endswith("$")):
        raise section.error("must begin with ^ and end with $", regexp, hint=f"write e.g. ^{pattern}$")
    try:
        re.compile(pattern)
    except re.error as error:
        raise section.error(f"not a regular expression: {error}", regexp) from None
    return None, pattern


def _rule(section: Section, signers: dict[str, TrustedSigner]) -> Rule:
    section.only("images", "require")
    patterns = section.text_or_texts("images")
    for index, pattern in enumerate(patterns):
        mistake = pattern_mistake(pattern)
        if mistake is not None:
            raise section.error(f"{mistake}: {pattern!r}", _item(section, "images", index))
    return Rule(
        images=patterns,
        requirements=tuple(_requirement(item, signers) for item in section.sections("require")),
    )


def _requirement(section: Section, signers: dict[str, TrustedSigner]) -> Requirement:
    section.only("what", "by", *_GLOB_ORIGINS)
    kinds = section.text_or_texts("what")
    for index, kind in enumerate(kinds):
        if kind != SIGNATURE and ":" not in kind:
            raise section.error(
                f"neither {SIGNATURE} nor a predicate type: {kind!r}",
                _item(section, "what", index),
                hint="a predicate type is an address, as https://slsa.dev/provenance/v1",
            )
    if SIGNATURE in kinds and len(kinds) > 1:
        raise section.error(
            f"{SIGNATURE} stands alone", "what", hint="an attestation is no signature: make it a requirement of its own"
        )
    names = section.text_or_texts("by")
    for index, name in enumerate(names):
        if name not in signers:
            close = get_close_matches(name, signers, n=1)
            known = f"did you mean {close[0]}?" if close else f"there are: {', '.join(signers)}"
            raise section.error(f"no signer is called {name!r}", _item(section, "by", index), hint=known)
    for key in _GLOB_ORIGINS:
        if section.has(key) and not all(kind.startswith(SLSA_PROVENANCE) for kind in kinds):
            raise section.error("goes with provenance only", key, hint=f"under what, write {SLSA_PROVENANCE}v1")
    return Requirement(
        what=kinds,
        signers=names,
        builders=_globs(section, "builders"),
        sources=_globs(section, "sources"),
    )


def _globs(section: Section, key: str) -> tuple[str, ...]:
    globs = section.text_or_texts(key) if section.has(key) else ()
    for index, glob in enumerate(globs):
        try:
            re.compile(translate(glob))
        except re.error as error:
            raise section.error(f"not a glob: {error}", _item(section, key, index)) from None
    return globs


def _item(section: Section, key: str, index: int) -> str:
    return key if isinstance(section.values[key], str) else f"{key}[{index}]"


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
