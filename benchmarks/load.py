"""A lecture hall: many visitors at once, how long they wait, and what they cost the server.

    MNIST_DATA=mnist.npz python -m benchmarks.load [--pen PEN.npz] [--only browse|draw|watch]

Starts the real app and simulates visitors over the real protocol (tests/visitor.py), each of
whom acts every second:

- browse: forty go from page to page, take new samples, choose cells of the heatmap;
- draw: thirty draw digits stroke by stroke and clear the sheet, while a network trains;
  PEN.npz as for benchmarks.drawing, otherwise the project's synthetic strokes;
- watch: thirty watch one live training, as often as the page asks them to.

A time is from the request to the last message of the answer, so it includes the network
(loopback) and this program's share of the same two cores. Memory is resident memory, of the
server, and of the server and its worker together. Needs requirements-dev.txt.
"""

import argparse
import asyncio
import base64
import io
import os
import random
import tempfile
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from PIL import Image

from benchmarks import drawing
from mnist_core.config import PRESETS
from mnist_core.drawing import synthetic
from mnist_core.store.run import RUNNING
from tests.browser.server import Server
from tests.helpers import Store, wait_until
from tests.visitor import Visitor, canvas_state

BROWSING, DRAWING, WATCHING = 40, 30, 30
SECONDS = 60
# Between two actions of one visitor.
PACE = 1.0
SIDE, PEN = 320, 18.0
DRAWINGS = 200
PAGES = ("", "explore", "train", "compare", "evaluate", "draw")

# One digit: what the canvas sends after each of its strokes.
Sheets = list[str]
Waits = list[float]


# --- what is drawn ---


def make_drawings(pen: str | None) -> list[Sheets]:
    """Digits at any place and size, stroke by stroke."""
    chance = np.random.default_rng(0)
    if pen:
        digits, _ = drawing.load_pen(pen)
        chosen = [digits[at] for at in chance.choice(len(digits), DRAWINGS, replace=False)]
    else:
        chosen = [synthetic.write(at % 10, chance) for at in range(DRAWINGS)]
    return [make_sheets(lines, chance) for lines in chosen]


def make_sheets(lines: list[np.ndarray], chance: np.random.Generator) -> Sheets:
    points = np.concatenate(lines)
    extent = max(np.ptp(points, axis=0).max(), 1e-6)
    size = chance.uniform(0.2, 0.8) * SIDE
    corner = chance.uniform(PEN, SIDE - size - PEN, 2)
    placed = [(line - points.min(axis=0)) / extent * size + corner for line in lines]
    sheets = []
    for count in range(1, len(placed) + 1):
        picture = 255 - synthetic.draw_lines(placed[:count], PEN, SIDE)
        buffer = io.BytesIO()
        Image.fromarray(picture).convert("RGBA").save(buffer, "PNG")
        objects = [
            {"type": "Path", "strokeWidth": PEN, "path": [["L", x, y] for x, y in line.tolist()]}
            for line in placed[:count]
        ]
        sheets.append(canvas_state(objects, base64.b64encode(buffer.getvalue()).decode()))
    return sheets


# --- what visitors do ---


async def browse(visitor: Visitor, chance: random.Random, waits: Waits) -> None:
    """One action of somebody who looks around."""
    ways: list[Callable[[], Awaitable[float]]] = [lambda: visitor.go(chance.choice(PAGES))]
    seen = visitor.text()
    if "New sample" in seen:
        ways += [lambda: visitor.press("New sample")] * 3
        ways += [lambda: visitor.send("count", string_value=chance.choice(["25", "50", "100"]))]
    if "True digit" in seen:
        ways += [lambda: visitor.send("true", string_value=str(chance.randrange(10)))] * 2
        ways += [lambda: visitor.send("predicted", string_value=str(chance.randrange(10)))]
    waits.append(await chance.choice(ways)())


async def draw(
    visitor: Visitor, chance: random.Random, waits: Waits, todo: Sheets, drawings: list[Sheets]
) -> None:
    """One stroke, or a clear sheet for the next digit. The stroke's answer is what counts."""
    if todo:
        seconds = await visitor.send(canvas_key(visitor), json_value=todo.pop(0))
        waits.append(seconds)
        assert any(shown.element.WhichOneof("type") == "metric" for shown in visitor.shown.values())
    else:
        await visitor.press("Clear")
        todo += chance.choice(drawings)


def canvas_key(visitor: Visitor) -> str:
    """Each clear sheet is another canvas."""
    canvas = visitor.find("bidi_component", lambda content: "-canvas-" in content.id)
    return str(canvas.content.id).split("-", 2)[2]


async def keep_on(action: Callable[[], Awaitable[None]], pace: float, until: float) -> None:
    """Act at every beat; who had to wait longer than one lets the missed ones go."""
    beat = time.monotonic() + random.uniform(0, pace)
    while beat < until:
        await asyncio.sleep(max(0.0, beat - time.monotonic()))
        await action()
        beat = max(beat + pace, time.monotonic())


# --- the three halls ---


async def browsing(server: Server, seconds: float) -> Waits:
    chance = random.Random(0)
    visitors = await arrive(server, BROWSING, "")
    return await act(visitors, seconds, lambda visitor, waits: browse(visitor, chance, waits))


