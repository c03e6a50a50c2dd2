import dataclasses
import itertools
import os
import subprocess
import sys

import keras
import pytest

from mnist_core import training
from mnist_core.config import CHOICES, PRESETS, TrainConfig
from mnist_core.data import SAMPLE_PATH
from mnist_core.models import build_model
from mnist_core.script import keras_script

CONVOLUTIONAL = TrainConfig(
    convolutions=((8, 3, 2),),
    dense=(16,),
    batch_normalization=True,
    dropout=0.1,
    schedule="linear",
    epochs=3,
    more_epochs=(1,),
    learning_rate=0.01,
    label_smoothing=0.1,
    looks=3,
)


@pytest.mark.parametrize(
    "config",
    [
        *PRESETS.values(),
        CONVOLUTIONAL,
        TrainConfig(dense=()),
        TrainConfig(training_images=100, shuffled_labels=0.5),
        *(
            TrainConfig(optimizer=optimizer, schedule=schedule, weight_decay=0.1)
            for optimizer, schedule in itertools.product(CHOICES["optimizer"], CHOICES["schedule"])
        ),
    ],
)
def test_the_script_is_python_and_fits_a_page(config):
    text = keras_script(config)
    compile(text, "script.py", "exec")
    assert max(map(len, text.splitlines())) <= 100
    assert len(text.splitlines()) < 140
    assert "mnist_core" not in text


def test_it_names_what_it_leaves_out_and_nothing_else():
    assert "turned and bent digits, digits drawn by the project" in keras_script(PRESETS["cnn"])
    assert "Left out of what the dashboard does: calibration." in keras_script(TrainConfig())


def run(config: TrainConfig, folder) -> str:
    """Run the script in a process of its own; what it printed."""
    (folder / "script.py").write_text(keras_script(config))
    done = subprocess.run(
        [sys.executable, "script.py"],
        cwd=folder,
        env=os.environ | {"MNIST_DATA": str(SAMPLE_PATH)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    "config",
    [dataclasses.replace(PRESETS["classic"], epochs=3), CONVOLUTIONAL],
    ids=["classic", "convolutional"],
)
def test_it_trains_the_same_network_without_this_project(config, tmp_path):
    printed = run(config, tmp_path)
    assert float(printed.rsplit("test accuracy ", 1)[1]) > 0.85
    theirs, ours = keras.saving.load_model(tmp_path / "digits.keras"), build_model(config)
    described = [
        [(type(layer).__name__, tuple(layer.output.shape)) for layer in model.layers]
        for model in (theirs, ours)
    ]
    assert described[0] == described[1]


@pytest.mark.parametrize("schedule", CHOICES["schedule"])
def test_its_learning_rates_are_those_of_the_project(schedule):
    config = TrainConfig(schedule=schedule, epochs=2, more_epochs=(3,), learning_rate=0.02)
    text = keras_script(config)
    start, end = text.index("def learning_rate"), text.index("class Schedule")
    scope = {"steps_per_epoch": 20}
    exec("import math\n" + text[start:end], scope)
    ours = training.learning_rate_schedule(config, 20)
    for step in range(100):
        assert scope["learning_rate"](step) == pytest.approx(float(ours(step)), rel=1e-4, abs=1e-8)
