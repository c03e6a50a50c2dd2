"""The paper under the ink: uneven light is removed.

Shares "of the picture" are of its longer side. The numbers were tuned as in photo.py.
"""

import numpy as np
from PIL import Image
from scipy import ndimage

from mnist_core.drawing.recipe import to_grey

# Pictures are analysed at this many pixels a side: the smallest digit one can write on a page
# still has 20, and each step takes a few milliseconds.
LONGEST_SIDE = 1000
# Light varies slowly, so it is measured at this many pixels a side.
LIGHT_SIDE = 250
# Anything narrower than this share of the shorter side may be ink, anything wider is shadow or
# table. An MNIST digit that fills its picture has strokes of up to a fifth.
WIDEST_STROKE = 0.2
# Anything with less than this share of the brightest paper's light is a table, and its grain is
# not ink. Paper in the deepest shadow measured has 0.4.
DARKEST_PAPER = 0.25


def shrink(picture: np.ndarray) -> np.ndarray:
    """float32 (h, w), 0 black to 1 white, at most 1,000 pixels a side."""
    values = np.asarray(picture)
    if values.ndim in (2, 3):
        # Skipping pixels of a huge picture first needs no memory.
        step = max(1, max(values.shape[:2]) // (2 * LONGEST_SIDE))
        values = values[::step, ::step]
    return resize(to_grey(values), LONGEST_SIDE)


def resize(grey: np.ndarray, longest: int) -> np.ndarray:
    """Shrink by averaging until the longer side is at most this long."""
    height, width = grey.shape
    ratio = longest / max(height, width)
    if ratio >= 1:
        return grey
    size = (max(1, round(width * ratio)), max(1, round(height * ratio)))
    return np.asarray(Image.fromarray(grey).resize(size, Image.Resampling.BOX))


def flatten_light(grey: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How much darker each pixel is than bare paper in the same light.

    Returns:
        ink: float32 (h, w), 0 paper, up to 1 ink, slightly negative where paper is grainy.
        light: float32 (h, w), the grey of bare paper there, 0 dark to 1.
    """
    coarse = resize(grey, LIGHT_SIDE)
    if has_light_ink(coarse):
        grey, coarse = 1 - grey, 1 - coarse
    # Closing fills whatever is dark and narrow, and keeps the edges of whatever is wide. Padding
    # with black makes a table or a shadow in a corner wide, however little of it is seen.
    stroke = 1 + 2 * round(WIDEST_STROKE * min(coarse.shape) / 2)
    paper = ndimage.grey_closing(np.pad(coarse, stroke), size=(stroke, stroke))
    paper = paper[stroke:-stroke, stroke:-stroke]
    # Half-lit pixels on the edge of a shadow belong to the shadow.
    paper = ndimage.minimum_filter(paper, 3)
    size = (grey.shape[1], grey.shape[0])
    light = np.asarray(Image.fromarray(paper).resize(size, Image.Resampling.BILINEAR))
    darkest = max(DARKEST_PAPER * float(light.max()), 1e-3)
    ink = (light - grey) / np.maximum(light, darkest)
    # Closing picks the lightest grain of the paper, so the median pixel, paper too, becomes 0.
    ink = np.where(light < darkest, 0, ink - middle_value(ink))
    return np.asarray(ink, np.float32), light


def has_light_ink(grey: np.ndarray) -> bool:
    """Whether what stands out from its surroundings is lighter, not darker."""
    small = resize(grey, 48)
    around = ndimage.median_filter(small, size=1 + max(small.shape) // 3)
    size = (grey.shape[1], grey.shape[0])
    around = np.asarray(Image.fromarray(around).resize(size, Image.Resampling.BILINEAR))
    return float(((grey - around) ** 3).sum()) > 0


def middle_value(values: np.ndarray) -> float:
    """The median of every ninth value, which is close enough."""
    return float(np.median(values[::3, ::3]))


def grain(ink: np.ndarray) -> float:
    """The standard deviation of the paper's values, from the median absolute deviation."""
    return 1.4826 * middle_value(np.abs(ink))
