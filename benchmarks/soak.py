"""Half an hour of visitors who come and go, with deliberate faults: does anything grow?

    MNIST_DATA=mnist.npz python -m benchmarks.soak [--minutes 30] [--visitors 20]

Simulates visitors over the real protocol (tests/visitor.py) against the real app: each stays
for a minute or two, browses, draws, watches the training that is always running, and leaves;
some close the page in the middle of an answer. Every other minute one of the faults below
happens. Prints a line every half minute: memory, threads, handles and processes of the server,
and answers.

At the end: the growth of the server's memory from the first third, once the caches are full, to
the last; which faults were survived; and whether a page ever showed the general sentence, which
means an unforeseen fault. Needs requirements-dev.txt.
"""

import argparse
import asyncio
import os
import random
import shutil
import signal
import sqlite3
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import psutil
from websockets.exceptions import ConnectionClosed

from benchmarks.load import PACE, Memory, Sheets, browse, draw, make_drawings
from mnist_core.config import PRESETS
from mnist_core.errors import NotAllowed, StoreUnavailable
from mnist_core.progress import epoch_ends
from tests.browser.server import Server
from tests.helpers import Store
from tests.visitor import Visitor

STAY_SECONDS = (40, 120)
LOOK_SECONDS = 30.0
GENERAL = "Something went wrong on this page"


