import threading

import numpy as np
import pytest

from mnist_core.analysis.calibration import soften
from mnist_core.classifier import CHUNK, MOVES, Classifier, predict_with_views
from mnist_core.errors import RunNotFound


@pytest.fixture(scope="module")
def classifier():
    return Classifier.bundled("classic")


@pytest.mark.parametrize("name", ["classic", "cnn"])
def test_a_bundled_network_reads_digits_it_was_not_trained_on(name, sample):
    images, labels = sample.x_test[:200], sample.y_test[:200]
    probabilities = Classifier.bundled(name).predict_proba(images)
    assert probabilities.shape == (200, 10)
    assert probabilities.dtype == np.float32
    assert probabilities.min() >= 0
    assert probabilities.sum(axis=1) == pytest.approx(np.ones(200), abs=1e-4)
    assert (probabilities.argmax(axis=1) == labels).mean() > 0.95


def test_the_network_for_drawings_is_the_one_given_unless_another_is_named(sample):
    images = sample.x_test[:5]
    assert (
        Classifier.bundled().predict_proba(images)
        == Classifier.bundled("cnn").predict_proba(images)
    ).all()


@pytest.mark.parametrize("name", ["resnet", "", "..", "../pretrained/classic", "classic/..", "/"])
def test_a_network_that_does_not_ship_is_not_found(name):
    with pytest.raises(RunNotFound):
        Classifier.bundled(name)


def test_activations_are_those_of_every_layer_in_order(classifier, sample):
    flat, first, second, answer = classifier.activations(sample.x_test[:7])
    assert (flat.shape, first.shape) == ((7, 784), (7, 128))
    assert (second.shape, answer.shape) == ((7, 64), (7, 10))
    assert flat == pytest.approx(sample.x_test[:7].reshape(7, 784) / 255, abs=1e-6)
    assert min(first.min(), second.min()) == 0
    assert (answer == classifier.predict_proba(sample.x_test[:7])).all()


def test_an_answer_is_not_changed_by_the_next_one(classifier, sample):
    first = classifier.activations(sample.x_test[:1])[-1]
    before = first.copy()
    classifier.activations(sample.x_test[1:2])
    assert (first == before).all()


@pytest.mark.parametrize("count", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK + 3])
def test_any_number_of_images_gives_that_number_of_answers(count, classifier, sample):
    probabilities = classifier.predict_proba(sample.x_test[:count])
    assert probabilities.shape == (count, 10)
    assert probabilities.dtype == np.float32


def test_an_images_answer_does_not_depend_on_its_company(classifier, sample):
    images = sample.x_test[: CHUNK + 50]
    together = classifier.predict_proba(images)
    for place in (0, 17, CHUNK, CHUNK + 49):
        alone = classifier.predict_proba(images[place : place + 1])
        assert alone[0] == pytest.approx(together[place], abs=1e-5)


@pytest.mark.parametrize(
    "images",
    [
        np.zeros((28, 28), np.uint8),
        np.zeros((1, 28, 28), np.float32),
        np.zeros((1, 28, 28, 1), np.uint8),
        np.zeros((1, 20, 20), np.uint8),
    ],
    ids=["one picture", "float", "with a channel", "too small"],
)
def test_images_of_another_shape_or_type_are_refused(images, classifier):
    with pytest.raises(ValueError, match=r"Expected uint8 \(n, 28, 28\), got"):
        classifier.predict_proba(images)


def test_many_visitors_may_share_one_network(classifier, sample):
    expected = classifier.predict_proba(sample.x_test[:8])
    wrong = []

    def visit(place: int) -> None:
        for _ in range(30):
            answer = classifier.predict_proba(sample.x_test[place : place + 1])[0]
            if not np.allclose(answer, expected[place], atol=1e-5):
                wrong.append(place)

    visitors = [threading.Thread(target=visit, args=(place,)) for place in range(8)]
    for visitor in visitors:
        visitor.start()
    for visitor in visitors:
        visitor.join()
    assert wrong == []


# --- several views of a picture ---


def by_corner(images: np.ndarray) -> np.ndarray:
    """A network that calls a picture 1 with ink in row 5 and column 5, else 0; 80% sure."""
    probabilities = np.full((len(images), 10), 0.025, np.float32)
    probabilities[np.arange(len(images)), (images[:, 5, 5] > 0).astype(int)] = 0.775
    return probabilities


def dot(row: int, column: int) -> np.ndarray:
    image = np.zeros((1, 28, 28), np.uint8)
    image[0, row, column] = 255
    return image


def test_one_look_is_the_network_itself():
    assert (predict_with_views(by_corner, dot(5, 5), 1) == by_corner(dot(5, 5))).all()


@pytest.mark.parametrize(("row", "column"), [(5, 5), (4, 5), (6, 5), (5, 4), (5, 6)])
def test_a_pixel_to_any_side_is_looked_at_too(row, column):
    # One look of five sees the dot in the corner, four do not.
    probabilities = predict_with_views(by_corner, dot(row, column), 5)[0]
    assert probabilities[0] > probabilities[1] > probabilities[2]


def test_two_pixels_away_is_not_looked_at():
    assert predict_with_views(by_corner, dot(5, 7), 5) == pytest.approx(by_corner(dot(5, 7)))


def test_looks_agree_on_the_geometric_mean():
    # Of 0.775 once and 0.025 four times, and of the other way round; the rest stays.
    first = 0.775 ** (1 / 5) * 0.025 ** (4 / 5)
    second = 0.775 ** (4 / 5) * 0.025 ** (1 / 5)
    whole = first + second + 8 * 0.025
    probabilities = predict_with_views(by_corner, dot(5, 5), 5)[0]
    assert probabilities[1] == pytest.approx(first / whole, rel=1e-4)
    assert probabilities[0] == pytest.approx(second / whole, rel=1e-4)
    assert probabilities.sum() == pytest.approx(1, abs=1e-5)


def test_a_temperature_means_the_same_for_one_look_and_for_all(sample):
    images = sample.x_test[:50]
    network = Classifier.bundled("classic").predict_proba
    cooled = predict_with_views(lambda part: soften(network(part), 2.0), images, 5)
    np.testing.assert_allclose(
        cooled, soften(predict_with_views(network, images, 5), 2.0), atol=1e-5
    )


def test_no_picture_has_no_answer():
    none = np.zeros((0, 28, 28), np.uint8)
    assert predict_with_views(by_corner, none, 5).shape == (0, 10)


def test_the_first_look_is_at_the_picture_as_it_is():
    assert MOVES[0] == (0, 0)
    assert len(set(MOVES)) == 5
