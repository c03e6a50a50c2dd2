"""Database: one opened database, whose connections all stores of a process share."""

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from mnist_core.store import engine, faults


class Database:
    """An open database.

    ``RunStore``, ``WorkerStore`` and ``TaskStore`` say what is in it; each takes a database and
    holds nothing else, so any number of them may share one.

    Attributes:
        url: its address.
        engine: SQLAlchemy's pool of connections to it.
    """

    def __init__(self, url: str | None = None) -> None:
        """Open a database, creating it if there is none. Default: MNIST_DATABASE_URL.

        Raises:
            StoreUnavailable: it cannot be reached or written, or is of another version.
        """
        self.url = url or engine.database_url()
        self.engine = engine.open_engine(self.url)

    @property
    def has_many_writers(self) -> bool:
        """Whether it is a server, which workers on many machines may write to, not a file."""
        return self.engine.dialect.name != "sqlite"

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()

    def check(self) -> None:
        """See that the database is still one that this version can use.

        Raises:
            StoreUnavailable: a newer version of the app has changed it in the meantime.
        """
        with self.read() as connection:
            version = engine.read_revision(connection)
        engine.check_version(version)

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """A connection to read with.

        Raises:
            StoreUnavailable: the database cannot do what is asked.
        """
        with faults.explained(), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def write(self, one_row: bool = False, lasting: bool = True) -> Iterator[sa.Connection]:
        """A transaction: all of what is written in it is stored, or nothing.

        Writers take turns, so each sees the final result of the one before.

        Args:
            one_row: it locks the one row that it is about and takes no turn; see engine.py.
            lasting: whether it must survive a power failure.

        Raises:
            StoreUnavailable: the database cannot do what is asked.
        """
        with faults.explained(), self.engine.connect() as connection:
            connection.execution_options(write=True, one_row=one_row, lasting=lasting)
            with connection.begin():
                yield connection
