"""How fast the classic 784-128-64-10 network trains here, compared with other ways to train it.

    MNIST_DATA=mnist.npz python -m benchmarks.training [--only NAME ...] [--seeds N]

Each line of the table runs in its own process, one after another, so that its peak memory is
its own, once for each seed; the table shows medians over the seeds. All train on the same
54,000 images (ours with its defaults, and quick, on some synthetic digits too). The test images
are classified after each epoch, outside the timing, which covers the steps alone: no import, no
loading, no evaluation, but compilation in the first step. Keras prints no progress, which would
slow it down. Lines with a schedule take the preset's number of epochs, the others 25.

Then what live reporting costs: training.train as the worker calls it, storing curves and
checkpoints in a database, compared with training.train without, alternating in one process.
Needs all of MNIST; scikit-learn and PyTorch only for their lines. A quarter of an hour on two
idle cores.
"""

import argparse
import dataclasses
import importlib.util
import itertools
import json
import math
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mnist_core.config import PRESETS, TrainConfig
from mnist_core.data import Dataset, load_dataset, scale, stratified_split

SEEDS = 3
MOST_EPOCHS = 25
VALIDATION_SHARE = 0.1
# The usual notebook's: Keras's and scikit-learn's own learning rate, and Keras's batch.
USUAL_RATE, USUAL_BATCH = 0.001, 32
# Of the 211 steps of an epoch.
STEPS_PER_EXECUTION = 32
LAYERS = (784, 128, 64, 10)
# Trainings with and without live reporting; even, so that each goes first as often.
LIVE_REPEATS = 8


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


@dataclass(frozen=True)
class Line:
    """A line of the table.

    Attributes:
        text: what it is, for a person.
        measure: trains once, given the dataset and a seed.
        goal: the test accuracy to reach, 0 to 1.
        package: what must be installed for it.
    """

    text: str
    measure: Callable[[Dataset, int], Measured]
    goal: float = 0.98
    package: str = "numpy"


LINES = {
    "notebook": Line("Keras fit, Adam 0.001, batch 32: the notebook", keras_usual),
    "keras": Line("Keras fit, our schedule and batch", keras_schedule),
    "several": Line(
        f"the same with steps_per_execution={STEPS_PER_EXECUTION}", keras_several_steps
    ),
    "ours": Line("ours: training.train, classic", ours),
    "drawn": Line("ours, with 3,000 drawn digits: the preset as it is", ours_with_drawn),
    "sklearn": Line("scikit-learn MLPClassifier, batch 256", scikit_learn, package="sklearn"),
    "torch": Line("PyTorch, plain loop, our schedule and batch", pytorch, package="torch"),
    "products": Line("its matrix products alone, NumPy", matrix_products),
    "quick": Line("ours, quick: to 99 %", quick, goal=0.99),
}
LIVE = "live"


def live(dataset: Dataset) -> dict[str, list[float]]:
    """Seconds that training.train takes, with the worker's recorder and without, in turns."""
    from mnist_core import training
    from mnist_core.jobs import heart
    from mnist_core.jobs.recorder import Recorder
    from mnist_core.store.run import FINISHED
    from tests.helpers import Store

    config = PRESETS["classic"]

    def silent() -> float:
        started = time.perf_counter()
        training.train(config, dataset)
        return time.perf_counter() - started

    def reported() -> float:
        run = store.begin(config, "benchmark", worker_id)
        recorder = Recorder(store, run, worker_id)
        recorder.start()
        started = time.perf_counter()
        training.train(config, dataset, recorder, recorder.should_stop, recorder.keep)
        seconds = time.perf_counter() - started
        recorder.end()
        recorder.flush()
        store.complete(run.id, worker_id, FINISHED)
        return seconds

    with tempfile.TemporaryDirectory() as folder:
        store = Store(f"sqlite:///{Path(folder) / 'runs.db'}")
        with heart.registered(store) as (worker_id, _):
            ways = {"silent": silent, "reported": reported}
            for way in ways.values():  # The first ones also load and warm up.
                way()
            seconds: dict[str, list[float]] = {name: [] for name in ways}
            for repeat in range(LIVE_REPEATS):
                for name in sorted(ways, reverse=bool(repeat % 2)):
                    seconds[name].append(ways[name]())
        store.close()
    return seconds


def in_own_process(name: str, seed: int) -> dict[str, Any]:
    """What a process that measures this alone says on the last line it prints."""
    command = [sys.executable, "-m", "benchmarks.training", "--measure", name, str(seed)]
    environ = {"TF_CPP_MIN_LOG_LEVEL": "3", **os.environ}
    done = subprocess.run(command, env=environ, stdout=subprocess.PIPE, text=True, check=True)
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def measure(name: str, seed: int) -> None:
    """Be that process."""
    dataset = all_of_mnist()
    if name == LIVE:
        print(json.dumps(live(dataset)))
        return
    measured = LINES[name].measure(dataset, seed)
    # Linux counts in KiB, macOS in bytes.
    unit = 1 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
    print(json.dumps(dataclasses.asdict(dataclasses.replace(measured, megabytes=peak))))


