"""Training on a Dask cluster: a real scheduler and two real workers, on this machine.

Whatever happens, a run ends with the numbers of an undisturbed one. Two servers share the
cluster and the database.
"""

import dataclasses
import os
import signal

import pytest

from mnist_core.jobs.dask_pool import CLUSTER_EMPTY, SCHEDULER_AWAY
from mnist_core.jobs.opening import open_pool
from mnist_core.progress import epoch_ends
from mnist_core.store.run import (
    ACTIVE,
    FINISHED,
    RUNNING,
    STOPPED,
    WAITING,
    owner_of,
    runs_ahead_of,
)
from tests.cluster import Cluster
from tests.extras import needs
from tests.helpers import Store, wait_for_end, wait_until
from tests.processes.helpers import (
    CONFIG,
    OWNER,
    after_epoch,
    freeze,
    gone,
    outcome,
    submit,
    worker_of,
)

pytestmark = needs("processes", "cluster")

OTHER = owner_of("somebody else")
THIRD = owner_of("a third")


@pytest.fixture(scope="module")
def cluster(user_data):
    cluster = Cluster(user_data, workers=2)
    yield cluster
    cluster.close()


@pytest.fixture(scope="module", autouse=True)
def pool(store, cluster):
    """That of the first of two servers."""
    second_store = Store()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DASK_SCHEDULER_ADDRESS", cluster.address)
        pools = [open_pool(one.database).start() for one in (store, second_store)]
    yield pools[0]
    for pool in pools:
        pool.end()
    second_store.close()


@pytest.fixture(scope="module")
def undisturbed(store, pool, psutil):
    """How the run of all these tests ends if nothing happens to it."""
    run_id = submit(store)
    worker = worker_of(store, run_id)
    assert "dask" in " ".join(psutil.Process(worker.pid).parent().cmdline())
    run = wait_for_end(store, run_id)
    assert (run.state, run.epochs) == (FINISHED, CONFIG.epochs)
    return outcome(store, run)


def test_two_runs_train_at_once_and_a_third_has_its_place_in_the_queue(store, undisturbed):
    # Longer than a second worker can take to start, however busy the machine; stopped below.
    long = dataclasses.replace(CONFIG, dense=(512, 512), epochs=30, batch_size=16)
    pair = [submit(store, long, OWNER), submit(store, long, OTHER)]
    third = submit(store, owner=THIRD)
    ahead = runs_ahead_of(store.get(third), store.list_runs(states=ACTIVE))
    assert [run.id for run in ahead] == pair
    wait_until(lambda: {store.get(run_id).state for run_id in pair} == {RUNNING})
    workers = {worker.id: worker.pid for worker in store.registered()}
    assert len({workers[store.get(run_id).worker] for run_id in pair}) == 2
    assert store.get(third).state == WAITING
    for run_id, owner in zip(pair, (OWNER, OTHER), strict=True):
        store.request_stop(run_id, owner)
        assert wait_for_end(store, run_id).state == STOPPED
    assert outcome(store, wait_for_end(store, third)) == undisturbed
    assert len(store.registered()) <= 2


def test_a_run_outlives_the_kill_of_its_process_and_one_that_hangs(store, undisturbed):
    """After it was stopped and resumed, which works on a cluster as anywhere."""
    run_id = submit(store)
    before = after_epoch(store, run_id, 1)
    store.request_stop(run_id, OWNER)
    assert wait_for_end(store, run_id).state == STOPPED
    store.resume(run_id, OWNER)
    first = worker_of(store, run_id)
    seen = after_epoch(store, run_id, len(before) + 0.2)
    assert seen[: len(before)] == before
    os.kill(first.pid, signal.SIGKILL)
    wait_until(lambda: store.get(run_id).worker != first.id or store.get(run_id).state == WAITING)

    second = worker_of(store, run_id)
    assert second.id != first.id
    more = after_epoch(store, run_id, len(seen) + 0.2)
    assert more[: len(seen)] == seen
    freeze(store, second.pid)
    wait_until(lambda: gone(second.pid))

    run = wait_for_end(store, run_id)
    assert run.worker not in (first.id, second.id)
    assert epoch_ends(store.metrics(run_id))[: len(more)] == more
    assert outcome(store, run) == undisturbed


def test_runs_outlive_the_restart_of_the_scheduler_and_a_power_cut(
    store, cluster, pool, undisturbed
):
    run_id = submit(store)
    worker = worker_of(store, run_id)
    after_epoch(store, run_id, 1)
    cluster.kill_scheduler()
    wait_until(lambda: pool.problem == SCHEDULER_AWAY)
    waiting = submit(store, owner=OTHER)
    # Its process ends for want of a scheduler, but it has half a minute to do so.
    run = wait_for_end(store, run_id)
    assert run.worker == worker.id
    assert outcome(store, run) == undisturbed
    assert store.get(waiting).state == WAITING
    cluster.start_scheduler()
    wait_until(lambda: pool.problem == CLUSTER_EMPTY)
    cluster.restart_workers()

    worker = worker_of(store, waiting)
    assert pool.problem == ""
    seen = after_epoch(store, waiting, 1)
    cluster.close()
    wait_until(lambda: store.get(waiting).state == WAITING)
    cluster.start_scheduler()
    cluster.restart_workers()
    run = wait_for_end(store, waiting)
    assert run.worker != worker.id
    assert epoch_ends(store.metrics(waiting))[: len(seen)] == seen
    assert outcome(store, run) == undisturbed
