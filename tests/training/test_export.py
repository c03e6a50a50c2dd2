"""The files that people take away do what the app says of the network."""

import dataclasses
import json
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

from mnist_core.classifier import PRETRAINED, Classifier, predict_with_views
from mnist_core.config import PRESETS
from mnist_core.data import scale
from mnist_core.training import export
from mnist_core.training.models import build_model

CONVOLUTIONAL = dataclasses.replace(PRESETS["cnn"], convolutions=((4, 5, 3),), dense=(8,), looks=5)
DENSE = dataclasses.replace(PRESETS["classic"], dense=(12,), looks=1)


@pytest.fixture(scope="module", params=[CONVOLUTIONAL, DENSE], ids=["five views", "one view"])
def exported(request):
    """A network with weights of its own, its settings, and its LiteRT file."""
    network = build_model(request.param)
    random = np.random.default_rng(0)
    network.set_weights([random.uniform(0.1, 0.9, w.shape) for w in network.get_weights()])
    return network, request.param, export.litert_file(network, request.param.looks)


def as_in_training(network: keras.Sequential, images: np.ndarray) -> np.ndarray:
    return np.asarray(network(tf.constant(scale(images)), training=False))


def test_both_files_take_mnists_images_and_answer_as_the_run_was_tested(
    exported, tmp_path, tiny_dataset
):
    network, config, litert = exported
    images = tiny_dataset.x_test
    tested = predict_with_views(lambda part: as_in_training(network, part), images, config.looks)
    path = tmp_path / "model.keras"
    path.write_bytes(export.keras_file(network, config.looks))
    model = keras.saving.load_model(path)
    np.testing.assert_allclose(model.predict(images, verbose=0), tested, atol=1e-5)
    np.testing.assert_allclose(Classifier(litert).predict_proba(images), tested, atol=1e-5)


def test_the_first_output_of_a_litert_file_is_the_ten_probabilities(exported, tiny_dataset):
    _, _, litert = exported
    interpreter = Interpreter(model_content=litert)
    image = tiny_dataset.x_test[:1]
    interpreter.allocate_tensors()
    (taken,), (first,) = interpreter.get_input_details(), interpreter.get_output_details()
    assert (taken["dtype"], first["shape"].tolist()) == (np.uint8, [1, 10])
    interpreter.set_tensor(taken["index"], image)
    interpreter.invoke()
    answer = interpreter.get_tensor(first["index"])
    np.testing.assert_allclose(answer, Classifier(litert).predict_proba(image), atol=1e-6)


def test_all_other_outputs_are_named_after_their_layer(exported):
    network, _, litert = exported
    signatures = Interpreter(model_content=litert).get_signature_list()
    assert signatures["classify"] == {"inputs": ["images"], "outputs": ["probabilities"]}
    assert signatures["layers"]["outputs"] == [
        f"{place:02}_{layer.name}" for place, layer in enumerate(network.layers)
    ]


def test_layers_are_named_by_kind_and_number():
    assert [layer.name for layer in build_model(CONVOLUTIONAL).layers] == [
        "reshape", "conv1", "conv1_normalized", "conv1_relu", "flatten",
        "dense1", "dense1_normalized", "dense1_relu", "dense1_dropout", "probabilities",
    ]  # fmt: skip


def test_pixels_scaled_already_are_refused_instead_of_misread(exported, tiny_dataset):
    _, _, litert = exported
    classify = Interpreter(model_content=litert).get_signature_runner("classify")
    with pytest.raises(ValueError, match="expected type UINT8"):
        classify(images=scale(tiny_dataset.x_test[:1]))


def test_the_layers_of_the_file_are_those_of_keras_in_a_single_view(exported, tiny_dataset):
    network, _, litert = exported
    images = tiny_dataset.x_test[:20]
    every_layer = keras.Model(network.inputs, [layer.output for layer in network.layers])
    expected = every_layer(tf.constant(scale(images)), training=False)
    outputs = Classifier(litert).activations(images)
    for output, layer in zip(outputs, expected, strict=True):
        np.testing.assert_allclose(output, layer.numpy(), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("looks", [1, 5])
def test_files_of_earlier_versions_are_still_read(exported, tmp_path, tiny_dataset, looks):
    network, _, _ = exported
    path = str(tmp_path / "model.tflite")
    every_layer = keras.Model(network.inputs, [layer.output for layer in network.layers])
    every_layer.export(path, format="litert", verbose=False)
    classifier = Classifier((tmp_path / "model.tflite").read_bytes(), looks)
    assert not classifier.complete
    images = tiny_dataset.x_test[:20]
    expected = predict_with_views(lambda part: as_in_training(network, part), images, looks)
    np.testing.assert_allclose(classifier.predict_proba(images), expected, atol=1e-5)
    shapes = [output.shape[1:] for output in classifier.activations(images)]
    assert shapes == [layer.output.shape[1:] for layer in network.layers]


def test_a_shipped_run_is_written_again_from_its_weights_alone_always_the_same(tmp_path, sample):
    shutil.copytree(PRETRAINED / "classic", tmp_path / "classic")
    written = []
    for _ in range(2):
        export.main([str(tmp_path / "classic")])
        written.append(
            [(tmp_path / "classic" / f"model.{end}").read_bytes() for end in ("keras", "tflite")]
        )
    assert written[0] == written[1]
    images = sample.x_test[:50]
    again = Classifier(written[1][1]).predict_proba(images)
    np.testing.assert_allclose(
        again, Classifier.bundled("classic").predict_proba(images), atol=1e-6
    )


@pytest.mark.parametrize(
    "folder", sorted(PRETRAINED.glob("*/model.tflite")), ids=lambda p: p.parent.name
)
def test_every_shipped_file_does_by_itself_what_its_page_says(folder, sample):
    looks = json.loads((folder.parent / "run.json").read_text())["config"].get("looks", 1)
    images = sample.x_test[:100]
    network = Classifier(folder.read_bytes(), looks)
    assert network.complete
    model = keras.saving.load_model(folder.parent / "model.keras")
    np.testing.assert_allclose(
        model.predict(images, verbose=0), network.predict_proba(images), atol=1e-4
    )
