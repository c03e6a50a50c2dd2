"""Any picture of a digit -> the 28x28 input the network expects.

The recipe's public names can be imported from here. May import data and classifier, never
the store. Start reading with recipe.py; photo.py and paper.py find the digits in photographs,
synthetic.py draws some that nobody wrote, benchmark.py keeps what was measured.
"""

from mnist_core.drawing.recipe import (
    CENTRE,
    CROP,
    FIT,
    INK,
    MOST_BYTES,
    MOST_SIDE,
    NOISE,
    PEN,
    STEPS,
    THICKEST_PEN,
    THINNEST_PEN,
    Stage,
    crop,
    even_pen,
    find_ink,
    prepare,
    read_picture,
    shrink,
    to_bytes,
    to_grey,
    to_mnist,
)

__all__ = [
    "CENTRE",
    "CROP",
    "FIT",
    "INK",
    "MOST_BYTES",
    "MOST_SIDE",
    "NOISE",
    "PEN",
    "STEPS",
    "THICKEST_PEN",
    "THINNEST_PEN",
    "Stage",
    "crop",
    "even_pen",
    "find_ink",
    "prepare",
    "read_picture",
    "shrink",
    "to_bytes",
    "to_grey",
    "to_mnist",
]
