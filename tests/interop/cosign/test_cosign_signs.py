"""What cosign signs and attests is verified: with keys and certificates, in each of its forms, from each place."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

from tests.builders.hullmark import Answer, verify
from tests.builders.identity_provider import EMAIL, WORKFLOW_IDENTITY
from tests.builders.layout import Layout
from tests.builders.registry_push import Pusher
from tests.builders.registry_server import Server
from tests.builders.sigstore_stack import SigstoreStack
from tests.interop.cosign.conftest import NewImage

TYPE = "https://example.test/report/v1"
BOTH = ("signature", TYPE)
Arguments = list[str | Path]
Signs = Callable[[SigstoreStack], Arguments]
"""From a running instance to arguments."""


@dataclass(frozen=True, kw_only=True)
class Way:
    """A way of cosign's to sign, and what a verifier has to be told for it."""

    signs: Signs
    trust: Signs
    other: Signs  # the same, but for another signer
    what_holds: str = ""  # what the report says of the log


def own_key(stack: SigstoreStack, name: str = "own") -> tuple[Path, Path]:
    folder = stack.cosign.folder
    if not (folder / f"{name}.key").exists():
        stack.cosign.key_pair(name)
    return folder / f"{name}.key", folder / f"{name}.pub"


def with_key(stack: SigstoreStack) -> Arguments:
    return ["--key", own_key(stack)[0]]


def as_workflow(stack: SigstoreStack) -> Arguments:
    return ["--identity-token", stack.identities.workflow_token()]


def as_person(stack: SigstoreStack) -> Arguments:
    return ["--identity-token", stack.identities.email_token()]


def new(signer: Signs, config: str) -> Signs:
    """As bundles, with the services of a signing configuration."""
    return lambda stack: [
        *signer(stack),
        "--trusted-root",
        stack.trusted_root,
        "--signing-config",
        getattr(stack, config),
    ]


def old(signer: Signs, *, stamped: bool = False) -> Signs:
    """As layers of the tags .sig and .att."""
    no_log: Arguments = ["--use-signing-config=false", "--new-bundle-format=false", "--tlog-upload=false"]

    def arguments(stack: SigstoreStack) -> Arguments:
        services = ["--fulcio-url", stack.fulcio, "--timestamp-server-url", stack.timestamps] if stamped else []
        return [*signer(stack), *no_log, *services]

    return arguments


def key(name: str = "own") -> Signs:
    return lambda stack: ["--key", own_key(stack, name)[1], "--trusted-root", stack.trusted_root]


def identity(who: str, *, issuer: str = "address") -> Signs:
    return lambda stack: [
        "--trusted-root",
        stack.trusted_root,
        "--certificate-identity",
        who,
        "--certificate-oidc-issuer",
        getattr(stack.identities, issuer),
    ]


def no_log(trust: Signs) -> Signs:
    return lambda stack: [*trust(stack), "--insecure-ignore-tlog"]


WORKFLOW = identity(WORKFLOW_IDENTITY, issuer="workflow_issuer")
WORKFLOW_OF_ANOTHER_ISSUER = identity(WORKFLOW_IDENTITY, issuer="address")
SOMEBODY_ELSE = identity("other@acme.test")

WAYS = {
    "key, bundle": Way(signs=new(with_key, "nothing"), trust=no_log(key()), other=no_log(key("other"))),
    "key, stamped bundle": Way(signs=new(with_key, "stamps_only"), trust=no_log(key()), other=no_log(key("other"))),
    "key, logged bundle": Way(signs=new(with_key, "everything"), trust=key(), other=key("other"), what_holds="proof"),
    "key, tags": Way(signs=old(with_key), trust=no_log(key()), other=no_log(key("other"))),
    "workflow, stamped bundle": Way(
        signs=new(as_workflow, "stamps_only"), trust=no_log(WORKFLOW), other=no_log(WORKFLOW_OF_ANOTHER_ISSUER)
    ),
    "workflow, logged bundle": Way(
        signs=new(as_workflow, "everything"), trust=WORKFLOW, other=WORKFLOW_OF_ANOTHER_ISSUER, what_holds="proof"
    ),
    "person, logged bundle": Way(
        signs=new(as_person, "everything"), trust=identity(EMAIL), other=SOMEBODY_ELSE, what_holds="proof"
    ),
}
STAMPED_TAGS = Way(signs=old(as_person, stamped=True), trust=no_log(identity(EMAIL)), other=no_log(SOMEBODY_ELSE))


