"""Presenter mode on a projector of either size, and the way out of it."""

import re

import pytest

from tests.browser.test_pages import HEADINGS, SEVEN, draw, open_page, prediction
from tests.extras import needs
from tests.helpers import wait_until

pytestmark = needs("browser")

PROJECTORS = [(1366, 768), (1920, 1080)]


def letter_size(page) -> float:
    return page.evaluate("parseFloat(getComputedStyle(document.documentElement).fontSize)")


@pytest.mark.parametrize(("width", "height"), PROJECTORS)
def test_a_class_sees_larger_letters_and_no_settings(server, wide, width, height):
    wide.set_viewport_size({"width": width, "height": height})
    open_page(wide, server, "train")
    usual = letter_size(wide)
    wide.get_by_role("slider", name="Epochs").wait_for()
    open_page(wide, server, "train?presenter=on")
    wide.get_by_role("button", name="Start training").wait_for()
    assert letter_size(wide) > 1.25 * usual
    assert not wide.get_by_role("slider", name="Epochs").is_visible()
    assert wide.evaluate("document.scrollingElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize(("width", "height"), PROJECTORS)
def test_a_seven_drawn_on_the_larger_sheet_is_a_seven(server, wide, width, height):
    wide.set_viewport_size({"width": width, "height": height})
    open_page(wide, server, "draw?presenter=on")
    draw(wide, SEVEN, size=0.3, left=0.65, top=0.05)
    wait_until(lambda: re.search(r"^7$", prediction(wide), re.M), timeout=30)


def test_it_stays_on_from_page_to_page_and_is_left_by_keyboard(server, wide):
    open_page(wide, server, "explore?presenter=on")
    wide.get_by_role("link", name="Evaluate").first.click()
    wide.get_by_role("heading", name=HEADINGS["evaluate"]).wait_for()
    wide.wait_for_function("location.search.includes('presenter=on')")
    way_out = wide.get_by_role("button", name="Leave presenter mode")
    way_out.focus()
    wide.keyboard.press("Enter")
    way_out.wait_for(state="detached")
    wide.wait_for_function("!location.search.includes('presenter')")
    wide.get_by_text("ested once on").wait_for()
