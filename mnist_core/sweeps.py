"""A sweep: one network trained with several settings, to see which work best.

Without Optuna: all of the at most twelve runs are known beforehand, so there is nothing to search.
"""

import dataclasses
import itertools
import math
import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mnist_core.config import TrainConfig, to_text, words
from mnist_core.errors import InvalidConfig

GRID, RANDOM = "grid", "random"
METHODS = (GRID, RANDOM)
MOST_RUNS = 12
MOST_SETTINGS = 4
MOST_COMBINATIONS = 10_000
# The settings that can be tried, with values worth trying. Not the seed, because the best of
# several seeds is luck, and nothing that changes the data.
SUGGESTED: dict[str, tuple[Any, ...]] = {
    "learning_rate": (0.001, 0.002, 0.006, 0.02, 0.06),
    "batch_size": (32, 64, 128, 256, 512),
    "epochs": (1, 2, 4, 8),
    "optimizer": ("adam", "momentum", "sgd"),
    "schedule": ("cosine", "linear", "constant"),
    "dense": ((), (32,), (64,), (128,), (128, 64), (256, 128)),
    "dropout": (0.0, 0.1, 0.2, 0.5),
    "weight_decay": (0.0, 0.01, 0.03, 0.1),
    "label_smoothing": (0.0, 0.05, 0.1),
    "batch_normalization": (False, True),
    "augmentation": (False, True),
}


@dataclass(frozen=True)
class Sweep:
    """Settings to try.

    Attributes:
        base: all other settings.
        choices: the values of each setting that is tried.
        method: "grid" tries every combination, "random" a random subset.
        count: size of the random subset.
        seed: of the random subset.
    """

    base: TrainConfig
    choices: Mapping[str, tuple[Any, ...]]
    method: str = GRID
    count: int = 6
    seed: int = 0


def settings(sweep: Sweep) -> list[TrainConfig]:
    """The settings of each run, all different.

    Raises:
        InvalidConfig: nothing is tried, a setting or value is invalid, or there would be more than
            12 runs.
    """
    choices = _checked_choices(sweep.choices)
    combinations = math.prod(len(values) for values in choices.values())
    if sweep.method not in METHODS:
        raise InvalidConfig(f"A sweep is one of {', '.join(METHODS)}.")
    if sweep.method == GRID:
        _check_count(combinations)
        chosen = list(range(combinations))
    else:
        _check_count(sweep.count)
        if combinations > MOST_COMBINATIONS:
            raise InvalidConfig(f"Choose among at most {MOST_COMBINATIONS:,} combinations.")
        count = min(sweep.count, combinations)
        chosen = sorted(random.Random(sweep.seed).sample(range(combinations), count))
    listed = list(itertools.product(*choices.values()))
    return [
        dataclasses.replace(sweep.base, **dict(zip(choices, listed[place], strict=True)))
        for place in chosen
    ]


def varied(configs: list[TrainConfig]) -> list[str]:
    """The names of the settings in which these differ, in the order of ``SUGGESTED``."""
    return [name for name in SUGGESTED if len({getattr(config, name) for config in configs}) > 1]


def value_text(config: TrainConfig, name: str) -> str:
    """A setting's value, for a table."""
    return to_text(name, getattr(config, name))


def summary(config: TrainConfig, names: list[str]) -> str:
    """Such as "learning rate 0.006, batch size 64"."""
    return ", ".join(f"{words(name).lower()} {value_text(config, name)}" for name in names)


def _checked_choices(choices: Mapping[str, tuple[Any, ...]]) -> dict[str, tuple[Any, ...]]:
    """The choices without duplicate values. Raises InvalidConfig."""
    if not choices:
        raise InvalidConfig("Choose at least one setting to try.")
    if len(choices) > MOST_SETTINGS:
        raise InvalidConfig(f"Choose at most {MOST_SETTINGS} settings to try at once.")
    for name, values in choices.items():
        if name not in SUGGESTED:
            raise InvalidConfig(
                f"A sweep can try {', '.join(words(known).lower() for known in SUGGESTED)} only."
            )
        if not values:
            raise InvalidConfig(f"{words(name)} has no values to try; choose some.")
    return {name: tuple(dict.fromkeys(values)) for name, values in choices.items()}


def _check_count(count: int) -> None:
    if count < 1:
        raise InvalidConfig("A sweep has at least one run.")
    if count > MOST_RUNS:
        raise InvalidConfig(
            f"That would be {count:,} runs, and {MOST_RUNS} are allowed; try fewer values."
        )
