"""Any picture of a digit -> the 28x28 input the network expects.

May import data and classifier, never the store. Start reading with recipe.py; files.py decodes
picture files; reading.py reads photographs, in which photo.py, paper.py, rules.py and pieces.py
find the digits; synthetic.py and strokes.py draw digits to train with, benchmark.py keeps what
was measured.
"""

from mnist_core.drawing.files import MOST_BYTES, MOST_SIDE, read_picture
from mnist_core.drawing.recipe import (
    CENTRE,
    CROP,
    FIT,
    INK,
    NOISE,
    PEN,
    STEPS,
    THICKEST_PEN,
    THINNEST_PEN,
    crop,
    even_pen,
    find_ink,
    prepare,
    shrink,
    to_bytes,
    to_grey,
    to_mnist,
)

__all__ = [
    "CENTRE", "CROP", "FIT", "INK", "MOST_BYTES", "MOST_SIDE", "NOISE", "PEN", "STEPS",
    "THICKEST_PEN", "THINNEST_PEN", "crop", "even_pen", "find_ink", "prepare", "read_picture",
    "shrink", "to_bytes", "to_grey", "to_mnist",
]  # fmt: skip
