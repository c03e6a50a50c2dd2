"""keras_script: settings -> a Keras script that trains the same network without this project; and
``use_keras`` and ``use_litert``: scripts that use the files of a trained network.

They contain only numbers and fixed names, never a visitor's text.
"""

import json

from mnist_core.config import TrainConfig

STEPS = "steps = epochs * int(np.ceil(len(x_train) / batch_size))"
WARMUP = "warmup = max(1, steps // 10)"
# How the learning rate falls after the warm-up; ``done`` goes from 0 to 1.
DECAYS = {
    "cosine": ("a cosine", "0.5 + 0.5 * np.cos(np.pi * done)"),
    "linear": ("a line", "1 - done"),
}


def keras_script(config: TrainConfig) -> str:
    """A script with the same layers, optimizer, schedule, batches and epochs, formatted by ruff's
    rules; it needs only Keras and NumPy."""
    schedule, rate, fit = _schedule(config)
    return f'''"""Train a network to read handwritten digits: MNIST, with Keras.

Left out of what the dashboard does: {_left_out(config)}.
"""

import os

import keras
import numpy as np
from keras import layers, optimizers

{_numbers(config)}

keras.utils.set_random_seed({config.seed})

if path := os.environ.get("MNIST_DATA"):
    data = np.load(path)
    x_train, y_train = data["x_train"], data["y_train"]
    x_test, y_test = data["x_test"], data["y_test"]
else:
    (x_train, y_train), (x_test, y_test) = keras.datasets.mnist.load_data()
x_train, x_test = (x.astype("float32") / 255 for x in (x_train, x_test))
y_train, y_test = (keras.utils.to_categorical(y, 10) for y in (y_train, y_test))

held_out = len(x_train) // 10
x_validation, y_validation = x_train[-held_out:], y_train[-held_out:]
x_train, y_train = x_train[:-held_out], y_train[:-held_out]
{_images(config)}
model = keras.Sequential(
    [
{_layers(config)}
    ]
)
{schedule}
model.compile(
    optimizer={_optimizer(config, rate)},
    loss={_loss(config)},
    metrics=["accuracy"],
)
{fit}
_, accuracy = model.evaluate(x_test, y_test, verbose=0)
print(f"test accuracy {{accuracy:.4f}}")
model.save("digits.keras")
'''


def _left_out(config: TrainConfig) -> str:
    used = {
        "augmentation": config.augmentation,
        "drawn digits": config.drawn_digits,
        "several looks": config.looks > 1,
        "calibration": True,
    }
    return ", ".join(name for name in used if used[name])


def _numbers(config: TrainConfig) -> str:
    lines = [f"epochs = {config.epochs}"]
    if config.more_epochs:
        lines += [f"later = {config.more_epochs!r}"]
    lines += [f"batch_size = {config.batch_size}", f"learning_rate = {config.learning_rate!r}"]
    if config.weight_decay:
        lines += [f"weight_decay = {config.weight_decay!r}"]
    return "\n".join(lines)


def _images(config: TrainConfig) -> str:
    text = ""
    if config.training_images < TrainConfig.training_images:
        count = config.training_images
        text += f"x_train, y_train = x_train[:{count}], y_train[:{count}]\n"
    if config.shuffled_labels:
        text += f"""
# So many labels are dealt out at random among their images.
count = round({config.shuffled_labels!r} * len(y_train))
chosen = np.random.permutation(len(y_train))[:count]
y_train[chosen] = y_train[np.random.permutation(chosen)]
"""
    return text


def _layers(config: TrainConfig) -> str:
    lines = ["keras.Input((28, 28)),"]
    for layer in config.layers:
        arguments = [repr(value) for value in layer.arguments]
        # JSON's strings have double quotes, as ruff format wants them.
        arguments += [
            f"{name}={json.dumps(value) if isinstance(value, str) else repr(value)}"
            for name, value in layer.options.items()
        ]
        lines.append(f"layers.{layer.kind}({', '.join(arguments)}),")
    return "\n".join(f"        {line}" for line in lines)


