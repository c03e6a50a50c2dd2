"""Connected pieces of ink, and which of them belong to the same digit."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

# Pieces of one digit are at most this share of its height apart. Digits in a drawing are few
# and large, so more is allowed there: the stem of an open 4 stands apart.
REACH, REACH_IN_DRAWING = 0.05, 0.15
# A digit is at least this share of the picture's longer side, and of the tallest digit, high.
LEAST_HEIGHT, LEAST_SHARE = 0.015, 0.3
# Anything wider than this many times its height is a dash.
WIDEST_DIGIT = 2.5
# In a dot the pen moves by at most this share of its own width or of the drawing, because fingers
# tremble. The most dot-like of 11,986 drawn digits, small ones with the broadest pens included,
# has 0.29 of its pen's width.
LONGEST_DOT, TREMBLING = 0.25, 0.012


@dataclass(frozen=True)
class Piece:
    """A bounding box in pixels (bottom and right exclusive), and the labels of the ink in it."""

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


def all_pieces(labels: np.ndarray) -> list[Piece]:
    """One piece for each label, longest first; labels are int32 (h, w), 0 for paper."""
    pieces = [
        Piece(rows.start, columns.start, rows.stop, columns.stop, (label,))
        for label, (rows, columns) in enumerate(ndimage.find_objects(labels), 1)
    ]
    return sorted(pieces, key=lambda piece: -piece.length)


def touched_edges(piece: Piece, shape: tuple[int, ...]) -> int:
    """How many of the picture's four edges it touches."""
    height, width = shape
    return sum((piece.top == 0, piece.left == 0, piece.bottom == height, piece.right == width))


def is_dot(piece: Piece, labels: np.ndarray) -> bool:
    """Whether the pen was put down and hardly moved."""
    own = labels[piece.top : piece.bottom, piece.left : piece.right] == piece.labels[0]
    pen = 2 * float(ndimage.distance_transform_edt(np.pad(own, 1)).max()) - 1
    return bool(piece.length - pen <= max(LONGEST_DOT * pen, TREMBLING * max(labels.shape)))


def group(pieces: list[Piece], longest: int, reach: float = REACH) -> list[Piece]:
    """Join the pieces of each digit, and drop what is too small or too wide for one.

    Args:
        pieces: longest first.
        longest: the longer side of the picture.
        reach: as for ``belong_together``.
    """
    figures: list[Piece] = []
    for piece in pieces:
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
    """Whether the smaller piece is another stroke of the larger one's digit.

    Args:
        reach: how far apart they may be, as a share of the larger one's height.
    """
    across, down = overlap(large, small)
    # The stem of a 4 stands in its open top; the pen is lifted in the bend of a 5.
    if down > 0.2 * small.height and across > 0.5 * small.width:
        return True
    # The bar of a 5 lies above it, and is flat. A digit in the next line would be as tall.
    flat = small.height < 0.4 * large.height
    if flat and across > 0.2 * small.width and -down < 0.25 * large.height:
        return True
    # A fragment lies close by where the pen skipped, and the open top of a 4 ends high above the
    # foot of its stem. Digits in a row are further apart, or as large and on the same line.
    near = min(across, down) > -reach * large.height
    fragment = small.length < 0.5 * large.height
    return near and (fragment or abs(large.bottom - small.bottom) > 0.25 * large.height)


def overlap(one: Piece, other: Piece) -> tuple[int, int]:
    """How many columns and rows two pieces share; if negative, how far apart they are."""
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
        # The boxes of a line span each other's middle, even where the line climbs.
        for line in lines:
            if any(other.top < middle < other.bottom for other in line):
                line.append(figure)
                break
        else:
            lines.append([figure])
    return [figure for line in lines for figure in sorted(line, key=lambda figure: figure.left)]
