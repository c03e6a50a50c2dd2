"""The queue: one table of tasks, whatever their kind, and the rules for taking them.

A task waits until a worker claims it, and is that worker's until it ends or the worker is
lost; then it waits again, up to three times. Training runs, computed studies and the download
of MNIST are kinds of task. These functions work within a transaction; runs.py, studies.py and
workers.py open it.
"""

from dataclasses import dataclass

import sqlalchemy as sa

from mnist_core.errors import NotAllowed
from mnist_core.store import schema
from mnist_core.store.run import ACTIVE, FAILED, INTERRUPTED, RUNNING, WAITING
from mnist_core.store.schema import tasks

# Kinds of task.
RUN, STUDY, DOWNLOAD = "run", "study", "download"
# How tasks other than runs end, unless they fail. The other states are those of runs (run.py).
DONE = "done"

# Anybody may ask for a study, so there are limits.
MOST_STUDIES = 200
MOST_RESULT_BYTES = 1_000_000
MOST_LOSSES = 3
# How a task ends whose worker was lost three times, and what its owner is told.
LOST = {
    RUN: (
        INTERRUPTED,
        "The training process stopped unexpectedly three times at the same place, perhaps because "
        "it ran out of memory. The curves are kept: resume it, or start a smaller network or "
        "smaller batches.",
    ),
    STUDY: (
        FAILED,
        "The process computing this stopped unexpectedly three times, perhaps because it ran out "
        "of memory.",
    ),
    DOWNLOAD: (FAILED, "The download stopped unexpectedly three times; try again."),
}


@dataclass(frozen=True)
class Task:
    """A task.

    Attributes:
        id: the id of the run, the key of the study, or "mnist" for the download.
        kind: "run", "study" or "download".
        state: "waiting", "running", or how it ended: "done" or "failed", and a run as ``Run.state``
            says.
        turn: of waiting tasks of equal priority, the one with the lowest turn is taken first.
        priority: 0, or 1 for a task that lets all others of its kind go first.
        worker: the worker that has it, or had it last.
        losses: how many workers were lost over it.
        message: one sentence on why it failed, otherwise empty.
        result: what a study gave, if it is done.
    """

    id: str
    kind: str
    state: str
    turn: int
    priority: int = 0
    worker: str | None = None
    losses: int = 0
    message: str = ""
    result: bytes | None = None


def read(connection: sa.Connection, task_id: str) -> Task | None:
    """The task with this id, if there is one."""
    query = sa.select(tasks).where(tasks.c.id == task_id)
    row = connection.execute(query).mappings().first()
    return Task(**row) if row else None


def add(
    connection: sa.Connection,
    task_id: str,
    kind: str,
    state: str = WAITING,
    *,
    priority: int = 0,
    worker: str | None = None,
    result: bytes | None = None,
) -> None:
    """Put a task at the end of the queue.

    Raises:
        ValueError: the result has more than a million bytes.
    """
    _check_size(result)
    connection.execute(
        sa.insert(tasks).values(
            id=task_id,
            kind=kind,
            state=state,
            turn=next_turn(connection),
            priority=priority,
            worker=worker,
            result=result,
        )
    )


def replace(
    connection: sa.Connection,
    task_id: str,
    kind: str,
    state: str = WAITING,
    result: bytes | None = None,
) -> None:
    """Put a task at the end of the queue, in place of one with the same id, if there is one.

    Raises:
        ValueError: the result has more than a million bytes.
    """
    delete(connection, [task_id])
    add(connection, task_id, kind, state, result=result)
    _forget_oldest_studies(connection)


def next_turn(connection: sa.Connection) -> int:
    """A turn after all others."""
    return int(connection.execute(sa.select(sa.func.max(tasks.c.turn))).scalar() or 0) + 1


def change(connection: sa.Connection, task_id: str, **values: str | int | bytes | None) -> None:
    """Change some columns of a task."""
    connection.execute(sa.update(tasks).where(tasks.c.id == task_id).values(values))


def delete(connection: sa.Connection, task_ids: list[str]) -> None:
    """Forget tasks."""
    connection.execute(sa.delete(tasks).where(tasks.c.id.in_(task_ids)))


def count_waiting(connection: sa.Connection, kind: str) -> int:
    """How many tasks of this kind wait for a worker."""
    query = sa.select(sa.func.count()).where(tasks.c.kind == kind, tasks.c.state == WAITING)
    return int(connection.execute(query).scalar() or 0)


def claim(connection: sa.Connection, worker_id: str, *kinds: str) -> str | None:
    """Give the next waiting task of these kinds to a worker: its id, or None if none waits.

    A worker that was given up for lost gets none, because nobody would notice its end.
    """
    first = (
        sa.select(tasks.c.id)
        .where(tasks.c.kind.in_(kinds), tasks.c.state == WAITING)
        .order_by(tasks.c.priority, tasks.c.turn)
        .limit(1)
    )
    claimed = (
        sa.update(tasks)
        .where(tasks.c.id == first.scalar_subquery(), tasks.c.state == WAITING)
        .where(sa.exists().where(schema.workers.c.id == worker_id))
        .values(state=RUNNING, worker=worker_id)
        .returning(tasks.c.id)
    )
    found: str | None = connection.execute(claimed).scalar()
    return found


def end(
    connection: sa.Connection,
    task_id: str,
    worker_id: str,
    state: str,
    message: str = "",
    result: bytes | None = None,
) -> None:
    """End a task that a worker has.

    Raises:
        NotAllowed: it is no longer this worker's.
        ValueError: the result has more than a million bytes.
    """
    _check_size(result)
    ended = (
        sa.update(tasks)
        .where(tasks.c.id == task_id, tasks.c.worker == worker_id, tasks.c.state == RUNNING)
        .values(state=state, message=message, result=result)
    )
    if not connection.execute(ended).rowcount:
        raise NotAllowed("The task was taken from this worker.")
    _forget_oldest_studies(connection)


def release(connection: sa.Connection, worker_id: str) -> list[Task]:
    """Let the tasks of a lost worker wait for the next one, or end those lost three times.

    Returns:
        They as they are now.
    """
    query = sa.select(tasks.c.id).where(tasks.c.worker == worker_id, tasks.c.state == RUNNING)
    # Locked, because a last report may be on its way and reset the count of losses.
    released = []
    for task_id in connection.execute(query.with_for_update()).scalars().all():
        task = read(connection, task_id)
        assert task is not None
        state, message = LOST[task.kind] if task.losses + 1 >= MOST_LOSSES else (WAITING, "")
        change(connection, task_id, state=state, message=message, losses=task.losses + 1)
        released.append(Task(**vars(task) | {"state": state, "message": message}))
    return released


def _check_size(result: bytes | None) -> None:
    if result and len(result) > MOST_RESULT_BYTES:
        raise ValueError(
            f"Expected a result of at most {MOST_RESULT_BYTES:,} bytes, got {len(result):,}."
        )


def _forget_oldest_studies(connection: sa.Connection) -> None:
    """Of the studies that have ended, keep those that were asked for last."""
    ended = sa.select(tasks.c.id).where(tasks.c.kind == STUDY, tasks.c.state.not_in(ACTIVE))
    over = ended.order_by(tasks.c.turn.desc()).offset(MOST_STUDIES)
    delete(connection, list(connection.execute(over).scalars()))
