"""RunStore: runs, their curves and their models, in one SQL database.

The only thing that the pages and the workers share. Every change is one transaction, so
whatever dies in the middle leaves either the old or the new state.
"""

import dataclasses
import hashlib
import time
import uuid
from dataclasses import dataclass

import sqlalchemy as sa

from mnist_core import schema
from mnist_core.config import TrainConfig
from mnist_core.errors import NotAllowed, RunNotFound
from mnist_core.progress import Progress

# A run is always in exactly one of these states.
WAITING, RUNNING = "waiting", "running"
FINISHED, STOPPED, INTERRUPTED, FAILED = "finished", "stopped", "interrupted", "failed"
ACTIVE = (WAITING, RUNNING)
# States of a run that has a network to show.
TRAINED = (FINISHED, STOPPED)

# Kinds of artifact.
KERAS, LITERT, PREDICTIONS = "keras", "litert", "predictions"
CALIBRATION = "calibration"

ENDED = "The training process ended before the run did. Its curves are kept; start it again."

MOST_ACTIVE = 50
MOST_STORED = 200


@dataclass(frozen=True)
class Run:
    """One training run, without its curves and models.

    Attributes:
        id: names it in addresses and commands.
        state: "waiting", "running", "finished", "stopped", "interrupted" or "failed".
        config: its settings.
        created_at: seconds since 1970 at which it was asked for.
        owner: ``owner_of`` the visitor who asked; empty for a shipped run.
        worker: the worker that has it, or had it last.
        stop_requested: its owner pressed Stop.
        message: one sentence on why it was interrupted or failed, else empty.
        dataset: ``Dataset.description`` of what it was trained on.
        test_fingerprint: ``Dataset.test_fingerprint`` of what it was tested on.
        test_accuracy: 0 to 1.
        train_seconds: spent in training steps.
        epochs: passes over the training images it finished.
        parameters: numbers in its network.
        shipped: it came with the project.
    """

    id: str
    state: str
    config: TrainConfig
    created_at: float
    owner: str = ""
    worker: str | None = None
    stop_requested: bool = False
    message: str = ""
    dataset: str | None = None
    test_fingerprint: str | None = None
    test_accuracy: float | None = None
    train_seconds: float | None = None
    epochs: int | None = None
    parameters: int | None = None
    shipped: bool = False

    @property
    def active(self) -> bool:
        """Waiting or running."""
        return self.state in ACTIVE

    @property
    def title(self) -> str:
        """A short name for lists: preset, accuracy, and where it comes from."""
        accuracy = "" if self.test_accuracy is None else f" · {self.test_accuracy:.2%}"
        origin = "shipped" if self.shipped else self.id
        return f"{self.config.preset}{accuracy} · {origin}"


@dataclass(frozen=True)
class Worker:
    """A process that trains: its id, the host and process it is, its count of beats, and
    whether TensorFlow is loaded."""

    id: str
    host: str
    pid: int
    beat: int
    ready: bool


@dataclass(frozen=True)
class Download:
    """Where the download of MNIST stands: "none", "wanted", "running" or "failed", and
    why it failed."""

    state: str = "none"
    message: str = ""


def owner_of(token: str) -> str:
    """What is stored of a visitor's secret token: nobody can get back from it."""
    return hashlib.sha256(token.encode()).hexdigest()


