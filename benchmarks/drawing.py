"""How well the shipped networks read what people draw, not what MNIST's writers wrote.

    python -m benchmarks.drawing PEN.npz

PEN.npz holds pen strokes: ``points`` (n, 2) x and y with y down, ``stroke`` (n,) the stroke
each point belongs to, ``offset`` (digits + 1,) where each digit starts, ``label`` (digits,).
Each digit is drawn on a 280x280 canvas with a round pen: its longer side 15 % to 95 % of the
canvas, at a random place, the pen 8 to 32 pixels wide; seed 0. Each drawing is prepared in
three ways and read by each shipped network.
"""

import itertools
import sys
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw

from mnist_core import drawing, evaluation
from mnist_core.classifier import Classifier
from mnist_core.data import SIDE
from mnist_core.shipped import shipped_runs

CANVAS = 280
SIZES = (0.15, 0.95)
PENS = (8.0, 32.0)
# Drawn this many times larger and shrunk, so that edges are as smooth as a browser's.
OVERSAMPLING = 2


def draw(points: np.ndarray, stroke: np.ndarray, pen: float) -> np.ndarray:
    """uint8 (280, 280), black strokes on white, from points in canvas pixels."""
    side = CANVAS * OVERSAMPLING
    sheet = Image.new("L", (side, side), 255)
    brush = ImageDraw.Draw(sheet)
    scaled, width = points * OVERSAMPLING, pen * OVERSAMPLING
    for number in np.unique(stroke):
        line = [tuple(point) for point in scaled[stroke == number]]
        if len(line) > 1:
            brush.line(line, fill=0, width=round(width))
        for x, y in line:
            radius = width / 2
            brush.ellipse((x - radius, y - radius, x + radius, y + radius), fill=0)
    return np.asarray(sheet.resize((CANVAS, CANVAS), Image.Resampling.BOX))


def draw_all(path: str) -> tuple[list[np.ndarray], np.ndarray]:
    """Every digit of the file as a drawing, and the labels."""
    random = np.random.default_rng(0)
    with np.load(path) as archive:
        points, stroke = archive["points"].astype(float), archive["stroke"]
        offset, labels = archive["offset"], archive["label"]
    drawings = []
    for first, end in itertools.pairwise(offset):
        digit = points[first:end] - points[first:end].min(axis=0)
        pen = random.uniform(*PENS)
        # The pen's own width lies outside the points, and must stay on the canvas.
        size = min(random.uniform(*SIZES) * CANVAS, CANVAS - pen - 2)
        digit *= size / max(digit.max(), 1.0)
        room = CANVAS - pen - digit.max(axis=0)
        place = pen / 2 + random.uniform(size=2) * room
        drawings.append(draw(digit + place, stroke[first:end], pen))
    return drawings, labels


def shrink(ink: np.ndarray) -> np.ndarray:
    """Any picture of ink as uint8 (28, 28), its shape not kept."""
    picture = Image.fromarray((ink * 255).astype(np.uint8))
    return np.asarray(picture.resize((SIDE, SIDE), Image.Resampling.LANCZOS))


def plain_resize(canvas: np.ndarray) -> np.ndarray:
    return shrink(drawing.find_ink(drawing.to_grey(canvas)))


def crop_and_scale(canvas: np.ndarray) -> np.ndarray:
    """Cropped and fitted into 20x20 in the middle, without the centre of mass."""
    ink = drawing.remove_noise(drawing.find_ink(drawing.to_grey(canvas)))
    digit = drawing.fit(drawing.crop(ink))
    top, left = (SIDE - digit.shape[0]) // 2, (SIDE - digit.shape[1]) // 2
    picture = np.zeros((SIDE, SIDE), np.uint8)
    picture[top : top + digit.shape[0], left : left + digit.shape[1]] = digit
    return picture


WAYS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "plain resize": plain_resize,
    "crop and scale": crop_and_scale,
    "full recipe": drawing.to_mnist,
}


def main(path: str) -> None:
    drawings, labels = draw_all(path)
    print(f"{len(labels):,} drawings")
    for way, prepare in WAYS.items():
        images = np.stack([prepare(canvas) for canvas in drawings])
        for name in shipped_runs():
            predictions = Classifier.bundled(name).predict_proba(images).argmax(axis=1)
            counts = evaluation.confusion_matrix(labels, predictions)
            low, high = evaluation.wilson_interval(int(counts.trace()), len(labels))
            print(
                f"\n{name}, {way}: {evaluation.accuracy(counts):.2%} "
                f"(95 % interval {low:.2%} to {high:.2%})"
            )
            recall = evaluation.digit_scores(counts).recall
            print("  by digit  ", "  ".join(f"{d}: {recall[d]:.1%}" for d in range(10)))
            mistakes = counts - np.diag(np.diag(counts))
            worst = np.argsort(-mistakes.ravel(), kind="stable")[:10]
            pairs = (f"{i // 10} as {i % 10}: {mistakes.ravel()[i]}" for i in worst)
            print("  mistakes  ", "  ".join(pairs))


if __name__ == "__main__":
    main(sys.argv[1])
