"""The class at a glance: how many images each digit has, what they have in common, and how
much ink they hold."""

from dataclasses import dataclass

import numpy as np

from mnist_core.data import CLASSES, SIDE, in_chunks

# What a box shows: most of the images lie between the first and the last.
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


@dataclass(frozen=True)
class Glance:
    """What is known of each digit's images, digits 0 to 9 along the first axis.

    Attributes:
        counts: int64 (10,), how many images there are.
        mean: float32 (10, 28, 28), 0 to 255: the mean of each pixel.
        deviation: float32 (10, 28, 28), 0 to 127.5: the standard deviation of each pixel.
        ink: float32 (10, 5), 0 to 1: how much of the picture is ink, grey in part, which
            is the mean of its pixels divided by 255; in the images at the quantiles 5, 25,
            50, 75 and 95%.

    A digit without images has blank pictures, and NaN for its ink.
    """

    counts: np.ndarray
    mean: np.ndarray
    deviation: np.ndarray
    ink: np.ndarray


def at_a_glance(images: np.ndarray, labels: np.ndarray) -> Glance:
    """Look at every image once, some at a time.

    Args:
        images: uint8 (n, 28, 28).
        labels: uint8 (n,), 0 to 9.
    """
    sums, squares = np.zeros((2, CLASSES, SIDE * SIDE))
    ink = np.zeros(len(images))
    for where, chunk in in_chunks(images):
        # Row d picks the images of digit d, so that a product of matrices sums them up.
        is_digit = (labels[where] == np.arange(CLASSES)[:, np.newaxis]).astype(np.float64)
        pixels = chunk.reshape(len(chunk), -1).astype(np.float64)
        sums += is_digit @ pixels
        squares += is_digit @ pixels**2
        ink[where] = pixels.mean(axis=1) / 255
    counts = np.bincount(labels, minlength=CLASSES)
    divisors = np.maximum(counts, 1)[:, np.newaxis]
    mean = sums / divisors
    # Sums of whole numbers are exact here, yet a variance of nothing may come out below it.
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
