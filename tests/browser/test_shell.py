"""What all pages have in common: one visit to each, as on a laptop, a phone and a projector."""

import pytest

from tests.browser.server import COUNT_SHIFTS, settled
from tests.browser.test_pages import HEADINGS, open_page
from tests.extras import needs
from tests.helpers import wait_until

pytestmark = needs("browser")

TITLE = "Watch a network learn to read"
MOST_EMPTY_PIXELS = 40
MOST_SHIFT = 0.1
LAPTOP, PROJECTOR = {"width": 1366, "height": 768}, {"width": 1920, "height": 1080}
# From the menu bar to the letters of the heading.
EMPTY_PIXELS = """() => {
  const letters = document.createRange();
  letters.selectNodeContents(document.querySelector('[data-testid=stMain] h1'));
  const bar = document.querySelector('[data-testid=stHeader]').getBoundingClientRect();
  return letters.getBoundingClientRect().top - bar.bottom;
}"""
# Elements whose colours say something, by what they are next to: whether they differ.
DIFFERS = """([one, other]) => {
  const colour = name => getComputedStyle(document.querySelector(name)).backgroundColor;
  return colour(one) !== colour(other);
}"""


@pytest.fixture
def laptop(chromium):
    context = chromium.new_context(viewport=LAPTOP)
    context.set_default_timeout(30_000)
    yield context.new_page()
    context.close()


def test_pages_have_their_titles_headings_at_the_top_and_stay_where_they_are(server, laptop, phone):
    faults = []
    for page, size, query in (
        (laptop, LAPTOP, ""),
        (phone, phone.viewport_size, ""),
        (laptop, PROJECTOR, "?presenter=on"),
    ):
        page.add_init_script(COUNT_SHIFTS)
        page.set_viewport_size(size)
        for name in HEADINGS:
            # The browser forgets what it has, so that everything arrives as for the first time.
            page.goto("about:blank")
            open_page(page, server, name + query)
            title = f"{name.capitalize()} · {TITLE}" if name else TITLE
            found = {
                "title": page.title() == title,
                "empty pixels": page.evaluate(EMPTY_PIXELS) <= MOST_EMPTY_PIXELS,
                "shift": page.evaluate("window.shift") <= MOST_SHIFT,
            }
            faults += [(name, size["width"], what) for what, right in found.items() if not right]
    assert faults == []


def test_an_address_of_no_page_says_so_and_leads_to_the_overview(server, phone):
    # On its very first visit a server does not know yet which pages there are.
    open_page(phone, server, "")
    phone.goto(f"{server.url}/nonsense?run=cnn")
    phone.get_by_role("heading", name="Page not found").wait_for()
    settled(phone)
    assert phone.get_by_role("dialog").count() == 0
    phone.get_by_role("link", name="Go to the overview").click()
    phone.get_by_role("heading", name=HEADINGS[""]).wait_for()


def test_the_menu_of_a_narrow_screen_closes_when_a_page_is_chosen(server, chromium):
    # Not a phone, so Streamlit would leave it open.
    context = chromium.new_context(viewport={"width": 600, "height": 800})
    page = context.new_page()
    open_page(page, server, "train?run=cnn&wrong=1")
    wait_until(lambda: "wrong" not in page.url)
    page.get_by_test_id("stExpandSidebarButton").click()
    page.get_by_test_id("stSidebar").get_by_role("link", name="Explore").click()
    page.get_by_role("heading", name=HEADINGS["explore"]).wait_for()
    page.locator("[data-testid=stSidebar][data-collapsed=true]").wait_for(state="attached")
    context.close()


def differ(page, first: str, second: str) -> None:
    """Wait until both are there and look different."""
    for part in (first, second):
        page.locator(part).first.wait_for(state="attached")
    wait_until(lambda: page.evaluate(DIFFERS, [first, second]), timeout=10)


def test_with_forced_colours_bars_switches_and_choices_stay_visible(server, chromium):
    context = chromium.new_context(viewport=LAPTOP, forced_colors="active")
    page = context.new_page()
    choice = "[data-testid=stButtonGroup]"
    open_page(page, server, "explore?image=test-7&digits=3")
    differ(page, ".bars .bar.best", ".bars .track")
    differ(page, f"{choice} button[aria-pressed=true]", f"{choice} [aria-pressed=false]")
    open_page(page, server, "evaluate")
    differ(page, f"{choice} [aria-checked=true]", f"{choice} [aria-checked=false]")
    switch = page.get_by_test_id("stCheckbox").first
    painted = "part => getComputedStyle(part).forcedColorAdjust"
    assert switch.locator("label > div").first.evaluate(painted) == "none"
    context.close()


def test_presenter_mode_shows_settings_in_place_by_keyboard_and_shares_the_page(server, wide):
    wide.set_viewport_size({"width": 1280, "height": 720})
    open_page(wide, server, "explore?presenter=on&count=25")
    settings = wide.get_by_role("button", name="New sample")
    assert not settings.is_visible()
    wide.get_by_role("switch", name="Show settings").focus()
    wide.keyboard.press("Space")
    settings.wait_for()
    settled(wide)
    controls = wide.locator(".st-key-presenter").bounding_box()
    last_page = wide.get_by_test_id("stTopNavLink").last.bounding_box()
    assert last_page["x"] + last_page["width"] <= controls["x"]
    assert controls["y"] + controls["height"] <= wide.locator("h1").first.bounding_box()["y"]
    # Also on the next page, until it is switched off.
    wide.get_by_role("link", name="Evaluate").first.click()
    wide.get_by_role("heading", name=HEADINGS["evaluate"]).wait_for()
    wait_until(lambda: wide.get_by_role("switch", name="Show settings").is_checked())
    wide.get_by_role("button", name="Share").focus()
    wide.keyboard.press("Enter")
    # This server listens to its own computer only.
    wide.get_by_role("dialog").get_by_text("--server.address=0.0.0.0").wait_for()
