import dataclasses
import itertools
import math
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from mnist_core.classifier import PRETRAINED, Classifier
from mnist_core.config import CHOICES, PRESETS, TrainConfig
from mnist_core.data import SAMPLE_PATH
from mnist_core.keras_script import keras_script, use_keras, use_litert
from mnist_core.training.models import build_model
from mnist_core.training.optimizer import build_optimizer, learning_rate_schedule
from tests.extras import needs
from tests.helpers import write_archive

CONVOLUTIONAL = TrainConfig(
    convolutions=((8, 3, 2),),
    dense=(16,),
    batch_normalization=True,
    dropout=0.1,
    schedule="linear",
    epochs=2,
    more_epochs=(1,),
    learning_rate=0.01,
    label_smoothing=0.1,
    looks=3,
)
# As long as their texts get.
LONG = {
    "learning_rate": 1.2345678901234567e-05,
    "weight_decay": 1.2345678901234567e-300,
    "label_smoothing": 1.2345678901234567e-300,
    "dropout": 1.2345678901234567e-300,
    "convolutions": ((128, 7, 3), (128, 3, 3)),
    "batch_normalization": True,
    "epochs": 1,
    "shuffled_labels": 1 / 3,
    "training_images": 59_999,
}
KINDS = [
    {"optimizer": optimizer, "schedule": schedule, "more_epochs": more_epochs}
    for optimizer, schedule, more_epochs in itertools.product(
        CHOICES["optimizer"], CHOICES["schedule"], ((), (3,), (4, 2))
    )
]
CONFIGS = [
    *PRESETS.values(),
    CONVOLUTIONAL,
    TrainConfig(dense=()),
    TrainConfig(dense=(8, 8), dropout=0.5),
    TrainConfig(convolutions=((4, 1, 1), (5, 7, 3)), dense=(), seed=2**31 - 1),
    TrainConfig(training_images=100),
    TrainConfig(shuffled_labels=1.0),
    TrainConfig(epochs=1, more_epochs=(1,) * 29),
    *(TrainConfig(**kind, weight_decay=0.1) for kind in KINDS),
    *(TrainConfig(**kind | LONG) for kind in KINDS),
]


@pytest.fixture
def archive(tiny_dataset, tmp_path, monkeypatch) -> None:
    """A script that runs here finds 400 digits, and saves where nobody is disturbed."""
    monkeypatch.setenv("MNIST_DATA", str(write_archive(tmp_path / "mnist.npz", tiny_dataset)))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def untrained(archive, monkeypatch) -> None:
    """The same, and it does not train."""
    monkeypatch.setattr(keras.Sequential, "fit", lambda model, *args, **options: None)
    monkeypatch.setattr(keras.Sequential, "evaluate", lambda model, *args, **options: (2.3, 0.1))
    monkeypatch.setattr(keras.Sequential, "save", lambda model, path: None)


def run_here(config: TrainConfig) -> dict:
    """Run the script in this process; the names it leaves behind."""
    names: dict = {"__name__": "__main__"}
    exec(compile(keras_script(config), "script.py", "exec"), names)
    return names


def test_the_script_is_python_of_moderate_length():
    for config in CONFIGS:
        text = keras_script(config)
        compile(text, "script.py", "exec")
        assert max(map(len, text.splitlines())) <= 100, config
        assert not any(line != line.rstrip() for line in text.splitlines()), config
        assert "mnist_core" not in text, config
        assert len(text.splitlines()) <= (75 if config in PRESETS.values() else 105), config


def test_a_preset_trains_as_a_script_as_well(archive, tiny_dataset):
    names = run_here(dataclasses.replace(PRESETS["classic"], epochs=2))
    answers = names["model"].predict(tiny_dataset.x_test / 255.0, verbose=0)
    assert (answers.argmax(axis=1) == tiny_dataset.y_test).mean() > 0.5


def test_it_names_what_it_leaves_out_and_nothing_else():
    line = "Left out of what the dashboard does: {}.".format
    every = line("augmentation, drawn digits, several looks, calibration")
    assert every in keras_script(PRESETS["cnn"]).splitlines()
    assert line("calibration") in keras_script(TrainConfig()).splitlines()
    assert line("several looks, calibration") in keras_script(CONVOLUTIONAL).splitlines()


def test_a_name_of_a_preset_cannot_become_code():
    hostile = dataclasses.replace(PRESETS["classic"], preset='"""\nraise SystemExit("evil")\n"""\\')
    assert keras_script(hostile) == keras_script(PRESETS["classic"])


def settings_of(part: keras.Layer | keras.optimizers.Optimizer) -> tuple[str, dict]:
    """What a layer or an optimizer is, but for its name, its seed and its learning rate."""

    def plain(value):
        if isinstance(value, dict):
            own = ("name", "seed", "learning_rate")
            return {key: plain(value[key]) for key in value if key not in own}
        return value

    return type(part).__name__, plain(part.get_config())


@pytest.mark.parametrize("config", [c for c in CONFIGS if c.epochs > 1])
def test_it_makes_the_same_layers_optimizer_and_loss(config, untrained):
    model = run_here(config)["model"]
    expected = build_model(config)
    assert list(map(settings_of, model.layers)) == list(map(settings_of, expected.layers))
    optimizer = build_optimizer(config, config.learning_rate)
    assert settings_of(model.optimizer) == settings_of(optimizer)
    loss = keras.losses.CategoricalCrossentropy(label_smoothing=config.label_smoothing)
    truth, answer = np.eye(10)[:3], np.full((3, 10), 0.1) + 0.2 * np.eye(10)[1:4]
    theirs = float(model.compute_loss(y=truth, y_pred=answer))
    assert theirs == pytest.approx(float(loss(truth, answer)))


