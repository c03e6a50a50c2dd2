"""LocalPool: workers as child processes of the server."""

import logging
import os
import subprocess
import sys
import uuid
from collections.abc import Mapping
from pathlib import Path

from mnist_core.jobs.pool import LOST_SECONDS_LOADING, Pool
from mnist_core.store.workers import Worker, WorkerStore

log = logging.getLogger("mnist_core.jobs.local_pool")

# How long a worker may take to leave when it is told to.
END_SECONDS = 20.0
NO_WORKERS = "This server does not train (MNIST_WORKERS is 0); another one has to."
PROJECT = Path(__file__).parents[2]


def worker_limit(environ: Mapping[str, str] = os.environ) -> int:
    """How many workers this machine may run: MNIST_WORKERS, or half its cores, at least 1."""
    text = environ.get("MNIST_WORKERS", "")
    return int(text) if text.isdigit() else max(1, (os.cpu_count() or 1) // 2)


class LocalPool(Pool):
    """Workers as child processes of this one."""

    FAILING = (
        "The training process does not start on this machine; the server's log says why. "
        "Everything else works."
    )

    def __init__(self, store: WorkerStore, limit: int | None = None) -> None:
        super().__init__(store)
        self._limit = worker_limit() if limit is None else limit
        self.problem = self._obstacle()
        # The processes that this pool started and when, by the worker id that each was given.
        # Process numbers and host names would not do: two containers may share both.
        self._children: dict[str, tuple[subprocess.Popen[bytes], float]] = {}

    @property
    def limit(self) -> int:
        return self._limit

    @property
    def fetches(self) -> bool:
        return self._limit > 0

    def _obstacle(self) -> str:
        return "" if self._limit else NO_WORKERS

    def _look(self) -> None:
        """Remove workers whose process has ended, at once rather than after a silence."""
        for worker_id, (child, _) in list(self._children.items()):
            if child.poll() is None:
                continue
            self._store.remove(worker_id)
            del self._children[worker_id]
            if child.returncode:
                log.warning("worker process %d ended with status %d", child.pid, child.returncode)
                self._failed()

    def _is_here(self, worker: Worker) -> bool:
        return worker.id in self._children

    def _starting(self, here: list[Worker]) -> int:
        known = {worker.id for worker in here}
        starting = [self._children[each] for each in self._children.keys() - known]
        for child, since in starting:
            if self.clock() - since > LOST_SECONDS_LOADING:
                # It hangs before it could register; the next look finds it ended.
                child.kill()
        return len(starting)

    def _start_worker(self) -> None:
        worker_id = uuid.uuid4().hex[:10]
        self._children[worker_id] = self._start_process(worker_id), self.clock()

    def _start_process(self, worker_id: str) -> subprocess.Popen[bytes]:
        """Start a worker that registers itself by this id. Raises OSError."""
        return subprocess.Popen(
            [sys.executable, "-m", "mnist_core.jobs.worker", worker_id],
            cwd=PROJECT,
            stdin=subprocess.DEVNULL,
            env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
            # A session of its own, so that Ctrl-C in the server's terminal does not end training.
            start_new_session=True,
        )

    def _kill(self, worker: Worker) -> None:
        if worker.id in self._children:
            child, _ = self._children[worker.id]
            child.kill()

    def _leave(self) -> None:
        children = [child for child, _ in self._children.values()]
        for child in children:
            child.terminate()
        for child in children:
            try:
                child.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
