"""Five-fold cross-validation: predictions for training images by networks not trained on them."""

import dataclasses
from collections.abc import Callable

import numpy as np

from mnist_core.analysis.label_errors import NETWORK, Suspects, rank
from mnist_core.analysis.predictions import Predictions
from mnist_core.config import PRESETS
from mnist_core.data import CLASSES, Dataset, give_back
from mnist_core.progress import Progress
from mnist_core.training import loop

FOLDS = 5
SEED = 0
EPOCHS = FOLDS * PRESETS[NETWORK].epochs


def folds(labels: np.ndarray, count: int = FOLDS, seed: int = SEED) -> np.ndarray:
    """Stratified folds: the fold of each image, int64 (n,), 0 to ``count - 1``."""
    random = np.random.default_rng(seed)
    numbers = np.zeros(len(labels), np.int64)
    for digit in range(CLASSES):
        places = random.permutation(np.flatnonzero(labels == digit))
        numbers[places] = np.arange(len(places)) % count
    return numbers


def cross_validate(dataset: Dataset, answer: Callable[[Dataset], np.ndarray]) -> np.ndarray:
    """Probabilities of all training images, float32 (n, 10), by networks not trained on them.

    Args:
        answer: trains on a dataset and returns the probabilities of its test images, float32
            (n, 10); called once for each fold.
    """
    numbers = folds(dataset.y_train)
    probabilities = np.zeros((len(numbers), CLASSES), np.float32)
    for fold in range(FOLDS):
        inside, outside = np.flatnonzero(numbers == fold), np.flatnonzero(numbers != fold)
        part = Dataset(
            dataset.x_train[outside],
            dataset.y_train[outside],
            dataset.x_train[inside],
            dataset.y_train[inside],
            dataset.source,
        )
        give_back(dataset.x_train)
        probabilities[inside] = answer(part)
    return probabilities


def compute(dataset: Dataset, on_progress: Callable[[Progress], None] | None = None) -> Suspects:
    """Train five networks and rank the labels they doubt: a minute for all of MNIST.

    Args:
        on_progress: as in ``train``, with ``epoch`` counted over all five, up to ``EPOCHS``.
    """
    config = PRESETS[NETWORK]
    epochs_before = 0

    def report(progress: Progress) -> None:
        if on_progress:
            on_progress(dataclasses.replace(progress, epoch=epochs_before + progress.epoch))

    def answer(part: Dataset) -> np.ndarray:
        nonlocal epochs_before
        result = loop.train(config, part, report)
        epochs_before += config.epochs
        return result.test_probabilities

    predictions = Predictions(dataset.y_train, cross_validate(dataset, answer))
    return rank(predictions, dataset.train_fingerprint)
