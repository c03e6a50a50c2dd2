"""Progress: a report from a training in plain numbers, for callbacks, database and charts."""

import csv
import dataclasses
import io
from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """One report from a training run.

    Attributes:
        step: number of steps (batches) taken.
        epoch: number of epochs, with a fraction.
        loss: mean loss, in nats, over the batches since the last report, against smoothed labels
            if the settings have label smoothing.
        accuracy: share of those batches' images classified correctly, 0 to 1.
        learning_rate: of the latest step.
        seconds: spent in training steps since the start.
        validation_loss, validation_accuracy: cross-entropy in nats, and share classified correctly,
            0 to 1, at the end of an epoch; None in between.
    """

    step: int
    epoch: float
    loss: float
    accuracy: float
    learning_rate: float
    seconds: float
    validation_loss: float | None = None
    validation_accuracy: float | None = None


def epoch_ends(reports: list[Progress]) -> list[Progress]:
    """The reports at the end of an epoch, which have validation results."""
    return [report for report in reports if report.validation_loss is not None]


def steps_per_second(reports: list[Progress], latest: int = 10) -> float | None:
    """The speed over the latest reports; None before there are two."""
    if len(reports) < 2:
        return None
    first, last = reports[-min(latest, len(reports))], reports[-1]
    seconds = last.seconds - first.seconds
    return (last.step - first.step) / seconds if seconds > 0 else None


def thin(reports: list[Progress], most: int) -> list[Progress]:
    """About ``most`` evenly spaced reports, every end of an epoch and the last one."""
    stride = max(1, -(-len(reports) // most))
    return [
        report
        for place, report in enumerate(reports)
        if place % stride == 0 or report.validation_loss is not None or place == len(reports) - 1
    ]


def to_csv(reports: list[Progress]) -> str:
    """The reports as comma-separated values with a header."""
    text = io.StringIO()
    names = [field.name for field in dataclasses.fields(Progress)]
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(dataclasses.asdict(report) for report in reports)
    return text.getvalue()
