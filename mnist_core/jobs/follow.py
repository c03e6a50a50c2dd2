"""Train a run here, or queue runs and follow them to their end, as the command line does.

``on_problem`` is called with a sentence, once for each problem that keeps the workers from
training. A run that is interrupted here, as by Ctrl-C, is stopped: nobody waits for it any more.
"""

import os
import socket
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from mnist_core.config import TrainConfig
from mnist_core.data import Dataset
from mnist_core.jobs import opening
from mnist_core.jobs.heart import registered
from mnist_core.progress import Progress
from mnist_core.store.run import Run, Trial, owner_of
from mnist_core.store.runs import RunStore
from mnist_core.store.workers import WorkerStore

POLL_SECONDS = 0.2


def train_here(
    store: RunStore,
    config: TrainConfig,
    dataset: Dataset,
    on_progress: Callable[[Progress], None],
) -> tuple[Run, str]:
    """Train in this process; returns the run, ended, and this host and process."""
    from mnist_core.jobs import worker

    workers = WorkerStore(store.database)
    with registered(workers) as (worker_id, heart):
        heart.ready = True
        run = workers.begin(config, owner_of(uuid.uuid4().hex), worker_id)
        run = worker.execute(workers, run, worker_id, dataset, on_progress, heart)
    return run, f"{socket.gethostname()}:{os.getpid()}"


@contextmanager
def working(store: RunStore, on_problem: Callable[[str], None]) -> Iterator[Callable[[], None]]:
    """A pool of workers meanwhile; yields a function that waits a moment for them."""
    pool = opening.open_pool(store.database).start()
    reported = ""

    def pause() -> None:
        nonlocal reported
        if pool.problem not in ("", reported):
            reported = pool.problem
            on_problem(reported)
        time.sleep(POLL_SECONDS)

    try:
        yield pause
    finally:
        pool.end()


def submit_and_wait(
    store: RunStore,
    config: TrainConfig,
    on_progress: Callable[[Progress], None],
    on_problem: Callable[[str], None],
) -> tuple[Run, str]:
    """Returns the run, ended, and the host and process that trained it, "" if none did."""
    run = store.submit(config, owner_of(uuid.uuid4().hex))
    names: dict[str, str] = {}
    workers = WorkerStore(store.database)
    try:
        with working(store, on_problem) as pause:
            step = 0
            while run.active:
                pause()
                names |= {each.id: f"{each.host}:{each.pid}" for each in workers.registered()}
                run, reports = store.watch(run.id, step)
                for report in reports:
                    step = report.step
                    on_progress(report)
    finally:
        store.request_stop(run.id, run.owner)
    return run, names.get(run.worker or "", "")


def sweep_and_wait(
    store: RunStore,
    configs: list[TrainConfig],
    on_progress: Callable[[list[Trial]], None],
    on_problem: Callable[[str], None],
) -> list[Trial]:
    """Returns the runs of the sweep, ended; ``on_progress`` gets them all every time."""
    first, *_ = store.submit_sweep(configs, owner_of(uuid.uuid4().hex))
    try:
        with working(store, on_problem) as pause:
            trials = store.trials(first.id)
            on_progress(trials)
            while any(trial.run.active for trial in trials):
                pause()
                trials = store.trials(first.id)
                on_progress(trials)
    finally:
        store.stop_sweep(first.id, first.owner)
    return trials
