"""build_model: settings -> an untrained Keras network. Loads TensorFlow."""

import random

import keras
from keras import initializers, layers

from mnist_core.config import TrainConfig
from mnist_core.data import SIDE

INITIALIZERS = {"Conv2D": initializers.HeNormal, "Dense": initializers.GlorotUniform}


def build_model(config: TrainConfig) -> keras.Sequential:
    """An untrained network of ``config.layers``, with weights initialised from ``config.seed``.

    Input: float32 (n, 28, 28), 0 paper to 1 ink (``data.scale``). Output: float32 (n, 10), the
    probability of each digit.
    """
    # The seeds that Keras would draw after set_random_seed, but from a generator that no other
    # thread uses.
    seeds = random.Random(config.seed)
    network = keras.Sequential([keras.Input((SIDE, SIDE))], name=config.preset)
    for layer in config.layers:
        options = dict(layer.options)
        if layer.kind in INITIALIZERS:
            options["kernel_initializer"] = INITIALIZERS[layer.kind](seeds.randint(1, 10**9))
        if layer.kind == "Dropout":
            options["seed"] = config.seed
        network.add(getattr(layers, layer.kind)(*layer.arguments, **options, name=layer.name))
    return network