async def draw_all(server: Server, seconds: float, drawings: list[Sheets]) -> Waits:
    chance = random.Random(0)
    visitors = await arrive(server, DRAWING, "draw")
    todo: dict[int, Sheets] = {id(visitor): [] for visitor in visitors}

    async def one(visitor: Visitor, waits: Waits) -> None:
        await draw(visitor, chance, waits, todo[id(visitor)], drawings)

    return await act(visitors, seconds, one)


async def watch_all(server: Server, seconds: float, run_id: str) -> Waits:
    visitors = await arrive(server, WATCHING, "train", f"run={run_id}")

    async def look(visitor: Visitor, waits: Waits) -> None:
        # A training that has ended is looked at no more.
        if visitor.polls:
            waits.append(await visitor.poll())

    return await act(visitors, seconds, look)


async def act(
    visitors: list[Visitor],
    seconds: float,
    action: Callable[[Visitor, Waits], Awaitable[None]],
    pace: float = PACE,
) -> Waits:
    """All of them do this again and again, as often as their page asks or at this pace."""
    waits: Waits = []
    until = time.monotonic() + seconds
    await asyncio.gather(
        *(
            keep_on(
                partial(action, visitor, waits), visitor.polls[1] if visitor.polls else pace, until
            )
            for visitor in visitors
        )
    )
    for visitor in visitors:
        await visitor.leave()
    return waits


async def arrive(server: Server, count: int, page: str, query: str = "") -> list[Visitor]:
    """So many visitors with their page open, one after the other."""
    visitors = []
    for _ in range(count):
        visitor = await Visitor.arrive(server.url)
        await visitor.go(page, query)
        visitors.append(visitor)
    return visitors


# --- what it costs ---


class Memory:
    """The most that a process and its children hold, looked at twice a second."""

    def __init__(self, process: int) -> None:
        self._process = psutil.Process(process)
        self.alone = self.together = 0.0

    async def watch(self) -> None:
        while True:
            self.look()
            await asyncio.sleep(0.5)

    def look(self) -> None:
        alone = self._process.memory_info().rss / 1e6
        children = 0.0
        for child in self._process.children(recursive=True):
            # It may end in between.
            try:
                children += child.memory_info().rss / 1e6
            except psutil.NoSuchProcess:
                continue
        self.alone = max(self.alone, alone)
        self.together = max(self.together, alone + children)


async def watched(server: Server, visits: Awaitable[Waits]) -> tuple[Waits, Memory]:
    memory = Memory(server.process.pid)
    task = asyncio.create_task(memory.watch())
    try:
        return await visits, memory
    finally:
        task.cancel()


def report(name: str, waits: Waits, memory: Memory) -> None:
    median, p95, worst = np.percentile(np.array(waits) * 1000, [50, 95, 100])
    print(
        f"{name}: {len(waits)} answers, median {median:.0f} ms, p95 {p95:.0f} ms, slowest "
        f"{worst:.0f} ms; server {memory.alone:.0f} MB, with its worker {memory.together:.0f} MB",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pen", help="real pen strokes to draw with")
    parser.add_argument("--only", choices=("browse", "draw", "watch"))
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of each hall")
    arguments = parser.parse_args()
    halls = [arguments.only] if arguments.only else ["browse", "draw", "watch"]
    for hall in halls:
        with tempfile.TemporaryDirectory() as folder:
            server = start(Path(folder), train=hall != "browse")
            try:
                asyncio.run(visit(hall, server, folder, arguments))
            finally:
                server.stop()


def start(folder: Path, train: bool) -> Server:
    data = {"MNIST_DATA": os.environ["MNIST_DATA"]} if "MNIST_DATA" in os.environ else {}
    return Server(folder, MNIST_WORKERS="1" if train else "0", **data)


async def visit(hall: str, server: Server, folder: str, arguments: Any) -> None:
    if hall == "browse":
        # The first visitor of all opens each page once, so that the caches are filled.
        first = await Visitor.arrive(server.url)
        for page in PAGES:
            await first.go(page)
        await first.leave()
        waits, memory = await watched(server, browsing(server, arguments.seconds))
        report(f"{BROWSING} visitors browse", waits, memory)
        return
    run_id = await begin_training(server, folder)
    if hall == "draw":
        drawings = make_drawings(arguments.pen)
        waits, memory = await watched(server, draw_all(server, arguments.seconds, drawings))
        report(f"{DRAWING} visitors draw while one network trains", waits, memory)
    else:
        waits, memory = await watched(server, watch_all(server, arguments.seconds, run_id))
        report(f"{WATCHING} visitors watch one training", waits, memory)
    store = Store(f"sqlite:///{Path(folder) / 'runs.db'}")
    if store.get(run_id).state != RUNNING:
        print("  (the training ended before the visitors left)")
    # A worker outlives its server, and would be in the way of the next hall.
    for process in psutil.Process(server.process.pid).children():
        process.kill()


async def begin_training(server: Server, folder: str) -> str:
    """A visitor opens Train, which starts the worker; then the slowest preset is submitted."""
    first = await Visitor.arrive(server.url)
    await first.go("train", "preset=cnn")
    store = Store(f"sqlite:///{Path(folder) / 'runs.db'}")
    run = store.submit(PRESETS["cnn"], "benchmark")
    wait_until(lambda: len(store.metrics(run.id)) > 3, timeout=120)
    await first.leave()
    return run.id


if __name__ == "__main__":
    main()
