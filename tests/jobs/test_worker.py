import dataclasses
import logging
import os
import socket
import sqlite3
import subprocess
import sys
import threading

import numpy as np
import pytest

from mnist_core import data, errors, training
from mnist_core.analysis import explanation, maps
from mnist_core.analysis.calibration import Calibration
from mnist_core.analysis.map_study import MapKey, unpack_points
from mnist_core.analysis.predictions import Predictions
from mnist_core.checkpoint import Checkpoint
from mnist_core.classifier import Classifier
from mnist_core.config import TrainConfig
from mnist_core.errors import DownloadFailed, NotAllowed, StoreUnavailable
from mnist_core.jobs import download, errands, worker
from mnist_core.jobs import heart as heart_module
from mnist_core.jobs import recorder as recorder_module
from mnist_core.shipped import shipped_runs
from mnist_core.store import engine
from mnist_core.store.queue import DONE, STUDY
from mnist_core.store.run import (
    CALIBRATION,
    FAILED,
    FINISHED,
    INTERRUPTED,
    KERAS,
    LITERT,
    PREDICTIONS,
    RUNNING,
    STOPPED,
    WAITING,
    owner_of,
)
from mnist_core.training import export, loop, steps
from tests.extras import needs
from tests.helpers import (
    PROJECT,
    Store,
    add_worker,
    finished_run,
    reports,
    running_run,
    wait_until,
    waiting_run,
)

SMALL = TrainConfig(dense=(16,), epochs=1, batch_size=64, learning_rate=0.01)
BUSY = StoreUnavailable("The database of runs is in use by another program.")


@pytest.fixture
def run(store):
    """A run that the worker called "worker" has just claimed."""
    return running_run(store, "me", SMALL, steps=0)


# --- a whole run ---


@pytest.fixture(scope="module")
def executed(tmp_path_factory, tiny_dataset):
    """A run executed from claim to end, the store it is in, and what its listener heard."""
    store = Store(f"sqlite:///{tmp_path_factory.mktemp('executed') / 'runs.db'}")
    run = running_run(store, "me", SMALL, steps=0)
    heard = []
    yield worker.execute(store, run, "worker", tiny_dataset, heard.append), store, heard
    store.close()


def test_a_finished_run_has_its_results(executed, tiny_dataset):
    run, store, _ = executed
    assert (run.state, run.message) == (FINISHED, "")
    assert run == store.get(run.id)
    assert (run.epochs, run.parameters) == (1, 784 * 16 + 16 + 16 * 10 + 10)
    assert run.dataset == tiny_dataset.description
    assert run.test_fingerprint == tiny_dataset.test_fingerprint
    assert run.train_seconds > 0


def test_a_finished_run_knows_how_far_it_is_to_be_believed(executed):
    run, store, _ = executed
    calibration = Calibration.from_json(store.artifact(run.id, CALIBRATION))
    assert 0 < calibration.sure_from <= 1


def test_a_finished_runs_curves_are_all_stored(executed):
    run, store, heard = executed
    assert store.metrics(run.id) == heard
    assert heard[-1].epoch == 1
    assert heard[-1].validation_accuracy is not None


def test_a_finished_runs_network_answers_as_its_stored_predictions(executed, tiny_dataset):
    run, store, _ = executed
    predictions = Predictions.from_bytes(store.artifact(run.id, PREDICTIONS))
    classifier = Classifier(store.artifact(run.id, LITERT))
    answers = classifier.predict_proba(tiny_dataset.x_test)
    assert np.abs(answers - predictions.probabilities).max() < 1e-5
    assert (predictions.labels == tiny_dataset.y_test).all()
    assert predictions.correct.mean() == pytest.approx(run.test_accuracy)


def test_a_finished_runs_keras_file_loads_as_the_same_network(executed, tiny_dataset, tmp_path):
    import keras

    run, store, _ = executed
    (tmp_path / "model.keras").write_bytes(store.artifact(run.id, KERAS))
    model = keras.models.load_model(tmp_path / "model.keras")
    expected = Predictions.from_bytes(store.artifact(run.id, PREDICTIONS)).probabilities
    assert np.abs(model.predict(tiny_dataset.x_test, verbose=0) - expected).max() < 1e-5


@pytest.mark.databases
def test_a_run_told_to_stop_keeps_the_network_it_has(store, run, tiny_dataset, monkeypatch):
    monkeypatch.setattr(loop, "SECONDS_PER_CALL", 0.0)
    monkeypatch.setattr(recorder_module, "STORE_SECONDS", 0.001)
    recorders = []

    class Recorder(recorder_module.Recorder):
        def start(self):
            recorders.append(self)
            super().start()

    def stop(_):
        store.request_stop(run.id, owner_of("me"))
        wait_until(recorders[0].should_stop)

    monkeypatch.setattr(worker, "Recorder", Recorder)
    ended = worker.execute(store, run, "worker", tiny_dataset, stop)
    assert ended.state == STOPPED
    assert ended.epochs == 0
    assert ended.test_accuracy is not None
    assert 1 <= len(store.metrics(run.id)) < 6
    assert store.artifact(run.id, LITERT)


