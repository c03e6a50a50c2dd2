"""A real Dask cluster on this machine, for tests and benchmarks."""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from tests.helpers import PROJECT, free_port


class Cluster:
    """A scheduler and workers on loopback, started as docs/scaling.md says.

    They inherit the environment that this process has when they start.

    Attributes:
        address: the scheduler's.
        log: the file that all of them write to.
    """

    def __init__(self, folder: Path, workers: int = 0, own_cores: bool = False) -> None:
        """Start it.

        Args:
            folder: for their files.
            workers: how many, each with one thread.
            own_cores: bind each worker to one core.
        """
        self._port = free_port()
        self.address = f"tcp://127.0.0.1:{self._port}"
        self.log = folder / "cluster.log"
        self._folder, self._own_cores = folder, own_cores
        self._workers: list[subprocess.Popen[bytes]] = []
        self.start_scheduler()
        for _ in range(workers):
            self.add_worker()

    def start_scheduler(self) -> None:
        """Start the scheduler, always at the same address."""
        self._scheduler = self._start("scheduler", "--host", "127.0.0.1", "--port", str(self._port))

    def kill_scheduler(self) -> None:
        """End the scheduler as a power cut would."""
        _kill(self._scheduler)

    def add_worker(self) -> None:
        """Start one more worker: a nanny and its process."""
        core = len(self._workers) % len(os.sched_getaffinity(0))
        self._workers.append(
            self._start(
                *("worker", self.address, "--nthreads", "1"),
                *("--host", "127.0.0.1", "--local-directory", str(self._folder)),
                core=core if self._own_cores else None,
            )
        )

    def restart_workers(self, only_ended: bool = False) -> None:
        """Restart all workers, or only those that ended, as a supervisor does."""
        before, self._workers = self._workers, []
        for worker in before:
            if only_ended and worker.poll() is None:
                self._workers.append(worker)
            else:
                _kill(worker)
                self.add_worker()

    def close(self) -> None:
        """End all of it."""
        for process in [*self._workers, self._scheduler]:
            _kill(process)

    def _start(self, *command: str, core: int | None = None) -> subprocess.Popen[bytes]:
        bound = [] if core is None else ["taskset", "--cpu-list", str(core)]
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [*bound, sys.executable, "-m", "dask", *command, "--no-dashboard"],
                cwd=PROJECT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # So that it can be killed with everything it starts.
                start_new_session=True,
            )


def _kill(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
