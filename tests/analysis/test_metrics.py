"""Every score against a hand-worked example."""

import subprocess
import sys

import numpy as np
import pytest
from scipy import stats

from mnist_core.analysis.metrics import (
    accuracy,
    cell_images,
    commonest_mistake,
    digit_rows,
    digit_scores,
    expected_calibration_error,
    is_guessing,
    least_confident_correct,
    most_confident_mistakes,
    percent,
    prediction_interval,
    share_of_column,
    share_of_row,
    wilson_interval,
    worst_confusion,
)
from mnist_core.analysis.predictions import Predictions
from tests.helpers import PROJECT, answered

# Four 4s: one read as 9. Two 9s: both right. One 7 read as 9. One 0, right.
MATRIX = answered([4, 4, 4, 4, 9, 9, 7, 0], [4, 4, 4, 9, 9, 9, 9, 0]).matrix
EMPTY = np.zeros((10, 10), np.int64)


def predictions(labels: list[int], *given: tuple[int, float]) -> Predictions:
    """Images with these labels, each answered with this digit at this confidence."""
    probabilities = np.zeros((len(given), 10), np.float32)
    for row, (digit, confidence) in zip(probabilities, given, strict=True):
        row[:] = (1 - confidence) / 9
        row[digit] = confidence
    return Predictions(np.array(labels, np.uint8), probabilities)


def test_accuracy_is_the_share_on_the_diagonal():
    assert accuracy(MATRIX) == 6 / 8
    assert accuracy(np.zeros((10, 10), np.int64)) == 0


def test_shares_of_a_row_sum_to_one_and_a_missing_digit_has_none():
    shares = share_of_row(MATRIX)
    assert shares[4, 4] == 0.75
    assert shares[4, 9] == 0.25
    assert shares[7, 9] == 1
    assert shares[[0, 4, 7, 9]].sum(axis=1).tolist() == [1, 1, 1, 1]
    assert shares[5].tolist() == [0] * 10


def test_shares_of_a_column_sum_to_one_and_a_digit_never_predicted_has_none():
    shares = share_of_column(MATRIX)
    assert shares[9, 9] == 0.5  # Of four read as 9, two are,
    assert shares[4, 9] == 0.25  # one is a 4
    assert shares[7, 9] == 0.25  # and one a 7.
    assert shares[:, [0, 4, 9]].sum(axis=0).tolist() == [1, 1, 1]
    assert shares[:, 7].tolist() == [0] * 10


@pytest.mark.parametrize("digits", [10, 7])
def test_scores_are_those_of_scikit_learn(digits):
    from sklearn import metrics

    labels, answers = np.random.default_rng(0).integers(0, digits, (2, 500))
    ours = digit_scores(answered(labels, answers).matrix)
    theirs = metrics.precision_recall_fscore_support(
        labels, answers, labels=range(10), zero_division=0
    )
    for mine, reference in zip(
        (ours.precision, ours.recall, ours.f1, ours.support), theirs, strict=True
    ):
        np.testing.assert_allclose(mine, reference)


