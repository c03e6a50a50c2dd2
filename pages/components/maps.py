"""Maps of digits as pages need them: by PCA at once, by t-SNE from a worker."""

import numpy as np
import streamlit as st

from mnist_core import data
from mnist_core.analysis import maps
from mnist_core.analysis.map_study import PIXELS, MapKey
from mnist_core.store.queue import Task
from mnist_core.store.run import ACTIVE, Run
from pages.server import limits, served
from pages.server.rates import STUDY
from pages.shared.cache import classifier, fingerprint_of, home, images_of, pool, tasks
from pages.shared.visitor import visitor


def map_places(split: str) -> np.ndarray:
    """Which of these images are on their map."""
    return maps.choose(images_of(split)[1])


def flat_map(split: str, run: Run | None) -> tuple[np.ndarray, np.ndarray]:
    """A map by PCA, of the pixels or of a run's last hidden layer: points, and the share of
    the variance along each axis."""
    names = (run.id, home(run), run.version) if run else (PIXELS, "", 0)
    return _flat_map(run, split, fingerprint_of(split), *names)


@st.cache_resource(max_entries=20, show_spinner="Drawing the map …")
def _flat_map(
    _run: Run | None, split: str, fingerprint: str, run_id: str, url: str, version: int
) -> tuple[np.ndarray, np.ndarray]:
    images = data.take(images_of(split)[0], map_places(split))
    activations = classifier(_run).activations if _run else None
    return maps.pca(maps.features_of(images, activations))


def studied_map(split: str, run: Run | None) -> Task:
    """A map by t-SNE as a worker computes it; asked for if nobody did before.

    Raises:
        NotAllowed: too many others wait, or were asked for lately.
    """
    features = (run.id, run.version) if run else (PIXELS, 0)
    key = MapKey(split, fingerprint_of(split), *features).text
    study = tasks().find(key)
    if study is None:
        with limits.counted(STUDY, visitor(remember=False)):
            study = tasks().request(key)
    if study.state in ACTIVE:
        pool().wake()
    return study


def ask_again(key: str) -> None:
    """Ask for a study that failed."""
    with limits.counted(STUDY, visitor(remember=False)):
        tasks().request(key)


def map_sprite(split: str) -> str:
    """The address of all pictures of a map."""
    images = images_of(split)[0]

    def make() -> bytes:
        return maps.sprite(data.take(images, map_places(split)))

    name = f"digits-{split}-{fingerprint_of(split)}.png"
    return served.address(name, make) or ""
