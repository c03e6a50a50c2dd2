import random
import re

import pytest

from tests.pages.helpers import (
    alternative_texts,
    assert_shown,
    button,
    sentences,
)


def seed(tab):
    (box,) = [box for box in tab.number_input if box.label == "Seed"]
    return box


def digits_shown(tab) -> list[int]:
    """The digit in every picture, from the words for who cannot see it."""
    return [
        int(re.fullmatch(r"A handwritten (\d), image \d+", text)[1])
        for text in alternative_texts(tab)
    ]


def test_fifty_training_digits_of_all_kinds_are_shown_at_first(open_page):
    tab = open_page("explore")
    assert_shown(tab, "explore")
    assert len(digits_shown(tab)) == 50
    assert set(digits_shown(tab)) == set(range(10))
    assert tab.caption[0].value.startswith("50 of 4,000 training images, chosen at random.")


def test_an_address_shows_the_same_digits_to_everyone(open_page):
    address = {"seed": "7", "count": "25", "split": "Test"}
    first, second = open_page("explore", **address), open_page("explore", **address)
    assert first.caption[0].value.startswith("25 of 1,000 test images")
    assert alternative_texts(first) == alternative_texts(second)
    assert alternative_texts(first) != alternative_texts(open_page("explore", count="25"))


def test_a_new_sample_is_another_seed_in_the_address_and_other_digits(open_page, monkeypatch):
    monkeypatch.setattr(random, "randint", lambda low, high: 1234)
    tab = open_page("explore")
    before = alternative_texts(tab)
    button(tab, "New sample").click().run()
    assert seed(tab).value == 1234
    assert tab.query_params["seed"] == "1234"
    assert alternative_texts(tab) != before
    assert alternative_texts(tab) == alternative_texts(open_page("explore", seed="1234"))


def test_a_seed_that_is_typed_is_in_the_address(open_page):
    tab = open_page("explore", seed="7")
    assert seed(tab).value == 7
    seed(tab).set_value(8).run()
    assert tab.query_params["seed"] == "8"


def test_the_other_choices_are_bound_to_the_address(open_page):
    tab = open_page("explore")
    # The browser writes them to the address under these names.
    names = {
        "split": tab.segmented_control(key="split"),
        "count": tab.selectbox(key="count"),
        "digits": tab.pills(key="digits"),
    }
    assert [widget.proto.query_param_key for widget in names.values()] == list(names)


def test_chosen_digits_are_the_only_ones_shown(open_page):
    tab = open_page("explore")
    tab.pills(key="digits").set_value([4, 9]).run()
    assert set(digits_shown(tab)) == {4, 9}
    assert len(digits_shown(tab)) == 50
    tab.pills(key="digits").set_value([]).run()
    assert set(digits_shown(tab)) == set(range(10))


def test_an_address_may_choose_digits(open_page):
    tab = open_page("explore", digits="3")
    assert set(digits_shown(tab)) == {3}


def test_the_number_of_images_can_be_chosen(open_page):
    tab = open_page("explore")
    for count in (25, 100, 200):
        tab.selectbox(key="count").select(count).run()
        assert len(digits_shown(tab)) == count


def test_all_there_are_is_shown_where_there_are_fewer(open_page, full_data):
    tab = open_page("explore", split="Test", count="50", digits="3")
    assert len(digits_shown(tab)) == 10
    assert tab.caption[0].value.startswith("10 of 100 test images")


def test_no_split_chosen_shows_training_images(open_page):
    tab = open_page("explore", split="Test")
    tab.segmented_control(key="split").set_value(None).run()
    assert_shown(tab, "explore")
    assert "of 4,000 training images" in tab.caption[0].value


def test_captions_name_the_digit_that_the_words_name(open_page):
    tab = open_page("explore")
    html = "".join(part.value for part in tab.html)
    captions = [int(text) for text in re.findall(r"<figcaption>(\d)</figcaption>", html)]
    assert captions == digits_shown(tab)


NONSENSE = [
    {"seed": "-1"},
    {"seed": "1e400"},
    {"seed": "abc"},
    {"count": "7"},
    {"digits": "12"},
    {"split": "Nope"},
    {"seed": "-1", "count": "7", "digits": "12", "split": "Nope"},
]


@pytest.mark.parametrize("address", NONSENSE)
def test_an_address_out_of_range_shows_what_the_page_shows_without_it(open_page, address):
    tab = open_page("explore", **address)
    assert_shown(tab, "explore")
    assert alternative_texts(tab) == alternative_texts(open_page("explore"))


@pytest.mark.parametrize("address", NONSENSE)
def test_an_address_out_of_range_is_said_in_one_sentence(open_page, address):
    tab = open_page("explore", **address)
    assert len(sentences(tab, "error", "warning")) == 1
