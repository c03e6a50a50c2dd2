"""find_figures: a picture of one or many digits -> each digit by itself.

A drawing has one paper, one ink and usually one digit; its strokes only have to be grouped. A
photograph has uneven light, ruled paper, a table around it, dust, and often many digits. All of
that is removed step by step, and what is left of each digit is ink on clean paper: a picture like
a drawing, which ``drawing.to_mnist`` prepares like any other.

Shares "of the picture" are of its longer side. The numbers were tuned on some 4,000 synthetic
photographs: pen strokes and MNIST's digits, with shadows, ruled lines, noise and JPEG compression.
"""

import functools
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from mnist_core.drawing.paper import LONGEST_SIDE, flatten_light, grain, shrink
from mnist_core.drawing.pieces import (
    REACH_IN_DRAWING,
    Piece,
    all_pieces,
    group,
    in_reading_order,
    is_dot,
    join,
    touched_edges,
)
from mnist_core.drawing.recipe import LEAST_CONTRAST, NOISE_FLOOR, find_ink
from mnist_core.drawing.rules import remove_rules
from mnist_core.errors import EmptyDrawing

# The grain of paper stays below this many standard deviations; ink exceeds it.
NOISE_DEVIATIONS = 5.0
# Paler than this share of a stroke's darkest ink is its blurred edge or a JPEG artefact.
EDGE = 0.4
# Paler than this share of the darkest ink on the sheet shows through from the back, or is uneven
# light. Pencil next to a felt pen has a third.
PALEST = 0.2
# A figure that fills more of its box is a blot. An ellipse fills 0.79; of MNIST's digits one in
# a thousand fills more than 0.68, none more than 0.71.
FULLEST = 0.72
# A fragment of a digit, where the pen skipped, is at least this share of the picture long.
LEAST_PIECE = 0.006
# Printed pages have thousands of pieces, and each is compared with each.
MOST_PIECES = 600
# A piece that touches the picture's edge and is this slender is the edge of a table or the end
# of a ruled line.
EDGE_SLENDERNESS = 15
# The three pixels around a figure have at most this share of its ink: pencil, blurred and noisy,
# has 0.28 or less, a shadow 0.41 or more.
SOFTEST = 0.35
# A digit that fills its picture is at least this share of it long. In such a small picture edges
# are softer, with at most this share of its ink, and count, so the digit fills more of its box.
LARGE, SOFTEST_LARGE, FULLEST_LARGE = 0.7, 0.6, 0.85
# In a picture from a paint program at least this share of the pixels has the paper's exact grey.
LEAST_EVEN_PAPER = 0.5

NO_DIGIT = "There is no digit here: write one larger, or with a darker pen."
ONLY_DOTS = "That is a dot, not a digit: draw a digit, large or small, anywhere."


@dataclass(frozen=True)
class Figure:
    """One figure found on a sheet.

    Attributes:
        ink: float32 (h, w), 0 paper to 1 ink, of this figure alone, with a margin of paper
            on all sides. At most 1,000 pixels a side, whatever the size of the picture.
            Where a drawing holds one digit, this is the drawing itself, with its paper.
        box: top, left, bottom, right of the ink in the picture's pixels; bottom and right
            are exclusive.
    """

    ink: np.ndarray
    box: tuple[int, int, int, int]


def find_drawn_figures(picture: np.ndarray) -> list[Figure]:
    """The digits of a drawing, which has one paper and one ink, in reading order.

    Several strokes may make one digit. Dots next to a digit are left out, and where there are
    several digits, so is anything without the shape of one.

    Args:
        picture: as for ``find_figures``.

    Raises:
        EmptyDrawing: there is no ink, or nothing but dots.
        ValueError: the array has another shape.
    """
    grey = shrink(picture)
    ink = find_ink(grey)
    labels, pieces, dots = find_strokes(ink)
    # A dot next to other strokes may be part of their digit.
    grouped = group(pieces, max(ink.shape), REACH_IN_DRAWING)
    figures = [figure for figure in grouped if not dots.issuperset(figure.labels)]
    if len(figures) > 1:
        return cut_out_all(figures, ink, labels, np.shape(picture))
    # A single digit, or nothing that looks like one: unchanged, for every step of the recipe.
    drawn = np.asarray(picture)
    part_of_digit = {label for figure in figures for label in figure.labels}
    strays = dots - part_of_digit
    if strays:
        paper = np.median(grey[labels == 0])
        stray = np.isin(labels, list(strays))
        drawn = np.where(ndimage.maximum_filter(stray, 3), paper, grey)
    whole = functools.reduce(join, (piece for piece in pieces if piece.labels[0] not in strays))
    return [Figure(drawn, box_of(whole, ink.shape, np.shape(picture)))]


