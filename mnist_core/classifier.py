"""Classifier: runs an exported network with LiteRT.

For a single picture LiteRT is a thousand times faster than Keras's ``predict``, and it needs a
twentieth of TensorFlow's memory, so the server can afford it.
"""

import json
import re
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from mnist_core.data import CLASSES, SIDE, scale
from mnist_core.errors import RunNotFound

# The views of a picture: shifted by rows down and columns to the right.
MOVES = ((0, 0), (0, 1), (0, -1), (1, 0), (-1, 0))
PRETRAINED = Path(__file__).parent / "assets" / "pretrained"
MODEL_FILE, RUN_FILE = "model.tflite", "run.json"
# 10,000 images at once take more than a gigabyte, and 250 twice as long per image as 50.
CHUNK = 50
# The signatures of a file written by export.py, and the output of the first. An interpreter runs
# the first one by default, and TensorFlow sorts them by name.
CLASSIFY, LAYERS, PROBABILITIES = "classify", "layers", "probabilities"


class Classifier:
    """A network's probabilities and the activations of its layers. Safe to use from many threads.

    Attributes:
        complete: whether the file itself scales pixels and averages over views. For files of
            earlier versions it is done here.
    """

    def __init__(self, model: bytes, looks: int = 1) -> None:
        """Load a model.

        Args:
            model: a LiteRT file written by ``export.litert_file``, or by an earlier version, with
                the layers' outputs ``output_0`` and so on.
            looks: ``TrainConfig.looks`` of its run.
        """
        self._looks = looks
        self._interpreter = Interpreter(model_content=model, num_threads=1)
        self.complete = CLASSIFY in self._interpreter.get_signature_list()
        self._layers = self._interpreter.get_signature_runner(LAYERS if self.complete else None)
        if self.complete:
            self._classify = self._interpreter.get_signature_runner(CLASSIFY)
        self._input = next(iter(self._layers.get_input_details()))
        # A layer's number is before its name, or at the end.
        names = self._layers.get_output_details()
        self._outputs = sorted(names, key=lambda name: int(re.findall(r"^\d+|\d+$", name)[0]))
        self._lock = threading.Lock()

    @classmethod
    def bundled(cls, name: str = "cnn") -> "Classifier":
        """A built-in network, ``"cnn"`` or ``"classic"``. Raises RunNotFound."""
        path = PRETRAINED / name / MODEL_FILE
        if path.parent.parent != PRETRAINED or not path.is_file():
            raise RunNotFound(f"No network called {name} ships with this project.")
        settings = json.loads((path.parent / RUN_FILE).read_text())["config"]
        return cls(path.read_bytes(), settings.get("looks", 1))

    def activations(self, images: np.ndarray) -> list[np.ndarray]:
        """The output of every layer, without test-time augmentation.

        Args:
            images: uint8 (n, 28, 28), a few hundred at most.

        Returns:
            A float32 array (n, ...) for each layer, in order.
        """
        _check(images)
        pixels = images if self.complete else scale(images)
        with self._lock:
            outputs = self._layers(**{self._input: pixels})
            return [outputs[name].copy() for name in self._outputs]

    def predict_proba(self, images: np.ndarray) -> np.ndarray:
        """The probability of each digit: float32 (n, 10) for uint8 (n, 28, 28)."""
        if self.complete:
            return _in_chunks(self._answer, images)
        last_layer = partial(_in_chunks, lambda chunk: self.activations(chunk)[-1])
        return predict_with_views(last_layer, images, self._looks)

    def _answer(self, images: np.ndarray) -> np.ndarray:
        _check(images)
        with self._lock:
            return np.asarray(self._classify(images=images)[PROBABILITIES]).copy()


def _check(images: np.ndarray) -> None:
    if images.ndim != 3 or images.shape[1:] != (SIDE, SIDE) or images.dtype != np.uint8:
        raise ValueError(f"Expected uint8 (n, 28, 28), got {images.dtype} {images.shape}.")


def _in_chunks(answer: Callable[[np.ndarray], np.ndarray], images: np.ndarray) -> np.ndarray:
    """The answers to all images, a few at a time."""
    chunks = [answer(images[start : start + CHUNK]) for start in range(0, len(images), CHUNK)]
    return np.concatenate(chunks) if chunks else np.zeros((0, CLASSES), np.float32)


def predict_with_views(
    predict: Callable[[np.ndarray], np.ndarray], images: np.ndarray, looks: int
) -> np.ndarray:
    """Test-time augmentation: the normalised geometric mean of the answers to several views.

    A network with strides sees every second pixel, so its answer changes a little when a digit
    moves by one. With five views it is wrong about a tenth less often, on MNIST's validation images
    and on drawings. The geometric mean is the softmax of the mean logits, so a temperature built
    into the network means the same for any number of views.

    Args:
        predict: uint8 (n, 28, 28) -> float32 (n, 10).
        images: uint8 (n, 28, 28).
        looks: the number of ``MOVES`` to use, 1 to 5; 1 is ``predict`` itself.
    """
    if looks == 1 or not len(images):
        return predict(images)
    # Pixels shifted out are lost, and paper comes in.
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1)))
    height, width = images.shape[1:]
    moved = [
        padded[:, 1 - down : 1 - down + height, 1 - right : 1 - right + width]
        for down, right in MOVES[:looks]
    ]
    logarithms = [np.log(np.maximum(predict(part), 1e-30)) for part in moved]
    agreed = np.exp(np.mean(logarithms, axis=0))
    return np.asarray(agreed / agreed.sum(axis=1, keepdims=True), np.float32)
