"""RunStore: runs, their curves and their models, in one SQL database.

The only thing that the pages and the workers share. Every change is one transaction, so
whatever dies in the middle leaves either the old or the new state.
"""

import dataclasses
import functools
import hashlib
import logging
import re
import time
import unicodedata
import uuid
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from mnist_core import schema
from mnist_core.config import TrainConfig
from mnist_core.data import Dataset
from mnist_core.errors import NotAllowed, RunNotFound
from mnist_core.progress import Progress
from mnist_core.sweeps import MOST_RUNS

log = logging.getLogger("mnist_core.runs")

# A run is always in exactly one of these states.
WAITING, RUNNING = "waiting", "running"
FINISHED, STOPPED, INTERRUPTED, FAILED = "finished", "stopped", "interrupted", "failed"
ACTIVE = (WAITING, RUNNING)
# States of a run that has a network to show.
TRAINED = (FINISHED, STOPPED)

# Kinds of artifact.
KERAS, LITERT, PREDICTIONS = "keras", "litert", "predictions"
CALIBRATION, CHECKPOINT = "calibration", "checkpoint"

ENDED = "The training process, which also downloads, has ended; try again."
LOST = (
    "The training process was lost three times at the same place, perhaps for want of memory. "
    "The curves are kept: resume it, or start a smaller network or smaller batches."
)
WITHDRAWN = "Stopped before it began."
NO_RUN = "There is no such run; it may have been deleted. Choose another."
NO_SWEEP = "There is no such sweep; it may have been deleted. Start another."
PAUSED = "Stopped while it waited to go on. Its curves are kept."
LOST_STUDY = "The process that computed this was lost three times, perhaps for want of memory."

# The owner that may change any run: no visitor is called so, for owner_of gives 64 signs.
TEACHER = "teacher"

# A run takes a place in the queue, and so does a whole sweep, whose later runs let everybody
# else go first. A class of forty comes from one address, and each student may have one of both;
# yet no address may have all places.
MOST_ACTIVE, MOST_ACTIVE_EACH_ADDRESS = 150, 100
# The disk is everybody's: so many runs, and so many bytes of their models in all.
# A class of forty has a run and a default sweep of six each, beside those kept for good.
MOST_STORED = 300
MOST_BYTES = 1_000_000_000
MOST_PINNED_EACH, MOST_PINNED = 3, 20
MOST_LOSSES = 3
RUN_ID = re.compile(r"[A-Za-z0-9_-]{1,40}")
# Signs that a name may have beside letters, digits and spaces: none means anything where
# text is laid out. Not even a full stop, which makes a link of www.example.org.
NAME_SIGNS = "-,+()'"
NAME_LENGTH = 40


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
        validation_accuracy: at the end of the last whole epoch of its network, 0 to 1. What runs
            are chosen by: whoever chooses by the test accuracy can report it no more.
        train_seconds: spent in training steps.
        epochs: passes over the training images it finished.
        parameters: numbers in its network.
        name: what its owner calls it; may be empty.
        pinned: its owner, or the teacher, wants it kept while others are forgotten.
        pinned_by_teacher: it was the teacher, so it does not count as one of the owner's.
        turn: waiting runs are trained in this order.
        version: how often its network was stored; 0 if it has none.
        checkpoint_step: the step it would go on from.
        losses: how often a worker was lost since that step.
        sweep: the sweep it belongs to: the id of that sweep's first run.
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
    name: str = ""
    pinned: bool = False
    turn: int = 0
    version: int = 0
    checkpoint_step: int = 0
    losses: int = 0
    sweep: str | None = None
    pinned_by_teacher: bool = False
    shipped: bool = False
    validation_accuracy: float | None = None

    @property
    def active(self) -> bool:
        """Waiting or running."""
        return self.state in ACTIVE

    @property
    def order(self) -> tuple[bool, int]:
        """Of two waiting runs the one with the smaller is trained first. A sweep's first run
        waits like any other; its later ones let everybody else go first."""
        return self.sweep not in (None, self.id), self.turn

    @property
    def trained(self) -> bool:
        """It has a network to show: the one of its latest end, if it goes on now."""
        return self.shipped or self.version > 0

    @property
    def resumable(self) -> bool:
        """It ended before its last epoch, and can go on."""
        return self.state in (STOPPED, INTERRUPTED)

    @property
    def label(self) -> str:
        """What its owner calls it, or else its preset; a shipped run has a name of its own."""
        return self.name or (self.id if self.shipped else self.config.preset)

    @property
    def origin(self) -> str:
        """What tells it from others of the same label."""
        return "shipped" if self.shipped else self.id

    @property
    def trained_on(self) -> str:
        """What it was trained on, in words; empty if nobody knows. Numbers are rounded as the
        split is, digit by digit."""
        available = Dataset.training_images_in(self.dataset)
        if not available:
            return ""
        name = (self.dataset or "").split(":")[0]
        text = f"about {self.config.fit_images(available):,} of the {available:,} training images"
        text += f" ({name})"
        if drawn := self.config.drawn_images(available):
            text += f" and {drawn:,} drawings of this project's own"
        return text

    @property
    def title(self) -> str:
        """A short name for lists: label, accuracy, and where it comes from."""
        accuracy = "" if self.test_accuracy is None else f" · {self.test_accuracy:.2%}"
        return f"{self.label}{accuracy} · {self.origin}"


