import numpy as np
import pytest
from PIL import Image, ImageDraw

from mnist_core.drawing.paper import flatten_light
from mnist_core.drawing.rules import remove_rules
from tests.drawing.test_paper import sheet

# Strokes of thin digits, most of them straight, x and y in a square with side 1.
THIN = {
    1: [[(0.5, 0), (0.5, 1)]],
    4: [[(0.5, 0), (0.1, 0.6), (0.9, 0.6)], [(0.7, 0.1), (0.7, 1)]],
    7: [[(0.1, 0), (0.9, 0), (0.9, 1)]],
    9: [[(0.8, 0.4), (0.1, 0.4), (0.1, 0), (0.8, 0), (0.8, 1)]],
    0: [[(0.1, 0), (0.9, 0), (0.9, 1), (0.1, 1), (0.1, 0)]],
}


def draw(strokes: list, size: tuple[int, int] = (300, 300), margin: int = 20, pen: int = 2):
    """float32 ink, 0 paper to 1: the strokes as large as fits within the margin."""
    picture = Image.new("L", size, 255)
    brush = ImageDraw.Draw(picture)
    for stroke in strokes:
        side = min(size) - 2 * margin
        brush.line([(margin + x * side, margin + y * side) for x, y in stroke], 40, pen, "curve")
    return np.asarray(picture, np.float32) / 255


def ink_of(picture: np.ndarray) -> np.ndarray:
    return flatten_light(picture)[0]


@pytest.mark.parametrize("upright", [False, True])
def test_rules_are_taken_away_and_a_digit_that_crosses_them_stays(upright):
    picture = sheet()
    for place in range(20, 200, 45):
        if upright:
            picture[:, place : place + 2] = np.minimum(picture[:, place : place + 2], 0.6)
        else:
            picture[place : place + 2] = np.minimum(picture[place : place + 2], 0.6)
    ruled, clean = ink_of(picture), ink_of(sheet())
    left = remove_rules(ruled)
    seven = clean > 0.5
    assert left[~seven].mean() < 0.35 * ruled[~seven].mean()
    assert left[seven].mean() > 0.9 * clean[seven].mean()


@pytest.mark.parametrize("pen", [1, 2, 5])
@pytest.mark.parametrize("digit", THIN)
def test_straight_strokes_of_thin_digits_are_no_rules(digit, pen):
    ink = ink_of(draw(THIN[digit], pen=pen))
    np.testing.assert_array_equal(remove_rules(ink), ink)


@pytest.mark.parametrize("white", [False, True])
@pytest.mark.parametrize("pen", [1, 2, 5])
def test_the_stroke_that_a_digit_would_lose_is_kept_in_white_ink_as_well(pen, white):
    picture = draw(THIN[4], pen=pen)
    ink = ink_of(1 - picture if white else picture)
    np.testing.assert_array_equal(remove_rules(ink), ink)


def test_a_long_one_is_no_rule():
    picture = np.ones((300, 200), np.float32)
    picture[10:290, 95:105] = 0.1
    assert remove_rules(ink_of(picture))[100:200, 100].min() > 0.6


@pytest.mark.parametrize("pen", [2, 5, 8])
@pytest.mark.parametrize("beyond", [0, 15])
def test_a_printed_box_is_taken_away_and_the_digit_in_it_stays(pen, beyond):
    picture = sheet()
    boxed = Image.fromarray((picture * 255).astype(np.uint8))
    brush = ImageDraw.Draw(boxed)
    for edge in (20, 220):
        brush.line([(edge, 20 - beyond), (edge, 180 + beyond)], 40, pen)
    for edge in (20, 180):
        brush.line([(20 - beyond, edge), (220 + beyond, edge)], 40, pen)
    left = remove_rules(ink_of(np.asarray(boxed, np.float32) / 255))
    seven = ink_of(picture) > 0.5
    assert left[seven].mean() > 0.75
    assert (left[~seven] > 0.3).mean() < 0.002
