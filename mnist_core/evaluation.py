"""How good a network is, and where it is wrong, from its probabilities alone.

Everything takes plain arrays: ``labels`` are the true digits, whole numbers (n,), and
``predictions`` the digits a network gave, or ``probabilities`` float (n, 10).
"""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from mnist_core.data import CLASSES


def confusion_matrix(labels: np.ndarray, predictions: np.ndarray) -> np.ndarray:
    """int64 (10, 10): row is the true digit, column the predicted one."""
    cells = labels.astype(np.int64) * CLASSES + predictions.astype(np.int64)
    return np.bincount(cells, minlength=CLASSES**2).reshape(CLASSES, CLASSES)


def share_of_row(matrix: np.ndarray) -> np.ndarray:
    """float64 (10, 10), each row summing to 1: what became of each true digit.

    A digit that does not occur has a row of zeros.
    """
    return np.asarray(matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1))


def accuracy(matrix: np.ndarray) -> float:
    """Share of right answers, 0 to 1."""
    return float(np.trace(matrix) / max(int(matrix.sum()), 1))


@dataclass(frozen=True)
class DigitScores:
    """Scores of each digit; float64 (10,) between 0 and 1, support int64 (10,).

    precision: of the images called this digit, the share that are.
    recall: of the images of this digit, the share that were called so.
    f1: harmonic mean of the two.
    support: images of this digit.

    Where a share has nothing below its line it is 0, as in scikit-learn.
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


def worst_confusion(matrix: np.ndarray) -> tuple[int, int, int] | None:
    """The commonest mistake as (true digit, predicted digit, how many), or None."""
    mistakes = matrix - np.diag(np.diag(matrix))
    if not mistakes.any():
        return None
    true, predicted = (int(i) for i in np.unravel_index(mistakes.argmax(), mistakes.shape))
    return true, predicted, int(mistakes[true, predicted])


def cell_images(
    labels: np.ndarray, probabilities: np.ndarray, true: int, predicted: int
) -> np.ndarray:
    """Places of the images in one cell of the matrix, the network's surest first."""
    inside = np.flatnonzero((labels == true) & (probabilities.argmax(axis=1) == predicted))
    return inside[np.argsort(-probabilities[inside, predicted], kind="stable")]


def wilson_interval(right: int, total: int, confidence: float = 0.95) -> tuple[float, float]:
    """Where the true share lies, given ``right`` of ``total``, with this confidence.

    Wilson, E. B. (1927), Journal of the American Statistical Association 22, 209-212.

    Returns:
        Lowest and highest share, within 0 to 1; (0, 1) if there is nothing to go by.
    """
    if total == 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    share = right / total
    middle = (share + z * z / (2 * total)) / (1 + z * z / total)
    half = z / (1 + z * z / total) * (share * (1 - share) / total + z * z / (4 * total**2)) ** 0.5
    return max(0.0, middle - half), min(1.0, middle + half)


def commonest_mistake(matrix: np.ndarray, digit: int) -> str:
    """What this digit is most often taken for, as "9 (12×)"; a dash if never."""
    row = matrix[digit].copy()
    row[digit] = 0
    return f"{row.argmax()} ({row.max()}×)" if row.any() else "–"


def expected_calibration_error(
    probabilities: np.ndarray, labels: np.ndarray, bins: int = 15
) -> float:
    """How far confidence and accuracy lie apart, 0 to 1.

    Images are sorted into bins of equal width by the probability of their likeliest digit;
    it is the mean over all images of their bin's difference between accuracy and mean
    probability. Naeini et al. 2015, Obtaining Well Calibrated Probabilities Using Bayesian
    Binning; with 15 bins as in Guo et al. 2017, arXiv:1706.04599.
    """
    best = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == labels
    # A bin holds its upper bound and not its lower one.
    places = np.clip(np.ceil(best * bins).astype(int) - 1, 0, bins - 1)
    gaps = np.bincount(places, weights=right - best.astype(np.float64), minlength=bins)
    return float(np.abs(gaps).sum() / max(len(labels), 1))
