"""A t-SNE map as a study: its key, its computation, and its points as bytes."""

import io
import re
from dataclasses import dataclass

import numpy as np

from mnist_core.analysis import maps
from mnist_core.classifier import Classifier
from mnist_core.data import Dataset, take
from mnist_core.errors import UserError

PIXELS = "pixels"
MAP_KEY = re.compile(r"tsne/(train|test)/([0-9a-f]{16})/([A-Za-z0-9_-]{1,40})/(0|[1-9][0-9]{0,8})")


@dataclass(frozen=True)
class MapKey:
    """Identifies a t-SNE map; its ``text`` is the study's key.

    Attributes:
        split: "train" or "test".
        fingerprint: ``Dataset.train_fingerprint`` or ``test_fingerprint``.
        features: "pixels", or the id of the run whose last hidden layer is used.
        version: ``Run.version`` of that run; 0 for pixels and built-in runs.

    Raises:
        ValueError: a value is invalid.
    """

    split: str
    fingerprint: str
    features: str = PIXELS
    version: int = 0

    def __post_init__(self) -> None:
        if not MAP_KEY.fullmatch(self.text):
            raise ValueError(f"{self.text!r} is not the key of a map.")

    @property
    def text(self) -> str:
        """The key, such as ``tsne/test/c3f9adf9c66efb57/cnn/0``."""
        return f"tsne/{self.split}/{self.fingerprint}/{self.features}/{self.version}"

    @classmethod
    def parse(cls, text: str) -> "MapKey":
        """Read a ``text``. Raises ValueError."""
        match = MAP_KEY.fullmatch(text)
        if not match:
            raise ValueError(f"{text!r} is not the key of a map.")
        split, fingerprint, features, version = match.groups()
        return cls(split, fingerprint, features, int(version))


def perform(key: str, dataset: Dataset, artifact: bytes | None = None) -> bytes:
    """Compute a map.

    Args:
        key: a ``MapKey.text``.
        artifact: the LiteRT model of the run in the key; None for pixels.

    Returns:
        The points for ``unpack_points``, in the order of ``maps.choose``.

    Raises:
        ValueError: the key is invalid, or there should be a model or none.
        UserError: the dataset is another one, or the network is too wide.
    """
    wanted = MapKey.parse(key)
    if (artifact is None) != (wanted.features == PIXELS):
        raise ValueError(f"{key} needs the model of a run, or none for {PIXELS}.")
    if wanted.split == "train":
        images, labels, fingerprint = dataset.x_train, dataset.y_train, dataset.train_fingerprint
    else:
        images, labels, fingerprint = dataset.x_test, dataset.y_test, dataset.test_fingerprint
    if fingerprint != wanted.fingerprint:
        raise UserError("The digits of this map are no longer those at hand; ask for a new one.")
    chosen = take(images, maps.choose(labels))
    activations = Classifier(artifact).activations if artifact is not None else None
    return pack_points(maps.tsne(maps.features_of(chosen, activations)))


def pack_points(points: np.ndarray) -> bytes:
    """Points float32 (n, 2) as bytes."""
    buffer = io.BytesIO()
    np.save(buffer, points.astype(np.float32), allow_pickle=False)
    return buffer.getvalue()


def unpack_points(data: bytes) -> np.ndarray:
    """Read what ``pack_points`` wrote: float32 (n, 2)."""
    return np.asarray(np.load(io.BytesIO(data), allow_pickle=False))
