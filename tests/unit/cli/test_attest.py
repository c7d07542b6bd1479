"""`hullmark attest` as a user runs it: mistakes are one line, and no secret is ever seen."""

from __future__ import annotations

import base64
import json
import os
import pty
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from compliance.formats.signed_json import read_object
from compliance.sign.key_signer import load_or_generate
from compliance.sign.password import PASSWORD_VARIABLE
from tests.builders.layout import docker_archive, simple_image

CANARY = "password-canary-5309"
TYPE = "https://example.test/v1"


def hullmark(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "compliance.cli.main", *map(str, arguments)],
        capture_output=True,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        timeout=120,
    )


@pytest.fixture
def image(tmp_path: Path) -> Path:
    return simple_image(tmp_path / "image", ({"etc/os-release": "ID=demo\n"},))


@pytest.fixture
def key(tmp_path: Path) -> Path:
    load_or_generate(tmp_path / "key.pem")
    return tmp_path / "key.pem"


@pytest.fixture
def predicate(tmp_path: Path) -> Path:
    (tmp_path / "predicate.json").write_text('{"a": 1}')
    return tmp_path / "predicate.json"


@pytest.fixture
def encrypted(tmp_path: Path) -> Path:
    path = tmp_path / "encrypted.pem"
    path.write_bytes(
        ec.generate_private_key(ec.SECP256R1()).private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(CANARY.encode()),
        )
    )
    return path


def assert_one_line(run: subprocess.CompletedProcess[bytes], code: str, exit_code: int) -> None:
    assert run.returncode == exit_code, run.stderr
    assert run.stdout == b""
    assert run.stderr.startswith(b"hullmark: "), run.stderr
    assert f" {code}: ".encode() in run.stderr
    assert run.stderr.count(b"\n") == 1


def test_without_upload_it_prints_bundles_and_leaves_the_image_alone(image: Path, key: Path, predicate: Path) -> None:
    before = sorted(image.rglob("*"))
    run = hullmark("attest", image, "--sign-key", key, "--predicate", predicate, "--type", TYPE, "--no-upload", "-q")
    assert run.returncode == 0, run.stderr
    (line,) = run.stdout.splitlines()
    statement = json.loads(base64.b64decode(json.loads(line)["dsseEnvelope"]["payload"]))
    digest = json.loads((image / "index.json").read_bytes())["manifests"][0]["digest"]
    assert statement["subject"][0]["digest"] == {"sha256": digest.removeprefix("sha256:")}
    assert (statement["predicateType"], statement["predicate"]) == (TYPE, {"a": 1})
    assert sorted(image.rglob("*")) == before


@pytest.mark.parametrize(("short", "uri"), [("slsaprovenance1", "https://slsa.dev/provenance/v1"), (TYPE, TYPE)])
def test_types_have_cosigns_short_names(image: Path, key: Path, predicate: Path, short: str, uri: str) -> None:
    run = hullmark("attest", image, "--sign-key", key, "--predicate", predicate, "--type", short, "-q", "-o", "json")
    assert [item["type"] for item in json.loads(run.stdout)["attached"]] == [uri]


def test_an_assessment_is_signed_and_attached_with_its_files(image: Path, key: Path) -> None:
    run = hullmark("attest", image, "--sign-key", key, "-o", "json", "-q")
    assert run.returncode == 0, run.stderr
    document = json.loads(run.stdout)
    assert [(item["type"].rpartition("/")[2], item["new"]) for item in document["attached"]] == [
        ("bom", True),
        ("v0.1", True),
        ("v0.2", True),
        ("v0.1", True),
        ("vnd.hullmark.evidence.v1", True),
    ]
    assert document["signer"].startswith("key ")
    manifest = (image / "blobs" / document["attached"][4]["digest"].replace(":", "/")).read_bytes()
    layers = read_object(manifest, "manifest").members("layers")
    titles = [layer.texts("annotations")["org.opencontainers.image.title"] for layer in layers]
    assert {"manifest.json", "assessment.json", "report.pdf", "attestations/signing-key.pub"} <= set(titles)


