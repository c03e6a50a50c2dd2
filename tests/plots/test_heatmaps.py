import numpy as np
import plotly.colors
import pytest

from mnist_core.plots import heatmaps
from tests.plots.colours import as_hex, contrast

COUNTS = np.diag([90, 5, 80, 70, 60, 50, 40, 30, 20, 10])
COUNTS[4, 9], COUNTS[7, 1] = 20, 1
# Logarithms as even as whole numbers can have them, from 0 to 10,000.
ALL_SHADES = np.rint(np.expm1(np.linspace(0, np.log1p(10_000), 100))).astype(int).reshape(10, 10)
OTHER = np.diag(np.diag(COUNTS))
OTHER[4, 9], OTHER[4, 4], OTHER[7, 7] = 8, 72, 31


def written(figure) -> np.ndarray:
    """What stands in the cells, (10, 10)."""
    return np.array(figure.data[1].text).reshape(10, 10)


def said(figure) -> np.ndarray:
    """What is said of the cell that is pointed at, (10, 10)."""
    return np.array(figure.data[0].hovertext)


@pytest.mark.parametrize("mistakes_only", [False, True])
@pytest.mark.parametrize(
    ("numbers", "text"), [("count", "20"), ("true", "25.0"), ("predicted", "66.7")]
)
def test_a_cell_says_its_images_or_their_share_of_the_row_or_of_the_column(
    numbers, text, mistakes_only
):
    figure = heatmaps.confusion_heatmap(COUNTS, numbers, mistakes_only)
    assert written(figure)[4, 9] == text
    assert written(figure)[9, 4] == ""
    assert (written(figure)[3, 3] == "") == mistakes_only
    assert (figure.data[0].z[3][3] is None) == mistakes_only


def test_numbers_that_nobody_knows_are_a_fault():
    with pytest.raises(KeyError):
        heatmaps.confusion_heatmap(COUNTS, "shares")


def test_each_cell_has_a_name():
    names = said(heatmaps.confusion_heatmap(COUNTS))
    assert names[4, 9] == "true 4, predicted 9, 20 images"
    assert names[7, 1] == "true 7, predicted 1, 1 image"


def test_the_colours_for_a_page_without_plotly_are_those_of_the_scale():
    cells = heatmaps.confusion_heatmap(COUNTS, mistakes_only=True).data[0]
    lightest, darkest = cells.colorscale[0][1], cells.colorscale[-1][1]
    assert cells.meta[49] == darkest, "the commonest mistake"
    assert cells.meta[40] == lightest
    assert cells.meta[44] == "transparent", "a correct answer"


def test_a_difference_has_a_sign_and_two_colours_as_far_from_none():
    figure = heatmaps.difference_heatmap(COUNTS, OTHER)
    assert [written(figure)[cell] for cell in ((4, 9), (4, 4), (7, 7), (0, 0))] == [
        "+12",
        "−12",
        "−1",
        "",
    ]
    shades = np.array(figure.data[0].z)
    assert (shades[4, 9], shades[4, 4], shades[0, 0]) == (1, 0, 0.5)
    assert 0 < shades[7, 7] < 0.5
    assert said(figure)[4, 9] == "true 4, predicted 9, 20 images by the first, 8 by the second"
    assert said(figure)[7, 1] == "true 7, predicted 1, 1 image by the first, 0 by the second"


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.filterwarnings("error")
def test_nothing_to_show_is_no_fault(dark):
    empty = np.zeros((10, 10), int)
    for figure in (
        heatmaps.confusion_heatmap(empty, "true", dark=dark),
        heatmaps.confusion_heatmap(np.diag([5] * 10), mistakes_only=True, dark=dark),
        heatmaps.difference_heatmap(COUNTS, COUNTS, dark),
    ):
        assert set(written(figure).ravel()) == {""}
        assert (figure.data[0].zmin, figure.data[0].zmax) == (0, 1)


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize(
    "draw",
    [
        lambda dark: heatmaps.confusion_heatmap(ALL_SHADES, dark=dark),
        lambda dark: heatmaps.difference_heatmap(ALL_SHADES, ALL_SHADES.T[::-1, ::-1], dark),
    ],
    ids=["counts", "differences"],
)
def test_a_number_stands_out_from_whatever_colour_its_cell_has(draw, dark):
    cells, numbers = draw(dark).data
    scale = [list(pair) for pair in cells.colorscale]
    for shade, ink in zip(np.ravel(cells.z), numbers.textfont.color, strict=True):
        (cell,) = plotly.colors.sample_colorscale(scale, [shade])
        # What WCAG 2.1 asks of large text is 3.
        assert contrast(ink, as_hex(cell)) > 3.8
