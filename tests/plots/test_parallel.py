import numpy as np
import plotly.colors
import pytest

from mnist_core.plots import parallel, style
from tests.plots.colours import BLACKBOARD, COLOUR_VISION, WHITE, as_hex, contrast, difference

AXES = [("Learning rate", ["0.02", "0.002", "0.006", "0.02"]), ("Optimizer", ["sgd", "adam"])]
TRAININGS = [
    (["0.006", "sgd"], 0.9, "rate 0.006, <b>sgd</b>"),
    (["0.02", "adam"], 0.99, "rate 0.02, adam"),
    (["0.002", "adam"], 0.98, "rate 0.002, adam"),
]


def notes(figure) -> dict[str, tuple[float, float]]:
    """What is written beside the lines, and where."""
    return {note.text: (note.x, note.y) for note in figure.layout.annotations}


def test_each_training_is_a_line_through_its_values_to_its_accuracy():
    figure = parallel.parallel_coordinates(AXES, TRAININGS)
    worst, second, best = figure.data
    assert list(worst.y) == [2, 1, 0]
    assert list(worst.x) == [0.5, 0, 0]
    assert list(best.x) == [1, 1, 1]
    assert (second.x[0], second.x[1]) == (0, 1)
    # From 90 to 99% the errors are a tenth, so 98% lies at 70% of the way.
    assert second.x[2] == pytest.approx(np.log10(5))
    assert best.line.width > second.line.width
    assert best.hovertemplate.startswith("99.00%: rate 0.02, adam")
    assert "<b>" not in worst.hovertemplate


def test_the_values_that_are_tried_stand_on_their_axes_numbers_in_their_order():
    written = notes(parallel.parallel_coordinates(AXES, TRAININGS))
    assert [written[text] for text in ("0.002", "0.006", "0.02")] == [(0, 2), (0.5, 2), (1, 2)]
    assert [written[text] for text in ("sgd", "adam")] == [(0, 1), (1, 1)]
    assert (written["90.0%"], written["99.0%"]) == ((0, 0), (1, 0))
    assert 0 < written["95%"][0] < written["98%"][0] < 1
    assert {"<b>Learning rate</b>", "<b>Optimizer</b>", "<b>Validation accuracy</b>"} <= set(
        written
    )


def test_the_axes_are_there_before_any_training_has_ended():
    figure = parallel.parallel_coordinates(AXES, [])
    assert len(figure.data) == 0
    assert {"0.002", "0.006", "0.02", "sgd", "adam"} <= set(notes(figure))
    assert figure.layout.height == parallel.parallel_coordinates(AXES, TRAININGS).layout.height


@pytest.mark.parametrize("accuracies", [[0.5], [0.97, 0.97], [0.0, 1.0], [1.0, 1.0]])
def test_no_accuracy_leaves_the_axis(accuracies):
    trainings = [(["0.02", "sgd"], accuracy, "") for accuracy in accuracies]
    figure = parallel.parallel_coordinates(AXES, trainings)
    assert all(0 <= line.x[-1] <= 1 for line in figure.data)
    assert all(0 <= x <= 1 or text.startswith("<b>") for text, (x, _) in notes(figure).items())


def test_trainings_that_differ_in_nothing_are_compared_all_the_same():
    (line,) = parallel.parallel_coordinates([], [([], 0.9, "")]).data
    assert list(line.y) == [0]


@pytest.mark.parametrize("page", [WHITE, BLACKBOARD])
def test_every_colour_from_the_worst_to_the_best_stands_out_from_both_pages(page):
    shades = plotly.colors.sample_colorscale(parallel.WORST_TO_BEST, np.linspace(0, 1, 11).tolist())
    for shade in shades:
        assert contrast(as_hex(shade), page) > 3
    assert contrast(style.GREY, page) > 3


@pytest.mark.parametrize("vision", COLOUR_VISION.values(), ids=COLOUR_VISION.keys())
def test_the_worst_and_the_best_are_told_apart_by_all_kinds_of_colour_vision(vision):
    (_, worst), (_, best) = parallel.WORST_TO_BEST
    assert difference(worst, best, vision) > 30


@pytest.mark.parametrize(("dark", "page"), [(False, WHITE), (True, BLACKBOARD)])
def test_no_line_crosses_out_what_is_written(dark, page):
    figure = parallel.parallel_coordinates(AXES, TRAININGS, dark)
    assert {note.bgcolor for note in figure.layout.annotations} == {page}
