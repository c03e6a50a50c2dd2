"""Runs are never lost: what a server meets in a year, done to the real processes.

Every fault here is a real one: signals, a locked file, limits of the operating system.
After each the same must be true: what was seen of finished epochs is still there, no
report is missing, and the run ends with the numbers it would have had without the fault.
Slow, because each new worker loads TensorFlow; so one pool serves most tests, and one run
meets several faults where they do not disturb each other.
"""

import dataclasses
import os
import resource
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mnist_core.jobs.local_pool import LocalPool
from mnist_core.jobs.pool import LOST_SECONDS, SECOND_LOOK_SECONDS
from mnist_core.progress import epoch_ends
from mnist_core.store.engine import BUSY_SECONDS
from mnist_core.store.run import FAILED, FINISHED, INTERRUPTED, LITERT, RUNNING, STOPPED, WAITING
from tests.extras import needs
from tests.helpers import PROJECT, Store, wait_for_end, wait_until
from tests.processes.helpers import (
    CONFIG,
    OWNER,
    after_epoch,
    freeze,
    gone,
    let_seconds_pass,
    outcome,
    submit,
    worker_of,
)

pytestmark = needs("processes")

MORE_EPOCHS = 2
# Longer than a writer waits for its turn, and than a worker may be silent.
OUTAGE_SECONDS = 7.0
UNLIMITED = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)

# A server without its pages: all that it has to do with training.
SERVER = """
import threading
from mnist_core.jobs.local_pool import LocalPool
from mnist_core.store.database import Database
from mnist_core.store.workers import WorkerStore
LocalPool(WorkerStore(Database()), limit=1).start()
threading.Event().wait()
"""
# Python reads a file of this name before anything else: today, yesterday and tomorrow, each
# for half a second. It also says that it was read.
CLOCK = """
import os, pathlib, time
_time = time.time
time.time = lambda: _time() + 86400 * (int(2 * time.monotonic()) % 3 - 1)
(pathlib.Path(os.environ["TEST_JUMPS"]) / str(os.getpid())).write_text("1")
"""


@dataclasses.dataclass(frozen=True)
class Server:
    """A process that has a pool, and the database that it has it for."""

    url: str
    store: Store
    process: subprocess.Popen[bytes]


@pytest.fixture(scope="module")
def undisturbed(store, pool):
    """How the run ends that all tests begin, if nothing happens to it."""
    return outcome(store, wait_for_end(store, submit(store)))


@pytest.fixture(scope="module")
def prolonged(store, pool, undisturbed):
    """How it ends if it is then given ``MORE_EPOCHS``, and still nothing happens to it."""
    (run,) = store.list_runs()
    store.resume(run.id, OWNER, MORE_EPOCHS)
    return outcome(store, wait_for_end(store, run.id))


@pytest.fixture(scope="module")
def lonely_server(tmp_path_factory, user_data):
    """A server in a process of its own, with a database of its own."""
    with serving(tmp_path_factory.mktemp("server")) as server:
        yield server


@contextmanager
def serving(folder: Path, **environ: str) -> Iterator[Server]:
    """A server with a database in this folder; its worker ends after it."""
    url = f"sqlite:///{folder / 'runs.db'}"
    store = Store(url)
    process = subprocess.Popen(
        [sys.executable, "-c", SERVER],
        cwd=PROJECT,
        env=os.environ | environ | {"MNIST_DATABASE_URL": url},
    )
    try:
        yield Server(url, store, process)
    finally:
        process.kill()
        process.wait()
        wait_until(lambda: all(gone(worker.pid) for worker in store.registered()))
        store.close()


