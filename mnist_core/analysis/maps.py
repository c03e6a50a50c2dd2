"""Maps of digits in two dimensions on which similar ones are near each other.

``pca`` takes a moment; ``tsne`` takes half a minute and scikit-learn, so a worker computes it.
"""

import io
from collections.abc import Callable

import numpy as np
from PIL import Image

from mnist_core.analysis import explanation
from mnist_core.data import SIDE
from mnist_core.errors import UserError

MOST_POINTS = 5000
# PCA's time grows with the cube of this. Only a network that ends with convolutions has more.
MOST_FEATURES = 2048
# Of the PCA before t-SNE; van der Maaten and Hinton 2008, section 4.2, use 30.
COMPONENTS = 50
PERPLEXITY = 30.0
# Images side by side in a sprite, at most.
COLUMNS = 100
ROWS_AT_ONCE = 500
GREYS = 16
# Points are rounded to a grid, finer than the screen and short to write.
STEPS = 1000


def choose(labels: np.ndarray, most: int = MOST_POINTS, seed: int = 0) -> np.ndarray:
    """Indices of the images to map, int64, ascending: all, or ``most`` chosen at random."""
    # Stored maps depend on this choice.
    return np.sort(np.random.default_rng(seed).permutation(len(labels))[:most])


def pixels(images: np.ndarray) -> np.ndarray:
    """The pixels as features: a view of shape (n, 784)."""
    return images.reshape(len(images), -1)


def pca(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Principal component analysis: the plane in which the features vary most.

    Pearson, K. (1901), On lines and planes of closest fit to systems of points in space,
    Philosophical Magazine 2, 559-572.

    Args:
        features: float32 or uint8 (n, d), n of at least 2.

    Returns:
        The points, float32 (n, 2), and the share of all variance along each of the two
        axes, float64 (2,), 0 to 1; zeros if all features are the same.

    Raises:
        ValueError: there are fewer than two rows.
        UserError: there are more than 2,048 columns.
    """
    from scipy.linalg import eigh

    features = _checked(features)
    mean = features.mean(axis=0, dtype=np.float64).astype(np.float32)
    columns = features.shape[1]
    covariance = np.zeros((columns, columns))
    # In parts and without scikit-learn, to save the server 80 MB and a copy of the features.
    for start in range(0, len(features), ROWS_AT_ONCE):
        part = features[start : start + ROWS_AT_ONCE] - mean
        covariance += part.T @ part
    total = np.trace(covariance)
    variances, axes = eigh(covariance, subset_by_index=[columns - 2, columns - 1])
    # Largest first, and with a positive largest component, so that no library flips the map.
    variances, axes = variances[::-1], axes[:, ::-1]
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), range(2)])
    points = [
        (features[start : start + ROWS_AT_ONCE] - mean) @ axes
        for start in range(0, len(features), ROWS_AT_ONCE)
    ]
    return np.concatenate(points).astype(np.float32), np.maximum(variances, 0) / (total or 1.0)


def tsne(features: np.ndarray, seed: int = 0) -> np.ndarray:
    """t-SNE: a map on which each point's nearest neighbours stay near.

    Axes and distances between groups mean little. van der Maaten, L. and Hinton, G. (2008),
    Visualizing Data using t-SNE, Journal of Machine Learning Research 9, 2579-2605; initialised
    with PCA, as Kobak and Berens (2019), Nature Communications 10, 5416, advise.

    Args:
        features: float32 or uint8 (n, d), n of at least 2.

    Returns:
        float32 (n, 2); zeros if all features are the same.

    Raises:
        ValueError: there are fewer than two rows.
        UserError: there are more than 2,048 columns.
    """
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    features = _checked(features)
    if _all_alike(features):
        return np.zeros((len(features), 2), np.float32)
    features = features.astype(np.float32)
    if min(features.shape) > COMPONENTS:
        features = PCA(COMPONENTS, svd_solver="covariance_eigh").fit_transform(features)
    # scikit-learn requires it to be below the number of points.
    perplexity = min(PERPLEXITY, (len(features) - 1) / 3)
    found = TSNE(2, perplexity=perplexity, init="pca", random_state=seed, n_jobs=1)
    # One thread: several, waiting for each other, are many times slower on a busy machine.
    with threadpool_limits(1):
        return np.asarray(found.fit_transform(features), np.float32)


def check_width(columns: int) -> None:
    """Raises UserError if there are too many features for a map."""
    if columns > MOST_FEATURES:
        raise UserError(
            f"This network's last hidden layer has {columns:,} outputs, and a map can use "
            f"{MOST_FEATURES:,}. Choose another network, or the pixels."
        )


def _checked(features: np.ndarray) -> np.ndarray:
    """The features, with a column of zeros added to a single column."""
    rows, columns = features.shape
    if rows < 2:
        raise ValueError(f"Expected at least 2 rows of features, got {rows}.")
    check_width(columns)
    return np.pad(features, ((0, 0), (0, 1))) if columns == 1 else features


def _all_alike(features: np.ndarray) -> bool:
    """Whether all rows are equal: scikit-learn would divide by zero."""
    return bool((features == features[0]).all())


def compact(points: np.ndarray) -> dict[str, list[int]]:
    """Points float32 (n, 2) as "x" and "y", whole numbers from 0 to 1,000, for a browser."""
    lowest = points.min(axis=0)
    # The extent of equal points is 0.
    extent = float((points.max(axis=0) - lowest).max()) or 1.0
    x, y = np.round((points - lowest) * (STEPS / extent)).astype(int).T.tolist()
    return {"x": x, "y": y}


def sprite_columns(count: int) -> int:
    """Images in a row of a sprite: 100, or all if fewer."""
    return max(1, min(count, COLUMNS))


def sprite(images: np.ndarray) -> bytes:
    """One PNG of all images, uint8 (n, 28, 28), side by side, for a browser to cut out.

    With c = ``sprite_columns(n)``, image i starts ``28 * (i % c)`` pixels from the left and
    ``28 * (i // c)`` from the top. In 16 greys, 5,000 digits take half a megabyte.
    """
    columns = sprite_columns(len(images))
    rows = -(-len(images) // columns)
    greys = np.zeros((rows * columns, SIDE, SIDE), np.uint8)
    # Rounded: 255 is 15 times 17.
    greys[: len(images)] = ((np.arange(256) + 8) // 17).astype(np.uint8)[images]
    sheet = greys.reshape(rows, columns, SIDE, SIDE).swapaxes(1, 2)
    picture = Image.fromarray(sheet.reshape(rows * SIDE, columns * SIDE), "P")
    picture.putpalette([17 * grey for grey in range(GREYS) for _ in "rgb"])
    buffer = io.BytesIO()
    # The fastest compression: half the time for an eighth more bytes.
    picture.save(buffer, "PNG", bits=4, compress_level=1)
    return buffer.getvalue()


def features_of(
    images: np.ndarray, activations: Callable[[np.ndarray], list[np.ndarray]] | None = None
) -> np.ndarray:
    """What a map is made from: the pixels, or the output of a network's last hidden layer.

    Args:
        images: uint8 (n, 28, 28), at least one.
        activations: ``Classifier.activations``; None for the pixels.

    Raises:
        UserError: the layer is too wide for a map.
    """
    if activations is None:
        return pixels(images)
    # One image first: all outputs of a layer that is too wide might not fit into memory.
    check_width(explanation.hidden(activations, images[:1]).shape[1])
    return explanation.hidden(activations, images)
