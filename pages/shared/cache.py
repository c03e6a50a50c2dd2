"""cache: what visitors share: the data, the database, networks, runs.

A cached function takes all that its result depends on. All caches are bounded, and nothing of
a single visitor is in them: that is in the session.
"""

import logging
import threading
import time
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import numpy as np
import streamlit as st

from mnist_core import data, shipped
from mnist_core.analysis import explanation, summary
from mnist_core.analysis.calibration import Calibration
from mnist_core.analysis.label_errors import Suspects, study_key
from mnist_core.analysis.label_errors import shipped as shipped_suspects
from mnist_core.analysis.neighbours import nearest_images
from mnist_core.analysis.predictions import Predictions
from mnist_core.classifier import Classifier
from mnist_core.errors import RunNotFound, StoreUnavailable
from mnist_core.jobs import forecast
from mnist_core.jobs.opening import open_pool
from mnist_core.jobs.pool import Pool
from mnist_core.progress import Progress
from mnist_core.store import engine
from mnist_core.store import run as order
from mnist_core.store.database import Database
from mnist_core.store.run import (
    ACTIVE,
    CALIBRATION,
    FINISHED,
    LITERT,
    PREDICTIONS,
    RUNNING,
    Run,
    queue_place,
)
from mnist_core.store.runs import RunStore
from mnist_core.store.tasks import TaskStore

log = logging.getLogger("pages")

P = ParamSpec("P")
R = TypeVar("R")

BEST = "cnn"


def state_of(run: Run) -> tuple[str, str, int, float | None]:
    """What tells a run's network from all others: its id, its database, how often the network was
    stored, for training can continue, and how long it was trained. If a backup was restored and
    the run continued from there, that alone differs: it was measured, and is never the same."""
    database = "" if run.shipped else engine.database_url()
    return run.id, database, run.version, run.train_seconds


def cached(most: int, spinner: str | bool = False) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Keep the ``most`` recently used results of a function for all visitors.

    Runs are told apart by their networks, data sets by their images.
    """
    keys: dict[str | type, Callable[[Any], Any]] = {
        Run: state_of,
        data.Dataset: lambda found: (found.train_fingerprint, found.test_fingerprint),
    }
    return st.cache_resource(max_entries=most, show_spinner=spinner, hash_funcs=keys)


# --- data ---


def dataset() -> data.Dataset:
    """The best data at hand now; read again when its file changes."""
    path, source = data.locate()
    return _dataset(str(path), source, path.stat().st_mtime)


@cached(1, "Reading the digits …")
def _dataset(path: str, source: str, changed: float) -> data.Dataset:
    found = data.load_dataset()
    if found.note:
        log.warning("digits: %s", found.note)
    return found


def images_of(split: str) -> tuple[np.ndarray, np.ndarray]:
    """The "train" or "test" images, uint8 (n, 28, 28), and their labels, uint8 (n,)."""
    found = dataset()
    if split == "test":
        return found.x_test, found.y_test
    return found.x_train, found.y_train


def fingerprint_of(split: str) -> str:
    found = dataset()
    return found.test_fingerprint if split == "test" else found.train_fingerprint


@cached(4, "Looking at every image …")
def glance_at(dataset: data.Dataset, split: str) -> summary.Glance:
    return summary.at_a_glance(*images_of(split))


@cached(500)
def neighbours(
    dataset: data.Dataset, split: str, place: int, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """The training images nearest to one image: places and distances."""
    image = data.take(images_of(split)[0], np.array([place]))[0]
    itself = place if split == "train" else None
    return nearest_images(dataset.x_train, image, count, exclude=itself)


def suspects() -> Suspects | None:
    """The training images that may be mislabelled, if that was ever computed."""
    fingerprint = fingerprint_of("train")
    return _shipped_suspects(fingerprint) or _stored_suspects(fingerprint)


_shipped_suspects = cached(4)(shipped_suspects)


def _stored_suspects(fingerprint: str) -> Suspects | None:
    try:
        study = tasks().find(study_key(fingerprint))
    except StoreUnavailable:
        return None
    return Suspects.from_json(study.result.decode()) if study and study.result else None


# --- the database ---


def database() -> Database:
    """The database that all share. Raises StoreUnavailable if there is none to use."""
    url = engine.database_url()
    _check_database(url)
    return _database(url)


@st.cache_data(ttl=5.0, max_entries=1, show_spinner=False)
def _check_database(url: str) -> None:
    _database(url).check()


_database = cached(1)(Database)


def store() -> RunStore:
    """The runs. Raises StoreUnavailable if there is no database to use."""
    return RunStore(database())


def tasks() -> TaskStore:
    """What else workers do. Raises StoreUnavailable if there is no database to use."""
    return TaskStore(database())


def pool() -> Pool:
    """The workers of this server."""
    return _pool(engine.database_url())


@cached(1)
def _pool(url: str) -> Pool:
    return open_pool(_database(url)).start()


# --- what belongs to a network ---


def artifact(run_id: str, kind: str) -> bytes:
    """A run's model, predictions or calibration. Raises RunNotFound."""
    if run_id in shipped.shipped_runs():
        return shipped.shipped_artifact(run_id, kind)
    return store().artifact(run_id, kind)


@cached(8)
def classifier(run: Run) -> Classifier:
    return Classifier(artifact(run.id, LITERT), run.config.looks)


