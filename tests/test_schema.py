import sqlite3
import subprocess
import sys
import threading
import traceback

import pytest
import sqlalchemy as sa

from mnist_core import schema
from mnist_core.errors import StoreUnavailable
from mnist_core.runs import RunStore
from mnist_core.studies import StudyStore
from tests.helpers import PROJECT, add_worker, finished_run, waiting_run


@pytest.fixture
def path(tmp_path):
    """Where the database of this test is, or will be."""
    return tmp_path / "runs.db"


@pytest.fixture
def impatient(monkeypatch):
    """Whoever finds the database in use gives up soon."""
    monkeypatch.setattr(schema, "BUSY_SECONDS", 0.1)


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
    assert schema.database_url({}) == f"sqlite:///{PROJECT / 'runs.db'}"
    assert schema.database_url({"MNIST_DATABASE_URL": ""}) == f"sqlite:///{PROJECT / 'runs.db'}"
    assert schema.database_url({"MNIST_DATABASE_URL": "sqlite:///x.db"}) == "sqlite:///x.db"


def test_git_ignores_the_database():
    patterns = (PROJECT / ".gitignore").read_text().split()
    assert any(pattern in ("runs.db", "runs.db*", "*.db", "/runs.db*") for pattern in patterns)


def test_a_new_database_is_made_and_opened_again(store, path):
    run = waiting_run(store)
    assert path.is_file()
    again = RunStore()
    assert again.get(run.id) == run
    again.close()


def test_a_database_in_memory_works():
    engine = schema.open_engine("sqlite://")
    assert sa.inspect(engine).has_table("runs")
    engine.dispose()


@pytest.mark.parametrize("old", [False, True], ids=["new", "of an older version"])
def test_many_programs_may_open_a_database_for_the_first_time_at_once(old, path):
    if old:
        old_database(path)
    code = "from mnist_core.runs import RunStore; print(len(RunStore().list_runs()))"
    programs = [
        subprocess.Popen(
            [sys.executable, "-c", code], cwd=PROJECT, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True,
        )
        for _ in range(6)
    ]  # fmt: skip
    answers = [program.communicate() for program in programs]
    assert [out.strip() for out, _ in answers] == ["2" if old else "0"] * 6, answers


@pytest.mark.parametrize(("version", "age"), [("5", "newer"), ("99", "newer"), ("x", "different")])
def test_a_database_of_another_version_is_left_alone_with_a_sentence(version, age, store):
    waiting_run(store)
    store.close()
    with sqlite3.connect(schema.database_url().removeprefix("sqlite:///")) as connection:
        connection.execute("UPDATE facts SET value = ? WHERE name = 'schema_version'", [version])
    connection.close()
    text = sentence(RunStore)
    assert f"by a {age} version of this app (schema {version}; this one uses 4)" in text
    assert "MNIST_DATABASE_URL" in text


FIRST_SCHEMA = """
PRAGMA journal_mode = WAL;
CREATE TABLE facts (name VARCHAR(40) PRIMARY KEY, value TEXT NOT NULL);
INSERT INTO facts VALUES ('schema_version', '1');
CREATE TABLE runs (number INTEGER PRIMARY KEY, id VARCHAR(40) NOT NULL UNIQUE,
  owner VARCHAR(64) NOT NULL, state VARCHAR(20) NOT NULL, config TEXT NOT NULL,
  created_at FLOAT NOT NULL, worker VARCHAR(40), stop_requested BOOLEAN NOT NULL,
  message TEXT NOT NULL, dataset VARCHAR(200), test_fingerprint VARCHAR(16), test_accuracy FLOAT,
  train_seconds FLOAT, epochs INTEGER, parameters INTEGER);
CREATE TABLE metrics (run_id VARCHAR(40) NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
  step INTEGER NOT NULL, epoch FLOAT NOT NULL, loss FLOAT NOT NULL, accuracy FLOAT NOT NULL,
  learning_rate FLOAT NOT NULL, seconds FLOAT NOT NULL, validation_loss FLOAT,
  validation_accuracy FLOAT, PRIMARY KEY (run_id, step));
CREATE TABLE artifacts (run_id VARCHAR(40) NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
  kind VARCHAR(40) NOT NULL, data BLOB NOT NULL, PRIMARY KEY (run_id, kind));
CREATE TABLE workers (id VARCHAR(40) PRIMARY KEY, host VARCHAR(200) NOT NULL,
  pid INTEGER NOT NULL, beat INTEGER NOT NULL, ready BOOLEAN NOT NULL);
INSERT INTO runs VALUES (7, 'done', 'me', 'finished', '{"epochs": 3}', 5, NULL, 0, '', 'MNIST',
  'abc', 0.98, 3.0, 3, 109386), (9, 'new', 'you', 'waiting', '{}', 6, NULL, 0, '', NULL, NULL,
  NULL, NULL, NULL, NULL);
INSERT INTO metrics VALUES ('done', 1, 0.1, 2.0, 0.5, 0.001, 0.1, NULL, NULL);
INSERT INTO artifacts VALUES ('done', 'keras', x'0102');
"""


