"""Runs that the teacher keeps are told from those that their owner keeps."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.add_column(
        "runs",
        sa.Column("pinned_by_teacher", sa.Boolean, nullable=False, server_default=sa.false()),
    )
