"""``--waivers`` and ``hullmark waivers check``: what is covered, what is said, who signed, exit codes."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from compliance.cli.main import run
from compliance.errors import PolicyError, VerificationError

KEY = ec.derive_private_key(7, ec.SECP256R1())
OTHER = ec.derive_private_key(8, ec.SECP256R1())
TIME = "2026-11-20T00:00:00Z"


@dataclass(frozen=True)
class Bench:
    root: Path
    image: Path

    def write(self, *entries: dict[str, object], name: str = "w.yaml") -> Path:
        path = self.root / name
        path.write_text(json.dumps({"schema": 1, "waivers": list(entries)}))
        return path

    def sign(self, file: Path, key: ec.EllipticCurvePrivateKey = KEY) -> None:
        content = file.read_bytes()
        encoded = base64.b64encode
        bundle = {
            "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
            "verificationMaterial": {"publicKey": {"hint": "x"}},
            "messageSignature": {
                "messageDigest": {
                    "algorithm": "SHA2_256",
                    "digest": encoded(hashlib.sha256(content).digest()).decode(),
                },
                "signature": encoded(key.sign(content, ec.ECDSA(hashes.SHA256()))).decode(),
            },
        }
        Path(f"{file}.sigstore.json").write_text(json.dumps(bundle))

    def key(self) -> tuple[str, ...]:
        path = self.root / "key.pub"
        path.write_bytes(KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
        return ("--key", str(path), "--insecure-ignore-tlog")

    def assess(self, *arguments: object) -> dict[str, Any]:
        out = self.root / "assessment.json"
        run(
            ["assess", f"oci-dir:{self.image}", "-q", "-o", f"json={out}", "--effective-time", TIME]
            + [str(argument) for argument in arguments]
        )
        return json.loads(out.read_bytes())  # type: ignore[no-any-return]


@pytest.fixture
def bench(tmp_path: Path, samples: Path) -> Bench:
    return Bench(tmp_path, samples / "ordinary")


def entry(bench: Bench, **more: object) -> dict[str, object]:
    plain = {
        "id": "W-1", "check": "RM-SHELL", "images": [f"oci-dir:{bench.image}"], "approver": "security@acme.example",
        "reason": "The start script needs it.", "ticket": "SEC-1",
        "created": "2026-10-01T00:00:00Z", "expires": "2027-06-01T00:00:00Z",
    }  # fmt: skip
    return {key: value for key, value in {**plain, **more}.items() if value is not None}


def check(document: dict[str, Any], name: str = "RM-SHELL") -> dict[str, Any]:
    return next(one for one in document["checks"] if one["id"] == name)


def test_a_waived_failure_stays_a_failure_and_says_who_accepted_it(bench: Bench) -> None:
    file = bench.write(entry(bench), entry(bench, id="W-2", expires="2026-11-01T00:00:00Z"))
    plain, waived = bench.assess(), bench.assess("--waivers", file)
    assert check(plain)["outcome"] == check(waived)["outcome"] == "failed"
    assert check(plain)["waiver"] is None
    waiver = check(waived)["waiver"]
    assert (waiver["id"], waiver["ticket"], waiver["signer"], waiver["expires"]) == (
        "W-1",
        "SEC-1",
        None,
        "2027-06-01T00:00:00Z",
    )
    assert [(use["waiver"]["id"], use["state"]) for use in waived["waivers"]] == [
        ("W-1", "applied"),
        ("W-2", "expired"),
    ]
    assert waived["summary"]["checks"] == plain["summary"]["checks"]
    assert waived["summary"]["waived"] == 1
    statuses = [[control["status"] for control in one["controls"]] for one in (plain, waived)]
    assert statuses[0] == statuses[1]
    (definition,) = waived["definitions"]
    assert (definition["role"], definition["sha256"]) == ("waivers", hashlib.sha256(file.read_bytes()).hexdigest())


def test_it_is_visible_in_every_format(bench: Bench) -> None:
    file = bench.write(entry(bench))
    text = {name: bench.root / name for name in ("table", "markdown", "csv", "oscal-ar")}
    bench.assess("--waivers", file, *(word for name, path in text.items() for word in ("-o", f"{name}={path}")))
    for name, path in text.items():
        assert "RM-SHELL" in path.read_text()
        said = "W-1" if name in ("csv", "oscal-ar") else "aived by security"
        assert said in path.read_text(), name


def test_the_effective_time_decides_what_has_expired(bench: Bench) -> None:
    file = bench.write(entry(bench, expires="2026-11-20T00:00:01Z"))
    assert check(bench.assess("--waivers", file))["waiver"] is not None
    later = bench.assess("--waivers", file, "--effective-time", "2026-11-20T00:00:01Z")
    assert check(later)["waiver"] is None


def test_the_signer_of_a_file_is_told_where_one_was_named(bench: Bench) -> None:
    file = bench.write(entry(bench))
    bench.sign(file)
    (definition,) = bench.assess("--waivers", file, *bench.key())["definitions"]
    assert definition["signer"].startswith("key ")
    (unasked,) = bench.assess("--waivers", file)["definitions"]
    assert unasked["signer"] is None


def test_a_bundle_that_does_not_verify_ends_the_run(bench: Bench) -> None:
    file = bench.write(entry(bench))
    bench.sign(file, OTHER)
    with pytest.raises(VerificationError, match="does not verify"):
        bench.assess("--waivers", file, *bench.key())
    bench.sign(file)
    file.write_text(file.read_text() + "\n")
    with pytest.raises(VerificationError, match="about another file"):
        bench.assess("--waivers", file, *bench.key())


POLICY = """schema: 1
signers:
  security: {key: key.pub, transparency-log: not-required}
