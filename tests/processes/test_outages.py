"""A cluster whose database is a Postgres that goes away, or that a worker cannot reach.

Whatever happens, every report is stored once, and a run ends with the numbers of an undisturbed
one.
"""

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from mnist_core.jobs.opening import open_pool
from mnist_core.progress import epoch_ends
from mnist_core.store.run import FINISHED
from tests.cluster import Cluster
from tests.databases import Postgres
from tests.extras import needs
from tests.helpers import Store, free_port, wait_for_end, wait_until
from tests.network import Network
from tests.processes.helpers import (
    CONFIG,
    after_epoch,
    let_seconds_pass,
    outcome,
    submit,
    worker_of,
)

pytestmark = needs("processes", "cluster", "postgres")

CUT_SECONDS = 20.0


@dataclass
class Room:
    """The first worker reaches Postgres through a network that can be cut; the server and
    further workers reach it directly."""

    store: Store
    postgres: Postgres
    network: Network
    cluster: Cluster


@pytest.fixture(scope="module")
def room(user_data) -> Iterator[Room]:
    port = free_port()
    with Postgres(port=port) as postgres, pytest.MonkeyPatch.context() as patch:
        network = Network(port)
        url = postgres.database()
        patch.setenv("MNIST_DATABASE_URL", postgres.through(network.port, url))
        cluster = Cluster(user_data, workers=1)
        patch.setenv("MNIST_DATABASE_URL", url)
        store = Store()
        pool = open_pool(store.database, {"DASK_SCHEDULER_ADDRESS": cluster.address}).start()
        yield Room(store, postgres, network, cluster)
        pool.end()
        cluster.close()
        store.close()
        network.close()


@pytest.fixture(scope="module")
def undisturbed(room):
    """How the run of all these tests ends if nothing happens to it."""
    run = wait_for_end(room.store, submit(room.store))
    assert (run.state, run.epochs) == (FINISHED, CONFIG.epochs)
    return outcome(room.store, run)


def test_a_run_outlives_a_restart_of_postgres(room, undisturbed):
    """In good order, and as after a crash."""
    store = room.store
    run_id = submit(store)
    worker = worker_of(store, run_id)
    for epoch, mode in enumerate(("fast", "immediate"), 1):
        seen = after_epoch(store, run_id, epoch)
        room.postgres.stop(mode)
        let_seconds_pass(2)
        room.postgres.start()
        assert epoch_ends(store.metrics(run_id))[: len(seen)] == seen
    run = wait_for_end(store, run_id)
    assert run.worker == worker.id
    assert outcome(store, run) == undisturbed


def test_a_worker_cut_off_for_20_seconds_loses_its_run_to_another_and_nothing_else(
    room, undisturbed
):
    store = room.store
    run_id = submit(store)
    cut_off = worker_of(store, run_id)
    seen = after_epoch(store, run_id, 1)
    assert os.environ["MNIST_DATABASE_URL"] == store.database.url
    room.cluster.add_worker()
    with room.network.cut():
        began = time.monotonic()
        # Another worker may take it at once.
        wait_until(lambda: store.get(run_id).worker != cut_off.id)
        assert all(worker.id != cut_off.id for worker in store.registered())
        run = wait_for_end(store, run_id)
        let_seconds_pass(CUT_SECONDS - (time.monotonic() - began))
    assert run.worker != cut_off.id
    assert epoch_ends(store.metrics(run_id))[: len(seen)] == seen
    assert outcome(store, run) == undisturbed
    # The worker that was cut off stores nothing more, and trains again.
    assert store.get(run_id) == run
    for run_id in [submit(store, owner=f"visitor {number}") for number in range(2)]:
        assert outcome(store, wait_for_end(store, run_id)) == undisturbed
