"""The server's start-up and memory, as a visitor and the host see them.

    MNIST_DATA=... python -m benchmarks.server

Starts the real app and opens it in Chromium: seconds from the command to the first painted
page (median of five starts), then the memory the server holds after every page has been
visited and a digit read, and whether TensorFlow is mapped into it. Needs
requirements-dev.txt and Chromium.
"""

import os
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil
from playwright.sync_api import sync_playwright

from tests.browser.server import CHROMIUM_FLAGS, Server, settled

STARTS = 5
PAGES = ("", "explore", "train", "sweep", "compare", "evaluate", "draw")


def seconds_to_first_page(chromium: Any, data: dict[str, str]) -> float:
    """From the command to the first page with its heading, in a browser already open."""
    with tempfile.TemporaryDirectory() as folder:
        page = chromium.new_page()
        started = time.perf_counter()
        server = Server(Path(folder), MNIST_WORKERS="0", **data)
        page.goto(server.url)
        page.locator("h1").wait_for()
        seconds = time.perf_counter() - started
        page.close()
        server.stop()
    return seconds


def memory_after_every_page(chromium: Any, data: dict[str, str]) -> tuple[float, bool]:
    """MB resident after two rounds through all pages; whether TensorFlow is mapped."""
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder), MNIST_WORKERS="0", **data)
        page = chromium.new_page()
        for name in PAGES * 2:
            page.goto(f"{server.url}/{name}")
            page.locator("h1").wait_for()
            settled(page)
            if name == "draw":
                page.get_by_role("button", name="Use a test digit").click()
                page.locator(".seen img").first.wait_for()
        process = psutil.Process(server.process.pid)
        megabytes = process.memory_info().rss / 2**20
        mapped = any("tensorflow" in region.path for region in process.memory_maps())
        page.close()
        server.stop()
    return megabytes, mapped


def main() -> None:
    data = {"MNIST_DATA": os.environ["MNIST_DATA"]} if "MNIST_DATA" in os.environ else {}
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=CHROMIUM_FLAGS
        )
        starts = [seconds_to_first_page(chromium, data) for _ in range(STARTS)]
        megabytes, mapped = memory_after_every_page(chromium, data)
        chromium.close()
    print(
        f"start to first painted page: {statistics.median(starts):.1f} s "
        f"({min(starts):.1f} to {max(starts):.1f}, {STARTS} starts)"
    )
    print(f"server's memory after every page: {megabytes:.0f} MB, TensorFlow mapped: {mapped}")


if __name__ == "__main__":
    main()
