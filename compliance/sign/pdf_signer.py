"""Sign a PDF: PAdES (ETSI EN 319 142-1), invisible, by an incremental update.

The unsigned bytes stay a prefix of the signed ones, so that whoever makes the report again can compare them. Level
B-B; with a timestamp authority B-T, and with the authority's roots too B-LT.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from compliance.errors import SigningError
from compliance.formats.outside_loop import outside_loop
from compliance.formats.public_key import digest_signature_holds, key_id, signature_holds, subject_public_key_info
from compliance.sign.self_signed import self_signed, signature_algorithm
from compliance.sign.signer import KeySigner
from compliance.sign.timestamps import TimestampService, time_stamper

FIELD = "Signature"
"""The name of the form field that holds the signature."""
CERTIFICATES_SIZE_MAX = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class PdfSigner:
    """Signs PDFs with a key. `certificates` are the key's own first, then those that issued it, up to a root."""

    key: KeySigner
    certificates: tuple[x509.Certificate, ...]
    timestamps: TimestampService | None = None

    def sign(self, content: bytes, moment: datetime) -> bytes:
        """`content` with a signature that says it was made at `moment`, and that nothing may change afterwards.

        Raises SigningError, also where the key signs in a way that CMS has no name for.
        """
        from pyhanko.sign import fields

        signer = _signer_at(
            moment,
            _metadata(self.certificates, self.timestamps),
            signer=_cms_signer(self),
            timestamper=None if self.timestamps is None else time_stamper(self.timestamps),
            new_field_spec=fields.SigFieldSpec(FIELD),
        )
        try:
            signed: bytes = outside_loop(lambda: signer.sign_pdf(_update_of(content)).getvalue())
        except SigningError:
            raise
        except Exception as error:
            raise SigningError(
                f"the PDF can't be signed: {type(error).__name__}: {error}", code="pdf-signing-failed"
            ) from error
        if not signed.startswith(content):
            raise SigningError("the signed PDF does not begin with the unsigned one", code="pdf-signing-failed")
        return signed


def pdf_signer(
    key: KeySigner, certificates: Iterable[x509.Certificate] = (), timestamps: TimestampService | None = None
) -> PdfSigner:
    """A PdfSigner for `key`, with a certificate of its own where none of `certificates` is given.

    Raises SigningError where none of them is about `key`, or the service of the key can't sign.
    """
    chain = tuple(certificates) or (self_signed(key),)
    spki = subject_public_key_info(key.public)
    own = [one for one in chain if _public_key_info(one) == spki]
    if not own:
        raise SigningError(
            "no certificate is about the signing key",
            code="certificate-mismatch",
            where=f"key {key_id(key.public)}",
            hint="give the certificate that was issued for this very key",
        )
    return PdfSigner(key=key, certificates=(own[0], *(one for one in chain if one != own[0])), timestamps=timestamps)


def read_certificates(pem: bytes, where: str) -> tuple[x509.Certificate, ...]:
    """The certificates of a PEM file. Raises SigningError."""
    try:
        return tuple(x509.load_pem_x509_certificates(pem))
    except ValueError:
        raise SigningError("no PEM certificates", code="certificate-invalid", where=where) from None


def _public_key_info(certificate: x509.Certificate) -> bytes:
    try:
        key = certificate.public_key()
    except Exception:  # noqa: BLE001  a kind of key that is not known here is not ours
        return b""
    kinds = ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | rsa.RSAPublicKey
    return subject_public_key_info(key) if isinstance(key, kinds) else b""


def _asn1(certificates: Iterable[x509.Certificate]) -> list[Any]:
    from asn1crypto import x509 as asn1

    return [asn1.Certificate.load(one.public_bytes(Encoding.DER)) for one in certificates]


def _signer_at(moment: datetime, metadata: Any, **settings: Any) -> Any:
    """pyHanko's signer, but with the run's clock: it has no argument for the time, and would read the machine's."""
    from pyhanko.sign.signers import PdfSigner as PyHankoSigner

    class AtMoment(PyHankoSigner):  # type: ignore[misc, unused-ignore]
        def init_signing_session(self, pdf_out: Any, existing_fields_only: bool = False) -> Any:
            session = super().init_signing_session(pdf_out, existing_fields_only)
            session.system_time = moment
            return session

    return AtMoment(metadata, **settings)


