"""A trust policy held against provenance that production Sigstore signed, offline: builder and source as they are."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from compliance.model.verification import PolicyAnswer, PolicyState
from compliance.verify.build_origin import build_origin
from compliance.verify.trust_policy_file import read_policy
from compliance.verify.trusted_root import embedded_trusted_root
from compliance.verify.verifier import verify_by_policy
from tests.builders.signed_image import image_in_layout

pytestmark = pytest.mark.usefixtures("no_sockets")

GENERATOR = "https://github.com/slsa-framework/slsa-github-generator/.github/workflows/generator_container_slsa3.yml"
POLICY = rf"""
schema: 1
signers:
  generator:
    identity-regexp: ^https://github\.com/slsa-framework/slsa-github-generator/\.github/workflows/generator_container_slsa3\.yml@refs/tags/v[0-9.]+$
    issuer: https://token.actions.githubusercontent.com
rules:
  - images: ghcr.io/slsa-framework/**
    require:
      - what: [https://slsa.dev/provenance/v1, https://slsa.dev/provenance/v0.2]
        by: generator
        builders: {GENERATOR}@refs/tags/v*
        sources: https://github.com/slsa-framework/example-package
"""


def judged(shared: Path, release: str, policy: str = POLICY) -> PolicyAnswer:
    layout = shared / "fixtures" / "sigstore-real" / "images" / f"slsa-{release}"
    (manifest, *_) = json.loads((layout / "index.json").read_bytes())["manifests"]
    found = verify_by_policy(
        image_in_layout(layout, manifest["digest"]),
        f"ghcr.io/slsa-framework/example-package:{release}",
        read_policy("trust.yaml", policy.encode(), lambda _, size_max: b""),
        public_root=embedded_trusted_root(),
        now=datetime(2026, 12, 1, tzinfo=UTC),
    )
    assert found.policy is not None
    (attestation,) = found.attestations
    assert build_origin(attestation.statement).builder.startswith(GENERATOR)
    return found.policy


@pytest.mark.parametrize("release", ["v1.4.0", "v1.6.0", "v1.8.0", "v1.10.0", "v2.1.0"])
def test_released_images_are_what_the_policy_demands(shared: Path, release: str) -> None:
    answer = judged(shared, release)
    assert answer.state is PolicyState.HELD, answer.requirements


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("@refs/tags/v*", "@refs/tags/v9*", "which is not accepted"),
        ("slsa-framework/example-package\n", "acme/example-package\n", "built from https://github.com/slsa-framework/"),
        ("tags/v[0-9.]+$", "heads/main$", "whom the policy does not accept"),
    ],
)
def test_another_builder_source_or_signer_is_refused(shared: Path, old: str, new: str, said: str) -> None:
    assert POLICY.count(old) == 1
    answer = judged(shared, "v2.1.0", POLICY.replace(old, new))
    assert (answer.state, said in answer.requirements[0].reason) == (PolicyState.NOT_HELD, True)
