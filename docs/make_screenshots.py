"""Make the README's screenshots, or pictures of every state of every page.

    MNIST_DATA=... python -m docs.make_screenshots
    MNIST_DATA=... python -m docs.make_screenshots --all FOLDER

Starts the real app and goes through tests/browser/tour.py; with --all on seven screens, in light,
dark and forced colours. Needs requirements-dev.txt and Chromium; MNIST_DATA is handed on.
"""

import argparse
import dataclasses
import os
import queue
import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

from mnist_core.data import load_dataset
from tests.browser.server import CHROMIUM_FLAGS, Server
from tests.browser.tour import State, Tour, paint, tour

FOLDER = Path(__file__).parent / "screenshots"
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
PRESENTER = "presenter=on"
# Resolves once nothing has moved for ten frames: charts still grow into their places for a moment
# after they are there.
STILL = """() => new Promise(resolve => {
  const places = () => [...document.querySelectorAll('h1, h2, h3, p, img, canvas, svg, button')]
    .map(part => Object.values(part.getBoundingClientRect().toJSON())).join();
  let before = '', frames = 0;
  const look = () => {
    const now = places();
    frames = now === before ? frames + 1 : 0;
    before = now;
    frames === 10 ? resolve() : requestAnimationFrame(look);
  };
  look();
})"""


@dataclasses.dataclass(frozen=True)
class Screen:
    """What to take pictures on.

    Attributes:
        width, height: in CSS pixels.
        endings: how a picture's name ends, for each scheme of colours ("light", "dark", "forced").
        touch: it is a phone or a tablet.
        presenter: it is a projector, with the app in presenter mode.
    """

    width: int
    height: int
    endings: dict[str, str]
    touch: bool = False
    presenter: bool = False

    @property
    def options(self) -> dict[str, Any]:
        viewport = {"width": self.width, "height": self.height}
        return {"viewport": viewport, "is_mobile": self.touch, "has_touch": self.touch}

    def states(self, states: list[State]) -> list[State]:
        """Those to show on it: a projector has presenter mode on, and no other screen has."""
        if not self.presenter:
            return [state for state in states if PRESENTER not in state.address]
        return [dataclasses.replace(state, address=presented(state.address)) for state in states]


def presented(address: str) -> str:
    """The address with presenter mode on."""
    if PRESENTER in address:
        return address
    return address + ("&" if "?" in address else "?") + PRESENTER


def in_every_scheme(width: int, height: int, **more: bool) -> Screen:
    schemes = ("light", "forced", "dark")
    return Screen(width, height, {each: f"{width}x{height}-{each}" for each in schemes}, **more)


README = [
    Screen(1366, 860, {"light": "light", "dark": "dark"}),
    Screen(360, 740, {"light": "phone"}, touch=True),
]
EVERY = [
    in_every_scheme(360, 740, touch=True),
    in_every_scheme(390, 844, touch=True),
    in_every_scheme(844, 390, touch=True),
    in_every_scheme(768, 1024, touch=True),
    in_every_scheme(1024, 768, touch=True),
    in_every_scheme(1366, 768),
    in_every_scheme(1920, 1080, presenter=True),
]


@contextmanager
def damaged() -> Iterator[Tour]:
    """A server whose database cannot be read."""
    with tempfile.TemporaryDirectory() as work:
        (Path(work) / "runs.db").write_bytes(b"This is no database." * 200)
        server = Server(Path(work), MNIST_WORKERS="0")
        try:
            yield Tour(server, [State(f"damaged-{page}", page) for page in ("train", "evaluate")])
        finally:
            server.stop()


def take(shown: Tour, state: State, page: Any, endings: dict[str, str], folder: Path) -> list[str]:
    """Visit a state and take its picture in each scheme; their names."""
    names = []
    for scheme, ending in endings.items():
        # For a dark page the server draws other charts; forced colours change the one there is.
        if scheme != "forced":
            page.emulate_media(color_scheme=scheme, forced_colors="none")
            shown.visit(page, state)
        paint(page, scheme)
        page.evaluate(STILL)
        names.append(f"{state.name}-{ending}.png")
        page.screenshot(path=folder / names[-1])
    return names


def take_all(jobs: list[tuple[Tour, State, Screen]], folder: Path) -> Iterator[str]:
    """Take all pictures, with a browser for each core; their names as they are there."""
    browsers = min(os.cpu_count() or 1, 4)
    waiting: queue.SimpleQueue[tuple[Tour, State, Screen] | None] = queue.SimpleQueue()
    for job in [*jobs, *[None] * browsers]:
        waiting.put(job)
    taken: queue.SimpleQueue[str | None] = queue.SimpleQueue()

    def work() -> None:
        try:
            with sync_playwright() as playwright:
                chromium = playwright.chromium.launch(
                    executable_path=shutil.which("chromium"), args=CHROMIUM_FLAGS
                )
                pages: dict[tuple[int, int], Any] = {}
                for shown, state, screen in iter(waiting.get, None):
                    size = screen.width, screen.height
                    if size not in pages:
                        pages[size] = chromium.new_context(**screen.options).new_page()
                        pages[size].set_default_timeout(60_000)
                    for name in take(shown, state, pages[size], screen.endings, folder):
                        taken.put(name)
                chromium.close()
        finally:
            taken.put(None)

    with ThreadPoolExecutor(browsers) as threads:
        working: list[Future[None]] = [threads.submit(work) for _ in range(browsers)]
        for _ in range(browsers):
            while name := taken.get():
                yield name
        for each in working:
            each.result()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--all", type=Path, metavar="FOLDER", help="every state, into this folder")
    parser.add_argument("--only", nargs="+", metavar="STATE", default=[], help="of these states")
    arguments = parser.parse_args()
    folder = arguments.all or FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    chosen = set(arguments.only) or (set() if arguments.all else KEPT)
    environ = {"MNIST_DATA": os.environ["MNIST_DATA"]} if "MNIST_DATA" in os.environ else {}
    with tempfile.TemporaryDirectory() as work, ExitStack() as open_:
        tours = [open_.enter_context(tour(Path(work), load_dataset(), **environ))]
        if not chosen:
            tours.append(open_.enter_context(damaged()))
        jobs = [
            (shown, state, screen)
            for screen in (EVERY if arguments.all else README)
            for shown in tours
            for state in screen.states(shown.states)
            if not chosen or state.name in chosen
        ]
        count = sum(len(screen.endings) for *_, screen in jobs)
        for number, name in enumerate(take_all(jobs, folder), 1):
            print(f"{number} of {count}: {name}", flush=True)


if __name__ == "__main__":
    main()
