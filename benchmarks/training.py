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
import json
import math
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.trainers import (
    STEPS_PER_EXECUTION,
    Measured,
    keras_schedule,
    keras_several_steps,
    keras_usual,
    matrix_products,
    ours,
    ours_with_drawn,
    pytorch,
    quick,
    scikit_learn,
)
from mnist_core.config import PRESETS
from mnist_core.data import Dataset, load_dataset

SEEDS = 3
# Trainings with and without live reporting; even, so that each goes first as often.
LIVE_REPEATS = 8


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
