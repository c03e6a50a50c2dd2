"""A Dask cluster: how many runs an hour with one worker and with two, and what faults cost.

    MNIST_DATA=... python -m benchmarks.cluster [--runs 8] [--url URL]
    python -m benchmarks.cluster --faults 5

A scheduler, a pool and workers on this machine, each worker bound to one core. Equal runs of
the preset "classic" are queued while the workers have loaded TensorFlow and are idle; the time
is from the start of the first run to the end of the last. Two workers should do 1.7 times as
many. The scheduler and the pool use the same cores.

With --faults something breaks again and again, at a random moment of a run on the bundled
sample, with the runs in a Postgres of our own: the worker's process is killed or hangs; the
scheduler is killed and restarted; all of them lose power; Postgres is stopped or crashes, and is
restarted; the network between the workers and Postgres is cut for 20 s. A supervisor restarts
what ends. Every report must be stored once, and the run must end with the numbers of an
undisturbed one. Exit status 1 if not.
"""

import argparse
import dataclasses
import os
import random
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mnist_core.config import PRESETS, TrainConfig
from mnist_core.jobs.opening import open_pool
from mnist_core.store.run import FINISHED, RUNNING, Run, Worker, owner_of
from tests.cluster import Cluster
from tests.databases import SAFE, Postgres
from tests.helpers import Store, free_port, wait_for_end, wait_until
from tests.network import Network
from tests.processes.helpers import CONFIG, Outcome, after_epoch, freeze, outcome, submit, worker_of

WARM = dataclasses.replace(PRESETS["classic"], epochs=1)
SHORT = dataclasses.replace(CONFIG, epochs=12)
# Long enough for the worker to end for want of a scheduler, which takes half a minute.
LONG = dataclasses.replace(CONFIG, dense=(512, 512), epochs=30)
ASKED_FOR = 1.7
LOOK_SECONDS = 0.2
PATIENCE_SECONDS = 600.0
CUT_SECONDS = 20.0


@dataclass
class Room:
    """A database, and a cluster whose workers use it; with what may be broken of it."""

    store: Store
    cluster: Cluster
    postgres: Postgres | None = None
    network: Network | None = None


@contextmanager
def training(url: str, workers: int, workers_url: str = "") -> Iterator[Room]:
    """A room with so many workers.

    Args:
        url: the database; empty for a new file.
        workers_url: the same database as the workers reach it, if that differs.
    """
    with tempfile.TemporaryDirectory() as folder:
        url = url or f"sqlite:///{Path(folder) / 'runs.db'}"
        os.environ["MNIST_DATABASE_URL"] = workers_url or url
        cluster = Cluster(Path(folder), workers, own_cores=True)
        store = Store(url)
        pool = open_pool(store.database, {"DASK_SCHEDULER_ADDRESS": cluster.address}).start()
        try:
            yield Room(store, cluster)
        finally:
            pool.end()
            cluster.close()
            store.close()


@contextmanager
def fragile(workers: int) -> Iterator[Room]:
    """A room with a Postgres of its own, which the workers reach over a network."""
    port = free_port()
    network = Network(port)
    with Postgres(SAFE, port) as postgres:
        url = postgres.database()
        with training(url, workers, postgres.through(network.port, url)) as room:
            yield dataclasses.replace(room, postgres=postgres, network=network)
    network.close()


def submit_all(store: Store, config: TrainConfig, count: int) -> list[str]:
    """So many runs of these settings, each of another visitor."""
    return [store.submit(config, owner_of(f"visitor {place}")).id for place in range(count)]


def warm_up(store: Store, workers: int) -> None:
    """Let short runs be trained until so many workers are there and have nothing to do."""
    while len(store.registered()) < workers:
        for run_id in submit_all(store, WARM, 2 * workers):
            wait_for_end(store, run_id)
    # A worker says only with its next beat that it has stored its run.
    wait_until(lambda: all(worker.ready for worker in store.registered()))


def seconds_for(store: Store, count: int) -> float:
    """From the start of the first of so many runs to the end of the last."""
    runs = submit_all(store, PRESETS["classic"], count)
    wait_until(lambda: store.list_runs(states=(RUNNING,)))
    started = time.monotonic()
    for run_id in runs:
        while store.get(run_id).active:
            time.sleep(LOOK_SECONDS)
    seconds = time.monotonic() - started
    states = {store.get(run_id).state for run_id in runs}
    assert states == {FINISHED}, states
    return seconds


