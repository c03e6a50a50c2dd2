"""Faults of the database in plain words: one sentence for a person, one line for the log."""

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from mnist_core.errors import StoreUnavailable
from mnist_core.logs import masked

log = logging.getLogger("mnist_core.database")


@contextmanager
def explained() -> Iterator[None]:
    """Turn an outage of the database into one sentence for a person, and tell the log.

    Only what can pass by itself is an outage. An error in what was asked, such as a row that is
    there already, will fail again however often it is tried, and goes on as it is.
    """
    _thread.statements = [""]
    try:
        yield
    except (sa.exc.SQLAlchemyError, sqlite3.Error) as error:
        cause = getattr(error, "orig", None) or error
        sentence = _sentence(str(cause).lower())
        lost = getattr(error, "connection_invalidated", False)
        if not sentence and not lost and isinstance(error, MISTAKES):
            raise
        sentence = sentence or (
            "The database of runs does not answer; check that it is there and try again."
        )
        outage.failed(sentence, _thread.statements[-1], cause)
        raise StoreUnavailable(sentence) from error
    outage.worked(_thread.statements)


# Errors of whoever asked, and not of the database.
MISTAKES = (
    sa.exc.IntegrityError,
    sa.exc.DataError,
    sa.exc.ProgrammingError,
    sa.exc.NotSupportedError,
    sa.exc.CompileError,
    sqlite3.IntegrityError,
    sqlite3.DataError,
    sqlite3.ProgrammingError,
    sqlite3.NotSupportedError,
)


def _sentence(text: str) -> str:
    """What a known fault means, by a sign of it in the database's own words; else empty."""
    for sign, sentence in _FAULTS.items():
        if sign in text:
            return sentence
    return ""


def note_statement(_1: object, _2: object, statement: str, *_3: object) -> None:
    """Remember what is being done, such as "INSERT INTO artifacts"."""
    _thread.statements.append(" ".join(statement.split()[:3]))


QUIET_SECONDS = 60.0


class Outage:
    """Logs when something stops working and when it works again, and nothing in between.

    On a nearly full disk small rows can be written and large ones cannot. So the outage is over
    when what failed works again, not when anything does; or when nothing has failed for a minute,
    because what failed may never be tried again.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._sentence = ""
        self._since = self._last = 0.0
        self._statement = ""

    def failed(self, sentence: str, statement: str, cause: BaseException) -> None:
        """A statement could not be done; an empty one if there was not even a connection."""
        with self._lock:
            self._last = self._clock()
            if sentence == self._sentence:
                return
            if not self._sentence:
                self._since = self._last
            self._sentence, self._statement = sentence, statement
        # The first line says what; further ones may quote what was to be stored.
        detail = (str(cause).splitlines() or [""])[0]
        log.warning("%s (%s: %s)", masked(sentence), type(cause).__name__, detail)

    def worked(self, statements: Collection[str]) -> None:
        """These statements were done, the empty one among them."""
        if not self._sentence:
            return
        with self._lock:
            quiet = self._clock() - self._last > QUIET_SECONDS
            if not self._sentence or not (self._statement in statements or quiet):
                return
            self._sentence = ""
            seconds = self._clock() - self._since
        log.info("the database is back after %.0f s", seconds)


class _Thread(threading.local):
    """What this thread has asked of the database since it entered ``explained``."""

    statements: list[str]

    def __init__(self) -> None:
        self.statements = [""]


outage = Outage()
_thread = _Thread()

_FAULTS = {
    "lock timeout": "The database of runs is in use by another program; try again in a moment.",
    "locked": "The database of runs is in use by another program; try again in a moment.",
    "busy": "The database of runs is in use by another program; try again in a moment.",
    "readonly": "The database of runs is read-only, so nothing new can be stored; make the file "
    "writable, or set MNIST_DATABASE_URL to another database.",
    "disk is full": "The disk is full, so nothing new can be stored; free some space.",
    "disk i/o": "The disk does not take the data; check its free space and its health.",
    **dict.fromkeys(
        ("no such table", "no such column", "undefinedtable", "undefinedcolumn", "does not exist"),
        "The tables of the database of runs are not those of this version; start the server again, "
        "or set MNIST_DATABASE_URL to another database.",
    ),
    "not a database": "The file of runs is not a database; move it away, or set "
    "MNIST_DATABASE_URL to another one.",
    "malformed": "The file of runs is damaged; move it away, or set MNIST_DATABASE_URL to "
    "another one.",
    "unable to open": "The database of runs cannot be opened; check that its folder exists and "
    "may be written to, or set MNIST_DATABASE_URL.",
}
