"""Suspects: training images whose label may be wrong.

Each is classified by a network that was not trained on it (training/cross_validation.py). Those
whose label is least probable are worth a look: the "self-confidence" of Northcutt, C., Jiang, L.
and Chuang, I. (2021), Confident Learning, Journal of Artificial Intelligence Research 70,
1373-1411, arXiv:1911.00068.
"""

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mnist_core.analysis.predictions import Predictions

# Found once by ``python -m mnist_core suspects --export``.
SHIPPED = Path(__file__).parents[1] / "assets" / "suspected"
NETWORK = "quick"
MOST_SUSPECTS = 500


@dataclass(frozen=True)
class Suspect:
    """One training image whose label and predicted digit differ.

    Attributes:
        place: its index among the training images.
        confidence: the probability of the predicted digit, 0 to 1.
        probability: the probability of its label, 0 to 1.
    """

    place: int
    label: int
    predicted: int
    confidence: float
    probability: float


@dataclass(frozen=True)
class Suspects:
    """The suspects among a dataset's training images.

    Attributes:
        fingerprint: ``Dataset.train_fingerprint`` of that dataset.
        network: the preset that was trained.
        images: number of training images.
        differing: number of images whose predicted digit is not their label.
        ranked: at most 500 of these, least probable label first.
    """

    fingerprint: str
    network: str
    images: int
    differing: int
    ranked: tuple[Suspect, ...]

    def to_json(self) -> str:
        """One JSON object, with one suspect per line."""
        values = vars(self) | {"ranked": []}
        rows = [json.dumps(dataclasses.astuple(suspect)) for suspect in self.ranked]
        return json.dumps(values)[:-2] + "\n" + ",\n".join(rows) + "]}\n"

    @classmethod
    def from_json(cls, text: str) -> "Suspects":
        values = json.loads(text)
        ranked = tuple(Suspect(*row) for row in values.pop("ranked"))
        return cls(**values, ranked=ranked)


def study_key(fingerprint: str) -> str:
    """The key of a dataset's suspects in the table of studies."""
    return f"suspects/{fingerprint}"


def path_of(fingerprint: str) -> Path:
    """The file of a dataset's suspects, if they are built in."""
    return SHIPPED / f"{fingerprint}.json"


def shipped(fingerprint: str) -> Suspects | None:
    """The built-in suspects of a dataset, if there are any."""
    path = path_of(fingerprint)
    return Suspects.from_json(path.read_text()) if path.is_file() else None


def rank(predictions: Predictions, fingerprint: str) -> Suspects:
    """The training images whose answer differs from their label, least probable label first.

    Args:
        predictions: of networks that were not trained on these images.
        fingerprint: ``Dataset.train_fingerprint``.
    """
    labels, answers = predictions.labels, predictions.answers
    of_label = predictions.probabilities[np.arange(len(labels)), labels]
    differing = np.flatnonzero(~predictions.correct)
    order = differing[np.argsort(of_label[differing], kind="stable")]
    ranked = tuple(
        Suspect(
            place=int(place),
            label=int(labels[place]),
            predicted=int(answers[place]),
            confidence=round(float(predictions.confidences[place]), 4),
            probability=round(float(of_label[place]), 7),
        )
        for place in order[:MOST_SUSPECTS]
    )
    return Suspects(fingerprint, NETWORK, len(labels), len(differing), ranked)
