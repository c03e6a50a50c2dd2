"""DaskPool: workers in the processes of a Dask cluster. The only module that knows of Dask."""

import hashlib
import logging
import os
import uuid
from collections import Counter
from contextlib import suppress
from typing import Any

from mnist_core.jobs.pool import LOST_SECONDS_LOADING, Pool
from mnist_core.store.database import Database
from mnist_core.store.workers import Worker, WorkerStore

log = logging.getLogger("mnist_core.jobs.dask_pool")

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

    def __init__(self, store: WorkerStore, address: str) -> None:
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
        now = self.clock()
        keys = {key for keys in tasks_at.values() for key in keys}
        self._taken = {
            place: self._taken.get(place, now) for place in self._places if place in keys
        }
        self._trouble = "" if self._places else CLUSTER_EMPTY
        gone = before - set(self._places)
        for worker in self._store.registered() if gone else []:
            if place_in(worker.id) in gone:
                log.warning("worker %s ended with its process on the cluster", worker.id)
                self._store.remove(worker.id)

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
        if self.clock() < self._ask_again:
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
        if self.clock() >= self._ask_again:
            self._ask_again = self.clock() + AGAIN_SECONDS

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
        now = self.clock()
        return sum(
            now - since < LOST_SECONDS_LOADING
            for place, since in self._taken.items()
            if place not in known
        )

    def _start_worker(self) -> None:
        occupied = {place_in(worker.id) for worker in self._store.registered()}
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

    from mnist_core import logs
    from mnist_core.jobs import worker

    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logs.set_up()
    process = get_worker()
    worker_id = f"{place}-{uuid.uuid4().hex[:10]}"
    database = Database()
    try:
        worker.work(
            WorkerStore(database),
            CLUSTER_IDLE_SECONDS,
            worker_id,
            # One whose memory is nearly full is paused, and goes on.
            lambda: process.status not in (Status.running, Status.paused),
        )
    finally:
        database.close()
