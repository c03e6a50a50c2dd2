"""What is drawn of several runs; the other charts are seen in tests/pages and tests/browser."""

import dataclasses

import pytest

from mnist_core import charts
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
    batches, other_batches, validated, other_validated = charts.overlaid_curves(TWO, value).data
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
    figure = charts.overlaid_curves(TWO, "accuracy", "seconds")
    assert list(figure.data[2].x) == [0.05, 0.1, 0.15, 0.2]
    assert figure.layout.xaxis.title.text == "Seconds of training"
    # A zoom into epochs means nothing here.
    assert figure.layout.uirevision != charts.overlaid_curves(TWO, "accuracy").layout.uirevision


def test_six_runs_are_told_apart_by_colour_and_by_marker():
    figure = charts.overlaid_curves([(str(place), reports(10)) for place in range(6)])
    validated = figure.data[6:]
    assert len({trace.line.color for trace in validated}) == 6
    assert len({trace.marker.symbol for trace in validated}) == 6


@pytest.mark.parametrize("page", ["#FFFFFF", "#0E1420"])
def test_the_first_colours_are_seen_on_light_and_on_dark_pages(page):
    # What WCAG 2.1 asks of graphics.
    assert all(contrast(colour, page) >= 3 for colour in charts.RUN_COLOURS[:3])


def test_a_poor_run_is_not_cut_off():
    poor = [("shuffled", curve(2.3, 2.4, validation_accuracy=0.1))]
    low, _ = charts.overlaid_curves(poor).layout.yaxis.range
    _, high = charts.overlaid_curves(poor, "loss").layout.yaxis.range
    assert low <= 0.1
    assert high > 2.4


def test_a_loss_on_smoothed_labels_that_ends_above_validation_is_seen():
    _, high = charts.overlaid_curves([("smoothed", curve(0.3, 0.06))], "loss").layout.yaxis.range
    assert high > 0.3


def test_a_long_name_is_broken_and_has_its_room_in_the_legend():
    short = charts.overlaid_curves([("short", reports(5))])
    name = "A name as long as a name may be (40), ok · 99.12% · e0d6a44249"
    long = charts.overlaid_curves([(name, reports(5))])
    lines = long.data[1].name.split("<br>")
    assert " ".join(lines) == name
    assert all(len(line) <= charts.LEGEND_SIGNS for line in lines)
    more = charts.LEGEND_LINE * (len(lines) - 1)
    assert long.layout.height == short.layout.height + more
    assert long.layout.margin.b == short.layout.margin.b + more


def test_a_name_is_text_and_no_markup():
    figure = charts.overlaid_curves([("<b>&amp;</b>", reports(5))])
    assert figure.data[1].name == "&lt;b&gt;&amp;amp;&lt;/b&gt;"


@pytest.mark.parametrize("runs", [[], [("none", [])], [("begun", reports(2))]])
@pytest.mark.parametrize("value", ["accuracy", "loss"])
def test_runs_without_reports_or_validation_are_no_fault(runs, value):
    figure = charts.overlaid_curves(runs, value, "seconds")
    low, high = figure.layout.yaxis.range
    assert low < high
