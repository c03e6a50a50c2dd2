"""What a worker does besides training: it downloads MNIST and computes studies."""

import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from functools import partial

from mnist_core import data
from mnist_core.analysis.map_study import PIXELS, MapKey, perform
from mnist_core.errors import DownloadFailed, NotAllowed, UserError
from mnist_core.jobs import download
from mnist_core.jobs.recorder import patiently
from mnist_core.shipped import shipped_artifact, shipped_runs
from mnist_core.store.queue import DONE, DOWNLOAD, STUDY, Task
from mnist_core.store.run import FAILED, LITERT
from mnist_core.store.runs import RunStore
from mnist_core.store.workers import WorkerStore

log = logging.getLogger("mnist_core.jobs.worker")

# How much lower the priority of training is than the server's, in units of ``nice``.
BEHIND_VISITORS = 9


def download_mnist() -> str:
    """Fetch MNIST. Returns one sentence on why that failed, or an empty one."""
    began = time.monotonic()
    log.info("download of MNIST started")
    try:
        download.fetch()
    except DownloadFailed as error:
        log.warning("download of MNIST failed: %s", error)
        return error.for_visitors
    log.info("download of MNIST ended after %.1f s", time.monotonic() - began)
    return ""


def compute(runs: RunStore, key: str, dataset: data.Dataset) -> tuple[bytes, str]:
    """Compute a study: its result, or else one sentence on why there is none."""
    try:
        return perform(key, dataset, network(runs, MapKey.parse(key))), ""
    except UserError as error:
        return b"", str(error)
    except Exception:
        log.exception("study %s cannot be computed", key)
        return b"", "It could not be computed; the server's log says why."


def network(runs: RunStore, key: MapKey) -> bytes | None:
    """The LiteRT model that a map is made with, of a built-in or a stored run; None for pixels.

    Raises:
        RunNotFound: there is none.
        NotAllowed: the run has another network by now.
    """
    run_id = key.features
    if run_id == PIXELS:
        return None
    if run_id in shipped_runs():
        return shipped_artifact(run_id, LITERT)
    model = patiently(lambda: runs.artifact(run_id, LITERT))
    if patiently(lambda: runs.get(run_id)).version != key.version:
        raise NotAllowed("The network was trained further after this map was asked for.")
    return model


def do(store: WorkerStore, task: Task, dataset: Callable[[], data.Dataset]) -> None:
    """Do a task that was claimed, and store what came of it."""
    result = b""
    if task.kind == DOWNLOAD:
        message = download_mnist()
    else:
        result, message = compute(RunStore(store.database), task.id, dataset())
    try:
        patiently(lambda: store.end(task, FAILED if message else DONE, message, result or None))
    except NotAllowed as error:
        log.warning("%s %s: %s", task.kind, task.id, error)


def next_errand(
    store: WorkerStore, worker_id: str, dataset: Callable[[], data.Dataset]
) -> Callable[[], None] | None:
    """The next download or study, claimed for this worker; None if nothing waits.

    Args:
        dataset: gives the digits that are available.
    """
    # Asked first without claiming, because every claim is a transaction that writes.
    for kind in (DOWNLOAD, STUDY):
        if patiently(partial(store.waiting, kind)):
            task = patiently(partial(store.claim, worker_id, kind))
            return partial(do, store, task, dataset) if task else None
    return None


def at_low_priority(task: Callable[[], None]) -> None:
    """Do this in the current thread, where training has the cores first."""
    if sys.platform == "linux":
        # Only there does a thread have a priority of its own.
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 2 * BEHIND_VISITORS)
    task()
