import json

import keras
import numpy as np
import pytest

from mnist_core.analysis import explanation
from mnist_core.classifier import PRETRAINED, Classifier
from mnist_core.config import PRESETS, TrainConfig
from mnist_core.training.models import build_model

CONFIGS = {
    **PRESETS,
    "nothing hidden": TrainConfig(dense=()),
    "dense only": TrainConfig(dense=(20, 16, 12)),
    "dropout": TrainConfig(dense=(20, 16), dropout=0.2),
    "normalised": TrainConfig(dense=(20, 16), batch_normalization=True),
    "normalised, dropout": TrainConfig(dense=(20, 16), batch_normalization=True, dropout=0.2),
    "convolutions only": TrainConfig(convolutions=((4, 3, 1), (6, 5, 3)), dense=()),
    "odd sides": TrainConfig(convolutions=((4, 3, 3), (6, 3, 3), (8, 2, 3)), dense=(16,)),
    "everything": TrainConfig(
        convolutions=((4, 3, 2), (6, 1, 1)), dense=(20, 16), batch_normalization=True, dropout=0.2
    ),
}


def name_of(number_of_convolutions: int, number_of_dense: int, shape: tuple[int, ...]) -> str:
    """What a layer should be called, from the shape of what it gives for one picture."""
    if len(shape) == 3:
        return f"Convolution {number_of_convolutions}: {shape[2]} maps of {shape[0]}×{shape[1]}"
    return f"Dense {number_of_dense}: {shape[0]} units"


def is_shown(layer: keras.Layer) -> bool:
    """Whether what a Keras layer gives has just been through ReLU, or is the answer."""
    if isinstance(layer, keras.layers.ReLU):
        return True
    activation = getattr(layer, "activation", None)
    return activation is not None and activation.__name__ in ("relu", "softmax")


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS.keys())
def test_layers_are_those_of_the_network_that_the_settings_build(config):
    network = build_model(config)
    places = [place for place, layer in enumerate(network.layers) if is_shown(layer)]
    shapes = [network.layers[place].output.shape[1:] for place in places]
    count = len(config.convolutions)
    names = [name_of(n, n - count, shape) for n, shape in enumerate(shapes[:-1], start=1)]

    layers = explanation.layers_of(config)
    assert list(layers.values()) == places
    assert list(layers) == [*names, "Answer: 10 probabilities"]
    assert places[-1] == len(network.layers) - 1


@pytest.mark.parametrize("name", ["classic", "cnn"])
def test_layers_of_a_shipped_network_are_found_in_its_activations(name, sample):
    settings = json.loads((PRETRAINED / name / "run.json").read_text())["config"]
    config = TrainConfig.from_json(json.dumps(settings))
    activations = Classifier.bundled(name).activations(sample.x_test[:3])
    *hidden, answer = explanation.layers_of(config).items()
    assert answer[1] == len(activations) - 1
    count = len(config.convolutions)
    for number, (title, index) in enumerate(hidden, start=1):
        shown = activations[index]
        assert title == name_of(number, number - count, shown.shape[1:])
        assert shown.min() == 0  # As ReLU leaves it.
        assert shown.max() > 0


def dot(row: int, column: int) -> np.ndarray:
    """A picture with one pixel of ink."""
    image = np.zeros((28, 28), np.uint8)
    image[row, column] = 255
    return image


class Watcher:
    """A network that reads a 3 by the ink at one pixel, and keeps what it was shown."""

    def __init__(self, row: int, column: int) -> None:
        self.place = (row, column)
        self.shown: list[np.ndarray] = []

    def __call__(self, images: np.ndarray) -> np.ndarray:
        self.shown.append(images)
        probabilities = np.zeros((len(images), 10), np.float32)
        probabilities[:, 3] = images[:, *self.place] / 255
        probabilities[:, 8] = 1 - probabilities[:, 3]
        return probabilities


def test_the_pixel_that_decides_weighs_most_and_its_neighbours_less():
    weights = explanation.occlusion(Watcher(10, 12), dot(10, 12), 3, patch=2, stride=1)
    expected = np.zeros((28, 28))
    expected[9:12, 11:14] = [[0.25, 0.5, 0.25], [0.5, 1, 0.5], [0.25, 0.5, 0.25]]
    assert weights.dtype == np.float32
    assert weights == pytest.approx(expected)


def test_what_speaks_for_one_digit_speaks_against_another():
    predict = Watcher(10, 12)
    for_three = explanation.occlusion(predict, dot(10, 12), 3)
    for_eight = explanation.occlusion(predict, dot(10, 12), 8)
    assert for_three[10, 12] == pytest.approx(1)
    assert for_eight == pytest.approx(-for_three)


