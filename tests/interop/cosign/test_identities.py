"""Where the identity of a keyless signature comes from: a CI system's token, and a person in the browser."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from tests.builders.hullmark import verify
from tests.builders.identity_provider import EMAIL, WORKFLOW_IDENTITY
from tests.builders.sigstore_stack import SigstoreStack
from tests.interop.cosign.conftest import NewImage

TYPE = "https://example.test/result/v1"
CANARY = "request-canary-7731"
CI = ("GITHUB_ACTIONS", "GITLAB_CI", "BUILDKITE", "CIRCLECI", "SIGSTORE_ID_TOKEN")
BROWSER = """\
#!{python}
import sys, urllib.request
urllib.request.urlopen(sys.argv[1], timeout=20).read()
"""


def attest(
    stack: SigstoreStack, image: str, predicate: Path, environment: Mapping[str, str], *, terminal: bool = False
) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "compliance.cli.main", "attest", image, "--sign-key", "keyless", "-q"]
    command += ["--trust-config", str(stack.trust_config), "--predicate", str(predicate), "--type", TYPE]
    base = {name: value for name, value in os.environ.items() if name not in CI}
    first, second = pty.openpty()
    try:
        return subprocess.run(
            command,
            env={**base, **environment},
            stdin=second if terminal else subprocess.DEVNULL,
            capture_output=True,
            timeout=120,
        )
    finally:
        os.close(first)
        os.close(second)


def assert_signed(stack: SigstoreStack, image: str, identity: str, issuer: str, folder: Path) -> None:
    trust = ("--certificate-identity", identity, "--certificate-oidc-issuer", issuer)
    rooted = (*trust, "--trusted-root", stack.trusted_root)
    stack.cosign.do("verify-attestation", *rooted, "--use-signed-timestamps", "--type", TYPE, image)
    assert verify(image, *rooted, folder=folder, require=[TYPE]).accepts


@contextmanager
def token_service(token: str) -> Iterator[str]:
    """As a GitHub runner has it: a token of the job's, for the audience that is asked for, against a secret."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            query = parse_qs(urlsplit(self.path).query)
            allowed = self.headers["Authorization"] == f"bearer {CANARY}" and query["audience"] == ["sigstore"]
            content = f'{{"value": "{token}"}}'.encode() if allowed and query["job"] == ["7"] else b"{}"
            self.send_response(200 if allowed else 401)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/token?job=7"
        finally:
            server.shutdown()


def assert_secrets_unseen(done: subprocess.CompletedProcess[bytes], *secrets: str) -> None:
    for secret in secrets:
        assert secret.encode() not in done.stdout + done.stderr


def test_a_github_job_signs_as_its_workflow(
    stack: SigstoreStack, new_image: NewImage, predicate: Path, tmp_path: Path
) -> None:
    image = new_image(stack.referrers)
    token = stack.identities.workflow_token()
    with token_service(token) as address:
        job = {"GITHUB_ACTIONS": "true", "ACTIONS_ID_TOKEN_REQUEST_URL": address}
        name = "ACTIONS_ID_TOKEN_REQUEST_TOKEN"
        done = attest(stack, image, predicate, {**job, name: CANARY})
        refused = attest(stack, image, predicate, {**job, name: f"not-{CANARY}"})
        without = attest(stack, image, predicate, {"GITHUB_ACTIONS": "true"})
    assert done.returncode == 0, done.stderr
    assert_signed(stack, image, WORKFLOW_IDENTITY, stack.identities.workflow_issuer, tmp_path)
    assert_secrets_unseen(done, CANARY, token)
    for failed in (refused, without):
        assert failed.returncode != 0
        assert failed.stderr.startswith(b"hullmark: "), failed.stderr
        assert failed.stderr.count(b"\n") == 1, failed.stderr


def test_a_gitlab_job_signs_with_the_token_in_its_environment(
    stack: SigstoreStack, new_image: NewImage, predicate: Path, tmp_path: Path
) -> None:
    image = new_image(stack.plain)
    token = stack.identities.workflow_token()
    done = attest(stack, image, predicate, {"GITLAB_CI": "true", "SIGSTORE_ID_TOKEN": token})
    assert done.returncode == 0, done.stderr
    assert_signed(stack, image, WORKFLOW_IDENTITY, stack.identities.workflow_issuer, tmp_path)
    assert_secrets_unseen(done, token)
    assert attest(stack, image, predicate, {"GITLAB_CI": "true"}).returncode != 0


def test_a_person_signs_by_the_browser(
    stack: SigstoreStack, new_image: NewImage, predicate: Path, tmp_path: Path
) -> None:
    """The code flow with PKCE; the browser is a script that follows where it is sent."""
    browser = tmp_path / "browser"
    browser.write_text(BROWSER.format(python=sys.executable))
    browser.chmod(0o755)
    image = new_image(stack.referrers)
    done = attest(stack, image, predicate, {"BROWSER": f"{browser} %s"}, terminal=True)
    assert done.returncode == 0, done.stderr
    assert_signed(stack, image, EMAIL, stack.identities.address, tmp_path)


def test_nobody_is_asked_where_there_is_no_terminal(stack: SigstoreStack, new_image: NewImage, predicate: Path) -> None:
    done = attest(stack, new_image(stack.referrers), predicate, {"BROWSER": "/bin/false %s"})
    assert done.returncode != 0
    assert b" no-identity: " in done.stderr
