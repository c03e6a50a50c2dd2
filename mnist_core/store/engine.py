"""How the database is opened, checked and brought up to date.

schema.py has its tables, faults.py its faults in plain words, migrations/ the way from an older
version. SQLite by default, any SQLAlchemy URL by MNIST_DATABASE_URL.
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
from mnist_core.store.schema import SCHEMA_VERSION, facts, metadata

log = logging.getLogger("mnist_core.database")

DEFAULT_PATH = Path(__file__).parents[2] / "runs.db"
BUSY_SECONDS = 5.0
# Who says nothing for so long in the middle of writing to a Postgres has died, or its network
# has; what it locked is free again. Without this the others would wait for hours.
VANISHED_SECONDS = 4.0
# A database elsewhere: few connections, for the free ones allow few; asked for anew before
# a sleeping one drops them; and one that went silent is given up.
POOL = {"pool_size": 2, "max_overflow": 3, "pool_timeout": 10, "pool_recycle": 240}
POSTGRES = {
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 2,
    "tcp_user_timeout": 10_000,
}
# Any number, as long as nobody else locks it in the same database.
WRITERS = 28_28_10

# How long visitors are told that the file of runs was moved or deleted.
TELL_SECONDS = 600.0
# When the file of each database was last replaced, by its address; of this process.
replaced_at: dict[str, float] = {}
# Reentrant, for the file may be moved once more while it is opened again.
_one_opener = threading.RLock()


def database_url(environ: Mapping[str, str] = os.environ) -> str:
    """MNIST_DATABASE_URL, or a SQLite file beside the project's code."""
    return environ.get("MNIST_DATABASE_URL") or f"sqlite:///{DEFAULT_PATH}"


def kind(url: str) -> str:
    """What kind of database it is, such as "sqlite": all that a log needs to tell."""
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
        # Errors say what failed, and not what was to be stored.
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
        # Without its cause, which may quote a piece of a password.
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
        if not sa.inspect(engine).has_table(facts.name):
            _create(engine, is_sqlite)
        version = _migrate(engine)
        missing = metadata.tables.keys() - set(sa.inspect(engine).get_table_names())
    if version == str(SCHEMA_VERSION) and missing:
        engine.dispose()
        raise StoreUnavailable(
            f"The database of runs is incomplete, without {', '.join(sorted(missing))}; move it "
            "away, or set MNIST_DATABASE_URL to another database."
        )
    check_version(version)
    return engine


def check_version(version: str | None) -> None:
    """Raises: StoreUnavailable: a database of this version is not one that this app can use."""
    if version != str(SCHEMA_VERSION):
        newer = version is not None and version.isdigit() and int(version) > SCHEMA_VERSION
        age = "newer" if newer else "different"
        raise StoreUnavailable(
            f"The database of runs was written by a {age} version of this app (schema {version}; "
            f"this one uses {SCHEMA_VERSION}). Update the app, or set MNIST_DATABASE_URL to "
            "another database."
        )


def _connect_arguments(url: sa.URL) -> dict[str, Any]:
    backend, driver = url.get_backend_name(), url.get_driver_name()
    if backend == "sqlite":
        return {"timeout": BUSY_SECONDS}
    if backend == "postgresql" and driver == "psycopg":
        # Statements are not prepared: connections through a pooler may each time be others.
        return POSTGRES | {"prepare_threshold": None}
    return {}


def _create(engine: sa.Engine, is_sqlite: bool) -> None:
    if is_sqlite:
        # Readers and one writer no longer wait for each other; it is kept in the file.
        with engine.connect() as connection:
            driver: Any = connection.connection.dbapi_connection
            driver.execute("PRAGMA journal_mode = WAL")
    with engine.execution_options(write=True).begin() as connection:
        metadata.create_all(connection)
        known = connection.execute(sa.select(facts.c.name)).scalars().all()
        if "schema_version" not in known:
            connection.execute(
                sa.insert(facts).values(name="schema_version", value=str(SCHEMA_VERSION))
            )


