"""SP-*: integrity, signatures, provenance, SBOMs, licences and package sources."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compliance.model.evidence import Evidence
from compliance.model.filesystem import Unread
from compliance.model.inventory import Inventory, License, Package
from compliance.model.inventory import Unknown as UnknownPlace
from compliance.model.outcome import Check, Failed, NotApplicable, Outcome, Passed, Unknown
from compliance.model.verification import (
    Attestation,
    Demand,
    Integrity,
    Signature,
    SignatureKind,
    Signer,
    Verdict,
    Verification,
)
from controls.checks.sp_integrity import CHECK as SP_INTEGRITY
from controls.checks.sp_license import CHECK as SP_LICENSE
from controls.checks.sp_prov import CHECK as SP_PROV
from controls.checks.sp_repo import CHECK as SP_REPO
from controls.checks.sp_sbom import CHECK as SP_SBOM
from controls.checks.sp_sbomsig import CHECK as SP_SBOMSIG
from controls.checks.sp_sig import CHECK as SP_SIG
from controls.sbom_elements import read_elements
from tests.builders.evidence import DIGEST, Node, evidence

CUT = (Unread(path="", reason="the layer is cut short", layer=0),)
NAMED = Demand(identity="https://ci.example/build", issuer="https://issuer.example")
SIGNER = Signer(identity="https://ci.example/build", issuer="https://issuer.example")


def all_digests(found: Evidence) -> tuple[tuple[str, str], ...]:
    image = found.image
    layers = [("layer", digest) for layer in image.layers for digest in (layer.digest, layer.diff_id)]
    return (("manifest", image.digest), ("config", image.config_digest or ""), *layers)


def with_checked(checked: tuple[tuple[str, str], ...]) -> Evidence:
    found = evidence({}, layers=2)
    return replace(found, verification=Verification(integrity=Integrity(checked=checked), demand=Demand()))


def test_integrity_passes_only_with_every_digest_recomputed() -> None:
    digests = all_digests(evidence({}, layers=2))
    assert isinstance(SP_INTEGRITY.run(with_checked(digests)), Passed)
    for left_out in range(len(digests)):
        outcome = SP_INTEGRITY.run(with_checked(digests[:left_out] + digests[left_out + 1 :]))
        assert isinstance(outcome, Unknown)
        assert "1 digest not recomputed" in outcome.reason
    assert isinstance(SP_INTEGRITY.run(evidence({}, without_config=True)), NotApplicable)


def signature(verdict: Verdict) -> Signature:
    return Signature(
        kind=SignatureKind.SIGSTORE_BUNDLE,
        verdict=verdict,
        signer=SIGNER,
        transparency="inclusion proof, log x",
        reason="the signer is another",
        material="sha256:0",
        found_in="referrer",
    )


def attestation(verdict: Verdict, predicate_type: str, predicate: object, subject: str = DIGEST) -> Attestation:
    statement = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "x", "digest": {"sha256": subject.partition(":")[2]}}],
        "predicateType": predicate_type,
        "predicate": predicate,
    }
    return Attestation(
        kind=SignatureKind.SIGSTORE_BUNDLE,
        predicate_type=predicate_type,
        verdict=verdict,
        signer=SIGNER,
        transparency="inclusion proof, log x",
        reason="the signer is another",
        material="sha256:0",
        found_in="referrer",
        subjects=(subject,),
        statement=json.dumps(statement).encode(),
    )


CYCLONEDX, SPDX, SLSA = "https://cyclonedx.org/bom", "https://spdx.dev/Document/v2.3", "https://slsa.dev/provenance/v1"
SIGNED = [(SP_SIG, None), (SP_SBOMSIG, CYCLONEDX), (SP_SBOMSIG, SPDX), (SP_PROV, SLSA)]


def judged(
    check: Check, type_: str | None, verdicts: tuple[Verdict, ...], demand: Demand = NAMED, **more: str
) -> Outcome:
    found = evidence({})
    verification = Verification(
        integrity=found.verification.integrity,
        demand=demand,
        signatures=tuple(signature(verdict) for verdict in verdicts) if type_ is None else (),
        attestations=tuple(attestation(v, type_, {}, **more) for v in verdicts) if type_ is not None else (),
    )
    return check.run(replace(found, verification=verification))


@pytest.mark.parametrize(("check", "type_"), SIGNED)
def test_what_is_signed_is_judged_by_the_demanded_signer(check: Check, type_: str | None) -> None:
    passed = judged(check, type_, (Verdict.INVALID, Verdict.VERIFIED))
    assert isinstance(passed, Passed)
    assert "inclusion proof, log x" in passed.observations[1].summary
    assert isinstance(judged(check, type_, (Verdict.INVALID,)), Failed)
    assert isinstance(judged(check, type_, (Verdict.UNCHECKED,)), Unknown)
    assert isinstance(judged(check, type_, ()), Unknown)
    anybody = judged(check, type_, (Verdict.VERIFIED,), Demand())
    assert isinstance(anybody, Unknown)
    assert "no key or identity was named" in anybody.reason


@pytest.mark.parametrize(("check", "type_"), [pair for pair in SIGNED if pair[1] is not None])
def test_attestations_about_another_image_do_not_count(check: Check, type_: str) -> None:
    assert isinstance(judged(check, type_, (Verdict.VERIFIED,), subject="sha256:" + "7" * 64), Unknown)


def test_an_attestation_is_no_signature_of_the_image() -> None:
    assert isinstance(judged(SP_SIG, CYCLONEDX, (Verdict.VERIFIED,)), Unknown)


def test_material_that_cannot_be_read_is_told() -> None:
    found = evidence({})
    verification = replace(found.verification, demand=NAMED, unreadable=(("tag x.sig", "no JSON"),))
    outcome = SP_SIG.run(replace(found, verification=verification))
    assert isinstance(outcome, Unknown)
    assert "no JSON" in outcome.observations[0].summary


def attested(*found: Attestation) -> Evidence:
    base = evidence({})
    return replace(base, verification=replace(base.verification, demand=NAMED, attestations=found))


@pytest.mark.parametrize(
    ("predicate", "builder"),
    [
        ({"runDetails": {"builder": {"id": "https://b.example/v1"}}}, "https://b.example/v1"),
        ({"builder": {"id": "https://b.example/v02"}}, "https://b.example/v02"),
        ({}, None),
        ({"builder": 7}, None),
        ({"runDetails": []}, None),
    ],
)
def test_the_builder_is_told_and_no_level_is_claimed(predicate: object, builder: str | None) -> None:
    outcome = SP_PROV.run(attested(attestation(Verdict.VERIFIED, SLSA, predicate)))
    assert isinstance(outcome, Passed)
    assert [seen.value for seen in outcome.observations if seen.value and seen.value.startswith("https:")] == (
        [builder] if builder else []
    )
    assert "level 1 is shown" not in " ".join(seen.summary for seen in outcome.observations)


def complete(**changed: object) -> dict[str, object]:
    component = {"name": "a", "version": "1", "supplier": {"name": "A"}, "purl": "pkg:deb/a@1"}
    document: dict[str, object] = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "metadata": {"timestamp": "2026-01-01T00:00:00Z", "tools": [{"name": "t"}]},
        "components": [{"type": "library", **component}, {"type": "file", "name": "/etc/x"}],
        "dependencies": [{"ref": "a"}],
    }
    return document | changed


def spdx(**changed: object) -> dict[str, object]:
    package = {
        "name": "a",
        "versionInfo": "1",
        "supplier": "Organization: A",
        "externalRefs": [{"referenceLocator": "pkg:deb/a@1"}],
    }
    document: dict[str, object] = {
        "spdxVersion": "SPDX-2.3",
        "creationInfo": {"created": "2026-01-01T00:00:00Z", "creators": ["Tool: t"]},
        "packages": [package],
        "relationships": [{"relationshipType": "DESCRIBES"}],
    }
    return document | changed


def sbom(predicate: object, verdict: Verdict = Verdict.UNCHECKED, type_: str = CYCLONEDX) -> Outcome:
    return SP_SBOM.run(attested(attestation(verdict, type_, predicate)))


def test_an_sbom_with_all_elements_passes_signed_or_not() -> None:
    for verdict in (Verdict.UNCHECKED, Verdict.VERIFIED):
        assert isinstance(sbom(complete(), verdict), Passed)
        assert isinstance(sbom(spdx(), verdict, SPDX), Passed)


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (complete(metadata={}), "no author of the SBOM"),
        (complete(metadata={"tools": [{}]}), "no timestamp"),
        (complete(dependencies=[]), "no dependency relationships"),
        (complete(components=[]), "no components"),
        (
            complete(components=[{"name": "a", "version": "1", "purl": "x"}]),
            "Without supplier in the CycloneDX 1.6 document: 1 of 1",
        ),
        (complete(components=[{"version": "1", "purl": "x", "publisher": "P"}]), "Without name in"),
        (complete(components=[{"name": "a", "version": "1", "publisher": "P"}]), "Without unique identifier"),
        (spdx(creationInfo={"created": "x"}), "no author"),
        (spdx(packages=[{"name": "a", "versionInfo": "NOASSERTION", "supplier": "NOASSERTION"}]), "Without supplier"),
        (spdx(relationships=None), "no dependency relationships"),
    ],
)
def test_an_sbom_that_lacks_an_element_fails_and_says_which(document: dict[str, object], said: str) -> None:
    outcome = sbom(document)
    assert isinstance(outcome, Failed)
    assert said in " ".join(seen.summary for seen in outcome.observations)


def test_an_sbom_that_is_not_there_or_not_readable_is_unknown() -> None:
    assert isinstance(SP_SBOM.run(evidence({})), Unknown)
    assert isinstance(sbom({"spdxVersion": "SPDX-3.0"}), Unknown)
    assert isinstance(sbom(complete(), Verdict.INVALID), Unknown)


def test_components_inside_components_count() -> None:
    nested = {"name": "b", "components": [{"name": "c"}]}
    elements = read_elements(complete(components=[nested]))
    assert elements is not None
    assert [component.name for component in elements.components] == ["b", "c"]


def test_real_sboms_of_peers_are_read(shared: Path) -> None:
    paths = sorted((shared / "fixtures" / "reference").glob("*.cdx.json*"))
    assert paths
    for path in paths:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        elements = read_elements(json.loads(content))
        assert elements is not None
        assert elements.components
        assert all(component.name for component in elements.components)
        assert "timestamp" not in elements.missing


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.sampled_from([*complete(), *spdx()]), _JSON))
def test_reading_elements_never_raises(document: dict[str, object]) -> None:
    read_elements({"bomFormat": "CycloneDX", "specVersion": "1.6"} | document)
    read_elements({"spdxVersion": "SPDX-2.3"} | document)


def licensed(*texts: str) -> Package:
    return Package(
        name="a",
        version="1",
        type="deb",
        purl="pkg:deb/a@1",
        found_by="dpkg",
        locations=(),
        licenses=tuple(License(raw=text, expression=text if text == "MIT" else None) for text in texts),
    )


def test_licences() -> None:
    assert isinstance(SP_LICENSE.run(evidence({}, packages=(licensed("MIT"),))), Passed)
    words = SP_LICENSE.run(evidence({}, packages=(licensed("MIT", "see COPYING"),)))
    assert isinstance(words, Passed)
    assert "see COPYING" in words.observations[1].summary
    for texts in ((), ("NOASSERTION",), ("",), ("unknown",)):
        assert isinstance(SP_LICENSE.run(evidence({}, packages=(licensed(*texts),))), Failed)
    assert isinstance(SP_LICENSE.run(evidence({})), NotApplicable)
    assert isinstance(SP_LICENSE.run(evidence({}, packages=(licensed("MIT"),), unread=CUT)), Unknown)
    partly = Inventory(packages=(licensed("MIT"),), unknowns=(UnknownPlace(path="x", reason="damaged"),))
    assert isinstance(SP_LICENSE.run(evidence({}, inventory=partly)), Unknown)


def sources(files: dict[str, Node | bytes | str], **more: object) -> Outcome:
    return SP_REPO.run(evidence(files, requests=SP_REPO.requests, **more))  # type: ignore[arg-type]


KEYRING = {"usr/share/keyrings/debian.gpg": "x", "etc/apk/keys/a.rsa.pub": "x"}


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("etc/apt/sources.list", "deb [trusted=yes] http://deb.example/debian stable main"),
        ("etc/apt/sources.list.d/a.sources", "Types: deb\nURIs: http://deb.example\nTrusted: yes"),
        ("etc/apt/sources.list", "deb [allow-insecure=yes] http://deb.example/debian stable main"),
        ("etc/apt/apt.conf.d/99x", 'Acquire::AllowInsecureRepositories "true";'),
        ("etc/apt/apt.conf", 'APT::Get::AllowUnauthenticated "1";'),
        ("etc/apk/repositories", "http://apk.example/v3/main"),
        ("etc/apk/repositories", "@edge http://apk.example/edge"),
        ("etc/yum.repos.d/a.repo", "[a]\nbaseurl=https://r.example\ngpgcheck=0"),
        ("etc/dnf/dnf.conf", "[main]\ngpgcheck = False"),
        ("etc/yum.repos.d/a.repo", "[a]\nsslverify=0"),
        ("etc/pip.conf", "[global]\nindex-url = http://index.example/simple"),
        ("root/.config/pip/pip.conf", "[global]\ntrusted-host = index.example"),
        ("home/a/.npmrc", "strict-ssl=false"),
        ("root/.npmrc", "@scope:registry=http://npm.example/"),
    ],
)
def test_sources_that_are_not_authenticated_fail(path: str, text: str) -> None:
    outcome = sources({path: text, **KEYRING})
    assert isinstance(outcome, Failed)
    assert outcome.observations[0].path == path


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("etc/apt/sources.list", "# deb [trusted=yes] http://x.example\ndeb http://deb.example/debian stable main"),
        ("etc/apt/apt.conf.d/99x", '// AllowInsecureRepositories "true";\nAcquire::AllowInsecureRepositories "false";'),
        ("etc/apk/repositories", "https://apk.example/v3/main"),
        ("etc/yum.repos.d/a.repo", "[a]\nbaseurl=http://r.example\ngpgcheck=1"),
        ("etc/pip.conf", "[global]\nindex-url = https://index.example/simple"),
        ("root/.npmrc", "registry=https://npm.example/"),
    ],
)
def test_signed_and_https_sources_pass(path: str, text: str) -> None:
    assert isinstance(sources({path: text, **KEYRING}), Passed)


def test_sources_without_keyring_or_reading_are_unknown_and_none_are_not_applicable() -> None:
    assert isinstance(sources({"etc/apk/repositories": "https://apk.example/main"}), Unknown)
    assert isinstance(sources({"etc/apk/repositories": "https://apk.example/main", **KEYRING}, unread=CUT), Unknown)
    assert isinstance(sources({}), NotApplicable)


def test_credentials_in_an_address_are_not_written_down() -> None:
    outcome = sources({"etc/apk/repositories": "http://user:hunter2@apk.example/main"})
    assert isinstance(outcome, Failed)
    assert "hunter2" not in repr(outcome)
