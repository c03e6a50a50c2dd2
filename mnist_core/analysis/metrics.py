"""How good a network is, and where it goes wrong.

``matrix`` is a confusion matrix, int (10, 10): row is the true digit, column the predicted one.
``between`` selects images by confidence: the lowest and the highest, 0 to 1, both included.

scipy.stats would need 45 MB of a server's memory for three short formulas, and scikit-learn 35 MB
for sums of a ten by ten matrix. Tests compare the results with both.
"""

import functools
import math
import statistics
from dataclasses import dataclass

import numpy as np

from mnist_core.analysis.predictions import Predictions
from mnist_core.data import CLASSES

ANY_CONFIDENCE = (0.0, 1.0)


def share_of_row(matrix: np.ndarray) -> np.ndarray:
    """float64 (10, 10), each row divided by its sum; zeros for a digit that does not occur."""
    return np.asarray(matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1))


def share_of_column(matrix: np.ndarray) -> np.ndarray:
    """float64 (10, 10), each column divided by its sum; zeros for a digit never predicted."""
    return np.asarray(matrix / np.maximum(matrix.sum(axis=0, keepdims=True), 1))


def accuracy(matrix: np.ndarray) -> float:
    """Share of correct answers, 0 to 1."""
    return float(np.trace(matrix) / max(int(matrix.sum()), 1))


@functools.lru_cache(maxsize=1000)
def wilson_interval(right: int, total: int, confidence: float = 0.95) -> tuple[float, float]:
    """Confidence interval of the true share, 0 to 1, given ``right`` of ``total``.

    (0, 1) for a total of 0. For a count among other images see ``prediction_interval``.
    Wilson, E. B. (1927), Journal of the American Statistical Association 22, 209-212.
    """
    if total == 0:
        return 0.0, 1.0
    share, z = right / total, statistics.NormalDist().inv_cdf((1 + confidence) / 2)
    centre = share + z**2 / (2 * total)
    spread = z * math.sqrt(share * (1 - share) / total + (z / (2 * total)) ** 2)
    scale = 1 + z**2 / total
    # Exactly 0 and 1 where rounding would be slightly off.
    low = 0.0 if right == 0 else (centre - spread) / scale
    return low, 1.0 if right == total else (centre + spread) / scale


@functools.lru_cache(maxsize=1000)
def prediction_interval(wrong: int, total: int, confidence: float = 0.95) -> tuple[int, int]:
    """Prediction interval: how many of ``total`` other images would be misclassified.

    Wider than a confidence interval of the rate, because both samples are random. Equal-tailed,
    from the beta-binomial distribution with Jeffreys' prior; Meeker, Hahn and Escobar (2017),
    Statistical Intervals, 2nd edition, section 6.7.

    Args:
        wrong: misclassified so far, of as many images.

    Returns:
        Fewest and most, both included: 37 wrong of 10,000 give (22, 56).
    """
    from scipy.special import betaln

    a, b = wrong + 0.5, total - wrong + 0.5
    counts = np.arange(total + 1)
    # The binomial coefficient is 1 / ((total + 1) B(total - count + 1, count + 1)).
    logarithms = (
        betaln(counts + a, total - counts + b)
        - betaln(a, b)
        - betaln(total - counts + 1, counts + 1)
        - np.log(total + 1)
    )
    tail = (1 - confidence) / 2
    fewest, most = np.exp(logarithms).cumsum().searchsorted([tail, 1 - tail])
    return int(fewest), int(most)


# 11.35% of MNIST's test images are a 1, the most common digit.
GUESSING = 0.1
BEST_CONSTANT_ANSWER = 0.1135


def is_guessing(accuracy: float, total: int) -> bool:
    """Whether always answering the same digit could reach this accuracy, 0 to 1."""
    low, _ = wilson_interval(round(accuracy * total), total)
    return low <= BEST_CONSTANT_ANSWER


def percent(probability: float, decimals: int = 0) -> str:
    """A probability, 0 to 1, as a percentage, but ">99%" instead of "100%"."""
    text = f"{probability:.{decimals}%}"
    if not text.startswith("100"):
        return text
    return f">{100 - 10**-decimals:.{decimals}f}%"


# --- digit by digit ---


@dataclass(frozen=True)
class DigitScores:
    """Scores of each digit; float64 (10,) between 0 and 1, support int64 (10,).

    Support is the number of images of each digit. Where a denominator is 0 the score is 0, as in
    scikit-learn.
    """

    precision: np.ndarray
    recall: np.ndarray
    f1: np.ndarray
    support: np.ndarray


