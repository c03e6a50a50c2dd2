import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest

from mnist_core.analysis import label_errors
from mnist_core.analysis.label_errors import Suspect, Suspects
from mnist_core.analysis.predictions import Predictions
from mnist_core.config import PRESETS
from mnist_core.training import cross_validation
from tests.helpers import reports

# What networks think of five images, digits 0, 1 and 2 alone.
LABELS = np.array([0, 1, 2, 0, 1], np.uint8)
ANSWERS = np.zeros((5, 10), np.float32)
ANSWERS[:, :3] = [
    [0.75, 0.25, 0],  # Right.
    [0.5, 0.375, 0.125],  # Wrong, though its label is not unlikely.
    [1, 0, 0],  # Wrong, and sure of it.
    [0.125, 0.25, 0.625],  # Wrong.
    [0.25, 0.5, 0.25],  # Right, hardly.
]


# --- ranking ---


def test_what_differs_from_its_label_is_ranked_by_the_labels_probability():
    found = label_errors.rank(Predictions(LABELS, ANSWERS), "abc")
    assert found == Suspects(
        fingerprint="abc",
        network="quick",
        images=5,
        differing=3,
        ranked=(
            Suspect(place=2, label=2, predicted=0, confidence=1, probability=0),
            Suspect(place=3, label=0, predicted=2, confidence=0.625, probability=0.125),
            Suspect(place=1, label=1, predicted=0, confidence=0.5, probability=0.375),
        ),
    )


def test_only_the_most_suspect_are_kept_and_all_are_counted(monkeypatch):
    monkeypatch.setattr(label_errors, "MOST_SUSPECTS", 2)
    found = label_errors.rank(Predictions(LABELS, ANSWERS), "abc")
    assert [suspect.place for suspect in found.ranked] == [2, 3]
    assert found.differing == 3


# --- folds ---


def test_every_fold_holds_as_many_of_each_digit():
    labels = np.array([4] * 10 + [7] * 23, np.uint8)
    numbers = cross_validation.folds(labels)
    assert np.bincount(numbers[labels == 4]).tolist() == [2, 2, 2, 2, 2]
    assert np.bincount(numbers[labels == 7]).tolist() == [5, 5, 5, 4, 4]


def test_folds_are_dealt_at_random_and_always_the_same():
    labels = np.zeros(100, np.uint8)
    assert cross_validation.folds(labels).tolist() == cross_validation.folds(labels).tolist()
    assert (
        cross_validation.folds(labels).tolist() != cross_validation.folds(labels, seed=1).tolist()
    )
    assert cross_validation.folds(labels).tolist() != [place % 5 for place in range(100)]


def test_no_image_is_judged_by_a_network_that_saw_it(tiny_dataset):
    trained_on = []

    def answer(part):
        seen = {image.tobytes() for image in part.x_train}
        asked = {image.tobytes() for image in part.x_test}
        assert not seen & asked
        trained_on.append((len(seen), len(asked)))
        # A network that is sure of every label, so that its answers can be recognised.
        return np.eye(10, dtype=np.float32)[part.y_test]

    probabilities = cross_validation.cross_validate(tiny_dataset, answer)
    assert trained_on == [(320, 80)] * 5
    assert probabilities.dtype == np.float32
    # Each answer stands where its image does.
    assert probabilities.argmax(axis=1).tolist() == tiny_dataset.y_train.tolist()


# --- all of it ---


@pytest.fixture
def training(monkeypatch):
    """Training that takes no time: a network that takes every 3 for an 8."""
    from mnist_core.training import loop

    def train(config, dataset, on_progress):
        assert config == PRESETS["quick"]
        on_progress(reports(1, first=8, steps_per_epoch=2)[0])
        answers = np.eye(10, dtype=np.float32)[np.where(dataset.y_test == 3, 8, dataset.y_test)]
        return SimpleNamespace(test_probabilities=answers)

    monkeypatch.setattr(loop, "train", train)


def test_suspects_are_what_the_networks_read_otherwise(training, tiny_dataset):
    told = []
    found = cross_validation.compute(tiny_dataset, told.append)
    assert (found.images, found.differing, found.network) == (400, 40, "quick")
    assert found.fingerprint == tiny_dataset.train_fingerprint
    threes = np.flatnonzero(tiny_dataset.y_train == 3)
    assert [suspect.place for suspect in found.ranked] == threes.tolist()
    assert found.ranked[0] == Suspect(int(threes[0]), 3, 8, 1, 0)
    # Told of all five trainings as if they were one.
    assert [report.epoch for report in told] == [4, 8, 12, 16, 20]
    assert told[-1].epoch == cross_validation.EPOCHS


def test_one_need_not_listen(training, tiny_dataset):
    assert cross_validation.compute(tiny_dataset).differing == 40


# --- as JSON, and shipped ---


@pytest.mark.parametrize("ranked", [0, 1, 3])
def test_suspects_are_read_as_they_were_written(ranked):
    found = label_errors.rank(Predictions(LABELS, ANSWERS / 3), "abc")
    found = dataclasses.replace(found, ranked=found.ranked[:ranked])
    assert Suspects.from_json(found.to_json()) == found


def test_a_suspect_is_a_line():
    assert label_errors.rank(Predictions(LABELS, ANSWERS), "abc").to_json().splitlines() == [
        '{"fingerprint": "abc", "network": "quick", "images": 5, "differing": 3, "ranked": [',
        "[2, 2, 0, 1.0, 0.0],",
        "[3, 0, 2, 0.625, 0.125],",
        "[1, 1, 0, 0.5, 0.375]]}",
    ]


def test_those_of_the_sample_are_shipped(sample):
    found = label_errors.shipped(sample.train_fingerprint)
    assert found.fingerprint == sample.train_fingerprint
    assert found.images == 4000
    assert 0 < found.differing < 400


@pytest.mark.parametrize("path", sorted(label_errors.SHIPPED.glob("*.json")), ids=lambda p: p.stem)
def test_what_is_shipped_is_whole_and_in_order(path):
    found = label_errors.shipped(path.stem)
    assert (found.fingerprint, found.network) == (path.stem, "quick")
    assert len(found.ranked) == min(found.differing, label_errors.MOST_SUSPECTS)
    by_label = [suspect.probability for suspect in found.ranked]
    assert by_label == sorted(by_label)
    for suspect in found.ranked:
        assert suspect.label != suspect.predicted
        assert 0 <= suspect.probability <= suspect.confidence <= 1
        assert 0 <= suspect.place < found.images
    assert path.stat().st_size < 20_000


def test_the_whole_of_mnist_is_shipped_too():
    # All of MNIST is not at hand here; it has 60,000 images.
    found = [label_errors.shipped(path.stem) for path in label_errors.SHIPPED.glob("*.json")]
    assert sorted(each.images for each in found) == [4000, 60_000]


def test_shipped_labels_are_those_of_the_images(sample):
    for suspect in label_errors.shipped(sample.train_fingerprint).ranked:
        assert sample.y_train[suspect.place] == suspect.label


@pytest.mark.parametrize("fingerprint", ["0123456789abcdef", "", "../pretrained/x"])
def test_of_other_digits_nothing_is_shipped(fingerprint):
    assert label_errors.shipped(fingerprint) is None


def test_they_are_kept_under_a_key_of_their_own():
    assert label_errors.study_key("abc") == "suspects/abc"
