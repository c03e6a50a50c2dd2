"""The paper under the ink: uneven light and ruled lines are removed.

Shares "of the picture" are of its longer side. The numbers were tuned as in photo.py.
"""

import numpy as np
from PIL import Image
from scipy import ndimage

from mnist_core.drawing.recipe import LEAST_CONTRAST, to_grey

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
# A low threshold, because rules are long and grain seldom forms a line.
RULE_DEVIATIONS = 3.0
# A rule crosses at least this share of the picture, and is at least this many times as long as
# thick. A 1 as high as the canvas, drawn with its thinnest pen, is 33 times as long.
RULE_LENGTH, RULE_SLENDERNESS = 0.5, 40


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


def remove_rules(ink: np.ndarray) -> np.ndarray:
    """The same ink without long thin lines across the picture, horizontal or vertical."""
    return remove_level_rules(remove_level_rules(ink).T.copy()).T


def remove_level_rules(ink: np.ndarray) -> np.ndarray:
    """The same ink without long thin lines from left to right, slightly tilted or bent."""
    height, width = ink.shape
    # Rules are pale: averaging along them, into fewer columns, lifts them out of the grain.
    step = max(1, width // LIGHT_SIDE)
    along = ink[:, : width - width % step].reshape(height, -1, step).mean(axis=2)
    across = along.shape[1]
    along = ndimage.uniform_filter1d(along, 1 + across // 64, axis=1)
    # Anything taller than the thickest rule is a digit or a vertical rule.
    along -= opening(along, int(width * RULE_LENGTH / RULE_SLENDERNESS) + 1, axis=0)
    along -= middle_value(along)
    thin = (along > max(LEAST_CONTRAST / 2, RULE_DEVIATIONS * grain(along))).view(np.uint8)
    # A tilted rule is a staircase of runs; one pixel more above and below makes them overlap.
    runs = opening(ndimage.maximum_filter1d(thin, 3, axis=0), 3 + across // 25, axis=1)
    # Digits interrupt the rule beneath them.
    joined = ndimage.maximum_filter(runs, (5, 1 + across // 12))
    labels, _ = ndimage.label(joined)
    cleaned = ink.copy()
    for label, (rows, columns) in enumerate(ndimage.find_objects(labels), 1):
        length = columns.stop - columns.start
        if length < RULE_LENGTH * across:
            continue
        rule = ((labels[rows, columns] == label) & (runs & thin)[rows, columns]).astype(bool)
        thickness = rule.sum(axis=0)
        if not thickness.any():
            continue
        usual = float(np.median(thickness[thickness > 0]))
        if usual * RULE_SLENDERNESS <= length * step:
            curve = follow(rule & (thickness <= usual + 1))
            pixels = np.arange(length * step)
            middle = rows.start + curve((pixels + 0.5) / step - 0.5)
            erase(cleaned, middle, columns.start * step, usual / 2 + 1)
    return cleaned


def opening(values: np.ndarray, length: int, axis: int) -> np.ndarray:
    """Morphological opening along an axis with a line of this length."""
    shorter = ndimage.minimum_filter1d(values, length, axis=axis)
    # With an even length the two filters must be centred on opposite sides.
    longer = ndimage.maximum_filter1d(shorter, length, axis=axis, origin=-1 + length % 2)
    return np.asarray(longer)


def follow(rule: np.ndarray) -> np.polynomial.Polynomial:
    """The height of a rule's middle in each column, from bool (h, w).

    A parabola, because paper bends, through its pixels without bars of digits that touch it.
    """
    rows, columns = np.nonzero(rule)
    keep = np.ones(len(rows), bool)
    for tolerance in (8, 4, 2):
        curve = np.polynomial.Polynomial.fit(columns[keep], rows[keep], 2)
        near = np.abs(rows - curve(columns)) <= tolerance
        # With fewer than half its pixels it would be another line.
        if near.sum() > len(rows) / 2:
            keep = near
    return curve


def erase(ink: np.ndarray, middle: np.ndarray, left: int, reach: float) -> None:
    """Remove a rule from the ink, in place; strokes that cross it stay.

    Args:
        middle: float (w,), the height of the rule's middle, from column ``left`` on.
        reach: how far the rule's ink extends above and below its middle.
    """
    around = 3 * reach
    top = max(0, int(middle.min() - around))
    strip = ink[top : int(middle.max() + around) + 1, left : left + len(middle)]
    distance = np.abs(np.arange(top, top + len(strip))[:, None] - middle)
    core = distance <= 1
    if not core.any():
        return
    # Pen strokes are darker than the rule.
    level = np.median(np.where(core, strip, 0).max(axis=0))
    rule = (distance <= reach) & (strip < 1.5 * level)
    without = np.where(distance <= reach, np.float32(0), strip)
    # Where there is ink above and below the rule, there was ink in between.
    size = int(2 * reach) + 3
    crossing = ndimage.grey_closing(without, size=(size, size))
    strip[rule] = np.minimum(strip, crossing)[rule]
