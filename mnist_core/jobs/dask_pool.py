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

# On a cluster a worker leaves sooner: others may need the process, and TensorFlow stays loaded
# there for the next worker.
CLUSTER_IDLE_SECONDS = 30.0
# How long the scheduler may take to answer, and how long until one that did not is asked again.
CONNECT_SECONDS = 2.0
ANSWER_SECONDS = 5.0
AGAIN_SECONDS = 3.0
RESTART_SECONDS = 10.0
# The names of places begin with it, and so do the ids of their workers.
ON_CLUSTER = "dask-"
SCHEDULER_AWAY = "The scheduler of the training cluster does not answer; runs wait until it does."
CLUSTER_EMPTY = "The training cluster has no workers now; runs wait until there is one."

NO_CLIENT = (
    "This server is to train on a cluster (DASK_SCHEDULER_ADDRESS is set) but lacks the package "
    "for it: pip install -r requirements-cluster.txt, and start it again."
)


class DaskPool(Pool):
    """Workers in the processes of a Dask cluster, at most one in each.

    What is a child process on this machine is a long-running Dask task on a cluster, which
    trains in one of the cluster's processes until there is nothing left to do:

    - Each process of the cluster is a *place*, named after its address.
    - The task for a place can run only there, and its key is the name of the place. Dask takes
      two tasks with one key for the same task, so however many servers ask for a worker at
      this place, there is one. Two trainings in one process would disturb each other.
    - Tasks outlive the server that started them and work for all servers with the same database.
    - The id of a worker is the name of its place and a random part, so that the workers in the
      database can be matched with the cluster's processes.

    ``Cluster`` below is all that is asked of Dask; this class decides what to ask.
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
        # The address of each place.
        self._places: dict[str, str] = {}
        # The places with a task, whoever started it, and since when this pool has known of it.
        self._taken: dict[str, float] = {}
        # How often a worker has failed at each place.
        self._failures_at: Counter[str] = Counter()
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
            cluster = self._connect()
            # After a new connection there are no places before: it may be another cluster.
            before = set(self._places)
            tasks_at = cluster.tasks()
            self._places = {place_of(address): address for address in tasks_at}
            self._drop_ended_tasks(cluster)
        except ImportError:
            self._note_trouble(NO_CLIENT, "no module distributed")
            return
        except Exception as error:
            # Whatever it is, runs wait, and lost workers are still removed.
            self._note_trouble(SCHEDULER_AWAY, error)
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

    def _connect(self) -> "Cluster":
        """The cluster, over a connection that works.

        Raises:
            ConnectionError: a connection was tried a moment ago, in vain.
            ImportError: the package for it is not installed.
            Exception: the scheduler does not answer, or something else does.
        """
        if self._cluster and self._cluster.connected:
            return self._cluster
        self._disconnect()
        if self.clock() < self._ask_again:
            raise ConnectionError("it did not answer")
        self._cluster = Cluster(self._address)
        log.info("connected to the scheduler of the training cluster")
        return self._cluster

    def _disconnect(self) -> None:
        """Forget the cluster as it was; its tasks continue."""
        if self._cluster:
            self._cluster.close()
        self._cluster = None
        self._places, self._taken, self._tasks = {}, {}, {}

    def _note_trouble(self, trouble: str, reason: object) -> None:
        if self._trouble != trouble:
            log.warning("%s (%s)", trouble, reason)
        self._trouble = trouble
        self._disconnect()
        if self.clock() >= self._ask_again:
            self._ask_again = self.clock() + AGAIN_SECONDS

    def _drop_ended_tasks(self, cluster: "Cluster") -> None:
        """Forget tasks that have ended, and cancel those whose place has gone."""
        for place, task in list(self._tasks.items()):
            if task.status == "pending" and place in self._places:
                continue
            del self._tasks[place]
            if task.status == "pending":
                # It would wait for this very place forever.
                cluster.cancel(place)
            elif task.status == "error":
                log.warning("a worker on the cluster ended: %s", task.exception(ANSWER_SECONDS))
                self._failures_at[place] += 1
                self._failed()

    def _is_here(self, worker: Worker) -> bool:
        return place_in(worker.id) in self._places

    def _starting(self, here: list[Worker]) -> int:
        known = {place_in(worker.id) for worker in here}
        # A worker that never comes up blocks its place, but no other place.
        now = self.clock()
        return sum(
            now - since < LOST_SECONDS_LOADING
            for place, since in self._taken.items()
            if place not in known
        )

    def _start_worker(self) -> None:
        occupied = {place_in(worker.id) for worker in self._store.registered()}
        occupied |= self._taken.keys() | self._tasks.keys()
        # Where workers failed most is tried last: one machine that cannot reach the database must
        # not keep the others from working.
        free = sorted(
            self._places.keys() - occupied, key=lambda place: (self._failures_at[place], place)
        )
        if self._cluster and free:
            try:
                self._tasks[free[0]] = self._cluster.start(free[0], self._places[free[0]])
            except Exception as error:
                # The connection broke just now; the next look makes another.
                log.warning("no worker could be started on the cluster: %s", error)

    def _kill(self, worker: Worker) -> None:
        place = place_in(worker.id)
        # Only once: the process that replaces it has another address.
        address = self._places.pop(place, None)
        if address and self._cluster:
            self._tasks.pop(place, None)
            try:
                self._cluster.cancel(place)
                self._cluster.restart(address)
            except Exception as error:
                log.warning("the process of worker %s was not restarted: %s", worker.id, error)

    def _leave(self) -> None:
        self._disconnect()


class Cluster:
    """What a pool asks of a Dask scheduler, with a few seconds for each answer.

    Every method raises what ``distributed`` raises if the scheduler does not answer.
    """

    def __init__(self, address: str) -> None:
        from distributed import Client
        from distributed.utils import LoopRunner

        # It logs a stack trace whenever the scheduler goes away; the pool logs one line.
        logging.getLogger("distributed.client").setLevel(logging.CRITICAL)
        # A client that fails to connect leaves the thread of its event loop running. So the loop
        # is started here, where it can be stopped.
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
        """Whether the connection works. A broken one must not be used again."""
        return bool(self._client.status == "running")

    def close(self) -> None:
        """Disconnect from the scheduler; the tasks continue."""
        with suppress(Exception):
            self._client.close(ANSWER_SECONDS)
        with suppress(Exception):
            self._runner.stop()

    def tasks(self) -> dict[str, list[str]]:
        """The keys of the tasks in each process of the cluster, by the process's address."""
        ask = self._client.scheduler.processing
        found = self._client.sync(ask, workers=None, callback_timeout=ANSWER_SECONDS)
        return {address: [str(key) for key in keys] for address, keys in found.items()}

    def start(self, place: str, address: str) -> Any:
        """Start a worker at this place, unless one is there.

        Returns:
            The task, a Dask future: ``status`` is "pending", "finished", "error" or "cancelled",
            and ``exception(timeout)`` says why it failed.
        """
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
        """Cancel the task of this place, whoever started it."""
        from distributed import Future

        self._client.cancel([Future(place, self._client)], force=True)

    def restart(self, address: str) -> None:
        """End the process with this address; Dask's nanny process starts another."""
        self._client.restart_workers([address], timeout=RESTART_SECONDS, raise_for_error=False)


def place_of(address: str) -> str:
    """The name of the place with this address, which itself may be too long for a name."""
    return ON_CLUSTER + hashlib.sha256(address.encode()).hexdigest()[:12]


def place_in(worker_id: str) -> str:
    """The name of the place in a worker's id; empty for a worker that is on no cluster."""
    return worker_id.rpartition("-")[0] if worker_id.startswith(ON_CLUSTER) else ""


def work_on_cluster(place: str) -> None:
    """Be a worker until there has been nothing to do for half a minute.

    This runs in a process of the cluster, which reads its own settings from its environment, so
    no password passes through the scheduler.
    """
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
            # A process whose memory is nearly full is paused for a while, which is no end.
            lambda: process.status not in (Status.running, Status.paused),
        )
    finally:
        database.close()
