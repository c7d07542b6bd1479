"""A private Sigstore on loopback: Fulcio, Rekor v2, a timestamp authority, and what they need; and cosign to use it.

Every server is a process of its own (the issuer and the certificate log are threads), on a port that was free, and
ends with the context. fulcio and timestamp-server listen for metrics on every interface, the latter on port 2112
whatever it is told: run them in `tests.builders.private_network`.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import urllib3
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.builders.certificate_log import certificate_log
from tests.builders.identity_provider import IdentityProvider, identity_provider
from tests.builders.program import program
from tests.builders.registry_server import Server, crane_registry, referrers_registry
from tests.builders.sigstore_instance import key_usage

_START_SECONDS = 60
_PEM = serialization.Encoding.PEM
_PASSWORD = "of a test"  # noqa: S105
_AGE = timedelta(hours=1)  # of every authority and log when the stack starts
_LIFE = timedelta(days=3650)


@dataclass(frozen=True, kw_only=True)
class Cosign:
    """The command, with nothing of the user's but `environment`: keys have the empty password."""

    folder: Path
    program: str = "cosign"
    environment: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """Run it; the caller looks at the exit code."""
        environment = {
            "PATH": os.environ.get("PATH", ""),
            "HOME": str(self.folder),
            "DOCKER_CONFIG": str(self.folder),
            "TUF_ROOT": str(self.folder / "tuf"),
            "COSIGN_PASSWORD": "",
            **self.environment,
        }
        return subprocess.run(
            [program(self.program), *map(str, arguments)],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            stdin=subprocess.DEVNULL,
        )

    def do(self, *arguments: str | Path) -> str:
        """Run it; it must succeed. What it printed."""
        done = self(*arguments)
        assert done.returncode == 0, f"{self.program} {' '.join(map(str, arguments))}:\n{done.stderr}"
        return done.stdout

    def key_pair(self, name: str) -> tuple[Path, Path]:
        """A new P-256 key in cosign's own encryption: the private and the public file."""
        self.do("generate-key-pair", "--output-key-prefix", name)
        return self.folder / f"{name}.key", self.folder / f"{name}.pub"

    def imported(self, name: str, private: PrivateKeyTypes) -> tuple[Path, Path]:
        """A key of another kind, brought into cosign's form."""
        plain = self.folder / f"{name}.plain.pem"
        plain.write_bytes(private_pem(private))
        self.do("import-key-pair", "--key", plain, "--output-key-prefix", name)
        return self.folder / f"{name}.key", self.folder / f"{name}.pub"


@dataclass(frozen=True, kw_only=True)
class SigstoreStack:
    """A running instance. `plain` is a registry without the referrers API, `referrers` one with it.

    `trusted_root` trusts the instance; the signing configurations are cosign's: `everything` logs and stamps,
    `stamps_only` has no log, `nothing` has no service at all. `trust_config` is root and configuration in one, as
    sigstore-python takes them.
    """

    folder: Path
    cosign: Cosign
    identities: IdentityProvider
    trusted_root: Path
    everything: Path
    stamps_only: Path
    nothing: Path
    trust_config: Path
    fulcio: str
    rekor: str
    timestamps: str
    chain: Path = field(repr=False)
    certificate_log_key: Path = field(repr=False)
    plain: Server
    referrers: Server

    @property
    def older_cosign(self) -> Cosign:
        """Version 2, which is in use beside version 3."""
        return replace(self.cosign, program="cosign2")


@contextmanager
def sigstore_stack(folder: Path) -> Iterator[SigstoreStack]:
    """Make keys, start everything, wait until it answers, end it. A missing program is a skip, in CI a failure."""
    for name in ("cosign", "fulcio", "rekor-server-posix", "timestamp-server", "crane", "refreg"):
        program(name)
    (folder / "cosign").mkdir()
    cosign = Cosign(folder=folder / "cosign")
    keys = _Keys(folder)
    with ExitStack() as running:
        identities = running.enter_context(identity_provider())
        certificates = running.enter_context(certificate_log(keys.certificate_log))
        rekor = running.enter_context(_rekor(folder, keys))
        timestamps = running.enter_context(_timestamp_authority(folder, keys))
        fulcio = running.enter_context(_fulcio(folder, keys, identities, certificates))
        stack = SigstoreStack(
            folder=folder,
            cosign=cosign,
            identities=identities,
            trusted_root=folder / "trusted_root.json",
            everything=folder / "everything.json",
            stamps_only=folder / "stamps_only.json",
            nothing=folder / "nothing.json",
            trust_config=folder / "trust_config.json",
            fulcio=fulcio,
            rekor=rekor,
            timestamps=timestamps,
            chain=keys.fulcio_chain,
            certificate_log_key=keys.certificate_log_public,
            plain=running.enter_context(crane_registry(_made(folder / "plain"))),
            referrers=running.enter_context(referrers_registry(_made(folder / "referrers"))),
        )
        _write_trust(stack, keys, certificates)
        _use_first_index(stack)
        yield stack


