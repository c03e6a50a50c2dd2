import numpy as np
import pytest

from mnist_core.analysis.confidence import coverage, coverage_curve, reliability
from mnist_core.analysis.predictions import Predictions
from mnist_core.plots.reliability import coverage_chart, reliability_chart

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
