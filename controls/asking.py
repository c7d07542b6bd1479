"""What a command line asks for, besides the image itself: which checks on the word of others decide the answer.

Only what was typed is looked at (signers, policies, names, files), never what came with the image: evidence that is
missing must not make its question go away.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from compliance.formats.benchmark_result import DHI_STIG, BenchmarkScan
from compliance.formats.malware_scan import SCOUT_VIRUS, MalwareScan
from compliance.formats.predicates import Said
from compliance.formats.suite_result import SCOUT_TESTS, TEST_RESULT, SuiteResult
from compliance.formats.vex import OPENVEX, VexDocument
from compliance.formats.vulnerability_scan import VulnerabilityScan
from compliance.model.evidence import Evidence
from compliance.model.verification import SIGNATURE, Demand
from controls.checks.sp_vuln import SCANS
from controls.statements import PROVENANCE, SBOM
from controls.testimony import read_report

_BY_KIND: Final[tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]] = (
    (PROVENANCE, ("SP-PROV",)),
    (SBOM, ("SP-SBOM", "SP-SBOMSIG")),
    (SCANS, ("SP-VULN",)),
    ((OPENVEX,), ("SP-VEX",)),
    ((SCOUT_VIRUS,), ("SP-MALWARE",)),
    ((DHI_STIG,), ("SP-STIG",)),
    ((TEST_RESULT, SCOUT_TESTS), ("SP-TEST",)),
)
_BY_REPORT: Final[tuple[tuple[type[Said], str], ...]] = (
    (VulnerabilityScan, "SP-VULN"),
    (VexDocument, "SP-VEX"),
    (MalwareScan, "SP-MALWARE"),
    (BenchmarkScan, "SP-STIG"),
    (SuiteResult, "SP-TEST"),
)
_POLICY = "a trust policy that requires it"
_SCAN = f"--scan with such a report, or {_POLICY}"

HOW: Final[Mapping[str, str]] = MappingProxyType(
    {
        "DR-BASELINE": "--baseline",
        "SP-SIG": "--key, --certificate-identity, or a trust policy that requires a signature",
        "SP-PROV": _POLICY,
        "SP-SBOM": _POLICY,
        "SP-SBOMSIG": _POLICY,
        "SP-BASE": "--approved-base",
        "SP-VULN": _SCAN,
        "SP-VEX": _SCAN,
        "SP-MALWARE": _SCAN,
        "SP-STIG": _SCAN,
        "SP-TEST": _SCAN,
    }
)
"""Every check that can be asked for, and how."""


def asked_for(evidence: Evidence, *, baseline: bool) -> frozenset[str]:
    """The ids of the checks that the user asked for: of `evidence` only what the user gave is looked at."""
    return frozenset(_asked(evidence, baseline))


def _asked(evidence: Evidence, baseline: bool) -> Iterator[str]:
    if baseline:
        yield "DR-BASELINE"
    if evidence.approved_bases:
        yield "SP-BASE"
    yield from _by_demand(evidence.verification.demand)
    for report in evidence.supplied:
        read = read_report(report)
        said = read.said if read is not None else ()
        yield from (check for kind, check in _BY_REPORT if any(isinstance(one, kind) for one in said))


def _by_demand(demand: Demand) -> Iterator[str]:
    """A signer that is named for everything is asked about the image; a policy says itself what it asks for."""
    if demand.covers(SIGNATURE):
        yield "SP-SIG"
    for kinds, checks in _BY_KIND:
        if any(what.startswith(kinds) for what in demand.by_policy):
            yield from checks
