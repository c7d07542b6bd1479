"""SP-CA: trust anchors against the packages that bring them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from compliance.model.filesystem import Unread
from compliance.model.inventory import Package
from compliance.model.outcome import Failed, NotApplicable, Outcome, Passed, Unknown
from controls.checks.sp_ca import CHECK as SP_CA
from tests.builders.evidence import Node, evidence, symlink


@cache
def anchor(name: str) -> str:
    """A self-signed certificate in PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    start = datetime(2026, 1, 1, tzinfo=UTC)
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), 1, start, start + timedelta(days=1))
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


BUNDLE = "etc/ssl/certs/ca-certificates.crt"
SHIPPED = "usr/share/ca-certificates/mozilla/a.crt"
PACKAGE = Package(
    name="ca-certificates", version="1", type="deb", purl="pkg:deb/c@1", found_by="t", locations=(), files=(SHIPPED,)
)


def judged(files: dict[str, Node | bytes | str], *packages: Package, **more: object) -> Outcome:
    return SP_CA.run(evidence(files, packages=packages, requests=SP_CA.requests, **more))  # type: ignore[arg-type]


def test_a_generated_bundle_of_packaged_anchors_passes() -> None:
    files: dict[str, Node | bytes | str] = {
        SHIPPED: anchor("a"),
        BUNDLE: f"# comment\n{anchor('a')}",
        "etc/ssl/certs/a.pem": symlink(f"/{SHIPPED}"),
    }
    outcome = judged(files, PACKAGE)
    assert isinstance(outcome, Passed)
    assert "1 trust anchor in 2 files" in outcome.observations[0].summary


@pytest.mark.parametrize(
    "path",
    [
        BUNDLE,
        "etc/ssl/certs/rogue.pem",
        "etc/ssl/cert.pem",
        "etc/pki/tls/certs/ca-bundle.crt",
        "opt/certifi/cacert.pem",
    ],
)
def test_an_anchor_that_no_package_brings_fails_and_is_named(path: str) -> None:
    outcome = judged({SHIPPED: anchor("a"), path: anchor("a") + anchor("Rogue CA")}, PACKAGE)
    assert isinstance(outcome, Failed)
    assert [seen.path for seen in outcome.observations] == [path]
    assert "'CN=Rogue CA'" in outcome.observations[0].summary
    assert (outcome.observations[0].value or "").startswith("sha256:")


@pytest.mark.parametrize("path", ["usr/local/share/ca-certificates/x.crt", "etc/pki/ca-trust/source/anchors/x.pem"])
def test_an_anchor_of_the_administrator_fails_with_packages_and_without(path: str) -> None:
    assert isinstance(judged({SHIPPED: anchor("a"), path: anchor("x")}, PACKAGE), Failed)
    assert isinstance(judged({path: anchor("x")}), Failed)


def test_one_anchor_in_several_files_is_one_finding() -> None:
    files: dict[str, Node | bytes | str] = {
        SHIPPED: anchor("a"),
        BUNDLE: anchor("x"),
        "etc/ssl/certs/x.pem": anchor("x"),
    }
    outcome = judged(files, PACKAGE)
    assert isinstance(outcome, Failed)
    assert len(outcome.observations) == 1


def test_a_bundle_that_nothing_explains_and_a_store_that_cannot_be_read_are_unknown() -> None:
    assert isinstance(judged({BUNDLE: anchor("a")}), Unknown)
    assert isinstance(judged({"opt/java/lib/security/cacerts": b"\xfe\xed\xfe\xed"}), Unknown)
    assert isinstance(judged({SHIPPED: anchor("a")}, PACKAGE, unread=(Unread(path="", reason="cut"),)), Unknown)


def test_no_trust_store_is_not_applicable() -> None:
    assert isinstance(judged({}), NotApplicable)


def test_what_is_no_certificate_is_passed_over_or_told() -> None:
    broken = "-----BEGIN CERTIFICATE-----\nAAA\n-----END CERTIFICATE-----\n"
    assert isinstance(judged({SHIPPED: anchor("a"), BUNDLE: broken}, PACKAGE), Passed)
    nonsense = broken.replace("AAA", "AAAA")
    outcome = judged({SHIPPED: anchor("a"), BUNDLE: nonsense}, PACKAGE)
    assert isinstance(outcome, Failed)
    assert "can't be read" in outcome.observations[0].summary
