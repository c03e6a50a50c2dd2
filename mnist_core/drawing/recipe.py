"""to_mnist: any picture of a digit -> the 28x28 picture a network was trained on.

MNIST's digits were scaled to fit 20x20 pixels with their shape kept, and placed in 28x28
with their centre of mass in the middle (http://yann.lecun.com/exdb/mnist/). A network that
learned only those does little better than chance on pictures prepared differently, so a
drawing gets the same treatment, whatever its place and size on the canvas and whatever the pen.
"""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy import ndimage

from mnist_core.data import SIDE
from mnist_core.errors import EmptyDrawing

DIGIT_SIDE = 20
MIDDLE = 14.5
# Whatever differs from the paper by less of the full range is noise, not ink.
LEAST_CONTRAST = 0.1
# Paler than this share of the darkest ink counts as paper: smudges, compression artefacts.
NOISE_FLOOR = 0.15
# If the brightest pixel after shrinking has less ink, there were only a few specks.
LEAST_INK = 0.02
# Stroke widths as a share of the digit's longest side: nine in ten of MNIST's pens lie between
# these two, and others are brought to the nearer one. On drawings any pair from 0.06 and 0.2 to
# 0.11 and 0.23 works as well.
THINNEST_PEN, THICKEST_PEN = 0.08, 0.21
# Strokes are measured and redrawn at this longest side: four times as fine as what the network
# sees, and done in less than a millisecond.
PEN_SIDE = 80
ONLY_PAPER = "Nothing but paper is left: draw with a darker pen."

INK, NOISE, CROP, PEN, FIT, CENTRE = "ink", "noise", "crop", "pen", "fit", "centre"
# Every step of the recipe in order, and how the Draw page describes it.
STEPS = {
    INK: "Ink bright, paper dark",
    NOISE: "Faint smudges removed",
    CROP: "Cropped to the ink",
    PEN: "Stroke width evened",
    FIT: "20 pixels, shape kept",
    CENTRE: "Centre of mass in the middle",
}


@dataclass(frozen=True)
class Stage:
    """The picture after one step.

    Attributes:
        step: a key of ``STEPS``.
        picture: uint8 (h, w), 0 to 255; bright ink on dark paper after the step ``ink``.
        skipped: whether the step was left out.
    """

    step: str
    picture: np.ndarray
    skipped: bool


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
    return prepare(picture)[-1].picture


def prepare(picture: np.ndarray, skip: Collection[str] = ()) -> list[Stage]:
    """The recipe step by step; the last picture is the network's input.

    Args:
        picture: as for ``to_mnist``.
        skip: keys of ``STEPS`` to leave out, to see what they are worth. Without "fit"
            the picture is stretched over all 28x28 pixels, without "centre" the digit's
            bounding box is centred.

    Raises:
        EmptyDrawing, ValueError: as for ``to_mnist``.
    """
    grey = to_grey(picture)
    # Raises EmptyDrawing for an empty sheet even if the first step is skipped.
    ink = find_ink(grey)
    pictures = [grey if INK in skip else ink]
    for step, act in ((NOISE, remove_noise), (CROP, crop), (PEN, even_pen)):
        pictures.append(pictures[-1] if step in skip else act(pictures[-1]))
    digit = pictures[-1]
    if FIT in skip:
        small = to_bytes(_resized(digit, (SIDE, SIDE), Image.Resampling.LANCZOS))
    else:
        small = fit(digit)
    if not small.any():
        raise EmptyDrawing(ONLY_PAPER)
    placed = _centre_box(small) if CENTRE in skip else centre(small)
    shown = [*map(to_bytes, pictures), small, placed]
    return [Stage(step, part, step in skip) for step, part in zip(STEPS, shown, strict=True)]


def to_grey(picture: np.ndarray) -> np.ndarray:
    """float32 (h, w), 0 black to 1 white; transparent parts become paper."""
    values = np.asarray(picture)
    if (
        values.ndim not in (2, 3)
        or 0 in values.shape
        or (values.ndim == 3 and values.shape[2] not in (1, 3, 4))
    ):
        raise ValueError(f"Expected a grey, RGB or RGBA picture, got shape {values.shape}.")
    integers = np.issubdtype(values.dtype, np.integer)
    scaled = np.nan_to_num(values.astype(np.float32)) / np.float32(255 if integers else 1)
    scaled = np.asarray(np.clip(scaled, 0, 1))
    if scaled.ndim == 2:
        return scaled
    if scaled.shape[2] == 1:
        return scaled[..., 0]
    # Luma of ITU-R BT.601, as in Pillow and the canvas's own export.
    grey = scaled[..., :3] @ np.array([0.299, 0.587, 0.114], np.float32)
    if scaled.shape[2] == 3:
        return np.asarray(grey, np.float32)
    alpha = scaled[..., 3]
    on_white = grey * alpha + (1 - alpha)
    # White ink on a transparent sheet would vanish on white paper, so that becomes black.
    return on_white if np.ptp(on_white) >= LEAST_CONTRAST else grey * alpha