def _use_first_index(stack: SigstoreStack) -> None:
    """Log something: Go leaves an index of 0 out of its JSON, and sigstore-python refuses an entry without one."""
    private, _ = stack.cosign.key_pair("first")
    anything = _written(stack.folder / "anything", b"anything")
    trust = ("--trusted-root", stack.trusted_root, "--signing-config", stack.everything)
    stack.cosign.do("sign-blob", "--key", private, *trust, "--bundle", stack.folder / "first.json", "-y", anything)


def private_pem(key: PrivateKeyTypes, password: str | None = None) -> bytes:
    """A private key as PKCS #8."""
    encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if password is not None:
        encryption = serialization.BestAvailableEncryption(password.encode())
    return key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, encryption)


def public_pem(key: PrivateKeyTypes) -> bytes:
    """Its public half."""
    return key.public_key().public_bytes(_PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


class _Keys:
    """The keys and chains of an instance, in files for its servers."""

    def __init__(self, folder: Path) -> None:
        made = _made(folder / "keys")
        self.certificate_log = ec.generate_private_key(ec.SECP256R1())
        self.certificate_log_public = _written(made / "ct.pub", public_pem(self.certificate_log))
        rekor = ed25519.Ed25519PrivateKey.generate()
        self.rekor = _written(made / "rekor.pem", private_pem(rekor))
        self.rekor_public = _written(made / "rekor.pub", public_pem(rekor))
        root, authority, stamper_root, stamper = (ec.generate_private_key(ec.SECP256R1()) for _ in range(4))
        root_certificate = _certificate("fulcio root", root, "fulcio root", root)
        issuing = _certificate(
            "fulcio", authority, "fulcio root", root, ExtendedKeyUsageOID.CODE_SIGNING, path_length=0
        )
        self.fulcio = _written(made / "fulcio.pem", private_pem(authority, _PASSWORD))
        self.fulcio_chain = _written(made / "fulcio-chain.pem", _pem(issuing, root_certificate))
        stamper_root_certificate = _certificate("stamps root", stamper_root, "stamps root", stamper_root)
        stamping = _certificate(
            "stamps", stamper, "stamps root", stamper_root, ExtendedKeyUsageOID.TIME_STAMPING, path_length=None
        )
        self.stamper = _written(made / "stamper.pem", private_pem(stamper))
        self.stamper_chain = _written(made / "stamper-chain.pem", _pem(stamping, stamper_root_certificate))


def _certificate(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: str,
    by: ec.EllipticCurvePrivateKey,
    usage: x509.ObjectIdentifier | None = None,
    path_length: int | None = 1,
) -> x509.Certificate:
    """An authority's certificate, or with no `path_length` that of a signer."""
    is_authority = path_length is not None
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(_name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _AGE)
        .not_valid_after(now + _LIFE)
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=path_length), critical=True)
        .add_extension(key_usage(digital_signature=not is_authority, certificates=is_authority), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(by.public_key()), critical=False)
    )
    if usage is not None:  # critical, as RFC 3161, section 2.3, has it for timestamps
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=not is_authority)
    return builder.sign(by, hashes.SHA256())


