"""Checking an evidence bundle: what is proved by whom, and that no change goes unseen."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from compliance.errors import ComplianceError, FormatError, StoreError, VerificationError
from compliance.model.verification import Verdict
from compliance.sign.key_signer import SigningKey
from compliance.store.evidence_bundle import (
    Answer,
    BundleReport,
    ReportChecks,
    ReportContent,
    Signers,
    describe,
    verify_bundle,
    verify_report,
    write_bundle,
)
from reports.assessment_json import document
from reports.attestation import (
    ReferencedFile,
    file_signature_statement,
    reference_statement,
    results_statement,
    sbom_statement,
    verification_result_statement,
)
from tests.builders.assessment import assessment
from tests.builders.evidence_files import signed_files, unsigned_files

KEY = SigningKey(private=ec.derive_private_key(1234567, ec.SECP256R1()))
OTHER = SigningKey(private=ec.derive_private_key(7654321, ec.SECP256R1()))
WITH_KEY = Signers(key=KEY.public_pem)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    write_bundle(tmp_path / "evidence", signed_files(KEY))
    return tmp_path / "evidence"


def rewritten(tmp_path: Path, files: dict[str, bytes]) -> Path:
    """A bundle of `files` with a manifest that fits them: what anybody can make."""
    write_bundle(tmp_path / "rewritten", files)
    return tmp_path / "rewritten"


def wrong(report: BundleReport) -> dict[str, str]:
    return {finding.what: finding.reason for finding in report.wrong}


def test_a_bundle_verifies_with_the_key_that_signed_it(bundle: Path) -> None:
    report = verify_bundle(bundle, signers=WITH_KEY)
    report.demand()
    assert not report.wrong
    assert not report.unproved
    assert report.key_id == KEY.key_id
    assert report.subject == document(assessment())["subject"]["digest"]
    signed = {finding.what for finding in report.findings if finding.reason == "its sha256 is signed"}
    files = {p.relative_to(bundle).as_posix() for p in bundle.rglob("*") if p.is_file()}
    assert signed == files - {"manifest.json", "attestations/reference.sigstore.json"}


def test_without_a_key_only_integrity_relative_to_the_shipped_key_is_said(bundle: Path) -> None:
    report = verify_bundle(bundle)
    assert not report.wrong
    assert [(finding.what, finding.verdict) for finding in report.unproved] == [("signer", Verdict.UNCHECKED)]
    assert "not who signed" in report.unproved[0].reason


def test_another_key_verifies_nothing(bundle: Path) -> None:
    report = verify_bundle(bundle, signers=Signers(key=OTHER.public_pem))
    assert {what for what in wrong(report) if what.endswith(".sigstore.json")} == {
        f"attestations/{name}.sigstore.json" for name in ("reference", "sbom", "svr", "test-result")
    }
    with pytest.raises(VerificationError) as error:
        report.demand()
    assert error.value.exit_code == 12


def test_a_bundle_that_somebody_signed_anew_fails_for_the_demanded_key(tmp_path: Path) -> None:
    write_bundle(tmp_path / "forged", signed_files(OTHER))
    assert not verify_bundle(tmp_path / "forged").wrong
    assert verify_bundle(tmp_path / "forged", signers=WITH_KEY).wrong


def test_an_unsigned_bundle_proves_nothing_and_is_not_wrong(tmp_path: Path) -> None:
    write_bundle(tmp_path / "evidence", unsigned_files())
    report = verify_bundle(tmp_path / "evidence")
    assert not report.wrong
    assert {finding.what for finding in report.unproved} >= {"attestations", "signer", "assessment.json"}
    assert not any(finding.verdict is Verdict.VERIFIED for finding in report.findings)


@given(data=st.data())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_changed_byte_of_any_file_goes_unseen(bundle: Path, data: st.DataObject) -> None:
    paths = sorted(path for path in bundle.rglob("*") if path.is_file())
    path = data.draw(st.sampled_from(paths))
    content = path.read_bytes()
    position = data.draw(st.integers(0, len(content) - 1))
    flipped = content[position] ^ data.draw(st.integers(1, 255))
    path.write_bytes(content[:position] + bytes((flipped,)) + content[position + 1 :])
    try:
        with pytest.raises((VerificationError, FormatError)):
            verify_bundle(bundle, signers=WITH_KEY).demand()
    finally:
        path.write_bytes(content)


@pytest.mark.parametrize("path", ["assessment.json", "sbom.cdx.json", "report.pdf", "attestations/svr.sigstore.json"])
def test_a_file_taken_away_is_missed_even_with_a_fitting_manifest(bundle: Path, tmp_path: Path, path: str) -> None:
    (bundle / path).unlink()
    assert wrong(verify_bundle(bundle, signers=WITH_KEY))[path] == "it is missing"
    if path != "assessment.json":
        files = signed_files(KEY)
        del files[path]
        report = verify_bundle(rewritten(tmp_path, files), signers=WITH_KEY)
        assert wrong(report)[path] == "it was signed, and is missing"


def test_a_file_added_is_seen(bundle: Path, tmp_path: Path) -> None:
    (bundle / "oscal" / "more.json").write_bytes(b"{}")
    assert "does not list it" in wrong(verify_bundle(bundle, signers=WITH_KEY))["oscal/more.json"]
    files = {**signed_files(KEY), "oscal/more.json": b"{}"}
    report = verify_bundle(rewritten(tmp_path, files), signers=WITH_KEY)
    assert [finding.what for finding in report.unproved] == ["oscal/more.json"]


def test_a_file_exchanged_together_with_the_manifest_is_seen(tmp_path: Path) -> None:
    files = {**signed_files(KEY), "report.pdf": b"%PDF-1.7 all is well"}
    report = verify_bundle(rewritten(tmp_path, files), signers=WITH_KEY)
    assert wrong(report) == {"report.pdf": "its sha256 is not the one that was signed"}


def test_without_the_reference_files_are_unproved_not_verified(tmp_path: Path) -> None:
    files = signed_files(KEY)
    del files["attestations/reference.sigstore.json"]
    report = verify_bundle(rewritten(tmp_path, files), signers=WITH_KEY)
    assert not report.wrong
    assert {finding.what for finding in report.unproved} >= {"report.pdf", "assessment.json", "sbom.cdx.json"}


def resigned(name: str, statement: bytes) -> dict[str, bytes]:
    """A bundle in which one attestation, validly signed, says something else than its files."""
    return {**signed_files(KEY), f"attestations/{name}.sigstore.json": KEY.sign_statement(statement)}


def changed_statement(make: Callable[[], bytes], change: Callable[[dict[str, object]], None]) -> bytes:
    value = json.loads(make())
    change(value)
    return json.dumps(value).encode()


def results() -> bytes:
    return results_statement(document(assessment()))


def properties() -> bytes:
    return verification_result_statement(document(assessment()))


@pytest.mark.parametrize(
    ("name", "statement", "reason"),
    [
        ("sbom", sbom_statement(document(assessment()), b'{"bomFormat":"CycloneDX"}'), "another than sbom.cdx.json"),
        (
            "test-result",
            changed_statement(results, lambda s: s["predicate"]["failedTests"].remove("NR-USER")),  # type: ignore[index]
            "NR-USER is in failedTests of only one",
        ),
        (
            "test-result",
            changed_statement(results, lambda s: s["predicate"].update(result="PASSED")),  # type: ignore[attr-defined]
            "its result is not",
        ),
        (
            "svr",
            changed_statement(properties, lambda s: s["predicate"]["properties"].append("HULLMARK_NR_USER")),  # type: ignore[index]
            "HULLMARK_NR_USER is a passed check in only one",
        ),
        (
            "svr",
            changed_statement(properties, lambda s: s["subject"][0].update(digest={"sha256": "0" * 64})),  # type: ignore[index]
            "another image",
        ),
        ("svr", b'{"_type":"https://in-toto.io/Statement/v1"}', "about nothing"),
    ],
)
def test_a_signed_statement_that_contradicts_its_files_is_wrong(
    tmp_path: Path, name: str, statement: bytes, reason: str
) -> None:
    report = verify_bundle(rewritten(tmp_path, resigned(name, statement)), signers=WITH_KEY)
    path = f"attestations/{name}.sigstore.json"
    assert any(finding.what == path and reason in finding.reason for finding in report.wrong), report.wrong


def test_an_assessment_of_another_image_is_wrong(bundle: Path, tmp_path: Path) -> None:
    other = json.loads((bundle / "assessment.json").read_bytes())
    other["subject"]["digest"] = "sha256:" + "0" * 64
    files = {**signed_files(KEY), "assessment.json": json.dumps(other).encode()}
    report = verify_bundle(rewritten(tmp_path, files), signers=WITH_KEY)
    assert all("another image" in wrong(report)[f"attestations/{name}.sigstore.json"] for name in ("sbom", "svr"))


def digests(*contents: bytes) -> tuple[str, ...]:
    return tuple(hashlib.sha256(content).hexdigest() for content in contents)


def read_as(files: dict[str, bytes], text: tuple[str, ...] = ()) -> ReportChecks:
    return ReportChecks(read=lambda _: ReportContent(files=files, text=text))


def test_files_embedded_in_the_report_are_compared(bundle: Path) -> None:
    same = {"assessment.json": (bundle / "assessment.json").read_bytes()}
    assert not verify_bundle(bundle, signers=WITH_KEY, report=read_as(same)).wrong
    other = verify_bundle(bundle, signers=WITH_KEY, report=read_as({"assessment.json": b"{}"}))
    assert "embedded" in wrong(other)["report.pdf"]


def test_attestations_in_a_report_may_be_of_an_earlier_signer(bundle: Path) -> None:
    earlier = {"attestations/svr.sigstore.json": b"{}"}
    assert not verify_bundle(bundle, signers=WITH_KEY, report=read_as(earlier)).wrong


def test_the_digests_on_the_pages_are_those_of_the_data(bundle: Path) -> None:
    content = (bundle / "assessment.json").read_bytes()
    subject = json.loads(content)["subject"]["digest"]
    text = ("SHA-256", *digests(content), subject)
    report = verify_bundle(bundle, signers=WITH_KEY, report=read_as({"assessment.json": content}, text))
    assert not report.wrong
    assert "report.pdf, pages" in {finding.what for finding in report.findings if finding.verdict is Verdict.VERIFIED}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda text: text[1:], "do not show the sha256 of the assessment.json"),
        (lambda text: text[:1], "do not show the digest of the image"),
        (lambda text: (*text, "f" * 64), "a digest that the data embedded in it do not hold: ffff"),
        (lambda text: (text[0][:40], text[0][40:], "sha256:" + "e" * 64, text[1]), "eeee"),
    ],
)
def test_a_page_with_another_digest_is_wrong(
    bundle: Path, change: Callable[[tuple[str, ...]], tuple[str, ...]], reason: str
) -> None:
    content = (bundle / "assessment.json").read_bytes()
    text = change((*digests(content), json.loads(content)["subject"]["digest"]))
    report = verify_bundle(bundle, signers=WITH_KEY, report=read_as({"assessment.json": content}, text))
    assert reason in wrong(report)["report.pdf, pages"]


def test_pages_without_text_are_unproved(bundle: Path) -> None:
    content = (bundle / "assessment.json").read_bytes()
    report = verify_bundle(bundle, signers=WITH_KEY, report=read_as({"assessment.json": content}))
    assert "report.pdf, pages" in {finding.what for finding in report.unproved}


def embedded(key: SigningKey = KEY) -> dict[str, bytes]:
    """What a report carries: data, the key, and a signed reference to them."""
    files = {name: content for name, content in unsigned_files().items() if name != "report.pdf"}
    files["attestations/signing-key.pub"] = key.public_pem
    lines = [describe(path, files[path]) for path in files]
    references = [ReferencedFile(path=line.path, sha256=line.sha256, media_type=line.media_type) for line in lines]
    statement = reference_statement(document(assessment()), references)
    return {**files, "attestations/report-files.sigstore.json": key.sign_statement(statement)}


def alone(files: dict[str, bytes], **settings: Any) -> BundleReport:
    return verify_report(b"%PDF-", lambda _: ReportContent(files=files), signers=WITH_KEY, others={}, **settings)


def test_a_report_alone_is_verified_by_what_is_embedded_in_it() -> None:
    report = alone(embedded())
    assert not report.wrong
    signed = {finding.what for finding in report.findings if finding.reason == "its sha256 is signed"}
    assert signed == set(embedded()) - {"attestations/report-files.sigstore.json"}


@pytest.mark.parametrize("path", ["assessment.json", "findings.csv", "sbom.cdx.json"])
def test_a_file_embedded_in_a_report_alone_that_was_exchanged_is_wrong(path: str) -> None:
    files = embedded()
    files[path] = files[path].replace(b"e", b"E", 1)
    assert path in wrong(alone(files))


def test_a_report_alone_of_another_signer_is_wrong() -> None:
    assert wrong(alone(embedded(OTHER)))


@pytest.mark.parametrize("files", [{}, {"sbom.cdx.json": b"{}"}, {"assessment.json": b"{}", "../x": b""}])
def test_a_pdf_that_carries_no_evidence_is_a_store_error(files: dict[str, bytes]) -> None:
    with pytest.raises(StoreError):
        alone(files)


def test_what_else_is_asked_of_a_report_is_a_finding() -> None:
    def check(content: bytes) -> Answer:
        if content != b"%PDF-":
            raise FormatError("no PDF", code="pdf-invalid")
        return Answer(verdict=Verdict.INVALID, reason="signed by nobody we know")

    def read(content: bytes) -> ReportContent:
        return ReportContent(files=embedded())

    report = verify_report(b"%PDF-", read, signers=WITH_KEY, others={"signature": check})
    assert wrong(report) == {"signature": "signed by nobody we know"}
    report = verify_report(b"%PDF", read, signers=WITH_KEY, others={"signature": check})
    assert wrong(report) == {"signature": "no PDF"}


def test_two_references_that_disagree_are_wrong(tmp_path: Path) -> None:
    files = signed_files(KEY)
    other = {**files, "findings.csv": b"other"}
    lines = [describe(path, other[path]) for path in other if not path.startswith("attestations/")]
    references = [ReferencedFile(path=line.path, sha256=line.sha256, media_type=line.media_type) for line in lines]
    statement = reference_statement(document(assessment()), references)
    files["attestations/report-files.sigstore.json"] = KEY.sign_statement(statement)
    report = verify_bundle(rewritten(tmp_path, files), signers=WITH_KEY)
    assert "another sha256" in wrong(report)["attestations/report-files.sigstore.json"]


@pytest.mark.parametrize(
    ("verdict", "expected"),
    [(Verdict.VERIFIED, 0), (Verdict.INVALID, 4), (Verdict.UNCHECKED, 0)],
)
def test_whoever_is_demanded_otherwise_decides_on_every_attestation(
    bundle: Path, verdict: Verdict, expected: int
) -> None:
    asked: list[str] = []

    def prove(content: bytes, subject: str) -> Answer:
        asked.append(subject)
        return Answer(verdict=verdict, reason="as it was judged")

    report = verify_bundle(bundle, signers=Signers(prove=prove, demanding=True))
    assert len(asked) == 4
    assert len([finding for finding in report.wrong if "as it was judged" in finding.reason]) == expected
    covered = {finding.what for finding in report.findings if finding.reason == "its sha256 is signed"}
    assert bool(covered) is (verdict is Verdict.VERIFIED)


@pytest.mark.parametrize("path", ["../outside", "/etc/passwd", "a/../../b", "C:\\x", "a/./b", ""])
def test_a_manifest_that_points_outside_is_refused(bundle: Path, path: str) -> None:
    manifest = json.loads((bundle / "manifest.json").read_bytes())
    manifest["files"][0]["path"] = path
    (bundle / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(VerificationError, match="not a path inside"):
        verify_bundle(bundle)


@pytest.mark.parametrize("what", ["file", "folder", "manifest"])
def test_links_are_refused(bundle: Path, tmp_path: Path, what: str) -> None:
    aside = tmp_path / "aside"
    place = bundle / {"file": "report.pdf", "folder": "oscal", "manifest": "manifest.json"}[what]
    shutil.move(place, aside)
    place.symlink_to(aside)
    with pytest.raises(VerificationError, match="plain files only"):
        verify_bundle(bundle)


def test_a_manifest_with_a_huge_size_is_refused_before_anything_is_read(bundle: Path) -> None:
    manifest = json.loads((bundle / "manifest.json").read_bytes())
    manifest["files"][0]["size"] = 2**40
    (bundle / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(VerificationError, match="more than"):
        verify_bundle(bundle)


def test_a_file_that_grew_is_read_no_further_than_its_size(bundle: Path) -> None:
    with (bundle / "report.pdf").open("r+b") as file:
        file.truncate(600 * 2**20)  # sparse
    assert "too large" in wrong(verify_bundle(bundle, signers=WITH_KEY))["report.pdf"]


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"schemaVersion":"2"}', b"\xff", b"[" * 10**5])
def test_a_manifest_that_is_none_is_one_clear_error(bundle: Path, content: bytes) -> None:
    (bundle / "manifest.json").write_bytes(content)
    with pytest.raises(FormatError):
        verify_bundle(bundle)


def test_no_bundle_is_a_store_error(tmp_path: Path) -> None:
    for place in (tmp_path, tmp_path / "none"):
        with pytest.raises(StoreError):
            verify_bundle(place)


@given(content=st.binary(max_size=200))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_as_attestation_or_key_are_findings_or_clear_errors(tmp_path: Path, content: bytes) -> None:
    files = {**signed_files(KEY), "attestations/svr.sigstore.json": content, "attestations/signing-key.pub": content}
    assert verify_bundle(rewritten(tmp_path, files), signers=WITH_KEY).wrong
    assert verify_bundle(tmp_path / "rewritten").wrong
    with pytest.raises(ComplianceError):
        verify_bundle(tmp_path / "rewritten", signers=Signers(key=content))


PDF = signed_files(KEY)["report.pdf"]
SIGNATURE = "report.pdf.sigstore.json"


def with_report_signature(signer: SigningKey, content: bytes = PDF, **more: bytes) -> dict[str, bytes]:
    """A signed bundle with a report, and a signature of `content` beside it."""
    bundle = signer.sign_statement(file_signature_statement("report.pdf", content))
    return {**signed_files(KEY), SIGNATURE: bundle, **more}


def answer_of(report: BundleReport, what: str) -> tuple[Verdict, str]:
    found = [(one.verdict, one.reason) for one in report.findings if one.what == what]
    assert len(found) == 1, found
    return found[0]


def test_the_signature_beside_the_report_is_about_its_bytes(tmp_path: Path) -> None:
    report = verify_bundle(rewritten(tmp_path, with_report_signature(KEY)), signers=WITH_KEY)
    assert answer_of(report, SIGNATURE) == (Verdict.VERIFIED, "signed: the bytes of report.pdf")
    assert not report.wrong
    listed = {
        line["path"]: line["role"] for line in json.loads((tmp_path / "rewritten/manifest.json").read_bytes())["files"]
    }
    assert listed[SIGNATURE] == "signature"


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        (with_report_signature(KEY, PDF + b"."), "it is no signature of the report.pdf beside it"),
        (with_report_signature(OTHER), "its signature does not verify"),
        (
            {**with_report_signature(KEY), SIGNATURE: signed_files(KEY)["attestations/svr.sigstore.json"]},
            "it is no signature of the report.pdf beside it",
        ),
        (
            {path: content for path, content in with_report_signature(KEY).items() if path != "report.pdf"},
            "report.pdf, which it signs, is missing or damaged",
        ),
    ],
)
def test_a_signature_of_another_file_or_signer_is_none_of_the_report(
    tmp_path: Path, files: dict[str, bytes], reason: str
) -> None:
    report = verify_bundle(rewritten(tmp_path, files), signers=WITH_KEY)
    verdict, said = answer_of(report, SIGNATURE)
    assert verdict is Verdict.INVALID
    assert reason in said


def test_a_signature_of_a_file_is_no_attestation_about_the_image(tmp_path: Path) -> None:
    files = signed_files(KEY)
    files["attestations/own.sigstore.json"] = KEY.sign_statement(file_signature_statement("report.pdf", PDF))
    report = verify_bundle(rewritten(tmp_path, files), signers=WITH_KEY)
    assert answer_of(report, "attestations/own.sigstore.json") == (Verdict.INVALID, "it is about another image")
