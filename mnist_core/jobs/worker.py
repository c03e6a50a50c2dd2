"""The worker: the process that trains. ``python -m mnist_core.jobs.worker``.

It takes waiting runs from the database one by one and, if asked, downloads MNIST and computes
studies at the same time. It loads TensorFlow while it waits, so that a run starts at once, and
ends after ten idle minutes to free the memory. A pool starts it; the server never imports it.
"""

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from mnist_core import data, logs
from mnist_core.analysis.predictions import Predictions
from mnist_core.checkpoint import Checkpoint
from mnist_core.errors import (
    NotAllowed,
    StoreUnavailable,
    UserError,
)
from mnist_core.jobs.errands import BEHIND_VISITORS, at_low_priority, next_errand
from mnist_core.jobs.heart import Heart, registered
from mnist_core.jobs.recorder import Recorder, patiently
from mnist_core.progress import Progress
from mnist_core.store.database import Database
from mnist_core.store.run import (
    CALIBRATION,
    CHECKPOINT,
    FAILED,
    FINISHED,
    INTERRUPTED,
    KERAS,
    LITERT,
    PREDICTIONS,
    STOPPED,
    Run,
)
from mnist_core.store.workers import WorkerStore

log = logging.getLogger("mnist_core.jobs.worker")

POLL_SECONDS = 0.1
IDLE_SECONDS = 600.0
NO_ROOM = (
    "The disk took no files of the network; perhaps it is full. The curves are kept: free some "
    "space and resume the run."
)
AT_THE_KEYBOARD = "Stopped at the keyboard. Its curves are kept."


def execute(
    store: WorkerStore,
    run: Run,
    worker_id: str,
    dataset: data.Dataset,
    on_progress: Callable[[Progress], None] | None = None,
    heart: Heart | None = None,
) -> Run:
    """Train one claimed run, from its checkpoint if it has one, and store how it ended.

    Returns:
        The run as it is now: finished, stopped or failed.

    Raises:
        NotAllowed: the run was taken from this worker while it trained.
        StoreUnavailable: the database took no result for two minutes.
    """
    recorder = Recorder(store, run, worker_id)

    def report(progress: Progress) -> None:
        recorder(progress)
        if on_progress:
            on_progress(progress)

    def complete(state: str, **values: Any) -> Run:
        recorder.end()
        if not recorder.failed:
            patiently(recorder.flush)
        return patiently(lambda: store.complete(run.id, worker_id, state, **values))

    recorder.start()
    try:
        state, results, artifacts = train(store, run, dataset, report, recorder, heart)
    except NotAllowed:
        raise
    except KeyboardInterrupt:
        complete(INTERRUPTED, message=AT_THE_KEYBOARD)
        raise
    except StoreUnavailable as error:
        log.exception("run %s cannot go on", run.id)
        return complete(INTERRUPTED, message=str(error))
    except Exception as error:
        log.exception("run %s cannot go on", run.id)
        return complete(FAILED, message=failure_message(error))
    finally:
        recorder.end()
    return complete(state, results=results, artifacts=artifacts)


def train(
    store: WorkerStore,
    run: Run,
    dataset: data.Dataset,
    report: Callable[[Progress], None],
    recorder: Recorder,
    heart: Heart | None,
) -> tuple[str, dict[str, str | float | int], dict[str, bytes]]:
    """Train a run: the state it ended in, its results and its artifacts."""
    from mnist_core import training

    result = training.train(
        run.config,
        dataset,
        report,
        recorder.should_stop,
        recorder.keep,
        stored_checkpoint(store, run),
    )
    results: dict[str, str | float | int] = {
        "dataset": dataset.description,
        "training_images": len(dataset.x_train),
        "test_images": len(dataset.x_test),
        "test_fingerprint": dataset.test_fingerprint,
        "test_accuracy": result.test_accuracy,
        "train_seconds": result.train_seconds,
        "epochs": result.epochs,
        "parameters": result.parameters,
        "checkpoint_step": result.checkpoint.step,
    }
    # Exporting a deep network keeps Python from running anything else for seconds.
    with heart.skipping() if heart else nullcontext():
        models = patiently(lambda: _models(result.model, run.config.looks))
    artifacts = {
        **models,
        PREDICTIONS: Predictions(dataset.y_test, result.test_probabilities).to_bytes(),
        CALIBRATION: result.calibration.to_json().encode(),
        CHECKPOINT: result.checkpoint.to_bytes(),
    }
    return STOPPED if result.stopped else FINISHED, results, artifacts


def load_training_alone() -> None:
    """Load TensorFlow and Keras in a process that has nothing else to do, and no other thread.

    Keras also imports pandas and scikit-learn if they are installed, for features unused here:
    115 MB of a worker's memory and a second of its start. They are hidden in the meantime, which
    the whole process would notice, so this must not be done in a shared one.

    Raises:
        RuntimeError: other threads are running.
    """
    if threading.active_count() > 1:
        raise RuntimeError("Other threads would not find the modules that are hidden here.")
    hidden = [name for name in ("pandas", "sklearn") if name not in sys.modules]
    # To Python, None stands for a module that is known to be missing.
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]
    try:
        from mnist_core import training  # noqa: F401
    finally:
        for name in hidden:
            del sys.modules[name]


def stored_checkpoint(store: WorkerStore, run: Run) -> Checkpoint | None:
    """What a run resumes from; None if it starts."""
    if not run.checkpoint_step:
        return None
    return Checkpoint.from_bytes(patiently(lambda: store.checkpoint(run.id)))