def _name(text: str) -> x509.Name:
    organization = x509.NameAttribute(NameOID.ORGANIZATION_NAME, "stack.test")
    return x509.Name([organization, x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _pem(*chain: x509.Certificate) -> bytes:
    return b"".join(certificate.public_bytes(_PEM) for certificate in chain)


@contextmanager
def _rekor(folder: Path, keys: _Keys) -> Iterator[str]:
    port = _free_port()
    command = [
        program("rekor-server-posix"),
        "serve",
        "--hostname=127.0.0.1",  # the checkpoints' origin: the host in the trusted root's address
        f"--http-port={port}",
        f"--grpc-port={_free_port()}",
        f"--http-metrics-port={_free_port()}",
        f"--storage-dir={_made(folder / 'rekor')}",
        f"--signer-filepath={keys.rekor}",
        "--checkpoint-interval=200ms",  # signers wait for the next one
        "--batch-max-age=50ms",
    ]
    with _served(command, folder, port, "/healthz") as address:
        yield address


@contextmanager
def _timestamp_authority(folder: Path, keys: _Keys) -> Iterator[str]:
    port = _free_port()
    command = [
        program("timestamp-server"),
        "serve",
        "--host=127.0.0.1",
        f"--port={port}",
        "--timestamp-signer=file",
        f"--file-signer-key-path={keys.stamper}",
        f"--certificate-chain-path={keys.stamper_chain}",
        "--disable-ntp-monitoring",
    ]
    with _served(command, folder, port, "/ping") as address:
        yield f"{address}/api/v1/timestamp"


@contextmanager
def _fulcio(folder: Path, keys: _Keys, identities: IdentityProvider, certificates: str) -> Iterator[str]:
    port = _free_port()
    settings = _written(folder / "fulcio.yaml", yaml.safe_dump(identities.fulcio_settings()).encode())
    command = [
        program("fulcio"),
        "serve",
        "--host=127.0.0.1",
        f"--port={port}",
        "--grpc-host=127.0.0.1",
        f"--grpc-port={_free_port()}",
        f"--metrics-port={_free_port()}",
        "--legacy-unix-domain-socket=fulcio.sock",  # relative: a long path is none for a socket
        f"--config-path={settings}",
        "--ca=fileca",
        f"--fileca-cert={keys.fulcio_chain}",
        f"--fileca-key={keys.fulcio}",
        f"--fileca-key-passwd={_PASSWORD}",
        "--fileca-watch=false",
        f"--ct-log-url={certificates}",
        f"--ct-log-public-key-path={keys.certificate_log_public}",
    ]
    with _served(command, folder, port, "/healthz") as address:
        yield address


@contextmanager
def _served(command: Sequence[str], folder: Path, port: int, health: str) -> Iterator[str]:
    """Run until the context ends, from when `health` answers on."""
    log = folder / f"{Path(command[0]).name}.log"
    environment = {"PATH": os.environ.get("PATH", ""), "HOME": str(folder)}
    with (
        log.open("wb") as stream,
        subprocess.Popen(command, cwd=folder, env=environment, stdout=stream, stderr=stream) as process,
    ):
        try:
            address = f"http://127.0.0.1:{port}"
            if not _answers(process, address + health):
                pytest.fail(f"{command[0]} did not start: {log.read_text(errors='replace')[-2000:]}")
            yield address
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


def _answers(process: subprocess.Popen[bytes], address: str) -> bool:
    until = time.monotonic() + _START_SECONDS
    with urllib3.PoolManager(retries=False, timeout=2) as pool:
        while time.monotonic() < until and process.poll() is None:
            try:
                if pool.request("GET", address).status == 200:
                    return True
            except urllib3.exceptions.HTTPError:
                pass
            time.sleep(0.02)
    return False


def _write_trust(stack: SigstoreStack, keys: _Keys, certificates: str) -> None:
    """The trusted root and the signing configurations, by cosign."""
    start = f"start-time={datetime.now(UTC) - _AGE:%Y-%m-%dT%H:%M:%SZ}"
    stack.cosign.do(
        "trusted-root",
        "create",
        f"--fulcio=url={stack.fulcio},certificate-chain={keys.fulcio_chain},{start}",
        f"--rekor=url={stack.rekor},public-key={keys.rekor_public},{start},origin=127.0.0.1",
        f"--ctfe=url={certificates},public-key={keys.certificate_log_public},{start}",
        f"--tsa=url={stack.timestamps},certificate-chain={keys.stamper_chain},{start}",
        f"--out={stack.trusted_root}",
    )
    by = f"{start},operator=stack.test"
    issues = (
        f"--fulcio=url={stack.fulcio},api-version=1,{by}",
        f"--oidc-provider=url={stack.identities.address},api-version=1,{by}",
    )
    stamps = (f"--tsa=url={stack.timestamps},api-version=1,{by}", "--tsa-config=ANY")
    logs = (f"--rekor=url={stack.rekor},api-version=2,{by}", "--rekor-config=ANY")
    create = ("signing-config", "create")
    stack.cosign.do(*create, *issues, *stamps, *logs, f"--out={stack.everything}")
    stack.cosign.do(*create, *issues, *stamps, f"--out={stack.stamps_only}")
    stack.cosign.do(*create, f"--out={stack.nothing}")
    config = {
        "mediaType": "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json",
        "trustedRoot": json.loads(stack.trusted_root.read_bytes()),
        "signingConfig": json.loads(stack.everything.read_bytes()),
    }
    stack.trust_config.write_text(json.dumps(config))


def _free_port() -> int:
    """A port that nobody listened on a moment ago."""
    with socket.socket() as any_socket:
        any_socket.bind(("127.0.0.1", 0))
        port: int = any_socket.getsockname()[1]
        return port


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path
