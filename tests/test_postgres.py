"""What only a database with many writers at once can get wrong, on a real Postgres."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
import sqlalchemy as sa

from mnist_core.errors import NotAllowed
from mnist_core.jobs import recorder as recorder_module
from mnist_core.store import engine
from mnist_core.store.run import CHECKPOINT, FINISHED, RUNNING, WAITING, owner_of
from tests.extras import needs
from tests.helpers import Store, add_worker, at_once, reports, running_run, wait_until, waiting_run

pytestmark = [
    needs("postgres"),
    pytest.mark.parametrize("database_url", ["postgres"], indirect=True),
]
MANY = 20


@pytest.fixture
def stores(database_url) -> Iterator[list[Store]]:
    """As many processes' ways to the same database."""
    opened = [Store(database_url) for _ in range(MANY)]
    yield opened
    for one in opened:
        one.close()


@pytest.fixture
def hasty(monkeypatch):
    """A writer that would have to wait for another one is refused."""
    monkeypatch.setattr(engine, "BUSY_SECONDS", 0.05)


@contextmanager
def another_program(store: Store) -> Iterator[sa.Connection]:
    """A transaction that another program makes in the same database."""
    with sa.create_engine(store.database.url, poolclass=sa.NullPool).begin() as connection:
        yield connection


@contextmanager
def held(store: Store, statement: str) -> Iterator[None]:
    """Another program is in the middle of a transaction that began with this statement."""
    with another_program(store) as connection:
        connection.exec_driver_sql(statement)
        yield


def test_many_workers_that_claim_at_once_get_a_run_each(store, stores, monkeypatch):
    monkeypatch.setattr(engine, "BUSY_SECONDS", 60)
    expected = {waiting_run(store, f"visitor {i}").id for i in range(MANY)}
    for i in range(MANY):
        add_worker(store, f"w{i}")
    claimed = at_once([lambda i=i: stores[i].claim_run(f"w{i}").id for i in range(MANY)])
    assert sorted(claimed) == sorted(expected)
    assert [store.get(run_id).worker for run_id in claimed] == [f"w{i}" for i in range(MANY)]
    assert store.waiting() == 0


def test_of_what_many_workers_report_at_once_nothing_is_lost_or_doubled(store, stores):
    runs = [running_run(store, f"visitor {i}", steps=0, worker_id=f"w{i}").id for i in range(MANY)]

    def report(i: int) -> None:
        for first in range(1, 50, 5):
            last = first + 4
            state = (last, b"state of %d" % last)
            stores[i].report(runs[i], f"w{i}", reports(5, first=first), state)
            assert stores[i].beat(f"w{i}", ready=True)

    assert at_once([lambda i=i: report(i) for i in range(MANY)]) == [None] * MANY
    for run_id in runs:
        assert store.metrics(run_id) == reports(50)
        assert store.get(run_id).checkpoint_step == 50
        assert store.artifact(run_id, CHECKPOINT) == b"state of 50"
    assert {worker.beat for worker in store.registered()} == {10}


def test_reports_and_beats_wait_for_no_other_writer(store, hasty):
    mine = running_run(store, "me", steps=0, worker_id="mine")
    other = running_run(store, "other", steps=0, worker_id="other")
    with (
        held(store, f"SELECT pg_advisory_xact_lock({engine.WRITERS})"),
        held(store, f"SELECT * FROM tasks WHERE id = '{other.id}' FOR UPDATE"),
    ):
        store.report(mine.id, "mine", reports(3), (3, b"state"))
        assert store.beat("mine", ready=True)
        with pytest.raises(engine.StoreUnavailable, match="in use by another"):
            store.report(other.id, "other", reports(3))
        with pytest.raises(engine.StoreUnavailable, match="in use by another"):
            waiting_run(store)
    assert store.metrics(mine.id) == reports(3)
    assert store.report(other.id, "other", reports(3)).id == other.id


def test_who_vanishes_while_it_writes_keeps_the_others_out_for_seconds_only(
    store, run, monkeypatch
):
    monkeypatch.setattr(engine, "VANISHED_SECONDS", 0.2)
    # Its machine is gone and says no more, not even that it is.
    silent = engine.open_engine(store.database.url).execution_options(write=True)
    with silent.connect() as gone:
        gone.exec_driver_sql(f"SELECT * FROM tasks WHERE id = '{run.id}' FOR UPDATE")
        store.remove("worker")
        with pytest.raises(sa.exc.DBAPIError, match="idle-in-transaction"):
            gone.exec_driver_sql("SELECT 1")
    silent.dispose()
    assert not store.get(run.id).active, "it was the third worker lost"


