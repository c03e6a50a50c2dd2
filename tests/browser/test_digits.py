"""Looking at digits: clicked in a grid, lassoed on a map, by mouse, finger and keyboard."""

import math
import re

import pytest

from tests.browser.server import settled
from tests.browser.test_pages import assert_no_fault, open_page
from tests.extras import needs
from tests.helpers import wait_until

pytestmark = needs("browser")


def digits(page, inside=None):
    """The buttons of a grid of digits."""
    return (inside or page).locator(".digits button")


def dialog(page):
    return page.get_by_role("dialog")


def point_on_map(page, digit: int, number: int) -> tuple[float, float, int]:
    """Where a point is on the screen, and its number on the map."""
    return tuple(
        page.evaluate(
            """([digit, number]) => {
              const plot = document.querySelector('.map .js-plotly-plot');
              const { xaxis, yaxis } = plot._fullLayout;
              const { x, y, customdata } = plot.data[digit];
              const box = plot.getBoundingClientRect();
              return [box.x + xaxis._offset + xaxis.d2p(x[number]),
                      box.y + yaxis._offset + yaxis.d2p(y[number]), customdata[number]];
            }""",
            [digit, number],
        )
    )


def open_map(page, server, address: str) -> None:
    open_page(page, server, address)
    page.locator(".map .scatterlayer .point").first.wait_for(state="attached")
    settled(page)


def lasso(page, x: float, y: float, radius: float = 60) -> None:
    around = [math.pi * step / 12 for step in range(25)]
    page.mouse.move(x + radius, y)
    page.mouse.down()
    for angle in around:
        page.mouse.move(x + radius * math.cos(angle), y + radius * math.sin(angle), steps=2)
    page.mouse.up()


@pytest.mark.parametrize("device", ["wide", "phone"])
def test_a_digit_that_is_chosen_is_shown_large_with_its_neighbours(server, device, request):
    page = request.getfixturevalue(device)
    open_page(page, server, "explore?split=Test")
    press = "tap" if device == "phone" else "click"
    name = digits(page).nth(3).get_attribute("aria-label")
    getattr(digits(page).nth(3), press)()
    number = re.search(r"image (\d+)", name)[1]
    dialog(page).get_by_role("heading", name=f"Test image {number}: labelled").wait_for()
    page.wait_for_function(f"location.search.includes('image=test-{number}')")
    neighbour = digits(page, dialog(page)).nth(1)
    label = neighbour.get_attribute("aria-label")
    getattr(neighbour, press)()
    place = re.search(r"image (\d+)", label)[1]
    dialog(page).get_by_role("heading", name=f"Training image {place}: labelled").wait_for()
    page.keyboard.press("Escape")
    dialog(page).wait_for(state="detached")
    page.wait_for_function("!location.search.includes('image=')")
    assert_no_fault(page)


def test_choices_share_a_row_and_digits_begin_in_the_upper_third(server, wide):
    open_page(wide, server, "explore")
    digits(wide).first.wait_for()
    choices = [f".st-key-{key}" for key in ("show", "split", "digits", "count")]

    def middle(selector: str) -> float:
        box = wide.locator(selector).bounding_box()
        return box["y"] + box["height"] / 2

    for width, height in ((1024, 768), (1366, 768), (1920, 1080)):
        wide.set_viewport_size({"width": width, "height": height})
        wait_until(lambda most=height / 3: digits(wide).first.bounding_box()["y"] <= most)
        if width > 1200:
            places = [middle(selector) for selector in choices]
            assert max(places) - min(places) < 10


def test_a_gallery_is_one_tab_stop_and_returns_to_the_digit_that_was_opened(server, wide):
    open_page(wide, server, "explore")
    digits(wide).first.focus()
    focused = """() => {
      const { activeElement } = document;
      return (activeElement.shadowRoot?.activeElement ?? activeElement).ariaLabel;
    }"""
    names = digits(wide).evaluate_all("buttons => buttons.map(button => button.ariaLabel)")
    row = digits(wide).evaluate_all(
        "buttons => buttons.filter(({ offsetTop }) => offsetTop === buttons[0].offsetTop).length"
    )
    for key, number in (
        ("ArrowRight", 1),
        ("ArrowDown", row + 1),
        ("ArrowLeft", row),
        ("ArrowUp", 0),
        ("ArrowUp", 0),
        ("End", 49),
        ("ArrowRight", 49),
        ("Home", 0),
        ("ArrowRight", 1),
    ):
        wide.keyboard.press(key)
        assert wide.evaluate(focused) == names[number], key
    wide.keyboard.press("Tab")
    assert wide.evaluate(focused) not in names
    wide.keyboard.press("Shift+Tab")
    assert wide.evaluate(focused) == names[1]
    wide.keyboard.press("Enter")
    dialog(wide).get_by_text(re.compile("Training image .* labelled")).wait_for()
    settled(wide)
    wide.keyboard.press("Escape")
    dialog(wide).wait_for(state="detached")
    wait_until(lambda: wide.evaluate(focused) == names[1], timeout=10)
    wide.wait_for_function("!location.search.includes('image=')")
    assert_no_fault(wide)


