"""How the database is opened, checked and brought up to date.

schema.py has the tables, faults.py explains errors, migrations/ upgrades older versions. The
database is SQLite by default, or any that MNIST_DATABASE_URL names as an SQLAlchemy URL.
"""

import logging
import os
import re
import threading
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from mnist_core.errors import StoreUnavailable
from mnist_core.store.faults import explained, note_statement
from mnist_core.store.schema import REVISION, metadata, revision

log = logging.getLogger("mnist_core.database")

DEFAULT_PATH = Path(__file__).parents[2] / "runs.db"
BUSY_SECONDS = 5.0
# A client that is silent for so long in the middle of writing to Postgres has died, or its network
# has, and its locks are released. Otherwise the others would wait for hours.
VANISHED_SECONDS = 4.0
# For a database server: few connections, because free plans allow few; renewed before a sleeping
# server drops them; and given up when they go silent.
POOL = {"pool_size": 2, "max_overflow": 3, "pool_timeout": 10, "pool_recycle": 240}
POSTGRES = {
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 2,
    "tcp_user_timeout": 10_000,
}
# The number of the advisory lock that writers share: any that no other program uses.
WRITERS = 28_28_10

# For how long visitors are told that the database file was moved or deleted.
TELL_SECONDS = 600.0
# When this process last noticed that a database file was replaced, by the database's URL.
replaced_at: dict[str, float] = {}
# Reentrant, because the file may be moved again while it is being opened.
_one_opener = threading.RLock()


def database_url(environ: Mapping[str, str] = os.environ) -> str:
    """MNIST_DATABASE_URL, or a SQLite file next to the project's code."""
    return environ.get("MNIST_DATABASE_URL") or f"sqlite:///{DEFAULT_PATH}"


def kind(url: str) -> str:
    """The kind of database, such as "sqlite": all that a log may contain of the URL."""
    return re.split(r"[+:]", url, maxsplit=1)[0]


def open_engine(url: str) -> sa.Engine:
    """Connect, make the tables if there are none, and bring older ones up to date.

    Raises:
        StoreUnavailable: it cannot be reached or written, or is of another version.
    """
    try:
        parsed = sa.make_url(url)
        backend = parsed.get_backend_name()
        is_sqlite = backend == "sqlite"
        # Errors must not quote what was to be stored.
        engine = sa.create_engine(
            parsed,
            connect_args=_connect_arguments(parsed),
            hide_parameters=True,
            pool_pre_ping=not is_sqlite,
            **({} if is_sqlite else POOL),
        )
    except ImportError as error:
        reason = str(error).splitlines()[0]
        raise StoreUnavailable(
            f"The driver that MNIST_DATABASE_URL names cannot be loaded ({reason}); add it to "
            "requirements.txt, for Postgres psycopg[binary]."
        ) from error
    except (sa.exc.ArgumentError, ValueError):
        # Without its cause, which may quote part of a password.
        raise StoreUnavailable(
            "MNIST_DATABASE_URL is not a database address that works here; see the README."
        ) from None
    sa.event.listen(engine, "before_cursor_execute", note_statement)
    if is_sqlite:
        sa.event.listen(engine, "connect", _prepare_sqlite)
        sa.event.listen(engine, "begin", _begin_sqlite)
        if parsed.database:
            path = Path(parsed.database)
            sa.event.listen(engine, "connect", partial(_note_file, path))
            sa.event.listen(engine, "checkout", partial(_check_file, url, path))
    elif backend == "postgresql":
        if engine.driver == "psycopg":
            sa.event.listen(engine, "connect", _prepare_postgres)
        sa.event.listen(engine, "begin", _begin_postgres)
    with explained():
        with engine.connect() as connection:
            version = read_revision(connection)
        if version is None or _is_older(version):
            version = _bring_up_to_date(engine, is_sqlite)
        missing = metadata.tables.keys() - set(sa.inspect(engine).get_table_names())
    check_version(version)
    if missing:
        engine.dispose()
        raise StoreUnavailable(
            f"The database of runs is incomplete, without {', '.join(sorted(missing))}; move it "
            "away, or set MNIST_DATABASE_URL to another database."
        )
    return engine


def read_revision(connection: sa.Connection) -> str | None:
    """Alembic's name for the tables in a database; None if it has no table of Alembic's."""
    if not sa.inspect(connection).has_table(revision.name):
        return None
    version: str | None = connection.execute(sa.select(revision.c.version_num)).scalar()
    return version


def _is_older(version: str) -> bool:
    return version.isdigit() and int(version) < int(REVISION)


def check_version(version: str | None) -> None:
    """Raises: StoreUnavailable: a database of this version is not one that this app can use."""
    if version == REVISION:
        return
    if version is None or not version.isdigit():
        age = "different"
    else:
        age, version = ("newer" if int(version) > int(REVISION) else "older"), f"{int(version)}"
    raise StoreUnavailable(
        f"The database of runs was written by a {age} version of this app (schema {version}; "
        f"this one uses {int(REVISION)}). Update the app, or set MNIST_DATABASE_URL to "
        "another database."
    )


def _connect_arguments(url: sa.URL) -> dict[str, Any]:
    backend, driver = url.get_backend_name(), url.get_driver_name()
    if backend == "sqlite":
        return {"timeout": BUSY_SECONDS}
    if backend == "postgresql" and driver == "psycopg":
        # No prepared statements: behind a pooler, each may reach another connection.
        return POSTGRES | {"prepare_threshold": None}
    return {}


