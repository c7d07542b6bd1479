"""CPU seconds for verifying an image with many attestations, after import: `python -m tests.benchmarks.verification`.

Each is a keyless bundle with certificate, certificate timestamp, log promise and inclusion proof, in an OCI layout; the
time is that of reading them out of the layout and holding them against a trust policy. The first verification in a
process, with the imports it makes, is told by itself.
"""

from __future__ import annotations

import json
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from compliance.formats.intoto import write_statement
from compliance.pipeline import Options, Trust, open_image, verify
from compliance.verify.trust_policy import TrustPolicy
from compliance.verify.trust_policy_file import read_policy
from tests.builders.layout import Layout
from tests.builders.signed_layout import attach
from tests.builders.sigstore_instance import IDENTITY, ISSUER, Mistakes, SigstoreInstance

COUNTS = (1, 20, 50, 100, 200, 400)
ROUNDS = 3
PREDICATE = "https://example.test/predicate/v1"


def main() -> None:
    """Measure each count, print a line each."""
    instance = SigstoreInstance()
    options = Options(trust=Trust(policy=_policy(instance)), now=datetime(2026, 12, 1, tzinfo=UTC))
    with tempfile.TemporaryDirectory() as folder:
        images = {count: _image(Path(folder) / str(count), instance, count) for count in COUNTS}
        _line("first", 1, _measure(images[1], 1, options))
        for count in COUNTS:
            seconds = min(_measure(images[count], count, options) for _ in range(ROUNDS))
            _line("later", count, seconds)


def _measure(image: str, count: int, options: Options) -> float:
    start = time.process_time()
    found = verify(open_image(image, options), options)
    seconds = time.process_time() - start
    verified = sum(item.verdict == "verified" for item in found.attestations)
    if verified != count:
        raise SystemExit(f"{verified} of {count} verified")
    return seconds


def _line(what: str, count: int, seconds: float) -> None:
    print(f"{what}: {count:4} attestations {seconds:7.3f} s CPU {seconds / count * 1000:8.2f} ms each")  # noqa: T201


def _image(root: Path, instance: SigstoreInstance, count: int) -> str:
    layout = Layout(root=root)
    image = layout.add_image([{"app": "x"}])
    for number in range(count):
        statement = write_statement(
            name="image", digest=str(image["digest"]), predicate_type=PREDICATE, predicate={"number": number}
        )
        attach(layout, image, instance.bundle(statement, Mistakes()))
    return f"oci-dir:{root}"


def _policy(instance: SigstoreInstance) -> TrustPolicy:
    text = f"""\
schema: 1
trusted-root: root.json
signers:
  workflow: {{identity: {IDENTITY}, issuer: {ISSUER}}}
rules:
  - images: oci-dir:**
    require:
      - {{what: {PREDICATE}, by: workflow}}
"""
    return read_policy("trust.yaml", text.encode(), lambda _, size_max: json.dumps(instance.trusted_root()).encode())


if __name__ == "__main__":
    main()
