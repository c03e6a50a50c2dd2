"""A network's layers, derived from the configuration here and nowhere else.

Training builds the network from this list, a page shows it with its size and cost before anything
is trained, and the Keras script prints it. Loads no TensorFlow.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mnist_core.errors import InvalidConfig

SIDE = 28
CLASSES = 10
NO_LAYERS = "none"
DEFAULT_KERNEL, DEFAULT_STRIDE = 3, 2


@dataclass(frozen=True)
class Layer:
    """One Keras layer.

    Attributes:
        kind: its class, such as "Conv2D".
        name: its name in the network and in exported files, such as "conv1".
        shape: shape of its output for one image, such as (14, 14, 24) or (128,).
        parameters: number of parameters, trainable or not.
        multiplications: multiply-adds per image in a forward pass.
        arguments, options: positional and keyword arguments of the class.
    """

    kind: str
    name: str
    shape: tuple[int, ...]
    parameters: int = 0
    multiplications: int = 0
    arguments: tuple[Any, ...] = field(default=(), compare=False)
    options: Mapping[str, Any] = field(default_factory=dict, compare=False)

    @property
    def is_activated(self) -> bool:
        """Whether its output has just been through an activation function."""
        return self.kind == "ReLU" or "activation" in self.options


def layers(
    convolutions: tuple[tuple[int, int, int], ...],
    dense: tuple[int, ...],
    batch_normalization: bool = False,
    dropout: float = 0.0,
) -> list[Layer]:
    """All layers of the network with these settings of ``TrainConfig``, in order.

    Without convolutions and normalisation these are exactly Flatten, Dense ReLU ..., Dense softmax.
    """
    found = []
    side, channels = SIDE, 1
    if convolutions:
        shape = (SIDE, SIDE, 1)
        found.append(Layer("Reshape", "reshape", shape, arguments=(shape,)))
    # Batch normalisation adds an offset of its own, so the layer before it needs no bias.
    no_bias = {"use_bias": False} if batch_normalization else {}
    for number, (filters, kernel, stride) in enumerate(convolutions, start=1):
        side = -(-side // stride)  # Padding "same" rounds up.
        weights = kernel * kernel * channels * filters
        convolution = Layer(
            "Conv2D",
            f"conv{number}",
            (side, side, filters),
            weights + (0 if batch_normalization else filters),
            weights * side * side,
            (filters, kernel, stride),
            {"padding": "same", **no_bias, "kernel_initializer": "he_normal"},
        )
        found += [convolution, *_after(convolution, batch_normalization)]
        channels = filters
    units = side * side * channels
    found.append(Layer("Flatten", "flatten", (units,)))
    for number, width in enumerate(dense, start=1):
        weights, name = units * width, f"dense{number}"
        if batch_normalization:
            layer = Layer("Dense", name, (width,), weights, weights, (width,), no_bias)
            found += [layer, *_after(layer, batch_normalization)]
        else:
            relu = {"activation": "relu"}
            found.append(Layer("Dense", name, (width,), weights + width, weights, (width,), relu))
        if dropout:
            found.append(Layer("Dropout", f"{name}_dropout", (width,), arguments=(dropout,)))
        units = width
    weights = units * CLASSES
    found.append(
        Layer(
            "Dense",
            "probabilities",
            (CLASSES,),
            weights + CLASSES,
            weights,
            (CLASSES,),
            {"activation": "softmax"},
        )
    )
    return found


def _after(layer: Layer, batch_normalization: bool) -> list[Layer]:
    """Batch normalisation, if wanted, and ReLU."""
    relu = Layer("ReLU", f"{layer.name}_relu", layer.shape)
    if not batch_normalization:
        return [relu]
    parameters, momentum = 4 * layer.shape[-1], {"momentum": 0.9}
    name = f"{layer.name}_normalized"
    return [
        Layer("BatchNormalization", name, layer.shape, parameters, options=momentum),
        relu,
    ]


def dense_text(dense: tuple[int, ...]) -> str:
    """Widths as text, such as "128-64"."""
    return "-".join(map(str, dense)) or NO_LAYERS


def convolutions_text(convolutions: tuple[tuple[int, int, int], ...]) -> str:
    """Convolutions as filters x kernel s stride, such as "24x5s2-48x3s2"."""
    return "-".join("{}x{}s{}".format(*layer) for layer in convolutions) or NO_LAYERS


def parse_dense(text: str) -> tuple[int, ...]:
    """Read "128-64" or "128, 64"; "none" means no layers.

    Raises:
        InvalidConfig: the text is none of these.
    """
    parts = _parts(text)
    if not all(re.fullmatch(r"\d{1,6}", part, re.ASCII) for part in parts):
        raise InvalidConfig("Dense layers are written as their widths, such as 128-64.")
    return tuple(map(int, parts))


def parse_convolutions(text: str) -> tuple[tuple[int, int, int], ...]:
    """Read "24x5s2-48x3s2", or "24, 48" with 3x3 kernels and stride 2; "none" means no layers.

    Raises:
        InvalidConfig: the text is none of these.
    """
    found = []
    for part in _parts(text):
        match = re.fullmatch(r"(\d{1,6})(?:x(\d{1,6}))?(?:s(\d{1,6}))?", part, re.ASCII)
        if match is None:
            raise InvalidConfig(
                "Convolutions are written as filters x kernel s stride, such as 24x5s2-48x3s2."
            )
        filters, kernel, stride = match.groups()
        found.append((int(filters), int(kernel or DEFAULT_KERNEL), int(stride or DEFAULT_STRIDE)))
    return tuple(found)


def _parts(text: str) -> list[str]:
    text = text.strip().lower()
    return [] if text in ("", NO_LAYERS) else re.split(r"\s*[-,;\s]\s*", text)