def test_the_network_is_asked_once_and_only_where_ink_is_covered():
    predict = Watcher(10, 12)
    image = dot(10, 12)
    explanation.occlusion(predict, image, 3, patch=6, stride=2)
    assert [len(images) for images in predict.shown] == [1 + 3 * 3]
    assert (predict.shown[0][0] == image).all()
    assert not predict.shown[0][1:].any()
    assert (image == dot(10, 12)).all()


def test_where_there_is_no_ink_nothing_speaks():
    weights = explanation.occlusion(Watcher(10, 12), np.zeros((28, 28), np.uint8), 3)
    assert (weights == np.zeros((28, 28))).all()


@pytest.mark.parametrize(
    ("patch", "stride"), [(1, 1), (5, 2), (6, 4), (7, 7), (9, 8), (27, 27), (28, 1), (28, 28)]
)
def test_every_pixel_is_covered_whatever_the_stride(patch, stride):
    ink = np.full((28, 28), 255, np.uint8)
    for row, column in ((0, 0), (27, 27), (13, 27)):
        weights = explanation.occlusion(Watcher(row, column), ink, 3, patch, stride)
        assert weights[row, column] == pytest.approx(1)


@pytest.mark.parametrize(("patch", "stride"), [(4, 5), (0, 0), (3, 0), (29, 1), (-1, -1)])
def test_squares_that_leave_pixels_out_are_refused(patch, stride):
    with pytest.raises(ValueError, match="Expected 1 <= stride <= patch <= 28, got"):
        explanation.occlusion(Watcher(0, 0), dot(0, 0), 3, patch, stride)


@pytest.mark.parametrize(
    "image",
    [np.zeros((1, 28, 28), np.uint8), np.zeros((28, 28), np.float32), np.zeros((20, 20), np.uint8)],
    ids=["many", "float", "too small"],
)
def test_an_image_of_another_shape_or_type_is_refused(image):
    with pytest.raises(ValueError, match=r"Expected uint8 \(28, 28\), got"):
        explanation.occlusion(Watcher(0, 0), image, 3)


@pytest.mark.parametrize("name", ["classic", "cnn"])
def test_what_a_network_reads_rightly_has_pixels_that_speak_for_it(name, sample):
    predict = Classifier.bundled(name).predict_proba
    for image, label in zip(sample.x_test[:10], sample.y_test[:10], strict=True):
        weights = explanation.occlusion(predict, image, int(label))
        assert -1 <= weights.min() <= weights.max() <= 1
        assert weights.max() > 0
        # Nothing is said of paper that no patch covers together with ink.
        assert weights[0, 0] == 0


@pytest.mark.parametrize("count", [1, explanation.CHUNK, 2 * explanation.CHUNK + 3])
def test_hidden_is_what_the_answer_is_made_of_for_any_number_of_images(count, sample):
    classifier = Classifier.bundled("classic")
    features = explanation.hidden(classifier.activations, sample.x_test[:count])
    assert features.dtype == np.float32
    assert features == pytest.approx(classifier.activations(sample.x_test[:count])[-2], abs=1e-4)
    assert features.min() == 0


def test_nearest_are_given_in_order_with_their_distances():
    features = np.array([[0, 1], [1, 1], [1, 0], [3, 0.3]], np.float32)
    places, distances = explanation.nearest(features, np.array([1, 0], np.float32), 3)
    assert places.tolist() == [2, 3, 1]
    assert distances == pytest.approx([0, 1 - 1 / 1.01**0.5, 1 - 0.5**0.5], abs=1e-6)
    assert distances.dtype == np.float32


def test_how_active_a_network_is_does_not_change_what_is_nearest():
    features = np.random.default_rng(0).random((50, 8), np.float32)
    places, distances = explanation.nearest(features, features[7])
    faint, faint_distances = explanation.nearest(0.01 * features, 100 * features[7])
    assert places[0] == 7
    assert places.tolist() == faint.tolist()
    assert distances == pytest.approx(faint_distances, abs=1e-5)


@pytest.mark.filterwarnings("error")
def test_what_activates_nothing_is_near_to_nothing():
    features = np.array([[0, 0], [1, 1]], np.float32)
    places, distances = explanation.nearest(features, np.array([1, 1], np.float32))
    assert places.tolist() == [1, 0]
    assert distances == pytest.approx([0, 1], abs=1e-6)
    assert explanation.nearest(features, np.zeros(2, np.float32))[1].tolist() == [1, 1]


@pytest.mark.parametrize("name", ["classic", "cnn"])
def test_neighbours_of_a_digit_show_the_same_digit(name, sample):
    classifier = Classifier.bundled(name)
    features = explanation.hidden(classifier.activations, sample.x_train[:2000])
    queries = explanation.hidden(classifier.activations, sample.x_test[:100])
    same = [
        sample.y_train[explanation.nearest(features, query)[0]] == label
        for query, label in zip(queries, sample.y_test, strict=False)
    ]
    assert np.mean(same) > 0.9
