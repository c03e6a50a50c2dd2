"""How far a run of a real worker is, and how it ended."""

import dataclasses
import os
import signal
import time
from pathlib import Path

import pytest

from mnist_core.checkpoint import Checkpoint
from mnist_core.config import TrainConfig
from mnist_core.errors import StoreUnavailable
from mnist_core.progress import Progress, epoch_ends
from mnist_core.store.run import CHECKPOINT, RUNNING, Run, owner_of
from mnist_core.store.workers import Worker
from tests.helpers import Store, wait_until

# About three seconds, with enough epochs for a fault to fall between two. All batches have the
# same size, so that the reports of an epoch average to its accuracy.
CONFIG = TrainConfig(dense=(256, 128), epochs=6, batch_size=20, training_images=4000)
STEPS_PER_EPOCH = 180
OWNER = owner_of("somebody")


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How a run ended, without what depends on the machine's speed."""

    state: str
    test_accuracy: float | None
    epochs: int | None
    validation: list[tuple[int, float | None, float | None]]


def submit(store: Store, config: TrainConfig = CONFIG, owner: str = OWNER) -> str:
    return store.submit(config, owner).id


def worker_of(store: Store, run_id: str) -> Worker:
    """The worker that has a run, once one has it."""
    wait_until(lambda: store.get(run_id).state == RUNNING)
    name = store.get(run_id).worker
    return next(worker for worker in store.registered() if worker.id == name)


def after_epoch(store: Store, run_id: str, epoch: float) -> list[Progress]:
    """Wait until a run is past this epoch, and return the ends of epochs stored by then."""
    wait_until(
        lambda: (
            (seen := store.metrics(run_id, store.get(run_id).checkpoint_step - 1))
            and seen[-1].epoch > epoch
        )
    )
    assert store.get(run_id).state == RUNNING
    return epoch_ends(store.metrics(run_id))


def outcome(store: Store, run: Run) -> Outcome:
    """How a run ended. Asserts that no report is missing."""
    ends = epoch_ends(store.metrics(run.id))
    history = Checkpoint.from_bytes(store.artifact(run.id, CHECKPOINT)).history
    assert mean_of_reports(store, run.id) == pytest.approx(history["accuracy"], abs=1e-6)
    assert [item.validation_loss for item in ends] == history["validation_loss"]
    return Outcome(
        run.state,
        run.test_accuracy,
        run.epochs,
        [(item.step, item.validation_loss, item.validation_accuracy) for item in ends],
    )


def mean_of_reports(store: Store, run_id: str) -> list[float]:
    """Each epoch's accuracy, averaged over its reports. If one is missing or stored twice, it
    differs from the checkpoint's."""
    right, before = {}, 0
    for item in store.metrics(run_id):
        epoch = (item.step - 1) // STEPS_PER_EPOCH
        right[epoch] = right.get(epoch, 0.0) + item.accuracy * (item.step - before)
        before = item.step
    return [right[epoch] / STEPS_PER_EPOCH for epoch in sorted(right)]


def freeze(store: Store, pid: int) -> None:
    """Let a worker hang, but not within a transaction, which would lock the database."""
    while True:
        os.kill(pid, signal.SIGSTOP)
        try:
            store.touch()
        except StoreUnavailable:
            os.kill(pid, signal.SIGCONT)
        else:
            return


def gone(pid: int) -> bool:
    """Whether no such process runs; a zombie does not."""
    try:
        return "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return True


def let_seconds_pass(seconds: float) -> None:
    """Let an outage last this long."""
    until = time.monotonic() + seconds
    wait_until(lambda: time.monotonic() >= until)