def find_ink(grey: np.ndarray) -> np.ndarray:
    """How much each pixel differs from the paper: float32 (h, w), 0 paper, 1 most ink.

    The paper's grey is the median along the edge; ink is whichever differs more from it, the
    lighter or the darker.

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
    """Make everything paler than the noise floor paper."""
    return np.where(ink < NOISE_FLOOR, np.float32(0), ink)


def crop(ink: np.ndarray) -> np.ndarray:
    """The smallest rectangle that holds all ink.

    Raises:
        EmptyDrawing: there is none.
    """
    return ink[_box(ink)]


def _box(ink: np.ndarray) -> tuple[slice, slice]:
    """The rows and columns of ``crop``."""
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    if not len(rows):
        raise EmptyDrawing(ONLY_PAPER)
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def even_pen(ink: np.ndarray) -> np.ndarray:
    """The same digit with strokes no thinner and no thicker than those of MNIST's pens.

    A distance transform lets the edge of the ink move in or out by the same amount everywhere,
    as if a thinner or thicker pen had drawn it. A pen within bounds leaves the ink unchanged.

    Args:
        ink: float32 (h, w), 0 paper to 1 ink. If it was cropped, so is the result; otherwise
            the digit stays where it is on its sheet.
    """
    rows, columns = _box(ink)
    digit = ink[rows, columns]
    redrawn = _with_even_pen(digit)
    if redrawn is digit:
        return ink
    if digit.shape == ink.shape:
        return redrawn
    # The digit grows or shrinks around its middle.
    size = [round(side * max(digit.shape) / PEN_SIDE) for side in redrawn.shape]
    picture = Image.fromarray(redrawn).resize((max(1, size[1]), max(1, size[0])))
    sheet = Image.new("F", ink.shape[::-1])
    left = (columns.start + columns.stop - picture.width) // 2
    sheet.paste(picture, (left, (rows.start + rows.stop - picture.height) // 2))
    return np.asarray(sheet)


def _with_even_pen(ink: np.ndarray) -> np.ndarray:
    """``even_pen`` of a cropped digit: the same array, or a new one of another size."""
    small = _resized(ink, _size(ink, PEN_SIDE), Image.Resampling.BILINEAR)
    # Leaves room for strokes to grow, and paper to measure distances from.
    small = np.pad(small, PEN_SIDE // 8)
    inside = small > small.max() / 2
    within = ndimage.distance_transform_edt(inside)
    # Across a stroke distances rise evenly from 0 at its edges to half its width in the middle,
    # so their mean is a quarter of the width.
    width = 4 * float(within[inside].mean() - 0.5)
    share = width / PEN_SIDE
    target = min(max(share, THINNEST_PEN), THICKEST_PEN)
    length = PEN_SIDE - width
    if share == target or length <= 0:
        return ink
    # The digit's side changes with its pen; the path of the pen's centre does not.
    new_width = target * length / (1 - target)
    outside = ndimage.distance_transform_edt(~inside)
    depth = np.where(inside, within - 0.5, 0.5 - outside)
    redrawn = np.clip(depth - (width - new_width) / 2 + 0.5, 0, 1).astype(np.float32)
    redrawn = remove_noise(redrawn)
    # If a thinner pen would leave nothing, this is a blot, not a stroke.
    return crop(redrawn) if redrawn.max() > 0.5 else ink


def _size(ink: np.ndarray, longest: int) -> tuple[int, int]:
    """Width and height when scaled to this longest side."""
    ratio = longest / max(ink.shape)
    height, width = (max(1, round(side * ratio)) for side in ink.shape)
    return width, height


def _resized(ink: np.ndarray, size: tuple[int, int], resampling: Image.Resampling) -> np.ndarray:
    """float32 0 to 1, scaled to this width and height."""
    small = Image.fromarray(ink.astype(np.float32)).resize(size, resampling)
    return np.clip(np.asarray(small, np.float32), np.float32(0), np.float32(1))


def to_bytes(picture: np.ndarray) -> np.ndarray:
    """float 0 to 1 as uint8 0 to 255, same shape."""
    return np.asarray((picture * 255).round(), np.uint8)


def fit(ink: np.ndarray) -> np.ndarray:
    """Scale, with antialiasing, so that the longest side has 20 pixels.

    Returns:
        uint8, the longest side 20 pixels, the brightest pixel 255.

    Raises:
        EmptyDrawing: hardly any ink remains.
    """
    small = _resized(ink, _size(ink, DIGIT_SIDE), Image.Resampling.LANCZOS)
    # Thin strokes turn grey when they shrink; MNIST's ink is white.
    most = float(small.max())
    if most < LEAST_INK:
        raise EmptyDrawing("There is only dust here, no digit: draw one with a thicker pen.")
    return np.asarray((small * (255 / most)).round(), np.uint8)


def centre(digit: np.ndarray) -> np.ndarray:
    """uint8 (28, 28) with the digit's centre of mass in the middle, to a whole pixel.

    In MNIST's training images centres of mass lie 14 to 15 pixels from the top and from the left,
    14.5 on average. A digit that would cross the edge is moved back inside.
    """
    height, width = digit.shape
    mass = digit.astype(np.float64)
    row = (mass.sum(axis=1) @ (np.arange(height) + 0.5)) / mass.sum()
    column = (mass.sum(axis=0) @ (np.arange(width) + 0.5)) / mass.sum()
    top = min(max(round(MIDDLE - row), 0), SIDE - height)
    left = min(max(round(MIDDLE - column), 0), SIDE - width)
    return _placed(digit, top, left)


def _centre_box(digit: np.ndarray) -> np.ndarray:
    """uint8 (28, 28) with the digit's bounding box, not its mass, in the middle."""
    top, left = ((SIDE - side) // 2 for side in digit.shape)
    return _placed(digit, top, left)


def _placed(digit: np.ndarray, top: int, left: int) -> np.ndarray:
    picture = np.zeros((SIDE, SIDE), np.uint8)
    picture[top : top + digit.shape[0], left : left + digit.shape[1]] = digit
    return picture


def shrink(picture: np.ndarray, most: int) -> np.ndarray:
    """Any picture as uint8 grey (h, w), at most so many pixels a side, for display."""
    small = Image.fromarray(to_bytes(to_grey(picture)))
    small.thumbnail((most, most), Image.Resampling.BOX)
    return np.asarray(small)