def test_an_empty_report_waits_for_nobody(store, hasty):
    run = running_run(store)
    with held(store, f"SELECT * FROM tasks WHERE id = '{run.id}' FOR UPDATE"):
        assert store.report(run.id, "worker", []) == run
        with pytest.raises(NotAllowed, match="taken from this worker"):
            store.report(run.id, "other", [])


@contextmanager
def report_on_its_way(store: Store, run_id: str) -> Iterator[None]:
    """A report of step 13 with a checkpoint has been written, and is not yet committed; it is
    once somebody waits for it."""
    reporting = Store(store.database.url)
    written, waited_for = threading.Event(), threading.Event()

    def pause(*_: object) -> None:
        written.set()
        waited_for.wait()

    sa.event.listen(reporting.database.engine, "commit", pause)
    arguments = (run_id, "worker", reports(1, first=13), (13, b"newer"))
    thread = threading.Thread(target=reporting.report, args=arguments)
    thread.start()
    written.wait()
    release = threading.Thread(
        target=lambda: (wait_until(lambda: somebody_waits(store)), waited_for.set())
    )
    release.start()
    yield
    release.join()
    thread.join()
    reporting.close()


def somebody_waits(store: Store) -> bool:
    """Whether a connection to this database waits for another's lock."""
    query = (
        "SELECT count(*) FROM pg_stat_activity "
        "WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    with another_program(store) as connection:
        return bool(connection.exec_driver_sql(query).scalar())


@pytest.fixture
def run(store):
    """A run with 12 steps reported, a checkpoint, and a lost worker in its past."""
    run = running_run(store, "me", steps=10)
    store.report(run.id, "worker", reports(2, first=11), (12, b"older"))
    with another_program(store) as connection:
        connection.exec_driver_sql("UPDATE tasks SET losses = 2")
    return run


def test_a_stop_that_is_asked_for_during_a_report_is_not_lost(store, run):
    with report_on_its_way(store, run.id):
        store.request_stop(run.id, owner_of("me"))
    after = store.get(run.id)
    assert (after.stop_requested, after.checkpoint_step, after.losses) == (True, 13, 0)
    assert store.report(run.id, "worker", []).stop_requested


def test_a_worker_lost_during_its_report_leaves_what_it_reported(store, run):
    with report_on_its_way(store, run.id):
        store.remove("worker")
    after = store.get(run.id)
    assert (after.state, after.losses) == (WAITING, 1), "the report showed that it gets on"
    again = store.claim_run(add_worker(store, "next"))
    assert (again.state, again.checkpoint_step) == (RUNNING, 13)
    assert store.metrics(run.id) == reports(13)
    assert store.artifact(run.id, CHECKPOINT) == b"newer"


def test_a_run_that_ends_during_its_last_report_ends_after_it(store, run):
    with report_on_its_way(store, run.id):
        store.complete(run.id, "worker", FINISHED, artifacts={CHECKPOINT: b"last"})
    assert store.get(run.id).state == FINISHED
    assert store.metrics(run.id) == reports(13)
    assert store.artifact(run.id, CHECKPOINT) == b"last"


def test_a_name_given_during_a_report_is_kept(store, run):
    with report_on_its_way(store, run.id):
        store.rename(run.id, owner_of("me"), "Mine")
    after = store.get(run.id)
    assert (after.name, after.checkpoint_step) == ("Mine", 13)


def test_a_report_that_comes_after_its_run_was_taken_stores_nothing(store, run):
    with ThreadPoolExecutor() as pool:
        with another_program(store) as connection:
            connection.exec_driver_sql("UPDATE tasks SET state = 'waiting'")
            late = pool.submit(store.report, run.id, "worker", reports(1, first=13))
            wait_until(lambda: somebody_waits(store))
        with pytest.raises(NotAllowed, match="taken from this worker"):
            late.result()
    assert store.metrics(run.id) == reports(12)


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_a_postgres_that_is_stopped_and_started_again_loses_no_report(
    mode, store, run, postgres, monkeypatch, caplog
):
    monkeypatch.setattr(recorder_module, "STORE_SECONDS", 0.001)
    recorder = recorder_module.Recorder(store, run, "worker")
    recorder.start()
    recorder(reports(1, first=13)[0])
    wait_until(lambda: store.last_step(run.id) == 13)
    postgres.stop(mode)
    for report in reports(100, first=14):
        recorder(report)
    wait_until(lambda: "does not answer" in caplog.text)
    postgres.start()
    recorder.end()
    recorder_module.patiently(recorder.flush)
    assert store.metrics(run.id) == reports(113)
    assert recorder.should_stop() is False
