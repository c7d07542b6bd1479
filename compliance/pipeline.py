"""The one way through for one image: reference → image → evidence → results → assessment → files.

The only composition root: here, and nowhere else, do the engine, the control library and the renderers meet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from compliance.errors import PolicyError
from compliance.ingest.layers import Reads
from compliance.ingest.limits import DEFAULT_LIMITS, Limits
from compliance.ingest.registry_options import RegistryOptions
from compliance.ingest.source import open_source, parse_reference
from compliance.model.reference import Scheme
from compliance.model.request import ContentRequest
from compliance.version import VERSION

if TYPE_CHECKING:
    from compliance.evaluate.waivers import WaivedImage
    from compliance.formats.examine import Examines
    from compliance.formats.sbom_document import SbomDocument
    from compliance.formats.secrets import SecretSearch
    from compliance.ingest.layer_cache import LayerCache
    from compliance.model.advice import CompatibilityAdvice
    from compliance.model.assessment import Assessment, DefinitionFile, ToolInfo
    from compliance.model.drift import Drift
    from compliance.model.evidence import Evidence, SuppliedReport, Variant
    from compliance.model.filesystem import FileTree
    from compliance.model.image import Image, ImageConfig
    from compliance.model.inventory import Inventory
    from compliance.model.outcome import Severity, Waiver
    from compliance.model.reference import ImageReference, Platform
    from compliance.model.verification import Verification
    from compliance.sign.image_attestations import Attached
    from compliance.sign.signer import Signer
    from compliance.verify.trust_policy import TrustPolicy
    from controls.definitions import Definitions
    from reports.branding import Branding
    from reports.document import Document

TOOL = "hullmark"
WAIVER_NAMES = "waivers/"
"""What the names of waiver files begin with in a trust policy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """What signatures are verified against. Nothing given: nothing is demanded and nothing is trusted.

    `key` is a public key as PEM, `trusted_root` a Sigstore trusted_root.json; `allow_no_log` lets a key verify
    a signature that no transparency log holds. A `policy`, read from `policy_file`, takes the place of all others.
    """

    key: bytes | None = None
    identity: str | None = None
    identity_regexp: str | None = None
    issuer: str | None = None
    issuer_regexp: str | None = None
    trusted_root: bytes | None = None
    allow_no_log: bool = False
    policy: TrustPolicy | None = None
    policy_file: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WaiverFile:
    """A waiver file as given; `bundle` is the Sigstore bundle beside it that signs it, None where there is none."""

    name: str
    content: bytes = field(repr=False)
    bundle: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How to assess. `now` is the run's single clock; `effective` replaces it in every output if given.

    `definitions` are what the image is held against, the user's own among them: without any, the shipped `frameworks`
    (None: all), and the profile of the variant. `waivers` are the user's files of accepted failures. `baseline` is the
    reference of an image to compare with, `approved_bases` references or digests of base images. `aside` are names of
    attached artifacts that are not looked at. `fail_on` None is high.
    """

    platform: Platform | None = None
    variant: Variant | None = None
    definitions: Definitions | None = None
    waivers: tuple[WaiverFile, ...] = ()
    frameworks: tuple[str, ...] | None = None
    trust: Trust = Trust()
    fail_on: Severity | None = None
    baseline: str | None = None
    approved_bases: tuple[str, ...] = ()
    supplied: tuple[SuppliedReport, ...] = ()
    now: datetime
    effective: datetime | None = None
    limits: Limits = DEFAULT_LIMITS
    cache: LayerCache | None = None
    registry: RegistryOptions = field(default_factory=RegistryOptions)
    aside: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadImage:
    """An image read to its last layer and inventoried; nothing that is attached to it has been verified."""

    image: Image
    filesystem: FileTree
    inventory: Inventory
    assessed_at: datetime


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
    """The version of this tool, as outputs state it."""
    return VERSION


def assess(reference: str, options: Options, watcher: Watcher | None = None) -> Assessment:
    """Everything about one image. Raises ComplianceError when the image can't be read or does not verify."""
    from compliance.evaluate.rollup import roll_up, summarise
    from compliance.evaluate.runner import run_checks
    from compliance.evaluate.waivers import apply
    from compliance.model.assessment import Assessment
    from compliance.model.outcome import Severity
    from compliance.verify.image_pattern import names
    from controls.asking import asked_for
    from controls.coverage import NEEDS, left_out
    from controls.definitions import shipped_definitions
    from controls.profile import shipped_profile
    from controls.withheld import without_secrets

    _demand_current_policy(options)
    definitions = options.definitions or shipped_definitions(options.frameworks)
    waivers, waiver_files = read_waiver_files(options)
    requests = [request for check in definitions.checks for request in check.requests]
    evidence = _with_policy(gather(reference, options, watcher, requests), options)
    if options.baseline is not None:
        from controls.drift import with_baseline

        evidence = with_baseline(evidence, gather(options.baseline, options, watcher, requests))
    profile = definitions.profile or shipped_profile(evidence.profile.variant)
    evidence = replace(evidence, profile=replace(evidence.profile, name=profile.id, ages=profile.ages))
    asked = asked_for(evidence, baseline=options.baseline is not None)
    checks = profile.weighed(definitions.checks)
    results = profile.marked(run_checks(checks, evidence), definitions.checks, asked)
    results, uses = apply(waivers, results, waived_image(evidence.image), names, evidence.assessed_at)
    moment = options.effective or options.now
    assessment = Assessment(
        evidence=evidence,
        results=results,
        controls=roll_up(definitions.library, results),
        library=definitions.library,
        tool=_tool(definitions.library.digest),
        summary=summarise(
            results,
            options.fail_on or Severity.HIGH,
            profile.counted(checks, asked),
            policy=evidence.verification.policy,
        ),
        started=moment,
        finished=moment,
        effective=moment,
        definitions=(*definitions.files, *waiver_files),
        waivers=uses,
        needs=NEEDS,
        left_out=left_out(),
    )
    return without_secrets(assessment)