def test_a_run_outlives_the_kill_of_its_worker_at_any_time(store, undisturbed, prolonged):
    """In mid-run, after the last epoch, and in epochs that were added when it had ended."""
    run_id = submit(store)
    first = worker_of(store, run_id)
    seen = after_epoch(store, run_id, 2)
    os.kill(first.pid, signal.SIGKILL)
    wait_until(lambda: store.get(run_id).state == WAITING)
    assert store.get(run_id).message == ""

    second = worker_of(store, run_id)
    assert second.id != first.id
    before_the_test = wait_until(
        lambda: ends if len(ends := epoch_ends(store.metrics(run_id))) == CONFIG.epochs else None
    )
    os.kill(second.pid, signal.SIGSTOP)
    assert store.get(run_id).state == RUNNING  # it tests, or exports
    os.kill(second.pid, signal.SIGKILL)
    assert before_the_test[: len(seen)] == seen

    run = wait_for_end(store, run_id)
    assert run.worker not in (first.id, second.id)
    assert epoch_ends(store.metrics(run_id)) == before_the_test
    assert outcome(store, run) == undisturbed

    store.resume(run_id, OWNER, MORE_EPOCHS)
    third = worker_of(store, run_id)
    seen = after_epoch(store, run_id, CONFIG.epochs + 1)
    assert seen[: CONFIG.epochs] == before_the_test
    os.kill(third.pid, signal.SIGKILL)
    run = wait_for_end(store, run_id)
    assert (run.state, run.epochs, run.version) == (FINISHED, CONFIG.epochs + MORE_EPOCHS, 2)
    assert run.worker != third.id
    assert epoch_ends(store.metrics(run_id))[: len(seen)] == seen
    assert outcome(store, run) == prolonged


def test_a_stopped_run_resumes_though_one_worker_hangs_and_the_next_is_ended(store, undisturbed):
    run_id = submit(store)
    worker = worker_of(store, run_id)
    after_epoch(store, run_id, 2.2)
    store.request_stop(run_id, OWNER)
    stopped = wait_for_end(store, run_id)
    assert stopped.state == STOPPED
    seen = epoch_ends(store.metrics(run_id))
    assert store.artifact(run_id, LITERT)
    # The pool has room for one, so the next can come only once it has made an end of this.
    freeze(store, worker.pid)
    store.resume(run_id, OWNER)
    second = worker_of(store, run_id)
    assert second.id != worker.id
    assert gone(worker.pid)
    more = after_epoch(store, run_id, len(seen) + 1)
    assert more[: len(seen)] == seen
    os.kill(second.pid, signal.SIGTERM)
    wait_until(lambda: store.get(run_id).state == WAITING)
    assert store.get(run_id).message == ""
    run = wait_for_end(store, run_id)
    assert run.worker != second.id
    assert epoch_ends(store.metrics(run_id))[: len(more)] == more
    assert outcome(store, run) == undisturbed


def test_a_worker_that_wakes_after_it_was_given_up_stores_nothing(store, pool, undisturbed):
    """It is nobody's child here, so nobody can make an end of it but itself."""
    for worker in store.registered():
        store.remove(worker.id)  # idle, it leaves
    sleeper = subprocess.Popen([sys.executable, "-m", "mnist_core.jobs.worker"], cwd=PROJECT)
    try:
        wait_until(lambda: any(worker.ready for worker in store.registered()))
        run_id = submit(store)
        worker = worker_of(store, run_id)
        assert worker.pid == sleeper.pid
        seen = after_epoch(store, run_id, 2)
        freeze(store, sleeper.pid)
        wait_until(lambda: store.get(run_id).state == WAITING)
        other = worker_of(store, run_id)
        assert other.id != worker.id
        after_epoch(store, run_id, len(seen) + 0.1)
        sleeper.send_signal(signal.SIGCONT)
        assert sleeper.wait(timeout=60) == 0
    finally:
        sleeper.kill()
        sleeper.wait()
    run = wait_for_end(store, run_id)
    assert run.worker == other.id
    assert epoch_ends(store.metrics(run_id))[: len(seen)] == seen
    assert outcome(store, run) == undisturbed


def test_a_database_locked_for_long_costs_neither_the_run_nor_its_worker(
    store, user_data, undisturbed
):
    assert max(BUSY_SECONDS, LOST_SECONDS + SECOND_LOOK_SECONDS) < OUTAGE_SECONDS
    run_id = submit(store)
    worker = worker_of(store, run_id)
    seen = after_epoch(store, run_id, 2)
    other_program = sqlite3.connect(user_data / "runs.db", isolation_level=None)
    other_program.execute("BEGIN IMMEDIATE")
    let_seconds_pass(OUTAGE_SECONDS)
    assert store.get(run_id).state == RUNNING
    other_program.execute("ROLLBACK")
    other_program.close()
    run = wait_for_end(store, run_id)
    assert run.worker == worker.id
    assert [one.id for one in store.registered()] == [worker.id]
    assert epoch_ends(store.metrics(run_id))[: len(seen)] == seen
    assert outcome(store, run) == undisturbed


