"""VEX statements, whoever wrote them, and OpenVEX (openvex/spec, OPENVEX-SPEC.md v0.2.0).

A statement suppresses nothing by itself: whether its product is this image, and whether the document is signed,
is for others to compare.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from urllib.parse import unquote

from compliance.formats.named_image import NO_IMAGE, NamedImage
from compliance.formats.plain_text import plain_text
from compliance.formats.predicate_values import counted, day, line, lines, moment
from compliance.formats.signed_json import JsonObject

OPENVEX = "https://openvex.dev/ns"
OPENVEX_JUSTIFICATIONS = frozenset(
    {
        "component_not_present",
        "vulnerable_code_not_present",
        "vulnerable_code_not_in_execute_path",
        "vulnerable_code_cannot_be_controlled_by_adversary",
        "inline_mitigations_already_exist",
    }
)


class VexStatus(StrEnum):
    """The four states of VEX."""

    NOT_AFFECTED = "not_affected"
    AFFECTED = "affected"
    FIXED = "fixed"
    UNDER_INVESTIGATION = "under_investigation"

    @property
    def suppresses(self) -> bool:
        """Whether it says that a finding need not count."""
        return self in (VexStatus.NOT_AFFECTED, VexStatus.FIXED)


@dataclass(frozen=True, slots=True, kw_only=True)
class VexProduct:
    """What a statement is about. `purl` is "" where none is given; `digests` as ``sha256:…``.

    `components` are purls inside the product to which the statement is confined; none: the whole product.
    `identified` is the text that names it, for a reader.
    """

    purl: str = ""
    digests: tuple[str, ...] = ()
    components: tuple[str, ...] = ()
    identified: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class VexStatement:
    """One statement. `justification` is a word of the format, `detail` the author's own words."""

    vulnerability: str
    aliases: tuple[str, ...]
    status: VexStatus
    justification: str
    detail: str
    products: tuple[VexProduct, ...]
    at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class VexDocument:
    """The statements of one document."""

    form: str
    author: str
    at: datetime | None
    statements: tuple[VexStatement, ...]
    image: NamedImage = NO_IMAGE

    @property
    def summary(self) -> str:
        """The document in one line."""
        states = Counter(statement.status for statement in self.statements)
        words = ", ".join(f"{states[status]:,} {status}" for status in VexStatus if states[status])
        count = counted(len(self.statements), "statement")
        by = f" by {self.author}" if self.author else ""
        return f"{self.form} document {day(self.at)}{by}: {count}" + (f" ({words})" if words else "")


def read_openvex(document: JsonObject) -> VexDocument:
    """Read an OpenVEX document. Raises FormatError."""
    at = moment(document, "timestamp")
    return VexDocument(
        form="OpenVEX",
        author=line(document, "author", 150),
        at=at,
        statements=tuple(_statement(item, at) for item in document.members("statements")),
    )


def _statement(item: JsonObject, at: datetime | None) -> VexStatement:
    """v0.2.0 names the vulnerability in an object, v0.0.1 by a text; products likewise."""
    aliases: tuple[str, ...] = ()
    if isinstance(item.values.get("vulnerability"), str):
        identifier = line(item, "vulnerability", 100)
    else:
        named = item.member("vulnerability")
        identifier, aliases = line(named, "name", 100), lines(named, "aliases", 100)
    if not identifier:
        raise item.wrong("vulnerability", "a vulnerability's identifier")
    status = line(item, "status", 40)
    if status not in list(VexStatus):
        raise item.wrong("status", "a status of VEX")
    return VexStatement(
        vulnerability=identifier,
        aliases=aliases,
        status=VexStatus(status),
        justification=line(item, "justification", 100),
        detail=line(item, "impact_statement") or line(item, "status_notes"),
        products=_products(item),
        at=moment(item, "last_updated") or moment(item, "timestamp") or at,
    )


def _products(item: JsonObject) -> tuple[VexProduct, ...]:
    values = item.values.get("products")
    if isinstance(values, list) and values and all(isinstance(value, str) for value in values):
        return tuple(_named(text) for text in lines(item, "products", 2048))
    return tuple(_product(product) for product in item.members("products"))


def _product(product: JsonObject) -> VexProduct:
    """A product: ``@id``, ``identifiers`` and ``hashes`` (component data structure)."""
    identifier = line(product, "@id", 2048)
    purl = product.texts("identifiers").get("purl", "")
    base = _named(plain_text(purl, 2048) or identifier)
    hashes = product.texts("hashes")
    digest = hashes.get("sha-256") or hashes.get("sha256") or ""
    components = (
        _named(line(part, "@id", 2048) or part.texts("identifiers").get("purl", ""))
        for part in product.members("subcomponents")
    )
    return VexProduct(
        purl=base.purl,
        digests=(*base.digests, *((f"sha256:{digest.lower()}",) if digest else ())),
        components=tuple(part.purl or part.identified for part in components),
        identified=base.identified or identifier,
    )


def _named(text: str) -> VexProduct:
    """A product named by one text: a purl, whose version is the digest for an image, or anything else."""
    text = plain_text(text, 2048)
    if not text.startswith("pkg:"):
        return VexProduct(identified=text)
    version = purl_parts(text)[1]
    digests = (version.lower(),) if version.startswith("sha256:") else ()
    return VexProduct(purl=text, digests=digests, identified=text)


def purl_parts(purl: str) -> tuple[str, str]:
    """(``type/namespace/name``, version) of a purl, decoded, without qualifiers and subpath; version "" if none.

    Type and name are compared in lower case: to match more is not to match another package of the same version.
    """
    rest = purl.removeprefix("pkg:").partition("#")[0].partition("?")[0].strip("/")
    head, slash, last = rest.rpartition("/")
    name, _, version = last.partition("@")
    return unquote(f"{head}{slash}{name}").lower(), unquote(version)
