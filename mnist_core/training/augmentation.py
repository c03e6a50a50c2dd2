"""augment: the same digit as in another handwriting. Loads TensorFlow.

Moderate on purpose: with a shear of 0.5 and 20 degrees of rotation a 1 becomes a 7, and accuracy on
drawings is lower than without augmentation.
"""

import numpy as np
import tensorflow as tf

from mnist_core.data import SIDE

ROTATION_DEGREES = 10.0
SHEAR = 0.2
SCALE = 0.15
SHIFT_PIXELS = 2.0
# Waves that bend the strokes (Simard et al. 2003), per axis; long ones are the strongest.
WAVES = 4
WAVE_PIXELS = 0.6
# Pens vary more in width than MNIST's. In pixels on each side of a stroke.
THINNER = 0.7
THICKER = 1.3
LAST_STRENGTH = 0.2


def strength_in(epoch: int, epochs: int) -> float:
    """Strength of the augmentation in an epoch, counted from 0: from 1 in the first to 0.2.

    A network this small cannot fit strongly distorted images completely; accuracy is better if
    the last epochs have nearly undistorted ones.
    """
    return 1.0 - (1.0 - LAST_STRENGTH) * epoch / max(epochs - 1, 1)


def augment(images: tf.Tensor, seed: tf.Tensor, strength: tf.Tensor) -> tf.Tensor:
    """Images with another stroke width, rotated, sheared, scaled, bent and shifted.

    Args:
        images: float32 (n, 28, 28).
        seed: int32 (2,); the same seed gives the same amounts.
        strength: float32, 0 to 1: factor of all amounts.

    Returns:
        float32 (n, 28, 28).
    """
    # One row of random numbers per image: seven amounts, then the waves.
    uniform = tf.random.stateless_uniform(
        [tf.shape(images)[0], 7 + 2 * (WAVES**2 - 1)], seed, -1.0, 1.0
    )
    middle, reach = (THICKER - THINNER) / 2, (THICKER + THINNER) / 2
    images = vary_stroke(images, strength * (middle + reach * uniform[:, 6]))
    return bend(images, affine(strength * uniform[:, :6]), strength * uniform[:, 7:])


def affine(uniform: tf.Tensor) -> tf.Tensor:
    """Affine maps, rows (a, b, x, c, d, y), from six numbers in -1 to 1 per image."""
    angle = uniform[:, 0] * (ROTATION_DEGREES * np.pi / 180.0)
    shear = uniform[:, 1] * SHEAR
    width = 1.0 + uniform[:, 2] * SCALE
    height = 1.0 + uniform[:, 3] * SCALE
    return tf.stack(
        [
            tf.cos(angle) * width,
            (shear * tf.cos(angle) - tf.sin(angle)) * width,
            uniform[:, 4] * SHIFT_PIXELS,
            tf.sin(angle) * height,
            (shear * tf.sin(angle) + tf.cos(angle)) * height,
            uniform[:, 5] * SHIFT_PIXELS,
        ],
        axis=1,
    )


def bend(images: tf.Tensor, moves: tf.Tensor, waves: tf.Tensor) -> tf.Tensor:
    """Each image, resampled bilinearly at positions given by its affine map and its waves.

    Positions are weighted sums of the same few patterns (x, y, 1 and the waves), so one matrix
    product computes all of them.
    """
    count = tf.shape(images)[0]
    amounts = tf.concat(
        [tf.reshape(moves, [count, 2, 3]), tf.reshape(waves, [count, 2, -1])], axis=2
    )
    places = tf.reshape(tf.reshape(amounts, [count * 2, -1]) @ PATTERNS, [count, 2, SIDE * SIDE])
    # Beyond the edge the edge is repeated, which is paper.
    places = tf.clip_by_value(places + (SIDE - 1) / 2, 0.0, SIDE - 1.001)
    whole = tf.floor(places)
    x, y = tf.unstack(places - whole, axis=1)
    whole = tf.cast(whole, tf.int32)
    first = tf.range(count)[:, tf.newaxis] * SIDE * SIDE + whole[:, 1] * SIDE + whole[:, 0]
    pixels = tf.reshape(images, [-1])
    top = tf.gather(pixels, first) * (1 - x) + tf.gather(pixels, first + 1) * x
    below = first + SIDE
    bottom = tf.gather(pixels, below) * (1 - x) + tf.gather(pixels, below + 1) * x
    return tf.reshape(top * (1 - y) + bottom * y, [count, SIDE, SIDE])


def _patterns() -> np.ndarray:
    """float32 (3 + waves, 784): x and y from the centre, 1, then the waves."""
    steps = np.arange(SIDE) - (SIDE - 1) / 2
    down, across = np.meshgrid(steps, steps, indexing="ij")
    cosines = [np.cos(np.pi * k * (np.arange(SIDE) + 0.5) / SIDE) for k in range(WAVES)]
    waves = [
        WAVE_PIXELS / (i + j) ** 0.5 * np.outer(cosines[i], cosines[j])
        for i in range(WAVES)
        for j in range(WAVES)
        if i + j
    ]
    patterns = np.stack([across, down, np.ones_like(down), *waves])
    return patterns.reshape(len(patterns), -1).astype(np.float32)


PATTERNS = _patterns()


def vary_stroke(images: tf.Tensor, pixels: tf.Tensor) -> tf.Tensor:
    """Strokes thicker by ``pixels`` on each side, -1 to 2; thinner below 0."""
    pixels = pixels[:, tf.newaxis, tf.newaxis]
    thin = -_widest(-images)
    thick = _widest(images)
    thickest = _widest(thick)
    return (
        images
        + tf.maximum(-pixels, 0.0) * (thin - images)
        + tf.clip_by_value(pixels, 0.0, 1.0) * (thick - images)
        + tf.maximum(pixels - 1.0, 0.0) * (thickest - thick)
    )


def _widest(images: tf.Tensor) -> tf.Tensor:
    """The maximum of each pixel and its eight neighbours; edges are repeated."""
    # Two passes of three values are faster here than a pooling of nine.
    padded = tf.pad(images, [[0, 0], [1, 1], [0, 0]], "SYMMETRIC")
    rows = tf.maximum(tf.maximum(padded[:, :-2], padded[:, 2:]), images)
    padded = tf.pad(rows, [[0, 0], [0, 0], [1, 1]], "SYMMETRIC")
    return tf.maximum(tf.maximum(padded[:, :, :-2], padded[:, :, 2:]), rows)
