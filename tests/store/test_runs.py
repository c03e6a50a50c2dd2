import dataclasses
import subprocess
import sys
import threading
from functools import partial

import pytest
import sqlalchemy as sa

from mnist_core import sweeps
from mnist_core.config import PRESETS
from mnist_core.errors import InvalidConfig, NotAllowed, RunNotFound
from mnist_core.store import engine, quotas, runs
from mnist_core.store.queue import LOST, RUN
from mnist_core.store.run import (
    ACTIVE,
    CHECKPOINT,
    FAILED,
    FINISHED,
    INTERRUPTED,
    KERAS,
    LITERT,
    PREDICTIONS,
    RUNNING,
    STOPPED,
    TEACHER,
    WAITING,
    Run,
    Trial,
    chosen,
    owner_of,
    ranked,
    runs_ahead_of,
)
from mnist_core.store.workers import Worker
from tests.helpers import (
    CLASSIC,
    PROJECT,
    Store,
    add_worker,
    at_once,
    finished_run,
    reports,
    running_run,
    waiting_run,
    waiting_sweep,
)

pytestmark = pytest.mark.databases

CONFIG = PRESETS["classic"]
FILES_OF_A_RUN = (KERAS, LITERT, PREDICTIONS)


# --- submitting ---


def test_a_new_run_waits_with_the_settings_it_was_given(store):
    config = dataclasses.replace(PRESETS["cnn"], epochs=3, learning_rate=1 / 300)
    run = waiting_run(store, "me", config)
    assert run == store.get(run.id)
    assert (run.state, run.active, run.config, run.owner) == (WAITING, True, config, owner_of("me"))
    assert (run.worker, run.stop_requested, run.message, run.test_accuracy) == (
        None, False, "", None,
    )  # fmt: skip


@pytest.mark.sqlite
def test_the_database_never_holds_a_visitors_token(store, tmp_path):
    waiting_run(store, "secret-token-of-a-visitor")
    store.close()
    for path in tmp_path.glob("runs.db*"):
        assert b"secret-token-of-a-visitor" not in path.read_bytes()


def test_a_visitor_may_have_one_run_at_a_time(store):
    first = waiting_run(store, "me")
    with pytest.raises(NotAllowed, match="You have a run in training already"):
        waiting_run(store, "me")
    waiting_run(store, "somebody else")
    store.claim_run(add_worker(store))
    with pytest.raises(NotAllowed):
        waiting_run(store, "me")
    store.complete(first.id, "worker", FINISHED)
    assert waiting_run(store, "me").state == WAITING


def test_two_clicks_at_once_make_one_run(store):
    refused = []

    def click():
        own = Store()
        try:
            waiting_run(own, "me")
        except NotAllowed:
            refused.append(1)
        own.close()

    assert at_once([click] * 8) == [None] * 8
    assert len(store.list_runs()) == 1
    assert len(refused) == 7


def test_a_full_queue_is_named(store, monkeypatch):
    monkeypatch.setattr(quotas, "MOST_ACTIVE", 3)
    for visitor in "abc":
        waiting_run(store, visitor)
    with pytest.raises(NotAllowed, match="The queue is full; try again in a few minutes"):
        waiting_run(store, "d")
    store.claim_run(add_worker(store))
    store.complete(store.list_runs(states=(RUNNING,))[0].id, "worker", FINISHED)
    waiting_run(store, "d")


# --- the queue ---


def places(store, run_id: str) -> list[str]:
    """The runs before this one."""
    return [run.id for run in runs_ahead_of(store.get(run_id), store.list_runs(states=ACTIVE))]


def test_runs_are_trained_in_the_order_they_came(store):
    first, second, third = (waiting_run(store, visitor).id for visitor in "abc")
    assert [places(store, run_id) for run_id in (first, second, third)] == [
        [],
        [first],
        [first, second],
    ]
    assert store.waiting() == 3
    add_worker(store)
    assert store.claim_run("worker").id == first
    assert places(store, second) == [first]  # behind the one that runs
    store.complete(first, "worker", FINISHED)
    assert places(store, second) == []
    assert store.claim_run("worker").id == second
    assert store.claim_run("worker").id == third
    assert store.claim_run("worker") is None
    assert store.waiting() == 0


def test_a_claimed_run_belongs_to_its_worker(store):
    run = waiting_run(store)
    claimed = store.claim_run(add_worker(store, "w1"))
    assert claimed == store.get(run.id)
    assert (claimed.state, claimed.worker) == (RUNNING, "w1")


def test_each_run_is_given_to_exactly_one_of_many_workers(store, monkeypatch):
    monkeypatch.setattr(engine, "BUSY_SECONDS", 60)
    expected = {waiting_run(store, f"visitor {i}").id for i in range(30)}
    claimed: list[tuple[str, str]] = []
    ready = threading.Barrier(6)

    def work(worker_id):
        own = Store()
        add_worker(own, worker_id)
        ready.wait()
        while run := own.claim_run(worker_id):
            claimed.append((run.id, worker_id))
        own.close()

    assert at_once([partial(work, f"w{i}") for i in range(6)]) == [None] * 6
    assert len(claimed) == 30
    assert {run_id for run_id, _ in claimed} == expected
    assert {(run.id, run.worker) for run in store.list_runs()} == set(claimed)


def test_each_run_is_given_to_exactly_one_of_many_processes(store):
    expected = {waiting_run(store, f"visitor {i}").id for i in range(20)}
    code = (
        "import sys; from mnist_core.store import engine; engine.BUSY_SECONDS = 60\n"
        "from mnist_core.store.workers import Worker\n"
        "from tests.helpers import Store\n"
        "store = Store(); store.register(Worker(sys.argv[1], 'here', 1, 0, True))\n"
        "while run := store.claim_run(sys.argv[1]): print(run.id)"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code, f"w{i}"], cwd=PROJECT, stdout=subprocess.PIPE, text=True
        )
        for i in range(3)
    ]
    claimed = [run_id for process in processes for run_id in process.communicate()[0].split()]
    assert sorted(claimed) == sorted(expected)


# --- stopping ---


