"""An image full of secrets: they are found in every layer and in the config, and no output holds one of them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from compliance.cli.main import run
from tests.builders import credentials as make
from tests.builders.evidence import file
from tests.builders.layout import Layout, digest, layer_tar

ARGUMENT = make.checked_token("ghp", "argument")
ENTRY = make.checked_token("gho", "entry")
HEADER = make.drawn(make.ALPHANUMERIC, 32, "header")
VARIABLE = "tr0ub4dor&3"
LABEL = "corr3ct-h0rse"
ADDRESS = "b4ttery-st4ple"
ANNOTATION = make.checked_token("npm", "annotation")
HIDDEN = make.checked_token("ghs", "hidden")
CONFIG = {
    "Env": ["PATH=/usr/bin", f"DB_PASSWORD={VARIABLE}", f"GH={ARGUMENT}", f"DATABASE=postgres://x:{ADDRESS}@db/x"],
    "Entrypoint": ["/app/run", "--token", ENTRY],
    "Healthcheck": {"Test": ["CMD-SHELL", f"curl -H 'Authorization: Bearer {HEADER}' localhost"]},
    "Labels": {
        "build.password": LABEL,
        "org.opencontainers.image.description": f"made with {ANNOTATION}",
        "org.opencontainers.image.source": f"https://x:{ADDRESS}@git.corp.internal/x",
        **{f"org.opencontainers.image.{rule}": text() for rule, text in make.TOKENS.items()},
    },
    "Cmd": [f"--password={VARIABLE}", *(text() for text in make.TOKENS.values())],
    "OnBuild": [f"RUN use {ARGUMENT}", *(f"RUN use {text()}" for text in make.TOKENS.values())],
    "User": "build",
    "WorkingDir": f"/srv/{ARGUMENT}",
}  # fmt: skip
HISTORY = [
    {"created_by": f"RUN |1 NPM_TOKEN={ARGUMENT} /bin/sh -c npm ci # buildkit"},
    {"created_by": f"RUN curl -H 'Authorization: Bearer {HEADER}' https://x:{ADDRESS}@corp.internal"},
    *({"created_by": f"RUN use {text()} here"} for text in make.TOKENS.values()),
    *({"created_by": f"RUN echo '{pem.decode()}'", "comment": pem.decode()} for pem in make.keys().values()),
]
FORMATS = ("table", "markdown", "cyclonedx-xml")
"""What an evidence bundle does not have."""


def contents() -> dict[str, bytes]:
    """A file for each form of secret, by path."""
    tokens = {f"srv/{name}": f"value = {text()}\n".encode() for name, text in make.TOKENS.items()}
    keys = {f"srv/keys/{name}": pem for name, pem in make.keys().items() if name != "public"}
    files = {path: content.encode() for path, content in make.FILES.values()}
    return {
        **tokens,
        **keys,
        **files,
        "srv/keys/putty": make.putty_key(),
        "srv/account.json": make.service_account(),
        "etc/apt/sources.list": f"deb https://x:{ADDRESS}@packages.corp.internal/debian bookworm main\n".encode(),
        "app/run": f"#!/bin/sh\nexport TOKEN={ARGUMENT}\ncurl https://x:{ADDRESS}@corp.internal\n".encode(),
        "app/package.json": json.dumps(
            {"name": "x", "version": "1.0.0", "repository": f"https://x:{ADDRESS}@git.corp.internal/x"}
        ).encode(),
        "app/node_modules/y/package.json": json.dumps(
            {"name": "y", "version": "1.0.0", "homepage": f"https://{ARGUMENT}@corp.internal/"}
        ).encode(),
    }


def secrets() -> set[str]:
    """What must be nowhere: every value, and the lines of the keys."""
    values = {ARGUMENT, ENTRY, HEADER, VARIABLE, LABEL, ADDRESS, ANNOTATION, HIDDEN, make.PASSWORD, make.HASH}
    values |= {make.AWS_SECRET, make.PASSWORD.replace("&", "+")}
    for text in make.TOKENS.values():
        values |= {word for word in re.split(r"[\s\"=&?;.:/,{}]+", text()) if len(word) >= 22}
    values -= {"DefaultEndpointsProtocol"}
    for pem in make.keys().values():
        if b"PRIVATE" in pem:
            values |= {line for line in pem.decode().splitlines() if len(line) >= 60 and ":" not in line}
    return values


def image(folder: Path) -> Path:
    """An OCI layout with all of it: files in two layers, one of them deleted by the second; config and history."""
    below = {"tmp/hidden": file(f"{HIDDEN}\n")}
    above = {path: file(content, 0o755 if path == "app/run" else 0o644) for path, content in contents().items()}
    tars = [layer_tar(below), layer_tar({**above, "tmp/.wh.hidden": file(b"")})]
    layout = Layout(root=folder)
    rootfs = {"type": "layers", "diff_ids": [digest(tar) for tar in tars]}
    config = {"os": "linux", "architecture": "amd64", "config": CONFIG, "rootfs": rootfs, "history": HISTORY}

    def described(content: bytes, kind: str) -> dict[str, object]:
        name, size = layout.blob(content)
        return {"mediaType": f"application/vnd.oci.image.{kind}", "digest": name, "size": size}

    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": described(json.dumps(config).encode(), "config.v1+json"),
        "layers": [described(tar, "layer.v1.tar") for tar in tars],
        "annotations": {"org.opencontainers.image.url": f"https://x:{ADDRESS}@corp.internal", "note": ANNOTATION},
    }
    layout.manifests.append(described(json.dumps(manifest).encode(), "manifest.v1+json"))
    layout.write_index()
    return folder


def readings(content: bytes) -> Iterator[bytes]:
    """A file as it is, and every compressed stream in it (a PDF's pages and attachments)."""
    yield content
    for match in re.finditer(rb"stream\r?\n", content):
        try:
            yield zlib.decompressobj().decompress(content[match.end() :])
        except zlib.error:
            continue


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("secrets")
    options = [part for name in FORMATS for part in ("-o", f"{name}={folder / name}")]
    evidence = ["--evidence", str(folder / "evidence")]
    assert run(["assess", str(image(folder / "image")), "--no-cache", "-q", *options, *evidence]) in (10, 11)
    out = {name: (folder / name).read_bytes() for name in FORMATS}
    out |= {path.name: path.read_bytes() for path in (folder / "evidence").rglob("*") if path.is_file()}
    return out


def test_no_output_holds_a_secret(outputs: dict[str, bytes]) -> None:
    values = secrets()
    assert len(values) > 100
    assert {"assessment.json", "report.pdf", "sbom.cdx.json", "sbom.spdx.json", *FORMATS} < set(outputs)
    leaks = {
        (name, value)
        for name, content in outputs.items()
        for reading in readings(content)
        for value in values
        if value.encode() in reading
    }
    assert not leaks


def test_the_pages_of_the_report_hold_none_either(outputs: dict[str, bytes], tmp_path: Path) -> None:
    if shutil.which("pdftotext") is None:
        pytest.skip("needs pdftotext")
    (tmp_path / "report.pdf").write_bytes(outputs["report.pdf"])
    done = subprocess.run(["pdftotext", "-layout", str(tmp_path / "report.pdf"), "-"], capture_output=True, text=True)
    assert "SP-SECRET" in done.stdout
    joined = re.sub(r"\s", "", done.stdout)  # a long value would be broken over lines
    assert not [value for value in secrets() if value in joined]


def test_all_of_them_were_found(outputs: dict[str, bytes]) -> None:
    (check,) = [check for check in json.loads(outputs["assessment.json"])["checks"] if check["id"] == "SP-SECRET"]
    assert check["outcome"] == "failed"
    told = {(seen["path"], seen["kind"]) for seen in check["observations"]}
    for path in contents():
        assert ((f"/{path}", "file") in told) is (path != "app/package.json"), path
    assert ("/tmp/hidden", "residue") in told  # noqa: S108 - a path in the image
    places = " ".join(seen["summary"] for seen in check["observations"] if seen["kind"] == "config")
    expected = (
        *("Env[1]", "Env[2]", "Env[3]", "Entrypoint:", "Test:", "Cmd:", "OnBuild[0]", "OnBuild[1]", "WorkingDir"),
        *("build.password", "image.description", "image.source", "history[0]", "history[1]", "history[2]"),
        *("manifest, annotations, org.opencontainers.image.url", "manifest, annotations, note"),
    )
    for place in expected:
        assert place in places, place
