"""The one way through for one image: reference → image → evidence → results → assessment → files.

The only composition root: here, and nowhere else, do the engine, the control library and the renderers meet.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from compliance.formats.examine import Examines
from compliance.ingest.layer_cache import LayerCache
from compliance.ingest.layers import Reads
from compliance.ingest.limits import DEFAULT_LIMITS, Limits
from compliance.ingest.read import Reading, read_tree
from compliance.ingest.registry_options import RegistryOptions
from compliance.ingest.source import open_source, parse_reference
from compliance.model.evidence import Evidence, Profile, ProfileSource, Variant
from compliance.model.image import Image, ImageConfig
from compliance.model.outcome import Severity
from compliance.model.reference import Platform
from compliance.model.request import ContentRequest

if TYPE_CHECKING:
    from compliance.formats.sbom_document import SbomDocument
    from compliance.model.assessment import Assessment, ToolInfo
    from compliance.model.verification import Verification
    from compliance.sign.key_signer import SigningKey
    from reports.document import Document

TOOL = "hullmark"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """What signatures are verified against. Nothing given: nothing is demanded and nothing is trusted.

    `key` is a public key as PEM, `trusted_root` a Sigstore trusted_root.json; `allow_no_log` lets a key verify
    a signature that no transparency log holds.
    """

    key: bytes | None = None
    identity: str | None = None
    identity_regexp: str | None = None
    issuer: str | None = None
    issuer_regexp: str | None = None
    trusted_root: bytes | None = None
    allow_no_log: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How to assess. `now` is the run's single clock; `effective` replaces it in every output if given."""

    platform: Platform | None = None
    variant: Variant | None = None
    frameworks: tuple[str, ...] | None = None
    trust: Trust = Trust()
    fail_on: Severity = Severity.HIGH
    now: datetime
    effective: datetime | None = None
    limits: Limits = DEFAULT_LIMITS
    cache: LayerCache | None = None
    registry: RegistryOptions = field(default_factory=RegistryOptions)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What a long run tells a waiting person: a name, and how many bytes there are to read (0: unknown)."""

    name: str
    total: int = 0


class Watcher:
    """Hears what the run is doing. This one says nothing; the command line shows bars."""

    def stage(self, stage: Stage) -> None:
        """A new stage begins."""

    def advance(self, stored_bytes: int) -> None:
        """More bytes of the stage were read."""

    def close(self) -> None:
        """The run is over, well or not."""


def tool_version() -> str:
    """The version of the installed distribution."""
    return importlib.metadata.version(TOOL)


def assess(reference: str, options: Options, watcher: Watcher | None = None) -> Assessment:
    """Everything about one image. Raises ComplianceError when the image can't be read or does not verify."""
    from compliance.evaluate.rollup import roll_up, summarise
    from compliance.evaluate.runner import run_checks
    from compliance.model.assessment import Assessment
    from controls.loader import load_library
    from controls.registry import CHECKS

    library = load_library(options.frameworks)
    evidence = gather(reference, options, watcher, [request for check in CHECKS for request in check.requests])
    results = run_checks(CHECKS, evidence)
    moment = options.effective or options.now
    return Assessment(
        evidence=evidence,
        results=results,
        controls=roll_up(library, results),
        library=library,
        tool=_tool(library.digest),
        summary=summarise(results, options.fail_on, CHECKS),
        started=moment,
        finished=moment,
        effective=moment,
    )


