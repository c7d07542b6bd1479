"""`hullmark evidence` on a folder, a report alone and an image: what holds, what does not, and what is not shown."""

from __future__ import annotations

import json
import random
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from compliance.api import evidence_place, report_signature
from compliance.cli.main import run
from compliance.errors import ComplianceError, ExitCode, StoreError, VerificationError
from compliance.model.verification import Verdict
from compliance.pipeline import Options
from compliance.sign.key_signer import SigningKey, load_or_generate
from compliance.store.evidence_bundle import ReportChecks, ReportContent, Signers, write_bundle
from reports.assessment_json import parse
from reports.pdf_attachments import embedded_files
from reports.pdf_text import page_text
from tests.builders.evidence_files import signed_files
from tests.builders.layout import simple_image
from tests.builders.sigstore_instance import IDENTITY, ISSUER, START, Mistakes, SigstoreInstance

TIME = "2026-11-01T00:00:00Z"


@dataclass(frozen=True, kw_only=True)
class Made:
    """An image with evidence attached to it, the evidence, and the key that signed it."""

    image: Path
    attached: Path
    folder: Path
    key: Path

    @property
    def report(self) -> Path:
        return self.folder / "report.pdf"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    root = tmp_path_factory.mktemp("made")
    image = simple_image(root / "image", ({"etc/os-release": "ID=demo\n", "bin/tool": "#!/bin/sh\n"},))
    folder = root / "evidence"
    load_or_generate(root / "key.pem")
    command = ("assess", f"oci-dir:{image}", "-q", "--no-cache", "--effective-time", TIME, "--framework", "slsa")
    run((*command, "--evidence", str(folder), "--sign-key", str(root / "key.pem"), "-o", f"json={root / 'a.json'}"))
    shutil.copytree(image, root / "attached")
    run(("attest", f"oci-dir:{root / 'attached'}", "--evidence", str(folder), "-q", "-o", f"json={root / 't.json'}"))
    return Made(image=image, attached=root / "attached", folder=folder, key=folder / "attestations" / "signing-key.pub")


def verified(capfd: pytest.CaptureFixture[str], place: object, *arguments: object) -> tuple[int, dict[str, Any]]:
    """The exit code and the document; what was said is one document, or one line of error."""
    capfd.readouterr()
    try:
        code = run(("evidence", "verify", str(place), "-o", "json", *map(str, arguments)))
    except VerificationError as error:
        code = error.exit_code
    return code, json.loads(capfd.readouterr().out)


def verdicts(document: dict[str, Any], verdict: str) -> dict[str, str]:
    return {item["what"]: item["reason"] for item in document["findings"] if item["verdict"] == verdict}


@pytest.mark.parametrize("kind", ["folder", "report", "attached"])
def test_evidence_verifies_wherever_it_lies(made: Made, kind: str, capfd: pytest.CaptureFixture[str]) -> None:
    place = f"oci-dir:{made.attached}" if kind == "attached" else getattr(made, kind)
    code, document = verified(capfd, place, "--key", made.key)
    assert (code, verdicts(document, "invalid"), verdicts(document, "unchecked")) == (0, {}, {})
    shown = verdicts(document, "verified")
    assert shown["assessment.json"] == "its sha256 is signed"
    assert "are those of the data" in shown["report.pdf, pages"]
    assert "PAdES" in shown["report.pdf, signature"]
    assert ("report.pdf, made again" in shown) is (kind == "report")
    assert ("attached evidence" in shown) is (kind == "attached")


def test_without_a_key_it_says_that_nobody_was_demanded(made: Made, capfd: pytest.CaptureFixture[str]) -> None:
    code, document = verified(capfd, made.report)
    assert code == 0
    assert "not who signed" in verdicts(document, "unchecked")["signer"]


