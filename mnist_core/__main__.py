"""The command line: ``python -m mnist_core fetch | train | sweep | classify | suspects``."""

import argparse
import dataclasses
import json
import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as ProgressBar
from rich.table import Table

from mnist_core import data, drawing
from mnist_core.analysis import label_errors
from mnist_core.analysis.metrics import GUESSING, is_guessing
from mnist_core.classifier import Classifier
from mnist_core.config import PRESETS, TrainConfig, from_text, words
from mnist_core.drawing import reading
from mnist_core.errors import InvalidConfig, UserError
from mnist_core.jobs import download, follow
from mnist_core.progress import Progress
from mnist_core.shipped import FILES, export_run, shipped_runs
from mnist_core.store.database import Database
from mnist_core.store.run import LITERT, TRAINED, Trial, chosen, ranked
from mnist_core.store.runs import RunStore
from mnist_core.store.tasks import TaskStore
from mnist_core.sweeps import GRID, MOST_RUNS, RANDOM, SUGGESTED, Sweep, settings, value_text

# Only results go to standard output, so that they can be piped. No markup, because the name of a
# file may look like it.
console = Console(stderr=True, markup=False, emoji=False, highlight=False)


def say(text: object, style: str = "") -> None:
    console.print(str(text), style=style, soft_wrap=True)


complain = partial(say, style="red")


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # The log of logs.py is for servers; a person at a terminal gets sentences.
    logging.basicConfig(level=logging.ERROR, format="%(message)s")
    options = parser().parse_args(arguments)
    try:
        return int(options.command(options))
    except UserError as error:
        complain(error)
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

    training = argparse.ArgumentParser(add_help=False)
    training.add_argument("--preset", choices=sorted(PRESETS), default="classic")
    training.add_argument("--epochs", type=int)
    training.add_argument("--seed", type=int)
    training.add_argument("--json", action="store_true", help="end with one line of JSON")

    train = commands.add_parser(
        "train", parents=[training], help="train a network and record the run"
    )
    where = train.add_mutually_exclusive_group()
    where.add_argument(
        "--submit", action="store_true", help="hand the run to the workers and wait for it"
    )
    where.add_argument(
        "--sample", action="store_true", help="use the 5,000 bundled digits, not all of MNIST"
    )
    train.add_argument(
        "--export", type=Path, metavar="FOLDER", help="also write the finished run to a folder"
    )
    train.set_defaults(command=run_train)

    sweep = commands.add_parser(
        "sweep",
        parents=[training],
        help=f"train a network with several settings, {MOST_RUNS} runs at most",
    )
    sweep.add_argument(
        "--try",
        dest="choices",
        action="append",
        required=True,
        metavar="SETTING=VALUE,VALUE",
        help=f"what to try, can be repeated; SETTING is one of {', '.join(SUGGESTED)}",
    )
    sweep.add_argument(
        "--random", type=int, metavar="COUNT", help="try this many random combinations, not all"
    )
    sweep.set_defaults(command=run_sweep)

    classify = commands.add_parser("classify", help="read pictures of digits")
    classify.add_argument("--run", default="cnn", metavar="ID", help="run to use; default cnn")
    classify.add_argument("pictures", nargs="+", metavar="PICTURE")
    classify.set_defaults(command=run_classify)

    suspects = commands.add_parser("suspects", help="find training images that may be mislabelled")
    suspects.add_argument("--export", action="store_true", help="write them into the project")
    suspects.set_defaults(command=run_suspects)
    return root


def config_of(options: argparse.Namespace) -> TrainConfig:
    chosen = {name: getattr(options, name) for name in ("epochs", "seed")}
    given = {name: value for name, value in chosen.items() if value is not None}
    return dataclasses.replace(PRESETS[options.preset], **given)


def run_fetch(options: argparse.Namespace) -> int:
    say(f"MNIST is in {download.fetch()}")
    return 0


def run_train(options: argparse.Namespace) -> int:
    config = config_of(options)
    store = RunStore(Database())
    if options.submit:
        say_missing()
        train = partial(follow.submit_and_wait, on_problem=complain)
    else:
        train = partial(follow.train_here, dataset=load_data(sample=options.sample))
    with training_bar(config.epochs) as show:
        run, worker = train(store, config, on_progress=show)
    if run.state not in TRAINED:
        complain(f"Run {run.id} {run.state}. {run.message}")
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


def load_data(sample: bool = False) -> data.Dataset:
    """The digits, downloaded if necessary, or the bundled ones; says which."""
    dataset = data.load_sample() if sample else download.load_or_fetch()
    if dataset.note:
        say(dataset.note, "yellow")
    say(dataset.description)
    return dataset


def say_missing() -> None:
    """Name the file of digits that was asked for but does not exist."""
    if note := data.missing_note():
        say(note, "yellow")


