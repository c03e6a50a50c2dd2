"""Which of several runs comes first."""

from collections.abc import Callable
from typing import Any

from mnist_core.config import describe
from mnist_core.store.names import title
from mnist_core.store.run import Run

# What runs can be sorted by: a run's value, and whether the largest comes first. Not by test
# accuracy: a run chosen by it can no longer report it.
ORDERS: dict[str, tuple[Callable[[Run], Any], bool]] = {
    "Validation accuracy": (lambda run: run.validation_accuracy or 0.0, True),
    "Newest": (lambda run: run.created_at, True),
    "Fastest": (lambda run: run.train_seconds or 0.0, False),
    "Fewest parameters": (lambda run: run.parameters or 0, False),
    "Fewest epochs": (lambda run: run.epochs or 0, False),
    "Settings": (lambda run: describe(run.config), False),
    "Name": (lambda run: title(run).lower(), False),
}


def ordered(
    runs: list[Run], order: str = "Validation accuracy", reverse: bool = False
) -> list[Run]:
    """The runs in one of the ``ORDERS``, or in its reverse; equal ones keep their order."""
    value, largest_first = ORDERS[order]
    return sorted(runs, key=value, reverse=largest_first != reverse)


def best(runs: list[Run]) -> Run | None:
    """The best on validation images of the runs that were tested on the same images as the first.

    A run that was tested on the fewer and easier test images of the sample is no rival.
    """
    comparable = [run for run in runs if run.test_fingerprint == runs[0].test_fingerprint]
    return ordered(comparable)[0] if comparable else None
