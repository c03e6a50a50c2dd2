"""Reports: the points of runs' curves, read and written within a transaction under way."""

import dataclasses
from collections.abc import Collection

import sqlalchemy as sa

from mnist_core.progress import Progress
from mnist_core.store.schema import metrics, runs

COLUMNS = [metrics.c[field.name] for field in dataclasses.fields(Progress)]


def add(connection: sa.Connection, run_id: str, reports: list[Progress]) -> None:
    """Store reports of a run."""
    if reports:
        rows = [{"run_id": run_id, **vars(report)} for report in reports]
        connection.execute(sa.insert(metrics), rows)


def read(connection: sa.Connection, run_id: str, after_step: int = 0) -> list[Progress]:
    """A run's reports after that step, in order."""
    query = (
        sa.select(*COLUMNS)
        .where(metrics.c.run_id == run_id, metrics.c.step > after_step)
        .order_by(metrics.c.step)
    )
    return [Progress(**row) for row in connection.execute(query).mappings()]


def forget(connection: sa.Connection, run_id: str, after_step: int) -> None:
    """Forget a run's reports after that step."""
    later = sa.and_(metrics.c.run_id == run_id, metrics.c.step > after_step)
    connection.execute(sa.delete(metrics).where(later))


def last_step(connection: sa.Connection, run_id: str) -> int:
    """The step of a run's latest report; 0 if there is none."""
    query = sa.select(sa.func.max(metrics.c.step)).where(metrics.c.run_id == run_id)
    return int(connection.execute(query).scalar() or 0)


def first_and_last(
    connection: sa.Connection, run_ids: Collection[str]
) -> dict[str, list[Progress]]:
    """The first and the latest report of each run, by the run's id.

    A run with a single report has one, and a run without any is left out.
    """
    step = metrics.c.step
    ends = (
        sa.select(
            metrics.c.run_id, sa.func.min(step).label("first"), sa.func.max(step).label("last")
        )
        .where(metrics.c.run_id.in_(run_ids))
        .group_by(metrics.c.run_id)
        .subquery()
    )
    query = (
        sa.select(metrics.c.run_id, *COLUMNS)
        .join(ends, metrics.c.run_id == ends.c.run_id)
        .where(step.in_((ends.c.first, ends.c.last)))
        .order_by(step)
    )
    found: dict[str, list[Progress]] = {}
    for run_id, *values in connection.execute(query):
        found.setdefault(run_id, []).append(Progress(*values))
    return found


def latest(value: sa.Column[float]) -> sa.ScalarSelect[float]:
    """A value of each run's latest report that has it, for a query of ``runs``: looked up from
    the end of the curve backwards, one row or a few, never all of them."""
    return (
        sa.select(value)
        .where(metrics.c.run_id == runs.c.id, value.is_not(None))
        .order_by(metrics.c.step.desc())
        .limit(1)
        .correlate(runs)
        .scalar_subquery()
    )
