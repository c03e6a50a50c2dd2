"""WorkerStore: what workers and the pools that start them do in the database."""

import dataclasses
import logging
from dataclasses import dataclass

import sqlalchemy as sa

from mnist_core.config import TrainConfig
from mnist_core.errors import NotAllowed, RunNotFound
from mnist_core.progress import Progress
from mnist_core.store import queue, quotas, reports, rows, schema
from mnist_core.store.database import Database
from mnist_core.store.run import CHECKPOINT, RUNNING, WAITING, Run

log = logging.getLogger("mnist_core.store.runs")


@dataclass(frozen=True)
class Worker:
    """A process that trains.

    Attributes:
        id: at most 40 characters.
        host: the machine it runs on.
        pid: its number among that machine's processes.
        beat: counts up while it lives.
        ready: whether TensorFlow is loaded, so that a run starts at once.
    """

    id: str
    host: str
    pid: int
    beat: int
    ready: bool


class WorkerStore:
    """The workers' side of a database.

    Every method raises ``StoreUnavailable`` if the database cannot do what is asked.
    """

    def __init__(self, database: Database) -> None:
        self.database = database

    # --- being there ---

    def register(self, worker: Worker) -> None:
        """A worker says that it is there."""
        with self.database.write() as connection:
            connection.execute(sa.insert(schema.workers).values(dataclasses.asdict(worker)))

    def registered(self) -> list[Worker]:
        """The workers that are there, as far as they or their pool have said."""
        with self.database.read() as connection:
            found = connection.execute(sa.select(schema.workers)).mappings()
            return [Worker(**row) for row in found]

    def beat(self, worker_id: str, ready: bool) -> bool:
        """A worker says that it is alive. False: it was given up for lost, and must stop."""
        change = (
            sa.update(schema.workers)
            .where(schema.workers.c.id == worker_id)
            .values(beat=schema.workers.c.beat + 1, ready=ready)
        )
        # A beat that is lost in a power failure is not missed.
        with self.database.write(one_row=True, lasting=False) as connection:
            return connection.execute(change).rowcount == 1

    def touch(self) -> None:
        """Write what is there already, to see that the database takes what is written."""
        version = schema.revision.c.version_num
        with self.database.write() as connection:
            connection.execute(sa.update(schema.revision).values({version: version}))

    def remove(self, worker_id: str, beat: int | None = None) -> bool:
        """A worker has ended: what it was doing waits for another one, or ends if this was the
        third worker lost over it.

        Args:
            beat: only if its count of beats is still this.

        Returns:
            Whether it was removed.
        """
        gone = sa.delete(schema.workers).where(schema.workers.c.id == worker_id)
        if beat is not None:
            gone = gone.where(schema.workers.c.beat == beat)
        with self.database.write() as connection:
            if not connection.execute(gone).rowcount and beat is not None:
                return False
            released = queue.release(connection, worker_id)
        for task in released:
            outcome = (
                "waits for another" if task.state == WAITING else f"{task.state}: {task.message}"
            )
            log.warning("%s %s lost its worker %s, and %s", task.kind, task.id, worker_id, outcome)
        return True

    # --- any task ---

    def busy(self) -> set[str]:
        """The ids of the workers that have a run."""
        tasks = schema.tasks.c
        query = sa.select(tasks.worker).where(tasks.kind == queue.RUN, tasks.state == RUNNING)
        with self.database.read() as connection:
            return {str(worker) for worker in connection.execute(query).scalars()}

    def waiting(self, kind: str = queue.RUN) -> int:
        """How many tasks of a kind wait for a worker."""
        with self.database.read() as connection:
            return queue.count_waiting(connection, kind)

    def claim(self, worker_id: str, *kinds: str) -> queue.Task | None:
        """Give the next waiting task of these kinds to this worker, if any waits."""
        with self.database.write() as connection:
            task_id = queue.claim(connection, worker_id, *kinds)
            return queue.read(connection, task_id) if task_id else None

    def end(
        self, task: queue.Task, state: str, message: str = "", result: bytes | None = None
    ) -> None:
        """End a study or a download that was claimed: "done" or "failed".

        Raises:
            NotAllowed: it is no longer this worker's; nothing was stored.
        """
        with self.database.write() as connection:
            queue.end(connection, task.id, str(task.worker), state, message, result)
        level = logging.WARNING if message else logging.INFO
        log.log(level, "%s %s %s%s", task.kind, task.id, state, message and f": {message}")

    # --- runs ---

    def claim_run(self, worker_id: str) -> Run | None:
        """Give the waiting run whose turn it is to this worker, if any waits.

        What was reported after its checkpoint is forgotten, because it will be trained again.
        """
        with self.database.write() as connection:
            run_id = queue.claim(connection, worker_id, queue.RUN)
            if run_id is None:
                return None
            run = rows.read_run(connection, run_id)
            reports.forget(connection, run_id, run.checkpoint_step)
        log.info("run %s started by worker %s at step %d", run_id, worker_id, run.checkpoint_step)
        return run

    def begin(self, config: TrainConfig, owner: str, worker_id: str) -> Run:
        """A new run that this worker trains at once, ahead of the queue: the command line's."""
        with self.database.write() as connection:
            run_id = rows.add_run(connection, config, owner, RUNNING, worker=worker_id)
            quotas.forget_oldest(connection)
            return rows.read_run(connection, run_id)

    def checkpoint(self, run_id: str) -> bytes:
        """What a run resumes from. Raises RunNotFound: it has no checkpoint."""
        with self.database.read() as connection:
            return rows.read_artifact(connection, run_id, CHECKPOINT)

    def last_step(self, run_id: str) -> int:
        """The step of a run's latest report; 0 if there is none."""
        with self.database.read() as connection:
            return reports.last_step(connection, run_id)

    def report(
        self,
        run_id: str,
        worker_id: str,
        new: list[Progress],
        checkpoint: tuple[int, bytes] | None = None,
    ) -> Run:
        """Store reports of a run and read it back, to see whether it is to stop.

        Args:
            checkpoint: the step to resume from if the worker is lost, and the state then.
                It appears together with the reports or not at all.

        Raises:
            NotAllowed: the run is no longer this worker's; nothing was stored.
        """
        if not new and not checkpoint:
            with self.database.read() as connection:
                return _read_owned(connection, run_id, worker_id)
        with self.database.write(one_row=True) as connection:
            run = _read_owned(connection, run_id, worker_id, lock=True)
            reports.add(connection, run_id, new)
            if checkpoint:
                rows.change_run(connection, run_id, checkpoint_step=checkpoint[0], losses=0)
                rows.store_artifact(connection, run_id, CHECKPOINT, checkpoint[1])
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
            results: values for the columns dataset, training_images, test_images,
                test_fingerprint, test_accuracy, train_seconds, epochs, parameters and
                checkpoint_step.
            artifacts: its new network and what belongs to it, in place of those before.

        Raises:
            NotAllowed: the run is no longer this worker's; nothing was stored.
        """
        with self.database.write() as connection:
            run = _read_owned(connection, run_id, worker_id, lock=True)
            for kind, data in (artifacts or {}).items():
                rows.store_artifact(connection, run_id, kind, data)
            # While it still counts as active: what just ended is not what is forgotten.
            quotas.forget_oldest(connection, ending=1)
            rows.change_run(
                connection,
                run_id,
                state=state,
                message=message,
                version=run.version + bool(artifacts),
                losses=0,
                **(results or {}),
            )
            ended = rows.read_run(connection, run_id)
        rows.log_end(ended)
        return ended


def _read_owned(connection: sa.Connection, run_id: str, worker_id: str, lock: bool = False) -> Run:
    try:
        run = rows.read_run(connection, run_id, lock)
    except RunNotFound as error:
        raise NotAllowed("The run was deleted.") from error
    if run.state != RUNNING or run.worker != worker_id:
        raise NotAllowed("The run was taken from this worker.")
    return run
