"""How long a person waits for the answer after lifting the pen.

    python -m benchmarks.answer

Starts the real app, draws thirty digits on the Draw page in Chromium with the mouse, and
measures in the page itself the time from lifting the pen to the answer: median and
slowest. For 200 ms of it the canvas waits for another stroke before it tells the server
anything. Then each view of "Why this answer?", from the click to the view.
Needs requirements-dev.txt and Chromium.
"""

import shutil
import statistics
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import expect, sync_playwright

from tests.browser.server import CHROMIUM_FLAGS, Server, settled

DIGITS = 30
SEVEN = [(0.2, 0.2), (0.75, 0.2), (0.45, 0.85)]
NOTHING = "–"

# Resolves with the milliseconds from the next time this event ends a gesture until the page
# satisfies the condition; looked at whenever the page changes.
MEASURE = """([event, condition]) => {
  const met = new Function('return ' + condition);
  window.measured = new Promise((resolve) => {
    let since = null;
    const look = () => {
      if (since !== null && met()) {
        observer.disconnect();
        resolve(performance.now() - since);
      }
    };
    const observer = new MutationObserver(look);
    observer.observe(document.body, { subtree: true, childList: true, characterData: true });
    addEventListener(event, () => { since ??= performance.now(); look(); },
                     { capture: true, once: true });
  });
}"""
VALUE = "document.querySelector('[data-testid=stMetricValue]').innerText.trim()"
VIEWS = {
    "Important pixels": "document.querySelector('.heat img')",
    "Nearest digits": "document.querySelector('.digits img')",
    "Layers": "document.querySelectorAll('.layer img').length",
}


def at_rest(page: Any) -> None:
    settled(page)


def ready_sheet(page: Any) -> None:
    """Wait for the canvas; for a moment after Clear there are the old one and the new."""
    at_rest(page)
    expect(page.locator("canvas.upper-canvas")).to_have_count(1)


def draw(page: Any, shift: float) -> float:
    """A 7 somewhere on the sheet; milliseconds from the pen's lifting to the answer."""
    box = page.locator("canvas.upper-canvas").bounding_box()
    points = [
        (box["x"] + (0.5 * x + shift) * box["width"], box["y"] + (0.5 * y + shift) * box["height"])
        for x, y in SEVEN
    ]
    page.evaluate(MEASURE, ["mouseup", f"{VALUE} !== '{NOTHING}'"])
    page.mouse.move(*points[0])
    page.mouse.down()
    for point in points[1:]:
        page.mouse.move(*point, steps=10)
    page.mouse.up()
    return float(page.evaluate("window.measured"))


def look_at(page: Any, view: str) -> float:
    """Milliseconds from the click on a view's name to its pictures."""
    at_rest(page)
    page.evaluate(MEASURE, ["click", VIEWS[view]])
    page.get_by_test_id("stButtonGroup").get_by_text(view, exact=True).click()
    return float(page.evaluate("window.measured"))


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        server = Server(Path(folder), MNIST_WORKERS="0")
        chromium = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=CHROMIUM_FLAGS
        )
        page = chromium.new_page(viewport={"width": 1366, "height": 900})
        page.goto(f"{server.url}/draw")
        waits = []
        for number in range(DIGITS + 1):
            ready_sheet(page)
            waits.append(draw(page, 0.45 * number / DIGITS))
            at_rest(page)
            page.get_by_role("button", name="Clear").click()
            page.wait_for_function(f"{VALUE} === '{NOTHING}'")
        # The first one also loads the network.
        first, *others = waits
        print(
            f"pen-up to the answer, {DIGITS} digits: median {statistics.median(others):.0f} ms, "
            f"slowest {max(others):.0f} ms; the very first {first:.0f} ms"
        )
        ready_sheet(page)
        draw(page, 0.2)
        for view in VIEWS:
            # The second visit: the first one looks at the training digits for everybody.
            look_at(page, view)
        for view in VIEWS:
            print(f"click to {view!r}: {look_at(page, view):.0f} ms")
        chromium.close()
        server.stop()


if __name__ == "__main__":
    main()
