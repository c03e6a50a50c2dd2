"""Which pool a server uses: processes on this machine, or a Dask cluster if one is named."""

import os
from collections.abc import Mapping

from mnist_core.jobs.dask_pool import DaskPool
from mnist_core.jobs.local_pool import LocalPool, worker_limit
from mnist_core.jobs.pool import Pool
from mnist_core.store.database import Database
from mnist_core.store.workers import WorkerStore

SCHEDULER = "DASK_SCHEDULER_ADDRESS"


def workers_in_words(environ: Mapping[str, str] = os.environ) -> str:
    """Which workers this server may have, in words for its log."""
    if environ.get(SCHEDULER):
        return "workers on a cluster"
    return f"at most {worker_limit(environ)} workers"


def open_pool(database: Database, environ: Mapping[str, str] = os.environ) -> Pool:
    """The pool of this server, not started: here or where DASK_SCHEDULER_ADDRESS says."""
    address, store = environ.get(SCHEDULER, ""), WorkerStore(database)
    return DaskPool(store, address) if address else LocalPool(store)
