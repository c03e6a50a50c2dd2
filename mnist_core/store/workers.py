"""Workers in the database: which runs are theirs, and what becomes of the runs of a lost one.

What a worker does with a run, from claiming it on, is in runs.py.
"""

import sqlalchemy as sa

from mnist_core.errors import NotAllowed, RunNotFound
from mnist_core.store import schema
from mnist_core.store.rows import read_run
from mnist_core.store.run import FAILED, RUNNING, WAITING, Run

ENDED = "The training process, which also downloads, has ended; try again."

LOST = (
    "The training process stopped unexpectedly three times at the same place, perhaps because it "
    "ran out of memory. The curves are kept: resume it, or start a smaller network or smaller "
    "batches."
)

LOST_STUDY = "The process that computed this was lost three times, perhaps for want of memory."
MOST_LOSSES = 3


def owned_by_worker(
    connection: sa.Connection, run_id: str, worker_id: str, lock: bool = False
) -> Run:
    try:
        run = read_run(connection, run_id, lock)
    except RunNotFound as error:
        raise NotAllowed("The run was deleted.") from error
    if run.state != RUNNING or run.worker != worker_id:
        raise NotAllowed("The run was taken from this worker.")
    return run


def release_studies(connection: sa.Connection, worker_id: str) -> None:
    """The study of a lost worker waits for the next, or has failed with the third."""
    studies = schema.studies.c
    had = sa.update(schema.studies).where(studies.worker == worker_id, studies.state == RUNNING)
    last = had.where(studies.losses + 1 >= MOST_LOSSES)
    connection.execute(last.values(state=FAILED, message=LOST_STUDY))
    connection.execute(had.values(state=WAITING, losses=studies.losses + 1))


def is_registered(worker_id: str) -> sa.Exists:
    return sa.exists().where(schema.workers.c.id == worker_id)
