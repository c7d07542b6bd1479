"""An image that was opened: what it says of itself at once, its inventory and its signatures on demand."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pandas import DataFrame

    from compliance.api.inventory import Inventory
    from compliance.model.image import Image
    from compliance.model.verification import Verification
    from compliance.pipeline import Options


class OpenedImage:
    """Manifest, config and attachments of one image for one platform, each held against its digest.

    `facts` are all of them. What the config says (user, labels, history) is a claim of whoever built the image.
    """

    def __init__(self, facts: Image, options: Options) -> None:
        self.facts = facts
        self._options = options

    @property
    def reference(self) -> str:
        """The image as it was named."""
        return str(self.facts.reference)

    @property
    def digest(self) -> str:
        """Of its manifest: what signatures are about."""
        return self.facts.digest

    @property
    def platform(self) -> str | None:
        """As ``os/arch``."""
        return None if self.facts.platform is None else str(self.facts.platform)

    @property
    def user(self) -> str | None:
        """The default user as the config writes it; None where it names none, which means root."""
        return None if self.facts.config is None else self.facts.config.user or None

    @cached_property
    def inventory(self) -> Inventory:
        """Its packages. Reads every layer the first time. Raises ComplianceError."""
        from compliance.api.inventory import Inventory
        from compliance.errors import SourceError
        from compliance.pipeline import read_image

        found = read_image(self.reference, self._options)
        if found.image.digest != self.digest:
            raise SourceError(
                f"the image is another since it was opened: {found.image.digest}",
                code="image-changed",
                where=self.reference,
                hint="open it again",
            )
        return Inventory(found.inventory)

    @property
    def layers(self) -> DataFrame:
        """One row a layer, the lowest first; `created_by` is a claim of the image."""
        from compliance.api import tables
        from reports.redaction import redact_step
        from reports.text import sentence

        rows = (
            {
                "position": layer.index,
                "layer": layer.digest,
                "diff_id": layer.diff_id,
                "size": layer.size,
                "created_by": layer.created_by and redact_step(sentence(layer.created_by)),
            }
            for layer in self.facts.layers
        )
        return tables.table(tables.LAYERS, rows)

    @property
    def signatures(self) -> DataFrame:
        """One row for each signature and attestation attached, judged by the trust that it was opened with."""
        from compliance.api import tables
        from reports.assessment_json import verification_document

        return tables.signatures(verification_document(self._verification), statements_of(self._verification))

    @cached_property
    def _verification(self) -> Verification:
        from compliance.pipeline import verify

        return verify(self.facts, self._options)

    def __repr__(self) -> str:
        return f"<Image {self.reference} {self.digest}>"

    def _repr_html_(self) -> str:
        from reports import notebook
        from reports.assessment_json import subject_document

        return notebook.image(subject_document(self.facts))


def statements_of(verification: Verification) -> dict[str, bytes]:
    """The statements of the attestations by the digest of their material."""
    return {one.material: one.statement for one in verification.attestations}
