"""Where training happens: worker processes on this machine, or a Dask cluster.

A run is handed over by storing it (``RunStore.submit``); a pool only sees to it that
somebody is there to take it, and that a worker which died is noticed. Where a run trains
changes nothing else: progress, stopping and results all go through the database. This is
the only module that knows of Dask, and it loads it only if there is a cluster to ask.
"""

import hashlib
import logging
import os
import subprocess
import sys
import threading
import time
import uuid
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from mnist_core.errors import StoreUnavailable
from mnist_core.runs import ENDED, RUNNING, RunStore, Worker

log = logging.getLogger("mnist_core.jobs")

TEND_SECONDS = 0.5
# A worker whose count of beats has stood still for this long is lost, or a database that
# took nothing for as long keeps it from beating. So it is looked at once more a second
# after the database took something of ours; all in all 5 s. Loading TensorFlow can keep a
# worker from beating for a while on a slow machine.
LOST_SECONDS = 3.5
LOST_SECONDS_LOADING = 60.0
SECOND_LOOK_SECONDS = 1.0
# How long a worker may take to leave when it is told to.
END_SECONDS = 20.0
NO_WORKERS = "This server does not train (MNIST_WORKERS is 0); another one has to."
PROJECT = Path(__file__).parent.parent

SCHEDULER = "DASK_SCHEDULER_ADDRESS"
# On a cluster a worker leaves sooner: what it occupies may be wanted by others, and
# TensorFlow stays loaded there for the next one.
CLUSTER_IDLE_SECONDS = 30.0
# How long the scheduler may take to answer, and how long until a silent one is asked again.
CONNECT_SECONDS = 2.0
ANSWER_SECONDS = 5.0
AGAIN_SECONDS = 3.0
RESTART_SECONDS = 10.0
# Before the name of a place in the ids of its workers and of their tasks.
ON_CLUSTER = "dask-"
SCHEDULER_AWAY = "The scheduler of the training cluster does not answer; runs wait until it does."
CLUSTER_EMPTY = "The training cluster has no workers now; runs wait until there is one."
NO_CLIENT = (
    "This server is to train on a cluster (DASK_SCHEDULER_ADDRESS is set) but lacks the package "
    "for it: pip install -r requirements-cluster.txt, and start it again."
)


