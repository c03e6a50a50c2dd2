"""The paper under the ink: light that falls from one side, and rules, taken away.

Shares "of the picture" are of its longer side. The numbers were chosen as those of photo.py.
"""

import numpy as np
from PIL import Image
from scipy import ndimage

from mnist_core.drawing.recipe import LEAST_CONTRAST, to_grey

# Pictures are looked at with this many pixels a side: a digit as small as one can write it on
# a whole page still has 20, and each step takes some milliseconds.
LONGEST_SIDE = 1000
# Light is looked at with this many pixels a side; finer than that it does not change.
LIGHT_SIDE = 250
# What is narrower than this share of the shorter side may be ink, what is wider is shadow or
# table. A digit of MNIST that fills its picture has strokes of up to a fifth.
WIDEST_STROKE = 0.2
# What has less than this share of the brightest paper's light is a table, and its grain is no
# ink. Paper in the deepest of the shadows measured has 0.4.
DARKEST_PAPER = 0.25
# Rules are long, so that grain that looks like a bit of one does no harm.
RULE_DEVIATIONS = 3.0
# A rule crosses this share of the picture, and is this many times as long as it is thick. A
# 1 as high as the canvas, drawn with its thinnest pen, is 33 times as long.
RULE_LENGTH, RULE_SLENDERNESS = 0.5, 40


