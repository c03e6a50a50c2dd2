import io

import numpy as np
import pytest
from PIL import Image, ImageDraw
from scipy import ndimage

from mnist_core.classifier import Classifier
from mnist_core.drawing import to_mnist
from mnist_core.drawing.photo import (
    LONGEST_SIDE,
    Figure,
    find_drawn_figures,
    find_figures,
)
from mnist_core.drawing.reading import read_figures
from mnist_core.errors import EmptyDrawing

PAPER, INK = 225, 40
HEIGHT, WIDTH = 480, 640
DOWN, ACROSS = np.mgrid[:HEIGHT, :WIDTH]

# Strokes in a square with side 1, x and y.
SHAPES = {
    0: [[(0.5, 0), (0.2, 0.2), (0.15, 0.6), (0.4, 1), (0.7, 0.8), (0.75, 0.3), (0.5, 0)]],
    1: [[(0.45, 0), (0.45, 1)]],
    2: [[(0.15, 0.2), (0.4, 0), (0.7, 0.15), (0.65, 0.4), (0.1, 1), (0.8, 1)]],
    4: [[(0.5, 0), (0.1, 0.6), (0.8, 0.6)], [(0.6, 0.3), (0.6, 1)]],
    6: [[(0.6, 0), (0.2, 0.5), (0.2, 0.9), (0.5, 1), (0.7, 0.8), (0.5, 0.6), (0.2, 0.75)]],
    7: [[(0.1, 0), (0.75, 0), (0.35, 1)]],
}
FIVE_WITH_ITS_BAR_APART = [
    [(0.2, 0.12), (0.2, 0.45), (0.6, 0.5), (0.65, 0.85), (0.4, 1), (0.1, 0.9)],
    [(0.32, 0), (0.8, 0)],
]
FOUR_IN_TWO_STROKES = [[(0.2, 0), (0.1, 0.55), (0.45, 0.6)], [(0.62, 0.25), (0.58, 1)]]


def sheet() -> np.ndarray:
    """Bare paper, uint8 (480, 640)."""
    return np.full((HEIGHT, WIDTH), PAPER, np.uint8)


def write(
    paper: np.ndarray,
    digit: int | list,
    corner: tuple[float, float] = (240, 160),
    size: float = 150,
    pen: float = 13,
    ink: int = INK,
) -> np.ndarray:
    """The same sheet with a digit more, its top left corner at x and y."""
    # Drawn twice as large and shrunk, so that edges are as soft as a camera's.
    cover = Image.new("L", (paper.shape[1] * 2, paper.shape[0] * 2), 0)
    brush = ImageDraw.Draw(cover)
    for stroke in SHAPES[digit] if isinstance(digit, int) else digit:
        points = [(2 * (corner[0] + x * size), 2 * (corner[1] + y * size)) for x, y in stroke]
        brush.line(points, 255, round(2 * pen), joint="curve")
        for x, y in points:
            brush.ellipse((x - pen, y - pen, x + pen, y + pen), 255)
    share = np.asarray(cover.reduce(2)) / 255
    return (paper * (1 - share) + ink * share).astype(np.uint8)


def write_row(paper: np.ndarray, digits: list[int], corner=(60, 120), size=90, pen=8):
    for place, digit in enumerate(digits):
        # No hand keeps the line, nor the size.
        own = size * (1 + 0.12 * (place % 3 - 1))
        paper = write(paper, digit, (corner[0] + place * size, corner[1] + 5 * place), own, pen)
    return paper


def photograph(scene: np.ndarray, noise: float = 4, quality: int = 60) -> np.ndarray:
    """As a camera would take it: blurred, noisy, in three channels, compressed."""
    random = np.random.default_rng(0)
    seen = ndimage.gaussian_filter(scene.astype(np.float32), 0.7)
    seen = np.clip(seen + random.normal(0, noise, scene.shape), 0, 255).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(seen).convert("RGB").save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer))


def rule(scene: np.ndarray, gap: int = 57, tilt: float = 0.02, ink: int = 150) -> np.ndarray:
    """Rules of two pixels printed on the paper, none over ink that is darker."""
    lines = (DOWN + tilt * ACROSS) % gap < 2
    return np.where(lines, np.minimum(scene, ink), scene)


def square(scene: np.ndarray) -> np.ndarray:
    lines = (ACROSS - 0.02 * DOWN) % 57 < 2
    return np.where(lines, np.minimum(rule(scene), 150), rule(scene))


