"""RunStore: runs, their curves and their models, in one SQL database.

The only thing that the pages and the workers share. Every change is one transaction, so
whatever dies in the middle leaves either the old or the new state.
"""

import dataclasses
import logging
import time
import unicodedata
import uuid
from collections.abc import Collection

import sqlalchemy as sa

from mnist_core.config import TrainConfig
from mnist_core.errors import NotAllowed, RunNotFound
from mnist_core.progress import Progress
from mnist_core.store import engine, faults, quotas, schema
from mnist_core.store.quotas import (
    check_is_visitor,
    check_own,
    check_room,
    read_own,
)
from mnist_core.store.rows import (
    change_run,
    log_end,
    next_turn,
    read_fact,
    read_run,
    read_sweep,
    run_of_row,
    select_runs,
    store_artifact,
    write_facts,
)
from mnist_core.store.run import (
    ACTIVE,
    CHECKPOINT,
    FINISHED,
    INTERRUPTED,
    RUNNING,
    STOPPED,
    TEACHER,
    WAITING,
    Download,
    Run,
    Trial,
    Worker,
    queue_place,
)
from mnist_core.store.workers import (
    LOST,
    MOST_LOSSES,
    is_registered,
    owned_by_worker,
    release_studies,
)
from mnist_core.sweeps import MOST_RUNS

log = logging.getLogger("mnist_core.store.runs")

WITHDRAWN = "Stopped before it began."
PAUSED = "Stopped while it waited to go on. Its curves are kept."
# Signs that a name may have beside letters, digits and spaces: none means anything where
# text is laid out. Not even a full stop, which makes a link of www.example.org.
NAME_SIGNS = "-,+()'"
NAME_LENGTH = 40


