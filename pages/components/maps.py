"""Maps of digits as pages need them: by PCA at once, by t-SNE from a worker."""

import numpy as np

from mnist_core import data
from mnist_core.analysis import maps
from mnist_core.analysis.map_study import PIXELS, MapKey
from mnist_core.store.run import RUNNING, WAITING, Run
from mnist_core.store.studies import Study
from pages.server import limits, served
from pages.server.rates import STUDY
from pages.shared.cache import cached, classifier, fingerprint_of, images_of, pool, studies
from pages.shared.visitor import visitor


def map_places(split: str) -> np.ndarray:
    """Which of these images are on their map."""
    return maps.choose(images_of(split)[1])


@cached(20, "Drawing the map …")
def flat_map(dataset: data.Dataset, split: str, run: Run | None) -> tuple[np.ndarray, np.ndarray]:
    """A map by PCA, of the pixels or of a run's last hidden layer: points, and the share of
    the variance along each axis."""
    images = data.take(images_of(split)[0], map_places(split))
    activations = classifier(run).activations if run else None
    return maps.pca(maps.features_of(images, activations))


def studied_map(split: str, run: Run | None) -> Study:
    """A map by t-SNE as a worker computes it; asked for if nobody did before.

    Raises:
        NotAllowed: too many others wait, or were asked for lately.
    """
    features = (run.id, run.version) if run else (PIXELS, 0)
    key = MapKey(split, fingerprint_of(split), *features).text
    study = studies().find(key)
    if study is None:
        with limits.counted(STUDY, visitor(remember=False)):
            study = studies().request(key)
    if study.state in (WAITING, RUNNING):
        pool().wake()
    return study


def ask_again(key: str) -> None:
    """Ask for a study that failed."""
    with limits.counted(STUDY, visitor(remember=False)):
        studies().request(key)


def map_sprite(split: str) -> str:
    """The address of all pictures of a map."""
    images = images_of(split)[0]

    def make() -> bytes:
        return maps.sprite(data.take(images, map_places(split)))

    name = f"digits-{split}-{fingerprint_of(split)}.png"
    return served.address(name, make) or ""