def test_a_run_for_which_memory_runs_out_ends_in_plain_words(store, undisturbed):
    run_id = submit(store)
    worker = worker_of(store, run_id)
    seen = after_epoch(store, run_id, 1)
    pages = int(Path(f"/proc/{worker.pid}/statm").read_text().split()[0])
    resource.prlimit(
        worker.pid,
        resource.RLIMIT_AS,
        (pages * resource.getpagesize() + 100_000, resource.RLIM_INFINITY),
    )
    run = wait_for_end(store, run_id)
    assert epoch_ends(store.metrics(run_id))[: len(seen)] == seen
    if run.state == FINISHED:
        assert outcome(store, run) == undisturbed
    else:
        assert run.state in (FAILED, INTERRUPTED)
        assert run.message
    # Its worker may still live in its narrow room.
    if not gone(worker.pid):
        resource.prlimit(worker.pid, resource.RLIMIT_AS, UNLIMITED)
    assert outcome(store, wait_for_end(store, submit(store))) == undisturbed


def test_a_full_disk_costs_neither_the_run_nor_its_worker(lonely_server, undisturbed):
    """In mid-run, where reports and beats find no room, and at the end, where files do not."""
    store, server = lonely_server.store, lonely_server.process
    run_id = submit(store)
    worker = worker_of(store, run_id)
    for epoch in (2, CONFIG.epochs):
        wait_until(lambda epoch=epoch: len(epoch_ends(store.metrics(run_id))) >= epoch)
        os.kill(worker.pid, signal.SIGSTOP)
        assert store.get(run_id).state == RUNNING
        seen = epoch_ends(store.metrics(run_id))
        for pid in (worker.pid, server.pid):
            # What would make a file longer than that fails as it does on a full disk.
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
        os.kill(worker.pid, signal.SIGCONT)
        beat = next(one.beat for one in store.registered() if one.id == worker.id)
        let_seconds_pass(OUTAGE_SECONDS)
        assert store.get(run_id).state == RUNNING
        assert next(one.beat for one in store.registered() if one.id == worker.id) <= beat + 1
        for pid in (worker.pid, server.pid):
            resource.prlimit(pid, resource.RLIMIT_FSIZE, UNLIMITED)
    run = wait_for_end(store, run_id)
    assert run.worker == worker.id
    assert epoch_ends(store.metrics(run_id))[: len(seen)] == seen
    assert outcome(store, run) == undisturbed


def test_a_server_that_is_killed_leaves_its_run_to_finish(lonely_server, monkeypatch, undisturbed):
    monkeypatch.setenv("MNIST_DATABASE_URL", lonely_server.url)
    store, server = lonely_server.store, lonely_server.process
    run_id = submit(store)
    worker = worker_of(store, run_id)
    after_epoch(store, run_id, 1)
    server.kill()
    server.wait()
    next_server = LocalPool(store, limit=1).start()
    try:
        run = wait_for_end(store, run_id)
        assert run.worker == worker.id
        assert outcome(store, run) == undisturbed
        next_run = wait_for_end(store, submit(store))
        assert next_run.worker != worker.id
        assert outcome(store, next_run) == undisturbed
        assert store.get(run_id) == run
        wait_until(lambda: gone(worker.pid))
    finally:
        next_server.end()


def test_a_clock_that_jumps_by_days_costs_neither_the_run_nor_its_worker(tmp_path, undisturbed):
    (tmp_path / "sitecustomize.py").write_text(CLOCK)
    folder = str(tmp_path)
    with serving(tmp_path, PYTHONPATH=folder, TEST_JUMPS=folder) as server:
        store = server.store
        run_id = submit(store)
        worker = worker_of(store, run_id)
        run = wait_for_end(store, run_id)
        assert run.worker == worker.id
        assert [one.id for one in store.registered()] == [worker.id]
        assert outcome(store, run) == undisturbed
        for pid in (server.process.pid, worker.pid):
            assert (tmp_path / str(pid)).read_text() == "1"
