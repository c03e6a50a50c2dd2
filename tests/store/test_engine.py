import shutil
import sqlite3
import subprocess
import sys
import threading
import traceback

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from mnist_core.errors import RunNotFound, StoreUnavailable
from mnist_core.store import engine as engine_module
from mnist_core.store import faults, migrations, schema
from mnist_core.store.runs import RunStore
from mnist_core.store.studies import StudyStore
from tests.helpers import PROJECT, add_worker, finished_run, waiting_run

pytestmark = pytest.mark.databases


@pytest.fixture
def path(tmp_path):
    """Where the database of this test is, or will be."""
    return tmp_path / "runs.db"


@pytest.fixture
def impatient(monkeypatch):
    """Whoever finds the database in use gives up soon."""
    monkeypatch.setattr(engine_module, "BUSY_SECONDS", 0.1)


def read_only(path) -> str:
    return f"sqlite:///file:{path}?mode=ro&uri=true"


def sentence(action) -> str:
    """What a person is told when this fails."""
    with pytest.raises(StoreUnavailable) as caught:
        action()
    text = str(caught.value)
    assert text[0].isupper()
    assert text.endswith(".")
    assert "\n" not in text
    assert "sqlite3" not in text
    assert "SELECT" not in text
    return text


def test_the_database_is_a_file_beside_the_code_unless_named():
    assert engine_module.database_url({}) == f"sqlite:///{PROJECT / 'runs.db'}"
    assert (
        engine_module.database_url({"MNIST_DATABASE_URL": ""}) == f"sqlite:///{PROJECT / 'runs.db'}"
    )
    assert engine_module.database_url({"MNIST_DATABASE_URL": "sqlite:///x.db"}) == "sqlite:///x.db"


def test_git_ignores_the_database():
    patterns = (PROJECT / ".gitignore").read_text().split()
    assert any(pattern in ("runs.db", "runs.db*", "*.db", "/runs.db*") for pattern in patterns)


def test_a_new_database_is_made_and_opened_again(database_url, store):
    run = waiting_run(store)
    again = RunStore()
    assert again.get(run.id) == run
    again.close()


def test_a_database_in_memory_works():
    engine = engine_module.open_engine("sqlite://")
    assert sa.inspect(engine).has_table("runs")
    engine.dispose()


@pytest.mark.parametrize("old", [False, True], ids=["new", "of an older version"])
def test_many_programs_may_open_a_database_for_the_first_time_at_once(old, database_url):
    if old:
        old_database(database_url)
    code = "from mnist_core.store.runs import RunStore; print(len(RunStore().list_runs()))"
    programs = [
        subprocess.Popen(
            [sys.executable, "-c", code], cwd=PROJECT, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True,
        )
        for _ in range(4)
    ]  # fmt: skip
    answers = [program.communicate() for program in programs]
    assert [out.strip() for out, _ in answers] == ["2" if old else "0"] * 4, answers


@pytest.mark.parametrize(("version", "age"), [("6", "newer"), ("99", "newer"), ("x", "different")])
def test_a_database_of_another_version_is_left_alone_with_a_sentence(
    version, age, database_url, store
):
    waiting_run(store)
    store.close()
    execute(database_url, f"UPDATE facts SET value = '{version}' WHERE name = 'schema_version'")
    text = sentence(RunStore)
    assert f"by a {age} version of this app (schema {version}; this one uses 5)" in text
    assert "MNIST_DATABASE_URL" in text


