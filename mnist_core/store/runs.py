"""RunStore: training runs, what visitors do with them and what pages read of them.

Pages and workers share nothing but the database; workers.py is the other side. Every change is
one transaction, so whatever is interrupted leaves either the old state or the new one.
"""

import dataclasses
import logging
from collections.abc import Collection
from functools import partial

import sqlalchemy as sa

from mnist_core.config import TrainConfig
from mnist_core.errors import NotAllowed
from mnist_core.progress import Progress
from mnist_core.store import queue, quotas, reports
from mnist_core.store.database import Database
from mnist_core.store.names import clean_name
from mnist_core.store.rows import (
    add_run,
    change_run,
    delete_runs,
    log_end,
    read_artifact,
    read_run,
    read_sweep,
    read_trials,
    read_trials_of_sweep,
    run_of_row,
    select_runs,
)
from mnist_core.store.run import (
    CHECKPOINT,
    FINISHED,
    INTERRUPTED,
    RUNNING,
    STOPPED,
    TEACHER,
    WAITING,
    Run,
    Trial,
)
from mnist_core.store.schema import artifacts, runs, tasks
from mnist_core.sweeps import MOST_RUNS

log = logging.getLogger("mnist_core.store.runs")

WITHDRAWN = "Stopped before it began."
PAUSED = "Stopped while it waited to resume. Its curves are kept."


