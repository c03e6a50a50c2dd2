"""What a worker does besides training: downloads MNIST, and computes studies."""

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
from mnist_core.store.run import LITERT
from mnist_core.store.runs import RunStore
from mnist_core.store.studies import Study, StudyStore

log = logging.getLogger("mnist_core.jobs.worker")

# How much lower than the server's the priority of a training is, as nice counts it.
BEHIND_VISITORS = 9


def download_mnist(store: RunStore) -> None:
    """Fetch MNIST, and say in the database how it went."""
    message, began = "", time.monotonic()
    log.info("download of MNIST started")
    try:
        download.fetch()
        log.info("download of MNIST ended after %.1f s", time.monotonic() - began)
    except DownloadFailed as error:
        log.warning("download of MNIST failed: %s", error)
        message = error.for_visitors
    patiently(lambda: store.end_download(message))


def compute(
    store: RunStore, studies: StudyStore, study: Study, worker_id: str, dataset: data.Dataset
) -> None:
    """Compute a study, and store what came of it."""
    results, message = b"", ""
    try:
        model = network(store, MapKey.parse(study.key))
        results = perform(study.key, dataset, model)
    except UserError as error:
        message = str(error)
    except Exception:
        log.exception("study %s cannot be computed", study.key)
        message = "It could not be computed; the server's log says why."
    try:
        if message:
            patiently(lambda: studies.fail(study.key, worker_id, message))
        else:
            patiently(lambda: studies.complete(study.key, worker_id, results))
    except NotAllowed as error:
        log.warning("study %s: %s", study.key, error)


def network(store: RunStore, key: MapKey) -> bytes | None:
    """The LiteRT model that a map is made with, of a shipped or a stored run; None for pixels.

    Raises:
        RunNotFound: there is none.
        NotAllowed: the run has another network by now.
    """
    run_id = key.features
    if run_id == PIXELS:
        return None
    if run_id in shipped_runs():
        return shipped_artifact(run_id, LITERT)
    model = patiently(lambda: store.artifact(run_id, LITERT))
    if patiently(lambda: store.get(run_id)).version != key.version:
        raise NotAllowed("The network went on training since this map was asked for.")
    return model


def next_errand(
    store: RunStore, studies: StudyStore, worker_id: str, dataset: Callable[[], data.Dataset]
) -> Callable[[], None] | None:
    """Something to do beside the runs, if there is anything: a download, or a study.

    Args:
        dataset: gives the digits at hand.
    """
    if patiently(lambda: store.claim_download(worker_id)):
        return partial(download_mnist, store)
    # Asked first without claiming, for every claim is a transaction that writes.
    if patiently(studies.waiting) and (study := patiently(lambda: studies.claim(worker_id))):
        return partial(compute, store, studies, study, worker_id, dataset())
    return None


def at_low_priority(task: Callable[[], None]) -> None:
    """Do this in a thread of its own, where trainings have the cores first."""
    if sys.platform == "linux":
        # Only there a thread has a priority of its own.
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 2 * BEHIND_VISITORS)
    task()
