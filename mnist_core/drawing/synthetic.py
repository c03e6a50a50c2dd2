"""Synthetic pen drawings of digits, and scribbles, to train with.

    python -m mnist_core.drawing.synthetic

MNIST was written on forms in the United States. On a canvas people also draw a 1 with a flag and
a foot, a barred 7, an open 4, a 9 with a long tail, or something that is not a digit. Here each
digit is a few strokes through randomly varied points, prepared like any other drawing. The
result is a file in the project, which the command above recreates.
"""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from mnist_core.config import SCRIBBLE_EVERY
from mnist_core.data import CLASSES, SIDE
from mnist_core.drawing.recipe import to_mnist
from mnist_core.drawing.strokes import WAYS

DRAWN_PATH = Path(__file__).parents[1] / "assets" / "sample" / "drawn.npz"
DRAWN_DIGITS, SEED = 10_000, 0
# The label of a scribble.
SCRIBBLE = CLASSES
SHEET_SIDE = 128
MARGIN = 2
# The pen's width as a share of the digit's side: a fine liner to a broad marker.
PENS = (0.035, 0.3)
# How much the points of a digit vary, and its slant, rotation and shape.
STRAY = 0.03
SLANT, SLANT_SPREAD = 0.12, 0.2
TURN_DEGREES = 6.0
SPREAD = 0.25

# The pen's path through points (n, 2), x to the right and y down, about 0 to 1.
Stroke = np.ndarray


def load_drawn() -> tuple[np.ndarray, np.ndarray]:
    """The digits and scribbles in the project's file, all digits first.

    Returns:
        uint8 (n, 28, 28) and their labels, uint8 (n,): 0 to 9, or 10 for a scribble.
    """
    with np.load(DRAWN_PATH, allow_pickle=False) as archive:
        return archive["images"], archive["labels"]


def choose_drawn(digits: int) -> tuple[np.ndarray, np.ndarray]:
    """The first of ``load_drawn``'s digits, and a tenth as many scribbles.

    Returns:
        Their positions, int64 (n,), and their labels, uint8 (n,).
    """
    places = np.r_[:digits, DRAWN_DIGITS : DRAWN_DIGITS + digits // SCRIBBLE_EVERY]
    with np.load(DRAWN_PATH, allow_pickle=False) as archive:
        return places, archive["labels"][places]


def make_drawn(digits: int, scribbles: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw digits, equally many of each, and scribbles, and prepare them as MNIST was.

    Returns:
        As ``load_drawn``; the same seed gives the same pictures.
    """
    random = np.random.default_rng(seed)
    labels = np.r_[np.arange(digits) % CLASSES, np.full(scribbles, SCRIBBLE)].astype(np.uint8)
    images = np.zeros((len(labels), SIDE, SIDE), np.uint8)
    for image, label in zip(images, labels.tolist(), strict=True):
        image[:] = to_mnist(on_sheet(write(label, random), pen_of(random)))
    return images, labels


def pen_of(random: np.random.Generator) -> float:
    """A pen's width as a share of the digit's side, log-uniform."""
    return float(np.exp(random.uniform(*np.log(PENS))))


def write(label: int, random: np.random.Generator) -> list[Stroke]:
    """A digit, or a scribble for 10, as someone might write it."""
    strokes = WAYS[label](random)
    turn = np.radians(random.normal(0, TURN_DEGREES))
    slant = random.normal(SLANT, SLANT_SPREAD)
    width = np.exp(random.normal(-0.15, SPREAD))
    shape = (
        np.array([[width, 0], [0, 1]])
        @ np.array([[1, 0], [-slant, 1]])
        @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    )
    # Powers move the middle of the unit square but not its sides: small loops, long tails.
    power = np.exp(random.normal(0, SPREAD, 2))
    written = []
    for points, smooth in strokes:
        places = np.asarray(points, float)
        places = places + random.normal(0, STRAY, places.shape)
        places = np.sign(places) * np.abs(places) ** power
        written.append((_curve(places) if smooth else places) @ shape)
    return written


def on_sheet(strokes: list[Stroke], pen: float, side: int = SHEET_SIDE) -> np.ndarray:
    """uint8 (side, side), white ink on black: the strokes as large as fits.

    Args:
        pen: width as a share of the digit's longest side.
    """
    everything = np.concatenate(strokes)
    corner = everything.min(axis=0)
    room = side - 2 * MARGIN
    width = pen * room / (1 + pen)
    # A dot has no extent.
    scale = (room - width) / max(float((everything.max(axis=0) - corner).max()), 1e-6)
    return draw_lines([(s - corner) * scale + width / 2 + MARGIN for s in strokes], width, side)


def draw_lines(strokes: list[Stroke], width: float, side: int) -> np.ndarray:
    """uint8 (side, side), white round-capped lines on black; strokes and width in pixels."""
    sheet = Image.new("L", (side, side), 0)
    brush = ImageDraw.Draw(sheet)
    radius = width / 2
    for stroke in strokes:
        brush.line([(x, y) for x, y in stroke.tolist()], 255, max(1, round(width)), "curve")
        for x, y in stroke[[0, -1]].tolist():
            brush.ellipse((x - radius, y - radius, x + radius, y + radius), 255)
    return np.asarray(sheet)


def _curve(points: Stroke, steps: int = 6) -> Stroke:
    """A smooth line through all points: a Catmull-Rom spline (1974)."""
    ends = np.concatenate([[2 * points[0] - points[1]], points, [2 * points[-1] - points[-2]]])
    t = np.linspace(0, 1, steps, endpoint=False)[:, np.newaxis]
    pieces = []
    for a, b, c, d in zip(ends, ends[1:], ends[2:], ends[3:], strict=False):
        bend = (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3
        pieces.append(b + ((c - a) * t + bend) / 2)
    return np.concatenate([*pieces, points[-1:]])


def main() -> None:
    images, labels = make_drawn(DRAWN_DIGITS, DRAWN_DIGITS // SCRIBBLE_EVERY, SEED)
    np.savez_compressed(DRAWN_PATH, images=images, labels=labels)
    print(f"{DRAWN_PATH}: {len(labels):,} digits and scribbles")


if __name__ == "__main__":
    main()
