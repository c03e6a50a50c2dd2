"""The command line: ``python -m mnist_core fetch | train | sweep | classify | suspects``."""

import argparse
import dataclasses
import json
import logging
import os
import socket
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as ProgressBar

from mnist_core import data, drawing
from mnist_core.analysis import label_errors
from mnist_core.analysis.metrics import GUESSING, is_guessing
from mnist_core.config import PRESETS, TrainConfig, from_text, words
from mnist_core.drawing import photo
from mnist_core.errors import InvalidConfig, UserError
from mnist_core.progress import Progress
from mnist_core.shipped import FILES, export_run, shipped_runs
from mnist_core.store.database import Database
from mnist_core.store.run import TRAINED, Run, Trial, chosen, owner_of, ranked
from mnist_core.store.runs import RunStore
from mnist_core.store.tasks import TaskStore
from mnist_core.store.workers import WorkerStore
from mnist_core.sweeps import GRID, MOST_RUNS, RANDOM, SUGGESTED, Sweep, settings, value_text

# Everything but results goes to standard error, so that results can be piped on.
console = Console(stderr=True)


def say(text: object, style: str = "") -> None:
    """Print a sentence as it is: a file's name may look like markup, and is not."""
    console.print(
        str(text), style=style, markup=False, emoji=False, highlight=False, soft_wrap=True
    )


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # Whoever sits here reads sentences; what logs.py tells of is for the host of a server.
    logging.basicConfig(level=logging.ERROR, format="%(message)s")
    options = parser().parse_args(arguments)
    try:
        return int(options.command(options))
    except UserError as error:
        say(error, "red")
        return 1
    except KeyboardInterrupt:
        say("Stopped.", "yellow")
        return 130


def parser() -> argparse.ArgumentParser:
    """The commands and their options."""
    root = argparse.ArgumentParser(prog="python -m mnist_core", description=__doc__)
    commands = root.add_subparsers(
        required=True, metavar="fetch | train | sweep | classify | suspects"
    )

    fetch = commands.add_parser("fetch", help="download MNIST into Keras's cache")
    fetch.set_defaults(command=run_fetch)

    train = commands.add_parser("train", help="train a network and record the run")
    add_settings(train)
    where = train.add_mutually_exclusive_group()
    where.add_argument(
        "--submit", action="store_true", help="hand the run to the workers and wait for it"
    )
    where.add_argument(
        "--sample", action="store_true", help="use the 5,000 bundled digits, not all of MNIST"
    )
    train.add_argument("--json", action="store_true", help="end with one line of JSON")
    train.add_argument(
        "--export", type=Path, metavar="FOLDER", help="write the finished run as a folder too"
    )
    train.set_defaults(command=run_train)

    sweep = commands.add_parser(
        "sweep", help=f"train a network with several settings, {MOST_RUNS} runs at most"
    )
    add_settings(sweep)
    sweep.add_argument(
        "--try",
        dest="choices",
        action="append",
        required=True,
        metavar="SETTING=VALUE,VALUE",
        help=f"what to try, as often as wished; SETTING is one of {', '.join(SUGGESTED)}",
    )
    sweep.add_argument(
        "--random", type=int, metavar="COUNT", help="so many combinations by chance, not all"
    )
    sweep.add_argument("--json", action="store_true", help="end with one line of JSON")
    sweep.set_defaults(command=run_sweep)

    classify = commands.add_parser("classify", help="read pictures of digits")
    classify.add_argument("--run", default="cnn", metavar="ID", help="whose network; default cnn")
    classify.add_argument("pictures", nargs="+", metavar="PICTURE")
    classify.set_defaults(command=run_classify)

    suspect = commands.add_parser("suspects", help="find training images that may be mislabelled")
    suspect.add_argument(
        "--export", action="store_true", help="write them as a file that ships with the project"
    )
    suspect.set_defaults(command=run_suspects)
    return root


