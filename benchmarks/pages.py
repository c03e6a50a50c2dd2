"""How soon Explore and Evaluate respond, and what they cost the server.

    MNIST_DATA=mnist.npz python -m benchmarks.pages

Starts the real app and visits it with Chromium, warm: everything was shown once before.
Times are taken in the page itself, from the click to the first frame that shows the answer.
Then how many of 30 random cells of the heatmap lead to the right images, by mouse, and by the
two select boxes on a phone; the memory that visiting both pages adds to the server; and how
long the server takes to open a run with 10,000 test images. Needs requirements-dev.txt and
Chromium.
"""

import os
import random
import re
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil
from playwright.sync_api import sync_playwright
from streamlit.testing.v1 import AppTest

from tests.browser.server import CHROMIUM_FLAGS, Server, settled
from tests.helpers import PROJECT

REPEATS = 10
CELLS = 30
# From the next press of the mouse or finger to the first frame in which this is true.
WATCH = """(condition) => {
  window.answered = null;
  addEventListener('pointerdown', () => {
    const start = performance.now();
    const look = () => {
      if (eval(condition)) window.answered = performance.now() - start;
      else requestAnimationFrame(look);
    };
    look();
  }, { capture: true, once: true });
}"""
PICTURES = "[...document.querySelectorAll('[data-testid=stBidiComponentIsolated]')].reduce(\
(sum, part) => sum + part.shadowRoot.querySelectorAll('.picture').length, 0)"


def watched(page: Any, condition: str, act: Any) -> float:
    """Milliseconds from the press that ``act`` makes until the condition holds."""
    page.evaluate(WATCH, condition)
    act()
    page.wait_for_function("window.answered !== null", timeout=20_000)
    return float(page.evaluate("window.answered"))


def grid(page: Any, server: Server) -> list[float]:
    """From the Overview's link to a hundred digits."""
    page.goto(server.url)
    times = []
    for _ in range(REPEATS + 1):
        page.get_by_text("See 100 digits").wait_for()
        settled(page)
        page.wait_for_timeout(500)
        act = page.get_by_text("See 100 digits").click
        times.append(watched(page, f"{PICTURES} === 100", act))
        page.get_by_role("link", name="Overview").click()
    return times[1:]


def digit_map(page: Any, server: Server) -> list[float]:
    """From the choice of the map to 5,000 points."""
    page.goto(f"{server.url}/explore")
    points = "document.querySelectorAll('.js-plotly-plot .scatterlayer .point').length === 5000"
    times = []
    for _ in range(REPEATS + 1):
        settled(page)
        page.wait_for_timeout(500)
        times.append(watched(page, points, page.get_by_role("radio", name="A map").click))
        page.get_by_role("radio", name="At a glance").click()
        page.get_by_text("The mean of each digit").wait_for()
    return times[1:]


def cell_name(true: int, predicted: int) -> str:
    return f"True {true}, predicted {predicted}"


def cells() -> list[tuple[int, int]]:
    places = [(true, predicted) for true in range(10) for predicted in range(10)]
    return random.Random(0).sample(places, CELLS)


def clicks(page: Any, server: Server) -> tuple[list[float], int]:
    """30 random cells by mouse: milliseconds to the right images, and how many were right."""
    page.goto(f"{server.url}/evaluate?run=classic")
    page.locator(".js-plotly-plot .xy .heatmaplayer image").first.wait_for(state="attached")
    settled(page)
    times, right = [], 0
    for true, predicted in cells():
        page.wait_for_timeout(300)
        button = page.get_by_role("button", name=f"true {true}, predicted {predicted},")
        # The heading says how many there are, of which at most 60 are shown.
        shown = f"""[...document.querySelectorAll('h3')].some(heading => {{
          const [text, count] = heading.textContent.split(': ');
          return text === '{cell_name(true, predicted)}'
            && {PICTURES} === Math.min(60, parseInt(count.replace(',', '')));
        }})"""
        times.append(watched(page, shown, button.click))
        settled(page)
        right += page.get_by_role("heading", name=cell_name(true, predicted)).count() == 1
    return times, right