def test_only_the_owner_may_stop_a_run(store):
    run = running_run(store, "me")
    with pytest.raises(NotAllowed, match="Only the person who started a run can do that"):
        store.request_stop(run.id, owner_of("somebody else"))
    assert not store.get(run.id).stop_requested
    store.request_stop(run.id, owner_of("me"))
    assert store.get(run.id).stop_requested
    assert store.get(run.id).state == RUNNING


def test_the_worker_hears_of_the_wish_to_stop_when_it_reports(store):
    run = running_run(store, "me")
    assert not store.report(run.id, "worker", []).stop_requested
    store.request_stop(run.id, owner_of("me"))
    assert store.report(run.id, "worker", reports(1, first=13)).stop_requested


def test_a_run_that_waits_stops_at_once_and_is_never_trained(store):
    run = waiting_run(store, "me")
    store.request_stop(run.id, owner_of("me"))
    stopped = store.get(run.id)
    assert (stopped.state, stopped.message) == (INTERRUPTED, "Stopped before it began.")
    assert store.claim_run(add_worker(store)) is None
    assert waiting_run(store, "me").state == WAITING


def test_a_run_that_waits_to_go_on_keeps_what_it_has_when_stopped(store):
    run = stored_run(store, "me")
    store.remove("worker")
    store.request_stop(run.id, owner_of("me"))
    stopped = store.get(run.id)
    assert (stopped.state, stopped.message) == (INTERRUPTED, runs.PAUSED)
    store.resume(run.id, owner_of("me"))
    assert store.claim_run(add_worker(store, "next")).checkpoint_step == 10
    assert store.metrics(run.id) == reports(10)


def test_a_run_lost_before_its_first_checkpoint_was_not_stopped_before_it_began(store):
    run = running_run(store, "me")
    store.remove("worker")
    store.request_stop(run.id, owner_of("me"))
    assert store.get(run.id).message == runs.PAUSED
    assert store.metrics(run.id) == reports(12)


def test_the_wish_to_stop_outlives_the_worker(store):
    run = running_run(store, "me")
    store.request_stop(run.id, owner_of("me"))
    store.remove("worker")
    assert store.claim_run(add_worker(store, "next")).stop_requested


def test_stopping_what_has_ended_changes_nothing_one_can_see(store):
    run = finished_run(store, "me")
    store.request_stop(run.id, owner_of("me"))
    after = store.get(run.id)
    assert (after.state, after.test_accuracy) == (FINISHED, run.test_accuracy)


def test_an_unknown_run_is_not_found(store):
    for action in (
        lambda: store.get("nothing"),
        lambda: store.request_stop("nothing", owner_of("me")),
        lambda: store.resume("nothing", owner_of("me")),
        lambda: store.rename("nothing", owner_of("me"), "x"),
        lambda: store.pin("nothing", owner_of("me"), True),
        lambda: store.delete("nothing", owner_of("me")),
        lambda: store.artifact("nothing", LITERT),
    ):
        with pytest.raises(RunNotFound) as caught:
            action()
        assert str(caught.value).endswith(".")
    assert store.metrics("nothing") == []


# --- curves and results ---


def test_curves_are_given_back_as_they_were_reported(store):
    run = running_run(store, steps=0)
    store.report(run.id, "worker", reports(7))
    store.report(run.id, "worker", [])
    store.report(run.id, "worker", reports(5, first=8))
    assert store.metrics(run.id) == reports(12)
    assert store.metrics(run.id, after_step=7) == reports(5, first=8)
    assert store.metrics(run.id, after_step=12) == []


def test_the_last_step_is_that_of_the_latest_report(store):
    run = running_run(store, steps=0)
    assert store.last_step(run.id) == 0
    store.report(run.id, "worker", reports(7))
    assert store.last_step(run.id) == 7
    assert store.last_step("nothing") == 0


@pytest.mark.sqlite
def test_an_empty_report_only_reads(store, user_data):
    run = running_run(store)
    looking = Store(f"sqlite:///file:{user_data / 'runs.db'}?mode=ro&uri=true")
    assert looking.report(run.id, "worker", []) == run
    with pytest.raises(NotAllowed, match="taken from this worker"):
        looking.report(run.id, "other", [])
    looking.close()


def test_each_run_has_its_own_curves(store):
    one, other = running_run(store, "a", steps=4), running_run(store, "b", steps=9)
    assert len(store.metrics(one.id)) == 4
    assert len(store.metrics(other.id)) == 9


def test_a_finished_run_has_its_results_and_its_network(store):
    run = finished_run(store, test_accuracy=0.9876, epochs=8)
    assert store.get(run.id) == run
    assert (run.state, run.active, run.test_accuracy, run.epochs) == (FINISHED, False, 0.9876, 8)
    assert run.parameters == 109_386
    assert store.artifact(run.id, LITERT) == (CLASSIC / "model.tflite").read_bytes()
    assert store.artifact(run.id, KERAS) == (CLASSIC / "model.keras").read_bytes()


def test_a_run_without_a_network_says_so(store):
    run = running_run(store)
    with pytest.raises(RunNotFound, match=rf"Run {run.id} has no litert stored"):
        store.artifact(run.id, LITERT)


def test_a_worker_cannot_touch_a_run_that_is_not_its_own(store):
    run = running_run(store, worker_id="mine")
    add_worker(store, "other")
    for action in (
        lambda: store.report(run.id, "other", reports(1, first=13)),
        lambda: store.complete(run.id, "other", FINISHED),
    ):
        with pytest.raises(NotAllowed, match="taken from this worker"):
            action()
    assert store.get(run.id) == run
    assert len(store.metrics(run.id)) == 12


def test_a_worker_given_up_for_lost_cannot_finish_its_run(store):
    run = running_run(store)
    store.remove("worker")
    with pytest.raises(NotAllowed):
        store.complete(run.id, "worker", FINISHED, artifacts={LITERT: b"late"})
    assert store.get(run.id).state == WAITING
    with pytest.raises(RunNotFound):
        store.artifact(run.id, LITERT)


