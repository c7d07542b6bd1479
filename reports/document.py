"""The types of the assessment document: what `json` writes and what every other renderer reads.

The shape is fixed by ``reports/schemas/assessment.schema.json``, which also describes each key; a test holds the
two together. Every key is always there: a fact that does not exist is null, never left out.
"""

from __future__ import annotations

from typing import TypedDict


class Layer(TypedDict):
    """One layer, lowest first. `createdBy` is an unsigned claim of the image."""

    digest: str
    diffId: str
    mediaType: str
    size: int
    createdBy: str | None


class EnvironmentVariable(TypedDict):
    """A name, and the value of the few whose value can be no secret."""

    name: str
    value: str | None


class Claim(TypedDict):
    """A standard annotation, unsigned. `source` is label or annotation."""

    name: str
    value: str
    source: str


class Config(TypedDict):
    """The runtime configuration."""

    user: str | None
    entrypoint: list[str]
    cmd: list[str]
    workingDir: str | None
    environment: list[EnvironmentVariable]
    exposedPorts: list[str]
    volumes: list[str]
    healthcheck: list[str] | None
    shell: list[str] | None
    onBuild: list[str]
    stopSignal: str | None
    created: str | None


class Subject(TypedDict):
    """What was assessed. `config` is null for a root filesystem only."""

    reference: str
    tag: str | None
    digest: str
    mediaType: str
    platform: str | None
    indexDigest: str | None
    configDigest: str | None
    layers: list[Layer]
    config: Config | None
    claims: list[Claim]
    notices: list[str]


class Tool(TypedDict):
    """What assessed, and the digest of its control library."""

    name: str
    version: str
    controlsDigest: str


class AgeLimits(TypedDict):
    """How many days old the word of others may be to speak for the image."""

    vulnerabilityScan: int
    malwareScan: int
    benchmark: int


class Profile(TypedDict):
    """What the image is held against, and where that comes from: which checks count, and the image's purpose."""

    id: str
    variant: str
    source: str
    declared: str | None
    ages: AgeLimits


class UnknownPlace(TypedDict):
    """A place in the tree whose packages could not be read."""

    path: str
    reason: str


class Distribution(TypedDict):
    """What os-release says."""

    id: str
    versionId: str | None
    prettyName: str | None
    codename: str | None


class Inventory(TypedDict):
    """The packages in numbers; the SBOM holds them."""

    packages: int
    byType: dict[str, int]
    distribution: Distribution | None
    unknowns: list[UnknownPlace]


class UnreadPlace(TypedDict):
    """A place whose bytes could not all be read. `layer` is a digest."""

    path: str
    reason: str
    layer: str | None


class Residue(TypedDict):
    """Files that an upper layer hides: gone from the tree, not from the image."""

    files: int
    bytes: int


class Coverage(TypedDict):
    """How much was read. Nothing is absent unless `whollyRead`."""

    entries: int
    files: int
    bytes: int
    executables: int
    whollyRead: bool
    unread: list[UnreadPlace]
    residue: Residue


class CheckedDigest(TypedDict):
    """A digest that was recomputed from bytes and agreed."""

    what: str
    digest: str


class Integrity(TypedDict):
    """All such digests."""

    checked: list[CheckedDigest]


class Demand(TypedDict):
    """What signatures were verified against; when not `made`, nothing is trusted."""

    made: bool
    keyId: str | None
    identity: str | None
    identityRegexp: str | None
    issuer: str | None
    issuerRegexp: str | None


class Signature(TypedDict):
    """One signature over the image digest. `verdict` is verified, invalid, unchecked or unsigned."""

    kind: str
    verified: bool
    verdict: str
    identity: str | None
    issuer: str | None
    keyId: str | None
    transparency: str
    reason: str
    signedAt: str | None
    material: str
    foundIn: str


class Attestation(Signature):
    """One in-toto statement, with what a signature has.

    `summary` is what it states in one line, whoever signed it; null for a predicate type that is not known.
    """

    predicateType: str
    summary: str | None
    subjects: list[str]


class UnreadableMaterial(TypedDict):
    """Signing material that is not understood."""

    where: str
    reason: str


class PolicyFile(TypedDict):
    """A key or a trusted root that a trust policy refers to."""

    name: str
    digest: str


class PolicyRequirement(TypedDict):
    """One requirement of a trust policy. `state` is held, not-held or undetermined."""

    images: str
    what: list[str]
    signers: list[str]
    builders: list[str]
    sources: list[str]
    state: str
    reason: str
    materials: list[str]


class Policy(TypedDict):
    """What a trust policy says of the image. `state` is held only where every requirement is."""

    digest: str
    files: list[PolicyFile]
    image: str
    expires: str | None
    state: str
    reason: str
    requirements: list[PolicyRequirement]


class Verification(TypedDict):
    """What was verified about the image. `policy` is null where no trust policy was given."""

    integrity: Integrity
    demand: Demand
    signatures: list[Signature]
    attestations: list[Attestation]
    unreadable: list[UnreadableMaterial]
    policy: Policy | None


