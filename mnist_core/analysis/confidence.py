"""What a network's confidence is worth: how often it is right when it says that it is sure.

The confidence of an answer is the probability of the digit given. Everything takes plain
arrays: ``labels`` are the true digits, whole numbers (n,), ``probabilities`` float (n, 10).
"""

from dataclasses import dataclass

import numpy as np

from mnist_core.analysis.metrics import confidences, wilson_interval


@dataclass(frozen=True)
class ReliabilityBin:
    """Images of about the same confidence, and how many of them are classified correctly.

    Attributes:
        lowest, highest: the bin's bounds; it holds images above the one and up to the other.
        count: how many images it holds, at least one.
        confidence: their mean confidence, 0 to 1.
        accuracy: the share that is right, 0 to 1.
        low, high: where the true share lies, with 95% confidence (Wilson's interval).
    """

    lowest: float
    highest: float
    count: int
    confidence: float
    accuracy: float
    low: float
    high: float


def reliability(
    labels: np.ndarray, probabilities: np.ndarray, bins: int = 10
) -> list[ReliabilityBin]:
    """Images sorted by confidence into bins of equal width, least sure first.

    Bins without images are left out. Most images of a good network lie in the last bin, and
    the others hold few: their wide intervals say so. Bins of equally many images would all
    crowd near 1 and show nothing of the doubtful ones.

    The reliability diagram of Guo et al. 2017, arXiv:1706.04599.
    """
    sure = confidences(probabilities)
    right = probabilities.argmax(axis=1) == labels
    found = []
    for place in range(bins):
        lowest, highest = place / bins, (place + 1) / bins
        inside = (sure > lowest) & (sure <= highest)
        count, correct = int(inside.sum()), int(right[inside].sum())
        if count:
            low, high = wilson_interval(correct, count)
            mean = float(sure[inside].mean(dtype=np.float64))
            found.append(ReliabilityBin(lowest, highest, count, mean, correct / count, low, high))
    return found


@dataclass(frozen=True)
class Coverage:
    """What becomes of the images if only sure answers are given and all others refused.

    Attributes:
        threshold: the lowest confidence, 0 to 1, at which an answer is given.
        answered: how many images are answered.
        share: the same as a share of all images, 0 to 1.
        accuracy: share of right answers among those given; None if none is given.
        wrong: how many wrong answers are given all the same.
    """

    threshold: float
    answered: int
    share: float
    accuracy: float | None
    wrong: int


def coverage(labels: np.ndarray, probabilities: np.ndarray, threshold: float) -> Coverage:
    """What becomes of the images with this threshold, 0 to 1."""
    right = probabilities.argmax(axis=1) == labels
    return _coverage(confidences(probabilities), right, threshold)


@dataclass(frozen=True)
class CoverageCurve:
    """The same for many thresholds; arrays (k,), from the lowest threshold to the highest.

    Attributes:
        thresholds: float64.
        share, accuracy: float64, 0 to 1.
        wrong: int64.
    """

    thresholds: np.ndarray
    share: np.ndarray
    accuracy: np.ndarray
    wrong: np.ndarray


def coverage_curve(
    labels: np.ndarray, probabilities: np.ndarray, points: int = 201
) -> CoverageCurve:
    """Accuracy against coverage, from all images answered to only the surest ones.

    The risk-coverage curve of El-Yaniv and Wiener 2010, On the Foundations of Noise-free
    Selective Classification, with accuracy in place of risk.

    Args:
        points: at most so many thresholds. They are confidences that occur, and about as
            many images lie between any two: even steps would miss where most images are.
    """
    sure = confidences(probabilities)
    right = probabilities.argmax(axis=1) == labels
    steps = np.linspace(0, 1, points)
    # Nobody is answered at a threshold that no image reaches, so each has an accuracy.
    chosen = np.unique(np.quantile(sure, steps, method="nearest")) if len(sure) else sure
    curve = [_coverage(sure, right, float(threshold)) for threshold in chosen]
    return CoverageCurve(
        np.array([point.threshold for point in curve], np.float64),
        np.array([point.share for point in curve], np.float64),
        np.array([point.accuracy for point in curve], np.float64),
        np.array([point.wrong for point in curve], np.int64),
    )


def _coverage(sure: np.ndarray, right: np.ndarray, threshold: float) -> Coverage:
    given = sure >= threshold
    answered, correct = int(given.sum()), int(right[given].sum())
    return Coverage(
        threshold,
        answered,
        answered / max(len(sure), 1),
        correct / answered if answered else None,
        answered - correct,
    )