def shade(scene: np.ndarray) -> np.ndarray:
    """Light from one side."""
    return scene * (1 - 0.6 * ACROSS / WIDTH)


def shadow_of_a_hand(scene: np.ndarray) -> np.ndarray:
    """Half as light beyond a slanting edge."""
    return scene * (1 - 0.5 / (1 + np.exp(-(ACROSS + 0.5 * DOWN - 400) / 4)))


def dark_corner(scene: np.ndarray) -> np.ndarray:
    return scene * (1 - 0.6 * np.exp(-((ACROSS - 90) ** 2 + (DOWN - 90) ** 2) / 2 / 90**2))


def on_a_table(scene: np.ndarray) -> np.ndarray:
    return np.where((ACROSS < 30 + 0.04 * DOWN) | (DOWN > 455), 25, scene)


def with_dust(scene: np.ndarray) -> np.ndarray:
    random = np.random.default_rng(1)
    dusty = scene.copy()
    for _ in range(40):
        row, column = random.integers(20, HEIGHT - 20), random.integers(20, WIDTH - 20)
        size = random.integers(1, 4)
        dusty[row : row + size, column : column + size] = 90
    return dusty


SCENES = {
    "plain": lambda scene: scene,
    "light from one side": shade,
    "the shadow of a hand": shadow_of_a_hand,
    "a dark corner": dark_corner,
    "lined paper": rule,
    "lined paper held askew": lambda scene: rule(scene, tilt=-0.05),
    "squared paper": square,
    "squared paper in the shadow": lambda scene: shade(square(scene)),
    "a table around": on_a_table,
    "dust": with_dust,
    "chalk on a board": lambda scene: 255 - scene,
    "chalk in poor light": lambda scene: shade(255 - scene),
}


def read(figures: list[Figure]) -> list[int]:
    images = np.stack([to_mnist(figure.ink) for figure in figures])
    return Classifier.bundled("cnn").predict_proba(images).argmax(axis=1).tolist()


@pytest.mark.parametrize("kind", SCENES)
def test_a_digit_is_found_and_read(kind):
    figures = find_figures(photograph(SCENES[kind](write(sheet(), 2))))
    assert read(figures) == [2]
    top, left, bottom, right = figures[0].box
    assert (top, left) == pytest.approx((153, 248), abs=4)
    assert (bottom, right) == pytest.approx((317, 367), abs=4)


@pytest.mark.parametrize("kind", SCENES)
def test_a_row_of_digits_is_read_from_left_to_right(kind):
    row = write_row(sheet(), [2, 0, 1, 7, 6], (100, 160))
    assert read(find_figures(photograph(SCENES[kind](row)))) == [2, 0, 1, 7, 6]


@pytest.mark.parametrize(("ink", "noise"), [(60, 4), (110, 4), (150, 4), (110, 9)])
def test_a_pale_pencil_is_ink(ink, noise):
    assert read(find_figures(photograph(write(sheet(), 2, ink=ink, pen=8), noise))) == [2]


def test_pencil_beside_a_felt_pen_is_ink():
    scene = write(write(sheet(), 7, (60, 160), pen=18, ink=10), 2, (360, 160), pen=7, ink=140)
    assert read(find_figures(photograph(scene))) == [7, 2]


def test_blue_ink_on_yellow_paper_is_read():
    share = (PAPER - write(sheet(), 2)[..., None]) / (PAPER - INK)
    picture = np.array([240, 230, 150]) * (1 - share) + np.array([30, 40, 150]) * share
    assert read(find_figures(picture.astype(np.uint8))) == [2]


@pytest.mark.parametrize("row", range(100, 160, 13))
def test_a_digit_that_crosses_rules_stays_whole_wherever_they_cross_it(row):
    figures = find_figures(photograph(rule(write(sheet(), 2, (240, row), pen=9), tilt=0.01)))
    assert read(figures) == [2]


def test_lines_are_read_from_the_top():
    scene = write_row(write_row(sheet(), [2, 0, 6], (90, 60)), [7, 1, 2], (60, 230))
    assert read(find_figures(photograph(scene))) == [2, 0, 6, 7, 1, 2]


@pytest.mark.parametrize("strokes", [FIVE_WITH_ITS_BAR_APART, FOUR_IN_TWO_STROKES])
def test_strokes_of_one_digit_that_do_not_touch_are_one_figure(strokes):
    scene = write(write(sheet(), strokes, (100, 150)), 1, (330, 150))
    figures = find_figures(photograph(scene))
    assert len(figures) == 2
    top, left, bottom, right = figures[0].box
    assert bottom - top > 140
    assert right - left > 70