class RunStore:
    """The runs in a database.

    Every method raises ``StoreUnavailable`` if the database cannot do what is asked.
    """

    def __init__(self, database: Database) -> None:
        self.database = database

    # --- what visitors do ---

    def submit(
        self,
        config: TrainConfig,
        owner: str,
        same_address: Collection[str] = (),
        *,
        name: str = "",
    ) -> Run:
        """Put a new run at the end of the queue.

        Args:
            name: as for ``rename``.
            same_address: ids of the runs that were asked for from the same address.

        Raises:
            NotAllowed: this owner has one waiting or running already, or the queue is full, or
                100 runs and sweeps of that address wait or run; nobody trains as the teacher; or
                no such name is allowed.
        """
        quotas.check_is_visitor(owner)
        name = clean_name(name)
        with self.database.write() as connection:
            quotas.check_room(connection, owner, same_address)
            run_id = add_run(connection, config, owner, WAITING, name=name)
            quotas.forget_oldest(connection)
        log.info("run %s submitted, preset %s", run_id, config.preset)
        return self.get(run_id)

    def submit_sweep(
        self,
        configs: list[TrainConfig],
        owner: str,
        same_address: Collection[str] = (),
        *,
        name: str = "",
    ) -> list[Run]:
        """Put the runs of a sweep into the queue, all of them or none.

        All but the first wait until nobody else does, so nobody waits for a whole sweep.

        Args:
            configs: the settings of each run, 1 to 12.
            same_address: as for ``submit``.
            name: of each of them, as for ``rename``.

        Returns:
            The runs, in order. The first one's id is the sweep's.

        Raises:
            ValueError: there are no settings, or too many.
            NotAllowed: as for ``submit``; this owner may have one run and one sweep.
        """
        if not 1 <= len(configs) <= MOST_RUNS:
            raise ValueError(f"Expected 1 to {MOST_RUNS} runs, got {len(configs)}.")
        quotas.check_is_visitor(owner)
        name = clean_name(name)
        with self.database.write() as connection:
            quotas.check_room(connection, owner, same_address, sweep=True)
            add = partial(add_run, connection, owner=owner, state=WAITING, name=name, in_sweep=True)
            sweep_id = add(config=configs[0])
            for config in configs[1:]:
                add(config=config, sweep=sweep_id)
            quotas.forget_oldest(connection)
            submitted = read_sweep(connection, sweep_id)
        log.info("sweep %s of %d runs submitted", sweep_id, len(submitted))
        return submitted

    def resume(
        self, run_id: str, owner: str, more_epochs: int = 0, same_address: Collection[str] = ()
    ) -> Run:
        """Let a run resume from its checkpoint, at the end of the queue.

        Args:
            owner: its owner, or ``TEACHER``; so with the methods below.
            more_epochs: how many more epochs to train, for a finished run.
            same_address: as for ``submit``.

        Raises:
            RunNotFound: there is none with that id.
            NotAllowed: it is another visitor's, cannot resume, or ``submit`` would refuse it
                to its owner.
            InvalidConfig: too many epochs in all.
        """
        with self.database.write() as connection:
            run = quotas.read_own(connection, run_id, owner)
            config = run.config
            if run.state == FINISHED and more_epochs:
                config = dataclasses.replace(config, more_epochs=(*config.more_epochs, more_epochs))
                kept = sa.select(artifacts.c.kind).filter_by(run_id=run_id, kind=CHECKPOINT)
                if connection.execute(kept).scalar() is None:
                    raise NotAllowed(
                        "This run was trained before runs could resume; train it again."
                    )
            elif not run.resumable:
                raise NotAllowed(f"This run is {run.state} and cannot resume; start a new one.")
            quotas.check_room(connection, run.owner, same_address, sweep=run.sweep is not None)
            change_run(
                connection,
                run_id,
                state=WAITING,
                config=config.to_json(),
                turn=queue.next_turn(connection),
                stop_requested=False,
                message="",
                losses=0,
            )
            resumed = read_run(connection, run_id)
        log.info("run %s submitted to resume", run_id)
        return resumed

    def request_stop(self, run_id: str, owner: str) -> None:
        """Ask a run to stop: at once if it waits, after its current step if it runs.

        Raises:
            RunNotFound: there is none with that id.
            NotAllowed: it is another visitor's.
        """
        with self.database.write() as connection:
            run = quotas.read_own(connection, run_id, owner)
            stopped = _stop(connection, run)
        _log_stop(run, stopped)

    def stop_sweep(self, sweep_id: str, owner: str) -> None:
        """Ask all runs of a sweep to stop, as ``request_stop`` asks one.

        Raises:
            RunNotFound: there is none with that id.
            NotAllowed: it is another visitor's.
        """
        with self.database.write() as connection:
            found = read_sweep(connection, sweep_id)
            for run in found:
                quotas.check_own(run, owner)
            stopped = [_stop(connection, run) for run in found]
        for before, after in zip(found, stopped, strict=True):
            _log_stop(before, after)

    def rename(self, run_id: str, owner: str, name: str) -> None:
        """Give a run a name; an empty one takes it away.

        Raises:
            RunNotFound: there is none with that id.
            NotAllowed: it is another visitor's, or no such name is allowed.
        """
        name = clean_name(name)
        with self.database.write() as connection:
            quotas.read_own(connection, run_id, owner)
            change_run(connection, run_id, name=name)

    def pin(self, run_id: str, owner: str, pinned: bool) -> None:
        """Keep a run while older and newer ones are forgotten, or no longer.

        Raises:
            RunNotFound: there is none with that id.
            NotAllowed: it is another visitor's, or too many are kept already.
        """
        with self.database.write() as connection:
            run = quotas.read_own(connection, run_id, owner)
            if pinned == run.pinned:
                return
            if pinned:
                quotas.check_may_pin(connection, owner)
            by_teacher = pinned and owner == TEACHER
            change_run(connection, run_id, pinned=pinned, pinned_by_teacher=by_teacher)

    def delete(self, run_id: str, owner: str) -> None:
        """Forget a run, its curves and its models.

        Raises:
            RunNotFound: there is none with that id.
            NotAllowed: it is another visitor's, or it is waiting or running.
        """
        with self.database.write() as connection:
            if quotas.read_own(connection, run_id, owner).active:
                raise NotAllowed("This run is in training; stop it first.")
            delete_runs(connection, [run_id])

    # --- what pages read ---

    def get(self, run_id: str) -> Run:
        """Raises: RunNotFound: there is none with that id."""
        with self.database.read() as connection:
            return read_run(connection, run_id)

    def watch(self, run_id: str, after_step: int = 0) -> tuple[Run, list[Progress]]:
        """A run, and its reports after that step, in order.

        Raises:
            RunNotFound: there is none with that id.
        """
        with self.database.read() as connection:
            # The run first: what it had reported when it ended is then among the reports.
            run = read_run(connection, run_id)
            return run, reports.read(connection, run_id, after_step)

    def list_runs(
        self, *, states: tuple[str, ...] = (), owner: str | None = None, trained: bool = False
    ) -> list[Run]:
        """Runs in these states (empty: in any), of this owner (None: of any), newest first.

        Args:
            trained: only those that have a network to show.
        """
        query = select_runs().order_by(runs.c.number.desc())
        if states:
            query = query.where(tasks.c.state.in_(states))
        if owner is not None:
            query = query.where(runs.c.owner == owner)
        if trained:
            query = query.where(runs.c.version > 0)
        with self.database.read() as connection:
            return [run_of_row(row) for row in connection.execute(query).mappings()]

    def sweep_runs(self, sweep_id: str) -> list[Run]:
        """The runs of a sweep that are still there, in the order in which they were asked for.

        Raises:
            RunNotFound: there is none.
        """
        with self.database.read() as connection:
            return read_sweep(connection, sweep_id)

    def metrics(self, run_id: str, after_step: int = 0) -> list[Progress]:
        """A run's reports after that step, in order."""
        with self.database.read() as connection:
            return reports.read(connection, run_id, after_step)

    def first_and_last_reports(self, run_ids: Collection[str]) -> dict[str, list[Progress]]:
        """The first report of each of these runs and its latest, by the run's id, which tell how
        fast it is. A run with one report has one, and one without any is left out."""
        with self.database.read() as connection:
            return reports.first_and_last(connection, run_ids)

    def trials(self, sweep_id: str) -> list[Trial]:
        """The runs of a sweep, as ``sweep_runs`` gives them, and how far each is.

        Raises:
            RunNotFound: there is none.
        """
        with self.database.read() as connection:
            return read_trials_of_sweep(connection, sweep_id)

    def trials_since(self, seconds: float) -> list[Trial]:
        """The runs that were asked for since then, in seconds since 1970, and how far each is,
        in the order in which they were asked for."""
        with self.database.read() as connection:
            return read_trials(connection, runs.c.created_at >= seconds)

    def artifact(self, run_id: str, kind: str) -> bytes:
        """A run's Keras or LiteRT model, test predictions, calibration or checkpoint, as stored.

        Raises:
            RunNotFound: the run has none of that kind.
        """
        with self.database.read() as connection:
            return read_artifact(connection, run_id, kind)


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


def _log_stop(before: Run, after: Run) -> None:
    if after.state == RUNNING:
        log.info("run %s asked to stop", after.id)
    elif after.state != before.state:
        log_end(after)
