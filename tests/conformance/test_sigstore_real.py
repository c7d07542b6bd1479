"""Objects that production Sigstore signed, verified offline: container images above all, and what may not pass.

Each row of RESULTS.json is judged as it says; sigstore-python's own verifier gives a second opinion wherever it can.
"""

from __future__ import annotations

import json
import re
from base64 import b64decode, b64encode
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from compliance.model.image import AttachedBlob, AttachmentSource, Image
from compliance.model.verification import Demand, SignatureKind, Verdict, Verification
from compliance.verify.trusted_root import TrustedRoot, embedded_trusted_root
from compliance.verify.verifier import load_public_key, verify_image
from tests.builders.signed_image import (
    artifact,
    blob,
    image_in_layout,
    image_of,
    reasons,
    sha256,
    verdicts,
    with_bundles,
)
from tests.builders.signed_image import found as judged

pytestmark = pytest.mark.usefixtures("no_sockets")

NOW = datetime(2026, 12, 1, tzinfo=UTC)
GENERATOR = "https://github.com/slsa-framework/slsa-github-generator/.github/workflows/generator_container_slsa3.yml"
ACTIONS = "https://token.actions.githubusercontent.com"
RELEASES = ("v1.4.0", "v1.6.0", "v1.8.0", "v1.10.0", "v2.1.0")
BUNDLE_ROWS = ("slsa-bundles/", "sigstore-python/")


@pytest.fixture(scope="module")
def real(shared: Path) -> Path:
    return shared / "fixtures" / "sigstore-real"


def released(real: Path, release: str) -> Image:
    layout = real / "images" / f"slsa-{release}"
    manifests = json.loads((layout / "index.json").read_bytes())["manifests"]
    return image_in_layout(layout, manifests[0]["digest"])  # an index, from v1.6.0 on


def verify(
    image: Image, demand: Demand, root: Path, *, key: Path | None = None, ignore_tlog: bool = False
) -> Verification:
    return verify_image(
        image,
        demand,
        key=load_public_key(key.read_bytes()) if key else None,
        trusted_root=root.read_bytes(),
        ignore_tlog=ignore_tlog,
        now=NOW,
    )


def production(real: Path) -> Path:
    return real / "trusted_root.production.json"


def from_generator(release: str) -> Demand:
    return Demand(identity=f"{GENERATOR}@refs/tags/{release}", issuer=ACTIONS)


@pytest.mark.parametrize("release", RELEASES)
def test_provenance_of_released_images_is_verified(real: Path, release: str) -> None:
    found = verify(released(real, release), from_generator(release), production(real))
    assert verdicts(found) == ["https://slsa.dev/provenance/v0.2 verified"]
    assert found.attestations[0].kind is SignatureKind.COSIGN_DSSE
    assert found.attestations[0].transparency.startswith("signed entry timestamp, log rekor.sigstore.dev, index ")


def test_an_attestation_never_makes_an_image_look_signed(real: Path) -> None:
    assert not verify(released(real, "v2.1.0"), from_generator("v2.1.0"), production(real)).signatures


@pytest.mark.parametrize(
    "demand",
    [
        from_generator("v2.0.0"),
        replace(from_generator("v2.1.0"), issuer="https://accounts.google.com"),
        Demand(identity_regexp=r"^https://github\.com/acme/", issuer=ACTIONS),
        Demand(identity_regexp=r".", issuer_regexp=r"gitlab"),
    ],
)
def test_another_signer_than_the_demanded_is_named(real: Path, demand: Demand) -> None:
    found = verify(released(real, "v2.1.0"), demand, production(real))
    assert verdicts(found) == ["https://slsa.dev/provenance/v0.2 invalid"]
    assert "who is not the demanded signer" in found.attestations[0].reason
    assert found.attestations[0].signer.identity == f"{GENERATOR}@refs/tags/v2.1.0"


def test_regular_expressions_match_any_part_as_in_cosign(real: Path) -> None:
    demand = Demand(identity_regexp="slsa-framework/.*@refs/tags/v2", issuer_regexp="actions")
    assert verdicts(verify(released(real, "v2.1.0"), demand, production(real)))[0].endswith(" verified")


