"""DR-SBOM: a shipped SBOM against the packages in the image."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compliance.formats.sbom import write
from compliance.formats.sbom_document import Tool, of_image
from compliance.model.evidence import Evidence
from compliance.model.filesystem import Unread
from compliance.model.inventory import Inventory, Package
from compliance.model.inventory import Unknown as UnknownPlace
from compliance.model.outcome import Failed, Outcome, Passed, Unknown
from compliance.model.verification import Attestation, SignatureKind, Signer, Verdict
from compliance.sbom.inventory import requests, take_inventory
from controls.checks.dr_sbom import CHECK as DR_SBOM
from controls.checks.dr_sbom import _key
from tests.builders.evidence import DIGEST, evidence, tree_from_directory
from tests.builders.examiner import examiner

CUT = (Unread(path="", reason="the layer is cut short", layer=0),)


def shipped(document: object, verdict: Verdict = Verdict.UNCHECKED) -> Attestation:
    statement = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "x", "digest": {"sha256": DIGEST.partition(":")[2]}}],
        "predicateType": "https://cyclonedx.org/bom",
        "predicate": document,
    }
    return Attestation(
        kind=SignatureKind.SIGSTORE_BUNDLE,
        predicate_type="https://cyclonedx.org/bom",
        verdict=verdict,
        signer=Signer(),
        transparency="none",
        reason="",
        material="sha256:0",
        found_in="referrer",
        subjects=(DIGEST,),
        statement=json.dumps(statement).encode(),
    )


def with_sbom(found: Evidence, *attestations: Attestation) -> Evidence:
    return replace(found, verification=replace(found.verification, attestations=attestations))


def document(*purls: str) -> dict[str, object]:
    components = [{"type": "library", "name": "x", "purl": purl} for purl in purls]
    return {"bomFormat": "CycloneDX", "specVersion": "1.6", "components": components}


def package(purl: str) -> Package:
    return Package(name="x", version="1", type=purl[4:].partition("/")[0], purl=purl, found_by="t", locations=())


IMAGE = ("pkg:deb/debian/bash@5.2-1?arch=amd64", "pkg:npm/%40scope/a@1.0.0", "pkg:pypi/zope-interface@5")


def compared(*purls: str, **more: object) -> Outcome:
    packages = tuple(package(purl) for purl in IMAGE)
    return DR_SBOM.run(with_sbom(evidence({}, packages=packages, **more), shipped(document(*purls))))  # type: ignore[arg-type]


def test_the_same_packages_pass_however_the_purls_are_written() -> None:
    outcome = compared(
        "pkg:deb/ubuntu/bash@5.2-1?distro=x#y", "pkg:npm/@scope/a@1.0.0", "pkg:pypi/Zope_Interface@5", "pkg:generic/z@1"
    )
    assert isinstance(outcome, Passed)
    assert "3 components" in outcome.observations[0].summary
    assert "not compared, being of other types: 1 component" in outcome.observations[0].summary


@pytest.mark.parametrize(
    ("purls", "said"),
    [
        (IMAGE[:2], "The pypi package zope-interface 5 is in the image and not in the SBOM."),
        ((*IMAGE, "pkg:apk/alpine/musl@1"), "the apk package musl 1, which was not found in the image."),
        ((IMAGE[0], IMAGE[1], "pkg:pypi/zope-interface@6"), "zope-interface is 5 in the image and 6 in the SBOM."),
        (("pkg:deb/debian/bash@5.2-1", "pkg:npm/a@1.0.0", IMAGE[2]), "@scope/a 1.0.0 is in the image and not in"),
    ],
)
def test_a_difference_fails_and_says_which(purls: tuple[str, ...], said: str) -> None:
    outcome = compared(*purls)
    assert isinstance(outcome, Failed)
    assert said in " ".join(seen.summary for seen in outcome.observations)


def test_a_component_without_version_differs_from_none() -> None:
    assert isinstance(compared("pkg:deb/debian/bash", *IMAGE[1:]), Passed)


def test_less_evidence_is_unknown() -> None:
    assert isinstance(compared(*IMAGE, unread=CUT), Unknown)
    assert isinstance(DR_SBOM.run(evidence({})), Unknown)
    assert isinstance(DR_SBOM.run(with_sbom(evidence({}), shipped({"x": 1}))), Unknown)
    assert isinstance(DR_SBOM.run(with_sbom(evidence({}), shipped(document(), Verdict.INVALID))), Unknown)
    gaps = Inventory(packages=(), unknowns=(UnknownPlace(path="x", reason="damaged"),))
    assert isinstance(DR_SBOM.run(with_sbom(evidence({}, inventory=gaps), shipped(document()))), Unknown)


@pytest.mark.parametrize(
    ("sbom", "case", "differences"),
    [
        ("dpkg_debian-12-live", "dpkg/debian-12-live", ()),
        ("python_venv-flask", "python/venv-flask", ()),
        ("rpm_fedora35-sqlite", "rpm/fedora35-sqlite", ()),
        # An entry of the database with no version, which is no installed package.
        ("apk_alpine-3.11-base", "apk/alpine-3.11-base", ("invalidPackageWithoutAVersion",)),
    ],
)
def test_real_sboms_of_a_peer_agree_with_the_content(
    shared: Path, sbom: str, case: str, differences: tuple[str, ...]
) -> None:
    said = json.loads(gzip.decompress((shared / f"fixtures/reference/syft-1.57.0_{sbom}.cdx.json.gz").read_bytes()))
    root = shared / "fixtures/packages" / case / "rootfs"
    files = tree_from_directory(root, requests=requests(), examiner=examiner())
    outcome = DR_SBOM.run(with_sbom(evidence(files, inventory=take_inventory(files)), shipped(said)))
    found = [seen.summary for seen in outcome.observations if "SBOM" in seen.summary]
    assert len(found) == len(differences)
    assert all(name in summary for name, summary in zip(differences, found, strict=True))


def spdx_document(*purls: str, root: dict[str, object] | None = None) -> dict[str, object]:
    packages = [
        {
            "SPDXID": f"SPDXRef-{number}",
            "name": "x",
            "externalRefs": [
                {"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": purl}
            ],
        }
        for number, purl in enumerate(purls)
    ]
    described = {"spdxElementId": "SPDXRef-DOCUMENT", "relationshipType": "DESCRIBES", "relatedSpdxElement": "root"}
    return {
        "spdxVersion": "SPDX-2.3",
        "packages": [*packages, {"SPDXID": "root", "name": "image", **(root or {})}],
        "relationships": [described],
    }


def of_image_with(said: dict[str, object]) -> Outcome:
    packages = tuple(package(purl) for purl in IMAGE)
    return DR_SBOM.run(with_sbom(evidence({}, packages=packages), shipped(said)))


@pytest.mark.parametrize(
    "purls", [IMAGE, IMAGE[:2], (*IMAGE, "pkg:npm/extra@1"), (*IMAGE[:2], "pkg:pypi/zope-interface@6")]
)
def test_spdx_and_cyclonedx_are_judged_alike(purls: tuple[str, ...]) -> None:
    one, two = of_image_with(document(*purls)), of_image_with(spdx_document(*purls))
    assert type(one) is type(two) is (Passed if purls == IMAGE else Failed)


OTHER = "sha256:" + "9" * 64


@pytest.mark.parametrize(
    "component",
    [
        {"version": OTHER},
        {"hashes": [{"alg": "SHA-256", "content": "9" * 64}]},
        {"purl": f"pkg:oci/app@{OTHER.replace(':', '%3A')}?repository_url=r.example/app"},
    ],
)
def test_document_about_another_image_fails_and_says_which(component: dict[str, object]) -> None:
    outcome = of_image_with({**document(*IMAGE), "metadata": {"component": {"type": "container", **component}}})
    assert isinstance(outcome, Failed)
    assert [seen.summary for seen in outcome.observations] == [
        f"The SBOM says that it is about {OTHER}, which is not this image."
    ]


@pytest.mark.parametrize(
    "root", [{"versionInfo": OTHER}, {"checksums": [{"algorithm": "SHA256", "checksumValue": "9" * 64}]}]
)
def test_spdx_document_about_another_image_fails(root: dict[str, object]) -> None:
    assert isinstance(of_image_with(spdx_document(*IMAGE, root=root)), Failed)
    assert isinstance(of_image_with(spdx_document(*IMAGE, root={"versionInfo": DIGEST})), Passed)


@pytest.mark.parametrize("version", ["1.0", DIGEST, "latest"])
def test_document_about_this_image_or_without_digest_passes(version: str) -> None:
    component = {"type": "container", "name": "app", "version": version}
    assert isinstance(of_image_with({**document(*IMAGE), "metadata": {"component": component}}), Passed)


def test_attestation_about_another_digest_is_not_read_and_is_told() -> None:
    other = replace(shipped(document(*IMAGE)), subjects=(OTHER,))
    outcome = DR_SBOM.run(with_sbom(evidence({}), other))
    assert isinstance(outcome, Unknown)
    assert "about other digests there are 1 SBOM" in outcome.reason


@pytest.mark.parametrize("name", ["cyclonedx-json", "cyclonedx-json@1.7", "spdx-json"])
@pytest.mark.parametrize("case", ["dpkg/debian-12-live", "python/venv-flask", "rpm/fedora35-sqlite"])
def test_our_own_documents_agree_with_the_content_they_were_made_from(shared: Path, case: str, name: str) -> None:
    root = shared / "fixtures/packages" / case / "rootfs"
    files = tree_from_directory(root, requests=requests(), examiner=examiner())
    found = evidence(files, inventory=take_inventory(files))
    made = of_image(
        found.image,
        found.inventory,
        tool=Tool(name="hullmark", version="1"),
        effective=found.assessed_at,
        tree=files,
        files=True,
    )
    said = json.loads(write(made, name))
    outcome = DR_SBOM.run(with_sbom(found, shipped(said)))
    assert not isinstance(outcome, Failed)
    fewer = replace(made, inventory=replace(found.inventory, packages=found.inventory.packages[1:], relationships=()))
    assert isinstance(DR_SBOM.run(with_sbom(found, shipped(json.loads(write(fewer, name))))), Failed)


@given(st.text(alphabet="pkg:deb/@?#%20a", max_size=30))
def test_reading_a_purl_never_raises(purl: str) -> None:
    _key(purl)
    _key("pkg:" + purl)
