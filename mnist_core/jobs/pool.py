"""Pool: makes sure that there is a worker where training happens, here or on a cluster.

A run is handed over by storing it (``RunStore.submit``); a pool only sees to it that
a worker is there to take it, and that one which died is noticed. Where a run trains
changes nothing else: progress, stopping and results all go through the database.
"""

import logging
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from mnist_core.errors import StoreUnavailable
from mnist_core.store.queue import DOWNLOAD
from mnist_core.store.workers import Worker, WorkerStore

log = logging.getLogger("mnist_core.jobs.pool")

TEND_SECONDS = 0.5
# For how long a worker may be silent, and for how much longer once the database is known to take
# what is written: 5 s in all. Loading TensorFlow can silence one for a while on a slow machine.
LOST_SECONDS = 3.5
LOST_SECONDS_LOADING = 60.0
SECOND_LOOK_SECONDS = 1.0


@dataclass
class Silence:
    """Since when a worker's count of beats has stood still, and when the database was last seen
    to take what is written, if that was tried since."""

    beat: int
    since: float
    written_at: float | None = None


class Pool(ABC):
    """Workers in one place, tended in the background.

    Attributes:
        problem: one sentence while workers cannot be started, else empty.
    """

    # What users are told after workers failed to start three times.
    FAILING: str

    # Seconds, from a clock that never jumps.
    clock: Callable[[], float] = staticmethod(time.monotonic)

    def __init__(self, store: WorkerStore) -> None:
        self._store = store
        self.problem = ""
        self._silences: dict[str, Silence] = {}
        self._wanted = False
        self._failures = 0
        self._not_before = 0.0
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._tend_on, daemon=True, name="pool")

    # --- what a place is like ---

    @property
    @abstractmethod
    def limit(self) -> int:
        """How many workers this place has room for now."""

    @property
    @abstractmethod
    def fetches(self) -> bool:
        """Whether its workers download MNIST to where this process reads it."""

    @abstractmethod
    def _look(self) -> None:
        """See what has become of the workers of this place."""

    @abstractmethod
    def _is_here(self, worker: Worker) -> bool:
        """Whether a worker takes up room in this place."""

    @abstractmethod
    def _starting(self, here: list[Worker]) -> int:
        """How many workers were started here and are not yet among these."""

    @abstractmethod
    def _start_worker(self) -> None:
        """Start one more. Raises OSError: it cannot be done now."""

    @abstractmethod
    def _kill(self, worker: Worker) -> None:
        """Kill a worker, if this pool can."""

    @abstractmethod
    def _leave(self) -> None:
        """The pool ends: release what it holds."""

    def _obstacle(self) -> str:
        """One sentence on why nothing can be started here, or an empty string."""
        return ""

    # --- what all have in common ---

    def start(self) -> Self:
        """Start to look after the workers in the background."""
        self._thread.start()
        return self

    def end(self) -> None:
        """Stop looking after them."""
        self._end.set()
        if self._thread.is_alive():
            self._thread.join()
        self._leave()

    def wake(self) -> None:
        """Somebody is about to train: have a worker ready."""
        self._wanted = True

    def tend(self) -> None:
        """Look once at everything: remove lost workers, start missing ones."""
        self._look()
        # The workers that have a run are read first: each registered before it began, so it is
        # among the workers that are read next unless it has gone.
        busy = self._store.busy()
        alive = [worker for worker in self._store.registered() if not self._lost(worker)]
        for worker_id in busy - {worker.id for worker in alive}:
            # It died after it was given a run and before this pool had seen it.
            self._store.remove(worker_id)
        # Workers elsewhere help with the queue but take up no room here.
        here = [worker for worker in alive if self._is_here(worker)]
        if any(worker.ready for worker in here):
            self._failures = 0
        starting = self._starting(here)
        count = len(here) + starting
        if count:
            self._wanted = False
        idle = len([worker for worker in here if worker.id not in busy]) + starting
        needed = max(self._store.waiting(), int(self._wanted))
        if self.fetches and self._store.waiting(DOWNLOAD):
            needed = max(needed, 1)
        if idle < needed and count < self.limit and self.clock() >= self._not_before:
            try:
                self._start_worker()
            except OSError as error:
                log.warning("no worker could be started: %s", error)
                self._failed()
        self.problem = self._obstacle() or (self.FAILING if self._failures > 2 else "")

    def _tend_on(self) -> None:
        last = ""
        while not self._end.wait(TEND_SECONDS):
            try:
                self.tend()
                last = ""
            except StoreUnavailable:
                # The next look asks again; store/faults.py logged it.
                pass
            except Exception as error:
                # Whatever it is, the next look may do better; without one nobody would train.
                # The same one is logged once, not twice a second.
                if repr(error) != last:
                    log.exception("the workers could not be tended to")
                last = repr(error)

    def _failed(self) -> None:
        """Wait longer after each failure to start; after the third it is a problem."""
        self._failures += 1
        self._not_before = self.clock() + min(30, 2**self._failures)

    def _lost(self, worker: Worker) -> bool:
        """Whether a worker has been silent for too long; if so it is removed.

        A worker that is alive counts up in the database every second. If the count stands still,
        either the worker hangs or the database takes no writes from anybody. To tell one from
        the other, something is written to the database; if the worker is still silent a second
        after that succeeded, it is lost.
        """
        now = self.clock()
        silence = self._silences.get(worker.id)
        if silence is None or silence.beat != worker.beat:
            self._silences[worker.id] = Silence(worker.beat, since=now)
            return False
        seconds = now - silence.since
        if seconds < (LOST_SECONDS if worker.ready else LOST_SECONDS_LOADING):
            return False
        if seconds >= LOST_SECONDS_LOADING:
            # It may hang while it keeps the database locked; then no write below would succeed.
            self._kill(worker)
        if silence.written_at is None:
            self._store.touch()
            silence.written_at = self.clock()
        if now - silence.written_at < SECOND_LOOK_SECONDS:
            return False
        del self._silences[worker.id]
        if not self._store.remove(worker.id, worker.beat):
            # It was heard of after all.
            return False
        log.warning("worker %s lost: it has been silent for %.0f s", worker.id, seconds)
        # It hangs, or it will find its run gone; either way it blocks the next one.
        self._kill(worker)
        return True