def add_settings(command: argparse.ArgumentParser) -> None:
    """The options that say what is trained."""
    command.add_argument("--preset", choices=sorted(PRESETS), default="classic")
    command.add_argument("--epochs", type=int)
    command.add_argument("--seed", type=int)


def config_of(options: argparse.Namespace) -> TrainConfig:
    """What these options say."""
    config = PRESETS[options.preset]
    for name in ("epochs", "seed"):
        if getattr(options, name) is not None:
            config = dataclasses.replace(config, **{name: getattr(options, name)})
    return config


def run_fetch(options: argparse.Namespace) -> int:
    from mnist_core.jobs import download

    say(f"MNIST is in {download.fetch()}")
    return 0


def run_train(options: argparse.Namespace) -> int:
    config = config_of(options)
    store = RunStore(Database())
    if options.submit:
        run, worker = submit_and_wait(store, config)
    else:
        run, worker = train_here(store, config, load_data(sample=options.sample))
    if run.state not in TRAINED:
        say(f"Run {run.id} {run.state}. {run.message}", "red")
        return 1
    say(
        f"Run {run.id}: {run.test_accuracy:.2%} of the test images classified correctly after "
        f"{run.epochs} epochs, {run.train_seconds:.1f} s of training. {run.dataset}."
    )
    if run.test_images and is_guessing(run.test_accuracy or 0.0, run.test_images):
        say(f"It learned nothing: {GUESSING:.0%} is guessing. Try another learning rate.", "yellow")
    if options.export:
        artifacts = {kind: store.artifact(run.id, kind) for kind in FILES}
        export_run(run, store.metrics(run.id), artifacts, options.export)
    if options.json:
        fields = ("test_accuracy", "train_seconds", "epochs", "parameters")
        result = {"run_id": run.id, **{name: getattr(run, name) for name in fields}}
        print(json.dumps({**result, "worker": worker}))
    return 0


def train_here(store: RunStore, config: TrainConfig, dataset: data.Dataset) -> tuple[Run, str]:
    """Train in this process; the run and the host and process that trained it."""
    from mnist_core.jobs import worker
    from mnist_core.jobs.heart import registered

    own = WorkerStore(store.database)
    with registered(own) as (worker_id, heart), bar(config.epochs) as show:
        heart.ready = True
        run = own.begin(config, owner_of(uuid.uuid4().hex), worker_id)
        run = worker.execute(own, run, worker_id, dataset, show, heart)
    return run, f"{socket.gethostname()}:{os.getpid()}"


def load_data(sample: bool = False) -> data.Dataset:
    """The digits at hand, downloaded if need be, or the bundled ones; and a word on them."""
    from mnist_core.jobs import download

    dataset = data.load_sample() if sample else download.load_or_fetch()
    if dataset.note:
        say(dataset.note, "yellow")
    say(dataset.description)
    return dataset


def say_missing() -> None:
    """Name the file of digits that was asked for and is not there."""
    if note := data.missing_note():
        say(note, "yellow")


@contextmanager
def workers(store: RunStore) -> Iterator[Callable[[], None]]:
    """Somebody who trains what waits, while this lasts. What is given tells, once, what keeps
    them from it, if anything does."""
    from mnist_core.jobs.opening import open_pool

    say_missing()
    pool = open_pool(store.database).start()
    told = ""

    def tell_problem() -> None:
        nonlocal told
        if pool.problem not in ("", told):
            told = pool.problem
            say(told, "red")

    try:
        yield tell_problem
    finally:
        pool.end()


def submit_and_wait(store: RunStore, config: TrainConfig) -> tuple[Run, str]:
    """Queue the run, follow it; the run and the host and process that trained it."""
    run = store.submit(config, owner_of(uuid.uuid4().hex))
    names: dict[str, str] = {}
    at_work = WorkerStore(store.database)
    try:
        with workers(store) as tell_problem, bar(config.epochs) as show:
            step = 0
            while run.active:
                time.sleep(0.2)
                names |= {found.id: f"{found.host}:{found.pid}" for found in at_work.registered()}
                run, new = store.watch(run.id, step)
                for report in new:
                    step = report.step
                    show(report)
                tell_problem()
    finally:
        # If it is not over, nobody waits for it any more.
        store.request_stop(run.id, run.owner)
    return run, names.get(run.worker or "", "")