def test_lists_are_newest_first_and_by_state_and_owner(store):
    finished = finished_run(store, "a")
    stopped = finished_run(store, "b", state=STOPPED)
    waiting = waiting_run(store, "a")

    def ids(**which):
        return [run.id for run in store.list_runs(**which)]

    assert ids() == [waiting.id, stopped.id, finished.id]
    assert ids(states=(FINISHED, STOPPED)) == [stopped.id, finished.id]
    assert ids(owner=owner_of("a")) == [waiting.id, finished.id]
    assert ids(owner=owner_of("a"), states=(WAITING,)) == [waiting.id]
    assert ids(owner=owner_of("nobody")) == []


# --- workers that end ---


def test_a_dead_workers_run_waits_for_the_next_and_its_curves_stay(store):
    run = running_run(store, worker_id="dead")
    spared = running_run(store, "other", worker_id="alive")
    store.remove("dead")
    after = store.get(run.id)
    assert (after.state, after.message, after.losses) == (WAITING, "", 1)
    assert store.metrics(run.id) == reports(12)
    assert store.get(spared.id) == spared
    assert [worker.id for worker in store.registered()] == ["alive"]


def test_what_a_dead_worker_had_finished_stays_finished(store):
    run = finished_run(store, worker_id="dead")
    store.remove("dead")
    assert store.get(run.id) == run


def test_beats_count_up_until_the_worker_is_given_up_for_lost(store):
    store.register(Worker("w", "host", 42, 0, False))
    assert store.beat("w", ready=False)
    assert store.beat("w", ready=True)
    assert store.registered() == [Worker("w", "host", 42, 2, True)]
    store.remove("w")
    assert not store.beat("w", ready=True)
    assert store.registered() == []


def test_a_worker_given_up_for_lost_gets_no_other_run(store):
    run = waiting_run(store)
    add_worker(store, "lost")
    store.remove("lost")
    # Nobody would notice if it died with it.
    assert store.claim_run("lost") is None
    assert store.get(run.id).state == WAITING


CRASH = """
import os, signal, sys
import sqlalchemy as sa
from tests.helpers import Store

store = Store()
stored = []

def die(connection, cursor, statement, *rest):
    if statement.startswith("INSERT INTO artifacts"):
        stored.append(statement)
    if len(stored) == 2:
        os.kill(os.getpid(), signal.SIGKILL)

sa.event.listen(store.database.engine, "after_cursor_execute", die)
store.complete(
    sys.argv[1], "worker", "finished",
    results={"test_accuracy": 0.5}, artifacts={"keras": b"first", "litert": b"second"},
)
print("survived")
"""


def test_a_crash_in_the_middle_of_completing_leaves_the_old_state(store):
    run = running_run(store)
    crash = subprocess.run(
        [sys.executable, "-c", CRASH, run.id], cwd=PROJECT, capture_output=True, text=True
    )
    assert crash.returncode == -9, crash
    assert store.get(run.id) == run
    assert store.metrics(run.id) == reports(12)
    with pytest.raises(RunNotFound):
        store.artifact(run.id, KERAS)
    done = store.complete(run.id, "worker", FINISHED, artifacts={KERAS: b"k", LITERT: b"l"})
    assert (done.state, store.artifact(run.id, KERAS)) == (FINISHED, b"k")


def test_a_change_that_fails_half_way_changes_nothing(store):
    run = running_run(store)
    with pytest.raises(sa.exc.IntegrityError):
        store.report(run.id, "worker", [*reports(1, first=13), *reports(1, first=13)])
    assert store.metrics(run.id) == reports(12)


# --- going on ---


def stored_run(store, owner="me", *, steps=12, at=10, config=None) -> Run:
    """A run that runs, with reports and a checkpoint."""
    run = running_run(store, owner, config, steps=0)
    store.report(run.id, "worker", reports(at), (at, b"state"))
    return store.report(run.id, "worker", reports(steps - at, first=at + 1))


def test_a_lost_run_goes_first_and_on_from_its_checkpoint(store):
    run = stored_run(store)
    other, ended = waiting_run(store, "other"), finished_run(store, "past", worker_id="past")
    store.remove("worker")
    assert store.metrics(run.id) == reports(12), "nothing vanishes while it waits"
    assert places(store, other.id) == [run.id]
    again = store.claim_run(add_worker(store, "next"))
    assert (again.id, again.checkpoint_step, again.turn) == (run.id, 10, run.turn)
    assert store.artifact(run.id, CHECKPOINT) == b"state"
    assert store.metrics(run.id) == reports(10), "the rest will be reported again"
    assert store.metrics(ended.id) == reports(20)


def test_a_run_without_a_checkpoint_begins_again(store):
    run = running_run(store)
    store.remove("worker")
    again = store.claim_run(add_worker(store, "next"))
    assert (again.id, again.checkpoint_step, store.metrics(run.id)) == (run.id, 0, [])


def lose(store, worker_id: str) -> Run:
    """The waiting run is taken by a worker that is lost at once; the run after that."""
    run = store.claim_run(add_worker(store, worker_id))
    store.remove(worker_id)
    return store.get(run.id)


def test_a_run_that_loses_three_workers_at_one_place_is_not_tried_again(store):
    waiting_run(store, "me")
    assert [lose(store, name).state for name in "ab"] == [WAITING, WAITING]
    run = lose(store, "c")
    assert (run.state, run.message) == (INTERRUPTED, LOST[RUN][1])
    assert store.resume(run.id, owner_of("me")).losses == 0


def test_the_end_of_a_run_forgives_its_losses(store):
    run = waiting_run(store, "me")
    for name in "ab":
        lose(store, name)
    store.claim_run(add_worker(store))
    assert store.complete(run.id, "worker", STOPPED, artifacts={KERAS: b"k"}).losses == 0


def test_a_checkpoint_shows_that_a_run_gets_on(store):
    waiting_run(store, "me")
    for name in "abcdef":
        run = store.claim_run(add_worker(store, name))
        step = run.checkpoint_step + 5
        store.report(run.id, name, reports(5, first=step - 4), (step, b"state"))
        store.remove(name)
    assert store.get(run.id).state == WAITING
    assert store.metrics(run.id) == reports(30)


