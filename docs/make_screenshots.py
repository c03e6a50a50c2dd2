"""Make the README's screenshots: every page, light, dark and on a phone.

    MNIST_DATA=... python -m docs.make_screenshots

Starts the real app, trains a network, draws a digit, and takes the pictures on the way.
Needs requirements-dev.txt and Chromium; MNIST_DATA is handed on to the app.
"""

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

from tests.browser.server import CHROMIUM_FLAGS, Server, settled

FOLDER = Path(__file__).parent / "screenshots"
DEVICES: dict[str, dict[str, Any]] = {
    "light": {"viewport": {"width": 1366, "height": 860}, "color_scheme": "light"},
    "dark": {"viewport": {"width": 1366, "height": 860}, "color_scheme": "dark"},
    "phone": {
        "viewport": {"width": 360, "height": 740},
        "color_scheme": "light",
        "is_mobile": True,
        "has_touch": True,
    },
}
# By the name of the picture; those of train and draw come after something was done there.
ADDRESSES = {
    "overview": "",
    "explore": "explore",
    "glance": "explore?show=At+a+glance",
    "map": "explore?show=A+map&split=Test&beside=cnn",
    "doubts": "explore?show=Doubtful+labels",
    "digit": "explore?image=test-8",
    "train": "train",
    "compare": "compare",
    "evaluate": "evaluate",
    "confidence": "evaluate?view=Confidence&run=classic",
    "beside": "evaluate?view=Beside+another&beside=classic",
    "draw": "draw",
}
SEVEN = [(0.25, 0.22), (0.7, 0.2), (0.45, 0.85)]


def at_rest(page: Any) -> None:
    """Wait until the page has run to its end and its charts have come to rest."""
    settled(page)
    page.wait_for_timeout(1500)


def train(page: Any, url: str) -> None:
    page.goto(f"{url}/train")
    page.get_by_role("button", name="Start training").click()
    page.get_by_test_id("stMetric").filter(has_text="Test accuracy").wait_for(timeout=180_000)


def draw(page: Any, url: str) -> None:
    page.goto(f"{url}/draw")
    canvas = page.locator("canvas.upper-canvas")
    canvas.wait_for()
    at_rest(page)
    box = canvas.bounding_box()
    points = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in SEVEN]
    page.mouse.move(*points[0])
    page.mouse.down()
    for point in points[1:]:
        page.mouse.move(*point, steps=15)
    page.mouse.up()
    page.get_by_text("% sure").wait_for()
    page.mouse.move(5, 500)


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    data = {"MNIST_DATA": os.environ["MNIST_DATA"]} if "MNIST_DATA" in os.environ else {}
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        server = Server(Path(folder), **data)
        chromium = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=CHROMIUM_FLAGS
        )
        for device, options in DEVICES.items():
            page = chromium.new_context(**options).new_page()
            for name, address in ADDRESSES.items():
                if name == "train":
                    train(page, server.url)
                elif name == "draw":
                    draw(page, server.url)
                else:
                    page.goto(f"{server.url}/{address}")
                    page.locator("h1").wait_for()
                at_rest(page)
                page.screenshot(path=FOLDER / f"{name}-{device}.png")
                print(f"{name}-{device}.png")
        chromium.close()
        server.stop()


if __name__ == "__main__":
    main()
