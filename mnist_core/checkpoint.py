"""Checkpoint: the complete state of a training between two steps, to continue from.

Plain arrays and numbers, without pickle and without TensorFlow.
"""

import dataclasses
import io
import json
from dataclasses import dataclass

import numpy as np

from mnist_core.data import read_npz
from mnist_core.errors import CannotResume


@dataclass(frozen=True)
class Checkpoint:
    """Everything that the next step depends on, except settings and images.

    Attributes:
        step: number of steps taken.
        seconds: time spent in them.
        epoch_loss: sum of the losses in the current epoch so far, in nats.
        epoch_correct: images classified correctly in the current epoch so far.
        history: ``TrainResult.history`` so far.
        images: a checksum of the training labels; a run continues only with the same ones.
        model: the network's variables, in Keras's order.
        optimizer: the optimizer's variables, in Keras's order.
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
        # Not compressed: it is written after every epoch, and weights barely compress.
        np.savez(buffer, numbers=np.array(json.dumps(numbers)), **arrays)  # type: ignore[arg-type]
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> "Checkpoint":
        """Read what ``to_bytes`` wrote.

        Raises:
            CannotResume: the data is damaged or something else.
        """
        try:
            arrays = read_npz(data)
            numbers = json.loads(str(arrays.pop("numbers")))
            # In the order in which they were written.
            model, optimizer = (
                [array for name, array in arrays.items() if name.startswith(f"{part}_")]
                for part in ("model", "optimizer")
            )
            return cls(**numbers, model=model, optimizer=optimizer)
        except (ValueError, KeyError, TypeError) as error:
            raise CannotResume(
                "This run's stored state cannot be read, so it cannot continue; start a new run."
            ) from error
