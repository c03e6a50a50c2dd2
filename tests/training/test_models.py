import dataclasses
import random

import keras
import numpy as np
import pytest

from mnist_core.config import PRESETS, TrainConfig
from mnist_core.training.models import build_model


def kinds(network: keras.Sequential) -> list[str]:
    return [type(layer).__name__ for layer in network.layers]


def test_classic_is_exactly_flatten_128_64_10():
    network = build_model(PRESETS["classic"])
    assert kinds(network) == ["Flatten", "Dense", "Dense", "Dense"]
    assert [layer.units for layer in network.layers[1:]] == [128, 64, 10]
    activations = [layer.activation.__name__ for layer in network.layers[1:]]
    assert activations == ["relu", "relu", "softmax"]
    assert network.count_params() == 109_386


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_gives_ten_probabilities_for_each_picture(name):
    network = build_model(PRESETS[name])
    probabilities = network(np.random.default_rng(0).random((3, 28, 28), np.float32)).numpy()
    assert probabilities.shape == (3, 10)
    assert probabilities.min() >= 0
    assert probabilities.sum(axis=1) == pytest.approx([1, 1, 1], abs=1e-5)


def test_settings_become_layers():
    network = build_model(
        TrainConfig(convolutions=((8, 3, 2),), dense=(16,), batch_normalization=True, dropout=0.3)
    )
    assert kinds(network) == [
        "Reshape",
        "Conv2D", "BatchNormalization", "ReLU",
        "Flatten",
        "Dense", "BatchNormalization", "ReLU",
        "Dropout",
        "Dense",
    ]  # fmt: skip
    assert network.layers[1].output.shape == (None, 14, 14, 8)
    assert network.layers[-2].rate == 0.3


def test_a_network_without_hidden_layers_is_allowed():
    assert kinds(build_model(TrainConfig(dense=()))) == ["Flatten", "Dense"]


@pytest.mark.parametrize("name", PRESETS)
def test_the_seed_decides_the_first_weights(name):
    def weights(seed):
        network = build_model(dataclasses.replace(PRESETS[name], seed=seed))
        return np.concatenate([weight.ravel() for weight in network.get_weights()])

    first = weights(1)
    assert (first == weights(1)).all()
    assert (first != weights(2)).any()


def test_the_first_weights_are_those_that_keras_gives_for_the_seed():
    keras.utils.set_random_seed(3)
    theirs = keras.Sequential(
        [
            keras.Input((28, 28)),
            keras.layers.Reshape((28, 28, 1)),
            keras.layers.Conv2D(4, 3, padding="same", kernel_initializer="he_normal"),
            keras.layers.Flatten(),
            keras.layers.Dense(16, activation="relu"),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )
    ours = build_model(TrainConfig(seed=3, convolutions=((4, 3, 1),), dense=(16,)))
    for mine, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        assert (mine == other).all()


@pytest.mark.parametrize("name", PRESETS)
def test_what_else_draws_by_chance_in_the_process_changes_no_weight(name, monkeypatch):
    def refuse(*_):
        raise AssertionError("drawn from the generator that all threads share")

    expected = build_model(PRESETS[name]).get_weights()
    before = random.getstate()
    monkeypatch.setattr(random, "randint", refuse)
    for one, other in zip(build_model(PRESETS[name]).get_weights(), expected, strict=True):
        assert (one == other).all()
    assert random.getstate() == before