def test_it_trains_on_as_many_images_and_shuffles_as_many_labels(untrained, tiny_dataset):
    config = TrainConfig(training_images=200, shuffled_labels=0.5)
    names = run_here(config)
    x, y = names["x_train"], names["y_train"].argmax(axis=1)
    assert x.shape == (200, 28, 28)
    assert (x.min(), x.max()) == (0, 1)
    truth = tiny_dataset.y_train[:200]
    assert (np.sort(y) == np.sort(truth)).all()
    # Of the 100 that were dealt out some ten had luck.
    assert 75 <= (y != truth).sum() <= 100
    # A tenth to validate with, never trained on, and of true labels.
    assert (names["y_validation"].argmax(axis=1) == tiny_dataset.y_train[-40:]).all()


# Batches of 32 make a warm-up of several steps; of 1024, one step is the whole run.
@pytest.mark.parametrize(
    ("schedule", "batch_size", "epochs", "more_epochs"),
    [
        *((schedule, 32, 2, (3, 1)) for schedule in CHOICES["schedule"]),
        (TrainConfig.schedule, 1024, 1, ()),
    ],
)
def test_its_learning_rates_are_those_of_the_project(
    schedule, batch_size, epochs, more_epochs, archive, monkeypatch
):
    config = TrainConfig(
        dense=(),
        schedule=schedule,
        batch_size=batch_size,
        epochs=epochs,
        more_epochs=more_epochs,
        learning_rate=0.02,
    )
    rates, fit = [], keras.Sequential.fit

    def fit_and_listen(model, *args, callbacks=(), **options):
        def listen(batch, logs):
            rates.append(float(model.optimizer.learning_rate))

        listener = keras.callbacks.LambdaCallback(on_train_batch_begin=listen)
        # So small a network takes longer to compile than to train.
        model.run_eagerly = True
        return fit(model, *args, callbacks=[*callbacks, listener], verbose=0, **options)

    monkeypatch.setattr(keras.Sequential, "fit", fit_and_listen)
    run_here(config)
    # 400 images, of which a tenth is held out.
    steps_per_epoch = math.ceil(360 / batch_size)
    ours = learning_rate_schedule(config, steps_per_epoch)
    expected = [float(ours(step)) for step in range(steps_per_epoch * config.all_epochs)]
    assert rates == pytest.approx(expected, rel=1e-4, abs=1e-8)


def run_elsewhere(config: TrainConfig, folder: Path) -> str:
    """Run the script in a process of its own, with the bundled digits; what it printed."""
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


@needs("processes")
def test_it_trains_the_same_network_without_this_project(tmp_path):
    printed = run_elsewhere(CONVOLUTIONAL, tmp_path)
    assert float(printed.rsplit("test accuracy ", 1)[1]) > 0.8
    theirs = keras.saving.load_model(tmp_path / "digits.keras")
    ours = build_model(CONVOLUTIONAL)
    described = [
        [(type(layer).__name__, tuple(layer.output.shape)) for layer in model.layers]
        for model in (theirs, ours)
    ]
    assert described[0] == described[1]


@pytest.fixture
def folder_of_examples(tiny_dataset, tmp_path, monkeypatch):
    """The working folder, where both ways to get at MNIST give a few of its digits."""
    write_archive(tmp_path / "mnist.npz", tiny_dataset)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        keras.datasets.mnist,
        "load_data",
        lambda: (None, (tiny_dataset.x_test, tiny_dataset.y_test)),
    )
    return tmp_path


@pytest.mark.parametrize("name", ["classic", "cnn"])
def test_the_examples_of_use_measure_what_the_app_measures(
    name, tiny_dataset, folder_of_examples, capsys
):
    expected = (
        Classifier.bundled(name).predict_proba(tiny_dataset.x_test).argmax(axis=1)
        == tiny_dataset.y_test
    ).mean()
    for text in (
        use_keras(str(PRETRAINED / name / "model.keras")),
        use_litert(str(PRETRAINED / name / "model.tflite")),
    ):
        exec(compile(text, "example.py", "exec"), {})
        printed = capsys.readouterr().out.rsplit("test accuracy ", 1)[1]
        assert float(printed) == pytest.approx(expected)


def test_the_examples_of_files_of_an_earlier_version_scale_the_pixels(
    tiny_dataset, folder_of_examples, capsys
):
    network = build_model(TrainConfig(dense=(8,)))
    network.save(folder_of_examples / "old.keras")
    every_layer = keras.Model(network.inputs, [layer.output for layer in network.layers])
    every_layer.export(str(folder_of_examples / "old.tflite"), format="litert", verbose=False)
    scaled = tiny_dataset.x_test / np.float32(255)
    expected = (network.predict(scaled, verbose=0).argmax(axis=1) == tiny_dataset.y_test).mean()
    for text in (
        use_keras("old.keras", complete=False),
        use_litert("old.tflite", complete=False, layers=len(network.layers)),
    ):
        exec(compile(text, "example.py", "exec"), {})
        printed = capsys.readouterr().out.rsplit("test accuracy ", 1)[1]
        assert float(printed) == pytest.approx(expected)