@cached(50)
def calibration(run: Run) -> Calibration:
    """How sure a run's network must be for its answers to count as sure."""
    try:
        return Calibration.from_json(artifact(run.id, CALIBRATION))
    except RunNotFound:
        # The run is older than calibrations.
        return Calibration()


@cached(8, "Looking at 4,000 training digits …")
def known_digits(run: Run) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The bundled training digits, uint8 (n, 28, 28), their labels, uint8 (n,), and the output
    of the network's last hidden layer for each, float32 (n, units)."""
    images, labels = _bundled_digits()
    return images, labels, explanation.hidden(classifier(run).activations, images)


@cached(1)
def _bundled_digits() -> tuple[np.ndarray, np.ndarray]:
    images, labels, _, _ = data.read(data.SAMPLE_PATH)
    return images, labels


@cached(8)
def predictions(run: Run) -> Predictions:
    """A run's answers to its test images."""
    return Predictions.from_bytes(artifact(run.id, PREDICTIONS))


def has_pictures(run: Run) -> bool:
    """Whether a run was tested on the test images at hand, so that they can be shown."""
    return run.test_fingerprint == dataset().test_fingerprint


def pictured_first(runs: list[Run]) -> list[Run]:
    """The same runs, those whose pictures can be shown first."""
    return sorted(runs, key=lambda run: not has_pictures(run))


def has_learned_the_sample(run: Run) -> bool:
    """Whether the test images at hand are the sample's, and the run was trained on all of MNIST
    and so on them."""
    return dataset().source == "sample" and not has_pictures(run)


# --- runs ---


def active_run_and_sweep(visitor: str) -> tuple[Run | None, Run | None]:
    """A visitor's active run outside sweeps, and the run of their sweep whose turn it is."""
    runs = sorted(store().list_runs(states=ACTIVE, owner=visitor), key=queue_place)
    single = next((run for run in runs if run.sweep is None), None)
    return single, next((run for run in runs if run.sweep is not None), None)


def shipped_runs() -> list[Run]:
    """The built-in runs: the best one for drawings first, the sample's last."""
    runs = shipped.shipped_runs().values()
    return sorted(runs, key=lambda run: (run.id != BEST, run.id == shipped.SAMPLE))


def runs_ahead_of(run: Run) -> list[Run]:
    """The runs that have their turn before this one, in order."""
    url = engine.database_url()
    if run.id not in {each.id for each in _active_runs(url)}:
        # It was started after the last look.
        _active_runs.clear()
    return order.runs_ahead_of(run, _active_runs(url))


# One query in half a second, however many visitors wait.
@st.cache_data(ttl=0.5, max_entries=1, show_spinner=False)
def _active_runs(url: str) -> list[Run]:
    return store().list_runs(states=ACTIVE)


def seconds_until_turn(before: list[Run]) -> float:
    """How long a run has to wait for those ahead of it."""
    url = engine.database_url()
    seconds = _seconds_of_active_runs(url)
    if any(run.id not in seconds for run in before):
        # It was started after the last look.
        _active_runs.clear()
        _seconds_of_active_runs.clear()
        seconds = _seconds_of_active_runs(url)
    return sum(seconds.get(run.id, 0.0) for run in before) / max(pool().limit, 1)


@st.cache_data(ttl=2.0, max_entries=1, show_spinner=False)
def _seconds_of_active_runs(url: str) -> dict[str, float]:
    """How much longer each waiting or running run will take: two more queries in two seconds,
    however many visitors wait."""
    active = _active_runs(url)
    reports = store().first_and_last_reports([run.id for run in active if run.state == RUNNING])
    ended = store().list_runs(states=(FINISHED,))
    images = len(dataset().x_train)
    return {
        run.id: forecast.seconds_until_turn([(run, reports.get(run.id, []))], ended, 1, images)
        for run in active
    }


def curves(run: Run) -> list[Progress]:
    """A run's reports so far."""
    return watch(run.id)[1]


def watch(run_id: str, age: float = 0.0) -> tuple[Run, list[Progress]]:
    """A run and its reports so far, or as they were at most ``age`` seconds ago.

    Raises:
        RunNotFound: there is none with that id.
    """
    if run := shipped.shipped_runs().get(run_id):
        return run, shipped.shipped_metrics(run_id)
    url = engine.database_url()
    return _watched(run_id, url, engine.replaced_at.get(url)).look(age)


# Few runs are looked at at once, and a long one has thousands of reports.
@cached(12)
def _watched(run_id: str, url: str, replaced_at: float | None) -> "_Watched":
    return _Watched(run_id)


class _Watched:
    """A run and its reports, of which only the new ones are read: thirty people may look on."""

    def __init__(self, run_id: str) -> None:
        self._run_id = run_id
        self._run: Run | None = None
        self._reports: list[Progress] = []
        self._read_at = 0.0
        self._one_at_a_time = threading.Lock()

    def look(self, age: float) -> tuple[Run, list[Progress]]:
        with self._one_at_a_time:
            if self._run is None or time.monotonic() - self._read_at >= age:
                last = self._reports[-1].step if self._reports else 0
                run, new = store().watch(self._run_id, last)
                if self._run and (run.turn, run.worker) != (self._run.turn, self._run.worker):
                    # Another worker, or another turn, may have begun at an earlier step again.
                    run, new = store().watch(self._run_id)
                    self._reports = []
                # A new list, because callers may still read the last one.
                self._run, self._reports = run, self._reports + new
                self._read_at = time.monotonic()
            return self._run, self._reports
