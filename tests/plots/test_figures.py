"""What the charts hold; how they look is seen in tests/browser."""

import dataclasses
import re

import numpy as np
import plotly.colors
import pytest

from mnist_core.analysis.confidence import coverage, coverage_curve, reliability
from mnist_core.analysis.predictions import Predictions
from mnist_core.plots import curves, digits, heatmaps, parallel, style
from mnist_core.plots.reliability import coverage_chart, reliability_chart
from mnist_core.progress import Progress
from tests.helpers import reports

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


def luminance(colour: str) -> float:
    """As WCAG 2 defines it, 0 to 1."""
    shares = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [s / 12.92 if s <= 0.04045 else ((s + 0.055) / 1.055) ** 2.4 for s in shares]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


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


@pytest.mark.parametrize("page", ["#FFFFFF", "#0E1420"])
def test_the_first_colours_are_seen_on_light_and_on_dark_pages(page):
    # What WCAG 2.1 asks of graphics.
    assert all(contrast(colour, page) >= 3 for colour in curves.RUN_COLOURS[:3])


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
    assert all(len(line) <= curves.LEGEND_SIGNS for line in lines)
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


# --- matrices ---

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
    return np.array(figure.data[1].hovertext).reshape(10, 10)


@pytest.mark.parametrize("mistakes_only", [False, True])
@pytest.mark.parametrize(
    ("numbers", "text"), [("count", "20"), ("true", "25.0%"), ("predicted", "66.7%")]
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


def test_a_marker_over_each_cell_knows_its_digits_and_its_number():
    markers = heatmaps.confusion_heatmap(COUNTS).data[1]
    assert (markers.x[49], markers.y[49]) == (9, 4)
    # Plain lists: an array comes back from the browser as something else.
    assert list(markers.customdata[49]) == [4, 9, 20]
    assert said(heatmaps.confusion_heatmap(COUNTS))[4, 9] == "20 images"
    assert said(heatmaps.confusion_heatmap(COUNTS))[7, 1] == "1 image"
    assert markers.marker.opacity == 0


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
    assert list(figure.data[1].customdata[49]) == [4, 9, 12]
    assert said(figure)[4, 9] == "20 images by the first, 8 by the second"
    assert said(figure)[7, 1] == "1 image by the first, 0 by the second"


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
        parts = [round(float(part)) for part in re.findall(r"[\d.]+", cell)]
        # What WCAG 2.1 asks of large text is 3.
        assert contrast(ink, "#" + "".join(f"{part:02x}" for part in parts)) > 3.8


def test_the_selected_number_stands_out_from_its_marker():
    numbers = heatmaps.confusion_heatmap(COUNTS).data[1]
    assert contrast(numbers.selected.textfont.color, numbers.marker.color) > 3.8


# --- confidence ---

LABELS = np.array([1, 1, 7, 1, 1, 7])
PROBABILITIES = np.zeros((6, 10))
PROBABILITIES[:, 1] = [0.55, 0.9, 0.65, 0.95, 1, 0.99]
PREDICTIONS = Predictions(LABELS, PROBABILITIES)
LESS_CONFIDENT = Predictions(LABELS, PROBABILITIES * 0.9)
NONE = Predictions(np.zeros(0, int), np.zeros((0, 10)))


@pytest.mark.parametrize("dark", [False, True])
def test_a_reliability_chart_has_a_point_with_its_interval_for_each_bin(dark):
    bins = reliability(PREDICTIONS)
    diagonal, points = reliability_chart(bins, dark).data
    assert (list(diagonal.x), list(diagonal.y)) == ([0, 1], [0, 1])
    assert list(points.y) == [1, 0, 1, pytest.approx(2 / 3)]
    assert list(points.x) == pytest.approx([0.55, 0.65, 0.9, 0.98])
    assert points.customdata[3][0] == 3
    assert points.y[3] + points.error_y.array[3] == pytest.approx(bins[3].high)
    assert points.y[3] - points.error_y.arrayminus[3] == pytest.approx(bins[3].low)


@pytest.mark.parametrize("dark", [False, True])
def test_the_chosen_threshold_is_marked_on_the_curve(dark):
    curve = coverage_curve(PREDICTIONS)
    chosen = coverage(PREDICTIONS, 0.925)
    line, mark = coverage_chart(curve, chosen, dark).data
    assert list(line.x) == pytest.approx([6 / 6, 5 / 6, 4 / 6, 3 / 6, 2 / 6, 1 / 6])
    assert (list(mark.x), list(mark.y)) == ([0.5], [pytest.approx(2 / 3)])
    assert mark.name == "Answers from 92.5% on"


def test_a_threshold_that_refuses_all_has_no_mark():
    curve = coverage_curve(LESS_CONFIDENT)
    figure = coverage_chart(curve, coverage(LESS_CONFIDENT, 0.95))
    assert len(figure.data[1].x) == 0


def test_all_of_a_curve_is_seen():
    low, high = coverage_chart(
        coverage_curve(PREDICTIONS), coverage(PREDICTIONS, 0)
    ).layout.yaxis.range
    assert low < 4 / 6
    assert high > 1


def test_figures_of_confidence_without_images_are_no_fault():
    assert len(reliability_chart(reliability(NONE)).data[1].x) == 0
    figure = coverage_chart(coverage_curve(NONE), coverage(NONE, 0.5))
    low, high = figure.layout.yaxis.range
    assert low < high


# --- digits ---

# What is left of red, green and blue light (linear, 0 to 1) for eyes that lack one kind of
# cone: Machado, Oliveira and Fernandes 2009, IEEE Transactions on Visualization and Computer
# Graphics 15, 1291-1298, severity 1.
COLOUR_VISION = {
    "all three": np.eye(3),
    "no long waves": np.array(
        [[0.1523, 1.0526, -0.2049], [0.1145, 0.7863, 0.0992], [-0.0039, -0.0481, 1.0520]]
    ),
    "no middle waves": np.array(
        [[0.3673, 0.8606, -0.2280], [0.2801, 0.6725, 0.0474], [-0.0118, 0.0429, 0.9689]]
    ),
    "no short waves": np.array(
        [[1.2555, -0.0767, -0.1788], [-0.0784, 0.9308, 0.1476], [0.0047, 0.6914, 0.3039]]
    ),
}
XYZ = np.array([[0.4125, 0.3576, 0.1804], [0.2127, 0.7152, 0.0722], [0.0193, 0.1192, 0.9503]])


def difference(one: str, other: str, vision: np.ndarray) -> float:
    """How different two colours look, as CIE 1976 defines it: 2 can just be told apart."""
    lab = []
    for colour in (one, other):
        shares = np.array([int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)])
        linear = np.where(shares <= 0.04045, shares / 12.92, ((shares + 0.055) / 1.055) ** 2.4)
        seen = XYZ @ np.clip(vision @ linear, 0, 1) / XYZ.sum(axis=1)
        x, y, z = np.where(seen > 0.008856, np.cbrt(seen), 7.787 * seen + 16 / 116)
        lab.append([116 * y - 16, 500 * (x - y), 200 * (y - z)])
    return float(np.linalg.norm(np.subtract(*lab)))


