"""`hullmark attest` in each place that can be written to: attached once, found again, whole whenever it is killed."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from compliance.cli.main import run
from compliance.errors import ComplianceError
from compliance.sign.key_signer import load_or_generate
from tests.builders.hullmark import verify
from tests.builders.layout import simple_image
from tests.builders.registry_push import Pusher
from tests.builders.registry_server import (
    Server,
    TokenServer,
    basic,
    crane_registry,
    docker_registry,
    login,
    referrers_registry,
)

TYPE = "https://example.test/result/v1"
Registry = Callable[[Path], AbstractContextManager[Server]]
REGISTRIES: dict[str, Registry] = {
    "referrers API": referrers_registry,
    "fallback tag": crane_registry,
    "docker-registry": docker_registry,
}

# Dies at the N-th step of each run, by SIGKILL: at a request that writes (before it is sent, or after its answer),
# or at a call that changes files. Prints how each ended; a run that no step killed ends the whole.
DYING = """
import os, signal, sys
from compliance.cli.main import run
import compliance.pipeline, compliance.sign.image_attestations, compliance.sign.layout_place, cryptography
from compliance.ingest.transport import Transport

left = 0

def step():
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)

def dying(real):
    def call(*arguments, **named):
        step()
        return real(*arguments, **named)
    return call

def request(self, method, *arguments, **named):
    if method in ("GET", "HEAD"):
        return real_request(self, method, *arguments, **named)
    step()
    answer = real_request(self, method, *arguments, **named)
    step()
    return answer

real_request, Transport._request = Transport._request, request
os.fsync, os.replace = dying(os.fsync), dying(os.replace)
first = int(sys.argv[1])
for number, line in enumerate(sys.stdin):
    child = os.fork()
    if child == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        left = first + number
        os._exit(run(line.split("\\t")[:-1]))
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return simple_image(tmp_path_factory.mktemp("layout") / "image", ({"etc/os-release": "ID=demo\n"},))


@pytest.fixture(scope="module")
def digest(layout: Path) -> str:
    found: str = json.loads((layout / "index.json").read_bytes())["manifests"][0]["digest"]
    return found


@dataclass(frozen=True, kw_only=True)
class Material:
    """What to attest: a key, a predicate, a signed evidence bundle."""

    key: Path
    predicate: Path
    evidence: Path


@pytest.fixture(scope="module")
def material(layout: Path, tmp_path_factory: pytest.TempPathFactory) -> Material:
    folder = tmp_path_factory.mktemp("material")
    made = Material(key=folder / "key.pem", predicate=folder / "predicate.json", evidence=folder / "evidence")
    load_or_generate(made.key)
    made.predicate.write_text('{"result": "of a test"}')
    command = ["assess", f"oci-dir:{layout}", "-q", "--no-cache", "--evidence", str(made.evidence)]
    run([*command, "--sign-key", str(made.key), "-o", f"json={folder / 'out.json'}"])
    return made


@pytest.fixture(scope="module", params=REGISTRIES)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with REGISTRIES[request.param](tmp_path_factory.mktemp("registry")) as running:
        yield running


def attest(image: str, out: Path, *arguments: str | Path) -> list[dict[str, Any]]:
    """Attest; what lies with the image now."""
    assert run(["attest", image, "-q", "-o", f"json={out}", *map(str, arguments)]) == 0
    attached: list[dict[str, Any]] = json.loads(out.read_bytes())["attached"]
    return attached


def verified(image: str, material: Material, folder: Path) -> list[str]:
    answer = verify(image, "--key", f"{material.key}.pub", "--insecure-ignore-tlog", folder=folder)
    return answer.verdicts


EVIDENCE = [
    f"https://{name} verified"
    for name in (
        "cyclonedx.org/bom",
        "in-toto.io/attestation/reference/v0.1",
        "in-toto.io/attestation/svr/v0.2",
        "in-toto.io/attestation/test-result/v0.1",
    )
]


def once_and_again(image: str, material: Material, folder: Path) -> None:
    """Evidence is attached, found, and not attached twice, in both forms; then a predicate of somebody's."""
    out = folder / "out"
    first = attest(image, out, "--evidence", material.evidence)
    assert [item["new"] for item in first] == [True] * 5
    assert verified(image, material, folder) == EVIDENCE
    again = attest(image, out, "--evidence", material.evidence, "--sign-key", material.key)
    assert again == [{**item, "new": False} for item in sorted(first, key=lambda item: again_order(again, item))]
    for new in (True, False):
        legacy = attest(image, out, "--evidence", material.evidence, "--legacy")
        assert [item["new"] for item in legacy] == [new] * 4
    assert verified(image, material, folder) == sorted(EVIDENCE * 2)
    other = ("--predicate", material.predicate, "--type", TYPE, "--sign-key", material.key)
    assert [item["new"] for item in attest(image, out, *other)] == [True]
    assert [item["new"] for item in attest(image, out, *other)] == [False]
    assert verified(image, material, folder) == sorted([*EVIDENCE * 2, f"{TYPE} verified"])


def again_order(again: list[dict[str, Any]], item: dict[str, Any]) -> int:
    return [entry["digest"] for entry in again].index(item["digest"])


