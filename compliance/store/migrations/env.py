"""Runs the migrations in the transaction that the store has begun, and whose lock it holds."""

from alembic import context

from compliance.store.schema import VERSION_TABLE, metadata

context.configure(
    connection=context.config.attributes["connection"], target_metadata=metadata, version_table=VERSION_TABLE
)
with context.begin_transaction():
    context.run_migrations()
