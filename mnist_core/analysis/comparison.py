"""Two networks on the same test images: which is right where, and whether it may be luck."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mnist_core.analysis import metrics
from mnist_core.analysis.predictions import Predictions

# A difference that chance alone produces less often than this is considered real.
SIGNIFICANCE_LEVEL = 0.05


@dataclass(frozen=True)
class Comparison:
    """Which images two networks classify correctly, as indices in ascending order, int64.

    Every image is in exactly one of the four arrays.
    """

    both: np.ndarray
    only_first: np.ndarray
    only_second: np.ndarray
    neither: np.ndarray


def compare(first: Predictions, second: Predictions) -> Comparison:
    """Sort images by which of two networks classifies them correctly."""
    return Comparison(
        both=np.flatnonzero(first.correct & second.correct),
        only_first=np.flatnonzero(first.correct & ~second.correct),
        only_second=np.flatnonzero(~first.correct & second.correct),
        neither=np.flatnonzero(~first.correct & ~second.correct),
    )


def luck(only_first: int, only_second: int) -> float:
    """The probability that chance alone makes a difference this large or larger, 0 to 1.

    The p-value of the exact test of McNemar 1947, Psychometrika 12, 153-157: if both networks are
    equally good, each image that only one of them classifies correctly is as likely the first's as
    the second's, like the toss of a coin. Images on which they agree say nothing.

    Args:
        only_first, only_second: how many images only the first, only the second classifies
            correctly.
    """
    from scipy.special import bdtr

    disagreements = only_first + only_second
    # The two tails are equal, and overlap if the two numbers are equal.
    return min(1.0, 2 * float(bdtr(min(only_first, only_second), disagreements, 0.5)))


def verdict(only_first: int, only_second: int) -> str:
    """The comparison in words, for someone who has never heard of a p-value.

    Args:
        only_first, only_second: how many images only the first, only the second classifies
            correctly.
    """
    if not only_first and not only_second:
        return "Both classify exactly the same images correctly: neither is better here."
    images = "1 image" if only_first == 1 else f"{only_first:,} images"
    if only_first == only_second:
        return f"Each alone classifies {images} correctly: neither is better here."
    chance = luck(only_first, only_second)
    better = "first" if only_first > only_second else "second"
    conclusion = (
        f"so the {better} is very probably better on such images"
        if chance < SIGNIFICANCE_LEVEL
        else "so it may well be chance"
    )
    return (
        f"The first alone classifies {images} correctly, the second alone {only_second:,}. If both "
        "were equally good, chance would make a difference this large or larger in "
        f"{_of_tests(chance)} such tests, {conclusion}."
    )


def _of_tests(chance: float) -> str:
    if chance < 0.001:
        return "fewer than 1 of 1,000"
    # More digits near the limit: 49 and 51 of 1,000 are on either side of it.
    tests = 1000 if chance < 0.1 else 100
    return f"{chance * tests:.0f} of {tests:,}"


def level_with_best(
    best: float, others: Sequence[float], images: int
) -> tuple[tuple[float, float], int]:
    """How sure it is that the best of several accuracies is the best.

    Args:
        best, others: accuracies, 0 to 1, each measured on so many ``images``.

    Returns:
        The best one's 95% confidence interval, as ``metrics.wilson_interval`` has it; and how
        many of the others are within it, so that they may be just as good.
    """
    low, high = metrics.wilson_interval(round(best * images), images)
    return (low, high), sum(low <= other <= high for other in others)