def run_sweep(options: argparse.Namespace) -> int:
    config = config_of(options)
    choices = dict(parse_choice(text) for text in options.choices)
    if options.random is None:
        sweep = Sweep(config, choices, GRID)
    else:
        sweep = Sweep(config, choices, RANDOM, options.random, config.seed)
    configs = settings(sweep)
    store = RunStore(Database())
    say_missing()
    with sweep_bar(configs) as show:
        trials = ranked(follow.sweep_and_wait(store, configs, show, complain))
    # Rich would wrap the rows of a piped table at 80 columns.
    Console(width=None if sys.stdout.isatty() else 1000).print(sweep_table(trials, [*choices]))
    best = chosen(trials)
    if best is None:
        complain(f"No run of the sweep ended with a network. {trials[0].run.message}")
        return 1
    say(
        f"Run {best.run.id} is best on the validation images. That number is flattered by the "
        f"choice among {len(trials)}; on the test images, which played no part in the choice, its "
        f"accuracy is {best.run.test_accuracy:.2%}."
    )
    if options.json:
        print(json.dumps(sweep_result(trials, best, [*choices])))
    return 0


def parse_choice(text: str) -> tuple[str, tuple[object, ...]]:
    """Parse "learning_rate=0.001,0.003"; raises InvalidConfig."""
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


def sweep_table(trials: list[Trial], names: list[str]) -> Table:
    """A row for each run, with its value of each of these settings."""
    table = Table(
        "Run", *map(words, names), "Validation accuracy", "State", box=None, pad_edge=False
    )
    for trial in trials:
        table.add_row(
            trial.run.id,
            *(value_text(trial.run.config, name) for name in names),
            "-" if trial.validation_accuracy is None else f"{trial.validation_accuracy:.2%}",
            trial.run.state,
        )
    return table


def sweep_result(trials: list[Trial], best: Trial, names: list[str]) -> dict[str, object]:
    """A sweep as JSON; only the chosen run has a test accuracy."""
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


@contextmanager
def progress_bar(total: float) -> Iterator[Callable[[float, str], None]]:
    """A progress bar; yields a function that shows how much is completed, and a text."""
    shown = ProgressBar(
        BarColumn(), TextColumn("{task.description}"), TimeRemainingColumn(), console=console
    )
    task = shown.add_task("", total=total)
    with shown:
        yield lambda completed, text: shown.update(task, completed=completed, description=text)


@contextmanager
def training_bar(epochs: int) -> Iterator[Callable[[Progress], None]]:
    """A progress bar; yields a function that shows a report of a training."""
    with progress_bar(epochs) as update:
        validation = ""

        def show(report: Progress) -> None:
            nonlocal validation
            if report.validation_accuracy is not None:
                validation = f"  validation {report.validation_accuracy:.2%}"
            numbers = f"loss {report.loss:.4f}  accuracy {report.accuracy:.2%}{validation}"
            update(report.epoch, f"epoch {report.epoch:.1f}  {numbers}")

        yield show


@contextmanager
def sweep_bar(configs: list[TrainConfig]) -> Iterator[Callable[[list[Trial]], None]]:
    """A progress bar; yields a function that shows how far the runs of a sweep are."""
    with progress_bar(sum(config.all_epochs for config in configs)) as update:

        def show(trials: list[Trial]) -> None:
            ended = sum(not trial.run.active for trial in trials)
            best = max(trial.validation_accuracy or 0.0 for trial in trials)
            text = f"{ended} of {len(configs)} runs  best validation {best:.2%}"
            update(sum(trial.epoch for trial in trials), text)

        yield show


def run_classify(options: argparse.Namespace) -> int:
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
            figures, note = reading.read_figures(drawing.read_picture(Path(name).read_bytes()))
            images = np.stack([drawing.to_mnist(figure.ink) for figure in figures])
        except (UserError, OSError) as error:
            complain(f"{name}: {error.strerror if isinstance(error, OSError) else error}")
            status = 1
            continue
        if note:
            say(f"{name}: {note}", "yellow")
        probabilities = classifier.predict_proba(images)
        digits = "".join(map(str, probabilities.argmax(axis=1)))
        # The probability that all digits of a row are right.
        print(f"{name}\t{digits}\t{probabilities.max(axis=1).prod():.4f}")
    return status


def run_suspects(options: argparse.Namespace) -> int:
    dataset = load_data()
    fingerprint = dataset.train_fingerprint
    if label_errors.shipped(fingerprint) and not options.export:
        say("The suspects among these digits are built in.")
        return 0
    # Opened first, so that an unusable database fails before the work and not after it.
    store = None if options.export else TaskStore(Database())
    from mnist_core.training import cross_validation

    with training_bar(cross_validation.EPOCHS) as show:
        found = cross_validation.compute(dataset, show)
    if store:
        store.keep(label_errors.study_key(fingerprint), found.to_json().encode())
    else:
        path = label_errors.path_of(fingerprint)
        path.parent.mkdir(exist_ok=True)
        path.write_text(found.to_json())
    say(
        f"Of {found.images:,} training images {found.differing:,} were read as a digit other than "
        f"their label; the {len(found.ranked):,} most suspect are in "
        f"{'the database' if store else path}."
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
