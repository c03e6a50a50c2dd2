import itertools

import numpy as np
import pytest
from PIL import Image, ImageDraw

from mnist_core import drawing
from mnist_core.classifier import Classifier
from mnist_core.drawing import to_mnist
from mnist_core.errors import EmptyDrawing


def draw_seven(
    sheet: tuple[int, int] = (280, 280),
    corner: tuple[float, float] = (60, 40),
    size: float = 150,
    pen: float = 16,
    paper: int = 255,
    ink: int = 0,
) -> np.ndarray:
    """A 7 drawn with a round pen: uint8 grey of this (width, height)."""
    picture = Image.new("L", sheet, paper)
    pencil = ImageDraw.Draw(picture)
    left, top = corner
    points = [(left, top), (left + 0.65 * size, top), (left + 0.25 * size, top + size)]
    pencil.line(points, fill=ink, width=round(pen), joint="curve")
    for x, y in points:
        pencil.ellipse((x - pen / 2, y - pen / 2, x + pen / 2, y + pen / 2), fill=ink)
    return np.asarray(picture)


def difference(one: np.ndarray, other: np.ndarray) -> float:
    """Mean absolute difference of the pixels, in grey levels."""
    return float(np.abs(one.astype(int) - other.astype(int)).mean())


def centre_of_mass(picture: np.ndarray) -> tuple[float, float]:
    """Of a 28x28 picture, in pixels from its top left corner."""
    mass = picture / picture.sum()
    middles = np.arange(28) + 0.5
    return float(mass.sum(axis=1) @ middles), float(mass.sum(axis=0) @ middles)


def sides(picture: np.ndarray) -> tuple[int, int]:
    """Height and width of what is not black."""
    rows = np.flatnonzero(picture.any(axis=1))
    columns = np.flatnonzero(picture.any(axis=0))
    return int(np.ptp(rows)) + 1, int(np.ptp(columns)) + 1


SEVEN = to_mnist(draw_seven())
UPRIGHT = draw_seven()


def with_colour(grey: np.ndarray, paper, ink) -> np.ndarray:
    """The same drawing with other colours for paper and ink, each RGB or RGBA."""
    share = (255 - grey[..., None]) / 255
    return (np.array(paper) * (1 - share) + np.array(ink) * share).astype(np.uint8)


SAME_DRAWING = {
    "light on dark": 255 - UPRIGHT,
    "grey on grey": draw_seven(paper=180, ink=90),
    "pale grey on white": draw_seven(paper=255, ink=200),
    "RGB": np.stack([UPRIGHT] * 3, axis=-1),
    "blue on yellow": with_colour(UPRIGHT, (255, 240, 120), (20, 30, 160)),
    "RGBA, opaque": with_colour(UPRIGHT, (255, 255, 255, 255), (0, 0, 0, 255)),
    "black ink on a transparent sheet": with_colour(UPRIGHT, (0, 0, 0, 0), (0, 0, 0, 255)),
    "white ink on a transparent sheet": with_colour(
        UPRIGHT, (255, 255, 255, 0), (255, 255, 255, 255)
    ),
    "one channel": UPRIGHT[..., None],
    "float": UPRIGHT / 255,
    "float32": (UPRIGHT / 255).astype(np.float32),
    "yes or no": UPRIGHT > 128,
    "wider whole numbers": UPRIGHT.astype(np.int64),
    "not contiguous": np.asfortranarray(UPRIGHT),
}


@pytest.mark.parametrize("kind", SAME_DRAWING)
def test_the_same_drawing_gives_the_same_digit_whatever_its_colours(kind):
    picture = SAME_DRAWING[kind]
    before = picture.copy()
    digit = to_mnist(picture)
    assert (digit.shape, digit.dtype) == ((28, 28), np.uint8)
    assert difference(digit, SEVEN) < 3
    assert (picture == before).all()


def test_the_digit_is_white_on_black_and_a_seven():
    assert SEVEN[0].max() == SEVEN[:, 0].max() == 0
    assert SEVEN.max() > 250
    rows = np.flatnonzero(SEVEN.any(axis=1))
    assert (SEVEN[rows[1]] > 128).sum() >= 9
    assert (SEVEN[rows[-2]] > 128).sum() <= 4


@pytest.mark.parametrize("size", [40, 90, 200])
@pytest.mark.parametrize("place", [(0.0, 0.0), (1.0, 0.0), (0.3, 0.7), (1.0, 1.0)])
def test_a_drawing_gives_the_same_digit_anywhere_at_any_size(size, place):
    pen = size * 16 / 150
    room = (280 - 0.65 * size - 2 * pen, 280 - size - 2 * pen)
    corner = (round(pen + place[0] * room[0]), round(pen + place[1] * room[1]))
    digit = to_mnist(draw_seven(corner=corner, size=size, pen=pen))
    assert difference(digit, SEVEN) < 8


