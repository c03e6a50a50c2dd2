"""read_figures: a picture of one or many digits -> each digit by itself.

A drawing has one digit, one paper and one ink. A photograph has light that falls from one
side, paper with rules on it, a table around it, dust, and often more than one digit. All of
that is taken away here, step by step, and what is left of each figure is ink on clean paper:
a picture like a drawing, for drawing.to_mnist to prepare as any other. The strokes of a drawing
only have to be grouped into digits.

Shares "of the picture" are of its longer side. The numbers were chosen on some 4,000 made-up
photographs: pen strokes and MNIST's digits, with shadows, rules, noise and JPEG compression.
"""

import functools
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from mnist_core.drawing.paper import LONGEST_SIDE, flatten_light, grain, remove_rules, shrink
from mnist_core.drawing.recipe import LEAST_CONTRAST, NOISE_FLOOR, find_ink
from mnist_core.errors import EmptyDrawing

# A page holds twenty lines of ten digits. Every figure takes time whenever the page is made.
MOST_FIGURES = 200
# Paper is grainy by this many standard deviations at most; ink differs from it by more.
NOISE_DEVIATIONS = 5.0
# Paler than this share of a stroke's darkest ink is its blurred edge or the halo of JPEG.
EDGE = 0.4
# Paler than this share of the darkest ink on the sheet is what shows through from its back, or
# a dent in the light. A pencil beside a felt pen has a third.
PALEST = 0.2
# A digit has at least this share of the picture and of the largest digit beside it.
LEAST_HEIGHT, LEAST_SHARE = 0.015, 0.3
# A figure that fills more of its box is a blot. An ellipse has 0.79; of MNIST's digits one
# in a thousand has more than 0.68, none more than 0.71.
FULLEST = 0.72
# A bit of a digit, where the pen skipped, has at least this share of the picture.
LEAST_PIECE = 0.006
# A page of print has thousands of pieces, and each is compared with each.
MOST_PIECES = 600
# What touches the picture's edge and is this slender is a table's edge or a rule's end.
EDGE_SLENDERNESS = 15
# The three pixels around a figure have at most this share of its ink: pencil, blurred and
# noisy, has 0.28 and less, a shadow 0.41 and more.
SOFTEST = 0.35
# A digit is at most this many times as wide as it is high; what is wider is a dash.
WIDEST_DIGIT = 2.5
# Strokes of one digit are at most this far apart, as a share of its height. In a drawing, where
# digits are few and large, more is right: an open 4 has its stem beside it.
REACH, REACH_OF_DRAWING = 0.05, 0.15
# For a dot the pen moves at most this share of its own width, or of the drawing, as a finger
# trembles. Of 11,986 digits that people drew, small ones with the broadest pens included, the
# one most like a dot has 0.29 of its pen's width.
LONGEST_DOT, TREMBLING = 0.25, 0.012
# A digit that fills its picture has at least this share of it. In so small a picture its edges
# are softer, with at most this share of its ink, and they count, so that it fills more of its box.
LARGE, SOFTEST_LARGE, FULLEST_LARGE = 0.7, 0.6, 0.85
# Of a picture from a paint program at least this share has exactly the paper's grey.
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
            are the first without ink.
    """

    ink: np.ndarray
    box: tuple[int, int, int, int]


@dataclass(frozen=True)
class Piece:
    """Ink that hangs together: where it is, and which of the labels are its own."""

    top: int
    left: int
    bottom: int
    right: int
    labels: tuple[int, ...]

    @property
    def height(self) -> int:
        return self.bottom - self.top

    @property
    def width(self) -> int:
        return self.right - self.left

    @property
    def length(self) -> int:
        return max(self.height, self.width)


def read_figures(picture: np.ndarray) -> tuple[list[Figure], str]:
    """The digits in any picture, whether a photograph, a scan or a drawing.

    Args:
        picture: grey (h, w), RGB (h, w, 3) or RGBA (h, w, 4); uint8 0 to 255, or float
            0 to 1. Dark ink on light paper or light on dark.

    Returns:
        The figures in reading order, lines from top to bottom, within a line from left to
        right: at most 200, the largest. And one sentence if there were more, else "".

    Raises:
        EmptyDrawing: there is nothing that could be a digit.
        ValueError: the array has another shape.
    """
    try:
        figures = find_figures(picture)
    except EmptyDrawing as error:
        # What is too broad or too near the edge for a digit on paper may be a drawing of one.
        try:
            figures = find_figures_in_drawing_file(picture)
        except EmptyDrawing:
            raise error from None
    if len(figures) <= MOST_FIGURES:
        return figures, ""
    by_size = sorted(range(len(figures)), key=lambda place: -area(figures[place]))
    note = (
        f"Of the {len(figures)} figures in the picture only the {MOST_FIGURES} largest were read; "
        "send the picture in parts to read all."
    )
    return [figures[place] for place in sorted(by_size[:MOST_FIGURES])], note


def area(figure: Figure) -> int:
    """Of the figure's box, in the picture's pixels."""
    top, left, bottom, right = figure.box
    return (bottom - top) * (right - left)


def find_drawn_figures(picture: np.ndarray) -> list[Figure]:
    """The digits of a drawing, which has one paper and one ink.

    Several strokes may make one digit. Dots beside a digit are left out, and where there are
    several digits, so is what has no digit's shape.

    Args:
        picture: as for ``read_figures``.

    Returns:
        In reading order.

    Raises:
        EmptyDrawing: there is no ink, or nothing but dots.
        ValueError: the array has another shape.
    """
    grey = shrink(picture)
    ink = find_ink(grey)
    labels, pieces, dots = find_strokes(ink)
    figures = [
        # A dot beside other strokes may be a part of their digit.
        figure
        for figure in group(pieces, max(ink.shape), REACH_OF_DRAWING)
        if not dots.issuperset(figure.labels)
    ]
    if len(figures) > 1:
        return cut_out_all(figures, ink, labels, np.shape(picture))
    # A single digit, or what looks like none: as it came, for every step of the recipe.
    drawn = np.asarray(picture)
    kept = set(labels_of(pieces)) - dots | set(labels_of(figures))
    if len(kept) < len(pieces):
        strays = np.isin(labels, [label for label in dots if label not in kept])
        paper = np.median(grey[labels == 0])
        drawn = np.where(ndimage.maximum_filter(strays, 3), paper, grey)
    whole = functools.reduce(join, (piece for piece in pieces if piece.labels[0] in kept))
    return [Figure(drawn, box_of(whole, ink.shape, np.shape(picture)))]


def find_strokes(ink: np.ndarray) -> tuple[np.ndarray, list[Piece], set[int]]:
    """The pieces of a drawing.

    Returns:
        labels: int32 (h, w), 0 paper, else the number of a piece.
        pieces: the largest of them.
        dots: the labels of those that are dots.

    Raises:
        EmptyDrawing: all of them are.
    """
    labels, _ = ndimage.label(ink > NOISE_FLOOR, np.ones((3, 3)))
    pieces = sorted(all_pieces(labels), key=lambda piece: -piece.length)[:MOST_PIECES]
    dots = {piece.labels[0] for piece in pieces if is_dot(piece, labels)}
    if len(dots) == len(pieces):
        raise EmptyDrawing(ONLY_DOTS)
    return labels, pieces, dots


def labels_of(pieces: Iterable[Piece]) -> list[int]:
    return [label for piece in pieces for label in piece.labels]


def find_figures_in_drawing_file(picture: np.ndarray) -> list[Figure]:
    """The digits in a picture from a paint program, or the one that fills a small picture.

    Args:
        picture: as for ``read_figures``.

    Returns:
        In reading order.

    Raises:
        EmptyDrawing: there is none, such as on an empty sheet of paper.
        ValueError: the array has another shape.
    """
    grey = shrink(picture)
    ink = remove_rules(find_ink(grey))
    labels, pieces, dots = find_strokes(ink)
    # A shadow and the edge of a table stand out too.
    is_drawn_sharply = soft_edges(ink, (ink > 0.5).astype(np.int32))[-1] < SOFTEST_LARGE
    figures = [
        figure
        for figure in group(pieces, max(ink.shape), REACH_OF_DRAWING)
        if is_drawn_sharply
        and not dots.issuperset(figure.labels)
        and sum(at_edges(figure, ink.shape)) <= 2
        and is_no_blot(figure, int(np.isin(labels, figure.labels).sum()), FULLEST_LARGE)
    ]
    even = (np.abs(grey - np.median(grey)) < 1 / 255).mean() > LEAST_EVEN_PAPER
    large = len(figures) == 1 and figures[0].length >= LARGE * max(ink.shape)
    if not figures or not (even or large):
        raise EmptyDrawing(NO_DIGIT)
    if len(figures) > 1:
        return cut_out_all(figures, ink, labels, np.shape(picture))
    return [Figure(np.asarray(picture), box_of(figures[0], ink.shape, np.shape(picture)))]


def at_edges(piece: Piece, sheet: tuple[int, ...]) -> tuple[bool, bool, bool, bool]:
    """Whether it touches the picture's top, left, bottom and right edge.

    Args:
        sheet: height and width of the picture.
    """
    height, width = sheet[:2]
    return piece.top == 0, piece.left == 0, piece.bottom == height, piece.right == width


def is_dot(piece: Piece, labels: np.ndarray) -> bool:
    """Whether the pen was set down and hardly moved."""
    own = labels[piece.top : piece.bottom, piece.left : piece.right] == piece.labels[0]
    pen = 2 * float(ndimage.distance_transform_edt(np.pad(own, 1)).max()) - 1
    return bool(piece.length - pen <= max(LONGEST_DOT * pen, TREMBLING * max(labels.shape)))


def find_figures(picture: np.ndarray) -> list[Figure]:
    """The digits on a photograph or scan of paper.

    Args:
        picture: as for ``read_figures``.

    Returns:
        In reading order.

    Raises:
        EmptyDrawing: there is nothing that could be a digit.
        ValueError: the array has another shape.
    """
    grey = shrink(picture)
    ink, light = flatten_light(grey)
    ink = remove_rules(ink)
    labels, pieces = find_pieces(ink, light)
    figures = group(pieces, max(grey.shape))
    if not figures:
        raise EmptyDrawing(NO_DIGIT)
    return cut_out_all(figures, ink, labels, np.shape(picture))


def find_pieces(ink: np.ndarray, light: np.ndarray) -> tuple[np.ndarray, list[Piece]]:
    """What hangs together.

    Args:
        ink, light: float32 (h, w), as flatten_light gives them.

    Returns:
        labels: int32 (h, w), 0 paper, else the number of a piece.
        pieces: those of them that may be a digit or a part of one.
    """
    longest = max(ink.shape)
    smooth = ndimage.gaussian_filter(ink, longest / 1000)
    # A camera's noise is the same in the shadow, where all else is less.
    missing = smooth * light
    dark = (smooth > LEAST_CONTRAST) & (missing > NOISE_DEVIATIONS * grain(missing))
    labels, count = ndimage.label(dark, np.ones((3, 3)))
    # Each blot is measured by its own ink, or pencil beside a felt pen would be its shadow.
    darkest = np.zeros(count + 1, np.float32)
    np.maximum.at(darkest, labels[dark], smooth[dark])
    pale = darkest < PALEST * darkest.max()
    dark &= ~pale[labels] & (smooth > EDGE * darkest[labels])
    # A pencil skips over the grain of the paper: gaps of two pixels are none.
    bridge = 3 if longest >= LONGEST_SIDE // 2 else 1
    bridged = ndimage.maximum_filter(dark.view(np.uint8), bridge)
    labels, count = ndimage.label(bridged, np.ones((3, 3)))
    labels *= dark
    pieces = [piece for piece in all_pieces(labels) if piece.length >= LEAST_PIECE * longest]
    largest = sorted(pieces, key=lambda piece: -piece.length)[:MOST_PIECES]
    area, softness = np.bincount(labels.ravel()), soft_edges(ink, labels)
    return labels, [
        piece
        for piece in largest
        if is_drawn(piece, int(area[piece.labels[0]]), ink.shape)
        and softness[piece.labels[0]] < SOFTEST
    ]


def all_pieces(labels: np.ndarray) -> list[Piece]:
    """One for each of the labels, which are numbered from 1 on: int32 (h, w), 0 paper."""
    return [
        Piece(rows.start, columns.start, rows.stop, columns.stop, (label,))
        for label, (rows, columns) in enumerate(ndimage.find_objects(labels), 1)
    ]


def soft_edges(ink: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Of each label, how much ink the three pixels around it have beside its own, float (n,).

    Ink ends at once, a shadow little by little.
    """
    around = np.where(labels == 0, ndimage.maximum_filter(labels, 7), 0)
    count = int(labels.max()) + 1
    mean = [
        np.bincount(places.ravel(), weights=ink.ravel(), minlength=count)
        / np.maximum(np.bincount(places.ravel(), minlength=count), 1)
        for places in (around, labels)
    ]
    return np.asarray(mean[0] / np.maximum(mean[1], 1e-6))


