"""PDFs are signed so that others verify it: with every kind of key, with and without a timestamp."""

import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from compliance.errors import SigningError, UsageError
from compliance.formats.public_key import key_id
from compliance.sign.key_signer import SigningKey
from compliance.sign.pdf_signer import pdf_signer, read_certificates
from compliance.sign.self_signed import self_signed
from compliance.sign.timestamps import ANSWER_SIZE_MAX, TimestampService
from reports import assessment_json, pdf
from reports.pdf_signature import PdfSignature, read_signature
from tests.builders.assessment import assessment
from tests.builders.timestamp_server import StampingKey, serving

NOW = datetime(2026, 11, 2, 8, 30, tzinfo=UTC)
P256 = SigningKey(private=ec.generate_private_key(ec.SECP256R1()))
KEYS = {
    "P-256": P256,
    "P-384": SigningKey(private=ec.generate_private_key(ec.SECP384R1())),
    "P-521": SigningKey(private=ec.generate_private_key(ec.SECP521R1())),
    "Ed25519": SigningKey(private=ed25519.Ed25519PrivateKey.generate()),
    "RSA": SigningKey(private=rsa.generate_private_key(65537, 2048)),
}


@pytest.fixture(scope="module")
def unsigned() -> bytes:
    return pdf.render(assessment_json.document(assessment(frameworks=0)))


def validated(content: bytes, *roots: x509.Certificate) -> Any:
    """What pyHanko says of the one signature, trusting `roots` alone."""
    from asn1crypto import x509 as asn1
    from pyhanko.pdf_utils.reader import PdfFileReader
    from pyhanko.sign.validation import validate_pdf_signature
    from pyhanko_certvalidator import ValidationContext

    (signature,) = PdfFileReader(io.BytesIO(content)).embedded_signatures
    trusted = [asn1.Certificate.load(root.public_bytes(Encoding.DER)) for root in roots]
    context = ValidationContext(trust_roots=trusted, allow_fetching=False)
    return validate_pdf_signature(signature, signer_validation_context=context)


def found(content: bytes) -> PdfSignature:
    signature = read_signature(content)
    assert signature is not None
    return signature


