import dataclasses

import pytest

from mnist_core.analysis import losses
from mnist_core.config import PRESETS, TrainConfig
from mnist_core.progress import Progress
from tests.helpers import reports


def curve(*ends: tuple[float, float]) -> list[Progress]:
    """A run whose epochs ended with these losses in training and in validation."""
    return [
        dataclasses.replace(report, loss=loss, validation_loss=validation)
        for report, (loss, validation) in zip(
            reports(len(ends), steps_per_epoch=1), ends, strict=True
        )
    ]


HIGHER, LOWER = curve((0.5, 0.2), (0.4, 0.1)), curve((0.2, 0.5), (0.1, 0.4))


@pytest.mark.parametrize(
    ("settings", "cause"),
    [
        ({"label_smoothing": 0.1}, "label smoothing (0.1)"),
        ({"augmentation": True}, "augmentation"),
        ({"dropout": 0.5}, "dropout (50%)"),
        ({"shuffled_labels": 0.25}, "random labels (25% of them)"),
        ({"drawn_digits": 1000}, "the drawn digits, which are harder than MNIST's"),
    ],
)
def test_the_settings_that_make_training_harder_are_named(settings, cause):
    text = losses.explanation(TrainConfig(**settings), HIGHER)
    assert text.startswith(f"Training loss is above validation loss because of {cause}: ")


def test_several_causes_are_in_one_sentence():
    text = losses.explanation(PRESETS["cnn"], HIGHER)
    assert "because of label smoothing (0.05), augmentation, dropout (10%) and the drawn" in text


def test_without_a_cause_or_a_higher_loss_nothing_is_explained():
    assert losses.explanation(TrainConfig(), HIGHER) == ""
    assert losses.explanation(PRESETS["cnn"], LOWER) == ""
    assert losses.explanation(PRESETS["cnn"], []) == ""


def test_the_latest_epochs_count():
    assert losses.is_above_validation(curve((9.0, 0.1), *[(0.1, 0.2)] * 3)) is False
    assert losses.is_above_validation(curve((0.1, 9.0), *[(0.2, 0.1)] * 3)) is True
