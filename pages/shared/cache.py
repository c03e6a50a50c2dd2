"""cache: what visitors share: the data, the database, networks, figures.

The only place for caches, with the maps' in components/maps.py, so that the pages stay plain
scripts. All are bounded; whatever belongs to one visitor is in the session.
"""

import logging
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import plotly.graph_objects as go
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
from pages.shared import presenter
from pages.shared.bounded import BoundedCache

log = logging.getLogger("pages")
T = TypeVar("T")

# A photograph takes a hundred megabytes for a moment; thirty at once would take them all.
ONE_PICTURE_AT_A_TIME = threading.Lock()

# What is kept of one kind of figure: hundreds of curves, or all heatmaps that anybody looks at.
MOST_BYTES_OF_A_KIND = 6_000_000

BEST = "cnn"

# --- shared by all visitors ---


def cached_for_all(key: tuple[Any, ...], make: Callable[[], T]) -> T:
    """A figure or text that looks the same to all visitors, made for the first of them.

    A figure takes Plotly up to 40 ms, during which all others wait, and thirty people who
    look at one network see the same figure.

    Args:
        key: its kind, such as "confusion", and all that it depends on, in plain values. Each
            kind has a share of the memory of its own, so that curves which change five times
            a second push nobody's heatmap out.
        make: makes it. Whoever is given it leaves it as it is.
    """
    value: T = _cache_of(key[0]).get(key, make)
    return value


@st.cache_resource(show_spinner=False)
def _cache_of(kind: str) -> BoundedCache:
    return BoundedCache(MOST_BYTES_OF_A_KIND, _bytes_of)


def _bytes_of(value: go.Figure | str) -> int:
    return len(value if isinstance(value, str) else value.to_json())


def dataset() -> data.Dataset:
    """The best data at hand now; read again when its file changes."""
    path, source = data.locate()
    return _dataset(str(path), source, path.stat().st_mtime)


@st.cache_resource(max_entries=1, show_spinner="Reading the digits …")
def _dataset(path: str, source: str, changed: float) -> data.Dataset:
    found = data.load_dataset()
    if found.note:
        log.warning("digits: %s", found.note)
    return found


def images_of(split: str) -> tuple[np.ndarray, np.ndarray]:
    """The "train" or the "test" images at hand, uint8 (n, 28, 28), and their labels, (n,)."""
    found = dataset()
    if split == "test":
        return found.x_test, found.y_test
    return found.x_train, found.y_train


def fingerprint_of(split: str) -> str:
    """What tells these images from those of other data; part of what caches go by."""
    found = dataset()
    return found.test_fingerprint if split == "test" else found.train_fingerprint


def glance_at(split: str) -> summary.Glance:
    """The classes at a glance."""
    return _glance(split, fingerprint_of(split))


@st.cache_resource(max_entries=4, show_spinner="Looking at every image …")
def _glance(split: str, fingerprint: str) -> summary.Glance:
    return summary.at_a_glance(*images_of(split))


