"""Digits and scribbles that the project draws itself, with a pen, to train with.

    python -m mnist_core.drawing.synthetic

MNIST was written in the United States on forms. People on a canvas write a 1 with a flag
and a foot, a barred 7, an open 4, a 9 with a long tail, and sometimes nothing that is a
digit. Here each digit is a few strokes through points that vary from one to the next;
the drawing is then prepared like anybody's. They come with the project as a file, which
the command above makes again.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from mnist_core.config import SCRIBBLE_EVERY
from mnist_core.data import CLASSES, SIDE
from mnist_core.drawing.recipe import to_mnist

DRAWN_PATH = Path(__file__).parents[1] / "assets" / "sample" / "drawn.npz"
DRAWN_DIGITS, SEED = 10_000, 0
# The label of a scribble.
SCRIBBLE = CLASSES
SHEET_SIDE = 128
MARGIN = 2
# The pen's width as a share of the digit's side: a fine liner to a broad marker.
PENS = (0.035, 0.3)
# How far each point strays, and how much digits differ in slant, turn and shape.
STRAY = 0.03
SLANT, SLANT_SPREAD = 0.12, 0.2
TURN_DEGREES = 6.0
SPREAD = 0.25

# Points (n, 2) that a pen passes through, x to the right and y down, about 0 to 1.
Stroke = np.ndarray


def load_drawn() -> tuple[np.ndarray, np.ndarray]:
    """The digits and scribbles that come with the project, all digits first.

    Returns:
        uint8 (n, 28, 28) and their labels, uint8 (n,): 0 to 9, or 10 for a scribble.
    """
    with np.load(DRAWN_PATH, allow_pickle=False) as archive:
        return archive["images"], archive["labels"]


def choose_drawn(digits: int) -> tuple[np.ndarray, np.ndarray]:
    """The first so many of ``load_drawn``'s digits, and a tenth as many scribbles.

    Returns:
        Their places, int64 (n,), and their labels, uint8 (n,).
    """
    places = np.r_[:digits, DRAWN_DIGITS : DRAWN_DIGITS + digits // SCRIBBLE_EVERY]
    with np.load(DRAWN_PATH, allow_pickle=False) as archive:
        return places, archive["labels"][places]


def make_drawn(digits: int, scribbles: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw as many of each digit, and scribbles, and prepare them as MNIST was.

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
    """A pen's width as a share of the digit's side; each doubling is as likely."""
    return float(np.exp(random.uniform(*np.log(PENS))))


def write(label: int, random: np.random.Generator) -> list[Stroke]:
    """A digit, or a scribble for 10, as one person might write it once."""
    strokes = _WAYS[label](random)
    turn = np.radians(random.normal(0, TURN_DEGREES))
    slant = random.normal(SLANT, SLANT_SPREAD)
    width = np.exp(random.normal(-0.15, SPREAD))
    shape = (
        np.array([[width, 0], [0, 1]])
        @ np.array([[1, 0], [-slant, 1]])
        @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    )
    # Powers move the middle of a square and not its sides: small loops, long tails.
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
        pen: its width as a share of the digit's longest side.
    """
    everything = np.concatenate(strokes)
    corner = everything.min(axis=0)
    room = side - 2 * MARGIN
    width = pen * room / (1 + pen)
    # At least a little, or a dot would be divided by nothing.
    scale = (room - width) / max(float((everything.max(axis=0) - corner).max()), 1e-6)
    return draw_lines([(s - corner) * scale + width / 2 + MARGIN for s in strokes], width, side)


def draw_lines(strokes: list[Stroke], width: float, side: int) -> np.ndarray:
    """uint8 (side, side), white round-capped lines on black, in pixels of the sheet."""
    sheet = Image.new("L", (side, side), 0)
    brush = ImageDraw.Draw(sheet)
    radius = width / 2
    for stroke in strokes:
        brush.line([(x, y) for x, y in stroke.tolist()], 255, max(1, round(width)), "curve")
        for x, y in stroke[[0, -1]].tolist():
            brush.ellipse((x - radius, y - radius, x + radius, y + radius), 255)
    return np.asarray(sheet)


