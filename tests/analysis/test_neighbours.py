import numpy as np
import pytest

from mnist_core import data
from mnist_core.analysis.neighbours import nearest_images


def dotted(*inks: int) -> np.ndarray:
    """Pictures with one dot each, this dark."""
    images = np.zeros((len(inks), 28, 28), np.uint8)
    images[:, 14, 14] = inks
    return images


def test_the_nearest_come_first_with_their_distances():
    places, distances = nearest_images(dotted(90, 10, 255, 40), dotted(50)[0], 3)
    assert places.tolist() == [3, 0, 1]
    assert distances.tolist() == [10, 40, 40]
    assert distances.dtype == np.float32


def test_a_distance_is_euclidean():
    image = np.zeros((28, 28), np.uint8)
    image[0, 0], image[9, 9] = 3, 4
    _, distances = nearest_images(image[np.newaxis], np.zeros((28, 28), np.uint8), 1)
    assert distances.tolist() == [5]


def test_black_against_white_is_the_largest_distance_there_is():
    white, black = np.zeros((1, 28, 28), np.uint8), np.full((28, 28), 255, np.uint8)
    assert nearest_images(white, black, 1)[1].tolist() == [7140]
    assert nearest_images(black[np.newaxis], white[0], 1)[1].tolist() == [7140]


def test_a_picture_is_nearest_to_itself_unless_it_is_left_out():
    images = dotted(10, 20, 30, 20)
    assert nearest_images(images, images[1], 2)[0].tolist() == [1, 3]
    assert nearest_images(images, images[1], 2, exclude=1)[0].tolist() == [3, 0]
    # The first one, too, has a place that can be left out.
    assert nearest_images(images, images[0], 4, exclude=0)[0].tolist() == [1, 3, 2]


def test_there_are_no_more_than_there_are():
    assert nearest_images(dotted(1, 2), dotted(1)[0], 9)[0].tolist() == [0, 1]
    assert nearest_images(dotted(), dotted(1)[0], 9)[0].tolist() == []


@pytest.mark.parametrize(
    "query", [np.zeros(784, np.uint8), np.zeros((28, 28)), np.zeros((1, 28, 28), np.uint8)]
)
def test_a_query_of_another_kind_is_refused(query):
    with pytest.raises(ValueError, match=r"Expected uint8 \(28, 28\), got"):
        nearest_images(dotted(1, 2), query, 1)


def test_all_thousands_are_looked_at(sample, monkeypatch):
    monkeypatch.setattr(data, "CHUNK", 90)
    images, query = sample.x_train[:1000], sample.x_test[5]
    places, distances = nearest_images(images, query, 1000)
    wanted = np.linalg.norm((images.astype(float) - query).reshape(1000, -1), axis=1)
    assert distances == pytest.approx(np.sort(wanted), rel=1e-6)
    assert sorted(places.tolist()) == list(range(1000))


def test_neighbours_of_a_digit_show_the_same_digit(sample):
    same = [
        sample.y_train[nearest_images(sample.x_train, image, 5)[0]] == label
        for image, label in zip(sample.x_test[:50], sample.y_test, strict=False)
    ]
    assert np.mean(same) > 0.85