def gather(
    reference: str,
    options: Options,
    watcher: Watcher | None = None,
    requests: Iterable[ContentRequest] | None = None,
) -> Evidence:
    """Read, inventory and verify the image, for whatever looks at the evidence afterwards.

    `requests` are what checks want; without any (None) programs are not searched for what they are, which is
    faster, and no check may be run on the evidence.
    """
    from compliance.sbom.inventory import requests as inventory_requests
    from compliance.sbom.inventory import take_inventory
    from controls.variant import declared_profile

    watcher = watcher or Watcher()
    reads = Reads.INVENTORY if requests is None else Reads.EVIDENCE
    wanted = tuple({request.name: request for request in (*inventory_requests(), *(requests or ()))}.values())
    source = open_source(parse_reference(reference), limits=options.limits, registry=options.registry)
    try:
        image = source.image(options.platform)
        watcher.stage(Stage(name="reading layers", total=sum(layer.size for layer in image.layers)))
        examiner, rules = _examiner(reads)
        reading = Reading(
            requests=wanted if reads is Reads.INVENTORY else (*wanted, *_implied(image.config)),
            examiner=examiner,
            reads=reads,
            rules=rules,
            limits=options.limits,
            progress=watcher.advance,
            cache=options.cache,
        )
        image, tree = read_tree(source, image, reading)
    finally:
        source.close()
    watcher.stage(Stage(name="taking inventory"))
    inventory = take_inventory(tree)
    watcher.stage(Stage(name="verifying signatures"))
    verification = verify(image, options, layers_read=True)
    watcher.stage(Stage(name="checking"))
    declared = declared_profile(image)
    asked = options.variant
    return Evidence(
        image=image,
        filesystem=tree,
        inventory=inventory,
        verification=verification,
        profile=declared if asked is None else Profile(variant=asked, source=ProfileSource.FLAG),
        assessed_at=options.effective or options.now,
    )


def _examiner(reads: Reads) -> tuple[Examines, str]:
    """What looks into programs, and what identifies its rules."""
    from compliance.formats.examine import Examiner, PackageExaminer

    if reads is Reads.INVENTORY:
        return PackageExaminer(), ""
    from controls.knowledge import marker_rules

    rules = marker_rules()
    return Examiner(rules), repr(rules)


def open_image(reference: str, options: Options) -> Image:
    """The image without its layers: manifest and config digested, what is attached to it read."""
    source = open_source(parse_reference(reference), limits=options.limits, registry=options.registry)
    try:
        return source.image(options.platform)
    finally:
        source.close()


def verify(image: Image, options: Options, *, layers_read: bool = False) -> Verification:
    """Verify what is attached to `image` against `options.trust`, offline.

    Without a trusted root of the user's that of the public Sigstore instance is taken, as shipped with the
    sigstore library. `layers_read` says that every layer's digests have been compared.
    """
    from compliance.formats.public_key import key_id, load_public_key
    from compliance.model.verification import Demand
    from compliance.verify.verifier import verify_image

    trust = options.trust
    key = load_public_key(trust.key) if trust.key is not None else None
    demand = Demand(
        key_id=key_id(key) if key is not None else None,
        identity=trust.identity,
        identity_regexp=trust.identity_regexp,
        issuer=trust.issuer,
        issuer_regexp=trust.issuer_regexp,
    )
    return verify_image(
        image,
        demand,
        key=key,
        trusted_root=_trusted_root(image, trust),
        layers_read=layers_read,
        ignore_tlog=trust.allow_no_log,
        now=options.effective or options.now,
    )


def _trusted_root(image: Image, trust: Trust) -> bytes | None:
    needless = not image.attached or (trust.key is not None and trust.allow_no_log)
    if trust.trusted_root is not None or needless:
        return trust.trusted_root
    from compliance.verify.trusted_root import embedded_trusted_root

    return embedded_trusted_root()


def sbom(
    evidence: Evidence,
    form: str = "cyclonedx-json",
    *,
    files: bool = False,
    author: str | None = None,
    supplier: str | None = None,
) -> bytes:
    """The inventory in a format of `compliance.formats.sbom.NAMES`.

    `files` lists every file with its owner; `author` made the document, `supplier` supplies the image.
    """
    from compliance.formats.sbom import write
    from compliance.formats.sbom_document import Tool, of_image

    document = of_image(
        evidence.image,
        evidence.inventory,
        tool=Tool(name=TOOL, version=tool_version()),
        effective=evidence.assessed_at,
        tree=evidence.filesystem,
        files=files,
        author=author,
        supplier=supplier,
    )
    return write(document, form)


def read_sbom(content: bytes, options: Options) -> SbomDocument:
    """A CycloneDX or SPDX document of anybody's; licence expressions that are none are texts. Raises FormatError."""
    from dataclasses import replace

    from compliance.formats.sbom import read
    from compliance.formats.sbom_document import Tool
    from compliance.sbom.licenses import checked_licenses

    document = read(content, Tool(name=TOOL, version=tool_version()), options.now)
    packages = (
        replace(package, licenses=checked_licenses(package.licenses, document.found_licenses.get(package.purl, ())))
        for package in document.inventory.packages
    )
    return replace(
        document,
        inventory=replace(document.inventory, packages=tuple(packages)),
        effective=options.effective or document.effective,
    )


