from collections.abc import Sequence

import numpy as np
import pytest

from mnist_core.analysis.confidence import coverage, coverage_curve, reliability
from mnist_core.analysis.metrics import wilson_interval
from mnist_core.analysis.predictions import Predictions

# Read as 1 with these confidences; the first, the second and the last are no 1.
SURE = [0.45, 0.62, 0.68, 0.92, 0.94, 0.96, 0.98, 1.0]
LABELS = np.array([7, 7, 1, 1, 1, 1, 1, 7], np.uint8)
NONE = Predictions(np.zeros(0, np.uint8), np.zeros((0, 10), np.float32))


def read_as_one(labels: Sequence[int], confidences: Sequence[float]) -> Predictions:
    probabilities = np.zeros((len(confidences), 10))
    probabilities[:, 1] = confidences
    return Predictions(np.asarray(labels), probabilities)


SOME = read_as_one(LABELS, SURE)


# --- reliability ---


def test_images_are_sorted_by_confidence_and_empty_bins_left_out():
    bins = reliability(SOME)
    assert [(each.lowest, each.highest, each.count) for each in bins] == [
        (0.4, 0.5, 1),
        (0.6, 0.7, 2),
        (0.9, 1.0, 5),
    ]


def test_a_bin_says_how_sure_and_how_often_right():
    doubtful, middling, sure = reliability(SOME)
    assert (doubtful.confidence, doubtful.accuracy) == (0.45, 0)
    assert middling.confidence == pytest.approx(0.65)
    assert middling.accuracy == 0.5
    assert sure.confidence == pytest.approx(0.96)
    assert sure.accuracy == 0.8


def test_each_bin_has_the_interval_of_its_own_count():
    _, middling, sure = reliability(SOME)
    assert (middling.low, middling.high) == wilson_interval(1, 2)
    assert (sure.low, sure.high) == wilson_interval(4, 5)


def test_a_bin_holds_its_upper_bound_and_not_its_lower_one():
    bins = reliability(read_as_one([1] * 3, [0.5, 0.75, 1.0]), bins=2)
    assert [(each.highest, each.count) for each in bins] == [(0.5, 1), (1.0, 2)]


def test_probabilities_a_hair_above_one_are_not_lost():
    (last,) = reliability(read_as_one([1], [1.0000002]))
    assert (last.count, last.confidence) == (1, 1)


def test_no_images_have_no_bins():
    assert reliability(NONE) == []


# --- coverage ---


def test_a_threshold_refuses_the_doubtful_images():
    point = coverage(SOME, 0.9)
    assert (point.threshold, point.answered, point.share) == (0.9, 5, 5 / 8)
    assert (point.accuracy, point.wrong) == (0.8, 1)


def test_an_image_as_sure_as_the_threshold_is_answered():
    assert coverage(SOME, 0.92).answered == 5
    assert coverage(SOME, 0.93).answered == 4


def test_without_a_threshold_all_are_answered():
    point = coverage(SOME, 0)
    assert (point.share, point.accuracy, point.wrong) == (1, 5 / 8, 3)


@pytest.mark.parametrize("predictions", [read_as_one(LABELS, [0.5] * 8), NONE])
def test_where_nothing_is_answered_there_is_no_accuracy(predictions):
    point = coverage(predictions, 0.9)
    assert (point.answered, point.share, point.accuracy, point.wrong) == (0, 0, None, 0)


def test_a_curve_goes_from_all_images_to_the_surest_ones():
    curve = coverage_curve(SOME)
    assert curve.thresholds.tolist() == SURE
    assert curve.share.tolist() == [count / 8 for count in (8, 7, 6, 5, 4, 3, 2, 1)]
    right = [5 / 8, 5 / 7, 5 / 6, 4 / 5, 3 / 4, 2 / 3, 1 / 2, 0]
    assert curve.accuracy == pytest.approx(right)
    assert curve.wrong.tolist() == [3, 2, 1, 1, 1, 1, 1, 1]


def test_a_curve_of_few_points_keeps_both_ends():
    curve = coverage_curve(SOME, points=3)
    assert len(curve.thresholds) == 3
    assert (curve.thresholds[0], curve.thresholds[-1]) == (0.45, 1)


def test_images_as_sure_as_each_other_are_one_point():
    curve = coverage_curve(read_as_one([1, 1, 7, 7], [0.5] * 4))
    assert (curve.share.tolist(), curve.accuracy.tolist()) == ([1], [0.5])


def test_who_is_always_right_or_always_wrong_has_a_flat_curve():
    assert set(coverage_curve(read_as_one([1] * 8, SURE)).accuracy.tolist()) == {1}
    assert set(coverage_curve(read_as_one([0] * 8, SURE)).accuracy.tolist()) == {0}


def test_no_images_have_an_empty_curve():
    curve = coverage_curve(NONE)
    assert [len(a) for a in (curve.thresholds, curve.share, curve.accuracy, curve.wrong)] == [0] * 4
