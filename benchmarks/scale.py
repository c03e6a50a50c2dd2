"""Outgrowing one server: how many visitors one and two of them hold, and what each costs.

    MNIST_DATA=mnist.npz python -m benchmarks.scale [--seconds 15] [--url POSTGRES]

Starts one server, then two on one database, each bound to one core, and adds visitors, spread
evenly, who browse as in benchmarks.load, each acting every second. A server holds as many as
still get 95 of 100 answers within 300 ms. A student who reads acts every five or ten seconds,
and counts as a fifth or a tenth of a visitor.

The visitors run on the same two cores, so what two servers hold is a lower bound. Also printed,
because they do not depend on that: what an answer costs in milliseconds of a core and in kB
sent, a visitor in memory, and, on Postgres, an answer in transactions. docs/scaling.md
calculates with them. Needs requirements-dev.txt.
"""

import argparse
import asyncio
import os
import random
import tempfile
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import psutil
import sqlalchemy as sa

from benchmarks.load import PACE, PAGES, browse, keep_on
from tests.browser.server import Server
from tests.visitor import Visitor

STEP = 10
MOST_MS = 300


@dataclass
class Held:
    """What was measured with so many visitors at so many servers.

    Attributes:
        p95: of an answer, in ms.
        answers: in a second, by all servers.
        core_ms: of a core, that an answer cost its server.
        kilobytes: sent for an answer.
        megabytes: that the largest server holds.
        transactions: of the database, for an answer; 0 where it is not Postgres.
    """

    visitors: int
    p95: float
    answers: float
    core_ms: float
    kilobytes: float
    megabytes: float
    transactions: float


async def measure(servers: list[Server], count: int, seconds: float, url: str) -> Held:
    """So many visitors browse for so long."""
    visitors = []
    for number in range(count):
        visitor = await Visitor.arrive(servers[number % len(servers)].url)
        await visitor.go("")
        visitors.append(visitor)
    chance, waits = random.Random(count), list[float]()
    processes = [psutil.Process(server.process.pid) for server in servers]
    spent, received = cores(processes), sum(visitor.bytes_received for visitor in visitors)
    asked = transactions(url)
    started = time.monotonic()
    until = started + seconds
    await asyncio.gather(
        *(keep_on(partial(browse, visitor, chance, waits), PACE, until) for visitor in visitors)
    )
    passed = time.monotonic() - started
    spent = cores(processes) - spent
    received = sum(visitor.bytes_received for visitor in visitors) - received
    asked = transactions(url) - asked
    megabytes = max(process.memory_info().rss for process in processes) / 1e6
    for visitor in visitors:
        await visitor.leave()
    return Held(
        count,
        float(np.percentile(waits, 95)) * 1000,
        len(waits) / passed,
        spent * 1000 / len(waits),
        received / 1000 / len(waits),
        megabytes,
        asked / len(waits),
    )


def transactions(url: str) -> int:
    """How many Postgres has done in this database so far; 0 for others, which do not count."""
    engine = sa.create_engine(url)
    if engine.dialect.name != "postgresql":
        return 0
    query = (
        "SELECT xact_commit + xact_rollback FROM pg_stat_database "
        "WHERE datname = current_database()"
    )
    with engine.connect() as connection:
        count = int(connection.execute(sa.text(query)).scalar() or 0)
    engine.dispose()
    return count


def cores(processes: list[psutil.Process]) -> float:
    """Seconds of a core that these have used so far."""
    return sum(sum(process.cpu_times()[:2]) for process in processes)


def start(count: int, folder: Path, url: str) -> list[Server]:
    """So many servers on one database, each on a core of its own."""
    servers = []
    data = {"MNIST_DATA": os.environ["MNIST_DATA"]} if "MNIST_DATA" in os.environ else {}
    for number, core in zip(range(count), sorted(os.sched_getaffinity(0)), strict=False):
        home = folder / str(number)
        home.mkdir()
        server = Server(home, MNIST_DATABASE_URL=url, MNIST_WORKERS="0", **data)
        for thread in psutil.Process(server.process.pid).threads():
            os.sched_setaffinity(thread.id, {core})
        servers.append(server)
    return servers


async def fill(servers: list[Server], seconds: float, url: str) -> list[Held]:
    """More and more visitors, until they have to wait."""
    for server in servers:
        # The first visitor of all opens each page once, so that the caches are filled.
        first = await Visitor.arrive(server.url)
        for page in PAGES:
            await first.go(page)
        await first.leave()
    seen: list[Held] = []
    while not seen or seen[-1].p95 <= MOST_MS:
        held = await measure(servers, (len(seen) + 1) * STEP, seconds, url)
        seen.append(held)
        print(
            f"{len(servers)} server{'s' * (len(servers) > 1)}, {held.visitors:3} visitors: p95 "
            f"{held.p95:4.0f} ms, {held.answers:5.1f} answers a second, {held.core_ms:.1f} ms of a "
            f"core, {held.kilobytes:.0f} kB and {held.transactions:.1f} transactions each, "
            f"{held.megabytes:.0f} MB",
            flush=True,
        )
    return seen


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=15, help="for each number of visitors")
    parser.add_argument("--url", help="the servers' database; by default a SQLite file")
    arguments = parser.parse_args()
    for count in (1, 2):
        with tempfile.TemporaryDirectory() as folder:
            url = arguments.url or f"sqlite:///{folder}/runs.db"
            servers = start(count, Path(folder), url)
            try:
                seen = asyncio.run(fill(servers, arguments.seconds, url))
            finally:
                for server in servers:
                    server.stop()
        most = max((held.visitors for held in seen if held.p95 <= MOST_MS), default=0)
        growth = (seen[-1].megabytes - seen[0].megabytes) * count
        each = growth / max(1, seen[-1].visitors - seen[0].visitors)
        print(
            f"{count} server{'s' * (count > 1)}: {most} visitors within {MOST_MS} ms; a further "
            f"visitor takes {each:.1f} MB",
            flush=True,
        )


if __name__ == "__main__":
    main()