def test_a_checkpoint_and_its_reports_appear_together_or_not_at_all(store):
    run = stored_run(store)
    with pytest.raises(NotAllowed):
        store.report(run.id, add_worker(store, "other"), reports(3, first=13), (15, b"late"))
    with pytest.raises(sa.exc.IntegrityError):
        store.report(run.id, "worker", reports(1, first=12), (15, b"twice"))
    assert store.artifact(run.id, CHECKPOINT) == b"state"
    assert store.get(run.id).checkpoint_step == 10


def test_a_worker_that_beats_again_is_not_removed(store):
    run = running_run(store)
    store.beat("worker", ready=True)
    assert not store.remove("worker", beat=0)
    assert store.get(run.id).state == RUNNING
    assert store.remove("worker", beat=1)
    assert store.get(run.id).state == WAITING


def extendable_run(store, owner: str) -> Run:
    """A finished run that has all it needs to go on."""
    run = running_run(store, owner)
    return store.complete(
        run.id,
        "worker",
        FINISHED,
        results={"test_accuracy": 0.9, "checkpoint_step": 12},
        artifacts={LITERT: b"l", CHECKPOINT: b"state"},
    )


@pytest.mark.parametrize("state", [STOPPED, INTERRUPTED])
def test_its_owner_may_resume_what_did_not_finish(store, state):
    run = finished_run(store, "me", state=state, message="Lost." * (state == INTERRUPTED))
    other = waiting_run(store, "other")
    again = store.resume(run.id, owner_of("me"))
    assert (again.state, again.config, again.message) == (WAITING, run.config, "")
    assert len(runs_ahead_of(again, store.list_runs(states=ACTIVE))) == 1, "at the end of the queue"
    assert store.metrics(run.id) == reports(20)
    assert again.trained, "its network may be used meanwhile"
    assert [store.claim_run("worker").id for _ in range(2)] == [other.id, run.id]


def test_a_run_that_was_stopped_is_not_stopped_again_when_it_goes_on(store):
    run = running_run(store, "me")
    store.request_stop(run.id, owner_of("me"))
    store.complete(run.id, "worker", STOPPED, artifacts={KERAS: b"k"})
    assert not store.resume(run.id, owner_of("me")).stop_requested


def test_a_finished_run_may_have_more_epochs(store):
    run = extendable_run(store, "me")
    again = store.resume(run.id, owner_of("me"), 4)
    assert (again.state, again.trained, again.resumable) == (WAITING, True, False)
    assert again.config == dataclasses.replace(run.config, more_epochs=(4,))
    store.claim_run(add_worker(store))
    store.complete(run.id, "worker", FINISHED)
    again = store.resume(run.id, owner_of("me"), 2)
    assert again.config.more_epochs == (4, 2)


@pytest.mark.parametrize("more", [-1, 0.5, 23, 1000])
def test_more_epochs_than_are_allowed_change_nothing(more, store):
    run = extendable_run(store, "me")
    with pytest.raises(InvalidConfig):
        store.resume(run.id, owner_of("me"), more)
    assert store.get(run.id) == run


def test_a_longer_run_that_is_withdrawn_keeps_its_network_and_can_go_on(store):
    run = extendable_run(store, "me")
    store.resume(run.id, owner_of("me"), 4)
    store.request_stop(run.id, owner_of("me"))
    stopped = store.get(run.id)
    assert (stopped.state, stopped.trained, stopped.test_accuracy) == (
        STOPPED, True, run.test_accuracy,
    )  # fmt: skip
    assert store.artifact(run.id, LITERT) == b"l"
    assert store.resume(run.id, owner_of("me")).config.more_epochs == (4,)


def test_what_cannot_go_on_says_so(store):
    finished = finished_run(store, "a")
    with pytest.raises(NotAllowed, match=r"^This run is finished and cannot resume"):
        store.resume(finished.id, owner_of("a"))
    with pytest.raises(NotAllowed, match="trained before runs could resume"):
        store.resume(finished.id, owner_of("a"), 1)
    failed = finished_run(store, "b", state=FAILED)
    with pytest.raises(NotAllowed, match=r"^This run is failed"):
        store.resume(failed.id, owner_of("b"))
    running = running_run(store, "c")
    with pytest.raises(NotAllowed):
        store.resume(running.id, owner_of("c"))
    stopped = finished_run(store, "d", state=STOPPED)
    waiting_run(store, "d")
    with pytest.raises(NotAllowed, match="You have a run in training already"):
        store.resume(stopped.id, owner_of("d"))


def test_a_network_trained_further_replaces_the_one_before(store):
    run = finished_run(store, "me", state=STOPPED)
    assert run.version == 1
    store.resume(run.id, owner_of("me"))
    store.claim_run("worker")
    again = store.complete(run.id, "worker", FINISHED, artifacts={KERAS: b"new"})
    assert (again.version, store.artifact(run.id, KERAS)) == (2, b"new")
    assert [found.id for found in store.list_runs(trained=True)] == [run.id]


def test_a_run_that_fails_while_it_goes_on_keeps_the_network_it_had(store):
    run = extendable_run(store, "me")
    store.resume(run.id, owner_of("me"), 4)
    store.claim_run("worker")
    failed = store.complete(run.id, "worker", FAILED, message="It diverged.")
    assert (failed.version, failed.test_accuracy) == (1, 0.9)
    assert store.artifact(run.id, LITERT) == b"l"
    assert [found.id for found in store.list_runs(trained=True)] == [run.id]


def test_two_clicks_on_resume_let_a_run_go_on_once(store):
    run = extendable_run(store, "me")
    store.resume(run.id, owner_of("me"), 4)
    with pytest.raises(NotAllowed):
        store.resume(run.id, owner_of("me"), 4)
    assert store.get(run.id).config.more_epochs == (4,)


def test_a_full_queue_takes_no_run_that_would_go_on(store, monkeypatch):
    run = extendable_run(store, "me")
    waiting_run(store, "other")
    monkeypatch.setattr(quotas, "MOST_ACTIVE", 1)
    with pytest.raises(NotAllowed, match="The queue is full"):
        store.resume(run.id, owner_of("me"), 4)
    assert store.get(run.id) == run


# --- one's own runs ---