def _tool(controls_digest: str) -> ToolInfo:
    from compliance.model.assessment import ToolInfo

    return ToolInfo(name=TOOL, version=tool_version(), controls_digest=controls_digest)


def _implied(config: ImageConfig | None) -> tuple[ContentRequest, ...]:
    """Files whose content always matters: accounts, and what the entry point, command or health check name."""
    accounts = ContentRequest(name="accounts", globs=("etc/passwd", "etc/group", "etc/shadow", "etc/gshadow"))
    if config is None:
        return (accounts,)
    words = (*config.entrypoint, *config.cmd, *(config.healthcheck or ()))
    folder = (config.working_dir or "/").strip("/")
    named = {word.strip("/") for word in words if word.startswith("/")}
    named |= {f"{folder}/{word}".strip("/") for word in words if word and not word.startswith(("/", "-"))}
    globs = tuple(sorted(_literal(path) for path in named if path))
    if not globs:
        return (accounts,)
    return accounts, ContentRequest(name="started", globs=globs, max_size=2**20)


def _literal(path: str) -> str:
    """`path` as a glob that matches only itself."""
    return "".join(f"[{char}]" if char in "*?[{" else char for char in path)


def report_pdf(document: Document, files: Mapping[str, bytes]) -> bytes:
    """The PDF of `document`, with `files` embedded."""
    from reports.pdf import render

    return render(document, attachments=files)


def evidence_files(assessment: Assessment, signer: SigningKey | None) -> Mapping[str, bytes]:
    """The files of an evidence bundle by path, without its manifest.

    The PDF carries the machine-readable files inside it. With a `signer` there are attestations about the image
    digest: its SBOM, all check results, those that passed as properties, and the digests of every other file.
    """
    from reports.assessment_json import document
    from reports.exporter import FORMATS

    shape = document(assessment)
    files: dict[str, bytes] = {
        FORMATS["json"].file_name: FORMATS["json"].render(shape),
        "sbom.cdx.json": sbom(assessment.evidence),
        "sbom.spdx.json": sbom(assessment.evidence, "spdx-json"),
    }
    for name in ("oscal-ar", "oscal-ap", "csv"):
        files[FORMATS[name].file_name] = FORMATS[name].render(shape)
    files[FORMATS["pdf"].file_name] = report_pdf(shape, files)
    if signer is not None:
        files.update(_attestations(shape, files, signer))
    return files


def write_evidence(
    directory: Path, assessment: Assessment, signer: SigningKey | None, watcher: Watcher | None = None
) -> None:
    """Write the evidence bundle; the folder appears whole or not at all. Raises StoreError."""
    from compliance.store.evidence_bundle import write_bundle

    (watcher or Watcher()).stage(Stage(name="writing evidence"))
    write_bundle(directory, evidence_files(assessment, signer))


def _attestations(document: Document, files: Mapping[str, bytes], signer: SigningKey) -> Mapping[str, bytes]:
    from compliance.sign.key_signer import sign_statement
    from compliance.store.bundle_manifest import ATTESTATION_SUFFIX, REFERENCE_ATTESTATION, SIGNING_KEY, describe
    from reports import attestation

    described = (describe(path, content) for path, content in {**files, SIGNING_KEY: signer.public_pem}.items())
    referenced = [
        attestation.ReferencedFile(path=file.path, sha256=file.sha256, media_type=file.media_type) for file in described
    ]
    statements = {
        f"attestations/sbom{ATTESTATION_SUFFIX}": attestation.sbom_statement(document, files["sbom.cdx.json"]),
        f"attestations/test-result{ATTESTATION_SUFFIX}": attestation.results_statement(document),
        f"attestations/svr{ATTESTATION_SUFFIX}": attestation.verification_result_statement(document),
        REFERENCE_ATTESTATION: attestation.reference_statement(document, referenced),
    }
    signed = {path: sign_statement(statement, signer) for path, statement in statements.items()}
    return {SIGNING_KEY: signer.public_pem, **signed}