rules:
  - images: "%s"
    require:
      - {what: signature, by: security}
"""


def test_a_trust_policy_with_a_rule_for_waiver_files_takes_only_signed_ones(bench: Bench) -> None:
    bench.key()
    file = bench.write(entry(bench))
    policy = bench.root / "trust.yaml"
    check_ = ["waivers", "check", str(file), "--trust", str(policy), "--effective-time", TIME]
    policy.write_text(POLICY % "**")
    assert run(check_) == 0  # rules for all images are not for files
    policy.write_text(POLICY % "waivers/*.yaml")
    with pytest.raises(VerificationError, match="does not hold"):
        run(check_)
    bench.sign(file)
    assert run(check_) == 0


def test_check_lists_what_must_be_mended(bench: Bench, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    document = bench.root / "assessment.json"
    bench.assess()
    file = bench.write(
        entry(bench, id="good"),
        entry(bench, id="soon", expires="2026-12-01T00:00:00Z"),
        entry(bench, id="ended", expires="2026-11-01T00:00:00Z"),
        entry(bench, id="endless", expires=None),
        entry(bench, id="misspelt", check="RM-SHEL"),
        entry(bench, id="needless", check="NR-SUDO", paths=["opt/nothing"]),
        entry(bench, id="broad", images=["**"]),
    )
    arguments = ["waivers", "check", str(file), "--assessment", str(document), "--effective-time", TIME]
    assert run(arguments) == 10
    capfdbinary.readouterr()
    assert run([*arguments, "--json"]) == 10
    found = json.loads(capfdbinary.readouterr().out)
    assert {one["id"]: [wrong["kind"] for wrong in one["wrong"]] for one in found["waivers"]} == {
        "good": [],
        "soon": [],
        "ended": ["expired"],
        "endless": ["never-expires"],
        "misspelt": ["orphaned"],
        "needless": ["orphaned"],
        "broad": ["too-broad"],
    }
    assert [one["id"] for one in found["waivers"] if one["expiresSoon"]] == ["soon"]
    assert found["file"]["signer"] is None


def test_nothing_to_mend_is_exit_0(bench: Bench) -> None:
    assert run(["waivers", "check", str(bench.write(entry(bench))), "--effective-time", TIME]) == 0


def test_two_files_with_one_id_are_an_error(bench: Bench) -> None:
    first, second = bench.write(entry(bench)), bench.write(entry(bench), name="v.yaml")
    with pytest.raises(PolicyError, match="is also in"):
        bench.assess("--waivers", first, "--waivers", second)
