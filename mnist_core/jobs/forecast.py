"""How long a run will take, estimated from how long others took. Deliberately rough."""

import math

from mnist_core.config import TrainConfig
from mnist_core.progress import Progress
from mnist_core.store.run import Run

# Seconds per step and per multiply-add on two cores, used until a run has ended.
SECONDS_PER_STEP = 0.0007
SECONDS_PER_MULTIPLICATION = 6e-11
# Testing, exporting and storing.
SECONDS_AFTER = 4.0


def images_per_epoch(config: TrainConfig, training_images: int) -> int:
    """How many images one epoch sees: of MNIST, and of the project's own drawings.

    Args:
        training_images: how many the dataset has; so with the functions below.
    """
    return config.fit_images(training_images) + config.drawn_images(training_images)


def work(config: TrainConfig, epochs: float, training_images: int) -> float:
    """Seconds that so many epochs would take on two cores."""
    each = SECONDS_PER_STEP / config.batch_size
    each += SECONDS_PER_MULTIPLICATION * config.multiplications
    return epochs * images_per_epoch(config, training_images) * each


def expected_seconds(
    config: TrainConfig, ended: list[Run], training_images: int, done_epochs: float = 0.0
) -> float:
    """How long a whole run with these settings takes.

    Args:
        ended: runs that ended on this machine, newest first, on any number of images. The first
            with the same network and batch size is used, otherwise the first with known times.
        done_epochs: how many epochs a resumed run has done already.
    """
    trained = [run for run in ended if run.epochs and run.train_seconds and run.training_images]
    alike = [run for run in trained if _alike(run.config, config)]
    pace = _pace((alike or trained)[0]) if trained else 1.0
    epochs = max(0.0, config.all_epochs - done_epochs)
    return SECONDS_AFTER + pace * work(config, epochs, training_images)


def sweep_seconds(
    configs: list[TrainConfig], ended: list[Run], workers: int, training_images: int
) -> float:
    """How long runs with these settings take in all if nobody else trains.

    Args:
        ended: as for ``expected_seconds``.
        workers: how many runs are trained at once.
    """
    seconds = [expected_seconds(config, ended, training_images) for config in configs]
    # All together take no less time than the longest of them.
    return max([sum(seconds) / max(workers, 1), *seconds])


def seconds_left(config: TrainConfig, reports: list[Progress]) -> float | None:
    """How much longer a run will train; None as long as that is unknown."""
    if len(reports) < 2:
        return None
    # The first steps include compilation and predict nothing.
    first, last = reports[0], reports[-1]
    pace = (last.seconds - first.seconds) / (last.epoch - first.epoch)
    return pace * max(0.0, config.all_epochs - last.epoch)


def seconds_until_turn(
    before: list[tuple[Run, list[Progress]]],
    ended: list[Run],
    workers: int,
    training_images: int,
) -> float:
    """How long a run has to wait for those before it.

    Args:
        before: the waiting and running runs before it, and their reports.
        ended: as for ``expected_seconds``.
        workers: how many runs are trained at once.
    """
    seconds = 0.0
    for run, reports in before:
        left = seconds_left(run.config, reports)
        if left is None:
            steps_per_epoch = math.ceil(
                images_per_epoch(run.config, training_images) / run.config.batch_size
            )
            done_epochs = run.checkpoint_step / max(steps_per_epoch, 1)
            seconds += expected_seconds(run.config, ended, training_images, done_epochs)
        else:
            seconds += left + SECONDS_AFTER
    return seconds / max(workers, 1)


def _pace(run: Run) -> float:
    """How many times as long this run took as it would on two cores."""
    return (run.train_seconds or 0.0) / work(run.config, run.epochs or 1, run.training_images or 0)


def _alike(one: TrainConfig, other: TrainConfig) -> bool:
    return (one.layers, one.batch_size, one.augmentation) == (
        other.layers,
        other.batch_size,
        other.augmentation,
    )
