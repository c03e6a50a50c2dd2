"""Make the README's screenshots, or pictures of every state of every page.

    MNIST_DATA=... python -m docs.make_screenshots
    MNIST_DATA=... python -m docs.make_screenshots --all FOLDER

Starts the real app and goes through tests/browser/tour.py in light, dark and on a phone.
Needs requirements-dev.txt and Chromium; MNIST_DATA is handed on to the app.
"""

import argparse
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

from mnist_core.data import load_dataset
from tests.browser.server import CHROMIUM_FLAGS, Server
from tests.browser.tour import at_rest, tour

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
# Those that are kept beside the README.
KEPT = {
    "overview",
    "explore",
    "glance",
    "map",
    "doubts",
    "digit",
    "train",
    "sweep",
    "compare",
    "evaluate",
    "confidence",
    "beside",
    "draw",
}


def pictures(chromium: Any, folder: Path, chosen: set[str]) -> Iterator[str]:
    """Take those chosen, or all where none is named; what each is called, as it is taken."""
    environ = {"MNIST_DATA": os.environ["MNIST_DATA"]} if "MNIST_DATA" in os.environ else {}
    with tempfile.TemporaryDirectory() as work, tour(Path(work), load_dataset(), **environ) as all_:
        for device, options in DEVICES.items():
            page = chromium.new_context(**options).new_page()
            page.set_default_timeout(60_000)
            for state in all_.states:
                if not chosen or state.name in chosen:
                    all_.visit(page, state)
                    yield _take(page, folder, f"{state.name}-{device}")
            page.context.close()


def damaged(chromium: Any, folder: Path) -> Iterator[str]:
    """A server whose database cannot be read."""
    with tempfile.TemporaryDirectory() as work:
        (Path(work) / "runs.db").write_bytes(b"This is no database." * 200)
        server = Server(Path(work), MNIST_WORKERS="0")
        for device, options in DEVICES.items():
            page = chromium.new_context(**options).new_page()
            for address in ("train", "evaluate"):
                page.goto(f"{server.url}/{address}")
                page.get_by_test_id("stAlert").first.wait_for()
                at_rest(page)
                yield _take(page, folder, f"damaged-{address}-{device}")
            page.context.close()
        server.stop()


def _take(page: Any, folder: Path, name: str) -> str:
    # Charts still grow into their places for a moment after they are there.
    page.wait_for_timeout(700)
    page.screenshot(path=folder / f"{name}.png")
    return f"{name}.png"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--all", type=Path, metavar="FOLDER", help="every state, into this folder")
    parser.add_argument("--only", nargs="+", metavar="STATE", default=[], help="of these states")
    arguments = parser.parse_args()
    folder = arguments.all or FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=CHROMIUM_FLAGS
        )
        chosen = set(arguments.only) or (set() if arguments.all else KEPT)
        for name in pictures(chromium, folder, chosen):
            print(name, flush=True)
        if not chosen:
            for name in damaged(chromium, folder):
                print(name, flush=True)
        chromium.close()


if __name__ == "__main__":
    main()
