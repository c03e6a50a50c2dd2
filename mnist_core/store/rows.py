"""Reading and writing runs, within a transaction under way."""

import functools
import logging
import re
import time
import uuid
from collections.abc import Collection
from typing import Any

import sqlalchemy as sa

from mnist_core.config import TrainConfig
from mnist_core.errors import RunNotFound
from mnist_core.store import queue, reports
from mnist_core.store.run import FAILED, INTERRUPTED, Run, Trial
from mnist_core.store.schema import artifacts, metrics, runs, tasks

log = logging.getLogger("mnist_core.store.runs")

NO_RUN = "There is no such run; it may have been deleted. Choose another."
NO_SWEEP = "There is no such sweep; it may have been deleted. Start another."
RUN_ID = re.compile(r"[A-Za-z0-9_-]{1,40}")
# What a run has of its task.
OF_TASK = [tasks.c[name] for name in ("state", "priority", "turn", "worker", "losses", "message")]
# Visitors' pages read all runs again and again, and most have the same few settings.
_read_config = functools.lru_cache(maxsize=500)(TrainConfig.from_json)


def select_runs() -> sa.Select[Any]:
    """Runs with their validation accuracy, which is looked up from each run's latest report
    backwards: one row or a few, never all of them."""
    # The later epochs of a resumed run are not those of the network it has.
    last = (
        sa.select(metrics.c.validation_accuracy)
        .where(metrics.c.run_id == runs.c.id, metrics.c.epoch <= runs.c.epochs)
        .where(metrics.c.validation_accuracy.is_not(None))
        .order_by(metrics.c.step.desc())
        .limit(1)
        .correlate(runs)
        .scalar_subquery()
    )
    own = [column for column in runs.c if column is not runs.c.number]
    of_run = sa.select(*own, *OF_TASK, last.label("validation_accuracy"))
    return of_run.join(tasks, tasks.c.id == runs.c.id)


def run_of_row(row: sa.RowMapping | dict[str, Any]) -> Run:
    """The run in a row of ``select_runs``."""
    return Run(**dict(row) | {"config": _read_config(row["config"])})


def read_run(connection: sa.Connection, run_id: str, lock: bool = False) -> Run:
    """A run, if wished with its task locked to the end of the transaction.

    Raises:
        RunNotFound: there is none with that id.
    """
    # An id that cannot exist is not looked up: a database may refuse to read it.
    if not RUN_ID.fullmatch(run_id):
        raise RunNotFound(NO_RUN)
    query = select_runs().where(runs.c.id == run_id)
    if lock:
        query = query.with_for_update(of=tasks)
    row = connection.execute(query).mappings().first()
    if row is None:
        raise RunNotFound(NO_RUN)
    return run_of_row(row)


def read_sweep(connection: sa.Connection, sweep_id: str) -> list[Run]:
    """The runs of a sweep, in the order in which they were asked for.

    Raises:
        RunNotFound: there are none.
    """
    if not RUN_ID.fullmatch(sweep_id):
        raise RunNotFound(NO_SWEEP)
    query = select_runs().where(runs.c.sweep == sweep_id).order_by(runs.c.number)
    found = [run_of_row(row) for row in connection.execute(query).mappings()]
    if not found:
        raise RunNotFound(NO_SWEEP)
    return found


def read_trials(connection: sa.Connection, which: sa.ColumnElement[bool]) -> list[Trial]:
    """The runs for which a condition holds, and how far each is, in the order in which they were
    asked for."""
    query = select_runs().where(which).order_by(runs.c.number)
    query = query.add_columns(
        reports.latest(metrics.c.epoch).label("epoch"),
        reports.latest(metrics.c.validation_accuracy).label("validated"),
    )
    trials = []
    for row in connection.execute(query).mappings():
        own = dict(row)
        epoch, validated = own.pop("epoch"), own.pop("validated")
        trials.append(Trial(run_of_row(own), epoch or 0.0, validated))
    return trials


def read_trials_of_sweep(connection: sa.Connection, sweep_id: str) -> list[Trial]:
    """The runs of a sweep as ``read_sweep`` gives them, and how far each is.

    Raises:
        RunNotFound: there are none.
    """
    known = RUN_ID.fullmatch(sweep_id)
    found = read_trials(connection, runs.c.sweep == sweep_id) if known else []
    if not found:
        raise RunNotFound(NO_SWEEP)
    return found


def add_run(
    connection: sa.Connection,
    config: TrainConfig,
    owner: str,
    state: str,
    *,
    name: str = "",
    worker: str | None = None,
    in_sweep: bool = False,
    sweep: str | None = None,
) -> str:
    """Store a new run, at the end of the queue: its id.

    Args:
        name: what it is called, as ``names.clean_name`` gives it.
        in_sweep: it belongs to a sweep.
        sweep: the id of that sweep; None if it begins one.
    """
    run_id = uuid.uuid4().hex[:10]
    # A sweep's first run waits like any other; its later runs let all others go first.
    queue.add(connection, run_id, queue.RUN, state, worker=worker, priority=int(sweep is not None))
    connection.execute(
        sa.insert(runs).values(
            id=run_id,
            owner=owner,
            config=config.to_json(),
            name=name,
            created_at=time.time(),
            sweep=(sweep or run_id) if in_sweep else None,
        )
    )
    return run_id


def change_run(
    connection: sa.Connection, run_id: str, **values: str | float | int | bool | None
) -> None:
    """Change some of what a run has, in its task or its own row."""
    of_task = {name: value for name, value in values.items() if name in tasks.c}
    own = {name: value for name, value in values.items() if name not in of_task}
    # The task first, always: two who changed both in turn would wait for each other.
    for table, changes in ((tasks, of_task), (runs, own)):
        if changes:
            connection.execute(sa.update(table).where(table.c.id == run_id).values(changes))


def delete_runs(connection: sa.Connection, run_ids: Collection[str]) -> None:
    """Forget runs with their curves and files."""
    queue.delete(connection, list(run_ids))
    connection.execute(sa.delete(runs).where(runs.c.id.in_(run_ids)))


def log_end(run: Run) -> None:
    """Log how a run ended."""
    facts = []
    if run.train_seconds is not None:
        facts.append(f"{run.train_seconds:.1f} s of training")
    if run.test_accuracy is not None:
        facts.append(f"test accuracy {run.test_accuracy:.2%}")
    level = logging.WARNING if run.state in (FAILED, INTERRUPTED) else logging.INFO
    log.log(level, "run %s %s: %s", run.id, run.state, run.message or ", ".join(facts))


def store_artifact(connection: sa.Connection, run_id: str, kind: str, data: bytes) -> None:
    """Store a file of a run, in place of the one before."""
    key = {"run_id": run_id, "kind": kind}
    connection.execute(sa.delete(artifacts).filter_by(**key))
    connection.execute(sa.insert(artifacts).values(**key, data=data))


def read_artifact(connection: sa.Connection, run_id: str, kind: str) -> bytes:
    """A file of a run, as stored.

    Raises:
        RunNotFound: the run has none of that kind.
    """
    query = sa.select(artifacts.c.data).filter_by(run_id=run_id, kind=kind)
    data = connection.execute(query).scalar()
    if data is None:
        raise RunNotFound(f"Run {run_id} has no {kind} stored; choose another run.")
    return bytes(data)