@pytest.mark.parametrize("vision", COLOUR_VISION.values(), ids=COLOUR_VISION.keys())
def test_ten_digits_are_told_apart_by_all_kinds_of_colour_vision(vision):
    colours = style.DIGIT_COLOURS
    assert len(colours) == 10
    pairs = [(one, other) for one in range(10) for other in range(one)]
    assert min(difference(colours[a], colours[b], vision) for a, b in pairs) > 15
    alike = [(4, 9), (4, 7), (7, 9), (3, 5), (3, 8), (5, 8), (2, 7), (1, 7), (5, 6)]
    assert min(difference(colours[a], colours[b], vision) for a, b in alike) > 30


@pytest.mark.parametrize("page", ["#FFFFFF", "#0E1420"])
def test_no_digits_colour_is_lost_on_a_light_or_a_dark_page(page):
    assert min(contrast(colour, page) for colour in style.DIGIT_COLOURS) > 1.5


@pytest.mark.parametrize("page", ["#FFFFFF", "#0E1420"])
def test_curves_stand_out_from_a_light_and_from_a_dark_page(page):
    assert min(contrast(colour, page) for colour in curves.RUN_COLOURS) > 3


@pytest.mark.parametrize("vision", COLOUR_VISION.values(), ids=COLOUR_VISION.keys())
def test_six_runs_are_told_apart_by_all_kinds_of_colour_vision(vision):
    pairs = [(a, b) for a in curves.RUN_COLOURS for b in curves.RUN_COLOURS if a < b]
    assert min(difference(a, b, vision) for a, b in pairs) > 16