def sign(stack: SigstoreStack, signs: Signs, image: str, predicate: Path) -> None:
    """`cosign sign` and `cosign attest`."""
    stack.cosign.do("sign", *signs(stack), "-y", image)
    stack.cosign.do("attest", *signs(stack), "--type", TYPE, "--predicate", predicate, "-y", image)


def transparency(answer: Answer) -> list[str]:
    document = answer.document or {}
    return [item["transparency"] for kind in ("signatures", "attestations") for item in document[kind]]


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
def test_it_is_verified_for_its_signer_alone(
    stack: SigstoreStack, server: Server, new_image: NewImage, predicate: Path, way: Way, tmp_path: Path
) -> None:
    image = new_image(server)
    sign(stack, way.signs, image, predicate)
    found = verify(f"registry:{image}", *way.trust(stack), folder=tmp_path, require=BOTH)
    assert found.accepts, found.reasons
    assert found.verdicts == [f"{TYPE} verified", "signature verified"]
    assert all(("inclusion proof" in text) is (way.what_holds == "proof") for text in transparency(found))
    other = verify(f"registry:{image}", *way.other(stack), folder=tmp_path)
    assert other.code == 12
    assert other.verdicts == [f"{TYPE} invalid", "signature invalid"]


def test_what_cosign_stamps_under_its_tags_is_verified_as_far_as_by_cosign(
    stack: SigstoreStack, server: Server, new_image: NewImage, predicate: Path, tmp_path: Path
) -> None:
    """It stamps the signature of an attestation, and verifies a timestamp of the envelope there."""
    image = new_image(server)
    sign(stack, STAMPED_TAGS.signs, image, predicate)
    trust = STAMPED_TAGS.trust(stack)
    found = verify(f"registry:{image}", *trust, folder=tmp_path)
    assert found.verdicts == [f"{TYPE} invalid", "signature verified"]
    stack.cosign.do("verify", *trust, "--use-signed-timestamps", image)
    assert stack.cosign("verify-attestation", *trust, "--use-signed-timestamps", "--type", TYPE, image).returncode != 0
    assert verify(f"registry:{image}", *STAMPED_TAGS.other(stack), folder=tmp_path).code == 12


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
def test_what_cosign_saves_is_verified_from_the_folder(
    stack: SigstoreStack, new_image: NewImage, predicate: Path, way: Way, tmp_path: Path
) -> None:
    image = new_image(stack.plain)
    sign(stack, way.signs, image, predicate)
    stack.cosign.do("save", "--dir", tmp_path / "saved", image)
    found = verify(f"oci-dir:{tmp_path / 'saved'}", *way.trust(stack), folder=tmp_path, require=BOTH)
    assert found.accepts, found.reasons


@pytest.mark.parametrize("way", [WAYS["key, bundle"], WAYS["key, tags"]], ids=["bundle", "tags"])
def test_without_the_users_word_nothing_counts_that_no_log_holds(
    stack: SigstoreStack, new_image: NewImage, predicate: Path, way: Way, tmp_path: Path
) -> None:
    image = new_image(stack.referrers)
    sign(stack, way.signs, image, predicate)
    assert verify(f"registry:{image}", *key()(stack), folder=tmp_path).code == 12
    assert stack.cosign("verify", *key()(stack), image).returncode != 0


