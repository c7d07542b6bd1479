"""``assess --evidence --sign-key`` signs report.pdf itself too."""

import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from compliance.cli.main import run
from compliance.errors import UsageError
from reports.pdf_signature import read_signature
from tests.builders.timestamp_server import StampingKey, serving

TIME = "2026-11-01T12:00:00Z"


def assess(image: Path, folder: Path, *arguments: str) -> int:
    chosen = ("--effective-time", TIME, "--framework", "nist-ssdf", "-q", "-o", f"json={folder}.json")
    return run(["assess", f"oci-dir:{image}", *chosen, "--evidence", str(folder), *arguments])


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("image") / "hardened"
    shutil.copytree(Path(__file__).resolve().parents[3] / "examples" / "images" / "hardened", path)
    return path


def test_the_report_is_signed_and_what_is_unsigned_repeats(image: Path, tmp_path: Path) -> None:
    key = tmp_path / "key.pem"
    assess(image, tmp_path / "plain")
    assess(image, tmp_path / "one", "--sign-key", f"generate:{key}")
    with serving(StampingKey(datetime.now(UTC)).answer) as url:
        assess(image, tmp_path / "two", "--sign-key", str(key), "--tsa-url", url)
    plain, one, two = ((tmp_path / name / "report.pdf").read_bytes() for name in ("plain", "one", "two"))
    assert read_signature(plain) is None
    first, second = read_signature(one), read_signature(two)
    assert first is not None
    assert second is not None
    assert (first.level, second.level) == ("B-B", "B-T")
    assert first.key_id == second.key_id
    assert first.certificate_sha256 == second.certificate_sha256
    shared = next(place for place in range(len(one)) if one[place] != two[place])
    assert one.rfind(b"%%EOF", 0, shared) > 50_000
    assert one[: one.rfind(b"%%EOF", 0, shared)].startswith(b"%PDF-1.7")


def test_its_verification_is_part_of_the_evidence(
    image: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key = tmp_path / "key.pem"
    assess(image, tmp_path / "e", "--sign-key", f"generate:{key}")
    capsys.readouterr()
    assert run(["evidence", "verify", str(tmp_path / "e"), "--key", f"{key}.pub"]) == 0
    assert "report.pdf, signature: nothing of it changed since it was signed (PAdES B-B)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--tsa-url", "http://localhost/"], "--tsa-url is for a signature with a key"),
        (["--sign-certificate", "x.pem"], "--sign-certificate is for a signature with a key"),
        (["--sign-key", "generate:K", "--tsa-certificate", "x.pem"], "--tsa-certificate is for --tsa-url"),
        (["--sign-key", "generate:K", "--tsa-url", "http://localhost/", "--offline"], "--offline touches no network"),
    ],
)
def test_options_that_do_not_fit_are_mistakes(
    arguments: list[str], message: str, image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=message):
        assess(image, tmp_path / "e", *arguments)


def test_openssl_reads_the_certificate_that_a_key_makes(tmp_path: Path) -> None:
    from cryptography.hazmat.primitives.asymmetric import ec

    from compliance.sign.key_signer import SigningKey
    from compliance.sign.self_signed import self_signed

    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")
    file = tmp_path / "own.pem"
    certificate = self_signed(SigningKey(private=ec.generate_private_key(ec.SECP256R1())))
    file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    done = subprocess.run([openssl, "verify", "-CAfile", str(file), str(file)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