def read_waiver_files(options: Options) -> tuple[tuple[Waiver, ...], tuple[DefinitionFile, ...]]:
    """The waivers of `options`, and their files with who signed them. Raises PolicyError, VerificationError."""
    from hashlib import sha256

    from compliance.evaluate.waiver_file import read_waivers
    from compliance.model.assessment import DefinitionFile
    from compliance.verify.image_pattern import pattern_mistake

    found: dict[str, Waiver] = {}
    files: list[DefinitionFile] = []
    for file in options.waivers:
        signer = waiver_signer(file, options)
        for waiver in read_waivers(file.name, file.content, pattern_mistake, signer=signer):
            if waiver.id in found:
                raise PolicyError(
                    f"the waiver {waiver.id!r} is also in {found[waiver.id].file}",
                    code="waivers-invalid",
                    where=file.name,
                    hint="give each waiver its own id",
                )
            found[waiver.id] = waiver
        digest = sha256(file.content).hexdigest()
        files.append(DefinitionFile(role="waivers", name=file.name, sha256=digest, signer=signer))
    return tuple(found.values()), tuple(files)


def waiver_signer(file: WaiverFile, options: Options) -> str | None:
    """Who signed the waiver file, of those whom `options.trust` names; None where nobody did whom it names.

    A trust policy knows the file as ``waivers/NAME``, and one that has a rule for it demands what the rule says.
    Raises VerificationError for a bundle that does not verify for the signer named, or a rule that is not held.
    """
    from compliance.verify.file_signature import file_image, signer_in

    image = file_image(file.name, file.content, file.bundle)
    trust = options.trust
    if trust.policy is not None:
        name = f"{WAIVER_NAMES}{Path(file.name).name}"
        policy = trust.policy.about(WAIVER_NAMES)
        if not policy.requirements_for(name):
            return None
        verification = _verify_by_policy(image, policy, options, layers_read=False, name=name)
    elif file.bundle is None:
        return None
    else:
        verification = verify(image, options)
    return signer_in(verification, file.name)


def waived_image(image: Image) -> WaivedImage:
    """What waivers have to be about to be about `image`: as trust policies name it, or one of its digests."""
    from compliance.evaluate.waivers import WaivedImage

    digests = {image.digest, image.index_digest, image.config_digest} - {None}
    return WaivedImage(name=policy_name(image.reference), digests=frozenset(str(digest) for digest in digests))


