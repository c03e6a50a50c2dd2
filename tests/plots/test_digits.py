import numpy as np
import pytest

from mnist_core.plots import digits, style
from tests.plots.colours import BLACKBOARD, WHITE, contrast


@pytest.mark.parametrize(("dark", "page"), [(False, WHITE), (True, BLACKBOARD)])
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
