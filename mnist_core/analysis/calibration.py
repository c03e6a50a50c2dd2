"""Calibration: making a network's probabilities match its accuracy, and when to doubt an answer.

Answers with 90% probability should be right nine times in ten. A temperature achieves that; one
threshold separates sure answers from unsure ones, another digits from no digit. All three are
chosen on validation images.
"""

import dataclasses
import json
from dataclasses import dataclass

import numpy as np

from mnist_core.analysis.predictions import Predictions

# A wrong answer given without doubt costs as much as this many doubts. The threshold comes out
# at about 80% confidence.
COST_OF_WRONG = 5.0
# The share of the validation images, all of them digits, that may be called no digit. With a
# third of it a quarter of the scribbles still passed as digits; with three times as much 4% of
# the drawn digits were refused.
MOST_REFUSED = 0.003
TEMPERATURES = (0.2, 5.0)

SURE, UNSURE, NO_DIGIT = "sure", "unsure", "no digit"


@dataclass(frozen=True)
class Calibration:
    """Temperature and thresholds of one network.

    Attributes:
        temperature: what its logits were divided by after training.
        sure_from: minimum confidence, 0 to 1, of an answer that is called sure.
        digit_from: minimum probability of the two most probable digits together; below it the
            picture is called no digit. Hesitating between a 1 and a 7 means seeing a digit.
    """

    temperature: float = 1.0
    sure_from: float = 0.8
    digit_from: float = 0.5

    def verdict(self, probabilities: np.ndarray) -> str:
        """ "sure", "unsure" or "no digit", from the probabilities (10,) of one picture."""
        if two_likeliest(probabilities) < self.digit_from:
            return NO_DIGIT
        return SURE if probabilities.max() >= self.sure_from else UNSURE

    def to_json(self) -> str:
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str | bytes) -> "Calibration":
        return cls(**json.loads(text))


def calibrate(predictions: Predictions) -> Calibration:
    """Choose temperature and thresholds on images the network was not trained on."""
    temperature = choose_temperature(predictions)
    softened = soften(predictions.probabilities, temperature)
    calibrated = Predictions(predictions.labels, softened)
    return Calibration(
        temperature,
        sure_from=choose_threshold(calibrated),
        digit_from=float(np.quantile(two_likeliest(softened), MOST_REFUSED)),
    )


def best_two(probabilities: np.ndarray) -> tuple[int, int]:
    """The two most probable digits, from probabilities (10,)."""
    first, second = np.argsort(-probabilities, kind="stable")[:2].tolist()
    return first, second


def two_likeliest(probabilities: np.ndarray) -> np.ndarray:
    """The sum of the two highest probabilities: (n,) for (n, 10)."""
    return np.asarray(np.sort(probabilities, axis=-1)[..., -2:].sum(axis=-1))


def choose_temperature(predictions: Predictions) -> float:
    """The temperature, 0.2 to 5, with the lowest cross-entropy.

    Guo et al. 2017, On Calibration of Modern Neural Networks, arXiv:1706.04599.
    """
    # Imported here because only training needs it, and it would use the server's memory.
    from scipy import optimize

    labels = predictions.labels
    rows = np.arange(len(labels))

    def loss(logarithm: float) -> float:
        of_truth = soften(predictions.probabilities, float(np.exp(logarithm)))[rows, labels]
        return float(-np.log(np.maximum(of_truth, 1e-12)).mean())

    found = optimize.minimize_scalar(loss, bounds=tuple(np.log(TEMPERATURES)), method="bounded")
    return float(np.exp(found.x))


def soften(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """The probabilities, float64 (n, 10), after dividing the logits by a temperature."""
    logits = np.log(np.maximum(probabilities.astype(np.float64), 1e-30)) / temperature
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def choose_threshold(predictions: Predictions) -> float:
    """The lowest confidence, 0 to 1, at which to answer without doubt so that the cost is lowest.

    An answer below the threshold costs 1, a wrong one at or above it ``COST_OF_WRONG``.
    """
    order = np.argsort(predictions.confidences, kind="stable")
    # With the threshold at the k-th image, the k before it are doubted.
    doubted = np.arange(len(order))
    wrong_from_here = (~predictions.correct[order])[::-1].cumsum()[::-1]
    cost = doubted + COST_OF_WRONG * wrong_from_here
    return float(predictions.confidences[order][cost.argmin()])
