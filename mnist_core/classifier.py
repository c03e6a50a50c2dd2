"""Classifier: a trained network that answers, through LiteRT.

LiteRT runs the exported network in a thousandth of the time that Keras's ``predict``
takes for one picture, and needs a twentieth of TensorFlow's memory, so the server can
afford it. It knows nothing of runs or pages: it is given the bytes of a model.
"""

import json
import threading
from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from mnist_core.data import CLASSES, SIDE, scale
from mnist_core.errors import RunNotFound
from mnist_core.looks import predict_in_looks

PRETRAINED = Path(__file__).parent / "pretrained"
MODEL_FILE, RUN_FILE = "model.tflite", "run.json"
# Memory grows with the pictures handed over at once: 10,000 took more than a gigabyte. And
# 250 take twice as long a picture as 50.
CHUNK = 50


class Classifier:
    """A network whose outputs are all its layers, in order; the last is the answer.

    One may be shared by many threads: LiteRT's interpreter may not, so calls take turns.
    """

    def __init__(self, model: bytes, looks: int = 1) -> None:
        """Read the model.

        Args:
            model: a LiteRT file as ``training.export_litert`` writes it.
            looks: ``TrainConfig.looks`` of the run it is of.
        """
        self._looks = looks
        self._interpreter = Interpreter(model_content=model, num_threads=1)
        self._run = self._interpreter.get_signature_runner()
        self._input = next(iter(self._run.get_input_details()))
        self._outputs = sorted(
            self._run.get_output_details(), key=lambda name: int(name.rsplit("_", 1)[-1])
        )
        self._lock = threading.Lock()

    @classmethod
    def bundled(cls, name: str = "cnn") -> "Classifier":
        """A network that ships with the project: ``"cnn"`` or ``"classic"``.

        Raises:
            RunNotFound: none of that name is shipped.
        """
        path = PRETRAINED / name / MODEL_FILE
        if path.parent.parent != PRETRAINED or not path.is_file():
            raise RunNotFound(f"No network called {name} ships with this project.")
        settings = json.loads((path.parent / RUN_FILE).read_text())["config"]
        return cls(path.read_bytes(), settings.get("looks", 1))

    def activations(self, images: np.ndarray) -> list[np.ndarray]:
        """What every layer gives for these pictures, in a single look.

        Args:
            images: uint8 (n, 28, 28), n of a few hundred at most.

        Returns:
            One float32 array for each layer, in order; the first axis counts pictures.
        """
        if images.ndim != 3 or images.shape[1:] != (SIDE, SIDE) or images.dtype != np.uint8:
            raise ValueError(f"Expected uint8 (n, 28, 28), got {images.dtype} {images.shape}.")
        with self._lock:
            outputs = self._run(**{self._input: scale(images)})
            return [outputs[name].copy() for name in self._outputs]

    def predict_proba(self, images: np.ndarray) -> np.ndarray:
        """The probability of each digit: float32 (n, 10) for uint8 (n, 28, 28)."""
        return predict_in_looks(self._predict_at_once, images, self._looks)

    def _predict_at_once(self, images: np.ndarray) -> np.ndarray:
        chunks = [
            self.activations(images[start : start + CHUNK])[-1]
            for start in range(0, len(images), CHUNK)
        ]
        return np.concatenate(chunks) if chunks else np.zeros((0, CLASSES), np.float32)
