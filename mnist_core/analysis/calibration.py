"""Calibration: how far a network's probabilities can be believed, and when it should doubt.

A network that says 90% should be right nine times in ten. One number, the temperature,
brings its probabilities there; two thresholds say from where on it answers without doubt,
and from where on there is a digit at all. All three are chosen on validation images.
"""

import dataclasses
import json
from dataclasses import dataclass

import numpy as np

# A wrong answer does the harm of this many doubts: whoever was told a wrong digit without
# a warning does not ask again. It asks for about 80% certainty.
HARM_OF_WRONG = 5.0
# So many of the validation images, all of them digits, may be taken for no digit. With a
# third of it one scribble in four was still read as something, with three times as much one
# drawn digit in twenty-five was refused.
MOST_REFUSED = 0.003
TEMPERATURES = (0.2, 5.0)

SURE, UNSURE, NO_DIGIT = "sure", "unsure", "no digit"


@dataclass(frozen=True)
class Calibration:
    """What is known of one network's probabilities.

    Attributes:
        temperature: its logits were divided by this after training; 1 changes nothing.
        sure_from: lowest probability, 0 to 1, at which its answer is given without doubt.
        digit_from: lowest probability of the two likeliest digits together at which there
            is a digit at all. Who hesitates between a 1 and a 7 sees a digit.
    """

    temperature: float = 1.0
    sure_from: float = 0.8
    digit_from: float = 0.5

    def verdict(self, probabilities: np.ndarray) -> str:
        """One of "sure", "unsure" and "no digit", from the probabilities (10,) of one picture."""
        if two_likeliest(probabilities) < self.digit_from:
            return NO_DIGIT
        return SURE if probabilities.max() >= self.sure_from else UNSURE

    def to_json(self) -> str:
        """The three numbers as one JSON object."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str | bytes) -> "Calibration":
        """Read what ``to_json`` wrote."""
        return cls(**json.loads(text))


def calibrate(probabilities: np.ndarray, labels: np.ndarray) -> Calibration:
    """Choose temperature and thresholds on images the network was not trained on.

    Args:
        probabilities: float32 (n, 10), as the network gave them.
        labels: the true digits, whole numbers (n,).
    """
    temperature = choose_temperature(probabilities, labels)
    calibrated = soften(probabilities, temperature)
    right = calibrated.argmax(axis=1) == labels
    return Calibration(
        temperature,
        sure_from=choose_threshold(calibrated.max(axis=1), right),
        digit_from=float(np.quantile(two_likeliest(calibrated), MOST_REFUSED)),
    )


def best_two(probabilities: np.ndarray) -> tuple[int, int]:
    """The likeliest digit and the next, from probabilities (10,)."""
    first, second = np.argsort(-probabilities, kind="stable")[:2].tolist()
    return first, second


def two_likeliest(probabilities: np.ndarray) -> np.ndarray:
    """The probability that it is one of the two likeliest digits: (n,) for (n, 10)."""
    return np.asarray(np.sort(probabilities, axis=-1)[..., -2:].sum(axis=-1))


def choose_temperature(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """The temperature, 0.2 to 5, at which the true digits are likeliest.

    Guo et al. 2017, On Calibration of Modern Neural Networks, arXiv:1706.04599.
    """
    # Here, because only a training needs it and the server would carry its memory.
    from scipy import optimize

    rows = np.arange(len(labels))

    def loss(logarithm: float) -> float:
        of_truth = soften(probabilities, float(np.exp(logarithm)))[rows, labels]
        return float(-np.log(np.maximum(of_truth, 1e-12)).mean())

    found = optimize.minimize_scalar(loss, bounds=tuple(np.log(TEMPERATURES)), method="bounded")
    return float(np.exp(found.x))


def soften(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """The probabilities, float64 (n, 10), of a network whose logits are divided so."""
    logits = np.log(np.maximum(probabilities.astype(np.float64), 1e-30)) / temperature
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def choose_threshold(best: np.ndarray, right: np.ndarray) -> float:
    """The lowest probability to answer at without doubt, so that the least harm is done.

    Every answer below the threshold is one doubt, every wrong one at or above it does the
    harm of ``HARM_OF_WRONG`` doubts.

    Args:
        best: float (n,), the probability of each image's likeliest digit.
        right: bool (n,), whether that digit is the true one.
    """
    order = np.argsort(best, kind="stable")
    wrong = ~right[order]
    # With the threshold at the k-th image, the k before it are doubted.
    doubts = np.arange(len(best))
    wrong_from_here = wrong[::-1].cumsum()[::-1]
    harm = doubts + HARM_OF_WRONG * wrong_from_here
    return float(best[order][harm.argmin()])
