"""Doubles and shortcuts that more than one test file uses. Loads no TensorFlow."""

import dataclasses
import json
import math
import socket
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest

from mnist_core import data
from mnist_core.analysis.predictions import Predictions
from mnist_core.config import PRESETS, TrainConfig
from mnist_core.progress import Progress
from mnist_core.shipped import FILES
from mnist_core.store.database import Database
from mnist_core.store.run import FINISHED, KERAS, LITERT, PREDICTIONS, Run, owner_of
from mnist_core.store.runs import RunStore
from mnist_core.store.tasks import TaskStore
from mnist_core.store.workers import Worker, WorkerStore
from mnist_core.sweeps import Sweep, settings

PROJECT = Path(__file__).parent.parent
CORE = PROJECT / "mnist_core"
CLASSIC = CORE / "assets" / "pretrained" / "classic"
# Long enough for a busy machine to load TensorFlow; only a failing test waits that long.
PATIENCE_SECONDS = 180.0

T = TypeVar("T")


class Store(RunStore, WorkerStore, TaskStore):
    """A database as visitors and workers see it, in one object."""

    def __init__(self, url: str | None = None) -> None:
        super().__init__(Database(url))

    def close(self) -> None:
        self.database.close()


def free_port() -> int:
    """An unused port of 127.0.0.1."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def at_once(actions: list[Callable[[], object]]) -> list[object]:
    """Do all of these at the same time; their answers, or what they raised."""
    answers: list[object] = [None] * len(actions)
    ready = threading.Barrier(len(actions))

    def act(place: int) -> None:
        ready.wait()
        try:
            answers[place] = actions[place]()
        except Exception as error:
            answers[place] = error

    threads = [threading.Thread(target=act, args=(place,)) for place in range(len(actions))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def wait_until(condition: Callable[[], T], timeout: float = PATIENCE_SECONDS) -> T:
    """Poll until the condition is true, and return its value."""
    deadline = time.monotonic() + timeout
    while not (answer := condition()):
        assert time.monotonic() < deadline, f"still not so after {timeout:g} s"
        time.sleep(0.02)
    return answer


def wait_for_end(store: Store, run_id: str) -> Run:
    """The run, once it has left the queue."""
    return wait_until(lambda: None if (run := store.get(run_id)).active else run)


def reports(steps: int, first: int = 1, steps_per_epoch: int = 5) -> list[Progress]:
    """Reports of a run that learns: one per step, with validation at the end of each epoch."""
    return [
        Progress(
            step=step,
            epoch=step / steps_per_epoch,
            loss=2.3 * math.exp(-step / 10),
            accuracy=1 - 0.9 * math.exp(-step / 10),
            learning_rate=0.001,
            seconds=0.01 * step,
            validation_loss=2.2 * math.exp(-step / 10) if step % steps_per_epoch == 0 else None,
            validation_accuracy=0.5 if step % steps_per_epoch == 0 else None,
        )
        for step in range(first, first + steps)
    ]


def add_worker(
    store: Store,
    worker_id: str = "worker",
    *,
    host: str = "elsewhere",
    pid: int = 1,
    ready: bool = True,
) -> str:
    """Register a worker unless it is registered, and return its id."""
    if all(worker.id != worker_id for worker in store.registered()):
        store.register(Worker(worker_id, host, pid, 0, ready))
    return worker_id


def waiting_run(
    store: Store, owner: str = "token-of-somebody", config: TrainConfig | None = None
) -> Run:
    """A waiting run, submitted by the visitor with this secret token."""
    return store.submit(config or PRESETS["classic"], owner_of(owner))


def waiting_sweep(
    store: Store, owner: str = "token-of-somebody", rates: tuple[float, ...] = (0.001, 0.01)
) -> list[Run]:
    """The runs of a sweep over these learning rates, all waiting."""
    configs = [dataclasses.replace(PRESETS["classic"], learning_rate=rate) for rate in rates]
    return store.submit_sweep(configs, owner_of(owner))


def running_run(
    store: Store,
    owner: str = "token-of-somebody",
    config: TrainConfig | None = None,
    *,
    steps: int = 12,
    reported: list[Progress] | None = None,
    worker_id: str = "worker",
) -> Run:
    """A run in training, with this many steps reported, or with these reports; there is no
    process behind it."""
    add_worker(store, worker_id)
    run = store.begin(config or PRESETS["classic"], owner_of(owner), worker_id)
    return store.report(run.id, worker_id, reported or reports(steps))


def finished_run(
    store: Store,
    owner: str = "token-of-somebody",
    config: TrainConfig | None = None,
    *,
    steps: int = 20,
    reported: list[Progress] | None = None,
    state: str = FINISHED,
    message: str = "",
    worker_id: str = "worker",
    **results: str | float | int,
) -> Run:
    """A run that ended with the built-in classic network as its result; needs no TensorFlow.

    Args:
        results: values that replace the built-in run's, such as ``test_accuracy``.
    """
    run = running_run(store, owner, config, steps=steps, reported=reported, worker_id=worker_id)
    return end_as_shipped(store, run, state, message, **results)


def end_as_shipped(
    store: Store, run: Run, state: str = FINISHED, message: str = "", **results: Any
) -> Run:
    """End a run in training with the built-in classic network as its result."""
    shipped = json.loads((CLASSIC / "run.json").read_text())
    names = (
        "dataset",
        "training_images",
        "test_images",
        "test_fingerprint",
        "test_accuracy",
        "train_seconds",
        "epochs",
        "parameters",
    )
    return store.complete(
        run.id,
        str(run.worker),
        state,
        message=message,
        results={name: shipped[name] for name in names} | results,
        artifacts={
            kind: (CLASSIC / FILES[kind]).read_bytes() for kind in (KERAS, LITERT, PREDICTIONS)
        },
    )


def trained_sweep(
    store: Store,
    accuracies: Sequence[float],
    owner: str = "token-of-somebody",
    *,
    tested: Sequence[float] = (0.97,) * 6,
    going_on: bool = False,
    worker_id: str = "worker",
) -> list[Run]:
    """The runs of a sweep over three learning rates and two batch sizes, of which the first
    finished with these validation accuracies. No other run may be waiting.

    Args:
        tested: the test accuracy of each.
        going_on: the next run is in training and the others wait; otherwise they are withdrawn.
    """
    base = dataclasses.replace(PRESETS["classic"], epochs=2)
    choices = {"learning_rate": (0.002, 0.006, 0.02), "batch_size": (64, 256)}
    first, *_ = store.submit_sweep(settings(Sweep(base, choices)), owner_of(owner))
    add_worker(store, worker_id)
    for accuracy, test_accuracy in zip(accuracies, tested, strict=False):
        run = store.claim_run(worker_id)
        assert run
        assert run.sweep == first.id
        end = dataclasses.replace(reports(10)[-1], validation_accuracy=accuracy)
        store.report(run.id, worker_id, [*reports(9), end])
        end_as_shipped(store, run, test_accuracy=test_accuracy)
    if going_on:
        run = store.claim_run(worker_id)
        assert run
        store.report(run.id, worker_id, reports(7))
    else:
        store.stop_sweep(first.id, owner_of(owner))
    return store.sweep_runs(first.id)


def first_of_each_digit(labels: np.ndarray, count: int) -> np.ndarray:
    """Indices of the first ``count`` images of every digit, in ascending order."""
    return np.sort(np.concatenate([np.flatnonzero(labels == d)[:count] for d in range(10)]))


def cut(dataset: data.Dataset, train: int, test: int) -> data.Dataset:
    """The first ``train`` and ``test`` images of each digit of a dataset."""
    training = first_of_each_digit(dataset.y_train, train)
    testing = first_of_each_digit(dataset.y_test, test)
    return data.Dataset(
        dataset.x_train[training],
        dataset.y_train[training],
        dataset.x_test[testing],
        dataset.y_test[testing],
        "sample",
    )


def write_archive(path: Path, dataset: data.Dataset, **instead: np.ndarray) -> Path:
    """A dataset as a file in Keras's layout, with some arrays replaced."""
    path.parent.mkdir(parents=True, exist_ok=True)
    names = ("x_train", "y_train", "x_test", "y_test")
    np.savez_compressed(path, **{name: getattr(dataset, name) for name in names} | instead)
    return path


def corruptions(content: bytes, count: int, seed: int = 0) -> Iterator[bytes]:
    """Copies of the content, each with a few bytes changed or the end missing."""
    random = np.random.default_rng((seed, zlib.crc32(content)))
    for _ in range(count):
        changed = bytearray(content)
        for place in random.integers(0, len(changed), 8):
            changed[place] = random.integers(0, 256)
        if random.random() < 0.3:
            del changed[random.integers(1, len(changed)) :]
        yield bytes(changed)


def answered(labels: Sequence[int], answers: Sequence[int]) -> Predictions:
    """A network's answers to images with these labels, each with a probability of 1."""
    return Predictions(
        np.asarray(labels, np.uint8), np.eye(10, dtype=np.float32)[np.asarray(answers, int)]
    )


def refuse_to_open(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the system refuse to open one file, as it refuses anyone but its owner."""
    load = np.load

    def load_others(name, **options):
        if Path(name) == path:
            raise PermissionError(13, "Permission denied", str(name))
        return load(name, **options)

    monkeypatch.setattr(np, "load", load_others)