def test_another_key_is_not_accepted_anywhere(made: Made, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    other = tmp_path / "other.pub"
    other.write_bytes(SigningKey(private=ec.generate_private_key(ec.SECP256R1())).public_pem)
    for place in (made.folder, made.report, f"oci-dir:{made.attached}"):
        code, document = verified(capfd, place, "--key", other)
        assert code == ExitCode.NOT_VERIFIED
        assert "attestations/report-files.sigstore.json" in verdicts(document, "invalid")


def test_a_report_that_somebody_else_signed_again_does_not_count_as_signed(
    made: Made, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Changed pages, the data and their signature left as they are, and a new signature over all of it."""
    from datetime import UTC, datetime

    from compliance.sign.pdf_signer import pdf_signer

    signed = made.report.read_bytes()
    unsigned = b"%PDF-1.6" + signed[8 : signed.index(b"%%EOF") + 6]
    assert not signed.startswith(unsigned)
    stranger = pdf_signer(SigningKey(private=ec.derive_private_key(424242, ec.SECP256R1())))
    forged = tmp_path / "report.pdf"
    forged.write_bytes(stranger.sign(unsigned, datetime(2026, 11, 1, tzinfo=UTC)))
    code, document = verified(capfd, forged)
    assert code == ExitCode.NOT_DETERMINED
    assert "nobody demanded this signer" in verdicts(document, "unchecked")["report.pdf, signature"]
    assert "it is another" in verdicts(document, "unchecked")["report.pdf, made again"]
    assert verified(capfd, forged, "--key", made.key)[0] == ExitCode.NOT_VERIFIED


def test_an_unsigned_report_alone_shows_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    from reports import pdf

    image = simple_image(tmp_path / "image", ({"etc/os-release": "ID=demo\n"},))
    run(("assess", f"oci-dir:{image}", "-q", "-o", f"json={tmp_path / 'a.json'}"))
    report = tmp_path / "report.pdf"
    report.write_bytes(pdf.render(parse((tmp_path / "a.json").read_bytes())))
    code, document = verified(capfd, report)
    assert code == ExitCode.NOT_DETERMINED
    assert not verdicts(document, "invalid")
    assert "to the byte" in verdicts(document, "verified")["report.pdf, made again"]


def test_evidence_about_another_image_than_it_hangs_on_is_wrong(
    made: Made, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    from compliance.ingest.source import parse_reference
    from compliance.sign.attach import attach
    from compliance.sign.attachment import EvidenceFile, Subject, evidence_attachment
    from compliance.sign.layout_place import LayoutPlace

    other = simple_image(tmp_path / "other", ({"etc/hostname": "other"},))
    image = evidence_place.open_evidence(f"oci-dir:{made.attached}", options()).image
    assert image is not None
    from compliance.pipeline import open_image

    target = open_image(f"oci-dir:{other}", options())
    subject = Subject(digest=target.digest, media_type=target.media_type, size=len(target.manifest))
    files = [
        EvidenceFile(path=path, media_type="application/json", content=content)
        for path, content in evidence_place.open_evidence(f"oci-dir:{made.attached}", options()).files.items()
    ]
    attach(
        LayoutPlace(Path(parse_reference(f"oci-dir:{other}").target)),
        target.digest,
        [evidence_attachment(files, subject, START)],
        "sha256-x",
    )
    code, document = verified(capfd, f"oci-dir:{other}", "--key", made.key)
    assert code == ExitCode.NOT_VERIFIED
    assert "another image than the one it is attached to" in verdicts(document, "invalid")["attached evidence"]


def options() -> Options:
    return Options(now=START)


def test_a_place_without_evidence_says_so(made: Made, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no evidence is attached"):
        run(("evidence", "verify", f"oci-dir:{made.image}"))
    with pytest.raises(StoreError, match=r"there is no manifest\.json"):
        run(("evidence", "verify", str(tmp_path)))
    (tmp_path / "empty.pdf").write_bytes(b"%PDF-1.7\n")
    with pytest.raises(ComplianceError, match="can't read the PDF"):
        run(("evidence", "show", str(tmp_path / "empty.pdf")))


def test_an_identity_is_demanded_of_evidence_signed_without_a_key(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    instance = SigstoreInstance()

    class Keyless(SigningKey):
        def sign_statement(self, statement: bytes) -> bytes:
            return instance.bundle(statement, Mistakes())

    files = signed_files(Keyless(private=ec.generate_private_key(ec.SECP256R1())))
    del files["report.pdf"], files["attestations/signing-key.pub"], files["attestations/reference.sigstore.json"]
    write_bundle(tmp_path / "evidence", files)
    (tmp_path / "root.json").write_text(json.dumps(instance.trusted_root()))
    by = ("--trusted-root", tmp_path / "root.json", "--certificate-oidc-issuer", ISSUER, "--certificate-identity")
    code, document = verified(capfd, tmp_path / "evidence", *by, IDENTITY)
    assert code == 0
    assert IDENTITY in verdicts(document, "verified")["attestations/svr.sigstore.json"]
    code, document = verified(capfd, tmp_path / "evidence", *by, "https://somebody.test/else")
    assert code == ExitCode.NOT_VERIFIED
    assert "not the demanded signer" in verdicts(document, "invalid")["attestations/svr.sigstore.json"]
    code, document = verified(capfd, tmp_path / "evidence", "--trusted-root", tmp_path / "root.json")
    assert code == 0
    assert "not that they may" in verdicts(document, "verified")["attestations/svr.sigstore.json"]


@pytest.mark.parametrize("kind", ["folder", "report", "attached"])
def test_show_fits_one_screen_and_says_whether_it_holds(
    made: Made, kind: str, capfd: pytest.CaptureFixture[str]
) -> None:
    place = f"oci-dir:{made.attached}" if kind == "attached" else str(getattr(made, kind))
    assert run(("evidence", "show", place)) == 0
    text = capfd.readouterr().out
    assert len(text.splitlines()) <= 24
    assessed = parse((made.folder / "assessment.json").read_bytes())
    assert assessed["subject"]["digest"] in text
    assert "2026-11-01 00:00 UTC" in text
    assert "nothing changed since key" in text
    assert run(("evidence", "show", place, "-o", "json")) == 0
    document = json.loads(capfd.readouterr().out)
    assert document["holds"] is True
    assert document["summary"] == assessed["summary"]


def test_show_says_what_does_not_hold(made: Made, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(made.folder, tmp_path / "changed")
    with (tmp_path / "changed" / "findings.csv").open("ab") as file:
        file.write(b"more\n")
    assert run(("evidence", "show", str(tmp_path / "changed"))) == ExitCode.NOT_VERIFIED
    assert "DOES NOT HOLD  findings.csv" in capfd.readouterr().out


def snapshot(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_what_is_unpacked_is_what_was_there_and_verifies(
    made: Made, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for kind, place in (("folder", str(made.folder)), ("attached", f"oci-dir:{made.attached}")):
        assert run(("evidence", "unpack", place, "--to", str(tmp_path / kind), "-q")) == 0
        assert snapshot(tmp_path / kind) == snapshot(made.folder)
    assert run(("evidence", "unpack", str(made.report), "--to", str(tmp_path / "report"), "-q")) == 0
    embedded = embedded_files(made.report.read_bytes())
    assert {
        name: content for name, content in snapshot(tmp_path / "report").items() if name != "manifest.json"
    } == embedded
    assert verified(capfd, tmp_path / "report", "--key", made.key)[0] == 0


def test_nothing_is_unpacked_over_something_or_out_of_what_does_not_hold(made: Made, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "work.txt").write_bytes(b"mine")
    with pytest.raises(StoreError):
        run(("evidence", "unpack", str(made.folder), "--to", str(tmp_path / "mine")))
    shutil.copytree(made.folder, tmp_path / "changed")
    (tmp_path / "changed" / "findings.csv").write_bytes(b"other")
    with pytest.raises(VerificationError):
        run(("evidence", "unpack", str(tmp_path / "changed"), "--to", str(tmp_path / "to")))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["changed", "mine"]


def test_replay_on_the_same_image_gives_the_same_results(made: Made, capfd: pytest.CaptureFixture[str]) -> None:
    code, document = verified(capfd, made.folder, "--replay", f"oci-dir:{made.image}", "--no-cache")
    assert code == 0
    checks = parse((made.folder / "assessment.json").read_bytes())["checks"]
    assert f"{len(checks)} checks came out as in the evidence" in verdicts(document, "verified")["replay"]


def test_replay_tells_what_lies_with_the_image_now_from_the_image(
    made: Made, capfd: pytest.CaptureFixture[str]
) -> None:
    code, document = verified(capfd, made.report, "--replay", f"oci-dir:{made.attached}", "--no-cache")
    assert code == ExitCode.NOT_DETERMINED
    differing = {what: why for what, why in verdicts(document, "unchecked").items() if what.startswith("replay")}
    assert "replay, SP-SBOM" in differing
    assert "signatures and attestations that lie with the image" in differing["replay, SP-SBOM"]


def test_replay_on_another_image_is_wrong(made: Made, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    other = simple_image(tmp_path / "other", ({"etc/hostname": "other"},))
    code, document = verified(capfd, made.folder, "--replay", f"oci-dir:{other}")
    assert code == ExitCode.NOT_VERIFIED
    assert "another image" in verdicts(document, "invalid")["replay"]


def test_replay_finds_an_assessment_that_was_altered_and_signed_by_its_maker(
    made: Made, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Nothing in the evidence itself can show that: whoever makes it can sign what they like."""
    content = json.loads((made.folder / "assessment.json").read_bytes())
    check = next(check for check in content["checks"] if check["outcome"] == "failed")
    check["outcome"] = "passed"
    write_bundle(tmp_path / "altered", {"assessment.json": json.dumps(content).encode()})
    code, document = verified(capfd, tmp_path / "altered", "--replay", f"oci-dir:{made.image}")
    assert code == ExitCode.NOT_VERIFIED
    assert "passed in the evidence, failed now" in verdicts(document, "invalid")[f"replay, {check['id']}"]


def caught(place: str, key: bytes) -> bool:
    """Whether something that was changed is not taken for whole."""

    def read(content: bytes) -> ReportContent:
        return ReportContent(files=embedded_files(content), text=page_text(content))

    checks = ReportChecks(read=read, others={report_signature.WHAT: report_signature.signature_check(key)})
    try:
        evidence = evidence_place.open_evidence(place, options())
        found = evidence_place.verify(evidence, Signers(key=key), checks)
        found.demand()
    except ComplianceError:
        return True
    shown = {finding.what for finding in found.findings if finding.verdict is Verdict.VERIFIED}
    whole = evidence.report is None or report_signature.WHAT in shown
    return not (whole and any(what.startswith("attestations/") for what in shown))


@pytest.mark.parametrize(("part", "flips"), [("report", 12), ("signature", 12), ("folder", 12), ("attached", 6)])
def test_no_flipped_byte_goes_unseen(made: Made, tmp_path: Path, part: str, flips: int) -> None:
    """A few in every run: each costs as much as verifying the whole."""
    chance = random.Random(20261101)  # noqa: S311
    if part == "attached":
        root = tmp_path / "image"
        shutil.copytree(made.attached, root)
        place = f"oci-dir:{root}"
        evidence = evidence_place.open_evidence(place, options())
        contents = set(evidence.files.values())
        files = [path for path in (root / "blobs" / "sha256").iterdir() if path.read_bytes() in contents]
        files = [path for path in files if path.stat().st_size]
    elif part == "folder":
        shutil.copytree(made.folder, tmp_path / "evidence")
        place, files = str(tmp_path / "evidence"), sorted(p for p in (tmp_path / "evidence").rglob("*") if p.is_file())
    else:
        shutil.copy(made.report, tmp_path / "report.pdf")
        place, files = str(tmp_path / "report.pdf"), [tmp_path / "report.pdf"]
    key = made.key.read_bytes()
    assert not caught(place, key)
    for _ in range(flips):
        path = chance.choice(files)
        content = path.read_bytes()
        begin = content.rindex(b"/Contents <") + 10 if part == "signature" else 0
        position = chance.randrange(begin, len(content))
        path.write_bytes(
            content[:position] + bytes((content[position] ^ chance.randint(1, 255),)) + content[position + 1 :]
        )
        assert caught(place, key), (path.name, position)
        path.write_bytes(content)
