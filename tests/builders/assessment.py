"""A whole assessment made by hand, for tests of the renderers: every outcome, long paths, hostile text, two frameworks.

The image is imaginary, but of the shape of an ordinary Debian-based service image.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime

from compliance.errors import ExitCode
from compliance.formats.intoto import write_statement
from compliance.model.assessment import Assessment, ControlResult, Summary, ToolInfo
from compliance.model.control import Control, ControlLibrary, ControlStatus, Framework, MappedCheck, Relation
from compliance.model.evidence import Evidence, Profile, ProfileSource, SuppliedReport, Variant
from compliance.model.filesystem import FileTree, Residue, Unread
from compliance.model.image import Image, ImageConfig, Layer
from compliance.model.inventory import Distribution, Inventory, Location, Package
from compliance.model.inventory import Unknown as UnknownPlace
from compliance.model.outcome import (
    AnyOutcome,
    Check,
    CheckResult,
    Errored,
    Failed,
    NotApplicable,
    Observation,
    ObservationKind,
    Outcome,
    OutcomeWord,
    Passed,
    Severity,
    Trait,
    Unknown,
    Waiver,
)
from compliance.model.reference import ImageReference, Platform, Scheme
from compliance.model.verification import (
    Attestation,
    Demand,
    Integrity,
    Signature,
    SignatureKind,
    Signer,
    Verdict,
    Verification,
)
from tests.builders.evidence import Node, file, program, symlink, tree

MOMENT = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
DIGEST = "sha256:" + "3f9a" * 16
LONG_PATH = "usr/lib/x86_64-linux-gnu/" + "a-directory-with-quite-a-long-name/" * 7 + "libsomething.so.1.2.3"
ESCAPING = "\x1b[31mred\x07<script>alert(1)<!--|*bold*|=cmd()\u202egnp"
HIDDEN = "hunter2-not-to-be-printed"

_SHELLS = (
    "usr/bin/bash",
    "usr/bin/dash",
    "usr/bin/rbash",
    "bin/busybox",
    "usr/bin/perl5.36-x86_64-linux-gnu",
    LONG_PATH,
)


_CLAM = b"----------- SCAN SUMMARY -----------\nEngine version: 1.5.2\nScanned files: 21\nInfected files: 0\n"


def _never_run(_: Evidence) -> Outcome:
    raise AssertionError("the renderers run no check")


def check(identifier: str, title: str, trait: Trait, severity: Severity, **more: str) -> Check:
    """A check with every text that a report prints."""
    return Check(
        id=identifier,
        title=title,
        trait=trait,
        severity=severity,
        rationale=more.get("rationale", f"Why {identifier} matters: what is not there cannot be used against you."),
        looks_at=more.get("looks_at", "Every regular file of the merged tree."),
        proves=more.get(
            "proves", f"A pass of {identifier} proves that nothing of the kind was in the bytes that were read."
        ),
        remediation=more.get("remediation", "Remove it in the build stage, or start from a runtime image without it."),
        run=_never_run,
        references=("NIST SP 800-190, 4.1.2",),
    )


RM_SHELL = check(
    "RM-SHELL",
    "No command shell in a runtime image",
    Trait.REMOVED,
    Severity.HIGH,
    rationale="A shell turns a file-write or injection bug into command execution.",
    remediation='Use an image without a shell, and start the program itself: ENTRYPOINT ["/app"].',
)
RM_PKGMGR = check("RM-PKGMGR", "No OS package manager", Trait.REMOVED, Severity.HIGH)
RM_EDITDOC = check("RM-EDITDOC", "No editors, pagers, manuals or docs", Trait.REMOVED, Severity.LOW)
NR_USER = check("NR-USER", "Default user is not root", Trait.NONROOT, Severity.HIGH)
NR_PORT = check("NR-PORT", "No privileged or remote-login port declared", Trait.NONROOT, Severity.LOW)
IM_SETUID = check("IM-SETUID", "No setuid or setgid executables", Trait.IMMUTABLE, Severity.HIGH)
IM_HEALTH = check("IM-HEALTH", "HEALTHCHECK present and runnable without a shell", Trait.IMMUTABLE, Severity.LOW)
SC_EOL = check("SC-EOL", "OS and language releases are supported", Trait.PURPOSE, Severity.HIGH)
DR_UNOWNED = check("DR-UNOWNED", "Every executable is accounted for by a package", Trait.DRIFT, Severity.MEDIUM)
SP_INTEGRITY = check(
    "SP-INTEGRITY", "Manifest, config and layers hash to their digests", Trait.SUPPLY, Severity.CRITICAL
)
SP_SIG = check("SP-SIG", "Image signature verifies for an expected identity", Trait.SUPPLY, Severity.CRITICAL)
SP_SECRET = check("SP-SECRET", "No secrets in layers, config, history or labels", Trait.SUPPLY, Severity.CRITICAL)


_UNCOUNTED = {"SP-SIG": "not asked for (by --key)"}


def file_seen(path: str, summary: str, *, layer: int = 0, **more: object) -> Observation:
    """An observation about a file."""
    plain = Observation(
        summary=summary, kind=ObservationKind.FILE, path=path, layer=layer, sha256="ab" * 32, size=125_688
    )
    return replace(plain, **more)  # type: ignore[arg-type]


def _shells() -> Failed:
    return Failed(
        observations=tuple(
            file_seen(
                path,
                "ELF executable with the markers of a shell",
                layer=position % 2,
                names=("bin/bash", "usr/local/bin/bash") if position == 0 else (),
                package=f"pkg:deb/debian/{path.rpartition('/')[2]}@5.2.15-2%2Bb7?arch=amd64" if position < 3 else None,
                method="content markers",
                verdict="present" if position < 5 else "possible",
            )
            for position, path in enumerate(_SHELLS)
        )
    )


def _coverage(files: int) -> Observation:
    return Observation(
        summary=f"{files} regular files were read to their end, none is unread", kind=ObservationKind.COVERAGE
    )


def results() -> tuple[CheckResult, ...]:
    """One result of each kind, in report order."""
    outcomes: tuple[tuple[Check, AnyOutcome], ...] = (
        (RM_SHELL, _shells()),
        (RM_PKGMGR, Unknown(reason="usr/lib/blob.img could not be read, so a package manager may be in it")),
        (RM_EDITDOC, Passed(observations=(_coverage(8),))),
        (
            NR_USER,
            Failed(
                observations=(
                    Observation(
                        summary="User is empty in the config, so the process starts as uid 0",
                        kind=ObservationKind.CONFIG,
                        value="",
                        method="image config",
                    ),
                )
            ),
        ),
        (NR_PORT, NotApplicable(reason="the image declares no ports")),
        (
            IM_SETUID,
            Failed(observations=(file_seen("usr/bin/" + ESCAPING, f"setuid executable {ESCAPING}", value="04755"),)),
        ),
        (IM_HEALTH, Failed(observations=(Observation(summary="no HEALTHCHECK", kind=ObservationKind.CONFIG),))),
        (
            SC_EOL,
            Passed(
                observations=(
                    Observation(summary="Debian 12 is supported until 2028-06-30", kind=ObservationKind.NOTE),
                )
            ),
        ),
        (DR_UNOWNED, Errored(reason="the check broke: ValueError: name\nwith two lines")),
        (
            SP_INTEGRITY,
            Passed(
                observations=(
                    Observation(summary="5 digests were recomputed and agree", kind=ObservationKind.SIGNATURE),
                )
            ),
        ),
        (SP_SIG, Unknown(reason="no key and no identity was given to verify signatures with")),
        (
            SP_SECRET,
            Failed(
                observations=(
                    Observation(
                        summary="private key (PEM) in a layer",
                        kind=ObservationKind.FILE,
                        path="etc/ssl/private/server.key",
                        layer=1,
                        sha256="cd" * 32,
                        value=f"API_TOKEN={HIDDEN}",
                    ),
                )
            ),
        ),
    )
    waiver = Waiver(
        id="W-2026-1",
        check="IM-HEALTH",
        reason="The orchestrator probes over HTTP.",
        approver="security@example.org",
        created=datetime(2026, 9, 30, tzinfo=UTC),
        expires=datetime(2027, 3, 31, tzinfo=UTC),
        ticket="SEC-77",
        images=("registry.example.org/team/**",),
        file="waivers.yaml",
    )
    return tuple(
        CheckResult(
            check=one,
            outcome=outcome,
            waiver=waiver if one.id == waiver.check else None,
            uncounted=_UNCOUNTED.get(one.id),
            own_severity=Severity.MEDIUM if one is RM_EDITDOC else None,
        )
        for one, outcome in outcomes
    )


def _mapped(identifier: str, relation: Relation) -> MappedCheck:
    return MappedCheck(check=identifier, relation=relation, rationale=f"{identifier} bears on it.")


def library() -> ControlLibrary:
    """Two frameworks: some SP 800-53 controls, and one whose titles are paraphrased and which has a caveat."""
    support, evidence = Relation.PARTIALLY_SUPPORTS, Relation.PROVIDES_EVIDENCE_FOR

    def control(identifier: str, label: str, title: str, *checks: MappedCheck, baselines: tuple[str, ...]) -> Control:
        return Control(
            id=identifier,
            label=label,
            title=title,
            verbatim=True,
            confirmed=True,
            source="SP 800-53 Rev. 5 catalog",
            checks=checks,
            baselines=baselines,
        )

    nist = Framework(
        id="nist-sp-800-53",
        name="NIST SP 800-53",
        version="Rev. 5.1.1",
        source="OSCAL catalog",
        controls=(
            control("ac-6", "AC-6", "Least Privilege", _mapped("NR-USER", evidence), _mapped("IM-SETUID", evidence),
                    baselines=("moderate", "high")),
            control("cm-7", "CM-7", "Least Functionality", _mapped("RM-SHELL", support), _mapped("RM-PKGMGR", support),
                    baselines=("low", "moderate", "high")),
            control("cm-7.2", "CM-7(2)", "Prevent Program Execution", _mapped("RM-SHELL", evidence),
                    baselines=("moderate", "high")),
            control("cm-14", "CM-14", "Signed Components", _mapped("SP-SIG", support), baselines=()),
            control("sa-22", "SA-22", "Unsupported System Components", _mapped("SC-EOL", support),
                    baselines=("low", "moderate", "high")),
        ),
    )  # fmt: skip
    benchmark = Framework(
        id="example-benchmark",
        name="Example Image Benchmark",
        version="1.6",
        source="its public text",
        caveats=("Titles are our paraphrases; identifiers are the publisher's.",),
        controls=(
            Control(
                id="4.1",
                label="4.1",
                title="The container runs as a user other than root",
                verbatim=False,
                confirmed=True,
                source="public text",
                checks=(_mapped("NR-USER", Relation.SATISFIES),),
            ),
            Control(
                id="4.5",
                label="4.5",
                title="Content can be trusted: every byte is covered by a digest",
                verbatim=False,
                confirmed=False,
                source="public text",
                checks=(_mapped("SP-INTEGRITY", Relation.SATISFIES), _mapped("SP-OTHER", evidence)),
            ),
            Control(
                id="4.9",
                label="4.9",
                title="Ports below 1024 are not exposed",
                verbatim=False,
                confirmed=True,
                source="public text",
                checks=(_mapped("NR-PORT", Relation.SATISFIES),),
            ),
        ),
    )
    return ControlLibrary(frameworks=(nist, benchmark), digest="sha256:" + "c0" * 32)


_STATUSES = {
    "ac-6": ControlStatus.CONTRADICTED,
    "cm-7": ControlStatus.CONTRADICTED,
    "cm-7.2": ControlStatus.CONTRADICTED,
    "cm-14": ControlStatus.UNDETERMINED,
    "sa-22": ControlStatus.SUPPORTED,
    "4.1": ControlStatus.CONTRADICTED,
    "4.5": ControlStatus.SATISFIED,
    "4.9": ControlStatus.NOT_APPLICABLE,
}


def _controls(frameworks: tuple[Framework, ...], run: frozenset[str]) -> tuple[ControlResult, ...]:
    return tuple(
        ControlResult(
            framework=framework,
            control=control,
            status=_STATUSES[control.id],
            checks=tuple(mapped.check for mapped in control.checks if mapped.check in run),
        )
        for framework in frameworks
        for control in framework.controls
    )


def file_tree() -> FileTree:
    """The files that the results speak of, one of them unread."""
    nodes: dict[str, Node | bytes | str] = {path: program(b"\x7fELF" + path.encode()) for path in _SHELLS}
    nodes |= {
        "bin/bash": Node(same_as="usr/bin/bash"),
        "usr/bin/" + ESCAPING: file(b"\x7fELF", 0o4755),
        "usr/lib/blob.img": file(b"\0" * 4096, layer=1),
        "etc/os-release": file("ID=debian\n"),
        "usr/bin/sh": symlink("dash"),
    }
    return tree(
        nodes,
        unread=(Unread(path="usr/lib/blob.img", reason="the entry is cut off after 4096 of 9000000 bytes", layer=1),),
        residue=(Residue(path="root/.cache/pip/wheel", layer=0, hidden_by=1, size=70_000, sha256="ef" * 32),),
    )


def image() -> Image:
    """Two layers, a config that holds a secret in its environment, history and command line."""
    return Image(
        reference=ImageReference(scheme=Scheme.REGISTRY, target="registry.example.org/team/payments-api", tag="2.14.0"),
        digest=DIGEST,
        media_type="application/vnd.oci.image.manifest.v1+json",
        platform=Platform(os="linux", architecture="amd64"),
        manifest=b"{}",
        config_digest="sha256:" + "5c" * 32,
        config_bytes=b"{}",
        config=ImageConfig(
            entrypoint=("/usr/bin/payments", "--db-password", HIDDEN),
            cmd=("serve", f"--api-token={HIDDEN}"),
            env={"PATH": "/usr/local/bin:/usr/bin:/bin", "DB_PASSWORD": HIDDEN, "LANG": "C.UTF-8"},
            labels={
                "org.opencontainers.image.source": f"https://bot:{HIDDEN}@git.example.org/team/payments",
                "org.opencontainers.image.title": ESCAPING,
                "internal.note": HIDDEN,
            },
            exposed_ports=("8080/tcp",),
            created="2026-10-28T09:12:44Z",
        ),
        layers=(
            Layer(
                index=0,
                digest="sha256:" + "a1" * 32,
                diff_id="sha256:" + "b1" * 32,
                media_type="application/vnd.oci.image.layer.v1.tar+gzip",
                size=29_126_484,
                created_by="# debian.sh --arch 'amd64' out/ 'bookworm' '@1761091200'",
            ),
            Layer(
                index=1,
                digest="sha256:" + "a2" * 32,
                diff_id="sha256:" + "b2" * 32,
                media_type="application/vnd.oci.image.layer.v1.tar+gzip",
                size=51_337_912,
                created_by=f"RUN |1 NPM_TOKEN={HIDDEN} /bin/sh -c npm ci --omit=dev # buildkit",
            ),
        ),
        index_digest="sha256:" + "1d" * 32,
        tag="2.14.0",
        notices=("the index also holds linux/arm64",),
    )


def inventory() -> Inventory:
    """Packages of three types; one has markup and control characters in its name."""

    def package(kind: str, name: str, version: str) -> Package:
        return Package(
            name=name,
            version=version,
            type=kind,
            purl=f"pkg:{kind}/{name}@{version}",
            found_by=kind,
            locations=(Location(path="var/lib/dpkg/status", layer=0),),
        )

    return Inventory(
        packages=(
            package("deb", "bash", "5.2.15-2+b7"),
            package("deb", "dash", "0.5.12-2"),
            package("npm", ESCAPING, "1.0.0"),
            package("pypi", "flask", "3.0.0"),
        ),
        unknowns=(UnknownPlace(path="srv/app/package.json", reason="not JSON: line 1 column 3"),),
        distribution=Distribution(
            id="debian", version_id="12", pretty_name="Debian GNU/Linux 12 (bookworm)", codename="bookworm"
        ),
    )


def verification() -> Verification:
    """One signature that nobody asked to check, one attestation that verifies, one unreadable piece."""
    return Verification(
        integrity=Integrity(
            checked=(
                ("manifest", DIGEST),
                ("config", "sha256:" + "5c" * 32),
                ("layer 1 of 2", "sha256:" + "a1" * 32),
                ("layer 2 of 2", "sha256:" + "a2" * 32),
            )
        ),
        demand=Demand(identity_regexp=r"https://ci\.example\.org/.*", issuer="https://token.example.org"),
        signatures=(
            Signature(
                kind=SignatureKind.COSIGN_SIMPLE_SIGNING,
                verdict=Verdict.UNCHECKED,
                signer=Signer(),
                transparency="none",
                reason="signed by a key, but no key was given",
                material="sha256:" + "77" * 32,
                found_in="tag sha256-" + "3f9a" * 16 + ".sig",
            ),
        ),
        attestations=(
            Attestation(
                kind=SignatureKind.SIGSTORE_BUNDLE,
                predicate_type="https://slsa.dev/provenance/v1",
                verdict=Verdict.VERIFIED,
                signer=Signer(
                    identity="https://ci.example.org/team/payments/.workflows/release.yaml@refs/heads/main",
                    issuer="https://token.example.org",
                ),
                transparency="inclusion proof, log 1193050959916656506",
                reason="signature, certificate chain and log entry verify",
                material="sha256:" + "88" * 32,
                found_in="referrer sha256:" + "99" * 32,
                subjects=(DIGEST,),
                signed_at="2026-10-28T09:14:02Z",
                statement=write_statement(
                    name="registry.example.org/payments",
                    digest=DIGEST,
                    predicate_type="https://slsa.dev/provenance/v1",
                    predicate={"runDetails": {"builder": {"id": "https://ci.example.org/builder"}}},
                ),
            ),
        ),
        unreadable=(("referrer sha256:" + "66" * 32, "a bundle of media type version 0.9 is not understood"),),
    )


def assessment(*, frameworks: int = 2) -> Assessment:
    """The whole of it; `frameworks` of the library's frameworks are reported on."""
    found = results()
    controls = library()
    chosen = controls.frameworks[:frameworks]
    return Assessment(
        evidence=Evidence(
            image=image(),
            filesystem=file_tree(),
            inventory=inventory(),
            verification=verification(),
            profile=Profile(variant=Variant.RUNTIME, source=ProfileSource.DEFAULT),
            assessed_at=MOMENT,
            supplied=(SuppliedReport(name="clam.log", sha256=hashlib.sha256(_CLAM).hexdigest(), content=_CLAM),),
        ),
        results=found,
        controls=_controls(chosen, frozenset(result.check.id for result in found)),
        library=controls,
        tool=ToolInfo(name="hullmark", version="0.1.0", controls_digest=controls.digest),
        summary=Summary(
            outcome=ExitCode.NOT_SATISFIED,
            counts=Counter[OutcomeWord](result.word for result in found),
            worst=Severity.CRITICAL,
            fail_on=Severity.HIGH,
        ),
        started=MOMENT,
        finished=MOMENT,
        effective=MOMENT,
    )
