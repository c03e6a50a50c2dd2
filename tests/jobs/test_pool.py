"""The pool against doubles; processes/test_pool.py has it against real processes."""

import contextlib
import inspect
import itertools
import os
import re
import socket
import sqlite3

import pytest

from mnist_core.config import PRESETS
from mnist_core.errors import StoreUnavailable
from mnist_core.jobs import dask_pool, local_pool
from mnist_core.jobs import pool as pool_module
from mnist_core.jobs.dask_pool import DaskPool, place_in, place_of
from mnist_core.jobs.local_pool import LocalPool, worker_limit
from mnist_core.jobs.opening import open_pool, workers_in_words
from mnist_core.jobs.pool import LOST_SECONDS, LOST_SECONDS_LOADING, SECOND_LOOK_SECONDS
from mnist_core.store import engine, schema
from mnist_core.store.run import FINISHED, RUNNING, WAITING
from mnist_core.store.workers import Worker
from tests.helpers import (
    PROJECT,
    Store,
    add_worker,
    finished_run,
    running_run,
    wait_until,
    waiting_run,
)

HERE = socket.gethostname()


class Clock:
    """Time that passes only when the test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


class Child:
    """A process that does nothing but exist, until it ends."""

    def __init__(self, pid: int, worker_id: str) -> None:
        self.pid = pid
        self.worker_id = worker_id
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

    def _start_process(self, worker_id: str) -> Child:
        self.started.append(Child(4000 + len(self.started), worker_id))
        return self.started[-1]


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(pool_module.Pool, "clock", clock.monotonic)
    return clock


@pytest.fixture
def pool(store, clock):
    return Pool(store)


def come_alive(store, child: Child, ready: bool = True) -> str:
    """A started process tells the database that it is there."""
    store.register(Worker(child.worker_id, HERE, child.pid, 0, ready))
    return child.worker_id


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
    assert pool.problem == local_pool.NO_WORKERS


# --- starting ---


def test_no_process_is_started_while_nobody_trains(store, pool):
    finished_run(store)
    store.remove("worker")
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


def test_the_tests_own_pools_start_nothing_by_default(store, monkeypatch):
    started = []
    monkeypatch.setattr(
        local_pool.subprocess, "Popen", lambda *command, **_: started.append(command)
    )
    waiting_run(store)
    LocalPool(store).tend()
    assert started == []


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
    store.claim_run(come_alive(store, pool.started[0]))
    waiting_run(store, "b")
    pool.tend()
    assert len(pool.started) == 2


def test_at_the_limit_a_run_waits_for_the_one_in_training(store, pool):
    waiting_run(store, "a")
    pool.tend()
    store.claim_run(come_alive(store, pool.started[0]))
    waiting_run(store, "b")
    pool.tend()
    assert len(pool.started) == 1


def test_a_worker_that_another_pool_started_counts_for_nothing_here(store, pool):
    add_worker(store, "other", host=HERE, pid=4000)
    waiting_run(store)
    pool.tend()
    assert len(pool.started) == 1


# --- ending ---


def test_a_dead_workers_run_waits_for_another_at_once(store, pool):
    run = waiting_run(store)
    pool.tend()
    store.claim_run(come_alive(store, pool.started[0]))
    pool.started[0].returncode = -9
    pool.tend()
    after = store.get(run.id)
    assert (after.state, after.losses) == (WAITING, 1)
    assert store.registered() == []


def test_the_next_run_gets_a_new_worker_after_a_moment(store, pool, clock):
    waiting_run(store, "a")
    pool.tend()
    store.claim_run(come_alive(store, pool.started[0]))
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
    assert [worker.id for worker in store.registered()] == ["worker"]
    assert "worker silent lost: it has been silent for" in caplog.text
    assert f"run {lost.id} lost its worker silent, and waits for another" in caplog.text


@pytest.mark.parametrize("beats", [1, 9])
def test_a_silent_worker_is_noticed_within_five_seconds_of_its_last_beat(beats, store, pool, clock):
    run = running_run(store)
    for _ in range(beats):
        clock.now += pool_module.TEND_SECONDS
        store.beat("worker", ready=True)
        pool.tend()
    last_seen = clock.now
    while store.get(run.id).state == RUNNING:
        clock.now += pool_module.TEND_SECONDS
        pool.tend()
    assert 4 <= clock.now - last_seen <= 5
    assert store.registered() == []


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
    store.claim_run(come_alive(store, pool.started[0]))
    for _ in range(12):
        pool.tend()
        clock.now += 1
    assert pool.started[0].returncode == -9
    assert len(pool.started) == 2
    assert store.claim_run(come_alive(store, pool.started[1])).id == run.id


def test_the_death_of_a_worker_leaves_its_namesake_in_another_container_alone(store, clock):
    """Two containers may have one host name, and their processes the same numbers."""
    pools = [Pool(store), Pool(store)]
    runs = []
    for visitor, pool in zip("ab", pools, strict=True):
        runs.append(waiting_run(store, visitor))
        pool.tend()
        store.claim_run(come_alive(store, pool.started[0]))
    assert pools[0].started[0].pid == pools[1].started[0].pid
    pools[0].started[0].returncode = -9
    pools[0].tend()
    assert [store.get(run.id).state for run in runs] == [WAITING, RUNNING]
    assert [worker.id for worker in store.registered()] == [pools[1].started[0].worker_id]


def test_a_silent_worker_costs_its_namesake_in_another_container_nothing(store, clock):
    pools = [Pool(store), Pool(store)]
    for pool in pools:
        pool.wake()
        pool.tend()
        come_alive(store, pool.started[0])
    silent, other = (pool.started[0] for pool in pools)
    for _ in range(12):
        store.beat(other.worker_id, ready=True)
        for pool in pools:
            pool.tend()
        clock.now += 1
    assert [worker.id for worker in store.registered()] == [other.worker_id]
    assert (silent.returncode, other.returncode) == (-9, None)


def test_a_worker_that_dies_before_it_is_ready_makes_room_at_once(store, pool):
    run = waiting_run(store)
    pool.tend()
    come_alive(store, pool.started[0], ready=False)
    pool.started[0].returncode = 0
    pool.tend()
    assert store.registered() == []
    assert len(pool.started) == 2
    assert store.claim_run(come_alive(store, pool.started[1])).id == run.id


def test_a_process_that_hangs_before_it_registers_makes_room_in_the_end(store, pool, clock):
    waiting_run(store)
    pool.tend()
    clock.now += LOST_SECONDS_LOADING + 1
    pool.tend()
    assert pool.started[0].returncode == -9
    pool.tend()
    clock.now += 3
    pool.tend()
    assert len(pool.started) == 2


@pytest.mark.parametrize("looks", [5, 6, 7, 8, 9, 10, 20])
def test_a_database_that_takes_nothing_does_not_make_its_workers_lost(
    looks, store, clock, monkeypatch, user_data
):
    monkeypatch.setattr(engine, "BUSY_SECONDS", 0.01)
    own = Store()
    pool = Pool(own)
    run = running_run(store)
    pool.tend()
    held = sqlite3.connect(user_data / "runs.db", isolation_level=None)
    held.execute("BEGIN IMMEDIATE")
    for _ in range(looks):
        clock.now += pool_module.TEND_SECONDS
        # Nobody can write: neither the worker its beat nor the pool that it is lost.
        with contextlib.suppress(StoreUnavailable):
            pool.tend()
    held.execute("ROLLBACK")
    held.close()
    clock.now += pool_module.TEND_SECONDS
    pool.tend()
    store.beat("worker", ready=True)
    for _ in range(5):
        clock.now += pool_module.TEND_SECONDS
        pool.tend()
    assert store.get(run.id).state == RUNNING
    own.close()


def test_a_worker_that_beats_at_the_last_moment_is_not_lost(store, pool, clock, monkeypatch):
    def remove_late(self, worker_id, *others):
        self.beat(worker_id, ready=True)
        return remove(self, worker_id, *others)

    remove = Store.remove
    monkeypatch.setattr(Store, "remove", remove_late)
    run = running_run(store)
    for _ in range(30):
        pool.tend()
        clock.now += pool_module.TEND_SECONDS
    assert store.get(run.id).state == RUNNING
    assert store.registered()[0].beat > 1


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
    monkeypatch.setattr(pool_module, "TEND_SECONDS", 0.01)
    pool = Pool(store)
    assert pool.start() is pool
    waiting_run(store)
    wait_until(lambda: pool.started)
    pool.end()


def test_a_pool_outlives_a_database_that_is_away(store, monkeypatch):
    monkeypatch.setattr(pool_module, "TEND_SECONDS", 0.01)

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


# --- a cluster ---

ADDRESS = "tcp://scheduler:8786"
FIRST, SECOND = "tcp://10.0.0.7:40001", "tcp://10.0.0.8:40001"


class Task:
    """What a client holds of a task."""

    def __init__(self) -> None:
        self.status = "pending"

    def exception(self, timeout: float) -> Exception:
        return StoreUnavailable("The database of runs cannot be opened.")


class Scheduler:
    """A scheduler and the processes of its cluster, in so far as pools ask for them."""

    def __init__(self) -> None:
        self.away = False
        self.installed = True
        self.asked = 0
        self.connections: list[Connection] = []
        self.processes: dict[str, dict[str, Task]] = {FIRST: {}, SECOND: {}}
        # Tasks that wait for a process that is no more.
        self.stranded: dict[str, Task] = {}
        self.restarted: list[str] = []

    def connect(self, address: str) -> "Connection":
        assert address == ADDRESS
        self.asked += 1
        if not self.installed:
            raise ModuleNotFoundError("No module named 'distributed'")
        if self.away:
            raise OSError("Timed out trying to connect")
        self.connections.append(Connection(self))
        return self.connections[-1]

    def tasks(self) -> dict[str, Task]:
        return {key: task for tasks in self.processes.values() for key, task in tasks.items()}

    def begin(self, store, address: str, ready: bool = True) -> str:
        """The task at this process becomes a worker."""
        (place,) = self.processes[address]
        worker_id = f"{place}-1234567890"
        store.register(Worker(worker_id, "elsewhere", 77, 0, ready))
        return worker_id

    def finish(self, address: str, status: str = "finished") -> None:
        for task in self.processes[address].values():
            task.status = status
        self.processes[address] = {}

    def kill(self, address: str, successor: str) -> None:
        """A process ends, and its nanny starts another with another address."""
        self.stranded |= self.processes.pop(address)
        self.processes[successor] = {}

    def restart(self) -> None:
        """The scheduler forgets everything, and its processes end and are started anew."""
        for connection in self.connections:
            connection.connected = False
        self.processes = {f"{address}1": {} for address in self.processes}


class Connection:
    """A client of that scheduler."""

    def __init__(self, scheduler: Scheduler) -> None:
        self.scheduler = scheduler
        self.connected = True

    def close(self) -> None:
        self.connected = False

    def tasks(self) -> dict[str, list[str]]:
        if self.scheduler.away:
            raise TimeoutError("timed out after 5 s.")
        return {address: list(tasks) for address, tasks in self.scheduler.processes.items()}

    def start(self, place: str, address: str) -> Task:
        assert place == place_of(address)
        return self.scheduler.processes[address].setdefault(place, Task())

    def cancel(self, place: str) -> None:
        self.scheduler.stranded.pop(place, None)
        for tasks in self.scheduler.processes.values():
            tasks.pop(place, None)

    def restart(self, address: str) -> None:
        self.scheduler.restarted.append(address)
        self.scheduler.kill(address, f"{address}9")


@pytest.fixture
def scheduler(monkeypatch):
    scheduler = Scheduler()
    monkeypatch.setattr(dask_pool, "Cluster", scheduler.connect)
    return scheduler


@pytest.fixture
def cluster(store, clock, scheduler):
    return DaskPool(store, ADDRESS)


def test_with_a_schedulers_address_runs_train_on_its_cluster(store, monkeypatch):
    monkeypatch.setenv("DASK_SCHEDULER_ADDRESS", ADDRESS)
    pool = open_pool(store)
    assert isinstance(pool, DaskPool)
    assert (pool.fetches, pool.problem) == (False, "")
    assert workers_in_words() == "workers on a cluster"


def test_a_places_name_and_its_workers_fit_into_the_database():
    place = place_of("tcp://[2001:db8:85a3:8d3:1319:8a2e:370:7348]:40001")
    assert place == place_of("tcp://[2001:db8:85a3:8d3:1319:8a2e:370:7348]:40001")
    assert place != place_of("tcp://[2001:db8:85a3:8d3:1319:8a2e:370:7348]:40002")
    assert place_in(f"{place}-1234567890") == place
    assert place_in("1234567890") == ""
    assert len(f"{place}-1234567890") <= schema.workers.c.id.type.length


def test_a_cluster_has_as_many_workers_as_processes_and_one_in_each(store, cluster, scheduler):
    for visitor in "abcd":
        waiting_run(store, visitor)
    for _ in range(6):
        cluster.tend()
    assert cluster.limit == 2
    assert [len(tasks) for tasks in scheduler.processes.values()] == [1, 1]


def test_a_cluster_starts_nothing_while_nobody_trains(store, cluster, scheduler):
    store.request_download()
    cluster.tend()
    assert scheduler.tasks() == {}
    cluster.wake()
    cluster.tend()
    cluster.tend()
    assert len(scheduler.tasks()) == 1


def test_a_worker_on_the_cluster_that_is_still_starting_is_waited_for(store, cluster, scheduler):
    waiting_run(store)
    for _ in range(3):
        cluster.tend()
    assert len(scheduler.tasks()) == 1


def test_one_that_never_comes_does_not_keep_others_from_being_started(
    store, cluster, scheduler, clock
):
    waiting_run(store)
    cluster.tend()
    cluster.tend()
    clock.now += LOST_SECONDS_LOADING
    cluster.tend()
    assert len(scheduler.tasks()) == 2


def test_workers_elsewhere_take_up_no_room_on_the_cluster(store, cluster, scheduler):
    running_run(store, "a")
    waiting_run(store, "b")
    cluster.tend()
    assert len(scheduler.tasks()) == 1


def test_what_another_server_started_is_counted(store, cluster, scheduler, clock):
    other = DaskPool(store, ADDRESS)
    waiting_run(store)
    for _ in range(3):
        cluster.tend()
        other.tend()
    assert len(scheduler.tasks()) == 1


def test_two_servers_that_start_a_worker_at_the_same_moment_start_one(
    store, cluster, scheduler, clock
):
    other = DaskPool(store, ADDRESS)
    cluster.tend()
    other.tend()
    cluster._start_worker()
    other._start_worker()
    assert len(scheduler.tasks()) == 1
    scheduler.finish(FIRST)
    cluster.tend()
    other.tend()
    assert cluster._tasks == other._tasks == {}


def test_a_process_whose_worker_the_scheduler_forgot_gets_no_second_one(store, cluster, scheduler):
    cluster.wake()
    cluster.tend()
    busy = store.begin(PRESETS["classic"], "owner", scheduler.begin(store, FIRST))
    scheduler.processes[FIRST].clear()
    waiting_run(store, "b")
    cluster.tend()
    assert store.get(busy.id).state == RUNNING
    assert [list(tasks) for tasks in scheduler.processes.values()] == [[], [place_of(SECOND)]]


def test_a_worker_that_ended_in_peace_can_be_started_again(store, cluster, scheduler):
    cluster.wake()
    cluster.tend()
    worker_id = scheduler.begin(store, FIRST)
    cluster.tend()
    store.remove(worker_id)
    scheduler.finish(FIRST)
    cluster.tend()
    assert (scheduler.tasks(), cluster.problem) == ({}, "")
    waiting_run(store)
    cluster.tend()
    assert len(scheduler.tasks()) == 1


def test_a_killed_processs_run_waits_for_another_at_once(store, cluster, scheduler):
    run = waiting_run(store)
    cluster.tend()
    store.claim_run(scheduler.begin(store, FIRST))
    cluster.tend()
    scheduler.kill(FIRST, "tcp://10.0.0.7:40002")
    cluster.tend()
    after = store.get(run.id)
    assert (after.state, after.losses) == (WAITING, 1)
    assert store.registered() == []
    assert scheduler.stranded == {}, "what waits for a process that is no more is cancelled"
    assert len(scheduler.tasks()) == 1
    assert cluster.problem == ""


def run_whose_worker_hangs(store, cluster, scheduler, clock):
    """A run that a worker on the cluster had, which has been silent for long enough."""
    run = waiting_run(store)
    cluster.tend()
    store.claim_run(scheduler.begin(store, FIRST))
    for _ in range(12):
        cluster.tend()
        clock.now += 1
    return run


def test_a_worker_that_hangs_is_ended_with_its_process(store, cluster, scheduler, clock):
    run = run_whose_worker_hangs(store, cluster, scheduler, clock)
    assert scheduler.restarted == [FIRST]
    assert store.get(run.id).state == WAITING
    assert len(scheduler.tasks()) == 1


def test_a_process_that_cannot_be_restarted_does_not_end_the_pool(
    store, cluster, scheduler, clock, monkeypatch, caplog
):
    def refuse(connection, address):
        raise TimeoutError("1 nanny did not answer")

    monkeypatch.setattr(Connection, "restart", refuse)
    run = run_whose_worker_hangs(store, cluster, scheduler, clock)
    assert store.get(run.id).state == WAITING
    assert "was not restarted: 1 nanny did not answer" in caplog.text


def test_a_scheduler_that_is_not_there_is_named_and_asked_again_now_and_then(
    store, cluster, scheduler, clock, caplog
):
    scheduler.away = True
    run = waiting_run(store)
    for _ in range(20):
        cluster.tend()
        clock.now += pool_module.TEND_SECONDS
    assert cluster.problem == dask_pool.SCHEDULER_AWAY
    assert cluster.limit == 0
    assert 3 <= scheduler.asked <= 5
    assert caplog.text.count("does not answer") == 1
    scheduler.away = False
    clock.now += dask_pool.AGAIN_SECONDS
    cluster.tend()
    assert cluster.problem == ""
    assert len(scheduler.tasks()) == 1
    assert store.get(run.id).state == WAITING


def test_while_the_scheduler_is_away_silent_workers_are_given_up(store, cluster, scheduler, clock):
    run = waiting_run(store)
    cluster.tend()
    worker_id = scheduler.begin(store, FIRST)
    store.claim_run(worker_id)
    cluster.tend()
    scheduler.away = True
    for _ in range(10):
        clock.now += 1
        store.beat(worker_id, ready=True)
        cluster.tend()
    assert store.get(run.id).state == RUNNING, "it goes on training while it lives"
    for _ in range(6):
        clock.now += 1
        cluster.tend()
    assert store.get(run.id).state == WAITING
    assert scheduler.restarted == []


def test_a_restarted_scheduler_is_reached_over_a_new_connection(store, cluster, scheduler, clock):
    run = waiting_run(store, "a")
    cluster.tend()
    worker_id = scheduler.begin(store, FIRST)
    store.claim_run(worker_id)
    cluster.tend()
    scheduler.restart()
    waiting_run(store, "b")
    cluster.tend()
    assert [connection.connected for connection in scheduler.connections] == [False, True]
    assert len(scheduler.tasks()) == 1, "the old worker takes up no room in the new cluster"
    assert store.get(run.id).state == RUNNING, "it may still train, and is not missed yet"
    assert cluster.problem == ""


def test_a_connection_that_breaks_at_a_workers_start_does_not_end_the_pool(
    store, cluster, scheduler, clock, monkeypatch
):
    def break_off(connection, place, address):
        connection.connected = False
        raise RuntimeError("the client is closed")

    waiting_run(store)
    with monkeypatch.context() as patch:
        patch.setattr(Connection, "start", break_off)
        cluster.tend()
    cluster.tend()
    assert len(scheduler.tasks()) == 1
    assert cluster.problem == ""


def test_a_cluster_without_workers_is_named(store, cluster, scheduler):
    scheduler.processes = {}
    waiting_run(store)
    cluster.tend()
    assert cluster.problem == dask_pool.CLUSTER_EMPTY
    scheduler.processes = {FIRST: {}}
    cluster.tend()
    assert cluster.problem == ""


def test_a_server_without_the_package_for_clusters_says_which_file_brings_it(
    store, cluster, scheduler
):
    scheduler.installed = False
    cluster.tend()
    assert cluster.problem == dask_pool.NO_CLIENT
    assert "requirements-cluster.txt" in cluster.problem
    assert (PROJECT / "requirements-cluster.txt").exists()


def occupied(scheduler):
    """The one process that has a task."""
    (address,) = [address for address, tasks in scheduler.processes.items() if tasks]
    return address


def test_workers_that_cannot_work_on_the_cluster_are_named(
    store, cluster, scheduler, clock, caplog
):
    waiting_run(store)
    while not cluster.problem:
        cluster.tend()
        for address in [FIRST, SECOND]:
            if scheduler.processes[address]:
                scheduler.finish(address, "error")
        clock.now += 31
    assert cluster.problem == DaskPool.FAILING
    assert "a worker on the cluster ended: The database of runs cannot be opened." in caplog.text
    while not scheduler.tasks():
        clock.now += 31
        cluster.tend()
    scheduler.begin(store, occupied(scheduler))
    cluster.tend()
    assert cluster.problem == ""


def test_a_machine_where_workers_fail_keeps_no_other_from_working(store, cluster, scheduler, clock):
    waiting_run(store)
    cluster.tend()
    bad = occupied(scheduler)
    (good,) = {FIRST, SECOND} - {bad}
    scheduler.finish(bad, "error")
    cluster.tend()
    clock.now += 31
    cluster.tend()
    assert list(scheduler.processes[good]) == [place_of(good)]
    assert not scheduler.processes[bad]


def test_the_end_of_a_pool_leaves_its_workers_on_the_cluster_alone(store, cluster, scheduler):
    waiting_run(store)
    cluster.tend()
    cluster.end()
    assert not scheduler.connections[0].connected
    assert len(scheduler.tasks()) == 1


def test_nothing_goes_through_the_scheduler_but_the_name_of_a_place():
    assert list(inspect.signature(dask_pool.work_on_cluster).parameters) == ["place"]
    assert re.fullmatch("dask-[0-9a-f]{12}", place_of(FIRST))


@pytest.mark.parametrize("folder", ["mnist_core", "pages"])
def test_no_other_module_knows_where_runs_train(folder):
    for path in (PROJECT / folder).rglob("*.py"):
        if path.parent.name != "jobs":
            words = path.read_text().lower()
            for word in ("dask", "distributed", "cluster"):
                assert word not in words, path
