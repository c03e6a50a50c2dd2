"""Which images a run is trained on and validated with, and where they are in memory."""

import math
import mmap
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from mnist_core.config import TrainConfig
from mnist_core.data import SIDE, VALIDATION_SHARE, Dataset, in_chunks, stratified_split
from mnist_core.drawing.synthetic import SCRIBBLE, choose_drawn, load_drawn


@dataclass(frozen=True)
class Choice:
    """Which images a run uses.

    Attributes:
        fit: int64 (n,), indices of the images to train on, in ``shared_images``.
        labels: uint8 (n,), their labels; ``SCRIBBLE`` for a scribble.
        validation: int64 (m,), indices of the training images set aside.
    """

    fit: np.ndarray
    labels: np.ndarray
    validation: np.ndarray


# The images of the last run's dataset, kept for the next run: at most one entry.
_shared: list[tuple[Dataset, tf.Tensor]] = []


def shared_images(dataset: Dataset) -> tf.Tensor:
    """All images that can be trained on, in one tensor for all runs of this process.

    Returns:
        uint8 (n, 28, 28): the dataset's training images, then the project's own drawings.
    """
    if not _shared or _shared[0][0] is not dataset:
        # The old images are freed before the new ones are loaded.
        _shared.clear()
        _shared.append((dataset, _as_tensor(dataset)))
    return _shared[0][1]


def _as_tensor(dataset: Dataset) -> tf.Tensor:
    drawn, _ = load_drawn()
    count = len(dataset.x_train)
    shape = count + len(drawn), SIDE, SIDE
    # tf.constant would copy the array, another 56 MB. DLPack hands over the array's own memory
    # if it is aligned as TensorFlow wants it, and a memory map starts at a page boundary.
    images = np.frombuffer(mmap.mmap(-1, math.prod(shape)), np.uint8).reshape(shape)
    for where, chunk in in_chunks(dataset.x_train):
        images[:count][where] = chunk
    images[count:] = drawn
    return tf.experimental.dlpack.from_dlpack(images.__dlpack__())


def choose_images(config: TrainConfig, dataset: Dataset) -> Choice:
    """The images to train and to validate with. Validation labels are never shuffled."""
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
