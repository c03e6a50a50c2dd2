"""Heart: tells the database every second that this worker is alive."""

import os
import socket
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from mnist_core.errors import StoreUnavailable
from mnist_core.jobs.recorder import jittered
from mnist_core.store.workers import Worker, WorkerStore

BEAT_SECONDS = 1.0


class Heart(threading.Thread):
    """Tells the database about every second that this process is alive."""

    def __init__(self, store: WorkerStore, worker_id: str) -> None:
        super().__init__(daemon=True, name="heart")
        self._store, self._worker_id = store, worker_id
        self._end = threading.Event()
        self.ready = False
        # Set once this worker was given up for lost; it must not take another run.
        self.lost = False

    def run(self) -> None:
        while not self._end.wait(jittered(BEAT_SECONDS)):
            self.beat()

    def beat(self) -> None:
        """Say that this process is alive, and whether it is ready."""
        # A database that is away gets the next one; store/faults.py logged it.
        with suppress(StoreUnavailable):
            self.lost = not self._store.beat(self._worker_id, self.ready)

    @contextmanager
    def skipping(self) -> Iterator[None]:
        """While this lasts beats may fail to come, as they do while TensorFlow is loaded."""
        self.ready = False
        self.beat()
        try:
            yield
        finally:
            # At once, for from now on a silence means that the worker hangs.
            self.ready = True
            self.beat()

    def end(self) -> None:
        self._end.set()
        self.join()


@contextmanager
def registered(store: WorkerStore, worker_id: str = "") -> Iterator[tuple[str, Heart]]:
    """Be a registered worker while this lasts.

    Args:
        worker_id: at most 40 characters and unique; random by default.
    """
    worker_id = worker_id or uuid.uuid4().hex[:10]
    store.register(Worker(worker_id, socket.gethostname(), os.getpid(), 0, False))
    heart = Heart(store, worker_id)
    heart.start()
    try:
        yield worker_id, heart
    finally:
        heart.end()
        store.remove(worker_id)
