"""Checkpoint: a training between two steps, whole, so that it can go on from there.

Plain arrays and numbers, written without pickle; knows nothing of TensorFlow.
"""

import dataclasses
import io
import json
import tokenize
import zipfile
import zlib
from dataclasses import dataclass

import numpy as np

from mnist_core.errors import CannotResume

# What reading a damaged archive may raise.
BROKEN = (
    ValueError,
    TypeError,
    KeyError,
    OSError,
    EOFError,
    MemoryError,
    RuntimeError,
    SyntaxError,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
)


@dataclass(frozen=True)
class Checkpoint:
    """All that the next step depends on, beside the settings and the images.

    Attributes:
        step: steps done since the start.
        seconds: spent in them.
        epoch_loss: sum of the losses over the current epoch's digits so far, in nats.
        epoch_correct: how many of those were classified correctly.
        history: ``TrainResult.history`` so far.
        images: a checksum of the labels trained on; with others there is no going on.
        model: every variable of the network, in Keras's order.
        optimizer: every variable of the optimizer, in Keras's order.
    """

    step: int
    seconds: float
    epoch_loss: float
    epoch_correct: float
    history: dict[str, list[float]]
    images: int
    model: list[np.ndarray]
    optimizer: list[np.ndarray]

    def to_bytes(self) -> bytes:
        """The checkpoint as a NumPy archive."""
        arrays = {f"model_{place}": array for place, array in enumerate(self.model)}
        arrays |= {f"optimizer_{place}": array for place, array in enumerate(self.optimizer)}
        numbers = {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if field.name not in ("model", "optimizer")
        }
        buffer = io.BytesIO()
        # Not compressed: it is written after every epoch, and weights hardly shrink.
        np.savez(buffer, numbers=np.array(json.dumps(numbers)), **arrays)  # type: ignore[arg-type]
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> "Checkpoint":
        """What ``to_bytes`` was called on.

        Raises:
            CannotResume: these bytes hold no checkpoint.
        """
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as archive:
                numbers = json.loads(str(archive["numbers"]))
                model, optimizer = (
                    [
                        archive[f"{name}_{place}"]
                        for place in range(sum(key.startswith(f"{name}_") for key in archive.files))
                    ]
                    for name in ("model", "optimizer")
                )
                if not all(isinstance(array, np.ndarray) for array in model + optimizer):
                    raise ValueError("a member is no array")
                return cls(**numbers, model=model, optimizer=optimizer)
        except BROKEN as error:
            raise CannotResume(
                "What is stored of this run cannot be read, so it cannot go on; start it anew."
            ) from error
