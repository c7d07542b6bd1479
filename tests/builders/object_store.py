"""An object store that speaks S3 (moto's, on loopback), and a bucket in it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import urllib3

from tests.builders.program import foreign_file

BUCKET = "evidence"

_START_SECONDS = 60
_ANY_LOGIN = {"Authorization": "AWS4-HMAC-SHA256 Credential=tests/20260101/us-east-1/s3/aws4_request, Signature=0"}
"""It tells logins from none, and checks no signature."""
_LISTENING = re.compile(rb"Running on (http://127\.0\.0\.1:\d+)")


@dataclass(frozen=True, kw_only=True)
class ObjectStore:
    """A running one. `environment` is how a client is told of it; it asks nobody for a password."""

    url: str
    environment: Mapping[str, str] = field(repr=False)

    def object(self, key: str) -> bytes:
        """An object of the bucket, as it lies there."""
        return self._asked("GET", key)

    def put(self, key: str, content: bytes) -> None:
        """Write over it."""
        self._asked("PUT", key, content)

    def remove(self, key: str) -> None:
        """Take it away."""
        self._asked("DELETE", key)

    def _asked(self, method: str, key: str, content: bytes | None = None) -> bytes:
        where = f"{self.url}/{BUCKET}/{key}"
        answer = urllib3.request(method, where, body=content, headers=_ANY_LOGIN, retries=False, timeout=20)
        assert answer.status < 300, f"{method} {key}: {answer.status} {answer.data[:500]!r}"
        return bytes(answer.data)


@contextmanager
def object_store(folder: Path) -> Iterator[ObjectStore]:
    """One with an empty bucket, `BUCKET`."""
    packages = foreign_file("kms/moto/server.py").parents[1]
    log = folder / "object-store.log"
    with (
        log.open("wb") as stream,
        subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"],
            env={**os.environ, "PYTHONPATH": str(packages)},
            stdout=stream,
            stderr=stream,
        ) as process,
    ):
        try:
            url = _url(process, log)
            environment = {
                "AWS_ENDPOINT_URL": url,
                "AWS_ACCESS_KEY_ID": "tests",
                "AWS_SECRET_ACCESS_KEY": "tests",
                "AWS_DEFAULT_REGION": "us-east-1",
            }
            started = ObjectStore(url=url, environment=environment)
            started.put("", b"")
            yield started
        finally:
            process.terminate()


def _url(process: subprocess.Popen[bytes], log: Path) -> str:
    until = time.monotonic() + _START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        if found := _LISTENING.search(log.read_bytes()):
            return found[1].decode()
        time.sleep(0.05)
    pytest.fail(f"the object store did not start: {log.read_text(errors='replace')[-2000:]}")
