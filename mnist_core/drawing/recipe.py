"""to_mnist: any picture of a digit -> the 28x28 picture a network was trained on.

MNIST's digits were scaled to fit 20x20 pixels with their shape kept, and placed in 28x28
with their centre of mass in the middle (http://yann.lecun.com/exdb/mnist/). A network
that learned only those reads a picture prepared otherwise little better than by chance,
so a drawing gets the same treatment, wherever on the canvas and however large it is, and
with whatever pen.
"""

import io
import struct
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError
from scipy import ndimage

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
# How wide strokes are, as a share of the digit's longest side: nine in ten of MNIST's pens
# lie between these two. A pen outside them is brought to the nearer one. On drawings any
# pair from 0.06 and 0.2 to 0.11 and 0.23 is as good.
THINNEST_PEN, THICKEST_PEN = 0.08, 0.21
# Strokes are measured and redrawn on a picture whose longest side is this: about four
# times as fine as what the network sees, and done in less than a millisecond.
PEN_SIDE = 80
MOST_BYTES = 10 * 1024 * 1024
# By their content, whatever a file is called.
FORMATS = ("PNG", "JPEG", "WEBP", "AVIF", "GIF", "BMP", "TIFF")
# Apple's telephones write HEIC; it is told by the brand in its first bytes. AVIF begins the same
# way, and is only read where Pillow was built with it.
HEIF_BRANDS = {
    b"heic": "HEIC", b"heix": "HEIC", b"heim": "HEIC", b"heis": "HEIC", b"hevc": "HEIC",
    b"hevx": "HEIC", b"hevm": "HEIC", b"hevs": "HEIC", b"mif1": "HEIC", b"mif2": "HEIC",
    b"msf1": "HEIC", b"heif": "HEIC", b"avif": "AVIF", b"avis": "AVIF",
}  # fmt: skip
# A JPEG is shrunk while it is decoded, others only after.
MOST_PIXELS, MOST_PIXELS_OF_JPEG = 20_000_000, 60_000_000
# Larger pictures are shrunk to this many pixels a side before anything is computed: a digit
# needs no more, and thirty visitors share the memory.
MOST_SIDE = 1200

ONLY_PAPER = "Nothing but paper is left: draw with a darker pen."