def is_drawn(piece: Piece, area: int, sheet: tuple[int, ...]) -> bool:
    """Whether a pen may have left this, by its shape: no table, no blot.

    Args:
        area: its pixels.
        sheet: height and width of the picture.
    """
    # The edge of a table and the end of a rule run thinly into the picture's own edge.
    if any(at_edges(piece, sheet)) and area * EDGE_SLENDERNESS < piece.length**2:
        return False
    return is_no_blot(piece, area, FULLEST)


def is_no_blot(piece: Piece, area: int, fullest: float) -> bool:
    """Whether it is a stroke, or leaves enough of its box free.

    Args:
        area: its pixels.
        fullest: the largest share of its box that it may fill.
    """
    stroke = piece.length > 2 * min(piece.height, piece.width)
    return stroke or area <= fullest * piece.height * piece.width


def group(pieces: list[Piece], longest: int, reach: float = REACH) -> list[Piece]:
    """Pieces of one digit put together; what is no digit left out.

    Args:
        longest: the longer side of the picture.
        reach: as for ``belong_together``.
    """
    figures: list[Piece] = []
    for piece in sorted(pieces, key=lambda piece: -piece.length):
        owners = [figure for figure in figures if belong_together(figure, piece, reach)]
        if owners:
            owner = max(owners, key=lambda figure: overlap(figure, piece)[0])
            figures.remove(owner)
            piece = join(owner, piece)
        figures.append(piece)
    tallest = max((figure.height for figure in figures), default=0)
    least = max(LEAST_HEIGHT * longest, LEAST_SHARE * tallest)
    return [
        figure
        for figure in figures
        if figure.height >= least and figure.width <= WIDEST_DIGIT * figure.height
    ]