def test_the_statistics_load_no_library_that_costs_a_server_its_memory():
    code = (
        "import sys, numpy\n"
        "from mnist_core.analysis import comparison, confidence, metrics\n"
        "from mnist_core.plots import report\n"
        "metrics.worst_confusion(numpy.ones((10, 10), int))\n"
        "metrics.wilson_interval(37, 100), metrics.prediction_interval(37, 100)\n"
        "comparison.luck(3, 7)\n"
        "print(*{'scipy.stats', 'sklearn', 'pandas'} & set(sys.modules))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == ""


def test_precision_is_the_share_of_calls_that_are_right():
    scores = digit_scores(MATRIX)
    assert scores.precision[4] == 1  # 3 of 3 called 4
    assert scores.precision[9] == 0.5  # 2 of 4 called 9
    assert scores.precision[7] == 0  # none was called 7


def test_recall_is_the_share_of_a_digits_images_that_are_found():
    scores = digit_scores(MATRIX)
    assert scores.recall[4] == 0.75
    assert scores.recall[9] == 1
    assert scores.recall[7] == 0
    assert scores.recall[5] == 0  # there is no 5


def test_f1_is_the_harmonic_mean_of_the_two():
    scores = digit_scores(MATRIX)
    assert scores.f1[4] == pytest.approx(6 / 7)  # 2 * 1 * 0.75 / 1.75
    assert scores.f1[9] == pytest.approx(2 / 3)  # 2 * 0.5 * 1 / 1.5
    assert scores.f1[7] == 0
    assert scores.f1[0] == 1


def test_support_counts_the_images_of_each_digit():
    assert digit_scores(MATRIX).support.tolist() == [1, 0, 0, 0, 4, 0, 0, 1, 0, 2]


def test_no_images_have_scores_of_nothing():
    scores = digit_scores(EMPTY)
    assert [s.tolist() for s in (scores.precision, scores.recall, scores.f1)] == [[0] * 10] * 3
    assert scores.support.tolist() == [0] * 10


def test_a_row_says_all_of_a_digit():
    four = digit_rows(MATRIX)[4]
    assert (four.digit, four.precision, four.recall) == (4, 1, 0.75)
    assert four.f1 == pytest.approx(6 / 7)
    assert (four.images, four.wrong, four.taken_for, four.times) == (4, 1, 9, 1)


def test_rows_come_for_all_digits_also_those_that_are_missing_or_never_wrong():
    rows = digit_rows(MATRIX)
    assert [row.digit for row in rows] == list(range(10))
    assert (rows[9].wrong, rows[9].taken_for, rows[9].times) == (0, None, 0)
    assert (rows[5].images, rows[5].recall, rows[5].taken_for) == (0, 0, None)
    assert all(row.taken_for is None for row in digit_rows(EMPTY))


def test_the_commonest_mistake_of_a_digit_in_words():
    assert commonest_mistake(MATRIX, 4) == "9 (1×)"
    assert commonest_mistake(MATRIX, 9) == "–"


def test_the_commonest_mistake_is_found():
    matrix = answered([4, 4, 3, 3, 3, 1], [9, 9, 5, 5, 5, 1]).matrix
    assert worst_confusion(matrix) == (3, 5, 3)


def test_a_network_without_mistakes_has_no_commonest_one():
    assert worst_confusion(np.diag(np.arange(10))) is None


def test_finding_the_commonest_mistake_leaves_the_matrix_alone():
    before = MATRIX.copy()
    worst_confusion(MATRIX)
    assert (before == MATRIX).all()


SOME = predictions([4, 4, 4, 4, 9], (9, 0.6), (4, 0.7), (9, 0.9), (4, 0.5), (9, 0.8))


def test_a_cells_images_come_with_the_most_confident_first():
    assert cell_images(SOME, true=4, predicted=9).tolist() == [2, 0]
    assert cell_images(SOME, true=4, predicted=4).tolist() == [1, 3]
    assert cell_images(SOME, true=1, predicted=7).tolist() == []


def test_images_of_equal_confidence_keep_their_order():
    equal = predictions([4] * 20, *[(9, 0.5)] * 20)
    assert cell_images(equal, 4, 9).tolist() == list(range(20))


def test_the_most_confident_mistake_comes_first():
    assert most_confident_mistakes(SOME).tolist() == [2, 0]


def test_the_least_confident_correct_answer_comes_first():
    assert least_confident_correct(SOME).tolist() == [3, 1, 4]


def test_images_can_be_asked_for_by_confidence_with_both_bounds_included():
    assert most_confident_mistakes(SOME, (0.6, 0.8)).tolist() == [0]
    assert least_confident_correct(SOME, (0.7, 0.8)).tolist() == [1, 4]
    assert cell_images(SOME, 4, 9, (0.9, 1)).tolist() == [2]
    assert cell_images(SOME, 4, 9, (0.91, 1)).tolist() == []


def test_all_correct_all_wrong_and_no_images_give_empty_lists():
    none = Predictions(np.zeros(0, np.uint8), np.zeros((0, 10), np.float32))
    given = (1, 0.9), (2, 0.8)
    assert most_confident_mistakes(predictions([1, 2], *given)).tolist() == []
    assert least_confident_correct(predictions([3, 3], *given)).tolist() == []
    assert most_confident_mistakes(none).tolist() == least_confident_correct(none).tolist() == []


@pytest.mark.parametrize(
    ("right", "total", "low", "high"),
    [
        # By hand for 98/100, z = 1.95996: middle .962243, half .032255.
        (98, 100, 0.9300, 0.9945),
        # Newcombe, R. G. (1998), Statistics in Medicine 17, 857-872, table I, method 3.
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_interval_agrees_with_published_values(right, total, low, high):
    assert wilson_interval(right, total) == pytest.approx((low, high), abs=5e-5)


def test_wilson_interval_stays_between_nothing_and_everything():
    low, high = wilson_interval(20, 20)
    assert high == 1
    assert low == pytest.approx(1 - 0.1611, abs=5e-5)
    assert wilson_interval(0, 0) == (0, 1)


@pytest.mark.parametrize("total", [1, 2, 37, 10_000])
@pytest.mark.parametrize("share", [0, 0.004, 0.5, 1])
@pytest.mark.parametrize("confidence", [0.9, 0.99])
def test_intervals_agree_with_scipy(total, share, confidence):
    count, tail = round(share * total), (1 - confidence) / 2
    expected = stats.binomtest(count, total).proportion_ci(confidence, method="wilson")
    assert wilson_interval(count, total, confidence) == pytest.approx(tuple(expected), abs=1e-12)
    counts = stats.betabinom(total, count + 0.5, total - count + 0.5).ppf([tail, 1 - tail])
    assert prediction_interval(count, total, confidence) == tuple(counts)


def test_more_confidence_and_fewer_images_both_widen_the_interval():
    def width(interval):
        return interval[1] - interval[0]

    assert width(wilson_interval(98, 100, 0.99)) > width(wilson_interval(98, 100))
    assert width(wilson_interval(98, 100)) > width(wilson_interval(980, 1000))


def coverage_of(interval, rate: float, total: int) -> float:
    """How often so many other images have a number of mistakes within the interval."""
    random = np.random.default_rng(0)
    seen, to_come = random.binomial(total, rate, (2, 4000)).tolist()
    bounds = {wrong: interval(wrong, total) for wrong in set(seen)}
    held = [bounds[a][0] <= b <= bounds[a][1] for a, b in zip(seen, to_come, strict=True)]
    return float(np.mean(held))


@pytest.mark.parametrize(("rate", "total"), [(0.0037, 10_000), (0.02, 10_000), (0.08, 1000)])
def test_a_prediction_interval_holds_the_next_count_19_times_in_20(rate, total):
    assert coverage_of(prediction_interval, rate, total) == pytest.approx(0.955, abs=0.012)

    def rate_interval(wrong: int, total: int) -> list[float]:
        return [share * total for share in wilson_interval(wrong, total)]

    # What an interval of the true rate is not.
    assert coverage_of(rate_interval, rate, total) < 0.87


@pytest.mark.parametrize(
    ("wrong", "total", "fewest", "most"),
    [(37, 10_000, 22, 56), (177, 10_000, 142, 215), (6, 100, 1, 14), (0, 20, 0, 3)],
)
def test_a_prediction_interval_in_images(wrong, total, fewest, most):
    assert prediction_interval(wrong, total) == (fewest, most)


def test_a_prediction_interval_worked_out_by_hand():
    # None wrong of 1: the rate is Beta(1/2, 3/2), so the next one is wrong 1 time in 4.
    assert prediction_interval(0, 1, confidence=0.4) == (0, 0)
    assert prediction_interval(0, 1, confidence=0.6) == (0, 1)


@pytest.mark.parametrize(
    ("accuracy", "total", "guessing"),
    [
        (0.098, 10_000, True),  # As if every image were a 0.
        (0.1135, 10_000, True),  # As if every image were a 1.
        (0.13, 10_000, False),
        (0.13, 400, True),  # On so few it may be luck.
        (0.2, 400, False),
        (0.98, 10_000, False),
        (0.98, 0, True),
    ],
)
def test_what_a_constant_answer_reaches_is_guessing(accuracy, total, guessing):
    assert is_guessing(accuracy, total) == guessing


@pytest.mark.parametrize(
    ("probability", "decimals", "text"),
    [
        (0, 0, "0%"),
        (0.5, 0, "50%"),
        (0.994, 0, "99%"),
        (0.9951, 0, ">99%"),
        (1, 0, ">99%"),
        (0.9951, 1, "99.5%"),
        (0.99999, 1, ">99.9%"),
    ],
)
def test_a_network_is_never_said_to_be_100_percent_sure(probability, decimals, text):
    assert percent(probability, decimals) == text


def test_a_calibration_error_worked_out_by_hand():
    # Two bins. Confidence 0.9 and 0.8, right once: 0.5 against 0.85. Confidence 0.4, right:
    # 1 against 0.4. Weighted 2 to 1: (2 * 0.35 + 1 * 0.6) / 3.
    three = predictions([1, 1, 3], (1, 0.9), (2, 0.8), (3, 0.4))
    error = expected_calibration_error(three, bins=2)
    assert error == pytest.approx((2 * 0.35 + 0.6) / 3)


def test_a_network_whose_confidence_equals_its_accuracy_has_no_calibration_error():
    ten = predictions([4] * 8 + [5] * 2, *[(4, 0.8)] * 10)
    assert expected_calibration_error(ten) == pytest.approx(0, abs=1e-7)
