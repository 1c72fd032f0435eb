"""How Alembic runs here: on a connection that ``coordinator.store.schema`` gives it, in that transaction."""

from alembic import context

from coordinator.store.schema import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    compare_type=True,
    compare_server_default=True,
)
with context.begin_transaction():
    context.run_migrations()
