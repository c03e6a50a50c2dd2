"""What Alembic runs to reach the database: the connection that the app gives it, or, from the
command line, one to the database that MNIST_DATABASE_URL names."""

import sqlalchemy as sa
from alembic import context

from mnist_core.store.engine import database_url
from mnist_core.store.schema import metadata


def migrate(connection: sa.Connection) -> None:
    """Run what Alembic was asked for."""
    context.configure(connection=connection, target_metadata=metadata)
    with context.begin_transaction():
        context.run_migrations()


if given := context.config.attributes.get("connection"):
    migrate(given)
else:
    with sa.create_engine(database_url()).begin() as opened:
        migrate(opened)