@pytest.mark.parametrize(
    ("arguments", "code", "exit_code"),
    [
        (["--predicate", "P"], "usage", 2),
        (["--type", TYPE], "usage", 2),
        (["--predicate", "P", "--type", TYPE], "usage", 2),
        (["--predicate", "P", "--type", TYPE, "--evidence", "E", "--sign-key", "K"], "usage", 2),
        ([], "usage", 2),
        (["--predicate", "P", "--type", "nothing known", "--sign-key", "K"], "predicate-type-unknown", 2),
        (["--predicate", "NONE", "--type", TYPE, "--sign-key", "K"], "not-found", 2),
        (["--predicate", "K", "--type", TYPE, "--sign-key", "K"], "json-invalid", 1),
        (["--evidence", "NONE", "--sign-key", "K"], "bundle-missing", 1),
        (["--predicate", "P", "--type", TYPE, "--sign-key", "NONE"], "key-unreadable", 1),
        (["--predicate", "P", "--type", TYPE, "--sign-key", "keyless", "--offline"], "offline", 2),
        (
            ["--predicate", "P", "--type", TYPE, "--sign-key", "keyless", "--trust-config", "P"],
            "trust-config-invalid",
            2,
        ),
    ],
)
def test_mistakes_are_one_line(
    image: Path, key: Path, predicate: Path, tmp_path: Path, arguments: list[str], code: str, exit_code: int
) -> None:
    names = {"P": predicate, "K": key, "E": tmp_path, "NONE": tmp_path / "none"}
    run = hullmark("attest", image, "-q", *(names.get(word, word) for word in arguments))
    assert_one_line(run, code, exit_code)


def test_where_nothing_can_be_attached_that_is_said_first(tmp_path: Path, key: Path, predicate: Path) -> None:
    archive = docker_archive(tmp_path / "image.tar", ({"app": "x"},))
    arguments = ("attest", archive, "--sign-key", key, "--predicate", predicate, "--type", TYPE, "-q")
    assert_one_line(hullmark(*arguments), "not-attachable", 2)
    assert hullmark(*arguments, "--no-upload").returncode == 0


@pytest.mark.parametrize("predicate_text", ['{"a": 1e999}', '{"a": "\\ud800"}'])
def test_what_json_can_not_say_is_refused(image: Path, key: Path, predicate: Path, predicate_text: str) -> None:
    predicate.write_text(predicate_text)
    run = hullmark("attest", image, "-q", "--sign-key", key, "--predicate", predicate, "--type", TYPE)
    assert_one_line(run, "predicate-invalid", 2)


def test_evidence_about_another_image_is_refused(tmp_path: Path, image: Path, key: Path) -> None:
    other = simple_image(tmp_path / "other", ({"app": "y"},))
    hullmark("assess", other, "-q", "--evidence", tmp_path / "evidence", "-o", f"json={tmp_path / 'out.json'}")
    run = hullmark("attest", image, "-q", "--evidence", tmp_path / "evidence", "--sign-key", key)
    assert_one_line(run, "subject-mismatch", 12)
    run = hullmark("attest", other, "-q", "--evidence", tmp_path / "evidence")
    assert_one_line(run, "usage", 2)
    (tmp_path / "evidence" / "sbom.cdx.json").write_bytes(b"{}")
    run = hullmark("attest", other, "-q", "--evidence", tmp_path / "evidence", "--sign-key", key)
    assert_one_line(run, "bundle-invalid", 12)


# What must not be seen of a secret: itself, and each form in which it could be written down.


def forms(secret: bytes) -> Iterator[bytes]:
    yield from (secret, secret.hex().encode(), base64.b64encode(secret).rstrip(b"=")[:-1])


