"""The pool against doubles; processes/test_pool.py has it against real processes."""

import contextlib
import itertools
import os
import socket
import sqlite3

import pytest

from mnist_core import jobs, schema
from mnist_core.errors import StoreUnavailable
from mnist_core.jobs import (
    LOST_SECONDS,
    LOST_SECONDS_LOADING,
    SECOND_LOOK_SECONDS,
    LocalPool,
    open_pool,
    worker_limit,
)
from mnist_core.runs import ENDED, FINISHED, RUNNING, WAITING, RunStore, Worker
from tests.helpers import add_worker, finished_run, running_run, wait_until, waiting_run

HERE = socket.gethostname()


class Clock:
    """Time that passes only when the test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


class Child:
    """A process that does nothing but exist, until it ends."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        return self.returncode

    def terminate(self) -> None:
        self.returncode = -15

    def kill(self) -> None:
        self.returncode = -9

    def wait(self, timeout: float | None = None) -> int | None:
        return self.returncode


class Pool(LocalPool):
    """A pool whose workers are no processes."""

    def __init__(self, store, limit=1) -> None:
        super().__init__(store, limit)
        self.started: list[Child] = []

    def _start_worker(self) -> None:
        child = Child(4000 + len(self.started))
        self.started.append(child)
        self._children.append(child)


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(jobs, "time", clock)
    return clock


@pytest.fixture
def pool(store, clock):
    return Pool(store)


def come_alive(store, child: Child, ready: bool = True) -> str:
    """A started process tells the database that it is there."""
    worker_id = f"worker {child.pid}"
    store.register_worker(Worker(worker_id, HERE, child.pid, 0, ready))
    return worker_id


@pytest.mark.parametrize(("text", "limit"), [("0", 0), ("1", 1), ("7", 7)])
def test_mnist_workers_says_how_many(text, limit):
    assert worker_limit({"MNIST_WORKERS": text}) == limit