def test_a_point_on_the_map_shows_its_picture_and_opens(server, wide):
    open_map(wide, server, "explore?show=A+map&split=Test")
    x, y, _ = point_on_map(wide, 0, 0)
    wide.mouse.move(x, y)
    wide.locator(".map .tip", has_text="test image").wait_for()
    # What lies topmost there may be another digit's point.
    shown = re.search(r"(\d) · test image (\d+)", wide.locator(".map .tip").inner_text())
    # The picture is there, not only its frame: some pixel of it is bright.
    wide.wait_for_function(
        """() => document.querySelector('.map .tip canvas').getContext('2d')
             .getImageData(0, 0, 28, 28).data.some((value, at) => at % 4 === 0 && value > 128)"""
    )
    wide.mouse.click(x, y)
    heading = f"Test image {shown[2]}: labelled {shown[1]}"
    dialog(wide).get_by_role("heading", name=heading).wait_for()


def test_a_loop_on_one_map_chooses_the_same_digits_on_both(server, wide):
    open_map(wide, server, "explore?show=A+map&split=Test&beside=classic")
    wait_until(lambda: wide.locator(".map .js-plotly-plot").count() == 2, timeout=30)
    x, y, _ = point_on_map(wide, 1, 0)
    lasso(wide, x, y)
    wide.get_by_role("heading", name=re.compile("digits in the loop")).wait_for()
    settled(wide)
    count = int(wide.get_by_role("heading", name="in the loop").inner_text().split()[0])

    def chosen() -> list[int]:
        return wide.evaluate(
            """() => [...document.querySelectorAll('.map .js-plotly-plot')].map(plot =>
                 plot.data.reduce((sum, trace) => sum + (trace.selectedpoints?.length ?? -1), 0))"""
        )

    wait_until(lambda: chosen() == [count, count], timeout=10)
    assert digits(wide).count() == min(count, 60)
    wide.get_by_role("button", name="Clear selection").click()
    wide.get_by_role("heading", name="in the loop").wait_for(state="detached")
    assert_no_fault(wide)


def test_a_map_by_t_sne_comes_from_the_worker_by_itself(server, wide):
    open_map(wide, server, "explore?show=A+map&split=Test&method=t-SNE")
    wide.get_by_text("t-SNE: neighbours stay neighbours").wait_for(timeout=120_000)
    assert wide.locator(".map .scatterlayer .point").count() == 1000
    assert_no_fault(wide)


def test_an_image_behind_a_cell_opens_over_the_matrix(server, wide):
    open_page(wide, server, "evaluate?run=classic")
    wide.get_by_role("button", name="true 4, predicted 4,").click()
    wide.get_by_role("heading", name=re.compile("^True 4, predicted 4:")).wait_for()
    wide.wait_for_function("location.search.includes('true=4')")
    # The shipped networks were tested on all of MNIST; here is only the sample.
    wide.get_by_text("the pictures cannot be shown").wait_for()
    assert_no_fault(wide)


@pytest.mark.parametrize("numbers", ["Images", "% of row (true digit)"])
def test_the_numbers_of_a_heatmap_fit_its_cells_on_a_phone(server, phone, numbers):
    open_page(phone, server, f"evaluate?run=cnn&numbers={numbers.replace(' ', '+')}")
    phone.locator(".js-plotly-plot .textpoint text").first.wait_for(state="attached")
    widest, cell = phone.evaluate(
        """() => {
          const plot = document.querySelector('.js-plotly-plot'), { xaxis } = plot._fullLayout;
          const texts = [...plot.querySelectorAll('.textpoint text')];
          return [Math.max(...texts.map(text => text.getBoundingClientRect().width)),
                  xaxis.d2p(1) - xaxis.d2p(0)];
        }"""
    )
    assert widest <= cell


def test_the_headline_of_an_evaluation_does_not_fill_a_phone(server, phone):
    open_page(phone, server, "evaluate?run=cnn")
    cards = phone.locator(".st-key-headline").get_by_test_id("stMetric")
    wait_until(lambda: cards.count() == 3)

    def lines() -> int:
        return len({round(card.bounding_box()["y"]) for card in cards.all()})

    # The cards are still moving while the last of them arrives.
    wait_until(lambda: lines() < 3, timeout=30)