FIRST_SCHEMA = """
CREATE TABLE facts (name VARCHAR(40) NOT NULL, value TEXT NOT NULL, PRIMARY KEY (name));
INSERT INTO facts VALUES ('schema_version', '1');
CREATE TABLE runs (number INTEGER NOT NULL, id VARCHAR(40) NOT NULL, owner VARCHAR(64) NOT NULL,
  state VARCHAR(20) NOT NULL, config TEXT NOT NULL, created_at FLOAT NOT NULL,
  worker VARCHAR(40), stop_requested BOOLEAN NOT NULL, message TEXT NOT NULL,
  dataset VARCHAR(200), test_fingerprint VARCHAR(16), test_accuracy FLOAT, train_seconds FLOAT,
  epochs INTEGER, parameters INTEGER, PRIMARY KEY (number), UNIQUE (id));
CREATE INDEX ix_runs_owner ON runs (owner);
CREATE INDEX ix_runs_state ON runs (state);
CREATE TABLE metrics (run_id VARCHAR(40) NOT NULL, step INTEGER NOT NULL, epoch FLOAT NOT NULL,
  loss FLOAT NOT NULL, accuracy FLOAT NOT NULL, learning_rate FLOAT NOT NULL,
  seconds FLOAT NOT NULL, validation_loss FLOAT, validation_accuracy FLOAT,
  PRIMARY KEY (run_id, step), FOREIGN KEY(run_id) REFERENCES runs (id) ON DELETE CASCADE);
CREATE TABLE artifacts (run_id VARCHAR(40) NOT NULL, kind VARCHAR(40) NOT NULL,
  data BLOB NOT NULL, PRIMARY KEY (run_id, kind),
  FOREIGN KEY(run_id) REFERENCES runs (id) ON DELETE CASCADE);
CREATE TABLE workers (id VARCHAR(40) NOT NULL, host VARCHAR(200) NOT NULL, pid INTEGER NOT NULL,
  beat INTEGER NOT NULL, ready BOOLEAN NOT NULL, PRIMARY KEY (id));
INSERT INTO runs VALUES (7, 'done', 'me', 'finished', '{"epochs": 3}', 5, NULL, false, '', 'MNIST',
  'abc', 0.98, 3.0, 3, 109386), (9, 'new', 'you', 'waiting', '{}', 6, NULL, false, '', NULL, NULL,
  NULL, NULL, NULL, NULL);
INSERT INTO metrics VALUES ('done', 1, 0.1, 2.0, 0.5, 0.001, 0.1, NULL, NULL);
INSERT INTO artifacts VALUES ('done', 'keras', x'0102')
"""
# What the second version did to a database of the first.
SECOND_SCHEMA = """
ALTER TABLE runs ADD COLUMN name VARCHAR(40) NOT NULL DEFAULT '';
ALTER TABLE runs ADD COLUMN pinned BOOLEAN NOT NULL DEFAULT false;
ALTER TABLE runs ADD COLUMN turn INTEGER NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN version INTEGER NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN checkpoint_step INTEGER NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN losses INTEGER NOT NULL DEFAULT 0;
UPDATE runs SET turn = number;
UPDATE runs SET version = 1 WHERE test_accuracy IS NOT NULL;
UPDATE facts SET value = '2'
"""
# What Postgres calls otherwise; and where it goes on to count.
IN_POSTGRES = {
    "number INTEGER NOT NULL": "number SERIAL NOT NULL",
    "BLOB": "BYTEA",
    "x'0102'": "'\\x0102'",
}
COUNT_ON = "; SELECT setval('runs_number_seq', 9)"


def execute(url: str, script: str) -> None:
    """Execute SQL, all or nothing."""
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        for statement in script.split(";"):
            connection.exec_driver_sql(statement)
    engine.dispose()


def old_database(url: str, version: int = 1) -> None:
    """A database as the first or second version of this project wrote it."""
    script = FIRST_SCHEMA
    if not url.startswith("sqlite"):
        for word, other in IN_POSTGRES.items():
            script = script.replace(word, other)
        script += COUNT_ON
    execute(url, script)
    if version == 2:
        execute(url, SECOND_SCHEMA)