def run_sweep(options: argparse.Namespace) -> int:
    config = config_of(options)
    choices = dict(parse_choice(text) for text in options.choices)
    if options.random is None:
        sweep = Sweep(config, choices, GRID)
    else:
        sweep = Sweep(config, choices, RANDOM, options.random, config.seed)
    configs = settings(sweep)
    trials = ranked(sweep_and_wait(RunStore(Database()), configs))
    for line in columns(sweep_rows(trials, [*choices])):
        print(line)
    best = chosen(trials)
    if best is None:
        say(f"No run of the sweep ended with a network. {trials[0].run.message}", "red")
        return 1
    say(
        f"Run {best.run.id} is best on the validation images. That number is flattered by the "
        f"choice among {len(trials)}; the test images, which nobody chose by, were read with "
        f"{best.run.test_accuracy:.2%}."
    )
    if options.json:
        print(json.dumps(sweep_result(trials, best, [*choices])))
    return 0


def parse_choice(text: str) -> tuple[str, tuple[object, ...]]:
    """Read "learning_rate=0.001,0.003".

    Raises:
        InvalidConfig: it is not of that kind.
    """
    name, _, values = text.partition("=")
    if name not in SUGGESTED or not values:
        raise InvalidConfig(
            "Write what to try as learning_rate=0.001,0.003; a sweep can try "
            f"{', '.join(SUGGESTED)}."
        )
    try:
        return name, tuple(from_text(name, value.strip()) for value in values.split(","))
    except InvalidConfig:
        raise
    except (ValueError, OverflowError) as error:
        raise InvalidConfig(f"{words(name)} must be numbers, such as 0.1,0.2.") from error


def sweep_rows(trials: list[Trial], names: list[str]) -> list[list[str]]:
    """A table of a sweep: what it is called, and a row for each run, with what was tried."""
    header = ["Run", *map(words, names), "Validation accuracy", "State"]
    return [header] + [
        [
            trial.run.id,
            *(value_text(trial.run.config, name) for name in names),
            "-" if trial.validation_accuracy is None else f"{trial.validation_accuracy:.2%}",
            trial.run.state,
        ]
        for trial in trials
    ]


