"""How well photographs of written digits are read: which figures are found, and read correctly.

    python -m benchmarks.photo PICTURES.zip
    python -m benchmarks.photo PEN.npz

PICTURES.zip holds real pictures named FOLDER/LABEL_n.ext, where LABEL is the digits in reading
order. They are read as ``classify`` and the Draw page read them; a picture counts if all of its
digits are right and no others were found.

With PEN.npz the photographs are synthetic, made like those on which find_figures' constants were
chosen. People's pen strokes, in the format that benchmarks/drawing.py describes, are drawn on 200
sheets with one digit and 50 with a row of four; seed 0. Each is photographed under each
condition, with uneven light, blur, noise and JPEG, in grey, because find_figures uses nothing
else. If the number of figures found differs from those written, none counts as read; so the
digits of a row are not independent, and their intervals are a little too narrow. Two minutes.
"""

import argparse
import io
import statistics
import time
import zipfile
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath

import numpy as np
from PIL import Image
from scipy import ndimage

from benchmarks.drawing import OVERSAMPLING, Digit, calibration_of, load_pen, share
from mnist_core import drawing, shipped
from mnist_core.analysis.calibration import SURE, Calibration
from mnist_core.classifier import Classifier
from mnist_core.drawing import synthetic
from mnist_core.drawing.photo import find_figures
from mnist_core.drawing.reading import read_figures
from mnist_core.errors import EmptyDrawing, UserError

CONDITIONS = ("plain", "shadow", "lined", "squared", "chalk", "pencil")
# By how many digits are on a sheet; heights as shares of its shorter side.
SHEETS, HEIGHTS = {1: 200, 4: 50}, {1: (0.08, 0.7), 4: (0.1, 0.4)}
# find_figures shrinks what is larger.
LONGER_SIDES = (500, 1000)
MARGIN = 8
# As shares of a digit's height; and in pixels, or the thinnest pen would leave no trace.
PENS, GAPS, THINNEST_PEN = (0.04, 0.14), (0.15, 0.45), 1.8

Random = np.random.Generator


def write(digits: list[Digit], random: Random) -> tuple[np.ndarray, float]:
    """A sheet with the digits in a row, by one pen, at a random place; no two touch.

    Returns:
        float32 (h, w), 0 paper to 1 ink, and about how many pixels high the digits are.
    """
    longer = random.integers(*LONGER_SIDES)
    size = random.permutation([longer, int(longer * random.uniform(0.6, 0.8))])
    # First with digits about 1 high, all ink right of 0 and below 0.
    pen = random.uniform(*PENS)
    lines, left = [], pen / 2
    for digit in digits:
        corner, end = (f(np.concatenate(digit), axis=0) for f in (np.min, np.max))
        # What is much wider than high would otherwise fill the whole row.
        extent = max(end[1] - corner[1], 0.7 * (end[0] - corner[0]), 1.0)
        scale = (random.uniform(0.8, 1.15) - pen) / extent
        place = np.array([left, pen / 2 + random.uniform(0, 0.16)])
        lines += [(line - corner) * scale + place for line in digit]
        left += (end[0] - corner[0]) * scale + pen + random.uniform(*GAPS)
    extent = np.concatenate(lines).max(axis=0) + pen / 2
    room = size - 2 * MARGIN
    height = min(random.uniform(*HEIGHTS[len(digits)]) * size.min(), (room / extent).min())
    corner = MARGIN + random.uniform(size=2) * (room - extent * height)
    width = max(pen * height, THINNEST_PEN)
    return draw([line * height + corner for line in lines], width, size[::-1]), float(height)


def draw(lines: list[np.ndarray], width: float, shape: Sequence[int]) -> np.ndarray:
    """float32 (h, w), 0 paper to 1 ink, smooth at the edges; from points in pixels."""
    side = int(max(shape))
    n = OVERSAMPLING
    drawn = synthetic.draw_lines([line * n for line in lines], width * n, side * n)
    small = Image.fromarray(drawn).resize((side, side), Image.Resampling.BOX)
    return np.asarray(small, np.float32)[: shape[0], : shape[1]] / 255


