"""When releases stop being maintained: the table in ``knowledge/end-of-life.yaml`` as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.resources import files

from compliance.formats.strict_yaml import Section, read_section

_FILE = "end-of-life.yaml"
_OPEN = "open"


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """One maker's releases. `ends` is the last day of security support, None where none was announced; `extended`
    that of support which follows without payment, by `extended_by`."""

    id: str
    name: str
    ends: Mapping[str, date | None]
    extended: Mapping[str, date]
    extended_by: str | None

    def release(self, version: str) -> str | None:
        """The release in the table that `version` belongs to: 3.20.3 to 3.20, 9.4 to 9; None for none."""
        parts = version.split(".")
        names = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
        return next((name for name in names if name in self.ends), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class EndOfLife:
    """The whole table, as its sources were on the day `as_of`."""

    as_of: date
    products: Mapping[str, Product]


@cache
def end_of_life() -> EndOfLife:
    """The table that ships with the library. Raises PolicyError for a damaged file."""
    return parse_end_of_life((files("controls") / "knowledge" / _FILE).read_bytes())


def parse_end_of_life(content: bytes) -> EndOfLife:
    """The table in the YAML `content`. Raises PolicyError naming the field."""
    top = read_section(_FILE, content)
    top.only("schema", "kind", "as_of", "commit", "products")
    products = [_product(part) for part in top.sections("products")]
    if len({product.id for product in products}) < len(products):
        raise top.error("a product is there twice", "products")
    return EndOfLife(as_of=_date(top, "as_of", top.text("as_of")), products={item.id: item for item in products})


def _product(part: Section) -> Product:
    part.only("id", "name", "ends", "extended", "extended_by")
    ends = {
        release: None if text == _OPEN else _date(part, f"ends.{release}", text)
        for release, text in _texts(part, "ends").items()
    }
    extended = _texts(part, "extended") if "extended" in part.values else {}
    return Product(
        id=part.text("id"),
        name=part.text("name"),
        ends=ends,
        extended={release: _date(part, f"extended.{release}", text) for release, text in extended.items()},
        extended_by=part.text("extended_by") if extended else None,
    )


def _texts(part: Section, key: str) -> dict[str, str]:
    value = part.values.get(key)
    if not isinstance(value, dict) or not value or not all(isinstance(text, str) for text in value.values()):
        raise part.error("must map releases to texts", key)
    return {str(release): str(text) for release, text in value.items()}


def _date(part: Section, key: str, text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise part.error(f"must be a date like 2028-06-30, not {text!r}", key) from None