def find_strokes(ink: np.ndarray) -> tuple[np.ndarray, list[Piece], set[int]]:
    """The pieces of a drawing.

    Returns:
        labels: int32 (h, w), 0 for paper, else the number of a piece.
        pieces: the largest of them, longest first.
        dots: the labels of those that are dots.

    Raises:
        EmptyDrawing: all of them are dots.
    """
    labels, _ = ndimage.label(ink > NOISE_FLOOR, np.ones((3, 3)))
    pieces = all_pieces(labels)[:MOST_PIECES]
    dots = {piece.labels[0] for piece in pieces if is_dot(piece, labels)}
    if len(dots) == len(pieces):
        raise EmptyDrawing(ONLY_DOTS)
    return labels, pieces, dots


def find_figures_in_drawing_file(picture: np.ndarray) -> list[Figure]:
    """The digits in a picture from a paint program, or the one that fills a small picture.

    Arguments, result and errors are those of ``find_figures``.
    """
    grey = shrink(picture)
    ink = remove_rules(find_ink(grey))
    labels, pieces, dots = find_strokes(ink)
    # Shadows and table edges stand out too, but they are not as sharp as drawn lines.
    if soft_edges(ink, (ink > 0.5).astype(np.int32))[-1] >= SOFTEST_LARGE:
        raise EmptyDrawing(NO_DIGIT)
    figures = [
        figure
        for figure in group(pieces, max(ink.shape), REACH_IN_DRAWING)
        if not dots.issuperset(figure.labels)
        and touched_edges(figure, ink.shape) <= 2
        and not is_blot(figure, int(np.isin(labels, figure.labels).sum()), FULLEST_LARGE)
    ]
    even = (np.abs(grey - np.median(grey)) < 1 / 255).mean() > LEAST_EVEN_PAPER
    large = len(figures) == 1 and figures[0].length >= LARGE * max(ink.shape)
    if not figures or not (even or large):
        raise EmptyDrawing(NO_DIGIT)
    if len(figures) > 1:
        return cut_out_all(figures, ink, labels, np.shape(picture))
    return [Figure(np.asarray(picture), box_of(figures[0], ink.shape, np.shape(picture)))]


def find_figures(picture: np.ndarray) -> list[Figure]:
    """The digits on a photograph or scan of paper, in reading order.

    Args:
        picture: grey (h, w), RGB (h, w, 3) or RGBA (h, w, 4); uint8 0 to 255, or float
            0 to 1. Dark ink on light paper or light on dark.

    Raises:
        EmptyDrawing: nothing in it can be a digit.
        ValueError: the array has another shape.
    """
    ink, light = flatten_light(shrink(picture))
    ink = remove_rules(ink)
    labels, pieces = find_pieces(ink, light)
    figures = group(pieces, max(ink.shape))
    if not figures:
        raise EmptyDrawing(NO_DIGIT)
    return cut_out_all(figures, ink, labels, np.shape(picture))


