"""augment: the same digit as another hand might have written it. Loads TensorFlow.

Moderate on purpose: with shear to 0.5 and rotation to 20 degrees a 1 becomes a 7, and
drawings are read worse than without.
"""

import tensorflow as tf

from mnist_core.data import SIDE

ROTATION_DEGREES = 10.0
SHEAR = 0.2
SCALE = 0.12
SHIFT_PIXELS = 2.0


def augment(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Turn, shear, scale and move each picture by its own small random amount.

    Args:
        images: float32 (n, 28, 28).
        seed: int32 (2,); the same seed gives the same amounts.

    Returns:
        float32 (n, 28, 28), bilinear, black where the picture does not reach.
    """
    count = tf.shape(images)[0]
    uniform = tf.random.stateless_uniform([6, count], seed, -1.0, 1.0)
    angle = uniform[0] * (ROTATION_DEGREES * 3.14159265 / 180.0)
    shear = uniform[1] * SHEAR
    width = 1.0 + uniform[2] * SCALE
    height = 1.0 + uniform[3] * SCALE
    # The transform maps each pixel of the result to its place in the picture:
    # [x', y'] = A [x, y] about the centre, then the shift.
    a = tf.cos(angle) * width
    b = (shear * tf.cos(angle) - tf.sin(angle)) * width
    c = tf.sin(angle) * height
    d = (shear * tf.sin(angle) + tf.cos(angle)) * height
    centre = (SIDE - 1) / 2
    shift_x = centre - a * centre - b * centre + uniform[4] * SHIFT_PIXELS
    shift_y = centre - c * centre - d * centre + uniform[5] * SHIFT_PIXELS
    nothing = tf.zeros_like(a)
    transforms = tf.stack([a, b, shift_x, c, d, shift_y, nothing, nothing], axis=1)
    moved = tf.raw_ops.ImageProjectiveTransformV3(
        images=images[..., tf.newaxis],
        transforms=transforms,
        output_shape=tf.constant([SIDE, SIDE]),
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="CONSTANT",
    )
    return moved[..., 0]