def test_a_run_is_renamed_pinned_and_deleted_by_its_owner_only(store):
    run = finished_run(store, "me")
    for action in (
        lambda owner: store.rename(run.id, owner, "Mine"),
        lambda owner: store.pin(run.id, owner, True),
        lambda owner: store.resume(run.id, owner),
        lambda owner: store.delete(run.id, owner),
    ):
        for stranger in (owner_of("other"), "", run.owner[:-1]):
            with pytest.raises(NotAllowed, match="Only the person who started a run"):
                action(stranger)
    assert store.get(run.id) == run
    store.rename(run.id, run.owner, "  Éva's 2nd   try (0,5) ")
    store.pin(run.id, run.owner, True)
    assert (store.get(run.id).name, store.get(run.id).pinned) == ("Éva's 2nd try (0,5)", True)
    store.delete(run.id, run.owner)
    with pytest.raises(RunNotFound):
        store.get(run.id)
    assert rows(store, "metrics") == rows(store, "artifacts") == 0


def test_a_run_or_a_sweep_is_submitted_with_a_name_or_not_at_all(store):
    run = store.submit(CONFIG, owner_of("me"), name=" Ada  L ")
    assert (run.name, store.get(run.id).name) == ("Ada L", "Ada L")
    sweep = store.submit_sweep([CONFIG] * 2, owner_of("me"), name="Ada")
    assert [run.name for run in sweep] == ["Ada", "Ada"]
    assert waiting_run(store, "other").name == ""
    with pytest.raises(NotAllowed, match="A name has at most 40 letters"):
        store.submit(CONFIG, owner_of("third"), name="a\x00b")
    with pytest.raises(NotAllowed, match="A name has at most 40 letters"):
        store.submit_sweep([CONFIG], owner_of("third"), name="<b>")
    with pytest.raises(NotAllowed, match="A name has at most 40 letters"):
        store.rename(run.id, run.owner, "*")
    assert store.get(run.id).name == "Ada L"
    assert len(store.list_runs()) == 4


@pytest.mark.parametrize("name", ["", "  ", "\t\n"])
def test_a_name_of_nothing_takes_the_name_away(name, store):
    run = finished_run(store, "me")
    store.rename(run.id, run.owner, "x" * 40)
    store.rename(run.id, run.owner, name)
    assert store.get(run.id) == run


def test_an_accent_typed_as_a_sign_of_its_own_is_the_letters(store):
    run = finished_run(store, "me")
    store.rename(run.id, run.owner, "E\N{COMBINING ACUTE ACCENT}va 日本")
    assert store.get(run.id).name == "Éva 日本"


def test_of_many_curves_only_both_ends_are_read(store):
    trained, quiet = running_run(store, "a"), waiting_run(store, "b")
    points = store.metrics(trained.id)
    assert len(points) > 2
    ends = store.first_and_last_reports([trained.id, quiet.id])
    assert ends == {trained.id: [points[0], points[-1]]}
    assert store.first_and_last_reports([]) == {}


def test_a_run_in_training_is_not_deleted(store):
    for run in (running_run(store, "me"), waiting_run(store, "other")):
        with pytest.raises(NotAllowed, match="stop it first"):
            store.delete(run.id, run.owner)
        assert store.get(run.id) == run


def test_pins_are_few(store, monkeypatch):
    mine = [finished_run(store, "me").id for _ in range(4)]
    for run_id in mine[:3]:
        store.pin(run_id, owner_of("me"), True)
    with pytest.raises(NotAllowed, match="You can keep 3 runs"):
        store.pin(mine[3], owner_of("me"), True)
    store.pin(mine[0], owner_of("me"), True)  # a second click
    store.pin(mine[0], owner_of("me"), False)
    store.pin(mine[3], owner_of("me"), True)
    monkeypatch.setattr(quotas, "MOST_PINNED", 3)
    other = finished_run(store, "other")
    with pytest.raises(NotAllowed, match="as there is room for"):
        store.pin(other.id, other.owner, True)


# --- forgetting ---


def rows(store, table: str) -> int:
    with store.database.engine.connect() as connection:
        return connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar()


def test_the_oldest_runs_are_forgotten_with_their_curves_and_networks(store, monkeypatch):
    monkeypatch.setattr(quotas, "MOST_STORED", 3)
    ended = [finished_run(store, visitor).id for visitor in "abcd"]
    assert [run.id for run in store.list_runs()] == ended[:0:-1]
    assert rows(store, "metrics") == 3 * 20
    assert rows(store, "artifacts") == 3 * 3
    assert store.metrics(ended[0]) == []


def test_a_run_that_is_not_over_is_never_forgotten(store, monkeypatch):
    monkeypatch.setattr(quotas, "MOST_STORED", 2)
    running = running_run(store, "first")
    ended = [finished_run(store, visitor).id for visitor in "abc"]
    assert store.get(running.id).state == RUNNING
    assert [run.id for run in store.list_runs()] == [ended[2], ended[1], running.id]


def test_a_pinned_run_is_never_forgotten(store, monkeypatch):
    monkeypatch.setattr(quotas, "MOST_STORED", 2)
    pinned = finished_run(store, "first")
    store.pin(pinned.id, owner_of("first"), True)
    ended = [finished_run(store, visitor).id for visitor in "abc"]
    assert [run.id for run in store.list_runs()] == [ended[2], pinned.id]
    store.pin(pinned.id, owner_of("first"), False)
    last = finished_run(store, "d")
    assert [run.id for run in store.list_runs()] == [last.id, ended[2]]


def test_the_oldest_are_forgotten_when_models_take_too_much_of_the_disk(store, monkeypatch):
    size = sum(len(store.artifact(finished_run(store, "a").id, kind)) for kind in FILES_OF_A_RUN)
    monkeypatch.setattr(quotas, "MOST_BYTES", 2 * size + 10)
    ended = [finished_run(store, visitor).id for visitor in "bc"]
    assert [run.id for run in store.list_runs()] == ended[::-1]


