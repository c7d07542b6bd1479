"""What is signed here is accepted by cosign: evidence in files, in registries and layouts, beside cosign's own."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from compliance.cli.main import run
from compliance.formats.intoto import COSIGN_SIGN
from compliance.formats.sigstore_bundle import BUNDLE_V03
from tests.builders.hullmark import verify
from tests.builders.identity_provider import WORKFLOW_IDENTITY
from tests.builders.layout import Layout
from tests.builders.registry_push import Pusher
from tests.builders.registry_server import Server
from tests.builders.sigstore_stack import SigstoreStack
from tests.interop.cosign.conftest import NewImage

TYPE = "https://example.test/report/v1"


@dataclass(frozen=True, kw_only=True)
class Assessed:
    """An image that was assessed, with its signed evidence."""

    layout: Path
    manifest: Path
    digest: str
    evidence: Path
    key: Path

    def attestations(self) -> Iterator[tuple[Path, str]]:
        """The bundles with the predicate type of each."""
        for path in sorted((self.evidence / "attestations").glob("*.sigstore.json")):
            envelope = json.loads(path.read_bytes())["dsseEnvelope"]
            yield path, json.loads(b64decode(envelope["payload"]))["predicateType"]


@pytest.fixture(scope="module")
def assessed(stack: SigstoreStack, tmp_path_factory: pytest.TempPathFactory) -> Assessed:
    folder = tmp_path_factory.mktemp("assessed")
    layout = Layout(root=folder / "image")
    digest = str(layout.add_image(({"etc/os-release": "ID=demo\n"},))["digest"])
    run(
        [
            "assess",
            f"oci-dir:{layout.root}",
            "-q",
            "--no-cache",
            "--evidence",
            str(folder / "evidence"),
            "--sign-key",
            f"generate:{folder / 'key.pem'}",
            "-o",
            f"json={folder / 'out.json'}",
        ]
    )
    return Assessed(
        layout=layout.root,
        manifest=layout.root / "blobs" / digest.replace(":", "/"),
        digest=digest,
        evidence=folder / "evidence",
        key=folder / "key.pem.pub",
    )


def test_the_evidence_of_an_assessment_is_accepted_from_files(stack: SigstoreStack, assessed: Assessed) -> None:
    seen = set()
    for bundle, predicate_type in assessed.attestations():
        stack.cosign.do(
            "verify-blob-attestation",
            "--key",
            assessed.key,
            "--insecure-ignore-tlog",
            "--bundle",
            bundle,
            "--type",
            predicate_type,
            assessed.manifest,
        )
        seen.add(predicate_type)
    assert len(seen) >= 3


def test_the_evidence_of_an_assessment_is_accepted_from_a_registry(
    stack: SigstoreStack, server: Server, assessed: Assessed, tmp_path: Path
) -> None:
    pusher = Pusher(url=server.url, name="assessed")
    pusher.layout(assessed.layout)
    descriptors = [
        pusher.artifact({BUNDLE_V03: bundle.read_bytes()}, subject=assessed.digest, artifact_type=BUNDLE_V03)
        for bundle, _ in assessed.attestations()
    ]
    if server is stack.plain:
        pusher.fallback(assessed.digest, descriptors, BUNDLE_V03)
    image = f"{server.host}/assessed@{assessed.digest}"
    types = {predicate_type for _, predicate_type in assessed.attestations()}
    trust = ("--key", assessed.key, "--insecure-ignore-tlog")
    for predicate_type in types:
        stack.cosign.do("verify-attestation", *trust, "--type", predicate_type, image)
    found = verify(f"registry:{image}", *trust, folder=tmp_path, require=sorted(types))
    assert found.accepts, found.reasons
    as_signed = verify(f"registry:{image}", *trust, folder=tmp_path, require=["signature"])
    assert as_signed.code == 12  # attestations make no image signed


def attest(image: str, predicate: Path, *arguments: str | Path, predicate_type: str = TYPE) -> None:
    command = ["attest", image, "-q", "--predicate", predicate, "--type", predicate_type, *arguments]
    assert run([str(word) for word in command]) == 0


def test_what_is_attested_beside_what_cosign_attested_leaves_both(
    stack: SigstoreStack, server: Server, new_image: NewImage, predicate: Path, tmp_path: Path
) -> None:
    private, public = f"generate:{tmp_path / 'k'}", tmp_path / "k.pub"
    theirs, their_public = stack.cosign.key_pair(f"beside-{server.host.rpartition(':')[2]}")
    image = new_image(server)
    other = "https://example.test/other"
    config = ("--trusted-root", stack.trusted_root, "--signing-config", stack.nothing)
    old = ("--use-signing-config=false", "--new-bundle-format=false", "--tlog-upload=false")
    for options in (config, old):
        stack.cosign.do("attest", "--key", theirs, *options, "--type", other, "--predicate", predicate, "-y", image)
    for form in ((), ("--legacy",)):
        attest(f"registry:{image}", predicate, "--sign-key", private, *form)
    for public_key, predicate_type in ((their_public, other), (public, TYPE)):
        for form in ((), ("--new-bundle-format=false",)):
            trust = ("--key", public_key, "--insecure-ignore-tlog", *form)
            stack.cosign.do("verify-attestation", *trust, "--type", predicate_type, image)


@pytest.mark.parametrize("form", [(), ("--legacy",)], ids=["bundle", "tag"])
def test_what_is_attached_in_a_layout_is_accepted_from_there(
    stack: SigstoreStack, new_image: NewImage, predicate: Path, form: tuple[str, ...], tmp_path: Path
) -> None:
    """In a layout as `cosign save` writes it: cosign finds an image there by an annotation of its own."""
    saved = tmp_path / "saved"
    stack.cosign.do("save", "--dir", saved, new_image(stack.plain))
    signer = ("--sign-key", f"generate:{tmp_path / 'k'}")
    attest(f"oci-dir:{saved}", predicate, *signer, *form)
    trust = ("--key", tmp_path / "k.pub", "--insecure-ignore-tlog")
    stack.cosign.do("verify-attestation", *trust, "--type", TYPE, "--local-image", saved)
    assert verify(f"oci-dir:{saved}", *trust, folder=tmp_path, require=[TYPE]).accepts


@pytest.mark.parametrize("who", ["key", "workflow"])
def test_an_image_that_is_signed_here_is_signed_for_cosign(
    stack: SigstoreStack, server: Server, new_image: NewImage, who: str, tmp_path: Path
) -> None:
    """A signature is a statement of cosign's own type; hullmark counts no other, and nor does this ask for more."""
    image = new_image(server)
    nothing = tmp_path / "nothing.json"
    nothing.write_text("{}")
    if who == "key":
        attest(f"registry:{image}", nothing, "--sign-key", f"generate:{tmp_path / 'k'}", predicate_type=COSIGN_SIGN)
        trust: tuple[str | Path, ...] = ("--key", tmp_path / "k.pub", "--insecure-ignore-tlog")
    else:
        token = tmp_path / "token"
        token.write_text(stack.identities.workflow_token())
        keyless = ("--sign-key", "keyless", "--identity-token", token, "--trust-config", stack.trust_config)
        attest(f"registry:{image}", nothing, *keyless, predicate_type=COSIGN_SIGN)
        issuer = ("--certificate-oidc-issuer", stack.identities.workflow_issuer)
        trust = ("--trusted-root", stack.trusted_root, "--certificate-identity", WORKFLOW_IDENTITY, *issuer)
    stack.cosign.do("verify", *trust, image)
    found = verify(f"registry:{image}", *trust, folder=tmp_path, require=["signature"])
    assert found.accepts, found.reasons


@pytest.mark.parametrize("form", [(), ("--legacy",)], ids=["bundle", "tag"])
def test_all_that_an_assessment_says_is_accepted(
    stack: SigstoreStack, new_image: NewImage, form: tuple[str, ...], tmp_path: Path
) -> None:
    """Without --predicate: SBOM, results and report, as `attest` makes them now."""
    image = new_image(stack.plain)
    out = tmp_path / "out.json"
    signer = ("--sign-key", f"generate:{tmp_path / 'k'}")
    command = ["attest", f"registry:{image}", "-q", *signer, *form, "-o", f"json={out}"]
    assert run([str(word) for word in command]) == 0
    types = {item["type"] for item in json.loads(out.read_bytes())["attached"] if "://" in item["type"]}
    assert len(types) >= 3
    for predicate_type in types:
        trust = ("--key", tmp_path / "k.pub", "--insecure-ignore-tlog")
        stack.cosign.do("verify-attestation", *trust, "--type", predicate_type, image)