# --- a run that fails ---


def train_badly(error: BaseException):
    """Training that reports three steps and then raises."""

    def train(config, dataset, on_progress, *others):
        for report in reports(3):
            on_progress(report)
        raise error

    return train


def test_a_mistake_in_what_is_stored_ends_the_run_with_its_reason(
    store, run, tiny_dataset, monkeypatch
):
    def train(store, run, dataset, report, recorder, heart):
        report(reports(1)[0])
        recorder.flush()
        # The same step again is refused, however often it is tried.
        report(reports(1)[0])
        wait_until(recorder.should_stop)

    monkeypatch.setattr(worker, "train", train)
    ended = worker.execute(store, run, "worker", tiny_dataset)
    assert ended.state == FAILED
    assert "IntegrityError" in ended.message
    assert len(store.metrics(run.id)) == 1


class ResourceExhaustedError(Exception):
    """As TensorFlow calls it when memory runs out."""


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (errors.Diverged("The loss stopped being a number."), "The loss stopped being a number."),
        (MemoryError(), "The machine ran out of memory. Try a smaller batch size"),
        (ResourceExhaustedError("OOM"), "The machine ran out of memory. Try a smaller batch size"),
        (RuntimeError("secret/path"), "Training failed (RuntimeError). Try other settings"),
    ],
)
def test_a_failed_run_says_why_and_keeps_its_curves(
    error, message, store, run, tiny_dataset, monkeypatch
):
    logging.getLogger("mnist_core.jobs.worker").setLevel(logging.CRITICAL)
    monkeypatch.setattr(training, "train", train_badly(error))
    failed = worker.execute(store, run, "worker", tiny_dataset)
    logging.getLogger("mnist_core.jobs.worker").setLevel(logging.NOTSET)
    assert failed.state == FAILED
    assert failed.message.startswith(message)
    assert "secret" not in failed.message
    assert store.metrics(run.id) == reports(3)


@pytest.mark.databases
def test_a_run_taken_from_its_worker_is_left_as_it_is(store, run, tiny_dataset, monkeypatch):
    monkeypatch.setattr(recorder_module, "STORE_SECONDS", 0.001)

    def lose(_):
        store.remove("worker")
        wait_until(lambda: not any(t.name == "recorder" for t in threading.enumerate()))

    with pytest.raises(NotAllowed):
        worker.execute(store, run, "worker", tiny_dataset, lose)
    assert (store.get(run.id).state, store.get(run.id).version) == (WAITING, 0)


