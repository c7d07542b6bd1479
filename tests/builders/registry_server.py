"""Real registries on loopback, each a process of its own that its context ends, and the logins they ask for."""

from __future__ import annotations

import base64
import datetime
import ipaddress
import json
import re
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.x509.oid import NameOID

from tests.builders.program import program

USER, WORD = "tester", "open-sesame"
HTPASSWD = "tester:$2b$05$abcdefghijklmnopqrstuutXu9KzOt.1yBoZUeFWoT/914/JfszCO"
"""`USER` and `WORD` as bcrypt has them: the only form that docker-registry reads."""

_START_SECONDS = 20
_LISTENING = re.compile(rb"(?:listening on 127\.0\.0\.1:|serving on port )(\d+)")


@dataclass(frozen=True, kw_only=True)
class Server:
    """A running registry: `host` as it stands in references, `url` with its scheme."""

    host: str
    url: str


@dataclass(frozen=True, kw_only=True)
class Authority:
    """A CA, and a server certificate of it for 127.0.0.1: files in PEM."""

    ca: Path
    certificate: Path
    key: Path


@contextmanager
def crane_registry(folder: Path) -> Iterator[Server]:
    """``crane registry serve``: plain http, no login, no referrers API."""
    with _served([program("crane"), "registry", "serve", "--address", "127.0.0.1:0"], folder) as port:
        yield Server(host=f"127.0.0.1:{port}", url=f"http://127.0.0.1:{port}")


@contextmanager
def referrers_registry(folder: Path) -> Iterator[Server]:
    """tests/builders/refreg: plain http, no login, with the referrers API."""
    with _served([program("refreg")], folder) as port:
        yield Server(host=f"127.0.0.1:{port}", url=f"http://127.0.0.1:{port}")


@contextmanager
def docker_registry(
    folder: Path, *, tls: Authority | None = None, htpasswd: bool = False, token: TokenServer | None = None
) -> Iterator[Server]:
    """Debian's docker-registry, with TLS, with basic or with token authentication."""
    settings: dict[str, object] = {
        "version": 0.1,
        "log": {"level": "info"},
        "storage": {"filesystem": {"rootdirectory": str(folder / "storage")}},
        "http": {"addr": "127.0.0.1:0", "secret": "for uploads"},
    }
    if tls is not None:
        certificate = {"certificate": str(tls.certificate), "key": str(tls.key)}
        settings["http"] = {"addr": "127.0.0.1:0", "secret": "for uploads", "tls": certificate}
    if htpasswd:
        (folder / "htpasswd").write_text(HTPASSWD + "\n")
        settings["auth"] = {"htpasswd": {"realm": "tests", "path": str(folder / "htpasswd")}}
    if token is not None:
        settings["auth"] = {
            "token": {
                "realm": token.realm,
                "service": token.service,
                "issuer": token.issuer,
                "rootcertbundle": str(token.certificate),
            }
        }
    config = folder / "registry.yml"
    config.write_text(json.dumps(settings))  # JSON is YAML
    with _served([program("docker-registry"), "serve", str(config)], folder) as port:
        yield Server(host=f"127.0.0.1:{port}", url=f"{'https' if tls else 'http'}://127.0.0.1:{port}")


@contextmanager
def _served(command: Sequence[str], folder: Path) -> Iterator[int]:
    """Run until the context ends; the port is read from the server's log."""
    log = folder / "server.log"
    with log.open("wb") as stream, subprocess.Popen(command, cwd=folder, stdout=stream, stderr=stream) as process:
        try:
            yield _port(process, log)
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


def _port(process: subprocess.Popen[bytes], log: Path) -> int:
    until = time.monotonic() + _START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        if found := _LISTENING.search(log.read_bytes()):
            return int(found[1])
        time.sleep(0.02)
    pytest.fail(f"the registry did not start: {log.read_text(errors='replace')[-2000:]}")


def authority(folder: Path) -> Authority:
    """A fresh CA and a server certificate, in `folder`."""
    root_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    root_name = _name("tests CA")
    root_public = root_key.public_key()
    root = _certificate(root_name, root_name, root_public, root_public, is_ca=True)
    leaf = _certificate(_name("127.0.0.1"), root_name, key.public_key(), root_public, is_ca=False)
    made = Authority(ca=folder / "ca.pem", certificate=folder / "server.pem", key=folder / "server.key")
    made.ca.write_bytes(root.sign(root_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    made.certificate.write_bytes(leaf.sign(root_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    made.key.write_bytes(_pem(key))
    return made


def login(host: str, username: str = USER, word: str = WORD) -> bytes:
    """A docker config.json with a login for `host`."""
    return json.dumps({"auths": {host: {"auth": _base64(f"{username}:{word}".encode())}}}).encode()


def basic(username: str = USER, word: str = WORD) -> Mapping[str, str]:
    """The header of a basic login."""
    return {"Authorization": f"Basic {_base64(f'{username}:{word}'.encode())}"}


class TokenServer:
    """Issues the tokens that docker-registry accepts, to `USER` only; `asked` holds the queries it was sent."""

    service, issuer = "registry under test", "issuer under test"

    def __init__(self, folder: Path) -> None:
        """Make a key, write its certificate to `folder`, and listen."""
        self._key = ec.generate_private_key(ec.SECP256R1())
        name = _name("issuer")
        public = self._key.public_key()
        made = _certificate(name, name, public, public, is_ca=True).sign(self._key, hashes.SHA256())
        self._der = made.public_bytes(serialization.Encoding.DER)
        self.certificate = folder / "issuer.pem"
        self.certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
        self.asked: list[dict[str, list[str]]] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.answer(self)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def realm(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_port}/token"

    def close(self) -> None:
        """Listen no more."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        """A token for every scope that is asked for, or 401."""
        query = parse_qs(urlsplit(request.path).query)
        self.asked.append(query)
        known = request.headers["Authorization"] == basic()["Authorization"]
        content = json.dumps({"token": self.token(query.get("scope", []))} if known else {"errors": []}).encode()
        request.send_response(200 if known else 401)
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        request.wfile.write(content)

    def token(self, scopes: Sequence[str]) -> str:
        """A JSON Web Token in distribution's form: ES256, the certificate in ``x5c``."""
        now = int(time.time())  # the registry's own clock compares
        access = [
            {"type": kind, "name": name, "actions": actions.split(",")}
            for kind, name, actions in (scope.split(":") for scope in scopes)
        ]
        head = {"typ": "JWT", "alg": "ES256", "x5c": [base64.b64encode(self._der).decode()]}
        times = {"exp": now + 300, "nbf": now - 300, "iat": now}
        claims = {"iss": self.issuer, "sub": USER, "aud": self.service, "access": access, "jti": "1", **times}
        signed = ".".join(_unpadded(json.dumps(part).encode()) for part in (head, claims))
        r, s = decode_dss_signature(self._key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
        return f"{signed}.{_unpadded(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _certificate(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, by: ec.EllipticCurvePublicKey, *, is_ca: bool
) -> x509.CertificateBuilder:
    day = datetime.timedelta(days=1)
    now = datetime.datetime.now(datetime.UTC)
    usage = x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=is_ca,
        crl_sign=is_ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    builder = (
        x509.CertificateBuilder(subject_name=subject, issuer_name=issuer, public_key=key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - day)
        .not_valid_after(now + day)
        .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(by), critical=False)
    )
    if is_ca:
        return builder
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    return builder.add_extension(x509.SubjectAlternativeName([address]), critical=False)


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _unpadded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
