"""The tables of the database. When one changes, migrations/__init__.py says what to do."""

import sqlalchemy as sa

# Alembic's name for the tables below: the latest file in migrations/versions/.
REVISION = "0006"
metadata = sa.MetaData()

# Alembic's own table, with the one row that says which revision a database has.
revision = sa.Table(
    "alembic_version",
    metadata,
    sa.Column("version_num", sa.String(32), primary_key=True),
)

# What workers have to do, or have done. queue.py says how it is taken.
tasks = sa.Table(
    "tasks",
    metadata,
    # The id of a run, or what is to be computed, in full.
    sa.Column("id", sa.String(120), primary_key=True),
    sa.Column("kind", sa.String(20), nullable=False),
    sa.Column("state", sa.String(20), nullable=False, index=True),
    # Waiting tasks are taken by priority and then by turn; a resumed run gets a new turn.
    sa.Column("priority", sa.Integer, nullable=False),
    sa.Column("turn", sa.Integer, nullable=False),
    sa.Column("worker", sa.String(40)),
    # How many workers were lost over it; for a run, since its checkpoint.
    sa.Column("losses", sa.Integer, nullable=False, default=0),
    sa.Column("message", sa.Text, nullable=False, default=""),
    sa.Column("result", sa.LargeBinary),
)

# What a task of the kind "run" has beside its row in ``tasks``, which has the same id.

runs = sa.Table(
    "runs",
    metadata,
    # The order of arrival.
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("id", sa.String(40), nullable=False, unique=True),
    sa.Column("owner", sa.String(64), nullable=False, index=True),
    sa.Column("config", sa.Text, nullable=False),
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Column("stop_requested", sa.Boolean, nullable=False, default=False),
    sa.Column("dataset", sa.String(200)),
    sa.Column("test_fingerprint", sa.String(16)),
    sa.Column("test_accuracy", sa.Float),
    sa.Column("train_seconds", sa.Float),
    sa.Column("epochs", sa.Integer),
    sa.Column("parameters", sa.Integer),
    sa.Column("name", sa.String(40), nullable=False, server_default=""),
    sa.Column("pinned", sa.Boolean, nullable=False, server_default=sa.false()),
    # How often its network was stored: it tells a cached copy from the current one.
    sa.Column("version", sa.Integer, nullable=False, server_default="0"),
    # The step it would resume from.
    sa.Column("checkpoint_step", sa.Integer, nullable=False, server_default="0"),
    # The sweep it belongs to: the id of that sweep's first run.
    sa.Column("sweep", sa.String(40)),
    # Kept by the teacher, so it is not one of the few that its owner may keep.
    sa.Column("pinned_by_teacher", sa.Boolean, nullable=False, server_default=sa.false()),
    # How many images it had to train on, those set aside for validation included, and to test on.
    sa.Column("training_images", sa.Integer),
    sa.Column("test_images", sa.Integer),
)

metrics = sa.Table(
    "metrics",
    metadata,
    sa.Column("run_id", sa.ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("step", sa.Integer, primary_key=True),
    sa.Column("epoch", sa.Float, nullable=False),
    sa.Column("loss", sa.Float, nullable=False),
    sa.Column("accuracy", sa.Float, nullable=False),
    sa.Column("learning_rate", sa.Float, nullable=False),
    sa.Column("seconds", sa.Float, nullable=False),
    sa.Column("validation_loss", sa.Float),
    sa.Column("validation_accuracy", sa.Float),
)

artifacts = sa.Table(
    "artifacts",
    metadata,
    sa.Column("run_id", sa.ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("kind", sa.String(40), primary_key=True),
    sa.Column("data", sa.LargeBinary, nullable=False),
)

workers = sa.Table(
    "workers",
    metadata,
    sa.Column("id", sa.String(40), primary_key=True),
    sa.Column("host", sa.String(200), nullable=False),
    sa.Column("pid", sa.Integer, nullable=False),
    # Counts up while the worker lives. A count, not a time: clocks jump.
    sa.Column("beat", sa.Integer, nullable=False),
    # Whether TensorFlow is loaded, so that a run would start at once.
    sa.Column("ready", sa.Boolean, nullable=False),
)