def old_database(path) -> None:
    """A database as the first version of this project wrote it."""
    with sqlite3.connect(path) as connection:
        connection.executescript(FIRST_SCHEMA)
    connection.close()


def test_a_database_of_an_older_version_is_brought_up_to_date_with_all_it_holds(path):
    old_database(path)
    store = RunStore()
    done = store.get("done")
    assert (done.config.epochs, done.test_accuracy, done.trained, done.turn) == (3, 0.98, True, 7)
    assert (done.name, done.pinned, done.checkpoint_step, done.losses) == ("", False, 0, 0)
    assert len(store.metrics("done")) == 1
    assert store.artifact("done", "keras") == b"\x01\x02"
    assert store.claim(add_worker(store)).id == "new"
    assert waiting_run(store, "next").turn == 10
    store.close()
    assert RunStore().get("done") == done


def test_what_a_database_of_the_version_before_lacks_is_added(path):
    old_database(path)
    with sqlite3.connect(path) as connection:
        for statement in [*schema.MIGRATIONS[2], "UPDATE facts SET value = '2'"]:
            connection.execute(statement)
    connection.close()
    store, studies = RunStore(), StudyStore()
    assert store.get("done").turn == 7
    assert studies.find("a") is None
    studies.keep("a", b"\x00\x01")
    assert StudyStore().find("a").data == b"\x00\x01"
    assert store.get("done").sweep is None
    assert columns(f"sqlite:///{path}") == columns("sqlite://")


def columns(url: str) -> dict[str, set[str]]:
    """The names of each table's columns."""
    engine = schema.open_engine(url)
    inspector = sa.inspect(engine)
    found = {
        table: {column["name"] for column in inspector.get_columns(table)}
        for table in inspector.get_table_names()
    }
    engine.dispose()
    return found


def test_brought_up_to_date_it_is_as_a_new_one(path):
    old_database(path)
    assert columns(f"sqlite:///{path}") == columns("sqlite://")


def test_an_upgrade_that_fails_half_way_changes_nothing(path, monkeypatch):
    old_database(path)
    with monkeypatch.context() as patch:
        patch.setitem(schema.MIGRATIONS, 2, [*schema.MIGRATIONS[2], "UPDATE nothing SET x = 1"])
        sentence(RunStore)
    assert RunStore().get("done").turn == 7


def test_many_may_bring_it_up_to_date_at_once(path):
    old_database(path)
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(RunStore().get("done").turn)) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [7] * 8


def test_an_older_database_that_is_read_only_says_so(path):
    old_database(path)
    assert "read-only" in sentence(lambda: RunStore(read_only(path)))


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


def test_a_write_waits_for_its_turn(store, path):
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN EXCLUSIVE")
    release = threading.Timer(0.3, other.execute, ["ROLLBACK"])
    release.start()
    assert waiting_run(store).state == "waiting"
    release.join()
    other.close()


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
        monkeypatch.setattr(schema, "DEFAULT_PATH", schema.DEFAULT_PATH.parent / "no" / "runs.db")
        assert "cannot be opened" in sentence(lambda: schema.open_engine(schema.database_url({})))


def test_a_server_that_does_not_answer_is_named():
    class Unreachable(Exception):
        pass

    with pytest.raises(StoreUnavailable, match="does not answer"), schema.explained():
        raise sa.exc.OperationalError("SELECT 1", {}, Unreachable("could not connect to server"))


def test_a_full_disk_is_named():
    with pytest.raises(StoreUnavailable, match="The disk is full"), schema.explained():
        raise sa.exc.OperationalError(
            "INSERT", {}, sqlite3.OperationalError("database or disk is full")
        )


def test_writers_that_wait_too_long_for_their_turn_are_told_to_try_again():
    with pytest.raises(StoreUnavailable, match="in use by another"), schema.explained():
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
    assert schema.kind(url) == kind


def test_what_is_no_fault_of_the_database_passes_through():
    with pytest.raises(KeyError), schema.explained():
        raise KeyError("a bug")