class RunStore:
    """The runs in one database.

    Every method raises ``StoreUnavailable`` if the database cannot do what is asked.
    """

    def __init__(self, url: str | None = None) -> None:
        """Open the database, making it if there is none. Default: MNIST_DATABASE_URL."""
        self.url = url or engine.database_url()
        self._engine = engine.open_engine(self.url)
        self._writer = self._engine.execution_options(write=True)
        # Writes to one row, beside all other writers where the database can (engine.py).
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
        with faults.explained(), self._engine.connect() as connection:
            version = read_fact(connection, "schema_version")
        engine.check_version(version)

    # --- what visitors do ---

    def submit(self, config: TrainConfig, owner: str, same_address: Collection[str] = ()) -> Run:
        """Put a new run at the end of the queue.

        Args:
            same_address: ids of the runs that were asked for from the same address.

        Raises:
            NotAllowed: this owner has one waiting or running already, or the queue is full, or
                100 runs and sweeps of that address wait or run. Nobody trains as the teacher.
        """
        check_is_visitor(owner)
        with faults.explained(), self._writer.begin() as connection:
            check_room(connection, owner, same_address)
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
        check_is_visitor(owner)
        with faults.explained(), self._writer.begin() as connection:
            check_room(connection, owner, same_address, sweep=True)
            sweep_id = None
            for config in configs:
                run_id = self._insert(connection, config, owner, WAITING, None)
                sweep_id = sweep_id or run_id
                change_run(connection, run_id, sweep=sweep_id)
            self._forget_oldest(connection)
            runs = read_sweep(connection, str(sweep_id))
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
        with faults.explained(), self._writer.begin() as connection:
            run = read_own(connection, run_id, owner)
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
            check_room(connection, run.owner, same_address, sweep=run.sweep is not None)
            change_run(
                connection,
                run_id,
                state=WAITING,
                config=config.to_json(),
                turn=next_turn(connection, schema.runs),
                stop_requested=False,
                message="",
                losses=0,
            )
            resumed = read_run(connection, run_id)
        log.info("run %s submitted to go on", run_id)
        return resumed

    def request_stop(self, run_id: str, owner: str) -> None:
        """Ask a run to stop: at once if it waits, after its current step if it runs.

        Raises:
            RunNotFound: there is none of that id.
            NotAllowed: it is another visitor's.
        """
        with faults.explained(), self._writer.begin() as connection:
            run = read_own(connection, run_id, owner)
            now = _stop(connection, run)
        _tell_stop(run, now)

    def stop_sweep(self, sweep_id: str, owner: str) -> None:
        """Ask all runs of a sweep to stop, as ``request_stop`` asks one.

        Raises:
            RunNotFound: there is none of that id.
            NotAllowed: it is another visitor's.
        """
        with faults.explained(), self._writer.begin() as connection:
            runs = read_sweep(connection, sweep_id)
            for run in runs:
                check_own(run, owner)
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
        with faults.explained(), self._writer.begin() as connection:
            read_own(connection, run_id, owner)
            change_run(connection, run_id, name=name)

    def pin(self, run_id: str, owner: str, pinned: bool) -> None:
        """Keep a run while older and newer ones are forgotten, or no longer.

        Raises:
            RunNotFound: there is none of that id.
            NotAllowed: it is another visitor's, or too many are kept already.
        """
        with faults.explained(), self._writer.begin() as connection:
            run = read_own(connection, run_id, owner)
            runs = schema.runs.c
            kept = sa.select(sa.func.count()).where(runs.pinned)
            if pinned and not run.pinned:
                # What the teacher keeps is not counted as its owner's.
                own = kept.where(runs.owner == owner, sa.not_(runs.pinned_by_teacher))
                if (connection.execute(own).scalar() or 0) >= quotas.MOST_PINNED_EACH:
                    raise NotAllowed(
                        f"You can keep {quotas.MOST_PINNED_EACH} runs; let go of one first."
                    )
                if (connection.execute(kept).scalar() or 0) >= quotas.MOST_PINNED:
                    raise NotAllowed("As many runs are kept as there is room for.")
                change_run(connection, run_id, pinned=True, pinned_by_teacher=owner == TEACHER)
            elif not pinned:
                change_run(connection, run_id, pinned=False, pinned_by_teacher=False)

    def delete(self, run_id: str, owner: str) -> None:
        """Forget a run, its curves and its models.

        Raises:
            RunNotFound: there is none of that id.
            NotAllowed: it is another visitor's, or it is waiting or running.
        """
        with faults.explained(), self._writer.begin() as connection:
            if read_own(connection, run_id, owner).active:
                raise NotAllowed("This run is in training; stop it first.")
            connection.execute(sa.delete(schema.runs).where(schema.runs.c.id == run_id))

    # --- what pages read ---

    def get(self, run_id: str) -> Run:
        """Raises: RunNotFound: there is none of that id."""
        with faults.explained(), self._engine.connect() as connection:
            return read_run(connection, run_id)

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
        query = select_runs().order_by(schema.runs.c.number.desc())
        if states:
            query = query.where(schema.runs.c.state.in_(states))
        if owner is not None:
            query = query.where(schema.runs.c.owner == owner)
        if trained:
            query = query.where(schema.runs.c.version > 0)
        with faults.explained(), self._engine.connect() as connection:
            return [run_of_row(row) for row in connection.execute(query).mappings()]

    def sweep_runs(self, sweep_id: str) -> list[Run]:
        """The runs of a sweep that are still there, in the order in which they were asked for.

        Raises:
            RunNotFound: there is none.
        """
        with faults.explained(), self._engine.connect() as connection:
            return read_sweep(connection, sweep_id)

    def runs_ahead_of(self, run: Run) -> list[Run]:
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
        with faults.explained(), self._engine.connect() as connection:
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
        with faults.explained(), self._engine.connect() as connection:
            for row in connection.execute(query).mappings():
                values = dict(row)
                found.setdefault(values.pop("run_id"), []).append(Progress(**values))
        return found

    def last_step(self, run_id: str) -> int:
        """The step of a run's latest report; 0 if there is none."""
        query = sa.select(sa.func.max(schema.metrics.c.step)).filter_by(run_id=run_id)
        with faults.explained(), self._engine.connect() as connection:
            return int(connection.execute(query).scalar() or 0)

    def trials(self, sweep_id: str) -> list[Trial]:
        """The runs of a sweep, as ``sweep_runs`` gives them, and how far each is.

        Raises:
            RunNotFound: there is none.
        """
        with faults.explained(), self._engine.connect() as connection:
            runs = read_sweep(connection, sweep_id)
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
        with faults.explained(), self._engine.connect() as connection:
            data = connection.execute(query).scalar()
        if data is None:
            raise RunNotFound(f"Run {run_id} has no {kind} stored; choose another run.")
        return bytes(data)

    def workers(self) -> list[Worker]:
        """The processes that say they train."""
        with faults.explained(), self._engine.connect() as connection:
            return [
                Worker(**row) for row in connection.execute(sa.select(schema.workers)).mappings()
            ]

    def waiting(self) -> int:
        """How many runs wait for a worker."""
        query = sa.select(sa.func.count()).where(schema.runs.c.state == WAITING)
        with faults.explained(), self._engine.connect() as connection:
            return int(connection.execute(query).scalar() or 0)

    # --- what workers do ---

    def register_worker(self, worker: Worker) -> None:
        """A worker says that it is there."""
        with faults.explained(), self._writer.begin() as connection:
            connection.execute(sa.insert(schema.workers).values(dataclasses.asdict(worker)))

    def beat(self, worker_id: str, ready: bool) -> bool:
        """A worker says that it lives. False: it was given up for lost, and must stop."""
        change = (
            sa.update(schema.workers)
            .where(schema.workers.c.id == worker_id)
            .values(beat=schema.workers.c.beat + 1, ready=ready)
        )
        with faults.explained(), self._heart.begin() as connection:
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
        with faults.explained(), self._writer.begin() as connection:
            if not connection.execute(gone).rowcount and beat is not None:
                return False
            left = []
            runs = sa.select(schema.runs).where(
                schema.runs.c.worker == worker_id, schema.runs.c.state == RUNNING
            )
            # Locked, for a last report may be on its way and begin the count of losses anew.
            runs = runs.with_for_update()
            for run in map(run_of_row, connection.execute(runs).mappings().all()):
                losses = run.losses + 1
                if losses < MOST_LOSSES:
                    change_run(connection, run.id, state=WAITING, losses=losses)
                else:
                    change_run(connection, run.id, state=INTERRUPTED, losses=losses, message=LOST)
                left.append(read_run(connection, run.id))
            release_studies(connection, worker_id)
            if read_fact(connection, "download_worker") == worker_id:
                write_facts(connection, download="failed", download_message=reason)
        for run in left:
            if run.state == WAITING:
                log.warning("run %s lost its worker %s, and waits for another", run.id, worker_id)
            else:
                log_end(run)
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
            .where(is_registered(worker_id))
            .values(state=RUNNING, worker=worker_id)
            .returning(runs.id)
        )
        with faults.explained(), self._writer.begin() as connection:
            run_id = connection.execute(change).scalar()
            if run_id is None:
                return None
            run = read_run(connection, run_id)
            connection.execute(
                sa.delete(schema.metrics).where(
                    schema.metrics.c.run_id == run_id, schema.metrics.c.step > run.checkpoint_step
                )
            )
        log.info("run %s started by worker %s at step %d", run_id, worker_id, run.checkpoint_step)
        return run

    def begin(self, config: TrainConfig, owner: str, worker_id: str) -> Run:
        """A new run that this worker trains at once, past the queue: the command line's."""
        with faults.explained(), self._writer.begin() as connection:
            run_id = self._insert(connection, config, owner, RUNNING, worker_id)
            self._forget_oldest(connection)
            return read_run(connection, run_id)

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
            with faults.explained(), self._engine.connect() as connection:
                return owned_by_worker(connection, run_id, worker_id)
        with faults.explained(), self._reporter.begin() as connection:
            run = owned_by_worker(connection, run_id, worker_id, lock=True)
            if reports:
                rows = [{"run_id": run_id, **vars(item)} for item in reports]
                connection.execute(sa.insert(schema.metrics), rows)
            if checkpoint:
                change_run(connection, run_id, checkpoint_step=checkpoint[0], losses=0)
                store_artifact(connection, run_id, CHECKPOINT, checkpoint[1])
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
        with faults.explained(), self._writer.begin() as connection:
            run = owned_by_worker(connection, run_id, worker_id, lock=True)
            for kind, data in (artifacts or {}).items():
                store_artifact(connection, run_id, kind, data)
            # While it still counts as active: what just ended is not what is forgotten.
            self._forget_oldest(connection, ending=1)
            change_run(
                connection,
                run_id,
                state=state,
                message=message,
                version=run.version + bool(artifacts),
                losses=0,
                **(results or {}),
            )
            ended = read_run(connection, run_id)
        log_end(ended)
        return ended

    def touch(self) -> None:
        """Write something that means nothing, to see that the database takes it."""
        with faults.explained(), self._writer.begin() as connection:
            write_facts(connection, touched="")

    # --- the download of MNIST ---

    def download(self) -> Download:
        """Where the download stands."""
        with faults.explained(), self._engine.connect() as connection:
            state = read_fact(connection, "download") or "none"
            return Download(state, read_fact(connection, "download_message") or "")

    def request_download(self) -> None:
        """Ask the next worker for it, unless one is already at it."""
        with faults.explained(), self._writer.begin() as connection:
            if read_fact(connection, "download") != "running":
                write_facts(connection, download="wanted", download_message="")

    def claim_download(self, worker_id: str) -> bool:
        """Whether this worker is the one to download."""
        with faults.explained(), self._writer.begin() as connection:
            if read_fact(connection, "download") != "wanted":
                return False
            if not connection.execute(sa.select(is_registered(worker_id))).scalar():
                return False
            write_facts(connection, download="running", download_worker=worker_id)
            return True

    def end_download(self, message: str = "") -> None:
        """It ended: well if there is no message."""
        state = "failed" if message else "none"
        with faults.explained(), self._writer.begin() as connection:
            write_facts(connection, download=state, download_message=message, download_worker="")

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
                turn=next_turn(connection, schema.runs),
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
        room = (
            quotas.MOST_STORED
            - ending
            - sum(pinned and not active for _, active, pinned, _ in stored)
        )
        room_in_bytes = quotas.MOST_BYTES - sum(
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
        change_run(connection, run.id, stop_requested=True)
    elif run.state == WAITING and run.trained:
        change_run(connection, run.id, state=STOPPED)
    elif run.state == WAITING:
        message = PAUSED if run.worker else WITHDRAWN
        change_run(connection, run.id, state=INTERRUPTED, message=message)
    return read_run(connection, run.id)


def _tell_stop(run: Run, now: Run) -> None:
    """Tell the log what the wish to stop made of a run."""
    if now.state == RUNNING:
        log.info("run %s asked to stop", run.id)
    elif now.state != run.state:
        log_end(now)
