"""The tables of the database. When one changes, migrations/__init__.py says what to do."""

import sqlalchemy as sa

# Of the tables below; migrations/ says what to do when they change.
SCHEMA_VERSION = 5
metadata = sa.MetaData()

facts = sa.Table(
    "facts",
    metadata,
    sa.Column("name", sa.String(40), primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)

runs = sa.Table(
    "runs",
    metadata,
    # The order of arrival.
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("id", sa.String(40), nullable=False, unique=True),
    sa.Column("owner", sa.String(64), nullable=False, index=True),
    sa.Column("state", sa.String(20), nullable=False, index=True),
    sa.Column("config", sa.Text, nullable=False),
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Column("worker", sa.String(40)),
    sa.Column("stop_requested", sa.Boolean, nullable=False, default=False),
    sa.Column("message", sa.Text, nullable=False, default=""),
    sa.Column("dataset", sa.String(200)),
    sa.Column("test_fingerprint", sa.String(16)),
    sa.Column("test_accuracy", sa.Float),
    sa.Column("train_seconds", sa.Float),
    sa.Column("epochs", sa.Integer),
    sa.Column("parameters", sa.Integer),
    sa.Column("name", sa.String(40), nullable=False, server_default=""),
    sa.Column("pinned", sa.Boolean, nullable=False, server_default=sa.false()),
    # The order in which waiting runs are trained: one that goes on queues anew.
    sa.Column("turn", sa.Integer, nullable=False, server_default="0"),
    # How often its network was stored: whoever keeps a copy knows by it which one.
    sa.Column("version", sa.Integer, nullable=False, server_default="0"),
    # Where it would go on from, and how often a worker was lost since then.
    sa.Column("checkpoint_step", sa.Integer, nullable=False, server_default="0"),
    sa.Column("losses", sa.Integer, nullable=False, server_default="0"),
    # The sweep it belongs to: the id of that sweep's first run.
    sa.Column("sweep", sa.String(40)),
    # Kept by the teacher, and so not one of the few that its owner may keep.
    sa.Column("pinned_by_teacher", sa.Boolean, nullable=False, server_default=sa.false()),
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

studies = sa.Table(
    "studies",
    metadata,
    # What is to be computed, in full.
    sa.Column("key", sa.String(120), primary_key=True),
    sa.Column("state", sa.String(20), nullable=False),
    # The order in which they were asked for.
    sa.Column("turn", sa.Integer, nullable=False),
    sa.Column("worker", sa.String(40)),
    # How often a worker was lost over it.
    sa.Column("losses", sa.Integer, nullable=False, default=0),
    sa.Column("message", sa.Text, nullable=False, default=""),
    sa.Column("data", sa.LargeBinary),
)
