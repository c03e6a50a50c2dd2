"""Every page in every state it can be in, and how to get there.

The accessibility test goes through all of them, and docs/make_screenshots.py takes their
pictures. The runs they show are written into the database; no worker is needed.
"""

import io
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from mnist_core.config import PRESETS
from mnist_core.data import Dataset
from mnist_core.shipped import shipped_metrics, shipped_runs
from tests.browser.server import Server, settled, upload
from tests.helpers import Store, finished_run, running_run, trained_sweep, waiting_run
from tests.pages.helpers import run_on

# The visitor who looks at the pages, another one, and one without runs.
VISITOR, SOMEBODY, NEWCOMER = "t" * 40, "s" * 40, "n" * 40
SWEEPER = "w" * 40
WORKER, BEAT_SECONDS = "worker", 0.5
# As python -m mnist_core sweep --epochs 2 --try learning_rate=0.002,0.006,0.02
# --try batch_size=64,256 gave them on all of MNIST.
VALIDATED = (0.9707, 0.9528, 0.9778, 0.9667, 0.9677, 0.9737)
TESTED = (0.9753, 0.9576, 0.9785, 0.9721, 0.9732, 0.9758)
# A 7 as strokes on a sheet of side 1.
SEVEN = [(0.25, 0.22), (0.7, 0.2), (0.45, 0.85)]


def stay(page: Any) -> None:
    """For a state that its address alone shows."""


@dataclass(frozen=True)
class State:
    """One state of a page.

    Attributes:
        name: of its picture.
        address: that opens it.
        arrive: what to do once it is open.
        visitor: who sees it.
    """

    name: str
    address: str
    arrive: Callable[[Any], None] = stay
    visitor: str = VISITOR


@dataclass(frozen=True)
class Tour:
    """A server with runs in all states, and the states of its pages."""

    server: Server
    states: list[State]

    def visit(self, page: Any, state: State) -> None:
        """Open it, do what leads to the state, and wait until everything is painted."""
        page.context.add_cookies(
            [{"name": "mnist_visitor", "value": state.visitor, "url": self.server.url}]
        )
        if page.url.startswith(self.server.url):
            # What was drawn for another state outlives a reload.
            page.evaluate("sessionStorage.clear()")
        page.goto(f"{self.server.url}/{state.address}")
        page.locator("h1").first.wait_for()
        at_rest(page)
        if state.arrive is not stay:
            state.arrive(page)
            at_rest(page)


