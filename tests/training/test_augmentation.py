import numpy as np
import pytest
import tensorflow as tf

from mnist_core.data import scale
from mnist_core.training.augmentation import augment, strength_in


@pytest.fixture(scope="module")
def digits(sample):
    return scale(sample.x_train[:500])


@pytest.fixture(scope="module")
def augmented(digits):
    return augment(tf.constant(digits), tf.constant([1, 2]), 1.0).numpy()


def centres(pictures: np.ndarray) -> np.ndarray:
    """Centre of mass of each picture: (n, 2), in pixels."""
    mass = pictures.sum(axis=(1, 2))
    places = np.arange(28)
    rows = (pictures.sum(axis=2) @ places) / mass
    columns = (pictures.sum(axis=1) @ places) / mass
    return np.stack([rows, columns], axis=1)


def test_shape_type_and_range_stay(digits, augmented):
    assert augmented.shape == digits.shape
    assert augmented.dtype == np.float32
    assert augmented.min() >= 0
    assert augmented.max() <= 1


def test_every_picture_is_changed_in_its_own_way(digits, augmented):
    assert (np.abs(augmented - digits).mean(axis=(1, 2)) > 0).all()
    copies = augment(
        tf.constant(np.repeat(digits[:1], 20, axis=0)), tf.constant([1, 2]), 1.0
    ).numpy()
    assert len(np.unique(copies, axis=0)) == 20


def test_the_same_seed_gives_the_same_pictures_and_another_does_not(digits, augmented):
    assert (augment(tf.constant(digits), tf.constant([1, 2]), 1.0).numpy() == augmented).all()
    assert (augment(tf.constant(digits), tf.constant([1, 3]), 1.0).numpy() != augmented).any()


def test_digits_stay_in_the_middle_and_keep_most_of_their_ink(digits, augmented):
    moved = np.abs(centres(augmented) - centres(digits))
    assert moved.max() < 4
    assert moved.mean() < 2
    ink = augmented.sum(axis=(1, 2)) / digits.sum(axis=(1, 2))
    # Pens from half to about twice the width, a little wider than MNIST's on the whole.
    assert ink.min() > 0.3
    # A thin 1 can come out with four times its ink, other digits with twice.
    assert ink.max() < 5
    assert 0.9 < ink.mean() < 1.4


def test_digits_are_on_average_neither_moved_nor_turned(digits, augmented):
    drift = (centres(augmented) - centres(digits)).mean(axis=0)
    assert np.abs(drift).max() < 0.3


def test_without_strength_a_picture_stays_as_it_is(digits):
    same = augment(tf.constant(digits), tf.constant([1, 2]), 0.0).numpy()
    assert np.abs(same - digits).max() < 0.01


def test_with_less_strength_pictures_change_less(digits, augmented):
    weaker = augment(tf.constant(digits), tf.constant([1, 2]), 0.2).numpy()
    assert np.abs(weaker - digits).mean() < 0.6 * np.abs(augmented - digits).mean()


def test_strength_falls_evenly_from_all_to_a_fifth():
    assert [strength_in(epoch, 5) for epoch in range(5)] == pytest.approx([1, 0.8, 0.6, 0.4, 0.2])
    assert strength_in(0, 1) == 1