def test_a_figure_holds_no_ink_of_its_neighbours():
    # Slanted so that the box of each holds ink of the other.
    slanted = [[(0.65, 0), (0, 1)]]
    figures = find_figures(write(write(sheet(), slanted, (200, 150)), slanted, (280, 150)))
    assert [ndimage.label(figure.ink > 0.5)[1] for figure in figures] == [1, 1]
    assert figures[1].box[1] < figures[0].box[3]


def test_ink_is_soft_at_its_edges_and_has_paper_all_around():
    (figure,) = find_figures(photograph(shade(write(sheet(), 2))))
    ink = figure.ink
    assert ink.dtype == np.float32
    assert ink.min() == 0
    assert ink.max() == 1
    assert not any(edge.any() for edge in (ink[:2], ink[-2:], ink[:, :2], ink[:, -2:]))
    assert ((ink > 0.1) & (ink < 0.9)).mean() > 0.02
    top, left, bottom, right = figure.box
    assert ink.shape[0] == pytest.approx(bottom - top, abs=24)
    assert ink.shape[1] == pytest.approx(right - left, abs=24)


@pytest.mark.parametrize("pen", [8, 32])
@pytest.mark.parametrize("digit", SHAPES)
def test_a_clean_drawing_that_fills_its_sheet_is_one_figure(digit, pen):
    canvas = write(np.full((280, 280), 255, np.uint8), digit, (30, 24), 230, pen, 0)
    (figure,) = find_figures(canvas)
    change = np.abs(to_mnist(figure.ink).astype(int) - to_mnist(canvas)).mean()
    assert change < 4


def test_digits_of_mnist_are_found_as_they_are(sample):
    images, labels = sample.x_test[:100], sample.y_test[:100]
    found = [find_figures(image) for image in images]
    assert sum(len(figures) == 1 for figures in found) >= 98
    right = [read(figures)[:1] == [label] for figures, label in zip(found, labels, strict=True)]
    assert np.mean(right) >= 0.95


@pytest.mark.parametrize("factor", [0.5, 2, 5])
def test_pictures_of_all_sizes_are_read_and_boxes_are_in_their_pixels(factor):
    scene = write_row(sheet(), [2, 0, 7], (100, 160))
    size = (round(WIDTH * factor), round(HEIGHT * factor))
    figures = find_figures(np.asarray(Image.fromarray(scene).resize(size)))
    assert read(figures) == [2, 0, 7]
    for figure, original in zip(figures, find_figures(scene), strict=True):
        assert max(figure.ink.shape) < LONGEST_SIDE
        assert figure.box == pytest.approx([factor * edge for edge in original.box], abs=4 * factor)


@pytest.mark.parametrize(
    "change",
    [
        lambda grey: grey / 255,
        lambda grey: grey[..., None],
        lambda grey: np.dstack([grey] * 3),
        lambda grey: np.dstack([grey, grey, grey, np.full_like(grey, 255)]),
        lambda grey: np.dstack([grey * 0, grey * 0, grey * 0, 255 - grey]),
        lambda grey: np.asfortranarray(grey),
    ],
    ids=["float", "one channel", "RGB", "RGBA", "ink on nothing", "not contiguous"],
)
def test_the_same_picture_gives_the_same_figure_whatever_its_kind(change):
    picture = change(write(sheet(), 2))
    before = picture.copy()
    (figure,) = find_figures(picture)
    assert read([figure]) == [2]
    assert figure.box[0] == pytest.approx(153, abs=3)
    assert (picture == before).all()