@pytest.mark.parametrize(("factor", "tolerance"), [(0.25, 12), (4, 3), (12, 3)])
def test_tiny_and_huge_pictures_give_the_same_digit(factor, tolerance):
    picture = draw_seven(
        (round(280 * factor), round(280 * factor)),
        (60 * factor, 40 * factor),
        150 * factor,
        16 * factor,
    )
    assert difference(to_mnist(picture), SEVEN) < tolerance


def test_a_small_drawing_in_a_corner_is_read_as_what_it_is():
    small = draw_seven(corner=(12, 12), size=40, pen=6)
    assert Classifier.bundled("classic").predict_proba(to_mnist(small)[None])[0].argmax() == 7


@pytest.mark.parametrize(
    ("side", "pen"), [(500, 6), (1000, 4), (3000, 10)], ids=["sheet", "screen", "photograph"]
)
def test_a_thin_pen_on_a_large_sheet_still_leaves_ink_as_white_as_in_mnist(side, pen):
    digit = to_mnist(draw_seven((side, side), (side * 0.2, side * 0.2), side * 0.6, pen))
    assert digit.max() > 200


def test_two_specks_far_apart_on_a_large_sheet_are_no_crash():
    sheet = np.full((1000, 1000), 255, np.uint8)
    sheet[10, 10] = sheet[900, 900] = 0
    try:
        digit = to_mnist(sheet)
    except EmptyDrawing:
        return
    assert digit.any()


@pytest.mark.parametrize("sheet", [(1, 400), (400, 1)])
def test_a_sheet_one_pixel_high_or_wide_is_no_crash(sheet):
    strip = np.full(sheet, 255, np.uint8)
    strip.flat[100:200] = 0
    assert to_mnist(strip).any()


def test_colours_become_the_grey_that_an_eye_sees():
    """The luma of ITU-R BT.601: green is bright, blue is dark."""
    red_green_blue = np.eye(3, dtype=np.float32)[np.newaxis]
    grey = drawing.to_grey(red_green_blue)
    np.testing.assert_allclose(grey, [[0.299, 0.587, 0.114]], rtol=1e-6)
    opaque = np.concatenate([red_green_blue, np.ones((1, 3, 1), np.float32)], axis=2)
    np.testing.assert_allclose(drawing.to_grey(opaque), grey, rtol=1e-6)


def test_a_dot_of_one_pixel_is_ink():
    sheet = np.full((280, 280), 255, np.uint8)
    sheet[33, 200] = 0
    digit = to_mnist(sheet)
    assert digit.any()
    assert max(sides(digit)) <= 20


def test_the_longest_side_has_twenty_pixels_and_the_shape_is_kept():
    height, width = sides(SEVEN)
    assert height in (19, 20)
    assert width == pytest.approx(20 * (0.65 * 150 + 16) / (150 + 16), abs=1.5)
    lying = np.full((100, 300), 255, np.uint8)
    lying[40:60, 50:250] = 0
    height, width = sides(to_mnist(lying))
    assert width == 20
    assert height in (2, 3)


@pytest.mark.parametrize("turns", range(4))
def test_the_centre_of_mass_is_where_mnist_has_it(turns):
    row, column = centre_of_mass(to_mnist(np.rot90(UPRIGHT, turns)))
    assert 14 <= row <= 15
    assert 14 <= column <= 15


def test_ink_far_out_is_moved_back_inside():
    # A heavy blot with a long thin tail: centred by mass, the tail would leave the picture.
    sheet = np.full((200, 200), 255, np.uint8)
    sheet[20:60, 20:60] = 0
    sheet[60:180, 38:42] = 0
    digit = to_mnist(sheet)
    assert max(sides(digit)) == 20
    assert digit[-1].any()


def test_a_digit_of_mnist_stays_nearly_itself(sample):
    changes = [difference(to_mnist(image), image) for image in sample.x_test]
    assert np.mean(changes) < 2
    # Of the others, one in ten has a pen that is brought to what nine in ten have; the rest
    # lie on the edge between two pixels and are moved by one.
    assert np.mean(np.array(changes) < 2) > 0.88


def test_digits_of_mnist_are_read_as_well_after_being_prepared_again(sample):
    images, labels = sample.x_test[:300], sample.y_test[:300]
    classifier = Classifier.bundled("classic")
    five_times_as_large = np.ones((5, 5), np.uint8)
    prepared = np.stack([to_mnist(np.kron(255 - image, five_times_as_large)) for image in images])
    as_they_are = (classifier.predict_proba(images).argmax(axis=1) == labels).mean()
    again = (classifier.predict_proba(prepared).argmax(axis=1) == labels).mean()
    assert again > as_they_are - 0.03


def noise(amplitude: int) -> np.ndarray:
    return np.random.default_rng(0).integers(255 - amplitude, 256, (280, 280)).astype(np.uint8)