def test_what_is_pinned_or_active_stays_however_large_it_is(store, monkeypatch):
    pinned, running = finished_run(store, "a"), stored_run(store, "b")
    store.pin(pinned.id, owner_of("a"), True)
    past = finished_run(store, "c")
    monkeypatch.setattr(quotas, "MOST_BYTES", 10)
    waiting = waiting_run(store, "d")
    assert {run.id for run in store.list_runs()} == {pinned.id, running.id, waiting.id}
    with pytest.raises(RunNotFound):
        store.get(past.id)
    ended = store.complete(running.id, "worker", FINISHED, artifacts={KERAS: b"k" * 99})
    assert store.get(running.id) == ended, "what just ended is never what is forgotten"


def test_a_run_that_went_on_counts_as_new(store, monkeypatch):
    first, second = finished_run(store, "a", state=STOPPED), finished_run(store, "b")
    store.resume(first.id, owner_of("a"))
    store.claim_run("worker")
    store.complete(first.id, "worker", FINISHED)
    monkeypatch.setattr(quotas, "MOST_STORED", 1)
    third = waiting_run(store, "c")
    assert {run.id for run in store.list_runs()} == {first.id, third.id}
    assert second.id not in {run.id for run in store.list_runs()}


def test_a_long_queue_pushes_no_network_out(store, monkeypatch):
    monkeypatch.setattr(quotas, "MOST_STORED", 3)
    trained = [finished_run(store, visitor).id for visitor in "abc"]
    for student in range(4):
        waiting_sweep(store, f"student {student}", (0.001, 0.01, 0.1))
    assert [run.id for run in store.list_runs(trained=True)] == trained[::-1]


def test_what_a_class_trains_and_sweeps_is_still_there_when_all_of_it_is_done(store):
    for student in range(40):
        waiting_run(store, f"student {student}")
        store.submit_sweep([CONFIG] * 6, owner_of(f"student {student}"))
    assert len(claimed_in_order(store)) == 40 + 40 * 6
    assert len(store.list_runs(states=(FINISHED,))) == 40 + 40 * 6


def test_whoever_trains_all_day_pushes_out_their_own_runs_and_not_others(store, monkeypatch):
    share = 1 + sweeps.MOST_RUNS
    monkeypatch.setattr(quotas, "MOST_STORED", share + 2)
    others = [finished_run(store, visitor).id for visitor in "ab"]
    mine = [finished_run(store, "me").id for _ in range(share + 3)]
    assert [run.id for run in store.list_runs()] == [*mine[: -share - 1 : -1], *others[::-1]]


def test_runs_that_were_stopped_before_they_began_push_no_network_out(store, monkeypatch):
    monkeypatch.setattr(quotas, "MOST_STORED", 3)
    trained = [finished_run(store, visitor).id for visitor in "ab"]
    for number in range(10):
        withdrawn = waiting_run(store, f"stranger {number}")
        store.request_stop(withdrawn.id, withdrawn.owner)
    # One has room, and the newest takes it with the next change.
    assert [run.id for run in store.list_runs(trained=True)] == trained[::-1]
    assert len(store.list_runs()) == 2 + 2


# --- an address among many ---


def test_one_address_may_have_most_of_the_queue_but_not_all_of_it(store, monkeypatch):
    monkeypatch.setattr(quotas, "MOST_ACTIVE", 8)
    monkeypatch.setattr(quotas, "MOST_ACTIVE_EACH_ADDRESS", 5)
    school = set()
    for student in range(5):
        run = store.submit(PRESETS["classic"], owner_of(f"student {student}"), school)
        school.add(run.id)
    with pytest.raises(NotAllowed, match="Your network has as many runs"):
        store.submit(PRESETS["classic"], owner_of("one more student"), school)
    for number in range(3):
        assert store.submit(PRESETS["classic"], owner_of(f"elsewhere {number}"), ()).active
    with pytest.raises(NotAllowed, match="queue is full"):
        store.submit(PRESETS["classic"], owner_of("last"), ())


def test_an_address_gets_its_places_back_as_its_runs_end(store, monkeypatch):
    monkeypatch.setattr(quotas, "MOST_ACTIVE_EACH_ADDRESS", 1)
    first = store.submit(PRESETS["classic"], owner_of("a"))
    with pytest.raises(NotAllowed, match="Your network has as many runs"):
        store.submit(PRESETS["classic"], owner_of("b"), {first.id})
    store.request_stop(first.id, owner_of("a"))
    second = store.submit(PRESETS["classic"], owner_of("b"), {first.id})
    with pytest.raises(NotAllowed, match="Your network has as many runs"):
        store.resume(first.id, owner_of("a"), same_address={first.id, second.id})


# --- the teacher ---


def test_no_visitor_is_taken_for_the_teacher():
    assert len(owner_of("")) == 64 != len(TEACHER)
    assert owner_of(TEACHER) != TEACHER


def test_the_teacher_stops_resumes_renames_keeps_and_deletes_any_run(store):
    run = waiting_run(store)
    store.request_stop(run.id, TEACHER)
    assert store.get(run.id).state == INTERRUPTED
    assert store.resume(run.id, TEACHER).state == WAITING
    assert store.get(run.id).owner == run.owner, "it stays its visitor's"
    store.request_stop(run.id, TEACHER)
    store.rename(run.id, TEACHER, "Hers")
    store.pin(run.id, TEACHER, True)
    assert (store.get(run.id).name, store.get(run.id).pinned) == ("Hers", True)
    store.delete(run.id, TEACHER)
    with pytest.raises(RunNotFound):
        store.get(run.id)


def test_the_teacher_resumes_no_second_run_of_a_visitor(store):
    stopped = waiting_run(store)
    store.request_stop(stopped.id, stopped.owner)
    waiting_run(store)
    with pytest.raises(NotAllowed, match="in training already"):
        store.resume(stopped.id, TEACHER)


def test_the_teacher_keeps_more_than_a_visitor_but_not_more_than_there_is_room_for(
    store, monkeypatch
):
    monkeypatch.setattr(quotas, "MOST_PINNED_EACH", 1)
    monkeypatch.setattr(quotas, "MOST_PINNED", 2)
    kept = [finished_run(store, visitor) for visitor in "abc"]
    for run in kept[:2]:
        store.pin(run.id, TEACHER, True)
    with pytest.raises(NotAllowed, match="as there is room for"):
        store.pin(kept[2].id, TEACHER, True)


