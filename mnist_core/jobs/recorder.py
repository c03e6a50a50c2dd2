"""Recorder: passes a run's reports on to the database, and the request to stop back."""

import random
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from mnist_core.checkpoint import Checkpoint
from mnist_core.errors import StoreUnavailable
from mnist_core.progress import Progress
from mnist_core.store.run import Run
from mnist_core.store.workers import WorkerStore

# Reports are collected and stored this often: more would wear out the disk for nothing, less would
# be visible. A slow database server, perhaps one with many workers, gets fewer and larger batches:
# the pause is twenty times as long as storing took.
STORE_SECONDS, MOST_STORE_SECONDS = 0.1, 2.0
REST = 20
T = TypeVar("T")

# How long a finished run waits for a database that does not take it.
PATIENCE_SECONDS = 120.0

# Its own generator, because Keras draws from Python's.
_chance = random.Random()


class Recorder:
    """Passes a run's reports on to the database, and its owner's request to stop back.

    It has a thread of its own, so that a database which is briefly in use delays the curves and
    not the training.
    """

    def __init__(self, store: WorkerStore, run: Run, worker_id: str) -> None:
        self._store, self._run_id, self._worker_id = store, run.id, worker_id
        self._thread = threading.Thread(target=self._store_on, daemon=True, name="recorder")
        self._lock = threading.Lock()
        self._reports: list[Progress] = []
        self._next: Checkpoint | None = None
        self._due: Checkpoint | None = None
        self._stop = run.stop_requested
        self._trouble: Exception | None = None
        # Whether the database may have stored something although its answer never came.
        self._unsure = False
        self._over = threading.Event()

    def __call__(self, progress: Progress) -> None:
        """Take a report."""
        with self._lock:
            self._reports.append(progress)
            if self._next:
                self._due, self._next = self._next, None

    def keep(self, checkpoint: Checkpoint) -> None:
        """Take a checkpoint, to be stored together with the next report, which is that of the
        epoch's end: neither is ever in the database without the other."""
        with self._lock:
            self._next = checkpoint

    def should_stop(self) -> bool:
        """True once the owner asked to stop.

        Raises:
            NotAllowed: the run is no longer this worker's.
            Exception: any other error that ended the thread.
        """
        if self._trouble:
            raise self._trouble
        return self._stop

    @property
    def failed(self) -> bool:
        """Whether the collected reports can never be stored."""
        return self._trouble is not None

    def start(self) -> None:
        """Start to store reports as they come, until ``end``."""
        self._thread.start()

    def _store_on(self) -> None:
        pause = STORE_SECONDS
        while not self._over.wait(pause):
            began = time.monotonic()
            try:
                self.flush()
            except StoreUnavailable:
                # They wait for the next time; store/faults.py logged it.
                pass
            except Exception as error:
                # ``should_stop`` raises it in the training; here it would go unnoticed.
                self._trouble = error
                return
            # A file has few writers; only a server may have hundreds.
            if self._store.database.has_many_writers:
                pause = pause_after(time.monotonic() - began)

    def end(self) -> None:
        """Stop the thread; ``flush`` stores what is left."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()

    def flush(self) -> None:
        """Store the collected reports now."""
        if self._unsure:
            self._leave_out_stored()
        with self._lock:
            count, checkpoint = len(self._reports), self._due
            reports = self._reports[:count]
        state = (checkpoint.step, checkpoint.to_bytes()) if checkpoint else None
        self._unsure = True
        run = self._store.report(self._run_id, self._worker_id, reports, state)
        self._unsure = False
        with self._lock:
            del self._reports[:count]
            if self._due is checkpoint:
                self._due = None
        self._stop = run.stop_requested

    def _leave_out_stored(self) -> None:
        """Forget reports that are stored although the answer to storing them was lost: the database
        would refuse them forever. A checkpoint may be stored twice."""
        last = self._store.last_step(self._run_id)
        with self._lock:
            self._reports = [report for report in self._reports if report.step > last]


def pause_after(seconds: float) -> float:
    """For how many seconds to collect reports if storing the last ones took so many."""
    return jittered(min(max(STORE_SECONDS, REST * seconds), MOST_STORE_SECONDS))


def jittered(seconds: float) -> float:
    """A little more or less at random, so that many workers that had to wait for the same thing do
    not all come back at the same moment, again and again."""
    return seconds * _chance.uniform(0.8, 1.2)


def patiently(
    action: Callable[[], T],
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> T:
    """Do this, trying again for two minutes while the database cannot take it."""
    deadline = clock() + PATIENCE_SECONDS
    while True:
        try:
            return action()
        except StoreUnavailable:
            if clock() > deadline:
                raise
            sleep(0.5)
