"""keras_script: settings -> a short Keras script that trains the same network by itself.

For whoever wants to go on without this project. The text is put together here; what it
imports is not known to this project's server.
"""

import textwrap

from mnist_core.config import TrainConfig

LEFT_OUT = {
    "augmentation": "turned and bent digits",
    "drawn_digits": "digits drawn by the project",
    "looks": "several looks at each picture",
}

SCHEDULES = {
    "cosine": "up over a tenth of the steps, then down along a cosine",
    "linear": "up over a tenth of the steps, then down along a line",
    "constant": "always the same, but for epochs added later",
}


def keras_script(config: TrainConfig) -> str:
    """The script's text: the same layers, optimizer, schedule, batches and epochs."""
    later = [name for key, name in LEFT_OUT.items() if getattr(config, key) > (key == "looks")]
    missing = textwrap.fill(
        f"Left out of what the dashboard does: {', '.join([*later, 'calibration'])}.", 90
    )
    parts = [config.epochs, *config.more_epochs]
    return f'''"""Train a network on MNIST with Keras: {config.preset}.

{missing}
"""

import math
import os

import keras
import numpy as np
from keras import layers

keras.utils.set_random_seed({config.seed})
if path := os.environ.get("MNIST_DATA"):
    with np.load(path) as data:
        x_train, y_train, x_test, y_test = (
            data[name] for name in ("x_train", "y_train", "x_test", "y_test")
        )
else:
    (x_train, y_train), (x_test, y_test) = keras.datasets.mnist.load_data()
x_train, x_test = x_train / np.float32(255), x_test / np.float32(255)

order = np.random.default_rng({config.seed}).permutation(len(x_train))
x_train, y_train = x_train[order], y_train[order].astype(int)
held_out = len(x_train) // 10
x_validation, y_validation = x_train[:held_out], y_train[:held_out]
x_train, y_train = {_chosen(config)}
{_shuffling(config)}
model = keras.Sequential(
    [
{_layers(config)}
    ]
)
model.summary()

steps_per_epoch = math.ceil(len(x_train) / {config.batch_size})


def learning_rate(step):
    """The one of this step: {SCHEDULES[config.schedule]}."""
    peak = {config.learning_rate!r}
    for epochs in {parts!r}:
        length = epochs * steps_per_epoch
        if step < length:
            break
        step, peak = step - length, {config.learning_rate!r} * 0.1
{_rate(config)}


class Schedule(keras.callbacks.Callback):
    """Sets the learning rate before each step; ``fit`` counts epochs only."""

    def on_train_batch_begin(self, batch, logs=None):
        step = int(self.model.optimizer.iterations.numpy())
        self.model.optimizer.learning_rate = learning_rate(step)


model.compile(
    optimizer={_optimizer(config)},
    loss=keras.losses.CategoricalCrossentropy(label_smoothing={config.label_smoothing!r}),
    metrics=["accuracy"],
)
model.fit(
    x_train,
    keras.utils.to_categorical(y_train, 10),
    batch_size={config.batch_size},
    epochs={config.all_epochs},
    validation_data=(x_validation, keras.utils.to_categorical(y_validation, 10)),
    callbacks=[Schedule()],
)
_, accuracy = model.evaluate(x_test, keras.utils.to_categorical(y_test, 10), verbose=0)
print(f"test accuracy {{accuracy:.4f}}")
model.save("digits.keras")
'''


def _chosen(config: TrainConfig) -> str:
    end = f"held_out + {config.training_images}" if config.training_images < 60_000 else ""
    part = f"held_out : {end}" if end else "held_out:"
    return f"x_train[{part}], y_train[{part}]"


def _shuffling(config: TrainConfig) -> str:
    if not config.shuffled_labels:
        return ""
    return f"""
# This share of the labels is dealt out at random.
shuffled = np.arange(round({config.shuffled_labels!r} * len(y_train)))
y_train[shuffled] = y_train[np.random.permutation(shuffled)]
"""


def _layers(config: TrainConfig) -> str:
    lines = ["keras.Input((28, 28)),"]
    bias = ", use_bias=False" if config.batch_normalization else ""
    block = ["layers.BatchNormalization(momentum=0.9),"] if config.batch_normalization else []
    block = [*block, "layers.ReLU(),"]
    if config.convolutions:
        lines += ["layers.Reshape((28, 28, 1)),"]
    for filters, kernel, stride in config.convolutions:
        lines += [
            "layers.Conv2D(",
            f'    {filters}, {kernel}, strides={stride}, padding="same"{bias},',
            '    kernel_initializer="he_normal",',
            "),",
            *block,
        ]
    lines += ["layers.Flatten(),"]
    for units in config.dense:
        if config.batch_normalization:
            lines += [f"layers.Dense({units}{bias}),", *block]
        else:
            lines += [f'layers.Dense({units}, activation="relu"),']
        if config.dropout:
            lines += [f"layers.Dropout({config.dropout!r}),"]
    lines += ['layers.Dense(10, activation="softmax"),']
    return "\n".join(f"        {line}" for line in lines)


def _rate(config: TrainConfig) -> str:
    if config.schedule == "constant":
        return "    return peak"
    falling = "0.5 * (1 + math.cos(math.pi * done))" if config.schedule == "cosine" else "1 - done"
    return f"""    warmup = max(1, length // 10)
    if step < warmup:
        return peak * (0.05 + 0.95 * step / warmup)
    done = (step - warmup) / max(1, length - warmup)
    return peak * ({falling})"""


def _optimizer(config: TrainConfig) -> str:
    decay = f"weight_decay={config.weight_decay or None!r}"
    rate = repr(config.learning_rate)
    if config.optimizer == "adam":
        return f"keras.optimizers.Adam({rate}, {decay})"
    momentum = "momentum=0.9, nesterov=True, " if config.optimizer == "momentum" else ""
    return f"keras.optimizers.SGD({rate}, {momentum}{decay})"
