import itertools

import numpy as np
import pytest
from PIL import Image, ImageDraw

from mnist_core.drawing.reading import as_one, read_figures
from tests.drawing.test_photo import SHAPES, photograph, read, sheet, write, write_row


def dashed(digit: int, gap: int) -> np.ndarray:
    """A digit of dashes on a sheet of 120x120 pixels, each so many pixels from the next."""
    picture = Image.new("L", (120, 120), 255)
    brush = ImageDraw.Draw(picture)
    for stroke in SHAPES[digit]:
        points = 15 + 90 * np.array(stroke)
        for start, end in itertools.pairwise(points):
            length = float(np.linalg.norm(end - start))
            for at in np.arange(0, length, 18 + gap):
                dash = [start + (end - start) * min(at + more, length) / length for more in (0, 18)]
                brush.line([tuple(point) for point in dash], 0, 7)
    return np.asarray(picture)


@pytest.mark.parametrize("gap", [6, 12])
@pytest.mark.parametrize("digit", [0, 2, 7])
def test_a_dashed_digit_is_put_together(digit, gap):
    figures, note = read_figures(dashed(digit, gap))
    assert read(figures) == [digit]
    assert note == ""


def test_digits_in_a_row_stay_apart():
    figures, _ = read_figures(write_row(sheet(), [7, 1, 0], (100, 160)))
    assert read(figures) == [7, 1, 0]


def test_digits_on_two_lines_stay_apart():
    scene = write_row(write_row(sheet(), [2, 6], (200, 60)), [7, 1], (200, 250))
    assert read(read_figures(photograph(scene))[0]) == [2, 6, 7, 1]


def test_a_digit_that_was_found_whole_has_no_other_reading():
    scene = write(sheet(), 2)
    assert as_one(scene, read_figures(scene)[0]) is None


def test_of_too_many_figures_the_largest_are_read_and_the_others_counted(monkeypatch):
    monkeypatch.setattr("mnist_core.drawing.reading.MOST_FIGURES", 12)
    scene = sheet()
    for place in range(16):
        size = 30 if place < 4 else 45
        scene = write(scene, 2, (20 + place % 8 * 75, 40 + place // 8 * 140), size, 5)
    figures, note = read_figures(scene)
    assert note.startswith("Only the 12 largest of the 16 figures in the picture were read;")
    assert len(figures) == 12
    assert min(figure.box[2] - figure.box[0] for figure in figures) > 40
    places = [(figure.box[0] // 140, figure.box[1]) for figure in figures]
    assert places == sorted(places)