def measure_rates(url: str, count: int) -> bool:
    """Print the runs an hour with one worker and with two; whether the ratio is enough."""
    rates = []
    for workers in (1, 2):
        with training(url, workers) as room:
            warm_up(room.store, workers)
            seconds = seconds_for(room.store, count)
            run = room.store.list_runs()[0]
        rates.append(3600 * count / seconds)
        print(
            f"{workers} worker{'s' if workers > 1 else ''}: {count} runs in {seconds:.1f} s, "
            f"{rates[-1]:.0f} an hour; {run.dataset}",
            flush=True,
        )
    ratio = rates[1] / rates[0]
    print(f"two workers train {ratio:.2f} times as many as one; asked for: {ASKED_FOR}")
    return ratio >= ASKED_FOR


def kill_process(room: Room, worker: Worker) -> None:
    os.kill(worker.pid, signal.SIGKILL)


def hang_process(room: Room, worker: Worker) -> None:
    freeze(room.store, worker.pid)


def restart_scheduler(room: Room, worker: Worker) -> None:
    room.cluster.kill_scheduler()
    room.cluster.start_scheduler()


def cut_power(room: Room, worker: Worker) -> None:
    room.cluster.close()
    room.cluster.start_scheduler()


def restart_postgres(room: Room, worker: Worker) -> None:
    assert room.postgres
    room.postgres.restart("fast")


def crash_postgres(room: Room, worker: Worker) -> None:
    assert room.postgres
    room.postgres.restart("immediate")


def cut_network(room: Room, worker: Worker) -> None:
    assert room.network
    with room.network.cut():
        time.sleep(CUT_SECONDS)


FAULTS: dict[str, tuple[Callable[[Room, Worker], None], TrainConfig]] = {
    "its process killed": (kill_process, SHORT),
    "its process hangs": (hang_process, SHORT),
    "scheduler restarted": (restart_scheduler, LONG),
    "power of the cluster fails": (cut_power, SHORT),
    "Postgres restarted": (restart_postgres, SHORT),
    "Postgres crashed": (crash_postgres, SHORT),
    "network to Postgres cut for 20 s": (cut_network, SHORT),
}


def disturb(room: Room, fault: str, chance: random.Random) -> tuple[Outcome, float]:
    """Train a run that meets a fault: how it ended, and the seconds from the fault to the
    first report of the worker that went on with it, or to its end if it needed none."""
    break_it, config = FAULTS[fault]
    store = room.store
    run_id = submit(store, config)
    worker = worker_of(store, run_id)
    after_epoch(store, run_id, chance.uniform(0, config.epochs / 6))
    began = time.monotonic()
    break_it(room, worker)

    def went_on() -> Run | None:
        room.cluster.restart_workers(only_ended=True)
        run = store.get(run_id)
        other = run.state == RUNNING and run.worker != worker.id
        told = other and store.metrics(run_id, run.checkpoint_step)
        return run if told or not run.active else None

    wait_until(went_on, PATIENCE_SECONDS)
    seconds = time.monotonic() - began
    wait_until(lambda: went_on() and not store.get(run_id).active, PATIENCE_SECONDS)
    # It looks for reports that are missing or there twice.
    return outcome(store, store.get(run_id)), seconds


def measure_faults(count: int, seed: int) -> bool:
    """Print what became of so many runs for each fault; whether all ended as they should."""
    chance = random.Random(seed)
    # Each epoch of the sample has batches of one size, so that reports can be added up.
    os.environ.pop("MNIST_DATA", None)
    good = True
    with fragile(workers=2) as room:
        store, alone = room.store, {}
        for config in (SHORT, LONG):
            run_id = submit(store, config)
            wait_until(lambda run_id=run_id: not store.get(run_id).active, PATIENCE_SECONDS)
            run = store.get(run_id)
            alone[config] = outcome(store, run)
            print(f"left alone: {run.train_seconds:.1f} s of training", flush=True)
        print("| fault | tried | ended the same | went on after, median | at most |")
        print("|---|---|---|---|---|")
        for fault, (_, config) in FAULTS.items():
            tries = [disturb(room, fault, chance) for _ in range(count)]
            same = sum(ended == alone[config] for ended, _ in tries)
            waits = [seconds for _, seconds in tries]
            print(
                f"| {fault} | {count} | {same} | {statistics.median(waits):.1f} s "
                f"| {max(waits):.1f} s |",
                flush=True,
            )
            good = good and same == count
    return good


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=8)
    parser.add_argument("--faults", type=int, default=0, metavar="N")
    parser.add_argument("--url", default="", help="for the rates; by default a new SQLite file")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    if arguments.faults:
        good = measure_faults(arguments.faults, arguments.seed)
    else:
        good = measure_rates(arguments.url, arguments.runs)
    return int(not good)


if __name__ == "__main__":
    sys.exit(main())