def belong_together(large: Piece, small: Piece, reach: float) -> bool:
    """Whether the smaller piece is another stroke of the digit that the larger one is of.

    Args:
        reach: how far apart they may be, as a share of the larger one's height.
    """
    across, down = overlap(large, small)
    # The stem of a 4 stands in its open top; the pen lifts off in the bend of a 5.
    if down > 0.2 * small.height and across > 0.5 * small.width:
        return True
    # The bar of a 5 lies above it, and is flat. A digit in the next line is as tall as this.
    flat = small.height < 0.4 * large.height
    if flat and across > 0.2 * small.width and -down < 0.25 * large.height:
        return True
    # Where the pen skipped, a bit lies close by; and the open top of a 4 ends high above the
    # foot of its stem. Digits of a row are further apart, or as large and on the same line.
    near = min(across, down) > -reach * large.height
    bit = small.length < 0.5 * large.height
    return near and (bit or abs(large.bottom - small.bottom) > 0.25 * large.height)


def overlap(one: Piece, other: Piece) -> tuple[int, int]:
    """How many columns and rows two pieces have in common; below 0, how far they are apart."""
    return (
        min(one.right, other.right) - max(one.left, other.left),
        min(one.bottom, other.bottom) - max(one.top, other.top),
    )


def join(one: Piece, other: Piece) -> Piece:
    return Piece(
        min(one.top, other.top),
        min(one.left, other.left),
        max(one.bottom, other.bottom),
        max(one.right, other.right),
        one.labels + other.labels,
    )


