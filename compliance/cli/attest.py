"""``hullmark attest``: sign what is known about an image, and attach it."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from compliance.cli import options, output, signing
from compliance.cli.parser import Parser
from compliance.errors import ExitCode, UsageError
from compliance.formats.user_file import read_file

if TYPE_CHECKING:
    from compliance.pipeline import Attestations, Attesting
    from compliance.sign.signer import Signer

SUMMARY = "sign SBOM, results and report as attestations about the digest, and attach them"
DESCRIPTION = (
    "Sign the SBOM, the check results and the report of an image as attestations about its digest, and attach them to "
    "the image in its registry or OCI layout, with the evidence itself. Without --evidence the image is assessed now. "
    "What is attached already is not attached again: an interrupted run is completed by running it again. The exit "
    "code says whether that was done, not what was found."
)
PREDICATE_SIZE_MAX = 64 * 2**20

TYPES = {
    "cyclonedx": "https://cyclonedx.org/bom",
    "link": "https://in-toto.io/Link/v1",
    "openvex": "https://openvex.dev/ns",
    "slsaprovenance": "https://slsa.dev/provenance/v0.2",
    "slsaprovenance02": "https://slsa.dev/provenance/v0.2",
    "slsaprovenance1": "https://slsa.dev/provenance/v1",
    "spdxjson": "https://spdx.dev/Document",
    "vuln": "https://cosign.sigstore.dev/attestation/vuln/v1",
}
"""cosign's short names of predicate types."""


def arguments(parser: Parser) -> None:
    """What to attest, who signs, and how it is attached."""
    options.add_image(parser)
    options.add_output(parser, "table, json")
    signing.add_signer(parser)
    parser.add_argument("--evidence", metavar="DIR", help="attest this evidence bundle of assess; default: assess now")
    parser.add_argument("--predicate", metavar="FILE", help="attest this JSON predicate instead (-: standard input)")
    parser.add_argument("--type", metavar="TYPE", help=f"type of --predicate: a URI, or {', '.join(TYPES)}")
    parser.add_argument(
        "--attestations-only", action="store_true", help="do not attach the files of the evidence bundle themselves"
    )
    parser.add_argument(
        "--legacy", action="store_true", help="attach to cosign's .att tag, for readers that know no bundles"
    )
    parser.add_argument(
        "--no-upload", action="store_true", help="attach nothing; print the bundles, one a line, to stdout"
    )


def run(values: Namespace) -> int:
    """Sign, attach, say what lies with the image now."""
    from compliance.cli import progress
    from compliance.pipeline import attest

    targets = output.parse_targets(values.output, ("table", "json"), "table")
    wanted = _wanted(values)
    chosen = options.run_options(values)
    signer = signing.signer_of(values)
    watcher = progress.watcher(quiet=values.quiet, no_progress=values.no_progress)
    try:
        done = attest(values.image, chosen, signer, wanted, watcher)
    finally:
        watcher.close()
    if not values.quiet:
        output.say_notices(done.image, verbose=values.verbose)
    if values.no_upload:
        sys.stdout.buffer.write(b"".join(bundle + b"\n" for bundle in done.bundles))
        sys.stdout.buffer.flush()
        return ExitCode.SATISFIED
    for target in targets:
        content = _document(done, signer) if target.format == "json" else _table(done)
        output.write(target, content.encode("utf-8", "backslashreplace"))
    return ExitCode.SATISFIED


def _wanted(values: Namespace) -> Attesting:
    from compliance.pipeline import Attesting

    if (values.predicate is None) is not (values.type is None):
        raise UsageError("--predicate and --type belong together", code="usage")
    if values.predicate is not None and values.evidence is not None:
        raise UsageError("either --evidence or --predicate", code="usage")
    if values.predicate is not None and values.sign_key is None:
        raise UsageError("nobody signs", code="usage", hint="add --sign-key")
    if values.evidence is None and values.sign_key is None:
        raise UsageError("nobody signs", code="usage", hint="add --sign-key, or --evidence with a signed bundle")
    return Attesting(
        evidence=None if values.evidence is None else Path(values.evidence),
        statement=None if values.predicate is None else (_type(values.type), _predicate(values.predicate)),
        files=not (values.attestations_only or values.legacy),
        legacy=values.legacy,
        upload=not values.no_upload,
    )


def _type(text: str) -> str:
    if text in TYPES:
        return TYPES[text]
    if ":" not in text or not text.isprintable() or " " in text:
        raise UsageError(
            f"not a predicate type: {text!r}", code="predicate-type-unknown", hint=f"a URI, or {', '.join(TYPES)}"
        )
    return text


def _predicate(name: str) -> object:
    from compliance.formats.signed_json import read_object

    if name == "-":
        content = sys.stdin.buffer.read(PREDICATE_SIZE_MAX + 1)
    else:
        content = read_file(Path(name), "predicate", PREDICATE_SIZE_MAX)
    return read_object(content, "predicate", size_max=PREDICATE_SIZE_MAX).values


def _table(done: Attestations) -> str:
    lines = [
        f"{'attached' if item.is_new else 'was there':10} {item.what}\n{'':10} {item.digest}" for item in done.attached
    ]
    return "".join(f"{output.printable(line)}\n" for text in lines for line in text.splitlines())


def _document(done: Attestations, signer: Signer | None) -> str:
    document = {
        "subject": {"reference": str(done.image.reference), "digest": done.image.digest},
        "signer": None if signer is None else signer.name,
        "attached": [{"type": item.what, "digest": item.digest, "new": item.is_new} for item in done.attached],
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
