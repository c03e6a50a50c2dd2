"""A map of some digits in two dimensions, on which those alike lie near each other.

``pca`` takes a moment, ``tsne`` half a minute: that is the worker's, and scikit-learn's.
"""

import io
from collections.abc import Callable

import numpy as np
from PIL import Image

from mnist_core.analysis import explanation
from mnist_core.data import SIDE
from mnist_core.errors import UserError

MOST_POINTS = 5000
# The time that PCA takes grows with the cube of this. Dense layers have at most 1,024
# units; only a network that ends with convolutions can have more.
MOST_FEATURES = 2048
# t-SNE's usual preparation: van der Maaten and Hinton 2008, section 4.2, take 30.
COMPONENTS = 50
PERPLEXITY = 30.0
# Pictures side by side in a sprite, at most.
COLUMNS = 100
ROWS_AT_ONCE = 500
GREYS = 16
# Points lie on a grid of so many steps: finer than the screen, and short to write.
STEPS = 1000


def choose(labels: np.ndarray, most: int = MOST_POINTS, seed: int = 0) -> np.ndarray:
    """Places of the images to map, in ascending order: all, or ``most`` chosen at random.

    Returns:
        int64 of at most ``most`` indices into ``labels``; the same for the same seed.
    """
    # Not by ``sample_indices``: maps that are stored are of these places.
    return np.sort(np.random.default_rng(seed).permutation(len(labels))[:most])


def pixels(images: np.ndarray) -> np.ndarray:
    """The pixels as features: uint8 (n, 784) of uint8 (n, 28, 28), in the same memory."""
    return images.reshape(len(images), -1)


def pca(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The plane in which the features vary most: principal component analysis.

    Pearson, K. (1901), On lines and planes of closest fit to systems of points in space,
    Philosophical Magazine 2, 559-572. Nothing here is random.

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
    # In parts and not with scikit-learn: a server has neither its 80 MB nor a copy to spare.
    for start in range(0, len(features), ROWS_AT_ONCE):
        part = features[start : start + ROWS_AT_ONCE] - mean
        covariance += part.T @ part
    total = np.trace(covariance)
    variances, axes = eigh(covariance, subset_by_index=[columns - 2, columns - 1])
    # The largest first; and of the two directions of an axis the one in which its largest
    # part is positive, so that no library turns the map around.
    variances, axes = variances[::-1], axes[:, ::-1]
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), range(2)])
    points = [
        (features[start : start + ROWS_AT_ONCE] - mean) @ axes
        for start in range(0, len(features), ROWS_AT_ONCE)
    ]
    return np.concatenate(points).astype(np.float32), np.maximum(variances, 0) / (total or 1.0)


def tsne(features: np.ndarray, seed: int = 0) -> np.ndarray:
    """A map on which each point's nearest neighbours stay near: t-SNE.

    Distances between groups mean little, and neither do the axes. van der Maaten, L. and
    Hinton, G. (2008), Visualizing Data using t-SNE, Journal of Machine Learning Research 9,
    2579-2605; begun from PCA, as Kobak and Berens (2019), Nature Communications 10, 5416,
    advise, so that the same features give much the same map.

    Args:
        features: float32 or uint8 (n, d), n of at least 2.
        seed: the same seed and features give the same map.

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
    # A point cannot have more neighbours than there are others; scikit-learn wants fewer.
    perplexity = min(PERPLEXITY, (len(features) - 1) / 3)
    found = TSNE(2, perplexity=perplexity, init="pca", random_state=seed, n_jobs=1)
    # On one core, for it is not alone: threads that wait for each other a thousand times
    # take many times as long once something else wants a core too.
    with threadpool_limits(1):
        return np.asarray(found.fit_transform(features), np.float32)


def check_width(columns: int) -> None:
    """Raises: UserError: so many features are too many for a map."""
    if columns > MOST_FEATURES:
        raise UserError(
            f"This network's last hidden layer gives {columns:,} numbers for a picture; a map "
            f"is made of at most {MOST_FEATURES:,}. Choose another network, or the pixels."
        )


def _checked(features: np.ndarray) -> np.ndarray:
    """The features, with a column of zeros beside one that is alone."""
    rows, columns = features.shape
    if rows < 2:
        raise ValueError(f"Expected at least 2 rows of features, got {rows}.")
    check_width(columns)
    return np.pad(features, ((0, 0), (0, 1))) if columns == 1 else features


def _all_alike(features: np.ndarray) -> bool:
    """Whether there is nothing to tell the rows by: scikit-learn would divide by zero."""
    return bool((features == features[0]).all())


def compact(points: np.ndarray) -> dict[str, list[int]]:
    """Points as whole numbers from 0 to 1,000, for a browser.

    Both axes are divided by the same number, so that nothing is stretched. The axes of a
    map have no unit, so none is lost.

    Args:
        points: float32 (n, 2).

    Returns:
        "x" and "y", n numbers each.
    """
    lowest = points.min(axis=0)
    # Points that all lie in one place have no extent.
    extent = float((points.max(axis=0) - lowest).max()) or 1.0
    x, y = np.round((points - lowest) * (STEPS / extent)).astype(int).T.tolist()
    return {"x": x, "y": y}


def sprite_columns(count: int) -> int:
    """How many of so many pictures are in a row of their sprite: 100, or all if fewer."""
    return max(1, min(count, COLUMNS))


def sprite(images: np.ndarray) -> bytes:
    """One PNG that holds all the pictures, 100 in a row, for a browser to cut out.

    With c = ``sprite_columns(n)``, picture number i begins ``28 * (i % c)`` pixels from the left
    and ``28 * (i // c)`` from the top. White on black, in 16 greys: of 5,000 digits half a
    megabyte.

    Args:
        images: uint8 (n, 28, 28), at least one.
    """
    columns = sprite_columns(len(images))
    rows = -(-len(images) // columns)
    greys = np.zeros((rows * columns, SIDE, SIDE), np.uint8)
    # Rounded to the nearest: 255 is 15 times 17.
    greys[: len(images)] = ((np.arange(256) + 8) // 17).astype(np.uint8)[images]
    sheet = greys.reshape(rows, columns, SIDE, SIDE).swapaxes(1, 2)
    picture = Image.fromarray(sheet.reshape(rows * SIDE, columns * SIDE), "P")
    picture.putpalette([17 * grey for grey in range(GREYS) for _ in "rgb"])
    buffer = io.BytesIO()
    # The quickest compression: half the time for an eighth more bytes.
    picture.save(buffer, "PNG", bits=4, compress_level=1)
    return buffer.getvalue()


def features_of(
    images: np.ndarray, activations: Callable[[np.ndarray], list[np.ndarray]] | None = None
) -> np.ndarray:
    """What a map is made from: the pixels, or the output of a network's last hidden layer.

    Args:
        images: uint8 (n, 28, 28), at least one.
        activations: ``Classifier.activations``; None for the pixels.

    Returns:
        float32 (n, d).

    Raises:
        UserError: that layer is wider than a map can be made from.
    """
    if activations is None:
        return pixels(images)
    # Of one first: all of a layer that is too wide might not fit into memory.
    check_width(explanation.hidden(activations, images[:1]).shape[1])
    return explanation.hidden(activations, images)
