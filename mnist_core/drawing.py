"""to_mnist: any picture of a digit -> the 28x28 picture a network was trained on.

MNIST's digits were scaled to fit 20x20 pixels with their shape kept, and placed in 28x28
with their centre of mass in the middle (http://yann.lecun.com/exdb/mnist/). A network
that learned only those reads a picture prepared otherwise little better than by chance,
so a drawing gets the same treatment, wherever on the canvas and however large it is.
"""

import io

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from mnist_core.data import SIDE
from mnist_core.errors import EmptyDrawing, UnreadablePicture

DIGIT_SIDE = 20
MIDDLE = 14.5
# Ink must differ from the paper by this much of the full range, or it is only noise.
LEAST_CONTRAST = 0.1
# Paler than this share of the darkest ink is taken for paper: smudges, compression.
NOISE_FLOOR = 0.15
# Less ink than this in the brightest pixel after shrinking is a few specks on a large sheet.
LEAST_INK = 0.02
MOST_BYTES = 10 * 1024 * 1024
MOST_PIXELS = 40_000_000
# Larger pictures are shrunk to this many pixels a side before anything is computed: a digit
# needs no more, and thirty visitors share the memory.
MOST_SIDE = 1200


def to_mnist(picture: np.ndarray) -> np.ndarray:
    """Prepare a picture of one digit as MNIST's were.

    Args:
        picture: grey (h, w), RGB (h, w, 3) or RGBA (h, w, 4); uint8 0 to 255, or float
            0 to 1. Dark on light or light on dark, at any size and place.

    Returns:
        uint8 (28, 28), white ink on black.

    Raises:
        EmptyDrawing: there is no ink.
        ValueError: the array has another shape.
    """
    ink = remove_noise(find_ink(to_grey(picture)))
    return centre(fit(crop(ink)))


def to_grey(picture: np.ndarray) -> np.ndarray:
    """float32 (h, w), 0 black to 1 white; transparent parts become paper."""
    values = np.asarray(picture)
    if (
        values.ndim not in (2, 3)
        or 0 in values.shape
        or (values.ndim == 3 and values.shape[2] not in (1, 3, 4))
    ):
        raise ValueError(f"Expected a grey, RGB or RGBA picture, got shape {values.shape}.")
    scaled = values.astype(np.float32)
    if values.dtype == np.bool_ or np.issubdtype(values.dtype, np.floating):
        scaled = np.clip(np.nan_to_num(scaled), 0, 1)
    else:
        scaled = np.clip(scaled / 255, 0, 1)
    if scaled.ndim == 2:
        return scaled
    if scaled.shape[2] == 1:
        return scaled[..., 0]
    # Luma of ITU-R BT.601, as Pillow and the canvas's own export use.
    grey = scaled[..., :3] @ np.array([0.299, 0.587, 0.114], np.float32)
    if scaled.shape[2] == 3:
        return np.asarray(grey, np.float32)
    alpha = scaled[..., 3]
    on_white = grey * alpha + (1 - alpha)
    # White ink on a transparent sheet vanishes on white paper; then the paper is black.
    return on_white if np.ptp(on_white) >= LEAST_CONTRAST else grey * alpha


def find_ink(grey: np.ndarray) -> np.ndarray:
    """How much each pixel differs from the paper: float32 (h, w), 0 paper, 1 most ink.

    The paper's grey is the median along the edge; ink is what differs most from it,
    lighter or darker.

    Raises:
        EmptyDrawing: nothing differs enough.
    """
    edge = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    difference = grey - np.median(edge)
    if -difference.min() > difference.max():
        difference = -difference
    most = float(difference.max())
    if most < LEAST_CONTRAST:
        raise EmptyDrawing("There is no digit yet: draw one, large or small, anywhere.")
    return np.asarray(np.clip(difference, 0, None) / most, np.float32)


def remove_noise(ink: np.ndarray) -> np.ndarray:
    """The same picture with everything paler than the noise floor made paper."""
    return np.where(ink < NOISE_FLOOR, np.float32(0), ink)


def crop(ink: np.ndarray) -> np.ndarray:
    """The smallest rectangle that holds all ink."""
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def fit(ink: np.ndarray) -> np.ndarray:
    """Scaled, shape kept and edges smoothed, so that the longest side has 20 pixels.

    Returns:
        uint8, the longest side 20 pixels, the brightest pixel 255.

    Raises:
        EmptyDrawing: hardly any ink is left.
    """
    height, width = ink.shape
    ratio = DIGIT_SIDE / max(height, width)
    size = (max(1, round(width * ratio)), max(1, round(height * ratio)))
    picture = Image.fromarray(ink.astype(np.float32))
    small = np.clip(np.asarray(picture.resize(size, Image.Resampling.LANCZOS)), 0, 1)
    # A pen that is thin beside its digit turns grey when it shrinks; MNIST's ink is white.
    most = float(small.max())
    if most < LEAST_INK:
        raise EmptyDrawing("There is only dust here, no digit: draw one with a thicker pen.")
    return np.asarray((small * (255 / most)).round(), np.uint8)


def centre(digit: np.ndarray) -> np.ndarray:
    """uint8 (28, 28) with the digit's centre of mass in the middle, to a whole pixel.

    The middle is where MNIST has it: measured over its training images, centres of mass
    lie between 14 and 15 pixels from the top and from the left, 14.5 on average. A digit
    that would reach over the edge is moved back inside.
    """
    height, width = digit.shape
    mass = digit.astype(np.float64)
    row = (mass.sum(axis=1) @ (np.arange(height) + 0.5)) / mass.sum()
    column = (mass.sum(axis=0) @ (np.arange(width) + 0.5)) / mass.sum()
    top = min(max(round(MIDDLE - row), 0), SIDE - height)
    left = min(max(round(MIDDLE - column), 0), SIDE - width)
    picture = np.zeros((SIDE, SIDE), np.uint8)
    picture[top : top + height, left : left + width] = digit
    return picture


def read_picture(content: bytes) -> np.ndarray:
    """Decode a picture file, turned the way its camera was held.

    Returns:
        uint8 grey (h, w), or RGBA (h, w, 4) if parts of it are transparent; at most 1,200
        pixels a side.

    Raises:
        UnreadablePicture: too large, broken, or of a kind that is not read here.
    """
    if len(content) > MOST_BYTES:
        raise UnreadablePicture("The picture is larger than 10 MB; send a smaller one.")
    try:
        with Image.open(io.BytesIO(content), formats=("PNG", "JPEG", "WEBP")) as picture:
            if picture.width * picture.height > MOST_PIXELS:
                raise UnreadablePicture("The picture has more than 40 megapixels; shrink it.")
            upright = ImageOps.exif_transpose(picture)
            if upright.mode.startswith("I"):  # 16 bits a pixel
                upright = Image.fromarray((np.asarray(upright) >> 8).astype(np.uint8))
            decoded = upright.convert("RGBA" if upright.has_transparency_data else "L")
            decoded.thumbnail((MOST_SIDE, MOST_SIDE))
            return np.asarray(decoded)
    except (
        UnidentifiedImageError,
        OSError,
        ValueError,
        SyntaxError,
        Image.DecompressionBombError,
    ) as error:
        raise UnreadablePicture(
            "The file is not a PNG, JPEG or WebP picture, or it is broken; try another."
        ) from error
