"""The worker: the process that trains. ``python -m mnist_core.worker``.

It takes waiting runs from the database one by one, and beside them, if asked, downloads
MNIST and computes studies. It loads TensorFlow while it waits, so that a run starts at
once, and ends after idle minutes so that the memory comes back. jobs.py starts it; nothing
else may import it in the server.
"""

import logging
import os
import random
import signal
import socket
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from mnist_core import data, logs
from mnist_core.analysis.map_study import PIXELS, MapKey, perform
from mnist_core.analysis.predictions import pack_predictions
from mnist_core.checkpoint import Checkpoint
from mnist_core.errors import (
    DownloadFailed,
    NotAllowed,
    StoreUnavailable,
    UserError,
)
from mnist_core.progress import Progress
from mnist_core.runs import (
    CALIBRATION,
    CHECKPOINT,
    ENDED,
    FAILED,
    FINISHED,
    INTERRUPTED,
    KERAS,
    LITERT,
    PREDICTIONS,
    STOPPED,
    Run,
    RunStore,
    Worker,
)
from mnist_core.shipped import shipped_artifact, shipped_runs
from mnist_core.studies import Study, StudyStore

log = logging.getLogger("mnist_core.worker")

BEAT_SECONDS = 1.0
POLL_SECONDS = 0.1
IDLE_SECONDS = 600.0
# How much lower than the server's the priority of a training is, as nice counts it.
BEHIND_VISITORS = 9
# Reports are gathered and stored this often: more would wear the disk for nothing, less
# would be seen. A database server that is slow, perhaps because many workers report to it,
# gets fewer and larger batches: it rests twenty times as long as it took.
STORE_SECONDS, MOST_STORE_SECONDS = 0.1, 2.0
REST = 20
# How long a finished run waits for a database that does not take it.
PATIENCE_SECONDS = 120.0
NO_ROOM = (
    "The disk took no files of the network; perhaps it is full. The curves are kept: free some "
    "space and resume the run."
)
AT_THE_KEYBOARD = "Stopped at the keyboard. Its curves are kept."

T = TypeVar("T")

# Of its own, for Keras draws from Python's.
_chance = random.Random()