def _bring_up_to_date(engine: sa.Engine, is_sqlite: bool) -> str | None:
    """Create the tables, or upgrade older ones, all or nothing; the revision they have then."""
    if is_sqlite:
        # Readers and one writer no longer wait for each other; the file remembers it.
        with engine.connect() as connection:
            driver: Any = connection.connection.dbapi_connection
            driver.execute("PRAGMA journal_mode = WAL")
    with engine.execution_options(write=True).begin() as connection:
        # Read again, now that nobody else writes: another process may have been quicker.
        version = read_revision(connection) or _read_version_before_alembic(connection)
        if version is None:
            # The tables as they are now: quicker than all revisions one after the other.
            metadata.create_all(connection)
            connection.execute(sa.insert(revision).values(version_num=REVISION))
        elif _is_older(version):
            # Imported here because it is seldom needed and brings Alembic, which loads slowly.
            from mnist_core.store import migrations

            migrations.upgrade(connection, version)
        else:
            return version
    return REVISION


def _read_version_before_alembic(connection: sa.Connection) -> str | None:
    """The version of a database that version 0.5 of the app or an older one wrote, which is in a
    table called ``facts``; None if there is no such table."""
    if not sa.inspect(connection).has_table("facts"):
        return None
    query = sa.text("SELECT value FROM facts WHERE name = 'schema_version'")
    version: str | None = connection.execute(query).scalar()
    return version


def _prepare_sqlite(connection: Any, _record: object) -> None:
    # Transactions are begun by _begin_sqlite, not by the driver.
    connection.isolation_level = None
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA synchronous = NORMAL")


def _identity(path: Path) -> tuple[int, int] | None:
    """Identifies a file whatever its name; None if there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _companion(path: Path, ending: str) -> Path:
    """The file beside a database in which SQLite has what it has not yet written into it ("-wal"),
    or where to find that ("-shm")."""
    return path.with_name(path.name + ending)


def _note_file(path: Path, _connection: object, record: Any) -> None:
    record.info["file"] = _identity(path)


def _check_file(url: str, path: Path, _connection: object, record: Any, _proxy: object) -> None:
    """Notice that the file was moved or deleted before anything is stored in it, where nobody would
    find it, and create a new database in its place.

    Raises:
        InvalidatePoolError: tells SQLAlchemy to connect again, to the new file.
        StoreUnavailable: the new file cannot be created, or is of another version.
    """
    wal = _companion(path, "-wal")
    if record.info["file"] == _identity(path):
        record.info["wal"] = _identity(wal)
        return
    with _one_opener:
        if _identity(path) is None:
            log.warning("the file of runs was moved or deleted; a new one takes its place")
        elif record.info.get("wal") and record.info["wal"] == _identity(wal):
            # Another file was put there, such as a backup, and SQLite would apply to it what was
            # meant for the one before. For a new, empty file SQLite itself deletes that.
            log.warning("the file of runs was replaced by another one")
            wal.unlink(missing_ok=True)
            _companion(path, "-shm").unlink(missing_ok=True)
        open_engine(url).dispose()
        replaced_at[url] = time.monotonic()
    raise sa.exc.InvalidatePoolError("the file of runs was moved or deleted")


def was_replaced(url: str) -> bool:
    """Whether the file of this database was moved or deleted in the last ten minutes."""
    since = replaced_at.get(url)
    return since is not None and time.monotonic() - since < TELL_SECONDS


def _begin_sqlite(connection: sa.Connection) -> None:
    # A writer takes the lock at the start, where SQLite lets it wait. A reader that starts to write
    # half-way is refused at once if another writer was quicker.
    write = connection.get_execution_options().get("write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


def _prepare_postgres(connection: Any, _record: object) -> None:
    # Transactions are begun by _begin_postgres, not by the driver.
    connection.autocommit = True


def _begin_postgres(connection: sa.Connection) -> None:
    """Begin a transaction as the connection's execution options say.

    - Without ``write`` there is none: each statement that reads stands alone, which saves a
      round trip.
    - ``write``: writers take turns by holding one lock that all of them ask for (an advisory
      lock), so nobody acts on what another is about to change.
    - ``one_row``: a worker's beats and reports are frequent and take no turn. Each locks only
      the row that it is about. A writer who has the turn locks that row too before it reads it,
      and so waits for a report that is on its way. There is no deadlock: the turn comes before
      any row, and a writer without a turn locks a single row.
    - ``lasting=False``: nobody waits until it is on the disk.
    """
    options = connection.get_execution_options()
    if not options.get("write", False):
        return
    begin = [
        "BEGIN",
        f"SET LOCAL lock_timeout = '{BUSY_SECONDS:g}s'",
        f"SET LOCAL idle_in_transaction_session_timeout = '{VANISHED_SECONDS:g}s'",
    ]
    if not options.get("lasting", True):
        begin.append("SET LOCAL synchronous_commit = off")
    if not options.get("one_row", False):
        begin.append(f"SELECT pg_advisory_xact_lock({WRITERS})")
    # In one round trip: with hundreds of writers, the trips take longer than the work.
    connection.exec_driver_sql("; ".join(begin))
