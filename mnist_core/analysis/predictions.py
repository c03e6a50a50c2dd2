"""A run's test predictions as bytes, for the database and for the built-in runs."""

import io

import numpy as np

from mnist_core.data import CLASSES


def pack_predictions(probabilities: np.ndarray, labels: np.ndarray) -> bytes:
    """Test predictions as bytes: probabilities (n, 10), and the true digits (n,)."""
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer, probabilities=probabilities.astype(np.float32), labels=labels.astype(np.uint8)
    )
    return buffer.getvalue()


def unpack_predictions(data: bytes) -> tuple[np.ndarray, np.ndarray]:
    """What ``pack_predictions`` was given: float32 (n, 10) and uint8 (n,).

    Raises:
        ValueError: it was given nothing of the kind.
    """
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            probabilities, labels = archive["probabilities"], archive["labels"]
    except Exception as error:
        # NumPy, zipfile and zlib have a dozen kinds for it, EOFError and TypeError among them.
        raise ValueError("Expected an archive of probabilities and labels.") from error
    shapes, count = (probabilities.shape, labels.shape), labels.size
    if not count or shapes != ((count, CLASSES), (count,)):
        raise ValueError(f"Expected (n, 10) and (n,), got {shapes[0]} and {shapes[1]}.")
    return probabilities, labels
