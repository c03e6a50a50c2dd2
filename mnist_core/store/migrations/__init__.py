"""How a database that an older version of the app wrote is brought up to date, with Alembic.

A new database is made at once from the tables in schema.py. To change the schema:

1. change the tables in schema.py;
2. add ``versions/NNNN_what_is_new.py`` with ``revision`` its number, ``down_revision`` the one
   before, and ``upgrade()``, which makes the same change. It must say in full what it makes,
   because the tables in schema.py will change again, and work on SQLite and on Postgres;
   tests/store/test_migrations.py compares both ways on both;
3. set ``REVISION`` in schema.py to the new number.

``alembic upgrade head``, ``alembic current`` and the like also work from the command line.
Imported only when there is something to do.
"""

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config

FOLDER = Path(__file__).parent


def upgrade(connection: sa.Connection, version: str | None, target: str = "head") -> None:
    """Bring a database up to date, or to an earlier revision, in the transaction under way.

    Args:
        version: what it is now; None for an empty one.
    """
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(FOLDER))
    if version is not None:
        # Alembic does not know it yet if version 0.5 of the app or an older one wrote it.
        command.stamp(config, f"{int(version):04}")
    command.upgrade(config, target)