@pytest.mark.parametrize(("dark", "page"), [(False, "#FFFFFF"), (True, "#0E1420")])
def test_bars_and_boxes_of_digits_have_an_outline_that_stands_out_from_the_page(dark, page):
    (bars,) = digits.digit_counts(np.arange(10), dark).data
    box = digits.ink_boxes(np.zeros((10, 5)), dark).data[0]
    assert contrast(bars.marker.line.color, page) > 4.5
    assert contrast(box.line.color, page) > 4.5


def test_each_digit_has_a_bar_in_its_colour():
    (bars,) = digits.digit_counts(np.arange(10) * 100).data
    assert list(bars.x) == list(range(10))
    assert list(bars.y) == [100 * digit for digit in range(10)]
    assert list(bars.marker.color) == style.DIGIT_COLOURS


def test_each_digit_has_a_box_in_its_colour_from_its_quantiles():
    quantiles = np.arange(50).reshape(10, 5) / 100
    boxes = digits.ink_boxes(quantiles).data
    assert [box.fillcolor for box in boxes] == style.DIGIT_COLOURS
    assert [tuple(box.x) for box in boxes] == [(digit,) for digit in range(10)]
    three = boxes[3]
    assert (three.lowerfence, three.q1, three.median, three.q3, three.upperfence) == (
        (0.15,), (0.16,), (0.17,), (0.18,), (0.19,),
    )  # fmt: skip


def test_a_digit_without_images_has_no_box():
    quantiles = np.full((10, 5), 0.1)
    quantiles[6] = np.nan
    assert [box.name for box in digits.ink_boxes(quantiles).data] == list("012345789")


# --- sweeps ---

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


@pytest.mark.parametrize("page", ["#FFFFFF", "#0E1420"])
def test_every_colour_from_the_worst_to_the_best_stands_out_from_both_pages(page):
    shades = plotly.colors.sample_colorscale(parallel.WORST_TO_BEST, np.linspace(0, 1, 11).tolist())
    for shade in shades:
        parts = [round(float(part)) for part in re.findall(r"[\d.]+", shade)]
        assert contrast("#" + "".join(f"{part:02x}" for part in parts), page) > 3
    assert contrast(style.GREY, page) > 3


@pytest.mark.parametrize("vision", COLOUR_VISION.values(), ids=COLOUR_VISION.keys())
def test_the_worst_and_the_best_are_told_apart_by_all_kinds_of_colour_vision(vision):
    (_, worst), (_, best) = parallel.WORST_TO_BEST
    assert difference(worst, best, vision) > 30


@pytest.mark.parametrize(("dark", "page"), [(False, "#FFFFFF"), (True, "#0E1420")])
def test_no_line_crosses_out_what_is_written(dark, page):
    figure = parallel.parallel_coordinates(AXES, TRAININGS, dark)
    assert {note.bgcolor for note in figure.layout.annotations} == {page}


def test_what_is_written_keeps_off_the_lines_where_all_is_larger():
    figure = parallel.parallel_coordinates(AXES, TRAININGS)
    larger = style.enlarged(figure, 1.25)
    assert [note.yshift for note in larger.layout.annotations] == [
        1.25 * note.yshift for note in figure.layout.annotations
    ]


# --- runs that learn nothing, or too much ---


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
