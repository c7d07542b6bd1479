"""Programs that tests run and that are no part of the project's own environment."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TypeVar

import pytest

_Found = TypeVar("_Found")

_HOW = {
    "bash": "apt-get install bash",
    "chromium": "apt-get install chromium",
    "fish": "apt-get install fish",
    "groff": "apt-get install groff",
    "jq": "apt-get install jq",
    "mandoc": "apt-get install mandoc",
    "openssl": "apt-get install openssl",
    "pdfdetach": "apt-get install poppler-utils",
    "pdfsig": "apt-get install poppler-utils",
    "zsh": "apt-get install zsh",
    "docker-registry": "apt-get install docker-registry",
    "softhsm2-util": "apt-get install softhsm2",
    "actionlint": "tools/interop-programs workflows",
    "crane": "go install github.com/google/go-containerregistry/cmd/crane@v0.22.1",
    "refreg": "go build -C tests/builders/refreg",
    "runas": "tools/interop-programs accounts",
    "cosign": "tools/interop-programs",
    "cosign2": "tools/interop-programs",
    "kms/moto/server.py": "tools/interop-programs keys",
    "fulcio": "tools/interop-programs",
    "rekor-server-posix": "tools/interop-programs",
    "timestamp-server": "tools/interop-programs",
    "sarif-multitool": "tools/report-validators",
    "junit-jenkins.xsd": "tools/report-validators",
    "junit-ant.xsd": "tools/report-validators",
    "axe.min.js": "tools/report-validators",
    "github-workflows.json": "tools/manifest-schemas",
    "gitlab-ci.json": "tools/manifest-schemas",
    "kubernetes-definitions.json": "tools/manifest-schemas",
    "systemd-analyze": "apt-get install systemd",
    "node": "apt-get install npm",
}


def program(name: str) -> str:
    """The path of a program, in ``HULLMARK_TEST_BIN`` or ``PATH``; a skip without it, a failure in CI."""
    path = os.environ.get("HULLMARK_TEST_BIN", "") + os.pathsep + os.environ.get("PATH", "")
    found = shutil.which(name, path=path)
    return _demanded(found, name)


def foreign_file(name: str) -> Path:
    """A file of others' in ``HULLMARK_TEST_BIN``; a skip without it, a failure in CI."""
    path = Path(os.environ.get("HULLMARK_TEST_BIN", "")) / name
    return _demanded(path if path.is_file() else None, name)


def _demanded(found: _Found | None, name: str) -> _Found:
    if found is None:
        reason = f"{name} is not installed: {_HOW[name]}"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return found
