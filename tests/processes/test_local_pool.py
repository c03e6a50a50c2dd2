"""The pool and the worker as they are: separate processes, TensorFlow, the bundled sample.

Slow, because each worker loads TensorFlow; so one pool serves all tests.
"""

import dataclasses
import os
import signal

import pytest

from mnist_core.classifier import Classifier
from mnist_core.config import PRESETS
from mnist_core.data import SAMPLE_PATH, read
from mnist_core.progress import epoch_ends
from mnist_core.store.run import FINISHED, LITERT, RUNNING, STOPPED, WAITING, owner_of
from tests.extras import needs
from tests.helpers import wait_for_end, wait_until

pytestmark = needs("processes")

SHORT = dataclasses.replace(PRESETS["classic"], epochs=1)
LONG = dataclasses.replace(PRESETS["classic"], dense=(512, 512), epochs=30, batch_size=16)
FEW = dataclasses.replace(LONG, epochs=3)


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def submit(store, config, owner):
    return store.submit(config, owner_of(owner)).id


def test_a_submitted_run_is_trained_by_another_process(store, pool, psutil):
    run_id = submit(store, SHORT, "first")
    wait_until(lambda: store.get(run_id).state == RUNNING)
    (worker,) = store.registered()
    assert worker.pid != os.getpid()
    assert is_running(worker.pid)
    assert os.getpriority(os.PRIO_PROCESS, worker.pid) > os.getpriority(os.PRIO_PROCESS, 0)
    # Runs are handed over in the database only: no port is open, not even on this machine.
    wait_for_end(store, run_id)
    ports = psutil.Process(worker.pid).net_connections("inet")
    assert [port for port in ports if port.status == psutil.CONN_LISTEN] == []
    run = wait_for_end(store, run_id)
    assert (run.state, run.message, run.epochs) == (FINISHED, "", 1)
    assert run.test_accuracy > 0.8
    assert run.dataset == "Bundled sample of MNIST: 4,000 training and 1,000 test images"
    assert store.metrics(run_id)[-1].epoch == 1
    _, _, images, labels = read(SAMPLE_PATH)
    answers = Classifier(store.artifact(run_id, LITERT)).predict_proba(images)
    assert (answers.argmax(axis=1) == labels).mean() == pytest.approx(run.test_accuracy)


def test_stop_ends_a_run_within_its_epoch_and_keeps_its_network(store, pool):
    run_id = submit(store, LONG, "second")
    wait_until(lambda: store.metrics(run_id))
    store.request_stop(run_id, owner_of("second"))
    run = wait_for_end(store, run_id)
    assert run.state == STOPPED
    assert run.epochs < 30
    assert store.artifact(run_id, LITERT)


def test_a_killed_workers_run_goes_on_and_the_next_one_works(store, pool):
    run_id = submit(store, FEW, "third")
    wait_until(lambda: epoch_ends(store.metrics(run_id)))
    (worker,) = store.registered()
    ends = epoch_ends(store.metrics(run_id))
    os.kill(worker.pid, signal.SIGKILL)
    wait_until(lambda: store.get(run_id).state == WAITING)
    assert store.get(run_id).message == ""
    run = wait_for_end(store, run_id)
    assert (run.state, run.message, run.epochs) == (FINISHED, "", FEW.epochs)
    assert run.worker != worker.id
    assert epoch_ends(store.metrics(run_id))[: len(ends)] == ends
    assert [item.epoch for item in epoch_ends(store.metrics(run_id))] == [1, 2, 3]

    again = submit(store, SHORT, "third")
    run = wait_for_end(store, again)
    assert run.state == FINISHED
    assert run.worker != worker.id
