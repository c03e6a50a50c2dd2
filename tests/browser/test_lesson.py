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
IMAGE, CELL = re.compile(r"image \d+"), re.compile(r"^true \d, predicted \d, ")
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

    def look_at_a_digit(self) -> None:
        """Open the second digit of a gallery, which is one tab stop, and close it again."""
        self.reach("button", IMAGE)
        self.press("ArrowRight")
        digit = self.page.get_by_role("button", name=self.focused(), exact=True)
        self.press("Enter")
        dialog = self.page.get_by_role("dialog")
        dialog.get_by_role("heading", name=re.compile("labelled")).wait_for()
        self.press("Escape")
        dialog.wait_for(state="detached")
        wait_until(lambda: digit.evaluate_all(HAS_FOCUS), timeout=30)

    def focused(self) -> str:
        """The name of the button that has the focus."""
        name: str = self.page.evaluate(
            "(document.activeElement.shadowRoot ?? document).activeElement.ariaLabel"
        )
        return name

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
    keyboard.look_at_a_digit()

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

    # The heatmap is one tab stop, too.
    keyboard.reach("button", CELL)
    for key in ("ArrowUp",) * 9 + ("Home", "ArrowDown", "ArrowRight", "Enter"):
        keyboard.press(key)
    heading.filter(has_text=re.compile("^True 1, predicted 1: ")).wait_for()
    keyboard.look_at_a_digit()

    keyboard.follow("link", "Draw", "draw")
    keyboard.follow("button", "Use a test digit")
    wait_until(lambda: re.search(r"^\d$", prediction(wide), re.M), timeout=30)
    assert_no_fault(wide)