def _migrate(engine: sa.Engine) -> str | None:
    """Apply what an older database lacks, all or nothing; the version it has then."""
    with engine.connect() as connection:
        version = _version(connection)
    if version is None or not version.isdigit() or int(version) >= SCHEMA_VERSION:
        return version
    # Here, for it is seldom needed and brings Alembic, which takes a while to load.
    from mnist_core.store import migrations

    with engine.execution_options(write=True).begin() as connection:
        # Once more, now that nobody else writes: another process may have been quicker.
        version = _version(connection)
        migrations.upgrade(connection, int(version or 0), SCHEMA_VERSION)
        connection.execute(
            sa.update(facts)
            .where(facts.c.name == "schema_version")
            .values(value=str(SCHEMA_VERSION))
        )
    return str(SCHEMA_VERSION)


def _version(connection: sa.Connection) -> str | None:
    query = sa.select(facts.c.value).where(facts.c.name == "schema_version")
    version: str | None = connection.execute(query).scalar()
    return version


def _prepare_sqlite(connection: Any, _record: object) -> None:
    # Transactions are begun by _begin_sqlite, not by the driver.
    connection.isolation_level = None
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA synchronous = NORMAL")


def _identity(path: Path) -> tuple[int, int] | None:
    """What tells a file from another one of the same name; None if there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _note_file(path: Path, _connection: object, record: Any) -> None:
    record.info["file"] = _identity(path)


def _check_file(url: str, path: Path, _connection: object, record: Any, _proxy: object) -> None:
    """A file that was moved or deleted is noticed before anything is stored in it, where nobody
    would find it: a new database is made in its place.

    Raises:
        InvalidatePoolError: SQLAlchemy connects anew, to the new file.
        StoreUnavailable: the new file cannot be made, or is of another version.
    """
    if record.info["file"] == _identity(path):
        return
    with _one_opener:
        if _identity(path) is None:
            log.warning("the file of runs was moved or deleted; a new one takes its place")
        open_engine(url).dispose()
        replaced_at[url] = time.monotonic()
    raise sa.exc.InvalidatePoolError("the file of runs was moved or deleted")


def was_replaced(url: str) -> bool:
    """Whether the file of this database was moved or deleted in the last ten minutes."""
    since = replaced_at.get(url)
    return since is not None and time.monotonic() - since < TELL_SECONDS


def _begin_sqlite(connection: sa.Connection) -> None:
    # A writer takes its turn at the start, where waiting is allowed; a reader that turns
    # into a writer half-way is refused at once if another was quicker.
    write = connection.get_execution_options().get("write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


def _prepare_postgres(connection: Any, _record: object) -> None:
    # Transactions are begun by _begin_postgres, not by the driver.
    connection.autocommit = True


def _begin_postgres(connection: sa.Connection) -> None:
    # Here too writers take turns, so that nobody acts on what another is about to change. Only
    # the frequent ones, a worker's beat and a run's reports, do not: each locks the one row that
    # it is about. Whoever has the turn and changes that row as well locks it before reading it,
    # and so waits for a report on its way and sees what it stored. Nobody waits in a circle: the
    # turn comes before any row, and those without a turn wait for no second row.
    options = connection.get_execution_options()
    if not options.get("write", False):
        # Each statement that reads stands for itself, and costs one way to the database.
        return
    begin = [
        "BEGIN",
        f"SET LOCAL lock_timeout = '{BUSY_SECONDS:g}s'",
        f"SET LOCAL idle_in_transaction_session_timeout = '{VANISHED_SECONDS:g}s'",
    ]
    if not options.get("lasting", True):
        # Nobody waits until it is on the disk.
        begin.append("SET LOCAL synchronous_commit = off")
    if not options.get("one_row", False):
        begin.append(f"SELECT pg_advisory_xact_lock({WRITERS})")
    # All at once: hundreds of writers are kept waiting more by the way than by the work.
    connection.exec_driver_sql("; ".join(begin))