def _with_policy(evidence: Evidence, options: Options) -> Evidence:
    """`evidence` with the user's reports, and with what the user's lists name, looked up."""
    evidence = replace(evidence, supplied=options.supplied)
    if not options.approved_bases:
        return evidence
    from compliance.ingest.approved_bases import approved_base

    found = (
        approved_base(named, evidence.image, limits=options.limits, registry=options.registry)
        for named in options.approved_bases
    )
    return replace(evidence, approved_bases=tuple(found))


def compare(before: str, after: str, options: Options, watcher: Watcher | None = None) -> Drift:
    """What changed from one image to another. Raises ComplianceError when one can't be read.

    Both are read as for an assessment, so that layers which one has read come from the cache.
    """
    from controls.drift import compare as compare_evidence
    from controls.registry import CHECKS

    requests = [request for check in CHECKS for request in check.requests]
    first, second = (gather(reference, options, watcher, requests) for reference in (before, after))
    return compare_evidence(first, second)


def advise(
    reference: str,
    options: Options,
    watcher: Watcher | None = None,
    *,
    to: str | None = None,
    dockerfile: bytes | None = None,
    dockerfile_name: str | None = None,
) -> tuple[CompatibilityAdvice, tuple[Image, ...]]:
    """What breaks when the image moves to a hardened runtime, `to` another image if named; and the images read.

    `dockerfile` is the text that the image was built from. Raises ComplianceError when one can't be read.
    """
    from compliance.formats.dockerfile import parse_dockerfile
    from controls.advice import REQUESTS
    from controls.advice import advise as advise_evidence

    parsed = parse_dockerfile(dockerfile) if dockerfile is not None else None
    evidence = gather(reference, options, watcher, REQUESTS)
    target = gather(to, options, watcher, REQUESTS) if to is not None else None
    advice = advise_evidence(evidence, target=target, dockerfile=parsed, dockerfile_name=dockerfile_name)
    return advice, (evidence.image, *((target.image,) if target is not None else ()))


def gather(
    reference: str,
    options: Options,
    watcher: Watcher | None = None,
    requests: Iterable[ContentRequest] | None = None,
) -> Evidence:
    """Read, inventory and verify the image, for whatever looks at the evidence afterwards.

    `requests` are those of `read_image`.
    """
    from compliance.model.evidence import Evidence, Profile, ProfileSource
    from controls.variant import declared_profile

    watcher = watcher or Watcher()
    found = read_image(reference, options, watcher, requests)
    watcher.stage(Stage(name="verifying signatures"))
    verification = verify(found.image, options, layers_read=True)
    watcher.stage(Stage(name="checking"))
    own = options.definitions.profile if options.definitions is not None else None
    variant = options.variant if own is None else own.variant
    said_by = ProfileSource.FLAG if own is None else ProfileSource.FILE
    return Evidence(
        image=found.image,
        filesystem=found.filesystem,
        inventory=found.inventory,
        verification=verification,
        profile=declared_profile(found.image) if variant is None else Profile(variant=variant, source=said_by),
        assessed_at=found.assessed_at,
    )


def read_image(
    reference: str,
    options: Options,
    watcher: Watcher | None = None,
    requests: Iterable[ContentRequest] | None = None,
    *,
    files: bool = False,
) -> ReadImage:
    """Read every layer of the image and take its inventory: all that a bill of materials is made of.

    `requests` are what checks want; without any (None) programs are not searched for what they are, which is
    faster, and no check may be run on what is found. For a list of `files` each is digested by every algorithm.
    """
    from compliance.ingest.read import Reading, read_tree
    from compliance.sbom.inventory import requests as inventory_requests
    from compliance.sbom.inventory import take_inventory

    watcher = watcher or Watcher()
    reads = Reads.FILES if files else Reads.INVENTORY if requests is None else Reads.EVIDENCE
    wanted = tuple({request.name: request for request in (*inventory_requests(), *(requests or ()))}.values())
    source = open_source(parse_reference(reference), limits=options.limits, registry=options.registry)
    try:
        image = source.image(options.platform)
        image = replace(image, attached=tuple(item for item in image.attached if item.name not in options.aside))
        watcher.stage(Stage(name="reading layers", total=sum(layer.size for layer in image.layers)))
        examiner, secrets, rules = _examiner(reads)
        reading = Reading(
            requests=wanted if requests is None else (*wanted, *_implied(image.config)),
            examiner=examiner,
            reads=reads,
            rules=rules,
            secrets=secrets,
            limits=options.limits,
            progress=watcher.advance,
            cache=options.cache,
        )
        image, tree = read_tree(source, image, reading)
    finally:
        source.close()
    watcher.stage(Stage(name="taking inventory"))
    inventory = take_inventory(tree)
    return ReadImage(image=image, filesystem=tree, inventory=inventory, assessed_at=options.effective or options.now)