def photograph(sheet: np.ndarray, height: float, condition: str, random: Random) -> np.ndarray:
    """uint8 (h, w): a sheet as ``write`` gives it, as a telephone's camera might see it."""
    paper, ink = random.uniform(0.65, 0.94), random.uniform(0.05, 0.2)
    if condition == "chalk":
        paper, ink = random.uniform(0.11, 0.18), random.uniform(0.7, 0.92)
    elif condition == "pencil":
        ink = paper * random.uniform(0.45, 0.65)
    if condition in ("chalk", "pencil"):
        # Both stay on the tips of a rough ground, and leave its hollows bare.
        ground = ndimage.gaussian_filter(random.standard_normal(sheet.shape, np.float32), 0.8)
        sheet = sheet * np.clip(0.8 + 0.6 * ground, 0.15, 1)
    picture = np.full(sheet.shape, paper, np.float32)
    if condition in ("lined", "squared"):
        printed = rules(sheet.shape, height, condition == "squared", random)
        picture *= 1 - random.uniform(0.34, 0.42) * printed
    picture += sheet * (ink - picture)
    picture *= light(sheet.shape, condition == "shadow", random)
    picture = ndimage.gaussian_filter(picture, random.uniform(0.3, 1.0))
    picture += random.uniform(0.008, 0.03) * random.standard_normal(sheet.shape, np.float32)
    file, quality = io.BytesIO(), int(random.integers(40, 91))
    pixels = (np.clip(picture, 0, 1) * 255).astype(np.uint8)
    Image.fromarray(pixels).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))


def rules(shape: Sequence[int], height: float, squared: bool, random: Random) -> np.ndarray:
    """float32 (h, w), 0 paper to 1 print: rules, a little tilted and bent."""
    side = max(shape)
    spacing = height * random.uniform(*((0.35, 1.0) if squared else (0.7, 2.0)))
    tilt, bend = np.tan(np.radians(random.uniform(-3, 3))), random.uniform(-0.01, 0.01)
    along = np.linspace(0, 1, 30)
    course = side * (tilt * along + 4 * bend * (along - 0.5) ** 2)
    # A tenth beyond the sheet, for the tilt brings those rules in.
    starts = np.arange(random.uniform(0, spacing) - 0.1 * side - spacing, 1.1 * side, spacing)
    lines = [np.stack([side * along, start + course], axis=1) for start in starts]
    if squared:
        # Turned by a right angle, so that the squares stay square.
        lines += [np.stack([start - course, side * along], axis=1) for start in starts]
    return draw(lines, max(1.0, random.uniform(0.002, 0.004) * side), shape)


def light(shape: Sequence[int], shadow: bool, random: Random) -> np.ndarray:
    """float64 (h, w), about 1; a shadow takes 30 % to 60 % of it."""
    down, across = np.ogrid[-0.5 : 0.5 : shape[0] * 1j, -0.5 : 0.5 : shape[1] * 1j]
    fall = 1 + 0.12 * (random.uniform(-1, 1) * across + random.uniform(-1, 1) * down)
    if not shadow:
        return fall
    turn = random.uniform(0, 2 * np.pi)
    place = across * np.cos(turn) + down * np.sin(turn)
    edge, softness = random.uniform(-0.3, 0.3), random.uniform(0.005, 0.08)
    (y, x), radius = random.uniform(-0.5, 0.5, 2), random.uniform(0.25, 0.6)
    shadows = [
        np.clip(place + 0.5, 0, 1),  # Of a lamp at one side.
        (1 + np.tanh((place - edge) / softness)) / 2,  # A hand's, sharper the nearer it is.
        np.exp(-((across - x) ** 2 + (down - y) ** 2) / (2 * radius**2)),  # A head's.
    ]
    return fall * (1 - random.uniform(0.3, 0.6) * shadows[random.integers(3)])


def measure(digits: list[Digit], labels: np.ndarray, beside: int, network: Classifier) -> None:
    """Print what is found and read on sheets with so many digits beside each other."""
    count = SHEETS[beside]
    found, right, spent = Counter(), Counter(), defaultdict(list)
    for number in range(count):
        random = np.random.default_rng([0, beside, number])
        chosen = random.integers(len(labels), size=beside)
        sheet, height = write([digits[i] for i in chosen], random)
        if beside == 1:
            right["clean"] += read([sheet], labels[chosen], network)
        for condition in CONDITIONS:
            picture = photograph(sheet, height, condition, random)
            started = time.perf_counter()
            try:
                inks = [figure.ink for figure in find_figures(picture)]
            except EmptyDrawing:
                inks = []
            spent[condition].append(1000 * (time.perf_counter() - started))
            if len(inks) == beside:
                found[condition] += 1
                right[condition] += read(inks, labels[chosen], network)
    print(f"\n{count} sheets, digits on each: {beside}")
    if beside == 1:
        print(f"  clean    classified right  {share(right['clean'], count)}")
    for condition in CONDITIONS:
        print(f"  {condition:8} right number      {share(found[condition], count)}")
        print(f"           classified right  {share(right[condition], count * beside)}")
        print(f"           find_figures      {statistics.median(spent[condition]):.0f} ms, median")