@dataclass(frozen=True)
class Trial:
    """One run of a sweep.

    Attributes:
        epoch: passes over the training images it has done, with its fraction.
        validation_accuracy: at the end of its last whole epoch, 0 to 1; None before.
    """

    run: Run
    epoch: float = 0.0
    validation_accuracy: float | None = None


def ranked(trials: list[Trial]) -> list[Trial]:
    """The best on validation images first, those without such a number last.

    Never by the accuracy on the test images: whoever chooses by it can report it no more.
    """
    return sorted(trials, key=lambda trial: -(trial.validation_accuracy or 0.0))


def chosen(trials: list[Trial]) -> Trial | None:
    """The best of those that ended with a network, if any did."""
    ended = [trial for trial in trials if trial.run.state in TRAINED and trial.validation_accuracy]
    return ranked(ended)[0] if ended else None


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
        self.url = url or schema.database_url()
        self._engine = schema.open_engine(self.url)
        self._writer = self._engine.execution_options(write=True)
        # Writes to one row, beside all other writers where the database can (schema.py).
        self._reporter = self._engine.execution_options(write=True, one_row=True)
        # A beat that is lost with the power is not missed.
        self._heart = self._reporter.execution_options(lasting=False)

    @property
    def has_many_writers(self) -> bool:
        """Whether workers of many machines may write to it: it is a server and not a file."""
        return self._engine.dialect.name != "sqlite"

    def close(self) -> None:
        """Let go of the database's connections."""
        self._engine.dispose()

    def check(self) -> None:
        """See that the database is still one that this version can use.

        Raises:
            StoreUnavailable: a newer version of the app has changed it meanwhile.
        """
        with schema.explained(), self._engine.connect() as connection:
            version = _fact(connection, "schema_version")
        schema.check_version(version)

    # --- what visitors do ---

    def submit(self, config: TrainConfig, owner: str, same_address: Collection[str] = ()) -> Run:
        """Put a new run at the end of the queue.

        Args:
            same_address: ids of the runs that were asked for from the same address.

        Raises:
            NotAllowed: this owner has one waiting or running already, or the queue is full, or
                100 runs and sweeps of that address wait or run. Nobody trains as the teacher.
        """
        _check_is_visitor(owner)
        with schema.explained(), self._writer.begin() as connection:
            _check_room(connection, owner, same_address)
            run_id = self._insert(connection, config, owner, WAITING, None)
            self._forget_oldest(connection)
        log.info("run %s submitted, preset %s", run_id, config.preset)
        return self.get(run_id)

    def submit_sweep(
        self, configs: list[TrainConfig], owner: str, same_address: Collection[str] = ()
    ) -> list[Run]:
        """Put the runs of a sweep into the queue, all of them or none.

        The later ones wait until nobody else does, so that nobody waits for a whole sweep.

        Args:
            configs: the settings of each run, 1 to 12.
            same_address: as ``submit`` takes it.

        Returns:
            The runs, in order. The first one's id is the sweep's.

        Raises:
            ValueError: there are no settings, or too many.
            NotAllowed: as ``submit`` does; this owner may have one run and one sweep.
        """
        if not 1 <= len(configs) <= MOST_RUNS:
            raise ValueError(f"Expected 1 to {MOST_RUNS} runs, got {len(configs)}.")
        _check_is_visitor(owner)
        with schema.explained(), self._writer.begin() as connection:
            _check_room(connection, owner, same_address, sweep=True)
            sweep_id = None
            for config in configs:
                run_id = self._insert(connection, config, owner, WAITING, None)
                sweep_id = sweep_id or run_id
                _change(connection, run_id, sweep=sweep_id)
            self._forget_oldest(connection)
            runs = _read_sweep(connection, str(sweep_id))
        log.info("sweep %s of %d runs submitted", sweep_id, len(runs))
        return runs

    def resume(
        self, run_id: str, owner: str, more_epochs: int = 0, same_address: Collection[str] = ()
    ) -> Run:
        """Let a run go on from its checkpoint, at the end of the queue.

        Args:
            owner: its owner, or ``TEACHER``; so with the methods below.
            more_epochs: for a finished run, by how many epochs to go on.
            same_address: as ``submit`` takes it.

        Raises:
            RunNotFound: there is none of that id.
            NotAllowed: it is another visitor's, cannot go on, or ``submit`` would refuse it
                to its owner.
            InvalidConfig: too many epochs in all.
        """
        with schema.explained(), self._writer.begin() as connection:
            run = _read_own(connection, run_id, owner)
            config = run.config
            if run.state == FINISHED and more_epochs:
                config = dataclasses.replace(config, more_epochs=(*config.more_epochs, more_epochs))
                kept = sa.select(schema.artifacts.c.kind).where(
                    schema.artifacts.c.run_id == run_id, schema.artifacts.c.kind == CHECKPOINT
                )
                if connection.execute(kept).scalar() is None:
                    raise NotAllowed("This run was trained before runs could go on; start it anew.")
            elif not run.resumable:
                raise NotAllowed(f"This run is {run.state} and cannot go on; start a new one.")
            _check_room(connection, run.owner, same_address, sweep=run.sweep is not None)
            _change(
                connection,
                run_id,
                state=WAITING,
                config=config.to_json(),
                turn=_next_turn(connection),
                stop_requested=False,
                message="",
                losses=0,
            )
            resumed = _read_run(connection, run_id)
        log.info("run %s submitted to go on", run_id)
        return resumed

    def request_stop(self, run_id: str, owner: str) -> None:
        """Ask a run to stop: at once if it waits, after its current step if it runs.

        Raises:
            RunNotFound: there is none of that id.
            NotAllowed: it is another visitor's.
        """
        with schema.explained(), self._writer.begin() as connection:
            run = _read_own(connection, run_id, owner)
            now = _stop(connection, run)
        _tell_stop(run, now)

    def stop_sweep(self, sweep_id: str, owner: str) -> None:
        """Ask all runs of a sweep to stop, as ``request_stop`` asks one.

        Raises:
            RunNotFound: there is none of that id.
            NotAllowed: it is another visitor's.
        """
        with schema.explained(), self._writer.begin() as connection:
            runs = _read_sweep(connection, sweep_id)
            for run in runs:
                _check_own(run, owner)
            stopped = [(run, _stop(connection, run)) for run in runs]
        for run, now in stopped:
            _tell_stop(run, now)

    def rename(self, run_id: str, owner: str, name: str) -> None:
        """Give a run a name; an empty one takes it away.

        Raises:
            RunNotFound: there is none of that id.
            NotAllowed: it is another visitor's, or no such name is allowed.
        """
        # An accent may come as a sign of its own; composed, it is a letter's.
        name = unicodedata.normalize("NFC", " ".join(name.split()))
        if len(name) > NAME_LENGTH or not all(
            sign.isalnum() or sign in NAME_SIGNS + " " for sign in name
        ):
            raise NotAllowed(
                f"A name has at most {NAME_LENGTH} letters, digits, spaces and {NAME_SIGNS} in it."
            )
        with schema.explained(), self._writer.begin() as connection:
            _read_own(connection, run_id, owner)
            _change(connection, run_id, name=name)

    def pin(self, run_id: str, owner: str, pinned: bool) -> None:
        """Keep a run while older and newer ones are forgotten, or no longer.

        Raises:
            RunNotFound: there is none of that id.
            NotAllowed: it is another visitor's, or too many are kept already.
        """
        with schema.explained(), self._writer.begin() as connection:
            run = _read_own(connection, run_id, owner)
            runs = schema.runs.c
            kept = sa.select(sa.func.count()).where(runs.pinned)
            if pinned and not run.pinned:
                # What the teacher keeps is not counted as its owner's.
                own = kept.where(runs.owner == owner, sa.not_(runs.pinned_by_teacher))
                if (connection.execute(own).scalar() or 0) >= MOST_PINNED_EACH:
                    raise NotAllowed(f"You can keep {MOST_PINNED_EACH} runs; let go of one first.")
                if (connection.execute(kept).scalar() or 0) >= MOST_PINNED:
                    raise NotAllowed("As many runs are kept as there is room for.")
                _change(connection, run_id, pinned=True, pinned_by_teacher=owner == TEACHER)
            elif not pinned:
                _change(connection, run_id, pinned=False, pinned_by_teacher=False)

    def delete(self, run_id: str, owner: str) -> None:
        """Forget a run, its curves and its models.

        Raises:
            RunNotFound: there is none of that id.
            NotAllowed: it is another visitor's, or it is waiting or running.
        """
        with schema.explained(), self._writer.begin() as connection:
            if _read_own(connection, run_id, owner).active:
                raise NotAllowed("This run is in training; stop it first.")
            connection.execute(sa.delete(schema.runs).where(schema.runs.c.id == run_id))

    # --- what pages read ---

    def get(self, run_id: str) -> Run:
        """Raises: RunNotFound: there is none of that id."""
        with schema.explained(), self._engine.connect() as connection:
            return _read_run(connection, run_id)

    def list_runs(
        self,
        *,
        states: tuple[str, ...] = (),
        owner: str | None = None,
        trained: bool = False,
    ) -> list[Run]:
        """Runs in these states (empty: in any), of this owner (None: of any), newest first.

        Args:
            trained: only those that have a network to show.
        """
        query = _select_runs().order_by(schema.runs.c.number.desc())
        if states:
            query = query.where(schema.runs.c.state.in_(states))
        if owner is not None:
            query = query.where(schema.runs.c.owner == owner)
        if trained:
            query = query.where(schema.runs.c.version > 0)
        with schema.explained(), self._engine.connect() as connection:
            return [_run(row) for row in connection.execute(query).mappings()]

    def sweep_runs(self, sweep_id: str) -> list[Run]:
        """The runs of a sweep that are still there, in the order in which they were asked for.

        Raises:
            RunNotFound: there is none.
        """
        with schema.explained(), self._engine.connect() as connection:
            return _read_sweep(connection, sweep_id)

    def before(self, run: Run) -> list[Run]:
        """The running runs that had their turn before this one, and the waiting ones that have
        it before, in order."""
        return sorted(
            (
                other
                for other in self.list_runs(states=ACTIVE)
                # One that runs may be of a sweep, and would wait behind this one if it waited.
                if other.order < run.order or (other.state == RUNNING and other.turn < run.turn)
            ),
            key=queue_place,
        )

    def metrics(self, run_id: str, after_step: int = 0) -> list[Progress]:
        """A run's reports after that step, in order."""
        query = (
            sa.select(*(schema.metrics.c[field.name] for field in dataclasses.fields(Progress)))
            .where(schema.metrics.c.run_id == run_id, schema.metrics.c.step > after_step)
            .order_by(schema.metrics.c.step)
        )
        with schema.explained(), self._engine.connect() as connection:
            return [Progress(**row) for row in connection.execute(query).mappings()]

    def first_and_last_reports(self, run_ids: Collection[str]) -> dict[str, list[Progress]]:
        """The first report of each of these runs and its latest, by the run's id: what tells how
        fast it is. A run with one report has one, and one without any is not among them."""
        metrics = schema.metrics.c
        ends = (
            sa.select(
                metrics.run_id,
                sa.func.min(metrics.step).label("first"),
                sa.func.max(metrics.step).label("last"),
            )
            .where(metrics.run_id.in_(run_ids))
            .group_by(metrics.run_id)
            .subquery()
        )
        query = (
            sa.select(schema.metrics)
            .join(ends, metrics.run_id == ends.c.run_id)
            .where(metrics.step.in_((ends.c.first, ends.c.last)))
            .order_by(metrics.step)
        )
        found: dict[str, list[Progress]] = {}
        with schema.explained(), self._engine.connect() as connection:
            for row in connection.execute(query).mappings():
                values = dict(row)
                found.setdefault(values.pop("run_id"), []).append(Progress(**values))
        return found

    def last_step(self, run_id: str) -> int:
        """The step of a run's latest report; 0 if there is none."""
        query = sa.select(sa.func.max(schema.metrics.c.step)).filter_by(run_id=run_id)
        with schema.explained(), self._engine.connect() as connection:
            return int(connection.execute(query).scalar() or 0)

    def trials(self, sweep_id: str) -> list[Trial]:
        """The runs of a sweep, as ``sweep_runs`` gives them, and how far each is.

        Raises:
            RunNotFound: there is none.
        """
        with schema.explained(), self._engine.connect() as connection:
            runs = _read_sweep(connection, sweep_id)
            last = _last_reports(connection, sweep_id, validated=False)
            validated = _last_reports(connection, sweep_id, validated=True)
        return [
            Trial(
                run,
                last[run.id].epoch if run.id in last else 0.0,
                validated[run.id].validation_accuracy if run.id in validated else None,
            )
            for run in runs
        ]

    def artifact(self, run_id: str, kind: str) -> bytes:
        """A run's Keras or LiteRT model, test predictions, calibration or checkpoint, as stored.

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
        with schema.explained(), self._heart.begin() as connection:
            return connection.execute(change).rowcount == 1

    def remove_worker(self, worker_id: str, reason: str, beat: int | None = None) -> bool:
        """A worker has ended: the run it had waits for the next, which goes on with it.

        A run that lost three workers since its last checkpoint is not tried again. So it is
        with studies (studies.py).

        Args:
            reason: why, in one sentence.
            beat: only if its count of beats still stands there.

        Returns:
            Whether it was removed.
        """
        gone = sa.delete(schema.workers).where(schema.workers.c.id == worker_id)
        if beat is not None:
            gone = gone.where(schema.workers.c.beat == beat)
        with schema.explained(), self._writer.begin() as connection:
            if not connection.execute(gone).rowcount and beat is not None:
                return False
            left = []
            runs = sa.select(schema.runs).where(
                schema.runs.c.worker == worker_id, schema.runs.c.state == RUNNING
            )
            # Locked, for a last report may be on its way and begin the count of losses anew.
            runs = runs.with_for_update()
            for run in map(_run, connection.execute(runs).mappings().all()):
                losses = run.losses + 1
                if losses < MOST_LOSSES:
                    _change(connection, run.id, state=WAITING, losses=losses)
                else:
                    _change(connection, run.id, state=INTERRUPTED, losses=losses, message=LOST)
                left.append(_read_run(connection, run.id))
            _release_studies(connection, worker_id)
            if _fact(connection, "download_worker") == worker_id:
                _write_facts(connection, download="failed", download_message=reason)
        for run in left:
            if run.state == WAITING:
                log.warning("run %s lost its worker %s, and waits for another", run.id, worker_id)
            else:
                _tell_end(run)
        return True

    def claim(self, worker_id: str) -> Run | None:
        """Give the waiting run whose turn it is to this worker, if any waits.

        What was reported after its checkpoint is forgotten, for it will be trained again.
        A worker that was given up for lost gets none: nobody would notice its end.
        """
        runs = schema.runs.c
        # As ``Run.order`` has it.
        is_later = sa.and_(runs.sweep.is_not(None), runs.sweep != runs.id)
        first = (
            sa.select(runs.number)
            .where(runs.state == WAITING)
            .order_by(sa.case((is_later, 1), else_=0), runs.turn)
            .limit(1)
        )
        change = (
            sa.update(schema.runs)
            .where(runs.number == first.scalar_subquery(), runs.state == WAITING)
            .where(_is_registered(worker_id))
            .values(state=RUNNING, worker=worker_id)
            .returning(runs.id)
        )
        with schema.explained(), self._writer.begin() as connection:
            run_id = connection.execute(change).scalar()
            if run_id is None:
                return None
            run = _read_run(connection, run_id)
            connection.execute(
                sa.delete(schema.metrics).where(
                    schema.metrics.c.run_id == run_id, schema.metrics.c.step > run.checkpoint_step
                )
            )
        log.info("run %s started by worker %s at step %d", run_id, worker_id, run.checkpoint_step)
        return run

    def begin(self, config: TrainConfig, owner: str, worker_id: str) -> Run:
        """A new run that this worker trains at once, past the queue: the command line's."""
        with schema.explained(), self._writer.begin() as connection:
            run_id = self._insert(connection, config, owner, RUNNING, worker_id)
            self._forget_oldest(connection)
            return _read_run(connection, run_id)

    def report(
        self,
        run_id: str,
        worker_id: str,
        reports: list[Progress],
        checkpoint: tuple[int, bytes] | None = None,
    ) -> Run:
        """Store reports of a run and read it back, to see whether it is to stop.

        Args:
            checkpoint: the step to go on from if the worker is lost, and the state then.
                It appears together with the reports or not at all.

        Raises:
            NotAllowed: the run is no longer this worker's; nothing was stored.
        """
        if not reports and not checkpoint:
            with schema.explained(), self._engine.connect() as connection:
                return _owned_by_worker(connection, run_id, worker_id)
        with schema.explained(), self._reporter.begin() as connection:
            run = _owned_by_worker(connection, run_id, worker_id, lock=True)
            if reports:
                rows = [{"run_id": run_id, **vars(item)} for item in reports]
                connection.execute(sa.insert(schema.metrics), rows)
            if checkpoint:
                _change(connection, run_id, checkpoint_step=checkpoint[0], losses=0)
                _store_artifact(connection, run_id, CHECKPOINT, checkpoint[1])
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
                train_seconds, epochs, parameters and checkpoint_step.
            artifacts: its new network and what belongs to it, in place of those before.

        Raises:
            NotAllowed: the run is no longer this worker's; nothing was stored.
        """
        with schema.explained(), self._writer.begin() as connection:
            run = _owned_by_worker(connection, run_id, worker_id, lock=True)
            for kind, data in (artifacts or {}).items():
                _store_artifact(connection, run_id, kind, data)
            # While it still counts as active: what just ended is not what is forgotten.
            self._forget_oldest(connection, ending=1)
            _change(
                connection,
                run_id,
                state=state,
                message=message,
                version=run.version + bool(artifacts),
                losses=0,
                **(results or {}),
            )
            ended = _read_run(connection, run_id)
        _tell_end(ended)
        return ended

    def touch(self) -> None:
        """Write something that means nothing, to see that the database takes it."""
        with schema.explained(), self._writer.begin() as connection:
            _write_facts(connection, touched="")

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
                turn=_next_turn(connection),
            )
        )
        return run_id

    def _forget_oldest(self, connection: sa.Connection, ending: int = 0) -> None:
        """Keep what is pinned or active, and of the rest what was trained last and has room.

        What has no network goes first: many runs stopped before they began push nobody's out.
        Next goes what its owner has beside the newest thirteen, a run and the longest sweep: so
        nobody pushes out others' by training all day. What is active takes no other run's place,
        however long the queue: that has a bound of its own.

        Args:
            ending: how many active runs are about to end, and take a place then.
        """
        runs, artifacts = schema.runs.c, schema.artifacts.c
        size = sa.func.coalesce(sa.func.sum(sa.func.length(artifacts.data)), 0)
        # The one that is about to end is among its owner's newest.
        networks = sa.or_(runs.version > 0, runs.state == RUNNING)
        nth_of_owner = sa.func.row_number().over(
            partition_by=(runs.owner, networks), order_by=runs.turn.desc()
        )
        active = runs.state.in_(ACTIVE)
        query = (
            sa.select(runs.id, active, runs.pinned, size)
            .select_from(schema.runs.outerjoin(schema.artifacts, artifacts.run_id == runs.id))
            .group_by(runs.id, runs.owner, runs.turn, runs.pinned, runs.state, runs.version)
            .order_by((runs.version > 0).desc(), nth_of_owner > 1 + MOST_RUNS, runs.turn.desc())
        )
        stored = [tuple(row) for row in connection.execute(query)]
        room = MOST_STORED - ending - sum(pinned and not active for _, active, pinned, _ in stored)
        room_in_bytes = MOST_BYTES - sum(
            data for _, active, pinned, data in stored if active or pinned
        )
        forgotten = []
        for run_id, active, pinned, data in stored:
            if active or pinned:
                continue
            room, room_in_bytes = room - 1, room_in_bytes - data
            if room < 0 or room_in_bytes < 0:
                forgotten.append(run_id)
        connection.execute(sa.delete(schema.runs).where(runs.id.in_(forgotten)))


def queue_place(run: Run) -> tuple[bool, tuple[bool, int]]:
    """The key that sorts active runs into the order in which they are trained."""
    return run.state != RUNNING, run.order


def _select_runs() -> sa.Select[Any]:
    """Runs with their validation accuracy, for which each run's latest reports are looked at from
    the end on: one row or a few, and never all of them."""
    runs, metrics = schema.runs.c, schema.metrics.c
    # Of one that goes on, later epochs are not those of the network it has.
    last = (
        sa.select(metrics.validation_accuracy)
        .where(metrics.run_id == runs.id, metrics.epoch <= runs.epochs)
        .where(metrics.validation_accuracy.is_not(None))
        .order_by(metrics.step.desc())
        .limit(1)
        .correlate(schema.runs)
        .scalar_subquery()
    )
    return sa.select(schema.runs, last.label("validation_accuracy"))


def _run(row: sa.RowMapping) -> Run:
    return _shared_run(**{name: value for name, value in row.items() if name != "number"})


# Every visitor's page reads all runs at every look, and keeps them while it is open: with
# forty pages and seventy runs what is equal, and cannot change, had better be there once.
@functools.lru_cache(maxsize=MOST_STORED + MOST_ACTIVE * MOST_RUNS)
def _shared_run(*, config: str, **values: Any) -> Run:
    return Run(config=TrainConfig.from_json(config), **values)


def _read_run(connection: sa.Connection, run_id: str, lock: bool = False) -> Run:
    """A run, if wished with its row locked to the end of the transaction."""
    # What nobody can have been given is not even asked for: a database may refuse to read it.
    if not RUN_ID.fullmatch(run_id):
        raise RunNotFound(NO_RUN)
    query = _select_runs().where(schema.runs.c.id == run_id)
    if lock:
        query = query.with_for_update(of=schema.runs)
    row = connection.execute(query).mappings().first()
    if row is None:
        raise RunNotFound(NO_RUN)
    return _run(row)


def _read_sweep(connection: sa.Connection, sweep_id: str) -> list[Run]:
    if not RUN_ID.fullmatch(sweep_id):
        raise RunNotFound(NO_SWEEP)
    runs = schema.runs.c
    query = _select_runs().where(runs.sweep == sweep_id).order_by(runs.number)
    found = [_run(row) for row in connection.execute(query).mappings()]
    if not found:
        raise RunNotFound(NO_SWEEP)
    return found


def _last_reports(connection: sa.Connection, sweep_id: str, validated: bool) -> dict[str, Progress]:
    """The last report of each run of a sweep that has any, by the run's id.

    Args:
        validated: only of those at the end of an epoch, which know of the validation images.
    """
    metrics = schema.metrics.c
    last = (
        sa.select(metrics.run_id, sa.func.max(metrics.step).label("step"))
        .join(schema.runs, schema.runs.c.id == metrics.run_id)
        .where(schema.runs.c.sweep == sweep_id)
        .group_by(metrics.run_id)
    )
    if validated:
        last = last.where(metrics.validation_accuracy.is_not(None))
    found = last.subquery()
    query = sa.select(schema.metrics).join(
        found, sa.and_(metrics.run_id == found.c.run_id, metrics.step == found.c.step)
    )
    rows = [dict(row) for row in connection.execute(query).mappings()]
    return {row.pop("run_id"): Progress(**row) for row in rows}


def _stop(connection: sa.Connection, run: Run) -> Run:
    """Ask a run to stop, if it is active; the run as it is then."""
    if run.state == RUNNING:
        _change(connection, run.id, stop_requested=True)
    elif run.state == WAITING and run.trained:
        _change(connection, run.id, state=STOPPED)
    elif run.state == WAITING:
        message = PAUSED if run.worker else WITHDRAWN
        _change(connection, run.id, state=INTERRUPTED, message=message)
    return _read_run(connection, run.id)


def _tell_stop(run: Run, now: Run) -> None:
    """Tell the log what the wish to stop made of a run."""
    if now.state == RUNNING:
        log.info("run %s asked to stop", run.id)
    elif now.state != run.state:
        _tell_end(now)


def _tell_end(run: Run) -> None:
    """Tell the log how a run ended."""
    facts = []
    if run.train_seconds is not None:
        facts.append(f"{run.train_seconds:.1f} s of training")
    if run.test_accuracy is not None:
        facts.append(f"test accuracy {run.test_accuracy:.2%}")
    level = logging.WARNING if run.state in (FAILED, INTERRUPTED) else logging.INFO
    log.log(level, "run %s %s: %s", run.id, run.state, run.message or ", ".join(facts))


def _read_own(connection: sa.Connection, run_id: str, owner: str) -> Run:
    run = _read_run(connection, run_id, lock=True)
    _check_own(run, owner)
    return run


def _check_own(run: Run, owner: str) -> None:
    if owner not in (run.owner, TEACHER):
        raise NotAllowed("Only the person who started a run can do that.")


def _check_is_visitor(owner: str) -> None:
    if owner == TEACHER:
        raise NotAllowed("A run belongs to whoever started it; the teacher has none.")


def _change(connection: sa.Connection, run_id: str, **values: str | float | int | bool) -> None:
    connection.execute(sa.update(schema.runs).where(schema.runs.c.id == run_id).values(values))


def _check_room(
    connection: sa.Connection, owner: str, same_address: Collection[str], sweep: bool = False
) -> None:
    """Whether this owner may have one more run, or one more sweep, in the queue.

    Raises:
        NotAllowed: this owner has one already, or the queue has no room for another.
    """
    runs = schema.runs.c
    query = sa.select(runs.id, runs.owner, runs.sweep).where(runs.state.in_(ACTIVE))
    active = connection.execute(query).all()
    if any(run.owner == owner and (run.sweep is not None) == sweep for run in active):
        kind = "sweep" if sweep else "run"
        raise NotAllowed(f"You have a {kind} in training already; wait for it or stop it.")
    places = {run.sweep or run.id for run in active}
    at_address = {run.sweep or run.id for run in active if run.id in same_address}
    if len(places) >= MOST_ACTIVE:
        raise NotAllowed("The queue is full; try again in a few minutes.")
    if len(at_address) >= MOST_ACTIVE_EACH_ADDRESS:
        raise NotAllowed(
            "Your network has as many runs in the queue as it may; try again in a few minutes."
        )


def _next_turn(connection: sa.Connection) -> int:
    return int(connection.execute(sa.select(sa.func.max(schema.runs.c.turn))).scalar() or 0) + 1


def _store_artifact(connection: sa.Connection, run_id: str, kind: str, data: bytes) -> None:
    key = {"run_id": run_id, "kind": kind}
    connection.execute(sa.delete(schema.artifacts).filter_by(**key))
    connection.execute(sa.insert(schema.artifacts).values(**key, data=data))


def _owned_by_worker(
    connection: sa.Connection, run_id: str, worker_id: str, lock: bool = False
) -> Run:
    try:
        run = _read_run(connection, run_id, lock)
    except RunNotFound as error:
        raise NotAllowed("The run was deleted.") from error
    if run.state != RUNNING or run.worker != worker_id:
        raise NotAllowed("The run was taken from this worker.")
    return run


def _release_studies(connection: sa.Connection, worker_id: str) -> None:
    """The study of a lost worker waits for the next, or has failed with the third."""
    studies = schema.studies.c
    had = sa.update(schema.studies).where(studies.worker == worker_id, studies.state == RUNNING)
    last = had.where(studies.losses + 1 >= MOST_LOSSES)
    connection.execute(last.values(state=FAILED, message=LOST_STUDY))
    connection.execute(had.values(state=WAITING, losses=studies.losses + 1))


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
