"""A network's layers in plain numbers: shapes, parameters, cost, and as text one can type.

What Keras will build is known before it is built, so that a page can show it while it is
edited, and refuse what is too large, without loading TensorFlow.
"""

import re
from dataclasses import dataclass

from mnist_core.errors import InvalidConfig

SIDE = 28
CLASSES = 10
NO_LAYERS = "none"
# What "32" means where only filters were typed: 3x3 pixels, and half the side is left.
USUAL_KERNEL, USUAL_STRIDE = 3, 2


@dataclass(frozen=True)
class Layer:
    """One layer.

    Attributes:
        name: the name of its class in Keras.
        shape: of what it gives for one picture, such as (14, 14, 24) or (128,).
        parameters: numbers in it, trainable or not.
        multiplications: multiply-adds for one picture, forwards.
    """

    name: str
    shape: tuple[int, ...]
    parameters: int = 0
    multiplications: int = 0


def layers(
    convolutions: tuple[tuple[int, int, int], ...],
    dense: tuple[int, ...],
    batch_normalization: bool = False,
    dropout: float = 0.0,
) -> list[Layer]:
    """The layers that ``models.build_model`` makes of these settings, in its order."""
    found = []
    side, channels = SIDE, 1
    normalization = 4 if batch_normalization else 0
    if convolutions:
        found.append(Layer("Reshape", (SIDE, SIDE, 1)))
    for filters, kernel, stride in convolutions:
        side = -(-side // stride)
        weights = kernel * kernel * channels * filters
        shape = (side, side, filters)
        bias = 0 if batch_normalization else filters
        found.append(Layer("Conv2D", shape, weights + bias, weights * side * side))
        if batch_normalization:
            found.append(Layer("BatchNormalization", shape, normalization * filters))
        found.append(Layer("ReLU", shape))
        channels = filters
    units = side * side * channels
    found.append(Layer("Flatten", (units,)))
    for width in dense:
        bias = 0 if batch_normalization else width
        found.append(Layer("Dense", (width,), units * width + bias, units * width))
        if batch_normalization:
            found.append(Layer("BatchNormalization", (width,), normalization * width))
            found.append(Layer("ReLU", (width,)))
        if dropout:
            found.append(Layer("Dropout", (width,)))
        units = width
    found.append(Layer("Dense", (CLASSES,), units * CLASSES + CLASSES, units * CLASSES))
    return found


def dense_text(dense: tuple[int, ...]) -> str:
    """Widths as text: "128-64"."""
    return "-".join(map(str, dense)) or NO_LAYERS


def convolutions_text(convolutions: tuple[tuple[int, int, int], ...]) -> str:
    """Convolutions as text: "24x5s2-48x3s2", filters x kernel s stride."""
    return "-".join("{}x{}s{}".format(*layer) for layer in convolutions) or NO_LAYERS


def parse_dense(text: str) -> tuple[int, ...]:
    """Read "128-64" or "128, 64"; "none" is no layer.

    Raises:
        InvalidConfig: it is none of these.
    """
    parts = _parts(text)
    if not all(re.fullmatch(r"\d{1,6}", part, re.ASCII) for part in parts):
        raise InvalidConfig("Dense layers are written as their widths, such as 128-64.")
    return tuple(map(int, parts))


def parse_convolutions(text: str) -> tuple[tuple[int, int, int], ...]:
    """Read "24x5s2-48x3s2", or "24, 48" for usual kernels and strides; "none" is no layer.

    Raises:
        InvalidConfig: it is none of these.
    """
    found = []
    for part in _parts(text):
        match = re.fullmatch(r"(\d{1,6})(?:x(\d{1,6}))?(?:s(\d{1,6}))?", part, re.ASCII)
        if match is None:
            raise InvalidConfig(
                "Convolutions are written as filters x kernel s stride, such as 24x5s2-48x3s2."
            )
        filters, kernel, stride = match.groups()
        found.append((int(filters), int(kernel or USUAL_KERNEL), int(stride or USUAL_STRIDE)))
    return tuple(found)


def _parts(text: str) -> list[str]:
    text = text.strip().lower()
    return [] if text in ("", NO_LAYERS) else re.split(r"\s*[-,;\s]\s*", text)