class SuppliedReport(TypedDict):
    """A report that the user gave as a file: nobody's signature covers it, and `signed` is always false.

    `form` and `summary` are null where it is not understood, as `reason` says; `about` is this-image,
    another-image, or not-stated where it names no image.
    """

    name: str
    sha256: str
    signed: bool
    form: str | None
    about: str
    summary: str | None
    reason: str | None


class AreaCounts(TypedDict):
    """How many differences there are in one area of a comparison."""

    area: str
    added: int
    removed: int
    changed: int


class Baseline(TypedDict):
    """The image that this one was compared with, and what changed since in numbers: check DR-BASELINE tells what.

    `material` are the differences that change something in a container: all but those of labels and metadata.
    """

    reference: str
    digest: str
    platform: str | None
    differences: int
    material: int
    areas: list[AreaCounts]
    notCompared: list[str]
    unread: list[str]


class Observation(TypedDict):
    """One fact that a check saw. `layer` is a digest, `names` are further names of the same file."""

    summary: str
    kind: str
    path: str | None
    names: list[str]
    layer: str | None
    package: str | None
    sha256: str | None
    size: int | None
    value: str | None
    method: str | None
    verdict: str | None


class Waiver(TypedDict):
    """An accepted exception to a check. `signer` is null where nobody signed the `file` that it is written in."""

    id: str
    reason: str
    approver: str
    ticket: str | None
    created: str
    expires: str | None
    images: list[str]
    digest: str | None
    paths: list[str]
    file: str
    signer: str | None


class WaiverUse(TypedDict):
    """A waiver that was given, and what became of it: only an applied one accepts anything."""

    check: str
    state: str
    waiver: Waiver


class Check(TypedDict):
    """A check with its outcome on this image; `reason` is null for a pass or a failure.

    Where it does not count, the summary's outcome does not rest on it, and `uncounted` says why. `ownSeverity` is
    that of the check itself, which the profile may replace. `needs` is what it says nothing without, if the image
    alone is not enough.
    """

    id: str
    title: str
    trait: str
    severity: str
    ownSeverity: str
    counts: bool
    uncounted: str | None
    outcome: str
    reason: str | None
    rationale: str
    looksAt: str
    needs: str | None
    proves: str
    remediation: str
    references: list[str]
    waiver: Waiver | None
    observations: list[Observation]


class LeftOut(TypedDict):
    """A part of a framework on which no check bears, and why."""

    what: str
    why: str


class Framework(TypedDict):
    """A published set of controls. `givenBy` is the user's file that it comes from, or that changed it."""

    id: str
    name: str
    version: str
    source: str
    givenBy: str | None
    caveats: list[str]
    leftOut: list[LeftOut]


class MappedCheck(TypedDict):
    """How a check bears on a control."""

    check: str
    relation: str
    rationale: str


class Control(TypedDict):
    """A control and what the checks say about it. `checks` were run, `mapping` names all that bear on it.

    `relation` is the strongest among the checks that decide the status: those that passed or, for a contradicted
    control, failed; among all that were run where none decides.
    """

    framework: str
    id: str
    label: str
    title: str
    verbatim: bool
    confirmed: bool
    source: str
    baselines: list[str] | None
    status: str
    relation: str | None
    checks: list[str]
    mapping: list[MappedCheck]
    waived: bool


OutcomeCounts = TypedDict(
    "OutcomeCounts", {"passed": int, "failed": int, "not-applicable": int, "unknown": int, "errored": int}
)


class Summary(TypedDict):
    """The answer in short. `outcome` decided the exit code."""

    outcome: str
    exitCode: int
    checks: OutcomeCounts
    counted: int
    waived: int
    worstSeverity: str | None
    failOn: str


class Definition(TypedDict):
    """A file of the user's that said what the image is held against. `signer` is null for one that nobody signed."""

    role: str
    name: str
    sha256: str
    signer: str | None


class Reevaluation(TypedDict):
    """What a document says that was made from another assessment, for another date and without the image.

    `assessedAt` and `outcome` are that assessment's; `reopened` the checks that can't be answered for this date.
    """

    assessedAt: str
    outcome: str
    reopened: list[str]


class Document(TypedDict):
    """The whole of it. Paths have a leading slash; no string holds a control character or a lone surrogate."""

    schemaVersion: str
    subject: Subject
    tool: Tool
    startedAt: str
    finishedAt: str
    effectiveTime: str
    reevaluation: Reevaluation | None
    profile: Profile
    definitions: list[Definition]
    summary: Summary
    coverage: Coverage
    inventory: Inventory
    verification: Verification
    suppliedReports: list[SuppliedReport]
    baseline: Baseline | None
    waivers: list[WaiverUse]
    checks: list[Check]
    frameworks: list[Framework]
    controls: list[Control]