BLANK = {
    "white": np.full((280, 280), 255, np.uint8),
    "black": np.zeros((280, 280), np.uint8),
    "grey": np.full((280, 280, 3), 128, np.uint8),
    "transparent": np.zeros((280, 280, 4), np.uint8),
    "transparent white": np.full((280, 280, 4), (255, 255, 255, 0), np.uint8),
    "faint noise": noise(20),
    "one pixel": np.zeros((1, 1), np.uint8),
    "not numbers": np.full((28, 28), np.nan),
}


@pytest.mark.parametrize("kind", BLANK)
def test_a_blank_sheet_is_an_empty_drawing(kind):
    with pytest.raises(EmptyDrawing, match="There is no digit yet"):
        to_mnist(BLANK[kind])


def test_noise_in_the_paper_leaves_the_drawing_as_it_is():
    noisy = np.minimum(draw_seven(), noise(25))
    assert difference(to_mnist(noisy), SEVEN) < 3


@pytest.mark.parametrize("shape", [(28,), (28, 28, 2), (28, 28, 5), (0, 28), (1, 28, 28, 3), ()])
def test_an_array_that_is_no_picture_is_refused(shape):
    with pytest.raises(ValueError, match="Expected a grey, RGB or RGBA picture"):
        to_mnist(np.zeros(shape, np.uint8))


# --- the pen ---


def pen_share(digit: np.ndarray) -> float:
    """How wide the upright stroke of a 28x28 seven is, beside its height of 20."""
    row = digit[np.flatnonzero(digit.any(axis=1))[10]]
    return float(row.sum() / 255 / 20)


@pytest.mark.parametrize("pen", [2, 4, 8, 16, 30, 45])
def test_whatever_the_pen_strokes_come_out_as_wide_as_mnists(pen):
    share = pen_share(to_mnist(draw_seven(pen=pen)))
    # Measured along a row, a slanted stroke is a little wider than its pen.
    assert drawing.THINNEST_PEN * 0.9 < share < drawing.THICKEST_PEN * 1.3


def test_without_the_step_a_fine_liner_and_a_marker_stay_what_they_are():
    fine, broad = (
        pen_share(drawing.prepare(draw_seven(pen=pen), [drawing.PEN])[-1].picture)
        for pen in (4, 45)
    )
    assert fine < drawing.THINNEST_PEN * 0.8
    assert broad > drawing.THICKEST_PEN * 1.1


def test_a_pen_within_bounds_is_not_touched():
    ink = drawing.crop(drawing.find_ink(drawing.to_grey(draw_seven(pen=20))))
    assert drawing.even_pen(ink) is ink


def test_a_dot_has_no_path_to_keep():
    dot = np.full((280, 280), 255, np.uint8)
    dot[100:120, 100:120] = 0
    assert max(sides(to_mnist(dot))) == 20


# --- step by step ---


def test_the_last_of_the_stages_is_what_the_network_is_given():
    stages = drawing.prepare(draw_seven())
    assert [stage.step for stage in stages] == list(drawing.STEPS)
    assert not any(stage.skipped for stage in stages)
    assert (stages[-1].picture == SEVEN).all()
    assert all(stage.picture.dtype == np.uint8 for stage in stages)


@pytest.mark.parametrize("count", range(len(drawing.STEPS) + 1))
def test_any_steps_can_be_left_out(count):
    for skip in itertools.combinations(drawing.STEPS, count):
        stages = drawing.prepare(draw_seven(), skip)
        assert stages[-1].picture.shape == (28, 28)
        assert {stage.step for stage in stages if stage.skipped} == set(skip)


@pytest.mark.parametrize("count", range(len(drawing.STEPS) + 1))
def test_whatever_is_left_out_a_dark_sheet_is_read_or_called_empty(count):
    # White ink barely lighter than black paper: without the first step all is noise.
    dark = draw_seven(paper=0, ink=35)
    for skip in itertools.combinations(drawing.STEPS, count):
        try:
            picture = drawing.prepare(dark, skip)[-1].picture
        except EmptyDrawing:
            assert drawing.INK in skip, "only then is it too dark to see"
        else:
            assert picture.shape == (28, 28)


def test_each_step_left_out_changes_what_it_is_about():
    def without(step, **options):
        return drawing.prepare(draw_seven(**options), [step])[-1].picture

    assert without(drawing.INK).mean() > 1.5 * SEVEN.mean(), "the paper is taken for ink"
    assert max(sides(without(drawing.CROP, size=60, pen=8))) < 12, "small stays small"
    assert sides(without(drawing.FIT)) == (28, 28), "stretched over all"
    small = without(drawing.CENTRE)
    rows = np.flatnonzero(small.any(axis=1))
    assert abs(rows[0] - (27 - rows[-1])) <= 1, "the box is in the middle"


def test_a_picture_to_look_at_is_small_and_keeps_its_shape():
    shown = drawing.shrink(np.zeros((1200, 600, 3), np.uint8), 112)
    assert (shown.shape, shown.dtype) == ((112, 56), np.uint8)
    assert drawing.shrink(SEVEN, 112).shape == (28, 28)