def _curve(points: Stroke, steps: int = 6) -> Stroke:
    """A smooth line through all points: Catmull and Rom's spline (1974)."""
    ends = np.concatenate([[2 * points[0] - points[1]], points, [2 * points[-1] - points[-2]]])
    t = np.linspace(0, 1, steps, endpoint=False)[:, np.newaxis]
    pieces = []
    for a, b, c, d in zip(ends, ends[1:], ends[2:], ends[3:], strict=False):
        bend = (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3
        pieces.append(b + ((c - a) * t + bend) / 2)
    return np.concatenate([*pieces, points[-1:]])


def _arc(
    centre: tuple[float, float], radii: tuple[float, float], first: float, last: float
) -> list[tuple[float, float]]:
    """Ten points of an ellipse, from one angle to another, in degrees from the right, down."""
    angles = np.radians(np.linspace(first, last, 10))
    return [
        (centre[0] + radii[0] * float(np.cos(a)), centre[1] + radii[1] * float(np.sin(a)))
        for a in angles
    ]


# --- the ways to write each digit: strokes as (points, whether the line is smooth) ---

Plan = list[tuple[list[tuple[float, float]], bool]]


def _zero(random: np.random.Generator) -> Plan:
    first = random.uniform(-130, -50)
    radii = (random.uniform(0.25, 0.42), 0.5)
    plan: Plan = [(_arc((0.5, 0.5), radii, first, first - random.uniform(340, 400)), True)]
    if random.random() < 0.12:
        plan.append(([(0.75, 0.1), (0.25, 0.9)], False))
    return plan


def _one(random: np.random.Generator) -> Plan:
    foot = 0.5 - random.normal(0.08, 0.14)
    plan: Plan = [([(0.5, 0), ((0.5 + foot) / 2 + random.normal(0, 0.03), 0.5), (foot, 1)], False)]
    if random.random() < 0.9:
        # A flag, short or nearly as long as the stem; a long one falls steeply, for a flat
        # one would be the bar of a 7.
        long = random.random() < 0.5
        length = random.uniform(0.35, 0.9) if long else random.uniform(0.1, 0.4)
        angle = np.radians(random.uniform(35, 70) if long else random.uniform(10, 75))
        x, y = 0.5 - length * float(np.cos(angle)), length * float(np.sin(angle))
        bend = random.normal(0, 0.03, 2)
        plan.append(([(0.5, 0), ((0.5 + x) / 2 + bend[0], y / 2 + bend[1]), (x, y)], True))
    if random.random() < 0.35:
        left, right = random.uniform(0.08, 0.38, 2)
        tilt = random.normal(0, 0.03)
        plan.append(([(foot - left, 1 - tilt), (foot + right, 1 + tilt)], False))
    return plan


def _two(random: np.random.Generator) -> Plan:
    top = [(0.18, random.uniform(0.15, 0.32)), (0.3, 0.05), (0.55, 0), (0.78, 0.1)]
    side = [(0.8, random.uniform(0.25, 0.37)), (0.65, 0.5)]
    if random.random() < 0.35:
        loop = [(0.45, 0.75), (0.2, 0.97), (0.12, 0.85), (0.3, 0.8), (0.5, 0.92)]
        return [([*top, *side, *loop, (0.7, 1), (0.9, 0.92)], True)]
    foot = [(0.15, 1), (random.uniform(0.7, 1), 1 + random.normal(0, 0.04))]
    return [([*top, *side, (0.4, 0.75), (0.15, 1)], True), (foot, False)]


def _three(random: np.random.Generator) -> Plan:
    middle = (random.uniform(0.4, 0.55), random.uniform(0.42, 0.5))
    if random.random() < 0.25:
        top: Plan = [([(0.2, 0), (0.75, 0), middle], False)]
    else:
        start = (0.18, random.uniform(0.08, 0.2))
        top = [([start, (0.35, 0.02), (0.55, 0), (0.75, 0.12), (0.72, 0.3), middle], True)]
    end = (0.2, random.uniform(0.85, 1))
    belly = [middle, (0.7, 0.52), (0.82, 0.72), (0.7, 0.93), (0.45, 1), end]
    return [*top, (belly, True)]


def _four(random: np.random.Generator) -> Plan:
    way = random.random()
    bar, stem = random.uniform(0.5, 0.75), random.uniform(0.55, 0.75)
    if way < 0.2:
        # Closed, from the top.
        corner = [(stem, 0), (0.1, bar), (random.uniform(0.85, 1), bar + random.normal(0, 0.03))]
        return [(corner, False), ([(stem, random.uniform(-0.1, 0.1)), (stem, 1)], False)]
    if way < 0.8:
        # Open: an L, and a stroke through it that may be short.
        left = random.uniform(0.15, 0.5)
        angle = [
            (left, 0),
            (left - random.uniform(0.02, 0.15), bar * 0.5),
            (random.uniform(0, 0.15), bar),
            (stem - 0.1, bar + random.normal(0, 0.03)),
            (stem + random.uniform(0.05, 0.35), bar + random.normal(0, 0.05)),
        ]
        top = bar - random.uniform(0.05, 0.65)
        stroke = [
            (stem + random.normal(0.04, 0.05), top),
            (stem, (top + 1) / 2),
            (stem + random.normal(-0.03, 0.06), bar + random.uniform(0.2, 0.6)),
        ]
        return [(angle, random.random() < 0.5), (stroke, False)]
    # In one stroke.
    left, top = random.uniform(0.2, 0.45), bar * random.uniform(0.1, 0.8)
    bowl = [(left, 0), (left * 0.6, bar * 0.5), (0.08, bar * 0.95), (0.25, bar)]
    rise = [(stem - 0.08, bar * 0.9), (stem + 0.03, (top + bar) / 2), (stem + 0.04, top)]
    down = [(stem + 0.04, top), (stem - random.uniform(-0.05, 0.15), 1.05)]
    return [([*bowl, *rise], True), (down, False)]


def _five(random: np.random.Generator) -> Plan:
    left, width = random.uniform(0.2, 0.4), random.uniform(0.45, 0.7)
    if random.random() < 0.3:
        # Like an S.
        top = [(random.uniform(0.7, 0.9), 0), (0.4, 0.05), (0.25, 0.25), (0.35, 0.42)]
        end = (0.15, random.uniform(0.9, 1))
        return [([*top, (0.7, 0.5), (0.8, 0.72), (0.6, 0.95), end], True)]
    neck = (left - random.uniform(0, 0.1), random.uniform(0.38, 0.5))
    end = (0.12, random.uniform(0.85, 0.98))
    belly = [neck, (left + 0.2, 0.38), (0.78, 0.5), (0.82, 0.7), (0.65, 0.93), (0.4, 1), end]
    height = random.normal(0, 0.04)
    # The hat may not touch the neck.
    hat = [
        (left + random.uniform(-0.05, 0.06), height),
        (left + width, height + random.normal(-0.03, 0.05)),
    ]
    stem = [(left, random.uniform(0, 0.05)), neck]
    return [(stem, False), (belly, True), (hat, False)]


def _six(random: np.random.Generator) -> Plan:
    x = random.uniform(0.5, 0.85)
    down = [(x, 0), (x - 0.25, 0.15), (0.22, 0.45), (0.15, 0.72), (0.28, 0.95), (0.5, 1)]
    loop = [(0.75, 0.9), (0.8, 0.7), (0.65, 0.53), (0.4, 0.55), (0.22, random.uniform(0.65, 0.8))]
    return [([*down, *loop], True)]


def _seven(random: np.random.Generator) -> Plan:
    height, foot = random.normal(0, 0.04), random.uniform(0.2, 0.55)
    plan: Plan = []
    if random.random() < 0.35:
        plan.append(([(0.12, height + random.uniform(0.08, 0.25)), (0.12, height)], False))
    if random.random() < 0.5:
        plan.append(([(0.12, height), (random.uniform(0.7, 0.95), 0), (foot, 1)], False))
    else:
        # A hat that hangs over at its left, more or less.
        hat = [(0.12, height + random.uniform(0.02, 0.2)), (0.3, 0), (0.6, 0.02), (0.8, 0)]
        plan.append(([*hat, (0.78, 0.18), (0.6, 0.5), (foot, 1)], True))
    if random.random() < 0.6:
        bar = random.uniform(0.42, 0.82)
        middle = 0.75 + (foot - 0.75) * bar
        left, right = random.uniform(0.12, 0.45, 2)
        tilt = random.normal(-0.02, 0.06)
        plan.append(([(middle - left, bar - tilt), (middle + right, bar + tilt)], False))
    return plan


def _eight(random: np.random.Generator) -> Plan:
    upper, lower = random.uniform(0.2, 0.32), random.uniform(0.26, 0.42)
    if random.random() < 0.25:
        # Two rings.
        return [
            (_arc((0.5, 0.24), (upper, 0.24), 90, 460), True),
            (_arc((0.5, 0.73), (lower, 0.27), -90, 280), True),
        ]
    start, end = (0.5 + upper, 0.15), (0.5 + upper, 0.15 + random.normal(0, 0.04))
    if random.random() < 0.3:
        # Open at the top.
        start, end = (0.5 + upper * 1.2, 0.08), (0.5 + upper * 1.2, 0.05)
    down = [(0.5, 0), (0.5 - upper, 0.15), (0.5 - upper * 0.7, 0.35), (0.5, 0.47)]
    right = [(0.5 + lower * 0.9, 0.65), (0.5 + lower * 0.8, 0.9), (0.5, 1)]
    left = [(0.5 - lower * 0.8, 0.9), (0.5 - lower * 0.9, 0.65), (0.5, 0.47)]
    return [([start, *down, *right, *left, (0.5 + upper * 0.8, 0.33), end], True)]


def _nine(random: np.random.Generator) -> Plan:
    width, height = random.uniform(0.16, 0.36), random.uniform(0.12, 0.3)
    middle = random.uniform(0.4, 0.55)
    right = middle + width
    # Some loops stay open.
    last = random.uniform(-345, -250) if random.random() < 0.3 else random.uniform(-385, -345)
    loop = _arc((middle, height), (width, height), random.uniform(-80, 10), last)
    if random.random() < 0.2:
        loop[0] = (middle + width * random.uniform(0.6, 1.6), random.uniform(-0.05, 0.1))
    if random.random() < 0.25:
        stem = [(right, random.uniform(0, 0.2)), (right - random.uniform(-0.05, 0.25), 1)]
        return [(loop, True), (stem, False)]
    if random.random() < 2 / 3:
        # A tail that ends in a hook.
        hook, belly = random.uniform(0.35, 0.85), random.uniform(-0.03, 0.25)
        tail = [
            (right + belly, 0.5),
            (right - 0.05 + belly / 2, 0.82),
            (right - hook / 2, 1),
            (right - hook, random.uniform(0.8, 1)),
        ]
    else:
        tail = [
            (right - 0.03, 0.45),
            (right - 0.15, 0.75),
            (right - random.uniform(0.2, 0.65), 1),
        ]
    back = [(right, height * 0.6)] if loop[-1][1] > height * 1.2 else []
    return [([*loop, *back, *tail], True)]


def _scribble(random: np.random.Generator) -> Plan:
    way = random.random()
    if way < 0.6:
        return [(random.random((random.integers(4, 14), 2)).tolist(), True)]
    if way < 0.85:
        return [
            (random.random((random.integers(2, 5), 2)).tolist(), random.random() < 0.5)
            for _ in range(random.integers(2, 5))
        ]
    # To and fro, as one crosses something out.
    count = int(random.integers(8, 24))
    heights = np.arange(count) % 2 * random.uniform(0.2, 1) + random.normal(0, 0.05, count)
    return [(np.stack([np.linspace(0, 1, count), heights], axis=1).tolist(), False)]


_WAYS: list[Callable[[np.random.Generator], Plan]] = [
    _zero,
    _one,
    _two,
    _three,
    _four,
    _five,
    _six,
    _seven,
    _eight,
    _nine,
    _scribble,
]


def main() -> None:
    images, labels = make_drawn(DRAWN_DIGITS, DRAWN_DIGITS // SCRIBBLE_EVERY, SEED)
    np.savez_compressed(DRAWN_PATH, images=images, labels=labels)
    print(f"{DRAWN_PATH}: {len(labels):,} digits and scribbles")


if __name__ == "__main__":
    main()