def neighbours(split: str, place: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The training images nearest to one image: places and distances."""
    return _neighbours(split, place, count, fingerprint_of(split), fingerprint_of("train"))


@st.cache_resource(max_entries=500, show_spinner=False)
def _neighbours(
    split: str, place: int, count: int, fingerprint: str, among: str
) -> tuple[np.ndarray, np.ndarray]:
    image = data.take(images_of(split)[0], np.array([place]))[0]
    itself = place if split == "train" else None
    return nearest_images(images_of("train")[0], image, count, exclude=itself)


def suspects() -> Suspects | None:
    """The training images whose label is in doubt, if that was ever computed."""
    fingerprint = fingerprint_of("train")
    return _shipped_suspects(fingerprint) or _stored_suspects(fingerprint)


@st.cache_resource(max_entries=4, show_spinner=False)
def _shipped_suspects(fingerprint: str) -> Suspects | None:
    return shipped_suspects(fingerprint)


def _stored_suspects(fingerprint: str) -> Suspects | None:
    try:
        study = tasks().find(study_key(fingerprint))
    except StoreUnavailable:
        return None
    return Suspects.from_json(study.result.decode()) if study and study.result else None


def database() -> Database:
    """The database that all share. Raises StoreUnavailable if there is none to use."""
    url = engine.database_url()
    _check_database(url)
    return _database(url)


@st.cache_data(ttl=5.0, max_entries=1, show_spinner=False)
def _check_database(url: str) -> None:
    _database(url).check()


@st.cache_resource(max_entries=1, show_spinner=False)
def _database(url: str) -> Database:
    return Database(url)


def store() -> RunStore:
    """The runs. Raises StoreUnavailable if there is no database to use."""
    return RunStore(database())


def tasks() -> TaskStore:
    """What else workers do. Raises StoreUnavailable if there is no database to use."""
    return TaskStore(database())


def pool() -> Pool:
    """The workers of this server."""
    return _pool(engine.database_url())


@st.cache_resource(max_entries=1, show_spinner=False)
def _pool(url: str) -> Pool:
    return open_pool(_database(url)).start()


def home(run: Run) -> str:
    """Where a run is kept, for the caches: runs of another database are other runs."""
    return "" if run.shipped else engine.database_url()


def state_of(run: Run) -> tuple[str, str, int]:
    """What tells a run's network from all others, for the key of ``cached_for_all``."""
    return run.id, home(run), run.version


def classifier(run: Run) -> Classifier:
    """The network of a run that has one."""
    return _classifier(run.id, home(run), run.version, run.config.looks)


# A run that went on has another network: its version is part of what is remembered.
@st.cache_resource(max_entries=8, show_spinner=False)
def _classifier(run_id: str, url: str, version: int, looks: int) -> Classifier:
    return Classifier(artifact(run_id, LITERT), looks)


def calibration(run: Run) -> Calibration:
    """From where on a run's answers are to be believed; the usual for a run without one."""
    return _calibration(run.id, home(run), run.version)


@st.cache_resource(max_entries=50, show_spinner=False)
def _calibration(run_id: str, url: str, version: int) -> Calibration:
    try:
        return Calibration.from_json(artifact(run_id, CALIBRATION))
    except RunNotFound:
        # Trained before there were any.
        return Calibration()


def known_digits(run: Run) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The bundled training digits, their labels, and what a run's last hidden layer makes of
    each: uint8 (n, 28, 28), uint8 (n,), float32 (n, units)."""
    images, labels = _known_digits()
    return images, labels, _features(classifier(run), run.id, run.version)


@st.cache_resource(max_entries=1, show_spinner=False)
def _known_digits() -> tuple[np.ndarray, np.ndarray]:
    images, labels, _, _ = data.read(data.SAMPLE_PATH)
    return images, labels


@st.cache_resource(max_entries=8, show_spinner="Looking at 4,000 training digits …")
def _features(_network: Classifier, run_id: str, version: int) -> np.ndarray:
    images, _ = _known_digits()
    return explanation.hidden(_network.activations, images)


def predictions(run: Run) -> Predictions:
    """A run's answers to its test images."""
    return _predictions(run.id, home(run), run.version)


@st.cache_resource(max_entries=8, show_spinner=False)
def _predictions(run_id: str, url: str, version: int) -> Predictions:
    return Predictions.from_bytes(artifact(run_id, PREDICTIONS))


def has_pictures(run: Run) -> bool:
    """Whether a run was tested on the test images at hand, so that they can be shown."""
    return run.test_fingerprint == dataset().test_fingerprint


def pictured_first(runs: list[Run]) -> list[Run]:
    """The same runs, those whose pictures can be shown first."""
    here = dataset().test_fingerprint
    return sorted(runs, key=lambda run: run.test_fingerprint != here)


def has_learned_the_sample(run: Run) -> bool:
    """Whether the test images at hand are the sample's, and a run was trained on all of MNIST
    and so on them."""
    return dataset().source == "sample" and not has_pictures(run)


def artifact(run_id: str, kind: str) -> bytes:
    """A shipped or stored run's model, predictions or calibration. Raises RunNotFound."""
    if run_id in shipped.shipped_runs():
        return shipped.shipped_artifact(run_id, kind)
    return store().artifact(run_id, kind)


# --- runs ---


def find_run(run_id: str) -> Run:
    """A shipped or stored run. Raises RunNotFound."""
    return shipped.shipped_runs().get(run_id) or store().get(run_id)


def active_run_and_sweep(visitor: str) -> tuple[Run | None, Run | None]:
    """A visitor's run that waits or runs and belongs to no sweep; and of their sweep the run that
    runs, or else the next. None where there is none, or all have ended."""
    runs = sorted(store().list_runs(states=ACTIVE, owner=visitor), key=queue_place)
    single = next((run for run in runs if run.sweep is None), None)
    return single, next((run for run in runs if run.sweep is not None), None)


def shipped_runs() -> list[Run]:
    """The runs that came with the app: the best one for drawings first, the sample's last."""
    runs = shipped.shipped_runs().values()
    return sorted(runs, key=lambda run: (run.id != BEST, run.id == shipped.SAMPLE))


def shipped_run(name: str) -> Run | None:
    """The run of that name that came with the app, if there is one."""
    return shipped.shipped_runs().get(name)


def runs_ahead_of(run: Run) -> list[Run]:
    """The runs that have their turn before this one, in order."""
    url = engine.database_url()
    if run.id not in {each.id for each in _active_runs(url)}:
        # Asked for since the last look.
        _active_runs.clear()
    return order.runs_ahead_of(run, _active_runs(url))


# One query in half a second, however many visitors wait.
@st.cache_data(ttl=0.5, max_entries=1, show_spinner=False)
def _active_runs(url: str) -> list[Run]:
    return store().list_runs(states=ACTIVE)


def seconds_until_turn(before: list[Run]) -> float:
    """How long a run has to wait for those before it."""
    url = engine.database_url()
    seconds = _seconds_of_active_runs(url)
    if any(run.id not in seconds for run in before):
        # Asked for since the last look.
        _seconds_of_active_runs.clear()
        seconds = _seconds_of_active_runs(url)
    return sum(seconds.get(run.id, 0.0) for run in before) / max(pool().limit, 1)


@st.cache_data(ttl=2.0, max_entries=1, show_spinner=False)
def _seconds_of_active_runs(url: str) -> dict[str, float]:
    """How much longer each waiting or running run will take: three queries in two seconds,
    however many visitors wait."""
    active = store().list_runs(states=ACTIVE)
    reports = store().first_and_last_reports([run.id for run in active if run.state == RUNNING])
    ended = store().list_runs(states=(FINISHED,))
    images = len(dataset().x_train)
    return {
        run.id: forecast.seconds_until_turn([(run, reports.get(run.id, []))], ended, 1, images)
        for run in active
    }


def curves(run: Run, age: float = 0.0) -> list[Progress]:
    """A run's reports so far, or as they were at most ``age`` seconds ago."""
    if run.shipped:
        return shipped.shipped_metrics(run.id)
    return _reports(run.id, home(run), run.worker, run.turn).known(age)


# Another worker, or another turn, may begin at an earlier step again. Few are looked at at
# once, and a long one has thousands of reports.
@st.cache_resource(max_entries=12, show_spinner=False)
def _reports(run_id: str, url: str, worker: str | None, turn: int) -> "_Reports":
    return _Reports(run_id)


class _Reports:
    """A run's reports, of which only the new ones are read: thirty people may look on."""

    def __init__(self, run_id: str) -> None:
        self._run_id = run_id
        self._known: list[Progress] = []
        self._read_at = 0.0
        self._one_at_a_time = threading.Lock()

    def known(self, age: float) -> list[Progress]:
        with self._one_at_a_time:
            if time.monotonic() - self._read_at >= age:
                last = self._known[-1].step if self._known else 0
                # Another list: whoever was given the one before goes on reading it.
                self._known = self._known + store().metrics(self._run_id, after_step=last)
                self._read_at = time.monotonic()
            return self._known


# --- what all pages show ---


def dark() -> bool:
    """Whether the page has a dark background; Plotly does not know it."""
    return st.context.theme.type == "dark"


def figure(key: tuple[Any, ...], draw: Callable[[], go.Figure]) -> go.Figure:
    """A figure in this visitor's size and colours, drawn once for all like them.

    Args:
        key: all else that it depends on, as ``cached_for_all`` takes it.
    """
    return cached_for_all((*key, dark(), presenter.is_on()), lambda: presenter.sized(draw()))
