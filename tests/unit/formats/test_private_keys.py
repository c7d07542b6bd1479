"""Private keys in text: each form, what protects them, and what only looks like one."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compliance.formats.private_keys import BODY_MAX, MARKER, PUTTY_MARKER, PrivateKey, key_at, putty_key_at
from tests.builders.credentials import body_of, keys, putty_key


def found(content: bytes) -> PrivateKey | None:
    """The first key in `content`."""
    at = content.find(MARKER)
    while at >= 0:
        key = key_at(content, at)
        if key is not None:
            return key
        at = content.find(MARKER, at + 1)
    return None


def sure(content: bytes) -> PrivateKey:
    key = found(content)
    assert key is not None
    return key


@pytest.mark.parametrize(
    ("name", "kind", "encrypted"),
    [
        ("rsa", "RSA private key", False),
        ("rsa-pkcs8", "PKCS #8 private key", False),
        ("ec", "EC private key", False),
        ("ed25519", "PKCS #8 private key", False),
        ("openssh", "OpenSSH private key", False),
        ("rsa-encrypted", "RSA private key", True),
        ("pkcs8-encrypted", "PKCS #8 private key", True),
        ("openssh-encrypted", "OpenSSH private key", True),
    ],
)
def test_each_form_is_known_and_an_encrypted_one_told_apart(name: str, kind: str, encrypted: bool) -> None:
    key = sure(b"# a comment\n" + keys()[name] + b"more\n")
    assert (key.kind, key.encrypted, key.start) == (kind, encrypted, 12)


AWKWARD = bytes([0x30, 0x7C]) + bytes((251 * one + 7) % 256 for one in range(46)) + b"\xfb\xef\xbe" * 26
"""A body whose second line begins with ``+``, as if strings were put together there."""


def as_pem(body: bytes) -> bytes:
    text = base64.b64encode(body)
    lines = [text[at : at + 64] for at in range(0, len(text), 64)]
    return b"\n".join([b"-----BEGIN PRIVATE KEY-----", *lines, b"-----END PRIVATE KEY-----", b""])


@pytest.mark.parametrize(
    "written",
    [
        lambda pem: pem.replace(b"\n", b"\r\n"),
        lambda pem: json.dumps({"key": pem.decode()}).encode(),
        lambda pem: json.dumps(json.dumps({"key": pem.decode()})).encode(),
        lambda pem: b"\n".join(b"        " + line for line in pem.splitlines()),
        lambda pem: b"\n".join(b'    "' + line + b'\\n"' for line in pem.splitlines()),
        lambda pem: b" +\n".join(b'  "' + line + b'\\n"' for line in pem.splitlines()),
        lambda pem: b"\n".join(b"# " + line for line in pem.splitlines()),
        lambda pem: b"KEY='" + pem.replace(b"\n", b" ") + b"'",
        lambda pem: b"\0\1\2" + pem + b"\0\xff",
    ],
    ids=["crlf", "json", "json-in-json", "indented", "c-strings", "concatenated", "commented", "one-line", "binary"],
)
@pytest.mark.parametrize("pem", [keys()["rsa"], keys()["ed25519"], keys()["openssh"], as_pem(AWKWARD)])
def test_a_key_is_the_same_however_it_is_written(written: Callable[[bytes], bytes], pem: bytes) -> None:
    assert sure(written(pem)).secret == body_of(pem)


def test_the_awkward_body_is_awkward() -> None:
    assert as_pem(AWKWARD).splitlines()[2].startswith(b"+")


def test_keys_in_a_row_are_each_found_where_they_are() -> None:
    content = keys()["ec"] + keys()["rsa"] + keys()["openssh"]
    places = [at for at in range(len(content)) if content.startswith(MARKER, at)]
    kinds = [key.kind for at in places if (key := key_at(content, at)) is not None]
    assert kinds == ["EC private key", "RSA private key", "OpenSSH private key"]


@pytest.mark.parametrize(
    "content",
    [
        b"-----BEGIN PRIVATE KEY-----",
        b"-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----",
        b"-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA...\n-----END RSA PRIVATE KEY-----",
        b"-----BEGIN RSA PRIVATE KEY-----\n" + b"A" * 1600 + b"\n-----END RSA PRIVATE KEY-----",
        b"-----BEGIN PRIVATE KEY-----\n" + base64.b64encode(b"no key, just some prose of that length or more")
        + b"\n-----END PRIVATE KEY-----",
        b"-----BEGIN OPENSSH PRIVATE KEY-----\n" + base64.b64encode(bytes(range(100))) + b"\n-----END",
        b"PRIVATE KEY",
        b"the PRIVATE KEY-----END",
    ],
)  # fmt: skip
def test_markers_placeholders_and_cut_examples_are_no_keys(content: bytes) -> None:
    assert found(content) is None


def test_a_key_that_was_cut_short_is_none() -> None:
    pem = keys()["rsa"]
    lines = pem.splitlines(keepends=True)
    assert found(b"".join([*lines[:-4], lines[-1]])) is None


def test_public_keys_and_certificates_are_none() -> None:
    assert found(keys()["public"]) is None


def test_a_body_beyond_its_bound_is_not_read() -> None:
    assert found(b"-----BEGIN PRIVATE KEY-----\n" + b"A" * BODY_MAX + b"\n-----END PRIVATE KEY-----") is None


def test_putty_keys_say_whether_they_are_encrypted() -> None:
    for cipher, encrypted in (("none", False), ("aes256-cbc", True)):
        content = b"x\n" + putty_key(cipher)
        key = putty_key_at(content, content.index(PUTTY_MARKER))
        assert key is not None
        assert (key.kind, key.encrypted) == ("PuTTY private key", encrypted)


def test_a_putty_key_without_its_private_part_is_none() -> None:
    content = putty_key().partition(b"Private-Lines")[0]
    assert putty_key_at(content, 0) is None


def test_ssh2_keys_say_whether_they_are_encrypted() -> None:
    def key(cipher: bytes) -> bytes:
        def text(value: bytes) -> bytes:
            return len(value).to_bytes(4, "big") + value

        noise = bytes(range(200))
        body = b"\x3f\x6f\xf9\xeb" + bytes(4) + text(b"dl-modp{sign{dsa-nist-sha1}}") + text(cipher) + text(noise)
        begin, end = b"---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----\n", b"---- END SSH2 ENCRYPTED PRIVATE KEY ----\n"
        return begin + b'Comment: "build"\n' + base64.encodebytes(body) + end

    assert (sure(key(b"none")).kind, sure(key(b"none")).encrypted) == ("SSH2 private key", False)
    assert sure(key(b"3des-cbc")).encrypted


def _openpgp(protection: bytes, algorithm: int = 1) -> bytes:
    """An OpenPGP secret key packet in armour, with noise for its numbers."""

    def number(size: int) -> bytes:
        return (8 * size).to_bytes(2, "big") + bytes((255 - one) % 256 for one in range(size))

    public = bytes([4]) + bytes(4) + bytes([algorithm]) + number(128) + number(3)
    packet = public + protection + bytes(range(256))
    data = b"\x95" + len(packet).to_bytes(2, "big") + packet
    return (
        b"-----BEGIN PGP PRIVATE KEY BLOCK-----\nVersion: 1\n\n"
        + base64.encodebytes(data)
        + b"=AbCd\n-----END PGP PRIVATE KEY BLOCK-----\n"
    )


@pytest.mark.parametrize(
    ("protection", "algorithm", "encrypted"),
    [(b"\0", 1, False), (b"\xfe\x09\x03\x08", 1, True), (b"\xff\x09\x03\x08", 1, True), (b"\0", 99, None)],
)
def test_openpgp_keys_say_how_they_are_protected(protection: bytes, algorithm: int, encrypted: bool | None) -> None:
    key = sure(_openpgp(protection, algorithm))
    assert (key.kind, key.encrypted) == ("PGP private key", encrypted)


def test_a_stub_of_an_openpgp_key_kept_elsewhere_is_none() -> None:
    assert found(_openpgp(b"\xff\x09\x65\x00GNU\x01")) is None


@pytest.mark.skipif(shutil.which("gpg") is None, reason="needs GnuPG")
@pytest.mark.parametrize("kind", ["rsa2048", "ed25519"])
def test_what_gnupg_exports_is_known(tmp_path: Path, kind: str) -> None:
    home = tmp_path / "g"
    home.mkdir(mode=0o700)
    gpg = ["gpg", "--homedir", str(home), "--batch", "--passphrase", "", "--pinentry-mode", "loopback"]
    made = subprocess.run([*gpg, "--quick-generate-key", "build", kind, "default", "never"], capture_output=True)
    if made.returncode:
        pytest.skip("GnuPG can't make a key here")
    pem = subprocess.run([*gpg, "--armor", "--export-secret-keys", "build"], capture_output=True).stdout
    subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], capture_output=True)
    assert (sure(pem).kind, sure(pem).encrypted) == ("PGP private key", False)


@given(
    st.sampled_from([b"-----BEGIN ", b"---- BEGIN SSH2 ENCRYPTED ", b"-----BEGIN PGP ", b""]),
    st.binary(max_size=300),
    st.sampled_from([b"-----END", b"---- END", b""]),
)
def test_no_bytes_break_the_reading(begin: bytes, body: bytes, end: bytes) -> None:
    for middle in (body, base64.b64encode(body)):
        content = begin + MARKER + b"-----\n" + middle + end
        key_at(content, len(begin))
        key_at(content, 0)
    content = PUTTY_MARKER + body
    putty_key_at(content, 0)


@given(st.binary(max_size=400))
def test_no_openpgp_packet_breaks_the_reading(data: bytes) -> None:
    text = base64.b64encode(bytes([0x95]) + data)
    found(b"-----BEGIN PGP PRIVATE KEY BLOCK-----\n\n" + text + b"\n-----END PGP PRIVATE KEY BLOCK-----")
