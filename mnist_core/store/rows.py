"""Reading and writing single rows of the database, within a transaction under way."""

import functools
import logging
import re
from typing import Any

import sqlalchemy as sa

from mnist_core.config import TrainConfig
from mnist_core.errors import RunNotFound
from mnist_core.store import schema
from mnist_core.store.run import FAILED, INTERRUPTED, Run

log = logging.getLogger("mnist_core.store.runs")

NO_RUN = "There is no such run; it may have been deleted. Choose another."
NO_SWEEP = "There is no such sweep; it may have been deleted. Start another."
RUN_ID = re.compile(r"[A-Za-z0-9_-]{1,40}")


def select_runs() -> sa.Select[Any]:
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


def run_of_row(row: sa.RowMapping) -> Run:
    return _shared_run(**{name: value for name, value in row.items() if name != "number"})


# Every visitor's page reads all runs at every look, and keeps them while it is open: with
# forty pages and seventy runs what is equal, and cannot change, had better be there once.
@functools.lru_cache(maxsize=2000)
def _shared_run(*, config: str, **values: Any) -> Run:
    return Run(config=TrainConfig.from_json(config), **values)


def read_run(connection: sa.Connection, run_id: str, lock: bool = False) -> Run:
    """A run, if wished with its row locked to the end of the transaction."""
    # What nobody can have been given is not even asked for: a database may refuse to read it.
    if not RUN_ID.fullmatch(run_id):
        raise RunNotFound(NO_RUN)
    query = select_runs().where(schema.runs.c.id == run_id)
    if lock:
        query = query.with_for_update(of=schema.runs)
    row = connection.execute(query).mappings().first()
    if row is None:
        raise RunNotFound(NO_RUN)
    return run_of_row(row)


def read_sweep(connection: sa.Connection, sweep_id: str) -> list[Run]:
    if not RUN_ID.fullmatch(sweep_id):
        raise RunNotFound(NO_SWEEP)
    runs = schema.runs.c
    query = select_runs().where(runs.sweep == sweep_id).order_by(runs.number)
    found = [run_of_row(row) for row in connection.execute(query).mappings()]
    if not found:
        raise RunNotFound(NO_SWEEP)
    return found


def log_end(run: Run) -> None:
    """Tell the log how a run ended."""
    facts = []
    if run.train_seconds is not None:
        facts.append(f"{run.train_seconds:.1f} s of training")
    if run.test_accuracy is not None:
        facts.append(f"test accuracy {run.test_accuracy:.2%}")
    level = logging.WARNING if run.state in (FAILED, INTERRUPTED) else logging.INFO
    log.log(level, "run %s %s: %s", run.id, run.state, run.message or ", ".join(facts))


def change_run(connection: sa.Connection, run_id: str, **values: str | float | int | bool) -> None:
    connection.execute(sa.update(schema.runs).where(schema.runs.c.id == run_id).values(values))


def next_turn(connection: sa.Connection, table: sa.Table) -> int:
    """A turn after all others in this table."""
    return int(connection.execute(sa.select(sa.func.max(table.c.turn))).scalar() or 0) + 1


def store_artifact(connection: sa.Connection, run_id: str, kind: str, data: bytes) -> None:
    key = {"run_id": run_id, "kind": kind}
    connection.execute(sa.delete(schema.artifacts).filter_by(**key))
    connection.execute(sa.insert(schema.artifacts).values(**key, data=data))


def read_fact(connection: sa.Connection, name: str) -> str | None:
    query = sa.select(schema.facts.c.value).where(schema.facts.c.name == name)
    value = connection.execute(query).scalar()
    return None if value is None else str(value)


def write_facts(connection: sa.Connection, **values: str) -> None:
    for name, value in values.items():
        connection.execute(sa.delete(schema.facts).where(schema.facts.c.name == name))
        connection.execute(sa.insert(schema.facts).values(name=name, value=value))