def test_in_a_registry(server: Server, layout: Path, digest: str, material: Material, tmp_path: Path) -> None:
    Pusher(url=server.url, name="image").layout(layout)
    once_and_again(f"{server.host}/image@{digest}", material, tmp_path)


def test_in_a_layout(layout: Path, material: Material, tmp_path: Path) -> None:
    shutil.copytree(layout, tmp_path / "image")
    once_and_again(f"oci-dir:{tmp_path / 'image'}", material, tmp_path)


@pytest.mark.parametrize("how", ["token", "basic"])
def test_it_logs_in_to_push(
    how: str, layout: Path, digest: str, material: Material, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a token for pushing where the first one was for pulling; without a login it is one line."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    token = TokenServer(tmp_path) if how == "token" else None
    try:
        with docker_registry(tmp_path, token=token, htpasswd=token is None) as server:
            headers = basic()
            if token is not None:
                headers = {"Authorization": f"Bearer {token.token(['repository:image:pull,push'])}"}
            Pusher(url=server.url, name="image", headers=headers).layout(layout)
            image = f"{server.host}/image@{digest}"
            with pytest.raises(ComplianceError) as caught:
                attest(image, tmp_path / "out", "--evidence", material.evidence)
            assert caught.value.code == "access-denied"
            (tmp_path / "config.json").write_bytes(login(server.host))
            attest(image, tmp_path / "out", "--evidence", material.evidence)
            assert verified(image, material, tmp_path) == EVIDENCE
    finally:
        if token is not None:
            token.close()
    if token is not None:
        scopes = {scope for query in token.asked for scope in query["scope"]}
        assert scopes == {"repository:image:pull", "repository:image:pull,push"}


def killed(first: int, commands: list[list[str]]) -> list[int]:
    """Run each with a death one step later than the last; how each ended."""
    lines = "".join("\t".join((*command, "\n")) for command in commands)
    done = subprocess.run(
        [sys.executable, "-c", DYING, str(first)], input=lines, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return [int(line) for line in done.stdout.split()]


def command(image: str, material: Material, form: str) -> list[str]:
    legacy = ["--legacy"] if form == "legacy" else []
    statement = ["--predicate", str(material.predicate), "--type", TYPE, "--sign-key", str(material.key)]
    return ["attest", image, "-q", *statement, *legacy]


def survives(image: str, material: Material, form: str, folder: Path) -> None:
    """After a death the image is readable, all or nothing attached; another run completes it, a third adds none."""
    assert verified(image, material, folder) in ([], [f"{TYPE} verified"])
    for _ in range(2):
        assert run([*command(image, material, form), "-o", f"json={folder / 'out'}"]) == 0
    assert verified(image, material, folder) == [f"{TYPE} verified"]


@pytest.mark.parametrize("form", ["bundle", "legacy"])
def test_a_layout_survives_a_death_at_every_step(layout: Path, material: Material, tmp_path: Path, form: str) -> None:
    steps = 16
    places = [shutil.copytree(layout, tmp_path / f"image-{number}") for number in range(steps)]
    ends = killed(1, [command(f"oci-dir:{place}", material, form) for place in places])
    count = ends.count(-signal.SIGKILL)
    assert 9 <= count < steps, ends
    assert ends == [-signal.SIGKILL] * count + [0] * (steps - count)
    for place in places[: count + 1]:
        survives(f"oci-dir:{place}", material, form, tmp_path)
        entries = json.loads((place / "index.json").read_bytes())["manifests"]
        assert len(entries) == 2, "the second run lists it"
        assert not list(place.rglob(".hullmark-*"))


@pytest.mark.parametrize("form", ["bundle", "legacy"])
def test_a_registry_survives_a_death_at_every_step(
    server: Server, layout: Path, digest: str, material: Material, tmp_path: Path, form: str
) -> None:
    steps = 14
    names = [f"killed-{form}-{number}" for number in range(steps)]
    for name in names:
        Pusher(url=server.url, name=name).layout(layout)
    images = [f"{server.host}/{name}@{digest}" for name in names]
    ends = killed(1, [command(image, material, form) for image in images])
    count = ends.count(-signal.SIGKILL)
    assert 6 <= count < steps, ends
    assert ends == [-signal.SIGKILL] * count + [0] * (steps - count)
    for image in images[: count + 1]:
        survives(image, material, form, tmp_path)


@pytest.mark.parametrize("step", [1, 30, 55])
def test_whole_evidence_is_completed_after_a_death(layout: Path, material: Material, tmp_path: Path, step: int) -> None:
    place = shutil.copytree(layout, tmp_path / "image")
    image = f"oci-dir:{place}"
    arguments = ["attest", image, "-q", "--evidence", str(material.evidence)]
    assert killed(step, [arguments]) == [-signal.SIGKILL]
    assert set(verified(image, material, tmp_path)) <= set(EVIDENCE)
    attest(image, tmp_path / "out", "--evidence", material.evidence)
    assert verified(image, material, tmp_path) == EVIDENCE
    assert all(not item["new"] for item in attest(image, tmp_path / "out", "--evidence", material.evidence))
