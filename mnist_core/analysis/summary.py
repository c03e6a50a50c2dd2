"""Each digit's images in numbers: how many, their mean and deviation, and their ink."""

from dataclasses import dataclass

import numpy as np

from mnist_core.data import CLASSES, SIDE, in_chunks

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


@dataclass(frozen=True)
class Glance:
    """Statistics of each digit's images, digits 0 to 9 along the first axis.

    Attributes:
        counts: int64 (10,), number of images.
        mean: float32 (10, 28, 28), 0 to 255: the mean of each pixel.
        deviation: float32 (10, 28, 28), 0 to 127.5: the standard deviation of each pixel.
        ink: float32 (10, 5), 0 to 1: ``QUANTILES`` of the share of ink, which is the mean of an
            image's pixels divided by 255.

    A digit without images has zeros, and NaN for its ink.
    """

    counts: np.ndarray
    mean: np.ndarray
    deviation: np.ndarray
    ink: np.ndarray


def at_a_glance(images: np.ndarray, labels: np.ndarray) -> Glance:
    """The statistics of images uint8 (n, 28, 28) with labels uint8 (n,)."""
    sums, squares = np.zeros((2, CLASSES, SIDE * SIDE))
    ink = np.zeros(len(images))
    for where, chunk in in_chunks(images):
        # Row d selects the images of digit d, so a matrix product sums them.
        is_digit = (labels[where] == np.arange(CLASSES)[:, np.newaxis]).astype(np.float64)
        pixels = chunk.reshape(len(chunk), -1).astype(np.float64)
        sums += is_digit @ pixels
        squares += is_digit @ pixels**2
        ink[where] = pixels.mean(axis=1) / 255
    counts = np.bincount(labels, minlength=CLASSES)
    divisors = np.maximum(counts, 1)[:, np.newaxis]
    mean = sums / divisors
    # Rounding could make a variance of 0 negative.
    variance = np.maximum(squares / divisors - mean**2, 0)
    return Glance(
        counts=counts,
        mean=mean.reshape(-1, SIDE, SIDE).astype(np.float32),
        deviation=np.sqrt(variance).reshape(-1, SIDE, SIDE).astype(np.float32),
        ink=np.stack([_quantiles(ink[labels == digit]) for digit in range(CLASSES)]),
    )


def _quantiles(values: np.ndarray) -> np.ndarray:
    if not len(values):
        return np.full(len(QUANTILES), np.nan, np.float32)
    return np.asarray(np.quantile(values, QUANTILES), np.float32)