def digit_scores(matrix: np.ndarray) -> DigitScores:
    """Scores of each digit from a confusion matrix."""
    right = np.diag(matrix).astype(np.float64)
    support, called = matrix.sum(axis=1), matrix.sum(axis=0)
    precision = right / np.maximum(called, 1)
    recall = right / np.maximum(support, 1)
    both = precision + recall
    f1 = np.divide(2 * precision * recall, both, out=np.zeros(CLASSES), where=both > 0)
    return DigitScores(precision, recall, f1, support)


@dataclass(frozen=True)
class DigitRow:
    """One digit's row in a table.

    Attributes:
        digit: 0 to 9.
        precision, recall, f1: 0 to 1, as in ``DigitScores``.
        images, wrong: number of images of this digit, and of those misclassified.
        taken_for: the digit it is most often confused with; None if never.
        times: how often.
    """

    digit: int
    precision: float
    recall: float
    f1: float
    images: int
    wrong: int
    taken_for: int | None
    times: int


def digit_rows(matrix: np.ndarray) -> list[DigitRow]:
    """Ten rows from a confusion matrix."""
    scores = digit_scores(matrix)
    mistakes = _mistakes(matrix)
    return [
        DigitRow(
            digit,
            float(scores.precision[digit]),
            float(scores.recall[digit]),
            float(scores.f1[digit]),
            images=int(scores.support[digit]),
            wrong=int(row.sum()),
            taken_for=int(row.argmax()) if row.any() else None,
            times=int(row.max()),
        )
        for digit, row in enumerate(mistakes)
    ]


def commonest_mistake(matrix: np.ndarray, digit: int) -> str:
    """What this digit is most often confused with, such as "9 (12×)"; a dash if never."""
    row = _mistakes(matrix)[digit]
    return f"{row.argmax()} ({row.max()}×)" if row.any() else "–"


def worst_confusion(matrix: np.ndarray) -> tuple[int, int, int] | None:
    """The most common mistake as (true digit, predicted digit, count), or None."""
    mistakes = _mistakes(matrix)
    if not mistakes.any():
        return None
    true, predicted = (int(i) for i in np.unravel_index(mistakes.argmax(), mistakes.shape))
    return true, predicted, int(mistakes[true, predicted])


def _mistakes(matrix: np.ndarray) -> np.ndarray:
    """The matrix without its diagonal."""
    return np.asarray(matrix - np.diag(np.diag(matrix)))


# --- image by image ---


def cell_images(
    predictions: Predictions,
    true: int,
    predicted: int,
    between: tuple[float, float] = ANY_CONFIDENCE,
) -> np.ndarray:
    """Indices of the images in one cell of the matrix, most confident first."""
    inside = (predictions.labels == true) & (predictions.answers == predicted)
    return _most_confident_first(predictions, inside, between)


def most_confident_mistakes(
    predictions: Predictions, between: tuple[float, float] = ANY_CONFIDENCE
) -> np.ndarray:
    """Indices of the misclassified images, most confident first."""
    return _most_confident_first(predictions, ~predictions.correct, between)


def least_confident_correct(
    predictions: Predictions, between: tuple[float, float] = ANY_CONFIDENCE
) -> np.ndarray:
    """Indices of the images classified correctly, least confident first."""
    return _most_confident_first(predictions, predictions.correct, between)[::-1]


def _most_confident_first(
    predictions: Predictions, wanted: np.ndarray, between: tuple[float, float]
) -> np.ndarray:
    """Indices where ``wanted``, bool (n,), is true and the confidence is in range."""
    confidences = predictions.confidences
    lowest, highest = between
    indices = np.flatnonzero(wanted & (confidences >= lowest) & (confidences <= highest))
    return indices[np.argsort(-confidences[indices], kind="stable")]


def expected_calibration_error(predictions: Predictions, bins: int = 15) -> float:
    """How far confidence and accuracy are apart, 0 to 1.

    Images are binned by confidence into bins of equal width; the error is the mean over all
    images of their bin's difference between accuracy and mean confidence. Naeini et al. 2015,
    Obtaining Well Calibrated Probabilities Using Bayesian Binning; with 15 bins as in Guo et al.
    2017, arXiv:1706.04599.
    """
    confidences = predictions.confidences
    # A bin includes its upper bound but not its lower one.
    bin_numbers = np.clip(np.ceil(confidences * bins).astype(int) - 1, 0, bins - 1)
    gap = predictions.correct - confidences.astype(np.float64)
    gaps = np.bincount(bin_numbers, weights=gap, minlength=bins)
    return float(np.abs(gaps).sum() / max(len(confidences), 1))
