"""Predictions: a network's answers to labelled images, in memory and as bytes."""

import functools
import io
from dataclasses import dataclass

import numpy as np

from mnist_core.data import CLASSES, read_npz


@dataclass(frozen=True, eq=False)
class Predictions:
    """The true digit of each image and the probabilities a network gave it.

    Attributes:
        labels: the true digits, whole numbers (n,).
        probabilities: float (n, 10).
    """

    labels: np.ndarray
    probabilities: np.ndarray

    @functools.cached_property
    def answers(self) -> np.ndarray:
        """int64 (n,): the most probable digit of each image."""
        return np.asarray(self.probabilities.argmax(axis=1))

    @functools.cached_property
    def confidences(self) -> np.ndarray:
        """float (n,), 0 to 1: the probability of each answer."""
        # A mean of several float32 probabilities can be 1.0000001.
        return np.asarray(np.minimum(self.probabilities.max(axis=1), 1))

    @functools.cached_property
    def correct(self) -> np.ndarray:
        """bool (n,): whether each answer is the true digit."""
        return np.asarray(self.answers == self.labels)

    @functools.cached_property
    def matrix(self) -> np.ndarray:
        """The confusion matrix, int64 (10, 10): row is the true digit, column the answer."""
        cells = self.labels.astype(np.int64) * CLASSES + self.answers
        return np.bincount(cells, minlength=CLASSES**2).reshape(CLASSES, CLASSES)

    def to_bytes(self) -> bytes:
        """As a compressed ``.npz`` archive of float32 probabilities and uint8 labels."""
        buffer = io.BytesIO()
        np.savez_compressed(
            buffer,
            probabilities=self.probabilities.astype(np.float32),
            labels=self.labels.astype(np.uint8),
        )
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> "Predictions":
        """Read what ``to_bytes`` wrote.

        Raises:
            ValueError: the data is damaged or something else.
        """
        arrays = read_npz(data, "labels", "probabilities")
        labels, probabilities = arrays["labels"], arrays["probabilities"]
        shapes, count = (probabilities.shape, labels.shape), labels.size
        if not count or shapes != ((count, CLASSES), (count,)):
            raise ValueError(f"Expected (n, 10) and (n,), got {shapes[0]} and {shapes[1]}.")
        return cls(labels, probabilities)
