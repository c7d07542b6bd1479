"""Private keys in text: PEM (RFC 7468, RFC 1421 headers), OpenSSH, SSH2 (RFC 4716's armour), PuTTY, OpenPGP armour.

A key counts only if its body decodes to what such a key is: an example that was cut short, a marker that a program
looks for and a public certificate are none. Nothing here raises, and every look is bounded.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass

BODY_MAX = 64 * 1024
"""Bytes between the markers of a key: 16,384-bit RSA keys take 13,000."""
MARKER = b"PRIVATE KEY"
PUTTY_MARKER = b"PuTTY-User-Key-File-"
LOOK_BACK = 64
"""Bytes before MARKER in which its line begins."""

_BEGIN = re.compile(rb"-----BEGIN (?P<label>(?:[A-Z0-9.]{1,12} ){0,3})PRIVATE KEY(?: BLOCK)?-----")
_SSH2_BEGIN = b"---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----"
_ESCAPED_LINE_END = re.compile(rb"\\+(?:[rn]|u000[aAdD])")
_CONCATENATION = re.compile(rb"[\"'`][ \t\r\n\\]{0,200}[+.,]?[ \t\r\n\\]{0,200}[\"'`]")
_HEADER = re.compile(rb"(?m)^[ \t#*>]*[A-Za-z][A-Za-z-]{2,30}:[^\n]*$")
_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/=]+")
_PUTTY = re.compile(
    rb"PuTTY-User-Key-File-[123]: [\x21-\x7e]{3,40}\r?\nEncryption: (?P<cipher>[\x21-\x7e]{1,40})\r?\n"
    rb"(?:[^\r\n]{0,1024}\r?\n){2,400}?Private-Lines: \d{1,3}\r?\n(?P<body>(?:[A-Za-z0-9+/=]{1,76}\r?\n?){1,300})"
)
_OPENSSH = b"openssh-key-v1\0"
_SSH2_MAGIC = b"\x3f\x6f\xf9\xeb"
_BYTES_MIN = 40
"""An Ed25519 key in PKCS #8 has 48."""
_DISTINCT_MIN = 20
"""Different bytes among those of a key: a body of zeros or of one repeated text is a placeholder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivateKey:
    """A private key as found from `start` to `end`; `secret` is its decoded body (DER for most).

    `encrypted` tells that a passphrase protects it, None that this could not be told.
    """

    kind: str
    secret: bytes
    encrypted: bool | None
    start: int
    end: int


def key_at(content: bytes, at: int) -> PrivateKey | None:
    """The key whose first line has MARKER at `at`, if it is one."""
    start = content.rfind(b"----", max(0, at - LOOK_BACK), at)
    if start < 0:
        return None
    ssh2 = content.find(_SSH2_BEGIN, start, at + len(_SSH2_BEGIN))
    if ssh2 == start:
        return _ssh2(content, start)
    begin = _BEGIN.search(content, max(0, start - 1), at + 32)
    if begin is None or not begin.start() < at < begin.end():
        return None
    end = content.find(b"-----", begin.end(), begin.end() + BODY_MAX)
    if end < 0 or not content.startswith(b"-----END", end):
        return None
    return _read(begin["label"].strip().decode(), content[begin.end() : end], begin.start(), end)


def putty_key_at(content: bytes, at: int) -> PrivateKey | None:
    """The PuTTY key that begins at `at`, if there is one."""
    match = _PUTTY.match(content, at, at + BODY_MAX)
    if match is None:
        return None
    secret = _decoded(match["body"])
    if secret is None or len(set(secret)) < _DISTINCT_MIN:
        return None
    return PrivateKey(
        kind="PuTTY private key",
        secret=secret,
        encrypted=match["cipher"] != b"none",
        start=match.start(),
        end=match.end(),
    )


def _read(label: str, body: bytes, start: int, end: int) -> PrivateKey | None:
    text = _CONCATENATION.sub(b"", _ESCAPED_LINE_END.sub(b"\n", body))
    headers = b"\n".join(_HEADER.findall(text))
    text = _HEADER.sub(b"", text)
    if label == "PGP":
        return _pgp(text, start, end)
    data = _decoded(text)
    if data is None or len(data) < _BYTES_MIN or len(set(data)) < _DISTINCT_MIN:
        return None
    encrypted: bool | None = False
    if label == "OPENSSH":
        if not data.startswith(_OPENSSH):
            return None
        encrypted = _string(data, len(_OPENSSH)) != b"none"
    elif b"ENCRYPTED" in headers:  # RFC 1421: the body is ciphertext
        encrypted = True
    elif not _is_sequence(data):
        return None
    elif label == "ENCRYPTED":
        encrypted = True
    kinds = {"": "PKCS #8 private key", "ENCRYPTED": "PKCS #8 private key", "OPENSSH": "OpenSSH private key"}
    kind = kinds.get(label, f"{label} private key")
    return PrivateKey(kind=kind, secret=data, encrypted=encrypted, start=start, end=end)


def _decoded(text: bytes) -> bytes | None:
    digits = _NOT_BASE64.sub(b"", text).rstrip(b"=")
    try:
        return base64.b64decode(digits + b"=" * (-len(digits) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None


def _is_sequence(data: bytes) -> bool:
    """Whether `data` is one DER SEQUENCE (X.690) and nothing else, save a few bytes of padding."""
    if data[0] != 0x30:
        return False
    length, size = data[1], 2
    if length & 0x80:
        count = length & 0x7F
        if not 1 <= count <= 4:
            return False
        length, size = int.from_bytes(data[2 : 2 + count], "big"), 2 + count
    return 0 <= len(data) - (size + length) <= 4


def _string(data: bytes, at: int) -> bytes:
    """A string of SSH's wire format (RFC 4251); empty where there is none."""
    size = int.from_bytes(data[at : at + 4], "big")
    return data[at + 4 : at + 4 + size] if size <= 1024 else b""