def _examiner(reads: Reads) -> tuple[Examines, SecretSearch | None, str]:
    """What looks into programs, what looks for secrets in every file, and what identifies the rules of both."""
    from compliance.formats.examine import Examiner, PackageExaminer

    if reads is not Reads.EVIDENCE:
        return PackageExaminer(), None, ""
    from controls.knowledge import marker_rules
    from controls.secret_rules import secret_knowledge, secret_search

    rules = marker_rules()
    return Examiner(rules), secret_search(), repr((rules, secret_knowledge().rules))


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
    sigstore library. `layers_read` says that every layer's digests have been compared. Raises PolicyError for a
    policy that has expired.
    """
    if options.trust.policy is not None:
        return _verify_by_policy(image, options.trust.policy, options, layers_read=layers_read)
    from compliance.model.verification import Demand, Verification
    from compliance.verify.integrity import integrity_of

    if not image.attached and options.trust == Trust():  # most images: this spares them the import of cryptography
        return Verification(integrity=integrity_of(image, layers_read=layers_read), demand=Demand())
    from compliance.formats.public_key import key_id, load_public_key
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


def _verify_by_policy(
    image: Image, policy: TrustPolicy, options: Options, *, layers_read: bool, name: str | None = None
) -> Verification:
    from compliance.verify.trusted_root import embedded_trusted_root
    from compliance.verify.verifier import verify_by_policy

    _demand_current_policy(options)
    return verify_by_policy(
        image,
        name or policy_name(image.reference),
        policy,
        public_root=embedded_trusted_root(),
        layers_read=layers_read,
        now=options.effective or options.now,
    )


def _demand_current_policy(options: Options) -> None:
    """Raise PolicyError for a policy that has expired at the effective time."""
    if options.trust.policy is not None:
        options.trust.policy.demand_current(options.trust.policy_file, options.effective or options.now)


def policy_name(reference: ImageReference) -> str:
    """What a trust policy calls the image: ``REGISTRY/REPOSITORY:TAG``, and ``SCHEME:PATH`` for files, as typed."""
    from compliance.errors import UsageError
    from compliance.ingest.registry_name import parse_name

    tag = f":{reference.tag}" if reference.tag else ""
    if reference.scheme is Scheme.REGISTRY:
        return f"{reference.target}{tag}"
    if reference.scheme in (Scheme.DOCKER, Scheme.PODMAN):
        try:
            return policy_name(parse_name(f"{reference.target}{tag}"))
        except UsageError:  # an engine also knows images by their ids
            pass
    return f"{reference.scheme}:{reference.target}{tag}"


def _trusted_root(image: Image, trust: Trust) -> bytes | None:
    needless = not image.attached or (trust.key is not None and trust.allow_no_log)
    if trust.trusted_root is not None or needless:
        return trust.trusted_root
    from compliance.verify.trusted_root import embedded_trusted_root

    return embedded_trusted_root()


def sbom(
    evidence: Evidence | ReadImage,
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


def report_pdf(document: Document, files: Mapping[str, bytes], *, branding: Branding | None = None) -> bytes:
    """The PDF of `document`, with `files` embedded, not signed."""
    from reports.branding import NO_BRANDING
    from reports.pdf import render

    return render(document, attachments=files, branding=branding or NO_BRANDING)


SignsPdf = Callable[[bytes], bytes]
"""Gives a PDF a signature. Raises SigningError."""


def signed_pdf(content: bytes, sign: SignsPdf) -> bytes:
    """The PDF with a signature, which was read back and checked. Raises SigningError."""
    from compliance.errors import SigningError, VerificationError
    from reports.pdf_signature import read_signature

    signed = sign(content)
    try:
        found = read_signature(signed)
    except VerificationError as error:
        raise SigningError(f"the signature in the PDF does not verify: {error}", code="pdf-signing-failed") from error
    if found is None:
        raise SigningError("the signature in the PDF can't be found again", code="pdf-signing-failed")
    return signed


def evidence_files(
    assessment: Assessment,
    signer: Signer | None,
    *,
    branding: Branding | None = None,
    sign_pdf: SignsPdf | None = None,
    oscal_version: str | None = None,
) -> Mapping[str, bytes]:
    """The files of an evidence bundle by path, without its manifest; the reports bear the `branding`.

    The PDF carries the machine-readable files inside it. With a `signer` there are attestations about the image
    digest: its SBOM, all check results, those that passed as properties, and the digests of every other file. One
    with the digests of what the PDF carries lies in the PDF too, so that it can be verified alone. The OSCAL files
    are of `oscal_version`, or of the exporter's own.
    """
    from compliance.store.bundle_manifest import BRANDING
    from reports.assessment_json import document
    from reports.branding import NO_BRANDING, branding_record
    from reports.exporter import FORMATS

    shape = document(assessment)
    files: dict[str, bytes] = {
        FORMATS["json"].file_name: FORMATS["json"].render(shape),
        "sbom.cdx.json": sbom(assessment.evidence),
        "sbom.spdx.json": sbom(assessment.evidence, "spdx-json"),
    }
    for name in ("oscal-ar", "oscal-ap", "csv"):
        version = oscal_version if FORMATS[name].versions else None
        files[FORMATS[name].file_name] = FORMATS[name].render(shape, version)
    if branding is not None and branding != NO_BRANDING:
        files[BRANDING] = branding_record(branding)
    image = assessment.evidence.image
    if signer is not None:
        files.update(_report_reference(shape, files, signer, image))
    report = report_pdf(shape, files, branding=branding)
    files[FORMATS["pdf"].file_name] = report if sign_pdf is None else signed_pdf(report, sign_pdf)
    files[FORMATS["html"].file_name] = FORMATS["html"].render(shape, branding=branding)
    if signer is not None:
        files.update(_attestations(shape, files, signer, image))
    return files


def write_evidence(
    directory: Path,
    assessment: Assessment,
    signer: Signer | None,
    watcher: Watcher | None = None,
    *,
    branding: Branding | None = None,
    sign_pdf: SignsPdf | None = None,
    oscal_version: str | None = None,
) -> None:
    """Write the evidence bundle; the folder appears whole or not at all. Raises StoreError, SigningError."""
    from compliance.store.evidence_bundle import write_bundle

    (watcher or Watcher()).stage(Stage(name="writing evidence"))
    files = evidence_files(assessment, signer, branding=branding, sign_pdf=sign_pdf, oscal_version=oscal_version)
    write_bundle(directory, files)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attesting:
    """What to attest. `evidence` is the folder of an evidence bundle about the image; None assesses it now.

    A `statement` (predicate type and predicate) is attested instead of that. `files`: attach the evidence bundle
    itself too. `legacy`: attach as cosign did before bundles. Without `upload` nothing is attached.
    """

    evidence: Path | None = None
    statement: tuple[str, object] | None = None
    files: bool = True
    legacy: bool = False
    upload: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Attestations:
    """What came of it: the image, the bundles in order, and what lies with the image now."""

    image: Image
    bundles: tuple[bytes, ...] = field(repr=False)
    attached: tuple[Attached, ...] = ()


def attest(
    reference: str, options: Options, signer: Signer | None, wanted: Attesting, watcher: Watcher | None = None
) -> Attestations:
    """Sign what is known about the image, and attach it to the image where it lies.

    Without a `signer` the attestations that the evidence bundle holds are attached as they are. What is attached
    already is not attached again, so an interrupted run is completed by another. Raises ComplianceError.
    """
    from compliance.sign.image_attestations import sign_once
    from compliance.store.bundle_manifest import ATTESTATION_SUFFIX, REPORT_REFERENCE, REPORT_SIGNATURE

    watcher = watcher or Watcher()
    if wanted.upload:
        _demand_place(parse_reference(reference))
    if wanted.statement is not None:
        image = open_image(reference, options)
        statement = _statement_about(image, *wanted.statement)
        bundles = sign_once((statement,), _demanded(signer), image)
        files: dict[str, bytes] = {}
    else:
        image, files = _evidence_to_attest(reference, options, signer, wanted, watcher)
        # What the report carries is covered by the other reference too; by itself it would only be one more to read.
        # The signature of the report is about that file, not about the image.
        apart = (REPORT_REFERENCE, REPORT_SIGNATURE)
        bundles = [
            content for path, content in files.items() if path.endswith(ATTESTATION_SUFFIX) and path not in apart
        ]
    if not wanted.upload:
        return Attestations(image=image, bundles=tuple(bundles))
    watcher.stage(Stage(name="attaching"))
    return Attestations(
        image=image, bundles=tuple(bundles), attached=_attach(image, options, bundles, files, wanted=wanted)
    )


def _attach(
    image: Image, options: Options, bundles: list[bytes], files: Mapping[str, bytes], *, wanted: Attesting
) -> tuple[Attached, ...]:
    from contextlib import closing

    from compliance.ingest.referrers import referrers_tag
    from compliance.ingest.registry_writer import open_writer
    from compliance.sign.attachment import EvidenceFile
    from compliance.sign.image_attestations import attach_bundles, attach_legacy_bundles
    from compliance.sign.layout_place import LayoutPlace
    from compliance.store.bundle_manifest import describe

    reference = image.reference
    tag = referrers_tag(image.digest)
    with closing(
        LayoutPlace(Path(reference.target))
        if reference.scheme is Scheme.OCI_DIR
        else open_writer(reference.target, options.registry)
    ) as place:
        if wanted.legacy:
            return attach_legacy_bundles(place, image, bundles, tag=f"{tag}.att")
        evidence = [
            EvidenceFile(path=path, media_type=describe(path, content).media_type, content=content)
            for path, content in (files if wanted.files else {}).items()
        ]
        created = options.effective or options.now
        return attach_bundles(place, image, bundles, tag=tag, created=created, files=evidence)


def _evidence_to_attest(
    reference: str, options: Options, signer: Signer | None, wanted: Attesting, watcher: Watcher
) -> tuple[Image, dict[str, bytes]]:
    """The image, and a signed evidence bundle about it, all files by path; the attestations among them first."""
    from compliance.formats.signed_json import read_object
    from compliance.sign.image_attestations import own_evidence
    from compliance.store.bundle_manifest import ASSESSMENT, MANIFEST, REPORT_SIGNATURE, render_manifest
    from compliance.store.bundle_verifier import read_bundle_files

    if wanted.evidence is None:
        image = open_image(reference, options)
        aside = frozenset() if signer is None else own_evidence(image, signer)
        assessment = assess(reference, replace(options, aside=aside), watcher)
        assessment = replace(assessment, evidence=replace(assessment.evidence, image=image))  # to find what is signed
        files = dict(evidence_files(assessment, signer))
    else:
        image = open_image(reference, options)
        files = dict(read_bundle_files(wanted.evidence, image.digest))
    signed = {
        path: content for path, content in files.items() if path.startswith("attestations/") or path == REPORT_SIGNATURE
    }
    if not signed or (signer is not None and wanted.evidence is not None):
        from reports.assessment_json import parse

        signs = _demanded(signer)
        unsigned = {path: content for path, content in files.items() if path not in signed}
        unsigned.update(_own_report_reference(signed, signs))
        document = parse(files[ASSESSMENT])
        signed = dict(_attestations(document, unsigned, signs, image, also=signed.values()))
        files = unsigned | signed
    manifest = render_manifest(files, read_object(files[ASSESSMENT], ASSESSMENT))
    return image, {**signed, **files, MANIFEST: manifest}


def _own_report_reference(signed: Mapping[str, bytes], signer: Signer) -> Mapping[str, bytes]:
    """What `_report_reference` made, if `signer` did: another's lies in the report only."""
    from compliance.formats.dsse import Envelope
    from compliance.formats.sigstore_bundle import read_bundle
    from compliance.store.bundle_manifest import REPORT_REFERENCE

    bundle = signed.get(REPORT_REFERENCE)
    content = None if bundle is None else read_bundle(bundle).content
    if bundle is None or not isinstance(content, Envelope) or not signer.has_signed(bundle, content.payload):
        return {}
    return {REPORT_REFERENCE: bundle}


