"""Every single change to an object that verifies: none may verify, but for what carries no trust."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from compliance.model.image import AttachmentSource, Image
from compliance.model.verification import Demand, Verdict
from compliance.verify.verifier import load_public_key, verify_image
from tests.builders.signed_image import BUNDLE, artifact, blob, image_in_layout, image_of
from tests.builders.signed_image import found as judged

pytestmark = pytest.mark.usefixtures("no_sockets")

WORKFLOW = "https://github.com/acme/demo/.github/workflows/release.yml@refs/heads/main"
LOCAL = Demand(identity=WORKFLOW, issuer="http://127.0.0.1:18080/gha")
MINTED = Demand(identity=WORKFLOW, issuer="https://token.actions.githubusercontent.com")
NOW = datetime(2026, 12, 1, tzinfo=UTC)
HARMLESS = {
    "verificationMaterial.publicKey.hint",  # says which key to try, and the user said that
    "dev.sigstore.cosign/chain",  # the chain comes from the trusted root
    "predicateType",  # the statement says it
}

Place = tuple[str | int, ...]


def leaves(value: Any, place: Place = ()) -> Iterator[Place]:
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, item in items:
            yield from leaves(item, (*place, key))
    else:
        yield place


def changes(value: Any) -> Iterator[Any]:
    """Other values in place of a leaf; None takes it away."""
    if isinstance(value, str) and value:
        for position in sorted({0, len(value) // 3, len(value) // 2, 2 * len(value) // 3, max(0, len(value) - 4)}):
            other = "B" if value[position] == "A" else "A"
            yield value[:position] + other + value[position + 1 :]
        yield value + value
    elif isinstance(value, int) and not isinstance(value, bool):
        yield value + 1
    yield None


def mutants(value: Any) -> Iterator[tuple[str, Any]]:
    """Every changed copy of `value` with the place that was changed."""
    for place in leaves(value):
        *above, last = place
        at = value
        for key in place:
            at = at[key]
        for change in changes(at):
            mutant = copy.deepcopy(value)
            parent = mutant
            for key in above:
                parent = parent[key]
            if change is None:
                del parent[last]
            else:
                parent[last] = change
            yield ".".join(map(str, place)), mutant


def holds(image: Image, demand: Demand, root: Path, *, key: Path | None = None, ignore_tlog: bool = False) -> bool:
    found = verify_image(
        image,
        demand,
        key=load_public_key(key.read_bytes()) if key else None,
        trusted_root=root.read_bytes(),
        ignore_tlog=ignore_tlog,
        now=NOW,
    )
    return any(item.verdict is Verdict.VERIFIED for item in judged(found))


@pytest.mark.parametrize("layout", ["keyless", "keyless-tsa-only", "keyed-tlog"])
def test_no_changed_bundle_verifies(shared: Path, layout: str) -> None:
    sigstore = shared / "fixtures" / "sigstore"
    root = sigstore / "trust" / "trusted_root.json"
    key = sigstore / "keys" / "cosign.pub" if layout.startswith("keyed") else None
    demand = Demand(key_id="cosign") if key else LOCAL
    ignore = layout == "keyless-tsa-only"
    image = image_in_layout(sigstore / "layouts" / layout, (sigstore / "image.digest").read_text().strip())
    content = image.attached[0].blobs[0].content
    assert holds(image_of(image.manifest, image.attached[0]), demand, root, key=key, ignore_tlog=ignore)
    accepted = set()
    tried = 0
    for place, mutant in mutants(json.loads(content)):
        tried += 1
        changed = image_of(image.manifest, artifact(blob(json.dumps(mutant).encode(), BUNDLE)))
        if holds(changed, demand, root, key=key, ignore_tlog=ignore):
            accepted.add(place)
    assert tried > 30
    assert accepted <= HARMLESS


@pytest.mark.parametrize("suffix", [".sig", ".att"])
def test_no_changed_layer_verifies(shared: Path, suffix: str) -> None:
    minted = shared / "fixtures" / "sigstore" / "minted"
    root = minted / "trusted_root.json"
    digest = (minted.parent / "image.digest").read_text().strip()
    image = image_in_layout(minted / "old-ok", digest)
    (layer,) = (a.blobs[0] for a in image.attached if a.name.endswith((suffix, suffix[1:] + "s")))
    value: dict[str, Any] = {name: text for name, text in layer.descriptor.annotations.items() if text}
    entry = json.loads(value["dev.sigstore.cosign/bundle"])
    value["dev.sigstore.cosign/bundle"] = entry
    value["layer"] = layer.content.decode()
    accepted = set()
    tried = 0
    for place, mutant in mutants(value):
        tried += 1
        content = str(mutant.pop("layer", "")).encode()
        if "dev.sigstore.cosign/bundle" in mutant:
            mutant["dev.sigstore.cosign/bundle"] = json.dumps(mutant["dev.sigstore.cosign/bundle"])
        attached = artifact(blob(content, layer.descriptor.media_type, mutant), source=AttachmentSource.TAG)
        if holds(image_of(image.manifest, attached), MINTED, root):
            accepted.add(place)
    assert tried > 30
    assert accepted <= HARMLESS


@pytest.mark.parametrize("member", ["tlogs", "ctlogs", "certificateAuthorities", "timestampAuthorities"])
@pytest.mark.parametrize("window", [{"end": "2026-11-24T03:00:00Z"}, {"start": "2026-11-25T00:00:00Z"}])
def test_whatever_the_root_trusted_at_other_times_proves_nothing(
    shared: Path, tmp_path: Path, member: str, window: dict[str, str]
) -> None:
    sigstore = shared / "fixtures" / "sigstore"
    image = image_in_layout(sigstore / "layouts" / "keyless", (sigstore / "image.digest").read_text().strip())
    value = json.loads((sigstore / "trust" / "trusted_root.json").read_bytes())
    root = tmp_path / "root.json"
    for one in value[member]:
        one.get("publicKey", one)["validFor"].update(window)
    root.write_text(json.dumps(value))
    assert not holds(image, LOCAL, root)


def test_deep_and_long_nonsense_is_unreadable_and_nothing_else(shared: Path) -> None:
    root = (shared / "fixtures" / "sigstore" / "trust" / "trusted_root.json").read_bytes()
    hostile = (
        b"",
        b"\xff\xfe",
        b"null",
        b"[" * 100_000,
        b'{"a":' * 50_000,
        b'{"mediaType":' + b"9" * 5000 + b"}",
        b'{"mediaType":NaN}',
        json.dumps({"mediaType": BUNDLE, "verificationMaterial": {"tlogEntries": [{}] * 40}}).encode(),
        b'{"mediaType":"' + BUNDLE.encode() + b'","mediaType":"' + BUNDLE.encode() + b'"}',
    )
    image = image_of(b"{}", *(artifact(blob(content, BUNDLE)) for content in hostile))
    found = verify_image(image, LOCAL, key=None, trusted_root=root, ignore_tlog=False, now=NOW)
    assert not found.signatures
    assert not found.attestations
    assert len(found.unreadable) == len(hostile)
