"""How long a rerun of Explore takes, compared with a bare Streamlit page with as many elements.

    MNIST_DATA=mnist.npz python -m benchmarks.rerun [--seconds 10] [--rounds 3]

Starts two servers with the same settings: the app, and a page with as many elements of the same
kinds as Explore sends in a full rerun, and nothing behind them. Forty visitors (tests/visitor.py)
are at each in turn, round by round, and act up to twice a second:

- visitors: what people do on Explore: new samples, other digits, how many, other views and
  images, a digit opened and closed again. Some of it reruns only a part of the page;
- full: each rerun is of the whole page, as after a change outside all fragments.

Prints for each the 95th percentile of the time from the request to the last message of the
answer, its ratio to the bare page's in the same round, the processor time that a rerun costs
the server, and the messages of the answer. The visitors share the two cores. Needs
requirements-dev.txt.
"""

import argparse
import asyncio
import os
import random
import statistics
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil

from benchmarks.load import Waits, act
from tests.browser.server import Server
from tests.helpers import PROJECT
from tests.visitor import Visitor

VISITORS = 40
# Between two actions of one visitor, in seconds.
PACE = 0.5
SPLITS = ["Training", "Test"]
VIEWS = ["At a glance", "A map", "Doubtful labels"]
Action = Callable[[Visitor, random.Random], Awaitable[float]]

# What stands on the bare page for an element of each kind; for all others, a line of text.
ALIKE = {
    "button": "st.button(name)",
    "button_group": 'st.segmented_control(name, ["A", "B", "C"])',
    "number_input": "st.number_input(name, 0, 100)",
    "selectbox": "st.selectbox(name, [25, 50, 100])",
    "add_block": "st.container(key=name)",
}


@dataclass
class Measured:
    """One round of forty visitors.

    Attributes:
        p95: of the time until an answer was whole, in ms.
        rate: reruns a second.
        cpu: processor time of the server for a rerun, in ms.
        messages: elements and blocks in an answer, the mean.
    """

    p95: float
    rate: float
    cpu: float
    messages: float


async def look_around(visitor: Visitor, chance: random.Random) -> float:
    """One action of somebody on Explore."""
    seen = visitor.text()
    if "image=" in visitor.query:
        return await visitor.dismiss()
    if "New sample" not in seen:
        # From another view back to the first, or to its test images.
        return await visitor.send("show", string_array_value=["A sample"])
    digits = chance.sample(range(10), chance.randint(0, 3))
    ways: list[tuple[int, Callable[[], Awaitable[float]]]] = [
        (4, lambda: visitor.press("New sample")),
        (2, lambda: visitor.send("digits", string_array_value=[str(digit) for digit in digits])),
        (2, lambda: visitor.send("count", string_value=chance.choice(["25", "50", "100"]))),
        (
            1,
            lambda: visitor.send("split", string_array_value=[chance.choice(["Training", "Test"])]),
        ),
        (1, lambda: visitor.send("show", string_array_value=[chance.choice(VIEWS)])),
        (2, lambda: visitor.trigger("sample", chosen=chance.randrange(25))),
    ]
    return await chance.choices([way for _, way in ways], [weight for weight, _ in ways])[0]()


async def rerun(visitor: Visitor, _chance: random.Random) -> float:
    return await visitor.rerun()


async def measure(server: Server, page: str, action: Action, seconds: float) -> Measured:
    """Forty visitors on this page, each of whom acts up to twice a second."""
    chance = random.Random(0)
    visitors = []
    for _ in range(VISITORS):
        visitor = await Visitor.arrive(server.url)
        await visitor.go(page)
        visitors.append(visitor)

    async def one(visitor: Visitor, waits: Waits) -> None:
        waits.append(await action(visitor, chance))

    process = psutil.Process(server.process.pid)
    received = sum(visitor.elements_received for visitor in visitors)
    spent = sum(process.cpu_times()[:2])
    waits = await act(visitors, seconds, one, PACE)
    spent = sum(process.cpu_times()[:2]) - spent
    received = sum(visitor.elements_received for visitor in visitors) - received
    return Measured(
        float(np.percentile(waits, 95)) * 1000,
        len(waits) / seconds,
        spent * 1000 / len(waits),
        received / len(waits),
    )


async def elements_of(server: Server, page: str) -> list[str]:
    """The kinds of the elements and blocks that a rerun of the whole page sends."""
    visitor = await Visitor.arrive(server.url)
    await visitor.go(page)
    blocks = visitor.elements_received - len(visitor.shown)
    await visitor.leave()
    kinds = [str(shown.element.WhichOneof("type")) for shown in visitor.shown.values()]
    return kinds + ["add_block"] * blocks


async def warm_up(server: Server) -> None:
    """The first visitor of all sees each view once, so that the caches are filled."""
    first = await Visitor.arrive(server.url)
    await first.go("explore")
    for split in ("Test", "Training"):
        await first.send("split", string_array_value=[split])
        for view in VIEWS:
            await first.send("show", string_array_value=[view])
    await first.leave()


def bare_project(folder: Path, kinds: list[str]) -> Path:
    """A project of one page with elements of these kinds, and the app's settings."""
    project = folder / "bare"
    (project / ".streamlit").mkdir(parents=True)
    (project / ".streamlit/config.toml").write_bytes(
        (PROJECT / ".streamlit/config.toml").read_bytes()
    )
    lines = ["import streamlit as st"]
    for number, kind in enumerate(kinds):
        lines += [f'name = "Element {number}"', ALIKE.get(kind, "st.text(name)")]
    (project / "dashboard.py").write_text("\n".join(lines))
    return project


def start(stack: ExitStack, folder: Path, project: Path) -> Server:
    data = {"MNIST_DATA": os.environ["MNIST_DATA"]} if "MNIST_DATA" in os.environ else {}
    folder.mkdir(exist_ok=True)
    server = Server(folder, project, MNIST_WORKERS="0", **data)
    stack.callback(server.stop)
    return server


async def compare(folder: Path, seconds: float, rounds: int, stack: ExitStack) -> None:
    app = start(stack, folder / "a", PROJECT)
    await warm_up(app)
    kinds = await elements_of(app, "explore")
    bare = start(stack, folder / "b", bare_project(folder, kinds))
    print(f"a full rerun of Explore sends {len(kinds)} elements and blocks", flush=True)
    asked: dict[str, tuple[Server, str, Action]] = {
        "bare": (bare, "", rerun),
        "visitors": (app, "explore", look_around),
        "full": (app, "explore", rerun),
    }
    ratios: dict[str, list[float]] = {name: [] for name in asked}
    for number in range(rounds):
        found = {
            name: await measure(server, page, action, seconds)
            for name, (server, page, action) in asked.items()
        }
        for name, measured in found.items():
            ratios[name].append(measured.p95 / found["bare"].p95)
            print(
                f"round {number + 1}, {name}: p95 {measured.p95:.0f} ms "
                f"({ratios[name][-1]:.2f} times the bare page's), {measured.rate:.0f} reruns a "
                f"second, {measured.cpu:.1f} ms of a core and {measured.messages:.0f} elements "
                "each",
                flush=True,
            )
    for name in ("visitors", "full"):
        print(f"{name}: median ratio {statistics.median(ratios[name]):.2f} (asked: at most 1.3)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=10, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        asyncio.run(compare(Path(folder), arguments.seconds, arguments.rounds, stack))


if __name__ == "__main__":
    main()
