"""Runs, studies and the download are tasks in one queue; numbers of images are columns."""

import re

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

# Of a run, what is now in its task.
MOVED = ("state", "worker", "message", "turn", "losses")


def upgrade() -> None:
    op.create_table(
        "tasks",
        sa.Column("id", sa.String(120), primary_key=True),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("state", sa.String(20), nullable=False, index=True),
        sa.Column("priority", sa.Integer, nullable=False),
        sa.Column("turn", sa.Integer, nullable=False),
        sa.Column("worker", sa.String(40)),
        sa.Column("losses", sa.Integer, nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("result", sa.LargeBinary),
    )
    op.execute(
        "INSERT INTO tasks (id, kind, state, priority, turn, worker, losses, message) "
        "SELECT id, 'run', state, CASE WHEN sweep <> id THEN 1 ELSE 0 END, turn, worker, losses, "
        "message FROM runs"
    )
    op.execute(
        "INSERT INTO tasks (id, kind, state, priority, turn, worker, losses, message, result) "
        "SELECT key, 'study', state, 0, turn, worker, losses, message, data FROM studies"
    )
    op.drop_table("studies")
    op.drop_table("facts")
    op.drop_index("ix_runs_state", "runs")
    for name in MOVED:
        op.drop_column("runs", name)
    op.add_column("runs", sa.Column("training_images", sa.Integer))
    op.add_column("runs", sa.Column("test_images", sa.Integer))
    runs = sa.table("runs", *map(sa.column, ("id", "dataset", "training_images", "test_images")))
    connection = op.get_bind()
    for run_id, dataset in connection.execute(sa.select(runs.c.id, runs.c.dataset)).all():
        # Such as "MNIST: 60,000 training and 10,000 test images".
        numbers = re.fullmatch(r".*: ([\d,]+) training and ([\d,]+) test images", dataset or "")
        if numbers:
            training, test = (int(number.replace(",", "")) for number in numbers.groups())
            values = {"training_images": training, "test_images": test}
            connection.execute(sa.update(runs).where(runs.c.id == run_id).values(values))
