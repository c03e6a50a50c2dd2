import dataclasses

import pytest

from mnist_core import sweeps
from mnist_core.config import PRESETS, TrainConfig
from mnist_core.errors import InvalidConfig
from mnist_core.sweeps import MOST_RUNS, SUGGESTED, Sweep, settings, varied

CLASSIC = PRESETS["classic"]
RATES, SIZES = (0.001, 0.01, 0.1), (64, 256)
CHOICES = {"learning_rate": RATES, "batch_size": SIZES}


def pairs(configs: list[TrainConfig]) -> list[tuple[float, int]]:
    return [(config.learning_rate, config.batch_size) for config in configs]


def test_a_grid_is_every_combination_in_the_order_it_was_asked_for():
    configs = settings(Sweep(CLASSIC, CHOICES))
    assert pairs(configs) == [(rate, size) for rate in RATES for size in SIZES]
    assert all(
        config == dataclasses.replace(CLASSIC, learning_rate=rate, batch_size=size)
        for config, (rate, size) in zip(configs, pairs(configs), strict=True)
    )


def test_a_random_sweep_is_some_distinct_combinations_of_the_grid():
    wide = {**CHOICES, "dropout": (0.0, 0.2), "optimizer": ("adam", "sgd")}
    chosen = settings(Sweep(CLASSIC, wide, "random", count=7, seed=3))
    assert len(set(chosen)) == 7
    assert chosen == settings(Sweep(CLASSIC, wide, "random", count=7, seed=3))
    assert chosen != settings(Sweep(CLASSIC, wide, "random", count=7, seed=4))


def test_a_random_sweep_of_more_than_there_are_is_all_of_them():
    assert settings(Sweep(CLASSIC, CHOICES, "random", count=12)) == settings(
        Sweep(CLASSIC, CHOICES)
    )


def test_a_value_that_is_named_twice_is_tried_once():
    assert len(settings(Sweep(CLASSIC, {"batch_size": (64, 64, 256)}))) == 2


@pytest.mark.parametrize(
    ("sweep", "sentence"),
    [
        (Sweep(CLASSIC, {}), "Choose at least one setting to try."),
        (Sweep(CLASSIC, {"batch_size": ()}), "Batch size has no values to try; choose some."),
        (Sweep(CLASSIC, {"seed": (1, 2)}), "A sweep can try learning rate, batch size, "),
        (Sweep(CLASSIC, {"nonsense": (1, 2)}), "A sweep can try learning rate, batch size, "),
        (
            Sweep(CLASSIC, dict.fromkeys(list(SUGGESTED)[:5], (1,))),
            "Choose at most 4 settings to try at once.",
        ),
        (
            Sweep(CLASSIC, {**CHOICES, "epochs": (1, 2, 3)}),
            "That would be 18 runs, and 12 are allowed; try fewer values.",
        ),
        (Sweep(CLASSIC, CHOICES, "random", count=13), "That would be 13 runs, and 12 are allowed"),
        (Sweep(CLASSIC, CHOICES, "random", count=0), "A sweep has at least one run."),
        (Sweep(CLASSIC, CHOICES, "guess"), "A sweep is one of grid, random."),
        (Sweep(CLASSIC, {"learning_rate": (0.1, 5.0)}), "Learning rate must be a number from"),
        (Sweep(CLASSIC, {"learning_rate": (0.1, "x")}), "Learning rate must be a number from"),
        (Sweep(CLASSIC, {"dense": ((9999,),)}), "A dense layer must have 1 to 1024 units."),
        (
            Sweep(CLASSIC, dict.fromkeys(list(SUGGESTED)[:4], tuple(range(99))), "random"),
            "Choose among at most 10,000 combinations.",
        ),
    ],
)
def test_what_cannot_be_tried_is_said_in_a_sentence(sweep, sentence):
    with pytest.raises(InvalidConfig) as caught:
        settings(sweep)
    assert str(caught.value).startswith(sentence)
    assert str(caught.value).endswith(".")


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("name", SUGGESTED)
def test_every_suggested_value_is_possible_with_every_preset(preset, name):
    base = dataclasses.replace(PRESETS[preset], epochs=2)
    values = SUGGESTED[name]
    configs = settings(Sweep(base, {name: values}))
    assert [getattr(config, name) for config in configs] == list(values)
    assert len(configs) <= MOST_RUNS


def test_what_was_varied_is_read_from_the_settings_themselves():
    configs = settings(Sweep(CLASSIC, {"batch_size": SIZES, "learning_rate": RATES}))
    assert varied(configs) == ["learning_rate", "batch_size"]
    assert varied(configs[:1]) == []


def test_settings_are_named_in_words():
    config = dataclasses.replace(CLASSIC, dense=(128, 64), augmentation=True)
    assert (
        sweeps.summary(config, ["learning_rate", "dense", "augmentation"])
        == "learning rate 0.006, dense 128-64, augmentation yes"
    )