def in_reading_order(figures: list[Piece]) -> list[Piece]:
    """Line by line from the top, each from left to right."""
    lines: list[list[Piece]] = []
    for figure in sorted(figures, key=lambda figure: figure.top + figure.bottom):
        middle = (figure.top + figure.bottom) / 2
        # Those of one line reach over each other's middle, even where the line climbs.
        line = next((line for line in lines if any(f.top < middle < f.bottom for f in line)), None)
        if line is None:
            lines.append([figure])
        else:
            line.append(figure)
    return [figure for line in lines for figure in sorted(line, key=lambda figure: figure.left)]


def cut_out_all(
    figures: list[Piece], ink: np.ndarray, labels: np.ndarray, full: tuple[int, ...]
) -> list[Figure]:
    """Each figure by itself, in reading order.

    Args:
        full: height and width of the picture that ``ink`` was shrunk from.
    """
    return [
        Figure(cut_out(ink, labels, figure), box_of(figure, ink.shape, full))
        for figure in in_reading_order(figures)
    ]


def box_of(
    piece: Piece, shape: tuple[int, ...], full: tuple[int, ...]
) -> tuple[int, int, int, int]:
    """``Figure.box`` of a piece of the shrunk picture: both their heights and widths."""
    down, across = full[0] / shape[0], full[1] / shape[1]
    return (
        round(piece.top * down),
        round(piece.left * across),
        round(piece.bottom * down),
        round(piece.right * across),
    )


def cut_out(ink: np.ndarray, labels: np.ndarray, figure: Piece) -> np.ndarray:
    """float32 (h, w): this figure's ink alone, with a margin of paper.

    Its edges stay as soft as they were: they are what is left of its shape in 20 pixels.
    """
    # A pixel more on all sides: the palest of its edge lies outside its box.
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