def test_a_key_pressed_at_the_command_line_interrupts_the_run(store, run, tiny_dataset):
    def press(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        worker.execute(store, run, "worker", tiny_dataset, press)
    ended = store.get(run.id)
    assert (ended.state, ended.message) == (INTERRUPTED, worker.AT_THE_KEYBOARD)
    assert store.metrics(run.id)


@pytest.mark.databases
def test_a_lost_run_goes_on_from_its_checkpoint_to_the_same_end(store, tiny_dataset, monkeypatch):
    add_worker(store)
    config = dataclasses.replace(SMALL, epochs=3, dropout=0.2)
    whole = worker.execute(store, store.begin(config, "a", "worker"), "worker", tiny_dataset)

    def lose(progress):
        if progress.epoch > 2:
            wait_until(lambda: store.get(run.id).checkpoint_step)
            raise SystemExit

    run = waiting_run(store, "b", config)
    with pytest.raises(SystemExit), heart_module.registered(store) as (worker_id, _):
        worker.execute(store, store.claim_run(worker_id), worker_id, tiny_dataset, lose)
    assert store.get(run.id).state == WAITING
    stored = store.get(run.id).checkpoint_step
    assert stored > 0
    again = worker.execute(store, store.claim_run("worker"), "worker", tiny_dataset)
    assert (again.state, again.test_accuracy) == (FINISHED, whole.test_accuracy)
    ends = [
        [(m.step, m.validation_loss) for m in store.metrics(run_id) if m.validation_loss]
        for run_id in (whole.id, run.id)
    ]
    assert ends[0] == ends[1]
    assert store.artifact(whole.id, PREDICTIONS) == store.artifact(run.id, PREDICTIONS)


def test_a_run_interrupted_at_the_keyboard_resumes_to_the_same_end(
    store, tiny_dataset, monkeypatch
):
    monkeypatch.setattr(loop, "SECONDS_PER_CALL", 0.0)
    config = dataclasses.replace(SMALL, epochs=2)
    whole = worker.execute(store, running_run(store, "a", config, steps=0), "worker", tiny_dataset)
    run = running_run(store, "b", config, steps=0)

    def press(progress):
        if progress.epoch > 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        worker.execute(store, run, "worker", tiny_dataset, press)
    told = store.metrics(run.id)
    assert [m.step for m in told if m.epoch == 1] == [store.get(run.id).checkpoint_step]
    assert told[-1].epoch > 1, "nothing that was seen is lost"
    assert store.resume(run.id, owner_of("b")).state == WAITING
    again = worker.execute(store, store.claim_run("worker"), "worker", tiny_dataset)
    assert (again.state, again.message) == (FINISHED, "")
    assert store.artifact(again.id, PREDICTIONS) == store.artifact(whole.id, PREDICTIONS)


def test_a_run_whose_checkpoint_is_damaged_says_so(store, run, tiny_dataset, caplog):
    store.report(run.id, "worker", reports(5), (5, b"PK damaged"))
    store.remove("worker")
    again = store.claim_run(add_worker(store, "next"))
    failed = worker.execute(store, again, "next", tiny_dataset)
    assert failed.state == FAILED
    assert failed.message.startswith("This run's stored state cannot be read")
    assert store.metrics(run.id) == reports(5)


def test_a_stopped_run_resumes_and_a_finished_one_goes_on(store, tiny_dataset):
    run = store.begin(SMALL, owner_of("me"), add_worker(store))
    store.request_stop(run.id, owner_of("me"))
    run = worker.execute(store, store.get(run.id), "worker", tiny_dataset)
    assert (run.state, run.epochs) == (STOPPED, 0)
    store.resume(run.id, owner_of("me"))
    run = worker.execute(store, store.claim_run("worker"), "worker", tiny_dataset)
    assert (run.state, run.epochs, run.version) == (FINISHED, SMALL.epochs, 2)
    store.resume(run.id, owner_of("me"), more_epochs=1)
    run = worker.execute(store, store.claim_run("worker"), "worker", tiny_dataset)
    assert (run.state, run.epochs, run.version) == (FINISHED, SMALL.epochs + 1, 3)
    assert [m.epoch for m in store.metrics(run.id) if m.validation_loss] == list(
        range(1, SMALL.epochs + 2)
    )


def test_a_run_whose_digits_are_gone_says_so(store, tiny_dataset, sample):
    run = store.begin(SMALL, owner_of("me"), add_worker(store))
    run = worker.execute(store, run, "worker", tiny_dataset)
    store.resume(run.id, owner_of("me"), more_epochs=1)
    logging.getLogger("mnist_core.jobs.worker").setLevel(logging.CRITICAL)
    failed = worker.execute(store, store.claim_run("worker"), "worker", sample)
    logging.getLogger("mnist_core.jobs.worker").setLevel(logging.NOTSET)
    assert failed.state == FAILED
    assert failed.message.startswith("The images this run was trained with are no longer available")
    assert failed.trained, "the network it had is kept"


def test_a_run_that_was_to_stop_when_its_worker_was_lost_stops_where_it_was(
    store, tiny_dataset, monkeypatch
):
    monkeypatch.setattr(loop, "SECONDS_PER_CALL", 0.0)
    config = dataclasses.replace(SMALL, epochs=2)
    run = waiting_run(store, "me", config)

    def stop_and_be_lost(progress):
        if progress.epoch > 1:
            wait_until(lambda: store.get(run.id).checkpoint_step)
            store.request_stop(run.id, owner_of("me"))
            raise SystemExit

    with pytest.raises(SystemExit), heart_module.registered(store) as (worker_id, _):
        worker.execute(store, store.claim_run(worker_id), worker_id, tiny_dataset, stop_and_be_lost)
    again = store.claim_run(add_worker(store))
    ended = worker.execute(store, again, "worker", tiny_dataset)
    assert (ended.state, ended.epochs, ended.version) == (STOPPED, 1, 1)
    assert store.metrics(run.id)[-1].step == ended.checkpoint_step == again.checkpoint_step


def test_a_locked_database_loses_no_report_of_a_run(
    store, run, tiny_dataset, monkeypatch, user_data
):
    monkeypatch.setattr(engine, "BUSY_SECONDS", 0.01)
    monkeypatch.setattr(loop, "SECONDS_PER_CALL", 0.0)
    monkeypatch.setattr(recorder_module, "STORE_SECONDS", 0.001)
    hasty = Store()
    held = sqlite3.connect(user_data / "runs.db", isolation_level=None)
    heard = []

    def lock(progress):
        heard.append(progress)
        if len(heard) == 1:
            held.execute("BEGIN IMMEDIATE")
        elif progress.epoch == SMALL.epochs:
            assert len(store.metrics(run.id)) <= 1, "nothing could be stored"
            held.execute("ROLLBACK")

    ended = worker.execute(hasty, run, "worker", tiny_dataset, lock)
    assert ended.state == FINISHED
    assert store.metrics(run.id) == heard
    held.close()
    hasty.close()


@pytest.mark.databases
def test_a_checkpoint_is_never_stored_without_its_epochs_end(store, run, tiny_dataset, monkeypatch):
    monkeypatch.setattr(recorder_module, "STORE_SECONDS", 0.001)
    monkeypatch.setattr(loop, "SECONDS_PER_CALL", 0.0)
    run = dataclasses.replace(run, config=dataclasses.replace(SMALL, epochs=3))
    stored = []

    def report(*arguments):
        after = Store.report(store, *arguments)
        step, ends = store.get(run.id).checkpoint_step, store.metrics(run.id)
        stored.append((step, max((m.step for m in ends if m.validation_loss), default=0)))
        return after

    monkeypatch.setattr(store, "report", report)
    worker.execute(store, run, "worker", tiny_dataset)
    assert all(checkpoint == end for checkpoint, end in stored)
    assert stored[-1] == (18, 18)


# --- storing reports ---


class Database:
    """A store that takes reports, refuses them, or wishes the run to stop."""

    has_many_writers = False

    @property
    def database(self):
        return self

    def __init__(self, run) -> None:
        self.run, self.trouble = run, None
        self.calls: list[tuple] = []

    def report(self, run_id, worker_id, new, checkpoint=None):
        if self.trouble:
            raise self.trouble
        self.calls.append((list(new), checkpoint and checkpoint[0]))
        return self.run

    def last_step(self, run_id):
        return max((report.step for report in stored(self)), default=0)


@pytest.fixture
def database(run):
    return Database(run)


@pytest.fixture
def recorder(database, monkeypatch):
    monkeypatch.setattr(recorder_module, "STORE_SECONDS", 0.005)
    recorder = recorder_module.Recorder(database, database.run, "worker")
    yield recorder
    recorder.end()


def stored(database) -> list:
    return [report for call, _ in database.calls for report in call]


def checkpoint(step: int) -> Checkpoint:
    return Checkpoint(step, 0.1, 0.0, 0.0, {}, 7, [np.zeros(2)], [])


def test_reports_are_gathered_and_stored_while_the_training_goes_on(recorder, database):
    for report in reports(50):
        recorder(report)
    recorder.start()
    wait_until(lambda: stored(database) == reports(50))
    assert len(database.calls) < 25
    assert recorder.should_stop() is False


def test_the_wish_to_stop_comes_back(recorder, database):
    recorder.start()
    assert not recorder.should_stop()
    database.run = dataclasses.replace(database.run, stop_requested=True)
    wait_until(recorder.should_stop)


def test_a_busy_database_delays_the_curves_and_loses_none(recorder, database):
    database.trouble = BUSY
    recorder.start()
    for report in reports(3):
        recorder(report)
        assert recorder.should_stop() is False
    database.trouble = None
    wait_until(lambda: stored(database) == reports(3))


def test_training_ends_when_the_run_is_no_longer_this_workers(recorder, database):
    database.trouble = NotAllowed("The run was taken from this worker.")
    recorder.start()

    def is_told():
        try:
            recorder.should_stop()
        except NotAllowed:
            return True

    wait_until(is_told)


def test_a_checkpoint_is_stored_with_the_report_of_its_epochs_end(recorder, database):
    recorder(reports(1)[0])
    recorder.keep(checkpoint(2))
    recorder.flush()
    recorder(reports(1, first=2)[0])
    recorder.flush()
    recorder.flush()
    assert database.calls == [(reports(1), None), (reports(1, first=2), 2), ([], None)]


def test_what_is_told_while_reports_are_stored_is_stored_next(recorder, database):
    report = database.report

    def told_meanwhile(*arguments):
        database.report = report
        recorder.keep(checkpoint(2))
        recorder(reports(1, first=2)[0])
        return report(*arguments)

    database.report = told_meanwhile
    recorder.keep(checkpoint(1))
    recorder(reports(1)[0])
    recorder.flush()
    recorder.flush()
    assert database.calls == [(reports(1), 1), (reports(1, first=2), 2)]


def test_a_checkpoint_that_could_not_be_stored_is_stored_later(recorder, database):
    database.trouble = BUSY
    recorder.keep(checkpoint(1))
    recorder(reports(1)[0])
    with pytest.raises(StoreUnavailable):
        recorder.flush()
    database.trouble = None
    recorder.keep(checkpoint(2))
    recorder(reports(1, first=2)[0])
    recorder.flush()
    assert database.calls == [(reports(2), 2)], "the newer one is enough"


@pytest.mark.databases
def test_what_was_stored_though_its_answer_was_lost_is_not_stored_twice(store, run, monkeypatch):
    def store_and_fall_silent(*arguments):
        Store.report(store, *arguments)
        monkeypatch.setattr(store, "report", report)
        raise BUSY

    report = store.report
    monkeypatch.setattr(store, "report", store_and_fall_silent)
    recorder = recorder_module.Recorder(store, run, "worker")
    for told in reports(4):
        recorder(told)
    recorder.keep(checkpoint(5))
    recorder(reports(1, first=5)[0])
    with pytest.raises(StoreUnavailable):
        recorder.flush()
    recorder(reports(1, first=6)[0])
    recorder.flush()
    assert store.metrics(run.id) == reports(6)
    assert store.get(run.id).checkpoint_step == 5


@pytest.mark.parametrize(
    ("took", "pause"), [(0.0, 0.1), (0.004, 0.1), (0.02, 0.4), (0.2, 2.0), (9.0, 2.0)]
)
def test_a_slow_database_gets_fewer_and_larger_batches(took, pause):
    assert recorder_module.pause_after(took) == pytest.approx(pause, rel=0.2)


def test_many_workers_that_were_kept_waiting_do_not_come_back_in_the_same_moment():
    assert len({recorder_module.pause_after(9.0) for _ in range(50)}) > 40


# --- patience ---


class Clock:
    """Time that passes only when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock():
    return Clock()


def test_a_finished_run_waits_for_a_busy_database(clock):
    answers = [BUSY, BUSY, BUSY, None]

    def complete():
        if answer := answers.pop(0):
            raise answer
        return "stored"

    assert recorder_module.patiently(complete, clock.monotonic, clock.sleep) == "stored"
    assert clock.now > 1001


def test_patience_ends_after_two_minutes(clock):
    def complete():
        raise BUSY

    with pytest.raises(StoreUnavailable):
        recorder_module.patiently(complete, clock.monotonic, clock.sleep)
    assert 1120 <= clock.now < 1125


def test_what_patience_cannot_mend_is_raised_at_once(clock):
    def complete():
        raise NotAllowed("The run was taken from this worker.")

    with pytest.raises(NotAllowed):
        recorder_module.patiently(complete, clock.monotonic, clock.sleep)
    assert clock.now == 1000


# --- being a worker ---


@pytest.mark.databases
def test_a_worker_is_seen_while_it_lives_and_gone_after(store, monkeypatch):
    monkeypatch.setattr(heart_module, "BEAT_SECONDS", 0.01)
    with heart_module.registered(store) as (worker_id, heart):
        (seen,) = store.registered()
        assert (seen.id, seen.host, seen.pid) == (worker_id, socket.gethostname(), os.getpid())
        assert not seen.ready
        heart.ready = True
        wait_until(lambda: store.registered()[0].ready)
        before = store.registered()[0].beat
        wait_until(lambda: store.registered()[0].beat > before + 3)
        assert not heart.lost
    assert store.registered() == []


@pytest.mark.databases
def test_a_worker_that_ends_in_mid_run_leaves_it_to_the_next(store):
    def begin_and_be_interrupted():
        with heart_module.registered(store) as (worker_id, _):
            run = store.begin(SMALL, owner_of("me"), worker_id)
            store.report(run.id, worker_id, reports(3))
            raise SystemExit

    with pytest.raises(SystemExit):
        begin_and_be_interrupted()
    (run,) = store.list_runs()
    assert (run.state, run.losses) == (WAITING, 1)
    assert store.metrics(run.id) == reports(3)


@pytest.mark.databases
def test_a_worker_notices_that_it_was_given_up_for_lost(store, monkeypatch):
    monkeypatch.setattr(heart_module, "BEAT_SECONDS", 0.01)
    with heart_module.registered(store) as (worker_id, heart):
        store.remove(worker_id)
        wait_until(lambda: heart.lost)


def test_a_worker_that_exports_may_be_silent_for_as_long_as_one_that_loads(
    store, tiny_dataset, monkeypatch
):
    seen = []
    keras_file = export.keras_file

    def look_and_export(model, looks):
        seen.append(store.registered()[0].ready)
        return keras_file(model, looks)

    monkeypatch.setattr(export, "keras_file", look_and_export)
    with heart_module.registered(store) as (worker_id, heart):
        heart.ready = True
        run = store.begin(SMALL, owner_of("me"), worker_id)
        worker.execute(store, run, worker_id, tiny_dataset, heart=heart)
        assert seen == [False]
        assert heart.ready


# --- taking work ---


@pytest.fixture
def trained(monkeypatch, tiny_dataset):
    """Runs that were trained, by a training that takes no time on tiny data."""
    done = []

    def execute(store, run, worker_id, dataset, on_progress=None, heart=None):
        done.append((run.id, dataset.source))
        return store.complete(run.id, worker_id, FINISHED)

    monkeypatch.setattr(worker, "execute", execute)
    monkeypatch.setattr(worker, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(data, "load_dataset", lambda: tiny_dataset)
    monkeypatch.setattr(steps, "warm_up", lambda dataset: None)
    return done


@pytest.mark.databases
def test_a_worker_takes_runs_in_order_and_ends_when_idle(store, trained):
    expected = [waiting_run(store, visitor).id for visitor in "abc"]
    worker.work(store, idle_seconds=0.1)
    assert [run_id for run_id, _ in trained] == expected
    assert all(store.get(run_id).state == FINISHED for run_id in expected)
    assert store.registered() == []


def test_a_worker_whose_server_has_ended_ends_too(store, trained, monkeypatch):
    waiting_run(store)
    parents = iter([1234])
    monkeypatch.setattr(worker.os, "getppid", lambda: next(parents, 1))
    worker.work(store, idle_seconds=1000)
    assert trained == []


def test_a_worker_that_is_told_to_leave_takes_no_more_runs(store, trained):
    first = waiting_run(store, "a")
    waiting_run(store, "b")
    worker.work(store, idle_seconds=1000, is_over=lambda: len(trained) > 0)
    assert [run_id for run_id, _ in trained] == [first.id]


def test_a_worker_may_be_given_its_name_and_needs_no_main_thread(store, trained):
    run = waiting_run(store)
    thread = threading.Thread(
        target=worker.work, args=(store, 1000, "dask-7", lambda: len(trained) > 0)
    )
    thread.start()
    thread.join()
    assert store.get(run.id).worker == "dask-7"
    assert store.get(run.id).state == FINISHED


def test_a_worker_given_up_for_lost_takes_no_more_runs(store, trained, monkeypatch):
    monkeypatch.setattr(heart_module, "BEAT_SECONDS", 0.01)
    execute = worker.execute

    def execute_and_be_lost(store, run, worker_id, dataset, heart):
        ended = execute(store, run, worker_id, dataset)
        store.remove(worker_id)
        (heart,) = [t for t in worker.threading.enumerate() if isinstance(t, heart_module.Heart)]
        wait_until(lambda: heart.lost)
        return ended

    monkeypatch.setattr(worker, "execute", execute_and_be_lost)
    first, second = waiting_run(store, "a"), waiting_run(store, "b")
    worker.work(store, idle_seconds=1000)
    assert [run_id for run_id, _ in trained] == [first.id]
    assert store.get(second.id).state == "waiting"


def test_a_run_taken_away_does_not_end_the_worker(store, trained, monkeypatch):
    execute = worker.execute

    def execute_second_only(store, run, worker_id, dataset, heart):
        if run.id == first.id:
            raise NotAllowed("The run was taken from this worker.")
        return execute(store, run, worker_id, dataset)

    monkeypatch.setattr(worker, "execute", execute_second_only)
    first, second = waiting_run(store, "a"), waiting_run(store, "b")
    worker.work(store, idle_seconds=0.1)
    assert [run_id for run_id, _ in trained] == [second.id]


def test_data_is_read_once_for_many_runs_and_again_when_better_data_comes(
    store, trained, monkeypatch, tiny_dataset
):
    reads = []
    places = iter([("sample", 0), ("sample", 0), ("sample", 0), ("keras", 1)])

    def load():
        reads.append(1)
        return tiny_dataset

    monkeypatch.setattr(data, "load_dataset", load)
    monkeypatch.setattr(data, "locate", lambda: next(places))
    for visitor in "abc":
        waiting_run(store, visitor)
    worker.work(store, idle_seconds=0.1)
    assert len(trained) == 3
    assert len(reads) == 2


@pytest.mark.parametrize(
    ("offline", "expected"),
    [
        (None, (DONE, "")),
        (True, (FAILED, "No internet connection")),
        (False, (FAILED, "The whole of MNIST could not be downloaded")),
    ],
)
@pytest.mark.databases
def test_a_worker_downloads_when_asked_and_leaves_the_reason_of_a_failure_to_the_log(
    offline, expected, store, trained, monkeypatch, caplog
):
    def fetch():
        if offline is not None:
            raise DownloadFailed("It failed ([Errno -2] Unknown name).", offline=offline)

    monkeypatch.setattr(download, "fetch", fetch)
    store.request_download()
    worker.work(store, idle_seconds=0.3)
    assert (store.download().state, store.download().message) == expected
    assert ("[Errno -2]" in caplog.text) == (offline is not None)


def test_runs_are_trained_while_the_download_goes_on(store, trained, monkeypatch):
    run = waiting_run(store)
    monkeypatch.setattr(
        download, "fetch", lambda: wait_until(lambda: store.get(run.id).state == FINISHED)
    )
    store.request_download()
    worker.work(store, idle_seconds=0.3)
    assert trained == [(run.id, "sample")]
    assert store.download().state == DONE


# --- studies ---


def map_of(dataset, features="pixels", version=0) -> str:
    return MapKey("test", dataset.test_fingerprint, features, version).text


def test_a_map_of_pixels_is_computed_and_kept(store, trained, mapped, tiny_dataset):
    key = map_of(tiny_dataset)
    store.request(key)
    worker.work(store, idle_seconds=0.2)
    study = store.find(key)
    assert (study.state, study.message) == (DONE, "")
    assert unpack_points(study.result).shape == (100, 2)
    assert np.array_equal(mapped[0], maps.pixels(tiny_dataset.x_test))
    assert store.request(key) == study, "nobody computes it again"


@pytest.mark.parametrize("shipped", [False, True])
@pytest.mark.databases
def test_a_map_of_a_network_is_made_of_its_last_hidden_layer(
    store, trained, mapped, tiny_dataset, shipped
):
    run = shipped_runs()["classic"] if shipped else finished_run(store)
    key = map_of(tiny_dataset, run.id, run.version)
    store.request(key)
    worker.work(store, idle_seconds=0.2)
    assert store.find(key).state == DONE
    network = Classifier.bundled("classic")
    assert np.array_equal(mapped[0], explanation.hidden(network.activations, tiny_dataset.x_test))


def test_runs_are_trained_while_a_map_is_computed(store, trained, monkeypatch, tiny_dataset):
    run = waiting_run(store)

    def tsne(features):
        wait_until(lambda: store.get(run.id).state == FINISHED)
        return features[:, :2]

    monkeypatch.setattr(maps, "tsne", tsne)
    store.request(map_of(tiny_dataset))
    worker.work(store, idle_seconds=0.2)
    assert trained == [(run.id, "sample")]
    assert store.find(map_of(tiny_dataset)).state == DONE


def test_a_worker_does_not_end_for_idleness_while_it_computes_a_map(
    store, trained, monkeypatch, tiny_dataset
):
    looks, claim = [], Store.claim_run

    def counted(self, worker_id):
        looks.append(1)
        return claim(self, worker_id)

    def tsne(features):
        # It looks for a run every hundredth of a second: long after it would have ended.
        wait_until(lambda: len(looks) > 30)
        return features[:, :2]

    monkeypatch.setattr(Store, "claim_run", counted)
    monkeypatch.setattr(maps, "tsne", tsne)
    store.request(map_of(tiny_dataset))
    worker.work(store, idle_seconds=0.1)
    assert store.find(map_of(tiny_dataset)).state == DONE


def test_maps_are_computed_one_after_another_in_the_order_asked_for(
    store, trained, mapped, tiny_dataset
):
    store.request(map_of(tiny_dataset, "classic"))
    store.request(map_of(tiny_dataset))
    worker.work(store, idle_seconds=0.3)
    assert [features.shape[1] for features in mapped] == [64, 784]


def test_a_download_comes_before_a_map_and_both_are_done(store, trained, monkeypatch, tiny_dataset):
    done = []

    def tsne(features):
        done.append("map")
        return features[:, :2]

    monkeypatch.setattr(maps, "tsne", tsne)
    monkeypatch.setattr(download, "fetch", lambda: done.append("download"))
    store.request(map_of(tiny_dataset))
    store.request_download()
    worker.work(store, idle_seconds=0.3)
    assert done == ["download", "map"]
    assert store.download().state == DONE
    assert store.find(map_of(tiny_dataset)).state == DONE


def test_a_map_of_digits_that_came_since_the_worker_started_is_made_of_those(
    store, trained, mapped, monkeypatch, tiny_dataset, sample
):
    at_hand = [sample]
    monkeypatch.setattr(data, "locate", lambda: (at_hand[0].test_fingerprint, "keras"))
    monkeypatch.setattr(data, "load_dataset", lambda: at_hand[0])
    monkeypatch.setattr(download, "fetch", lambda: at_hand.insert(0, tiny_dataset))
    store.request_download()
    store.request(map_of(tiny_dataset))
    worker.work(store, idle_seconds=0.3)
    assert store.find(map_of(tiny_dataset)).state == DONE


WHY = "It could not be computed; the server's log says why."


def failed(store, key: str) -> str:
    """Why there is no result of a study that was asked for."""
    store.request(key)
    worker.work(store, idle_seconds=0.2)
    study = store.find(key)
    assert (study.state, study.result) == (FAILED, None)
    return study.message


@pytest.mark.parametrize("error", [RuntimeError("boom"), MemoryError(), ValueError("a secret")])
def test_a_map_that_cannot_be_computed_is_a_sentence_and_the_rest_goes_to_the_log(
    store, trained, monkeypatch, tiny_dataset, caplog, error
):
    def tsne(features):
        raise error

    monkeypatch.setattr(maps, "tsne", tsne)
    assert failed(store, map_of(tiny_dataset)) == WHY
    assert type(error).__name__ in caplog.text


def test_a_key_of_nothing_that_is_known_is_a_sentence_and_the_worker_goes_on(
    store, trained, mapped, tiny_dataset
):
    store.request(map_of(tiny_dataset))
    assert failed(store, "umap/of/something") == WHY
    assert store.find(map_of(tiny_dataset)).state == DONE


def test_a_map_of_digits_that_are_gone_says_so(store, trained, sample, tiny_dataset):
    message = failed(store, map_of(sample))
    assert message == "The digits of this map are no longer those at hand; ask for a new one."


def test_a_map_of_a_run_that_is_gone_says_so(store, trained, tiny_dataset):
    message = failed(store, map_of(tiny_dataset, "deleted", 1))
    assert "deleted" in message
    assert message.endswith(".")


def test_a_map_of_a_run_that_went_on_says_so(store, trained, tiny_dataset):
    run = finished_run(store)
    message = failed(store, map_of(tiny_dataset, run.id, run.version + 1))
    assert message == "The network was trained further after this map was asked for."


def test_a_map_of_a_network_that_is_damaged_says_so(store, trained, tiny_dataset):
    run = running_run(store)
    run = store.complete(run.id, "worker", FINISHED, artifacts={LITERT: b"no network"})
    key = map_of(tiny_dataset, run.id, run.version)
    assert failed(store, key) == WHY


def test_a_map_that_failed_is_computed_when_it_is_asked_for_again(
    store, trained, monkeypatch, tiny_dataset
):
    answers = iter([RuntimeError("once"), None])

    def tsne(features):
        if error := next(answers):
            raise error
        return features[:, :2]

    monkeypatch.setattr(maps, "tsne", tsne)
    assert failed(store, map_of(tiny_dataset)) == WHY
    store.request(map_of(tiny_dataset))
    worker.work(store, idle_seconds=0.2)
    assert store.find(map_of(tiny_dataset)).state == DONE


@pytest.mark.parametrize("fails", [False, True])
def test_a_study_that_was_given_to_another_worker_is_left_to_it(
    store, monkeypatch, tiny_dataset, caplog, fails
):
    store.request(map_of(tiny_dataset))
    study = store.claim(add_worker(store), STUDY)

    def tsne(features):
        store.remove("worker")
        store.claim(add_worker(store, "another"), STUDY)
        if fails:
            raise RuntimeError("too late")
        return features[:, :2]

    monkeypatch.setattr(maps, "tsne", tsne)
    errands.do(store, study, lambda: tiny_dataset)
    found = store.find(study.id)
    assert (found.state, found.worker, found.result) == (RUNNING, "another", None)
    assert "The task was taken from this worker." in caplog.text


def test_a_study_waits_for_a_busy_database(store, mapped, monkeypatch, tiny_dataset):
    store.request(map_of(tiny_dataset))
    study = store.claim(add_worker(store), STUDY)
    end, busy = Store.end, iter([BUSY, BUSY])

    def at_last(self, *arguments):
        if error := next(busy, None):
            raise error
        end(self, *arguments)

    monkeypatch.setattr(Store, "end", at_last)
    errands.do(store, study, lambda: tiny_dataset)
    assert store.find(study.id).state == DONE


@pytest.mark.databases
def test_a_worker_that_ends_while_it_computes_leaves_the_study_to_the_next(store, tiny_dataset):
    store.request(map_of(tiny_dataset))
    with heart_module.registered(store) as (worker_id, _):
        assert store.claim(worker_id, STUDY).state == RUNNING
    assert store.find(map_of(tiny_dataset)).state == WAITING


# --- the process ---


def test_a_worker_without_a_database_says_so_and_ends_with_an_error(tmp_path):
    ended = subprocess.run(
        [sys.executable, "-m", "mnist_core.jobs.worker"],
        cwd=PROJECT,
        env=os.environ | {"MNIST_DATABASE_URL": f"sqlite:///{tmp_path / 'no' / 'runs.db'}"},
        capture_output=True,
        text=True,
        # Or it would put all that is started from the same terminal behind, the tests too.
        start_new_session=True,
    )
    assert ended.returncode == 1
    assert "The database of runs cannot be opened" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_nobodys_worker_is_left_in_the_database(store):
    add_worker(store, "somebody else's")
    with heart_module.registered(store):
        pass
    assert [other.id for other in store.registered()] == ["somebody else's"]


# --- what a worker loads ---


LOAD_WITH_A_THREAD = """
import sys, threading
from mnist_core.jobs import worker
end = threading.Event()
threading.Thread(target=end.wait).start()
try:
    worker.load_training_alone()
except RuntimeError as error:
    print(error)
finally:
    end.set()
print("tensorflow" in sys.modules)
"""
# The worker begins in a thread, as a Dask worker's tasks do, and looks for pandas all the time.
WORK_AMONG_OTHERS = """
import sys, threading
from mnist_core.jobs import worker
from mnist_core.store.database import Database
from mnist_core.store.workers import WorkerStore
missing = []
end = threading.Event()

def import_again_and_again():
    while not end.wait(0.001):
        if "pandas" not in sys.modules:
            try:
                import pandas
            except ImportError as error:
                missing.append(error)
                return
        elif sys.modules["pandas"] is None:
            missing.append("hidden")
            return

other = threading.Thread(target=import_again_and_again)
other.start()
worker.work(WorkerStore(Database()), idle_seconds=0)
end.set()
other.join()
print(missing)
"""


def output_of(script):
    """What a Python program of its own prints."""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=PROJECT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@needs("processes")
def test_a_worker_process_loads_no_pandas_and_can_still_import_it_later():
    script = (
        "import sys\n"
        "from mnist_core.jobs.worker import load_training_alone\n"
        "load_training_alone()\n"
        "print([name for name in ('tensorflow', 'keras', 'pandas', 'sklearn')"
        " if name in sys.modules])\n"
        "import pandas, sklearn\n"
    )
    assert output_of(script) == ["['tensorflow', 'keras']"]


@needs("processes")
def test_nothing_is_hidden_where_another_thread_could_miss_it():
    assert output_of(LOAD_WITH_A_THREAD) == [
        "Other threads would not find the modules that are hidden here.",
        "False",
    ]


@needs("processes")
def test_whoever_shares_a_process_with_a_worker_can_import_pandas_meanwhile(store):
    assert output_of(WORK_AMONG_OTHERS) == ["[]"]
