"""What a network answers, and its loss."""

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from mnist_core.analysis.predictions import Predictions
from mnist_core.data import scale

EVALUATION_BATCH = 500


def predict(forward: Callable[[tf.Tensor], tf.Tensor], images: np.ndarray) -> np.ndarray:
    """Probabilities, float32 (n, 10), for uint8 (n, 28, 28), in batches of 500."""
    chunks = [
        forward(tf.constant(scale(images[start : start + EVALUATION_BATCH]))).numpy()
        for start in range(0, len(images), EVALUATION_BATCH)
    ]
    return np.concatenate(chunks)


def divide_logits(model: keras.Model, temperature: float) -> None:
    """Build the temperature into the last layer's weights."""
    last = model.layers[-1]
    last.set_weights([weights / np.float32(temperature) for weights in last.get_weights()])


def cross_entropy(predictions: Predictions) -> float:
    """Mean negative logarithm of the true digit's probability, in nats."""
    labels = predictions.labels
    of_truth = predictions.probabilities[np.arange(len(labels)), labels]
    return float(-np.log(np.maximum(of_truth, 1e-7)).mean())