class RunStore:
    """The runs in one database.

    Every method raises ``StoreUnavailable`` if the database cannot do what is asked.
    """

    def __init__(self, url: str | None = None) -> None:
        """Open the database, making it if there is none. Default: MNIST_DATABASE_URL."""
        self._engine = schema.open_engine(url or schema.database_url())
        self._writer = self._engine.execution_options(write=True)

    def close(self) -> None:
        """Let go of the database's connections."""
        self._engine.dispose()

    # --- what visitors do ---

    def submit(self, config: TrainConfig, owner: str) -> Run:
        """Put a new run at the end of the queue.

        Raises:
            NotAllowed: this owner has one waiting or running, or the queue is full.
        """
        with schema.explained(), self._writer.begin() as connection:
            active = sa.select(sa.func.count()).where(schema.runs.c.state.in_(ACTIVE))
            if connection.execute(active.where(schema.runs.c.owner == owner)).scalar():
                raise NotAllowed("You have a run in training already; wait for it or stop it.")
            if (connection.execute(active).scalar() or 0) >= MOST_ACTIVE:
                raise NotAllowed("The queue is full; try again in a few minutes.")
            run_id = self._insert(connection, config, owner, WAITING, None)
            self._forget_oldest(connection)
        return self.get(run_id)

    def request_stop(self, run_id: str, owner: str) -> None:
        """Ask a run to stop: at once if it waits, after its current step if it runs.

        Raises:
            RunNotFound: there is none of that id.
            NotAllowed: it is another visitor's.
        """
        with schema.explained(), self._writer.begin() as connection:
            run = _read_run(connection, run_id)
            if run.owner != owner:
                raise NotAllowed("Only the person who started a run can stop it.")
            change = sa.update(schema.runs).where(schema.runs.c.id == run_id)
            if run.state == WAITING:
                change = change.values(state=INTERRUPTED, message="Stopped before it began.")
            else:
                change = change.values(stop_requested=True)
            connection.execute(change)

    # --- what pages read ---

    def get(self, run_id: str) -> Run:
        """Raises: RunNotFound: there is none of that id."""
        with schema.explained(), self._engine.connect() as connection:
            return _read_run(connection, run_id)

    def list_runs(self, *, states: tuple[str, ...] = (), owner: str | None = None) -> list[Run]:
        """Runs in these states (empty: in any), of this owner (None: of any), newest first."""
        query = sa.select(schema.runs).order_by(schema.runs.c.number.desc())
        if states:
            query = query.where(schema.runs.c.state.in_(states))
        if owner is not None:
            query = query.where(schema.runs.c.owner == owner)
        with schema.explained(), self._engine.connect() as connection:
            return [_run(row) for row in connection.execute(query).mappings()]

    def place_in_queue(self, run_id: str) -> int:
        """How many waiting or running runs come before this one."""
        number = sa.select(schema.runs.c.number).where(schema.runs.c.id == run_id)
        query = sa.select(sa.func.count()).where(
            schema.runs.c.state.in_(ACTIVE), schema.runs.c.number < number.scalar_subquery()
        )
        with schema.explained(), self._engine.connect() as connection:
            return int(connection.execute(query).scalar() or 0)

    def metrics(self, run_id: str, after_step: int = 0) -> list[Progress]:
        """A run's reports after that step, in order."""
        query = (
            sa.select(*(schema.metrics.c[field.name] for field in dataclasses.fields(Progress)))
            .where(schema.metrics.c.run_id == run_id, schema.metrics.c.step > after_step)
            .order_by(schema.metrics.c.step)
        )
        with schema.explained(), self._engine.connect() as connection:
            return [Progress(**row) for row in connection.execute(query).mappings()]

    def artifact(self, run_id: str, kind: str) -> bytes:
        """A run's Keras model, LiteRT model, test predictions or calibration, as stored.

        Raises:
            RunNotFound: the run has none of that kind.
        """
        query = sa.select(schema.artifacts.c.data).where(
            schema.artifacts.c.run_id == run_id, schema.artifacts.c.kind == kind
        )
        with schema.explained(), self._engine.connect() as connection:
            data = connection.execute(query).scalar()
        if data is None:
            raise RunNotFound(f"Run {run_id} has no {kind} stored; choose another run.")
        return bytes(data)

    def workers(self) -> list[Worker]:
        """The processes that say they train."""
        with schema.explained(), self._engine.connect() as connection:
            return [
                Worker(**row) for row in connection.execute(sa.select(schema.workers)).mappings()
            ]

    def waiting(self) -> int:
        """How many runs wait for a worker."""
        query = sa.select(sa.func.count()).where(schema.runs.c.state == WAITING)
        with schema.explained(), self._engine.connect() as connection:
            return int(connection.execute(query).scalar() or 0)

    # --- what workers do ---

    def register_worker(self, worker: Worker) -> None:
        """A worker says that it is there."""
        with schema.explained(), self._writer.begin() as connection:
            connection.execute(sa.insert(schema.workers).values(dataclasses.asdict(worker)))

    def beat(self, worker_id: str, ready: bool) -> bool:
        """A worker says that it lives. False: it was given up for lost, and must stop."""
        change = (
            sa.update(schema.workers)
            .where(schema.workers.c.id == worker_id)
            .values(beat=schema.workers.c.beat + 1, ready=ready)
        )
        with schema.explained(), self._writer.begin() as connection:
            return connection.execute(change).rowcount == 1

    def remove_worker(self, worker_id: str, reason: str) -> None:
        """A worker has ended: what it was doing is marked as interrupted, with the reason."""
        with schema.explained(), self._writer.begin() as connection:
            connection.execute(sa.delete(schema.workers).where(schema.workers.c.id == worker_id))
            connection.execute(
                sa.update(schema.runs)
                .where(schema.runs.c.worker == worker_id, schema.runs.c.state == RUNNING)
                .values(state=INTERRUPTED, message=reason)
            )
            if _fact(connection, "download_worker") == worker_id:
                _write_facts(connection, download="failed", download_message=reason)

    def claim(self, worker_id: str) -> Run | None:
        """Give the longest-waiting run to this worker, if any waits.

        A worker that was given up for lost gets none: nobody would notice its end.
        """
        first = (
            sa.select(schema.runs.c.number)
            .where(schema.runs.c.state == WAITING)
            .order_by(schema.runs.c.number)
            .limit(1)
        )
        change = (
            sa.update(schema.runs)
            .where(schema.runs.c.number == first.scalar_subquery(), schema.runs.c.state == WAITING)
            .where(_is_registered(worker_id))
            .values(state=RUNNING, worker=worker_id)
            .returning(schema.runs.c.id)
        )
        with schema.explained(), self._writer.begin() as connection:
            run_id = connection.execute(change).scalar()
            return None if run_id is None else _read_run(connection, run_id)

    def begin(self, config: TrainConfig, owner: str, worker_id: str) -> Run:
        """A new run that this worker trains at once, past the queue: the command line's."""
        with schema.explained(), self._writer.begin() as connection:
            run_id = self._insert(connection, config, owner, RUNNING, worker_id)
            self._forget_oldest(connection)
            return _read_run(connection, run_id)

    def report(self, run_id: str, worker_id: str, reports: list[Progress]) -> Run:
        """Store reports of a run and read it back, to see whether it is to stop.

        Raises:
            NotAllowed: the run is no longer this worker's; nothing was stored.
        """
        with schema.explained(), self._writer.begin() as connection:
            run = _owned_by_worker(connection, run_id, worker_id)
            if reports:
                rows = [{"run_id": run_id, **dataclasses.asdict(item)} for item in reports]
                connection.execute(sa.insert(schema.metrics), rows)
            return run

    def complete(
        self,
        run_id: str,
        worker_id: str,
        state: str,
        *,
        message: str = "",
        results: dict[str, str | float | int] | None = None,
        artifacts: dict[str, bytes] | None = None,
    ) -> Run:
        """End a run: its state, results and artifacts appear together or not at all.

        Args:
            results: values for the columns dataset, test_fingerprint, test_accuracy,
                train_seconds, epochs and parameters.

        Raises:
            NotAllowed: the run is no longer this worker's; nothing was stored.
        """
        with schema.explained(), self._writer.begin() as connection:
            _owned_by_worker(connection, run_id, worker_id)
            connection.execute(
                sa.update(schema.runs)
                .where(schema.runs.c.id == run_id)
                .values(state=state, message=message, **(results or {}))
            )
            for kind, data in (artifacts or {}).items():
                connection.execute(
                    sa.insert(schema.artifacts).values(run_id=run_id, kind=kind, data=data)
                )
            return _read_run(connection, run_id)

    # --- the download of MNIST ---

    def download(self) -> Download:
        """Where the download stands."""
        with schema.explained(), self._engine.connect() as connection:
            state = _fact(connection, "download") or "none"
            return Download(state, _fact(connection, "download_message") or "")

    def request_download(self) -> None:
        """Ask the next worker for it, unless one is already at it."""
        with schema.explained(), self._writer.begin() as connection:
            if _fact(connection, "download") != "running":
                _write_facts(connection, download="wanted", download_message="")

    def claim_download(self, worker_id: str) -> bool:
        """Whether this worker is the one to download."""
        with schema.explained(), self._writer.begin() as connection:
            if _fact(connection, "download") != "wanted":
                return False
            if not connection.execute(sa.select(_is_registered(worker_id))).scalar():
                return False
            _write_facts(connection, download="running", download_worker=worker_id)
            return True

    def end_download(self, message: str = "") -> None:
        """It ended: well if there is no message."""
        state = "failed" if message else "none"
        with schema.explained(), self._writer.begin() as connection:
            _write_facts(connection, download=state, download_message=message, download_worker="")

    # --- within a transaction ---

    def _insert(
        self,
        connection: sa.Connection,
        config: TrainConfig,
        owner: str,
        state: str,
        worker_id: str | None,
    ) -> str:
        run_id = uuid.uuid4().hex[:10]
        connection.execute(
            sa.insert(schema.runs).values(
                id=run_id,
                owner=owner,
                state=state,
                worker=worker_id,
                config=config.to_json(),
                created_at=time.time(),
            )
        )
        return run_id

    def _forget_oldest(self, connection: sa.Connection) -> None:
        """Keep no more than MOST_STORED runs: the disk is everybody's."""
        number = schema.runs.c.number
        kept = sa.select(number).order_by(number.desc()).limit(MOST_STORED)
        connection.execute(
            sa.delete(schema.runs).where(
                number.not_in(kept.scalar_subquery()), schema.runs.c.state.not_in(ACTIVE)
            )
        )