def all_of_mnist() -> Dataset:
    dataset = load_dataset()
    if len(dataset.x_train) < 60_000:
        sys.exit(
            f"Only this is at hand: {dataset.description}. The benchmark needs all of MNIST: "
            "name an mnist.npz in MNIST_DATA, or run python -m mnist_core fetch."
        )
    return dataset


def report(line: Line, seeds: list[Measured]) -> None:
    """Print a line of the table: medians over the seeds."""
    epoch = f"{seconds_an_epoch(seeds):.3f}"
    memory = f"{statistics.median(one.megabytes for one in seeds):,.0f}"
    final = statistics.median(one.accuracies[-1] for one in seeds)
    reached = seconds_to(line.goal, seeds)
    if math.isnan(final):
        seconds = epochs = share = "-"
    elif math.isinf(reached):
        best = statistics.median(max(one.accuracies) for one in seeds)
        seconds, epochs, share = f"- ({best:.2%})", f"{len(seeds[0].seconds)}", f"{final:.2%}"
    else:
        counts = [at[1] for one in seeds if (at := one.reached(line.goal))]
        seconds, epochs = f"{reached:.2f}", f"{statistics.median(counts):g}"
        share = f"{final:.2%}"
    print_row(line.text, epoch, seconds, epochs, share, memory)


def print_row(text: str, *cells: str) -> None:
    print(f"{text:51}" + "".join(f"{cell:>12}" for cell in cells), flush=True)


def seconds_an_epoch(seeds: list[Measured]) -> float:
    return statistics.median(statistics.median(one.seconds) for one in seeds)


def seconds_to(goal: float, seeds: list[Measured]) -> float:
    """Median over the seeds of the seconds to this accuracy; infinite if most never did."""
    return statistics.median(at[0] if (at := one.reached(goal)) else math.inf for one in seeds)


def report_ratios(measured: dict[str, list[Measured]]) -> None:
    """Print how much faster than the notebook, and how much slower than bare products."""
    if {"notebook", "ours"} <= measured.keys():
        notebook, own = (seconds_to(0.98, measured[name]) for name in ("notebook", "ours"))
        text = f"{notebook / own:.1f}"
        if math.isinf(notebook):
            # It did not get there, so all its time is less than it would have needed.
            spent = statistics.median(sum(one.seconds) for one in measured["notebook"])
            text = f"more than {spent / own:.1f}"
        print(f"the notebook's seconds to 98 % / ours: {text} (asked 25, hoped for 40)")
    if {"ours", "products"} <= measured.keys():
        own, products = (seconds_an_epoch(measured[name]) for name in ("ours", "products"))
        text = f"{own / products:.1f}"
        print(f"our seconds an epoch / its matrix products': {text} (asked 4, hoped for 2.5)")


def report_live(seconds: dict[str, list[float]]) -> None:
    """Print what it costs that somebody looks on."""
    silent, reported = (statistics.median(seconds[name]) for name in ("silent", "reported"))
    print(
        f"live reporting: training.train takes {reported:.2f} s with curves and checkpoints "
        f"stored, {silent:.2f} s without ({LIVE_REPEATS} of each in turns, medians): "
        f"{reported / silent:.3f} times as long"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.training",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--only", nargs="+", choices=[*LINES, LIVE], help="measure these lines and no others"
    )
    parser.add_argument("--seeds", type=int, default=SEEDS, help="trainings for each line")
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        measure(options.measure[0], int(options.measure[1]))
        return
    all_of_mnist()
    if "quick" not in PRESETS:
        sys.exit("There is no preset named quick to measure.")
    names = options.only or [*LINES, LIVE]
    lines = [name for name in names if name != LIVE]
    measured: dict[str, list[Measured]] = {}
    # Seed by seed, so that a busy minute of the machine does not fall on one line alone.
    for seed in range(options.seeds):
        for name in lines:
            if importlib.util.find_spec(LINES[name].package):
                one = Measured(**in_own_process(name, seed))
                measured.setdefault(name, []).append(one)
    if lines:
        print_row("", "s an epoch", "s to 98 %", "in epochs", "final test", "peak MB")
    for name in lines:
        if name in measured:
            report(LINES[name], measured[name])
        else:
            print_row(LINES[name].text, "not installed")
    report_ratios(measured)
    if LIVE in names:
        report_live(in_own_process(LIVE, 0))


if __name__ == "__main__":
    main()
