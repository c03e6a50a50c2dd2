import pytest
from scipy import stats

from mnist_core.analysis.comparison import compare, level_with_best, luck, verdict
from tests.helpers import answered

LABELS = [4, 4, 9, 9, 7, 0]
FIRST = answered(LABELS, [4, 4, 9, 4, 7, 6])
SECOND = answered(LABELS, [4, 9, 9, 9, 1, 8])


def test_images_are_sorted_by_who_reads_them():
    found = compare(FIRST, SECOND)
    assert found.both.tolist() == [0, 2]
    assert found.only_first.tolist() == [1, 4]
    assert found.only_second.tolist() == [3]
    assert found.neither.tolist() == [5]


def test_a_network_beside_itself_is_alone_with_nothing():
    found = compare(FIRST, FIRST)
    assert (len(found.only_first), len(found.only_second)) == (0, 0)
    assert len(found.both) + len(found.neither) == 6


def test_no_images_are_no_fault():
    none = answered([], [])
    assert len(compare(none, none).neither) == 0


@pytest.mark.parametrize(
    ("only_first", "only_second", "chance"),
    [
        # Heads or tails: as often none, or all, of n tosses. 2 * (1/2)**n.
        (5, 0, 2 / 2**5),
        (0, 6, 2 / 2**6),
        # None or one of six, from either side: 2 * (1 + 6) / 2**6.
        (1, 5, 14 / 64),
        (3, 3, 1),
        (3, 4, 1),
        (0, 0, 1),
    ],
)
def test_luck_is_that_of_a_tossed_coin(only_first, only_second, chance):
    assert luck(only_first, only_second) == pytest.approx(chance)


@pytest.mark.parametrize(("only_first", "only_second"), [(0, 1), (4, 4), (3, 9), (120, 80)])
def test_luck_agrees_with_scipy(only_first, only_second):
    expected = stats.binomtest(only_first, only_first + only_second).pvalue
    assert luck(only_first, only_second) == pytest.approx(expected)


def test_a_difference_that_may_be_luck_in_words():
    assert verdict(23, 17) == (
        "The first alone classifies 23 images correctly, the second alone 17. If both were equally "
        "good, chance would make a difference this large or larger in 43 of 100 such tests, so it "
        "may well be chance."
    )


def test_a_difference_that_is_hardly_luck_names_the_better_one():
    # 2 / 2**6 = 0.031.
    assert verdict(0, 6).endswith(
        "in 31 of 1,000 such tests, so the second is very probably better on such images."
    )
    assert "the first is very probably better" in verdict(6, 0)


def test_the_bound_is_five_of_a_hundred():
    # 2 / 2**5 = 0.0625, and 2 * (1 + 8) / 2**8 = 0.0703.
    assert "62 of 1,000 such tests, so it may well be chance." in verdict(5, 0)
    assert "70 of 1,000 such tests, so it may well be chance." in verdict(1, 7)
    # 2 * (1 + 9) / 2**9 = 0.0391.
    assert "39 of 1,000 such tests, so the " in verdict(1, 8)


def test_a_tiny_chance_is_not_called_none():
    assert "in fewer than 1 of 1,000 such tests, so the " in verdict(1200, 30)
    assert verdict(1200, 30).startswith("The first alone classifies 1,200 images")


def test_one_image_is_one_image():
    assert verdict(1, 0).startswith(
        "The first alone classifies 1 image correctly, the second alone 0"
    )


def test_networks_that_do_not_differ_are_said_not_to():
    assert verdict(0, 0) == (
        "Both classify exactly the same images correctly: neither is better here."
    )
    assert verdict(7, 7) == "Each alone classifies 7 images correctly: neither is better here."
    assert verdict(1, 1).startswith("Each alone classifies 1 image correctly")


def test_accuracies_within_the_interval_of_the_best_are_level_with_it():
    (low, high), level = level_with_best(0.9735, [0.9731, 0.9695, 0.969, 0.5], 6000)
    assert (low, high) == pytest.approx((0.9691, 0.9773), abs=5e-5)
    assert level == 2


def test_nothing_is_level_with_the_only_one():
    assert level_with_best(0.9, [], 100)[1] == 0