class Soak:
    """What is going on, and what was seen."""

    def __init__(self, server: Server, folder: Path, data: Path | None) -> None:
        self.server, self.folder, self.data = server, folder, data
        self.store = Store(f"sqlite:///{folder / 'runs.db'}")
        self.memory = Memory(server.process.pid)
        self.drawings = make_drawings(None)
        self.waits: list[float] = []
        self.seen: Counter[str] = Counter()
        self.survived: Counter[str] = Counter()
        self.lost: list[str] = []
        # What was stored, and must still be there: the ends of epochs of each run.
        self.stored: dict[str, int] = {}

    # --- visitors ---

    async def visits(self, until: float, number: int) -> None:
        """One visitor after the other, in the same seat."""
        chance = random.Random(number)
        while time.monotonic() < until:
            leave_at = min(until, time.monotonic() + chance.uniform(*STAY_SECONDS))
            try:
                await self.visit(chance, leave_at)
            except (ConnectionClosed, OSError) as error:
                self.seen[f"connection lost: {type(error).__name__}"] += 1
            self.seen["visitors"] += 1

    async def visit(self, chance: random.Random, leave_at: float) -> None:
        visitor = await Visitor.arrive(self.server.url)
        try:
            kind = chance.choice(["browse", "draw", "watch"])
            await visitor.go({"browse": "", "draw": "draw", "watch": "train"}[kind], self.of(kind))
            todo: Sheets = []
            while time.monotonic() < leave_at:
                await asyncio.sleep(chance.uniform(0.5, 1.5) * PACE)
                # A page that shows a fault's sentence may lack what this one looks for.
                try:
                    if kind == "browse":
                        await browse(visitor, chance, self.waits)
                    elif kind == "draw":
                        await draw(visitor, chance, self.waits, todo, self.drawings)
                    elif visitor.polls:
                        self.waits.append(await visitor.poll())
                    else:
                        await visitor.go("train", self.of(kind))
                except LookupError:
                    self.seen["a page lacked a part"] += 1
                    todo.clear()
                    await visitor.go("draw" if kind == "draw" else "")
                self.look_at(visitor)
            if chance.random() < 0.3:
                # The page is closed while its answer is on the way.
                asking = asyncio.create_task(visitor.go("evaluate"))
                await asyncio.sleep(0.01)
                await visitor.leave()
                await asyncio.gather(asking, return_exceptions=True)
        finally:
            await visitor.leave()

    def of(self, kind: str) -> str:
        """The address of the training that goes on now, for who watches it."""
        running = self.store.list_runs(states=("running", "waiting")) if kind == "watch" else []
        return f"run={running[0].id}" if running else ""

    def look_at(self, visitor: Visitor) -> None:
        text = visitor.text()
        if GENERAL in text:
            self.seen[GENERAL] += 1
        if "Traceback" in text:
            self.seen["stack trace on a page"] += 1

    # --- what always goes on ---

    async def training(self, until: float) -> None:
        """There is always a run, of another owner each time; each must reach its end."""
        number = 0
        while time.monotonic() < until:
            await asyncio.sleep(1)
            try:
                for run in self.store.list_runs():
                    ends = len(epoch_ends(self.store.metrics(run.id)))
                    if ends < self.stored.get(run.id, 0):
                        self.lost.append(f"epochs of run {run.id}")
                    self.stored[run.id] = ends
                    if run.state in ("failed", "interrupted"):
                        self.lost.append(f"run {run.id}: {run.message}")
                if not self.store.list_runs(states=("waiting", "running")):
                    number += 1
                    self.store.submit(PRESETS["quick" if number % 3 else "classic"], f"o{number}")
                    self.seen["trainings"] += 1
            except (StoreUnavailable, NotAllowed):
                self.seen["the database was away for this program, too"] += 1

    async def looking(self, until: float) -> list[tuple[float, float, int, int]]:
        """Every half minute: MB of the server, threads, handles; and a line on the screen."""
        process, lines = psutil.Process(self.server.process.pid), []
        started = time.monotonic()
        while time.monotonic() < until:
            await asyncio.sleep(LOOK_SECONDS)
            self.memory.look()
            megabytes = process.memory_info().rss / 1e6
            waits, self.waits = self.waits, []
            p95 = 1000 * statistics.quantiles(waits or [0, 0], n=20)[-1]
            line = (megabytes, process.num_threads(), process.num_fds(), len(waits))
            lines.append((time.monotonic() - started, *line))
            print(
                f"{lines[-1][0]:5.0f} s  {line[0]:4.0f} MB  {line[1]:3} threads  "
                f"{line[2]:3} handles  {len(process.children())} worker  {line[3]:4} answers, "
                f"p95 {p95:.0f} ms",
                flush=True,
            )
        return lines

    # --- faults ---

    async def faults(self, until: float, pause: float) -> None:
        ways: list[Callable[[], object]] = [
            self.kill_worker,
            self.hang_worker,
            self.lock_database,
            self.fill_disk,
            self.remove_data,
            self.break_data,
            self.remove_static,
            self.flood,
        ]
        for number in range(10**6):
            await asyncio.sleep(pause)
            if time.monotonic() > until - pause:
                return
            way = ways[number % len(ways)]
            try:
                done = await way()  # type: ignore[misc]
            except Exception as error:
                self.lost.append(f"{way.__name__}: {error!r}")
                continue
            if done:
                await self.prove(way.__name__)

    async def prove(self, name: str) -> None:
        """After a fault a newcomer gets every page, whole."""
        await asyncio.sleep(8)
        visitor = await Visitor.arrive(self.server.url)
        for page in ("", "explore", "train", "compare", "evaluate", "draw"):
            await visitor.go(page)
            if GENERAL in visitor.text():
                self.lost.append(f"{name}: {page or 'overview'} does not come back")
        await visitor.leave()
        self.survived[name] += 1
        print(f"         survived: {name}", flush=True)

    def worker(self) -> int | None:
        workers = self.store.registered()
        return workers[0].pid if workers else None

    async def kill_worker(self) -> bool:
        if pid := self.worker():
            os.kill(pid, signal.SIGKILL)
        return pid is not None

    async def hang_worker(self) -> bool:
        if pid := self.worker():
            os.kill(pid, signal.SIGSTOP)
            await asyncio.sleep(12)
        return pid is not None

    async def lock_database(self) -> bool:
        other = sqlite3.connect(self.folder / "runs.db", isolation_level=None)
        other.execute("PRAGMA busy_timeout = 10000")
        other.execute("BEGIN IMMEDIATE")
        await asyncio.sleep(9)
        other.execute("ROLLBACK")
        other.close()
        return True

    async def fill_disk(self) -> bool:
        """All but nothing of what is left, where the folder is a small disk of its own."""
        free = shutil.disk_usage(self.folder).free
        if free > 2**30:
            self.seen["disk too large to be filled: use --folder on a small one"] += 1
            return False
        ballast = self.folder / "ballast"
        try:
            with ballast.open("wb") as file:
                for _ in range(free // 4096 + 1):
                    file.write(bytes(4096))
        except OSError:
            self.seen["the disk was full"] += 1
        await asyncio.sleep(9)
        ballast.unlink()
        return True

    async def remove_data(self) -> bool:
        return await self.without_data()

    async def break_data(self) -> bool:
        return await self.without_data(b"PK\x03\x04 no archive")

    async def without_data(self, instead: bytes | None = None) -> bool:
        if self.data is None:
            return False
        whole = self.data.with_suffix(".whole")
        self.data.rename(whole)
        if instead is not None:
            self.data.write_bytes(instead)
        await asyncio.sleep(9)
        whole.replace(self.data)
        return True

    async def remove_static(self) -> bool:
        for file in (Path(__file__).parent.parent / "static").glob("digits-*"):
            file.unlink()
        return True

    async def flood(self) -> bool:
        """A stranger sends what nobody's page sends, as quickly as it goes."""
        visitor = await Visitor.arrive(self.server.url)
        await visitor.go("")
        for number in range(300):
            try:
                await visitor.socket.send(random.Random(number).randbytes(200))
            except ConnectionClosed:
                visitor = await Visitor.arrive(self.server.url)
        await visitor.leave()
        return True


async def soak(server: Server, folder: Path, data: Path | None, minutes: float, seats: int) -> None:
    hall = Soak(server, folder, data)
    until = time.monotonic() + 60 * minutes
    looking = asyncio.create_task(hall.looking(until))
    await asyncio.gather(
        *(hall.visits(until, number) for number in range(seats)),
        hall.training(until),
        hall.faults(until, min(90.0, 60 * minutes / 20)),
    )
    lines = await looking
    third = max(1, len(lines) // 3)
    # The first minutes fill the caches; what counts is what comes after.
    early = statistics.median(megabytes for _, megabytes, *_ in lines[third // 2 : third + 1])
    late = statistics.median(megabytes for _, megabytes, *_ in lines[-third:])
    print(
        f"memory: {early:.0f} MB in the first third, {late:.0f} MB in the last: "
        f"{late / early - 1:+.1%}; at most {hall.memory.alone:.0f} MB, with the worker "
        f"{hall.memory.together:.0f} MB"
    )
    await asyncio.sleep(150)
    process = psutil.Process(server.process.pid)
    print(
        f"two and a half minutes after the last visitor: {process.memory_info().rss / 1e6:.0f} MB, "
        f"{process.num_threads()} threads, {process.num_fds()} handles, "
        f"{len(process.children())} worker"
    )
    print("survived:", dict(hall.survived))
    print("seen:", dict(hall.seen))
    print("lost:", hall.lost or "nothing")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--visitors", type=int, default=20)
    parser.add_argument("--folder", help="for the database and the data; by default a new one")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        folder, data = Path(name), None
        if "MNIST_DATA" in os.environ:
            # A copy, for it is removed and broken.
            data = Path(shutil.copy(os.environ["MNIST_DATA"], folder / "mnist.npz"))
        server = Server(folder, MNIST_WORKERS="1", **({"MNIST_DATA": str(data)} if data else {}))
        try:
            asyncio.run(soak(server, folder, data, arguments.minutes, arguments.visitors))
        finally:
            for process in psutil.Process(server.process.pid).children():
                process.kill()
            server.stop()


if __name__ == "__main__":
    main()
