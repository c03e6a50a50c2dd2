"""Studies: what takes a while to compute, is computed once by a worker, and kept.

A study is known by its key, which says in full what is to be computed: whoever asks for
the same gets the same. ``StudyStore`` keeps them in the database of runs; ``perform`` is
the work itself.
"""

import io
import logging
import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import sqlalchemy as sa

from mnist_core import explanation, maps, schema
from mnist_core.classifier import Classifier
from mnist_core.data import Dataset, take
from mnist_core.errors import NotAllowed, UserError
from mnist_core.runs import FAILED, RUNNING, WAITING

log = logging.getLogger("mnist_core.studies")

# A study is waiting, running, done or failed.
DONE = "done"

KEY_LENGTH = 120
# Anybody may ask, so there is an end to all of it.
MOST_WAITING = 20
MOST_STORED = 200
MOST_BYTES = 1_000_000

PIXELS = "pixels"
MAP_KEY = re.compile(r"tsne/(train|test)/([0-9a-f]{16})/([A-Za-z0-9_-]{1,40})/(0|[1-9][0-9]{0,8})")


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
        self._engine = schema.open_engine(url or schema.database_url())
        self._writer = self._engine.execution_options(write=True)

    def close(self) -> None:
        """Let go of the database's connections."""
        self._engine.dispose()

    def request(self, key: str) -> Study:
        """Ask for a study; one that waits, runs or is done is left as it is.

        Raises:
            ValueError: the key is empty, or longer than 120 signs.
            NotAllowed: 20 are waiting already.
        """
        _check_key(key)
        with schema.explained(), self._writer.begin() as connection:
            known = _read(connection, key)
            if known and known.state != FAILED:
                return known
            if _count_waiting(connection) >= MOST_WAITING:
                raise NotAllowed("Too much is being computed already; try again in a few minutes.")
            study = Study(key, WAITING, _next_turn(connection))
            _replace(connection, study)
        log.info("study %s asked for", key)
        return study

    def find(self, key: str) -> Study | None:
        """The study of this key, with its result if it is done; None if nobody asked for it,
        or if it was forgotten since."""
        with schema.explained(), self._engine.connect() as connection:
            return _read(connection, key)

    def waiting(self) -> int:
        """How many studies wait for a worker."""
        with schema.explained(), self._engine.connect() as connection:
            return _count_waiting(connection)

    def keep(self, key: str, data: bytes) -> None:
        """Store what was computed elsewhere, in place of what there is.

        Raises:
            ValueError: the key is empty or too long, or there are more than a million bytes.
        """
        _check_key(key)
        _check_size(data)
        with schema.explained(), self._writer.begin() as connection:
            _replace(connection, Study(key, DONE, _next_turn(connection), data=data))

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
        with schema.explained(), self._writer.begin() as connection:
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
        with schema.explained(), self._writer.begin() as connection:
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


def _next_turn(connection: sa.Connection) -> int:
    return int(connection.execute(sa.select(sa.func.max(schema.studies.c.turn))).scalar() or 0) + 1


def _forget_oldest(connection: sa.Connection) -> None:
    """Keep what waits or runs, and of the rest what was asked for last."""
    studies = schema.studies.c
    over = sa.select(studies.key).where(studies.state.in_((DONE, FAILED)))
    keys = (
        connection.execute(over.order_by(studies.turn.desc()).offset(MOST_STORED)).scalars().all()
    )
    connection.execute(sa.delete(schema.studies).where(studies.key.in_(keys)))


# --- the work ---


@dataclass(frozen=True)
class MapKey:
    """What a t-SNE map is of; its ``text`` is the study's key.

    Attributes:
        split: "train" or "test": which images ``maps.choose`` takes its points from.
        fingerprint: ``Dataset.train_fingerprint`` or ``test_fingerprint``.
        features: "pixels", or the id of the run whose last hidden layer is looked at.
        version: ``Run.version`` of that run; 0 for pixels and for shipped runs.

    Raises:
        ValueError: these make no key.
    """

    split: str
    fingerprint: str
    features: str = PIXELS
    version: int = 0

    def __post_init__(self) -> None:
        if not MAP_KEY.fullmatch(self.text):
            raise ValueError(f"{self.text!r} is not the key of a map.")

    @property
    def text(self) -> str:
        """The key, such as ``tsne/test/c3f9adf9c66efb57/cnn/0``."""
        return f"tsne/{self.split}/{self.fingerprint}/{self.features}/{self.version}"

    @classmethod
    def parse(cls, text: str) -> "MapKey":
        """Read what ``text`` gave.

        Raises:
            ValueError: it is no such key.
        """
        match = MAP_KEY.fullmatch(text)
        if not match:
            raise ValueError(f"{text!r} is not the key of a map.")
        split, fingerprint, features, version = match.groups()
        return cls(split, fingerprint, features, int(version))


def perform(key: str, dataset: Dataset, artifact: bytes | None = None) -> bytes:
    """Compute a study: for now a t-SNE map.

    Args:
        key: as ``MapKey.text`` gives it.
        dataset: the digits at hand.
        artifact: the LiteRT model of the run that the key names; None for pixels.

    Returns:
        The points as ``unpack_points`` reads them, in the order of ``maps.choose``.

    Raises:
        ValueError: the key is of no kind that is known, or the model does not go with it.
        UserError: the digits are no longer those at hand, or the network is too wide.
    """
    wanted = MapKey.parse(key)
    if (artifact is None) != (wanted.features == PIXELS):
        raise ValueError(f"{key} needs the model of a run, or none for {PIXELS}.")
    if wanted.split == "train":
        images, labels, fingerprint = dataset.x_train, dataset.y_train, dataset.train_fingerprint
    else:
        images, labels, fingerprint = dataset.x_test, dataset.y_test, dataset.test_fingerprint
    if fingerprint != wanted.fingerprint:
        raise UserError("The digits of this map are no longer those at hand; ask for a new one.")
    chosen = take(images, maps.choose(labels))
    activations = Classifier(artifact).activations if artifact is not None else None
    return pack_points(maps.tsne(features_of(chosen, activations)))


def features_of(
    images: np.ndarray, activations: Callable[[np.ndarray], list[np.ndarray]] | None = None
) -> np.ndarray:
    """What a map is made from: the pixels, or the output of a network's last hidden layer.

    Args:
        images: uint8 (n, 28, 28), at least one.
        activations: ``Classifier.activations``; None for the pixels.

    Returns:
        float32 (n, d).

    Raises:
        UserError: that layer is wider than a map can be made from.
    """
    if activations is None:
        return maps.pixels(images)
    # Of one first: all of a layer that is too wide might not fit into memory.
    maps.check_width(explanation.hidden(activations, images[:1]).shape[1])
    return explanation.hidden(activations, images)


def pack_points(points: np.ndarray) -> bytes:
    """Points float32 (n, 2) as bytes: eight each, and a short header."""
    buffer = io.BytesIO()
    np.save(buffer, points.astype(np.float32), allow_pickle=False)
    return buffer.getvalue()


def unpack_points(data: bytes) -> np.ndarray:
    """What ``pack_points`` was given: float32 (n, 2)."""
    return np.asarray(np.load(io.BytesIO(data), allow_pickle=False))
