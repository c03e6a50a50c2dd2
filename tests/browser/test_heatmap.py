"""Cells of the heatmap are chosen by mouse, finger and keyboard, and it fits each screen."""

import re

import pytest

from tests.browser.server import settled
from tests.browser.test_pages import assert_no_fault, open_page
from tests.extras import needs

pytestmark = needs("browser")

# Next to each other and far apart: a finger once selected the cell before the one it touched.
CELLS = [(5, 3), (5, 4), (4, 4), (9, 9), (0, 0)]
HELD = [0, 90, 200]


def cell(page, true: int, predicted: int):
    return page.get_by_role(
        "button", name=re.compile(f"^true {true}, predicted {predicted}, [0-9,]+ images?$")
    )


def open_heatmap(page, server, address: str = "evaluate?run=classic") -> None:
    open_page(page, server, address)
    page.locator(".heatmap .heatmaplayer image").first.wait_for(state="attached")


def place(page, true: int, predicted: int) -> tuple[float, float]:
    """Its centre on the screen."""
    button = cell(page, true, predicted)
    button.scroll_into_view_if_needed()
    box = button.bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def assert_chosen(page, true: int, predicted: int) -> None:
    """Everything says so: the heading, the mark, the select boxes."""
    page.get_by_role(
        "heading", name=re.compile(rf"^True {true}, predicted {predicted}: [\d,]+ images?$")
    ).wait_for()
    settled(page)
    pressed = page.locator(".heatmap button[aria-pressed=true]")
    assert pressed.evaluate_all("all => all.map(button => button.ariaLabel)") == [
        cell(page, true, predicted).get_attribute("aria-label")
    ]
    for label, digit in (("True digit", true), ("Predicted digit", predicted)):
        page.get_by_role("combobox", name=re.compile(f"{digit}.*{label}|{label}")).wait_for()


@pytest.mark.parametrize("device", ["wide", "phone"])
def test_the_cell_that_is_pressed_is_selected(server, device, request):
    page = request.getfixturevalue(device)
    open_heatmap(page, server)
    for true, predicted in CELLS[:2]:
        page.mouse.click(*place(page, true, predicted))
        assert_chosen(page, true, predicted)
    if device == "phone":
        finger = page.context.new_cdp_session(page)
        for held in HELD:
            for true, predicted in CELLS[2:]:
                x, y = place(page, true, predicted)
                finger.send(
                    "Input.dispatchTouchEvent",
                    {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]},
                )
                page.wait_for_timeout(held)
                finger.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
                assert_chosen(page, true, predicted)
        page.touchscreen.tap(*place(page, *CELLS[0]))
        assert_chosen(page, *CELLS[0])
    assert_no_fault(page)


def test_the_keyboard_has_one_stop_and_the_address_follows(server, wide):
    open_heatmap(wide, server, "evaluate?run=classic&true=4&predicted=9")
    wide.locator(".heatmap button[tabindex='0']").focus()
    for key, true, predicted in (
        ("ArrowLeft", 4, 8),
        ("ArrowDown", 5, 8),
        ("Home", 5, 0),
        ("ArrowLeft", 5, 0),
        ("ArrowUp", 4, 0),
    ):
        wide.keyboard.press(key)
        assert cell(wide, true, predicted).evaluate("button => button === document.activeElement")
    assert wide.locator(".heatmap button[tabindex='0']").count() == 1
    for key in ("Enter", "Space"):
        wide.keyboard.press("ArrowRight")
        wide.keyboard.press(key)
        chosen = int(wide.evaluate("document.activeElement.ariaLabel.match(/predicted (.)/)[1]"))
        assert_chosen(wide, 4, chosen)
        wide.wait_for_function(f"location.search.includes('predicted={chosen}')")
    wide.keyboard.press("Tab")
    assert wide.evaluate("!document.activeElement.closest('.heatmap')")


def test_the_mouse_reads_a_cell_from_plotly_and_the_mark_fits_it(server, wide):
    open_heatmap(wide, server)
    wide.mouse.move(*place(wide, 4, 9))
    wide.locator(".heatmap .hoverlayer").get_by_text("true 4, predicted 9").wait_for()
    # The axes' own places for each digit, from Plotly, against the buttons'.
    apart = wide.evaluate(
        """() => {
          const plot = document.querySelector('.heatmap .plot');
          const { xaxis, yaxis } = plot._fullLayout, box = plot.getBoundingClientRect();
          const buttons = [...document.querySelectorAll('.heatmap button')];
          return Math.max(...buttons.flatMap((button, n) => {
            const { left, right, top, bottom } = button.getBoundingClientRect();
            return [box.x + xaxis._offset + xaxis.d2p(n % 10) - (left + right) / 2,
                    box.y + yaxis._offset + yaxis.d2p(Math.floor(n / 10)) - (top + bottom) / 2]
              .map(Math.abs);
          }));
        }"""
    )
    assert apart < 1.5


SCREENS = [
    ((1366, 768), ""),
    ((1920, 1080), "&presenter=on"),
    ((1280, 720), "&presenter=on"),
]


def test_the_heatmap_is_on_the_first_screen_and_stays_there(server, wide):
    for (width, height), more in SCREENS:
        wide.set_viewport_size({"width": width, "height": height})
        open_heatmap(wide, server, f"evaluate?run=classic{more}")
        box = wide.locator(".heatmap").bounding_box()
        assert box["y"] >= 0
        assert box["y"] + box["height"] <= height
        for true, predicted in ((4, 4), (0, 9)):
            wide.mouse.click(*place(wide, true, predicted))
            assert_chosen(wide, true, predicted)
            assert wide.locator(".heatmap").bounding_box() == box
        main = wide.get_by_test_id("stMain")
        if more:
            assert main.evaluate("main => main.scrollHeight <= main.clientHeight"), width


def test_the_cells_can_be_chosen_while_plotly_does_not_arrive(server, wide):
    wide.route("**/plotly-*.min.js", lambda route: route.abort())
    open_page(wide, server, "evaluate?run=classic")
    wide.get_by_text("A row for each true digit").wait_for()
    assert re.fullmatch(r"\d+", cell(wide, 4, 4).inner_text())
    wide.mouse.click(*place(wide, 4, 4))
    assert_chosen(wide, 4, 4)
