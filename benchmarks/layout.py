"""How much each page moves as it arrives, and how much of its charts and its canvas is in view.

    python -m benchmarks.layout

Starts the real app and visits it with Chromium. The cumulative layout shift is the sum of all
shifts until the page has been at rest for a second, in a browser that has nothing in its cache.
The share of a chart in view is that of its area, as the page comes to rest by itself; that of
Train is measured while it grows, after a press of Start.
Needs requirements-dev.txt and Chromium.
"""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

from tests.browser.server import CHROMIUM_FLAGS, COUNT_SHIFTS, Server
from tests.browser.test_pages import HEADINGS
from tests.browser.tour import at_rest
from tests.helpers import Store, wait_until

LAPTOP, PHONE, PROJECTOR = (1366, 768), (390, 844), (1920, 1080)
# The screens on which a chart must be in view, and whether in presenter mode.
SCREENS = {
    "phone 360x740": (360, 740, False),
    "phone 390x844": (*PHONE, False),
    "laptop 1366x768": (*LAPTOP, False),
    "projector 1280x720": (1280, 720, True),
    "projector 1920x1080": (*PROJECTOR, True),
}
WIDTHS = (320, 360, 390, 768, 820, 1024, 1366, 1920, 2560)
TABLET_WIDTH = 1024
SHARE = """element => new Promise(resolve => new IntersectionObserver(
  ([seen], observer) => { observer.disconnect(); resolve(seen.intersectionRatio); }
).observe(element))"""


@contextmanager
def opened(chromium: Any, url: str, width: int, height: int, presenter: bool) -> Iterator[Any]:
    """A page of a browser with an empty cache, at rest at this address."""
    touch = width <= TABLET_WIDTH
    context = chromium.new_context(
        viewport={"width": width, "height": height}, is_mobile=touch, has_touch=touch
    )
    context.add_init_script(COUNT_SHIFTS)
    page = context.new_page()
    page.set_default_timeout(90_000)
    if presenter:
        url += ("&" if "?" in url else "?") + "presenter=on"
    page.goto(url)
    page.locator("h1").first.wait_for()
    at_rest(page)
    yield page
    context.close()


def shift(chromium: Any, url: str, width: int, height: int) -> float:
    """The cumulative layout shift of one cold visit."""
    with opened(chromium, url, width, height, False) as page:
        page.wait_for_timeout(1000)
        return float(page.evaluate("window.shift"))


def in_view(element: Any) -> float:
    """The share of an element's area that is in view, 0 to 1."""
    return float(element.evaluate(SHARE))


def live_chart(chromium: Any, url: str, width: int, height: int, presenter: bool) -> float:
    """The share of the accuracy chart that is in view while a network trains."""
    address = f"{url}/train?preset=classic&epochs=30&batch_size=16"
    with opened(chromium, address, width, height, presenter) as page:
        page.get_by_role("button", name="Start training").click()
        page.get_by_text("Epoch 1", exact=False).first.wait_for(state="attached")
        at_rest(page)
        share = in_view(page.locator(".js-plotly-plot").first)
        stop = page.get_by_role("button", name="Stop", exact=True)
        stop.click()
        stop.wait_for(state="detached")
    return share


def heatmap(chromium: Any, url: str, width: int, height: int, presenter: bool) -> float:
    with opened(chromium, f"{url}/evaluate?run=cnn", width, height, presenter) as page:
        return in_view(page.locator(".js-plotly-plot").first)


def canvas(chromium: Any, url: str, width: int) -> float:
    """How many pixels of the canvas lie beyond its place on the page, or beyond the screen, which
    is upright up to a tablet's width."""
    height = max(740, width * 9 // 16)
    with opened(chromium, f"{url}/draw", width, height, False) as page:
        sheet, place = (
            page.locator(selector).last.bounding_box()
            for selector in (".st-key-sheet canvas", ".st-key-sheet")
        )
    right = min(width, place["x"] + place["width"])
    beyond = max(sheet["x"] + sheet["width"] - right, place["x"] - sheet["x"])
    return float(max(0, beyond, sheet["height"] - height))


def report(chromium: Any, url: str) -> None:
    print("Cumulative layout shift, cold")
    print(f"{'page':12}{'laptop':>10}{'phone':>10}")
    for page in HEADINGS:
        shifts = [shift(chromium, f"{url}/{page}", *size) for size in (LAPTOP, PHONE)]
        print(f"{page or 'overview':12}{shifts[0]:10.3f}{shifts[1]:10.3f}", flush=True)
    print("\nShare in view")
    print(f"{'screen':22}{'live chart':>12}{'heatmap':>10}")
    for name, (width, height, presenter) in SCREENS.items():
        shares = [
            measure(chromium, url, width, height, presenter) for measure in (live_chart, heatmap)
        ]
        print(f"{name:22}{shares[0]:12.0%}{shares[1]:10.0%}", flush=True)
    print("\nPixels of the canvas that are cut off")
    for width in WIDTHS:
        print(f"{width:<12}{canvas(chromium, url, width):10.0f}", flush=True)


def main() -> None:
    with tempfile.TemporaryDirectory() as work, sync_playwright() as playwright:
        server = Server(Path(work), MNIST_WORKERS="1", https_proxy="http://127.0.0.1:9")
        chromium = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=CHROMIUM_FLAGS
        )
        try:
            report(chromium, server.url)
        finally:
            chromium.close()
            server.stop()
            # Its worker ends soon after, and until then it uses the folder.
            with closing(Store(server.database_url)) as store:
                wait_until(lambda: not store.registered())


if __name__ == "__main__":
    main()
