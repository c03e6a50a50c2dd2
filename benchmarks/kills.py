"""Runs whose worker is killed: whether anything is lost, and how soon they continue.

    MNIST_DATA=... python -m benchmarks.kills [--runs 20] [--seed 0]

One undisturbed run of the preset "classic" shows how long a run takes and how it must end.
Then the same run is started again and again, and each time its worker gets SIGKILL at a
uniformly random moment of that duration, test and export included. A run that ends before its
moment is repeated. What the database held before the kill must be there afterwards, and the run
must end with the numbers of the undisturbed one. Exit status 1 if not.
"""

import argparse
import os
import random
import signal
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from mnist_core.config import PRESETS
from mnist_core.jobs.local_pool import LocalPool
from mnist_core.progress import epoch_ends
from mnist_core.store.run import FINISHED, RUNNING, Run, Worker, owner_of
from tests.helpers import Store, wait_for_end, wait_until

CONFIG = PRESETS["classic"]
OWNER = owner_of("benchmark")


@dataclass(frozen=True)
class Killed:
    """What one kill did.

    Attributes:
        finished: the run ended as it should.
        seen: metrics of finished epochs in the database before the kill.
        lost: how many of those were missing or different afterwards.
        differs: it ended with other numbers than the run that was left alone.
        seconds: from the kill to the next report, or to the end where all were made.
        epochs_twice: passes over the images that were made again.
    """

    finished: bool
    seen: int
    lost: int
    differs: bool
    seconds: float
    epochs_twice: float


def outcome(store: Store, run: Run) -> tuple[object, ...]:
    """What must not depend on kills; losses in between depend on when they were reported."""
    ends = [
        (item.step, item.validation_loss, item.validation_accuracy)
        for item in epoch_ends(store.metrics(run.id))
    ]
    return run.test_accuracy, run.epochs, ends


def start(store: Store, pool: LocalPool) -> Run:
    """A run that has just been given to a worker which was ready for it."""
    pool.wake()
    wait_until(lambda: any(worker.ready for worker in store.registered()))
    run_id = store.submit(CONFIG, OWNER).id
    return wait_until(lambda: run if (run := store.get(run_id)).state == RUNNING else None)


def went_on(store: Store, run_id: str, killed: Worker) -> Run | None:
    """The run, once another worker has told something new of it; until then None."""
    run = store.get(run_id)
    if not run.active:
        return run
    taken = run.state == RUNNING and run.worker != killed.id
    return run if taken and store.metrics(run_id, run.checkpoint_step) else None


def kill_one(
    store: Store, pool: LocalPool, after_seconds: float, undisturbed: tuple[object, ...]
) -> Killed | None:
    """Start a run and kill its worker after so many seconds; None if it had ended by then."""
    run = start(store, pool)
    moment = time.monotonic() + after_seconds
    wait_until(lambda: time.monotonic() >= moment or not store.get(run.id).active)
    (worker,) = [worker for worker in store.registered() if worker.id == run.worker]
    reports, seen = store.metrics(run.id), epoch_ends(store.metrics(run.id))
    if not store.get(run.id).active:
        return None
    os.kill(worker.pid, signal.SIGKILL)
    killed_at = time.monotonic()
    wait_until(lambda: store.get(run.id).state != RUNNING or store.get(run.id).worker != worker.id)
    kept_step = store.get(run.id).checkpoint_step
    wait_until(lambda: went_on(store, run.id, worker))
    seconds = time.monotonic() - killed_at
    run = wait_for_end(store, run.id)
    after = epoch_ends(store.metrics(run.id))
    steps_twice = max(0, reports[-1].step - kept_step) if reports else 0
    return Killed(
        finished=run.state == FINISHED,
        seen=len(seen),
        lost=sum(item not in after for item in seen),
        differs=outcome(store, run) != undisturbed,
        seconds=seconds,
        epochs_twice=steps_twice * CONFIG.epochs / after[-1].step if after else 0.0,
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    chance = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory() as folder:
        # The workers open what this says.
        os.environ["MNIST_DATABASE_URL"] = f"sqlite:///{Path(folder) / 'runs.db'}"
        store = Store()
        pool = LocalPool(store, limit=1).start()
        run = start(store, pool)
        started = time.monotonic()
        run = wait_for_end(store, run.id)
        duration = time.monotonic() - started
        undisturbed = outcome(store, run)
        print(
            f"left alone: {run.state} after {duration:.1f} s, test accuracy "
            f"{run.test_accuracy:.2%}; {run.dataset}",
            flush=True,
        )
        kills = []
        while len(kills) < arguments.runs:
            moment = chance.uniform(0, duration)
            killed = kill_one(store, pool, moment, undisturbed)
            if not killed:
                print(
                    f"a run ended within {moment:.1f} s, before its worker was killed", flush=True
                )
                duration = moment
                continue
            kills.append(killed)
            print(f"run {len(kills)}, killed after {moment:.1f} s: {killed}", flush=True)
        pool.end()
        store.close()
    finished = sum(killed.finished for killed in kills)
    lost, seen = sum(killed.lost for killed in kills), sum(killed.seen for killed in kills)
    same = sum(not killed.differs for killed in kills)
    print(f"{finished} of {len(kills)} runs whose worker was killed finished")
    print(f"{same} of them with the same accuracies, to the last digit, as the one left alone")
    print(f"{lost} of {seen} metrics of finished epochs were missing or different afterwards")
    if kills:
        waits = [killed.seconds for killed in kills]
        print(
            f"from the kill to the next report: {statistics.median(waits):.1f} s "
            f"(median), {max(waits):.1f} s (largest)"
        )
        twice = max(killed.epochs_twice for killed in kills)
        print(f"epochs trained twice: {twice:.2f} at most")
    return int(finished < len(kills) or same < len(kills) or lost > 0)


if __name__ == "__main__":
    sys.exit(main())