def private_parts(path: Path, password: bytes | None) -> list[bytes]:
    key = serialization.load_pem_private_key(path.read_bytes(), password)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    number = key.private_numbers().private_value
    body = b"".join(path.read_bytes().splitlines()[1:-1])
    return [number.to_bytes(32, "big"), str(number).encode(), body[:40]]


def assert_unseen(secrets: list[bytes], *seen: bytes) -> None:
    for secret in secrets:
        for form in forms(secret):
            assert not any(form in content for content in seen)


def written(folder: Path, but: Path) -> list[bytes]:
    return [path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file() and path != but]


@pytest.mark.parametrize("debug", ["", "1"])
@pytest.mark.parametrize("broken", ["works", "wrong password", "attaching fails", "fault of the tool"])
def test_password_and_key_are_never_seen(
    image: Path, encrypted: Path, predicate: Path, tmp_path: Path, debug: str, broken: str
) -> None:
    """In what it prints, in tracebacks too, in its arguments as `ps` has them, and in all that it writes."""
    secrets = [CANARY.encode(), *private_parts(encrypted, CANARY.encode())]
    environment = {
        **os.environ,
        "HULLMARK_DEBUG": debug,
        PASSWORD_VARIABLE: f"not-{CANARY}" if broken == "wrong password" else CANARY,
    }
    program = "from compliance.cli.main import main\n"
    if broken == "fault of the tool":  # in the middle of signing, with the key in its frames
        program += "from compliance.sign import signer\nsigner.write_keyed_bundle = None\n"
    if broken == "attaching fails":
        program += "from compliance.sign import layout_place\nlayout_place.LayoutPlace.put_blob = None\n"
    arguments = [
        "attest",
        str(image),
        "--sign-key",
        str(encrypted),
        "--predicate",
        str(predicate),
        "--type",
        TYPE,
        "-v",
    ]
    with subprocess.Popen(
        [sys.executable, "-c", program + "main()", *arguments],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        lines = [Path(f"/proc/{process.pid}/cmdline").read_bytes()]
        while process.poll() is None:
            lines.append(Path(f"/proc/{process.pid}/cmdline").read_bytes())
            time.sleep(0.01)
        out, err = process.communicate()
    assert (process.returncode == 0) is (broken == "works"), err
    if debug and broken in ("attaching fails", "fault of the tool"):
        assert b"Traceback" in err
    else:
        assert b"Traceback" not in err
    assert_unseen(secrets, out, err, *lines, *written(tmp_path, but=encrypted))


def test_the_password_is_asked_for_on_a_terminal_and_not_echoed(image: Path, encrypted: Path, predicate: Path) -> None:
    arguments = ["attest", str(image), "-q", "--sign-key", str(encrypted)]
    arguments += ["--predicate", str(predicate), "--type", TYPE]
    process, terminal = pty.fork()
    if process == 0:
        os.environ.pop(PASSWORD_VARIABLE, None)
        os.execv(sys.executable, [sys.executable, "-m", "compliance.cli.main", *arguments])  # noqa: S606
    shown = b""
    answered = False
    while True:
        try:
            piece = os.read(terminal, 4096)
        except OSError:  # the other end is closed
            break
        if not piece:
            break
        shown += piece
        if not answered and b"password" in shown:
            os.write(terminal, f"{CANARY}\n".encode())
            answered = True
    _, status = os.waitpid(process, 0)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(status) == 0, shown
    assert answered
    assert CANARY.encode() not in shown


def test_an_identity_token_that_can_not_be_read_is_not_repeated(image: Path, predicate: Path, tmp_path: Path) -> None:
    """It may have been meant as the token itself."""
    token = "J" * 300 + ".canary.token"
    run = hullmark(
        "attest",
        image,
        "-q",
        "--sign-key",
        "keyless",
        "--identity-token",
        token,
        "--predicate",
        predicate,
        "--type",
        TYPE,
        "--trust-config",
        predicate,
    )
    assert_one_line(run, "not-found", 2)
    assert b"canary" not in run.stderr
