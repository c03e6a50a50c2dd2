"""Reliability and coverage: how often a network is right at each level of confidence."""

from dataclasses import dataclass

import numpy as np

from mnist_core.analysis.metrics import wilson_interval
from mnist_core.analysis.predictions import Predictions


@dataclass(frozen=True)
class ReliabilityBin:
    """Images of similar confidence.

    Attributes:
        lowest, highest: the bin's bounds; it excludes the lower and includes the upper one.
        count: number of images, at least one.
        confidence: their mean confidence, 0 to 1.
        accuracy: share classified correctly, 0 to 1.
        low, high: 95% confidence interval of the accuracy (Wilson).
    """

    lowest: float
    highest: float
    count: int
    confidence: float
    accuracy: float
    low: float
    high: float


def reliability(predictions: Predictions, bins: int = 10) -> list[ReliabilityBin]:
    """Images in bins of equal width by confidence, least confident first; no empty bins.

    Most images of a good network are in the last bin and few in the others, as their wide
    intervals show. Bins of equally many images would all be near 1 and hide the rest.

    The reliability diagram of Guo et al. 2017, arXiv:1706.04599.
    """
    confidences, found = predictions.confidences, []
    for place in range(bins):
        lowest, highest = place / bins, (place + 1) / bins
        inside = (confidences > lowest) & (confidences <= highest)
        count, correct = int(inside.sum()), int(predictions.correct[inside].sum())
        if count:
            low, high = wilson_interval(correct, count)
            mean = float(confidences[inside].mean(dtype=np.float64))
            found.append(ReliabilityBin(lowest, highest, count, mean, correct / count, low, high))
    return found


@dataclass(frozen=True)
class Coverage:
    """What happens if a network abstains below a minimum confidence.

    Attributes:
        threshold: the minimum confidence, 0 to 1.
        answered: number of images answered.
        share: the same as a share of all images, 0 to 1.
        accuracy: share of correct answers among those given; None if none is given.
        wrong: number of wrong answers given.
    """

    threshold: float
    answered: int
    share: float
    accuracy: float | None
    wrong: int


def coverage(predictions: Predictions, threshold: float) -> Coverage:
    """What happens with this minimum confidence, 0 to 1."""
    given = predictions.confidences >= threshold
    answered, correct = int(given.sum()), int(predictions.correct[given].sum())
    return Coverage(
        threshold,
        answered,
        share=answered / max(len(given), 1),
        accuracy=correct / answered if answered else None,
        wrong=answered - correct,
    )


@dataclass(frozen=True)
class CoverageCurve:
    """The same for many thresholds, in ascending order; arrays (k,).

    Attributes:
        thresholds: float64.
        share, accuracy: float64, 0 to 1.
        wrong: int64.
    """

    thresholds: np.ndarray
    share: np.ndarray
    accuracy: np.ndarray
    wrong: np.ndarray


def coverage_curve(predictions: Predictions, points: int = 201) -> CoverageCurve:
    """Accuracy against coverage, from all images to only the most confident ones.

    The risk-coverage curve of El-Yaniv and Wiener 2010, On the Foundations of Noise-free
    Selective Classification, with accuracy in place of risk.

    Args:
        points: the most thresholds. They are quantiles of the confidences, because evenly
            spaced ones would miss the range in which most images are.
    """
    confidences = predictions.confidences
    # "nearest" gives confidences that occur, so every threshold has images and an accuracy.
    thresholds = (
        np.unique(np.quantile(confidences, np.linspace(0, 1, points), method="nearest"))
        if len(confidences)
        else confidences
    )
    curve = [coverage(predictions, float(threshold)) for threshold in thresholds]
    return CoverageCurve(
        np.array([point.threshold for point in curve], np.float64),
        np.array([point.share for point in curve], np.float64),
        np.array([point.accuracy for point in curve], np.float64),
        np.array([point.wrong for point in curve], np.int64),
    )