class Recorder:
    """Passes reports of one run on to the database, and the wish to stop back.

    In a thread of its own, so that a database which is briefly in use delays the curves
    and not the training.
    """

    def __init__(self, store: RunStore, run: Run, worker_id: str) -> None:
        self._store, self._run_id, self._worker_id = store, run.id, worker_id
        self._thread = threading.Thread(target=self._store_on, daemon=True, name="recorder")
        self._lock = threading.Lock()
        self._reports: list[Progress] = []
        self._next: Checkpoint | None = None
        self._due: Checkpoint | None = None
        self._stop = run.stop_requested
        self._trouble: Exception | None = None
        # Whether the database may have stored something without our hearing of it.
        self._unsure = False
        self._over = threading.Event()

    def __call__(self, progress: Progress) -> None:
        """Take a report."""
        with self._lock:
            self._reports.append(progress)
            if self._next:
                self._due, self._next = self._next, None

    def keep(self, checkpoint: Checkpoint) -> None:
        """Take a checkpoint: due with the next report, the one of the epoch's end. Stored
        together, neither is ever there without the other."""
        with self._lock:
            self._next = checkpoint

    def should_stop(self) -> bool:
        """True once the owner asked to stop.

        Raises:
            NotAllowed: the run is no longer this worker's.
            Exception: whatever else ended the thread.
        """
        if self._trouble:
            raise self._trouble
        return self._stop

    @property
    def failed(self) -> bool:
        """Whether what gathered cannot be stored, however often it is tried."""
        return self._trouble is not None

    def start(self) -> None:
        """Store what gathers, again and again, until the end."""
        self._thread.start()

    def _store_on(self) -> None:
        pause = STORE_SECONDS
        while not self._over.wait(pause):
            began = time.monotonic()
            try:
                self.flush()
            except StoreUnavailable:
                # They wait for the next time; schema.py told the log.
                pass
            except Exception as error:
                # Told to the training, which asks; here nobody would hear of it.
                self._trouble = error
                return
            # A file has few writers, who take turns; only a server has hundreds.
            if self._store.has_many_writers:
                pause = pause_after(time.monotonic() - began)

    def end(self) -> None:
        """Store nothing more by itself."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()

    def flush(self) -> None:
        """Store what has gathered, now."""
        if self._unsure:
            self._leave_out_stored()
        with self._lock:
            count, checkpoint = len(self._reports), self._due
            reports = self._reports[:count]
        state = (checkpoint.step, checkpoint.to_bytes()) if checkpoint else None
        self._unsure = True
        run = self._store.report(self._run_id, self._worker_id, reports, state)
        self._unsure = False
        with self._lock:
            del self._reports[:count]
            if self._due is checkpoint:
                self._due = None
        self._stop = run.stop_requested

    def _leave_out_stored(self) -> None:
        """Forget reports that the database has, whose storing seemed to fail because its answer
        was lost on the way: it would refuse them for ever. A checkpoint may be stored twice."""
        last = self._store.last_step(self._run_id)
        with self._lock:
            self._reports = [report for report in self._reports if report.step > last]


def pause_after(seconds: float) -> float:
    """How many seconds to gather reports after storing the last ones took so many."""
    return about(min(max(STORE_SECONDS, REST * seconds), MOST_STORE_SECONDS))


def about(seconds: float) -> float:
    """A little more or less, by chance: what kept many workers waiting does not make them all
    come back in the same moment, again and again."""
    return seconds * _chance.uniform(0.8, 1.2)


class Heart(threading.Thread):
    """Tells the database every second or so that this process lives."""

    def __init__(self, store: RunStore, worker_id: str) -> None:
        super().__init__(daemon=True, name="heart")
        self._store, self._worker_id = store, worker_id
        self._end = threading.Event()
        self.ready = False
        # Set once this worker was given up for lost: it must not take another run.
        self.lost = False

    def run(self) -> None:
        while not self._end.wait(about(BEAT_SECONDS)):
            self.beat()

    def beat(self) -> None:
        """Say that this process lives, and whether it is ready."""
        # A database that is away hears the next one; schema.py told the log.
        with suppress(StoreUnavailable):
            self.lost = not self._store.beat(self._worker_id, self.ready)

    @contextmanager
    def skipping(self) -> Iterator[None]:
        """While this lasts beats may fail to come, as they do while TensorFlow is loaded."""
        self.ready = False
        self.beat()
        try:
            yield
        finally:
            self.ready = True

    def end(self) -> None:
        self._end.set()
        self.join()


@contextmanager
def registered(store: RunStore, worker_id: str = "") -> Iterator[tuple[str, Heart]]:
    """Be a worker that others can see, for as long as this lasts.

    Args:
        worker_id: at most 40 signs, nobody else's; by default one by chance.
    """
    worker_id = worker_id or uuid.uuid4().hex[:10]
    store.register_worker(Worker(worker_id, socket.gethostname(), os.getpid(), 0, False))
    heart = Heart(store, worker_id)
    heart.start()
    try:
        yield worker_id, heart
    finally:
        heart.end()
        store.remove_worker(worker_id, ENDED)


def execute(
    store: RunStore,
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
    store: RunStore,
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
        PREDICTIONS: pack_predictions(result.test_probabilities, dataset.y_test),
        CALIBRATION: result.calibration.to_json().encode(),
        CHECKPOINT: result.checkpoint.to_bytes(),
    }
    return STOPPED if result.stopped else FINISHED, results, artifacts


def load_training_alone() -> None:
    """Load TensorFlow and Keras in a process that has nothing else to do, and no other thread.

    Keras also imports pandas and scikit-learn wherever they are installed, for features unused
    here: 115 MB of a worker's memory and a second of its start. They are hidden meanwhile, which
    the whole process would notice: so never in one that others use too.

    Raises:
        RuntimeError: other threads are running.
    """
    if threading.active_count() > 1:
        raise RuntimeError("Other threads would not find what is hidden here.")
    hidden = [name for name in ("pandas", "sklearn") if name not in sys.modules]
    # None stands for a module that is known not to be there.
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]
    try:
        from mnist_core import training  # noqa: F401
    finally:
        for name in hidden:
            del sys.modules[name]


def stored_checkpoint(store: RunStore, run: Run) -> Checkpoint | None:
    """Where a run goes on; None if it begins."""
    if not run.checkpoint_step:
        return None
    return Checkpoint.from_bytes(patiently(lambda: store.artifact(run.id, CHECKPOINT)))


def failure_message(error: Exception) -> str:
    """One sentence for the person whose run failed; the log has the rest."""
    kind = type(error).__name__
    if kind == "Diverged" or isinstance(error, UserError):
        return str(error)
    if kind in ("MemoryError", "ResourceExhaustedError"):
        return "The machine ran out of memory. Try a smaller batch size or a smaller network."
    return f"Training failed ({kind}). Try other settings; the server's log has the details."


def patiently(action: Callable[[], T]) -> T:
    """Do this, trying again for two minutes while the database cannot take it."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return action()
        except StoreUnavailable:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)


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