def _demand_place(reference: ImageReference) -> None:
    from compliance.errors import UsageError

    if reference.scheme not in (Scheme.OCI_DIR, Scheme.REGISTRY):
        raise UsageError(
            f"nothing can be attached to an image in {reference.scheme}",
            code="not-attachable",
            where=str(reference),
            hint="push it to a registry or save it as an OCI layout (oci-dir:); --no-upload only signs",
        )


def _demanded(signer: Signer | None) -> Signer:
    from compliance.errors import UsageError

    if signer is None:
        raise UsageError("nothing is signed yet, and nobody signs", code="usage", hint="add --sign-key")
    return signer


def _statement_about(image: Image, predicate_type: str, predicate: object) -> bytes:
    from compliance.errors import UsageError
    from compliance.formats.intoto import write_statement

    try:
        return write_statement(
            name=str(image.reference), digest=image.digest, predicate_type=predicate_type, predicate=predicate
        )
    except ValueError:  # infinite numbers and half characters, which JSON in Python lets through
        raise UsageError("the predicate can't be written as JSON", code="predicate-invalid") from None


def _attestations(
    document: Document,
    files: Mapping[str, bytes],
    signer: Signer,
    image: Image,
    also: Iterable[bytes] = (),
) -> Mapping[str, bytes]:
    """The signing key, if there is one, and bundles with the statements that `files` give, by path.

    A good signature that lies with the image or is in `also` is taken again.
    """
    from compliance.sign.image_attestations import sign_once
    from compliance.store.bundle_manifest import (
        ATTESTATION_SUFFIX,
        REFERENCE_ATTESTATION,
        REPORT_PDF,
        REPORT_SIGNATURE,
        SIGNING_KEY,
    )
    from reports import attestation

    key = {} if signer.public_pem is None else {SIGNING_KEY: signer.public_pem}
    statements = {
        f"attestations/sbom{ATTESTATION_SUFFIX}": attestation.sbom_statement(document, files["sbom.cdx.json"]),
        f"attestations/test-result{ATTESTATION_SUFFIX}": attestation.results_statement(document),
        f"attestations/svr{ATTESTATION_SUFFIX}": attestation.verification_result_statement(document),
        REFERENCE_ATTESTATION: _reference(document, {**files, **key}),
    }
    if REPORT_PDF in files:
        statements[REPORT_SIGNATURE] = attestation.file_signature_statement(REPORT_PDF, files[REPORT_PDF])
    bundles = sign_once(statements.values(), signer, image, also)
    return {**key, **dict(zip(statements, bundles, strict=True))}


def _report_reference(
    document: Document, files: Mapping[str, bytes], signer: Signer, image: Image
) -> Mapping[str, bytes]:
    """The signing key, if there is one, and a bundle with the digests of `files`, which the report carries."""
    from compliance.sign.image_attestations import sign_once
    from compliance.store.bundle_manifest import REPORT_REFERENCE, SIGNING_KEY

    key = {} if signer.public_pem is None else {SIGNING_KEY: signer.public_pem}
    (bundle,) = sign_once((_reference(document, {**files, **key}),), signer, image)
    return {**key, REPORT_REFERENCE: bundle}


def _reference(document: Document, files: Mapping[str, bytes]) -> bytes:
    """The statement with the digest of each file."""
    from compliance.store.bundle_manifest import describe
    from reports import attestation

    described = (describe(path, content) for path, content in files.items())
    return attestation.reference_statement(
        document,
        [
            attestation.ReferencedFile(path=file.path, sha256=file.sha256, media_type=file.media_type)
            for file in described
        ],
    )
