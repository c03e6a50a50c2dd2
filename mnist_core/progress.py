"""Progress: what is known after some training steps, as plain numbers.

The one thing that training, the database of runs and the charts all speak of; it stands
alone so that reading it does not load TensorFlow.
"""

import csv
import dataclasses
import io
from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """One report from a training run.

    Attributes:
        step: steps done, from 1; one step is one batch.
        epoch: passes over the training images done, with its fraction.
        loss: mean loss, in nats, over the batches since the last report: cross-entropy,
            against smoothed labels where the settings ask for it.
        accuracy: share of those batches' images classified correctly, 0 to 1.
        learning_rate: the one of the latest step.
        seconds: spent in training steps since the start.
        validation_loss: cross-entropy on the validation images, in nats, at the end of an
            epoch; None in between.
        validation_accuracy: share of the validation images classified correctly, 0 to 1; None in
            between.
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
    """Those at the end of an epoch, which know of the validation images."""
    return [report for report in reports if report.validation_loss is not None]


def steps_per_second(reports: list[Progress], latest: int = 10) -> float | None:
    """The pace over the latest reports; None before there are two."""
    if len(reports) < 2:
        return None
    first, last = reports[-min(latest, len(reports))], reports[-1]
    seconds = last.seconds - first.seconds
    return (last.step - first.step) / seconds if seconds > 0 else None


def thin(reports: list[Progress], most: int) -> list[Progress]:
    """At most about ``most`` reports, evenly spread; every epoch's end is kept.

    A chart a thousand pixels wide shows no more, and a phone need not fetch more.
    """
    stride = max(1, -(-len(reports) // most))
    return [
        report
        for place, report in enumerate(reports)
        if place % stride == 0 or report.validation_loss is not None or place == len(reports) - 1
    ]


def to_csv(reports: list[Progress]) -> str:
    """The reports as comma-separated values, a line each under a line of names."""
    text = io.StringIO()
    names = [field.name for field in dataclasses.fields(Progress)]
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(dataclasses.asdict(report) for report in reports)
    return text.getvalue()