def download(store: RunStore) -> None:
    """Fetch MNIST, and say in the database how it went."""
    message, began = "", time.monotonic()
    log.info("download of MNIST started")
    try:
        data.fetch()
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
        return partial(download, store)
    # Asked first without claiming, for every claim is a transaction that writes.
    if patiently(studies.waiting) and (study := patiently(lambda: studies.claim(worker_id))):
        return partial(compute, store, studies, study, worker_id, dataset())
    return None


def aside(task: Callable[[], None]) -> None:
    """Do this in a thread of its own, where trainings have the cores first."""
    if sys.platform == "linux":
        # Only there a thread has a priority of its own.
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 2 * BEHIND_VISITORS)
    task()


def server_gone() -> Callable[[], bool]:
    """What tells whether the server that started this process has ended meanwhile."""
    parent = os.getppid()
    return lambda: os.getppid() != parent


def work(
    store: RunStore,
    idle_seconds: float = IDLE_SECONDS,
    worker_id: str = "",
    is_over: Callable[[], bool] | None = None,
) -> None:
    """Take runs until there has been nothing to do for ``idle_seconds``.

    Args:
        worker_id: as ``registered`` takes it.
        is_over: asked between two runs whether the process is wanted back; by default
            ``server_gone``.
    """
    began, is_over = time.monotonic(), is_over or server_gone()
    with registered(store, worker_id) as (worker_id, heart):
        log.info("worker %s started, process %d", worker_id, os.getpid())
        # All that a run would have to wait for is done while nobody waits.
        from mnist_core.training import steps

        loaded = data.locate(), data.load_dataset()
        steps.warm_up(loaded[1])
        heart.ready = True
        log.info("worker %s ready after %.1f s", worker_id, time.monotonic() - began)

        def dataset() -> data.Dataset:
            """The digits at hand; read again once there are better ones."""
            nonlocal loaded
            if loaded[0] != (place := data.locate()):
                loaded = place, data.load_dataset()
            return loaded[1]

        studies = StudyStore(store.url)
        # What is done beside the runs, so that nobody's training waits for it.
        errand: threading.Thread | None = None
        busy_at = time.monotonic()
        while not heart.lost:
            # One that trains ends its run first.
            if is_over():
                log.info("worker %s ends, for its server has ended", worker_id)
                return
            # Asked before the time: one look at a slow database may take longer than all of it.
            has_errand = errand is not None and errand.is_alive()
            if has_errand:
                busy_at = time.monotonic()
            if time.monotonic() - busy_at > idle_seconds:
                log.info("worker %s ends after %g s without work", worker_id, idle_seconds)
                return
            if not has_errand and (task := next_errand(store, studies, worker_id, dataset)):
                errand = threading.Thread(target=aside, args=(task,), daemon=True, name="errand")
                errand.start()
            run = patiently(lambda: store.claim(worker_id))
            if run is None:
                time.sleep(POLL_SECONDS)
                continue
            try:
                execute(store, run, worker_id, dataset(), heart=heart)
            except NotAllowed as error:
                log.warning("run %s: %s", run.id, error)
            busy_at = time.monotonic()
        log.warning("worker %s ends, for it was given up for lost", worker_id)


def step_behind() -> None:
    """Let the server have the cores first: thirty people wait for its answers, one for a
    training."""
    if hasattr(os, "nice"):
        os.nice(BEHIND_VISITORS)
    # Linux may also weigh sessions against each other, and a worker has one of its own.
    group = Path("/proc/self/autogroup")
    if group.exists():
        try:
            group.write_text(str(BEHIND_VISITORS))
        except OSError as error:
            log.info("this training process cannot step behind the server: %s", error)


def main(worker_id: str = "") -> None:
    """Be a worker process.

    Args:
        worker_id: the id by which the pool that started this process knows it.
    """
    logs.set_up()
    step_behind()
    # Ctrl-C and a polite kill leave through the same door as an error: everything closes.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        store = RunStore()
        load_training_alone()
        idle_seconds = float(os.environ.get("MNIST_WORKER_IDLE_SECONDS", IDLE_SECONDS))
        work(store, idle_seconds, worker_id)
    except SystemExit:
        log.info("worker process %d ends, for it was told to", os.getpid())
        raise
    except StoreUnavailable as error:
        log.error("worker process %d ends: %s", os.getpid(), error)
        sys.exit(1)
    except Exception:
        log.exception("worker process %d ends", os.getpid())
        sys.exit(1)


if __name__ == "__main__":
    main(*sys.argv[1:])
