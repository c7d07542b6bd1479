"""What an in-toto statement states, by its predicate type: as values for the checks, and in one line for a reader.

A type that is not known here is no error: it has no values and no summary, and is listed by its type.
"""

from __future__ import annotations

from collections.abc import Callable

from compliance.errors import FormatError
from compliance.formats.attribute_report import ATTRIBUTE_REPORT, AttributeReport, read_attribute_report
from compliance.formats.benchmark_result import DHI_STIG, BenchmarkScan, read_stig_predicate
from compliance.formats.cyclonedx_vulnerabilities import has_vulnerabilities, read_cyclonedx_vulnerabilities
from compliance.formats.docker_predicates import (
    DHI_FIPS,
    SCOUT_SECRETS,
    CryptographicModules,
    SecretsScan,
    read_fips_predicate,
    read_secrets_predicate,
)
from compliance.formats.intoto import Statement
from compliance.formats.malware_scan import SCOUT_VIRUS, MalwareScan, read_virus_predicate
from compliance.formats.plain_text import plain_text
from compliance.formats.predicate_values import counted, line
from compliance.formats.provenance import SLSA_PROVENANCE, Provenance, read_provenance
from compliance.formats.signed_json import JsonObject
from compliance.formats.suite_result import SCOUT_TESTS, TEST_RESULT, SuiteResult, read_ctrf, read_test_result
from compliance.formats.verification_results import (
    SIMPLE_RESULT,
    VERIFICATION_SUMMARY,
    SimpleResult,
    VerificationSummary,
    read_simple_result,
    read_verification_summary,
)
from compliance.formats.vex import OPENVEX, VexDocument, read_openvex
from compliance.formats.vulnerability_predicates import (
    COSIGN_VULNERABILITIES,
    IN_TOTO_VULNERABILITIES,
    read_cosign_scan,
    read_in_toto_scan,
)
from compliance.formats.vulnerability_scan import VulnerabilityScan

Said = (
    Provenance
    | VerificationSummary
    | SimpleResult
    | AttributeReport
    | SuiteResult
    | VulnerabilityScan
    | VexDocument
    | BenchmarkScan
    | MalwareScan
    | CryptographicModules
    | SecretsScan
)
"""One thing that somebody states; each has a `summary`."""

CYCLONEDX = "https://cyclonedx.org/bom"
SPDX = "https://spdx.dev/Document"
SUMMARY_MAX = 400

_READERS: tuple[tuple[str, Callable[[Statement], Said]], ...] = (
    (SLSA_PROVENANCE, lambda it: read_provenance(it.predicate, it.predicate_type)),
    (VERIFICATION_SUMMARY, lambda it: read_verification_summary(it.predicate)),
    (SIMPLE_RESULT, lambda it: read_simple_result(it.predicate)),
    (ATTRIBUTE_REPORT, lambda it: read_attribute_report(it.predicate)),
    (TEST_RESULT, lambda it: read_test_result(it.predicate)),
    (SCOUT_TESTS, lambda it: read_ctrf(it.predicate)),
    (IN_TOTO_VULNERABILITIES, lambda it: read_in_toto_scan(it.predicate)),
    (COSIGN_VULNERABILITIES, lambda it: read_cosign_scan(it.predicate)),
    (OPENVEX, lambda it: read_openvex(it.predicate)),
    (DHI_STIG, lambda it: read_stig_predicate(_listed(it))),
    (DHI_FIPS, lambda it: read_fips_predicate(_listed(it))),
    (SCOUT_SECRETS, lambda it: read_secrets_predicate(_listed(it))),
    (SCOUT_VIRUS, lambda it: read_virus_predicate(it.predicate)),
)
"""By the beginning of the predicate type, as versions are appended to it."""

_TITLES = (
    ("https://docker.com/dhi/source/", "the sources that the image was built from"),
    ("https://scout.docker.com/health/", "a health score of Docker Scout"),
    ("https://scout.docker.com/provenance/", "build metadata of Docker Scout"),
    ("https://scout.docker.com/sbom/", "an SBOM of Docker Scout"),
    ("https://scout.docker.com/vulnerabilities/", "a vulnerability report of Docker Scout, in a form that is not read"),
    ("https://in-toto.io/attestation/release/", "a release"),
    ("https://in-toto.io/attestation/link/", "a step of a supply chain"),
    ("https://in-toto.io/attestation/runtime-trace/", "a trace of a build at run time"),
    ("https://modelcontextprotocol.io/server.json/", "a description of an MCP server"),
    ("https://sigstore.dev/cosign/sign/", "a signature of the image"),
)
_REFERENCE = "https://in-toto.io/attestation/reference/"


def understand(statement: Statement) -> tuple[Said, ...]:
    """What the statement states; nothing for a type that is not read. Raises FormatError for a damaged predicate."""
    kind = statement.predicate_type
    if kind.startswith(CYCLONEDX):
        listing = has_vulnerabilities(statement.predicate.values)
        return read_cyclonedx_vulnerabilities(statement.predicate) if listing else ()
    reader = next((read for beginning, read in _READERS if kind.startswith(beginning)), None)
    return () if reader is None else (reader(statement),)


def summary(statement: Statement) -> str | None:
    """What the statement states in one line; None for a predicate type that is not known. Never raises."""
    try:
        text = _bom(statement) or "; ".join(said.summary for said in understand(statement)) or _title(statement)
    except FormatError as error:
        text = f"not understood: {error}"
    return None if text is None else plain_text(text, SUMMARY_MAX)


def _bom(statement: Statement) -> str:
    """An SBOM by its size, and the vulnerabilities that a CycloneDX document lists."""
    kind, predicate = statement.predicate_type, statement.predicate
    if kind.startswith(CYCLONEDX):
        version = line(predicate, "specVersion", 20)
        listed = "; ".join(said.summary for said in understand(statement))
        size = counted(len(predicate.members("components")), "component")
        return f"CycloneDX {version} document of {size}" + (f"; {listed}" if listed else "")
    if kind.startswith(SPDX):
        version = line(predicate, "spdxVersion", 20).removeprefix("SPDX-")
        if not version:
            return "SPDX document, in a form that is not read"
        return f"SPDX {version} document of {counted(len(predicate.members('packages')), 'package')}"
    if kind.startswith(_REFERENCE):
        return f"references to {counted(len(predicate.members('references')), 'document')}"
    return ""


def _title(statement: Statement) -> str | None:
    return next((title for beginning, title in _TITLES if statement.predicate_type.startswith(beginning)), None)


def _listed(statement: Statement) -> tuple[JsonObject, ...]:
    if statement.entries is None:
        raise FormatError("not a list", code="statement-invalid", where="statement.predicate")
    return statement.entries