def shrink(picture: np.ndarray) -> np.ndarray:
    """float32 (h, w), 0 black to 1 white, at most 1,000 pixels a side."""
    values = np.asarray(picture)
    if values.ndim in (2, 3):
        # Every second or third pixel of a huge picture will do, and is free of memory.
        step = max(1, max(values.shape[:2]) // (2 * LONGEST_SIDE))
        values = values[::step, ::step]
    return resize(to_grey(values), LONGEST_SIDE)


def resize(grey: np.ndarray, longest: int) -> np.ndarray:
    """The same picture, its longer side at most this long; each pixel the mean of its own."""
    height, width = grey.shape
    ratio = longest / max(height, width)
    if ratio >= 1:
        return grey
    size = (max(1, round(width * ratio)), max(1, round(height * ratio)))
    return np.asarray(Image.fromarray(grey).resize(size, Image.Resampling.BOX))


def flatten_light(grey: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How much light is missing beside bare paper in the same light.

    Returns:
        ink: float32 (h, w), 0 paper, up to 1 ink, a little below 0 where paper is grainy.
        light: float32 (h, w), what bare paper would have there, 0 dark to 1.
    """
    coarse = resize(grey, LIGHT_SIDE)
    if has_light_ink(coarse):
        grey, coarse = 1 - grey, 1 - coarse
    # Closing paints over what is dark and narrow, and keeps every edge of what is wide. All
    # is dark outside, so that a table or a shadow in a corner is wide however little is seen.
    stroke = 1 + 2 * round(WIDEST_STROKE * min(coarse.shape) / 2)
    paper = ndimage.grey_closing(np.pad(coarse, stroke), size=(stroke, stroke))
    paper = paper[stroke:-stroke, stroke:-stroke]
    # A pixel on the edge of a shadow is half light; it belongs to the shadow.
    paper = ndimage.minimum_filter(paper, 3)
    size = (grey.shape[1], grey.shape[0])
    light = np.asarray(Image.fromarray(paper).resize(size, Image.Resampling.BILINEAR))
    darkest = max(DARKEST_PAPER * float(light.max()), 1e-3)
    ink = (light - grey) / np.maximum(light, darkest)
    # Closing prefers the lightest grains of the paper; the median pixel is paper too.
    ink = np.where(light < darkest, 0, ink - middle_value(ink))
    return np.asarray(ink, np.float32), light


def has_light_ink(grey: np.ndarray) -> bool:
    """Whether what stands out from its surroundings is lighter than they, not darker."""
    small = resize(grey, 48)
    around = ndimage.median_filter(small, size=1 + max(small.shape) // 3)
    size = (grey.shape[1], grey.shape[0])
    around = np.asarray(Image.fromarray(around).resize(size, Image.Resampling.BILINEAR))
    return float(((grey - around) ** 3).sum()) > 0


def middle_value(values: np.ndarray) -> float:
    """The median; one value of nine is enough to know it by."""
    return float(np.median(values[::3, ::3]))


def grain(ink: np.ndarray) -> float:
    """The standard deviation of the paper's values; ink is too rare to change it."""
    return 1.4826 * middle_value(np.abs(ink))


def remove_rules(ink: np.ndarray) -> np.ndarray:
    """The same ink without long thin lines across the picture, level or upright."""
    return remove_level_rules(remove_level_rules(ink).T.copy()).T


def remove_level_rules(ink: np.ndarray) -> np.ndarray:
    """The same ink without long thin lines from left to right, tilted or bent a little."""
    height, width = ink.shape
    # Rules are pale: averaged along them they stand out from the grain, in fewer columns.
    step = max(1, width // LIGHT_SIDE)
    along = ink[:, : width - width % step].reshape(height, -1, step).mean(axis=2)
    across = along.shape[1]
    along = ndimage.uniform_filter1d(along, 1 + across // 64, axis=1)
    # And they are thin: what is higher than the thickest, digits and upright rules, is none.
    along -= opening(along, int(width * RULE_LENGTH / RULE_SLENDERNESS) + 1, axis=0)
    along -= middle_value(along)
    thin = (along > max(LEAST_CONTRAST / 2, RULE_DEVIATIONS * grain(along))).view(np.uint8)
    # A tilted rule is a staircase of runs; a pixel more above and below makes them overlap.
    runs = opening(ndimage.maximum_filter1d(thin, 3, axis=0), 3 + across // 25, axis=1)
    # Digits hide the rule beneath them, and do not end it.
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
    """What is high along an axis for at least this length; the rest is pressed down."""
    shorter = ndimage.minimum_filter1d(values, length, axis=axis)
    # Of an even length the two middles lie on different sides.
    longer = ndimage.maximum_filter1d(shorter, length, axis=axis, origin=-1 + length % 2)
    return np.asarray(longer)


def follow(rule: np.ndarray) -> np.polynomial.Polynomial:
    """The height of a rule's middle in each column, from bool (h, w).

    A parabola through its pixels, for paper bends; bars of digits that touch the rule are
    left aside.
    """
    rows, columns = np.nonzero(rule)
    keep = np.ones(len(rows), bool)
    for tolerance in (8, 4, 2):
        curve = np.polynomial.Polynomial.fit(columns[keep], rows[keep], 2)
        near = np.abs(rows - curve(columns)) <= tolerance
        # Without half its pixels it would no longer be the same line.
        if near.sum() > len(rows) / 2:
            keep = near
    return curve


def erase(ink: np.ndarray, middle: np.ndarray, left: int, reach: float) -> None:
    """Take a rule out of the ink, in place; strokes that cross it stay.

    Args:
        middle: float (w,), the height of the rule's middle from column ``left`` on.
        reach: how far above and below its middle the rule is ink.
    """
    around = 3 * reach
    top = max(0, int(middle.min() - around))
    strip = ink[top : int(middle.max() + around) + 1, left : left + len(middle)]
    distance = np.abs(np.arange(top, top + len(strip))[:, None] - middle)
    core = distance <= 1
    if not core.any():
        return
    # A pen darker than the rule shows through it.
    level = np.median(np.where(core, strip, 0).max(axis=0))
    rule = (distance <= reach) & (strip < 1.5 * level)
    without = np.where(distance <= reach, np.float32(0), strip)
    # And what is ink above and below the rule was ink in between.
    size = int(2 * reach) + 3
    crossing = ndimage.grey_closing(without, size=(size, size))
    strip[rule] = np.minimum(strip, crossing)[rule]