def issued(key: SigningKey) -> tuple[x509.Certificate, x509.Certificate]:
    """A certificate for `key`, and the root that issued it."""

    def named(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    root_key = ec.generate_private_key(ec.SECP256R1())

    def certificate(name: str, public: Any, *, is_root: bool) -> x509.Certificate:
        return (
            x509.CertificateBuilder()
            .subject_name(named(name))
            .issuer_name(named("A root"))
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(NOW - timedelta(days=3000))
            .not_valid_after(NOW + timedelta(days=9000))
            .add_extension(x509.BasicConstraints(ca=is_root, path_length=None), critical=True)
            .add_extension(
                x509.KeyUsage(not is_root, not is_root, False, False, False, is_root, is_root, False, False),
                critical=True,
            )
            .sign(root_key, hashes.SHA256())
        )

    return (
        certificate("Release signing", key.public, is_root=False),
        certificate("A root", root_key.public_key(), is_root=True),
    )


@pytest.mark.parametrize("kind", KEYS)
def test_every_kind_of_key_signs(kind: str, unsigned: bytes) -> None:
    key = KEYS[kind]
    signed = pdf_signer(key).sign(unsigned, NOW)
    assert signed.startswith(unsigned)
    signature = found(signed)
    assert (signature.key_id, signature.level, signature.signed_at) == (key_id(key.public), "B-B", NOW)
    assert signature.self_signed
    status = validated(signed, self_signed(key))
    assert status.bottom_line
    assert status.docmdp_ok is not False


def test_the_machines_clock_and_zone_are_in_no_signature(unsigned: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    from pyhanko.pdf_utils.reader import PdfFileReader

    monkeypatch.setenv("TZ", "Asia/Tokyo")
    signed = pdf_signer(P256).sign(unsigned, NOW)
    (signature,) = PdfFileReader(io.BytesIO(signed)).embedded_signatures
    assert str(signature.sig_object["/M"]) == "D:20261102083000Z"
    info = PdfFileReader(io.BytesIO(signed)).trailer["/Info"]
    assert str(info["/ModDate"]) == str(PdfFileReader(io.BytesIO(unsigned)).trailer["/Info"]["/ModDate"])


def test_the_certificate_of_a_key_is_always_the_same() -> None:
    assert self_signed(P256) == self_signed(P256)
    assert self_signed(P256) != self_signed(KEYS["RSA"])
    assert self_signed(P256).subject.rfc4514_string() == f"CN=Hullmark signing key {key_id(P256.public)[:16]}"


def test_an_issued_certificate_takes_its_place(unsigned: bytes) -> None:
    own, root = issued(P256)
    for chain in ((own, root), (root, own)):
        signed = pdf_signer(P256, chain).sign(unsigned, NOW)
        assert validated(signed, root).bottom_line
        assert found(signed).signer == "Common Name: Release signing"
        assert not found(signed).self_signed


def test_a_certificate_of_another_key_is_refused() -> None:
    own, _ = issued(KEYS["P-384"])
    with pytest.raises(SigningError, match="no certificate is about the signing key"):
        pdf_signer(P256, (own,))


def test_certificates_are_read_from_pem() -> None:
    own, root = issued(P256)
    pem = own.public_bytes(Encoding.PEM) + root.public_bytes(Encoding.PEM)
    assert read_certificates(pem, "chain.pem") == (own, root)
    with pytest.raises(SigningError, match="no PEM certificates"):
        read_certificates(b"nonsense", "chain.pem")


def test_with_a_timestamp_authority_it_is_b_t(unsigned: bytes) -> None:
    stamping = StampingKey(NOW + timedelta(seconds=3))
    with serving(stamping.answer) as url:
        signed = pdf_signer(P256, timestamps=TimestampService(url=url)).sign(unsigned, NOW)
    signature = found(signed)
    assert signed.startswith(unsigned)
    assert signature.level == "B-T"
    assert signature.stamped_at == NOW + timedelta(seconds=3)
    assert signature.stamped_by == "Common Name: stamping authority"


def test_with_its_roots_too_it_is_b_lt_and_covers_what_it_adds(unsigned: bytes) -> None:
    stamping = StampingKey(NOW)
    own, root = issued(P256)
    with serving(stamping.answer) as url:
        service = TimestampService(url=url, roots=(stamping.root,))
        signed = pdf_signer(P256, (own, root), service).sign(unsigned, NOW)
    assert found(signed).level == "B-LT"
    assert validated(signed, root, stamping.root).bottom_line


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ((500, b""), "status 500"),
        ((302, b""), "status 302"),
        ((200, b"x" * (ANSWER_SIZE_MAX + 1)), "more than"),
        ((200, b"no answer of this kind"), "can't be signed"),
    ],
)
def test_a_bad_authority_is_an_error(answer: tuple[int, bytes], message: str, unsigned: bytes) -> None:
    with serving(lambda _: answer) as url, pytest.raises(SigningError, match=message):
        pdf_signer(P256, timestamps=TimestampService(url=url)).sign(unsigned, NOW)


def test_a_stamp_on_something_else_is_refused(unsigned: bytes) -> None:
    stamping = StampingKey(NOW)

    def other(request: bytes) -> tuple[int, bytes]:
        from asn1crypto import tsp

        changed = tsp.TimeStampReq.load(request)
        changed["message_imprint"]["hashed_message"] = bytes(32)
        return stamping.answer(changed.dump(force=True))

    with serving(other) as url, pytest.raises(SigningError, match="stamped something else"):
        pdf_signer(P256, timestamps=TimestampService(url=url)).sign(unsigned, NOW)


def test_an_authority_that_is_not_there_is_an_error(unsigned: bytes) -> None:
    with pytest.raises(SigningError, match="can't be reached"):
        pdf_signer(P256, timestamps=TimestampService(url="http://127.0.0.1:1/")).sign(unsigned, NOW)


def test_only_http_reaches_an_authority() -> None:
    with pytest.raises(UsageError, match="not an http"):
        TimestampService(url="file:///etc/passwd")


def test_what_is_no_pdf_is_an_error() -> None:
    with pytest.raises(SigningError, match="can't be signed"):
        pdf_signer(P256).sign(b"nothing", NOW)


def test_a_key_that_signs_otherwise_than_the_certificate_says_is_refused(unsigned: bytes) -> None:
    class Other(SigningKey):
        def sign(self, message: bytes) -> bytes:
            assert isinstance(self.private, ec.EllipticCurvePrivateKey)
            return self.private.sign(message, ec.ECDSA(hashes.SHA384()))

    key = Other(private=ec.generate_private_key(ec.SECP384R1()))
    own, root = issued(key)
    with pytest.raises(SigningError, match="does not sign as certificates say"):
        pdf_signer(key, (own, root)).sign(unsigned, NOW)
