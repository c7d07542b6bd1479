"""The tables of a fleet store.

What many images share is kept once. Each row of a *dictionary* (a package, a finding, a member …) has a `content`: the
SHA-256 of its values, under which it is found again. An assessment consists of *lists* of such rows, one for each kind
and, for packages and findings, one for each layer; a list has a `content` too, so that images on one base share
theirs. Integer keys (`pk`) are of this database alone: no digest covers them.

The migrations under ``migrations/versions`` make these tables; a test holds the two together.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import TEXT
from sqlalchemy.engine import Dialect

from compliance.errors import StoreError
from compliance.model.fleet import CheckRow, ControlRow, FindingRow, LayerRow, PackageRow, WaiverRow

VERSION_TABLE = "hullmark_schema"
"""Where Alembic notes the version: not its usual name, which another program may use in the same database."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

TEXT_C = Text().with_variant(TEXT(collation="C"), "postgresql")
"""Ordered by code point in every database, whatever its locale."""

KEY = BigInteger().with_variant(Integer, "sqlite")


class Moment(TypeDecorator[datetime]):
    """An aware time, as microseconds since 1970 in UTC: the same number in every database."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        """To the database."""
        return None if value is None else (value - _EPOCH) // timedelta(microseconds=1)

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        """From the database. Raises StoreError for a number that is no time."""
        try:
            return None if value is None else _EPOCH + timedelta(microseconds=value)
        except (TypeError, OverflowError):
            raise damaged(f"{value!r:.40} where a time should be") from None


def damaged(what: str) -> StoreError:
    """The refusal of a row that no version of ours wrote."""
    return StoreError(
        f"a row is damaged: {what}", code="row-damaged", hint="hullmark fleet verify names what does not hold"
    )


metadata = MetaData()


def _dictionary(name: str, *columns: Column[Any]) -> Table:
    return Table(
        name,
        metadata,
        Column("pk", KEY, primary_key=True),
        Column("content", LargeBinary(32), nullable=False, unique=True),
        *columns,
    )


def _given(name: str) -> Column[Any]:
    return Column(name, TEXT_C, nullable=False)


def _optional(name: str) -> Column[Any]:
    return Column(name, TEXT_C, nullable=True)


runs = Table(
    "runs",
    metadata,
    Column("pk", KEY, primary_key=True),
    _given("fleet"),
    Column("number", Integer, nullable=False),
    _given("fleet_digest"),
    _given("tool"),
    _given("controls_digest"),
    Column("started", Moment, nullable=False),
    Column("effective", Moment, nullable=False),
    _given("population"),
    Column("slot", Moment),
    Column("finished", Moment),
    _optional("previous"),
    _optional("chain"),
    Column("member_count", BigInteger),
    _optional("member_digest"),
    Column("outcome_count", BigInteger),
    _optional("outcome_digest"),
    UniqueConstraint("fleet", "number", name="one_number"),
    UniqueConstraint("fleet", "slot", name="one_slot"),
)
Index(
    "one_open_run",
    runs.c.fleet,
    unique=True,
    sqlite_where=text("finished IS NULL"),
    postgresql_where=text("finished IS NULL"),
)

members = _dictionary(
    "members",
    _given("group"),
    _given("owner"),
    _given("reference"),
    _given("origin"),
    _given("policy"),
    _optional("platform"),
    _optional("digest"),
    _optional("reason"),
)
run_members = Table(
    "run_members",
    metadata,
    Column("run", KEY, ForeignKey("runs.pk"), primary_key=True),
    Column("member", KEY, ForeignKey("members.pk"), primary_key=True),
    sqlite_with_rowid=False,
)

items = _dictionary("items", _given("digest"), _given("policy"), _given("reference"))
Index("items_by_key", items.c.digest, items.c.policy)

contexts = _dictionary(
    "contexts",
    _given("policy"),
    _optional("platform"),
    _optional("distribution"),
    _optional("user"),
    _given("profile"),
    _given("tool"),
    _given("controls_digest"),
)
assessments = Table(
    "assessments",
    metadata,
    Column("pk", KEY, primary_key=True),
    _given("id"),
    _given("sbom"),
    _given("digest"),
    Column("context", KEY, ForeignKey("contexts.pk"), nullable=False),
    Column("assessed_at", Moment, nullable=False),
    _given("outcome"),
    _optional("worst"),
    _optional("config_digest"),
    _given("observations"),
    UniqueConstraint("id", "context", name="one_assessment"),
)
Index("assessments_by_digest", assessments.c.digest)

outcomes = Table(
    "outcomes",
    metadata,
    Column("run", KEY, ForeignKey("runs.pk"), primary_key=True),
    Column("item", KEY, ForeignKey("items.pk"), primary_key=True),
    _given("state"),
    Column("assessment", KEY, ForeignKey("assessments.pk")),
    _optional("code"),
    _optional("reason"),
    Column("attempts", Integer),
    Column("wall_seconds", Double),
    Column("cpu_seconds", Double),
    Column("peak_bytes", BigInteger),
    sqlite_with_rowid=False,
)

checks = _dictionary(
    "checks",
    _given("check"),
    _given("trait"),
    _given("severity"),
    _given("outcome"),
    _optional("waiver"),
    Column("counts", Boolean, nullable=False),
)
controls = _dictionary(
    "controls",
    _given("framework"),
    _given("control"),
    _given("title"),
    _given("status"),
    Column("waived", Boolean, nullable=False),
)
waivers = _dictionary(
    "waivers",
    _given("id"),
    _given("check"),
    _given("state"),
    _given("approver"),
    _given("reason"),
    _optional("ticket"),
    _given("created"),
    _optional("expires"),
)
layers = _dictionary(
    "layers",
    _given("diff_id"),
    _given("digest"),
    Column("size", BigInteger, nullable=False),
    _optional("created_by"),
)
packages = _dictionary(
    "packages",
    _given("purl"),
    _given("type"),
    _given("name"),
    _optional("version"),
    Column("declared", Boolean, nullable=False),
)
findings = _dictionary(
    "findings",
    _given("check"),
    _given("key"),
    _given("kind"),
    _optional("path"),
    _optional("package"),
    _optional("sha256"),
    _optional("verdict"),
    _given("summary"),
)

lists = _dictionary("lists", _given("kind"), _optional("layer"))
assessment_lists = Table(
    "assessment_lists",
    metadata,
    Column("assessment", KEY, ForeignKey("assessments.pk"), primary_key=True),
    Column("list", KEY, ForeignKey("lists.pk"), primary_key=True),
    sqlite_with_rowid=False,
)


def _entries(name: str) -> Table:
    return Table(
        f"{name}_entries",
        metadata,
        Column("list", KEY, ForeignKey("lists.pk"), primary_key=True, autoincrement=False),
        Column("position", Integer, primary_key=True, autoincrement=False),
        Column("row", KEY, ForeignKey(f"{name}.pk"), nullable=False),
        sqlite_with_rowid=False,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of rows that an assessment has: its dictionary, its lists' entries, and the row's type.

    `by_layer` kinds have a list for each layer, and their rows' `layer` is their list's.
    """

    name: str
    rows: Table
    entries: Table
    row: type[CheckRow] | type[FindingRow] | type[ControlRow] | type[PackageRow] | type[LayerRow] | type[WaiverRow]
    by_layer: bool = False

    @property
    def fields(self) -> tuple[str, ...]:
        """The columns of the dictionary, which are fields of the row."""
        return fields_of(self.rows)


def fields_of(dictionary: Table) -> tuple[str, ...]:
    """The columns of a dictionary that its `content` covers."""
    return tuple(column.name for column in dictionary.columns if column.name not in ("pk", "content"))


KINDS = (
    Kind(name="checks", rows=checks, entries=_entries("checks"), row=CheckRow),
    Kind(name="findings", rows=findings, entries=_entries("findings"), row=FindingRow, by_layer=True),
    Kind(name="controls", rows=controls, entries=_entries("controls"), row=ControlRow),
    Kind(name="packages", rows=packages, entries=_entries("packages"), row=PackageRow, by_layer=True),
    Kind(name="layers", rows=layers, entries=_entries("layers"), row=LayerRow),
    Kind(name="waivers", rows=waivers, entries=_entries("waivers"), row=WaiverRow),
)

leases = Table(
    "leases",
    metadata,
    Column("fleet", TEXT_C, primary_key=True),
    _given("holder"),
    Column("expires", Moment, nullable=False),
)

DICTIONARIES = (members, items, contexts, *(kind.rows for kind in KINDS))
