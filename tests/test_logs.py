"""What the log of a server says, and what it must never say."""

import logging
import re
import sys

import pytest
import sqlalchemy as sa

from mnist_core import logs
from mnist_core.errors import StoreUnavailable
from mnist_core.store import engine, faults, schema
from mnist_core.store.run import FAILED, owner_of
from tests.helpers import finished_run, running_run, waiting_run

LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ (INFO|WARNING|ERROR) [a-z_]+: \S.*")
SECRET = "k0sh/er:pa55"


@pytest.fixture
def lines(capsys):
    """Returns the lines written since it was last called."""
    logs.set_up()
    return lambda: capsys.readouterr().err.splitlines()


def test_an_event_is_one_line_with_time_level_area_and_sentence(lines):
    logging.getLogger("mnist_core.jobs.worker").warning("two\nlines of %s", "text")
    (line,) = lines()
    assert LINE.fullmatch(line)
    assert line.endswith("Z WARNING worker: two lines of text")


def test_an_event_is_logged_once_though_the_log_is_set_up_twice(lines):
    logs.set_up()
    logging.getLogger("pages").error("once")
    assert len(lines()) == 1


def test_a_stack_trace_follows_its_line_indented(lines):
    try:
        raise ValueError("a bug")
    except ValueError:
        logging.getLogger("pages").exception("page failed")
    first, *trace = lines()
    assert first.endswith("ERROR pages: page failed")
    assert trace[-1] == "    ValueError: a bug"
    assert all(line.startswith("    ") for line in trace)


def test_libraries_log_only_what_goes_wrong(lines):
    logging.getLogger("some.library").info("chatter")
    assert lines() == []


@pytest.mark.parametrize(
    "text",
    [
        f"postgresql+psycopg://app:{SECRET}@db.example.org/mnist",
        f"cannot reach 'postgres://app:{SECRET}@db.example.org/mnist?a=b@c' now",
        f"host=db password={SECRET} user=app",
        f"https://db.example.org/?user=app&PASSWORD={SECRET}&x=1",
        f"the run of {owner_of(SECRET)}",
    ],
)
def test_passwords_and_owners_are_masked_wherever_they_come_from(lines, text):
    try:
        raise OSError(text)
    except OSError:
        logging.getLogger("mnist_core.database").exception("%s", text)
    written = "\n".join(lines())
    assert "***" in written
    assert SECRET not in written
    assert owner_of(SECRET) not in written


def test_the_events_of_a_run_are_logged_without_its_owner_and_name(lines, store):
    run = waiting_run(store)
    store.rename(run.id, run.owner, "Ada Lovelace")
    store.request_stop(run.id, run.owner)
    done = finished_run(store)
    failed = finished_run(store, state=FAILED, message="It diverged.")
    written = lines()
    text = "\n".join(written)
    assert f"run {run.id} submitted, preset classic" in text
    assert f"WARNING runs: run {run.id} interrupted: Stopped before it began." in text
    assert re.search(rf"run {done.id} finished: [\d.]+ s of training, test accuracy 98\.", text)
    assert f"WARNING runs: run {failed.id} failed: It diverged." in text
    assert all(map(LINE.fullmatch, written))
    assert run.owner not in text
    assert "Ada" not in text


def test_a_run_that_loses_its_worker_is_logged(lines, store):
    run = running_run(store)
    store.remove("worker")
    assert f"run {run.id} lost its worker worker, and waits for another" in "\n".join(lines())


def test_an_outage_of_the_database_is_logged_once_and_so_is_its_end(lines, store, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(faults, "outage", faults.Outage(clock=lambda: now[0]))
    cause = OSError(f"no connection to postgres://app:{SECRET}@db/mnist")
    for _ in range(3):
        with pytest.raises(StoreUnavailable), faults.explained():
            raise sa.exc.OperationalError("SELECT 1", {}, cause)
    now[0] = 142.0
    for _ in range(3):
        store.waiting()
    away, back = lines()
    assert "WARNING database: The database of runs does not answer" in away
    assert "OSError: no connection to postgres://***@db/mnist" in away
    assert back.endswith("INFO database: the database is back after 42 s")


def test_reading_does_not_end_an_outage_of_writing(lines, store, monkeypatch):
    monkeypatch.setattr(faults, "outage", faults.Outage())

    def insert() -> None:
        faults.note_statement(None, None, "INSERT INTO runs (id) VALUES (?)")
        raise sa.exc.OperationalError("INSERT", {}, OSError("readonly database"))

    with pytest.raises(StoreUnavailable), faults.explained():
        insert()
    store.waiting()
    assert len(lines()) == 1
    waiting_run(store)
    assert any("the database is back" in line for line in lines())


def test_errors_do_not_quote_what_was_to_be_stored(store):
    run = waiting_run(store)
    database = engine.open_engine(engine.database_url())
    query = sa.insert(schema.runs).values(id=run.id, name="Ada", owner=run.owner)
    with database.begin() as connection, pytest.raises(sa.exc.IntegrityError) as caught:
        connection.execute(query)
    database.dispose()
    assert "Ada" not in str(caught.value)
    assert run.owner not in str(caught.value)


def test_a_log_that_cannot_be_written_raises_nothing(lines, monkeypatch):
    class Closed:
        def write(self, text):
            raise OSError("no space left")

        flush = write

    monkeypatch.setattr(sys, "stderr", Closed())
    logging.getLogger("pages").warning("lost")
