"""SP-CA: whoever the image trusts came with a package."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass

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
from controls.observe import count, file_observation, not_wholly_read, note

_PEM = ContentRequest(
    name="trust-stores",
    globs=(
        "etc/ssl/cert.pem",
        "etc/ssl/certs/**",
        "etc/pki/tls/certs/*",
        "etc/pki/ca-trust/{extracted,source}/**",
        "usr/share/pki/**",
        "usr/{local/,}share/ca-certificates/**",
        "**/certifi/cacert.pem",
    ),
)
_LOCAL = re.compile(r"usr/local/share/ca-certificates/.+|(?:etc/pki/ca-trust/source|usr/share/pki/trust)/anchors/.+")
"""Where an administrator puts anchors of his own: no package does."""
_KEY_STORES = ("cacerts", "cacerts.jks", "cert9.db")
_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----")


@dataclass(frozen=True, slots=True)
class _Anchor:
    """One certificate in one file."""

    entry: FileEntry
    der: bytes

    @property
    def fingerprint(self) -> str:
        """The usual name of a certificate: sha256 over its DER form."""
        return hashlib.sha256(self.der).hexdigest()


def run(evidence: Evidence) -> Outcome:
    """Certificates in files that packages own are expected; any other in a trust store is one too many."""
    tree = evidence.filesystem
    anchors = list(_anchors(evidence))
    expected = {anchor.fingerprint for anchor in anchors if _packaged(evidence, anchor.entry)}
    extra = [anchor for anchor in anchors if anchor.fingerprint not in expected]
    local = [anchor for anchor in extra if _LOCAL.fullmatch(anchor.entry.path)]
    stores = [entry for entry in tree.files() if entry.path.endswith(_KEY_STORES) and entry.name in _KEY_STORES]
    if (expected and extra) or local:
        each = {anchor.fingerprint: anchor for anchor in reversed(extra if expected else local)}
        return Failed(observations=tuple(_observation(evidence, anchor) for anchor in reversed(each.values())))
    if not tree.wholly_read:
        return not_wholly_read(tree)
    unread = [entry for entry in stores if not _packaged(evidence, entry)]
    if unread:
        first = display_path(unread[0].path)
        return Unknown(reason=f"the key store {first} belongs to no package, and what it holds can't be read here")
    if extra:
        return Unknown(
            reason=f"{count(len(extra), 'trust anchor')} are there, but no package that says which are expected"
        )
    if not anchors and not stores:
        return NotApplicable(reason="no trust store is in the image")
    files = count(len({anchor.entry.path for anchor in anchors} | {entry.path for entry in stores}), "file")
    return Passed(
        observations=(
            note(f"{count(len(expected), 'trust anchor')} in {files}, each in one that a package of the image owns."),
        )
    )


def _anchors(evidence: Evidence) -> Iterator[_Anchor]:
    for kept in evidence.filesystem.captured(_PEM.name):
        if not isinstance(kept.value, bytes):
            continue
        for match in _CERTIFICATE.finditer(kept.value):
            try:
                yield _Anchor(kept.entry, base64.b64decode(b"".join(match[1].split()), validate=True))
            except binascii.Error:
                continue


def _packaged(evidence: Evidence, entry: FileEntry) -> bool:
    return evidence.inventory.owner(*evidence.filesystem.names(entry)) is not None


def _observation(evidence: Evidence, anchor: _Anchor) -> Observation:
    return file_observation(
        evidence,
        anchor.entry,
        f"{_subject(anchor.der)} is trusted, and no package of the image brings it.",
        value=f"sha256:{anchor.fingerprint}",
        method="X.509 certificate",
    )


def _subject(der: bytes) -> str:
    import warnings

    from cryptography import x509

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # old certificates break rules that are no concern of ours
            return f"The certificate of {x509.load_der_x509_certificate(der).subject.rfc4514_string()[:200]!r}"
    except (ValueError, TypeError):
        return "A certificate that can't be read"


CHECK = Check(
    id="SP-CA",
    title="Trust store holds only expected anchors",
    trait=Trait.SUPPLY,
    severity=Severity.LOW,
    rationale="Whoever holds the key of a certificate authority in the trust store can pass for any server to the "
    "programs that use it: an anchor that no package brought has to be explained.",
    looks_at="The PEM certificates in the trust stores of OpenSSL, the distributions and certifi in the merged file "
    "tree, and which files there belong to a package; key stores of Java and NSS by their owner only.",
    proves="A pass proves that every trusted certificate is also in a file that a package of the image owns. That the "
    "package is the distribution's own and its file unchanged is asked by DR-PKGVERIFY; programs with built-in anchors "
    "are not looked at.",
    remediation="Remove the anchors named, or bring them in a package of your own, so that it is said who wants them.",
    run=run,
    requests=(_PEM,),
    references=("RFC 7468", "update-ca-certificates(8)", "update-ca-trust(8)"),
)
