"""The first schema: runs and their chain, populations, outcomes, assessments and what they consist of."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import TEXT

revision = "0001"
down_revision = None

_TEXT = sa.Text().with_variant(TEXT(collation="C"), "postgresql")
_KEY = sa.BigInteger().with_variant(sa.Integer, "sqlite")

_KEPT = (
    "members", "run_members", "items", "contexts", "assessments", "outcomes", "lists", "assessment_lists",
    "checks", "checks_entries", "controls", "controls_entries", "findings", "findings_entries",
    "layers", "layers_entries", "packages", "packages_entries", "waivers", "waivers_entries",
)  # fmt: skip


def upgrade() -> None:
    """Make the tables, and the triggers that keep history from being changed by mistake."""
    _runs()
    _populations()
    _assessments()
    _outcomes()
    _kinds()
    op.create_table("leases", sa.Column("fleet", _TEXT, primary_key=True), _given("holder"), _whole("expires"))
    if op.get_bind().dialect.name == "sqlite":
        _sqlite_triggers()
    else:
        _postgresql_triggers()


def _given(name: str) -> sa.Column[Any]:
    return sa.Column(name, _TEXT, nullable=False)


def _optional(name: str) -> sa.Column[Any]:
    return sa.Column(name, _TEXT)


def _whole(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.BigInteger, nullable=nullable)


def _key(name: str, target: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, _KEY, sa.ForeignKey(f"{target}.pk"), nullable=nullable)


def _part(name: str, target: str) -> sa.Column[Any]:
    return sa.Column(name, _KEY, sa.ForeignKey(f"{target}.pk"), primary_key=True, autoincrement=False)


def _dictionary(table: str, *columns: sa.Column[Any]) -> None:
    op.create_table(
        table,
        sa.Column("pk", _KEY, primary_key=True),
        sa.Column("content", sa.LargeBinary(32), nullable=False, unique=True),
        *columns,
    )


def _runs() -> None:
    op.create_table(
        "runs",
        sa.Column("pk", _KEY, primary_key=True),
        _given("fleet"),
        sa.Column("number", sa.Integer, nullable=False),
        _given("fleet_digest"),
        _given("tool"),
        _given("controls_digest"),
        _whole("started"),
        _whole("effective"),
        _given("population"),
        _whole("slot", nullable=True),
        _whole("finished", nullable=True),
        _optional("previous"),
        _optional("chain"),
        _whole("member_count", nullable=True),
        _optional("member_digest"),
        _whole("outcome_count", nullable=True),
        _optional("outcome_digest"),
        sa.UniqueConstraint("fleet", "number", name="one_number"),
        sa.UniqueConstraint("fleet", "slot", name="one_slot"),
    )
    unfinished = sa.text("finished IS NULL")
    op.create_index(
        "one_open_run", "runs", ["fleet"], unique=True, sqlite_where=unfinished, postgresql_where=unfinished
    )


def _populations() -> None:
    _dictionary(
        "members", *map(_given, ("group", "owner", "reference", "origin", "policy")),
        *map(_optional, ("platform", "digest", "reason")),
    )  # fmt: skip
    op.create_table("run_members", _part("run", "runs"), _part("member", "members"), sqlite_with_rowid=False)
    _dictionary("items", *map(_given, ("digest", "policy", "reference")))
    op.create_index("items_by_key", "items", ["digest", "policy"])


def _assessments() -> None:
    _dictionary(
        "contexts",
        _given("policy"),
        *map(_optional, ("platform", "distribution", "user")),
        *map(_given, ("profile", "tool", "controls_digest")),
    )
    op.create_table(
        "assessments",
        sa.Column("pk", _KEY, primary_key=True),
        *map(_given, ("id", "sbom", "digest")),
        _key("context", "contexts"),
        _whole("assessed_at"),
        _given("outcome"),
        *map(_optional, ("worst", "config_digest")),
        _given("observations"),
        sa.UniqueConstraint("id", "context", name="one_assessment"),
    )
    op.create_index("assessments_by_digest", "assessments", ["digest"])


def _outcomes() -> None:
    op.create_table(
        "outcomes",
        _part("run", "runs"),
        _part("item", "items"),
        _given("state"),
        _key("assessment", "assessments", nullable=True),
        *map(_optional, ("code", "reason")),
        sa.Column("attempts", sa.Integer),
        sa.Column("wall_seconds", sa.Double),
        sa.Column("cpu_seconds", sa.Double),
        _whole("peak_bytes", nullable=True),
        sqlite_with_rowid=False,
    )


def _kinds() -> None:
    _dictionary("lists", _given("kind"), _optional("layer"))
    op.create_table(
        "assessment_lists", _part("assessment", "assessments"), _part("list", "lists"), sqlite_with_rowid=False
    )
    _dictionary(
        "checks",
        *map(_given, ("check", "trait", "severity", "outcome")),
        _optional("waiver"),
        sa.Column("counts", sa.Boolean, nullable=False),
    )
    _dictionary(
        "controls",
        *map(_given, ("framework", "control", "title", "status")),
        sa.Column("waived", sa.Boolean, nullable=False),
    )
    _dictionary(
        "waivers", *map(_given, ("id", "check", "state", "approver", "reason")),
        _optional("ticket"), _given("created"), _optional("expires"),
    )  # fmt: skip
    _dictionary("layers", *map(_given, ("diff_id", "digest")), _whole("size"), _optional("created_by"))
    _dictionary(
        "packages",
        *map(_given, ("purl", "type", "name")),
        _optional("version"),
        sa.Column("declared", sa.Boolean, nullable=False),
    )
    _dictionary(
        "findings", *map(_given, ("check", "key", "kind")),
        *map(_optional, ("path", "package", "sha256", "verdict")), _given("summary"),
    )  # fmt: skip
    for kind in ("checks", "findings", "controls", "packages", "layers", "waivers"):
        op.create_table(
            f"{kind}_entries",
            _part("list", "lists"),
            sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
            _key("row", kind),
            sqlite_with_rowid=False,
        )


def _sqlite_triggers() -> None:
    for table in _KEPT:
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER keep_{table}_{verb.lower()} BEFORE {verb} ON {table} "
                "BEGIN SELECT RAISE(ABORT, 'history is never changed'); END"
            )
    op.execute(
        "CREATE TRIGGER keep_runs_update BEFORE UPDATE ON runs WHEN OLD.finished IS NOT NULL "
        "BEGIN SELECT RAISE(ABORT, 'a run that ended is never changed'); END"
    )
    op.execute(
        "CREATE TRIGGER keep_runs_delete BEFORE DELETE ON runs "
        "BEGIN SELECT RAISE(ABORT, 'history is never changed'); END"
    )


def _postgresql_triggers() -> None:
    op.execute(
        "CREATE FUNCTION hullmark_keep() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'history is never changed'; END $$"
    )
    for table in _KEPT:
        op.execute(
            f"CREATE TRIGGER keep_{table} BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION hullmark_keep()"
        )
    op.execute(
        "CREATE TRIGGER keep_runs BEFORE DELETE OR TRUNCATE ON runs FOR EACH STATEMENT EXECUTE FUNCTION hullmark_keep()"
    )
    op.execute(
        "CREATE TRIGGER keep_runs_ended BEFORE UPDATE ON runs "
        "FOR EACH ROW WHEN (OLD.finished IS NOT NULL) EXECUTE FUNCTION hullmark_keep()"
    )