@contextmanager
def tour(folder: Path, dataset: Dataset, **environ: str) -> Iterator[Tour]:
    """Start a server with runs in all states.

    Args:
        folder: for the database and the server's log.
        dataset: what the server shows; one run is evaluated on it.
        environ: further settings of the server.
    """
    url = f"sqlite:///{folder / 'runs.db'}"
    store = Store(url)
    shipped = shipped_runs()["cnn"]
    if dataset.test_fingerprint == shipped.test_fingerprint:
        evaluated = shipped.id
    else:
        evaluated = run_on(store, dataset, {(4, 9): 12, (7, 2): 5}, SOMEBODY).id
    curve = shipped_metrics("classic")
    finished = finished_run(store, VISITOR, reported=curve)
    stopped = finished_run(store, VISITOR, reported=curve[: len(curve) // 3], state="stopped")
    swept = trained_sweep(store, VALIDATED, SWEEPER, tested=TESTED)[0].id
    half_swept = trained_sweep(store, VALIDATED[:3], SWEEPER, tested=TESTED, going_on=True)[0].id
    failed = running_run(store, VISITOR, reported=curve[:3])
    store.complete(failed.id, WORKER, "failed", message="The loss is no number any more.")
    running = running_run(store, VISITOR, reported=curve[: 2 * len(curve) // 3])
    waiting = waiting_run(store, SOMEBODY, PRESETS["cnn"])
    over = threading.Event()

    def beat() -> None:
        while not over.wait(BEAT_SECONDS):
            store.beat(WORKER, True)

    heart = threading.Thread(target=beat, daemon=True)
    heart.start()
    server = Server(folder, MNIST_DATABASE_URL=url, MNIST_WORKERS="0", **environ)
    try:
        yield Tour(
            server,
            _states(finished.id, stopped.id, failed.id, running.id, waiting.id, evaluated)
            + _states_of_sweeps(swept, half_swept),
        )
    finally:
        server.stop()
        over.set()
        heart.join()
        store.close()


def _states(
    finished: str, stopped: str, failed: str, running: str, waiting: str, evaluated: str
) -> list[State]:
    evaluate = f"evaluate?run={evaluated}"
    return [
        State("overview", ""),
        State("explore", "explore"),
        State("glance", "explore?show=At+a+glance"),
        State("map", "explore?show=A+map&split=Test&beside=cnn"),
        State("doubts", "explore?show=Doubtful+labels"),
        State("doubts-test", f"explore?show=Doubtful+labels&split=Test&run={evaluated}"),
        State("digit", "explore?image=test-8"),
        State("address-wrong", "explore?show=nonsense"),
        State("train-empty", "train", visitor=NEWCOMER),
        State("train-settings", "train", expand_settings, NEWCOMER),
        State("train", f"train?run={finished}"),
        State("train-stopped", f"train?run={stopped}"),
        State("train-failed", f"train?run={failed}"),
        State("train-running", f"train?run={running}"),
        State("train-waiting", f"train?run={waiting}"),
        State("compare", "compare"),
        State("compare-own", f"compare?run={finished}"),
        State("classroom", "classroom"),
        State("evaluate", evaluate),
        State("cell-empty", f"{evaluate}&true=0&predicted=1"),
        State("by-digit", f"{evaluate}&view=Digit+by+digit"),
        State("sure", f"{evaluate}&view=Most+confident+mistakes"),
        State("confidence", f"{evaluate}&view=Confidence"),
        State("beside", f"{evaluate}&view=Compare+two&beside=classic"),
        State("beside-nothing", f"{evaluate}&view=Compare+two"),
        State("presenter-overview", "?presenter=on"),
        State("presenter-explore", "explore?presenter=on"),
        State("presenter-train", f"train?run={running}&presenter=on"),
        State("presenter-compare", "compare?presenter=on"),
        State("presenter-classroom", "classroom?presenter=on"),
        State("presenter-evaluate", f"{evaluate}&presenter=on"),
        State("presenter-draw", "draw?presenter=on", draw_seven),
        State("presenter-settings", "train?presenter=on", show_settings, NEWCOMER),
        State("presenter-share", f"{evaluate}&presenter=on", share),
        State("draw-empty", "draw"),
        State("draw", "draw", draw_seven),
        State("draw-pixels", "draw?look=Important+pixels", draw_seven),
        State("draw-nearest", "draw?look=Nearest+digits", draw_seven),
        State("draw-layers", "draw?look=Layers", draw_seven),
        State("photograph", "draw", photograph_a_row),
        State("photograph-wrong", "draw", photograph_nothing),
    ]


def _states_of_sweeps(swept: str, half_swept: str) -> list[State]:
    return [
        State("sweep-empty", "sweep", visitor=NEWCOMER),
        State("sweep-running", f"sweep?sweep={half_swept}", visitor=SWEEPER),
        State("sweep", f"sweep?sweep={swept}"),
        State("presenter-sweep", f"sweep?sweep={swept}&presenter=on"),
    ]


def at_rest(page: Any) -> None:
    """Wait until the script has finished and charts and pictures are painted."""
    settled(page)
    # What is stale is pale while the script runs.
    page.wait_for_function(
        """() => !document.querySelector('[data-testid=stSkeleton], [data-stale=true]')
          && [...document.querySelectorAll('.stPlotlyChart, .chart, .map .plot, .heatmap .plot')]
               .every(chart => chart.querySelector('.main-svg'))
          && [...document.images].every(image => image.complete)"""
    )


def paint(page: Any, scheme: str) -> None:
    """Change the colours to "light", "dark" or "forced", as a computer does that turns dark in
    the evening, and wait until everything has them."""
    theme = "dark" if scheme == "dark" else "light"
    page.emulate_media(color_scheme=theme, forced_colors="none")
    page.wait_for_function(
        "theme => getComputedStyle(document.querySelector('.stApp')).colorScheme === theme",
        arg=theme,
    )
    if scheme == "forced":
        page.emulate_media(forced_colors="active")
    at_rest(page)
    # Colours fade from one to the other.
    page.evaluate(
        """document.getAnimations().filter(one => one instanceof CSSTransition)
             .forEach(one => one.finish())"""
    )


def expand_settings(page: Any) -> None:
    page.get_by_text("More settings").click()
    page.get_by_text("This network, layer by layer").click()
    page.get_by_role("rowheader").first.wait_for()


def show_settings(page: Any) -> None:
    page.get_by_text("Show settings").click()
    page.get_by_role("slider", name="Epochs").wait_for()


def share(page: Any) -> None:
    page.get_by_role("button", name="Share").click()
    page.get_by_role("dialog").wait_for()


def draw_seven(page: Any) -> None:
    canvas = page.locator("canvas.upper-canvas")
    canvas.wait_for()
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    points = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in SEVEN]
    page.mouse.move(*points[0])
    page.mouse.down()
    for point in points[1:]:
        page.mouse.move(*point, steps=15)
    page.mouse.up()
    page.get_by_text("% sure").wait_for()
    page.mouse.move(5, 500)


def photograph_a_row(page: Any) -> None:
    """Three figures on a sheet of paper."""
    sheet = np.full((120, 300), 235, np.uint8)
    for left in (44, 144, 234):
        sheet[32:88, left : left + 6] = 30
    file = io.BytesIO()
    Image.fromarray(sheet).save(file, "PNG")
    _upload(page, file.getvalue())
    page.get_by_text("Look closer at figure").wait_for()


def photograph_nothing(page: Any) -> None:
    """A file that is no picture."""
    _upload(page, b"This is no picture.")
    page.get_by_test_id("stAlert").last.wait_for()


def _upload(page: Any, content: bytes) -> None:
    page.get_by_text("Read a test digit or a photograph instead").click()
    upload(page, "row.png", content)