# cosign must be told the digest of other curves than P-256; it signs with the one that belongs to the curve.
KEYS: dict[str, tuple[Callable[[], PrivateKeyTypes], str]] = {
    "P-384": (lambda: ec.generate_private_key(ec.SECP384R1()), "sha384"),
    "P-521": (lambda: ec.generate_private_key(ec.SECP521R1()), "sha512"),
    "RSA-2048": (lambda: rsa.generate_private_key(65537, 2048), "sha256"),
    "RSA-4096": (lambda: rsa.generate_private_key(65537, 4096), "sha256"),
}
FORMS: dict[str, tuple[Callable[[Signs], Signs], Callable[[Signs], Signs]]] = {
    "bundle": (lambda signer: new(signer, "nothing"), no_log),
    "logged bundle": (lambda signer: new(signer, "everything"), lambda trust: trust),
    "tags": (old, no_log),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", KEYS)
def test_each_kind_of_key_is_verified_as_cosign_does(
    stack: SigstoreStack, new_image: NewImage, predicate: Path, kind: str, form: str, tmp_path: Path
) -> None:
    make, algorithm = KEYS[kind]
    private, public = stack.cosign.imported(f"{kind}-{form}".replace(" ", "-"), make())
    signed_as, trusting = FORMS[form]
    image = new_image(stack.referrers)
    sign(stack, signed_as(lambda stack: ["--key", private]), image, predicate)
    trust = trusting(lambda stack: ["--key", public, "--trusted-root", stack.trusted_root])(stack)
    stack.cosign.do("verify", *trust, "--signature-digest-algorithm", algorithm, image)
    stack.cosign.do("verify-attestation", *trust, "--signature-digest-algorithm", algorithm, "--type", TYPE, image)
    found = verify(f"registry:{image}", *trust, folder=tmp_path, require=BOTH)
    assert found.accepts, found.reasons


def test_an_ed25519_signature_of_cosign_is_none(
    stack: SigstoreStack, new_image: NewImage, predicate: Path, tmp_path: Path
) -> None:
    """It makes Ed25519ph (RFC 8032, section 5.1), which is no Ed25519: its own `verify` refuses that as well."""
    private, public = stack.cosign.imported("ed25519", ed25519.Ed25519PrivateKey.generate())
    image = new_image(stack.referrers)
    assert stack.cosign("sign", *new(lambda stack: ["--key", private], "nothing")(stack), "-y", image).returncode != 0
    sign(stack, old(lambda stack: ["--key", private]), image, predicate)
    trust: Arguments = ["--key", public, "--insecure-ignore-tlog"]
    assert stack.cosign("verify", *trust, image).returncode != 0
    assert verify(f"registry:{image}", *trust, folder=tmp_path).verdicts == [f"{TYPE} invalid", "signature invalid"]


def test_an_index_and_its_images_are_signed_one_by_one(
    stack: SigstoreStack, server: Server, predicate: Path, tmp_path: Path
) -> None:
    layout = Layout(root=tmp_path / "index")
    images = [layout.add_image(({"name": name},), architecture=name) for name in ("amd64", "arm64")]
    content = json.dumps(
        {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": images}
    ).encode()
    pusher = Pusher(url=server.url, name="an-index")
    pusher.layout(layout.root)
    digest = pusher.manifest(content, "application/vnd.oci.image.index.v1+json", "both")
    image = f"{server.host}/an-index@{digest}"
    signs, trust = WAYS["workflow, logged bundle"].signs, WAYS["workflow, logged bundle"].trust
    stack.cosign.do("sign", *signs(stack), "--recursive", "-y", image)
    stack.cosign.do("attest", *signs(stack), "--type", TYPE, "--predicate", predicate, "-y", image)
    for platform in ("linux/amd64", "linux/arm64"):
        found = verify(f"registry:{image}", *trust(stack), "--platform", platform, folder=tmp_path, require=BOTH)
        assert found.accepts, found.reasons
        assert found.verdicts == [f"{TYPE} verified", "signature verified", "signature verified"]
    alone = verify(f"registry:{server.host}/an-index@{images[0]['digest']}", *trust(stack), folder=tmp_path)
    assert alone.verdicts == ["signature verified"]
