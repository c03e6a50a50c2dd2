"""build_model: settings -> an untrained Keras network.

Keras is how a network is described, saved and loaded here; how it is trained is in
training.py. Loads TensorFlow.
"""

import random

import keras
from keras import initializers, layers

from mnist_core.config import TrainConfig
from mnist_core.data import CLASSES, SIDE


def build_model(config: TrainConfig) -> keras.Sequential:
    """An untrained network with the first weights that ``config.seed`` gives.

    Input: float32 (n, 28, 28), 0 paper to 1 ink (``data.scale``). Output: float32
    (n, 10), the probability of each digit. With no convolutions and no normalisation this
    is exactly Flatten, Dense ReLU ..., Dense softmax. Layers are named by kind and number, such
    as ``conv1``, ``conv1_relu`` and ``dense1``; exported files carry these names.
    """
    # What Keras would draw itself after set_random_seed, but from a generator that no other
    # thread draws from meanwhile.
    seeds = random.Random(config.seed)

    def dense(units: int, **settings: object) -> keras.Layer:
        initializer = initializers.GlorotUniform(_next_seed(seeds))
        return layers.Dense(units, kernel_initializer=initializer, **settings)

    network = keras.Sequential(name=config.preset)
    network.add(keras.Input((SIDE, SIDE)))
    if config.convolutions:
        network.add(layers.Reshape((SIDE, SIDE, 1), name="reshape"))
    for number, (filters, kernel, stride) in enumerate(config.convolutions, start=1):
        _add_block(
            network,
            layers.Conv2D(
                filters,
                kernel,
                strides=stride,
                padding="same",
                use_bias=not config.batch_normalization,
                kernel_initializer=initializers.HeNormal(_next_seed(seeds)),
                name=f"conv{number}",
            ),
            config.batch_normalization,
        )
    network.add(layers.Flatten(name="flatten"))
    for number, units in enumerate(config.dense, start=1):
        name = f"dense{number}"
        if config.batch_normalization:
            _add_block(network, dense(units, use_bias=False, name=name), True)
        else:
            network.add(dense(units, activation="relu", name=name))
        if config.dropout:
            network.add(layers.Dropout(config.dropout, seed=config.seed, name=f"{name}_dropout"))
    network.add(dense(CLASSES, activation="softmax", name="probabilities"))
    return network


def _next_seed(seeds: random.Random) -> int:
    """The seed of the next layer's first weights, as Keras draws one."""
    return seeds.randint(1, 10**9)


def _add_block(network: keras.Sequential, layer: keras.Layer, normalize: bool) -> None:
    """The layer, normalised if asked for, then ReLU."""
    network.add(layer)
    if normalize:
        network.add(layers.BatchNormalization(momentum=0.9, name=f"{layer.name}_normalized"))
    network.add(layers.ReLU(name=f"{layer.name}_relu"))