def changed(image: Image, change: str) -> Image:
    """The image with its one attached layer changed."""
    layer = image.attached[0].blobs[0]
    annotations = dict(layer.descriptor.annotations)
    content = layer.content
    if change == "payload":
        envelope = json.loads(content)
        envelope["payload"] = b64encode(b64decode(envelope["payload"]).replace(b"push", b"pull")).decode()
        content = json.dumps(envelope).encode()
    elif change == "time":
        entry = json.loads(annotations["dev.sigstore.cosign/bundle"])
        entry["Payload"]["integratedTime"] += 1
        annotations["dev.sigstore.cosign/bundle"] = json.dumps(entry)
    elif change == "log":
        del annotations["dev.sigstore.cosign/bundle"]
    assert (content, annotations) != (layer.content, layer.descriptor.annotations) or change == "image"
    attached = artifact(blob(content, layer.descriptor.media_type, annotations), source=AttachmentSource.TAG)
    return image_of(b"another" if change == "image" else image.manifest, attached)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("payload", "its signature does not verify"),
        ("image", "it is about another image"),
        ("time", "the log's signed entry timestamp does not verify"),
        ("log", "no transparency log holds it"),
    ],
)
def test_a_change_to_a_real_attestation_is_found(real: Path, change: str, reason: str) -> None:
    image = changed(released(real, "v2.1.0"), change)
    found = verify(image, from_generator("v2.1.0"), production(real))
    assert verdicts(found) == ["https://slsa.dev/provenance/v0.2 invalid"]
    assert found.attestations[0].reason.startswith(reason)


def test_the_staging_root_does_not_know_the_production_log(real: Path) -> None:
    found = verify(released(real, "v2.1.0"), from_generator("v2.1.0"), real / "trusted_root.staging.json")
    assert found.attestations[0].verdict is Verdict.INVALID
    assert "the newest it knows is" in found.attestations[0].reason


def stored(folder: Path) -> Image:
    """An image of containers/image's ``dir:`` fixtures, whose signature files hold cosign layers."""
    blobs: list[AttachedBlob] = []
    for file in sorted(folder.glob("signature-*")):
        content = file.read_bytes()
        if content.startswith(b"../"):  # a symbolic link of its repository
            content = (folder / content.decode()).read_bytes()
        value = json.loads(content.removeprefix(b"\x00sigstore-json\n"))
        blobs.append(blob(b64decode(value["payload"]), value["mimeType"], value["annotations"]))
    return image_of((folder / "manifest.json").read_bytes(), artifact(*blobs, source=AttachmentSource.TAG))


@pytest.mark.parametrize(
    ("folder", "key", "ignore_tlog", "verdict"),
    [
        ("dir-img-cosign-key-rekor-valid", "cosign2.pub", False, "verified"),
        ("dir-img-cosign-key-rekor-valid", "cosign.pub", False, "invalid"),
        ("dir-img-cosign-valid", "cosign.pub", True, "verified"),
        ("dir-img-cosign-valid", "cosign2.pub", True, "invalid"),
        ("dir-img-cosign-valid", "cosign.pub", False, "invalid"),
        ("dir-img-cosign-modified-manifest", "cosign.pub", True, "invalid"),
    ],
)
def test_keyed_signatures_of_containers_image(
    real: Path, folder: str, key: str, ignore_tlog: bool, verdict: str
) -> None:
    fixtures = real / "containers-image" / "signature" / "fixtures"
    found = verify(
        stored(fixtures / folder),
        Demand(key_id=key),
        production(real),
        key=fixtures / key,
        ignore_tlog=ignore_tlog,
    )
    assert verdicts(found) == [f"signature {verdict}"]


def test_the_keyless_signature_of_containers_image(real: Path) -> None:
    image = stored(real / "containers-image/signature/fixtures/dir-img-cosign-fulcio-rekor-valid")
    demand = Demand(identity="mitr@redhat.com", issuer="https://github.com/login/oauth")
    assert verdicts(verify(image, demand, production(real))) == ["signature verified"]


def test_a_certificate_of_a_private_authority_is_not_trusted(real: Path) -> None:
    image = stored(real / "containers-image/signature/fixtures/dir-img-cosign-pki-valid")
    demand = Demand(identity_regexp=".", issuer_regexp=".")
    assert verdicts(verify(image, demand, production(real), ignore_tlog=True)) == ["signature invalid"]