def test_a_sheet_of_thirty_digits_is_read_to_its_last(sample):
    sheet, order = np.full((4 * 60, 8 * 60), 255, np.uint8), []
    for place in range(30):
        digit = sample.x_test[place]
        top, left = place // 8 * 60 + 16, place % 8 * 60 + 16
        sheet[top : top + 28, left : left + 28] -= digit
        order.append((place // 8, left))
    figures, note = read_figures(sheet)
    assert note == ""
    assert [(f.box[0] // 60, (f.box[1] // 60) * 60 + 16) for f in figures] == order


EMPTY = {
    "black": sheet() * 0,
    "only a dash": write(sheet(), [[(0, 0.5), (1, 0.5)]]),
    "only a large blot": write(sheet(), [[(0.5, 0.5), (0.5, 0.5)]], pen=50),
    **{f"only {kind}": SCENES[kind](sheet()) for kind in SCENES},
}


@pytest.mark.parametrize("kind", EMPTY)
def test_a_sheet_without_a_digit_is_an_empty_drawing(kind):
    with pytest.raises(EmptyDrawing, match=r"There is no digit here: .*\."):
        read_figures(photograph(EMPTY[kind], noise=9))


def test_a_clean_sheet_is_an_empty_drawing():
    with pytest.raises(EmptyDrawing, match=r"There is no digit here: .*\."):
        read_figures(photograph(sheet(), noise=0))


def test_pure_noise_is_an_empty_drawing():
    noise = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH)).astype(np.uint8)
    with pytest.raises(EmptyDrawing):
        find_figures(noise)


@pytest.mark.parametrize("size", [(1, 1), (1, 400), (400, 1), (2, 3), (7, 1000), (3000, 2)])
def test_strange_sizes_are_no_crash(size):
    picture = np.random.default_rng(0).integers(0, 256, size).astype(np.uint8)
    for seen in (picture, picture * 0):
        try:
            find_figures(seen)
        except EmptyDrawing:
            continue


@pytest.mark.parametrize("shape", [(28,), (28, 28, 2), (28, 28, 5), (0, 28), (1, 28, 28, 3), ()])
def test_an_array_that_is_no_picture_is_refused(shape):
    with pytest.raises(ValueError, match="Expected a grey, RGB or RGBA picture"):
        find_figures(np.zeros(shape, np.uint8))


# --- drawings ---


def canvas() -> np.ndarray:
    return np.full((320, 320), 255, np.uint8)


DOT = [[(0.5, 0.5), (0.5, 0.5)]]
# An open 4 whose stem stands beside it, a barred 7, an 8 of two loops.
IN_SEVERAL_STROKES = {
    "5": FIVE_WITH_ITS_BAR_APART,
    "4": FOUR_IN_TWO_STROKES,
    "4, open": [[(0.2, 0), (0.1, 0.6), (0.5, 0.65)], [(0.68, 0.3), (0.66, 1)]],
    "7": [[(0.1, 0), (0.75, 0), (0.35, 1)], [(0.3, 0.5), (0.7, 0.5)]],
    "1, broken": [[(0.45, 0), (0.45, 0.5)], [(0.45, 0.62), (0.45, 1)]],
}


@pytest.mark.parametrize("strokes", IN_SEVERAL_STROKES.values(), ids=IN_SEVERAL_STROKES)
@pytest.mark.parametrize(("size", "pen"), [(230, 18), (60, 8)])
def test_one_digit_in_several_strokes_is_one_figure_and_the_whole_drawing(strokes, size, pen):
    drawing = write(canvas(), strokes, (40, 40), size, pen, 0)
    (figure,) = find_drawn_figures(drawing)
    assert (figure.ink == drawing).all()


def test_several_drawn_digits_are_read_one_by_one():
    drawing = write_row(canvas(), [7, 2, 1], (20, 100), 95, 12)
    assert read(find_drawn_figures(drawing)) == [7, 2, 1]


@pytest.mark.parametrize("pen", [8, 18, 30])
@pytest.mark.parametrize("moved", [0, 2])
@pytest.mark.parametrize("count", [1, 3])
def test_dots_are_no_digit(pen, moved, count):
    drawing = canvas()
    for place in range(count):
        dot = [[(0, 0), (moved, moved / 2)]]
        drawing = write(drawing, dot, (60 + 90 * place, 150), 1, pen, 0)
    with pytest.raises(EmptyDrawing, match="That is a dot, not a digit: draw a digit"):
        find_drawn_figures(drawing)


def test_a_dot_beside_a_digit_is_left_out():
    drawing = write(canvas(), 7, (30, 60), 180, 14, 0)
    (figure,) = find_drawn_figures(write(drawing, DOT, (150, 150), 280, 14, 0))
    assert np.abs(to_mnist(figure.ink).astype(int) - to_mnist(drawing)).max() < 4


@pytest.mark.parametrize("digit", [1, 7])
@pytest.mark.parametrize(("size", "pen"), [(24, 8), (40, 18)])
def test_a_tiny_digit_in_a_corner_is_no_dot(digit, size, pen):
    figures = find_drawn_figures(write(canvas(), digit, (10, 290 - size), size, pen, 0))
    assert read(figures) == [digit]