INK, NOISE, CROP, PEN, FIT, CENTRE = "ink", "noise", "crop", "pen", "fit", "centre"
# Every step of the recipe in its order, and what a person is told of it.
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
        picture: uint8 (h, w), 0 to 255; bright ink on dark paper once ``ink`` was taken.
        skipped: the step was left out, so the picture is not what it would have been.
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
    """The recipe step by step; the last picture is what the network is given.

    Args:
        picture: as for ``to_mnist``.
        skip: keys of ``STEPS`` to leave out, to see what they are worth. Without "fit"
            the picture is stretched over all 28x28 pixels, without "centre" the digit's
            box is put into the middle.

    Raises:
        EmptyDrawing, ValueError: as for ``to_mnist``.
    """
    grey = to_grey(picture)
    # Also without the first step an empty sheet is said to be one.
    ink = find_ink(grey)
    pictures = [grey if INK in skip else ink]
    for step, act in ((NOISE, remove_noise), (CROP, crop), (PEN, even_pen)):
        pictures.append(pictures[-1] if step in skip else act(pictures[-1]))
    digit = pictures[-1]
    small = stretch(digit) if FIT in skip else fit(digit)
    if not small.any():
        raise EmptyDrawing(ONLY_PAPER)
    placed = in_the_middle(small) if CENTRE in skip else centre(small)
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
    """The same digit with strokes neither thinner nor thicker than MNIST's pens made them.

    Every place knows its distance to the edge of the ink, so the edge can be moved in or
    out by the same amount everywhere: what a thinner or thicker pen would have drawn.
    A pen that is within bounds is left as it is.

    Args:
        ink: float32 (h, w), 0 paper to 1 ink. Cropped to its ink it stays so; else the
            digit stays where it is on its sheet.
    """
    rows, columns = _box(ink)
    digit = ink[rows, columns]
    redrawn = _with_even_pen(digit)
    if redrawn is digit:
        return ink
    if digit.shape == ink.shape:
        return redrawn
    # It grows or shrinks around its middle.
    size = [round(side * max(digit.shape) / PEN_SIDE) for side in redrawn.shape]
    picture = Image.fromarray(redrawn).resize((max(1, size[1]), max(1, size[0])))
    sheet = Image.new("F", ink.shape[::-1])
    left = (columns.start + columns.stop - picture.width) // 2
    sheet.paste(picture, (left, (rows.start + rows.stop - picture.height) // 2))
    return np.asarray(sheet)


def _with_even_pen(ink: np.ndarray) -> np.ndarray:
    """``even_pen`` of a cropped digit: the same array, or one of another size."""
    small = _resized(ink, _size(ink, PEN_SIDE), Image.Resampling.BILINEAR)
    # Room for strokes to grow, and paper beyond the edge to measure against.
    small = np.pad(small, PEN_SIDE // 8)
    inside = small > small.max() / 2
    within = ndimage.distance_transform_edt(inside)
    # Distances along a stroke run evenly from nothing at its edge to half its width in
    # its middle, so their mean is a quarter of the width.
    width = 4 * float(within[inside].mean() - 0.5)
    share = width / PEN_SIDE
    wished = min(max(share, THINNEST_PEN), THICKEST_PEN)
    length = PEN_SIDE - width
    if share == wished or length <= 0:
        return ink
    # The digit's side changes with its pen; what stays is the path of the pen's middle.
    new_width = wished * length / (1 - wished)
    outside = ndimage.distance_transform_edt(~inside)
    depth = np.where(inside, within - 0.5, 0.5 - outside)
    redrawn = np.clip(depth - (width - new_width) / 2 + 0.5, 0, 1).astype(np.float32)
    redrawn = remove_noise(redrawn)
    # Where a thinner pen leaves nothing, it was no pen's stroke but a blot.
    return crop(redrawn) if redrawn.max() > 0.5 else ink


def _size(ink: np.ndarray, longest: int) -> tuple[int, int]:
    """Width and height with the longest side so many pixels and the shape kept."""
    ratio = longest / max(ink.shape)
    height, width = (max(1, round(side * ratio)) for side in ink.shape)
    return width, height


def _resized(ink: np.ndarray, size: tuple[int, int], resampling: Image.Resampling) -> np.ndarray:
    """float32 0 to 1 of this width and height, edges smooth."""
    small = Image.fromarray(ink.astype(np.float32)).resize(size, resampling)
    return np.clip(np.asarray(small, np.float32), np.float32(0), np.float32(1))


def to_bytes(picture: np.ndarray) -> np.ndarray:
    """float 0 to 1 as uint8 0 to 255, same shape."""
    return np.asarray((picture * 255).round(), np.uint8)


def fit(ink: np.ndarray) -> np.ndarray:
    """Scaled, shape kept and edges smoothed, so that the longest side has 20 pixels.

    Returns:
        uint8, the longest side 20 pixels, the brightest pixel 255.

    Raises:
        EmptyDrawing: hardly any ink is left.
    """
    small = _resized(ink, _size(ink, DIGIT_SIDE), Image.Resampling.LANCZOS)
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
    return _placed(digit, top, left)


def stretch(ink: np.ndarray) -> np.ndarray:
    """uint8 (28, 28): the picture pulled to that size, whatever its shape."""
    return to_bytes(_resized(ink, (SIDE, SIDE), Image.Resampling.LANCZOS))


def in_the_middle(digit: np.ndarray) -> np.ndarray:
    """uint8 (28, 28) with the digit's box, not its mass, in the middle."""
    top, left = ((SIDE - side) // 2 for side in digit.shape)
    return _placed(digit, top, left)


def _placed(digit: np.ndarray, top: int, left: int) -> np.ndarray:
    picture = np.zeros((SIDE, SIDE), np.uint8)
    picture[top : top + digit.shape[0], left : left + digit.shape[1]] = digit
    return picture


def read_picture(content: bytes) -> np.ndarray:
    """Decode a picture file, turned the way its camera was held; of several frames the first.

    Returns:
        uint8 grey (h, w), or RGBA (h, w, 4) if parts of it are transparent; at most 1,200
        pixels a side.

    Raises:
        UnreadablePicture: too large, broken, or of a kind that is not read here.
    """
    if not content:
        raise UnreadablePicture("The file is empty; choose another.")
    if len(content) > MOST_BYTES:
        raise UnreadablePicture("The picture is larger than 10 MB; send a smaller one.")
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as picture:
            # MPO is a JPEG with a second picture behind it, as some telephones write it.
            most = MOST_PIXELS_OF_JPEG if picture.format in ("JPEG", "MPO") else MOST_PIXELS
            if picture.width * picture.height > most:
                raise _too_large(most)
            picture.draft("L", (MOST_SIDE, MOST_SIDE))
            small = _decoded(picture)
            small.thumbnail((MOST_SIDE, MOST_SIDE))
            # Only now, for turning makes a copy.
            return np.asarray(ImageOps.exif_transpose(small))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_large(MOST_PIXELS) from error
    except (
        UnidentifiedImageError,
        OSError,
        ValueError,
        TypeError,
        SyntaxError,
        RuntimeError,
        struct.error,
        Warning,  # Where Python was told to raise them.
    ) as error:
        if content[4:8] == b"ftyp" and (kind := HEIF_BRANDS.get(content[8:12])):
            raise UnreadablePicture(
                f"This is {kind}, a kind of picture that is not read here: open it, save it as "
                "JPEG or PNG, or take a screenshot of it, and send that."
            ) from error
        raise UnreadablePicture(
            "The file is not a PNG, JPEG, WebP, AVIF, GIF, BMP or TIFF picture, or it is broken; "
            "try another."
        ) from error


def _too_large(most: int) -> UnreadablePicture:
    return UnreadablePicture(
        f"The picture has more than {most // 1_000_000} megapixels; send a smaller one."
    )


def _decoded(picture: Image.Image) -> Image.Image:
    """The picture as grey, or as RGBA if parts of it are transparent."""
    if picture.mode.startswith("I;16"):
        return _grey((np.asarray(picture) >> 8).astype(np.uint8), picture)
    if picture.mode in ("I", "F"):
        # Of 32 bits a pixel, of which nobody says what is white.
        step = -(-max(picture.size) // (2 * MOST_SIDE))
        values = np.asarray(picture)[::step, ::step].astype(np.float32)
        values = np.nan_to_num(values, posinf=0, neginf=0)
        spread = float(np.ptp(values))
        return _grey(to_bytes((values - values.min()) / (spread or 1)), picture)
    if picture.mode == "LAB":
        return picture.getchannel("L")
    mode = "RGBA" if picture.has_transparency_data else "L"
    return picture if picture.mode == mode else picture.convert(mode)


def _grey(values: np.ndarray, picture: Image.Image) -> Image.Image:
    """A picture of these pixels that is known to be turned as the other is."""
    grey = Image.fromarray(values)
    grey.info = picture.info
    return grey


def shrink(picture: np.ndarray, most: int) -> np.ndarray:
    """Any picture as uint8 grey (h, w), at most so many pixels a side, to be looked at."""
    small = Image.fromarray(to_bytes(to_grey(picture)))
    small.thumbnail((most, most), Image.Resampling.BOX)
    return np.asarray(small)
