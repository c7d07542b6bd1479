"""One assessment, to look at and to compute with: the document that ``hullmark assess -o json`` writes."""

from __future__ import annotations

from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from compliance.errors import UsageError

if TYPE_CHECKING:
    from pandas import DataFrame, Series

    from compliance.api.inventory import Inventory
    from compliance.model.assessment import Assessment as Made
    from compliance.model.evidence import Evidence
    from reports.document import Check, Document

ASSESSMENT_FILE, SBOM_FILE = "assessment.json", "sbom.cdx.json"


class Assessment:
    """What was found out about one image at one time, and what that says about controls.

    It rests on the assessment document alone, so that one which was read back from a file or a store says the same as
    one just made. `evidence` is what it was made from, None for one that was read back.
    """

    def __init__(self, document: bytes, sbom: bytes | None = None) -> None:
        """From the bytes of an assessment document, and of its SBOM (CycloneDX JSON). Raises FormatError."""
        from reports.assessment_json import parse

        self._content = document
        self._sbom = sbom
        self._document = parse(document)
        self._made: Made | None = None

    @classmethod
    def of(cls, made: Made) -> Assessment:
        """One that the pipeline has just made."""
        from reports.assessment_json import document, render

        assessment = cls(render(document(made)))
        assessment._made = made
        return assessment

    @classmethod
    def read(cls, path: str | PathLike[str]) -> Assessment:
        """From assessment.json, or the folder of an evidence bundle. Nothing is verified: `verify_evidence` does that.

        Raises UsageError where there is no such file, FormatError for one that is none.
        """
        from compliance.formats.user_file import read_file
        from compliance.store.bundle_manifest import FILE_SIZE_MAX

        file = Path(path) / ASSESSMENT_FILE if Path(path).is_dir() else Path(path)
        beside = file.with_name(SBOM_FILE)
        sbom = read_file(beside, "SBOM", FILE_SIZE_MAX) if beside.is_file() else None
        return cls(read_file(file, "assessment", FILE_SIZE_MAX), sbom)

    @property
    def document(self) -> Document:
        """All of it as plain values; the JSON Schema that ships with the package describes every key."""
        return self._document

    @property
    def evidence(self) -> Evidence | None:
        """The image's file tree, inventory and verification, where the assessment was made here."""
        return None if self._made is None else self._made.evidence

    @property
    def reference(self) -> str:
        """The image as it was named."""
        return self._document["subject"]["reference"]

    @property
    def digest(self) -> str:
        """Of the image's manifest: what the assessment is about."""
        return self._document["subject"]["digest"]

    @property
    def outcome(self) -> str:
        """satisfied, not-satisfied, not-determined or not-verified."""
        return self._document["summary"]["outcome"]

    def check(self, identifier: str) -> CheckAnswer:
        """What one check answered, with everything it saw. Raises KeyError where it was not run."""
        for check in self._document["checks"]:
            if check["id"] == identifier:
                return CheckAnswer(check)
        raise KeyError(identifier)

    def to_frame(self) -> DataFrame:
        """The same as `checks`."""
        return self.checks

    @property
    def checks(self) -> DataFrame:
        """One row a check, in report order."""
        from compliance.api import tables

        return tables.checks(self._document)

    @property
    def observations(self) -> DataFrame:
        """One row for each thing that a check saw, those of passes too."""
        from compliance.api import tables

        return tables.observations(self._document["checks"])

    @property
    def controls(self) -> DataFrame:
        """One row a control, with its status."""
        from compliance.api import tables

        return tables.controls(self._document)

    @property
    def mapping(self) -> DataFrame:
        """One row for each check that bears on a control, and why."""
        from compliance.api import tables

        return tables.mapping(self._document)

    @property
    def signatures(self) -> DataFrame:
        """One row a signature or attestation; builder and source only where the assessment was made here."""
        from compliance.api import tables
        from compliance.api.opened_image import statements_of

        made = self._made
        statements = {} if made is None else statements_of(made.evidence.verification)
        return tables.signatures(self._document["verification"], statements)

    @property
    def differences(self) -> DataFrame:
        """One row for each property that changed since the `baseline`. Raises UsageError where there was none."""
        from compliance.api import tables
        from reports.drift_document import document

        drift = None if self._made is None else self._made.evidence.drift
        if drift is None:
            raise UsageError("there is no baseline at hand", code="usage", hint="assess(…, baseline=IMAGE)")
        tool = self._document["tool"]
        return tables.differences(document(drift, {"name": tool["name"], "version": tool["version"]}))

    @property
    def numbers(self) -> Series:
        """How much there is, as whole numbers: layers, bytes, files, executables, packages, checks by outcome."""
        import pandas as pd

        coverage, subject = self._document["coverage"], self._document["subject"]
        counts = {
            "layers": len(subject["layers"]),
            "bytes stored": sum(layer["size"] for layer in subject["layers"]),
            "files": coverage["files"],
            "bytes in files": coverage["bytes"],
            "executables": coverage["executables"],
            "hidden files": coverage["residue"]["files"],
            "packages": self._document["inventory"]["packages"],
        }
        outcomes = {f"checks {word}": number for word, number in self._document["summary"]["checks"].items()}
        return pd.Series({**counts, **outcomes}, dtype="int64", name=self.reference)

    @cached_property
    def inventory(self) -> Inventory:
        """The packages. Raises UsageError for an assessment that was read back without its SBOM."""
        from compliance.api.assessing import reading_options
        from compliance.api.inventory import Inventory
        from compliance.pipeline import read_sbom

        if self._made is not None:
            return Inventory(self._made.evidence.inventory)
        return Inventory(read_sbom(self._sbom_bytes(), reading_options(cache=False)).inventory)

    def _sbom_bytes(self) -> bytes:
        from compliance.pipeline import sbom

        if self._made is not None:
            return sbom(self._made.evidence)
        if self._sbom is None:
            raise UsageError(
                "the assessment was read without its SBOM", code="usage", hint=f"{SBOM_FILE} belongs beside it"
            )
        return self._sbom

    def render(self, form: str) -> bytes:
        """The assessment as ``json``, ``html``, ``pdf``, ``oscal-ar``, ``sarif``, ``csv`` …: the formats of `-o`.

        Raises UsageError for a format that there is not.
        """
        from reports.exporter import FORMATS

        if form not in FORMATS:
            raise UsageError(f"no such format: {form}", code="format-unknown", hint=", ".join(FORMATS))
        return FORMATS[form].render(self._document)

    def write_evidence(self, folder: str | PathLike[str], *, sign_key: str | None = None) -> None:
        """Write the evidence bundle: SBOMs, reports, OSCAL and, with `sign_key`, signed attestations and a signed PDF.

        `sign_key` is what ``--sign-key`` takes: a path, ``generate:PATH``, or the URI of a key in a token or service.
        The folder appears whole or not at all. Raises UsageError for an assessment that was read back, StoreError,
        SigningError.
        """
        from functools import partial

        from compliance.pipeline import write_evidence
        from compliance.sign.pdf_signer import pdf_signer
        from compliance.sign.reference import open_signer
        from compliance.sign.signer import KeySigner

        made = self._made
        if made is None:
            raise UsageError("evidence is written by whoever assessed the image", code="usage", hint="assess it again")
        signer = None if sign_key is None else open_signer(sign_key)
        sign_pdf = None
        if isinstance(signer, KeySigner):
            sign_pdf = partial(pdf_signer(signer, (), None).sign, moment=made.finished)
        write_evidence(Path(folder), made, signer, sign_pdf=sign_pdf)

    def __repr__(self) -> str:
        return f"<Assessment {self.outcome}: {self.reference} {self.digest}>"

    def _repr_html_(self) -> str:
        from reports import notebook

        return notebook.assessment(self._document)


class CheckAnswer:
    """What one check answered: the question, the outcome, what was seen, and what that proves and does not prove."""

    def __init__(self, check: Check) -> None:
        self.document = check

    @property
    def outcome(self) -> str:
        """passed, failed, not-applicable, unknown or errored."""
        return self.document["outcome"]

    def to_frame(self) -> DataFrame:
        """One row for each thing that it saw."""
        from compliance.api import tables

        return tables.observations((self.document,))

    def __repr__(self) -> str:
        return f"<Check {self.document['id']} {self.outcome}: {self.document['title']}>"

    def _repr_html_(self) -> str:
        from reports import notebook

        return notebook.check(self.document)
