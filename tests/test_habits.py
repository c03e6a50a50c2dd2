import numpy as np

from mnist_core.habits import add_habits


def changed(images, labels, seed=0):
    """The digits that got a stroke: their labels, and how much ink each gained."""
    after = add_habits(images, labels, seed)
    gained = after.astype(int).sum(axis=(1, 2)) - images.astype(int).sum(axis=(1, 2))
    different = (after != images).any(axis=(1, 2))
    return labels[different], gained[different]


def test_only_ones_sevens_and_nines_get_strokes_and_only_some_of_them(sample):
    labels, _ = changed(sample.x_train, sample.y_train)
    assert set(labels.tolist()) == {1, 7, 9}
    for digit, share in ((1, 0.35), (7, 0.2), (9, 0.2)):
        found = (labels == digit).sum() / (sample.y_train == digit).sum()
        assert abs(found - share) < 0.08


def test_a_stroke_adds_ink_and_takes_none_away(sample):
    after = add_habits(sample.x_train, sample.y_train, 0)
    assert (after >= sample.x_train).all()
    _, gained = changed(sample.x_train, sample.y_train)
    # From a short thin stroke to a long thick one, in pixels of full ink.
    assert np.percentile(gained, 5) > 2 * 255
    assert gained.max() < 100 * 255


def test_the_digits_given_are_left_as_they_are(sample):
    before = sample.x_train.copy()
    add_habits(sample.x_train, sample.y_train, 0)
    assert (sample.x_train == before).all()


def test_the_same_seed_gives_the_same_strokes_and_another_seed_others(sample):
    first, again, other = (add_habits(sample.x_train, sample.y_train, seed) for seed in (0, 0, 1))
    assert (first == again).all()
    assert (first != other).any()
