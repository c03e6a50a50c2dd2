"""How soon the curves move after "Start training", and how often.

    MNIST_DATA=mnist.npz python -m benchmarks.live

Starts the real app, waits until its worker is warm, and presses the button ten times in
Chromium: the time from the press to the first point of the new run on the page, how many
different curves were painted per second, and whether a chart disappeared in any frame.
Measured in the page itself, at each frame. Then the memory of the worker, and whether it is
freed when idle. Needs requirements-dev.txt and Chromium.
"""

import os
import shutil
import statistics
import tempfile
from pathlib import Path
from typing import Any

import psutil
from playwright.sync_api import sync_playwright

from tests.browser.server import CHROMIUM_FLAGS, Server, settled
from tests.helpers import Store, wait_until

PRESSES = 10
PRESET = "classic"
IDLE_SECONDS = 15

# From the press on, at each frame: is the progress of a run on the page, and which curve?
WATCH = """() => {
  const seen = window.seen = {
    first: null, last: null, lengths: new Set(), frames: 0, blank: 0, charts: 0 };
  addEventListener('click', () => {
    const start = performance.now();
    const look = () => {
      const plots = [...document.querySelectorAll('.js-plotly-plot')];
      const length = plots[0]?.data?.[0]?.x?.length ?? 0;
      if (document.body.innerText.match(/Epoch [0-9.]+ of/) && length) {
        seen.first ??= performance.now() - start;
        seen.frames += 1;
        const drawn = plots.filter(p => p.querySelector('.scatterlayer .trace path')).length;
        if (drawn < seen.charts) seen.blank += 1;
        seen.charts = Math.max(seen.charts, drawn);
        if (!seen.lengths.has(length)) seen.last = performance.now() - start;
        seen.lengths.add(length);
      }
      requestAnimationFrame(look);
    };
    look();
  }, { capture: true, once: true });
}"""


def press(page: Any, server: Server) -> dict[str, float]:
    """One training from the press to its end; what was seen meanwhile."""
    page.goto(f"{server.url}/train?preset={PRESET}")
    page.get_by_role("button", name="Start training").wait_for()
    settled(page)
    page.evaluate(WATCH)
    page.get_by_role("button", name="Start training").click()
    page.get_by_role("button", name="Continue training").wait_for(timeout=120_000)
    seen: dict[str, float] = page.evaluate("({...window.seen, lengths: window.seen.lengths.size})")
    return seen


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        server = Server(
            Path(folder),
            MNIST_WORKERS="1",
            MNIST_WORKER_IDLE_SECONDS=str(IDLE_SECONDS),
            **({"MNIST_DATA": os.environ["MNIST_DATA"]} if "MNIST_DATA" in os.environ else {}),
        )
        store = Store(f"sqlite:///{Path(folder) / 'runs.db'}")
        chromium = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=CHROMIUM_FLAGS
        )
        page = chromium.new_page(viewport={"width": 1366, "height": 900})
        page.goto(f"{server.url}/train")
        wait_until(lambda: any(worker.ready for worker in store.registered()))
        seen = [press(page, server) for _ in range(PRESSES)]
        firsts = [one["first"] / 1000 for one in seen]
        rates = [(one["lengths"] - 1) / (one["last"] - one["first"]) * 1000 for one in seen]
        print(
            f"{PRESET}: press to first point, {PRESSES} presses: median "
            f"{statistics.median(firsts):.2f} s, slowest {max(firsts):.2f} s; "
            f"{statistics.median(rates):.1f} curves a second, "
            f"{sum(one['blank'] for one in seen):.0f} blank frames of "
            f"{sum(one['frames'] for one in seen):.0f}"
        )
        process = psutil.Process(store.registered()[0].pid)
        status = Path(f"/proc/{process.pid}/status").read_text()
        peak = int(status.split("VmHWM:")[1].split()[0]) * 1024 / 1e6
        print(f"worker: at most {peak:.0f} MB in {PRESSES} runs")
        page.goto(f"{server.url}/draw")
        wait_until(lambda: not store.registered() and not process.is_running(), timeout=60)
        print("and gone when idle")
        chromium.close()
        server.stop()


if __name__ == "__main__":
    main()
