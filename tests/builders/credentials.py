"""Credentials that open nothing, one of each form that is looked for: made here, so that no file holds one."""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from collections.abc import Callable
from functools import cache

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

ALPHANUMERIC = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
BASE64 = ALPHANUMERIC + "+/"
URL_SAFE = ALPHANUMERIC + "_-"
HEX = "0123456789abcdef"
BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
CAPITALS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def drawn(alphabet: str, length: int, seed: str = "") -> str:
    """`length` characters that look random and are the same each time."""
    out = []
    for number in range(length):
        digest = hashlib.sha256(f"{seed}/{alphabet}/{number}".encode()).digest()
        out.append(alphabet[int.from_bytes(digest[:4], "big") % len(alphabet)])
    return "".join(out)


def checked_token(prefix: str, seed: str = "") -> str:
    """A token in the form of GitHub's and npm's, with a good checksum."""
    body = drawn(ALPHANUMERIC, 30, seed + prefix)
    value, digits = zlib.crc32(body.encode()), ""
    for _ in range(6):
        value, digit = divmod(value, 62)
        digits = _BASE62[digit] + digits
    return f"{prefix}_{body}{digits}"


def age_key() -> str:
    """An age secret key with a good Bech32 checksum (BIP 173)."""
    digits = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
    prefix = "age-secret-key-"
    data = [digits.index(char) for char in drawn(digits, 52)]

    def polymod(values: list[int]) -> int:
        check = 1
        for value in values:
            top = check >> 25
            check = (check & 0x1FFFFFF) << 5 ^ value
            for bit, generator in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
                check ^= generator if top >> bit & 1 else 0
        return check

    expanded = [ord(char) >> 5 for char in prefix] + [0] + [ord(char) & 31 for char in prefix]
    check = polymod([*expanded, *data, 0, 0, 0, 0, 0, 0]) ^ 1
    return (prefix + "1" + "".join(digits[one] for one in data + [check >> 5 * (5 - i) & 31 for i in range(6)])).upper()


def web_token(claims: dict[str, object] | None = None, algorithm: str = "HS256") -> str:
    """A signed JSON Web Token, with a signature of noise."""

    def part(value: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(value, separators=(",", ":")).encode()).rstrip(b"=").decode()

    header = {"alg": algorithm, "typ": "JWT"}
    return (
        f"{part(header)}.{part(claims or {'sub': 'build', 'iss': 'https://login.corp.internal'})}.{drawn(URL_SAFE, 43)}"
    )


@cache
def keys() -> dict[str, bytes]:
    """Private keys as PEM, by name: every form that `cryptography` writes."""
    pem, none = serialization.Encoding.PEM, serialization.NoEncryption()
    traditional, pkcs8 = serialization.PrivateFormat.TraditionalOpenSSL, serialization.PrivateFormat.PKCS8
    openssh = serialization.PrivateFormat.OpenSSH
    locked = serialization.BestAvailableEncryption(b"correct horse")
    big, curve, small = rsa.generate_private_key(65537, 2048), ec.generate_private_key(ec.SECP256R1()), ed25519
    edwards = small.Ed25519PrivateKey.generate()
    return {
        "rsa": big.private_bytes(pem, traditional, none),
        "rsa-pkcs8": big.private_bytes(pem, pkcs8, none),
        "ec": curve.private_bytes(pem, traditional, none),
        "ed25519": edwards.private_bytes(pem, pkcs8, none),
        "openssh": edwards.private_bytes(pem, openssh, none),
        "rsa-encrypted": big.private_bytes(pem, traditional, locked),
        "pkcs8-encrypted": curve.private_bytes(pem, pkcs8, locked),
        "openssh-encrypted": edwards.private_bytes(pem, openssh, locked),
        "public": big.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo),
    }


def body_of(pem: bytes) -> bytes:
    """The decoded body of a PEM text without headers."""
    return base64.b64decode(b"".join(line for line in pem.splitlines() if not line.startswith(b"-")))


def putty_key(cipher: str = "none") -> bytes:
    """A PuTTY key with noise for its parts."""
    public, private = (base64.b64encode(drawn(URL_SAFE, 120, seed).encode()).decode() for seed in ("public", "private"))

    def lines(text: str) -> list[str]:
        return [text[at : at + 64] for at in range(0, len(text), 64)]

    parts = [
        "PuTTY-User-Key-File-2: ssh-ed25519", f"Encryption: {cipher}", "Comment: build",
        f"Public-Lines: {len(lines(public))}", *lines(public),
        f"Private-Lines: {len(lines(private))}", *lines(private), f"Private-MAC: {drawn(HEX, 40)}",
    ]  # fmt: skip
    return "\r\n".join(parts).encode()


def service_account() -> bytes:
    """A Google Cloud service account's JSON."""
    return json.dumps(
        {
            "type": "service_account",
            "private_key_id": drawn(HEX, 40),
            "private_key": keys()["rsa-pkcs8"].decode(),
            "client_email": "build@project.iam.gserviceaccount.com",
        },
        indent=2,
    ).encode()


def registry_login(user: str = "build", password: str = "") -> bytes:
    """Docker's config.json with one login."""
    password = password or drawn(URL_SAFE, 24)
    auth = base64.b64encode(f"{user}:{password}".encode()).decode()
    return json.dumps({"auths": {"registry.corp.internal": {"auth": auth}}}, indent="\t").encode()


AWS_KEY_ID = "AKIA" + drawn(BASE32, 16)
AWS_SECRET = drawn(BASE64, 40, "aws")

