import numpy as np
import pytest

from mnist_core.analysis.calibration import soften
from mnist_core.classifier import Classifier
from mnist_core.looks import MOVES, predict_in_looks


def by_corner(images: np.ndarray) -> np.ndarray:
    """A network that calls a picture 1 with ink in row 5 and column 5, else 0; 80 % sure."""
    probabilities = np.full((len(images), 10), 0.025, np.float32)
    probabilities[np.arange(len(images)), (images[:, 5, 5] > 0).astype(int)] = 0.775
    return probabilities


def dot(row: int, column: int) -> np.ndarray:
    image = np.zeros((1, 28, 28), np.uint8)
    image[0, row, column] = 255
    return image


def test_one_look_is_the_network_itself():
    assert (predict_in_looks(by_corner, dot(5, 5), 1) == by_corner(dot(5, 5))).all()


@pytest.mark.parametrize(("row", "column"), [(5, 5), (4, 5), (6, 5), (5, 4), (5, 6)])
def test_a_pixel_to_any_side_is_looked_at_too(row, column):
    # One look of five sees the dot in the corner, four do not.
    probabilities = predict_in_looks(by_corner, dot(row, column), 5)[0]
    assert probabilities[0] > probabilities[1] > probabilities[2]


def test_two_pixels_away_is_not_looked_at():
    assert predict_in_looks(by_corner, dot(5, 7), 5) == pytest.approx(by_corner(dot(5, 7)))


def test_looks_agree_on_the_geometric_mean():
    # Of 0.775 once and 0.025 four times, and of the other way round; the rest stays.
    first = 0.775 ** (1 / 5) * 0.025 ** (4 / 5)
    second = 0.775 ** (4 / 5) * 0.025 ** (1 / 5)
    whole = first + second + 8 * 0.025
    probabilities = predict_in_looks(by_corner, dot(5, 5), 5)[0]
    assert probabilities[1] == pytest.approx(first / whole, rel=1e-4)
    assert probabilities[0] == pytest.approx(second / whole, rel=1e-4)
    assert probabilities.sum() == pytest.approx(1, abs=1e-5)


def test_a_temperature_means_the_same_for_one_look_and_for_all(sample):
    images = sample.x_test[:50]
    network = Classifier.bundled("classic").predict_proba
    cooled = predict_in_looks(lambda part: soften(network(part), 2.0), images, 5)
    np.testing.assert_allclose(cooled, soften(predict_in_looks(network, images, 5), 2.0), atol=1e-5)


def test_no_picture_has_no_answer():
    none = np.zeros((0, 28, 28), np.uint8)
    assert predict_in_looks(by_corner, none, 5).shape == (0, 10)


def test_the_first_look_is_at_the_picture_as_it_is():
    assert MOVES[0] == (0, 0)
    assert len(set(MOVES)) == 5
