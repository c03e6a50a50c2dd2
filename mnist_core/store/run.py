"""Run: one training run as plain values, its states, and the order in which runs are trained."""

import hashlib
from dataclasses import dataclass

from mnist_core.config import TrainConfig
from mnist_core.data import VALIDATION_SHARE

# A run is always in exactly one of these states.
WAITING, RUNNING = "waiting", "running"
FINISHED, STOPPED, INTERRUPTED, FAILED = "finished", "stopped", "interrupted", "failed"
ACTIVE = (WAITING, RUNNING)
# States of a run that has a network to show.
TRAINED = (FINISHED, STOPPED)
# Kinds of artifact.
KERAS, LITERT, PREDICTIONS = "keras", "litert", "predictions"
CALIBRATION, CHECKPOINT = "calibration", "checkpoint"
# The owner that may change any run; no visitor's, because ``owner_of`` gives 64 characters.
TEACHER = "teacher"


@dataclass(frozen=True)
class Run:
    """One training run, without its curves and models.

    Attributes:
        id: names it in addresses and commands.
        state: "waiting", "running", "finished", "stopped", "interrupted" or "failed".
        config: its settings.
        created_at: seconds since 1970 at which it was asked for.
        owner: ``owner_of`` the visitor who asked; empty for a built-in run.
        worker: the worker that has it, or had it last.
        stop_requested: its owner pressed Stop.
        message: one sentence on why it was interrupted or failed, else empty.
        dataset: ``Dataset.description`` of what it was trained on.
        test_fingerprint: ``Dataset.test_fingerprint`` of what it was tested on.
        test_accuracy: 0 to 1.
        validation_accuracy: at the end of the last whole epoch of its network, 0 to 1. What runs
            are chosen by, because a test accuracy used to choose is no longer an honest result.
        train_seconds: spent in training steps.
        epochs: passes over the training images it finished.
        parameters: numbers in its network.
        name: what its owner calls it, at first their own name; may be empty.
        pinned: its owner, or the teacher, wants it kept while others are forgotten.
        pinned_by_teacher: it was the teacher, so it does not count as one of the owner's.
        priority: 0, or 1 for the later runs of a sweep, which let all others go first.
        turn: waiting runs of equal priority are trained in this order.
        version: how often its network was stored; 0 if it has none.
        checkpoint_step: the step it would resume from.
        losses: how many workers were lost since that step.
        sweep: the sweep it belongs to: the id of that sweep's first run.
        training_images: how many images it had to train on, those set aside for validation
            included; None before its first end.
        test_images: how many it was tested on.
        shipped: it came with the project.
    """

    id: str
    state: str
    config: TrainConfig
    created_at: float
    owner: str = ""
    worker: str | None = None
    stop_requested: bool = False
    message: str = ""
    dataset: str | None = None
    test_fingerprint: str | None = None
    test_accuracy: float | None = None
    train_seconds: float | None = None
    epochs: int | None = None
    parameters: int | None = None
    name: str = ""
    pinned: bool = False
    priority: int = 0
    turn: int = 0
    version: int = 0
    checkpoint_step: int = 0
    losses: int = 0
    sweep: str | None = None
    pinned_by_teacher: bool = False
    training_images: int | None = None
    test_images: int | None = None
    shipped: bool = False
    validation_accuracy: float | None = None

    @property
    def active(self) -> bool:
        """Waiting or running."""
        return self.state in ACTIVE

    @property
    def order(self) -> tuple[int, int]:
        """Of two waiting runs, the one with the lower order is trained first."""
        return self.priority, self.turn

    @property
    def trained(self) -> bool:
        """It has a network to show; while it is being resumed, the one of its last end."""
        return self.shipped or self.version > 0

    @property
    def resumable(self) -> bool:
        """It ended before its last epoch and can be resumed."""
        return self.state in (STOPPED, INTERRUPTED)

    @property
    def trained_on(self) -> str:
        """What it was trained on, in words; empty if nobody knows.

        Numbers are approximate, because the split rounds for each digit.
        """
        if not self.training_images:
            return ""
        available, name = self.training_images, (self.dataset or "").split(":")[0]
        text = f"about {self.config.fit_images(available):,} of the {available:,} training images"
        text += f" ({name})"
        if drawn := self.config.drawn_images(available):
            text += f" and {drawn:,} drawings of this project's own"
        return text

    @property
    def validation_images(self) -> int:
        """About how many training images were set aside for validation; 0 if nobody knows."""
        return round(VALIDATION_SHARE * (self.training_images or 0))


@dataclass(frozen=True)
class Trial:
    """A run that is compared with others while it trains.

    Attributes:
        epoch: passes over the training images it has done, with its fraction.
        validation_accuracy: at the end of its last whole epoch, 0 to 1; None before.
    """

    run: Run
    epoch: float = 0.0
    validation_accuracy: float | None = None


def ranked(trials: list[Trial]) -> list[Trial]:
    """The best on the validation images first, runs without that number last.

    Not by accuracy on the test images: a number that was used to choose a run is no longer an
    honest result of it.
    """
    return sorted(trials, key=lambda trial: -(trial.validation_accuracy or 0.0))


def chosen(trials: list[Trial]) -> Trial | None:
    """The best of those that ended with a network, if any did."""
    ended = [trial for trial in trials if trial.run.state in TRAINED and trial.validation_accuracy]
    return ranked(ended)[0] if ended else None


def owner_of(token: str) -> str:
    """What is stored of a visitor's secret token: a hash, from which it cannot be recovered."""
    return hashlib.sha256(token.encode()).hexdigest()


def queue_place(run: Run) -> tuple[bool, tuple[int, int]]:
    """The key that sorts active runs into the order in which they are trained."""
    return run.state != RUNNING, run.order


def runs_ahead_of(run: Run, active: list[Run]) -> list[Run]:
    """Of all waiting and running runs, those that have their turn before this one, in order.

    A running run may be a later one of a sweep, which would wait behind this one if it waited.
    """
    return sorted(
        (
            other
            for other in active
            if other.order < run.order or (other.state == RUNNING and other.turn < run.turn)
        ),
        key=queue_place,
    )
