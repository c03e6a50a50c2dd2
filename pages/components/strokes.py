"""Strokes of a pen on the sheet: as the canvas describes them, checked, and as a picture."""

from collections.abc import Sequence
from itertools import groupby
from typing import Any

import numpy as np
from PIL import Image

from mnist_core.drawing import synthetic

# The sheet has this many pixels a side, however large canvas.js makes it on the screen.
SIDE = 320
# The medium one is about a fifteenth of a digit that fills the sheet, as in MNIST.
PENS = {"Fine": 8, "Medium": 18, "Broad": 30}
INK, PAPER = "#101820", "#FFFFFF"
# Of all strokes together, each of which is a width and two numbers for every point: twice as many
# as sixty wild strokes have.
MOST_NUMBERS = 60_000
# Our own picture of the sheet is drawn this many times as large and then shrunk, for smooth edges.
OVERSAMPLING = 3

# The width of the pen, then x and y of each point, in pixels of the sheet.
Stroke = tuple[float, ...]


def from_canvas(drawn: Any) -> list[list[float]]:
    """The strokes of a canvas: the points at the ends and in the middle of their curves."""
    strokes = []
    for shape in drawn["objects"]:
        stroke = [shape["strokeWidth"]]
        for command, *numbers in shape["path"]:
            end = numbers[-2:]
            if command == "Q":
                # A quadratic Bézier curve, halfway.
                (x, y), (control_x, control_y) = stroke[-2:], numbers[:2]
                stroke += [(x + 2 * control_x + end[0]) / 4, (y + 2 * control_y + end[1]) / 4]
            stroke += end
        strokes.append(stroke)
    return strokes


def checked(strokes: Any) -> tuple[Stroke, ...]:
    """The strokes that a browser sent.

    Raises:
        TypeError: they are no lists of numbers.
        ValueError: they are not from our sheet.
    """
    if not isinstance(strokes, list) or sum(len(stroke) for stroke in strokes) > MOST_NUMBERS:
        raise ValueError("no strokes, or too many")
    for stroke in strokes:
        width, *places = stroke
        if width not in PENS.values() or len(places) < 2 or len(places) % 2:
            raise ValueError("no stroke of our pens")
        # A pen may leave the sheet. Compared like this, NaN is refused too.
        if not all(type(place) in (int, float) and abs(place) <= 10 * SIDE for place in places):
            raise ValueError("a point that is nowhere near the sheet")
    return tuple((width, *(round(place, 1) for place in places)) for width, *places in strokes)


def to_canvas(strokes: Sequence[Stroke]) -> dict[str, Any] | None:
    """The strokes as the canvas takes them to start with."""
    if not strokes:
        return None
    pen = {"type": "Path", "stroke": INK, "fill": None}
    pen |= {"strokeLineCap": "round", "strokeLineJoin": "round"}
    objects = [
        {
            **pen,
            "strokeWidth": width,
            "path": [
                ["L" if place else "M", *places[place : place + 2]]
                for place in range(0, len(places), 2)
            ],
        }
        for width, *places in strokes
    ]
    return {"objects": objects, "background": PAPER}


def picture_of(strokes: Sequence[Stroke]) -> np.ndarray:
    """The sheet with these strokes, uint8 (SIDE, SIDE), dark on white."""
    ink = np.zeros((SIDE * OVERSAMPLING,) * 2, np.uint8)
    for width, group in groupby(strokes, key=lambda stroke: stroke[0]):
        lines = [OVERSAMPLING * np.array(stroke[1:]).reshape(-1, 2) for stroke in group]
        drawn = synthetic.draw_lines(lines, width * OVERSAMPLING, SIDE * OVERSAMPLING)
        ink = np.maximum(ink, drawn)
    small = Image.fromarray(255 - ink).resize((SIDE, SIDE), Image.Resampling.BOX)
    return np.asarray(small)