def rows(real: Path) -> list[dict[str, str]]:
    results: list[dict[str, str]] = json.loads((real / "RESULTS.json").read_bytes())
    return [row for row in results if row["path"].startswith(BUNDLE_ROWS)]


def root_of(path: Path) -> Path:
    """The root of the instance that signed it: sigstore-python tests with staging, but for one bundle."""
    staging = path.parent.name == "assets" and "github" not in path.name
    (real,) = (parent for parent in path.parents if parent.name == "sigstore-real")
    return real / f"trusted_root.{'staging' if staging else 'production'}.json"


def signed_by(row: dict[str, str]) -> Demand:
    named = re.search(r"(\S+) \| (\S+)$", row["reference"])
    return Demand(identity=named[1], issuer=named[2]) if named else Demand(identity_regexp=".", issuer_regexp=".")


def about(path: Path) -> Image:
    """An image that is what the bundle at `path` is about: the file beside it, or the first subject it names."""
    content = path.read_bytes()
    beside = path.with_name(re.sub(r"\.sigstore(\.json)?$", "", path.name))
    value: dict[str, Any] = json.loads(content)
    if "dsseEnvelope" in value:
        subject = json.loads(b64decode(value["dsseEnvelope"]["payload"]))["subject"][0]["digest"]["sha256"]
        return replace(with_bundles(b"", content), digest=f"sha256:{subject}", config_digest=f"sha256:{subject}")
    return with_bundles(beside.read_bytes(), content)


def verified(real: Path, row: dict[str, str]) -> bool:
    path = real / row["path"]
    root = root_of(path)
    image = about(path)
    if image.config_digest is not None:  # the artifact's bytes are not at hand: nothing to hash again
        image = replace(image, config=None, config_digest=None)
    found = verify(image, signed_by(row), root)
    return any(item.verdict is Verdict.VERIFIED for item in judged(found))


def test_every_real_bundle_is_judged_as_its_source_says(real: Path) -> None:
    assert len(rows(real)) == 18
    assert not [row["path"] for row in rows(real) if verified(real, row) is not (row["want"] == "ok")]


def test_sigstore_python_accepts_nothing_that_is_refused_here(real: Path) -> None:
    """A second opinion: what its public verifier accepts is verified here too, for at least seven bundles."""
    from sigstore.models import Bundle
    from sigstore.models import TrustedRoot as SigstoreRoot
    from sigstore.verify import Verifier, policy

    accepted = []
    for row in rows(real):
        path = real / row["path"]
        root = root_of(path)
        verifier = Verifier(trusted_root=SigstoreRoot.from_file(str(root)))
        demand = signed_by(row)
        who = policy.Identity(identity=demand.identity or "", issuer=demand.issuer)
        try:
            bundle = Bundle.from_json(path.read_bytes())
            if "dsseEnvelope" in json.loads(path.read_bytes()):
                verifier.verify_dsse(bundle, who)
            else:
                verifier.verify_artifact(about(path).manifest, bundle, who)
        except Exception:  # noqa: BLE001, S112  it refuses in many ways
            continue
        accepted.append(row)
    assert len(accepted) >= 7
    assert all(verified(real, row) for row in accepted)


def test_the_embedded_root_is_the_production_root(real: Path) -> None:
    assert embedded_trusted_root() == production(real).read_bytes()
    assert TrustedRoot(embedded_trusted_root()).newest_log == "log2025-1.rekor.sigstore.dev (since 2025-09-23)"


def test_signatures_are_counted_by_what_they_cover(real: Path) -> None:
    """A message signature over the manifest signs the image; the digest is all that is known of an index."""
    row = next(row for row in rows(real) if row["path"].endswith("/bundle_v3.txt.sigstore"))
    path = real / row["path"]
    as_image = about(path)
    root = root_of(path)
    assert verdicts(verify(as_image, signed_by(row), root)) == ["signature verified"]
    as_index = image_of(b"the platform's own", *as_image.attached, index_digest=as_image.digest)
    found = verify(as_index, signed_by(row), root)
    assert verdicts(found) == ["signature verified"]
    assert reasons(found)[0].startswith("about the index that lists this image")
    other = image_of(b"other", *as_image.attached)
    assert verdicts(verify(other, signed_by(row), root)) == ["signature invalid"]
    assert sha256(as_image.manifest) == as_image.digest
