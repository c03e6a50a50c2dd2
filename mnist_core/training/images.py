"""Which images a run is trained on and validated with, and where they are held in memory."""

import math
import mmap
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from mnist_core.config import TrainConfig
from mnist_core.data import SIDE, VALIDATION_SHARE, Dataset, give_back, stratified_split
from mnist_core.drawing.synthetic import SCRIBBLE, choose_drawn, load_drawn

IMAGES_AT_ONCE = 5000


@dataclass(frozen=True)
class Choice:
    """Which images a run sees.

    Attributes:
        fit: int64 (n,), places among ``hold``'s images of those trained on.
        labels: uint8 (n,), what the run is told of them; some ``SCRIBBLE``.
        validation: int64 (m,), places among the training images of those set aside.
    """

    fit: np.ndarray
    labels: np.ndarray
    validation: np.ndarray


# The last dataset's images, of which another copy would be 56 MB for nothing.
_held: list[tuple[Dataset, tf.Tensor]] = []


def hold(dataset: Dataset) -> tf.Tensor:
    """All images there are to train on, in one tensor that all runs share.

    Returns:
        uint8 (n, 28, 28): the dataset's training images, then the project's own drawings.
    """
    if not _held or _held[0][0] is not dataset:
        _held.clear()
        drawn, _ = load_drawn()
        count = len(dataset.x_train)
        # Filled bit by bit and then lent to TensorFlow, which takes whole pages as they
        # are: each copy on the way would be another 56 MB that never comes back.
        shape = count + len(drawn), SIDE, SIDE
        pages = mmap.mmap(-1, math.prod(shape))
        images = np.frombuffer(pages, np.uint8).reshape(shape)
        for start in range(0, count, IMAGES_AT_ONCE):
            part = dataset.x_train[start : start + IMAGES_AT_ONCE]
            images[start : start + len(part)] = part
            give_back(dataset.x_train)
        images[count:] = drawn
        _held.append((dataset, tf.experimental.dlpack.from_dlpack(images.__dlpack__())))
    return _held[0][1]


def choose_images(config: TrainConfig, dataset: Dataset) -> Choice:
    """The images to train on and to validate with, as the settings say.

    Labels are shuffled among the images trained on only, the project's own drawings
    included: validation tells the truth.
    """
    fit, validation = stratified_split(dataset.y_train, VALIDATION_SHARE, config.seed)
    share = min(1.0, config.training_images / len(fit))
    if share < 1:
        fit = fit[stratified_split(dataset.y_train[fit], share, config.seed)[1]]
    drawn, y_drawn = choose_drawn(round(share * config.drawn_digits))
    labels = np.concatenate([dataset.y_train[fit], y_drawn])
    if config.shuffled_labels:
        random = np.random.default_rng(config.seed)
        digits = random.permutation(np.flatnonzero(labels != SCRIBBLE))
        chosen = digits[: round(config.shuffled_labels * len(digits))]
        labels[chosen] = labels[random.permutation(chosen)]
    return Choice(np.concatenate([fit, len(dataset.x_train) + drawn]), labels, validation)