@pytest.mark.parametrize("version", [1, 2])
def test_a_database_of_an_older_version_is_brought_up_to_date_with_all_it_holds(
    version, database_url
):
    old_database(database_url, version)
    store, studies = RunStore(), StudyStore()
    done = store.get("done")
    assert (done.config.epochs, done.test_accuracy, done.trained, done.turn) == (3, 0.98, True, 7)
    assert (done.name, done.pinned, done.checkpoint_step, done.losses) == ("", False, 0, 0)
    assert len(store.metrics("done")) == 1
    assert store.artifact("done", "keras") == b"\x01\x02"
    assert store.claim(add_worker(store)).id == "new"
    assert waiting_run(store, "next").turn == 10
    assert studies.find("a") is None
    studies.keep("a", b"\x00\x01")
    assert done.sweep is None
    studies.close()
    store.close()
    again = RunStore()
    assert again.get("done") == done
    again.close()


def differences(url: str) -> list:
    """In what a database is not as a new one would be: tables, columns, types, indexes."""
    engine = engine_module.open_engine(url)
    with engine.connect() as connection:
        found = compare_metadata(MigrationContext.configure(connection), schema.metadata)
    engine.dispose()
    return found


def columns(url: str) -> dict[str, dict[str, bool]]:
    """Each table's columns, and whether they may be empty."""
    engine = engine_module.open_engine(url)
    inspector = sa.inspect(engine)
    found = {
        table: {column["name"]: column["nullable"] for column in inspector.get_columns(table)}
        for table in inspector.get_table_names()
    }
    engine.dispose()
    return found


@pytest.mark.parametrize("version", [1, 2])
def test_brought_up_to_date_it_is_as_a_new_one(version, database_url):
    old_database(database_url, version)
    assert differences(database_url) == []
    assert columns(database_url) == columns("sqlite://")


def test_all_revisions_together_make_what_a_new_database_has(database_url):
    engine = sa.create_engine(database_url)
    with engine.begin() as connection:
        migrations.upgrade(connection, 0, schema.SCHEMA_VERSION)
        connection.execute(
            sa.insert(schema.facts).values(name="schema_version", value=str(schema.SCHEMA_VERSION))
        )
    engine.dispose()
    assert differences(database_url) == []
    assert columns(database_url) == columns("sqlite://")


def test_the_last_revision_is_the_schemas():
    scripts = ScriptDirectory(str(migrations.FOLDER))
    assert scripts.get_current_head() == f"{schema.SCHEMA_VERSION:04}"


def test_an_upgrade_that_fails_half_way_changes_nothing(database_url, tmp_path, monkeypatch):
    old_database(database_url)
    broken = shutil.copytree(migrations.FOLDER, tmp_path / "broken")
    (last,) = (broken / "versions").glob("0003_*.py")
    last.write_text(last.read_text() + '    op.execute("UPDATE nothing SET x = 1")\n')
    with monkeypatch.context() as patch:
        patch.setattr(migrations, "FOLDER", broken)
        sentence(RunStore)
    store = RunStore()
    assert store.get("done").turn == 7
    store.close()


