"""Other programs judge the report: veraPDF its PDF/A-3a and PDF/UA-1, poppler's pdfsig its signature.

tools/verapdf brings veraPDF; without it, or without Java or pdfsig, the tests skip (with CI=true they fail).
"""

import os
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from compliance.fleet.report import fleet_report
from compliance.sign.key_signer import SigningKey
from compliance.sign.pdf_signer import pdf_signer
from compliance.sign.timestamps import TimestampService
from reports import assessment_json, fleet_pdf, pdf, pdf_variant
from reports.branding import Branding, read_branding
from reports.document import Document
from reports.language import shipped_language
from tests.builders import fleet_hostile
from tests.builders.assessment import assessment
from tests.builders.fleet import NAME, fleet
from tests.builders.hostile_document import hostile
from tests.builders.timestamp_server import StampingKey, serving

NOW = datetime(2026, 11, 2, 8, 30, tzinfo=UTC)
FLAVOURS = ("3a", "ua1")
LOGO = (
    b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 60 20"><rect width="60" height="20" fill="#d9a400"/>'
    b'<path d="M5 15 L15 5 L25 15 Z" fill="#ffffff"/></svg>'
)


def missing(what: str) -> None:
    if os.environ.get("CI") == "true":
        pytest.fail(what)
    pytest.skip(what)


@pytest.fixture(scope="session")
def verapdf(checkout: Path) -> list[str]:
    jar = Path(os.environ.get("HULLMARK_TEST_BIN") or checkout / ".interop") / "verapdf.jar"
    java = shutil.which("java")
    if java is None or not jar.is_file():
        missing(f"veraPDF needs java and {jar}: run tools/verapdf")
    return [str(java), "-cp", str(jar), "org.verapdf.apps.GreenfieldCliWrapper"]


@pytest.fixture(scope="session")
def pdfsig() -> str:
    program = shutil.which("pdfsig")
    if program is None:
        missing("pdfsig is not installed (Debian: poppler-utils)")
    return str(program)


@pytest.fixture(scope="module")
def document() -> Document:
    return assessment_json.document(assessment())


def reports(document: Document) -> dict[str, bytes]:
    """Reports of every kind, by name."""
    branding = read_branding(
        title="Release gate", organisation="Example Org", logo=LOGO, classification="CONFIDENTIAL", contacts=("a@b",)
    )
    german = shipped_language("de")
    assert german is not None
    plain = pdf.render(document, attachments={"sbom.cdx.json": b"{}\n", "oscal/assessment-plan.json": b"{}\n"})
    key = SigningKey(private=ec.generate_private_key(ec.SECP256R1()))
    other = SigningKey(private=rsa.generate_private_key(65537, 2048))
    stamping = StampingKey(NOW)
    with serving(stamping.answer) as url:
        stamped = pdf_signer(key, timestamps=TimestampService(url=url)).sign(plain, NOW)
        service = TimestampService(url=url, roots=(stamping.root,))
        long_term = pdf_signer(key, timestamps=service).sign(plain, NOW)
    return {
        "unsigned.pdf": plain,
        "signed.pdf": pdf_signer(key).sign(plain, NOW),
        "signed-rsa.pdf": pdf_signer(other).sign(plain, NOW),
        "stamped.pdf": stamped,
        "long-term.pdf": long_term,
        "branded.pdf": pdf.render(document, branding=branding),
        "german.pdf": pdf.render(document, branding=read_branding(language=german)),
        "hostile.pdf": pdf.render(hostile(document)),
        "bare.pdf": pdf.render(assessment_json.document(assessment(frameworks=0))),
        **fleet_reports(branding),
    }


def fleet_reports(branding: Branding) -> dict[str, bytes]:
    """Those of a fleet."""
    found = fleet_report(fleet(images=12, runs=3), NAME, tool={"name": "hullmark", "version": "0.1.0"})
    return {
        "fleet.pdf": fleet_pdf.render(found, branding=branding),
        "fleet-hostile.pdf": fleet_pdf.render(fleet_hostile.hostile(found)),
    }


@pytest.fixture(scope="module")
def folder(document: Document, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("reports")
    for name, content in reports(document).items():
        (path / name).write_bytes(content)
    return path


def failures(verapdf: list[str], flavour: str, files: list[Path]) -> dict[str, list[str]]:
    """By file, the rules of `flavour` that it breaks, each with what veraPDF says of it."""
    done = subprocess.run([*verapdf, "-f", flavour, "--format", "xml", *map(str, files)], capture_output=True)
    report = ElementTree.fromstring(done.stdout)  # noqa: S314  veraPDF's own
    found: dict[str, list[str]] = {}
    for job in report.iter("job"):
        name = Path(str(job.findtext("item/name"))).name
        result = job.find("validationReport")
        assert result is not None, done.stdout.decode()
        rules = [rule for rule in result.iter("rule") if rule.get("status") == "failed"]
        found[name] = [
            f"{rule.get('clause')}-{rule.get('testNumber')} {rule.findtext('.//errorMessage')}" for rule in rules
        ]
        assert (result.get("isCompliant") == "true") == (not rules)
    return found


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_every_kind_of_report_is_valid(flavour: str, verapdf: list[str], folder: Path) -> None:
    files = sorted(folder.glob("*.pdf"))
    assert failures(verapdf, flavour, files) == {file.name: [] for file in files}


def test_a_report_that_is_not_tagged_is_caught(
    verapdf: list[str], document: Document, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That the validator sees anything at all."""
    monkeypatch.setattr(pdf_variant, "register", lambda: "pdf/a-3u")
    bad = tmp_path / "bad.pdf"
    bad.write_bytes(pdf.render(document))
    assert failures(verapdf, "ua1", [bad])["bad.pdf"]


@pytest.mark.parametrize("name", ["signed.pdf", "signed-rsa.pdf", "stamped.pdf", "long-term.pdf"])
def test_pdfsig_accepts_the_signature(name: str, pdfsig: str, folder: Path) -> None:
    done = subprocess.run([pdfsig, "-nocert", str(folder / name)], capture_output=True, text=True)
    assert "Signature is Valid." in done.stdout
    assert "Total document signed" in done.stdout
    assert "ETSI.CAdES.detached" in done.stdout


def test_pdfsig_refuses_a_changed_report(pdfsig: str, folder: Path, tmp_path: Path) -> None:
    changed = bytearray((folder / "signed.pdf").read_bytes())
    changed[len(changed) // 4] ^= 1
    (tmp_path / "changed.pdf").write_bytes(changed)
    done = subprocess.run([pdfsig, "-nocert", str(tmp_path / "changed.pdf")], capture_output=True, text=True)
    assert "Signature is Valid." not in done.stdout