def find_pieces(ink: np.ndarray, light: np.ndarray) -> tuple[np.ndarray, list[Piece]]:
    """Connected pieces of ink.

    Args:
        ink, light: float32 (h, w), as ``flatten_light`` returns them.

    Returns:
        labels: int32 (h, w), 0 for paper, else the number of a piece.
        pieces: those that may be a digit or part of one, longest first.
    """
    longest = max(ink.shape)
    smooth = ndimage.gaussian_filter(ink, longest / 1000)
    # A camera's noise is as strong in shadow, where everything else is weaker.
    missing = smooth * light
    dark = (smooth > LEAST_CONTRAST) & (missing > NOISE_DEVIATIONS * grain(missing))
    labels, count = ndimage.label(dark, np.ones((3, 3)))
    # Each piece is measured by its own ink, or pencil would count as a felt pen's shadow.
    darkest = np.zeros(count + 1, np.float32)
    np.maximum.at(darkest, labels[dark], smooth[dark])
    pale = darkest < PALEST * darkest.max()
    dark &= ~pale[labels] & (smooth > EDGE * darkest[labels])
    # A pencil skips over the grain of the paper: gaps of two pixels are closed.
    bridge = 3 if longest >= LONGEST_SIDE // 2 else 1
    bridged = ndimage.maximum_filter(dark.view(np.uint8), bridge)
    labels, _ = ndimage.label(bridged, np.ones((3, 3)))
    labels *= dark
    areas, softness = np.bincount(labels.ravel()), soft_edges(ink, labels)

    def may_be_drawn(piece: Piece) -> bool:
        area = int(areas[piece.labels[0]])
        slender = area * EDGE_SLENDERNESS < piece.length**2
        if slender and touched_edges(piece, ink.shape):
            return False
        return softness[piece.labels[0]] < SOFTEST and not is_blot(piece, area, FULLEST)

    pieces = [piece for piece in all_pieces(labels) if piece.length >= LEAST_PIECE * longest]
    return labels, list(filter(may_be_drawn, pieces[:MOST_PIECES]))


def soft_edges(ink: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """For each label, the ink in the three pixels around it relative to its own, float (n,).

    Ink ends abruptly, a shadow gradually.
    """
    around = np.where(labels == 0, ndimage.maximum_filter(labels, 7), 0)
    count = int(labels.max()) + 1
    outer, inner = (
        np.bincount(places.ravel(), weights=ink.ravel(), minlength=count)
        / np.maximum(np.bincount(places.ravel(), minlength=count), 1)
        for places in (around, labels)
    )
    return np.asarray(outer / np.maximum(inner, 1e-6))


def is_blot(piece: Piece, area: int, fullest: float) -> bool:
    """Whether it is no stroke and fills more than this share of its box.

    Args:
        area: its pixels.
    """
    stroke = piece.length > 2 * min(piece.height, piece.width)
    return not stroke and area > fullest * piece.height * piece.width


def cut_out_all(
    figures: list[Piece], ink: np.ndarray, labels: np.ndarray, full: tuple[int, ...]
) -> list[Figure]:
    """Each figure by itself, in reading order.

    Args:
        full: shape of the picture that ``ink`` was shrunk from.
    """
    return [
        Figure(cut_out(ink, labels, figure), box_of(figure, ink.shape, full))
        for figure in in_reading_order(figures)
    ]


def box_of(
    piece: Piece, shape: tuple[int, ...], full: tuple[int, ...]
) -> tuple[int, int, int, int]:
    """The ``Figure.box`` of a piece, from the shapes of the shrunk and of the full picture."""
    down, across = full[0] / shape[0], full[1] / shape[1]
    return (
        round(piece.top * down),
        round(piece.left * across),
        round(piece.bottom * down),
        round(piece.right * across),
    )


def cut_out(ink: np.ndarray, labels: np.ndarray, figure: Piece) -> np.ndarray:
    """float32 (h, w): this figure's ink alone, with a margin of paper.

    Its edges stay soft, because at 20 pixels they carry much of its shape.
    """
    # One pixel more on all sides: the palest part of its edge lies outside its box.
    place = (
        slice(max(0, figure.top - 1), figure.bottom + 1),
        slice(max(0, figure.left - 1), figure.right + 1),
    )
    own = np.isin(labels[place], figure.labels)
    full = float(np.percentile(ink[place][own], 75))
    near = ndimage.maximum_filter(own.view(np.uint8), 3).view(bool)
    near &= own | (labels[place] == 0)
    alone = np.where(near, np.clip(ink[place] / full, 0, 1), np.float32(0))
    return np.pad(alone, 2 + figure.length // 20)