def _run(row: sa.RowMapping) -> Run:
    values = {name: value for name, value in row.items() if name != "number"}
    return Run(**values | {"config": TrainConfig.from_json(row["config"])})


def _read_run(connection: sa.Connection, run_id: str) -> Run:
    query = sa.select(schema.runs).where(schema.runs.c.id == run_id)
    row = connection.execute(query).mappings().first()
    if row is None:
        raise RunNotFound("There is no such run; it may have been deleted. Choose another.")
    return _run(row)


def _owned_by_worker(connection: sa.Connection, run_id: str, worker_id: str) -> Run:
    try:
        run = _read_run(connection, run_id)
    except RunNotFound as error:
        raise NotAllowed("The run was deleted.") from error
    if run.state != RUNNING or run.worker != worker_id:
        raise NotAllowed("The run was taken from this worker.")
    return run


def _is_registered(worker_id: str) -> sa.Exists:
    return sa.exists().where(schema.workers.c.id == worker_id)


def _fact(connection: sa.Connection, name: str) -> str | None:
    query = sa.select(schema.facts.c.value).where(schema.facts.c.name == name)
    value = connection.execute(query).scalar()
    return None if value is None else str(value)


def _write_facts(connection: sa.Connection, **values: str) -> None:
    for name, value in values.items():
        connection.execute(sa.delete(schema.facts).where(schema.facts.c.name == name))
        connection.execute(sa.insert(schema.facts).values(name=name, value=value))