def failure_message(error: Exception) -> str:
    """One sentence for the owner of a failed run; the log has the rest."""
    kind = type(error).__name__
    if isinstance(error, UserError):
        return str(error)
    if kind in ("MemoryError", "ResourceExhaustedError"):
        return "The machine ran out of memory. Try a smaller batch size or a smaller network."
    return f"Training failed ({kind}). Try other settings; the server's log has the details."


def _models(model: object, looks: int) -> dict[str, bytes]:
    """The network as files that answer as the run does: for Keras and for LiteRT.

    Raises:
        StoreUnavailable: the disk took no temporary files.
    """
    import tensorflow as tf

    from mnist_core.training import export

    try:
        return {
            KERAS: export.keras_file(model, looks),
            LITERT: export.litert_file(model, looks),
        }
    except (OSError, tf.errors.OpError) as error:
        exhausted = isinstance(error, tf.errors.ResourceExhaustedError)
        if exhausted and "No space left" not in str(error):
            # Of memory, not of the disk.
            raise
        raise StoreUnavailable(NO_ROOM) from error


def server_gone() -> Callable[[], bool]:
    """A function that says whether the process that started this one has ended since now."""
    parent = os.getppid()
    return lambda: os.getppid() != parent


def work(
    store: WorkerStore,
    idle_seconds: float = IDLE_SECONDS,
    worker_id: str = "",
    is_over: Callable[[], bool] | None = None,
) -> None:
    """Take runs until there has been nothing to do for ``idle_seconds``.

    Args:
        worker_id: as ``registered`` takes it.
        is_over: asked between two runs whether to end early; by default ``server_gone``.
    """
    began, is_over = time.monotonic(), is_over or server_gone()
    with registered(store, worker_id) as (worker_id, heart):
        log.info("worker %s started, process %d", worker_id, os.getpid())
        # Everything that a run would have to wait for is done while nobody waits.
        from mnist_core.training import steps

        loaded = data.locate(), data.load_dataset()
        steps.warm_up(loaded[1])
        heart.ready = True
        log.info("worker %s ready after %.1f s", worker_id, time.monotonic() - began)

        def dataset() -> data.Dataset:
            """The best digits available; read again once there are better ones."""
            nonlocal loaded
            if loaded[0] != (place := data.locate()):
                loaded = place, data.load_dataset()
            return loaded[1]

        _take_runs(store, heart, worker_id, dataset, idle_seconds, is_over)


def _take_runs(
    store: WorkerStore,
    heart: Heart,
    worker_id: str,
    dataset: Callable[[], data.Dataset],
    idle_seconds: float,
    is_over: Callable[[], bool],
) -> None:
    """Train one run after the other, and do whatever else there is to do at the same time."""
    # In a thread of its own, so that nobody's training waits for it.
    errand: threading.Thread | None = None
    busy_at = time.monotonic()
    while not heart.lost:
        # A worker that is training finishes its run first.
        if is_over():
            log.info("worker %s ends because its server has ended", worker_id)
            return
        # Asked before the clock, because one query of a slow database may take longer than that.
        has_errand = errand is not None and errand.is_alive()
        if has_errand:
            busy_at = time.monotonic()
        if time.monotonic() - busy_at > idle_seconds:
            log.info("worker %s ends after %g s without work", worker_id, idle_seconds)
            return
        if not has_errand and (task := next_errand(store, worker_id, dataset)):
            errand = threading.Thread(
                target=at_low_priority, args=(task,), daemon=True, name="errand"
            )
            errand.start()
        run = patiently(lambda: store.claim_run(worker_id))
        if run is None:
            time.sleep(POLL_SECONDS)
            continue
        try:
            execute(store, run, worker_id, dataset(), heart=heart)
        except NotAllowed as error:
            log.warning("run %s: %s", run.id, error)
        busy_at = time.monotonic()
    log.warning("worker %s ends because it was given up for lost", worker_id)


def step_behind() -> None:
    """Give the server priority: thirty people wait for its answers, and one for a training run."""
    if hasattr(os, "nice"):
        os.nice(BEHIND_VISITORS)
    # Linux may also weigh sessions against each other, and a worker has its own.
    group = Path("/proc/self/autogroup")
    if group.exists():
        try:
            group.write_text(str(BEHIND_VISITORS))
        except OSError as error:
            log.info("this training process cannot lower its priority: %s", error)


def main(worker_id: str = "") -> None:
    """Be a worker process.

    Args:
        worker_id: the id by which the pool that started this process knows it.
    """
    # At once: TensorFlow takes seconds to load, in which the server may end.
    is_over = server_gone()
    logs.set_up()
    step_behind()
    # A polite kill ends the process like an error does, so that everything is closed.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        store = WorkerStore(Database())
        load_training_alone()
        idle_seconds = float(os.environ.get("MNIST_WORKER_IDLE_SECONDS", IDLE_SECONDS))
        work(store, idle_seconds, worker_id, is_over)
    except SystemExit:
        log.info("worker process %d ends because it was told to", os.getpid())
        raise
    except StoreUnavailable as error:
        log.error("worker process %d ends: %s", os.getpid(), error)
        sys.exit(1)
    except Exception:
        log.exception("worker process %d ends", os.getpid())
        sys.exit(1)


if __name__ == "__main__":
    main(*sys.argv[1:])
