"""Many workers report to one Postgres: how long each waits, and whether anything is lost.

    python -m benchmarks.writers [--writers 200] [--seconds 30] [--processes 8]
        [--epoch-seconds 13] [--url URL]

Without a URL it starts a Postgres of its own with default settings (fsync on), except that it
takes as many connections as are needed.

Times count from the 15th second on, when 200 writers have connected twice each; rows from the
first.

A writer is a worker without the training: its own Store with its own connections, one for
reports and one for beats, its Recorder and its Heart. It gets as many reports as a training
makes, ten a second, and, with --epoch-seconds (13 for the preset "cnn" on two cores), the end
of an epoch that often, with a checkpoint as large as that of "cnn", 1.7 MB. The writers share a
few processes, so they also wait for each other's Python, which real workers do not. Exit status
1 if a row was lost or stored twice, or if more than one batch in twenty took longer than
100 ms. Needs requirements-dev.txt.
"""

import argparse
import dataclasses
import math
import multiprocessing
import os
import random
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import sqlalchemy as sa

from mnist_core.checkpoint import Checkpoint
from mnist_core.config import PRESETS
from mnist_core.errors import StoreUnavailable
from mnist_core.jobs.heart import Heart
from mnist_core.jobs.recorder import Recorder, patiently
from mnist_core.progress import Progress
from mnist_core.store import engine, schema
from mnist_core.store.run import Run, Worker, owner_of
from tests.databases import SAFE, Postgres
from tests.helpers import Store, wait_until

# What training.py tells, and how often.
REPORTS_A_SECOND = 10
WARM_UP_SECONDS = 15.0
# The numbers of "cnn", and two of Adam's for each.
NUMBERS = 3 * 142_722
ASKED_MS = 100.0
# Postgres keeps three for its owner; we look at the result.
SPARE_CONNECTIONS = 10


@dataclass
class Seen:
    """What one process saw; times only of what began at ``since`` or later.

    Attributes:
        batches: seconds that each batch of reports took, the refused ones too.
        rows_each: how many rows were in each that was stored.
        beats: seconds that each beat took.
        ages: seconds from each report to its being stored.
        refused: batches that could not be stored, and were sent again.
        checkpoints: how many were stored.
        sent, found: rows that were told, and that were there at the end.
        lost, doubled: of those, which were not there, or twice.
    """

    since: float = 0.0
    batches: list[float] = field(default_factory=list)
    rows_each: list[int] = field(default_factory=list)
    beats: list[float] = field(default_factory=list)
    ages: list[float] = field(default_factory=list)
    refused: int = 0
    checkpoints: int = 0
    sent: int = 0
    found: int = 0
    lost: int = 0
    doubled: int = 0

    def add(self, other: "Seen") -> None:
        """Take in what another process saw."""
        for item in dataclasses.fields(self)[1:]:
            setattr(self, item.name, getattr(self, item.name) + getattr(other, item.name))


class Watched(Store):
    """A store that notes how long reports and beats take. Reports without a row only read."""

    def __init__(self, url: str, seen: Seen) -> None:
        super().__init__(url)
        self._seen = seen
        self.told: dict[int, float] = {}

    def report(
        self,
        run_id: str,
        worker_id: str,
        reports: list[Progress],
        checkpoint: tuple[int, bytes] | None = None,
    ) -> Run:
        began = time.monotonic()
        counts = bool(reports) and began >= self._seen.since
        try:
            run = super().report(run_id, worker_id, reports, checkpoint)
        except StoreUnavailable:
            self._seen.refused += 1
            raise
        finally:
            now = time.monotonic()
            if counts:
                self._seen.batches.append(now - began)
        if counts:
            self._seen.rows_each.append(len(reports))
            self._seen.checkpoints += checkpoint is not None
            self._seen.ages += [now - self.told[report.step] for report in reports]
        return run

    def beat(self, worker_id: str, ready: bool) -> bool:
        began = time.monotonic()
        known = super().beat(worker_id, ready)
        if began >= self._seen.since:
            self._seen.beats.append(time.monotonic() - began)
        return known


