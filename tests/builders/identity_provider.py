"""An OpenID Connect issuer on loopback: the tokens that a private Fulcio turns into certificates.

It signs with RS256: cosign takes a token on its command line only in that form.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlencode

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tests.builders.json_server import Answer, Redirect, json_server

REPOSITORY = "acme/demo"
WORKFLOW = f"{REPOSITORY}/.github/workflows/release.yml@refs/heads/main"
WORKFLOW_IDENTITY = f"https://github.com/{WORKFLOW}"
EMAIL = "ci@acme.test"
_COMMIT = "a" * 40
_WORKFLOWS = "/gha"


@dataclass(frozen=True, kw_only=True)
class IdentityProvider:
    """A running issuer: `address` for persons, `workflow_issuer` for workflows in the manner of GitHub."""

    address: str
    key: rsa.RSAPrivateKey = field(repr=False)

    @property
    def workflow_issuer(self) -> str:
        return self.address + _WORKFLOWS

    def email_token(self) -> str:
        """For `EMAIL`."""
        return self._token(self.address, EMAIL, {"email": EMAIL, "email_verified": True})

    def workflow_token(self) -> str:
        """For `WORKFLOW_IDENTITY`."""
        claims = {
            "event_name": "push",
            "sha": _COMMIT,
            "workflow": "release",
            "repository": REPOSITORY,
            "repository_id": "1001",
            "repository_owner": REPOSITORY.partition("/")[0],
            "repository_owner_id": "2002",
            "repository_visibility": "public",
            "ref": "refs/heads/main",
            "job_workflow_ref": WORKFLOW,
            "job_workflow_sha": _COMMIT,
            "workflow_ref": WORKFLOW,
            "workflow_sha": _COMMIT,
            "runner_environment": "github-hosted",
            "run_id": "42",
            "run_attempt": "1",
        }
        return self._token(self.workflow_issuer, f"repo:{REPOSITORY}:ref:refs/heads/main", claims)

    def fulcio_settings(self) -> dict[str, object]:
        """Fulcio's configuration, for YAML: it reads JSON with other keys."""
        url = "{{ .url }}/"
        templates = {
            "github-workflow-trigger": "event_name",
            "github-workflow-sha": "sha",
            "github-workflow-name": "workflow",
            "github-workflow-repository": "repository",
            "github-workflow-ref": "ref",
            "build-signer-uri": url + "{{ .job_workflow_ref }}",
            "build-signer-digest": "job_workflow_sha",
            "runner-environment": "runner_environment",
            "source-repository-uri": url + "{{ .repository }}",
            "source-repository-digest": "sha",
            "source-repository-ref": "ref",
            "build-config-uri": url + "{{ .workflow_ref }}",
            "build-config-digest": "workflow_sha",
            "build-trigger": "event_name",
            "run-invocation-uri": url + "{{ .repository }}/actions/runs/{{ .run_id }}/attempts/{{ .run_attempt }}",
        }
        workflows = {
            "default-template-values": {"url": "https://github.com"},
            "extension-templates": templates,
            "subject-alternative-name-template": url + "{{ .job_workflow_ref }}",
        }
        persons = {"issuer-url": self.address, "client-id": "sigstore", "type": "email"}
        machines = {
            "issuer-url": self.workflow_issuer,
            "client-id": "sigstore",
            "type": "ci-provider",
            "ci-provider": "github-workflow",
        }
        return {
            "oidc-issuers": {self.address: persons, self.workflow_issuer: machines},
            "ci-issuer-metadata": {"github-workflow": workflows},
        }

    def _token(self, issuer: str, subject: str, claims: Mapping[str, object]) -> str:
        """A JSON Web Token (RFC 7515, section 7.1) that is valid now."""
        now = int(time.time())  # Fulcio's own clock compares
        times = {"iat": now, "nbf": now - 5, "exp": now + 600}
        head = {"alg": "RS256", "typ": "JWT", "kid": "1"}
        body = {"iss": issuer, "sub": subject, "aud": "sigstore", **times, **claims}
        signed = ".".join(_unpadded(json.dumps(part).encode()) for part in (head, body))
        return f"{signed}.{_unpadded(self.key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


@contextmanager
def identity_provider() -> Iterator[IdentityProvider]:
    """An issuer with a new key, until the context ends."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    with json_server(lambda address: _answers(address, key)) as address:
        yield IdentityProvider(address=address, key=key)


def _answers(address: str, key: rsa.RSAPrivateKey) -> Answer:
    """OpenID Connect Discovery 1.0, section 4, and the key set it points at."""
    numbers = key.public_key().public_numbers()
    keys = {"kty": "RSA", "alg": "RS256", "use": "sig", "kid": "1", "n": _integer(numbers.n), "e": _integer(numbers.e)}
    documents: dict[str, object] = {"/keys": {"keys": [keys]}}
    for place in ("", _WORKFLOWS):
        documents[f"{place}/.well-known/openid-configuration"] = {
            "issuer": address + place,
            "jwks_uri": f"{address}/keys",
            "authorization_endpoint": f"{address}/authorize",
            "token_endpoint": f"{address}/token",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
        }
    provider = IdentityProvider(address=address, key=key)
    asked: dict[str, Mapping[str, str]] = {}

    def answer(path: str, body: bytes) -> object:
        place, _, query = path.partition("?")
        if place == "/authorize":
            return _authorized(dict(parse_qsl(query)), asked)
        if place == "/token":
            return _exchanged(dict(parse_qsl(body.decode())), asked, provider)
        return documents.get(path)

    return answer


def _authorized(question: Mapping[str, str], asked: dict[str, Mapping[str, str]]) -> Redirect | None:
    """The person agrees at once (RFC 6749, section 4.1.2); only with a challenge (RFC 7636, section 4.3)."""
    if (question.get("response_type"), question.get("code_challenge_method")) != ("code", "S256"):
        return None
    code = secrets.token_urlsafe()
    asked[code] = question
    return Redirect(address=f"{question['redirect_uri']}?{urlencode({'code': code, 'state': question['state']})}")


def _exchanged(form: Mapping[str, str], asked: dict[str, Mapping[str, str]], provider: IdentityProvider) -> object:
    """A token for a code, once, and for the holder of the challenge's secret alone (RFC 7636, section 4.6)."""
    question = asked.pop(form.get("code", ""), None)
    secret = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
    if question is None or (question["code_challenge"], question["redirect_uri"]) != (
        _unpadded(secret),
        form.get("redirect_uri"),
    ):
        return {"error": "invalid_grant"}
    return {"access_token": provider.email_token(), "token_type": "Bearer"}


def _integer(number: int) -> str:
    return _unpadded(number.to_bytes((number.bit_length() + 7) // 8, "big"))


def _unpadded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