def test_what_the_teacher_keeps_is_not_counted_as_its_owners(store, monkeypatch):
    monkeypatch.setattr(quotas, "MOST_PINNED_EACH", 1)
    hers, mine, another = [finished_run(store, "me") for _ in range(3)]
    store.pin(hers.id, TEACHER, True)
    store.pin(hers.id, owner_of("me"), True)
    assert store.get(hers.id).pinned_by_teacher, "the owner's click changes nothing"
    store.pin(mine.id, owner_of("me"), True)
    with pytest.raises(NotAllowed, match="You can keep 1 runs"):
        store.pin(another.id, owner_of("me"), True)
    store.pin(another.id, TEACHER, True)
    store.pin(another.id, owner_of("me"), False)
    assert not store.get(another.id).pinned


def test_nobody_starts_a_run_as_the_teacher(store):
    with pytest.raises(NotAllowed):
        store.submit(PRESETS["classic"], TEACHER)
    assert store.list_runs() == []


@pytest.mark.parametrize("owner", ["", "Teacher", "teacher ", "TEACHER", owner_of(TEACHER)])
def test_who_is_almost_the_teacher_may_nothing(store, owner):
    run = finished_run(store)
    for act in (
        lambda: store.request_stop(run.id, owner),
        lambda: store.resume(run.id, owner, 1),
        lambda: store.rename(run.id, owner, "x"),
        lambda: store.pin(run.id, owner, True),
        lambda: store.delete(run.id, owner),
    ):
        with pytest.raises(NotAllowed, match="Only the person who started"):
            act()
    assert store.get(run.id) == run


# --- sweeps ---


def test_a_sweep_is_several_runs_named_after_the_first(store):
    sweep = waiting_sweep(store, "me", (0.001, 0.01, 0.1))
    assert [run.config.learning_rate for run in sweep] == [0.001, 0.01, 0.1]
    assert {run.sweep for run in sweep} == {sweep[0].id}
    assert {(run.state, run.owner) for run in sweep} == {(WAITING, owner_of("me"))}
    assert store.sweep_runs(sweep[0].id) == sweep
    assert waiting_run(store, "somebody else").sweep is None


@pytest.mark.parametrize("sweep_id", ["", "nope", "<script>"])
def test_a_sweep_that_is_not_there_says_so(sweep_id, store):
    waiting_run(store)
    for look in (store.sweep_runs, lambda found: store.stop_sweep(found, owner_of("me"))):
        with pytest.raises(RunNotFound, match="There is no such sweep"):
            look(sweep_id)


def test_a_visitor_may_have_one_run_and_one_sweep_at_a_time(store):
    sweep = waiting_sweep(store, "me")
    run = waiting_run(store, "me")
    with pytest.raises(NotAllowed, match="You have a sweep in training already"):
        waiting_sweep(store, "me")
    with pytest.raises(NotAllowed, match="You have a run in training already"):
        waiting_run(store, "me")
    store.stop_sweep(sweep[0].id, owner_of("me"))
    assert len(waiting_sweep(store, "me")) == 2
    assert store.get(run.id).state == WAITING


def test_a_run_of_a_sweep_resumes_beside_a_single_run_and_not_beside_a_sweep(store):
    stopped, _ = waiting_sweep(store, "me")
    store.stop_sweep(stopped.id, owner_of("me"))
    waiting_run(store, "me")
    assert store.resume(stopped.id, owner_of("me")).state == WAITING
    store.request_stop(stopped.id, owner_of("me"))
    waiting_sweep(store, "me")
    with pytest.raises(NotAllowed, match="You have a sweep in training already"):
        store.resume(stopped.id, owner_of("me"))


def test_nobody_starts_a_sweep_as_the_teacher(store):
    with pytest.raises(NotAllowed, match="the teacher has none"):
        store.submit_sweep([CONFIG], TEACHER)
    assert store.list_runs() == []


@pytest.mark.parametrize("count", [0, 13])
def test_a_sweep_of_no_runs_or_too_many_is_a_mistake_of_the_caller(count, store):
    with pytest.raises(ValueError, match="Expected 1 to 12 runs"):
        store.submit_sweep([CONFIG] * count, owner_of("me"))


def test_a_sweep_takes_one_place_in_the_queue_however_many_runs_it_has(store, monkeypatch):
    monkeypatch.setattr(quotas, "MOST_ACTIVE", 2)
    assert len(waiting_sweep(store, "me", (0.001, 0.01, 0.1))) == 3
    waiting_run(store, "me")
    with pytest.raises(NotAllowed, match="The queue is full"):
        waiting_sweep(store, "somebody else")
    assert len(store.list_runs()) == 4


def test_a_whole_class_behind_one_address_may_train_and_sweep_at_once(store):
    school = set()
    for student in range(40):
        owner = owner_of(f"student {student}")
        school.add(store.submit(CONFIG, owner, school).id)
        school |= {run.id for run in store.submit_sweep([CONFIG] * 6, owner, school)}
    assert len(store.list_runs(states=(WAITING,))) == 40 + 40 * 6
    assert store.submit(CONFIG, owner_of("elsewhere")).state == WAITING


def claimed_in_order(store) -> list[str]:
    """The ids of all that wait, as one worker would train them."""
    add_worker(store)
    found = []
    while run := store.claim_run("worker"):
        found.append(run.id)
        store.complete(run.id, "worker", FINISHED)
    return found


def test_a_sweeps_later_runs_let_everybody_else_go_first(store):
    earlier = waiting_run(store, "earlier")
    first, second, third = waiting_sweep(store, "me", (0.001, 0.01, 0.1))
    later = waiting_run(store, "later")
    other, another = waiting_sweep(store, "you")
    expected = [earlier, first, later, other, second, third, another]
    assert [places(store, run.id) for run in expected] == [
        [run.id for run in expected[:place]] for place in range(len(expected))
    ]
    assert claimed_in_order(store) == [run.id for run in expected]


