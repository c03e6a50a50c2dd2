"""Runs have names, are kept, queue anew and go on from a checkpoint."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    for column in (
        sa.Column("name", sa.String(40), nullable=False, server_default=""),
        sa.Column("pinned", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("turn", sa.Integer, nullable=False, server_default="0"),
        sa.Column("version", sa.Integer, nullable=False, server_default="0"),
        sa.Column("checkpoint_step", sa.Integer, nullable=False, server_default="0"),
        sa.Column("losses", sa.Integer, nullable=False, server_default="0"),
    ):
        op.add_column("runs", column)
    op.execute("UPDATE runs SET turn = number")
    op.execute("UPDATE runs SET version = 1 WHERE test_accuracy IS NOT NULL")
