"""build_model: settings -> an untrained Keras network.

Keras is how a network is described, saved and loaded here; how it is trained is in
training.py. Loads TensorFlow.
"""

import keras
from keras import layers

from mnist_core.config import TrainConfig
from mnist_core.data import CLASSES, SIDE


def build_model(config: TrainConfig) -> keras.Sequential:
    """An untrained network with the first weights that ``config.seed`` gives.

    Input: float32 (n, 28, 28), 0 paper to 1 ink (``data.scale``). Output: float32
    (n, 10), the probability of each digit. With no convolutions and no normalisation this
    is exactly Flatten, Dense ReLU ..., Dense softmax.

    Sets Keras's global random seed.
    """
    keras.utils.set_random_seed(config.seed)
    network = keras.Sequential(name=config.preset)
    network.add(keras.Input((SIDE, SIDE)))
    if config.convolutions:
        network.add(layers.Reshape((SIDE, SIDE, 1)))
    for filters, kernel, stride in config.convolutions:
        _add_block(
            network,
            layers.Conv2D(
                filters,
                kernel,
                strides=stride,
                padding="same",
                use_bias=not config.batch_normalization,
                kernel_initializer="he_normal",
            ),
            config.batch_normalization,
        )
    network.add(layers.Flatten())
    for units in config.dense:
        if config.batch_normalization:
            _add_block(network, layers.Dense(units, use_bias=False), True)
        else:
            network.add(layers.Dense(units, activation="relu"))
        if config.dropout:
            network.add(layers.Dropout(config.dropout, seed=config.seed))
    network.add(layers.Dense(CLASSES, activation="softmax"))
    return network


def _add_block(network: keras.Sequential, layer: keras.Layer, normalize: bool) -> None:
    """The layer, normalised if asked for, then ReLU."""
    network.add(layer)
    if normalize:
        network.add(layers.BatchNormalization(momentum=0.9))
    network.add(layers.ReLU())
