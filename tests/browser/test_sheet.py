"""Drawing on screens of every size: what is in view, what a reload keeps, what Undo takes back."""

import re

import pytest

from tests.browser.server import settled
from tests.browser.test_pages import SEVEN, assert_no_fault, draw, open_page, prediction
from tests.extras import needs
from tests.helpers import wait_until

pytestmark = needs("browser")

# Phones, tablets and laptops in both directions, and projectors.
SCREENS = [
    (320, 640),
    (360, 740),
    (390, 844),
    (768, 1024),
    (844, 390),
    (1024, 768),
    (1366, 768),
    (1920, 1080),
    (2560, 1440),
]
PROJECTORS = [(1280, 720), (1920, 1080)]
# What part of an element is beyond the screen or cut off by what it lies in, in pixels.
HIDDEN = """element => {
  const box = element.getBoundingClientRect();
  const parent = node => node.assignedSlot ?? node.parentElement ?? node.getRootNode().host;
  let [left, right] = [0, innerWidth];
  for (let node = parent(element); node; node = parent(node)) {
    const outer = node.getBoundingClientRect();
    if (getComputedStyle(node).overflowX !== 'visible') {
      left = Math.max(left, outer.left);
      right = Math.min(right, outer.right);
    }
  }
  return Math.max(left - box.left, box.right - right, -box.top, box.bottom - innerHeight, 0);
}"""


def sheet(page):
    return page.locator("canvas.upper-canvas")


def hidden(locator) -> float:
    return locator.evaluate(HIDDEN)


def has_strokes(page, count: int) -> None:
    """Wait until a screen reader says so of the sheet."""
    name = re.compile(rf"Sheet to draw a digit on: {count} strokes?\.")
    page.get_by_role("application", name=name).wait_for()


def reads(page, digit: str) -> None:
    wait_until(lambda: re.search(rf"^{digit}$", prediction(page), re.M), timeout=30)


def draw_fast(page, count: int) -> None:
    """Upright strokes side by side, without waiting for anything."""
    # For a moment after Undo there are the old one and the new.
    wait_until(lambda: sheet(page).count() == 1, timeout=10)
    box = sheet(page).bounding_box()
    for number in range(count):
        x = box["x"] + box["width"] * (number + 1) / (count + 1)
        page.mouse.move(x, box["y"] + 0.2 * box["height"])
        page.mouse.down()
        page.mouse.move(x, box["y"] + 0.8 * box["height"], steps=3)
        page.mouse.up()


def test_the_whole_sheet_and_the_answer_are_in_view_on_every_screen(server, wide):
    open_page(wide, server, "draw")
    draw(wide, SEVEN)
    reads(wide, "7")
    answer = wide.get_by_test_id("stMetricValue").first
    for width, height in SCREENS:
        wide.set_viewport_size({"width": width, "height": height})
        wide.evaluate("document.querySelector('[data-testid=stMain]').scrollTo(0, 0)")
        wait_until(lambda: hidden(sheet(wide)) < 1, timeout=10)
        wait_until(lambda: hidden(answer) < 1, timeout=10)
        assert sheet(wide).bounding_box()["width"] >= 190
    open_page(wide, server, "draw?presenter=on")
    reads(wide, "7")
    for width, height in PROJECTORS:
        wide.set_viewport_size({"width": width, "height": height})
        for part in (sheet(wide), answer, wide.locator(".bars")):
            wait_until(lambda found=part: hidden(found) < 1, timeout=10)


@pytest.mark.parametrize("zoom", [0.8, 1.25])
def test_the_pen_draws_where_it_is_on_an_enlarged_page(server, wide, zoom):
    open_page(wide, server, "draw")
    wide.evaluate("zoom => { document.documentElement.style.zoom = zoom; }", zoom)
    draw(wide, [(0, 0), (1, 1)], size=0.5, left=0.25, top=0.25)
    # The lower canvas has white paper and the finished strokes.
    reads_ink = """upper => [0.26, 0.5, 0.74, 0.85].map(share => {
      const canvas = upper.parentElement.querySelector('.dc-canvas.lower-canvas');
      const at = Math.round(share * canvas.width);
      return canvas.getContext('2d').getImageData(at, at, 1, 1).data[0] < 128;
    })"""
    assert sheet(wide).evaluate(reads_ink) == [True, True, True, False]


def test_a_reload_keeps_the_drawing_in_its_own_tab_until_it_is_cleared(server, wide):
    open_page(wide, server, "draw")
    draw(wide, SEVEN)
    reads(wide, "7")
    wide.reload()
    reads(wide, "7")
    has_strokes(wide, 1)
    # Another tab of the same browser has a sheet of its own.
    other = wide.context.new_page()
    open_page(other, server, "draw")
    has_strokes(other, 0)
    wide.get_by_role("button", name="Clear").click()
    reads(wide, "–")
    wide.reload()
    settled(wide)
    sheet(wide).wait_for()
    has_strokes(wide, 0)
    reads(wide, "–")
    assert_no_fault(wide)


def test_undo_takes_back_one_stroke_however_fast_they_were_drawn(server, wide):
    open_page(wide, server, "draw")
    sheet(wide).wait_for()
    draw_fast(wide, 4)
    wide.get_by_role("button", name="Undo").click()
    has_strokes(wide, 3)
    reads(wide, "111")
    wide.get_by_role("button", name="Undo").click()
    has_strokes(wide, 2)
    reads(wide, "11")
    # What is left on the sheet is drawn on.
    draw_fast(wide, 1)
    has_strokes(wide, 3)
    assert_no_fault(wide)


def test_the_keyboard_is_told_of_test_digits_and_gets_one(server, wide):
    open_page(wide, server, "draw")
    sheet(wide).wait_for()
    has_strokes(wide, 0)
    hint = wide.get_by_text("press Enter to use a test digit")
    assert hint.is_hidden()
    while not sheet(wide).evaluate("canvas => canvas.matches(':focus')"):
        wide.keyboard.press("Tab")
    hint.wait_for()
    wide.keyboard.press("Enter")
    wide.get_by_text(re.compile("Test image .* as the network sees it")).wait_for()
    assert_no_fault(wide)
