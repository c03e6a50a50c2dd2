"""export: a trained network -> a ``.keras`` and a LiteRT file, for this app and for download.

Both take MNIST's images, scale the pixels and average over views by themselves, so they are as
accurate as the run's page says. Loads TensorFlow.

``python -m mnist_core.training.export FOLDER...`` rewrites both files of built-in runs from the
weights in ``model.keras``.
"""

import io
import json
import re
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import keras
import tensorflow as tf
from keras import layers, ops

from mnist_core.classifier import CLASSIFY, LAYERS, MOVES, PROBABILITIES
from mnist_core.config import TrainConfig
from mnist_core.data import SIDE
from mnist_core.training.models import build_model

IMAGES = "images"


def classifying_model(network: keras.Sequential, looks: int) -> keras.Model:
    """The network with scaling and ``classifier.predict_with_views`` in Keras's own layers.

    Args:
        network: from ``build_model``; its weights are shared, not copied.
        looks: number of views, 1 to 5.

    Returns:
        A model of uint8 (n, 28, 28), 0 paper to 255 ink, with output float32 (n, 10).
    """
    images = keras.Input((SIDE, SIDE), dtype="uint8", name=IMAGES)
    pixels = layers.Rescaling(1 / 255, name="scale")(images)
    if looks == 1:
        return keras.Model(images, network(pixels), name="digits")
    paper_around = layers.ZeroPadding2D(1)(layers.Reshape((SIDE, SIDE, 1))(pixels))
    logarithms = []
    for down, right in MOVES[:looks]:
        view = layers.Cropping2D(((1 - down, 1 + down), (1 - right, 1 + right)))(paper_around)
        probabilities = network(layers.Reshape((SIDE, SIDE))(view))
        logarithms.append(ops.log(ops.maximum(probabilities, 1e-30)))
    agreed = layers.Softmax(name=PROBABILITIES)(layers.Average()(logarithms))
    return keras.Model(images, agreed, name="digits")


def keras_file(network: keras.Sequential, looks: int) -> bytes:
    """``classifying_model`` as a ``.keras`` file. Raises OSError if the disk is full."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        classifying_model(network, looks).save(path)
        return path.read_bytes()


def litert_file(network: keras.Sequential, looks: int) -> bytes:
    """The same as a LiteRT file with two signatures.

    "classify", the default: ``images`` uint8 (n, 28, 28) -> ``probabilities`` float32 (n, 10).
    "layers": the same images, in a single view -> the output of each layer by its number and name,
    such as ``01_conv1``.

    Raises:
        OSError, tf.errors.OpError: the disk is full.
    """
    every_layer = keras.Model(network.inputs, [layer.output for layer in network.layers])
    classify, activate = _frozen(classifying_model(network, looks)), _frozen(every_layer)
    names = [f"{place:02}_{layer.name}" for place, layer in enumerate(network.layers)]
    signature = [tf.TensorSpec([None, SIDE, SIDE], tf.uint8, name=IMAGES)]

    @tf.function(input_signature=signature)  # type: ignore[untyped-decorator]
    def probabilities_of(images: tf.Tensor) -> dict[str, tf.Tensor]:
        return {PROBABILITIES: classify(images)}

    @tf.function(input_signature=signature)  # type: ignore[untyped-decorator]
    def layers_of(images: tf.Tensor) -> dict[str, tf.Tensor]:
        outputs = activate(tf.cast(images, tf.float32) / 255.0)
        return dict(zip(names, tf.nest.flatten(outputs), strict=True))

    signatures = {
        CLASSIFY: probabilities_of.get_concrete_function(),
        LAYERS: layers_of.get_concrete_function(),
    }
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(tf.Module(), folder, signatures=signatures)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=[*signatures])
        return bytes(converter.convert())


def _frozen(model: keras.Model) -> Callable[[tf.Tensor], tf.Tensor]:
    """The model as a function with constant weights: with several signatures LiteRT would not store
    the values of variables."""
    weights, others = (
        [tf.constant(variable.numpy()) for variable in variables]
        for variables in (model.trainable_variables, model.non_trainable_variables)
    )
    return lambda inputs: model.stateless_call(weights, others, inputs, training=False)[0]


def write_again(folder: Path) -> None:
    """Rewrite both files of a built-in run; the same weights give the same bytes."""
    config = TrainConfig.from_json(
        json.dumps(json.loads((folder / "run.json").read_text())["config"])
    )
    network = build_model(config)
    with zipfile.ZipFile(folder / "model.keras") as archive:
        kind = json.loads(archive.read("config.json"))["class_name"]
    # Earlier versions stored only the network.
    stored = network if kind == "Sequential" else classifying_model(network, config.looks)
    stored.load_weights(folder / "model.keras")
    weights = network.get_weights()
    # Keras numbers unnamed layers within the process.
    keras.utils.clear_session()
    network = build_model(config)
    network.set_weights(weights)
    saved = _reproducible(keras_file(network, config.looks))
    (folder / "model.tflite").write_bytes(litert_file(network, config.looks))
    (folder / "model.keras").write_bytes(saved)


def _reproducible(archive: bytes) -> bytes:
    """A ``.keras`` file without its date and without memory addresses."""
    numbers: dict[str, int] = {}

    def numbered(found: re.Match[str]) -> str:
        return f"{found[1]}{numbers.setdefault(found[2], len(numbers))}"

    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive)) as old, zipfile.ZipFile(buffer, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "metadata.json":
                facts = json.loads(content)
                facts["date_saved"] = "1980-01-01@00:00:00"
                content = json.dumps(facts).encode()
            elif name == "config.json":
                text = content.decode()
                content = re.sub(r'("shared_object_id": )(\d+)', numbered, text).encode()
            new.writestr(zipfile.ZipInfo(name), content)
    return buffer.getvalue()


def main(folders: list[str]) -> None:
    for folder in map(Path, folders):
        write_again(folder)
        print(f"{folder}: model.keras and model.tflite written")


if __name__ == "__main__":
    main(sys.argv[1:])