TOKENS: dict[str, Callable[[], str]] = {
    "age-key": age_key,
    "aws-access-key": lambda: f"id = {AWS_KEY_ID}\nkey = {AWS_SECRET}",
    "aws-secret-access-key": lambda: f"aws_secret_access_key = {AWS_SECRET}",
    "azure-storage-key": lambda: f"DefaultEndpointsProtocol=https;AccountName=x;AccountKey={drawn(BASE64, 86)}==",
    "azure-shared-access-key": lambda: f"SharedAccessKeyName=root;SharedAccessKey={drawn(BASE64, 43)}=",
    "azure-shared-access-signature": lambda: (
        f"https://x.blob.core.windows.net/c?sv=2023-11-03&se=2030-01-01&sp=r&sig={drawn(ALPHANUMERIC, 43)}%3D"
    ),
    "azure-client-secret": lambda: f"{drawn(ALPHANUMERIC, 3)}8Q~{drawn(URL_SAFE, 34)}",
    "google-api-key": lambda: "AIza" + drawn(URL_SAFE, 35),
    "google-client-secret": lambda: "GOCSPX-" + drawn(URL_SAFE, 28),
    "digitalocean-token": lambda: "dop_v1_" + drawn(HEX, 64),
    "github-token": lambda: checked_token("ghp"),
    "github-fine-grained-token": lambda: f"github_pat_{drawn(ALPHANUMERIC, 22)}_{drawn(ALPHANUMERIC, 59)}",
    "gitlab-token": lambda: "glpat-" + drawn(URL_SAFE, 20),
    "npm-token": lambda: checked_token("npm"),
    "pypi-token": lambda: "pypi-AgEIcHlwaS5vcmc" + drawn(URL_SAFE, 120),
    "rubygems-token": lambda: "rubygems_" + drawn(HEX, 48),
    "docker-hub-token": lambda: "dckr_pat_" + drawn(URL_SAFE, 27),
    "registry-login": lambda: registry_login().decode(),
    "slack-token": lambda: f"xoxb-{drawn('123456789', 12)}-{drawn('123456789', 13)}-{drawn(ALPHANUMERIC, 24)}",
    "slack-webhook": lambda: (
        f"https://hooks.slack.com/services/T{drawn(CAPITALS, 9)}/B{drawn(CAPITALS, 10)}/{drawn(ALPHANUMERIC, 24)}"
    ),
    "stripe-key": lambda: "sk_live_" + drawn(ALPHANUMERIC, 24),
    "sendgrid-key": lambda: f"SG.{drawn(URL_SAFE, 22)}.{drawn(URL_SAFE, 43)}",
    "vault-token": lambda: "hvs.CAES" + drawn(URL_SAFE, 92),
    "terraform-cloud-token": lambda: f"{drawn(ALPHANUMERIC, 14)}.atlasv1.{drawn(ALPHANUMERIC, 67)}",
    "openai-key": lambda: f"sk-proj-{drawn(ALPHANUMERIC, 60)}T3BlbkFJ{drawn(ALPHANUMERIC, 60)}",
    "anthropic-key": lambda: f"sk-ant-api03-{drawn(ALPHANUMERIC, 93)}AA",
    "hugging-face-token": lambda: "hf_" + drawn(ALPHANUMERIC[:52], 34),
    "shopify-token": lambda: "shpat_" + drawn(HEX, 32),
    "grafana-token": lambda: f"glsa_{drawn(ALPHANUMERIC, 32)}_{drawn(HEX, 8)}",
    "web-token": web_token,
}
"""A text with one credential in it, by the id of the rule that finds it in any file."""

PASSWORD = "tr0ub4dor&3-" + drawn(URL_SAFE, 8)
HASH = "$apr1$" + drawn(ALPHANUMERIC, 8) + "$" + drawn(ALPHANUMERIC, 22)

FILES: dict[str, tuple[str, str]] = {
    "netrc": ("root/.netrc", f"machine corp.internal\nlogin build\npassword {PASSWORD}\n"),
    "git-credentials": ("root/.git-credentials", f"https://build:{PASSWORD}@git.corp.internal\n"),
    "pgpass": ("root/.pgpass", f"db.corp.internal:5432:*:build:{PASSWORD}\n"),
    "mysql-options": ("root/.my.cnf", f"[client]\nuser = build\npassword = {PASSWORD}\n"),
    "npmrc": ("app/.npmrc", f"//npm.corp.internal/:_authToken={PASSWORD}\n"),
    "pypirc": ("root/.pypirc", f"[pypi]\nusername = build\npassword = {PASSWORD}\n"),
    "index-url": ("etc/pip.conf", f"[global]\nindex-url = https://build:{PASSWORD}@packages.corp.internal/simple\n"),
    "kubeconfig": ("root/.kube/config", f"users:\n- name: build\n  user:\n    token: {PASSWORD}\n"),
    "htpasswd": ("etc/nginx/.htpasswd", f"build:{HASH}\n"),
    "terraform-state": ("srv/x.tfstate", f'{{"attributes": {{"master_password": "{PASSWORD}"}}}}'),
    "maven-settings": ("root/.m2/settings.xml", f"<server><password>{PASSWORD.replace('&', '+')}</password></server>"),
    "cargo-credentials": ("root/.cargo/credentials.toml", f'[registry]\ntoken = "{PASSWORD}"\n'),
    "composer-auth": ("root/.composer/auth.json", f'{{"github-oauth": {{"github.com": "{PASSWORD}"}}}}'),
    "environment-file": ("app/.env", f"PORT=8080\nDB_PASSWORD={PASSWORD.replace('&', '+')}\n"),
}
"""(path, content) with one credential in it, by the id of the rule that finds it in files of that name."""
