"""Why a network answers as it does: its layers by name, the pixels that count, and the
digits it finds most alike.

Three views of one drawing, none of which needs TensorFlow. Networks come in as plain
functions from pictures to arrays, so nothing here knows how they are run.
"""

import itertools
from collections.abc import Callable

import numpy as np

from mnist_core.config import TrainConfig
from mnist_core.data import CLASSES, SIDE

# Twice as wide as a pen, so that a patch takes a stroke away whole: with 4 pixels sure
# answers move less, and with 8 the halo around the strokes grows larger than they are.
PATCH = 6
# With 2 the patches fit the picture's side exactly, and about a hundred of them touch ink.
STRIDE = 2
# 250 at once take twice as long a picture, fewer than 50 as long; and other visitors who
# share the network get their turn between chunks.
CHUNK = 50


def layers_of(config: TrainConfig) -> dict[str, int]:
    """The layers worth showing, the answer last: those just after an activation function.

    Returns:
        By title, such as "Convolution 1: 24 maps of 14×14": the layer's index in
        ``Classifier.activations``. A convolution gives float32 (n, side, side, maps), any other
        layer float32 (n, units).
    """
    convolutions, dense = itertools.count(1), itertools.count(1)
    indices = {}
    for index, layer in enumerate(config.layers):
        if layer.is_activated and len(layer.shape) == 3:
            side, _, maps = layer.shape
            indices[f"Convolution {next(convolutions)}: {maps} maps of {side}×{side}"] = index
        elif layer.is_activated and index < len(config.layers) - 1:
            indices[f"Dense {next(dense)}: {layer.shape[0]} units"] = index
    return {**indices, f"Answer: {CLASSES} probabilities": len(config.layers) - 1}


def occlusion(
    predict: Callable[[np.ndarray], np.ndarray],
    image: np.ndarray,
    digit: int,
    patch: int = PATCH,
    stride: int = STRIDE,
) -> np.ndarray:
    """How much each pixel speaks for a digit: what its probability loses without it.

    A square of paper is laid over one place after another, and the network is asked again.
    A pixel's weight is the mean over all squares that cover it. From Zeiler, M. D. and
    Fergus, R. (2014), Visualizing and Understanding Convolutional Networks,
    arXiv:1311.2901, section 4.2.

    Args:
        predict: uint8 (n, 28, 28) -> float32 (n, 10), such as ``Classifier.predict_proba``;
            called once.
        image: uint8 (28, 28), 0 is paper.
        digit: whose probability is watched, 0 to 9.
        patch: side of the square in pixels, 1 to 28.
        stride: pixels from one square to the next, 1 to ``patch``.

    Returns:
        float32 (28, 28), -1 to 1: the mean fall of the probability. Positive speaks for
        the digit, negative against it.

    Raises:
        ValueError: the image has another shape or type, or some pixels would never be
            covered.
    """
    if image.shape != (SIDE, SIDE) or image.dtype != np.uint8:
        raise ValueError(f"Expected uint8 (28, 28), got {image.dtype} {image.shape}.")
    if not 1 <= stride <= patch <= SIDE:
        raise ValueError(f"Expected 1 <= stride <= patch <= 28, got {stride} and {patch}.")
    # The last one ends with the picture, wherever the stride would have put it.
    starts = [*range(0, SIDE - patch, stride), SIDE - patch]
    squares = [
        (slice(top, top + patch), slice(left, left + patch)) for top in starts for left in starts
    ]
    # Paper over paper changes nothing, so the network need not be asked.
    inked = [square for square in squares if image[square].any()]
    images = np.repeat(image[np.newaxis], 1 + len(inked), axis=0)
    for covered, square in zip(images[1:], inked, strict=True):
        covered[square] = 0
    probabilities = predict(images)[:, digit]
    falls = np.zeros((SIDE, SIDE), np.float32)
    for square, probability in zip(inked, probabilities[1:], strict=True):
        falls[square] += probabilities[0] - probability
    times_covered = np.zeros((SIDE, SIDE), np.float32)
    for square in squares:
        times_covered[square] += 1
    return falls / times_covered


def hidden(activations: Callable[[np.ndarray], list[np.ndarray]], images: np.ndarray) -> np.ndarray:
    """What the network's last layer decides from: the output of its last hidden layer.

    Args:
        activations: such as ``Classifier.activations``; called for 50 pictures at a time.
        images: uint8 (n, 28, 28), at least one.

    Returns:
        float32 (n, units), after ReLU. A network without hidden layers gives its pixels,
        one with convolutions only gives their maps, flattened.
    """
    # Dropout does nothing outside training, so the last layer but one is always the one.
    return np.concatenate(
        [activations(images[start : start + CHUNK])[-2] for start in range(0, len(images), CHUNK)]
    )


def nearest(
    features: np.ndarray, query: np.ndarray, count: int = 5
) -> tuple[np.ndarray, np.ndarray]:
    """The digits that the network finds most like one of them, by ``hidden``'s features.

    Args:
        features: float32 (n, units), one row for each digit to choose from.
        query: float32 (units,), of the digit at hand.
        count: how many are wanted.

    Returns:
        Places of the nearest, int64 (count,), nearest first, and their cosine distances,
        float32 (count,): 0 the same direction, 1 nothing in common. Fewer if n is smaller.
    """
    # Of five neighbours in the bundled sample, these share the label of a validation image:
    # with classic 97.4% by cosine and 96.8% by Euclidean distance, with cnn 99.6% by
    # either. And a cosine means the same for every network, however large its features.
    lengths = np.linalg.norm(features, axis=1) * np.linalg.norm(query)
    # A row of zeros has no direction, and so nothing in common with any.
    alike = (features @ query) / np.maximum(lengths, np.finfo(np.float32).tiny)
    distances = np.clip(1 - alike, 0, 1).astype(np.float32)
    places = np.argsort(distances, kind="stable")[:count]
    return places, distances[places]
