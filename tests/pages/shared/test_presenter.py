import pytest

from tests.pages.helpers import PAGES, assert_shown, button, buttons, live_charts, sentences, visit

WAY_OUT = "Leave presenter mode"


@pytest.mark.parametrize("page", PAGES)
def test_every_page_can_be_presented_and_says_so_in_its_address(open_page, page):
    tab = open_page(page, presenter="on")
    assert_shown(tab, page)
    assert WAY_OUT in buttons(tab)
    assert "on" in tab.query_params["presenter"]


def test_without_it_in_the_address_there_is_nothing_to_leave(open_page):
    assert WAY_OUT not in buttons(open_page("train"))


def test_it_stays_on_from_page_to_page_until_it_is_left(open_page):
    tab = open_page("explore", presenter="on")
    visit(tab, "evaluate")
    assert "on" in tab.query_params["presenter"]
    button(tab, WAY_OUT).click().run()
    assert WAY_OUT not in buttons(tab)
    assert "presenter" not in tab.query_params
    assert WAY_OUT not in buttons(visit(tab, "train"))


@pytest.mark.parametrize("value", ["off", "1", "On", ""])
def test_another_value_is_told_of_and_changes_nothing(open_page, value):
    tab = open_page("explore", presenter=value)
    assert WAY_OUT not in buttons(tab)
    if value:
        (warning,) = sentences(tab, "warning")
        assert "presenter" in warning


def test_a_setting_of_a_link_counts_though_it_is_hidden(open_page):
    tab = open_page("train", presenter="on", preset="quick", epochs="3")
    assert "quick" in tab.query_params["preset"]
    assert "3" in tab.query_params["epochs"]
    assert "Start training" in buttons(tab)


def test_curves_are_larger_for_a_class(open_page):
    def height(**query):
        return next(iter(live_charts(open_page("train", **query)).values()))["layout"]["height"]

    assert height(presenter="on") > 1.2 * height()
