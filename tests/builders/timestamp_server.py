"""A timestamp authority that answers real requests over HTTP on loopback (RFC 3161, section 3.4)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from asn1crypto import keys, tsp
from asn1crypto import x509 as asn1
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from pyhanko.sign.timestamps import DummyTimeStamper
from pyhanko_certvalidator.registry import SimpleCertificateStore

Answer = Callable[[bytes], tuple[int, bytes]]
"""From a request to status and body."""


class StampingKey:
    """A key and its certificate, issued by a `root` of its own."""

    def __init__(self, moment: datetime) -> None:
        """Stamps with the time `moment`."""
        self._moment = moment
        root_key, self._key = (rsa.generate_private_key(65537, 2048) for _ in range(2))
        self.root = _certificate("stamping root", root_key, root_key, is_root=True)
        self._own = _certificate("stamping authority", self._key, root_key, is_root=False)

    def answer(self, request: bytes) -> tuple[int, bytes]:
        """What an authority says to `request`."""
        der = self._key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        stamper = DummyTimeStamper(
            tsa_cert=asn1.Certificate.load(self._own.public_bytes(Encoding.DER)),
            tsa_key=keys.PrivateKeyInfo.load(der),
            certs_to_embed=SimpleCertificateStore(),  # type: ignore[no-untyped-call]
            fixed_dt=self._moment,
        )
        answer: bytes = stamper.request_tsa_response(tsp.TimeStampReq.load(request)).dump()
        return 200, answer


@contextmanager
def serving(answer: Answer) -> Iterator[str]:
    """The URL at which `answer` answers."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            status, body = answer(self.rfile.read(length))
            self.send_response(status)
            self.send_header("Content-Type", "application/timestamp-reply")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _certificate(name: str, key: rsa.RSAPrivateKey, by: rsa.RSAPrivateKey, *, is_root: bool) -> x509.Certificate:
    def named(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(named(name))
        .issuer_name(named("stamping root"))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=3000))
        .not_valid_after(now + timedelta(days=3000))
        .add_extension(x509.BasicConstraints(ca=is_root, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(by.public_key()), critical=False)
    )
    if not is_root:
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), critical=True)
    return builder.sign(by, hashes.SHA256())