def read(inks: list[np.ndarray], labels: np.ndarray, network: Classifier) -> int:
    """How many of the pictures, ink light on dark paper, are read as they are labelled."""
    images = np.stack([drawing.to_mnist(ink) for ink in inks])
    return int((network.predict_proba(images).argmax(axis=1) == labels).sum())


@dataclass(frozen=True)
class Reading:
    """What was read in a real picture.

    Attributes:
        digits: "" if nothing was found.
        confidence: that all digits are right, 0 to 1.
        sure: whether the page would call each of the digits sure.
    """

    folder: str
    name: str
    label: str
    digits: str
    confidence: float
    sure: bool
    milliseconds: float

    @property
    def correct(self) -> bool:
        return self.digits == self.label

    @property
    def right_number(self) -> bool:
        return len(self.digits) == len(self.label)


def read_picture(
    path: str, content: bytes, network: Classifier, calibration: Calibration
) -> Reading:
    """Read one picture of the archive as a ``Reading``."""
    name = PurePath(path)
    started = time.perf_counter()
    try:
        figures, _ = read_figures(drawing.read_picture(content))
        images = np.stack([drawing.to_mnist(figure.ink) for figure in figures])
        probabilities = network.predict_proba(images)
    except UserError:
        probabilities = np.zeros((0, 10))
    spent = 1000 * (time.perf_counter() - started)
    return Reading(
        folder=name.parent.name,
        name=name.name,
        label=name.stem.rsplit("_", 1)[0],
        digits="".join(map(str, probabilities.argmax(axis=1))),
        confidence=float(probabilities.max(axis=1).prod()) if len(probabilities) else 0.0,
        sure=bool(len(probabilities))
        and all(calibration.verdict(row) == SURE for row in probabilities),
        milliseconds=spent,
    )


def measure_pictures(path: str, name: str) -> None:
    """Print how a built-in network reads the real pictures of an archive."""
    network = Classifier.bundled(name)
    calibration = calibration_of(name)
    with zipfile.ZipFile(path) as archive:
        files = sorted(info.filename for info in archive.infolist() if not info.is_dir())
        readings = [read_picture(at, archive.read(at), network, calibration) for at in files]
    print(f"\n{name}\n{'folder':14} pictures  correct  right number of figures")
    for folder in sorted({reading.folder for reading in readings}):
        report([one for one in readings if one.folder == folder], folder)
    report(readings, "all")
    wrong = [one for one in readings if not one.correct]
    sure = [one for one in readings if one.sure]
    print(f"correct  {share(len(readings) - len(wrong), len(readings))}")
    print(f"wrong, of those shown as sure  {share(sum(not s.correct for s in sure), len(sure))}")
    spent = [one.milliseconds for one in readings]
    print(f"time  {statistics.median(spent):.0f} ms, median; {max(spent):.0f} ms at most")
    for one in sorted(wrong, key=lambda one: -one.confidence):
        doubt = "sure" if one.sure else "not sure"
        read_as = one.digits or "nothing"
        print(f"  {one.folder}/{one.name} read as {read_as}, {one.confidence:.1%}, {doubt}")


def report(readings: list[Reading], folder: str) -> None:
    correct, number = (
        sum(getattr(one, name) for one in readings) for name in ("correct", "right_number")
    )
    print(f"{folder:14} {len(readings):8} {correct:8} {number:8}")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.photo", description=__doc__)
    parser.add_argument("file", metavar="PICTURES.zip or PEN.npz")
    parser.add_argument("--network", default="cnn", choices=list(shipped.shipped_runs()))
    options = parser.parse_args()
    if options.file.endswith(".zip"):
        measure_pictures(options.file, options.network)
        return
    digits, labels = load_pen(options.file)
    network = Classifier.bundled(options.network)
    for beside in SHEETS:
        measure(digits, labels, beside, network)


if __name__ == "__main__":
    main()
