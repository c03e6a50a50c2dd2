"""How well the built-in networks read what people draw, rather than MNIST.

    python -m benchmarks.drawing PEN.npz [INK.npz ...] [--store]

First the results of all files side by side, by source and by digit; then those of the first file
in detail. Each holds pen strokes: ``points`` (n, 2) x and y with y down, ``stroke`` (n,) the
stroke each point belongs to, ``offset`` (digits + 1,) where each digit starts, ``label``
(digits,); and, if they come from several sources, ``source`` (digits,) and ``source_names``. Each
digit is drawn on a 280x280 canvas with a round pen: its longer side 15 % to 95 % of the canvas, at
a random place, the pen 8 to 32 pixels wide; seed 0. Each drawing is prepared in
four ways and read by each built-in network; then with each single step of the recipe left out.
Then how confident the networks are, and what they say about scribbles, letters and shapes, and
how many of the drawings the page takes for several digits or for a dot.

``--store`` also prepares every third drawing with every choice of steps, which takes about six
minutes, and writes the figures that the Draw page shows.
"""

import argparse
import itertools
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import PurePath

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from mnist_core import drawing, shipped
from mnist_core.analysis import metrics
from mnist_core.analysis.calibration import NO_DIGIT, SURE, UNSURE, Calibration
from mnist_core.analysis.predictions import Predictions
from mnist_core.classifier import Classifier
from mnist_core.drawing import benchmark, photo, synthetic
from mnist_core.errors import EmptyDrawing
from mnist_core.store.run import CALIBRATION, PREDICTIONS

CANVAS = 280
SIZES = (0.15, 0.95)
PENS = (8.0, 32.0)
# Drawn this many times larger and shrunk, so that edges are as smooth as a browser's.
OVERSAMPLING = 2
# Every n-th drawing stands for all where each is prepared in 64 ways.
EVERY = 3
SCRIBBLES = 1000
# Not the seed that the scribbles to train with were drawn with.
SCRIBBLE_SEED = 1
LETTERS = "AEFHKMNRTVWXYZ?&#%@+"

# The strokes of a digit, each float64 (points, 2).
Digit = list[np.ndarray]

ALL = frozenset(drawing.STEPS)
# What each way leaves out.
WAYS = {
    "plain resize": ALL - {drawing.INK},
    "crop and scale": {drawing.PEN, drawing.CENTRE},
    "the recipe but for the pen": {drawing.PEN},
    "full recipe": frozenset(),
}


def load_pen(path: str) -> tuple[list[Digit], np.ndarray]:
    """Each digit as its strokes, float64 (points, 2) x and y with y down; the labels."""
    with np.load(path) as archive:
        points, stroke = archive["points"].astype(float), archive["stroke"]
        offset, labels = archive["offset"], archive["label"]
    # A digit's points follow each other, and so do a stroke's.
    ends = [slice(*pair) for pair in itertools.pairwise(offset)]
    return [np.split(points[at], np.flatnonzero(np.diff(stroke[at])) + 1) for at in ends], labels


def draw_all(path: str) -> tuple[list[np.ndarray], np.ndarray]:
    """Every digit of the file as a drawing, uint8 (280, 280) black on white, and the labels."""
    random = np.random.default_rng(0)
    digits, labels = load_pen(path)
    drawings = []
    for digit in digits:
        points = np.concatenate(digit)
        corner = points.min(axis=0)
        extent = points.max(axis=0) - corner
        pen = random.uniform(*PENS)
        # The pen's own width lies outside the points, and must stay on the canvas.
        size = min(random.uniform(*SIZES) * CANVAS, CANVAS - pen - 2)
        scale = size / max(extent.max(), 1.0)
        place = pen / 2 + random.uniform(size=2) * (CANVAS - pen - extent * scale)
        drawings.append(draw([(line - corner) * scale + place for line in digit], pen))
    return drawings, labels


def draw(lines: list[np.ndarray], pen: float) -> np.ndarray:
    """uint8 (280, 280), black strokes on white, from points in canvas pixels."""
    larger = [line * OVERSAMPLING for line in lines]
    sheet = synthetic.draw_lines(larger, pen * OVERSAMPLING, CANVAS * OVERSAMPLING)
    small = Image.fromarray(sheet).resize((CANVAS, CANVAS), Image.Resampling.BOX)
    return 255 - np.asarray(small)


def prepared(drawings: Iterable[np.ndarray], skip: Iterable[str]) -> np.ndarray:
    """uint8 (n, 28, 28): what a network is given of each drawing without these steps."""
    left_out = frozenset(skip)
    return np.stack([drawing.prepare(canvas, left_out)[-1].picture for canvas in drawings])


def calibration_of(name: str) -> Calibration:
    """How a built-in network decides when it is sure."""
    return Calibration.from_json(shipped.shipped_artifact(name, CALIBRATION))


