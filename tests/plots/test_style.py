import plotly.graph_objects as go
import pytest

from mnist_core.plots import style
from tests.plots.colours import BLACKBOARD, COLOUR_VISION, WHITE, contrast, difference


@pytest.mark.parametrize("vision", COLOUR_VISION.values(), ids=COLOUR_VISION.keys())
def test_ten_digits_are_told_apart_by_all_kinds_of_colour_vision(vision):
    colours = style.DIGIT_COLOURS
    assert len(colours) == 10
    pairs = [(one, other) for one in range(10) for other in range(one)]
    assert min(difference(colours[a], colours[b], vision) for a, b in pairs) > 15
    alike = [(4, 9), (4, 7), (7, 9), (3, 5), (3, 8), (5, 8), (2, 7), (1, 7), (5, 6)]
    assert min(difference(colours[a], colours[b], vision) for a, b in alike) > 30


@pytest.mark.parametrize("page", [WHITE, BLACKBOARD])
def test_no_digits_colour_is_lost_on_a_light_or_a_dark_page(page):
    assert min(contrast(colour, page) for colour in style.DIGIT_COLOURS) > 1.5


def test_annotations_keep_their_distance_from_lines_in_an_enlarged_figure():
    figure = go.Figure().add_annotation(x=0, y=0, text="above", yshift=24)
    (note,) = style.enlarged(figure, 1.25).layout.annotations
    assert note.yshift == 30