def test_who_comes_while_a_sweeps_run_is_trained_waits_for_that_run_alone(store):
    first, second, third = waiting_sweep(store, "me", (0.001, 0.01, 0.1))
    add_worker(store)
    store.claim_run("worker")
    store.complete(first.id, "worker", FINISHED)
    assert store.claim_run("worker").id == second.id
    newcomer = waiting_run(store, "newcomer")
    assert places(store, newcomer.id) == [second.id]
    assert places(store, third.id) == [second.id, newcomer.id]
    store.complete(second.id, "worker", FINISHED)
    assert store.claim_run("worker").id == newcomer.id
    assert places(store, third.id) == [newcomer.id]


def test_a_deleted_first_run_brings_the_others_no_better_place(store):
    first, second = waiting_sweep(store, "me")
    store.request_stop(first.id, owner_of("me"))
    store.delete(first.id, owner_of("me"))
    newcomer = waiting_run(store, "newcomer")
    assert store.sweep_runs(first.id) == [second]
    assert claimed_in_order(store) == [newcomer.id, second.id]


def test_a_stopped_sweep_withdraws_what_waits_and_asks_what_runs(store):
    waiting, running, ended = waiting_sweep(store, "me", (0.001, 0.01, 0.1))[::-1]
    add_worker(store)
    store.claim_run("worker")
    store.complete(ended.id, "worker", FINISHED)
    store.claim_run("worker")
    other = waiting_run(store, "somebody else")
    store.stop_sweep(ended.id, owner_of("me"))
    assert [run.state for run in store.sweep_runs(ended.id)] == [FINISHED, RUNNING, INTERRUPTED]
    assert store.get(running.id).stop_requested
    assert store.get(waiting.id).message == runs.WITHDRAWN
    assert store.get(other.id).state == WAITING


def test_only_its_owner_and_the_teacher_stop_a_sweep(store):
    sweep = waiting_sweep(store, "me")
    with pytest.raises(NotAllowed, match="Only the person who started a run"):
        store.stop_sweep(sweep[0].id, owner_of("somebody else"))
    assert {run.state for run in store.sweep_runs(sweep[0].id)} == {WAITING}
    store.stop_sweep(sweep[0].id, TEACHER)
    assert {run.state for run in store.sweep_runs(sweep[0].id)} == {INTERRUPTED}


def test_a_sweeps_trials_tell_how_far_each_run_is(store):
    first, second = waiting_sweep(store, "me")
    running_run(store, "somebody else", worker_id="other")
    add_worker(store)
    store.claim_run("worker")
    store.report(first.id, "worker", reports(12))
    running, waiting = store.trials(first.id)
    assert running == Trial(store.get(first.id), 2.4, 0.5)
    assert waiting == Trial(second)
    with pytest.raises(RunNotFound, match="There is no such sweep"):
        store.trials(second.id)


def test_trials_of_all_since_a_time_tell_how_far_each_is(store):
    finished = finished_run(store, "a", steps=10)
    running = running_run(store, "b", steps=12)
    waiting = waiting_run(store, "c")
    assert store.trials_since(finished.created_at) == [
        Trial(store.get(finished.id), 2.0, 0.5),
        Trial(store.get(running.id), 2.4, 0.5),
        Trial(store.get(waiting.id)),
    ]
    assert [trial.run.id for trial in store.trials_since(running.created_at)] == [
        running.id,
        waiting.id,
    ]
    assert store.trials_since(waiting.created_at + 1) == []


def tried(state: str, validation: float | None, test: float | None = None) -> Trial:
    return Trial(Run("x", state, CONFIG, 0.0, test_accuracy=test), 1.0, validation)


def test_the_best_of_a_sweep_is_chosen_on_validation_images_whatever_it_is_in_the_test():
    trials = [
        tried(FINISHED, 0.95, test=0.99),
        tried(FINISHED, 0.97, test=0.90),
        tried(RUNNING, 0.99),
        tried(FAILED, 0.98),
        tried(INTERRUPTED, None),
    ]
    assert chosen(trials) == trials[1]
    assert chosen(trials[2:]) is None
    assert [trial.validation_accuracy for trial in ranked(trials)] == [
        0.99, 0.98, 0.97, 0.95, None,
    ]  # fmt: skip


def test_runs_of_a_sweep_are_forgotten_like_others(store, monkeypatch):
    sweep = waiting_sweep(store, "me", (0.001, 0.01, 0.1))
    claimed_in_order(store)
    monkeypatch.setattr(quotas, "MOST_STORED", 1)
    waiting_run(store, "somebody else")
    assert store.sweep_runs(sweep[0].id) == [store.get(run.id) for run in sweep[-1:]]


# --- what runs are chosen by ---


def test_a_run_knows_the_validation_accuracy_of_its_last_whole_epoch(store):
    reported = [
        dataclasses.replace(report, validation_accuracy=report.epoch / 10)
        if report.validation_accuracy
        else report
        for report in reports(17)
    ]
    run = finished_run(store, reported=reported, epochs=3, state="stopped")
    assert store.get(run.id).validation_accuracy == pytest.approx(0.3)
    assert [found.validation_accuracy for found in store.list_runs(trained=True)] == [
        pytest.approx(0.3)
    ]
    assert running_run(store, "other").validation_accuracy is None


def test_while_a_run_goes_on_its_validation_accuracy_is_that_of_the_network_it_has(store):
    run = finished_run(store, reported=reports(10), epochs=2, state="stopped", checkpoint_step=10)
    store.resume(run.id, run.owner)
    store.claim_run("worker")
    later = [
        dataclasses.replace(report, validation_accuracy=0.9)
        if report.validation_accuracy
        else report
        for report in reports(7, first=11)
    ]
    store.report(run.id, "worker", later)
    assert store.get(run.id).validation_accuracy == 0.5


def test_listing_runs_with_their_validation_accuracy_is_one_query(store):
    for number in range(3):
        finished_run(store, f"visitor-{number}")
    queries = []
    sa.event.listen(
        store.database.engine, "before_cursor_execute", lambda *args: queries.append(args[2])
    )
    assert len(store.list_runs(trained=True)) == 3
    assert len([text for text in queries if text.startswith("SELECT")]) == 1
