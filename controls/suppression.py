"""VEX statements held against this image: which apply, to what, and which findings they suppress.

Only documents in attestations that verify for a demanded signer get here, and their subject is this image's digest:
a statement about an image product without a digest, or without any product, is read as being about that subject.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from compliance.formats.plain_text import plain_text
from compliance.formats.vex import VexDocument, VexProduct, VexStatement, VexStatus, purl_parts
from compliance.formats.vulnerability_scan import Finding
from compliance.model.evidence import Evidence
from controls.testimony import Testimony

_IMAGE_TYPES = ("oci/", "docker/")
_LONG_AGO = datetime.min.replace(tzinfo=UTC)

Place = tuple[str, str]
"""A package as (``type/namespace/name``, version)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A statement with the packages of this image that it is about: None for the whole image, empty for none.

    `why` says why it is about none.
    """

    statement: VexStatement
    source: str
    packages: frozenset[Place] | None
    why: str = ""

    @property
    def applies(self) -> bool:
        """Whether it is about anything in this image."""
        return self.packages is None or bool(self.packages)

    @property
    def justified(self) -> bool:
        """Whether it gives a reason: not_affected needs one (OpenVEX, "Status Justifications"); fixed is one."""
        statement = self.statement
        return statement.status is not VexStatus.NOT_AFFECTED or bool(statement.justification or statement.detail)

    @property
    def text(self) -> str:
        """``CVE-… is not_affected in the whole image: justification (detail)``."""
        statement = self.statement
        where = "the whole image" if self.packages is None else ", ".join(sorted(f"{n}@{v}" for n, v in self.packages))
        reason = statement.justification + (f" ({statement.detail})" if statement.detail else "")
        said = f": {reason.strip()}" if reason.strip() else ""
        return f"{statement.vulnerability} is {statement.status} in {plain_text(where, 300)}{said}"


class Suppressions:
    """The statements that apply, asked finding by finding."""

    def __init__(self, placed: Iterable[Placed]) -> None:
        self._by_id: dict[str, list[Placed]] = {}
        for one in placed:
            if one.applies:
                for identifier in {one.statement.vulnerability, *one.statement.aliases} - {""}:
                    self._by_id.setdefault(identifier.upper(), []).append(one)

    def of(self, finding: Finding) -> Placed | None:
        """The statement that suppresses `finding`: the newest about it, if that is justified and says so.

        Of two equally old ones, that which does not suppress. One of unknown age counts as older than any that
        suppresses not, and a statement that suppresses not is then the newer.
        """
        found = {
            id(one): one
            for identifier in (finding.id, *finding.aliases)
            for one in self._by_id.get(identifier.upper(), ())
            if _covers(one, finding)
        }
        if not found:
            return None
        newest = max(found.values(), key=_age_key)
        return newest if newest.statement.status.suppresses and newest.justified else None


def _age_key(placed: Placed) -> tuple[datetime, bool]:
    statement = placed.statement
    unknown = _LONG_AGO if statement.status.suppresses else datetime.max.replace(tzinfo=UTC)
    return (statement.at or unknown, not (statement.status.suppresses and placed.justified))


def place_all(evidence: Evidence, documents: Iterable[Testimony[VexDocument]]) -> Iterator[Placed]:
    """Every statement of `documents`, held against the digests and the inventory of this image."""
    installed = _installed(evidence)
    own = {evidence.image.digest, evidence.image.index_digest, evidence.image.config_digest} - {None}
    for testimony in documents:
        for statement in testimony.said.statements:
            if statement.at is not None and statement.at > evidence.assessed_at:
                why = f"it is of {statement.at:%Y-%m-%d}, after the time of this assessment"
                yield Placed(statement=statement, source=testimony.source, packages=frozenset(), why=why)
                continue
            packages, why = _place(statement, own, installed)
            yield Placed(statement=statement, source=testimony.source, packages=packages, why=why)


def _place(
    statement: VexStatement, own: set[str | None], installed: dict[str, set[str]]
) -> tuple[frozenset[Place] | None, str]:
    packages: set[Place] = set()
    why = ""
    for product in statement.products or (VexProduct(),):
        found, reason = _product(product, own, installed)
        if found is None:
            return None, ""
        packages |= found
        why = why or reason
    return frozenset(packages), "" if packages else why


def _product(
    product: VexProduct, own: set[str | None], installed: dict[str, set[str]]
) -> tuple[set[Place] | None, str]:
    """The packages of this image that one product is; None for the whole image; with the reason for none."""
    name, version = purl_parts(product.purl)
    if product.digests:
        if own.isdisjoint(product.digests):
            return set(), f"its product {_short(product)} has another digest"
        here: set[Place] | None = None
    elif product == VexProduct() or name.startswith(_IMAGE_TYPES):
        here = None
    elif not product.purl:
        return set(), f"its product {_short(product)} is named by no purl and no digest"
    elif version not in installed.get(name, ()):
        return set(), f"no package {_short(product)} is in the inventory"
    else:
        here = {(name, version)}
    if not product.components:
        return here, ""
    inside = {
        (part, installed_version)
        for part, wanted in map(purl_parts, product.components)
        for installed_version in installed.get(part, ())
        if wanted in ("", installed_version)
    }
    return inside, "" if inside else f"none of the components named in {_short(product)} is in the inventory"


def _installed(evidence: Evidence) -> dict[str, set[str]]:
    versions: dict[str, set[str]] = {}
    for package in evidence.inventory.installed:
        name, version = purl_parts(package.purl)
        versions.setdefault(name, set()).add(version)
    return versions


def _covers(placed: Placed, finding: Finding) -> bool:
    """Whether the finding's package is one that the statement is about; a finding without one only by the whole."""
    if placed.packages is None:
        return True
    if finding.purl:
        return purl_parts(finding.purl) in placed.packages
    return bool(finding.package) and any(
        name.rpartition("/")[2] == finding.package.lower() and version == finding.version
        for name, version in placed.packages
    )


def _short(product: VexProduct) -> str:
    return plain_text(product.identified or product.purl or ", ".join(product.digests), 200)
