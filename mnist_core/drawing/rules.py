"""Ruled lines, printed boxes and the lines of a grid, which are removed from under the digits.

A straight stroke of a thin digit is as long, as level and as slender as a ruled line. What it
does not do is go on to the picture's edge, end at other lines at both ends, as the sides of a box
do, or repeat itself. Shares "of the picture" are of the side along the line.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from mnist_core.drawing.paper import LIGHT_SIDE, grain, middle_value
from mnist_core.drawing.recipe import LEAST_CONTRAST

# A low threshold, because rules are long and grain seldom forms a line.
RULE_DEVIATIONS = 3.0
# A rule crosses at least this share of the picture, and has ink in at least this share of its
# length. The sides of a box printed around one digit are up to a twentieth of the picture thick.
# Lines are sought twice, because among thick ones more strokes of digits are in the way.
RULE_LENGTH, RULE_INK, THICKNESSES = 0.5, 0.5, (1 / 20, 1 / 80)
# So many parallel lines, all about equally thick, are ruled paper, even if they end where the
# paper does. No digit has more than three level strokes.
REPEATED = 4
# What is written in a box has at least this share of its ink.
PALEST_WRITING = 0.25
# An end is at the picture's edge, or at another line, if it is no farther off than this share,
# or goes on beyond it by no more, as at the corners of a grid.
EDGE, NEAR = 0.01, 0.08


@dataclass(frozen=True)
class Line:
    """A long thin line from left to right, slightly tilted or bent.

    Attributes:
        left, right: its first column, and the one after its last.
        start: the column ``middle`` starts at, a little farther left.
        middle: float (w,), the height of its middle in each column; reaches a little farther
            to the right as well, where the line fades.
        thickness: in pixels.
    """

    left: int
    right: int
    start: int
    middle: np.ndarray
    thickness: float

    def at(self, column: float) -> float:
        """The height of its middle in a column, or at its nearer end."""
        place = min(max(round(column) - self.start, 0), len(self.middle) - 1)
        return float(self.middle[place])


def remove_rules(ink: np.ndarray) -> np.ndarray:
    """The same ink without ruled lines, boxes and grids, level or upright."""
    level, upright = choose_rules(find_lines(ink), find_lines(ink.T.copy()), ink.shape)
    cleaned = erase_all(erase_all(ink, level).T.copy(), upright).T
    # A 0 of four straight strokes is a box with nothing in it.
    if len(level) == len(upright) == 2 and is_empty(cleaned, level, upright, float(ink.max())):
        return ink
    return cleaned


def is_empty(ink: np.ndarray, level: list[Line], upright: list[Line], most: float) -> bool:
    """Whether nothing is written in a box of these sides.

    Args:
        ink: float32 (h, w), without the box.
        most: what the darkest ink was, that of the box included.
    """
    spans = []
    for sides in (level, upright):
        first, last = sorted(float(line.middle.mean()) for line in sides)
        reach = 2 * max(line.thickness for line in sides)
        spans.append(slice(round(first + reach), max(round(last - reach), 0)))
    inside = ink[spans[0], spans[1]]
    return float(inside.max(initial=0)) < PALEST_WRITING * most


def choose_rules(
    level: list[Line], upright: list[Line], shape: Sequence[int]
) -> tuple[list[Line], list[Line]]:
    """The lines that are no strokes.

    Args:
        level, upright: lines in a picture, and those of the picture transposed.
        shape: the picture's height and width.
    """
    height, width = shape
    while True:
        rules = (
            [line for line in level if is_rule(line, level, upright, (height, width))],
            [line for line in upright if is_rule(line, upright, level, (width, height))],
        )
        # Without a side that turned out to be a stroke, the others are no box either.
        if len(rules[0]) == len(level) and len(rules[1]) == len(upright):
            return rules
        level, upright = rules


def is_rule(line: Line, parallel: list[Line], crossing: list[Line], shape: Sequence[int]) -> bool:
    """Whether it is one of many, or both of its ends are at an edge or at a line across.

    Args:
        parallel: all lines of its direction, itself included.
        crossing: lines of the other direction, transposed.
        shape: the picture's height and width; the line goes from left to right.
    """
    alike = [other for other in parallel if 1 / 2 <= other.thickness / line.thickness <= 2]
    if len(alike) >= REPEATED:
        return True
    height, width = shape
    edge, near = EDGE * width + 1, NEAR * width + line.thickness

    def ends(column: int) -> bool:
        row = line.at(column)
        if min(column, width - column, row, height - row) <= edge:
            return True
        # At a corner the other line ends as well: a 1 between two rules is no side of a box.
        return any(
            abs(other.at(row) - column) <= near
            and min(abs(other.left - row), abs(other.right - row)) <= near
            for other in crossing
        )

    return ends(line.left) and ends(line.right)


def find_lines(ink: np.ndarray) -> list[Line]:
    """Lines from left to right, be they rules or strokes."""
    lines: list[Line] = []
    for thickest in THICKNESSES:
        for line in find_lines_up_to(thickest, ink):
            if not any(same(line, other) for other in lines):
                lines.append(line)
    return lines


def same(one: Line, other: Line) -> bool:
    """Whether two lines from left to right are the same."""
    column = (one.left + one.right) / 2
    return abs(one.at(column) - other.at(column)) <= 2 + (one.thickness + other.thickness) / 2


def find_lines_up_to(thickest: float, ink: np.ndarray) -> list[Line]:
    """Lines at most this share of the picture's width thick, and shorter ones less."""
    width = ink.shape[1]
    # Rules are pale: averaging along them, into fewer columns, lifts them out of the grain.
    step = max(1, width // LIGHT_SIDE)
    along = ink[:, : width - width % step].reshape(len(ink), -1, step).mean(axis=2)
    across = along.shape[1]
    along = ndimage.uniform_filter1d(along, 1 + across // 64, axis=1)
    # Anything taller than the thickest rule is a digit or a vertical rule.
    along -= opening(along, int(width * thickest) + 1, axis=0)
    along -= middle_value(along)
    thin = (along > max(LEAST_CONTRAST / 2, RULE_DEVIATIONS * grain(along))).view(np.uint8)
    # A tilted rule is a staircase of runs; one pixel more above and below makes them overlap.
    runs = opening(ndimage.maximum_filter1d(thin, 3, axis=0), 3 + across // 25, axis=1)
    # Digits interrupt the rule beneath them.
    joined = ndimage.maximum_filter(runs, (5, 1 + across // 12))
    labels, _ = ndimage.label(joined)
    lines = []
    for label, (rows, columns) in enumerate(ndimage.find_objects(labels), 1):
        length = columns.stop - columns.start
        if length < RULE_LENGTH * across:
            continue
        rule = ((labels[rows, columns] == label) & (runs & thin)[rows, columns]).astype(bool)
        thickness = rule.sum(axis=0)
        inked = np.flatnonzero(thickness)
        if len(inked) < RULE_INK * length:
            continue
        usual = float(np.median(thickness[inked]))
        if usual * RULE_LENGTH > thickest * length * step:
            continue
        curve = follow(rule & (thickness <= usual + 1))
        heights = np.arange(len(rule))[:, None] - curve(np.arange(length))
        straight = (rule & (np.abs(heights) <= usual / 2 + 1)).any(axis=0).mean()
        if straight < RULE_INK:
            continue
        middle = rows.start + curve((np.arange(length * step) + 0.5) / step - 0.5)
        first, last = columns.start + inked[[0, -1]]
        lines.append(
            Line(int(first) * step, int(last + 1) * step, columns.start * step, middle, usual)
        )
    return lines


def erase_all(ink: np.ndarray, lines: list[Line]) -> np.ndarray:
    """The same ink without these lines; a copy."""
    cleaned = ink.copy()
    for line in lines:
        erase(cleaned, line.middle, line.start, line.thickness / 2 + 1)
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
