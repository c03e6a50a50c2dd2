"""A whole lesson by keyboard alone: browse, train, compare, choose a cell, let a digit be read."""

import re
from typing import Any

from tests.browser.server import settled
from tests.browser.test_pages import HEADINGS, assert_no_fault, prediction
from tests.extras import needs
from tests.helpers import wait_until

pytestmark = needs("browser")

# Tab stops between any two elements of a page: the sidebar's, the widgets', a gallery's.
MOST_STOPS = 150
HAS_FOCUS = "found => found.some(one => one === one.getRootNode().activeElement)"


class Keyboard:
    """The keyboard of somebody who has no mouse."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.press = page.keyboard.press

    def reach(self, role: str, name: str | re.Pattern[str]) -> None:
        """Press Tab until an element of this role and name has the focus."""
        wanted = self.page.get_by_role(role, name=name)
        wanted.first.wait_for()
        settled(self.page)
        for _ in range(MOST_STOPS):
            self.press("Tab")
            if wanted.evaluate_all(HAS_FOCUS):
                return
        raise AssertionError(f"{role} {name!r} is not reached by {MOST_STOPS} tabs")

    def follow(self, role: str, name: str | re.Pattern[str], page: str = "") -> None:
        """Reach it and press Enter, which leads to this page, if any is given."""
        self.reach(role, name)
        self.press("Enter")
        if page:
            self.page.get_by_role("heading", name=HEADINGS[page], level=1).wait_for()
            settled(self.page)

    def choose(self, box: str | re.Pattern[str], option: str) -> None:
        """Type an option into a select box, in place of what is there."""
        self.reach("combobox", box)
        self.press("End")
        self.press("Shift+Home")
        self.press("Delete")
        self.page.keyboard.type(option)
        self.page.get_by_role("option", name=option).first.wait_for()
        self.press("Enter")


def test_a_whole_lesson_by_keyboard_alone(server, wide):
    keyboard = Keyboard(wide)
    heading = wide.get_by_role("heading")
    wide.goto(server.url)
    wide.get_by_role("heading", name=HEADINGS[""], level=1).wait_for()

    keyboard.follow("link", "Explore", "explore")
    keyboard.follow("button", re.compile(r"image \d+"))
    wide.get_by_role("dialog").get_by_role("heading", name=re.compile("labelled")).wait_for()
    keyboard.press("Escape")
    wide.get_by_role("dialog").wait_for(state="detached")

    keyboard.follow("link", "Train", "train")
    keyboard.reach("slider", "Epochs")
    keyboard.press("Home")
    wide.wait_for_function("location.search.includes('epochs=1')")
    keyboard.follow("button", "Start training")
    wide.get_by_role("button", name="Stop", exact=True).wait_for()
    heading.filter(has_text="finished").wait_for(timeout=90_000)
    assert_no_fault(wide)

    keyboard.follow("link", re.compile("^Compare it with others"), "compare")
    keyboard.reach("radio", "Epochs")
    keyboard.press("ArrowRight")
    keyboard.press("Space")
    wide.locator(".js-plotly-plot .xtitle", has_text="Seconds of training").first.wait_for()
    keyboard.follow("button", "See where this network is wrong", "evaluate")

    keyboard.choose(re.compile("True digit"), "4")
    heading.filter(has_text=re.compile("^True 4, predicted ")).wait_for()
    keyboard.choose(re.compile("Predicted digit"), "4")
    heading.filter(has_text=re.compile("^True 4, predicted 4: ")).wait_for()
    keyboard.follow("button", re.compile(r"image \d+"))
    wide.get_by_role("dialog").get_by_role("heading", name=re.compile("labelled")).wait_for()
    keyboard.press("Escape")
    wide.get_by_role("dialog").wait_for(state="detached")

    keyboard.follow("link", "Draw", "draw")
    keyboard.follow("button", "Use a test digit")
    wait_until(lambda: re.search(r"^\d$", prediction(wide), re.M), timeout=30)
    assert_no_fault(wide)