def test_many_may_bring_it_up_to_date_at_once(database_url):
    old_database(database_url)
    found = []

    def open_and_look():
        store = RunStore()
        found.append(store.get("done").turn)
        store.close()

    threads = [threading.Thread(target=open_and_look) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [7] * 8


def test_a_database_that_is_new_or_up_to_date_loads_no_alembic(database_url):
    code = "import sys; from mnist_core.store.runs import RunStore\n"
    code += "RunStore(); RunStore(); print('alembic' in sys.modules)"
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == "False"


def test_an_older_database_that_is_read_only_says_so(path):
    old_database(f"sqlite:///{path}")
    assert "read-only" in sentence(lambda: RunStore(read_only(path)))


@pytest.mark.sqlite
def test_a_locked_database_is_named_and_works_once_it_is_free(store, path, impatient):
    run = waiting_run(store)
    add_worker(store)
    hasty = RunStore()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    assert "in use by another program; try again" in sentence(lambda: hasty.claim("worker"))
    assert hasty.get(run.id) == run  # reading goes on
    other.execute("ROLLBACK")
    other.close()
    assert hasty.claim("worker").id == run.id
    hasty.close()


def test_opening_a_new_database_that_another_program_holds_is_named(path, impatient):
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    assert "in use by another program" in sentence(RunStore)
    other.close()


@pytest.mark.sqlite
def test_a_write_waits_for_its_turn(store, path):
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN EXCLUSIVE")
    release = threading.Timer(0.3, other.execute, ["ROLLBACK"])
    release.start()
    assert waiting_run(store).state == "waiting"
    release.join()
    other.close()


@pytest.mark.sqlite
def test_a_read_only_database_can_be_read_and_says_why_nothing_is_stored(store, path):
    run = finished_run(store)
    looking = RunStore(read_only(path))
    assert [seen.id for seen in looking.list_runs()] == [run.id]
    assert looking.artifact(run.id, "litert") == store.artifact(run.id, "litert")
    text = sentence(lambda: waiting_run(looking))
    assert "read-only" in text
    assert "MNIST_DATABASE_URL" in text
    looking.close()


def test_an_empty_read_only_file_is_named(path):
    path.touch()
    assert "read-only" in sentence(lambda: RunStore(read_only(path)))


@pytest.mark.parametrize("content", [b"my homework " * 500, b"<html>"])
def test_a_file_that_is_not_a_database_is_named_and_left(content, path):
    path.write_bytes(content)
    assert "is not a database; move it away" in sentence(RunStore)
    assert path.read_bytes() == content


def damage(path) -> None:
    """Overwrite everything but the first page with noise."""
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    content = path.read_bytes()
    path.write_bytes(content[:4096] + b"\xa5" * (len(content) - 4096))


@pytest.mark.sqlite
def test_a_damaged_database_is_named(store, path):
    finished_run(store)
    store.close()
    damage(path)
    assert "damaged; move it away" in sentence(lambda: RunStore().list_runs())


def test_a_folder_that_does_not_exist_is_named(tmp_path):
    text = sentence(lambda: RunStore(f"sqlite:///{tmp_path / 'nowhere' / 'runs.db'}"))
    assert "cannot be opened; check that its folder exists" in text


def test_a_folder_in_place_of_the_file_is_named(tmp_path):
    assert "cannot be opened" in sentence(lambda: RunStore(f"sqlite:///{tmp_path}"))


@pytest.mark.parametrize(
    "url", ["", "runs.db", "nosuch://x", "sqlite://host/runs.db", "oracle+none://h/x", "a:b:c//"]
)
def test_an_address_that_is_no_database_is_named(url, monkeypatch):
    if url:
        sentence(lambda: RunStore(url))
    else:  # as if it were not set
        monkeypatch.setattr(
            engine_module, "DEFAULT_PATH", engine_module.DEFAULT_PATH.parent / "no" / "runs.db"
        )
        assert "cannot be opened" in sentence(
            lambda: engine_module.open_engine(engine_module.database_url({}))
        )


def test_a_server_that_does_not_answer_is_named():
    class Unreachable(Exception):
        pass

    with pytest.raises(StoreUnavailable, match="does not answer"), faults.explained():
        raise sa.exc.OperationalError("SELECT 1", {}, Unreachable("could not connect to server"))


def test_a_full_disk_is_named():
    with pytest.raises(StoreUnavailable, match="The disk is full"), faults.explained():
        raise sa.exc.OperationalError(
            "INSERT", {}, sqlite3.OperationalError("database or disk is full")
        )


def test_writers_that_wait_too_long_for_their_turn_are_told_to_try_again():
    with pytest.raises(StoreUnavailable, match="in use by another"), faults.explained():
        raise sa.exc.OperationalError(
            "SELECT", {}, Exception("canceling statement due to lock timeout")
        )


def test_a_driver_that_is_not_installed_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    text = sentence(lambda: RunStore("postgresql+psycopg://app:secret@db/mnist"))
    assert "psycopg" in text
    assert "requirements.txt" in text
    assert "secret" not in text


def test_a_password_that_breaks_an_address_is_in_no_trace():
    password = "pass@word:7k0sh"
    with pytest.raises(StoreUnavailable) as caught:
        RunStore(f"postgresql+psycopg://app:{password}/mnist")
    assert "7k0sh" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    ("url", "kind"),
    [("sqlite:///runs.db", "sqlite"), ("postgresql+psycopg://app:secret@db/x", "postgresql")],
)
def test_of_an_address_the_log_is_told_the_kind_alone(url, kind):
    assert engine_module.kind(url) == kind