def columns(rows: list[list[str]]) -> list[str]:
    """The rows as lines, their cells below each other."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def sweep_result(trials: list[Trial], best: Trial, names: list[str]) -> dict[str, object]:
    """A sweep for whoever reads JSON; the test accuracy is that of the chosen run alone."""
    return {
        "sweep_id": best.run.sweep,
        "best": best.run.id,
        "test_accuracy": best.run.test_accuracy,
        "runs": [
            {
                "run_id": trial.run.id,
                "state": trial.run.state,
                "settings": {name: value_text(trial.run.config, name) for name in names},
                "validation_accuracy": trial.validation_accuracy,
                "train_seconds": trial.run.train_seconds,
            }
            for trial in trials
        ],
    }


def sweep_and_wait(store: RunStore, configs: list[TrainConfig]) -> list[Trial]:
    """Queue the runs of a sweep and follow them to their end, or stop them at a Ctrl-C."""
    first = store.submit_sweep(configs, owner_of(uuid.uuid4().hex))[0]
    try:
        with workers(store) as tell_problem, sweep_bar(configs) as show:
            trials = store.trials(first.id)
            while any(trial.run.active for trial in trials):
                show(trials)
                time.sleep(0.2)
                trials = store.trials(first.id)
                tell_problem()
            show(trials)
    finally:
        # If it is not over, nobody waits for it any more.
        store.stop_sweep(first.id, first.owner)
    return trials


@contextmanager
def sweep_bar(configs: list[TrainConfig]) -> Iterator[Callable[[list[Trial]], None]]:
    """A progress bar over all runs of a sweep, that is told how far each is."""
    shown = ProgressBar(
        TextColumn(f"{{task.fields[ended]}} of {len(configs)} runs"),
        BarColumn(),
        TextColumn("best validation {task.fields[best]}"),
        TimeRemainingColumn(),
        console=console,
    )
    epochs = sum(config.all_epochs for config in configs)
    task = shown.add_task("sweep", total=epochs, ended=0, best="-")

    def show(trials: list[Trial]) -> None:
        best = max((trial.validation_accuracy or 0.0 for trial in trials), default=0.0)
        shown.update(
            task,
            completed=sum(trial.epoch for trial in trials),
            ended=sum(not trial.run.active for trial in trials),
            best=f"{best:.2%}" if best else "-",
        )

    with shown:
        yield show


class bar:
    """A progress bar that is told of reports, as ``train`` tells of them."""

    def __init__(self, epochs: int) -> None:
        self._bar = ProgressBar(
            TextColumn("epoch {task.fields[epoch]}"),
            BarColumn(),
            TextColumn("loss {task.fields[loss]}  accuracy {task.fields[accuracy]}"),
            TextColumn("validation {task.fields[validation]}"),
            TimeRemainingColumn(),
            console=console,
        )
        self._task = self._bar.add_task(
            "train", total=epochs, epoch="0", loss="-", accuracy="-", validation="-"
        )

    def __enter__(self) -> "bar":
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def __call__(self, progress: Progress) -> None:
        self._bar.update(
            self._task,
            completed=progress.epoch,
            epoch=f"{progress.epoch:.1f}",
            loss=f"{progress.loss:.4f}",
            accuracy=f"{progress.accuracy:.2%}",
        )
        if progress.validation_accuracy is not None:
            self._bar.update(self._task, validation=f"{progress.validation_accuracy:.2%}")


def run_classify(options: argparse.Namespace) -> int:
    from mnist_core.classifier import Classifier
    from mnist_core.store.run import LITERT

    if options.run in shipped_runs():
        classifier = Classifier.bundled(options.run)
    else:
        store = RunStore(Database())
        run = store.get(options.run)
        classifier = Classifier(store.artifact(run.id, LITERT), run.config.looks)
    say_missing()
    status = 0
    for name in options.pictures:
        try:
            found, note = photo.read_figures(drawing.read_picture(Path(name).read_bytes()))
            figures = [drawing.to_mnist(figure.ink) for figure in found]
        except (UserError, OSError) as error:
            reason = error if isinstance(error, UserError) else error.strerror
            say(f"{name}: {reason}", "red")
            status = 1
            continue
        if note:
            say(f"{name}: {note}", "yellow")
        probabilities = classifier.predict_proba(np.stack(figures))
        digits = "".join(map(str, probabilities.argmax(axis=1)))
        # All digits of a row are right with the product of their probabilities.
        print(f"{name}\t{digits}\t{probabilities.max(axis=1).prod():.4f}")
    return status


def run_suspects(options: argparse.Namespace) -> int:
    dataset = load_data()
    fingerprint = dataset.train_fingerprint
    if label_errors.shipped(fingerprint) and not options.export:
        say("The suspects among these digits come with the project.")
        return 0
    # Before the work: a database that cannot be used is known at once.
    store = None if options.export else TaskStore(Database())
    from mnist_core.training import cross_validation

    with bar(cross_validation.EPOCHS) as show:
        found = cross_validation.compute(dataset, show)
    if store:
        store.keep(label_errors.study_key(fingerprint), found.to_json().encode())
    else:
        path = label_errors.path_of(fingerprint)
        path.parent.mkdir(exist_ok=True)
        path.write_text(found.to_json())
    say(
        f"Of {found.images:,} training images {found.differing:,} were read as another digit "
        f"than their label; the {len(found.ranked):,} most suspect of them are in "
        f"{'the database' if store else path}."
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