def verdicts_of(calibration: Calibration, probabilities: np.ndarray) -> np.ndarray:
    """What the page calls each answer: sure, unsure or no digit."""
    return np.array([calibration.verdict(row) for row in probabilities])


def load_sources(path: str) -> dict[str, np.ndarray]:
    """Which digits, bool (n,), come from each source the file names."""
    with np.load(path) as archive:
        if "source" not in archive:
            return {}
        source, names = archive["source"], archive["source_names"]
    return {str(name): source == number for number, name in enumerate(names)}


def report_side_by_side(paths: list[str], drawn: list[tuple[list[np.ndarray], np.ndarray]]) -> None:
    """Accuracy of each network on each file: of all, by source and by digit; and its doubts."""
    names = list(shipped.shipped_runs())
    columns: list[dict[str, float]] = []
    for path, (drawings, labels) in zip(paths, drawn, strict=True):
        images = prepared(drawings, ())
        parts = {"all": labels >= 0, **load_sources(path)}
        parts |= {f"digit {digit}": labels == digit for digit in range(10)}
        for name in names:
            probabilities = Classifier.bundled(name).predict_proba(images)
            right = probabilities.argmax(axis=1) == labels
            shares = {part: float(right[of].mean()) for part, of in parts.items()}
            said = verdicts_of(calibration_of(name), probabilities)
            shares["shown as sure"] = float((said == SURE).mean())
            shares["wrong where sure"] = float((~right)[said == SURE].mean())
            shares["called no digit"] = float((said == NO_DIGIT).mean())
            columns.append(shares)
    heads = [f"{PurePath(path).stem} {name}" for path in paths for name in names]
    print("\n" + " " * 22 + "".join(f"{head:>18}" for head in heads))
    # Sources, which differ between files, between all and the digits.
    rows = [part for column in columns for part in column]
    rows = sorted(dict.fromkeys(rows), key=lambda part: (part in columns[0], rows.index(part)))
    for part in rows:
        cells = (f"{column[part]:.2%}" if part in column else "" for column in columns)
        print(f"{part:22}" + "".join(f"{cell:>18}" for cell in cells))


def report(name: str, predictions: Predictions) -> None:
    """Accuracy with its interval, by digit, and the ten commonest confusions."""
    counts = predictions.matrix
    print(f"\n{name}: {share(int(counts.trace()), int(counts.sum()))}")
    recall = metrics.digit_scores(counts).recall
    print("  by digit  ", "  ".join(f"{d}: {recall[d]:.1%}" for d in range(10)))
    mistakes = counts - np.diag(np.diag(counts))
    worst = np.argsort(-mistakes.ravel(), kind="stable")[:10]
    print("  mistakes  ", "  ".join(f"{i // 10} as {i % 10}: {mistakes.flat[i]}" for i in worst))


def share(right: int, total: int) -> str:
    low, high = metrics.wilson_interval(right, total)
    return f"{right / total:.2%} (95 % interval {low:.2%} to {high:.2%})"


def report_doubts(name: str, predictions: Predictions) -> None:
    """How sure it is of the drawings, how right it is then, and what it says of no digits."""
    calibration = calibration_of(name)
    verdicts = verdicts_of(calibration, predictions.probabilities)
    right = predictions.correct
    sure = verdicts == SURE
    print(f"\n{name}, sure from {calibration.sure_from:.2f} on")
    print(f"  sure of the drawings     {share(int(sure.sum()), len(sure))}")
    print(f"  right where it is sure   {share(int(right[sure].sum()), int(sure.sum()))}")
    print(f"  right where it is not    {share(int(right[~sure].sum()), int((~sure).sum()))}")
    print(f"  called no digit          {share(int((verdicts == NO_DIGIT).sum()), len(sure))}")
    official = Predictions.from_bytes(shipped.shipped_artifact(name, PREDICTIONS))
    for kind, answers in (("test images", official), ("drawings", predictions)):
        error = metrics.expected_calibration_error(answers)
        print(f"  calibration error on the {kind}, 15 bins: {error:.2%}")
    scribbles, _ = synthetic.make_drawn(0, SCRIBBLES, SCRIBBLE_SEED)
    for kind, images in (
        ("scribbles of the kind trained on", scribbles),
        ("letters and signs", letters()),
        ("shapes", shapes()),
    ):
        said = verdicts_of(calibration, Classifier.bundled(name).predict_proba(images))
        shares = (f"{(said == word).mean():.1%} {word}" for word in (NO_DIGIT, UNSURE, SURE))
        print(f"  of {len(said):,} {kind}: {', '.join(shares)}")