def _schedule(config: TrainConfig) -> tuple[str, str, str]:
    """The code before ``compile``, the optimizer's first argument, and the call of ``fit``."""
    if config.more_epochs or config.schedule == "linear":
        return _step_by_step(config)
    validation = "validation_data=(x_validation, y_validation)"
    fit = f"model.fit(x_train, y_train, batch_size, epochs, {validation})"
    if config.schedule == "constant":
        return "", "learning_rate", fit
    schedule = f"""
{STEPS}
{WARMUP}
rate = optimizers.schedules.CosineDecay(
    initial_learning_rate=learning_rate / 20,
    decay_steps=max(1, steps - warmup),
    warmup_target=learning_rate,
    warmup_steps=warmup,
)"""
    return schedule, "rate", fit


def _step_by_step(config: TrainConfig) -> tuple[str, str, str]:
    """The same with a callback that sets the learning rate before each step.

    Loading the saved network would need the class of a custom schedule, and a new optimizer for
    added epochs would forget its moments.
    """
    if config.schedule == "constant":
        shape, body = "always the same", "return np.full(steps, learning_rate)"
    else:
        line, falling = DECAYS[config.schedule]
        shape = f"up over a tenth of them, then down along {line}"
        body = f"""{WARMUP}
    step = np.arange(steps)
    rising = 0.05 + 0.95 * step / warmup
    done = (step - warmup) / max(1, steps - warmup)
    return learning_rate * np.where(step < warmup, rising, {falling})"""
    rates, epochs = "rates = schedule(epochs)", "epochs"
    if config.more_epochs:
        epochs = "epochs + sum(later)"
        rates = """# Epochs added later begin with a tenth of the learning rate.
rates = np.concatenate([schedule(epochs), *(0.1 * schedule(more) for more in later)])"""
    schedule = f'''

def schedule(epochs):
    """The learning rate of each step: {shape}."""
    {STEPS}
    {body}


{rates}


def set_rate(batch, logs):
    model.optimizer.learning_rate = rates[int(model.optimizer.iterations)]

'''
    fit = f"""model.fit(
    x_train,
    y_train,
    batch_size,
    {epochs},
    validation_data=(x_validation, y_validation),
    callbacks=[keras.callbacks.LambdaCallback(on_train_batch_begin=set_rate)],
)"""
    return schedule, "", fit


def _optimizer(config: TrainConfig, rate: str) -> str:
    arguments = [rate] if rate else []
    if config.optimizer == "momentum":
        arguments += ["momentum=0.9", "nesterov=True"]
    if config.weight_decay:
        arguments += ["weight_decay=weight_decay"]
    name = "Adam" if config.optimizer == "adam" else "SGD"
    return f"optimizers.{name}({', '.join(arguments)})"


def _loss(config: TrainConfig) -> str:
    if not config.label_smoothing:
        return '"categorical_crossentropy"'
    return f"keras.losses.CategoricalCrossentropy(label_smoothing={config.label_smoothing!r})"


def use_keras(file: str, complete: bool = True) -> str:
    """A script that tests a downloaded ``.keras`` file on MNIST.

    Args:
        complete: see ``Classifier``.
    """
    scaled = "" if complete else " / np.float32(255)"
    return f"""# pip install tensorflow
import keras
import numpy as np

_, (x_test, y_test) = keras.datasets.mnist.load_data()  # uint8 (n, 28, 28), 0 paper to 255 ink
model = keras.saving.load_model("{file}")
probabilities = model.predict(x_test{scaled})  # (n, 10)
print("test accuracy", np.mean(probabilities.argmax(axis=1) == y_test))
"""


def use_litert(file: str, complete: bool = True, layers: int = 0) -> str:
    """The same for a ``.tflite`` file.

    Args:
        layers: the number of layers; the last output of an incomplete file has the probabilities.
    """
    signature = '"classify"' if complete else ""
    images = "images=batch" if complete else "**{name: batch / np.float32(255)}"
    output = "probabilities" if complete else f"output_{layers - 1}"
    named = "" if complete else "name = next(iter(classify.get_input_details()))\n"
    return f"""# pip install ai-edge-litert
import numpy as np
from ai_edge_litert.interpreter import Interpreter

# https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz
data = np.load("mnist.npz")
x_test, y_test = data["x_test"], data["y_test"]  # uint8 (n, 28, 28), 0 paper to 255 ink
classify = Interpreter("{file}").get_signature_runner({signature})
{named}batches = np.array_split(x_test, len(x_test) // 50)
answers = [classify({images})["{output}"] for batch in batches]
probabilities = np.concatenate(answers)  # (n, 10)
print("test accuracy", np.mean(probabilities.argmax(axis=1) == y_test))
"""
