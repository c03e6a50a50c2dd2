"""Studies: what takes a while to compute, is computed once by a worker, and kept.

A study is known by its key, which says in full what is to be computed: whoever asks for
the same gets the same. ``StudyStore`` keeps them in the database of runs; the work itself is
in analysis/map_study.py.
"""

import logging
from dataclasses import dataclass

import sqlalchemy as sa

from mnist_core.errors import NotAllowed
from mnist_core.store import engine, faults, schema
from mnist_core.store.rows import next_turn
from mnist_core.store.run import FAILED, RUNNING, WAITING

log = logging.getLogger("mnist_core.store.studies")

# A study is waiting, running, done or failed.
DONE = "done"

KEY_LENGTH = 120
# Anybody may ask, so there is an end to all of it.
MOST_WAITING = 20
MOST_STORED = 200
MOST_BYTES = 1_000_000


@dataclass(frozen=True)
class Study:
    """One study.

    Attributes:
        key: what is computed.
        state: "waiting", "running", "done" or "failed".
        turn: waiting studies are computed in this order.
        worker: the worker that has it, or had it last.
        losses: how often a worker was lost over it.
        message: one sentence on why it failed, else empty.
        data: the result of one that is done, else None.
    """

    key: str
    state: str
    turn: int
    worker: str | None = None
    losses: int = 0
    message: str = ""
    data: bytes | None = None


class StudyStore:
    """The studies in the database of runs.

    Every method raises ``StoreUnavailable`` if the database cannot do what is asked. What
    becomes of the studies of a lost worker: ``RunStore.remove_worker``.
    """

    def __init__(self, url: str | None = None) -> None:
        """Open the database, making it if there is none. Default: MNIST_DATABASE_URL."""
        self._engine = engine.open_engine(url or engine.database_url())
        self._writer = self._engine.execution_options(write=True)

    def close(self) -> None:
        """Let go of the database's connections."""
        self._engine.dispose()

    def request(self, key: str) -> Study:
        """Ask for a study; one that waits, runs or is done is left as it is.

        Raises:
            ValueError: the key is empty, or longer than 120 characters.
            NotAllowed: 20 are waiting already.
        """
        _check_key(key)
        with faults.explained(), self._writer.begin() as connection:
            known = _read(connection, key)
            if known and known.state != FAILED:
                return known
            if _count_waiting(connection) >= MOST_WAITING:
                raise NotAllowed("Too much is being computed already; try again in a few minutes.")
            study = Study(key, WAITING, next_turn(connection, schema.studies))
            _replace(connection, study)
        log.info("study %s asked for", key)
        return study

    def find(self, key: str) -> Study | None:
        """The study of this key, with its result if it is done; None if nobody asked for it,
        or if it was forgotten since."""
        with faults.explained(), self._engine.connect() as connection:
            return _read(connection, key)

    def waiting(self) -> int:
        """How many studies wait for a worker."""
        with faults.explained(), self._engine.connect() as connection:
            return _count_waiting(connection)

    def keep(self, key: str, data: bytes) -> None:
        """Store what was computed elsewhere, in place of what there is.

        Raises:
            ValueError: the key is empty or too long, or there are more than a million bytes.
        """
        _check_key(key)
        _check_size(data)
        with faults.explained(), self._writer.begin() as connection:
            _replace(connection, Study(key, DONE, next_turn(connection, schema.studies), data=data))

    def claim(self, worker_id: str) -> Study | None:
        """Give the waiting study whose turn it is to this worker, if any waits.

        A worker that was given up for lost gets none: nobody would notice its end.
        """
        studies = schema.studies.c
        first = (
            sa.select(studies.key).where(studies.state == WAITING).order_by(studies.turn).limit(1)
        )
        change = (
            sa.update(schema.studies)
            .where(studies.key == first.scalar_subquery(), studies.state == WAITING)
            .where(sa.exists().where(schema.workers.c.id == worker_id))
            .values(state=RUNNING, worker=worker_id)
            .returning(studies.key)
        )
        with faults.explained(), self._writer.begin() as connection:
            key = connection.execute(change).scalar()
            return None if key is None else _read(connection, key)

    def complete(self, key: str, worker_id: str, data: bytes) -> None:
        """Store the result of a study.

        Raises:
            ValueError: there are more than a million bytes.
            NotAllowed: it is no longer this worker's; nothing was stored.
        """
        _check_size(data)
        self._end(key, worker_id, state=DONE, data=data)
        log.info("study %s done", key)

    def fail(self, key: str, worker_id: str, message: str) -> None:
        """Store why there is no result, in one sentence. It can be asked for again.

        Raises:
            NotAllowed: it is no longer this worker's; nothing was stored.
        """
        self._end(key, worker_id, state=FAILED, message=message)
        log.warning("study %s failed: %s", key, message)

    def _end(self, key: str, worker_id: str, **values: str | bytes) -> None:
        studies = schema.studies.c
        change = (
            sa.update(schema.studies)
            .where(studies.key == key, studies.worker == worker_id, studies.state == RUNNING)
            .values(values)
        )
        with faults.explained(), self._writer.begin() as connection:
            if not connection.execute(change).rowcount:
                raise NotAllowed("The study was taken from this worker.")
            _forget_oldest(connection)


def _check_key(key: str) -> None:
    if not 0 < len(key) <= KEY_LENGTH:
        raise ValueError(f"Expected a key of 1 to {KEY_LENGTH} signs, got {len(key)}.")


def _check_size(data: bytes) -> None:
    if len(data) > MOST_BYTES:
        raise ValueError(f"Expected a result of at most {MOST_BYTES:,} bytes, got {len(data):,}.")


def _read(connection: sa.Connection, key: str) -> Study | None:
    query = sa.select(schema.studies).where(schema.studies.c.key == key)
    row = connection.execute(query).mappings().first()
    return Study(**row) if row else None


def _replace(connection: sa.Connection, study: Study) -> None:
    connection.execute(sa.delete(schema.studies).where(schema.studies.c.key == study.key))
    connection.execute(sa.insert(schema.studies).values(vars(study)))
    _forget_oldest(connection)


def _count_waiting(connection: sa.Connection) -> int:
    query = sa.select(sa.func.count()).where(schema.studies.c.state == WAITING)
    return int(connection.execute(query).scalar() or 0)


def _forget_oldest(connection: sa.Connection) -> None:
    """Keep what waits or runs, and of the rest what was asked for last."""
    studies = schema.studies.c
    over = sa.select(studies.key).where(studies.state.in_((DONE, FAILED)))
    keys = (
        connection.execute(over.order_by(studies.turn.desc()).offset(MOST_STORED)).scalars().all()
    )
    connection.execute(sa.delete(schema.studies).where(studies.key.in_(keys)))
