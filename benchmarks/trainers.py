"""The ways to train the 784-128-64-10 network that benchmarks/training.py compares.

Each takes all of MNIST and a seed, trains on the same 54,000 images, and says how long each epoch
took and how accurate the network was after it.
"""

import dataclasses
import itertools
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from mnist_core.config import PRESETS, TrainConfig
from mnist_core.data import Dataset, scale, stratified_split

MOST_EPOCHS = 25
VALIDATION_SHARE = 0.1
# The usual notebook's: Keras's and scikit-learn's own learning rate, and Keras's batch.
USUAL_RATE, USUAL_BATCH = 0.001, 32
# Of the 211 steps of an epoch.
STEPS_PER_EXECUTION = 32
LAYERS = (784, 128, 64, 10)


@dataclass(frozen=True)
class Measured:
    """One training: for each epoch its seconds and the test accuracy after it, 0 to 1."""

    seconds: list[float]
    accuracies: list[float]
    megabytes: float = 0.0

    def reached(self, goal: float) -> tuple[float, int] | None:
        """After how many seconds, and epochs, the accuracy was first as high; None if never."""
        for epoch, accuracy in enumerate(self.accuracies, 1):
            if accuracy >= goal:
                return sum(self.seconds[:epoch]), epoch
        return None


def fitting_images(dataset: Dataset, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The 54,000 images that training.train takes too, float32 (n, 28, 28), and labels."""
    chosen, _ = stratified_split(dataset.y_train, VALIDATION_SHARE, seed)
    return scale(dataset.x_train[chosen]), dataset.y_train[chosen]


def classic(seed: int) -> TrainConfig:
    """The preset, without the digits that the project draws itself."""
    return dataclasses.replace(PRESETS["classic"], drawn_digits=0, seed=seed)


def keras_usual(dataset: Dataset, seed: int) -> Measured:
    import keras

    optimizer = keras.optimizers.Adam(USUAL_RATE)
    return keras_fit(dataset, classic(seed), optimizer, USUAL_BATCH, MOST_EPOCHS)


def keras_schedule(dataset: Dataset, seed: int, steps_per_execution: int = 1) -> Measured:
    from mnist_core.training.optimizer import build_optimizer, learning_rate_schedule

    config = classic(seed)
    images = len(fitting_images(dataset, seed)[1])
    schedule = learning_rate_schedule(config, math.ceil(images / config.batch_size))
    optimizer = build_optimizer(config, schedule)
    return keras_fit(
        dataset, config, optimizer, config.batch_size, config.epochs, steps_per_execution
    )


def keras_several_steps(dataset: Dataset, seed: int) -> Measured:
    """Keras's own way to go back to Python less often, as training.train does."""
    return keras_schedule(dataset, seed, STEPS_PER_EXECUTION)


def keras_fit(
    dataset: Dataset,
    config: TrainConfig,
    optimizer: Any,
    batch_size: int,
    epochs: int,
    steps_per_execution: int = 1,
) -> Measured:
    import keras

    from mnist_core.training import models, scoring

    x, y = fitting_images(dataset, config.seed)
    model = models.build_model(config)
    model.compile(
        optimizer,
        "sparse_categorical_crossentropy",
        metrics=["accuracy"],
        steps_per_execution=steps_per_execution,
    )
    measured = Measured([], [])
    started = 0.0

    def after_epoch(epoch: int, logs: dict[str, float]) -> None:
        nonlocal started
        measured.seconds.append(time.perf_counter() - started)
        probabilities = scoring.predict(model, dataset.x_test)
        measured.accuracies.append(float((probabilities.argmax(axis=1) == dataset.y_test).mean()))
        started = time.perf_counter()

    callback = keras.callbacks.LambdaCallback(on_epoch_end=after_epoch)
    started = time.perf_counter()
    model.fit(x, y, batch_size, epochs, verbose=0, callbacks=[callback])
    return measured


def ours(dataset: Dataset, seed: int) -> Measured:
    return train(dataset, classic(seed))


def ours_with_drawn(dataset: Dataset, seed: int) -> Measured:
    return train(dataset, dataclasses.replace(PRESETS["classic"], seed=seed))


def quick(dataset: Dataset, seed: int) -> Measured:
    return train(dataset, dataclasses.replace(PRESETS["quick"], seed=seed))


def train(dataset: Dataset, config: TrainConfig) -> Measured:
    """training.train itself; the test images are read afterwards, from its checkpoints."""
    from mnist_core.jobs import worker

    # As a worker loads it; the other lines may load what they like.
    worker.load_training_alone()
    from mnist_core import classifier, training
    from mnist_core.training import models, scoring

    checkpoints: list[Any] = []
    training.train(config, dataset, on_checkpoint=checkpoints.append)
    network = models.build_model(config)
    accuracies = []
    for checkpoint in checkpoints:
        for variable, value in zip(network.variables, checkpoint.model, strict=True):
            variable.assign(value)
        probabilities = classifier.predict_with_views(
            lambda images: scoring.predict(network, images), dataset.x_test, config.looks
        )
        accuracies.append(float((probabilities.argmax(axis=1) == dataset.y_test).mean()))
    # A checkpoint knows the seconds since the start.
    since_start = [checkpoint.seconds for checkpoint in checkpoints]
    return Measured(np.diff(since_start, prepend=0.0).tolist(), accuracies)


def scikit_learn(dataset: Dataset, seed: int) -> Measured:
    from sklearn.neural_network import MLPClassifier

    x, y = fitting_images(dataset, seed)
    x, x_test = x.reshape(len(x), -1), scale(dataset.x_test).reshape(len(dataset.x_test), -1)
    network = MLPClassifier(
        LAYERS[1:-1],
        batch_size=PRESETS["classic"].batch_size,
        learning_rate_init=USUAL_RATE,
        random_state=seed,
    )
    return by_epoch(
        # One pass over all it is given, in shuffled batches.
        lambda epoch: network.partial_fit(x, y, classes=np.arange(LAYERS[-1])),
        lambda: float(network.score(x_test, dataset.y_test)),
        MOST_EPOCHS,
    )


def pytorch(dataset: Dataset, seed: int) -> Measured:
    """A plain loop over tensors, without a DataLoader, which would be several times slower."""
    import torch

    config = classic(seed)
    torch.manual_seed(seed)
    x, y = (torch.from_numpy(values) for values in fitting_images(dataset, seed))
    x, y = x.flatten(1), y.long()
    x_test = torch.from_numpy(scale(dataset.x_test)).flatten(1)
    first, second, third = (torch.nn.Linear(*ends) for ends in itertools.pairwise(LAYERS))
    network = torch.nn.Sequential(first, torch.nn.ReLU(), second, torch.nn.ReLU(), third)
    optimizer = torch.optim.Adam(network.parameters())
    rates = learning_rates(config, math.ceil(len(y) / config.batch_size))

    def run_epoch(epoch: int) -> None:
        for batch in torch.randperm(len(y)).split(config.batch_size):
            optimizer.param_groups[0]["lr"] = next(rates)
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(network(x[batch]), y[batch]).backward()
            optimizer.step()

    def accuracy() -> float:
        with torch.no_grad():
            answers = network(x_test).argmax(1).numpy()
        return float((answers == dataset.y_test).mean())

    return by_epoch(run_epoch, accuracy, config.epochs)


def learning_rates(config: TrainConfig, steps_per_epoch: int) -> Iterator[float]:
    """The rate at each step as training.LearningRate gives it, without loading TensorFlow."""
    steps = config.epochs * steps_per_epoch
    warmup = steps // 10
    for step in range(steps):
        if step < warmup:
            yield config.learning_rate * (0.05 + 0.95 * step / warmup)
        else:
            done = (step - warmup) / (steps - warmup)
            yield config.learning_rate * (1 + math.cos(math.pi * done)) / 2


def matrix_products(dataset: Dataset, seed: int) -> Measured:
    """The products of each step, forwards and backwards, into arrays that are there already."""
    config = classic(seed)
    x, _ = fitting_images(dataset, seed)
    x = x.reshape(len(x), -1)
    random = np.random.default_rng(seed)

    def array(*shape: int) -> np.ndarray:
        return random.standard_normal(shape, np.float32) / 30

    weights = [array(*ends) for ends in itertools.pairwise(LAYERS)]
    weight_gradients = [np.empty_like(weight) for weight in weights]
    outputs = [array(config.batch_size, size) for size in LAYERS[1:]]
    gradients = [array(config.batch_size, size) for size in LAYERS[1:]]

    def run_epoch(epoch: int) -> None:
        for start in range(0, len(x), config.batch_size):
            batch = x[start : start + config.batch_size]
            inputs = [batch, *(output[: len(batch)] for output in outputs)]
            sent_back = [gradient[: len(batch)] for gradient in gradients]
            for layer, weight in enumerate(weights):
                np.matmul(inputs[layer], weight, out=inputs[layer + 1])
            for layer in reversed(range(len(weights))):
                np.matmul(inputs[layer].T, sent_back[layer], out=weight_gradients[layer])
                # Nothing asks for the gradient of the images.
                if layer:
                    np.matmul(sent_back[layer], weights[layer].T, out=sent_back[layer - 1])

    return by_epoch(run_epoch, lambda: math.nan, config.epochs)


def by_epoch(
    run_epoch: Callable[[int], Any], accuracy: Callable[[], float], epochs: int
) -> Measured:
    """Run epoch after epoch; the accuracy in between is not timed."""
    measured = Measured([], [])
    for epoch in range(epochs):
        started = time.perf_counter()
        run_epoch(epoch)
        measured.seconds.append(time.perf_counter() - started)
        measured.accuracies.append(accuracy())
    return measured