def _update_of(content: bytes) -> Any:
    """A writer of what comes after `content`; the document's own dates stay, as the signature has one of its own."""
    from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter

    class SameMetadata(IncrementalPdfFileWriter):  # type: ignore[misc, unused-ignore]
        def _update_meta(self) -> None:
            pass

    return SameMetadata(io.BytesIO(content))


def _cms_signer(signer: PdfSigner) -> Any:
    from asn1crypto.algos import SignedDigestAlgorithm
    from pyhanko.sign.signers import Signer
    from pyhanko_certvalidator.registry import SimpleCertificateStore

    key = signer.key

    class CmsSigner(Signer):  # type: ignore[misc, unused-ignore]
        async def async_sign_raw(self, data: bytes, digest_algorithm: str, dry_run: bool = False) -> bytes:
            if dry_run:  # to learn how much room it takes
                return bytes(_signature_size_max(key))
            signature = key.sign(data)
            if not _holds(key, signature, data):
                raise SigningError(
                    "the key does not sign as certificates say that it does", code="pdf-signing-failed", where=key.name
                )
            return signature

    own, *others = _asn1(signer.certificates)
    store = SimpleCertificateStore()  # type: ignore[no-untyped-call]
    store.register_multiple(others)
    mechanism = SignedDigestAlgorithm({"algorithm": signature_algorithm(key)})
    return CmsSigner(signing_cert=own, cert_registry=store, signature_mechanism=mechanism)


def _holds(key: KeySigner, signature: bytes, data: bytes) -> bool:
    """Whether `signature` is by the algorithm that the signature in the PDF will name: with SHA-256, or Ed25519."""
    if isinstance(key.public, ed25519.Ed25519PublicKey):
        return signature_holds(key.public, signature, data)
    return digest_signature_holds(key.public, signature, hashlib.sha256(data).digest())


def _signature_size_max(key: KeySigner) -> int:
    if isinstance(key.public, ec.EllipticCurvePublicKey):
        return 2 * ((key.public.key_size + 7) // 8) + 16
    return key.public.key_size // 8 if isinstance(key.public, rsa.RSAPublicKey) else 64


def _metadata(certificates: tuple[x509.Certificate, ...], timestamps: TimestampService | None) -> Any:
    from pyhanko.sign.ades.api import CAdESSignedAttrSpec
    from pyhanko.sign.fields import MDPPerm, SigSeedSubFilter
    from pyhanko.sign.signers.pdf_signer import DSSContentSettings, PdfSignatureMetadata, SigDSSPlacementPreference

    ed25519_key = isinstance(certificates[0].public_key(), ed25519.Ed25519PublicKey)
    long_term = timestamps is not None and bool(timestamps.roots)
    return PdfSignatureMetadata(
        field_name=FIELD,
        md_algorithm="sha512" if ed25519_key else "sha256",  # RFC 8419, section 3.1
        subfilter=SigSeedSubFilter.PADES,
        certify=True,
        docmdp_permissions=MDPPerm.NO_CHANGES,
        cades_signed_attr_spec=CAdESSignedAttrSpec(),
        embed_validation_info=long_term,
        validation_context=_validation_context(certificates, timestamps) if timestamps and long_term else None,
        signer_key_usage=set(),
        # In the revision that is signed, so that the signature covers it.
        dss_settings=DSSContentSettings(include_vri=False, placement=SigDSSPlacementPreference.TOGETHER_WITH_SIGNATURE),
    )


def _validation_context(certificates: tuple[x509.Certificate, ...], timestamps: TimestampService) -> Any:
    from pyhanko_certvalidator import ValidationContext

    chain = _asn1(certificates)
    return ValidationContext(
        trust_roots=[chain[-1], *_asn1(timestamps.roots)],
        other_certs=chain,
        allow_fetching=True,
        revocation_mode="soft-fail",
    )
