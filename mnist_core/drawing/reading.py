"""read_figures: any picture -> its digits, by whichever reading of it a network is surer of.

Two readings compete: the figures found, and the whole picture as one figure. A faint or dashed
digit breaks into pieces. They may look like digits themselves, but less so than the whole.
"""

import functools

import numpy as np

from mnist_core.classifier import Classifier
from mnist_core.drawing.paper import shrink
from mnist_core.drawing.photo import Figure, find_figures, find_figures_in_drawing_file
from mnist_core.drawing.recipe import NOISE_FLOOR, find_ink, to_mnist
from mnist_core.errors import EmptyDrawing

# A page holds twenty lines of ten digits. Each figure takes time on every run of the page.
MOST_FIGURES = 200
# A broken digit has at most so many pieces, each at most this share of it high, because digits in
# a row are as high as the row. Lines of digits are more than this share of their height apart.
MOST_PIECES, TALLEST_PIECE, WIDEST_GAP = 8, 0.8, 0.25
# A digit is at most so many times as high as wide, unless it is a 1, and as wide as high. What is
# longer is a column or a row of digits.
HIGHEST, WIDEST = 3.0, 1.5


def read_figures(picture: np.ndarray) -> tuple[list[Figure], str]:
    """The digits in any picture, whether a photograph, a scan or a drawing.

    Args:
        picture: grey (h, w), RGB (h, w, 3) or RGBA (h, w, 4); uint8 0 to 255, or float
            0 to 1. Dark ink on light paper or light on dark.

    Returns:
        The figures in reading order, lines from top to bottom, within a line from left to
        right: at most 200, the largest. And a sentence if there were more, else "".

    Raises:
        EmptyDrawing: nothing in it can be a digit.
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
    if whole := as_one(picture, figures):
        try:
            if confidence([whole]) > confidence(figures):
                return [whole], ""
        except EmptyDrawing:
            # One of the readings holds nothing but specks.
            return figures, ""
    return largest(figures)


def confidence(figures: list[Figure]) -> float:
    """The probability, 0 to 1, that the best built-in network reads all of them correctly.

    The same network whichever one is asked for the answer, so that all are given the same
    figures. Its probabilities are calibrated.
    """
    images = np.stack([to_mnist(figure.ink) for figure in figures])
    return float(judge().predict_proba(images).max(axis=1).prod())


judge = functools.cache(Classifier.bundled)


def as_one(picture: np.ndarray, figures: list[Figure]) -> Figure | None:
    """The whole picture as one figure; None if these are no pieces of one digit."""
    if len(figures) > MOST_PIECES:
        return None
    grey = shrink(picture)
    rows, columns = np.nonzero(find_ink(grey) > NOISE_FLOOR)
    down, across = np.divide(np.shape(picture)[:2], grey.shape)
    top, bottom = down * rows.min(), down * (rows.max() + 1)
    left, right = across * columns.min(), across * (columns.max() + 1)
    height, width = bottom - top, right - left
    # Tops and bottoms of the figures, each from the top of the picture on.
    tops, bottoms = np.sort([(f.box[0], f.box[2]) for f in figures], axis=0).T
    gaps = tops[1:] - np.maximum.accumulate(bottoms)[:-1]
    tallest = max(figure.box[2] - figure.box[0] for figure in figures)
    if (
        tallest > TALLEST_PIECE * height
        or gaps.max(initial=0) > WIDEST_GAP * height
        or not height / HIGHEST <= width <= WIDEST * height
    ):
        return None
    return Figure(np.asarray(picture), (round(top), round(left), round(bottom), round(right)))


def largest(figures: list[Figure]) -> tuple[list[Figure], str]:
    """As ``read_figures`` returns them."""
    if len(figures) <= MOST_FIGURES:
        return figures, ""
    note = (
        f"Only the {MOST_FIGURES} largest of the {len(figures)} figures in the picture were read; "
        "send the picture in parts to read all of them."
    )

    def area(place: int) -> int:
        top, left, bottom, right = figures[place].box
        return (bottom - top) * (right - left)

    chosen = sorted(range(len(figures)), key=area, reverse=True)[:MOST_FIGURES]
    return [figures[place] for place in sorted(chosen)], note
