import numpy as np
import pytest

from mnist_core import data
from mnist_core.analysis import summary


def picture(ink: int, pixels: int = 784) -> np.ndarray:
    """A picture whose first so many pixels are that dark."""
    flat = np.zeros(784, np.uint8)
    flat[:pixels] = ink
    return flat.reshape(28, 28)


def test_each_digit_is_counted_averaged_and_weighed_by_itself():
    images = np.stack([picture(0), picture(255), picture(100), picture(102), picture(104)])
    seen = summary.at_a_glance(images, np.array([3, 3, 7, 7, 7], np.uint8))
    assert seen.counts.tolist() == [0, 0, 0, 2, 0, 0, 0, 3, 0, 0]
    assert seen.mean[3] == pytest.approx(np.full((28, 28), 127.5))
    assert seen.deviation[3] == pytest.approx(np.full((28, 28), 127.5))
    assert seen.mean[7] == pytest.approx(np.full((28, 28), 102))
    # Of 100, 102 and 104: the root of (4 + 0 + 4) / 3.
    assert seen.deviation[7] == pytest.approx(np.full((28, 28), (8 / 3) ** 0.5))
    assert seen.mean.dtype == seen.deviation.dtype == seen.ink.dtype == np.float32


def test_where_the_ink_is_stays_where_it_is():
    seen = summary.at_a_glance(picture(200, pixels=28)[np.newaxis], np.array([0], np.uint8))
    assert seen.mean[0, 0].tolist() == [200] * 28
    assert not seen.mean[0, 1:].any()
    assert not seen.deviation.any()


def test_ink_is_the_share_of_the_picture_and_grey_counts_in_part():
    half_black, all_grey = picture(255, pixels=392), picture(51)
    labels = np.array([1, 2], np.uint8)
    seen = summary.at_a_glance(np.stack([half_black, all_grey]), labels)
    assert seen.ink[1] == pytest.approx([0.5] * 5)
    assert seen.ink[2] == pytest.approx([0.2] * 5)


def test_ink_is_told_by_its_quantiles():
    # A hundred and one images, of 0, 1, 2 ... 100 of 255 parts of ink each.
    images = np.stack([picture(ink) for ink in range(101)])
    seen = summary.at_a_glance(images, np.full(101, 5, np.uint8))
    assert seen.ink[5] * 255 == pytest.approx([5, 25, 50, 75, 95])


@pytest.mark.filterwarnings("error")
def test_a_digit_without_images_is_blank():
    seen = summary.at_a_glance(picture(9)[np.newaxis], np.array([4], np.uint8))
    assert not seen.mean[5].any()
    assert not seen.deviation[5].any()
    assert np.isnan(seen.ink[5]).all()
    assert not np.isnan(seen.ink[4]).any()


def test_it_makes_no_difference_where_a_thousand_ends(sample, monkeypatch):
    images, labels = sample.x_train[:500], sample.y_train[:500]
    whole = summary.at_a_glance(images, labels)
    monkeypatch.setattr(data, "CHUNK", 7)
    parts = summary.at_a_glance(images, labels)
    for name in ("counts", "mean", "deviation", "ink"):
        assert np.array_equal(getattr(whole, name), getattr(parts, name)), name


def test_the_sample_at_a_glance_is_what_numpy_says_of_it(sample):
    seen = summary.at_a_glance(sample.x_train, sample.y_train)
    threes = sample.x_train[sample.y_train == 3]
    assert seen.counts.tolist() == [400] * 10
    assert seen.mean[3] == pytest.approx(threes.mean(axis=0), abs=1e-3)
    assert seen.deviation[3] == pytest.approx(threes.std(axis=0), abs=1e-3)
    assert seen.ink[3, 2] == pytest.approx(np.median(threes.mean(axis=(1, 2))) / 255)
    # Nothing takes less ink than a 1.
    assert seen.ink[:, 2].argmin() == 1
