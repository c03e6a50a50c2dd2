"""Which preset learns most from the bundled sample's 4,000 training images.

    python -m benchmarks.sample

Chooses the settings of the built-in run ``sample`` without using the sample's test images, by
five-fold cross-validation. A few minutes on two cores.
"""

import os

import numpy as np

from mnist_core import data
from mnist_core.analysis import metrics
from mnist_core.config import PRESETS, TrainConfig
from mnist_core.training import cross_validation


def cross_validated(config: TrainConfig, sample: data.Dataset) -> int:
    """How many training images are classified correctly by networks that never saw them."""
    from mnist_core import training

    def answer(part: data.Dataset) -> np.ndarray:
        return training.train(config, part).test_probabilities

    probabilities = cross_validation.cross_validate(sample, answer)
    return int((probabilities.argmax(axis=1) == sample.y_train).sum())


def main() -> None:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sample = data.load_sample()
    total = len(sample.y_train)
    for name, config in PRESETS.items():
        correct = cross_validated(config, sample)
        low, high = metrics.wilson_interval(correct, total)
        print(f"{name:10} {correct / total:.2%} ({low:.2%} to {high:.2%})", flush=True)


if __name__ == "__main__":
    main()