class Writer:
    """A worker without the training.

    Args:
        number: a different one for each.
        state: the checkpoint that it stores at the end of each epoch, but for the step.
        epoch_seconds: how long an epoch takes.
    """

    def __init__(
        self, url: str, number: int, seen: Seen, state: Checkpoint, epoch_seconds: float
    ) -> None:
        self._epoch_seconds = epoch_seconds
        self._store, self._state = Watched(url, seen), state
        self._id = f"writer{number}"
        self._store.register(Worker(self._id, "benchmark", number, 0, True))
        self._heart = Heart(self._store, self._id)
        self._run = self._store.begin(PRESETS["cnn"], owner_of(self._id), self._id)
        self._recorder = Recorder(self._store, self._run, self._id)
        self._sent: list[Progress] = []
        self._chance = random.Random(number)

    def start(self) -> None:
        """Be told things from now on, at moments that differ from writer to writer."""
        now = time.monotonic()
        self.next_report = now + self._chance.uniform(0, 1 / REPORTS_A_SECOND)
        self._next_epoch = now + self._chance.random() * self._epoch_seconds
        self._recorder.start()
        self._heart.start()

    def tell(self, now: float) -> None:
        """What a training tells after some of its steps."""
        step = len(self._sent) + 1
        end = now >= self._next_epoch
        report = Progress(step, step / 100, 1 / step, 0.5, 0.001, 0.1 * step)
        if end:
            self._next_epoch += self._epoch_seconds
            report = dataclasses.replace(report, validation_loss=0.5, validation_accuracy=0.9)
            self._recorder.keep(dataclasses.replace(self._state, step=step))
        self._sent.append(report)
        self._store.told[step] = now
        self._recorder(report)
        self._recorder.should_stop()
        self.next_report += 1 / REPORTS_A_SECOND

    def end(self, seen: Seen) -> None:
        """Store the rest, and compare what is there with what was told."""
        self._recorder.end()
        patiently(self._recorder.flush)
        self._heart.end()
        stored = self._store.metrics(self._run.id)
        seen.sent += len(self._sent)
        seen.found += len(stored)
        seen.lost += len(set(self._sent) - set(stored))
        seen.doubled += len(stored) - len(set(stored))
        self._store.close()


def checkpoint() -> Checkpoint:
    """One as large as that of "cnn", of numbers that no database can press together."""
    numbers = np.random.default_rng(0).normal(size=NUMBERS).astype(np.float32)
    return Checkpoint(0, 0.0, 0.0, 0.0, {}, 0, [numbers], [])


def write(
    url: str, numbers: Sequence[int], everybody: int, seconds: float, epoch_seconds: float
) -> Seen:
    """One process: be all these writers for so many seconds, once everybody is there."""
    # Opening so many at once takes its time.
    engine.BUSY_SECONDS = 120.0
    store, seen, state = Store(url), Seen(), checkpoint()
    writers = [Writer(url, number, seen, state, epoch_seconds) for number in numbers]
    wait_until(lambda: len(store.registered()) == everybody)
    store.close()
    engine.BUSY_SECONDS = 5.0
    for writer in writers:
        writer.start()
    seen.since = time.monotonic() + WARM_UP_SECONDS
    end = seen.since + seconds
    while (now := time.monotonic()) < end:
        for writer in writers:
            if writer.next_report <= now:
                writer.tell(now)
        time.sleep(0.005)
    for writer in writers:
        writer.end(seen)
    return seen


@contextmanager
def database(url: str, writers: int) -> Iterator[str]:
    """The database to write to: the one named, or one in a Postgres of our own."""
    if url:
        yield url
        return
    connections = 2 * writers + SPARE_CONNECTIONS
    settings = SAFE | {"max_connections": str(connections)}
    with Postgres(settings) as server:
        print(f"a Postgres of our own, fsync on, max_connections {connections}", flush=True)
        yield server.database()


def line(name: str, seconds: list[float]) -> str:
    """How long something took."""
    cuts = statistics.quantiles(seconds, n=100)
    values = (statistics.median(seconds), cuts[94], max(seconds))
    times = " ".join(f"{1000 * value:8.0f}" for value in values)
    return f"{name:34}{times}{len(seconds):10,}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--writers", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--processes", type=int, default=8)
    parser.add_argument("--epoch-seconds", type=float, default=math.inf)
    parser.add_argument("--url", default="")
    arguments = parser.parse_args()
    seen = Seen()
    with database(arguments.url, arguments.writers) as url:
        # The tables are there before anybody needs them.
        Store(url).close()
        numbers, count = range(arguments.writers), arguments.processes
        with ProcessPoolExecutor(count, multiprocessing.get_context("spawn")) as processes:
            parts = [
                processes.submit(
                    write,
                    url,
                    numbers[k::count],
                    len(numbers),
                    arguments.seconds,
                    arguments.epoch_seconds,
                )
                for k in range(count)
            ]
            for part in parts:
                seen.add(part.result())
        engine = sa.create_engine(url)
        with engine.connect() as connection:
            rows = connection.execute(sa.select(sa.func.count()).select_from(schema.metrics))
            stored = rows.scalar()
        engine.dispose()
    load = f"load {os.getloadavg()[0]:.1f}"
    print(
        f"{arguments.writers} writers for {arguments.seconds:g} s in {arguments.processes} "
        f"processes, {os.cpu_count()} cores, {load}"
    )
    print(f"{'milliseconds':34}{'p50':>8} {'p95':>8} {'max':>8}{'of':>10}")
    print(line("a batch of reports is stored", seen.batches))
    print(line("a beat is stored", seen.beats))
    print(line("from a report to its being stored", seen.ages))
    print(
        f"rows a batch: {statistics.mean(seen.rows_each):.1f}; checkpoints: {seen.checkpoints:,}; "
        f"batches refused and sent again: {seen.refused}"
    )
    print(
        f"rows sent {seen.sent:,}, stored {seen.found:,} (in the database {stored:,}), "
        f"lost {seen.lost}, doubled {seen.doubled}"
    )
    p95 = 1000 * statistics.quantiles(seen.batches, n=100)[94]
    return int(seen.lost > 0 or seen.doubled > 0 or p95 > ASKED_MS)


if __name__ == "__main__":
    sys.exit(main())
