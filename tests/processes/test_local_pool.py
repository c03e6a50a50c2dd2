"""The pool and the worker as they are: separate processes, TensorFlow, the bundled sample."""

import dataclasses
import os

import pytest

from mnist_core.classifier import Classifier
from mnist_core.config import PRESETS
from mnist_core.data import SAMPLE_PATH, read
from mnist_core.store.run import FINISHED, LITERT, RUNNING
from tests.extras import needs
from tests.helpers import wait_for_end, wait_until
from tests.processes.helpers import submit

pytestmark = needs("processes")

SHORT = dataclasses.replace(PRESETS["classic"], epochs=1)


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_submitted_run_is_trained_by_another_process(store, pool, psutil):
    run_id = submit(store, SHORT)
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