def _ssh2(content: bytes, start: int) -> PrivateKey | None:
    begin = start + len(_SSH2_BEGIN)
    end = content.find(b"---- END", begin, begin + BODY_MAX)
    if end < 0:
        return None
    data = _decoded(_HEADER.sub(b"", content[begin:end]))
    if data is None or not data.startswith(_SSH2_MAGIC) or len(set(data)) < _DISTINCT_MIN:
        return None
    kind = _string(data, 8)
    cipher = _string(data, 12 + len(kind))
    return PrivateKey(kind="SSH2 private key", secret=data, encrypted=cipher != b"none", start=start, end=end)


# ---- OpenPGP (RFC 9580, RFC 4880)

_SECRET_TAGS = (5, 7)
_MPIS = {1: 2, 2: 2, 3: 2, 16: 3, 17: 4}
_CURVES = {18, 19, 22}
_FIXED = {25: 32, 26: 56, 27: 32, 28: 57}
_GNU_DUMMY = b"GNU\x01"


def _pgp(text: bytes, start: int, end: int) -> PrivateKey | None:
    body = re.split(rb"\n[ \t\r]*=", text, maxsplit=1)[0]  # the checksum, "=" and four digits
    data = _decoded(body)
    if data is None or len(data) < _BYTES_MIN or len(set(data)) < _DISTINCT_MIN:
        return None
    packet = _packet(data)
    if packet is None:
        return None
    if _GNU_DUMMY in packet[:1024]:
        return None  # a stub: the key itself is kept elsewhere
    return PrivateKey(kind="PGP private key", secret=data, encrypted=_pgp_encrypted(packet), start=start, end=end)


def _packet(data: bytes) -> bytes | None:
    """The body of the first packet, if it is a secret key."""
    head = data[0]
    if not head & 0x80:
        return None
    if head & 0x40:
        tag, first = head & 0x3F, data[1]
        size = 1 if first < 192 else 2 if first < 224 else 5
    else:
        tag, size = (head >> 2) & 0x0F, (1, 2, 4, 0)[head & 3]
    return data[1 + size :] if tag in _SECRET_TAGS else None


def _pgp_encrypted(packet: bytes) -> bool | None:
    """By the octet behind the public key that says how the secret part is protected."""
    if packet[0] not in (4, 6):
        return None
    algorithm, at = packet[5], 6 if packet[0] == 4 else 10
    if algorithm in _FIXED:
        at += _FIXED[algorithm]
    elif algorithm in _CURVES:
        at += 1 + packet[at]
        at = _after_mpi(packet, at)
        if algorithm == 18 and at < len(packet):
            at += 1 + packet[at]
    elif algorithm in _MPIS:
        for _ in range(_MPIS[algorithm]):
            at = _after_mpi(packet, at)
    else:
        return None
    return packet[at] != 0 if at < len(packet) else None


def _after_mpi(packet: bytes, at: int) -> int:
    return at + 2 + (int.from_bytes(packet[at : at + 2], "big") + 7) // 8
