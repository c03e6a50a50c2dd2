import dataclasses

import pytest

from mnist_core.plots import curves
from mnist_core.progress import Progress
from tests.helpers import reports
from tests.plots.colours import BLACKBOARD, COLOUR_VISION, WHITE, contrast, difference

TWO = [("first · 98.00%", reports(20)), ("second · 97.00%", reports(10))]


def curve(loss: float, validation_loss: float, validation_accuracy: float = 0.9) -> list[Progress]:
    """A run of one epoch that ends at these values."""
    (report,) = reports(1, steps_per_epoch=1)
    return [
        dataclasses.replace(
            report,
            loss=loss,
            validation_loss=validation_loss,
            validation_accuracy=validation_accuracy,
        )
    ]


@pytest.mark.parametrize("value", ["accuracy", "loss"])
def test_each_run_has_a_line_of_batches_and_one_of_validation_in_one_colour(value):
    batches, other_batches, validated, other_validated = curves.overlaid_curves(TWO, value).data
    assert list(batches.y) == [round(getattr(r, value), 5) for r in TWO[0][1]]
    assert list(validated.x) == [1, 2, 3, 4]
    assert list(validated.y) == [
        round(getattr(r, f"validation_{value}"), 5)
        for r in TWO[0][1]
        if r.validation_loss is not None
    ]
    assert (batches.mode, validated.mode) == ("lines", "lines+markers")
    assert (batches.showlegend, validated.name) == (False, "first · 98.00%")
    assert batches.line.color == validated.line.color
    assert other_batches.line.color == other_validated.line.color != validated.line.color
    # A click on the legend hides both.
    assert batches.legendgroup == validated.legendgroup
    assert other_batches.legendgroup == other_validated.legendgroup != validated.legendgroup


def test_over_seconds_the_faster_run_is_seen():
    figure = curves.overlaid_curves(TWO, "accuracy", "seconds")
    assert list(figure.data[2].x) == [0.05, 0.1, 0.15, 0.2]
    assert figure.layout.xaxis.title.text == "Seconds of training"
    # A zoom into epochs means nothing here.
    assert figure.layout.uirevision != curves.overlaid_curves(TWO, "accuracy").layout.uirevision


def test_six_runs_are_told_apart_by_colour_and_by_marker():
    figure = curves.overlaid_curves([(str(place), reports(10)) for place in range(6)])
    validated = figure.data[6:]
    assert len({trace.line.color for trace in validated}) == 6
    assert len({trace.marker.symbol for trace in validated}) == 6


@pytest.mark.parametrize("page", [WHITE, BLACKBOARD])
def test_curves_stand_out_from_a_light_and_from_a_dark_page(page):
    assert min(contrast(colour, page) for colour in curves.RUN_COLOURS) > 3


@pytest.mark.parametrize("vision", COLOUR_VISION.values(), ids=COLOUR_VISION.keys())
def test_six_runs_are_told_apart_by_all_kinds_of_colour_vision(vision):
    pairs = [(a, b) for a in curves.RUN_COLOURS for b in curves.RUN_COLOURS if a < b]
    assert min(difference(a, b, vision) for a, b in pairs) > 16


def test_a_poor_run_is_not_cut_off():
    poor = [("shuffled", curve(2.3, 2.4, validation_accuracy=0.1))]
    low, _ = curves.overlaid_curves(poor).layout.yaxis.range
    _, high = curves.overlaid_curves(poor, "loss").layout.yaxis.range
    assert low <= 0.1
    assert high > 2.4


def test_a_loss_on_smoothed_labels_that_ends_above_validation_is_seen():
    _, high = curves.overlaid_curves([("smoothed", curve(0.3, 0.06))], "loss").layout.yaxis.range
    assert high > 0.3


def test_a_long_name_is_broken_and_has_its_room_in_the_legend():
    short = curves.overlaid_curves([("short", reports(5))])
    name = "A name as long as a name may be (40), ok · 99.12% · e0d6a44249"
    long = curves.overlaid_curves([(name, reports(5))])
    lines = long.data[1].name.split("<br>")
    assert " ".join(lines) == name
    assert all(len(line) <= curves.LEGEND_CHARACTERS for line in lines)
    more = curves.LEGEND_LINE * (len(lines) - 1)
    assert long.layout.height == short.layout.height + more
    assert long.layout.margin.b == short.layout.margin.b + more


def test_a_name_is_text_and_no_markup():
    figure = curves.overlaid_curves([("<b>&amp;</b>", reports(5))])
    assert figure.data[1].name == "&lt;b&gt;&amp;amp;&lt;/b&gt;"


@pytest.mark.parametrize("runs", [[], [("none", [])], [("begun", reports(2))]])
@pytest.mark.parametrize("value", ["accuracy", "loss"])
def test_runs_without_reports_or_validation_are_no_fault(runs, value):
    figure = curves.overlaid_curves(runs, value, "seconds")
    low, high = figure.layout.yaxis.range
    assert low < high


@pytest.mark.parametrize("accuracies", [[0.098, 0.1135], [0.1], [0.0], [0.55, 0.95], [0.99]])
@pytest.mark.parametrize("draw", ["own", "overlaid"])
def test_every_validation_point_is_on_the_axes_with_its_marker(accuracies, draw):
    ends = [
        dataclasses.replace(
            report, accuracy=0.9, loss=0.1, validation_accuracy=accuracy, validation_loss=9.0
        )
        for report, accuracy in zip(
            reports(len(accuracies), steps_per_epoch=1), accuracies, strict=True
        )
    ]
    if draw == "own":
        figures = curves.accuracy_curves(ends, 8), curves.loss_curves(ends, 8)
    else:
        figures = tuple(curves.overlaid_curves([("it", ends)], v) for v in ("accuracy", "loss"))
    (bottom, top), (_, highest) = (figure.layout.yaxis.range for figure in figures)
    assert bottom < min(accuracies) - 0.01
    assert max(accuracies) < top
    assert highest > 9.0


def test_what_guessing_gives_is_marked_where_it_is_on_the_axis():
    nothing, much = (curve(2.3, 2.3, accuracy) for accuracy in (0.1, 0.95))
    for figure in (
        curves.accuracy_curves(nothing, 1),
        curves.overlaid_curves([("it", nothing)]),
    ):
        assert [line.y0 for line in figure.layout.shapes] == [0.1]
        assert [note.text for note in figure.layout.annotations] == ["10% is guessing"]
    assert len(curves.overlaid_curves([("it", much)]).layout.shapes) == 0