def report_figures(drawings: list[np.ndarray]) -> None:
    """How many drawings of one digit each are not taken for one."""
    counts = Counter(map(count_figures, drawings))
    several = sum(times for count, times in counts.items() if count > 1)
    print(f"\ntaken for several digits  {share(several, len(drawings))}")
    print(f"taken for a dot           {share(counts[0], len(drawings))}")


def count_figures(canvas: np.ndarray) -> int:
    """The digits found on a drawing, 0 if it is only a dot."""
    try:
        return len(photo.find_drawn_figures(canvas))
    except EmptyDrawing:
        return 0


def letters() -> np.ndarray:
    """Letters and signs that look like no digit, in print, prepared as drawings."""
    images = []
    for size in range(60, 200, 20):
        font = ImageFont.load_default(size)
        for letter in LETTERS:
            sheet = Image.new("L", (CANVAS, CANVAS), 255)
            ImageDraw.Draw(sheet).text((CANVAS / 2, CANVAS / 2), letter, 0, font, "mm")
            images.append(drawing.to_mnist(np.asarray(sheet)))
    return np.stack(images)


def shapes() -> np.ndarray:
    """A star, a house, a heart, a spiral and a tree, drawn with five pens each."""
    t = np.linspace(0, 1, 60)
    turn = 2 * np.pi * t
    figures = [
        np.array([[0.5, 0], [0.8, 0.95], [0, 0.35], [1, 0.35], [0.2, 0.95], [0.5, 0]]),
        np.array([[0, 1], [0, 0.4], [0.5, 0], [1, 0.4], [1, 1], [0, 1], [1, 0.4], [0, 0.4]]),
        np.stack([0.5 + 0.5 * np.sin(turn) ** 3, 0.4 - 0.03 * (13 * np.cos(turn)
                  - 5 * np.cos(2 * turn) - 2 * np.cos(3 * turn))], axis=1),
        np.stack([0.5 + 0.5 * t * np.cos(3 * turn), 0.5 + 0.5 * t * np.sin(3 * turn)], axis=1),
        np.array([[0.5, 1], [0.5, 0.8], [0, 0.8], [0.3, 0.4], [0.15, 0.4], [0.5, 0], [0.85, 0.4],
                  [0.7, 0.4], [1, 0.8], [0.5, 0.8]]),
    ]  # fmt: skip
    return np.stack(
        [
            drawing.to_mnist(255 - synthetic.on_sheet([figure], pen))
            for figure in figures
            for pen in (0.05, 0.08, 0.11, 0.14, 0.17)
        ]
    )


def store(drawings: list[np.ndarray], labels: np.ndarray) -> None:
    """Count right answers for every choice of steps, for the page."""
    drawings, labels = drawings[::EVERY], labels[::EVERY]
    right: dict[str, dict[str, int]] = {name: {} for name in shipped.shipped_runs()}
    for count in range(len(drawing.STEPS) + 1):
        for skip in itertools.combinations(drawing.STEPS, count):
            images = prepared(drawings, skip)
            for name, results in right.items():
                answers = Classifier.bundled(name).predict_proba(images).argmax(axis=1)
                results[benchmark.skip_key(skip)] = int((answers == labels).sum())
            print(".", end="", flush=True)
    benchmark.write_drawing_benchmark(len(labels), right)
    print(f"\nwritten to {benchmark.DRAWING_BENCHMARK}")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.drawing", description=__doc__)
    parser.add_argument("files", metavar="PEN.npz", nargs="+")
    parser.add_argument("--store", action="store_true")
    options = parser.parse_args()
    drawn = [draw_all(path) for path in options.files]
    report_side_by_side(options.files, drawn)
    drawings, labels = drawn[0]
    print(f"\n{options.files[0]}: {len(labels):,} drawings")
    networks = {name: Classifier.bundled(name) for name in shipped.shipped_runs()}
    for way, skip in WAYS.items():
        images = prepared(drawings, skip)
        for name, network in networks.items():
            report(f"{name}, {way}", Predictions(labels, network.predict_proba(images)))
    print("\nwithout one step")
    for step, text in drawing.STEPS.items():
        images = prepared(drawings, {step})
        shares = (
            f"{name} {(network.predict_proba(images).argmax(axis=1) == labels).mean():.2%}"
            for name, network in networks.items()
        )
        print(f"  {text:32}", ", ".join(shares))
    images = prepared(drawings, ())
    for name, network in networks.items():
        report_doubts(name, Predictions(labels, network.predict_proba(images)))
    report_figures(drawings)
    started = time.perf_counter()
    for canvas in drawings[:500]:
        networks["cnn"].predict_proba(drawing.to_mnist(canvas)[None])
    print(f"\nto_mnist and one prediction: {2 * (time.perf_counter() - started):.2f} ms")
    if options.store:
        store(drawings, labels)


if __name__ == "__main__":
    main()
