import sqlite3
import subprocess
import sys
import threading
import traceback

import pytest
import sqlalchemy as sa

from mnist_core.errors import RunNotFound, StoreUnavailable
from mnist_core.store import engine as engine_module
from mnist_core.store import faults
from tests.databases import execute, load_0_4_0, set_version
from tests.helpers import PROJECT, Store, add_worker, finished_run, waiting_run

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
    again = Store()
    assert again.get(run.id) == run
    again.close()


def test_a_database_in_memory_works():
    engine = engine_module.open_engine("sqlite://")
    assert sa.inspect(engine).has_table("runs")
    engine.dispose()


@pytest.mark.parametrize("old", [False, True], ids=["new", "of an older version"])
def test_many_programs_may_open_a_database_for_the_first_time_at_once(old, database_url):
    if old:
        load_0_4_0(database_url)
    code = "from tests.helpers import Store; print(len(Store().list_runs()))"
    programs = [
        subprocess.Popen(
            [sys.executable, "-c", code], cwd=PROJECT, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True,
        )
        for _ in range(4)
    ]  # fmt: skip
    answers = [program.communicate() for program in programs]
    assert [out.strip() for out, _ in answers] == ["6" if old else "0"] * 4, answers


@pytest.mark.parametrize(
    ("version", "age"), [("0007", "newer"), ("0099", "newer"), ("x", "different")]
)
def test_a_database_of_another_version_is_left_alone_with_a_sentence(
    version, age, database_url, store
):
    waiting_run(store)
    store.close()
    set_version(database_url, version)
    text = sentence(Store)
    assert f"by a {age} version of this app (schema {version.lstrip('0')}; this one uses 6)" in text
    assert "MNIST_DATABASE_URL" in text


def test_an_older_database_that_is_read_only_says_so(path):
    load_0_4_0(f"sqlite:///{path}")
    assert "read-only" in sentence(lambda: Store(read_only(path)))


@pytest.mark.sqlite
def test_a_locked_database_is_named_and_works_once_it_is_free(store, path, impatient):
    run = waiting_run(store)
    add_worker(store)
    hasty = Store()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    assert "in use by another program; try again" in sentence(lambda: hasty.claim_run("worker"))
    assert hasty.get(run.id) == run  # reading goes on
    other.execute("ROLLBACK")
    other.close()
    assert hasty.claim_run("worker").id == run.id
    hasty.close()


def test_opening_a_new_database_that_another_program_holds_is_named(path, impatient):
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    assert "in use by another program" in sentence(Store)
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
    looking = Store(read_only(path))
    assert [seen.id for seen in looking.list_runs()] == [run.id]
    assert looking.artifact(run.id, "litert") == store.artifact(run.id, "litert")
    text = sentence(lambda: waiting_run(looking))
    assert "read-only" in text
    assert "MNIST_DATABASE_URL" in text
    looking.close()


def test_an_empty_read_only_file_is_named(path):
    path.touch()
    assert "read-only" in sentence(lambda: Store(read_only(path)))


@pytest.mark.parametrize("content", [b"my homework " * 500, b"<html>"])
def test_a_file_that_is_not_a_database_is_named_and_left(content, path):
    path.write_bytes(content)
    assert "is not a database; move it away" in sentence(Store)
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
    assert "damaged; move it away" in sentence(lambda: Store().list_runs())


def test_a_folder_that_does_not_exist_is_named(tmp_path):
    text = sentence(lambda: Store(f"sqlite:///{tmp_path / 'nowhere' / 'runs.db'}"))
    assert "cannot be opened; check that its folder exists" in text


def test_a_folder_in_place_of_the_file_is_named(tmp_path):
    assert "cannot be opened" in sentence(lambda: Store(f"sqlite:///{tmp_path}"))


@pytest.mark.parametrize(
    "url", ["", "runs.db", "nosuch://x", "sqlite://host/runs.db", "oracle+none://h/x", "a:b:c//"]
)
def test_an_address_that_is_no_database_is_named(url, monkeypatch):
    if url:
        sentence(lambda: Store(url))
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
    text = sentence(lambda: Store("postgresql+psycopg://app:secret@db/mnist"))
    assert "psycopg" in text
    assert "requirements.txt" in text
    assert "secret" not in text


def test_a_password_that_breaks_an_address_is_in_no_trace():
    password = "pass@word:7k0sh"
    with pytest.raises(StoreUnavailable) as caught:
        Store(f"postgresql+psycopg://app:{password}/mnist")
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


def test_an_outage_is_over_when_nothing_has_failed_for_a_minute(caplog):
    caplog.set_level("INFO")
    now = [0.0]
    outage = faults.Outage(clock=lambda: now[0])
    outage.failed("The disk is full.", "INSERT INTO artifacts", OSError())
    for now[0] in (30.0, 59.0):
        outage.worked(["", "BEGIN IMMEDIATE", "INSERT INTO metrics"])
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    now[0] = 61.0
    outage.worked(["", "BEGIN IMMEDIATE", "INSERT INTO metrics"])
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]


@pytest.mark.databases
def test_a_database_that_lacks_a_table_is_named(database_url, store):
    store.close()
    execute(database_url, "DROP TABLE metrics")
    assert "incomplete, without metrics; move it away" in sentence(Store)


@pytest.mark.databases
def test_a_database_that_became_newer_under_a_running_server_is_named(database_url, store):
    store.database.check()
    set_version(database_url, "0007")
    assert "by a newer version of this app" in sentence(store.database.check)


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
    assert [run.id for run in Store(database_url).list_runs()] == [after.id]
    if moved:
        store.close()
        old = Store(f"sqlite:///{path.with_suffix('.damaged')}")
        assert len(old.list_runs()) <= 1, before


@pytest.mark.sqlite
def test_a_file_that_stays_is_not_said_to_have_been_replaced(store, database_url):
    waiting_run(store)
    assert not engine_module.was_replaced(database_url)


@pytest.mark.sqlite
def test_a_backup_put_in_its_place_gets_nothing_of_what_the_file_before_had_not_yet_stored(
    store, path, tmp_path
):
    first = finished_run(store, "me")
    backup = tmp_path / "backup.db"
    with sqlite3.connect(path) as original, sqlite3.connect(backup) as copy:
        original.backup(copy)
    original.close()
    copy.close()
    for number in range(3):
        finished_run(store, f"visitor {number}")
    assert path.with_name(path.name + "-wal").stat().st_size > 0
    backup.replace(path)
    assert [run.id for run in store.list_runs()] == [first.id]
    after = waiting_run(store, "me")
    assert [run.id for run in Store().list_runs()] == [after.id, first.id]
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()