def worker_limit(environ: Mapping[str, str] = os.environ) -> int:
    """How many workers this machine may run: MNIST_WORKERS, or half its cores, at least 1."""
    text = environ.get("MNIST_WORKERS", "")
    return int(text) if text.isdigit() else max(1, (os.cpu_count() or 1) // 2)


def workers_in_words(environ: Mapping[str, str] = os.environ) -> str:
    """Which workers this server may have, for its log."""
    if environ.get(SCHEDULER):
        return "workers on a cluster"
    return f"at most {worker_limit(environ)} workers"


class Pool(ABC):
    """Workers in one place, tended in the background.

    Attributes:
        problem: one sentence while workers cannot be started, else empty.
    """

    # What is said once workers failed to start three times.
    FAILING: str

    def __init__(self, store: RunStore) -> None:
        self._store = store
        self.problem = ""
        self._seen: dict[str, tuple[int, float]] = {}
        self._suspected: dict[str, float] = {}
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
        """Make an end of a worker, if this pool can."""

    @abstractmethod
    def _leave(self) -> None:
        """The pool ends: let go of what it holds."""

    def _obstacle(self) -> str:
        """One sentence on why nothing can be started here, or an empty one."""
        return ""

    # --- what all have in common ---

    def start(self) -> Self:
        """Tend to the workers in the background from now on."""
        self._thread.start()
        return self

    def end(self) -> None:
        """Tend no more."""
        self._end.set()
        if self._thread.is_alive():
            self._thread.join()
        self._leave()

    def wake(self) -> None:
        """Somebody is about to train: have a worker ready."""
        self._wanted = True

    def tend(self) -> None:
        """One look at everything: bury the lost, start the missing."""
        self._look()
        # The runs first: whoever trains one of these was registered before it was begun,
        # and so is among the workers read next, unless it is gone.
        busy = {run.worker for run in self._store.list_runs(states=(RUNNING,))}
        alive = [worker for worker in self._store.workers() if not self._lost(worker)]
        for worker_id in busy - {worker.id for worker in alive} - {None}:
            # It died between being given a run and anybody hearing of it.
            self._store.remove_worker(str(worker_id), ENDED)
        # Workers elsewhere help with the queue, but take up no room here.
        here = [worker for worker in alive if self._is_here(worker)]
        if any(worker.ready for worker in here):
            self._failures = 0
        starting = self._starting(here)
        count = len(here) + starting
        if count:
            self._wanted = False
        idle = len([worker for worker in here if worker.id not in busy]) + starting
        needed = max(self._store.waiting(), int(self._wanted))
        if self.fetches and self._store.download().state == "wanted":
            needed = max(needed, 1)
        if idle < needed and count < self.limit and time.monotonic() >= self._not_before:
            try:
                self._start_worker()
            except OSError as error:
                log.warning("no worker could be started: %s", error)
                self._failed()
        self.problem = self._obstacle() or (self.FAILING if self._failures > 2 else "")

    def _tend_on(self) -> None:
        while not self._end.wait(TEND_SECONDS):
            try:
                self.tend()
            except StoreUnavailable:
                # A database that is away is asked again; schema.py told the log.
                pass
            except Exception:
                # Whatever it is, the next look may do better; without one nobody would train.
                log.exception("the workers could not be tended to")

    def _failed(self) -> None:
        """Wait longer after each failure to start; after the third it is a problem."""
        self._failures += 1
        self._not_before = time.monotonic() + min(30, 2**self._failures)

    def _lost(self, worker: Worker) -> bool:
        """Whether its beats have stood still for too long; if so it is removed."""
        beat, since = self._seen.get(worker.id, (-1, 0.0))
        now = time.monotonic()
        if beat != worker.beat:
            self._seen[worker.id] = (worker.beat, now)
            self._suspected.pop(worker.id, None)
            return False
        if now - since < (LOST_SECONDS if worker.ready else LOST_SECONDS_LOADING):
            return False
        if now - since >= LOST_SECONDS_LOADING:
            # It may hang with the database locked; then nothing below would ever come to pass.
            self._kill(worker)
        if worker.id not in self._suspected:
            self._store.touch()
            self._suspected[worker.id] = time.monotonic()
        if now - self._suspected[worker.id] < SECOND_LOOK_SECONDS:
            return False
        del self._seen[worker.id], self._suspected[worker.id]
        if not self._store.remove_worker(worker.id, ENDED, worker.beat):
            return False
        log.warning("worker %s lost: it has been silent for %.0f s", worker.id, now - since)
        # It hangs, or it will find its run gone; either way it blocks the next.
        self._kill(worker)
        return True


class LocalPool(Pool):
    """Workers as child processes of this one."""

    FAILING = (
        "The training process does not start on this machine; the server's log says why. "
        "Everything else works."
    )

    def __init__(self, store: RunStore, limit: int | None = None) -> None:
        super().__init__(store)
        self._limit = worker_limit() if limit is None else limit
        self.problem = self._obstacle()
        # The processes this pool started, by the worker's id that each was given, and since when
        # they run. Process numbers and host names will not do: two containers may share both.
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
            self._store.remove_worker(worker_id, ENDED)
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
            if time.monotonic() - since > LOST_SECONDS_LOADING:
                # It hangs before it could register; the next look finds it ended.
                child.kill()
        return len(starting)

    def _start_worker(self) -> None:
        worker_id = uuid.uuid4().hex[:10]
        self._children[worker_id] = self._start_process(worker_id), time.monotonic()

    def _start_process(self, worker_id: str) -> subprocess.Popen[bytes]:
        """Start a worker that registers itself by this id. Raises OSError."""
        return subprocess.Popen(
            [sys.executable, "-m", "mnist_core.worker", worker_id],
            cwd=PROJECT,
            stdin=subprocess.DEVNULL,
            env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
            # A session of its own: the key that ends the server does not end a training.
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


class DaskPool(Pool):
    """Workers in the processes of a Dask cluster, at most one in each.

    A process of the cluster is a place. The task that is a worker is bound to its place and
    has its name, so that a second one for the same place is the same to the scheduler,
    whichever server asked for it: two trainings in one process would disturb each other.
    Tasks outlive the server that started them, and serve whoever has the same database.
    """

    FAILING = (
        "Training does not start on the cluster; the logs of its workers say why. "
        "Everything else works."
    )

    def __init__(self, store: RunStore, address: str) -> None:
        """address: the scheduler's, such as "tcp://10.0.0.5:8786"."""
        super().__init__(store)
        self._address = address
        self._cluster: Cluster | None = None
        self._ask_again = 0.0
        self._trouble = ""
        # The address of the process that each place is.
        self._places: dict[str, str] = {}
        # Places with a task, whoever started it, and since when this pool knows of it.
        self._taken: dict[str, float] = {}
        # How often a worker has ended at a place because something went wrong.
        self._mishaps: Counter[str] = Counter()
        # The tasks that this pool started.
        self._tasks: dict[str, Any] = {}

    @property
    def limit(self) -> int:
        return len(self._places)

    @property
    def fetches(self) -> bool:
        # They are other machines; each has its own MNIST.
        return False

    def _obstacle(self) -> str:
        return self._trouble

    def _look(self) -> None:
        try:
            cluster = self._reached()
            # A cluster that was reached anew may be another: none of it is missed.
            before = set(self._places)
            tasks_at = cluster.tasks()
            self._places = {place_of(address): address for address in tasks_at}
            self._hear_of_tasks(cluster)
        except ImportError:
            self._out_of_reach(NO_CLIENT, "no module distributed")
            return
        except Exception as error:
            # Whatever it is: runs wait, and lost workers are still buried.
            self._out_of_reach(SCHEDULER_AWAY, error)
            return
        now = time.monotonic()
        keys = {key for keys in tasks_at.values() for key in keys}
        self._taken = {
            place: self._taken.get(place, now) for place in self._places if place in keys
        }
        self._trouble = "" if self._places else CLUSTER_EMPTY
        gone = before - set(self._places)
        for worker in self._store.workers() if gone else []:
            if place_in(worker.id) in gone:
                log.warning("worker %s ended with its process on the cluster", worker.id)
                self._store.remove_worker(worker.id, ENDED)

    def _reached(self) -> "Cluster":
        """The cluster, over a connection that stands.

        Raises:
            ConnectionError: it was asked for just now, in vain.
            ImportError: the package for it is not installed.
            Exception: the scheduler does not answer, or is none.
        """
        if self._cluster and self._cluster.connected:
            return self._cluster
        self._let_go()
        if time.monotonic() < self._ask_again:
            raise ConnectionError("it did not answer")
        self._cluster = Cluster(self._address)
        log.info("connected to the scheduler of the training cluster")
        return self._cluster

    def _let_go(self) -> None:
        """Forget the cluster as it was; its tasks go on."""
        if self._cluster:
            self._cluster.close()
        self._cluster = None
        self._places, self._taken, self._tasks = {}, {}, {}

    def _out_of_reach(self, trouble: str, reason: object) -> None:
        if self._trouble != trouble:
            log.warning("%s (%s)", trouble, reason)
        self._trouble = trouble
        self._let_go()
        if time.monotonic() >= self._ask_again:
            self._ask_again = time.monotonic() + AGAIN_SECONDS

    def _hear_of_tasks(self, cluster: "Cluster") -> None:
        """Take leave of tasks that have ended, and of those whose place is no more."""
        for place, task in list(self._tasks.items()):
            if task.status == "pending" and place in self._places:
                continue
            del self._tasks[place]
            if task.status == "pending":
                # It would wait for this very place for ever.
                cluster.cancel(place)
            elif task.status == "error":
                log.warning("a worker on the cluster ended: %s", task.exception(ANSWER_SECONDS))
                self._mishaps[place] += 1
                self._failed()

    def _is_here(self, worker: Worker) -> bool:
        return place_in(worker.id) in self._places

    def _starting(self, here: list[Worker]) -> int:
        known = {place_in(worker.id) for worker in here}
        # One that takes for ever keeps its place, but not others from being started.
        now = time.monotonic()
        return sum(
            now - since < LOST_SECONDS_LOADING
            for place, since in self._taken.items()
            if place not in known
        )

    def _start_worker(self) -> None:
        occupied = {place_in(worker.id) for worker in self._store.workers()}
        occupied |= self._taken.keys() | self._tasks.keys()
        # One machine that cannot reach the database must not keep the others from working.
        free = sorted(
            self._places.keys() - occupied, key=lambda place: (self._mishaps[place], place)
        )
        if self._cluster and free:
            try:
                self._tasks[free[0]] = self._cluster.start(free[0], self._places[free[0]])
            except Exception as error:
                # The connection broke just now; the next look makes another.
                log.warning("no worker could be started on the cluster: %s", error)

    def _kill(self, worker: Worker) -> None:
        place = place_in(worker.id)
        # Once only: what comes back there is another process, with another address.
        address = self._places.pop(place, None)
        if address and self._cluster:
            self._tasks.pop(place, None)
            try:
                self._cluster.cancel(place)
                self._cluster.restart(address)
            except Exception as error:
                log.warning("the process of worker %s was not restarted: %s", worker.id, error)

    def _leave(self) -> None:
        self._let_go()


class Cluster:
    """What a pool asks of a Dask scheduler; each answer within seconds.

    Every method raises what ``distributed`` raises if the scheduler does not answer.
    """

    def __init__(self, address: str) -> None:
        from distributed import Client
        from distributed.utils import LoopRunner

        # It writes a stack trace whenever the scheduler goes; the pool says so in one line.
        logging.getLogger("distributed.client").setLevel(logging.CRITICAL)
        # A client that does not come about leaves the thread of its loop behind; so it is
        # given one.
        self._runner = LoopRunner()
        self._runner.start()
        try:
            self._client = Client(
                address, timeout=CONNECT_SECONDS, set_as_default=False, loop=self._runner.loop
            )
        except BaseException:
            self._runner.stop()
            raise

    @property
    def connected(self) -> bool:
        """Whether the connection stands. One that broke is not to be used again."""
        return bool(self._client.status == "running")

    def close(self) -> None:
        """Let go of the scheduler; the tasks go on."""
        with suppress(Exception):
            self._client.close(ANSWER_SECONDS)
        with suppress(Exception):
            self._runner.stop()

    def tasks(self) -> dict[str, list[str]]:
        """The names of the tasks at each process of the cluster, by its address."""
        ask = self._client.scheduler.processing
        found = self._client.sync(ask, workers=None, callback_timeout=ANSWER_SECONDS)
        return {address: [str(key) for key in keys] for address, keys in found.items()}

    def start(self, place: str, address: str) -> Any:
        """Start a worker at this place, unless one is there: its task, with ``status``
        "pending", "finished", "error" or "cancelled" and ``exception(timeout)``."""
        from distributed import fire_and_forget

        task = self._client.submit(
            work_on_cluster,
            place,
            key=place,
            workers=[address],
            allow_other_workers=False,
            pure=False,
        )
        fire_and_forget(task)
        return task

    def cancel(self, place: str) -> None:
        """Let the scheduler forget the task of this place, whoever started it."""
        from distributed import Future

        self._client.cancel([Future(place, self._client)], force=True)

    def restart(self, address: str) -> None:
        """End the process with this address; its nanny starts another."""
        self._client.restart_workers([address], timeout=RESTART_SECONDS, raise_for_error=False)


def place_of(address: str) -> str:
    """The name of the place that a process of the cluster is, from its address, which may
    be long."""
    return ON_CLUSTER + hashlib.sha256(address.encode()).hexdigest()[:12]


def place_in(worker_id: str) -> str:
    """The name of the place in the id of a worker on the cluster; of another, empty."""
    return worker_id.rpartition("-")[0] if worker_id.startswith(ON_CLUSTER) else ""


def work_on_cluster(place: str) -> None:
    """Be a worker until there has been nothing to do for half a minute. Runs in a process
    of the cluster, which reads its own settings: no password goes through the scheduler."""
    from distributed import get_worker
    from distributed.core import Status

    from mnist_core import logs, worker

    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logs.set_up()
    process = get_worker()
    worker_id = f"{place}-{uuid.uuid4().hex[:10]}"
    store = RunStore()
    try:
        worker.work(
            store,
            CLUSTER_IDLE_SECONDS,
            worker_id,
            # One whose memory is nearly full is paused, and goes on.
            lambda: process.status not in (Status.running, Status.paused),
        )
    finally:
        store.close()


def open_pool(store: RunStore, environ: Mapping[str, str] = os.environ) -> Pool:
    """The workers of this server, on this machine or where DASK_SCHEDULER_ADDRESS says; not
    yet tended to."""
    address = environ.get(SCHEDULER, "")
    return DaskPool(store, address) if address else LocalPool(store)
