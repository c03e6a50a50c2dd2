"""How a database that an older version of the app wrote becomes one of this version.

Each file in ``versions/`` is a revision of Alembic's; its number is that of the schema it leads
to. A new database is made at once from the tables in schema.py. To change the schema:

1. change the tables in schema.py, and raise ``SCHEMA_VERSION`` by one;
2. add ``versions/NNNN_what_is_new.py`` with ``revision`` its number, ``down_revision`` the one
   before, and ``upgrade()``, which does the same to a database of that version. It must say
   in full what it makes, for the tables in schema.py go on changing; and it must work on
   SQLite and on Postgres. tests/store/test_engine.py compares both ways on both.

Which version a database has stands in its table ``facts`` and nowhere else, so there is no
table of Alembic's own, and no env.py: everything happens in the one transaction of
``engine.open_engine``. Imported only where there is something to do.
"""

from pathlib import Path

import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory

FOLDER = Path(__file__).parent


def upgrade(connection: sa.Connection, version: int, target: int) -> None:
    """Make a database of one version into one of a later one, in the transaction under way.

    Args:
        version: what it is; 0 for an empty one.
        target: what it shall be.
    """
    scripts = ScriptDirectory(str(FOLDER))
    with Operations.context(MigrationContext.configure(connection)):
        for step in range(version + 1, target + 1):
            scripts.get_revision(f"{step:04}").module.upgrade()