def test_what_is_no_fault_of_the_database_passes_through():
    with pytest.raises(KeyError), faults.explained():
        raise KeyError("a bug")


# --- mistakes and outages ---


def test_a_mistake_is_no_outage_and_passes_through_untold(caplog):
    with pytest.raises(sa.exc.IntegrityError), faults.explained():
        raise sa.exc.IntegrityError("INSERT", {}, Exception("UNIQUE constraint failed"))
    assert caplog.text == ""


def test_an_outage_is_over_when_what_failed_works_again(caplog):
    caplog.set_level("INFO")
    outage = faults.Outage()
    full = sqlite3.OperationalError("database or disk is full")
    for _ in range(3):
        outage.failed("The disk is full.", "INSERT INTO artifacts", full)
        outage.worked(["", "BEGIN IMMEDIATE", "INSERT INTO metrics"])
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    outage.worked(["", "BEGIN IMMEDIATE", "INSERT INTO artifacts"])
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]


@pytest.mark.databases
def test_a_database_that_lacks_a_table_is_named(database_url, store):
    store.close()
    execute(database_url, "DROP TABLE metrics")
    assert "incomplete, without metrics; move it away" in sentence(RunStore)


@pytest.mark.databases
def test_a_database_that_became_newer_under_a_running_server_is_named(database_url, store):
    store.check()
    newer = schema.SCHEMA_VERSION + 1
    execute(database_url, f"UPDATE facts SET value = '{newer}' WHERE name = 'schema_version'")
    assert "by a newer version of this app" in sentence(store.check)


@pytest.mark.databases
@pytest.mark.parametrize("run_id", ["", "\0", "\ud800", "a" * 41, "../x", "a b", "1;--"])
def test_what_can_be_no_run_is_not_asked_of_the_database(run_id, store, caplog):
    for look in (store.get, store.sweep_runs, store.trials):
        with pytest.raises(RunNotFound):
            look(run_id)
    assert caplog.text == ""


# --- a file that goes away ---


@pytest.mark.sqlite
@pytest.mark.parametrize("moved", [True, False])
def test_a_file_that_is_moved_or_deleted_is_replaced_by_a_complete_new_one(
    moved, store, path, database_url, caplog
):
    before = finished_run(store, "me")
    if moved:
        path.rename(path.with_suffix(".damaged"))
    else:
        path.unlink()
    after = waiting_run(store, "me")
    assert engine_module.was_replaced(database_url)
    assert [run.id for run in store.list_runs()] == [after.id]
    assert caplog.text.count("was moved or deleted") == 1
    # Whoever opens the file now finds it there, and whole.
    assert [run.id for run in RunStore(database_url).list_runs()] == [after.id]
    if moved:
        store.close()
        old = RunStore(f"sqlite:///{path.with_suffix('.damaged')}")
        assert len(old.list_runs()) <= 1, before


@pytest.mark.sqlite
def test_a_file_that_stays_is_not_said_to_have_been_replaced(store, database_url):
    waiting_run(store)
    assert not engine_module.was_replaced(database_url)
