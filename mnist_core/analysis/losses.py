"""Why a network's loss is higher in training than on the validation images."""

from mnist_core.config import TrainConfig
from mnist_core.progress import Progress, epoch_ends

# What is compared: the mean over this many ends of epochs, because one batch says little.
LATEST = 3


def is_above_validation(reports: list[Progress]) -> bool:
    """Whether the loss on training batches ended the latest epochs above the validation loss."""
    ends = epoch_ends(reports)[-LATEST:]
    validation = sum(end.validation_loss or 0.0 for end in ends)
    return bool(ends) and sum(end.loss for end in ends) > validation


def causes(config: TrainConfig) -> list[str]:
    """What in these settings makes the training loss higher, the strongest first.

    All of it applies to training batches only: validation uses MNIST's own images and labels, and
    the whole network.
    """
    found = []
    if config.shuffled_labels:
        found.append(f"random labels ({config.shuffled_labels:.0%} of them)")
    if config.label_smoothing:
        found.append(f"label smoothing ({config.label_smoothing:g})")
    if config.augmentation:
        found.append("augmentation")
    if config.dropout:
        found.append(f"dropout ({config.dropout:.0%})")
    if config.drawn_digits:
        found.append("the drawn digits, which are harder than MNIST's")
    return found


def explanation(config: TrainConfig, reports: list[Progress]) -> str:
    """One sentence, if the training loss is above the validation loss and the settings say why;
    else empty."""
    found = causes(config) if is_above_validation(reports) else []
    if not found:
        return ""
    *first, last = found
    listed = f"{', '.join(first)} and {last}" if first else last
    return (
        f"Training loss is above validation loss because of {listed}: these make training "
        "batches harder and do not apply to the validation images."
    )