@pytest.mark.parametrize("environ", [{}, {"MNIST_WORKERS": ""}, {"MNIST_WORKERS": "many"}])
@pytest.mark.parametrize(("cores", "limit"), [(1, 1), (2, 1), (8, 4), (None, 1)])
def test_otherwise_half_the_cores_train(environ, cores, limit, monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    assert worker_limit(environ) == limit


def test_without_further_settings_runs_train_on_this_machine(store, monkeypatch):
    monkeypatch.setenv("MNIST_WORKERS", "3")
    pool = open_pool(store)
    assert isinstance(pool, LocalPool)
    assert (pool.limit, pool.fetches, pool.problem) == (3, True, "")


def test_a_machine_that_does_not_train_says_so_at_once(store):
    pool = open_pool(store)
    assert (pool.limit, pool.fetches) == (0, False)
    assert pool.problem == jobs.NO_WORKERS


# --- starting ---


def test_no_process_is_started_while_nobody_trains(store, pool):
    finished_run(store)
    store.remove_worker("worker", ENDED)
    pool.tend()
    assert pool.started == []


def test_a_waiting_run_gets_a_worker(store, pool):
    waiting_run(store)
    pool.tend()
    assert len(pool.started) == 1


def test_a_worker_that_is_still_starting_is_waited_for(store, pool):
    waiting_run(store, "a")
    for _ in range(5):
        pool.tend()
    assert len(pool.started) == 1


def test_somebody_about_to_train_finds_a_worker_ready(store, pool):
    pool.wake()
    pool.tend()
    assert len(pool.started) == 1
    pool.tend()
    pool.started[0].returncode = 0  # nobody came, and it ended
    pool.tend()
    assert len(pool.started) == 1


def test_waking_a_pool_that_has_a_worker_starts_no_other(store, pool):
    pool.wake()
    pool.tend()
    come_alive(store, pool.started[0])
    pool.wake()
    pool.tend()
    assert len(pool.started) == 1


def test_a_wanted_download_gets_a_worker(store, pool):
    store.request_download()
    pool.tend()
    assert len(pool.started) == 1


def test_many_waiting_runs_get_no_more_workers_than_the_limit(store, clock):
    pool = Pool(store, limit=2)
    for visitor in "abcd":
        waiting_run(store, visitor)
    for _ in range(5):
        pool.tend()
    assert len(pool.started) == 2


def test_a_limit_of_nothing_starts_nothing(store, clock):
    pool = Pool(store, limit=0)
    waiting_run(store)
    pool.wake()
    pool.tend()
    assert pool.started == []


def test_the_tests_own_pools_start_nothing_by_default(store):
    waiting_run(store)
    pool = LocalPool(store)
    pool.tend()
    assert pool._children == []


def test_an_idle_worker_takes_the_next_run_and_no_other_is_started(store, clock):
    pool = Pool(store, limit=4)
    pool.wake()
    pool.tend()
    come_alive(store, pool.started[0])
    waiting_run(store)
    pool.tend()
    assert len(pool.started) == 1


def test_a_run_that_waits_while_another_trains_gets_a_worker_of_its_own(store, clock):
    pool = Pool(store, limit=2)
    waiting_run(store, "a")
    pool.tend()
    store.claim(come_alive(store, pool.started[0]))
    waiting_run(store, "b")
    pool.tend()
    assert len(pool.started) == 2


def test_at_the_limit_a_run_waits_for_the_one_in_training(store, pool):
    waiting_run(store, "a")
    pool.tend()
    store.claim(come_alive(store, pool.started[0]))
    waiting_run(store, "b")
    pool.tend()
    assert len(pool.started) == 1


def test_a_worker_on_another_machine_counts_for_nothing_here(store, pool):
    add_worker(store, "far", host="another-machine", pid=4000)
    waiting_run(store)
    pool.tend()
    assert len(pool.started) == 1


# --- ending ---


def test_a_dead_workers_run_waits_for_another_at_once(store, pool):
    run = waiting_run(store)
    pool.tend()
    store.claim(come_alive(store, pool.started[0]))
    pool.started[0].returncode = -9
    pool.tend()
    after = store.get(run.id)
    assert (after.state, after.losses) == (WAITING, 1)
    assert store.workers() == []


def test_the_next_run_gets_a_new_worker_after_a_moment(store, pool, clock):
    waiting_run(store, "a")
    pool.tend()
    store.claim(come_alive(store, pool.started[0]))
    pool.started[0].returncode = -9
    pool.tend()
    waiting_run(store, "b")
    pool.tend()
    clock.now += 3
    pool.tend()
    assert len(pool.started) == 2
    assert pool.problem == ""


def test_a_worker_that_ended_in_peace_is_replaced_without_delay(store, pool):
    pool.wake()
    pool.tend()
    pool.started[0].returncode = 0
    waiting_run(store)
    pool.tend()
    assert len(pool.started) == 2


def test_a_worker_that_cannot_start_is_named_and_tried_ever_more_rarely(store, pool, clock):
    waiting_run(store)
    starts = []
    for _ in range(300):
        pool.tend()
        if len(pool.started) > len(starts):
            starts.append(clock.now)
            pool.started[-1].returncode = 1
        clock.now += 1
    assert pool.problem.startswith("The training process does not start on this machine")
    assert pool.problem.endswith(".")
    gaps = [later - earlier for earlier, later in itertools.pairwise(starts)]
    assert gaps == sorted(gaps)
    assert gaps[-1] <= 32
    assert 8 <= len(starts) <= 20


def test_the_problem_is_over_once_a_worker_is_ready(store, pool, clock):
    waiting_run(store)
    while not pool.problem:
        pool.tend()
        for child in pool.started:
            child.returncode = 1
        clock.now += 31
    count = len(pool.started)
    while len(pool.started) == count:
        clock.now += 31
        pool.tend()
    come_alive(store, pool.started[-1])
    pool.tend()
    assert pool.problem == ""


def test_a_machine_that_starts_no_process_is_named_and_tried_again(store, clock):
    class Refused(Pool):
        def _start_worker(self):
            self.started.append(None)
            raise OSError(12, "Cannot allocate memory")

    pool = Refused(store)
    waiting_run(store)
    for _ in range(5):
        pool.tend()
        clock.now += 31
    assert len(pool.started) == 5
    assert pool.problem.startswith("The training process does not start on this machine")


@pytest.mark.parametrize(
    ("ready", "seconds"), [(True, LOST_SECONDS), (False, LOST_SECONDS_LOADING)]
)
def test_a_worker_that_falls_silent_is_given_up_for_lost(
    ready, seconds, store, pool, clock, caplog
):
    run = running_run(store)
    add_worker(store, "silent", ready=ready)
    lost = running_run(store, "other", worker_id="silent")

    def tend_after(passed):
        clock.now += passed
        store.beat("worker", ready=True)
        pool.tend()

    pool.tend()
    tend_after(seconds - 0.1)
    tend_after(0.2)
    assert store.get(lost.id).state == RUNNING, "it is looked at twice"
    tend_after(SECOND_LOOK_SECONDS + 0.1)
    assert (store.get(lost.id).state, store.get(lost.id).losses) == (WAITING, 1)
    assert store.get(run.id).state == RUNNING
    assert [worker.id for worker in store.workers()] == ["worker"]
    assert "worker silent lost: it has been silent for" in caplog.text
    assert f"run {lost.id} lost its worker silent, and waits for another" in caplog.text


@pytest.mark.parametrize("beats", [1, 9])
def test_a_silent_worker_is_noticed_within_five_seconds_of_its_last_beat(beats, store, pool, clock):
    run = running_run(store)
    for _ in range(beats):
        clock.now += jobs.TEND_SECONDS
        store.beat("worker", ready=True)
        pool.tend()
    last_seen = clock.now
    while store.get(run.id).state == RUNNING:
        clock.now += jobs.TEND_SECONDS
        pool.tend()
    assert 4 <= clock.now - last_seen <= 5
    assert store.workers() == []


def test_a_beat_after_the_first_look_clears_all_suspicion(store, pool, clock):
    run = running_run(store)
    pool.tend()
    for _ in range(3):
        clock.now += LOST_SECONDS + 0.1
        pool.tend()
        store.beat("worker", ready=True)
        clock.now += SECOND_LOOK_SECONDS + 0.1
        pool.tend()
    assert store.get(run.id).state == RUNNING


def test_a_worker_that_hangs_makes_room_for_another(store, pool, clock):
    run = waiting_run(store)
    pool.tend()
    store.claim(come_alive(store, pool.started[0]))
    for _ in range(12):
        pool.tend()
        clock.now += 1
    assert pool.started[0].returncode == -9
    assert len(pool.started) == 2
    assert store.claim(come_alive(store, pool.started[1])).id == run.id


def test_another_machines_process_of_the_same_number_is_left_alone(store, pool, clock):
    pool.wake()
    pool.tend()
    come_alive(store, pool.started[0])
    add_worker(store, "far", host="another-machine", pid=pool.started[0].pid)
    for _ in range(12):
        store.beat(f"worker {pool.started[0].pid}", ready=True)
        pool.tend()
        clock.now += 1
    assert [worker.host for worker in store.workers()] == [HERE]
    assert pool.started[0].returncode is None


@pytest.mark.parametrize("looks", [5, 6, 7, 8, 9, 10, 20])
def test_a_database_that_takes_nothing_does_not_make_its_workers_lost(
    looks, store, clock, monkeypatch, user_data
):
    monkeypatch.setattr(schema, "BUSY_SECONDS", 0.01)
    own = RunStore()
    pool = Pool(own)
    run = running_run(store)
    pool.tend()
    held = sqlite3.connect(user_data / "runs.db", isolation_level=None)
    held.execute("BEGIN IMMEDIATE")
    for _ in range(looks):
        clock.now += jobs.TEND_SECONDS
        # Nobody can write: neither the worker its beat nor the pool that it is lost.
        with contextlib.suppress(StoreUnavailable):
            pool.tend()
    held.execute("ROLLBACK")
    held.close()
    clock.now += jobs.TEND_SECONDS
    pool.tend()
    store.beat("worker", ready=True)
    for _ in range(5):
        clock.now += jobs.TEND_SECONDS
        pool.tend()
    assert store.get(run.id).state == RUNNING
    own.close()


def test_a_worker_that_beats_at_the_last_moment_is_not_lost(store, pool, clock, monkeypatch):
    def remove_late(self, worker_id, *others):
        self.beat(worker_id, ready=True)
        return remove(self, worker_id, *others)

    remove = RunStore.remove_worker
    monkeypatch.setattr(RunStore, "remove_worker", remove_late)
    run = running_run(store)
    for _ in range(30):
        pool.tend()
        clock.now += jobs.TEND_SECONDS
    assert store.get(run.id).state == RUNNING
    assert store.workers()[0].beat > 1


def test_a_worker_that_beats_is_never_lost(store, pool, clock):
    run = running_run(store)
    for _ in range(50):
        clock.now += LOST_SECONDS - 0.1
        store.beat("worker", ready=True)
        pool.tend()
    assert store.get(run.id).state == RUNNING


def test_a_run_left_over_from_before_the_power_failed_goes_on(store, clock):
    run = running_run(store)
    pool = Pool(store)
    for _ in range(3):
        pool.tend()
        clock.now += LOST_SECONDS + 0.1
    assert store.get(run.id).state == WAITING


def test_the_end_of_a_pool_ends_its_workers(store, pool):
    waiting_run(store)
    pool.tend()
    pool.end()
    assert pool.started[0].returncode == -15


# --- in the background ---


def test_a_started_pool_tends_by_itself_until_its_end(store, monkeypatch):
    monkeypatch.setattr(jobs, "TEND_SECONDS", 0.01)
    pool = Pool(store)
    assert pool.start() is pool
    waiting_run(store)
    wait_until(lambda: pool.started)
    pool.end()


def test_a_pool_outlives_a_database_that_is_away(store, monkeypatch):
    monkeypatch.setattr(jobs, "TEND_SECONDS", 0.01)

    class Away(Pool):
        looks = 0

        def tend(self):
            self.looks += 1
            if self.looks < 3:
                raise StoreUnavailable("The database of runs does not answer.")
            super().tend()

    pool = Away(store).start()
    waiting_run(store)
    wait_until(lambda: pool.started)
    pool.end()


def test_finished_runs_are_left_alone(store, pool, clock):
    run = finished_run(store)
    pool.tend()
    clock.now += 1000
    pool.tend()
    assert store.get(run.id).state == FINISHED