def taps(page: Any, server: Server) -> int:
    """The same cells through the select boxes on a phone; how many were right."""
    page.goto(f"{server.url}/evaluate?run=classic")
    page.locator(".heatmap .heatmaplayer image").first.wait_for(state="attached")
    settled(page)
    # A list that is open closes when the page moves under it, as it does while charts arrive.
    page.get_by_role("combobox", name="True digit").scroll_into_view_if_needed()
    page.wait_for_timeout(1000)
    right = 0
    for true, predicted in cells():
        for label, digit, shown in (
            ("True digit", true, f"True {true},"),
            ("Predicted digit", predicted, f"predicted {predicted}:"),
        ):
            page.get_by_role("combobox", name=re.compile(label)).tap()
            page.get_by_role("option", name=str(digit), exact=True).tap()
            page.get_by_role("heading", name=shown).wait_for()
            settled(page)
        right += page.get_by_role("heading", name=cell_name(true, predicted)).count() == 1
    return right


def memory(server: Server) -> float:
    """Megabytes the server holds."""
    return float(psutil.Process(server.process.pid).memory_info().rss / 1e6)


def visit_all(page: Any, server: Server) -> None:
    """Everything on both pages that needs no training process."""
    for address in (
        "explore?count=100",
        "explore?show=At+a+glance",
        "explore?show=A+map",
        "explore?show=Doubtful+labels",
        "explore?image=train-7",
        "evaluate?run=classic",
        "evaluate?run=classic&view=Digit+by+digit",
        "evaluate?run=classic&view=Most+confident+mistakes",
        "evaluate?run=classic&view=Confidence",
        "evaluate?run=classic&view=Compare+two&beside=cnn",
    ):
        page.goto(f"{server.url}/{address}")
        page.get_by_role("heading", level=1).wait_for()
        settled(page)
        page.wait_for_timeout(1500)


def opening() -> float:
    """Milliseconds the server needs to open a run of 10,000 test images, its libraries loaded."""
    tab = AppTest.from_file(PROJECT / "dashboard.py", default_timeout=60)
    tab.query_params = {"goto": "evaluate", "run": "classic"}
    tab.run()
    times = []
    for name in ("cnn", "classic") * 3:
        tab.selectbox(key="picked_run").set_value(name)
        started = time.perf_counter()
        tab.run()
        times.append(time.perf_counter() - started)
    return 1000 * max(times)


def told(name: str, times: list[float], asked: int) -> None:
    print(
        f"{name}: median {statistics.median(times):.0f} ms, slowest {max(times):.0f} "
        f"(asked: {asked})"
    )


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        environ = {"MNIST_DATA": os.environ["MNIST_DATA"]} if "MNIST_DATA" in os.environ else {}
        server = Server(Path(folder), MNIST_WORKERS="0", **environ)
        chromium = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=CHROMIUM_FLAGS
        )
        page = chromium.new_page(viewport={"width": 1366, "height": 900})
        page.goto(server.url)
        page.get_by_text("See 100 digits").wait_for()
        settled(page)
        before = memory(server)
        visit_all(page, server)
        after = memory(server)
        print(
            f"server: {before:.0f} MB after the Overview, {after:.0f} MB after both pages: ", end=""
        )
        print(f"{after - before:.0f} MB more (asked: 80)")
        told("100 digits, from the link", grid(page, server), 250)
        told("map of 5,000 digits, PCA", digit_map(page, server), 1500)
        times, right = clicks(page, server)
        told("click on a cell to its images", times, 400)
        print(f"cells by mouse: {right} of {CELLS} right")
        context = chromium.new_context(
            viewport={"width": 360, "height": 740}, is_mobile=True, has_touch=True
        )
        print(f"cells by select boxes on a phone: {taps(context.new_page(), server)} of {CELLS}")
        chromium.close()
        server.stop()
    print(f"server, to open a run: at most {opening():.0f} ms of six (asked: 300)")


if __name__ == "__main__":
    main()
