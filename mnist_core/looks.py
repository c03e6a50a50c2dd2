"""Several looks at a picture: as it is, and moved by a pixel each way.

A network with strides sees every second pixel first, and so answers a little differently
when a digit moves by one. Asked about five places it is wrong about a tenth less often,
on MNIST's validation images and on drawings, for five times the fraction of a millisecond
that an answer takes.
"""

from collections.abc import Callable

import numpy as np

# Rows down, columns to the right.
MOVES = ((0, 0), (0, 1), (0, -1), (1, 0), (-1, 0))


def predict_in_looks(
    predict: Callable[[np.ndarray], np.ndarray], images: np.ndarray, looks: int
) -> np.ndarray:
    """The probabilities that several looks agree on: their normalised geometric mean.

    That is the softmax of the mean of their logits, so that a temperature built into the
    network means the same for one look and for five.

    Args:
        predict: uint8 (n, 28, 28) -> float32 (n, 10).
        images: uint8 (n, 28, 28).
        looks: how many of ``MOVES`` to take, 1 to 5; with 1 it is ``predict`` itself.
    """
    if looks == 1 or not len(images):
        return predict(images)
    # What leaves at one side is lost, and paper comes in at the other.
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1)))
    height, width = images.shape[1:]
    moved = [
        padded[:, 1 - down : 1 - down + height, 1 - right : 1 - right + width]
        for down, right in MOVES[:looks]
    ]
    logarithms = [np.log(np.maximum(predict(part), 1e-30)) for part in moved]
    agreed = np.exp(np.mean(logarithms, axis=0))
    return np.asarray(agreed / agreed.sum(axis=1, keepdims=True), np.float32)
