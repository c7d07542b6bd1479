"""Programs that tests run and that are no part of the project's own environment."""

from __future__ import annotations

import os
import shutil

import pytest

_HOW = {
    "docker-registry": "apt-get install docker-registry",
    "softhsm2-util": "apt-get install softhsm2",
    "crane": "go install github.com/google/go-containerregistry/cmd/crane@v0.22.1",
    "refreg": "go build -C tests/builders/refreg",
    "runas": "tools/interop-programs accounts",
    "cosign": "tools/interop-programs",
    "fulcio": "tools/interop-programs",
    "rekor-server-posix": "tools/interop-programs",
    "timestamp-server": "tools/interop-programs",
}


def program(name: str) -> str:
    """The path of a program, in ``HULLMARK_TEST_BIN`` or ``PATH``; a skip without it, a failure in CI."""
    path = os.environ.get("HULLMARK_TEST_BIN", "") + os.pathsep + os.environ.get("PATH", "")
    found = shutil.which(name, path=path)
    if found is None:
        reason = f"{name} is not installed: {_HOW[name]}"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return found
