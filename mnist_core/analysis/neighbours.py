"""The images nearest to one of them, pixel by pixel.

explanation.nearest finds those that a network thinks alike; this knows no network.
"""

import numpy as np

from mnist_core.data import in_chunks


def nearest_images(
    images: np.ndarray, query: np.ndarray, count: int, exclude: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """The images whose pixels differ least from those of one picture.

    All are looked at, some at a time: 60,000 take a tenth of a second.

    Args:
        images: uint8 (n, 28, 28), to choose from.
        query: uint8 (28, 28), the picture at hand.
        count: how many are wanted.
        exclude: the picture's own place among the images, if it is one of them.

    Returns:
        Places of the nearest, int64 (count,), nearest first and of equals the first one
        first, and their Euclidean distances, float32 (count,): 0 the same picture, 7,140
        (255 times 28) black against white. Fewer if there are not so many.

    Raises:
        ValueError: the query is no picture like the images.
    """
    if query.shape != images.shape[1:] or query.dtype != images.dtype:
        raise ValueError(
            f"Expected {images.dtype} {images.shape[1:]}, got {query.dtype} {query.shape}."
        )
    squares = np.zeros(len(images), np.int32)
    for where, chunk in in_chunks(images):
        # Bytes would wrap around: a difference needs 16 bits, and the sum of 784 squares of
        # up to 65,025 needs 32.
        differences = np.subtract(chunk, query, dtype=np.int16).reshape(len(chunk), -1)
        squares[where] = np.einsum("ij,ij->i", differences, differences, dtype=np.int32)
    order = np.argsort(squares, kind="stable")
    if exclude is not None:
        order = order[order != exclude]
    places = order[:count]
    return places, np.sqrt(squares[places]).astype(np.float32)
